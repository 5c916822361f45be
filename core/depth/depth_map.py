"""DepthMap: disparity for every pixel of the photo's working grid, read from any common depth file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..depth_file.direction import small_srgb
from ..depth_file.levels import Levels, find_levels, remove_terraces
from ..depth_file.meaning import DepthMeaning, decide_meaning
from ..depth_file.read_file import read_raw
from ..depth_file.sky import Sky
from ..depth_file.unknown import extremes, given_unknown, sample
from ..errors import DioramaError, reading_a_file
from ..photo.photo import Photo
from ..settings import DepthSettings
from .resample_depth import fill_unknown, resample

FARTHEST_OF_RELATIVE = 60.0
"""Relative depth spans 1 to 60 nearest distances: the floor 0.05 of 3 in the code of Shih et al. 2020."""
FARTHEST_OF_LINEAR = 15.0
"""Distance without a unit, which is linear, spans 1 to 15 nearest distances."""
FARTHEST_OF_METRIC = 2000.0
AS_GOOD_AS_INFINITE = 1e9
SAMPLES = 2_000_000
"""Samples of which a percentile is taken."""
MAX_ASPECT_ERROR = 0.02
MIN_KNOWN = 1e-3
SUREST_MIX = 0.5
"""Normals that mix to a shorter one than this contradict each other, or are mostly unknown."""


BAND_SIZE = 1 << 20
"""Numbers that are processed at a time: few enough that intermediate results take little memory and stay in the processor's cache."""
ASK_IN_WINDOW = "a guess: if the diorama is inside out, tick Invert Depth and rebuild"
ASK_ON_COMMAND_LINE = "that is a guess: if the diorama is inside out, pass --invert-depth"
SCALE_IN_WINDOW = "; if it is too large or too small, set Depth Scale"
SCALE_ON_COMMAND_LINE = "; if it is too large or too small, --depth-scale (0.01 for centimetres)"
"""Of metric depth, whose unit is a guess too."""
SKY_IN_WINDOW = {
    "far": "a guess: if what is put far away is no sky, set Infinite Depth Is to Unknown and rebuild",
    "filled": "a guess: if what is unknown at the top is the sky, set Infinite Depth Is to Farthest and rebuild",
}
SKY_ON_COMMAND_LINE = {
    "far": "that is a guess: if what is put far away is no sky, pass --depth-sky unknown",
    "filled": "that is a guess: if what is unknown at the top is the sky, pass --depth-sky farthest",
}
"""Questions by `Sky.taken`."""


@dataclass(frozen=True)
class Guess:
    """What of a depth's meaning is guessed, so that the user is asked."""

    unsure: bool = False  # whether what its numbers were taken for is a guess
    sky: str = ""  # as `Sky.taken`: how an unknown sky was taken, if that is a guess
    metric: bool = False  # whether it is in metres: then an unsure one's unit is a guess too

    @classmethod
    def from_facts(cls, facts: dict) -> Guess:
        """As `source_facts` stores it on a scene's root; what is missing or damaged there is not asked about."""
        return cls(facts.get("depth_unsure") is True, str(facts.get("depth_sky_taken", "")), facts.get("metric") is True)

    def questions(self, window: bool) -> list[str]:
        """The questions to the user, and how to change the guess, in the window's words or the command line's."""
        first, second, scale = (
            (ASK_IN_WINDOW, SKY_IN_WINDOW, SCALE_IN_WINDOW) if window else (ASK_ON_COMMAND_LINE, SKY_ON_COMMAND_LINE, SCALE_ON_COMMAND_LINE)
        )  # fmt: skip
        return ([first + (scale if self.metric else "")] if self.unsure else []) + ([second[self.sky]] if self.sky in second else [])


