"""Combines two runs of a depth network: levels from its training size, edges from a larger input."""

from __future__ import annotations

import numpy as np

from ..raster.guided_filter import guided_filter, window_mean

RADIUS = 0.05
"""Half the window of the guided filter, as a part of the long side."""
MIN_VARIANCE = 1e-4
"""Variance of the edges, in parts of their range squared, below which the filter smooths."""
OWN_SHARE = 0.3
"""Weight of the edges' own levels in the result: where `levels` has no edge, the guided filter cannot make one."""


def join_scales(levels: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Disparity with the levels of `levels` and the edges of `edges`: a guided filter whose guide is the mean of `edges`.

    All are (h, w) float32 of one photo, of any sizes; the result has the size of the last of `edges`.
    """
    import cv2

    height, width = edges[-1].shape
    resized = lambda values: cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    # plain floats: beside a scalar of NumPy's, NumPy 2 would leave float32, and the last digits with it
    low, high = np.percentile(levels[::2, ::2].astype(float), (0.05, 99.95)).tolist()
    span = max(high - low, 1e-6)
    guide = np.sum([resized((each - low) / span) for each in edges], axis=0) / len(edges)
    levels = resized((levels - low) / span)
    joined = np.clip(guided_filter(levels, guide, window_mean(round(RADIUS * max(height, width))), MIN_VARIANCE), 0, 1)
    least, most = np.percentile(guide[::2, ::2].astype(float), (0.05, 99.95)).tolist()
    own = np.clip((guide - least) / max(most - least, 1e-6), 0, 1)
    joined += OWN_SHARE * (own - joined)
    return (joined * span + low).astype(np.float32)
