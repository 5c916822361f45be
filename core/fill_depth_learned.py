"""Which surface goes on behind a foreground: candidates seen around it, weighed by the network that comes with Photo Diorama.

Shih et al. 2020 let a network draw hidden depth. Here it only chooses: for each hidden pixel the surfaces on eight sides,
each as it is, continued along its slope, or on the line to the opposite one, and the flood's guess. So planes stay planes,
steps stay sharp, and the network is small enough to need no torch.
"""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from .errors import DioramaError
from .layers import LayeredDepthImage
from .link_hidden import absorb_islands
from .regions import Disocclusion
from .threads import thread_count

ANOTHER = 8.0
"""What differs from the flood's guess by more than this many thresholds is another surface, taken in whole pieces alone."""
SURE = 0.3
"""... where around a pixel its weight exceeds that of the flood's guess by this, on average over so many samples each way ..."""
SURROUNDINGS = 3
PIECE = 0.003
"""... and over at least this part of the squared long side: small pieces look worse than a wrong depth."""
GRID = 384
"""Long side in pixels of the grid on which surfaces are chosen; which one it is needs no more."""
FURTHEST = 0.4
"""Surfaces are looked for up to this part of the long side away."""
WAYS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""Row and column steps to the eight sides; the opposite of one is four further on."""
NEAR_END, FAR_END = 2, 8
"""Slopes are taken between these pixels beyond the silhouette."""
AT_ONCE = 1024
"""Pixels that are weighed together: few enough that what lies between the network's layers stays in the processor's cache."""


@dataclass(frozen=True)
class Seen:
    """What is chosen from: n hidden pixels of the grid, k candidates each."""

    rows: np.ndarray  # (h,) rows of the canvas that the grid samples
    columns: np.ndarray  # (w,) columns
    where: np.ndarray  # (n,) flat indices on the grid of the hidden pixels
    candidates: np.ndarray  # (k, n) float32 disparity, 0 for none; the first is the flood's guess
    hiding: np.ndarray  # (n,) float32 disparity of what hides the pixel
    steps: np.ndarray  # (8, n) float32: steps to the surface on each side
    before: np.ndarray  # (8, n) float32 disparity of the last pixel before it
    slope: np.ndarray  # (8, n) float32 disparity a step away from the silhouette
    distance: np.ndarray  # (n,) float32, steps from the silhouette as a part of the long side
    row: np.ndarray  # (n,) float32, 0 at the top of the canvas to 1
    span: float
    threshold: float

    def at(self, chosen: slice | np.ndarray) -> Seen:
        """Some of the pixels."""
        cut = {name: getattr(self, name)[..., chosen] for name in
               ("where", "candidates", "hiding", "steps", "before", "slope", "distance", "row")}  # fmt: skip
        return replace(self, **cut)


def look(image: LayeredDepthImage, found: Disocclusion) -> Seen:
    """Samples the canvas and finds for each hidden pixel the surfaces seen beside what hides it."""
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
    ahead = np.clip(values + slope * steps, 0.5 * values, 2 * values)
    between = [_between(values, steps, way) for way in range(4)]
    candidates = np.stack([guess, *values, *ahead, *between])
    candidates = np.where(candidates > 0, np.minimum(candidates, hiding - image.threshold / 4), 0)
    return Seen(
        rows, columns, where, np.maximum(candidates, 0).astype(np.float32), hiding, steps.astype(np.float32), before, slope,
        found.distance[picked].ravel()[where] / np.float32(image.long_side),
        (where // front.shape[1] / front.shape[0]).astype(np.float32), image.span, image.threshold,
    )  # fmt: skip


def _samples(side: int, step: float) -> np.ndarray:
    count = max(1, int(side / step))
    return np.minimum(((np.arange(count) + 0.5) * side / count).astype(np.int64), side - 1)


def _surfaces_beside(front: np.ndarray, where: np.ndarray, limit: np.ndarray, most: int):
    """(8, n) disparity of the first pixel on each side that is farther than `limit`, 0 without; steps to it; disparity of
    the pixel before it; and slope of disparity beyond it, 0 where there is no even one."""
    (height, width), flat = front.shape, front.ravel()
    shape = (len(WAYS), len(where))
    values, before, slope = (np.zeros(shape, np.float32) for _ in range(3))
    steps = np.zeros(shape, np.int32)
    row, column = np.divmod(where, width)
    for way, (down, right) in enumerate(WAYS):
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


def _between(values: np.ndarray, steps: np.ndarray, way: int) -> np.ndarray:
    """(n,) disparity on the line between the surfaces on two opposite sides; 0 where one is missing."""
    one, other = way, way + 4
    line = (values[one] * steps[other] + values[other] * steps[one]) / np.maximum(steps[one] + steps[other], 1)
    return np.where((values[one] > 0) & (values[other] > 0), line, 0)


def describe(seen: Seen) -> np.ndarray:
    """(n, k, FEATURES) float32: what the network is told of each candidate, the same for every scale of the scene."""
    candidates, hiding = seen.candidates, seen.hiding
    count, n = candidates.shape
    exists = candidates > 0
    log = np.log(np.maximum(candidates, 1e-9 * hiding) / hiding)
    sides, opposite = np.arange(8), (np.arange(8) + 4) % 8
    side_log, side_is = log[1:9], exists[1:9]
    ahead_log = log[9:17]
    most = np.float32(np.log1p(FURTHEST * GRID))
    near = np.where(exists[1:9], np.log1p(seen.steps) / most, 1.5)
    guess_near = np.log1p(seen.distance * GRID) / most
    slope = np.clip(np.where(side_is, seen.slope / seen.threshold, 0), -1, 1)
    drop = np.clip(np.where(side_is, np.log(np.maximum(seen.before, 1e-9) / hiding), 0), -2, 1)
    pairs = np.arange(4)
    zeros4, zeros1 = np.zeros((4, n), np.float32), np.zeros((1, n), np.float32)
    far_near = np.concatenate([zeros1 + guess_near, near, near, np.maximum(near[pairs], near[pairs + 4])])
    least_near = np.concatenate([zeros1 + guess_near, near, near, np.minimum(near[pairs], near[pairs + 4])])
    across = np.concatenate([ahead_log[opposite], ahead_log[opposite]])
    across = np.where(np.concatenate([side_is[opposite]] * 2), np.abs(log[1:17] - across), 2)
    across = np.concatenate([zeros1 + 2, across, np.abs(side_log[:4] - side_log[4:])])
    weight = side_is / (1 + seen.steps)
    total = np.maximum(weight.sum(0), 1e-6)
    votes = np.zeros((6, count, n), np.float32)
    for k in sides:  # how many of the other surfaces lie where this one does, are nearer, are farther
        for reference, first in ((ahead_log, 0), (side_log, 2)):
            apart = np.abs(log - reference[k])
            votes[first] += side_is[k] * (apart < 0.02) / 8
            votes[first + 1] += weight[k] * (apart < 0.08) / total
        votes[4] += side_is[k] * (side_log[k] > log + 0.05) / 8
        votes[5] += side_is[k] * (side_log[k] < log - 0.05) / 8
    kinds = np.zeros((4, count), np.float32)
    kinds[0, 0], kinds[1, 1:9], kinds[2, 9:17], kinds[3, 17:] = 1, 1, 1, 1
    ways = np.array(WAYS, np.float32).T
    headings = np.concatenate([np.zeros((2, 1)), ways, ways, np.abs(ways[:, :4])], axis=1).astype(np.float32)
    deepest = np.where(side_is, side_log, 0).min(0)
    nearest = np.where(side_is, side_log, -9).max(0)
    shared = [
        seen.distance * 10, hiding / seen.span, np.full(n, seen.threshold, np.float32) / hiding * 10, seen.row,
        side_is.sum(0) / 8, np.clip(deepest, -4, 0) / 2, np.clip(nearest, -4, 0) / 2, np.clip(log[0], -4, 0) / 2,
    ]  # fmt: skip
    own = [
        np.clip(log, -4, 0) / 2, np.clip(log - log[0], -4, 4) / 2, np.clip(np.abs(log - log[0]) * 10, 0, 2),
        (candidates - candidates[0]) / seen.span * 2, (hiding - candidates) / seen.span, far_near, least_near,
        np.concatenate([zeros1, slope, slope, zeros4]), np.concatenate([zeros1, drop, drop, zeros4]),
        np.clip(across, 0, 2), np.clip(across * 10, 0, 2), *votes,
    ]  # fmt: skip
    parts = [np.broadcast_to(part, (count, n)) for part in own]
    parts += [np.broadcast_to(part[:, None], (count, n)) for part in (*kinds, *headings)]
    parts += [np.broadcast_to(part, (count, n)) for part in shared]
    return np.clip(np.stack(parts, axis=-1), -5, 5).transpose(1, 0, 2).astype(np.float32)


FEATURES = 31


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron that gives every candidate a score from its description; GELU between its layers."""

    weights: tuple[np.ndarray, ...]  # (in, out) float32 each
    biases: tuple[np.ndarray, ...]  # (out,)

    def scores(self, described: np.ndarray) -> np.ndarray:
        """(n, k) float32 from (n, k, FEATURES)."""
        x = described
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight + bias
            if number < len(self.weights) - 1:
                x = x / (1 + np.exp(-1.702 * x))  # the sigmoid form of GELU
        return x[..., 0]


