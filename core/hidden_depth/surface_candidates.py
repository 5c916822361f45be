"""Candidates for hidden depth: the surfaces seen on eight sides of each hidden pixel, and their continuations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import Disocclusion

GRID = 384
"""Long side, px, of the grid on which surfaces are chosen; the choice varies slowly."""
FURTHEST = 0.4
"""Surfaces are searched up to this part of the long side away."""
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""Row and column steps to the eight sides; the opposite of one is four further on."""
NEAR_END, FAR_END = 2, 8
"""Slopes are taken between these pixels beyond the silhouette."""


@dataclass(frozen=True)
class Candidates:
    """Candidate surfaces of n hidden pixels of the grid, k each."""

    rows: np.ndarray  # (h,) rows of the canvas that the grid samples
    columns: np.ndarray  # (w,) columns
    where: np.ndarray  # (n,) flat indices on the grid of the hidden pixels
    candidates: np.ndarray  # (k, n) float32 disparity, 0 for none; the first is the flood's guess
    hiding: np.ndarray  # (n,) float32 disparity of the occluder
    steps: np.ndarray  # (8, n) float32: steps to the surface on each side
    before: np.ndarray  # (8, n) float32 disparity of the last pixel before it
    slope: np.ndarray  # (8, n) float32 disparity a step away from the silhouette
    extent: np.ndarray  # (8, n) float32: steps from there to where that surface ends
    after: np.ndarray  # (8, n) float32 disparity of the surface there, 0 at the frame
    tilt: np.ndarray  # (2, n) float32: slope of the occluder's disparity, per step down and right
    distance: np.ndarray  # (n,) float32, steps from the silhouette as a part of the long side
    row: np.ndarray  # (n,) float32, 0 at the top of the canvas to 1
    span: float
    threshold: float

    def at(self, chosen: slice | np.ndarray) -> Candidates:
        """Some of the pixels."""
        cut = {name: getattr(self, name)[..., chosen] for name in
               ("where", "candidates", "hiding", "steps", "before", "slope", "extent", "after", "tilt", "distance", "row")}  # fmt: skip
        return replace(self, **cut)


