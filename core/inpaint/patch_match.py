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
from math import ceil, log, log2

import numpy as np

from ..memory import ArrayCache
from ..raster.nearest_known import nearest_known

SEARCHES_FINE, SEARCHES_COARSE = 6, (20, 8, 8)
"""Rounds of searching and voting: on levels between those two; then on the finest level below both, the next one, all coarser."""
PATCH_STEP = 2
"""Pixels between the centres of patches. They overlap; with step 1 the result hardly improves and takes four times as long."""
DEEPEST_HOLE = 3
"""The pyramid ends where no hole pixel is further than this from a known one, in pixels of that level."""
SMALLEST, MOST_LEVELS, FEWEST_PATCHES = 24, 7, 40
CERTAINTY = 3.0
"""When patches are compared, a pixel counts this many times less for each pixel that it is away from the known ones."""
WEIGHT_PERCENTILE = 30
"""Percentile of all differences. It is added to each before weights are taken, so that the best patch does not outvote the rest."""
BATCH = 1024
"""Patches compared together: few enough that they stay in the processor's cache."""
RIM_TRUST = 0.6
"""The rim may show foreground. Where it differs from the patches by this (root mean square, sRGB 0..1) it counts 1 / e."""
RADIUS_RATIO = 2.5
"""Random search: the radius shrinks by this factor from the whole region down to one pixel."""
NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0))
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


@dataclass(frozen=True)
class PyramidLevel:
    """One level of the pyramid: the region at one size."""

    colour: np.ndarray  # (h, w, 3) float32, 0 off `source` and `rim`
    source: np.ndarray  # (h, w) bool: what may be copied
    hole: np.ndarray  # (h, w) bool: what is to be filled
    smooth: np.ndarray  # (h, w, 3) float32: what stands in the hole at first
    centres: np.ndarray  # (h, w) bool: centres of patches that lie wholly in `source`
    rim: np.ndarray  # (h, w) bool, part of `hole`: where the photo shows something that is not to be copied


@dataclass
class NearestNeighbourField:
    """For every patch that overlaps the hole, the most similar context patch."""

    rows: np.ndarray  # (n,) of the patches' centres
    columns: np.ndarray
    source_rows: np.ndarray  # (n,) of the context patches' centres
    source_columns: np.ndarray
    difference: np.ndarray | None = None  # (n,) float32 weighted mean square difference; None before a search


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
    share = np.maximum(blurred(region, sigma), 1e-4)[..., None]
    for radius, seed in effort.radii_and_seeds:
        level = finest_level(hole.colour, hole.source, hole.wanted, hole.smooth, radius, hole.rim)
        made = patch_match(level, radius, seed, hole.long_side, effort)
        if made is not None:
            coarse = blurred(made * region[..., None], sigma) / share
            found.append(np.where(hole.wanted[..., None], made - coarse, 0).astype(np.float32))
    if not found:
        return None
    return np.concatenate([found[min(k, len(found) - 1)] for k in range(RUNS)], axis=2)


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
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
    rng, picture = np.random.default_rng(seed), level.colour
    nnf: NearestNeighbourField | None = None
    bounds = effort.most_searched, effort.converged
    finest, settled = (min(len(levels) - 1, max(0, ceil(log2(long_side / most)))) for most in bounds)
    for number in reversed(range(len(levels))):
        now = levels[number]
        nnf = nearest_field(now, radius) if nnf is None else upsampled_field(nnf, levels[number + 1], now, radius)
        picture, voting = np.where(now.hole[..., None], now.smooth, now.colour), Voting(nnf, now, radius)
        if number < len(levels) - 1:
            picture = voting(picture)
        if number >= finest:
            rounds = SEARCHES_FINE if number < settled else SEARCHES_COARSE[min(number - settled, len(SEARCHES_COARSE) - 1)]
            search = PatchSearch(nnf, now, radius)
            for _ in range(rounds):
                search(with_rim_evidence(picture, now), rng)
                picture = voting(picture)
    return picture