def choose(seen: Seen, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """(n,) float32 disparity: the median of the candidates under the network's weights, which is always one of them; and
    (n,) how much more of all weight lies near it than near the flood's guess, -1 to 1."""
    parts = [seen.at(slice(start, start + AT_ONCE)) for start in range(0, len(seen.where), AT_ONCE)]
    with ThreadPoolExecutor(thread_count()) as pool:  # NumPy works outside Python's lock, and no pixel knows of another
        both = [np.zeros((2, 0), np.float32), *pool.map(lambda part: _chosen(part, network), parts)]
    chosen, surer = np.concatenate(both, axis=1)
    return chosen, surer


def _chosen(seen: Seen, network: Network) -> np.ndarray:
    candidates = seen.candidates.T
    scores = np.where(candidates > 0, network.scores(describe(seen)), -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    order = np.argsort(candidates, axis=1, kind="stable")
    share = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (share >= 0.5 * share[:, -1:]).argmax(axis=1)
    chosen = np.take_along_axis(candidates, np.take_along_axis(order, middle[:, None], 1), 1)
    near = [(weights * (np.abs(candidates - value) <= ANOTHER * seen.threshold)).sum(1) for value in (chosen, candidates[:, :1])]
    return np.stack([chosen[:, 0], (near[0] - near[1]) / share[:, -1]])


def expect(image: LayeredDepthImage, found: Disocclusion, network: Network) -> Disocclusion:
    """`found` with the disparity of the chosen surfaces as what is expected, and with pieces that go on in another surface."""
    seen = look(image, found)
    chosen, surer = choose(seen, network)
    return move_pieces(image, with_expected(image, found, seen, chosen), seen, chosen, surer)


def move_pieces(
    image: LayeredDepthImage, found: Disocclusion, seen: Seen, chosen: np.ndarray, surer: np.ndarray
) -> Disocclusion:
    """`found` with large pieces, where another surface than the flood's is much likelier, moved there: depth, links, and so
    what they take their colour from. The silhouette's own pixels keep what they hang on."""
    grid = np.zeros((len(seen.rows), len(seen.columns)), np.float32)
    grid.ravel()[seen.where] = np.where(_in_pieces(seen, chosen, surer), chosen, 0)
    if not grid.any():
        return found
    rows, columns = np.nonzero(found.hidden & (found.distance > 1))
    moved = _between_samples(grid, rows, columns, found.hidden.shape, image.threshold)
    taken = (moved > 0) & (np.abs(moved - found.disparity[rows, columns]) > ANOTHER / 2 * image.threshold)
    disparity, expected = found.disparity.copy(), found.expected.copy()
    disparity[rows[taken], columns[taken]] = expected[rows[taken], columns[taken]] = moved[taken]
    found = absorb_islands(image, replace(found, disparity=disparity, expected=expected))
    back = np.abs(found.expected - found.disparity) > ANOTHER * image.threshold  # what would hang on no surface that is seen
    return replace(found, expected=np.where(back, found.disparity, found.expected))


def _in_pieces(seen: Seen, chosen: np.ndarray, surer: np.ndarray) -> np.ndarray:
    """(n,) bool: pixels whose choice is another surface than the flood's, in a large piece that is sure of it."""
    import cv2

    another = np.abs(chosen - seen.candidates[0]) > ANOTHER * seen.threshold
    sure, hidden = (np.zeros((len(seen.rows), len(seen.columns)), np.float32) for _ in range(2))
    sure.ravel()[seen.where], hidden.ravel()[seen.where] = another * surer, 1
    side = (2 * SURROUNDINGS + 1,) * 2
    around = cv2.blur(sure, side) / np.maximum(cv2.blur(hidden, side), 1e-6)
    pieces = ((around > SURE) & (hidden > 0)).astype(np.uint8)
    _, labels, figures, _ = cv2.connectedComponentsWithStats(pieces, connectivity=4)
    large = figures[:, cv2.CC_STAT_AREA] >= PIECE * max(sure.shape) ** 2
    large[0] = False
    return another & large[labels].ravel()[seen.where]


def with_expected(
    image: LayeredDepthImage, found: Disocclusion, seen: Seen, chosen: np.ndarray, another: float = ANOTHER
) -> Disocclusion:
    """`found`, expecting the (n,) disparity `chosen` for the pixels of `seen`, 0 for none; always behind what hides it.

    What hangs together and where was settled by the flood, and so was the colour that comes from there: another surface
    than the flood's is therefore not taken here. The silhouette's own pixels keep what they hang on.
    """
    grid = np.zeros((len(seen.rows), len(seen.columns)), np.float32)
    grid.ravel()[seen.where] = chosen
    rows, columns = np.nonzero(found.hidden & (found.distance > 1))
    guess = found.disparity[rows, columns]
    chosen = _between_samples(grid, rows, columns, found.hidden.shape, image.threshold)
    taken = (chosen > 0) & (np.abs(chosen - guess) <= another * image.threshold)
    expected = found.disparity.astype(np.float32)
    expected[rows[taken], columns[taken]] = chosen[taken]
    return replace(found, expected=expected)


def _between_samples(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], threshold: float) -> np.ndarray:
    """(n,) at pixels of the canvas: linear between samples of one surface, never across a step; 0 where no sample is near."""
    if grid.shape == shape:
        return grid[rows, columns]
    (r0, r1, fr), (c0, c1, fc) = (_neighbours(side, count) for side, count in zip(shape, grid.shape, strict=True))
    down, right = fr[rows], fc[columns]
    top, bottom, left, after = r0[rows], r1[rows], c0[columns], c1[columns]
    value = np.stack([grid[top, left], grid[top, after], grid[bottom, left], grid[bottom, after]])
    share = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]) * (value > 0)
    nearest = np.take_along_axis(value, share.argmax(axis=0)[None], axis=0)
    share *= np.abs(value - nearest) <= 2 * threshold
    total = share.sum(axis=0)
    return np.where(total > 0, (share * value).sum(axis=0) / np.maximum(total, 1e-9), 0).astype(np.float32)


def _neighbours(side: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    place = np.clip((np.arange(side) + 0.5) * count / side - 0.5, 0, count - 1)
    lower = np.minimum(place.astype(np.int64), max(count - 2, 0))
    return lower, np.minimum(lower + 1, count - 1), place - lower


@lru_cache(maxsize=1)
def load_network(path: Path) -> Network:
    """The network from its NPZ; raises DioramaError for a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            count = len(stored.files) // 2
            weights = tuple(stored[f"weight_{k}"].astype(np.float32) for k in range(count))
            biases = tuple(stored[f"bias_{k}"].astype(np.float32) for k in range(count))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise DioramaError(f"{path.name}, the weights for hidden depth, is damaged; install Photo Diorama again.") from None
    return Network(weights, biases)
