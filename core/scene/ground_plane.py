"""Finds the ground (the lowest large plane facing upwards) and the walls of a photo in its depth, by RANSAC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UP = np.array([0.0, -1.0, 0.0])
"""Upwards in the camera's axes (x right, y down, z forward), for a camera that is held level."""
MAX_TILT_DEG = 50.0
"""Largest angle between the camera's up and the ground's normal: a photo may look down, and ground may slope."""
NORMAL_AGREES_DEG = 25.0
TOLERANCE = 0.02
"""Distance from the plane that is still ground, as a part of the distance from the camera."""
TRIES, BATCH = 600, 60
MIN_PART = 0.03
"""Least part of the picture that is ground."""
MAX_BELOW = 0.5
"""Largest number of points below a plane for each point in it: a table has the floor below it."""
MAX_LEAN_DEG = 20.0
"""Largest angle between a wall and the vertical: estimated depth bends walls."""
MIN_WALL = 0.06
"""Smallest part of the picture that counts as a wall: more than for ground, since furniture has upright sides too."""
NARROWEST = 0.05
"""Width of the ground across its length, as a part of its distance: a line of points is in many planes."""


@dataclass(frozen=True)
class GroundPlane:
    """The plane normal . x = offset in the camera's axes and the unit of the points."""

    normal: np.ndarray  # (3,) float64, unit length, away from the ground towards the camera's side
    offset: float  # negative: the camera, at the origin, is above the ground
    inliers: np.ndarray  # (n,) bool: which of the points are ground
    point: np.ndarray  # (3,) float64: a point of the plane in the middle of the visible ground

    @property
    def height(self) -> float:
        """Of the camera above the ground."""
        return -self.offset

    @property
    def tilt_deg(self) -> float:
        """Between the ground's normal and the camera's up: how far the camera looks down, or the ground slopes."""
        return float(np.degrees(np.arccos(np.clip(self.normal @ UP, -1, 1))))


def find_ground(points: np.ndarray, normals: np.ndarray, seed: int = 0) -> GroundPlane | None:
    """The ground in (n, 3) points and (n, 3) unit normals, spread evenly over the picture; None where there is none.

    RANSAC (Fischler and Bolles 1981): of planes through three points each, the one with the most points whose normals agree, minus the
    points below it; then least squares. Deterministic for a seed.
    """
    points, normals = np.asarray(points, np.float64), np.asarray(normals, np.float64)
    known = np.isfinite(points).all(1) & np.isfinite(normals).all(1) & (points[:, 2] > 0)
    points, normals = (np.where(known[:, None], each, 0.0) for each in (points, normals))
    facing = known & (normals @ UP > np.cos(np.radians(MAX_TILT_DEG)))
    least = max(12, MIN_PART * len(points))
    if facing.sum() < least:
        return None
    planes = [plane for plane in _sample_planes(points[facing], np.random.default_rng(seed)) if _is_ground(plane)]
    if not planes:
        return None
    best = _refine_plane(_best(np.array(planes), points[known], normals[known], 1.0), known, points, normals, least)
    if best is None or not _is_ground(best):
        return None
    inside = known & _inside(best, points, normals)
    below = known & _below(best, points)
    if below.sum() > MAX_BELOW * inside.sum():
        return None
    normal, offset = best[:3], float(best[3])
    middle = np.median(points[inside], axis=0)
    return GroundPlane(normal, offset, inside, middle - (middle @ normal - offset) * normal)


def find_walls(points: np.ndarray, normals: np.ndarray, up: np.ndarray = UP, most: int = 2, seed: int = 0) -> list[np.ndarray]:
    """Up to `most` large upright planes, the largest first, as (4,) normal towards the camera and offset: normal . x = offset.

    Points and normals as of `find_ground`; `up` is (3,), unit, the ground's normal. Points behind a wall (through a window)
    count neither for nor against it. Walls that face the same way are one: they receive the same light.
    """
    points, normals = np.asarray(points, np.float64), np.asarray(normals, np.float64)
    left = np.isfinite(points).all(1) & np.isfinite(normals).all(1) & (points[:, 2] > 0)
    points, normals = (np.where(left[:, None], each, 0.0) for each in (points, normals))
    walls: list = []
    lean, least = np.sin(np.radians(MAX_LEAN_DEG)), max(12, MIN_WALL * len(points))
    rng = np.random.default_rng(seed)
    while len(walls) < most:
        upright = left & (np.abs(normals @ up) < lean)
        if upright.sum() < least:
            break
        planes = [plane for plane in _sample_planes(points[upright], rng) if abs(plane[:3] @ up) < lean]
        if not planes:
            break
        best = _refine_plane(_best(np.array(planes), points[left], normals[left], 0.0), left, points, normals, least)
        if best is None or abs(best[:3] @ up) >= lean:
            break
        walls.append(best)
        left = left & (normals @ best[:3] < np.cos(np.radians(NORMAL_AGREES_DEG)))
    return walls


