"""Exemplar inpainting: lines and texture of the context continue into the hole (PatchMatch, coarse to fine).

Wexler et al. 2007 (sections 3 and 4): every patch that overlaps the hole is to look like some patch of the known context. Each
hole pixel is the weighted mean of what the patches over it say (voting). Which context patch is most similar is the
nearest-neighbour field of Barnes et al. 2009 (section 3, PatchMatch): a good match propagates to neighbouring patches, and is
improved by random search. Both are repeated on every level of a pyramid, from the coarsest.

Only trusted context is copied, so no foreground gets in. The rim that is not trusted helps to compare, as far as the patches
agree with what the photo shows there.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import ceil, log2

import numpy as np

from ..memory import ArrayCache
from ..raster.nearest_known import nearest_known
from .patch_search import PATCH_STEP, NearestNeighbourField, PatchSearch, PyramidLevel, Voting, patch_numbers, patches

SEARCHES_FINE, SEARCHES_COARSE = 3, (20, 8, 8)
"""Rounds of searching and voting: on levels between those two; then on the finest level below both, the next one, all coarser."""
UNSEARCHED_REACH = 2
"""How far from its centre a patch votes on a level that is not searched, pixels: neighbours then show the same picture anyway."""
DEEPEST_HOLE = 3
"""The pyramid ends where no hole pixel is further than this from a known one, in pixels of that level."""
SMALLEST, MAX_LEVELS, MIN_PATCHES = 24, 7, 40
RUNS = 2
"""Results that a fill is made of. Where two runs agree the result is likely right; their mean is closer to the truth."""
COARSE = 0.017
"""Sigma as a part of the long side. Anything coarser is left to the smooth fill: patches get lines right and brightness wrong."""


@dataclass(frozen=True)
class Effort:
    """How thoroughly patches are searched for."""

    radii_and_seeds: tuple[tuple[int, int], ...]  # of each run, `RUNS` at most: patch radius in pixels, random seed
    most_searched: int  # long side, pixels: on longer levels the field of the coarser level is only upsampled
    converged: int  # long side, pixels: levels up to this are searched until the field hardly changes


THOROUGH = Effort(((2, 1), (3, 2)), 1000, 500)
QUICK = Effort(((3, 2),), 250, 250)


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


def inpaint_exemplar_cached(hole: Hole, effort: Effort = THOROUGH) -> np.ndarray | None:
    """`inpaint_exemplar`, from the cache where context and hole are the same as before."""
    rim = np.zeros_like(hole.wanted) if hole.rim is None else hole.rim
    digest = blake2b(repr((*hole.source.shape, hole.long_side, effort)).encode(), digest_size=16)
    masks = (np.packbits(mask) for mask in (hole.source, hole.wanted, rim))
    for part in (*masks, hole.colour[hole.source | rim], hole.smooth[hole.wanted]):
        digest.update(np.ascontiguousarray(part).data)
    known, values = patch_cache.recall(digest.digest())
    if not known:
        result = inpaint_exemplar(hole, effort)
        values = None if result is None else result[hole.wanted]
        patch_cache.keep(digest.digest(), values)
    if values is None:
        return None
    result = np.zeros((*hole.wanted.shape, values.shape[1]), np.float32)
    result[hole.wanted] = values
    return result


def inpaint_exemplar(hole: Hole, effort: Effort = THOROUGH) -> np.ndarray | None:
    """(h, w, 3 `RUNS`) float32: what each run adds to the smooth fill in the hole, 0 elsewhere; the last run again where the effort
    has fewer. None where too little is known."""
    found, sigma = [], COARSE * hole.long_side
    region = (hole.source | hole.wanted).astype(np.float32)
    share = np.maximum(blur(region, sigma), 1e-4)[..., None]
    for radius, seed in effort.radii_and_seeds:
        level = finest_level(hole.colour, hole.source, hole.wanted, hole.smooth, radius, hole.rim)
        made = patch_match(level, radius, seed, hole.long_side, effort)
        if made is not None:
            coarse = blur(made * region[..., None], sigma) / share
            found.append(np.where(hole.wanted[..., None], made - coarse, 0).astype(np.float32))
    if not found:
        return None
    return np.concatenate([found[min(k, len(found) - 1)] for k in range(RUNS)], axis=2)


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


def patch_match(level: PyramidLevel, radius: int, seed: int, long_side: int, effort: Effort = THOROUGH) -> np.ndarray | None:
    """(h, w, 3) float32: the level's colour on `source`, patches of it in `hole`, 0 elsewhere; None where too little is known.

    Patches have 2 `radius` + 1 pixels a side. `long_side` is that of the whole picture in pixels: the work of searching is
    bounded by it. The same `seed` gives the same result.
    """
    levels = build_pyramid(level, radius)
    if levels is None:
        return None
    rng, filled = np.random.default_rng(seed), level.smooth[level.hole]
    nnf: NearestNeighbourField | None = None
    bounds = effort.most_searched, effort.converged
    finest, settled = (min(len(levels) - 1, max(0, ceil(log2(long_side / most)))) for most in bounds)
    for number in reversed(range(len(levels))):
        now = levels[number]
        nnf = nearest_field(now, radius) if nnf is None else upsampled_field(nnf, levels[number + 1], now, radius)
        if 0 < number < finest:
            continue  # where nothing is searched, only the field goes on to the finer level
        filled, voting = now.smooth[now.hole], Voting(nnf, now, radius if number >= finest else min(radius, UNSEARCHED_REACH))
        if number < len(levels) - 1:
            filled = voting(filled)
        if number >= finest:
            rounds = SEARCHES_FINE if number < settled else SEARCHES_COARSE[min(number - settled, len(SEARCHES_COARSE) - 1)]
            search = PatchSearch(nnf, now, radius)
            for _ in range(rounds):
                search(filled, rng)
                filled = voting(filled)
    picture = level.colour.copy()
    picture[level.hole] = filled
    return picture


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
        pad = tuple((0, n % 2) for n in last.source.shape)
        size = tuple((n + 1) // 2 for n in last.source.shape[::-1])
        parts = (np.pad(a.astype(np.float32), pad) for a in (last.source, last.hole, last.source | last.rim))
        share, open_, shown = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in parts)
        sums = cv2.resize(np.pad(last.colour, (*pad, (0, 0))), size, interpolation=cv2.INTER_AREA)
        smooth = cv2.resize(np.pad(last.smooth, (*pad, (0, 0)), mode="edge"), size, interpolation=cv2.INTER_AREA)
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
    which = which[rows // 2 // PATCH_STEP * PATCH_STEP, columns // 2 // PATCH_STEP * PATCH_STEP]
    known = which >= 0
    height, width = level.source.shape
    source_rows = rows + np.where(known, 2 * (nnf.source_rows - nnf.rows)[which], 0)
    source_columns = columns + np.where(known, 2 * (nnf.source_columns - nnf.columns)[which], 0)
    source_rows, source_columns = np.clip(source_rows, 0, height - 1), np.clip(source_columns, 0, width - 1)
    lost = ~level.centres[source_rows, source_columns]
    if lost.any():
        source_rows[lost], source_columns[lost] = nearest_source_patch(level, source_rows[lost], source_columns[lost])
    return NearestNeighbourField(rows, columns, source_rows, source_columns)
