"""Continues depth edges that end at a silhouette behind it: input of an edge network, and paths from its output.

The result is the extended depth edges of Shih et al. 2020, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..built_in.crops import Crop, shrink
from ..layers.discontinuities import label_depth_edges, label_surfaces
from ..layers.layered_depth_image import DOWN, RIGHT, Layer, LayeredDepthImage, neighbour
from ..layers.link_layers import link_hidden
from ..layers.regions import MIN_SYNTHESIS, Disocclusion, Region, find_labelled_regions
from .edge_paths import PUBLISHED_EDGE_THRESHOLD, EdgeEnd, EdgePath, find_ends, plan_paths, refine

PUBLISHED_TRAINING_SIDE = 1000
"""Long side in pixels that the networks and their constants are for; larger grids are shrunk by whole numbers before them."""
MARGIN, CLOSING, BAND = 20, 41, 5
"""Pixels at that size: around a region, side of the closing square, half the band beside a continued edge (released code)."""
EDGE_RUNS = 3
"""The edge network runs again on its own result while that changes, which lengthens short edges (`repeat_inpaint_edge`)."""
PIXELS_AT_ONCE = 1 << 22
"""Pixels of regions that wait together for a network: they are batched by size, in bounded memory."""
MIN_SCALED, MAX_SCALED = 0.05, 3.0
"""The released code scales the photo's disparity to 0 .. 3 and never goes below 0.05."""


@dataclass(frozen=True)
class Unit:
    """Unit of disparity in which the networks were trained: the photo's range without outliers becomes `MIN_SCALED` to `MAX_SCALED`."""

    low: float  # 1/m
    span: float

    def depth(self, disparity: np.ndarray) -> np.ndarray:
        """float32, 1/3 at the photo's nearest to 20 at its farthest."""
        scaled = MIN_SCALED + (MAX_SCALED - MIN_SCALED) * (disparity - np.float32(self.low)) / np.float32(self.span)
        return (1 / np.maximum(scaled, MIN_SCALED)).astype(np.float32)

    def disparity(self, depth: np.ndarray) -> np.ndarray:
        """1/m of depth in the networks' unit."""
        return self.low + (1 / np.maximum(depth, 1e-9) - MIN_SCALED) * self.span / (MAX_SCALED - MIN_SCALED)


def disparity_unit(image: LayeredDepthImage) -> Unit:
    """The unit of this photo."""
    top, left, height, width = image.frame
    seen = image.layers[0].disparity[top : top + height : 2, left : left + width : 2]
    low, high = np.percentile(seen, (0.05, 99.95))
    return Unit(float(low), float(max(high - low, 1e-9)))


@dataclass(frozen=True)
class EdgeNetwork:
    """An edge network and how to call it."""

    ask: Callable[[list[Crop], Callable[[float], None]], list[np.ndarray]]
    """(h, w) float32 for each crop: likelihood of a depth edge. Tells its second argument the fraction done."""
    tuned_for: int | None = None  # long side in pixels that it was trained for; None: `PUBLISHED_TRAINING_SIDE`
    likely_at: float = PUBLISHED_EDGE_THRESHOLD  # what it finds likelier than this is an edge
    runs: int = EDGE_RUNS  # how often it is asked at most
    weighed: bool = False  # whether paths keep to where its answer is likeliest, in place of the shortest way

    def scale(self, image: LayeredDepthImage) -> int:
        """By what whole number it sees the grid shrunk."""
        return max(1, round(image.long_side / (self.tuned_for or PUBLISHED_TRAINING_SIDE)))


@dataclass(frozen=True)
class Junctions:
    """A region at whose silhouette other depth edges end (T-junctions), and the edge network's input for it."""

    region: Region
    ends: list[EdgeEnd]  # in the region's own pixels
    crop: Crop


@dataclass(frozen=True)
class SeenEdges:
    """Depth edges on the canvas that a region's networks may know."""

    labels: tuple[np.ndarray, ...]  # of each layer, (h, w) int32: its depth edges, every number once over all layers; 0 elsewhere
    behind: np.ndarray  # (h, w) int32: number of the silhouette that a hidden pixel is behind, 0 elsewhere
    touching: dict[int, np.ndarray]  # by that number: labels of the other edges that touch the silhouette
    silhouette: np.ndarray  # (h, w) bool: hidden pixels at the occlusion boundaries of the last layer
    path: np.ndarray  # (h, w) bool: near paths among the hidden pixels

    def of(self, region: Region) -> np.ndarray:
        """(h', w') bool: the edge channel of a region, edges in its context that touch its silhouettes and how they go on."""
        numbers = np.unique(self.behind[region.window][region.synthesis])
        known = [self.touching[number] for number in numbers.tolist() if number in self.touching]
        edge = self.path[region.window] & region.synthesis
        if known and region.origin is not None:
            for k, labels in enumerate(self.labels):
                edge |= region.context & (region.origin == k) & np.isin(labels[region.window], np.concatenate(known))
        return edge


