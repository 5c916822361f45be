"""Invents what the photo does not show: its border, then layer by layer the hidden surfaces, until nothing new is hidden."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import numpy as np

from ..errors import Cancelled
from ..hidden_depth.fill_depth import fill_depth
from ..layers.layered_depth_image import Layer, LayeredDepthImage
from ..layers.link_layers import absorb_islands, link_hidden
from ..layers.regions import Disocclusion, disocclude, find_regions
from ..settings import InpaintSettings, LayerSettings
from ..threads import thread_count
from .border import fill_border
from .choose_inpainter import choose_inpainter
from .fill_colour import fill_colour
from .inpainter import Inpainter, Step, within
from .needed_networks import Downloaded

MIN_HIDDEN = 16
"""A pass that would invent fewer pixels than this ends the loop."""
EDGES_SHARE = 0.7
"""Part of the time for edges and depth that goes into edges."""


def inpaint(
    image: LayeredDepthImage,
    layers: LayerSettings,
    settings: InpaintSettings,
    progress: Step = lambda fraction: None,
    downloaded: Downloaded = Downloaded(),
) -> tuple[LayeredDepthImage, tuple[int, ...]]:
    """The image with its border coloured and one layer more for every level of hidden surfaces.

    Each pass finds the discontinuities of the last layer and fills behind them (Shih et al. 2020, section 3.3), until
    none is left or `layers.passes` are done. Returns the image and the number of depth edges filled behind in each pass.
    Raises DioramaError where the inpainter needs a network that is not `downloaded`.
    """
    inpainter = choose_inpainter(settings, downloaded)
    if inpainter.needs or settings.hidden_edges != "nearest" or thread_count() == 1:
        colour = fill_border(image, layers, settings, inpainter, lambda part: progress(0.0))
        return _fill_layers(image, layers, settings, inpainter, progress, lambda: colour)
    stopped = Event()  # else nothing looks at colours before those of hidden surfaces are invented
    with ThreadPoolExecutor(1) as pool:
        border = pool.submit(fill_border, image, layers, settings, inpainter, lambda part: _stop_if(stopped))
        try:
            return _fill_layers(image, layers, settings, inpainter, progress, border.result)
        except BaseException:
            stopped.set()
            raise


def _stop_if(stopped: Event) -> None:
    if stopped.is_set():
        raise Cancelled


def _fill_layers(
    image: LayeredDepthImage,
    layers: LayerSettings,
    settings: InpaintSettings,
    inpainter: Inpainter,
    progress: Step,
    border: Callable[[], np.ndarray],
) -> tuple[LayeredDepthImage, tuple[int, ...]]:
    """`inpaint`, with the colours of the first layer and its border as `border` returns them."""
    edges, share = [], inpainter.depth_share
    for turn in range(layers.passes):
        report = within(progress, turn / layers.passes, (turn + 1) / layers.passes)
        report(0)
        found = disocclude(image, layers.hidden_width)
        if found is None or found.hidden.sum() < MIN_HIDDEN:
            break
        if turn == 1:
            inpainter = inpainter.for_nested()
        found, inpainter = inpainter.edges(image, found, layers.context_width, within(report, 0, EDGES_SHARE * share))
        found = inpainter.depth(image, found, within(report, EDGES_SHARE * share, share))
        image, found = add_hidden_layer(image, found)
        image = replace_colour(image, 0, border())
        regions = find_regions(image, layers.context_width, found)
        colour = fill_colour(regions, image, inpainter, settings.eroded_rim, within(report, share, 1))
        image = replace_colour(image, -1, colour)
        edges.append(found.edges)
    return replace_colour(image, 0, border()), tuple(edges)


def replace_colour(image: LayeredDepthImage, number: int, colour: np.ndarray) -> LayeredDepthImage:
    """The image with the colours of one layer replaced."""
    result = list(image.layers)
    result[number] = replace(result[number], colour=colour)
    return replace(image, layers=tuple(result))


def add_hidden_layer(image: LayeredDepthImage, found: Disocclusion) -> tuple[LayeredDepthImage, Disocclusion]:
    """The image with a new layer of the pixels in `found`, with links and depth but no colour; and `found` without its islands."""
    found = absorb_islands(image, found)
    earlier, links = link_hidden(image, found)
    disparity = fill_depth(image, found, links)
    shape = found.hidden.shape
    layer = Layer(found.hidden, found.hidden.copy(), disparity, np.zeros((*shape, 3), np.float32), links, part=found.part)
    layers = tuple(replace(layer, links=own) for layer, own in zip(image.layers, earlier, strict=True)) + (layer,)
    return replace(image, layers=layers), found
