"""Colour of what is hidden, from its context only, so that no foreground can bleed in: the deterministic fill."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from ..built_in.onnx_network import load
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import Region
from ..settings import HIDDEN_COLOUR, InpaintSettings
from ..threads import thread_count
from .deterministic import DETAIL_SIGMA, compose, fill_parts

WITH_PIECES = ("exemplar", "learned")
"""The inpainters that look for pieces."""
QUICK = 0.1
"""Part of the time that this fill takes where a downloaded network paints over it."""


def fill_colour(
    regions: list[Region], image: LayeredDepthImage, settings: InpaintSettings, progress=lambda f: None, networks=None,
    mirrored: bool = True,
) -> np.ndarray:  # fmt: skip
    """(h, w, 3) float32 colours of the last layer, each region painted from its own context.

    `networks`: those that were downloaded for the inpainter (fill_published.Published, fill_lama.Lama), None where it needs none.
    `mirrored`: whether fine detail may be the context's, mirrored at the region's edge.
    """
    colour = image.layers[-1].colour.copy()
    rim, sigma = round(settings.eroded_rim * image.long_side), max(2.0, DETAIL_SIGMA * image.long_side)
    settings, quick = resolved(settings), QUICK if networks else 1.0
    completion = completion_on(colour, settings, networks, image, lambda f: progress(quick + (1 - quick) * f))
    done, all_ = 0, sum(int(r.synthesis.sum()) for r in regions) or 1
    with ThreadPoolExecutor(thread_count()) as pool:  # regions know nothing of each other, and OpenCV works outside Python's lock
        long_side = image.long_side if settings.inpainter in WITH_PIECES else 0
        work = pool.map(lambda r: _paint(r, rim, sigma, long_side, completion, mirrored), regions)
        for region, (painted, tiles) in zip(regions, work, strict=True):
            colour[region.window][region.synthesis] = painted
            if completion:
                completion.add(tiles)
            done += int(region.synthesis.sum())
            progress(quick * done / all_)
    if completion:
        completion.finish()
    return colour


def resolved(settings: InpaintSettings) -> InpaintSettings:
    """The settings with the inpainter that `automatic` stands for: `learned`, whose networks come along."""
    return replace(settings, inpainter="learned") if settings.inpainter == "automatic" else settings


def completion_on(colour: np.ndarray, settings: InpaintSettings, networks=None, image=None, progress=lambda f: None):
    """The network at work on that canvas where the settings ask for it, otherwise None."""
    if networks is not None:
        return networks.completion(colour, image, progress)
    if settings.inpainter != "learned":
        return None
    from .learned import Completion

    return Completion(colour, load(HIDDEN_COLOUR))


def _paint(region: Region, rim: int, sigma: float, long_side: int, completion, mirrored: bool) -> tuple[np.ndarray, list]:
    """The region's deterministic colours as by `compose`, and what the network is to see of it."""
    parts = fill_parts(region, rim, sigma, long_side)
    if parts and not mirrored:
        parts = replace(parts, detail=np.zeros_like(parts.detail))
    return compose(region, parts), completion.cut(region, parts) if completion and parts else []
