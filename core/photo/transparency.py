"""Makes alpha straight (unpremultiplied), and gives fully transparent pixels colours from their visible surroundings."""

from __future__ import annotations

import numpy as np

from ..raster.push_pull import push_pull

ROWS_AT_ONCE = 256
FILL_SIDE = 1024
"""Long side at which colours under an alpha of 0 are made: they are never seen, so coarse ones are enough."""
BRIGHTEST = 65504.0
"""The largest half float; dividing by an alpha near 0 may give more."""
ALL_CLEAR = "its alpha is 0 everywhere, which would show nothing, so it is taken as opaque"


def to_straight_alpha(colour: np.ndarray, alpha: np.ndarray, associated: bool) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Straight colour, alpha and a note, of (H, W, 3) colour and (H, W) alpha of one dtype; alpha is None where all is opaque.

    `associated`: colour is premultiplied by alpha. Stored colours under an alpha of 0 are replaced by smooth ones of the visible
    pixels around. An alpha of 0 everywhere is ignored.
    """
    top = 1.0 if alpha.dtype == np.float32 else np.iinfo(alpha.dtype).max
    if alpha.dtype == np.float32:
        alpha = np.clip(np.nan_to_num(alpha, nan=0.0), 0, 1)
    lowest, highest = alpha.min(), alpha.max()
    if highest == 0:
        return colour, None, ALL_CLEAR
    if lowest == top:
        return colour, None, ""
    if associated:
        colour = unpremultiply(colour, alpha, top)
    if lowest == 0:
        colour = _fill_transparent(colour, alpha)
    return colour, alpha, ""


def unpremultiply(colour: np.ndarray, alpha: np.ndarray, top: float) -> np.ndarray:
    """(H, W, 3) colour divided by (H, W) alpha, whose maximum is `top`; unchanged where alpha is 0."""
    result = np.empty_like(colour)
    for start in range(0, len(colour), ROWS_AT_ONCE):  # bounds the memory
        rows = slice(start, start + ROWS_AT_ONCE)
        share = alpha[rows, :, None].astype(np.float32) / np.float32(top)
        with np.errstate(over="ignore"):
            part = colour[rows].astype(np.float32) / np.where(share > 0, share, 1)
        most = BRIGHTEST if colour.dtype == np.float32 else top
        part = np.where(share < 1, np.clip(part, -most, most), part)
        result[rows] = part if colour.dtype == np.float32 else np.rint(part).astype(colour.dtype)
    return result


def _fill_transparent(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours; where alpha is 0, smooth ones of the visible pixels around (push-pull)."""
    import cv2

    height, width = alpha.shape
    seen = (alpha > 0).view(np.uint8)
    scale = min(1.0, FILL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    share = cv2.resize(seen * np.uint8(255), size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colour = np.ascontiguousarray(colour)
    small = cv2.resize(cv2.copyTo(colour, seen), size, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = push_pull(small / np.maximum(share, 1 / 255)[..., None], share > 0.05)
    if colour.dtype != np.float32:
        smooth = np.rint(np.clip(smooth, 0, np.iinfo(colour.dtype).max)).astype(colour.dtype)
    return cv2.copyTo(colour, seen, cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR))