def see_edges(image: LayeredDepthImage, found: Disocclusion, earlier: tuple[np.ndarray, ...] = ()) -> SeenEdges:
    """The depth edges of the layer in front of `found`, with the labels of those of earlier layers."""
    silhouette = found.hidden & (found.distance == 0)
    own = label_depth_edges(silhouette, image.layers[-1], len(image.layers) - 1)
    own += np.where(own > 0, max((int(known.max(initial=0)) for known in earlier), default=0), 0).astype(np.int32)
    labels, behind = (*earlier, own), _label_silhouettes(image, found.hidden)
    return SeenEdges(labels, behind, _touching(silhouette, behind, labels), silhouette, np.zeros(image.shape, bool))


def regions_behind(image: LayeredDepthImage, found: Disocclusion, seen: SeenEdges, context_width: float) -> list[Region]:
    """One region for every silhouette, with all surfaces around it as context and the networks' margin."""
    earlier, links = link_hidden(image, found)
    layer = Layer(found.hidden, found.hidden, found.disparity, image.layers[-1].colour, links)
    layers = tuple(replace(known, links=own) for known, own in zip(image.layers, earlier, strict=True))
    regions = find_labelled_regions(replace(image, layers=(*layers, layer)), context_width, found.distance, seen.behind)
    return [_widen(region, image) for region in regions]


def junctions(image: LayeredDepthImage, seen: SeenEdges, regions: list[Region], scale: int) -> list[Junctions]:
    """The regions at whose silhouette another depth edge ends: T-junctions."""
    unit, met = disparity_unit(image), []
    for region in regions:
        ends = _find_ends_at_silhouette(region, image, seen)
        if ends:
            met.append(Junctions(region, ends, make_crop(region, image, unit, seen.of(region), scale)))
    return met


def continue_edges(
    network: EdgeNetwork, image: LayeredDepthImage, seen: SeenEdges, regions: list[Region], step: Callable[[float], None]
) -> list[EdgePath]:
    """Paths on the canvas along which depth edges that end at the regions' silhouettes continue behind them.

    `step` is called with the fraction done, 0 to 1, and may raise.
    """
    scale, paths = network.scale(image), []
    chunks = list(split_into_chunks(junctions(image, seen, regions, scale), lambda met: met.region.context.size))
    for number, chunk in enumerate(chunks):
        start = number * network.runs

        def report(run: int, part: float, start=start) -> None:
            step((start + run + part) / (len(chunks) * network.runs))

        for met, plan in zip(chunk, _plan(network, chunk, scale, report), strict=True):
            paths += [moved for path in plan if (moved := on_canvas(path, met.region, met.ends, scale)) is not None]
    return paths


def _plan(network: EdgeNetwork, chunk: list[Junctions], scale: int, step: Callable[[int, float], None]) -> list[list[EdgePath]]:
    """Paths in each crop's own pixels. The network sees the paths so far and runs again until they no longer change."""
    ends = [list({coarse.pixel: coarse for coarse in (_coarse(end, scale) for end in met.ends)}.values()) for met in chunk]
    plans: list[list[EdgePath]] = [[] for _ in chunk]
    changed = list(range(len(chunk)))
    for run in range(network.runs):
        known = {at: _add_edges(chunk[at].crop, plans[at]) for at in changed}
        likely = network.ask([*known.values()], partial(step, run))
        for at, chance in zip(changed, likely, strict=True):
            synthesis = chunk[at].crop.synthesis
            predicted = (chance > network.likely_at) | (known[at].edge & synthesis)
            plans[at] = plan_paths(predicted, synthesis, ends[at], chance if network.weighed else None)
        changed = [at for at in changed if (_add_edges(chunk[at].crop, plans[at]).edge != known[at].edge).any()]
        if not changed:  # the same question has the same answer
            break
    return plans


def shrink_factor(image: LayeredDepthImage) -> int:
    """The integer factor by which the grid is shrunk for the edge and depth networks."""
    return max(1, round(image.long_side / PUBLISHED_TRAINING_SIDE))


def band_width(image: LayeredDepthImage) -> int:
    """Half the width in pixels of the band beside a continued edge that is filled again."""
    return max(1, round(BAND * image.long_side / PUBLISHED_TRAINING_SIDE))


def closing_side(image: LayeredDepthImage, scale: int) -> int:
    """Side of the closing square on the grid shrunk by `scale`."""
    return max(1, round(CLOSING * image.long_side / PUBLISHED_TRAINING_SIDE / scale))


def region_disparity(region: Region, image: LayeredDepthImage) -> np.ndarray:
    """(h', w') float32 disparity of the region's context, 1/m; elsewhere the photo's."""
    result = image.layers[0].disparity[region.window].copy()
    for k, layer in enumerate(image.layers[1:], 1):
        here = region.context & (region.origin == k)
        result[here] = layer.disparity[region.window][here]
    return result


