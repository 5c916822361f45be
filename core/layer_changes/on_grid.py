"""What lies on the canvas of a build, brought to its working grid."""

from __future__ import annotations

import numpy as np

from ..layer_files.layer_file import placed
from ..layer_pictures import canvas_of
from ..pipeline import Diorama
from ..raster.colour_curves import srgb_from_linear


def _region(built: Diorama) -> tuple[slice, slice]:
    """The part of the canvas that the working grid covers, to whole pixels."""
    canvas = canvas_of(built)
    start = np.array(canvas.offset) - np.array(canvas.frame[:2]) * canvas.scale
    end = start + np.array(built.image.shape) * canvas.scale
    low, high = np.rint(np.maximum(start, 0)).astype(int), np.rint(np.minimum(end, canvas.shape)).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _resized(built: Diorama, values: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(np.ascontiguousarray(values[_region(built)]), built.image.shape[::-1], interpolation=cv2.INTER_AREA)


def mask_on_grid(built: Diorama, mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """(h, w) bool: the grid's pixels of which at least half are marked in a rectangle of the canvas at `corner`, (H, W) bool."""
    return _resized(built, placed(mask.view(np.uint8) * np.uint8(255), corner, canvas_of(built).shape)) >= 128


def colour_on_grid(built: Diorama, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) float32 sRGB-encoded colours mixed by alpha, and (h, w) bool where at least half is opaque."""
    top = 1.0 if colour.dtype == np.float32 else float(np.iinfo(colour.dtype).max)
    share = _resized(built, colour[..., 3]).astype(np.float32) / top
    alpha = colour[..., 3].astype(np.float32)
    channels = [_resized(built, colour[..., c] * alpha) / (np.maximum(share, 1e-4) * top * top) for c in range(3)]
    mixed = np.stack(channels, axis=2).astype(np.float32)
    if colour.dtype == np.float32:
        mixed = srgb_from_linear(np.maximum(mixed, 0)).astype(np.float32)
    return mixed.astype(np.float16).astype(np.float32), share >= 0.5  # as finely as a scene keeps them


def disparity_on_grid(built: Diorama, disparity: np.ndarray) -> np.ndarray:
    """(h, w) float32: the mean of what is known within each pixel, 0 where nothing is."""
    known = _resized(built, (disparity > 0).astype(np.float32))
    return np.where(known > 0.25, _resized(built, disparity) / np.maximum(known, 1e-4), 0).astype(np.float32)
