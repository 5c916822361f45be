"""Decodes PQ and HLG, and tone-maps light that is brighter than white into SDR."""

from __future__ import annotations

import numpy as np

WHITE_NITS = 203.0
"""Luminance of diffuse white, cd/m2, in PQ and in HLG on a display of 1000 cd/m2 (ITU-R BT.2408, table 1): our 1."""
PEAK_NITS, SYSTEM_GAMMA = 1000.0, 1.2
"""HLG's reference display, cd/m2, and its system gamma from scene to display (ITU-R BT.2100, table 5)."""
KNEE = 0.8
"""Linear light up to which nothing changes; brighter values approach 1."""
NEARLY_WHITE = 1.15
"""Up to this brightest value a picture is clipped, not tone-mapped: the excess is codec noise."""
BRIGHTEST = 99.9
"""Percentile of the picture that counts as its brightest."""


def from_pq(x: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 (BT.2100, table 4): encoded 0..1 to light in units of diffuse white.

    >>> [round(float(from_pq(np.array(v))), 2) for v in (0.0, 0.5807, 1.0)]
    [0.0, 1.0, 49.26]
    """
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = np.clip(np.asarray(x, np.float64), 0, 1) ** (1 / m2)
    return (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * (10000 / WHITE_NITS)


def from_hlg(x: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 (BT.2100, table 5): encoded 0..1 to the scene's light, 0..1.

    >>> [round(float(from_hlg(np.array(v))), 3) for v in (0.0, 0.5, 0.75, 1.0)]
    [0.0, 0.083, 0.265, 1.0]
    """
    a, x = 0.17883277, np.clip(np.asarray(x, np.float64), 0, 1)
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12)


def light_of_hlg(scene: np.ndarray) -> np.ndarray:
    """(..., 3) converts scene light, in BT.2020's primaries, to display light; 1 is diffuse white."""
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], scene.dtype)
    return scene * (np.maximum(luminance, 1e-9) ** (SYSTEM_GAMMA - 1) * (PEAK_NITS / WHITE_NITS))[..., None]


def tone_mapped(linear: np.ndarray) -> tuple[np.ndarray, bool]:
    """(H, W, 3) float32 light in units of white, changed in place to 0..1, and whether it was tone-mapped.

    A picture that is nowhere brighter than `NEARLY_WHITE` is only clipped.

    Up to `KNEE` all stays as it is; above, the largest of the three values is compressed by a rational curve and the others with it
    (Reinhard et al. 2002, equation 4, moved to begin at the knee with slope 1). The curve reaches 1 at the picture's brightest.
    """
    step = max(1, int(np.sqrt(linear.shape[0] * linear.shape[1] / 1e6)))
    peak = float(np.percentile(linear[::step, ::step].max(axis=2), BRIGHTEST))
    if peak <= NEARLY_WHITE:
        return np.minimum(linear, 1, out=linear), False
    bend = 1 / (1 - KNEE) - 1 / (peak - KNEE)
    for row in range(0, len(linear), 256):  # bounds the memory
        part = linear[row : row + 256]
        largest = part.max(axis=2, keepdims=True)
        over = np.maximum(largest - KNEE, 0)
        part *= np.minimum(KNEE + over / (1 + bend * over), 1) / np.maximum(largest, KNEE)
    return np.minimum(linear, 1, out=linear), True
