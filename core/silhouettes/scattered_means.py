"""Gaussian-weighted means of values at scattered pixels, such as those of ridges."""

from __future__ import annotations

import numpy as np

BINS_PER_SIGMA = 2.5
"""Bins per sigma: values are summed in square bins, since the Gaussian removes finer detail anyway."""


def gaussian_means(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """(k, n) float32: at each of n pixels the Gaussian-weighted mean of `values` (k, n) around it (normalised convolution).

    `rows` and `columns` (n,) are integers within `shape` (h, w), `sigma` is in px.
    """
    import cv2

    side = max(1, int(sigma / BINS_PER_SIGMA))
    rows, columns = rows + side, columns + side  # one more bin on every side, so that interpolation reaches the frame
    bins = -(-shape[0] // side) + 2, -(-shape[1] // side) + 2
    own = rows // side * bins[1] + columns // side
    planes = np.stack([np.bincount(own, each, bins[0] * bins[1]) for each in (np.ones(len(rows)), *values)], axis=1)
    blurred = cv2.GaussianBlur(planes.reshape(*bins, -1).astype(np.float32), (0, 0), sigma / side, borderType=cv2.BORDER_CONSTANT)
    there = bilinear(blurred.reshape(*bins, -1), rows, columns, side).T
    return there[1:] / np.maximum(there[:1], 1e-9)


def bilinear(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int, channel: np.ndarray | None = None) -> np.ndarray:
    """(n, k) float32: `grid` (h, w, k), with cells of `side` px, sampled at pixels; with `channel` (n,) only that one, (n,)."""
    (top, below, down), (left, right, over) = (_between(at, side, n) for at, n in ((rows, grid.shape[0]), (columns, grid.shape[1])))
    if channel is None:
        down, over, pick = down[:, None], over[:, None], lambda r, c: grid[r, c]
    else:
        pick = lambda r, c: grid[r, c, channel]
    upper = pick(top, left) * (1 - over) + pick(top, right) * over
    return upper * (1 - down) + (pick(below, left) * (1 - over) + pick(below, right) * over) * down


def _between(at: np.ndarray, side: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells before and after pixels `at`, and the position between them, 0..1; clamped to the outermost cells."""
    place = np.clip((at + np.float32(0.5)) / np.float32(side) - np.float32(0.5), 0, count - 1)
    first = place.astype(np.int32)
    return first, np.minimum(first + 1, count - 1), (place - first).astype(np.float32)
