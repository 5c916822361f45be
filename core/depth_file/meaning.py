"""Decides what the numbers of a depth file mean: all evidence is weighed here and nowhere else, and the result says how sure it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..settings import DepthSettings
from .direction import Direction, estimate_direction
from .raw_depth import RawDepth
from .sky import Sky, looks_nearer, place_sky
from .unknown import (
    INFINITE_IS_FAR,
    KnownDepth,
    extremes,
    far_zeros,
    find_unknown,
    remove_outliers,
    sample,
    sky_sized_regions,
)

MILLIMETRES, CENTIMETRES, METRES = 0.001, 0.01, 1.0
STRETCHED_FROM = 60000
"""Values of 16 bits whose greatest is at least this were stretched to the full scale by a program that knows no unit."""
CAMERA_LEAST, CAMERA_MIDDLE, CAMERA_MOST = 50, 200, 20000
"""16-bit values count as millimetres of a depth camera if least value and median are at least, and the greatest at most, these."""

SURELY_FARTHER = -0.5
"""`Direction.nearer` below which the picture agrees that a channel named depth grows with distance."""
SURELY_PLANAR = 0.1
"""`Direction.planes` above which numbers that grow with distance are reversed inverse depth."""
MAX_INVERSE_RATIO = 0.2
"""Ratio of least to greatest value above which inverse depth of a network is unlikely: its least value lies near zero."""

CENTIMETRE_WORDS = re.compile(r"cm|centimet(er|re)s?")
MILLIMETRE_WORDS = re.compile(r"mm|millimet(er|re)s?")
METRE_WORDS = re.compile(r"met(er|re)s?|metric")
DISPARITY_WORDS = re.compile(r"disp|disparity|disparities|inverse|invdepth|idepth|midas|dpt|parallax")
RELATIVE_WORDS = re.compile(r"marigold|lotus|geowizard|bw")
KITTI_WORDS = re.compile(r"kitti|zoe|zoedepth")
FOLDERS = {
    "disparity": DISPARITY_WORDS, "disp": DISPARITY_WORDS, "midas": DISPARITY_WORDS, "vis_depth": DISPARITY_WORDS,
    "depth_bw": RELATIVE_WORDS, "depth_npy": RELATIVE_WORDS, "marigold": RELATIVE_WORDS,
}  # fmt: skip
"""Names of folders that known programs write into, and what the files there hold."""


@dataclass(frozen=True)
class DepthMeaning:
    """What a depth file's numbers mean."""

    kind: str  # "metric": distance, metres by `scale`; "disparity": inverse depth; "relative": distance without a unit
    inverted: bool  # whether the numbers must first be reversed: the greatest becomes the least
    scale: float  # metres a unit, of metric
    known: np.ndarray  # (h, w) bool
    far: np.ndarray  # (h, w) bool: infinitely far; known too
    values: np.ndarray  # (h, w) float32, strays cut off
    sure: bool  # False: a guess, which the user is asked to check
    description: str  # what the numbers were taken for, and why; continues the words "taken for"
    zero_is_far: bool = False  # inverse depth only: zero is infinitely far, so the shift is known
    given: bool = False  # whether the user said so
    sky: Sky | None = None  # of metric depth: the unknown pixels that were put far away; `known` and `far` include them

    @cached_property
    def measured(self) -> np.ndarray:
        """(h, w) bool: known, and not infinite."""
        return self.known & ~self.far if self.far.any() else self.known

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest measured number."""
        return extremes(self.values, self.measured)


@dataclass(frozen=True)
class _Guess:
    kind: str
    scale: float
    why: str
    sure: bool = False
    inverted: bool = False
    given: bool = False
    by_name_alone: bool = False  # only a word in the file's name says so, and anyone may have chosen that


def decide_meaning(raw: RawDepth, settings: DepthSettings, path: Path, colour: np.ndarray | None = None) -> DepthMeaning:
    """Weighs the evidence in this order: the user's options, names and metadata, the numbers, the picture.

    `colour` is the photo as (H, W, 3) uint8 sRGB, where there is one. Raises DioramaError where distances are negative.
    """
    raw = _flip_negative_z(raw, settings)
    found = find_unknown(raw, settings)
    if not found.known.any():
        guess = _Guess(settings.depth_kind if settings.depth_kind != "auto" else "metric", 1.0, "no numbers")
    else:
        guess = _guess_by_options(raw, found, settings) or _guess_by_name(raw, path) or _guess_by_numbers(raw, found, colour)
        if guess.by_name_alone and colour is not None:
            guess = _check_by_photo(
                guess, estimate_direction(found.values, found.known, colour, _quantum(raw, sample(found.values, found.known)))
            )
    if settings.invert_depth:
        guess = _invert(guess, settings)
    if guess.kind == "metric" and found.known.any() and found.ends[0] < 0:
        found = _drop_negative(found, path)
    elif guess.kind != "metric":
        found = remove_outliers(found)
    return _apply_guess(found, guess, settings, raw.format == "EXR", colour)


def _flip_negative_z(raw: RawDepth, settings: DepthSettings) -> RawDepth:
    """Makes distances along the negative z axis positive, as OpenGL and renderers have them: where no number is above zero.

    Where inverse depth is given, only an OpenEXR channel that calls itself depth.
    """
    may_be = settings.depth_kind in ("auto", "metric") or (raw.format == "EXR" and raw.is_named)
    if raw.integers or not may_be or ((raw.values > 0) & (raw.values < np.inf)).any():
        return raw
    if np.count_nonzero(raw.values < 0) <= np.count_nonzero(raw.values == 0):  # none, or what stands for unknown
        return raw
    return replace(raw, values=-raw.values, notes=(*raw.notes, "its negative numbers are distances along -z"))


def _apply_guess(found: KnownDepth, guess: _Guess, settings: DepthSettings, rendered: bool, colour: np.ndarray | None) -> DepthMeaning:
    """Interprets zeros by the kind: a distance of zero is unknown or the sky, an inverse depth of zero may be infinitely far."""
    known, far, notes, sky, zero_is_far = found.known, found.far, list(found.notes), None, False
    if guess.kind == "disparity" and not guess.inverted:
        found, known, notes, zero_is_far = _interpret_inverse(found, settings)
        far = np.zeros_like(far)
    elif guess.kind == "metric":
        far, more, sky = _interpret_metric(found, guess, settings, rendered, colour)
        notes += more
    else:
        known = known | found.zero  # the near end of a scale
    description = "; ".join((guess.why, *notes))
    return DepthMeaning(
        guess.kind, guess.inverted, guess.scale, known | far, far, found.values, guess.sure, description, zero_is_far, guess.given, sky
    )  # fmt: skip


def _interpret_inverse(found: KnownDepth, settings: DepthSettings) -> tuple[KnownDepth, np.ndarray, list[str], bool]:
    """Inverse depth with zeros where it is infinitely far, what is known, the notes, and whether zero is infinity.

    An infinite inverse depth is no distance: stereo matching writes it where it found no match, also over the sky.
    """
    lost, notes = found.far, list(found.notes)
    if lost.any() and settings.depth_sky == "auto":
        lost = sky_sized_regions(lost)
        notes = ["what is infinite is unknown" if each == INFINITE_IS_FAR and not lost.any() else each for each in notes]
    zeros = far_zeros(found, settings.depth_sky)
    if found.zero.any():
        count = np.count_nonzero(found.zero) - np.count_nonzero(zeros)
        notes.append("zero is the farthest" if not count else "zero is unknown" if not zeros.any() else
                     "zero is the farthest where it is as large as a sky, else unknown")  # fmt: skip
    if lost.any():
        found = replace(found, values=np.where(lost, 0, found.values))
    endless = zeros | lost
    shift_known = bool(endless.any() and not (found.known.any() and found.ends[0] < 0))
    return found, found.known | endless, notes, shift_known


def _interpret_metric(found: KnownDepth, guess: _Guess, settings: DepthSettings, rendered: bool, colour: np.ndarray | None):
    """(h, w) bool where distances are infinite, the notes on that, and the sky."""
    far, notes = found.far, []
    if settings.depth_sky == "farthest":
        far = far | found.zero
    elif far.any() and not rendered and settings.depth_sky == "auto" and colour is not None and looks_nearer(far, found.known, colour):
        far, notes = np.zeros_like(far), ["but the photo shows nothing far there, so that is unknown"]
    if guess.inverted or (far.any() and settings.depth_sky == "auto"):  # a file that says what is infinite knows its sky
        return far, notes, None
    sky = place_sky(found.values, found.known, ~(found.known | far | found.settled), settings.depth_sky, colour)
    return far | sky.far, [*notes, *sky.notes], sky


def _guess_by_options(raw: RawDepth, found: KnownDepth, settings: DepthSettings) -> _Guess | None:
    """What the user's options say; None where they are automatic."""
    if settings.depth_kind == "disparity":
        return _Guess("disparity", 1.0, "inverse depth of unknown scale, as given", True, given=True)
    if settings.depth_kind == "relative":
        return _Guess("relative", 1.0, "distance without a unit, as given", True, given=True)
    if settings.depth_kind == "metric" or settings.depth_scale > 0:
        small = raw.format in ("NPY", "NPZ") and np.median(found.values[found.known]) < CAMERA_MIDDLE
        scale = settings.depth_scale or (MILLIMETRES if raw.integers and not small else METRES)
        return _Guess("metric", scale, f"metric depth, {scale:g} m a unit, as given", True, given=True)
    return None


