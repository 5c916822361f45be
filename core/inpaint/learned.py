"""Colour of hidden surfaces by a network that completes the deterministic fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..built_in.colour import Start, complete, contrast
from ..built_in.onnx_network import load
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import MIN_SYNTHESIS, Disocclusion, Region
from ..settings import HIDDEN_COLOUR, HIDDEN_EDGES
from .deterministic import FillParts, rim_difference
from .inpainter import Deterministic, Exemplar, Painter, Step

BLOCK, MARGIN = 112, 8
"""Regions are completed in blocks of at most this many pixels a side, seen with this much around: the work goes by what is
invented and not by how far a region stretches."""
PIXELS_AT_ONCE = 1 << 18
"""Of tiles that wait for the network: with so many it starts, while other regions are still searched for patches."""


@dataclass(frozen=True)
class Learned(Exemplar):
    """The exemplar fill, completed by the built-in networks."""

    def for_nested(self) -> Deterministic:
        """The smooth fill with mirrored detail: on what invented surfaces hide more work hardly shows."""
        return Deterministic(self.settings)

    def edges(self, image: LayeredDepthImage, found: Disocclusion, context_width: float, step: Step) -> tuple[Disocclusion, Learned]:
        """Edges continue behind what the photo shows, where the settings ask for it."""
        if self.settings.hidden_edges != "learned" or len(image.layers) > 1:
            return found, self
        from ..hidden_depth.built_in_edge_network import extend_edges

        return extend_edges(image, found, context_width, load(HIDDEN_EDGES), step), self

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter:
        return TilePainter(canvas, load(HIDDEN_COLOUR))


@dataclass(frozen=True)
class Tile:
    """One block of one region, ready for the network."""

    start: Start
    inner: tuple[slice, slice]  # the block within what `start` shows
    place: tuple[slice, slice]  # the block on the canvas
    wanted: np.ndarray  # (h, w) bool: pixels of the block to invent
    range: tuple[np.ndarray, np.ndarray]  # (3,) float32: least and most red, green and blue of the trusted context


class TilePainter:
    """Completes regions on a canvas, many tiles at once, in bounded memory."""

    def __init__(self, canvas: np.ndarray, network: Callable[[np.ndarray], np.ndarray]):
        """`canvas` is the (h, w, 3) float32 to be written to; `network` as for `built_in.colour.complete`."""
        self.canvas, self.network = canvas, network
        self.waiting: list[Tile] = []

    def cut(self, region: Region, parts: FillParts) -> list[Tile]:
        """What is to be seen of a region, for `add`."""
        return cut_tiles(region, parts)

    def add(self, work: list[Tile]) -> None:
        """Takes what `cut_tiles` made of a region; it may be painted later."""
        self.waiting += work
        if sum(tile.start.hole.size for tile in self.waiting) >= PIXELS_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Paints all that was taken and is not painted yet."""
        completed = complete(self.network, [tile.start for tile in self.waiting])
        for tile, colour in zip(self.waiting, completed, strict=True):
            self.canvas[tile.place][tile.wanted] = np.clip(colour[tile.inner][tile.wanted], *tile.range)
        self.waiting = []


def cut_tiles(region: Region, parts: FillParts) -> list[Tile]:
    """The region in blocks; colours are normalised over the whole region, so that blocks meet. None for a tiny region."""
    if region.synthesis.sum() < MIN_SYNTHESIS:
        return []
    trusted = region.colour[parts.source]
    mean, spread = contrast(trusted)
    colours = trusted.min(axis=0), trusted.max(axis=0)  # so that nothing is tinted as nothing around it is
    rim, shown = rim_difference(region, parts)
    hole = region.synthesis | rim
    pieces = np.zeros_like(parts.smooth) if parts.pieces is None else parts.pieces
    given = (parts.smooth, parts.detail, pieces, parts.source, hole, rim, shown)
    tiles = []
    for box, seen in blocks(region.synthesis):
        start = Start(*(a[seen].copy() for a in given), mean, spread)  # type: ignore[call-arg]  # seven arrays
        rows, columns = (slice(b.start - s.start, b.stop - s.start) for b, s in zip(box, seen, strict=True))
        down, across = (slice(w.start + b.start, w.start + b.stop) for w, b in zip(region.window, box, strict=True))
        tiles.append(Tile(start, (rows, columns), (down, across), region.synthesis[box], colours))
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
