"""The photo's surface as the first layer: cut at its depth discontinuities and continued outside the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..depth.depth_map import DepthMap
from ..photo.photo import Photo
from ..settings import LayerSettings
from .discontinuities import cut_discontinuities, grow_foreground
from .layered_depth_image import Layer, LayeredDepthImage, mutual_links
from .parts import Parts, cut_parts

BORDER_STEP, SMALL_BORDER_STEP, SMALL = 32, 8, 640
"""The border is a multiple of this, so that the frame falls on the blocks of the mesh; of less on a grid below `SMALL`."""
SLOPE_REACH, SLOPE_ALONG = 0.04, 0.03
"""How far into the picture, and along the frame to each side, the slope of disparity there is looked at; parts of the long side."""
FLATTENS, NEARER = 2.0, 1.3
"""Widths of the border in which its slope falls to a third; how much nearer than the nearest it may come."""


def split_into_layers(photo: Photo, depth: DepthMap, settings: LayerSettings, parts: Parts | None = None) -> LayeredDepthImage:
    """The photo's surface, cut at its depth discontinuities and continued outside the frame; nothing is hidden yet.

    `parts` are cut out of it, with or without a jump of depth. Inpainting colours the border later.
    """
    height, width = depth.disparity.shape
    threshold = settings.tear * depth.span
    disparity = depth.disparity
    if depth.steps is None:
        disparity = grow_foreground(disparity, threshold, settings.rim_width(max(height, width)))
    disparity, right, down = cut_discontinuities(disparity, threshold, depth.steps)
    part = None
    if parts is not None:
        part, right, down = cut_parts(parts, right, down)
    block = BORDER_STEP if max(height, width) >= SMALL else SMALL_BORDER_STEP
    border = block * round(settings.border * max(height, width) / block)
    colour = photo.working_colour(height, width)
    layer = _with_border(disparity, right, down, colour, border, threshold)
    if part is not None:
        layer = replace(layer, part=np.pad(part, border, mode="edge"))
    return LayeredDepthImage((layer,), (border, border, height, width), threshold, depth.span, depth.steps is not None)


def _with_border(disparity, right, down, colour, border: int, threshold: float) -> Layer:
    """Continues the surface outwards: disparity keeps its slope at the frame, and cuts continue straight outwards."""
    pad = ((border, border), (border, border))
    present = np.ones((disparity.shape[0] + 2 * border, disparity.shape[1] + 2 * border), bool)
    synthesised = np.pad(np.zeros(disparity.shape, bool), pad, constant_values=True)
    if border:
        wide = _continued(disparity, right[:, :-1], border, threshold)
        disparity = _continued(wide.T, np.pad(down[:-1], ((0, 0), (border, border)), mode="edge").T, border, threshold).T
    right, down = (np.pad(links, pad, mode="edge") for links in (right, down))
    if border:
        # outwards disparity changes by less than a tear, so links along that way hold; the last ones have nothing beyond them
        right[:, :border], right[:, -border - 1 :] = True, True
        down[:border], down[-border - 1 :] = True, True
    right[:, -1], down[-1] = False, False
    colour = np.pad(colour, (*pad, (0, 0)), mode="edge")
    return Layer(present, synthesised, np.ascontiguousarray(disparity), colour, mutual_links(right, down, 0))


def _continued(disparity: np.ndarray, linked: np.ndarray, border: int, threshold: float) -> np.ndarray:
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