def find_candidates(image: LayeredDepthImage, found: Disocclusion) -> Candidates:
    """Samples the canvas and finds for each hidden pixel the surfaces around its occluder."""
    step = max(1.0, image.long_side / GRID)
    rows, columns = (_samples(side, step) for side in found.hidden.shape)
    picked = np.ix_(rows, columns)
    front = np.zeros(found.hidden.shape, np.float32)
    for layer in image.layers:
        front[layer.present] = layer.disparity[layer.present]
    front, where = np.ascontiguousarray(front[picked]), np.flatnonzero(found.hidden[picked])
    hiding, guess = front.ravel()[where], found.disparity[picked].ravel()[where]
    most = round(FURTHEST * image.long_side / step)
    values, steps, before, slope = _surfaces_beside(front, where, hiding - image.threshold, most)
    extent, after = _ends(front, where, steps, image.threshold)
    down, right = (np.clip(np.gradient(front, axis=axis).ravel()[where], -image.threshold, image.threshold) for axis in (0, 1))
    ahead = np.clip(values + slope * steps, 0.5 * values, 2 * values)
    between = [_interpolate(values, steps, way) for way in range(4)]
    candidates = np.stack([guess, *values, *ahead, *between])
    candidates = np.where(candidates > 0, np.minimum(candidates, hiding - image.threshold / 4), 0)
    return Candidates(
        rows, columns, where, np.maximum(candidates, 0).astype(np.float32), hiding, steps.astype(np.float32), before, slope,
        extent, after, np.stack([down, right]).astype(np.float32),
        found.distance[picked].ravel()[where] / np.float32(image.long_side),
        (where // front.shape[1] / front.shape[0]).astype(np.float32), image.span, image.threshold,
    )  # fmt: skip


def _samples(side: int, step: float) -> np.ndarray:
    count = max(1, int(side / step))
    return np.minimum(((np.arange(count) + 0.5) * side / count).astype(np.int64), side - 1)


def _surfaces_beside(front: np.ndarray, where: np.ndarray, limit: np.ndarray, most: int):
    """(8, n) each: disparity of the first pixel on each side that is farther than `limit`, 0 without one; steps to it; disparity of the
    pixel before it; slope of disparity beyond it, 0 where it is uneven."""
    (height, width), flat = front.shape, front.ravel()
    shape = (len(DIRECTIONS), len(where))
    values, before, slope = (np.zeros(shape, np.float32) for _ in range(3))
    steps = np.zeros(shape, np.int32)
    row, column = np.divmod(where, width)
    for way, (down, right) in enumerate(DIRECTIONS):
        room = np.full(len(where), most)
        for step, place, size in ((down, row, height), (right, column, width)):
            if step:
                room = np.minimum(room, size - 1 - place if step > 0 else place)
        stride = down * width + right
        alive = np.arange(len(where))
        for count in range(1, most + 1):
            alive = alive[room[alive] >= count]
            if len(alive) == 0:
                break
            there = flat[where[alive] + count * stride]
            farther = there < limit[alive]
            reached = alive[farther]
            values[way, reached], steps[way, reached] = there[farther], count
            before[way, reached] = flat[where[reached] + (count - 1) * stride]
            alive = alive[~farther]
        on = np.flatnonzero((steps[way] > 0) & (steps[way] + FAR_END <= room))
        start = where[on] + steps[way, on] * stride
        first, middle, last = (flat[start + k * stride] for k in (NEAR_END, (NEAR_END + FAR_END) // 2, FAR_END))
        even = np.abs(first - 2 * middle + last) < 0.25 * np.abs(first - last) + 1e-3 * first
        even &= np.abs(first - values[way, on]) < 0.1 * values[way, on]
        slope[way, on] = np.where(even, (first - last) / (FAR_END - NEAR_END), 0)
    return values, steps, before, slope


def _ends(front: np.ndarray, where: np.ndarray, steps: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(8, n) steps from the surface seen on each side to its end further on, and disparity there; 0 at the frame."""
    width, padded = front.shape[1], np.append(front.ravel(), np.float32(np.nan))
    extent, after = (np.zeros((len(DIRECTIONS), len(where)), np.float32) for _ in range(2))
    for way, line in enumerate(_lines(front.shape)):
        values, place = padded[line], np.arange(len(line), dtype=np.int32)[:, None]
        end = np.broadcast_to(place, line.shape).copy()
        end[:-1][np.abs(values[1:] - values[:-1]) <= threshold] = len(line) - 1  # the last of a line always ends
        end = np.minimum.accumulate(end[::-1])[::-1]
        beyond = np.take_along_axis(np.append(values, np.full_like(values[:1], np.nan), axis=0), end + 1, axis=0)
        inside, on = line >= 0, steps[way] > 0
        ends, ahead = np.zeros(front.size, np.float32), np.zeros(front.size, np.float32)
        ends[line[inside]], ahead[line[inside]] = (end - place)[inside], np.nan_to_num(beyond[inside])
        at = where[on] + steps[way, on] * (DIRECTIONS[way][0] * width + DIRECTIONS[way][1])
        extent[way, on], after[way, on] = ends[at], ahead[at]
    return extent, after


def _lines(shape: tuple[int, ...]) -> list[np.ndarray]:
    """For each of DIRECTIONS flat indices of all pixels, rows of pixels a step further that way; -1 where there is none."""
    height, width = shape
    pixel = np.arange(height * width, dtype=np.int32).reshape(shape)

    def skew(grid: np.ndarray) -> np.ndarray:
        wide = np.pad(grid, ((0, 0), (0, height)), constant_values=-1)
        return wide.ravel()[: height * (width + height - 1)].reshape(height, -1)

    forward = [pixel.T, skew(pixel[:, ::-1]), pixel, skew(pixel)]  # right, down and right, down, down and left
    return forward + [line[::-1] for line in forward]


def _interpolate(values: np.ndarray, steps: np.ndarray, way: int) -> np.ndarray:
    """(n,) disparity on the line between the surfaces on two opposite sides; 0 where one is missing."""
    one, other = way, way + 4
    line = (values[one] * steps[other] + values[other] * steps[one]) / np.maximum(steps[one] + steps[other], 1)
    return np.where((values[one] > 0) & (values[other] > 0), line, 0)
