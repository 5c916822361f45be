"""Colour of what is hidden, from its context only, so that no foreground can bleed in: the deterministic fill."""

from __future__ import annotations

import numpy as np

from .layers import DOWN, LEFT, RIGHT, UP, LayeredDepthImage
from .regions import Region
from .settings import InpaintSettings

FEWEST_SOURCES = 12


def fill_colour(regions: list[Region], image: LayeredDepthImage, settings: InpaintSettings, progress=lambda f: None) -> np.ndarray:
    """(h, w, 3) float32 colours of the last layer, each region painted from its own context."""
    colour = image.layers[-1].colour.copy()
    rim = round(settings.eroded_rim * image.long_side)
    done, all_ = 0, sum(int(r.synthesis.sum()) for r in regions) or 1
    for region in regions:
        colour[region.window][region.synthesis] = paint_region(region, rim)
        done += int(region.synthesis.sum())
        progress(done / all_)
    return colour


def trusted_context(region: Region, rim: int) -> np.ndarray:
    """The context without the rim beside the silhouette, into which the foreground's colour has leaked.

    Shih et al. 2020 call it the dilation of the synthesis region (section 3.2 and table 3: 1.84 dB in the holes). Where that
    would leave too little, the rim is narrower.
    """
    while rim > 0:
        trusted = region.context & (region.distance > rim)
        if trusted.sum() >= max(FEWEST_SOURCES, 0.3 * region.context.sum()):
            return trusted
        rim -= 1
    return region.context


def paint_region(region: Region, rim: int) -> np.ndarray:
    """(n, 3) float32 colours of the region's synthesis pixels, in their raster order."""
    source = trusted_context(region, rim)
    if not source.any():
        return np.full((int(region.synthesis.sum()), 3), 0.5, np.float32)
    return push_pull(region.colour, source)[region.synthesis]


def push_pull(colour: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills unknown pixels smoothly from coarser and coarser averages of the known ones (Gortler et al. 1996, section 3.4.1)."""
    import cv2

    h, w = known.shape
    if min(h, w) <= 1 or known.all():
        mean = colour[known].mean(axis=0) if known.any() else 0.5
        return np.where(known[..., None], colour, mean).astype(np.float32)
    pad = ((0, h % 2), (0, w % 2))
    weight = np.pad(known.astype(np.float32), pad)
    sums = np.pad(colour * known[..., None], (*pad, (0, 0)))
    size = (weight.shape[1] // 2, weight.shape[0] // 2)
    share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(sums, size, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-6)[..., None]
    coarse = push_pull(small.astype(np.float32), share > 0)
    up = cv2.resize(coarse, (weight.shape[1], weight.shape[0]), interpolation=cv2.INTER_LINEAR)[:h, :w]
    return np.where(known[..., None], colour, up).astype(np.float32)


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
