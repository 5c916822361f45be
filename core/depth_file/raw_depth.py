"""The numbers of a depth file as stored, with what the file says about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RawDepth:
    """Numbers of a depth file whose meaning is not yet decided."""

    values: np.ndarray  # (h, w) float32, as the file holds them; NaN and infinity as they are
    format: str  # "PNG", "JPEG", "WEBP", "TIFF", "EXR", "NPY", "NPZ" or "PFM"
    bits: int = 0  # of whole numbers: 8, 16 or more; 0: floating point
    name: str = ""  # of the channel or array that was taken
    is_named: bool = False  # whether that name says depth
    writer: str = ""  # the program that wrote the file, if stated
    unknown: np.ndarray | None = None  # (h, w) bool: what the file itself calls unknown: transparent, masked
    focal_px: float | None = None  # focal length stored with the depth, in pixels of this raster
    unit: str = ""  # of the numbers, as the file says in words
    notes: tuple[str, ...] = ()

    @property
    def integers(self) -> bool:
        return self.bits > 0
