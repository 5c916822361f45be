"""The guided filter: smooths values within regions in which a guide changes slowly, and keeps their edges where the guide has edges.

He, Sun and Tang, "Guided Image Filtering", ECCV 2010. OpenCV has it in its contrib modules only, and without weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Mean = Callable[[np.ndarray], np.ndarray]


def window_mean(radius: int, weight: np.ndarray | None = None, least: float = 0.0) -> Mean:
    """A function that takes (h, w) float32 to its mean over square windows of 2 * radius + 1 px.

    `weight` (h, w) float32 says how much each pixel counts; `least` is added to a window's mean weight, against division by 0.
    """
    import cv2

    size = (2 * radius + 1,) * 2
    if weight is None:
        return lambda values: cv2.blur(values, size, borderType=cv2.BORDER_REFLECT)
    total = cv2.blur(weight, size) + least
    return lambda values: cv2.blur(weight * values, size) / total


def linear_model(values: np.ndarray, guide: np.ndarray, mean: Mean, regulariser: float) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) slope and offset of the line from guide to values in each window (equations 5 and 6).

    `regulariser` is the paper's epsilon: a guide of less variance than that in a window is smoothed away.
    """
    guide_mean, value_mean = mean(guide), mean(values)
    covariance = mean(guide * values) - guide_mean * value_mean
    variance = np.maximum(mean(guide * guide) - guide_mean * guide_mean, 0)  # rounding may bring it below
    slope = covariance / (variance + regulariser)
    return slope, value_mean - slope * guide_mean


def guided_filter(values: np.ndarray, guide: np.ndarray, mean: Mean, regulariser: float) -> np.ndarray:
    """(h, w) values smoothed along the guide, both (h, w) float32 (equation 8); `mean` is of `window_mean`.

    >>> import numpy as np
    >>> step = np.repeat(np.float32([[0, 0, 0, 1, 1, 1]]), 3, axis=0)
    >>> guided_filter(step, step, window_mean(1), 1e-4).round(2)[1].tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """
    slope, offset = linear_model(values, guide, mean, regulariser)
    return mean(slope) * guide + mean(offset)