def _invert(guess: _Guess, settings: DepthSettings) -> _Guess:
    """The guess with near and far exchanged: what the user stated is reversed; what was guessed becomes the opposite guess."""
    if settings.depth_kind == "auto" and not settings.depth_scale:
        kind = {"disparity": "relative", "metric": "disparity", "relative": "disparity"}[guess.kind]
        if guess.inverted:
            return _Guess("disparity", 1.0, "inverse depth, inverted as given", True, given=True)
        named = {"disparity": "inverse depth of unknown scale", "relative": "distance without a unit"}[kind]
        return _Guess(kind, 1.0, f"{named}, inverted as given", True, given=True)
    return replace(guess, inverted=True, why=f"{guess.why}, and inverted")


def _guess_by_name(raw: RawDepth, path: Path) -> _Guess | None:
    """What the names of array, file and folder, or the program that wrote the file, say; None where they say nothing."""
    words = {word for text in (raw.name, path.stem, raw.unit) for word in re.split(r"[^a-z]+", text.lower()) if word}
    folder = FOLDERS.get(path.parent.name.lower())

    def says(pattern: re.Pattern) -> bool:
        return folder is pattern or any(pattern.fullmatch(word) for word in words)

    named = f"unit {raw.unit.strip()}" if raw.unit else f"named {raw.name}" if raw.name else "by its name"
    alone = folder is None and not raw.name and not raw.unit
    if says(DISPARITY_WORDS):
        return _Guess("disparity", 1.0, f"inverse depth ({named})", True, by_name_alone=alone)
    if says(RELATIVE_WORDS) and raw.bits != 0:
        return _Guess("relative", 1.0, f"distance without a unit ({named})", True, by_name_alone=alone)
    if says(KITTI_WORDS) and raw.bits == 16:
        return _Guess("metric", 1 / 256, "metres times 256 (by its name)", True)
    if says(MILLIMETRE_WORDS):
        return _Guess("metric", MILLIMETRES, f"millimetres ({named})", True)
    if says(CENTIMETRE_WORDS):
        return _Guess("metric", CENTIMETRES, f"centimetres ({named})", True)
    if (says(METRE_WORDS) and not raw.integers) or raw.unit.strip().lower() == "m":
        return _Guess("metric", METRES, f"metres ({named})", True)
    if raw.writer == "Blender":
        return _Guess("metric", METRES, f"metres (OpenEXR by Blender, channel {raw.name})", True)
    return None


