"""Hidden depth and colour by the networks that the method's authors published: edges, then depth, then colour.

Shih et al. 2020, sections 3.2 and 3.3, with the inputs that its released code gives to the published weights. Links and the rule
that nothing comes in front of its occluder are the same as for every other fill.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..built_in.crops import Crop
from ..errors import without_torch
from ..hidden_depth.continue_edges import (
    EdgeNetwork,
    SeenEdges,
    band_width,
    closing_side,
    continue_edges,
    disparity_unit,
    is_large_enough,
    make_crop,
    region_disparity,
    regions_behind,
    see_edges,
    shrink_factor,
    split_into_chunks,
)
from ..hidden_depth.propagate_edges import propagate_across_edges, repropagate, smooth
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.link_layers import absorb_islands
from ..layers.regions import Disocclusion, Region
from ..settings import InpaintSettings
from .inpainter import Exemplar, Inpainter, Painter, Step, WholeRegions, within
from .needed_networks import NEEDED, Downloaded
from .patch_match import QUICK


@dataclass(frozen=True)
class Published:
    """The three networks, and the edges and regions of the layer that is being made."""

    edge_network: Any  # networks.inpaint.inpaint_edge.InpaintEdge, whose file imports torch; so the others
    depth_network: Any
    colour_network: Any
    seen: SeenEdges | None = None
    regions: tuple[Region, ...] = ()
    needs: ClassVar[tuple[str, ...]] = NEEDED["published"]
    effort: None = None
    depth_share: ClassVar[float] = 0.5

    @classmethod
    def load(cls, settings: InpaintSettings, downloaded: Downloaded) -> Published:
        return load_published(downloaded)

    def for_border(self) -> Inpainter:
        return Exemplar(InpaintSettings(), QUICK)

    def for_nested(self) -> Inpainter:
        return self

    def edges(self, image: LayeredDepthImage, found: Disocclusion, context_width: float, step: Step) -> tuple[Disocclusion, Published]:
        """Runs the edge network only behind the photo's own surface, where another depth edge touches a silhouette.

        Where the photo was split into parts the flood's guess stays: only the flood knows which part a surface belongs to.
        """
        from ..networks.inpaint.inpaint_edge import inpaint_edge

        found = absorb_islands(image, found)
        earlier = self.seen.labels if self.seen else ()
        seen = see_edges(image, found, earlier)
        if found.part is not None:
            return found, replace(self, seen=replace(seen, touching={}), regions=())
        regions = regions_behind(image, found, seen, context_width)
        if not earlier:
            network = EdgeNetwork(partial(inpaint_edge, self.edge_network))
            paths = continue_edges(network, image, seen, regions, step)
            if paths:
                found, path = propagate_across_edges(image, found, seen.behind, paths)
                seen = replace(seen, path=path)
        return found, replace(self, seen=seen, regions=tuple(regions))

    def depth(self, image: LayeredDepthImage, found: Disocclusion, step: Step) -> Disocclusion:
        """Depth by the depth network, always behind the occluder."""
        if found.part is not None or self.seen is None:
            return found
        return replace(found, expected=self._expected(image, found, self.seen, step))

    def _expected(self, image: LayeredDepthImage, found: Disocclusion, seen: SeenEdges, step: Step) -> np.ndarray:
        """(h, w) float32 disparity of the hidden pixels by the depth network, always behind what hides them."""
        from ..networks.inpaint.inpaint_depth import inpaint_depth

        unit, scale = disparity_unit(image), shrink_factor(image)
        drawn = found.disparity.astype(np.float32)
        done, all_ = 0, sum(region.context.size for region in self.regions) or 1
        for chunk in split_into_chunks([region for region in self.regions if is_large_enough(region)], lambda region: region.context.size):
            crops = [make_crop(region, image, unit, seen.of(region), scale) for region in chunk]
            area = sum(region.context.size for region in chunk)
            depths = inpaint_depth(self.depth_network, crops, closing_side(image, scale),
                                   within(step, done / all_, (done + area) / all_))  # fmt: skip
            for region, depth in zip(chunk, depths, strict=True):
                depth = np.repeat(np.repeat(depth, scale, axis=0), scale, axis=1)[: region.context.shape[0], : region.context.shape[1]]
                known = unit.depth(region_disparity(region, image))
                depth = smooth(np.where(region.context, known, depth), region.synthesis, region.context, 2 * scale)
                drawn[region.window][region.synthesis] = unit.disparity(depth)[region.synthesis]
            done += area
        if found.torn is not None:
            drawn = repropagate(image, found, drawn, band_width(image))
        return _keep_behind_occluder(image, found, drawn)

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter:
        """Paints the regions of the layer whose edges are known."""
        return PublishedPainter(canvas, self, closing_side(image, 1), step)


class PublishedPainter(WholeRegions):
    """Paints regions on a canvas by the colour network, all of a pass together."""

    def __init__(self, canvas: np.ndarray, networks: Published, closing: int, step: Step):
        """`canvas` is the (h, w, 3) float32 to be written to."""
        super().__init__(canvas, step)
        self.networks, self.closing = networks, closing

    def finish(self) -> None:
        """Paints all that was taken."""
        from ..networks.inpaint.inpaint_colour import inpaint_colour

        done, all_ = 0, sum(source.size for _, source in self.waiting) or 1
        for chunk in split_into_chunks(self.waiting, lambda work: work[1].size):
            area = sum(source.size for _, source in chunk)
            crops = [colour_crop(region, source, self.networks.seen) for region, source in chunk]
            painted = inpaint_colour(self.networks.colour_network, crops, self.closing,
                                     step=within(self.step, done / all_, (done + area) / all_))  # fmt: skip
            for (region, _), colour in zip(chunk, painted, strict=True):
                self.canvas[region.window][region.synthesis] = colour[region.synthesis]
            done += area
        self.waiting = []


def load_published(downloaded: Downloaded) -> Published:
    """The networks from the models folder; raises DioramaError where one or torch is missing, or a file is of something else."""
    edge, depth, colour = downloaded.paths("published")
    try:
        from ..networks.inpaint.inpaint_colour import load_inpaint_colour
        from ..networks.inpaint.inpaint_depth import load_inpaint_depth
        from ..networks.inpaint.inpaint_edge import load_inpaint_edge
    except ImportError as error:
        raise without_torch("published", error, "diffusion") from None
    device = downloaded.device
    return Published(load_inpaint_edge(edge, device), load_inpaint_depth(depth, device), load_inpaint_colour(colour, device))


def colour_crop(region: Region, source: np.ndarray, seen: SeenEdges | None):
    """The colour network's input; the untrusted rim of the context belongs to what is painted."""
    edge = seen.of(region) if seen else np.zeros(source.shape, bool)
    colour = np.where(source[..., None], region.colour, 0).astype(np.float32)
    hole = region.synthesis | (region.context & ~source)
    return Crop(colour, np.ones(source.shape, np.float32), edge, source, hole)


def _keep_behind_occluder(image: LayeredDepthImage, found: Disocclusion, drawn: np.ndarray) -> np.ndarray:
    """`drawn`, with the flood's guess where it is NaN, too close to its occluder, or at the silhouette itself, whose pixels keep the
    disparity of the surface they continue; nothing is farther than twice the farthest pixel."""
    limit = image.layers[-1].disparity - image.threshold / 2
    floor = min(float(layer.disparity[layer.present].min()) for layer in image.layers) / 2
    usable = found.hidden & (found.distance > 1) & np.isfinite(drawn) & (drawn < limit)
    return np.where(usable, np.maximum(drawn, floor), found.disparity).astype(np.float32)
