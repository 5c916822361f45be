"""What lies on the canvas of a build, brought to its working grid."""

from __future__ import annotations

import numpy as np

from ..layer_files.layer_file import TOP, place_in_canvas
from ..layer_pictures import full_canvas
from ..pipeline import Diorama
from ..raster.colour_curves import srgb_from_linear

SLIVER = 0.02
"""Part of a texel up to which what was painted on it does not count."""


def _region(built: Diorama) -> tuple[slice, slice]:
    """The part of the canvas that the working grid covers, to whole pixels."""
    canvas = full_canvas(built)
    start = np.array(canvas.offset) - np.array(canvas.frame[:2]) * canvas.scale
    end = start + np.array(built.image.shape) * canvas.scale
    low, high = np.rint(np.maximum(start, 0)).astype(int), np.rint(np.minimum(end, canvas.shape)).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _resize(built: Diorama, values: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(np.ascontiguousarray(values[_region(built)]), built.image.shape[::-1], interpolation=cv2.INTER_AREA)


def mask_on_grid(built: Diorama, mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """(h, w) bool: the grid's pixels of which at least half are marked in a rectangle of the canvas at `corner`, (H, W) bool."""
    return _resize(built, place_in_canvas(mask.view(np.uint8) * np.uint8(255), corner, full_canvas(built).shape)) >= 128


def colour_on_grid(built: Diorama, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) float32 sRGB-encoded colours mixed by alpha, and (h, w) bool where at least half is opaque."""
    top = float(TOP[colour.dtype])
    share = _resize(built, colour[..., 3]).astype(np.float32) / top
    alpha = colour[..., 3].astype(np.float32)
    channels = [_resize(built, colour[..., c] * alpha) / (np.maximum(share, 1e-4) * top * top) for c in range(3)]
    mixed = np.stack(channels, axis=2).astype(np.float32)
    if colour.dtype == np.float32:
        mixed = srgb_from_linear(np.maximum(mixed, 0)).astype(np.float32)
    return mixed.astype(np.float16).astype(np.float32), share >= 0.5  # as finely as a scene keeps them


def disparity_on_grid(built: Diorama, disparity: np.ndarray) -> np.ndarray:
    """(h, w) float32: the mean of the known values within each pixel, 0 where none is known."""
    known = _resize(built, (disparity > 0).astype(np.float32))
    return np.where(known > 0.25, _resize(built, disparity) / np.maximum(known, 1e-4), 0).astype(np.float32)


def texels_on_grid(
    built: Diorama, painted: np.ndarray, colour: np.ndarray, corner: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, tuple[slice, slice]]:
    """What was painted on a rectangle of the canvas at `corner`, as the texels of the working grid show it: of the (h, w) bool
    `painted` and the straight (h, w, 4) `colour` the texels that hold any of it, (m, n) bool; the mean of the colours in each, also of
    those beside what was painted, (m, n, 4) float32 from 0 to 1; and their rows and columns on the grid.

    So an edge that runs through a texel keeps its place: rounded to whole texels it would move by half of one.
    """
    canvas = full_canvas(built)
    start, edges, box = np.array(canvas.offset) - np.array(canvas.frame[:2]) * canvas.scale, [], []
    for axis in (0, 1):
        ends = (np.array([corner[axis], corner[axis] + painted.shape[axis]]) - start[axis]) / canvas.scale[axis]
        first, last = max(0, int(np.floor(ends[0]))), min(built.image.shape[axis], int(np.ceil(ends[1])))
        box.append(slice(first, last))
        edges.append(start[axis] + np.arange(first, last + 1) * canvas.scale[axis] - corner[axis])
    top = float(TOP[colour.dtype])
    alpha = colour[..., 3].astype(np.float64) / top
    there = _sums(alpha, edges)
    mixed = [_sums(colour[..., channel] / top * alpha, edges) / np.maximum(there, 1e-6) for channel in range(3)]
    held = _sums((painted & (alpha > 0)).astype(np.float64), edges)
    return held > SLIVER * there, np.dstack([*mixed, np.ones_like(there)]).astype(np.float32), (box[0], box[1])


def _sums(values: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """(m, n): the integral of (h, w) pixels within each cell between `edges`, m + 1 rows and n + 1 columns; nothing lies outside."""
    for axis in (0, 1):
        total = np.concatenate([np.zeros_like(values.take([0], axis)), np.cumsum(values, axis)], axis)
        at = np.clip(edges[axis], 0, values.shape[axis])
        low = np.minimum(at.astype(int), values.shape[axis] - 1)
        share = np.expand_dims(at - low, 1 - axis)
        values = np.diff(total.take(low, axis) * (1 - share) + total.take(low + 1, axis) * share, axis=axis)
    return values
