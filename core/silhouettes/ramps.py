"""Finds where a soft disparity map ramps from one surface to the next: the ridge of its gradient and the plateau on each side.

All lengths are px at a long side of 960 and scale with the map; all disparities are parts of the map's range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

REFERENCE_SIDE = 960.0
"""The long side at which the lengths below hold, px."""
SMOOTHING = 1.5
"""Sigma of the Gaussian before any derivative."""
MIN_SLOPE = 0.003
"""Least slope of a ridge, part of the range per px."""
MAX_WALK = 26
"""Longest walk from a ridge to its plateaus, px."""
FLAT, RISING_AGAIN = 0.2, 0.12
"""The walk ends where the slope falls below the first, or rises again by the second, part of the ridge's slope."""
PLATEAU_SLOPE, WEAK_PLATEAU_SLOPE = 0.5, 0.65
"""Largest slope of a plateau, part of the ridge's slope (strong and weak ridge pixels)."""
JUMP, WEAK_JUMP = 0.05, 0.035
"""Least jump (strong, weak) beyond what the plateaus' own slopes explain, as a part of the range ..."""
JUMP_SHARE, WEAK_JUMP_SHARE = 0.45, 0.35
"""... and as a part of the whole jump."""
STRONG_PIXELS = 24
"""Strong ridge pixels that weak ones must be connected to, at least."""
MAX_BREAK = 4
"""Ridge pixels at most this far apart, px, are connected."""
SLOPE_WIDTH, SLOPE_BELOW, SLOPE_JUMP = 30.0, 9.0, 25.0
"""A ridge wider than the first (px) is a slope; the limit is lower where its near side lies below (ground, table), higher for large
jumps."""


