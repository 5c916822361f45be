"""Invents what the photo does not show: the border outside its frame, then what each layer hides, until nothing new is hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..built_in.onnx_network import load
from ..hidden_depth.fill_depth import fill_depth
from ..layers.layered_depth_image import Layer, LayeredDepthImage
from ..layers.link_layers import absorb_islands, link_hidden
from ..layers.regions import Disocclusion, disocclude, find_regions
from ..settings import HIDDEN_DEPTH, HIDDEN_EDGES, InpaintSettings, LayerSettings
from .border import fill_border
from .fill_colour import fill_colour, resolved
from .needed_networks import Downloaded

FEWEST_HIDDEN = 16
"""A pass that would invent fewer pixels than this ends the loop."""


def inpaint(
    image: LayeredDepthImage,
    layers: LayerSettings,
    settings: InpaintSettings,
    progress=lambda fraction: None,
    downloaded: Downloaded = Downloaded(),
):
    """The same image with its border coloured and a layer more for every nesting of hidden surfaces.

    Each pass finds the discontinuities in what was made last and fills behind them (Shih et al. 2020, section 3.3), until
    none is left or `layers.passes` are done. Returns the image and the count of depth edges filled behind in each pass.
    Raises DioramaError where the inpainter needs a network that is not `downloaded`.
    """
    settings = resolved(settings)
    networks = load_networks(settings.inpainter, downloaded)
    image = with_front_colour(image, fill_border(image, layers, settings, lambda part: progress(0.0)))
    edges, own_depth = [], settings.inpainter == "published"
    half = 0.5 if own_depth else 0.0  # of a pass goes into depth, the rest into colour
    for turn in range(layers.passes):

        def told(part: float, turn=turn) -> None:
            progress((turn + part) / layers.passes)

        told(0)
        found = disocclude(image, layers.hidden_width)
        if found is None or found.hidden.sum() < FEWEST_HIDDEN:
            break
        if own_depth:
            found, networks = networks.expect(image, found, layers.context_width, lambda part, told=told: told(half * part))
        elif turn == 0:
            found = continue_edges(image, found, layers, settings, lambda part, told=told: told(0))  # so a cancel is heard
            found = expect_surfaces(image, found, settings)
        image, distance = add_hidden_layer(image, found)
        regions = find_regions(image, layers.context_width, distance)
        colour = fill_colour(regions, image, settings, lambda part, told=told: told(half + (1 - half) * part), networks)
        image = with_front_colour(image, colour)
        edges.append(found.edges)
    return image, tuple(edges)


def load_networks(inpainter: str, downloaded: Downloaded):
    """The networks of an inpainter that needs downloaded ones, None for the others; raises DioramaError where one is missing."""
    if inpainter == "published":
        from .published import load_published

        return load_published(downloaded)
    if inpainter == "lama":
        from .lama import load_lama

        return load_lama(downloaded)
    return None


def continue_edges(
    image: LayeredDepthImage, found: Disocclusion, layers: LayerSettings, settings: InpaintSettings, step
) -> Disocclusion:
    """`found` torn where depth edges go on behind the foreground, if the settings ask a network for that.

    `step` hears how far it is and may raise.
    """
    if settings.hidden_edges != "learned" or settings.inpainter != "learned":
        return found
    from ..hidden_depth.learned_edges import extend_edges

    return extend_edges(image, found, layers.context_width, load(HIDDEN_EDGES), step)


def expect_surfaces(image: LayeredDepthImage, found: Disocclusion, settings: InpaintSettings) -> Disocclusion:
    """`found` with the depth that is expected behind the foreground.

    For what the photo itself hides: what is invented then hides little, and has no surroundings of its own to choose from.
    Where the photo was split into parts the flood's guess stays: it alone knows which part a surface belongs to.
    """
    if settings.hidden_depth != "learned" or found.part is not None:
        return found
    from ..hidden_depth.choose_surface import expect, load_network

    return expect(image, found, load_network(HIDDEN_DEPTH))


def with_front_colour(image: LayeredDepthImage, colour: np.ndarray) -> LayeredDepthImage:
    """The image with the colours of its last layer replaced."""
    return replace(image, layers=(*image.layers[:-1], replace(image.layers[-1], colour=colour)))


def add_hidden_layer(image: LayeredDepthImage, found: Disocclusion) -> tuple[LayeredDepthImage, np.ndarray]:
    """The image with a layer of what `found` hides, linked and at depth, without colour; and each pixel's distance from its
    silhouette."""
    found = absorb_islands(image, found)
    earlier, links = link_hidden(image, found)
    disparity = fill_depth(image, found, links)
    shape = found.hidden.shape
    layer = Layer(found.hidden, found.hidden.copy(), disparity, np.zeros((*shape, 3), np.float32), links, part=found.part)
    layers = tuple(replace(layer, links=own) for layer, own in zip(image.layers, earlier, strict=True)) + (layer,)
    return replace(image, layers=layers), found.distance
