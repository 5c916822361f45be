"""The camera of a photo from lines along edges that are parallel in the scene: vanishing points of two or three directions.

Caprile and Torre, "Using vanishing points for camera calibration", IJCV 1990: directions at right angles vanish at points whose
rays are at right angles, (v1 - p) . (v2 - p) + f^2 = 0 with the principal point p and the focal length f in pixels. From there
the camera with the least squared distance of the lines' ends is sought (Hartley and Zisserman, "Multiple View Geometry", 2nd ed., 4.2 and
8.6): directions far away weigh no more than they say.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import DioramaError
from .camera import Camera
from .fspy import FoundCamera

INFINITELY_FAR = 1e4
"""Half picture sizes at which a vanishing point counts as infinitely far."""
DRAWING_ERROR, OFF_CENTRE = 0.5, 0.01
"""How exactly lines are drawn at best, in pixels, and how far from the photo's middle a lens' centre commonly is, in half picture sizes."""


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
    finite = {axis: at[:2] / at[2] for axis, at in points.items() if abs(at[2]) * INFINITELY_FAR > np.linalg.norm(at[:2])}
    if len(finite) < 2:
        raise DioramaError("The lines run as good as parallel in the photo; draw edges that run towards the distance in two directions.")
    centre = np.zeros(2)
    if len(finite) == 3:
        centre, squared = _principal_point(*finite.values())
    else:
        squared = -float(np.dot(*finite.values()))
    if not squared > 1e-4:
        raise DioramaError("No camera sees these lines at right angles; check which lines are X, Y and Z.")
    focal = float(np.sqrt(squared))
    rays = {axis: _unit(np.append(at - centre, focal)) for axis, at in finite.items()}
    # lines whose vanishing point is infinitely far run parallel to the picture
    rays |= {axis: _unit(np.append(at[:2], 0.0)) for axis, at in points.items() if axis not in finite}
    focal, centre, rays = _nearest_to_ends({axis: (ends - middle) / half for axis, ends in drawn.items()}, focal, centre, rays, half)
    up = rays["z"] if "z" in rays else np.cross(rays["x"], rays["y"])
    up = _unit(up) * (-1.0 if up[1] > 0 else 1.0)  # y runs down
    return FoundCamera(Camera(width, height, focal * half, *(middle + centre * half)), up)


def _nearest_to_ends(
    drawn: Mapping[str, np.ndarray], focal: float, centre: np.ndarray, rays: Mapping[str, np.ndarray], half: float
) -> tuple[float, np.ndarray, dict[str, np.ndarray]]:
    """Focal length, lens' centre and rays of the axes at right angles whose lines run nearest to the ends that were drawn.

    Where the lens' centre is sought too, it keeps near the middle as far as the lines, by how well they meet, leave room for it.
    """
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    axes = tuple(rays)
    left, _, right = np.linalg.svd(np.stack([rays[axis] for axis in axes], axis=1), full_matrices=False)
    first = left @ right  # (3, axes): at right angles
    free = len(drawn) == 3
    lines = [(k, drawn[axis]) for k, axis in enumerate(axes)]

    def camera(wanted: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return float(np.exp(wanted[3])), wanted[4:] if free else centre, Rotation.from_rotvec(wanted[:3]).as_matrix() @ first

    def off(wanted: np.ndarray) -> np.ndarray:
        length, at, turned = camera(wanted)
        return np.concatenate([_off_lines(ends, np.append(length * turned[:2, k] + turned[2, k] * at, turned[2, k])) for k, ends in lines])

    start = np.concatenate([[0, 0, 0, np.log(focal)], centre if free else []])
    found = least_squares(off, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    if free:
        spare = len(found.fun) - len(start)
        exact = np.sqrt(2 * found.cost / spare) if spare > 0 else DRAWING_ERROR / half
        best = found.x if np.hypot(*found.x[4:]) < 1 else np.append(found.x[:4], [0.0, 0.0])
        # a Cauchy prior: cropped photos may have their centre anywhere
        middle = lambda x: exact * np.sqrt(2 * np.log1p(x[4:] @ x[4:] / OFF_CENTRE**2))  # noqa: E731
        found = least_squares(lambda x: np.append(off(x), middle(x)), best, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    focal, centre, turned = camera(found.x)
    return focal, np.array(centre), {axis: turned[:, k] for k, axis in enumerate(axes)}


def _off_lines(ends: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(n,): how far both ends of (n, 2, 2) lines lie from straight lines through their middles and a homogeneous point, root of
    the sum of squares, with a sign."""
    middle = ends.mean(axis=1)
    along = point[:2] - point[2] * middle
    along = along / np.maximum(np.linalg.norm(along, axis=1), 1e-12)[:, None]
    half = (ends[:, 1] - ends[:, 0]) / 2
    return np.sqrt(2) * (along[:, 0] * half[:, 1] - along[:, 1] * half[:, 0])


def vanishing_point(ends: np.ndarray) -> np.ndarray:
    """(3,) homogeneous: where (n, 2, 2) lines meet, the longer ones with more weight."""
    corners = np.concatenate([ends, np.ones((len(ends), 2, 1))], axis=2)
    lines = np.cross(corners[:, 0], corners[:, 1])
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    if (length < 1e-6).any():
        raise DioramaError("A line has no length; draw it from one end of an edge to the other.")
    lines *= (length / np.linalg.norm(lines[:, :2], axis=1))[:, None]
    return np.linalg.svd(lines)[2][-1]


def _principal_point(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> tuple[np.ndarray, float]:
    """Principal point and squared focal length of three vanishing points: the triangle's orthocentre."""
    pairs = ((one, two), (two, three), (three, one))
    solved = np.linalg.lstsq(np.array([[*(-(a + b)), 1.0] for a, b in pairs]), np.array([-(a @ b) for a, b in pairs]), rcond=None)[0]
    centre = solved[:2]
    return centre, float(solved[2] - centre @ centre)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
