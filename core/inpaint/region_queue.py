"""Regions that wait until a network paints all of a pass together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers.regions import FEWEST, Region
from .deterministic import FillParts


class WaitingRegions:
    """What the inpainters that paint whole regions have in common; they add `finish`, which paints and empties `waiting`."""

    def __init__(self, canvas: np.ndarray, step: Callable[[float], None]):
        """`canvas` is the (h, w, 3) float32 to be written to; `step` hears the fraction done."""
        self.canvas, self.step = canvas, step
        self.waiting: list[tuple[Region, np.ndarray]] = []

    def cut(self, region: Region, parts: FillParts) -> list[tuple[Region, np.ndarray]]:
        """The region with its trusted context, unless it is tiny."""
        return [(region, parts.source)] if region.synthesis.sum() >= FEWEST else []

    def add(self, regions: list[tuple[Region, np.ndarray]]) -> None:
        """Takes what `cut` gave; it is painted by `finish`."""
        self.waiting += regions
