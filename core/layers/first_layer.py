"""The photo's surface as the first layer: cut at its depth discontinuities and continued outside the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..depth.depth_map import DepthMap
from ..photo.photo import Photo
from ..raster.nearest_known import nearest_known
from ..settings import LayerSettings
from .discontinuities import cut_discontinuities, grow_foreground
from .layered_depth_image import DOWN, RIGHT, Layer, LayeredDepthImage, mutual_links, neighbour
from .parts import Parts, cut_parts

BORDER_STEP, SMALL_BORDER_STEP, SMALL = 32, 8, 640
"""The border is a multiple of this, so that the frame falls on the blocks of the mesh; of less on a grid below `SMALL`."""
SLOPE_REACH, SLOPE_ALONG = 0.04, 0.03
"""How far into the picture, and along the frame to each side, the slope of disparity there is looked at; parts of the long side."""
CLEAR_RIM = 2
"""Working pixels by which the surface extends where the photo becomes transparent."""
FLATTENS, NEARER = 2.0, 1.3
"""Widths of the border in which its slope falls to a third; how much nearer than the nearest it may come."""


def make_first_layer(photo: Photo, depth: DepthMap, settings: LayerSettings, parts: Parts | None = None) -> LayeredDepthImage:
    """The photo's surface, cut at its depth discontinuities and continued outside the frame; nothing is hidden yet.

    `parts` are cut out of it, with or without a jump of depth. Inpainting colours the border later.
    """
    height, width = depth.disparity.shape
    threshold = settings.tear * depth.span
    disparity, seen = depth.disparity, photo.seen(height, width)
    if seen is not None and seen.any():  # so that no jump of depth beside the silhouette pulls at what is seen
        disparity = np.where(seen, disparity, disparity.ravel()[nearest_known(seen)[1]])
    if depth.steps is None:
        disparity = grow_foreground(disparity, threshold, settings.rim_width(max(height, width)))
    disparity, right, down = cut_discontinuities(disparity, threshold, depth.steps)
    part = None
    if parts is not None:
        part, right, down = cut_parts(parts, right, down)
    block = BORDER_STEP if max(height, width) >= SMALL else SMALL_BORDER_STEP
    border = block * round(settings.border * max(height, width) / block)
    colour = photo.working_colour(height, width)
    layer = _add_border(disparity, right, down, colour, border, threshold)
    if part is not None:
        layer = replace(layer, part=np.pad(part, border, mode="edge"))
    layer, see_through = _remove_transparent(layer, photo, border)
    # beyond the frame the surface turns no further, so that light shows no line along it
    normals = None if depth.normals is None else np.pad(depth.normals, ((border, border), (border, border), (0, 0)), mode="edge")
    frame = (border, border, height, width)
    return LayeredDepthImage((layer,), frame, threshold, depth.span, depth.steps is not None, see_through, normals)


def _remove_transparent(layer: Layer, photo: Photo, border: int) -> tuple[Layer, np.ndarray | None]:
    """The layer without pixels of which nothing is seen, torn all around them; and (h, w) bool where one sees through the photo.

    A rim of `CLEAR_RIM` stays, on which the photo's own alpha ends more exactly than the grid does. Outside the frame nothing goes
    on beside what is not opaque.
    """
    import cv2

    height, width = (side - 2 * border for side in layer.present.shape)
    opaque = photo.opaque(height, width)
    if opaque is None:
        return layer, None
    seen = photo.seen(height, width)
    seen = (
        np.ones(opaque.shape, bool)
        if seen is None
        else cv2.dilate(seen.view(np.uint8), np.ones((2 * CLEAR_RIM + 1,) * 2, np.uint8)).view(bool)
    )
    present = np.where(layer.synthesised, np.pad(opaque, border, mode="edge"), np.pad(seen, border))
    right, down = ((layer.links[side] >= 0) & present & neighbour(present, side, False) for side in (RIGHT, DOWN))
    torn = replace(layer, present=present, synthesised=layer.synthesised & present, links=mutual_links(right, down, 0))
    return torn, ~np.pad(opaque, border, mode="edge")


def _add_border(disparity, right, down, colour, border: int, threshold: float) -> Layer:
    """Continues the surface outwards: disparity keeps its slope at the frame, and cuts continue straight outwards."""
    pad = ((border, border), (border, border))
    present = np.ones((disparity.shape[0] + 2 * border, disparity.shape[1] + 2 * border), bool)
    synthesised = np.pad(np.zeros(disparity.shape, bool), pad, constant_values=True)
    if border:
        wide = _extrapolate(disparity, right[:, :-1], border, threshold)
        disparity = _extrapolate(wide.T, np.pad(down[:-1], ((0, 0), (border, border)), mode="edge").T, border, threshold).T
    right, down = (np.pad(links, pad, mode="edge") for links in (right, down))
    if border:
        # outwards disparity changes by less than a tear, so links along that way hold; the last ones have nothing beyond them
        right[:, :border], right[:, -border - 1 :] = True, True
        down[:border], down[-border - 1 :] = True, True
    right[:, -1], down[-1] = False, False
    colour = np.pad(colour, (*pad, (0, 0)), mode="edge")
    return Layer(present, synthesised, np.ascontiguousarray(disparity), colour, mutual_links(right, down, 0))


def _extrapolate(disparity: np.ndarray, linked: np.ndarray, border: int, threshold: float) -> np.ndarray:
    """(h, w + 2 border) float32: each row continues at both ends with its surface's slope there, which fades out.

    `linked` (h, w - 1) says which neighbours in a row are of one surface. The slope is smooth from row to row, across cuts too, so
    that layers keep their distance. Nothing comes much nearer than the nearest pixel, or goes to infinity.
    """
    long_side = max(disparity.shape)
    reach = min(max(3, round(SLOPE_REACH * long_side)), disparity.shape[1] - 1)
    steps = np.arange(1, border + 1, dtype=np.float32)
    eased = FLATTENS * border * (1 - np.exp(-steps / (FLATTENS * border)))
    ends = []
    for row, links in ((disparity, linked), (disparity[:, ::-1], linked[:, ::-1])):
        same = np.cumprod(links[:, :reach], axis=1).astype(np.float32)
        outward = -np.diff(row[:, : reach + 1], axis=1)
        # as many steps as one surface has tell how far they can be trusted; a ragged end tells little
        slope, trust = (outward * same).sum(axis=1), same.sum(axis=1) + 1e-3
        width = max(1, round(SLOPE_ALONG * long_side))
        slope = np.clip(_smooth(slope, width) / _smooth(trust, width), -threshold / 2, threshold / 2)
        ends.append(row[:, :1] + slope[:, None] * eased)
    low, high = float(disparity.min()) / 2, NEARER * float(disparity.max())
    left, right = (np.clip(end, low, high) for end in ends)
    return np.concatenate([left[:, ::-1], disparity, right], axis=1).astype(np.float32)


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """(n,) means of means over 2 width + 1 neighbours; the ends go on as they are."""
    for _ in range(2):
        total = np.cumsum(np.pad(values, (width + 1, width), mode="edge"), dtype=np.float64)
        values = (total[2 * width + 1 :] - total[: -2 * width - 1]) / (2 * width + 1)
    return values
