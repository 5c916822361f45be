"""Finds numbers of a depth file that are no distances: unknown, or infinitely far. Runs before any range is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import DioramaError
from ..settings import DepthSettings
from .raw_depth import RawDepth

LARGEST = 1e18
"""Numbers from here on are no distance in any unit; squares of smaller ones fit into float32."""
MIN_SAMPLES, REPEATED = 16, 2e-4
"""An extreme value is a placeholder if at least this many pixels, and this share of all, have it."""
WIDE_GAP = 50.0
"""A repeated greatest float that is this many times the next one is the background: Blender's is at 1e10 m."""
DEEPEST_CAMERA = 32768
"""Where all other values are at most this, a repeated 65535 is a depth camera's placeholder; else it is the end of a scale."""
SKY, LARGE, HUGE = 0.005, 0.02, 0.2
"""Least share of the picture that a sky has: touching the top, above the lower edge, anywhere. Smaller regions are holes."""
INFINITE_IS_FAR = "what is infinite is the farthest"
LABEL_SIDE = 1024
"""Long side at which regions are labelled, px."""
STRAY, FEW_STRAY = 0.5, 1e-4
"""Outliers lie outside the range of the rest by more than this part of it; at most this share of pixels become holes, more are clipped."""


@dataclass(frozen=True)
class KnownDepth:
    """What is known of a depth file's numbers. Zeros are kept apart: they mean unknown or, in inverse depth, possibly infinity."""

    values: np.ndarray  # (h, w) float32
    known: np.ndarray  # (h, w) bool: a number that is neither zero nor anything below
    far: np.ndarray  # (h, w) bool: infinitely far
    zero: np.ndarray  # (h, w) bool
    settled: np.ndarray  # (h, w) bool: unknown whatever the photo shows: given by the user, or black bars
    notes: tuple[str, ...]

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest known number; something must be known."""
        return extremes(self.values, self.known)


def find_unknown(raw: RawDepth, settings: DepthSettings) -> KnownDepth:
    """Separates known, unknown and infinite numbers; raises DioramaError where the option `depth_unknown` is no number."""
    values, notes = raw.values, list(raw.notes)
    settled = np.zeros(values.shape, bool)
    if raw.unknown is not None and raw.unknown.any():
        notes.append("transparent or masked pixels are unknown")
    for number in given_unknown(settings):
        settled |= np.isclose(values, np.float32(number), rtol=1e-6, atol=0, equal_nan=True)
    framed = _letterbox(values)
    if framed.any():
        settled |= framed
        notes.append("its black bars are unknown")
    known, endless = ~(settled if raw.unknown is None else settled | raw.unknown), np.zeros(values.shape, bool)
    if not raw.integers:
        endless = (values >= LARGEST) & known
        known &= np.abs(values) < LARGEST  # neither NaN nor infinite
    zero = known & (values == 0)
    known ^= zero
    if known.any():
        least, most = extremes(values, known)
        low, high = _repeated_low(values, known, least), _repeated_high(raw, values, known, most)
        if low is not None:
            known &= values != low
            notes.append(f"{low:g} is unknown")
        if high is not None and raw.integers:
            known &= values != high
            notes.append(f"{high:g} is unknown")
        elif high is not None:
            endless |= known & (values == high)
            known &= values != high
    far = _infinite_far(endless, raw.format == "EXR", settings.depth_sky)
    if endless.any():
        notes.append(INFINITE_IS_FAR if far.any() else "what is infinite is unknown")
    return KnownDepth(values, known, far, zero, settled, tuple(notes))


def sample(values: np.ndarray, where: np.ndarray, most: int = 200_000) -> np.ndarray:
    """About `most` of the values where (h, w) `where` is true, or all of them where they are fewer."""
    step = max(1, values.size // most)
    some = values.ravel()[::step][where.ravel()[::step]]
    return some if len(some) >= MIN_SAMPLES or step == 1 else values[where]


def given_unknown(settings: DepthSettings) -> list[float]:
    """The numbers that the user calls unknown."""
    words = settings.depth_unknown.replace(";", ",").replace(" ", ",").split(",")
    try:
        return [float(word) for word in words if word]
    except ValueError:
        raise DioramaError(
            f"{settings.depth_unknown!r} is no number that could mean unknown depth",
            window="set Unknown Depth Is to one such as -1 or 65535",
            command_line="pass one such as --depth-unknown=-1",
        ) from None


def extremes(values: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """Least and greatest of (h, w) float32 values where (h, w) bool `where` is true; it must be true somewhere."""
    import cv2

    if where.all():
        return float(values.min()), float(values.max())
    low, high, _, _ = cv2.minMaxLoc(values, where.view(np.uint8))
    return low, high


def remove_outliers(found: KnownDepth) -> KnownDepth:
    """Removes outliers of depth whose range is its scale (inverse, or without a unit): a few become unknown, more are clipped."""
    if np.count_nonzero(found.known) < MIN_SAMPLES:
        return found
    low, high = (float(x) for x in np.percentile(sample(found.values, found.known), (0.05, 99.95)))
    reach = STRAY * (high - low)
    least, most = found.ends
    if least >= low - reach and most <= high + reach:
        return found
    stray = found.known & ((found.values < low - reach) | (found.values > high + reach))
    count = int(stray.sum())
    if not count or high <= low:
        return found
    if count <= max(4, FEW_STRAY * found.known.size):
        return replace(found, known=found.known & ~stray, notes=(*found.notes, f"{count} stray pixels are unknown"))
    rest = found.values[found.known & ~stray]
    return replace(found, values=np.clip(found.values, rest.min(), rest.max()), notes=(*found.notes, "stray values are cut off"))


def far_zeros(found: KnownDepth, sky: str) -> np.ndarray:
    """(h, w) bool: the zeros of inverse depth that are infinitely far. Stereo matching leaves zeros where it found no match: small and
    scattered, or along one side, with a gap to the next value. Networks write zero at the farthest point, and in one large region where
    that is the sky.
    """
    zero = found.zero
    if sky == "farthest" or not zero.any():
        return zero
    if sky == "unknown":
        return np.zeros_like(zero)
    if not found.known.any():
        return zero
    least, most = found.ends
    no_gap = least < 0 or bool(np.percentile(sample(found.values, found.known), 0.1) <= 0.02 * most)
    return zero if no_gap else sky_sized_regions(zero)


def sky_sized_regions(where: np.ndarray) -> np.ndarray:
    """(h, w) bool: those connected regions of `where` whose size and position fit a sky; looked for at up to `LABEL_SIDE` px."""
    import cv2

    height, width = where.shape
    step = max(1, max(height, width) // LABEL_SIDE)
    small = where[::step, ::step]
    count, labels, facts, _ = cv2.connectedComponentsWithStats(small.astype(np.uint8), connectivity=8)
    area, top = facts[:, cv2.CC_STAT_AREA] / small.size, facts[:, cv2.CC_STAT_TOP]
    above = top + facts[:, cv2.CC_STAT_HEIGHT] < small.shape[0]  # ends before the picture's lower edge
    sky = (area >= HUGE) | (above & (area >= np.where(top == 0, SKY, LARGE)))
    sky[0] = False
    return enlarge(sky[labels], step, where)


def enlarge(small: np.ndarray, step: int, within: np.ndarray) -> np.ndarray:
    """(H, W) bool: what of `within` lies at most one step from the true pixels of `small`, which is every `step`th pixel of it."""
    import cv2

    if step == 1:
        return within & small
    grown = cv2.dilate(small.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return np.repeat(np.repeat(grown, step, axis=0), step, axis=1)[: within.shape[0], : within.shape[1]] & within


def _infinite_far(endless: np.ndarray, rendered: bool, sky: str) -> np.ndarray:
    """Where infinite values are far: always in renders; else everywhere, if one region has the size and place of a sky."""
    import cv2

    if sky == "farthest" or not endless.any():
        return endless
    if sky == "unknown":
        return np.zeros_like(endless)
    if rendered:
        return endless
    count, labels, facts, _ = cv2.connectedComponentsWithStats(endless.astype(np.uint8), connectivity=8)
    area = facts[1:, cv2.CC_STAT_AREA] / endless.size
    at_top = facts[1:, cv2.CC_STAT_TOP] == 0
    return endless if ((at_top & (area >= SKY)) | (area >= HUGE)).any() else np.zeros_like(endless)


def _is_repeated(count: int, size: int) -> bool:
    return count >= max(MIN_SAMPLES, REPEATED * size)


def _repeated_low(values: np.ndarray, known: np.ndarray, least: float) -> float | None:
    """The negative number that stands for unknown, where it is the only negative one; else None."""
    if least >= 0:
        return None
    negative = known & (values < 0)
    count = int(negative.sum())
    if not count or count == known.sum():
        return None
    low = float(values[negative].min())
    alike = int((values[negative] == low).sum())
    return low if alike == count and (_is_repeated(count, values.size) or low in (-1.0, -9999.0, -32768.0)) else None


def _repeated_high(raw: RawDepth, values: np.ndarray, known: np.ndarray, high: float) -> float | None:
    """The greatest number, where it stands for unknown (whole numbers) or the background (floats); else None."""
    if (high not in (65535, 65534, 2**31 - 1, 2**31, 2**32)) if raw.integers else high < 1000:
        return None
    top = known & (values == high)
    rest = known & ~top
    if not _is_repeated(int(top.sum()), values.size) or not rest.any():
        return None
    next_one = float(values[rest].max())
    if raw.integers:
        return high if 0 < next_one <= DEEPEST_CAMERA else None
    return high if high >= 1000 and high > WIDE_GAP * next_one > 0 else None


def _letterbox(values: np.ndarray) -> np.ndarray:
    """(h, w) bool: bars of zero or the greatest value above and below, or left and right, of nearly the same size."""
    framed = np.zeros(values.shape, bool)
    for axis in (0, 1):
        lines = values if axis == 0 else values.T
        first, last = lines[0, 0], lines[-1, -1]
        if not ((lines[0] == first).all() and (lines[-1] == last).all()):
            continue
        if first != last or not (first == 0 or first == lines.max()):
            continue
        even = (lines == first).all(axis=1)
        if even.all():
            continue
        before, behind = int(np.argmin(even)), int(np.argmin(even[::-1]))
        if before == 0 or behind == 0:
            continue
        if framed.any():  # on all four sides: the background of a cut-out
            return np.zeros(values.shape, bool)
        if min(before, behind) >= 2 and abs(before - behind) <= max(2, 0.1 * max(before, behind)):
            bars = framed if axis == 0 else framed.T
            bars[:before], bars[len(lines) - behind :] = True, True
    return framed
