"""Combines two runs of a depth network: levels from its training size, edges from a larger input."""

from __future__ import annotations

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
    import cv2

    height, width = edges[-1].shape
    resized = lambda values: cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    low, span = _range(levels)
    guide = np.sum([resized(each) for each in edges], axis=0) / len(edges)
    guide_low, guide_span = _range(guide)
    guide = (guide - guide_low) / guide_span
    levels, mean = resized((levels - low) / span), window_mean(round(RADIUS * max(height, width)))
    joined = np.clip(guided_filter(levels, guide, mean, MIN_VARIANCE), 0, 1)
    own = np.clip(guide, 0, 1) - joined
    joined += OWN_DETAIL * (own - mean(mean(own)))
    return (joined * span + low).astype(np.float32)


def _range(values: np.ndarray) -> tuple[float, float]:
    """Least of the values and how far they reach, without outliers; plain floats, beside which NumPy 2 leaves float32."""
    low, high = np.percentile(values[::2, ::2].astype(float), (0.05, 99.95)).tolist()
    return low, max(high - low, 1e-6)
