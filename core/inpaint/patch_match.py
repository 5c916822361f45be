"""Exemplar inpainting: lines and texture of the context continue into the hole (PatchMatch, coarse to fine).

Wexler et al. 2007 (sections 3 and 4): every patch that overlaps the hole is to look like some patch of the known context. Each
hole pixel is the weighted mean of what the patches over it say (voting). Which context patch is most similar is the
nearest-neighbour field of Barnes et al. 2009 (section 3, PatchMatch): a good match propagates to neighbouring patches, and is
improved by random search. Both are repeated on every level of a pyramid, from the coarsest.

Only trusted context is copied, so no foreground gets in. The rim that is not trusted helps to compare, as far as the patches
agree with what the photo shows there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil, log2

import numpy as np

from ..memory import ArrayCache
from ..raster.nearest_known import nearest_known
from ..raster.push_pull import halve
from .patch_search import Matches, NearestNeighbourField, PatchSearch, PyramidLevel, Voting, patch_numbers, patch_step, patches

SEARCHES_FINE, SEARCHES_COARSE = 4, (20, 10)
"""Rounds of searching and voting: on levels between the two bounds of an effort; then on the finest level below both, and on all
coarser ones."""
UNSEARCHED_REACH = 2
"""How far from its centre a patch votes on a level that is not searched, pixels: neighbours then show the same picture anyway."""
DEEPEST_HOLE = 3
"""The pyramid ends where no hole pixel is further than this from a known one, in pixels of that level."""
SMALLEST, MAX_LEVELS, MIN_PATCHES = 24, 7, 40
COARSE = 0.017
"""Sigma as a part of the long side. Anything coarser is left to the smooth fill: patches get lines right and brightness wrong."""


@dataclass(frozen=True)
class Effort:
    """How thoroughly patches are searched for."""

    radius: int  # of a patch, pixels
    seed: int  # of the random numbers
    most_searched: int  # long side, pixels: on longer levels the field of the coarser level is only upsampled
    converged: int  # long side, pixels: levels up to this are searched until the field hardly changes


THOROUGH = Effort(3, 2, 1000, 500)  # with the mean of this and of radius 2 holes of stereo pairs gain 0.1 dB, for twice the time
QUICK = Effort(3, 2, 250, 250)


@dataclass(frozen=True)
class Hole:
    """What is to be filled, and from what."""

    colour: np.ndarray  # (h, w, 3) float32 sRGB
    source: np.ndarray  # (h, w) bool: what may be copied
    wanted: np.ndarray  # (h, w) bool: what is to be filled
    smooth: np.ndarray  # (h, w, 3) float32 sRGB: the smooth fill that texture is added to
    long_side: int  # of the whole picture, pixels
    rim: np.ndarray | None = None  # (h, w) bool, part of `wanted`: where `colour` shows something that may not be copied


patch_cache = ArrayCache()
"""Results by a hash of the inputs: an edit of the depth changes few regions of a photo."""


def inpaint_exemplars_cached(holes: Sequence[Hole], effort: Effort = THOROUGH) -> list[np.ndarray | None]:
    """`inpaint_exemplars`, from the cache where context and hole are the same as before."""
    keys = [_key(hole, effort) for hole in holes]
    values: dict[bytes, np.ndarray | None] = {}
    for key in keys:
        known, value = patch_cache.recall(key)
        if known:
            values[key] = value
    new = {key: hole for key, hole in zip(keys, holes, strict=True) if key not in values}
    for key, result in zip(new, inpaint_exemplars(list(new.values()), effort), strict=True):
        values[key] = None if result is None else result[new[key].wanted]
        patch_cache.keep(key, values[key])
    return [_spread(values[key], hole.wanted) for key, hole in zip(keys, holes, strict=True)]


def _spread(values: np.ndarray | None, wanted: np.ndarray) -> np.ndarray | None:
    """(h, w, k) float32: the (n, k) values at the wanted pixels, 0 elsewhere."""
    if values is None:
        return None
    result = np.zeros((*wanted.shape, values.shape[1]), np.float32)
    result[wanted] = values
    return result


def _key(hole: Hole, effort: Effort) -> bytes:
    rim = np.zeros_like(hole.wanted) if hole.rim is None else hole.rim
    digest = blake2b(repr((*hole.source.shape, hole.long_side, effort)).encode(), digest_size=16)
    masks = (np.packbits(mask) for mask in (hole.source, hole.wanted, rim))
    for part in (*masks, hole.colour[hole.source | rim], hole.smooth[hole.wanted]):
        digest.update(np.ascontiguousarray(part).data)
    return digest.digest()


def inpaint_exemplar(hole: Hole, effort: Effort = THOROUGH) -> np.ndarray | None:
    """`inpaint_exemplars` for one hole."""
    return inpaint_exemplars([hole], effort)[0]


def inpaint_exemplars(holes: Sequence[Hole], effort: Effort = THOROUGH) -> list[np.ndarray | None]:
    """For each hole (h, w, 3) float32: what patches add to the smooth fill in the hole, 0 elsewhere. None where too little is known.

    No result depends on the other holes; they all have one `long_side`.
    """
    if not holes:
        return []
    levels = [finest_level(hole.colour, hole.source, hole.wanted, hole.smooth, effort.radius, hole.rim) for hole in holes]
    found = patch_match(levels, effort.radius, effort.seed, holes[0].long_side, effort)
    return [None if made is None else _fine_part(hole, made) for hole, made in zip(holes, found, strict=True)]


def _fine_part(hole: Hole, made: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32: in the hole `made` less its local average over hole and context, 0 elsewhere."""
    sigma, region = COARSE * hole.long_side, (hole.source | hole.wanted).astype(np.float32)
    averaged = blur(np.dstack([made * region[..., None], region]), sigma)
    coarse = averaged[..., :3] / np.maximum(averaged[..., 3:], 1e-4)
    return np.where(hole.wanted[..., None], made - coarse, 0).astype(np.float32)


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """The picture blurred by a Gaussian, a wide one at reduced size; beyond its frame it counts as black."""
    import cv2

    pad, coarser = ceil(3 * sigma), max(1, int(sigma / 4))
    height, width = picture.shape[:2]
    below, beside = (pad + -(n + 2 * pad) % coarser for n in (height, width))
    framed = cv2.copyMakeBorder(picture, pad, below, pad, beside, cv2.BORDER_CONSTANT)
    size = framed.shape[1::-1]
    small = cv2.resize(framed, (size[0] // coarser, size[1] // coarser), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / coarser)
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)[pad : pad + height, pad : pad + width]


def patch_match(
    levels: Sequence[PyramidLevel], radius: int, seed: int, long_side: int, effort: Effort = THOROUGH
) -> list[np.ndarray | None]:
    """For each region (h, w, 3) float32: the colour of its finest level on `source`, patches of it in `hole`, 0 elsewhere; None where
    too little is known.

    Patches have 2 `radius` + 1 pixels a side. `long_side` is that of the whole picture in pixels: the work of searching is
    bounded by it. The same `seed` gives the same result, whatever other regions there are.
    """
    filling = [RegionFill(pyramid, seed, long_side, effort) for level in levels if (pyramid := build_pyramid(level, radius))]
    for number in reversed(range(max((len(each.pyramid) for each in filling), default=0))):
        alike: dict[int, list[RegionFill]] = {}
        for each in filling:
            if number < len(each.pyramid):
                each.descend(number, radius)
                if number == 0 or number >= each.finest:  # where nothing is searched, only the field goes on to the finer level
                    alike.setdefault(each.rounds(number), []).append(each)
        for rounds, regions in alike.items():
            _search_and_vote(regions, number, radius, rounds)
    painted = {id(each.pyramid[0]): each for each in filling}
    return [painted[id(level)].picture() if id(level) in painted else None for level in levels]


class RegionFill:
    """One region on the way through its pyramid."""

    def __init__(self, pyramid: list[PyramidLevel], seed: int, long_side: int, effort: Effort):
        self.pyramid, self.rng = pyramid, np.random.default_rng(seed)
        bounds = effort.most_searched, effort.converged
        self.finest, self.settled = (min(len(pyramid) - 1, max(0, ceil(log2(long_side / most)))) for most in bounds)
        self.nnf: NearestNeighbourField | None = None
        self.filled = pyramid[-1].smooth[pyramid[-1].hole]

    def descend(self, number: int, radius: int) -> None:
        """Takes the field over to the level of that number."""
        now = self.pyramid[number]
        self.nnf = nearest_field(now, radius) if self.nnf is None else upsampled_field(self.nnf, self.pyramid[number + 1], now, radius)

    def rounds(self, number: int) -> int:
        """Rounds of searching and voting on the level of that number."""
        if number < self.finest:
            return 0
        return SEARCHES_FINE if number < self.settled else SEARCHES_COARSE[min(number - self.settled, len(SEARCHES_COARSE) - 1)]

    def picture(self) -> np.ndarray:
        level = self.pyramid[0]
        picture = level.colour.copy()
        picture[level.hole] = self.filled
        return picture


def _search_and_vote(regions: Sequence[RegionFill], number: int, radius: int, rounds: int) -> None:
    """Fills the holes of these regions on the level of that number, by so many rounds."""
    levels = [each.pyramid[number] for each in regions]
    matches = Matches([each.nnf for each in regions if each.nnf], levels)
    voting = Voting(matches, radius if rounds else min(radius, UNSEARCHED_REACH), patch_step(radius))
    filled = np.concatenate([level.smooth[level.hole] for level in levels])
    voted = voting(filled)
    for each, span in zip(regions, matches.hole_pixels, strict=True):
        if number < len(each.pyramid) - 1:  # the first guess of a field says nothing
            filled[span] = voted[span]
    if rounds:
        search = PatchSearch(matches, radius)
        for _ in range(rounds):
            search(filled, [each.rng for each in regions])
            filled = voting(filled)
        matches.store()
    for each, span in zip(regions, matches.hole_pixels, strict=True):
        each.filled = filled[span].copy()


def finest_level(
    colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, radius: int, rim: np.ndarray | None = None
) -> PyramidLevel:
    """The finest level: the region at its own size."""
    import cv2

    side = 2 * radius + 1
    inside = cv2.erode(source.astype(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
    rim = np.zeros_like(hole) if rim is None else rim
    return PyramidLevel(np.where((source | rim)[..., None], colour, 0).astype(np.float32), source, hole, smooth, inside > 0, rim)


def build_pyramid(level: PyramidLevel, radius: int) -> list[PyramidLevel] | None:
    """The level and coarser ones, as long as they have patches to copy; None where the first has too few."""
    import cv2

    levels = [level]
    if np.count_nonzero(level.centres) < MIN_PATCHES:
        return None
    while min(levels[-1].source.shape) > SMALLEST and len(levels) < MAX_LEVELS:
        last = levels[-1]
        if cv2.distanceTransform(last.hole.astype(np.uint8), cv2.DIST_L2, 3).max() <= DEEPEST_HOLE:
            break
        parts = (a.astype(np.float32) for a in (last.source, last.hole, last.source | last.rim))
        share, open_, shown, sums = (halve(a, cv2.BORDER_CONSTANT) for a in (*parts, last.colour))
        smooth = halve(last.smooth, cv2.BORDER_REPLICATE)
        source = share > 0.999
        hole = (open_ > 0) & ~source
        coarse = finest_level(sums / np.maximum(shown, 1e-6)[..., None], source, hole, smooth, radius, hole & (shown > 0.5))
        if np.count_nonzero(coarse.centres) < MIN_PATCHES:
            break
        levels.append(coarse)
    return levels


def nearest_source_patch(level: PyramidLevel, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the nearest whole context patch to each of these pixels."""
    return np.divmod(nearest_known(level.centres)[1][rows, columns], level.source.shape[1])


def nearest_field(level: PyramidLevel, radius: int) -> NearestNeighbourField:
    """The first guess of a field: the nearest context patch."""
    rows, columns = patches(level, radius)
    return NearestNeighbourField(rows, columns, *nearest_source_patch(level, rows, columns))


def upsampled_field(nnf: NearestNeighbourField, coarse: PyramidLevel, level: PyramidLevel, radius: int) -> NearestNeighbourField:
    """The field of the next coarser level at this one: the same offsets, doubled."""
    rows, columns = patches(level, radius)
    which = patch_numbers(nnf.rows, nnf.columns, coarse.source.shape)
    step = patch_step(radius)
    which = which[rows // 2 // step * step, columns // 2 // step * step]
    known = which >= 0
    height, width = level.source.shape
    source_rows = rows + np.where(known, 2 * (nnf.source_rows - nnf.rows)[which], 0)
    source_columns = columns + np.where(known, 2 * (nnf.source_columns - nnf.columns)[which], 0)
    source_rows, source_columns = np.clip(source_rows, 0, height - 1), np.clip(source_columns, 0, width - 1)
    lost = ~level.centres[source_rows, source_columns]
    if lost.any():
        source_rows[lost], source_columns[lost] = nearest_source_patch(level, source_rows[lost], source_columns[lost])
    return NearestNeighbourField(rows, columns, source_rows, source_columns)
