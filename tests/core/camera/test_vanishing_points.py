"""A camera from lines: exact for exact lines of any view, close for lines drawn by hand, and told where lines say too little."""

import json
from pathlib import Path

import numpy as np
import pytest
from poses import turned

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.camera.vanishing_points import camera_from_lines
from photo_diorama.core.errors import DioramaError

DEMO = Path(__file__).parents[3] / "docs/demo"
WIDTH, HEIGHT, FOCAL = 1536, 1024, 1195.0
VIEWS = [(-8, 0, 35), (12, 3, -50), (-20, -5, 60)]


def seen_lines(turn, centre=(768.0, 512.0), noise=0.0, axes="xyz") -> tuple[dict, np.ndarray]:
    """Edges of boxes before the camera as it sees them, by axis; and the scene's upwards in core's axes."""
    rng = np.random.default_rng(4)
    camera, pose = Camera(WIDTH, HEIGHT, FOCAL, *centre), turned(*turn)
    lines = {axis: [] for axis in axes}
    while min(len(ends) for ends in lines.values()) < 6:
        start = np.array([rng.uniform(-2, 2), rng.uniform(-1.3, 1.3), rng.uniform(4, 8)])
        for k, axis in enumerate("xyz"):
            along = (pose.T @ np.eye(3)[k]) * (1, -1, -1)
            ends = np.stack([start - along, start + along])
            if axis in lines and (ends[:, 2] > 1).all():
                u, v = camera.project(ends)
                if (u > 0).all() and (u < WIDTH).all() and (v > 0).all() and (v < HEIGHT).all():
                    lines[axis].append(np.stack([u, v], axis=1) + rng.normal(0, noise, (2, 2)))
    return {axis: np.array(ends) for axis, ends in lines.items()}, (pose.T @ (0, 0, 1)) * (1, -1, -1)


def tilt_error(found, up) -> float:
    return np.degrees(np.arccos(np.clip(found.up @ up, -1, 1)))


@pytest.mark.parametrize("turn", VIEWS)
@pytest.mark.parametrize("axes", ["xy", "xz", "yz", "xyz"])
def test_exact_lines_give_the_exact_camera(turn, axes):
    lines, up = seen_lines(turn, axes=axes)
    found = camera_from_lines(WIDTH, HEIGHT, lines)
    assert found.camera.focal_px == pytest.approx(FOCAL, rel=1e-6)
    assert (found.camera.cx, found.camera.cy) == pytest.approx((768, 512), abs=1e-3) and tilt_error(found, up) < 1e-4


@pytest.mark.parametrize("turn", VIEWS)
def test_three_directions_find_the_principal_point(turn):
    lines, up = seen_lines(turn, centre=(820.0, 470.0))
    found = camera_from_lines(WIDTH, HEIGHT, lines)
    assert (found.camera.focal_px, found.camera.cx, found.camera.cy) == pytest.approx((FOCAL, 820, 470), rel=1e-6)
    assert tilt_error(found, up) < 1e-4


@pytest.mark.parametrize("turn", VIEWS)
@pytest.mark.parametrize("axes", ["xy", "xyz"])
def test_lines_a_third_of_a_pixel_off_are_good_enough(turn, axes):
    lines, up = seen_lines(turn, noise=0.3, axes=axes)
    found = camera_from_lines(WIDTH, HEIGHT, lines)
    assert found.camera.focal_px == pytest.approx(FOCAL, rel=0.01) and tilt_error(found, up) < 0.3


def test_upright_lines_in_a_level_view_are_no_trouble():
    """They vanish infinitely far."""
    lines, up = seen_lines((0, 0, 40))
    found = camera_from_lines(WIDTH, HEIGHT, lines)
    assert found.camera.focal_px == pytest.approx(FOCAL, rel=1e-6) and tilt_error(found, up) < 1e-3


def test_lines_drawn_by_hand_on_the_courtyard():
    """Along planks and plank ends of the table, and uprights of window and gate; the scene's own camera looks down by 9 degrees."""
    drawn = {
        "x": [[394, 771, 1369, 717], [378, 809, 1427, 746], [351, 857, 1501, 783], [368, 860, 523, 850], [339, 918, 545, 901]],
        "y": [[394, 771, 378, 809], [369, 813, 352, 857], [337, 919, 311, 984], [1369, 717, 1427, 746], [1432, 747, 1501, 783]],
        "z": [
            [51, 143, 73, 398],
            [409, 139, 421, 399],
            [689, 330, 691, 531],
            [561, 330, 567, 570],
            [147, 144, 167, 397],
            [263, 153, 273, 332],
        ],
    }
    own = json.loads((DEMO / "camera.json").read_text())
    found = camera_from_lines(own["width"], own["height"], {axis: np.reshape(ends, (-1, 2, 2)) for axis, ends in drawn.items()})
    assert found.camera.focal_px == pytest.approx(own["focal_px"], rel=0.04)
    assert (found.camera.cx, found.camera.cy) == pytest.approx((own["cx"], own["cy"]), abs=5)
    pitch = np.radians(9)
    assert tilt_error(found, (0, -np.cos(pitch), -np.sin(pitch))) < 0.1


def test_too_little_is_told():
    lines, _ = seen_lines(VIEWS[0])
    level = np.array([[[0, 0], [100, 0]], [[0, 50], [100, 50]]], float)
    for given, words in (
        ({"x": lines["x"]}, "Two directions"), ({"x": lines["x"], "y": lines["y"][:1]}, "Two directions"),
        ({"x": level, "y": level + 3}, "as good as parallel"), ({"x": lines["x"], "y": lines["x"]}, "right angles"),
        ({"x": lines["x"], "y": np.zeros((2, 2, 2))}, "no length"),
    ):  # fmt: skip
        with pytest.raises(DioramaError, match=words):
            camera_from_lines(WIDTH, HEIGHT, given)
