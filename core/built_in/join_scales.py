"""Combines two runs of a depth network: levels from its training size, edges from a larger input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..raster.guided_filter import guided_filter, window_mean

RADIUS = 0.02
"""Half the window of the guided filter, as a part of the long side."""
MIN_VARIANCE = 1e-4
"""Variance of the edges, in parts of their range squared, below which the filter smooths."""
OWN_DETAIL = 0.4
"""Weight of what the edges themselves say within that window: where `levels` has no edge, the guided filter cannot make one."""


def join_scales(levels: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Disparity with the levels of `levels` and the edges of `edges`: a guided filter whose guide is the mean of `edges`.

    All are (h, w) float32 of one photo, of any sizes; the result has the size of the last of `edges`.
    """
    low, span = _range(levels)
    guide, mean = guide_of(edges)
    joined = follow_edges((levels - low) / span, guide, mean)
    own = np.clip(guide, 0, 1) - joined
    joined += OWN_DETAIL * (own - mean(mean(own)))
    return (joined * span + low).astype(np.float32)


def guide_of(edges: list[np.ndarray]) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The mean of `edges`, about 0..1, at the size of the last, and the mean over the guided filter's window at that size."""
    import cv2

    height, width = edges[-1].shape
    guide = np.sum([cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in edges], axis=0) / len(edges)
    low, span = _range(guide)
    return (guide - low) / span, window_mean(round(RADIUS * max(height, width)))


def follow_edges(values: np.ndarray, guide: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(h, w) float32, 0..1: values of any size whose edges are brought to those of a guide; guide and `mean` are of `guide_of`."""
    import cv2

    resized = cv2.resize(values, guide.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(guided_filter(resized, guide, mean, MIN_VARIANCE), 0, 1)


def _range(values: np.ndarray) -> tuple[float, float]:
    """Least of the values and how far they reach, without outliers; plain floats, beside which NumPy 2 leaves float32."""
    low, high = np.percentile(values[::2, ::2].astype(float), (0.05, 99.95)).tolist()
    return low, max(high - low, 1e-6)
