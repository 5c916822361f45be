"""Colour outside the photo's frame: each surface continues outwards, filled from its own context.

The border is filled as hidden surfaces are: its pixels are the synthesis region, and the context is flooded from them into the
photo along links, so nothing crosses a depth discontinuity, and nothing is a mirror image of what is beside it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..layers.discontinuities import label_surfaces
from ..layers.layered_depth_image import DOWN, RIGHT, Layer, LayeredDepthImage, neighbour
from ..layers.regions import find_labelled_regions
from ..settings import InpaintSettings, LayerSettings
from .fill_colour import fill_colour
from .inpainter import Inpainter, Step


def fill_border(
    image: LayeredDepthImage, layers: LayerSettings, settings: InpaintSettings, inpainter: Inpainter, progress: Step = lambda fraction: None
) -> np.ndarray:
    """(h, w, 3) float32 colours of the first layer with its border.

    By a cheaper inpainter (`Inpainter.for_border`): a move that is framed to stay clean shows none of the border, and its area is
    larger than that of all hidden regions together.
    """
    first = image.layers[0]
    if not first.synthesised.any():
        return first.colour.copy()
    apart = split_off_border(image)
    border = apart.layers[1]
    labels, _ = label_surfaces(border.present, border.links[RIGHT] == 1, border.links[DOWN] == 1)
    regions = find_labelled_regions(apart, layers.context_width, steps_from_frame(image), labels)

    return np.where(
        first.synthesised[..., None],
        fill_colour(regions, apart, inpainter.for_border(), settings.eroded_rim, progress, mirrored=False),
        first.colour,
    )


def split_off_border(image: LayeredDepthImage) -> LayeredDepthImage:
    """The first layer as two, the photo and its border, with the links between them kept."""
    first = image.layers[0]
    outside = first.synthesised
    links = np.full_like(first.links, -1)
    for side, own in enumerate(links):
        own[first.links[side] >= 0] = 0
    for side, own in enumerate(links):
        own[(own == 0) & neighbour(outside, side, False)] = 1
    photo = Layer(~outside, np.zeros_like(outside), first.disparity, first.colour, np.where(outside, np.int8(-1), links))
    border = Layer(outside, outside, first.disparity, first.colour, np.where(outside, links, np.int8(-1)))
    return replace(image, layers=(photo, border))


def steps_from_frame(image: LayeredDepthImage) -> np.ndarray:
    """(h, w) int16: how far each pixel lies outside the frame, 0 inside it."""
    top, left, height, width = image.frame
    outside = lambda n, start, length: np.maximum(np.maximum(start - np.arange(n), np.arange(n) - (start + length - 1)), 0)
    rows, columns = outside(image.shape[0], top, height), outside(image.shape[1], left, width)
    return np.maximum(rows[:, None], columns[None]).astype(np.int16)
