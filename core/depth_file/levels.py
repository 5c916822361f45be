"""Removes terraces from depth of few levels (8 bits and fewer): the surface moves by half a level at most, and edges stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .unknown import sample

MAX_LEVELS, MIN_LEVELS = 257, 8
SAMPLES = 200_000
UNEVEN = 0.08
"""Tolerance, in steps, of the distance between two levels from a whole number of steps: rounding to float leaves that much."""
EDGE = 1.6
"""Neighbours that differ by this many levels or more form an edge."""
OCTAVES, SWEEPS = 5, 12
"""Coarser pyramid levels, and relaxation sweeps on each level."""
OVER_RELAXATION = 1.7
"""Over-relaxation factor."""


@dataclass(frozen=True)
class Levels:
    """The even spacing of a depth map's levels."""

    step: float
    inverse: bool  # whether 1 / value is evenly spaced, not the value


def find_levels(values: np.ndarray, known: np.ndarray) -> Levels | None:
    """The levels of (h, w) values where `known`; None where there are too many or too few, uneven ones, or no terraces."""
    if not known.any():
        return None
    some = np.unique(sample(values, known, SAMPLES)).astype(np.float64)
    some = some[np.abs(some) < 1e8]
    if not MIN_LEVELS <= len(some) <= MAX_LEVELS:
        return None
    for inverse in (False, True):
        if inverse and not (some > 0).all():
            return None
        apart = np.abs(np.diff(1 / some if inverse else some))
        step = float(np.median(apart[apart <= 1.5 * apart.min()]))
        if (np.abs(apart / step - np.rint(apart / step)) < UNEVEN).mean() >= 0.95:
            even = np.where(known & (values > 0), 1 / np.maximum(values, 1e-9), 0) if inverse else values
            return Levels(step, inverse) if _has_terraces(even, known, step) else None
    return None


def _has_terraces(values: np.ndarray, known: np.ndarray, step: float) -> bool:
    """Whether neighbours are often equal and often one level apart: an exact slope shows only one of the two."""
    for axis in (0, 1):
        v, k = (np.moveaxis(each, axis, 0)[:, :: max(1, each.shape[1 - axis] // 200)] for each in (values, known))
        apart = np.abs(np.diff(v, axis=0))[k[1:] & k[:-1]]
        if (apart < 0.5 * step).mean() > 0.1 and ((apart > 0.5 * step) & (apart < 1.5 * step)).mean() > 0.003:
            return True
    return False


def remove_terraces(disparity: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(h, w) float32: the membrane within `half` (h, w), half a level, of `disparity`, cut where neighbours are levels apart.

    An obstacle problem, solved from coarse to fine by projected relaxation (Glowinski 1984, chapter 2).
    """
    low, high = disparity - half, disparity + half
    links = [np.abs(np.diff(disparity, axis=axis)) < EDGE * (_pairs(half, axis)) for axis in (1, 0)]
    return _solve(disparity, low, high, links[0], links[1], OCTAVES)


def _pairs(half: np.ndarray, axis: int) -> np.ndarray:
    """One level between two neighbours: the sum of their half levels."""
    first, second = (np.s_[:, :-1], np.s_[:, 1:]) if axis else (np.s_[:-1], np.s_[1:])
    return half[first] + half[second]


def _solve(start, low, high, right, down, octaves: int) -> np.ndarray:
    """The surface on this pyramid level: corrected by the coarser level's solution, then relaxed."""
    surface = start
    if octaves and min(start.shape) >= 16:
        h, w = (n // 2 * 2 for n in start.shape)
        quarter = lambda values, how: how(values[:h, :w].reshape(h // 2, 2, w // 2, 2), axis=(1, 3))
        coarse_right = (right[:h, 1 : w - 1 : 2].reshape(h // 2, 2, -1)).all(axis=1)
        coarse_down = (down[1 : h - 1 : 2, :w].reshape(-1, w // 2, 2)).all(axis=2)
        mean = quarter(start, np.mean)
        below, above = quarter(low, np.mean), quarter(high, np.mean)
        coarse = _solve(mean, below, above, coarse_right, coarse_down, octaves - 1)
        surface = start.copy()
        surface[:h, :w] += np.repeat(np.repeat(coarse - mean, 2, axis=0), 2, axis=1)
        surface = np.clip(surface, low, high)
    return _relax(surface, low, high, right, down)


def _relax(surface, low, high, right, down) -> np.ndarray:
    """Red-black over-relaxation: each pixel moves towards the mean of its linked neighbours and is clipped to its bounds."""
    h, w = surface.shape
    padded = np.zeros((h + 2, w + 2), np.float32)
    padded[1:-1, 1:-1] = surface
    links = np.zeros((4, h, w), np.float32)  # to the right, left, below, above
    links[0, :, :-1], links[1, :, 1:], links[2, :-1], links[3, 1:] = right, right, down, down
    count = links.sum(axis=0)
    share = np.float32(OVER_RELAXATION) / np.maximum(count, 1)
    rows, columns = np.ogrid[:h, :w]
    boards = [np.where((rows + columns) % 2 == colour, share, np.float32(0)) for colour in (0, 1)]
    inner = padded[1:-1, 1:-1]
    for _ in range(SWEEPS):
        for board in boards:
            pull = links[0] * padded[1:-1, 2:] + links[1] * padded[1:-1, :-2]
            pull += links[2] * padded[2:, 1:-1] + links[3] * padded[:-2, 1:-1]
            np.clip(inner + board * (pull - count * inner), low, high, out=inner)
    return inner.copy()
