"""The safe range against scenes where it can be worked out by hand, and against rays."""

import numpy as np
import pytest
from scenes_of_triangles import board_before_wall, meets, sheet

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.camera.safe_range import TOLERANCE, SafeRange, crossings, gaps, safe_range

CAMERA = Camera.from_focal(800, 400, 1000)
"""Sees from -0.4 to 0.4 and -0.2 to 0.2 at unit depth."""


def test_a_wall_is_left_where_its_rim_comes_into_the_picture():
    wall = sheet((-2.0, 2.4), (-1.2, 1.0), 4.0)
    found = safe_range([wall], CAMERA)
    # one side's gap of the tolerance's size is still allowed: 0.8 or 0.4 of picture, at a quarter per metre
    assert found.right == pytest.approx(0.8 + TOLERANCE * 0.8 * 4, rel=0.01)
    assert found.left == pytest.approx(0.4 + TOLERANCE * 0.8 * 4, rel=0.01)
    assert found.up == pytest.approx(0.4 + TOLERANCE * 0.4 * 4, rel=0.01)
    assert found.down == pytest.approx(0.2 + TOLERANCE * 0.4 * 4, rel=0.01)
    assert 0.95 < found.back < 1.02, "-2 / 5 comes in at 0.4, -1.2 / 5 and 1 / 5 at 0.2"
    assert found.forward == pytest.approx(0.9 * 4)


def test_a_camera_that_keeps_the_wall_in_place_sees_no_rim():
    found = safe_range([sheet((-2.0, 2.0), (-1.0, 1.0), 4.0)], CAMERA, focus=4.0)
    assert min(found.left, found.right, found.up, found.down, found.back) == pytest.approx(4.0)


@pytest.mark.parametrize("hidden", [0.0, 0.02, 0.05])
def test_behind_a_board_the_hidden_width_decides(hidden):
    """The board at 2 m moves against the wall at 6 m by (1/2 - 1/6) t: the hidden rim of the wall is used up by that."""
    found = safe_range(board_before_wall(hidden, half=0.1), CAMERA)
    # the board's height is half the picture's: gaps of the tolerance over the whole are twice as wide there
    allowed = hidden + TOLERANCE * 0.8 * 2
    assert found.left == pytest.approx(allowed * 3, rel=0.06) and found.right == pytest.approx(allowed * 3, rel=0.06)
    if hidden:
        assert found.centred[0] == pytest.approx(3 * hidden, rel=0.35)
    # forwards the board grows over its own rim: nothing opens until the camera is at it
    assert found.forward == pytest.approx(1.8)


def test_gaps_are_what_rays_find():
    scene = board_before_wall(0.03, half=0.12)
    u, v = np.meshgrid(np.linspace(-0.3995, 0.3995, 301), np.linspace(-0.1995, 0.1995, 161))
    for axis, step in ((0, 0.15), (0, -0.3), (1, 0.25), (1, -0.12), (2, -0.8), (2, 1.2)):
        eye = np.zeros(3)
        eye[(0, 1, 2)[axis]] = -step if axis == 1 else step
        rays = np.stack([u, v, np.ones_like(u)], axis=-1).reshape(-1, 3)
        seen = np.zeros(len(rays), bool)
        for points, triangles in scene:
            seen |= meets(eye, rays, points, triangles)
        wanted = 1 - seen.mean()
        found = gaps(crossings(scene, CAMERA, axis), axis, step)
        # radial lines weigh the middle of the picture more than rays do that lie evenly
        assert found == pytest.approx(wanted, abs=0.004) or (axis == 2 and (found > TOLERANCE) == (wanted > 0.002))


def test_nothing_at_all_has_no_range():
    assert safe_range([], CAMERA) == SafeRange(0, 0, 0, 0, 0, 0)


def test_a_move_is_measured_by_the_box():
    box = SafeRange(1.0, 2.0, 0.5, 0.25, 4.0, 3.0)
    assert box.centred == (1.0, 0.25, 3.0)
    assert box.holds(2.0, -4.0, -0.5) and not box.holds(2.1, 0, 0) and not box.holds(0, 0, 0.3)
    assert box.largest_amount([[1, 0, 0], [-1, 0, 0]]) == 1.0
    assert box.largest_amount([[1, 3, 0.0]]) == 1.0 and box.largest_amount([[0, 0, 0.5], [0.1, 0, 0]]) == 0.5
    assert box.largest_amount([[0, 0, 0]]) == np.inf
