"""The protocol of all inpainters: needed networks, edges and depth of a hidden surface, and its colour.

A new inpainter is a class with the methods of `Inpainter`, and a row in `choose_inpainter.INPAINTERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import numpy as np

from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import MIN_SYNTHESIS, Disocclusion, Region
from ..settings import HIDDEN_DEPTH, InpaintSettings
from .deterministic import FillParts
from .needed_networks import Downloaded
from .patch_match import QUICK, THOROUGH, Effort

Step = Callable[[float], None]
"""Called with the fraction done, 0 to 1; may raise Cancelled."""


def within(step: Step, start: float, end: float) -> Step:
    """A progress function for a part of the work: its 0 to 1 become `start` to `end` of the whole."""
    return lambda part: step(start + (end - start) * part)


class Painter(Protocol):
    """Paints the regions of one layer on a canvas after the deterministic fill, many at once, in bounded memory."""

    def cut(self, region: Region, parts: FillParts) -> list:
        """The painter's input for one region; several threads call this at once."""

    def add(self, work: list) -> None:
        """Takes the result of `cut`; it may be painted later."""

    def finish(self) -> None:
        """Paints everything that was added and is not painted yet."""


class Inpainter(Protocol):
    """Fills what is hidden, layer after layer. In every pass `edges`, `depth` and `painter` are called in this order.

    The deterministic fill always comes first; a painter completes it or paints over it.
    """

    needs: ClassVar[tuple[str, ...]]  # keys of the catalogue: networks that have to be downloaded first
    depth_share: ClassVar[float]  # part of a pass's time that goes into edges and depth

    @property
    def effort(self) -> Effort | None:
        """PatchMatch's, for the deterministic fill beneath; None: no patches of the context are used."""

    def for_border(self) -> Inpainter:
        """The inpainter for what lies outside the frame, which hardly ever shows."""

    def for_nested(self) -> Inpainter:
        """The inpainter for what invented surfaces hide in turn, which shows less than what the photo hides."""

    @classmethod
    def load(cls, settings: InpaintSettings, downloaded: Downloaded) -> Self:
        """The inpainter, ready to run. Raises DioramaError where a network that it needs is missing or damaged."""

    def edges(self, image: LayeredDepthImage, found: Disocclusion, context_width: float, step: Step) -> tuple[Disocclusion, Self]:
        """`found`, cut where depth edges continue behind the foreground; and the inpainter with these edges stored.

        `context_width` is how far context may reach, as a part of the long side.
        """

    def depth(self, image: LayeredDepthImage, found: Disocclusion, step: Step) -> Disocclusion:
        """`found` with the disparity that hidden pixels are drawn to (`Disocclusion.expected`)."""

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter | None:
        """The painter of the last layer onto the (h, w, 3) float32 canvas; None where the deterministic fill is all."""


@dataclass(frozen=True)
class Deterministic:
    """The deterministic fill alone, named diffusion. The settings decide how hidden depth is chosen; no network paints."""

    settings: InpaintSettings
    effort: Effort | None = None
    needs: ClassVar[tuple[str, ...]] = ()
    depth_share: ClassVar[float] = 0.0

    @classmethod
    def load(cls, settings: InpaintSettings, downloaded: Downloaded) -> Self:
        return cls(settings)

    def for_border(self) -> Inpainter:
        return Exemplar(self.settings, QUICK) if self.effort or self.needs else self

    def for_nested(self) -> Inpainter:
        return replace(self, effort=QUICK) if self.effort else self

    def edges(self, image: LayeredDepthImage, found: Disocclusion, context_width: float, step: Step) -> tuple[Disocclusion, Self]:
        return found, self

    def depth(self, image: LayeredDepthImage, found: Disocclusion, step: Step) -> Disocclusion:
        """Uses the network only behind the photo's own surface: later layers hide little and have no surroundings to choose from.

        Where the photo was split into parts the flood's guess stays: only the flood knows which part a surface belongs to.
        """
        if self.settings.hidden_depth != "learned" or found.part is not None or len(image.layers) > 1:
            return found
        from ..hidden_depth.choose_surface import choose_surfaces, load_network

        return choose_surfaces(image, found, load_network(HIDDEN_DEPTH))

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter | None:
        return None


@dataclass(frozen=True)
class Exemplar(Deterministic):
    """The deterministic fill with PatchMatch, so that lines and texture of the context continue."""

    effort: Effort | None = THOROUGH


class WholeRegions:
    """Base of painters of whole regions; they add `finish`, which paints and empties `waiting`."""

    def __init__(self, canvas: np.ndarray, step: Step):
        """`canvas` is the (h, w, 3) float32 to be written to."""
        self.canvas, self.step = canvas, step
        self.waiting: list[tuple[Region, np.ndarray]] = []

    def cut(self, region: Region, parts: FillParts) -> list[tuple[Region, np.ndarray]]:
        """The region with its trusted context, unless it is tiny."""
        return [(region, parts.source)] if region.synthesis.sum() >= MIN_SYNTHESIS else []

    def add(self, work: list[tuple[Region, np.ndarray]]) -> None:
        self.waiting += work