def with_rim_evidence(picture: np.ndarray, level: PyramidLevel) -> np.ndarray:
    """(h, w, 3) float32 to compare patches with: on the rim, what the photo shows, as far as the patches agree."""
    if not level.rim.any():
        return picture
    apart = level.colour[level.rim] - picture[level.rim]
    belief = np.exp(-(apart**2).mean(axis=1, keepdims=True) / RIM_TRUST**2)
    believed = picture.copy()
    believed[level.rim] += belief * apart
    return believed


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
    if np.count_nonzero(level.centres) < FEWEST_PATCHES:
        return None
    while min(levels[-1].source.shape) > SMALLEST and len(levels) < MOST_LEVELS:
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
        if np.count_nonzero(coarse.centres) < FEWEST_PATCHES:
            break
        levels.append(coarse)
    return levels


def patches(level: PyramidLevel, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the centres of patches that overlap the hole, `PATCH_STEP` apart; the centres lie in the region."""
    import cv2

    side = 2 * radius + 1
    overlapping = (cv2.dilate(level.hole.astype(np.uint8), np.ones((side, side))) > 0) & (level.source | level.hole)
    rows, columns = np.nonzero(overlapping[::PATCH_STEP, ::PATCH_STEP])
    return rows * PATCH_STEP, columns * PATCH_STEP


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


class PatchSearch:
    """Improves the field of one level by propagation and random search, all patches at once.

    The difference of two patches is their weighted mean square difference. Multiplied out it is a scalar product of a vector of
    the context patch with one of the wanted patch, which is quick to compute for many pairs.
    """

    def __init__(self, nnf: NearestNeighbourField, level: PyramidLevel, radius: int):
        import cv2

        self.nnf, self.shape, side = nnf, level.source.shape, 2 * radius + 1
        away = cv2.distanceTransform((~level.source).astype(np.uint8), cv2.DIST_L2, 3)
        certainty = np.where(level.source | level.hole, CERTAINTY ** -np.float32(away), 0).astype(np.float32)
        rows, columns = np.nonzero(level.centres)
        self.known = known_patches(level.colour, rows, columns, side)
        self.patch_pixels = patch_pixels(nnf.rows, nnf.columns, side, self.shape)
        self.weight = certainty.ravel().take(self.patch_pixels)[..., None]
        self.weight /= np.maximum(self.weight.sum(axis=1, keepdims=True), 1e-9)
        self.number = patch_numbers(rows, columns, self.shape)
        beside = patch_numbers(nnf.rows, nnf.columns, self.shape, PATCH_STEP)
        steps = np.array(NEIGHBOURS)[:, :, None] * PATCH_STEP
        self.whose = beside[nnf.rows + steps[:, 0] + PATCH_STEP, nnf.columns + steps[:, 1] + PATCH_STEP]  # (4, n)
        self.steps = steps * (self.whose[:, None] >= 0)  # where there is no neighbour the last patch's place does no harm

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> None:
        """One round: each patch takes the best of its match, those that propagate from its neighbours, and random ones."""
        nnf, (height, width) = self.nnf, self.shape
        place = np.stack([nnf.source_rows, nnf.source_columns])
        offers = np.concatenate([place[None], self._propagated(place), self._random_search(place, rng)])
        rows, columns = np.clip(offers[:, 0], 0, height - 1), np.clip(offers[:, 1], 0, width - 1)
        number = self.number[rows, columns]
        difference = np.full(number.shape, np.inf, np.float32)
        turn, patch = np.nonzero(number >= 0)
        difference[turn, patch] = self._differences(picture, patch, number[turn, patch])
        best = difference.argmin(axis=0)[None]
        nnf.source_rows, nnf.source_columns, nnf.difference = (
            np.take_along_axis(array, best, axis=0)[0] for array in (rows, columns, difference)
        )

    def _propagated(self, place: np.ndarray) -> np.ndarray:
        """(4, 2, n): the matches of the four neighbours, moved by the step from the neighbour to the patch."""
        return place[:, self.whose].swapaxes(0, 1) - self.steps

    def _random_search(self, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(k, 2, n): random places around the matches (2, n), in ever smaller windows."""
        half = max(self.shape) / 2
        reach = half * RADIUS_RATIO ** -np.arange(max(1, ceil(log(half, RADIUS_RATIO))))
        return place + np.rint(reach[:, None, None] * rng.uniform(-1, 1, (len(reach), *place.shape))).astype(np.int64)

    def _differences(self, picture: np.ndarray, patch: np.ndarray, place: np.ndarray) -> np.ndarray:
        """(n,) float32 differences between these patches and the context patches of these numbers."""
        wanted = picture.reshape(-1, 3).take(self.patch_pixels, axis=0)
        weighted = wanted * self.weight
        own = np.einsum("npc,npc->n", weighted, wanted)
        weighted *= -2
        wanted = np.concatenate([weighted.reshape(len(wanted), -1), self.weight[..., 0]], axis=1)
        result = np.empty(len(patch), np.float32)
        for start in range(0, len(patch), BATCH):
            part = slice(start, start + BATCH)
            np.einsum("np,np->n", self.known.take(place[part], axis=0), wanted.take(patch[part], axis=0), out=result[part])
        result += own[patch]
        return np.maximum(result, 0, out=result)


def known_patches(colour: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int) -> np.ndarray:
    """(n, 4 * side * side) float32: the colours of the patches at these centres, then the sum of squares of each of their pixels."""
    pixels, flat = side * side, colour.reshape(-1, 3)
    result = np.empty((len(rows), 4 * pixels), np.float32)
    for start in range(0, len(rows), BATCH):  # or what is only on the way takes three times the result's memory
        part = slice(start, start + BATCH)
        known = flat.take(patch_pixels(rows[part], columns[part], side, colour.shape[:2]), axis=0)
        result[part, : 3 * pixels] = known.reshape(len(known), -1)
        np.sum(known * known, axis=2, out=result[part, 3 * pixels :])
    return result


def patch_pixels(rows: np.ndarray, columns: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    """(n, side * side) int64 flat indices of the pixels of the patches at these centres; clamped to the frame."""
    steps = np.arange(side) - side // 2
    down, right = (np.clip(at[:, None] + steps, 0, n - 1) for at, n in zip((rows, columns), shape, strict=True))
    return (down[:, :, None] * shape[1] + right[:, None, :]).reshape(len(rows), side * side)


def patch_numbers(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, ...], pad: int = 0) -> np.ndarray:
    """(h + 2 pad, w + 2 pad) int64: the number of the patch with its centre at a pixel, -1 elsewhere."""
    result = np.full((shape[0] + 2 * pad, shape[1] + 2 * pad), -1, np.int64)
    result[rows + pad, columns + pad] = np.arange(len(rows))
    return result


class Voting:
    """Voting on one level: hole pixels from the context patches that the field names."""

    def __init__(self, nnf: NearestNeighbourField, level: PyramidLevel, radius: int):
        (height, width), self.nnf, self.hole = level.source.shape, nnf, level.hole
        rows, columns = np.nonzero(level.hole)
        steps = np.arange(2 * radius // PATCH_STEP + 1) * PATCH_STEP - radius  # of as many centres as patches over one pixel can have
        down, right = (array.ravel()[:, None] for array in np.meshgrid(steps, steps, indexing="ij"))
        down, right = down - (rows + down) % -PATCH_STEP, right - (columns + right) % -PATCH_STEP  # to where centres are
        pad = radius + PATCH_STEP
        self.patch = patch_numbers(nnf.rows, nnf.columns, level.source.shape, pad)[rows + down + pad, columns + right + pad]
        self.patch[(down > radius) | (right > radius)] = -1
        self.away = np.where(self.patch >= 0, -down * width - right, 0)
        self.colour = np.ones((height * width, 4), np.float32)
        self.colour[:, :3] = level.colour.reshape(-1, 3)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(h, w, 3) float32: in the hole the mean over all patches that cover a pixel; similar ones have more weight."""
        nnf = self.nnf
        weight = np.zeros(len(nnf.rows) + 1, np.float32)  # the last stands for "no patch here"
        weight[:-1] = 1
        if nnf.difference is not None and len(nnf.rows):
            middle = len(nnf.rows) * WEIGHT_PERCENTILE // 100
            weight[:-1] /= nnf.difference + 1e-4 + np.partition(nnf.difference, middle)[middle]
        place = np.append(nnf.source_rows * self.hole.shape[1] + nnf.source_columns, 0)
        taken = self.colour.take(place.take(self.patch) + self.away, axis=0)
        total = np.einsum("pnc,pn->nc", taken, weight.take(self.patch))
        filled, voted = picture[self.hole], total[:, 3] > 0
        filled[voted] = total[voted, :3] / total[voted, 3:]
        picture = picture.copy()
        picture[self.hole] = filled
        return picture