def _check_by_photo(guess: _Guess, direction: Direction) -> _Guess:
    """What a file's name says; an unsure guess where the photo clearly shows that near and far lie the other way round."""
    nearer = direction.nearer if guess.kind == "disparity" else -direction.nearer
    if nearer > SURELY_FARTHER:
        return guess
    return replace(guess, sure=False, why=f"{guess.why}, though near and far lie the other way round in the photo")


def _guess_by_numbers(raw: RawDepth, found: KnownDepth, colour: np.ndarray | None) -> _Guess:
    """What the type and range of the numbers say, and the direction in which they grow by the picture."""
    values = sample(found.values, found.known)
    least, middle, most = found.ends[0], float(np.median(values)), float(np.percentile(values, 99.9))
    direction = estimate_direction(found.values, found.known, colour, _quantum(raw, values))
    if raw.bits == 8:
        return _guess_without_unit(direction, 0.4, "8 bits")
    if raw.integers:
        return _guess_of_integers(raw, direction, least, middle, most)
    if least < 0 and (values < 0).sum() > 16:
        return _guess_without_unit(direction, 1.5, "it has negative values")
    if raw.format == "PFM" and most > 1.001:
        return _distance_or_inverse(raw, direction, 1.0, middle, "PFM")
    if most <= 1.001:
        if raw.is_named and direction.nearer < 0 and most < 0.97:
            return _Guess("metric", METRES, f"metres ({_origin(raw)})")
        return _guess_without_unit(direction, 0.2, "values from 0 to 1")
    prior = -2.0 if raw.is_named and raw.format == "EXR" else -1.0 if raw.format == "EXR" or raw.is_named else -0.1
    if least > MAX_INVERSE_RATIO * most:
        prior -= 0.7
    return _distance_or_inverse(raw, direction, prior, middle, _origin(raw))


