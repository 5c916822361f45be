"""Scenes of a few triangles in front of a camera, and rays against them."""

import numpy as np


def sheet(x: tuple[float, float], y: tuple[float, float], z: float) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle that faces the camera."""
    points = np.array([[x[0], y[0], z], [x[0], y[1], z], [x[1], y[1], z], [x[1], y[0], z]], np.float32)
    return points, np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def board_before_wall(hidden: float, half: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """A board at 2 m, `half` to each side of the middle at unit depth, before a wide wall at 6 m.

    The wall goes on behind the board for `hidden` at unit depth, and has a hole in the rest.
    """
    inner, far = 6 * (half - hidden), 6 * 0.9
    wall = [
        sheet((-far, -inner), (-far, far), 6.0),
        sheet((inner, far), (-far, far), 6.0),
        sheet((-inner, inner), (-far, -inner), 6.0),
        sheet((-inner, inner), (inner, far), 6.0),
    ]
    return [sheet((-2 * half, 2 * half), (-2 * half, 2 * half), 2.0), *wall]


def meets(eye: np.ndarray, rays: np.ndarray, points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(n,) bool: whether each ray from `eye` meets any of the triangles, in front of it."""
    met = np.zeros(len(rays), bool)
    for a, b, c in points[triangles].astype(np.float64):
        volume = lambda p, q: np.einsum("ij,j->i", rays, np.cross(p - eye, q - eye))
        around = np.stack([volume(a, b), volume(b, c), volume(c, a)])
        normal = np.cross(b - a, c - a)
        along = rays @ normal
        ahead = np.divide((a - eye) @ normal, along, out=np.full(len(rays), -1.0), where=along != 0) > 0
        met |= ((around >= 0).all(axis=0) | (around <= 0).all(axis=0)) & ahead
    return met
