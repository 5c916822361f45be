"""Chooses which surface continues behind a foreground: candidates seen around it, scored by a small built-in network.

Shih et al. 2020 let a network draw hidden depth. Here a network only chooses: the candidates of each hidden pixel are the surfaces
on eight sides, each as it is, extrapolated along its slope, or interpolated to the opposite side, and the flood's guess. So planes
stay planes, steps stay sharp, and the network is small enough to run without PyTorch.
"""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import Disocclusion
from ..threads import thread_count
from .surface_candidates import DIRECTIONS, FURTHEST, GRID, Candidates, find_candidates

MAX_CORRECTION = 4.0
"""Largest difference, in tearing thresholds, between the chosen surface and the flood's guess: the flood has already decided links and
context colours, and a surface torn from them looks worse than a wrong depth."""
RELATIVE = 0.3
"""Weight of the relative error of depth beside the error of log depth in the expected cost: it counts fully a surface taken for much too
far, such as sky for hills."""
EVERY = 2
"""Surfaces are chosen at every second pixel of the grid both ways, and between them as `_between_samples` tells."""
BATCH = 1024
"""Pixels that are scored together: few enough that the activations stay in the processor's cache."""
OWN, AROUND = 25, 71
"""Number of features of each candidate, and of the pixel."""


def describe(seen: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """The network's input, independent of the scene's scale: (n, k, OWN) float32 of each candidate and (n, AROUND)
    of the pixel."""
    candidates, hiding = seen.candidates, seen.hiding
    count, n = candidates.shape
    log = np.log(np.maximum(candidates, 1e-9 * hiding) / hiding)
    sides, opposite, pairs = np.arange(8), (np.arange(8) + 4) % 8, np.arange(4)
    side_is, side_log, ahead_log = candidates[1:9] > 0, log[1:9], log[9:17]
    most = np.float32(np.log1p(FURTHEST * GRID))
    near = np.where(side_is, np.log1p(seen.steps) / most, 1.5)
    guess_near = np.log1p(seen.distance * GRID) / most
    slope = np.clip(np.where(side_is, seen.slope / seen.threshold, 0), -1, 1)
    drop = np.clip(np.where(side_is, np.log(np.maximum(seen.before, 1e-9) / hiding), 0), -2, 1)
    extent = np.where(side_is, np.log1p(seen.extent) / most, 0)
    ends = side_is & (seen.after > 0)
    after = np.where(ends, np.log(np.maximum(seen.after, 1e-9) / np.where(ends, candidates[1:9], 1)), 0)
    after = np.clip(after, -2, 2)
    zeros4, zeros1 = np.zeros((4, n), np.float32), np.zeros((1, n), np.float32)
    of_sides = lambda values, guess=zeros1, between=zeros4: np.concatenate([guess, values, values, between])  # noqa: E731
    across = np.concatenate([ahead_log[opposite], ahead_log[opposite]])
    across = np.where(np.concatenate([side_is[opposite]] * 2), np.abs(log[1:17] - across), 2)
    across = np.concatenate([zeros1 + 2, across, np.abs(side_log[:4] - side_log[4:])])
    weight = side_is / (1 + seen.steps)
    total = np.maximum(weight.sum(0), 1e-6)
    votes = np.zeros((6, count, n), np.float32)
    for k in sides:  # how many other candidates lie at this one's depth, are nearer, are farther
        for reference, first in ((ahead_log, 0), (side_log, 2)):
            apart = np.abs(log - reference[k])
            votes[first] += side_is[k] * (apart < 0.02) / 8
            votes[first + 1] += weight[k] * (apart < 0.08) / total
        votes[4] += side_is[k] * (side_log[k] > log + 0.05) / 8
        votes[5] += side_is[k] * (side_log[k] < log - 0.05) / 8
    kinds = np.zeros((4, count), np.float32)
    kinds[0, 0], kinds[1, 1:9], kinds[2, 9:17], kinds[3, 17:] = 1, 1, 1, 1
    ways = np.array(DIRECTIONS, np.float32).T
    headings = np.concatenate([np.zeros((2, 1)), ways, ways, np.abs(ways[:, :4])], axis=1).astype(np.float32)
    own = [
        np.clip(log, -4, 0) / 2, np.clip(log - log[0], -4, 4) / 2, np.clip(np.abs(log - log[0]) * 10, 0, 2),
        (candidates - candidates[0]) / seen.span * 2, (hiding - candidates) / seen.span,
        of_sides(near, zeros1 + guess_near, np.maximum(near[pairs], near[pairs + 4])),
        of_sides(near, zeros1 + guess_near, np.minimum(near[pairs], near[pairs + 4])),
        of_sides(slope), of_sides(drop), np.clip(across, 0, 2), np.clip(across * 10, 0, 2),
        of_sides(extent, between=np.minimum(extent[pairs], extent[pairs + 4])),
        of_sides(after, between=np.minimum(after[pairs], after[pairs + 4])), *votes,
    ]  # fmt: skip
    parts = [np.broadcast_to(part, (count, n)) for part in own]
    parts += [np.broadcast_to(part[:, None], (count, n)) for part in (*kinds, *headings)]
    around = [
        near, np.where(side_is, np.clip(side_log, -4, 0) / 2, 0), np.where(side_is, np.clip(np.abs(side_log - log[0]) * 10, 0, 2), 0),
        np.clip(10 * (ahead_log - side_log), -2, 2) * side_is, slope, drop, extent, after,
        (seen.distance * 10)[None], (hiding / seen.span)[None], np.full((1, n), seen.threshold, np.float32) / hiding * 10,
        seen.row[None], np.clip(log[:1], -4, 0) / 2, seen.tilt / seen.threshold,
    ]  # fmt: skip
    return np.clip(np.stack(parts, axis=-1), -5, 5).transpose(1, 0, 2).astype(np.float32), np.clip(np.concatenate(around), -5, 5).T.astype(
        np.float32
    )


@dataclass(frozen=True)
class Network:
    """Scores every candidate from its own features, the pixel's, and those of all candidates together.

    First layer, for each candidate: its own features, and the pixel's through a layer of their own. Second layer: that, and the mean of
    the first over all candidates present. `arrays`: weight (out, in) and bias (out,) float32 of each of LAYERS.
    """

    arrays: dict[str, np.ndarray]

    def scores(self, own: np.ndarray, around: np.ndarray, exists: np.ndarray) -> np.ndarray:
        """(n, k) float32 from (n, k, OWN), (n, AROUND) and (n, k) bool."""
        first = _gelu(self._layer("own", own) + self._layer("to_own", _gelu(self._layer("around", around)))[:, None])
        mean = (first * exists[..., None]).sum(axis=1) / np.maximum(exists.sum(axis=1), 1)[:, None]
        second = _gelu(self._layer("second", first) + self._layer("pooled", mean.astype(np.float32))[:, None])
        return self._layer("score", second)[..., 0]

    def _layer(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.arrays[f"{name}.weight"].T + self.arrays[f"{name}.bias"]


LAYERS = ("own", "around", "to_own", "second", "pooled", "score")


def _gelu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-1.702 * x))  # its sigmoid form


