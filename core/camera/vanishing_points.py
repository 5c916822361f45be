"""The camera of a photo from lines along edges that are parallel in the scene: vanishing points of two or three directions.

Caprile and Torre, "Using vanishing points for camera calibration", IJCV 1990: directions at right angles vanish at points whose
rays are at right angles, (v1 - p) . (v2 - p) + f^2 = 0 with the principal point p and the focal length f in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import DioramaError
from .camera import Camera
from .fspy import FoundCamera

FAR = 1e4
"""Half picture sizes at which a vanishing point counts as infinitely far."""
AXES = {"x": "X", "y": "Y", "z": "Z"}


def camera_from_lines(width: int, height: int, lines: Mapping[str, np.ndarray]) -> FoundCamera:
    """The camera of a photo of width x height from `lines` by axis, "x", "y" or "z" (upwards): (n, 2, 2) ends in pixels.

    Two axes need two lines each and take the photo's middle as principal point; three axes give the principal point too.
    Raises DioramaError where there are too few lines or no camera fits them.
    """
    drawn = {axis: np.asarray(ends, np.float64) for axis, ends in lines.items() if len(ends) >= 2}
    if len(drawn) < 2:
        raise DioramaError("Two directions with two lines each are needed; draw along edges of X, Y or Z that are parallel in the scene.")
    half, middle = max(width, height) / 2, np.array([width, height]) / 2
    points = {axis: vanishing_point((ends - middle) / half) for axis, ends in drawn.items()}
    finite = {axis: at[:2] / at[2] for axis, at in points.items() if abs(at[2]) * FAR > np.linalg.norm(at[:2])}
    if len(finite) < 2:
        raise DioramaError("The lines run as good as parallel in the photo; draw edges that run towards the distance in two directions.")
    centre = np.zeros(2)
    if len(finite) == 3:
        centre, squared = _centre_of(*finite.values())
    else:
        squared = -float(np.dot(*finite.values()))
    if not squared > 1e-4:
        raise DioramaError("No camera sees these lines at right angles; check which lines are X, Y and Z.")
    focal = float(np.sqrt(squared))
    rays = {axis: _unit(np.append(at - centre, focal)) for axis, at in finite.items()}
    # what vanishes infinitely far runs along the picture
    rays |= {axis: _unit(np.append(at[:2], 0.0)) for axis, at in points.items() if axis not in finite}
    up = rays["z"] if "z" in rays else np.cross(rays["x"], rays["y"])
    up = _unit(up) * (-1.0 if up[1] > 0 else 1.0)  # y runs down
    return FoundCamera(Camera(width, height, focal * half, *(middle + centre * half)), up)


def vanishing_point(ends: np.ndarray) -> np.ndarray:
    """(3,) homogeneous: where (n, 2, 2) lines meet, the longer ones with more weight."""
    corners = np.concatenate([ends, np.ones((len(ends), 2, 1))], axis=2)
    lines = np.cross(corners[:, 0], corners[:, 1])
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    if (length < 1e-6).any():
        raise DioramaError("A line has no length; draw it from one end of an edge to the other.")
    lines *= (length / np.linalg.norm(lines[:, :2], axis=1))[:, None]
    return np.linalg.svd(lines)[2][-1]


def _centre_of(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> tuple[np.ndarray, float]:
    """Principal point and squared focal length of three vanishing points: the triangle's orthocentre."""
    pairs = ((one, two), (two, three), (three, one))
    solved = np.linalg.lstsq(np.array([[*(-(a + b)), 1.0] for a, b in pairs]), np.array([-(a @ b) for a, b in pairs]), rcond=None)[0]
    centre = solved[:2]
    return centre, float(solved[2] - centre @ centre)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
