"""The transfer curve of sRGB, both ways."""

from __future__ import annotations

import numpy as np


def srgb_from_linear(x: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 transfer curve, continued above 1."""
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055).astype(np.float32)


def linear_from_srgb(x: np.ndarray) -> np.ndarray:
    """The inverse of `srgb_from_linear`.

    >>> round(float(linear_from_srgb(np.float32(0.5))), 4)
    0.214
    """
    return np.where(x <= 0.04045, x / 12.92, ((np.maximum(x, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)