def make_crop(region: Region, image: LayeredDepthImage, unit: Unit, edge: np.ndarray, scale: int):
    """Input of the edge and depth networks for a region: its context, with depth in their unit, shrunk by `scale`."""
    depth = np.where(region.context, unit.depth(region_disparity(region, image)), 1).astype(np.float32)
    return shrink(Crop(region.colour, depth, edge, region.context, region.synthesis), scale)


def _label_silhouettes(image: LayeredDepthImage, hidden: np.ndarray) -> np.ndarray:
    """(h, w) int32: hidden pixels numbered from 1 by the connected piece of surface that hides them; 0 elsewhere."""
    own = image.layers[-1].links == len(image.layers) - 1
    links = (own[side] & hidden & neighbour(hidden, side, False) for side in (RIGHT, DOWN))
    return label_surfaces(hidden, *links)[0]


def _widen(region: Region, image: LayeredDepthImage) -> Region:
    """The region with an empty margin, as far as the canvas allows."""
    margin = round(MARGIN * image.long_side / PUBLISHED_TRAINING_SIDE)
    spans = [(max(0, at.start - margin), min(side, at.stop + margin)) for at, side in zip(region.window, image.shape, strict=True)]
    pad = [(at.start - low, high - at.stop) for at, (low, high) in zip(region.window, spans, strict=True)]
    arrays = {name: np.pad(getattr(region, name), pad) for name in ("synthesis", "context", "distance", "origin")}
    window = (slice(*spans[0]), slice(*spans[1]))
    return Region(window, colour=np.pad(region.colour, (*pad, (0, 0))), **arrays)


def _touching(silhouette: np.ndarray, behind: np.ndarray, labels: tuple[np.ndarray, ...]) -> dict[int, np.ndarray]:
    """For each silhouette, by its number: depth edges within one pixel of it that are not part of it."""
    height, width = silhouette.shape
    rows, columns = np.nonzero(silhouette)
    numbers, found = behind[rows, columns], []
    for known in labels:
        padded = np.pad(known, 1)
        for down in range(3):
            for right in range(3):
                beside = padded[down : down + height, right : right + width][rows, columns]
                found.append(np.stack([numbers, beside])[:, beside > 0])
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    own = np.unique(np.stack([numbers, labels[-1][rows, columns]]), axis=1)
    foreign = ~np.isin(pairs[0].astype(np.int64) << 32 | pairs[1], own[0].astype(np.int64) << 32 | own[1])
    pairs = pairs[:, foreign]
    return {int(number): pairs[1, pairs[0] == number] for number in np.unique(pairs[0])}


def _find_ends_at_silhouette(region: Region, image: LayeredDepthImage, seen: SeenEdges) -> list[EdgeEnd]:
    """Ends, in the region's own pixels, of the edges that touch its silhouette."""
    import cv2

    edge = seen.of(region)
    beside = cv2.dilate((seen.silhouette[region.window] & region.synthesis).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    touching = edge & beside & region.context
    if not touching.any() or not is_large_enough(region):
        return []
    layer = image.layers[-1]
    arrays = {name: getattr(layer, name)[region.window] for name in ("present", "synthesised", "disparity", "colour")}
    part = Layer(**arrays, links=layer.links[:, region.window[0], region.window[1]])
    return find_ends(touching, seen.labels[-1][region.window], replace(image, layers=(part,)))


def _add_edges(crop, paths: list[EdgePath]):
    """The crop with the paths added to its edges."""
    edge = crop.edge.copy()
    for path in paths:
        edge[tuple(np.transpose(path.near))] = True
    return replace(crop, edge=edge)


def _coarse(end: EdgeEnd, scale: int) -> EdgeEnd:
    return replace(end, pixel=(end.pixel[0] // scale, end.pixel[1] // scale))


def on_canvas(path: EdgePath, region: Region, ends: list[EdgeEnd], scale: int) -> EdgePath | None:
    """The path in pixels of the canvas."""
    if scale > 1:
        fine = refine(path, scale, region.synthesis, next(end for end in ends if _coarse(end, scale) == path.end))
        if fine is None:
            return None
        path = fine
    top, left = (at.start for at in region.window)

    def moved(pixel: tuple[int, int]) -> tuple[int, int]:
        return pixel[0] + top, pixel[1] + left

    near = tuple(moved(pixel) for pixel in path.near)
    return EdgePath(near, tuple((moved(one), moved(far)) for one, far in path.torn), replace(path.end, pixel=moved(path.end.pixel)))


def is_large_enough(region: Region) -> bool:
    return bool(region.context.any()) and region.synthesis.sum() >= MIN_SYNTHESIS


def split_into_chunks(works: list, size: Callable[[Any], int]) -> Iterator[list]:
    """Splits the work into lists of at most `PIXELS_AT_ONCE` pixels, or of one item, in order."""
    chunk: list = []
    total = 0
    for work in works:
        if chunk and total + size(work) > PIXELS_AT_ONCE:
            yield chunk
            chunk, total = [], 0
        chunk.append(work)
        total += size(work)
    if chunk:
        yield chunk