def choose(seen: Candidates, network: Network) -> np.ndarray:
    """(n,) float32 disparity of the candidate with the least expected cost under the network's probabilities; 0 where there is
    no candidate, as behind something that only the sky at infinity surrounds."""
    parts = [seen.at(slice(start, start + BATCH)) for start in range(0, len(seen.where), BATCH)]
    with ThreadPoolExecutor(thread_count()) as pool:  # in threads: NumPy releases the interpreter's lock, and pixels are independent
        return np.concatenate([np.zeros(0, np.float32), *pool.map(lambda part: _choose(part, network), parts)])


def _choose(seen: Candidates, network: Network) -> np.ndarray:
    candidates = seen.candidates.T
    exists = candidates > 0
    scores = np.where(exists, network.scores(*describe(seen), exists), -np.inf)
    best = scores.max(axis=1, keepdims=True)
    likely = np.exp(scores - np.where(np.isfinite(best), best, 0))
    return least_costly(candidates, likely / np.maximum(likely.sum(axis=1, keepdims=True), 1e-30))


def least_costly(candidates: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """(n,) of (n, k) disparities, 0 for none: the one with the least expected cost where each is true with probability `likely`.

    Cost of d where t is true: |ln d - ln t| + RELATIVE |t / d - 1|. With sorted disparities, both sums over all t are differences of
    cumulative sums.
    """
    order = np.argsort(candidates, axis=1, kind="stable")
    disparity, weight = (np.take_along_axis(values, order, axis=1).astype(np.float64) for values in (candidates, likely))
    there = disparity > 0
    disparity = np.where(there, disparity, 1)

    def apart(values: np.ndarray) -> np.ndarray:
        below, mass = np.cumsum(weight * values, axis=1), np.cumsum(weight, axis=1)
        return values * (2 * mass - mass[:, -1:]) - 2 * below + below[:, -1:]

    cost = np.where(there, apart(np.log(disparity)) + RELATIVE * apart(disparity) / disparity, np.inf)
    chosen = np.take_along_axis(disparity, cost.argmin(axis=1)[:, None], axis=1)[:, 0]
    return np.where(there.any(axis=1), chosen, 0).astype(np.float32)


def choose_surfaces(image: LayeredDepthImage, found: Disocclusion, network: Network) -> Disocclusion:
    """`found` with `expected` set to the disparity of the chosen surfaces."""
    seen = find_candidates(image, found, EVERY)
    return set_hidden_disparity(image, found, seen, choose(seen, network))


def set_hidden_disparity(
    image: LayeredDepthImage, found: Disocclusion, seen: Candidates, chosen: np.ndarray, another: float = MAX_CORRECTION
) -> Disocclusion:
    """`found` with the (n,) disparity `chosen` expected at the pixels of `seen`, 0 for none.

    It is limited to `another` thresholds around the flood's guess, and always lies behind the occluder. Silhouette pixels keep the
    disparity of the surface they continue.
    """
    grid = np.zeros((len(seen.rows), len(seen.columns)), np.float32)
    guess, most = seen.candidates[0], another * image.threshold
    grid.ravel()[seen.where] = np.where(chosen > 0, np.clip(chosen, guess - most, guess + most), 0)
    rows, columns = np.nonzero(found.hidden & (found.distance > 1))
    guess = found.disparity[rows, columns]
    chosen = _between_samples(grid, (seen.rows, seen.columns), rows, columns, found.hidden.shape, image.threshold)
    expected = found.disparity.astype(np.float32)
    expected[rows, columns] = np.where(chosen > 0, np.clip(chosen, guess - most, guess + most), guess)
    return replace(found, expected=expected)


def _between_samples(
    grid: np.ndarray,
    sampled: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    columns: np.ndarray,
    shape: tuple[int, ...],
    threshold: float,
) -> np.ndarray:
    """(n,) values at pixels of the canvas: linear between samples of one surface, never across a step; 0 without a sample nearby.

    `grid` holds the values at the rows and columns `sampled`.
    """
    if grid.shape == shape:
        return grid[rows, columns]
    (r0, r1, fr), (c0, c1, fc) = (_neighbours(side, places) for side, places in zip(shape, sampled, strict=True))
    down, right = fr[rows], fc[columns]
    top, bottom, left, after = r0[rows], r1[rows], c0[columns], c1[columns]
    value = np.stack([grid[top, left], grid[top, after], grid[bottom, left], grid[bottom, after]])
    share = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]) * (value > 0)
    nearest = np.take_along_axis(value, share.argmax(axis=0)[None], axis=0)
    share *= np.abs(value - nearest) <= 2 * threshold
    total = share.sum(axis=0)
    return np.where(total > 0, (share * value).sum(axis=0) / np.maximum(total, 1e-9), 0).astype(np.float32)


def _neighbours(side: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `side` pixels the samples before and after it of those at `places`, and how far it is from the first to the second."""
    pixel = np.arange(side)
    lower = np.clip(np.searchsorted(places, pixel, side="right") - 1, 0, max(len(places) - 2, 0))
    upper = np.minimum(lower + 1, len(places) - 1)
    return lower, upper, np.clip((pixel - places[lower]) / np.maximum(places[upper] - places[lower], 1), 0, 1)


@lru_cache(maxsize=1)
def load_network(path: Path) -> Network:
    """The network from its NPZ; raises DioramaError for a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = [f"{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")]
            return Network({name: stored[name].astype(np.float32) for name in names})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise DioramaError(f"{path.name}, the weights for hidden depth, is damaged; install Photo Diorama again.") from None
