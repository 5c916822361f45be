"""Combines two runs of a depth network: levels from its training size, edges from a larger input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..raster.guided_filter import guided_filter, window_mean

RADIUS = 0.02
"""Half the window of the guided filter, as a part of the long side."""
MIN_VARIANCE = 1e-4
"""Variance of the edges, in parts of their range squared, below which the filter smooths."""
OWN_DETAIL = 0.4
"""Weight of what the edges themselves say within that window: where `levels` has no edge, the guided filter cannot make one."""


@dataclass(frozen=True)
class Guide:
    """Edges that others follow by a guided filter."""

    values: np.ndarray  # (h, w) float32, about 0..1
    mean: Callable[[np.ndarray], np.ndarray]  # over the filter's window at that size

    @classmethod
    def of(cls, edges: list[np.ndarray]) -> Guide:
        """The mean of (h, w) float32 disparities of one photo, of any sizes, at the size of the last."""
        import cv2

        height, width = edges[-1].shape
        values = np.sum([cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in edges], axis=0) / len(edges)
        low, span = _range(values)
        return cls((values - low) / span, window_mean(round(RADIUS * max(height, width))))

    def followed_by(self, values: np.ndarray) -> np.ndarray:
        """(h, w) float32, 0..1: values of any size with their edges where the guide has its own."""
        import cv2

        resized = cv2.resize(values, self.values.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.clip(guided_filter(resized, self.values, self.mean, MIN_VARIANCE), 0, 1)


def join_scales(levels: np.ndarray, guide: Guide) -> np.ndarray:
    """Disparity with the levels of `levels`, (h, w) float32 of any size, and the edges of `guide`, at its size."""
    low, span = _range(levels)
    joined = guide.followed_by((levels - low) / span)
    own = np.clip(guide.values, 0, 1) - joined
    joined += OWN_DETAIL * (own - guide.mean(guide.mean(own)))
    return (joined * span + low).astype(np.float32)


def _range(values: np.ndarray) -> tuple[float, float]:
    """Least of the values and how far they reach, without outliers; plain floats, beside which NumPy 2 leaves float32."""
    low, high = np.percentile(values[::2, ::2].astype(float), (0.05, 99.95)).tolist()
    return low, max(high - low, 1e-6)