@dataclass(frozen=True)
class DepthMap:
    """Disparity = 1 / z for every pixel of the working grid; z runs along the optical axis."""

    disparity: np.ndarray  # (h, w) float32, 1/m, finite and positive everywhere
    known: np.ndarray  # (h, w) bool, False where the source knew nothing and it was filled
    metric: bool  # True: metres are real; False: the nearest point was put at a chosen distance
    source: str  # one sentence: where it comes from and how it was interpreted
    unsure: bool = False  # whether its meaning is a guess; then messages ask, and name the option that turns it
    sky: str = ""  # as `Sky.taken`: how an unknown sky was taken, if that is a guess
    not_used: tuple[str, ...] = ()  # as `DepthValues` has it
    steps: np.ndarray | None = None  # (2, h, w) bool: links right and down where soft depth was made a step; None: not soft
    boundary: np.ndarray | None = None  # (h, w) float32 0..1: probability of an occlusion boundary, where an estimator tells it
    normals: np.ndarray | None = None  # (h, w, 3) float32: unit, towards the camera, in its axes; 0 where unknown; None: nobody tells

    @property
    def guess(self) -> Guess:
        """What of its meaning is guessed."""
        return Guess(self.unsure, self.sky, self.metric)

    @property
    def span(self) -> float:
        """Range of disparity without the outermost half per mille of pixels; thresholds are parts of it."""
        low, high = np.percentile(self.disparity[::2, ::2].astype(float), (0.05, 99.95)).tolist()
        return float(max(high - low, 1e-3 * high))

    @property
    def nearest(self) -> float:
        """Distance of the nearest surface in metres, single stray pixels left out."""
        return float(1.0 / np.percentile(self.disparity[::2, ::2], 99.95))


@dataclass(frozen=True)
class DepthValues:
    """Numbers as a depth source stores them, at their own size."""

    values: np.ndarray  # (h, w) float32
    known: np.ndarray  # (h, w) bool
    metric: bool  # True: distance along the axis in metres; False: inverse depth, larger is nearer
    shift_known: bool  # disparity only: whether 0 means infinitely far, so that no shift is unknown
    source: str
    stretched: bool = False  # whether the values are stretched over the photo, as a network's are
    boundary: np.ndarray | None = None  # of any size, 0..1: probability of an occlusion boundary, where an estimator tells it
    unsure: bool = False  # whether what it was taken for is a guess
    sky: Sky | None = None  # of metric depth: the unknown part that was put far away, which `known` includes
    not_used: tuple[str, ...] = ()  # sources of depth that were damaged, odd or another photo's, and why; `source` tells them too
    scaled: bool = False  # inverse depth only: whether 1 is the near distance even where no value reaches 1
    along_ray: bool = False  # whether distances run from the camera straight to each point
    focal_px: float | None = None  # as a part of the width, from calibration that lies with the depth
    normals: np.ndarray | None = None  # as `DepthMap` has them, (h, w, 3), of any size, where an estimator tells them

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest known value."""
        return extremes(self.values, self.known)


def working_size(photo: Photo, long_side: int) -> tuple[int, int]:
    """Height and width of the working grid: the photo's aspect, never more pixels than the photo has."""
    height, width = photo.colour.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    return max(8, round(height * scale)), max(8, round(width * scale))


@reading_a_file()
def read_depth(path: str | Path, settings: DepthSettings, photo: Photo | None = None) -> DepthValues:
    """A depth file's numbers and what they mean (`depth_file.meaning.decide_meaning`); raises DioramaError where it holds no usable depth.

    8- and 16-bit PNG or TIFF, JPEG, WebP, OpenEXR, NPY, NPZ and PFM. With `photo`, its picture helps to decide which way the numbers grow.
    """
    path = Path(path)
    raw = read_raw(path, None if photo is None else (photo.colour.shape[0], photo.colour.shape[1]))
    reading = decide_meaning(raw, settings, path, None if photo is None else small_srgb(photo))
    _check_known(reading.measured, str(path))
    _check_relief(*reading.ends, str(path))
    given = given_range(settings)
    values, known, scaled = _inverse_or_metres(reading, given)
    zero_is_far = reading.zero_is_far or reading.kind == "relative" or scaled
    taken = f"{path.name}, {'' if reading.given else 'taken for '}{reading.description}"
    if given is not None:
        ends = f"{given[0]:g} is the nearest number and {given[1]:g} the farthest, as given"
        taken += "; a range is not used for metres" if reading.kind == "metric" else f"; {ends}"
    return DepthValues(
        values, known, reading.kind == "metric", zero_is_far, taken, unsure=not reading.sure, scaled=scaled,
        along_ray=settings.depth_measure == "ray", focal_px=raw.focal_px and raw.focal_px / raw.values.shape[1], sky=reading.sky,
    )  # fmt: skip


