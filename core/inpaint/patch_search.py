"""One level of PatchMatch: its patches, the search for the context patch most similar to each, and the vote on the hole's colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np

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
FEW_PIXELS = 1 << 13
"""Up to so many pixels vote in one go: many small steps would cost more than the work in them."""
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


def patch_step(radius: int) -> int:
    """Pixels between the centres of patches: about six cover a pixel. With more the result hardly improves."""
    return max(2, radius)


def patches(level: PyramidLevel, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the centres of patches that overlap the hole, `patch_step` apart; the centres lie in the region."""
    import cv2

    side = 2 * radius + 1
    overlapping = (cv2.dilate(level.hole.astype(np.uint8), np.ones((side, side))) > 0) & (level.source | level.hole)
    step = patch_step(radius)
    rows, columns = np.nonzero(overlapping[::step, ::step])
    return rows * step, columns * step


class Matches:
    """The fields of several regions on one level as one, so that many small regions take as few steps as a large one.

    Patches, pixels of the holes and all pixels are numbered through, region after region. A region's matches do not depend on which
    others are with it.
    """

    def __init__(self, fields: Sequence[NearestNeighbourField], levels: Sequence[PyramidLevel]):
        self.fields, self.levels = fields, levels
        self.patches = _spans([len(nnf.rows) for nnf in fields])
        self.pixels = _spans([level.hole.size for level in levels])
        self.hole_pixels = _spans([np.count_nonzero(level.hole) for level in levels])
        shapes, counts = np.array([level.hole.shape for level in levels]), [len(nnf.rows) for nnf in fields]
        self.height, self.width = (np.repeat(sides, counts) for sides in shapes.T)  # (n,) of each patch's region
        self.first_pixel = np.repeat([span.start for span in self.pixels], counts)
        self.place = np.stack([np.concatenate([getattr(nnf, name) for nnf in fields]) for name in ("source_rows", "source_columns")])
        known = [nnf.difference for nnf in fields if nnf.difference is not None]
        self.difference = np.concatenate(known) if len(known) == len(fields) else None

    def pixel(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(..., n) numbers of the pixels at these rows and columns of each patch's region."""
        return rows * self.width + columns + self.first_pixel

    def store(self) -> None:
        """Writes the matches back to the regions' fields."""
        for nnf, span in zip(self.fields, self.patches, strict=True):
            nnf.source_rows, nnf.source_columns = self.place[:, span].copy()
            nnf.difference = None if self.difference is None else self.difference[span].copy()

    def together(self, arrays: Iterable[np.ndarray], spans: Sequence[slice]) -> np.ndarray:
        """Arrays of numbers, one per region, each moved by where the region's numbers start."""
        return np.concatenate([each + span.start for each, span in zip(arrays, spans, strict=True)])


def _spans(counts: Sequence[int]) -> list[slice]:
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


class PatchSearch:
    """Improves the matches of one level by propagation and random search, all patches at once.

    The difference of two patches is their weighted mean square difference. Multiplied out it is a scalar product of a vector of
    the context patch with one of the wanted patch, which is quick to compute for many pairs: for each pixel (r, g, b, r^2 + g^2 + b^2)
    with (-2 r, -2 g, -2 b, 1) times the pixel's weight, and what the wanted patch alone adds.
    """

    def __init__(self, matches: Matches, radius: int):
        self.matches, self.rounds = matches, 0
        fields, levels, side, step = matches.fields, matches.levels, 2 * radius + 1, patch_step(radius)
        centres = [np.nonzero(level.centres) for level in levels]
        known = _spans([len(rows) for rows, _ in centres])
        self.known = np.empty((known[-1].stop, 4 * side * side), np.float32)
        for level, (rows, columns), span in zip(levels, centres, known, strict=True):
            known_patches(level.colour, rows, columns, side, self.known[span])
        of_regions = [patch_pixels(nnf.rows, nnf.columns, side, at.hole.shape) for nnf, at in zip(fields, levels, strict=True)]
        self.patch_pixels = matches.together(of_regions, matches.pixels)
        self.weight = np.concatenate([_certainty(level).ravel() for level in levels]).take(self.patch_pixels)[..., None]
        self.weight /= np.maximum(self.weight.sum(axis=1, keepdims=True), 1e-9)
        self.signed_weight = self.weight * np.array([-2, -2, -2, 1], np.float32)
        self.hole = matches.together((np.flatnonzero(level.hole) for level in levels), matches.pixels)
        self.shown = with_ones(levels)
        self.squares = np.einsum("nc,nc->n", self.shown[:, :3], self.shown[:, :3])
        self.rim = np.flatnonzero(np.concatenate([level.rim[level.hole] for level in levels]))  # among the hole's pixels
        self.rim_colour = self.shown[self.hole[self.rim], :3]
        numbers = [patch_numbers(rows, columns, level.hole.shape).ravel() for (rows, columns), level in zip(centres, levels, strict=True)]
        self.number = np.concatenate([np.where(own < 0, -1, own + span.start) for own, span in zip(numbers, known, strict=True)])
        whose = [_neighbours(nnf, level.hole.shape, step) for nnf, level in zip(fields, levels, strict=True)]
        self.whose = np.concatenate([own + span.start for own, span in zip(whose, matches.patches, strict=True)], axis=1)
        self.steps = np.array(NEIGHBOURS)[:, :, None] * step * (self.whose != np.arange(self.whose.shape[1]))[:, None]
        self.windows = [max(level.hole.shape) / 2 * RADIUS_RATIO ** -np.arange(_window_count(level)) for level in levels]

    def __call__(self, filled: np.ndarray, rngs: Sequence[np.random.Generator]) -> None:
        """One round: each patch takes the best of its match, those that propagate from two of its neighbours, and random places in
        every second window; in the next round the other neighbours and the windows between have their turn.

        `filled` (n, 3) float32: the colours of the holes' pixels now. Every region has its own random numbers.
        """
        matches, place, turn = self.matches, self.matches.place, self.rounds % 2
        self.rounds += 1
        wanted, own = self._wanted(self.with_rim_evidence(filled))
        offers = np.concatenate([place[None], self._propagated(place, turn), self._random_search(place, turn, rngs)])
        rows, columns = (np.clip(offers[:, k], 0, sides - 1) for k, sides in enumerate((matches.height, matches.width)))
        number = self.number.take(matches.pixel(rows, columns))
        new = number >= 0
        new[1:] &= number[1:] != number[0]  # neighbours often offer what a patch has
        difference = np.full(number.shape, np.inf, np.float32)
        difference[new] = self._differences(wanted, np.nonzero(new)[1], number[new])
        best, every = difference.argmin(axis=0), np.arange(place.shape[1])
        matches.place = np.stack([rows[best, every], columns[best, every]])
        matches.difference = np.maximum(difference[best, every] + own, 0)

    def with_rim_evidence(self, filled: np.ndarray) -> np.ndarray:
        """(n, 3) float32 to compare patches with: on the rim, what the photo shows, as far as the patches agree."""
        if not len(self.rim):
            return filled
        believed = filled.copy()
        apart = self.rim_colour - believed[self.rim]
        believed[self.rim] += np.exp(np.einsum("nc,nc->n", apart, apart) / (-3 * RIM_TRUST**2))[:, None] * apart
        return believed

    def _propagated(self, place: np.ndarray, turn: int) -> np.ndarray:
        """(2, 2, n): the matches of two neighbours, moved by the step from the neighbour to the patch: those on the right and below, or
        those on the left and above."""
        these = slice(2 * turn, 2 * turn + 2)
        return place[:, self.whose[these]].swapaxes(0, 1) - self.steps[these]

    def _random_search(self, place: np.ndarray, turn: int, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """(k, 2, n): random places around the matches (2, n), in every second of ever smaller windows; the match itself where its
        region has fewer windows."""
        reaches = [windows[turn::2].astype(np.float32) for windows in self.windows]
        apart = np.zeros((max(map(len, reaches)), *place.shape), np.float32)
        for reach, span, rng in zip(reaches, self.matches.patches, rngs, strict=True):
            own = rng.random((len(reach), 2, span.stop - span.start), np.float32)
            own -= np.float32(0.5)
            own *= 2 * reach[:, None, None]
            apart[: len(reach), :, span] = own
        return place + np.rint(apart, out=apart).astype(np.int64)

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


def _certainty(level: PyramidLevel) -> np.ndarray:
    """(h, w) float32: how much a pixel counts where patches are compared."""
    import cv2

    away = cv2.distanceTransform((~level.source).astype(np.uint8), cv2.DIST_L2, 3)
    return np.where(level.source | level.hole, CERTAINTY ** -np.float32(away), 0).astype(np.float32)


def _neighbours(nnf: NearestNeighbourField, shape: tuple[int, ...], step: int) -> np.ndarray:
    """(4, n) numbers of the patches beside each, its own without."""
    beside, steps = patch_numbers(nnf.rows, nnf.columns, shape, step), np.array(NEIGHBOURS)[:, :, None] * step
    number = beside[nnf.rows + steps[:, 0] + step, nnf.columns + steps[:, 1] + step]
    return np.where(number < 0, np.arange(len(nnf.rows)), number)


def _window_count(level: PyramidLevel) -> int:
    """Windows of the random search: at least one for each of two rounds."""
    return max(2, ceil(log(max(level.hole.shape) / 2, RADIUS_RATIO)))


def with_ones(levels: Sequence[PyramidLevel]) -> np.ndarray:
    """(pixels, 4) float32: colours of the levels, one after the other, and a one beside each."""
    result = np.ones((sum(level.hole.size for level in levels), 4), np.float32)
    result[:, :3] = np.concatenate([level.colour.reshape(-1, 3) for level in levels])
    return result


def known_patches(colour: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int, result: np.ndarray) -> None:
    """Writes to (n, 4 * side * side) float32 the patches at these centres: of each pixel its colour, then the sum of its squares."""
    flat = np.empty((colour.shape[0] * colour.shape[1], 4), np.float32)
    flat[:, :3] = colour.reshape(-1, 3)
    flat[:, 3] = np.einsum("nc,nc->n", flat[:, :3], flat[:, :3])
    for start in range(0, len(rows), BATCH):  # or the indices alone would take half as much memory again
        part = slice(start, start + BATCH)
        result[part] = flat.take(patch_pixels(rows[part], columns[part], side, colour.shape[:2]), axis=0).reshape(-1, result.shape[1])


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
    """Voting on one level: hole pixels from the context patches that are matched."""

    def __init__(self, matches: Matches, radius: int, step: int):
        """`radius`: how far from its centre a patch votes, pixels; at most the patches' own. `step`: pixels between the centres."""
        self.matches, self.colour, nobody = matches, with_ones(matches.levels), matches.place.shape[1]
        pad, counts = radius + step, [span.stop - span.start for span in matches.hole_pixels]
        numbers = [patch_numbers(nnf.rows, nnf.columns, at.hole.shape, pad) for nnf, at in zip(matches.fields, matches.levels, strict=True)]
        padded = _spans([own.size for own in numbers])
        number = np.concatenate(
            [np.where(own < 0, nobody, own + at.start).ravel() for own, at in zip(numbers, matches.patches, strict=True)]
        )
        rows, columns = (np.concatenate(each) for each in zip(*(np.nonzero(level.hole) for level in matches.levels), strict=True))
        wide = np.repeat([own.shape[1] for own in numbers], counts)
        middle = (rows + pad) * wide + columns + pad + np.repeat([span.start for span in padded], counts)
        # which pixels, numbers of the patches over them, steps from the patches' centres to what these show there
        self.groups: list[tuple[np.ndarray, ...]] = []
        for phase in np.ndindex(step, step):  # pixels that lie alike between the centres
            which = np.flatnonzero((rows % step == phase[0]) & (columns % step == phase[1]))
            steps = (np.arange((radius - at) % step - radius, radius + 1, step) for at in phase)
            down, right = (array.ravel()[:, None] for array in np.meshgrid(*steps, indexing="ij"))
            over = number.take(middle[which] + down * wide[which] + right)
            self.groups.append((which, over, -down * (wide[which] - 2 * pad) - right))
        if len(rows) <= FEW_PIXELS:
            self.groups = [_as_one(self.groups, nobody)]

    def __call__(self, filled: np.ndarray) -> np.ndarray:
        """(n, 3) float32 colours of the holes' pixels: the mean over patches that cover a pixel, where similar ones have more weight,
        or as in `filled` (n, 3) where no patch does."""
        matches = self.matches
        weight = np.zeros(matches.place.shape[1] + 1, np.float32)  # the last stands for "no patch here"
        weight[:-1] = 1
        if matches.difference is not None:
            for span in matches.patches:
                own = matches.difference[span]
                middle = len(own) * WEIGHT_PERCENTILE // 100
                weight[span] /= own + 1e-4 + (np.partition(own, middle)[middle] if len(own) else 0)
        place = np.append(matches.pixel(*matches.place), 0)
        result = filled.copy()
        for which, over, steps in self.groups:
            if len(which) <= FEW_PIXELS:
                total = self._votes(place, weight, over, steps).sum(axis=0)
            else:  # one patch at a time, so that what is taken stays in the cache
                total = np.zeros((len(which), 4), np.float32)
                for patch, step in zip(over, steps, strict=True):
                    total += self._votes(place, weight, patch, step)
            voted = total[:, 3] > 0
            result[which[voted]] = total[voted, :3] / total[voted, 3:]
        return result

    def _votes(self, place: np.ndarray, weight: np.ndarray, over: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """(..., 4) float32: weighted colour and weight that patches (...) give to pixels `steps` away from their centres."""
        votes = self.colour.take(place.take(over) + steps, axis=0, mode="clip")  # without a patch the place means nothing
        votes *= weight.take(over)[..., None]
        return votes


def _as_one(groups: Sequence[tuple[np.ndarray, ...]], nobody: int) -> tuple[np.ndarray, ...]:
    """Voting's groups as one, all pixels by their number; `nobody` where a pixel has fewer patches over it than others."""
    count, most = sum(len(which) for which, _, _ in groups), max(len(over) for _, over, _ in groups)
    all_over, all_steps = np.full((most, count), nobody), np.zeros((most, count), np.int64)
    for which, over, steps in groups:
        all_over[: len(over), which], all_steps[: len(over), which] = over, steps
    return np.arange(count), all_over, all_steps
