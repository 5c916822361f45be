"""Colour of what is hidden by the network that comes with Photo Diorama: the deterministic fill, corrected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DioramaError
from .fill_colour import FillParts, fill_parts
from .regions import Region
from .settings import CORRECTION

BLOCK, MARGIN = 192, 32
"""Regions are corrected in blocks of at most this many pixels a side, seen with this much around: the work goes by what
is invented and not by how far a region stretches."""
FEWEST = 48
"""Regions with fewer pixels to invent stay as they were filled."""
PIXELS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Tile:
    """One block of one region, ready for the network."""

    start: Any  # networks.refine_colour.Start, whose file imports torch
    inner: tuple[slice, slice]  # the block within what `start` shows
    place: tuple[slice, slice]  # the block on the canvas
    wanted: np.ndarray  # (h, w) bool: pixels of the block to invent


def correct(colour: np.ndarray, regions: list[Region], rim: int, sigma: float, network=None) -> None:
    """Corrects in place the (h, w, 3) float32 canvas on which every region has its deterministic fill.

    `rim` and `sigma` as for `fill_parts`. Many blocks go through the network at once, in bounded memory.
    Raises DioramaError where torch or the weights are missing.
    """
    network = network or load_network(CORRECTION)
    waiting: list[Tile] = []
    for region in regions:
        if region.synthesis.sum() < FEWEST:
            continue
        parts = fill_parts(region, rim, sigma)
        if parts is None:
            continue
        waiting += _tiles(region, parts)
        if sum(tile.start.hole.size for tile in waiting) >= PIXELS_AT_ONCE:
            _correct_tiles(colour, waiting, network)
            waiting = []
    _correct_tiles(colour, waiting, network)


def _correct_tiles(colour: np.ndarray, tiles: list[Tile], network) -> None:
    from .networks.refine_colour import refine_colour

    corrections = refine_colour(network, [tile.start for tile in tiles])
    for tile, correction in zip(tiles, corrections, strict=True):
        target = colour[tile.place]
        target[tile.wanted] = np.maximum(target[tile.wanted] + correction[tile.inner][tile.wanted], 0)


def _tiles(region: Region, parts: FillParts) -> list[Tile]:
    """The region in blocks; colours are normalised over the whole region, so that blocks meet."""
    from .networks.refine_colour import Start, contrast

    mean, spread = contrast(region.colour[parts.source])
    hole = region.synthesis | (region.context & ~parts.source)
    tiles = []
    for box, seen in blocks(region.synthesis):
        start = Start(*(a[seen].copy() for a in (parts.smooth, parts.detail, parts.source, hole)), mean, spread)
        inner = tuple(slice(b.start - s.start, b.stop - s.start) for b, s in zip(box, seen, strict=True))
        place = tuple(slice(w.start + b.start, w.start + b.stop) for w, b in zip(region.window, box, strict=True))
        tiles.append(Tile(start, inner, place, region.synthesis[box]))
    return tiles


def blocks(wanted: np.ndarray):
    """Yields (box, seen): disjoint boxes that together hold every wanted pixel, and each box with its margin."""
    for top, left in product(range(0, wanted.shape[0], BLOCK), range(0, wanted.shape[1], BLOCK)):
        part = wanted[top : top + BLOCK, left : left + BLOCK]
        if not part.any():
            continue
        spans = []
        for axis, begin in ((1, top), (0, left)):
            found = np.flatnonzero(part.any(axis=axis))
            spans.append((begin + int(found[0]), begin + int(found[-1]) + 1))
        box = tuple(slice(*span) for span in spans)
        limits = zip(spans, wanted.shape, strict=True)
        yield box, tuple(slice(max(0, a - MARGIN), min(n, b + MARGIN)) for (a, b), n in limits)


@lru_cache(maxsize=1)
def load_network(path: Path):
    """The correcting network on the CPU, where it gives the same bytes for everybody; read once."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        raise DioramaError(
            'The inpainter "learned" needs the packages torch and safetensors; install them or choose "diffusion".'
        ) from None
    if not path.is_file():
        raise DioramaError(f'{path.name}, the weights of the inpainter "learned", is missing; choose "diffusion".')
    from .networks.refine_colour import load_refine_colour

    return load_refine_colour(path)
