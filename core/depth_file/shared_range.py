"""One depth range for all frames of a camera, whose depth files were each stretched to their own nearest and farthest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..photo.photo import load_photo
from ..settings import DepthSettings
from .direction import small_srgb
from .meaning import DepthMeaning, decide_meaning
from .read_file import read_raw

TRIES, TOLERANCE, MIN_AGREEING = 400, 0.01, 0.3
"""RANSAC: pairs of pixels that are tried, deviation (part of the range) that agrees, and share of all that must agree."""
SAMPLES = 20_000


class SharedRange:
    """Depth options per photo. If the range is shared, the first photo with a depth file sets it."""

    def __init__(self, settings: DepthSettings):
        self.settings = settings
        self.first: FirstFrame | None = None

    def settings_of(self, photo: Path, depth: Path | None) -> DepthSettings:
        """Options for one photo with this depth file; where a file cannot be read the range is not shared, and the build reports it."""
        if self.settings.depth_range.strip() != "shared" or depth is None:
            return self.settings
        try:
            if self.first is None:
                self.first = first_frame(depth, self.settings, small_srgb(load_photo(photo)))
            return settings_of_frame(self.first, depth, self.settings)
        except DioramaError:
            return replace(self.settings, depth_range="")


@dataclass(frozen=True)
class FirstFrame:
    """The first depth file, whose meaning and range the others take."""

    path: Path
    reading: DepthMeaning
    near: float  # its number for nearest
    far: float  # its number for farthest


def first_frame(path: Path, settings: DepthSettings, colour: np.ndarray | None = None) -> FirstFrame:
    """Reads the file that sets the range; raises DioramaError as `decide_meaning` does."""
    reading = decide_meaning(read_raw(path), replace(settings, depth_range=""), path, colour)
    values = reading.values[reading.known & ~reading.far]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    near_is_large = (reading.kind == "disparity") != reading.inverted
    return FirstFrame(path, reading, *((high, low) if near_is_large else (low, high)))


def settings_of_frame(first: FirstFrame, path: Path, settings: DepthSettings) -> DepthSettings:
    """The options that bring another file of the same camera to the first one's scale; raises DioramaError as `decide_meaning` does.

    Static parts agree in both files up to scale and shift, which RANSAC finds from pairs of pixels (Fischler and Bolles 1981). Where
    too little agrees, scale 1 and shift 0 are taken.
    """
    taken = first.reading
    same = replace(settings, depth_kind=taken.kind, invert_depth=taken.inverted, depth_range="")
    if taken.kind == "metric":
        return replace(same, depth_scale=settings.depth_scale or taken.scale)
    scale, shift = 1.0, 0.0
    if path != first.path:
        other = decide_meaning(read_raw(path), same, path)
        scale, shift = _fit(first.reading, other)
    near, far = (scale * end + shift for end in (first.near, first.far))
    return replace(same, depth_range=f"{near:.9g} {far:.9g}")


def _fit(first: DepthMeaning, other: DepthMeaning) -> tuple[float, float]:
    """Scale and shift from the first file's numbers to the other's by RANSAC; 1 and 0 where none is found."""
    if first.values.shape != other.values.shape:
        return 1.0, 0.0
    both = first.known & other.known & ~first.far & ~other.far
    x, y = (each.values[both][:: max(1, int(both.sum()) // SAMPLES)].astype(np.float64) for each in (first, other))
    if len(x) < 16:
        return 1.0, 0.0
    random = np.random.default_rng(0)
    one, two = random.integers(0, len(x), (2, TRIES))
    apart = np.abs(x[one] - x[two]) > 0.05 * np.ptp(x)
    one, two = one[apart], two[apart]
    if not len(one):
        return 1.0, 0.0
    scales = (y[one] - y[two]) / (x[one] - x[two])
    shifts = y[one] - scales * x[one]
    limit = TOLERANCE * max(np.ptp(y), 1e-9)
    # the far end agrees in many pixels at any scale, so pixels are weighted to fill the range evenly
    fill = np.histogram(x, 64)
    weight = 1 / np.maximum(fill[0][np.clip(np.searchsorted(fill[1], x, side="right") - 1, 0, 63)], 1)
    agreeing = [float(weight[np.abs(a * x + b - y) <= limit].sum()) if a > 0 else 0.0 for a, b in zip(scales, shifts, strict=True)]
    best = int(np.argmax(agreeing))
    if agreeing[best] < MIN_AGREEING * weight.sum():
        return 1.0, 0.0
    inside = np.abs(scales[best] * x + shifts[best] - y) <= limit
    scale, shift = np.polyfit(x[inside], y[inside], 1, w=np.sqrt(weight[inside]))
    return float(scale), float(shift)
