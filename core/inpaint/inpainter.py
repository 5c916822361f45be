"""What every inpainter offers: what it needs, the edges and depth that it expects of a hidden surface, and its colour.

A new inpainter is a class with the methods of `Inpainter`, and a row in `choose_inpainter.INPAINTERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import numpy as np

from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import FEWEST, Disocclusion, Region
from ..settings import HIDDEN_DEPTH, InpaintSettings
from .deterministic import FillParts
from .exemplar import QUICK, THOROUGH, Effort
from .needed_networks import Downloaded

Step = Callable[[float], None]
"""Told the fraction done, 0 to 1; may raise Cancelled."""


def within(step: Step, start: float, end: float) -> Step:
    """The step of a part of the work: its own 0 to 1 are `start` to `end` of the whole."""
    return lambda part: step(start + (end - start) * part)


class Painter(Protocol):
    """Paints the regions of one layer on a canvas, many at once, in bounded memory, after the deterministic fill."""

    def cut(self, region: Region, parts: FillParts) -> list:
        """What it has to see of one region; several threads call this at once."""

    def add(self, work: list) -> None:
        """Takes what `cut` gave; it may be painted later."""

    def finish(self) -> None:
        """Paints all that was added and is not painted yet."""


class Inpainter(Protocol):
    """Invents what one layer after the other hides. In every pass `edges`, `depth` and `painter` are called in this order.

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
        """`found` torn where depth edges continue behind the foreground; and the inpainter, knowing these edges.

        `context_width` is how far it may look around, as a part of the long side.
        """

    def depth(self, image: LayeredDepthImage, found: Disocclusion, step: Step) -> Disocclusion:
        """`found` with the disparity that the hidden surface is drawn to (`Disocclusion.expected`)."""

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter | None:
        """What paints the layer that was made last onto the (h, w, 3) float32 canvas; None: the deterministic fill is all."""


@dataclass(frozen=True)
class Deterministic:
    """The deterministic fill alone, named diffusion. Hidden depth is chosen as the settings say; no network paints."""

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
        """Only for what the photo itself hides: what is invented then hides little, and has no surroundings to choose from.

        Where the photo was split into parts the flood's guess stays: it alone knows which part a surface belongs to.
        """
        if self.settings.hidden_depth != "learned" or found.part is not None or len(image.layers) > 1:
            return found
        from ..hidden_depth.choose_surface import expect, load_network

        return expect(image, found, load_network(HIDDEN_DEPTH))

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter | None:
        return None


@dataclass(frozen=True)
class Exemplar(Deterministic):
    """The deterministic fill with patches of the context, so that lines and texture go on."""

    effort: Effort | None = THOROUGH


class WholeRegions:
    """What painters that paint whole regions have in common; they add `finish`, which paints and empties `waiting`."""

    def __init__(self, canvas: np.ndarray, step: Step):
        """`canvas` is the (h, w, 3) float32 to be written to."""
        self.canvas, self.step = canvas, step
        self.waiting: list[tuple[Region, np.ndarray]] = []

    def cut(self, region: Region, parts: FillParts) -> list[tuple[Region, np.ndarray]]:
        """The region with its trusted context, unless it is tiny."""
        return [(region, parts.source)] if region.synthesis.sum() >= FEWEST else []

    def add(self, work: list[tuple[Region, np.ndarray]]) -> None:
        self.waiting += work
