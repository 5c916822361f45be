"""Colour of hidden surfaces from their own context only, so that no foreground colour leaks in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import Region
from ..raster.nearest_known import nearest_known
from ..threads import thread_count
from .deterministic import DETAIL_SIGMA, compose, fill_parts_of
from .inpainter import Inpainter, Painter, Step
from .patch_match import Effort

QUICK = 0.1
"""Part of the time that the deterministic fill takes where a downloaded network paints over it."""

GROUP = 1 << 17
"""Pixels of the windows of regions that are filled together: with fewer, two threads wait for Python's lock more than they gain."""


def fill_colour(
    regions: list[Region],
    image: LayeredDepthImage,
    inpainter: Inpainter,
    eroded_rim: float,
    progress: Step = lambda fraction: None,
    mirrored: bool = True,
) -> np.ndarray:
    """(h, w, 3) float32 sRGB colours of the last layer, each region painted from its own context.

    `eroded_rim` is the width of the untrusted rim of the context (the paper dilates the synthesis region by it),
    as a part of the long side. `mirrored`: whether fine detail may be
    the context's, mirrored at the region's edge.
    """
    colour = image.layers[-1].colour.copy()
    rim, sigma = round(eroded_rim * image.long_side), max(2.0, DETAIL_SIGMA * image.long_side)
    quick = QUICK if inpainter.needs else 1.0
    painter = inpainter.painter(colour, image, lambda part: progress(quick + (1 - quick) * part))
    done, all_ = 0, sum(int(region.synthesis.sum()) for region in regions) or 1
    with ThreadPoolExecutor(thread_count()) as pool:  # regions know nothing of each other, and OpenCV works outside Python's lock
        paint = lambda group: _paint(group, rim, sigma, image.long_side, inpainter.effort, painter, mirrored)
        groups = in_groups(regions)
        for group, work in zip(groups, pool.map(paint, groups), strict=True):
            for region, (painted, cut) in zip(group, work, strict=True):
                colour[region.window][region.synthesis] = painted
                if painter:
                    painter.add(cut)
                done += int(region.synthesis.sum())
            progress(quick * done / all_)
    if painter:
        painter.finish()
    return _without_context(colour, regions, image)


def _without_context(colour: np.ndarray, regions: list[Region], image: LayeredDepthImage) -> np.ndarray:
    """The colours; regions without context take those of the nearest region that has one, or else the foreground's."""
    lost = np.zeros(image.shape, bool)
    for region in regions:
        if not region.context.any():
            lost[region.window] |= region.synthesis
    if not lost.any():
        return colour
    known = image.layers[-1].present & ~lost
    if known.any():
        colour[lost] = colour.reshape(-1, 3)[nearest_known(known)[1][lost]]
    else:
        colour[lost] = image.layers[0].colour[lost]
    return colour


def in_groups(regions: list[Region]) -> list[list[Region]]:
    """The regions in their order, in groups of about `GROUP` pixels: many small regions together cost little more than one."""
    groups: list[list[Region]] = []
    room = 0
    for region in regions:
        if region.context.size > room:
            groups.append([])
            room = GROUP
        groups[-1].append(region)
        room -= region.context.size
    return groups


def _paint(
    regions: list[Region], rim: int, sigma: float, long_side: int, effort: Effort | None, painter: Painter | None, mirrored: bool
) -> list[tuple[np.ndarray, list]]:
    """Each region's deterministic colours as by `compose`, and the painter's input for it."""
    found = fill_parts_of(regions, rim, sigma, long_side, effort, mirrored)
    return [
        (compose(region, parts), painter.cut(region, parts) if painter and parts else [])
        for region, parts in zip(regions, found, strict=True)
    ]