@dataclass(frozen=True)
class Ramps:
    """Ridge pixels of a disparity map, each with the plateaus on its two sides."""

    rows: np.ndarray  # (n,) int32
    columns: np.ndarray  # (n,) int32
    normal: np.ndarray  # (n, 2) float32: column and row of the unit vector towards the near side
    near: np.ndarray  # (n,) float32: disparity of the near plateau, part of the range
    far: np.ndarray  # (n,) float32: of the far one
    near_distance: np.ndarray  # (n,) float32: px of the map from the ridge to the near plateau
    far_distance: np.ndarray  # (n,) float32
    width: np.ndarray  # (n,) float32: jump / slope, px of the map
    ridge: np.ndarray  # (n,) int32: number of the connected ridge, from 1

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: np.ndarray) -> Ramps:
        """The ridge pixels that `which` (bool or indices) picks."""
        return Ramps(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def find_ramps(disparity: np.ndarray) -> Ramps:
    """All ridges between two surfaces in (h, w) float32 `disparity`, given as parts of its range."""
    import cv2

    scale = max(disparity.shape) / REFERENCE_SIDE
    smooth = cv2.GaussianBlur(disparity.astype(np.float32), (0, 0), SMOOTHING * scale, borderType=cv2.BORDER_REPLICATE)
    margin = int(np.ceil((MAX_WALK + 2) * scale)) + 1
    # odd reflection continues the slope beyond the frame, so that the ground does not end in a plateau there
    wide = np.pad(smooth, margin, mode="reflect", reflect_type="odd") if min(smooth.shape) > margin else np.pad(smooth, margin, mode="edge")
    row_slope, column_slope = np.gradient(smooth)
    slope = np.hypot(row_slope, column_slope) * scale  # a px of the reference
    rows, columns = np.nonzero(slope > MIN_SLOPE)
    steep = np.maximum(slope[rows, columns], 1e-9)
    normal = np.stack([column_slope[rows, columns], row_slope[rows, columns]], axis=1) * scale / steep[:, None]
    crest = _is_crest(slope, rows, columns, normal, steep)
    rows, columns, normal = rows[crest], columns[crest], normal[crest].astype(np.float32)
    if len(rows) == 0:
        empty = np.zeros(0, np.float32)
        return Ramps(rows, columns, np.zeros((0, 2), np.float32), *(empty,) * 5, rows)
    return _with_ridges(_plateaus(wide, margin, scale, rows, columns, normal), disparity.shape, scale)


def _is_crest(slope, rows, columns, normal, steep) -> np.ndarray:
    """Non-maximum suppression along the normal (Canny 1986)."""
    crest = np.ones(len(rows), bool)
    for side in (-1, 1):
        x = (columns + side * normal[:, 0]).astype(np.float32)
        y = (rows + side * normal[:, 1]).astype(np.float32)
        beside = _sample(slope.astype(np.float32), x, y)
        crest &= (steep > beside) if side < 0 else (steep >= beside)
    return crest


def _sample(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear samples at float32 coordinates of any shape; the border is repeated."""
    import cv2

    flat, most = x.reshape(-1), 30_000  # cv2.remap takes at most 32,767 a side
    other, result = y.reshape(-1), np.empty(x.size, np.float32)
    for start in range(0, x.size, most):
        part = np.s_[start : start + most]
        result[part] = cv2.remap(picture, flat[None, part], other[None, part], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return result.reshape(x.shape)


def _plateaus(wide, margin: int, scale: float, rows, columns, normal) -> tuple[Ramps, np.ndarray, np.ndarray]:
    """Walks from each ridge pixel both ways along its normal to the flattest point; returns Ramps, and which are strong or weak."""
    steps = np.arange(-MAX_WALK - 1, MAX_WALK + 2, dtype=np.float32) * np.float32(scale)
    x = columns[:, None] + margin + normal[:, :1] * steps
    y = rows[:, None] + margin + normal[:, 1:] * steps
    profile = _sample(wide, x.astype(np.float32), y.astype(np.float32))
    rise = np.diff(profile, axis=1)  # per px at `REFERENCE_SIDE`; rise[k] lies between steps k and k + 1
    middle = MAX_WALK + 1
    own = np.maximum((rise[:, middle - 1] + rise[:, middle]) / 2, 1e-9)
    near_at, near_slope = _walk(rise[:, middle:], own)
    far_at, far_slope = _walk(rise[:, middle - 1 :: -1], own)
    index = np.arange(len(rows))
    near, far = profile[index, middle + near_at], profile[index, middle - far_at]
    jump = near - far
    beyond = jump - np.maximum(near_slope, 0) * near_at - np.maximum(far_slope, 0) * far_at
    flattest = np.maximum(near_slope, far_slope)
    strong = (flattest < PLATEAU_SLOPE * own) & (beyond > JUMP) & (beyond > JUMP_SHARE * jump)
    weak = (flattest < WEAK_PLATEAU_SLOPE * own) & (beyond > WEAK_JUMP) & (beyond > WEAK_JUMP_SHARE * jump)
    found = Ramps(
        rows.astype(np.int32), columns.astype(np.int32), normal, near, far,
        (near_at * scale).astype(np.float32), (far_at * scale).astype(np.float32),
        (jump / own * scale).astype(np.float32), np.zeros(len(rows), np.int32),
    )  # fmt: skip
    return found, strong, weak


def _walk(rise: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps to the flattest point of the walk, and the slope there, for each row of `rise`, ordered away from the ridge."""
    least = np.minimum.accumulate(rise, axis=1)
    ended = (rise < FLAT * own[:, None]) | (rise > least + RISING_AGAIN * own[:, None])
    last = np.where(ended.any(axis=1), ended.argmax(axis=1), rise.shape[1] - 1)
    within = np.arange(rise.shape[1]) <= last[:, None]
    flattest = np.where(within, rise, np.inf).argmin(axis=1)
    return flattest, rise[np.arange(len(rise)), flattest]


def _with_ridges(found: tuple[Ramps, np.ndarray, np.ndarray], shape, scale: float) -> Ramps:
    """Hysteresis (Canny 1986): weak ridge pixels that are connected to enough strong ones, numbered by ridge."""
    ramps, strong, weak = found
    own = np.zeros(len(ramps), np.int32)
    own[weak] = connected(ramps.rows[weak], ramps.columns[weak], shape)
    counted = np.bincount(own[strong], minlength=own.max(initial=0) + 1)
    counted[0] = 0
    keep = counted[own] >= STRONG_PIXELS * scale
    return replace(ramps, ridge=own).take(keep)


def connected(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(n,) int32 ridge numbers from 1: pixels at most `MAX_BREAK` px apart belong to one ridge.

    The ridge of an enlarged map breaks where it jumps sideways from one pixel of the small map to the next.
    """
    import cv2

    picture = np.zeros(shape, np.uint8)
    picture[rows, columns] = 1
    side = 2 * max(1, round(MAX_BREAK / 2 * max(shape) / REFERENCE_SIDE)) + 1
    _, labels = cv2.connectedComponents(cv2.dilate(picture, np.ones((side, side), np.uint8)), connectivity=8)
    return labels[rows, columns]


def drop_slopes(ramps: Ramps, shape: tuple[int, int]) -> Ramps:
    """Drops whole ridges that are wider than the ramp of a silhouette: ground, tables, walls seen at an angle, round bodies."""
    if len(ramps) == 0:
        return ramps
    scale = max(shape) / REFERENCE_SIDE
    count = np.bincount(ramps.ridge)
    mean = lambda values: np.bincount(ramps.ridge, values) / np.maximum(count, 1)
    below, jump = mean(ramps.normal[:, 1]), mean(ramps.near - ramps.far)
    most = SLOPE_WIDTH - SLOPE_BELOW * np.clip((below - 0.5) / 0.4, 0, 1) + SLOPE_JUMP * np.clip(jump - 0.15, 0, 0.4)
    width = np.zeros(len(count))
    order = np.argsort(ramps.ridge, kind="stable")
    for number, part in zip(*_groups(ramps.ridge[order]), strict=True):
        width[number] = np.median(ramps.width[order][part])
    return ramps.take((width <= most * scale)[ramps.ridge])


def _groups(ordered: np.ndarray) -> tuple[np.ndarray, list[slice]]:
    """The distinct values of a sorted array, and the slice of each."""
    values, starts = np.unique(ordered, return_index=True)
    return values, [slice(a, b) for a, b in zip(starts, [*starts[1:], len(ordered)], strict=True)]
