"""Push-pull interpolation: unknown pixels filled smoothly over a pyramid."""

from __future__ import annotations

import numpy as np

SMOOTHING, LARGE = 8, 512


def push_pull(colour: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills unknown pixels smoothly from coarser and coarser averages of the known ones (Gortler et al. 1996, section 3.4.1).

    `colour` (h, w, 3) float32, `known` (h, w) bool; returns (h, w, 3) float32, the known pixels as they were.

    >>> colour = np.full((4, 4, 3), 0.25, np.float32)
    >>> known = np.eye(4, dtype=bool)
    >>> bool(np.allclose(push_pull(np.where(known[..., None], colour, 9), known), 0.25))
    True
    """
    import cv2

    h, w = known.shape
    if min(h, w) <= 1 or known.all():
        mean = colour[known].mean(axis=0) if known.any() else 0.5
        return np.where(known[..., None], colour, mean).astype(np.float32)
    mask = known.astype(np.uint8)
    share = halve(known.astype(np.float32), cv2.BORDER_CONSTANT)
    small = halve((colour * known[..., None]).astype(np.float32), cv2.BORDER_CONSTANT) / np.maximum(share, 1e-6)[..., None]
    coarse = push_pull(small.astype(np.float32), share > 0)
    up = cv2.resize(coarse, (2 * share.shape[1], 2 * share.shape[0]), interpolation=cv2.INTER_LINEAR)[:h, :w]
    up = np.ascontiguousarray(up)
    # smooths towards a membrane: coarse averages alone show square cells; at the finest levels of a large picture these are too
    # small to see
    for _ in range(SMOOTHING if max(h, w) <= LARGE else SMOOTHING // 4):
        cv2.copyTo(colour, mask, up)
        up = cv2.blur(up, (3, 3), borderType=cv2.BORDER_REPLICATE)
    cv2.copyTo(colour, mask, up)
    return up


def halve(values: np.ndarray, border: int) -> np.ndarray:
    """The next coarser pyramid level of (h, w) or (h, w, k) float32: means of two by two pixels.

    `border` is how OpenCV goes on beyond an odd last row or column.
    """
    import cv2

    h, w = values.shape[:2]
    even = cv2.copyMakeBorder(values, 0, h % 2, 0, w % 2, border)
    return cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