def _guess_of_integers(raw: RawDepth, direction: Direction, least: float, middle: float, most: float) -> _Guess:
    if raw.bits == 16 and most >= STRETCHED_FROM:
        return _guess_without_unit(direction, 0.0, "16 bits, values stretched over all of them")
    camera = least >= CAMERA_LEAST and middle >= CAMERA_MIDDLE and most <= CAMERA_MOST
    if direction.nearer + (-0.85 if camera or raw.format in ("NPY", "NPZ") else 0.0) <= 0:
        return _Guess("metric", MILLIMETRES, "millimetres (whole numbers as of a depth camera)")
    return _Guess("disparity", 1.0, f"inverse depth ({_seen(direction, True)})")


def _guess_without_unit(direction: Direction, prior: float, why: str) -> _Guess:
    """The guess for numbers without a unit, by direction: inverse depth, inverse depth turned end for end, or relative distance."""
    if direction.nearer + prior > 0:
        return _Guess("disparity", 1.0, f"inverse depth ({why}, {_seen(direction, True)})")
    if direction.planes > SURELY_PLANAR:
        return _Guess("disparity", 1.0, f"inverse depth with small numbers near ({why}, {_seen(direction, False)})", inverted=True)
    return _Guess("relative", 1.0, f"distance without a unit ({why}, {_seen(direction, False)})")


def _distance_or_inverse(raw: RawDepth, direction: Direction, prior: float, middle: float, why: str) -> _Guess:
    if direction.nearer + prior > 0:
        return _Guess("disparity", 1.0, f"inverse depth ({why}, {_seen(direction, True)})")
    if middle >= CAMERA_MIDDLE and not raw.is_named:
        return _Guess("metric", MILLIMETRES, f"millimetres ({why}, {_seen(direction, False)})")
    sure = raw.is_named and direction.nearer < SURELY_FARTHER
    return _Guess("metric", METRES, f"metres ({why}, {_seen(direction, False)})", sure)


def _origin(raw: RawDepth) -> str:
    kind = {"EXR": "OpenEXR", "NPY": "NPY", "NPZ": "NPZ"}.get(raw.format, raw.format)
    return f"{kind}, {raw.name}" if raw.name else f"{kind}, floats"


def _seen(direction: Direction, nearer: bool) -> str:
    by = "as near and far lie in the photo" if direction.seen else "as its upper and lower part have it"
    if (direction.nearer > 0) != nearer:
        by = "as such files mostly have it"
    return f"larger is {'nearer' if nearer else 'farther'}, {by}"


def _quantum(raw: RawDepth, values: np.ndarray) -> float:
    """The typical step between neighbouring levels of the numbers."""
    if raw.integers:
        return 1.0
    some = np.unique(values[:: max(1, len(values) // 20_000)])
    return float(np.median(np.diff(some))) if len(some) > 2 else float(np.abs(values).max()) / 256


def _drop_negative(found: KnownDepth, path: Path) -> KnownDepth:
    """Marks a few negative distances as unknown; raises DioramaError where there are more."""
    negative = found.known & (found.values < 0)
    if negative.sum() > max(4, 1e-3 * found.known.sum()):
        raise DioramaError(f"{path} has negative distances", window="if it is inverse depth, set Depth Kind to Disparity",
                           command_line="if it is inverse depth, pass --depth-kind disparity")  # fmt: skip
    return replace(found, known=found.known & ~negative, notes=(*found.notes, "negative numbers are unknown"))
