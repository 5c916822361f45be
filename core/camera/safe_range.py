"""How far the camera may leave the photo's viewpoint before gaps (disocclusions without a surface) show.

For a camera that moves without turning, every point moves along a fixed line of the picture: parallel lines for a step aside
or up, lines through the principal point for a step forward (the epipolar lines, Hartley and Zisserman 2004, section 9.1).
So coverage is computed exactly, line by line, from where the triangles cross each line; nothing is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .camera import Camera

TOLERANCE = 0.001
"""Part of the picture that may be gaps at the limit."""
LINES = 32
"""Number of picture lines that are examined for each of the three axes."""
STEPS, HALVINGS = 16, 6
NEAREST_STEP = 3e-3
"""First step, as a part of the nearest distance; each next one is about half as large again, and the last interval is bisected."""
FORWARD_LIMIT = 0.9
"""Largest part of the way to the nearest surface that the camera may go forward."""

DIRECTIONS = {"left": (0, -1), "right": (0, 1), "down": (1, -1), "up": (1, 1), "back": (2, -1), "forward": (2, 1)}
"""Axis (0 sideways, 1 upwards, 2 forwards) and sense of each direction."""


@dataclass(frozen=True)
class SafeRange:
    """Largest distances in each direction, in the units of the points, at which gaps stay below the tolerance."""

    left: float
    right: float
    down: float
    up: float
    back: float
    forward: float

    @property
    def centred(self) -> tuple[float, float, float]:
        """The smaller of both directions on each axis: sideways, upwards, forwards."""
        return min(self.left, self.right), min(self.down, self.up), min(self.back, self.forward)

    def holds(self, side: float, forward: float, up: float) -> bool:
        """Whether a place lies in the box."""
        inside = -self.left <= side <= self.right and -self.down <= up <= self.up
        return inside and -self.back <= forward <= self.forward

    def largest_amount(self, offsets: np.ndarray) -> float:
        """The largest factor with which the (n, 3) offsets right, forwards and upwards fit into the box; inf where they are all 0."""
        ends = np.array([[self.left, self.back, self.down], [self.right, self.forward, self.up]])
        offsets = np.asarray(offsets, float).reshape(-1, 3)
        room = np.where(offsets < 0, ends[0], ends[1])
        with np.errstate(divide="ignore"):
            return float(np.min(np.where(offsets == 0, np.inf, room / np.abs(offsets)), initial=np.inf))


@dataclass(frozen=True)
class Crossings:
    """Where triangles cross the lines of one axis."""

    line: np.ndarray  # (n,) number of the line
    place: np.ndarray  # (n, 2) both ends of the crossing along it, picture coordinates over focal length
    disparity: np.ndarray  # (n, 2) at both ends, 1/distance
    ends: np.ndarray  # (lines, 2) where each line enters and leaves the picture


def safe_range(surfaces: Iterable[tuple[np.ndarray, np.ndarray]], camera: Camera, focus: float = 0.0) -> SafeRange:
    """The safe range among `surfaces`: (points, triangles), (V, 3) x right, y down, z forward and (T, 3).

    With a `focus` distance the camera keeps that distance in place in its picture, by lens shift (nearly the same as turning) and, when
    it moves forward, by focal length; 0 is a camera that only moves.
    """
    surfaces = [(np.asarray(p, np.float64), t) for p, t in surfaces if len(t)]
    if not surfaces:
        return SafeRange(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    depths = np.concatenate([p[np.unique(t), 2] for p, t in surfaces])
    nearest, farthest_step = depths.min(), focus if focus > 0 else float(np.median(depths))
    pivot, found = 1 / focus if focus > 0 else 0.0, {}
    axes = [crossings(surfaces, camera, axis) for axis in range(3)]
    for name, (axis, sense) in DIRECTIONS.items():
        limit = FORWARD_LIMIT * nearest if name == "forward" else farthest_step
        found[name] = _largest(lambda t, axis=axis, sense=sense: gaps(axes[axis], axis, sense * t, pivot), nearest, limit)
    return SafeRange(**found)


def _largest(gaps_at, nearest: float, limit: float) -> float:
    """The distance up to which gaps stay below the tolerance: growing steps outwards, then bisection of the last one."""
    good, bad = 0.0, 0.0
    allowed = gaps_at(0.0) + TOLERANCE  # gaps at the photo's own viewpoint are not due to the move
    for t in np.geomspace(NEAREST_STEP * nearest, limit, STEPS) if limit > NEAREST_STEP * nearest else ():
        if gaps_at(t) > allowed:
            bad = t
            break
        good = t
    for _ in range(HALVINGS if bad else 0):
        middle = (good + bad) / 2
        good, bad = (good, middle) if gaps_at(middle) > allowed else (middle, bad)
    return float(good)


def gaps(crossed: Crossings, axis: int, step: float, pivot: float = 0.0) -> float:
    """The part of the picture that shows no surface after a `step` along an axis; `pivot` is the disparity kept in place."""
    place, disparity = crossed.place, crossed.disparity
    if axis == 0:
        seen = place - step * (disparity - pivot)
    elif axis == 1:  # up is against the picture's axis
        seen = place + step * (disparity - pivot)
    else:
        nearer = 1 - step * disparity
        seen = np.where(nearer > 0, place * (1 - step * pivot) / np.maximum(nearer, 1e-12), np.nan)
    start, end = seen.min(axis=1), seen.max(axis=1)  # nan where an end is behind the camera: covers nothing
    count = len(crossed.ends)
    line = np.concatenate([crossed.line, np.arange(count), np.arange(count)])
    # beyond the picture's ends all counts as covered, so that gaps lie between intervals only
    lo, hi = crossed.ends[:, 0], crossed.ends[:, 1]
    start = np.concatenate([np.where(np.isnan(start), hi[crossed.line], start), np.full(count, -np.inf), hi])
    end = np.concatenate([np.where(np.isnan(end), hi[crossed.line], end), lo, np.full(count, np.inf)])
    start, end = (np.clip(each, lo[line], hi[line]) for each in (start, end))
    apart = 4 * float(np.abs(crossed.ends).max()) + 1  # lines one after the other on one long line
    order = np.argsort(start + apart * line, kind="stable")
    start, end = (start + apart * line)[order], (end + apart * line)[order]
    covered = np.maximum.accumulate(end)
    same = line[order][1:] == line[order][:-1]
    holes = np.maximum(start[1:] - covered[:-1], 0)[same].sum()
    return float(holes / (hi - lo).sum())


def crossings(surfaces: list[tuple[np.ndarray, np.ndarray]], camera: Camera, axis: int) -> Crossings:
    """Where all triangles cross the lines along which a step on this axis moves points."""
    directions, offsets, ends = _lines(camera, axis)
    across = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    lines, places, disparities = [np.zeros(0, np.int64)], [np.zeros((0, 2))], [np.zeros((0, 2))]
    for points, triangles in surfaces:
        flat, disparity = points[:, :2] / points[:, 2:], 1 / points[:, 2]
        if axis == 2:
            which, line = _across_rays(flat, triangles)
        else:
            at = (flat @ across[0] - offsets[0]) / (offsets[1] - offsets[0])
            corners = at[triangles]
            which, line = _pairs(corners.min(axis=1), corners.max(axis=1))
            on = (line >= 0) & (line < LINES)
            which, line = which[on], line[on]
        corners = triangles[which]
        above = np.einsum("nci,ni->nc", flat[corners], across[line]) - offsets[line, None]
        side = above >= 0
        crossed = side.any(axis=1) & ~side.all(axis=1)
        line, corners, above = line[crossed], corners[crossed], above[crossed]
        along = np.einsum("nci,ni->nc", flat[corners], directions[line])
        place, found = _cut(along, above, disparity[corners])
        lines.append(line)
        places.append(place)
        disparities.append(found)
    return Crossings(np.concatenate(lines), np.concatenate(places), np.concatenate(disparities), ends)


def _pairs(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of ranges, and for each the whole numbers in it (low < n <= high), as two flat arrays."""
    first, last = np.floor(low).astype(np.int64) + 1, np.floor(high).astype(np.int64)
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + first[which]


