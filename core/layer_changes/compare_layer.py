"""How one layer of a file differs from the same layer of a build, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layer_files.layer_file import TOP, FileLayer, LayerFile, place_in_canvas
from .registration import Placement
from .resampled import differs_beyond_scaling, rescale_as

RESAMPLED = 16 / 255
"""In a picture of another size what differs by less than this is the scaling's work."""
OTHER_DEPTH = 0.6 / 255
"""The same where the bits a channel are others than ours."""
HALF_FLOAT = 2e-3
"""... and of floats, of which files keep eleven bits."""


@dataclass(frozen=True)
class Difference:
    """Where theirs differs from ours, within a rectangle of the canvas."""

    box: tuple[slice, slice]
    painted: np.ndarray  # (h, w) bool: theirs has another colour, or one where ours has none
    colour: np.ndarray  # (h, w, 4) theirs
    gone: np.ndarray  # (h, w) bool: theirs is transparent, ours is not
    more: np.ndarray  # (h, w) bool: the other way


def on_canvas(layer: FileLayer, file: LayerFile, where: Placement, shape: tuple[int, int], plane: np.ndarray) -> np.ndarray:
    """Colours or depth of a layer of a file, on the whole canvas of the build."""
    if not where.is_scaled:
        return place_in_canvas(plane, (layer.corner[0] + where.offset[0], layer.corner[1] + where.offset[1]), shape)
    return where.on_canvas(place_in_canvas(plane, layer.corner, file.canvas), shape)


def difference(ours: FileLayer, theirs: FileLayer, file: LayerFile, where: Placement, shape: tuple[int, int]) -> Difference | None:
    """How their layer differs from ours, within the file's canvas; None where they are equal. `shape` is our canvas's. Of the photo only
    colours count: its outline cannot change.
    """
    if where.is_scaled:
        return _scaled_difference(ours, theirs, file, where, shape)
    box = _common_box(ours, theirs, where, shape)
    size, at = tuple(each.stop - each.start for each in box), tuple(each.start for each in box)
    one = place_in_canvas(ours.colour, ours.corner, size, at)
    other = place_in_canvas(theirs.colour, (theirs.corner[0] + where.offset[0], theirs.corner[1] + where.offset[1]), size, at)
    if one.dtype == other.dtype and np.array_equal(one, other):
        return None
    there, opaque = one[..., 3] > 0, other[..., 3] >= TOP[other.dtype] / 2
    if ours.invented is not None and ours.invented.any():
        gone, more = there & ~opaque, ~there & opaque
    else:
        gone = more = np.zeros(there.shape, bool)
    painted = (_differs(one, other) & there & opaque) | more
    if not (painted.any() or gone.any()):
        return None
    return Difference(box, painted, other, gone, more)


def _common_box(ours: FileLayer, theirs: FileLayer, where: Placement, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The rectangle that holds both layers, as far as the file's canvas reaches."""
    covered = where.covered(shape)
    rows, columns = theirs.rows_and_columns
    moved = (slice(rows.start + where.offset[0], rows.stop + where.offset[0]),
             slice(columns.start + where.offset[1], columns.stop + where.offset[1]))  # fmt: skip
    boxes = [box for box, layer in ((ours.rows_and_columns, ours), (moved, theirs)) if layer.colour.size]
    if not boxes:
        return slice(0, 0), slice(0, 0)
    result = []
    for axis, limit in enumerate(covered):
        start = max(limit.start, min(box[axis].start for box in boxes))
        result.append(slice(start, max(start, min(limit.stop, max(box[axis].stop for box in boxes)))))
    return result[0], result[1]


def _differs(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(h, w) bool: where the colours are others."""
    if ours.dtype == theirs.dtype and ours.dtype != np.float32:
        return (ours[..., :3] != theirs[..., :3]).any(axis=2)
    slack = HALF_FLOAT if ours.dtype == np.float32 else OTHER_DEPTH
    result = np.zeros(ours.shape[:2], bool)
    for channel in range(3):
        one, other = (each[..., channel].astype(np.float32) / np.float32(TOP[each.dtype]) for each in (ours, theirs))
        result |= np.abs(one - other) > slack * (np.maximum(1, np.abs(one)) if ours.dtype == np.float32 else 1)
    return result


def _scaled_difference(ours: FileLayer, theirs: FileLayer, file: LayerFile, where: Placement, shape: tuple[int, int]) -> Difference | None:
    """`difference` for a picture of another size: ours is scaled as that was, so that nothing counts as painted that only is coarser."""
    other = place_in_canvas(theirs.colour, theirs.corner, file.canvas)
    alike = rescale_as(place_in_canvas(ours.colour, ours.corner, where.size, where.offset), other)
    there, opaque = alike[..., 3] >= 0.5, other[..., 3] >= TOP[other.dtype] / 2
    gone = more = np.zeros(there.shape, bool)
    if ours.invented is not None and ours.invented.any():
        gone, more = _opened(there & ~opaque), _opened(~there & opaque)
    painted = _opened(differs_beyond_scaling(alike, other, RESAMPLED) & there & opaque) | more
    if not (painted.any() or gone.any()):
        return None
    box = where.covered(shape)
    painted, gone, more = (where.on_canvas(each.view(np.uint8) * np.uint8(255), shape)[box] >= 128 for each in (painted, gone, more))
    own = place_in_canvas(ours.colour, ours.corner, shape)[box][..., 3] > 0
    colour = where.on_canvas(other, shape)[box]
    return Difference(box, painted & (own | more), colour, gone & own, more & ~own)


def _opened(mask: np.ndarray) -> np.ndarray:
    """Without lines and dots as thin as scaling makes them."""
    import cv2

    return cv2.morphologyEx(np.ascontiguousarray(mask).view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
