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


def split_into_layers(
    photo: Photo, depth: DepthMap, settings: LayerSettings, parts: Parts | None = None
) -> LayeredDepthImage:
    """The photo's surface, torn at its depth discontinuities and continued outside the frame; nothing is hidden yet.

    `parts` are cut out of it, whether there is a jump of depth or not.

    Colours of the border are left to the inpainting.
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
    layer = _with_border(disparity, right, down, colour, border)
    if part is not None:
        layer = replace(layer, part=np.pad(part, border, mode="edge"))
    return LayeredDepthImage((layer,), (border, border, height, width), threshold, depth.span, depth.steps is not None)


def _with_border(disparity, right, down, colour, border: int) -> Layer:
    """Continues the surface outwards: each row and column keeps its disparity, and tears go on straight out of the frame."""
    pad = ((border, border), (border, border))
    present = np.ones((disparity.shape[0] + 2 * border, disparity.shape[1] + 2 * border), bool)
    synthesised = np.pad(np.zeros(disparity.shape, bool), pad, constant_values=True)
    right, down = (np.pad(links, pad, mode="edge") for links in (right, down))
    if border:
        # disparity is constant outwards, so links along that way hold; the last column and row have nothing beyond them
        right[:, :border], right[:, -border - 1 :] = True, True
        down[:border], down[-border - 1 :] = True, True
    right[:, -1], down[-1] = False, False
    disparity, colour = np.pad(disparity, pad, mode="edge"), np.pad(colour, (*pad, (0, 0)), mode="edge")
    return Layer(present, synthesised, disparity, colour, mutual_links(right, down, 0))