def given_range(settings: DepthSettings) -> tuple[float, float] | None:
    """The numbers of the nearest and the farthest depth, as the user gave them; None where each file has its own."""
    words = settings.depth_range.replace(",", " ").split()
    if not words or words == ["shared"]:  # which a batch replaces by numbers; a single file shares with none
        return None
    try:
        near, far = (float(word) for word in words)
        if near == far or not (math.isfinite(near) and math.isfinite(far)):
            raise ValueError
    except ValueError:
        raise DioramaError(f"{settings.depth_range!r} is no range of depth; give two different numbers, NEAR FAR, or shared.") from None
    return near, far


def check_options(settings: DepthSettings) -> None:
    """Raises DioramaError where an option for depth files has an impossible value, also where no file needs the option."""
    given_range(settings)
    given_unknown(settings)


def _inverse_or_metres(reading: DepthMeaning, given: tuple[float, float] | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Metres of metric depth; else inverse depth, and whether its 1 is the near distance even where no value reaches it."""
    values, known, measured, (low, high) = reading.values, reading.known, reading.measured, reading.ends
    if reading.kind == "metric":
        metres = (low + high - values if reading.inverted else values) * np.float32(reading.scale)
        metres[~measured] = 0
        metres[reading.far] = AS_GOOD_AS_INFINITE
        return metres, known, False
    if reading.kind == "disparity":
        if given is not None:
            near, far = given
            return _apply_in_bands(lambda v, there: np.where(there, (v - far) / (near - far), 0), values, measured), known, True
        if reading.inverted:
            return _apply_in_bands(lambda v, there: np.where(there, low + high - v, low), values, measured), known, False
        # what is infinite in inverse depth is no distance
        return values if measured.all() else np.where(measured, values, 0), measured, False
    near, far = given or ((high, low) if reading.inverted else (low, high))

    def inverse(v: np.ndarray, there: np.ndarray) -> np.ndarray:
        part = np.where(there, (v - near) / (far - near), 0)
        return np.where(there, 1 / np.maximum(1 + (FARTHEST_OF_LINEAR - 1) * part, 1 / FARTHEST_OF_RELATIVE), 0)

    return _apply_in_bands(inverse, values, measured), known, given is not None


def _apply_in_bands(work: Callable[[np.ndarray, np.ndarray], np.ndarray], values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(h, w) float32: what `work` makes of values and known pixels, each from itself alone, `BAND_SIZE` at a time."""
    result = np.empty(values.shape, np.float32)
    rows = max(1, BAND_SIZE // values.shape[1])
    for top in range(0, len(values), rows):
        band = slice(top, top + rows)
        result[band] = work(values[band], known[band])
    return result


def _check_known(known: np.ndarray, name: str) -> None:
    count = np.count_nonzero(known)
    if count < max(16, MIN_KNOWN * known.size):
        raise DioramaError(
            f"{name} knows the depth of {count} of {known.size} pixels; 0, NaN and infinity count as "
            f"unknown, so use a depth map with values."
        )


def _check_relief(low: float, high: float, name: str) -> None:
    if high - low <= 1e-6 * max(abs(high), abs(low)):
        raise DioramaError(f"{name} has the same depth everywhere ({high:g}); a diorama needs relief, so use another depth map.")


def check_usable(found: DepthValues, photo: Photo, name: str) -> None:
    """Raises DioramaError where depth values hold nothing, or are another picture's by their aspect. `name` is for messages."""
    _check_known(found.known, name)
    _check_relief(*found.ends, name)
    (h, w), (height, width) = found.values.shape, photo.colour.shape[:2]
    if not found.stretched and abs((w / h) / (width / height) - 1) > MAX_ASPECT_ERROR:
        raise DioramaError(
            f"{name} has {w}x{h} pixels and does not fit the photo {photo.path} of {width}x{height}: the aspects "
            f"differ by more than {MAX_ASPECT_ERROR:.0%}, so crop or rotate one of them."
        )


def depth_on_photo(found: DepthValues, photo: Photo, settings: DepthSettings, long_side: int, name: str) -> DepthMap:
    """Brings depth values onto the photo's working grid: units, unknown pixels, size. `name` is for messages.

    Raises DioramaError where their aspect is another picture's, or nothing is known: for embedded and estimated depth this was not checked
    before.
    """
    import cv2

    check_usable(found, photo, name)
    h, w = found.values.shape
    disparity, a_value = _disparity(found, settings)
    levels = find_levels(found.values, found.known)
    rows, columns = working_size(photo, long_side)
    if max(h, w) > 2 * max(rows, columns):  # the rest is work for nothing
        disparity, known = resample(disparity, found.known, None, rows, columns)
    else:
        known = found.known
    if not known.all():
        disparity = fill_unknown(disparity, known, photo.working_colour(*disparity.shape))
    if disparity.shape != (rows, columns):
        disparity, known = resample(disparity, known, photo.working_colour(rows, columns), rows, columns)
    if levels is not None:
        half = _half_level(levels, found.metric, disparity, a_value)
        half[disparity <= disparity.min()] = 0  # the far end is no slope
        disparity = np.maximum(remove_terraces(disparity, half), disparity.min())
    if found.along_ray:
        disparity = disparity * _ray_lengths(photo, rows, columns)
    boundary, taken = _resize(found.boundary, rows, columns), ""
    if found.sky is not None:  # what was put far away is still unknown
        far = cv2.resize(found.sky.far.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
        known, taken = known & (far < 0.5), found.sky.taken
    normals = _resize_normals(found.normals, rows, columns)
    return DepthMap(disparity, known, found.metric, found.source, found.unsure, taken, found.not_used, boundary=boundary, normals=normals)


def _ray_lengths(photo: Photo, rows: int, columns: int) -> np.ndarray:
    """(h, w) float32: length of the ray to depth 1 through each pixel, so 1 / z = length / (distance along the ray)."""
    camera = photo.camera
    x = ((np.arange(columns) + 0.5) / columns * camera.width - camera.cx) / camera.focal_px
    y = ((np.arange(rows) + 0.5) / rows * camera.height - camera.cy) / camera.focal_px
    return np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2).astype(np.float32)


def _resize(picture: np.ndarray | None, rows: int, columns: int) -> np.ndarray | None:
    import cv2

    return None if picture is None else cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _resize_normals(normals: np.ndarray | None, rows: int, columns: int) -> np.ndarray | None:
    """The normals at that size, unit again; a pixel that only weighs in neighbours without a normal has none."""
    import cv2

    if normals is None:
        return None
    smaller = normals.shape[0] > rows
    resized = cv2.resize(normals, (columns, rows), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    length = np.linalg.norm(resized, axis=2, keepdims=True)
    return np.where(length > SUREST_MIX, resized / np.maximum(length, SUREST_MIX), 0).astype(np.float32)


def _half_level(levels: Levels, metric: bool, disparity: np.ndarray, a_value: float) -> np.ndarray:
    """(h, w) float32: half a level in disparity, by what is evenly spaced: values in 1/m, in m, or their inverses."""
    if levels.inverse != metric:
        # d(1/z) = dz / z^2
        return np.float32(levels.step / 2 / a_value) * disparity * disparity
    return np.full_like(disparity, levels.step / 2 * a_value)


def _disparity(found: DepthValues, settings: DepthSettings) -> tuple[np.ndarray, float]:
    """(h, w) float32 in 1/m, bounded to a range of distances that a scene can hold, and what a value of 1 more adds to it.

    Unknown pixels hold 0. Of metric values the second is 1.
    """
    values, known, a_value = found.values, found.known, 1.0
    if found.metric:
        disparity = np.maximum(values, np.float32(1e-9))
        np.divide(np.float32(1), disparity, out=disparity)
        floor = float(np.percentile(sample(disparity, known, SAMPLES).astype(float), 99.9)) / FARTHEST_OF_METRIC
    else:
        # relative inverse depth has an unknown shift: the farthest value is put at the far end (Shih et al. 2020)
        low, high = 0.0 if found.shift_known else found.ends[0], 1.0 if found.scaled else found.ends[1]
        a_value = float(1 / (high - low) / settings.near_distance)
        disparity = np.subtract(values, np.float32(low), dtype=np.float32)
        disparity /= np.float32(high - low)
        disparity /= np.float32(settings.near_distance)
        floor = 1.0 / (FARTHEST_OF_RELATIVE * settings.near_distance)
    np.maximum(disparity, np.float32(floor), out=disparity)
    if not known.all():
        disparity[~known] = 0
    return disparity, a_value