def _across_rays(flat: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles and the lines through the principal point that they may cross."""
    turn = np.arctan2(flat[:, 1], flat[:, 0])[triangles] * (LINES / np.pi) - 0.5
    turn = turn[:, :1] + (turn - turn[:, :1] + LINES) % (2 * LINES) - LINES  # without a jump inside a triangle
    low, high = turn.min(axis=1), turn.max(axis=1)
    around = np.flatnonzero(high - low >= LINES)  # holds the principal point: any line may cross it
    low[around], high[around] = -1, LINES - 1
    which, line = _pairs(low, high)
    return which, line % LINES


def _cut(along: np.ndarray, above: np.ndarray, disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) places and disparities at which triangles' sides cross the line `above` = 0; all are (n, 3) of the corners."""
    side, rows = above >= 0, np.arange(len(above))
    # one corner is alone on its side of the line
    alone = np.where(side.sum(axis=1) == 1, side.argmax(axis=1), side.argmin(axis=1))
    places: list[np.ndarray] = []
    disparities: list[np.ndarray] = []
    for turn in (1, 2):
        other = (alone + turn) % 3
        part = above[rows, alone] / (above[rows, alone] - above[rows, other])
        # disparity is linear in the picture, on planes as on lines
        for found, corner in ((places, along), (disparities, disparity)):
            found.append(corner[rows, alone] + part * (corner[rows, other] - corner[rows, alone]))
    return np.stack(places, axis=1), np.stack(disparities, axis=1)


def _lines(camera: Camera, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (n, 2), offsets (n,) at right angles to them, and where each line enters and leaves the picture (n, 2)."""
    left, right = -camera.cx / camera.focal_px, (camera.width - camera.cx) / camera.focal_px
    top, bottom = -camera.cy / camera.focal_px, (camera.height - camera.cy) / camera.focal_px
    middles = (np.arange(LINES) + 0.5) / LINES
    if axis == 0:
        return np.tile([1.0, 0.0], (LINES, 1)), top + (bottom - top) * middles, np.tile([left, right], (LINES, 1))
    if axis == 1:
        # (x, y) = (0, 1): at right angles lies -x
        return np.tile([0.0, 1.0], (LINES, 1)), -(left + (right - left) * middles), np.tile([top, bottom], (LINES, 1))
    turn = np.pi * middles
    direction = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    box = np.array([[left, right], [top, bottom]])
    meets = box[None] / direction[:, :, None]  # (n, axis, end) along the line; no direction is along an axis
    ends = np.stack([meets.min(axis=2).max(axis=1), meets.max(axis=2).min(axis=1)], axis=1)
    return direction, np.zeros(LINES), ends
