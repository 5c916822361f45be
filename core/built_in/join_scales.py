"""Levels of a depth network at the size it was trained at, edges of the same network fed with more pixels."""

from __future__ import annotations

import numpy as np

RADIUS = 0.05
"""Half the window of the guided filter, as a part of the long side."""
LEAST_VARIANCE = 1e-4
"""Variance of the edges, in parts of their range squared, below which the filter smooths."""


def join_scales(levels: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Disparity with the levels of `levels` and the edges of `edges`, the mean of which guides (He, Sun and Tang 2010, eq. 5 and 6).

    All are (h, w) float32 of one photo, of any sizes; the result has that of the last of `edges`.
    """
    import cv2

    height, width = edges[-1].shape
    resized = lambda values: cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    low, high = np.percentile(levels[::2, ::2], (0.05, 99.95))
    span = max(float(high - low), 1e-6)
    guide = sum(resized((each - low) / span) for each in edges) / len(edges)
    levels = resized((levels - low) / span)
    side = 2 * round(RADIUS * max(height, width)) + 1
    mean = lambda values: cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    guide_mean, level_mean = mean(guide), mean(levels)
    slope = (mean(guide * levels) - guide_mean * level_mean) / (mean(guide * guide) - guide_mean**2 + LEAST_VARIANCE)
    offset = level_mean - slope * guide_mean
    joined = mean(slope) * guide + mean(offset)
    return (np.clip(joined, 0, 1) * span + low).astype(np.float32)
