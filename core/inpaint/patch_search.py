"""One level of PatchMatch: its patches, the search for the context patch most similar to each, and the vote on the hole's colours."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

PATCH_STEP = 2
"""Pixels between the centres of patches. They overlap; with step 1 the result hardly improves and takes four times as long."""
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


def patches(level: PyramidLevel, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the centres of patches that overlap the hole, `PATCH_STEP` apart; the centres lie in the region."""
    import cv2

    side = 2 * radius + 1
    overlapping = (cv2.dilate(level.hole.astype(np.uint8), np.ones((side, side))) > 0) & (level.source | level.hole)
    rows, columns = np.nonzero(overlapping[::PATCH_STEP, ::PATCH_STEP])
    return rows * PATCH_STEP, columns * PATCH_STEP


class PatchSearch:
    """Improves the field of one level by propagation and random search, all patches at once.

    The difference of two patches is their weighted mean square difference. Multiplied out it is a scalar product of a vector of
    the context patch with one of the wanted patch, which is quick to compute for many pairs: for each pixel (r, g, b, r^2 + g^2 + b^2)
    with (-2 r, -2 g, -2 b, 1) times the pixel's weight, and what the wanted patch alone adds.
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
        self.signed_weight = self.weight * np.array([-2, -2, -2, 1], np.float32)
        self.hole, self.shown = np.flatnonzero(level.hole), np.ones((level.hole.size, 4), np.float32)
        self.shown[:, :3] = level.colour.reshape(-1, 3)
        self.squares = np.einsum("nc,nc->n", self.shown[:, :3], self.shown[:, :3])
        self.rim = np.flatnonzero(level.rim.ravel()[self.hole])  # among the hole's pixels
        self.rim_colour = self.shown[self.hole[self.rim], :3]
        self.number = patch_numbers(rows, columns, self.shape).ravel()
        beside = patch_numbers(nnf.rows, nnf.columns, self.shape, PATCH_STEP)
        steps = np.array(NEIGHBOURS)[:, :, None] * PATCH_STEP
        self.whose = beside[nnf.rows + steps[:, 0] + PATCH_STEP, nnf.columns + steps[:, 1] + PATCH_STEP]  # (4, n)
        self.steps = steps * (self.whose[:, None] >= 0)  # where there is no neighbour the last patch's place does no harm

    def __call__(self, filled: np.ndarray, rng: np.random.Generator) -> None:
        """One round: each patch takes the best of its match, those that propagate from its neighbours, and random ones.

        `filled` (n, 3) float32: the colours of the hole's pixels now, in their raster order.
        """
        nnf, (height, width) = self.nnf, self.shape
        place = np.stack([nnf.source_rows, nnf.source_columns])
        offers = np.concatenate([place[None], self._propagated(place), self._random_search(place, rng)])
        rows, columns = np.clip(offers[:, 0], 0, height - 1), np.clip(offers[:, 1], 0, width - 1)
        number = self.number.take(rows * width + columns)
        new = number >= 0
        new[1:] &= number[1:] != number[0]  # neighbours often offer what a patch has
        patch, turn = np.nonzero(new.T)
        difference = np.full(number.shape, np.inf, np.float32)
        wanted, own = self._wanted(self.with_rim_evidence(filled))
        difference[turn, patch] = self._differences(wanted, patch, number[turn, patch])
        difference = np.maximum(difference + own, 0)
        best, every = difference.argmin(axis=0), np.arange(len(nnf.rows))
        nnf.source_rows, nnf.source_columns = rows[best, every], columns[best, every]
        nnf.difference = difference[best, every]

    def with_rim_evidence(self, filled: np.ndarray) -> np.ndarray:
        """(n, 3) float32 to compare patches with: on the rim, what the photo shows, as far as the patches agree."""
        if not len(self.rim):
            return filled
        believed = filled.copy()
        apart = self.rim_colour - believed[self.rim]
        believed[self.rim] += np.exp(np.einsum("nc,nc->n", apart, apart) / (-3 * RIM_TRUST**2))[:, None] * apart
        return believed

    def _propagated(self, place: np.ndarray) -> np.ndarray:
        """(4, 2, n): the matches of the four neighbours, moved by the step from the neighbour to the patch."""
        return place[:, self.whose].swapaxes(0, 1) - self.steps

    def _random_search(self, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(k, 2, n): random places around the matches (2, n), in ever smaller windows."""
        half = max(self.shape) / 2
        reach = half * RADIUS_RATIO ** -np.arange(max(1, ceil(log(half, RADIUS_RATIO))))
        return place + np.rint(reach[:, None, None] * rng.uniform(-1, 1, (len(reach), *place.shape))).astype(np.int64)

    def _wanted(self, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 4 * pixels) float32 vectors of the wanted patches, and (n,) what each adds to all its differences."""
        self.shown[self.hole, :3] = filled
        wanted = self.shown.take(self.patch_pixels, axis=0)
        self.squares[self.hole] = np.einsum("nc,nc->n", filled, filled)
        own = np.einsum("np,np->n", self.squares.take(self.patch_pixels), self.weight[..., 0])
        wanted *= self.signed_weight
        return wanted.reshape(len(wanted), -1), own

    def _differences(self, wanted: np.ndarray, patch: np.ndarray, place: np.ndarray) -> np.ndarray:
        """(n,) float32 differences between these patches and the context patches of these numbers, without what the former add."""
        result = np.empty(len(patch), np.float32)
        for start in range(0, len(patch), BATCH):
            part = slice(start, start + BATCH)
            np.einsum("np,np->n", self.known.take(place[part], axis=0), wanted.take(patch[part], axis=0), out=result[part])
        return result


def known_patches(colour: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int) -> np.ndarray:
    """(n, 4 * side * side) float32 of the patches at these centres: of each pixel its colour, then the sum of its squares."""
    flat = np.empty((colour.shape[0] * colour.shape[1], 4), np.float32)
    flat[:, :3] = colour.reshape(-1, 3)
    flat[:, 3] = np.einsum("nc,nc->n", flat[:, :3], flat[:, :3])
    result = np.empty((len(rows), 4 * side * side), np.float32)
    for start in range(0, len(rows), BATCH):  # or the indices alone would take half as much memory again
        part = slice(start, start + BATCH)
        result[part] = flat.take(patch_pixels(rows[part], columns[part], side, colour.shape[:2]), axis=0).reshape(-1, result.shape[1])
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
        """`radius`: how far from its centre a patch votes, pixels; at most the patches' own."""
        self.nnf, self.shape = nnf, level.source.shape
        height, width = self.shape
        pad = radius + PATCH_STEP
        number = patch_numbers(nnf.rows, nnf.columns, level.source.shape, pad)
        rows, columns = np.nonzero(level.hole)
        self.groups = []  # pixels that lie alike between the centres of patches: which, their patches, steps to what these show
        for phase in np.ndindex(PATCH_STEP, PATCH_STEP):
            which = np.flatnonzero((rows % PATCH_STEP == phase[0]) & (columns % PATCH_STEP == phase[1]))
            steps = (np.arange((radius - at) % PATCH_STEP - radius, radius + 1, PATCH_STEP) for at in phase)
            down, right = (array.ravel()[:, None] for array in np.meshgrid(*steps, indexing="ij"))
            first = (rows[which] + pad) * number.shape[1] + columns[which] + pad
            self.groups.append((which, number.take(first + down * number.shape[1] + right), -down * width - right))
        self.colour = np.ones((height * width, 4), np.float32)
        self.colour[:, :3] = level.colour.reshape(-1, 3)

    def __call__(self, filled: np.ndarray) -> np.ndarray:
        """(n, 3) float32 colours of the hole's pixels: the mean over patches that cover a pixel, where similar ones have more weight,
        or as in `filled` (n, 3) where no patch does."""
        nnf, (height, width) = self.nnf, self.shape
        weight = np.zeros(len(nnf.rows) + 1, np.float32)  # the last stands for "no patch here"
        weight[:-1] = 1
        if nnf.difference is not None and len(nnf.rows):
            middle = len(nnf.rows) * WEIGHT_PERCENTILE // 100
            weight[:-1] /= nnf.difference + 1e-4 + np.partition(nnf.difference, middle)[middle]
        fourfold = np.repeat(weight[:, None], 4, axis=1)
        place = np.append(nnf.source_rows * width + nnf.source_columns, height // 2 * width + width // 2)
        result = filled.copy()
        for which, patch, step in self.groups:
            at = place.take(patch)
            at += step
            taken = self.colour.take(at, axis=0)
            taken *= fourfold.take(patch, axis=0)
            total = taken.sum(axis=0)
            voted = total[:, 3] > 0
            result[which[voted]] = total[voted, :3] / total[voted, 3:]
        return result
