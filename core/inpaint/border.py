"""Colour outside the photo's frame: the picture mirrored outwards, never across a depth discontinuity."""

from __future__ import annotations

import numpy as np

from ..layers.layered_depth_image import DOWN, LEFT, RIGHT, UP, LayeredDepthImage
from ..settings import InpaintSettings


def fill_border(image: LayeredDepthImage, settings: InpaintSettings) -> np.ndarray:
    """Colours of the first layer with its border: the picture mirrored outwards, but never across a tear.

    From each frame pixel inwards along links lies a run of one surface; outwards that run is played back and forth.
    """
    layer = image.layers[0]
    top, left, height, width = image.frame
    colour = layer.colour.copy()
    if top == 0:
        return colour
    _mirror(colour[:, left : left + width], layer.links[DOWN][:, left : left + width], top, height)
    _mirror(colour[::-1, left : left + width], layer.links[UP][::-1, left : left + width], top, height)
    across, right, left_links = colour.swapaxes(0, 1), layer.links[RIGHT].T, layer.links[LEFT].T
    _mirror(across, right, left, width)
    _mirror(across[::-1], left_links[::-1], left, width)
    return colour


def _mirror(colour: np.ndarray, inward: np.ndarray, border: int, inside: int) -> None:
    """Fills rows 0 .. border - 1 of `colour` in place from the rows inside; `inward` are the links one row further in."""
    most = min(border + 1, inside)
    linked = inward[border : border + most - 1] >= 0
    run = 1 + np.cumprod(linked, axis=0).sum(axis=0)  # pixels of one surface from the frame inwards
    outward = np.arange(1, border + 1)[:, None]
    period = np.maximum(2 * run - 2, 1)
    phase = outward % period
    source = np.minimum(np.where(phase < run, phase, period - phase), run - 1)
    columns = np.arange(colour.shape[1])
    colour[border - outward, columns] = colour[border + source, columns]