def _refine_plane(plane: np.ndarray, of: np.ndarray, points: np.ndarray, normals: np.ndarray, least: float) -> np.ndarray | None:
    """Refits the plane to its inliers until they no longer change; None where they become too few or lie on a line."""
    for _ in range(4):
        inside = of & _inside(plane, points, normals)
        if inside.sum() < least:
            return None
        fitted = _fit_plane(points[inside])
        if fitted is None:
            return None
        plane = fitted
    inside = of & _inside(plane, points, normals)
    return plane if inside.sum() >= least and _is_wide(points[inside]) else None


def normals_of(points: np.ndarray) -> np.ndarray:
    """(h, w, 3) points in rows and columns of the picture -> (h, w, 3) unit normals towards the camera.

    NaN where unknown. From the neighbours on that side of each point where the distance changes less, so that none lies across an edge.
    """
    along = []
    for axis in (1, 0):
        step = np.diff(points, axis=axis)
        nothing = np.full_like(np.take(points, [0], axis), np.nan)
        before, after = np.concatenate([nothing, step], axis), np.concatenate([step, nothing], axis)
        jump = lambda steps: np.where(np.isfinite(steps[..., 2:]), np.abs(steps[..., 2:]), np.inf)
        along.append(np.where(jump(before) < jump(after), before, after))
    normal = np.cross(along[1], along[0])  # down x right: against the view
    with np.errstate(invalid="ignore", divide="ignore"):
        return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _sample_planes(points: np.ndarray, rng) -> np.ndarray:
    """(k, 4) planes (normal towards the camera, offset) through three points each."""
    a, b, c = points[rng.integers(0, len(points), (3, TRIES))]
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    fine = length > 1e-12
    normal = normal[fine] / length[fine, None]
    planes = np.column_stack([normal, (normal * a[fine]).sum(1)])
    return planes * np.where(planes[:, 3:] > 0, -1.0, 1.0)


def _is_ground(plane: np.ndarray) -> bool:
    """Whether a plane faces upwards and lies below the camera."""
    return bool(plane[:3] @ UP > np.cos(np.radians(MAX_TILT_DEG)) and plane[3] < 0)


def _inside(plane: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    near = np.abs(points @ plane[:3] - plane[3]) < TOLERANCE * points[:, 2]
    return near & (normals @ plane[:3] > np.cos(np.radians(NORMAL_AGREES_DEG)))


def _below(plane: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ plane[:3] - plane[3] < -3 * TOLERANCE * points[:, 2]


def _best(planes: np.ndarray, points: np.ndarray, normals: np.ndarray, behind: float) -> np.ndarray:
    """The plane with the most inliers, minus `behind` times the points behind it."""
    scores = []
    agrees = np.cos(np.radians(NORMAL_AGREES_DEG))
    for some in np.array_split(planes, max(1, len(planes) // BATCH)):
        away = (points @ some[:, :3].T - some[:, 3]) / points[:, 2:]
        inside = (np.abs(away) < TOLERANCE) & (normals @ some[:, :3].T > agrees)
        scores.append(inside.sum(0) - behind * (away < -3 * TOLERANCE).sum(0))
    return planes[int(np.argmax(np.concatenate(scores)))]


def _fit_plane(points: np.ndarray) -> np.ndarray | None:
    """Least squares of distances from the plane, relative to the distance from the camera, since depth's error grows with it."""
    weight = 1 / points[:, 2] ** 2
    middle = weight @ points / weight.sum()
    away = (points - middle) / points[:, 2:]
    values, vectors = np.linalg.eigh(away.T @ away)
    if values[1] <= 0:
        return None
    normal = vectors[:, 0] * (1.0 if vectors[:, 0] @ middle < 0 else -1.0)
    return np.array([*normal, normal @ middle])


def _is_wide(points: np.ndarray) -> bool:
    away = (points - points.mean(0)) / points[:, 2:].mean()
    return bool(np.sqrt(np.linalg.eigvalsh(away.T @ away / len(points))[1]) > NARROWEST)
