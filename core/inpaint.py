"""Invents what the photo does not show: the border outside its frame, then what each layer hides, until nothing new is hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .fill_colour import fill_border, fill_colour
from .fill_depth import fill_depth
from .layers import OPPOSITE, Layer, LayeredDepthImage, neighbour
from .regions import Disocclusion, disocclude, find_regions
from .settings import InpaintSettings, LayerSettings

FEWEST_HIDDEN = 16
"""A pass that would invent fewer pixels than this ends the loop."""


def inpaint(image: LayeredDepthImage, layers: LayerSettings, settings: InpaintSettings, progress=lambda fraction: None):
    """The same image with its border coloured and a layer more for every nesting of hidden surfaces.

    Each pass finds the discontinuities in what was made last and fills behind them (Shih et al. 2020, section 3.3), until
    none is left or `layers.passes` are done. Returns the image and the count of depth edges filled behind in each pass.
    """
    image = with_front_colour(image, fill_border(image, settings))
    edges = []
    for turn in range(layers.passes):
        progress(turn / max(1, layers.passes))
        found = disocclude(image, layers.hidden_width)
        if found is None or found.hidden.sum() < FEWEST_HIDDEN:
            break
        image, distance = add_hidden_layer(image, found)
        regions = find_regions(image, layers.context_width, distance)
        colour = fill_colour(regions, image, settings, progress)
        image = with_front_colour(image, colour)
        edges.append(found.edges)
    return image, tuple(edges)


def with_front_colour(image: LayeredDepthImage, colour: np.ndarray) -> LayeredDepthImage:
    """The image with the colours of its last layer replaced."""
    return replace(image, layers=(*image.layers[:-1], replace(image.layers[-1], colour=colour)))


def add_hidden_layer(image: LayeredDepthImage, found: Disocclusion) -> tuple[LayeredDepthImage, np.ndarray]:
    """The image with a layer of what `found` hides, linked and at depth, without colour; and each pixel's distance from its
    silhouette."""
    earlier, links = link_hidden(image, found)
    disparity = fill_depth(image, found, links)
    front = image.layers[-1].disparity
    # What lies just behind the surface that hides it hides nothing: the sheet tapers off where the two meet
    present = found.hidden & ((front - disparity >= image.threshold / 2) | (found.distance < 2))
    last = len(image.layers)
    layer = Layer(present, present.copy(), disparity, np.zeros((*present.shape, 3), np.float32), links)
    layers = tuple(replace(layer, links=own) for layer, own in zip(image.layers, earlier, strict=True)) + (layer,)
    return without_dead_links(replace(image, layers=layers), last), np.where(present, found.distance, 0)


def link_hidden(image: LayeredDepthImage, found: Disocclusion) -> tuple[list[np.ndarray], np.ndarray]:
    """Links of the new layer, and of the earlier ones that end in it: (4, h, w) int8 each.

    An invented pixel goes on in the pixel beside it that has a free side there and about the same disparity, of any layer.
    Two invented ones are torn where their silhouettes lie side by side but the surfaces behind them do not (a junction of
    three surfaces), and where the surfaces behind opposite silhouettes are far apart.
    """
    new, t = len(image.layers), image.threshold
    earlier = [layer.links.copy() for layer in image.layers]
    links = np.full((4, *found.hidden.shape), -1, np.int8)
    for side in range(4):
        nearest = np.full(found.hidden.shape, np.float32(t))
        for k, layer in enumerate(image.layers):
            free = neighbour(layer.present & (earlier[k][OPPOSITE[side]] < 0), side, False)
            apart = np.abs(neighbour(layer.disparity, side, np.inf) - found.disparity)
            better = found.hidden & free & (apart <= nearest)
            links[side][better] = k
            nearest[better] = apart[better]
        for k in range(new):
            goes_there = neighbour(links[side] == k, OPPOSITE[side], False)
            earlier[k][OPPOSITE[side]][goes_there] = new
    width = found.hidden.shape[1]
    row, column = np.divmod(found.seed, width)
    for side in (0, 2):
        both = found.hidden & neighbour(found.hidden, side, False)
        both &= (links[side] < 0) & neighbour(links[OPPOSITE[side]] < 0, side, False)
        apart = np.abs(neighbour(found.disparity, side, 0) - found.disparity)
        between = np.maximum(np.abs(neighbour(row, side, 0) - row), np.abs(neighbour(column, side, 0) - column))
        beside = between <= found.distance + 4
        joined = both & (apart <= np.where(beside, t, 4 * t))
        links[side][joined] = new
        links[OPPOSITE[side]][neighbour(joined, OPPOSITE[side], False)] = new
    return earlier, links


def without_dead_links(image: LayeredDepthImage, last: int) -> LayeredDepthImage:
    """Links to and from pixels of layer `last` that are not present become tears."""
    layer = image.layers[last]
    gone = ~layer.present
    links = layer.links.copy()
    links[:, gone] = -1
    result = []
    for k, each in enumerate(image.layers):
        own = links if k == last else each.links.copy()
        for side in range(4):
            own[side][(own[side] == last) & neighbour(gone, side, True)] = -1
        result.append(replace(each, links=own))
    return replace(image, layers=tuple(result))
