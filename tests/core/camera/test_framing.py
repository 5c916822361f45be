"""The framing of moves: a box scene whose edge is known, and cameras whose rays are followed to the photo's frame."""

import numpy as np
import pytest

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.camera.framing import (
    TOLERANCE,
    Eyes,
    FrameEdge,
    Path,
    closer_start,
    describe_framing,
    frame_edge,
    lens_factor,
)

CAMERA = Camera(400, 300, 400.0, 200.0, 150.0)


def wall(depth, left=-0.5, right=0.5, top=-0.375, bottom=0.375, cells=6):
    """(points, triangles) of a wall at that distance, or at those on its left and right, seen from left to right over 1."""
    x, y = np.meshgrid(np.linspace(left, right, cells + 1), np.linspace(top, bottom, cells + 1))
    disparity = np.interp(x, [left, right], 1 / (np.ones(2) * depth))
    points = np.stack([x / disparity, y / disparity, 1 / disparity], -1).reshape(-1, 3)
    n = np.arange(len(points)).reshape(x.shape)
    tl, tr, bl, br = (part.ravel() for part in (n[:-1, :-1], n[:-1, 1:], n[1:, :-1], n[1:, 1:]))
    return points, np.concatenate([np.stack([tl, bl, br], 1), np.stack([tl, br, tr], 1)])


def still(*places, turn=np.eye(3), lens=1.0):
    return Path(np.array(places, float), np.repeat(np.array(turn)[None], len(places), 0), np.full(len(places), lens))


def test_the_edge_is_as_long_as_the_frame_and_lies_on_it():
    edge = frame_edge([wall((2.0, 5.0))], CAMERA)
    u, v = CAMERA.project(edge.points)
    for side, (where, value) in enumerate(((u, 0), (u, 400), (v, 0), (v, 300))):
        assert np.allclose(where[edge.side == side], value, atol=1e-6)
        assert edge.length[edge.side == side].sum() == pytest.approx(0.75 if side < 2 else 1.0)


@pytest.mark.parametrize("place, wanted", [
    ((0, 0, -0.3), 1.15),  # back from a wall at 2: everything is smaller by 2 / 2.3
    ((0.1, 0, 0), 1 / (1 - 2 * 0.05)),  # 0.05 of 1 to the side of the half picture of 0.5
    ((0, 0.1, 0), 1 / (1 - 0.05 / 0.375)),
    ((0, 0, 0.5), 1.0),
    ((0, 0, 0), 1.0),
])  # fmt: skip
def test_before_a_wall_it_is_what_geometry_says(place, wanted):
    found = lens_factor(frame_edge([wall(2.0)], CAMERA), CAMERA, still((0, 0, 0), place))
    assert wanted - 3 * TOLERANCE <= found <= wanted + 1e-3


def test_lens_and_turn_count():
    edge, c, s = frame_edge([wall(2.0)], CAMERA), np.cos(0.02), np.sin(0.02)
    wide = lens_factor(edge, CAMERA, still((0, 0, 0), lens=0.8))
    assert wide == pytest.approx(1.25, rel=2e-3)
    turned = lens_factor(edge, CAMERA, still((0, 0, 0), turn=[[c, 0, s], [0, 1, 0], [-s, 0, c]]))
    assert turned == pytest.approx(0.5 / np.tan(np.arctan(0.5) - 0.02), rel=5e-3)


def test_no_ray_of_any_frame_leaves_the_photo(rng=np.random.default_rng(3)):
    """Stepped edges: rays through the picture's rim, marched to the surfaces, never meet them outside the photo's frame."""
    near, far = wall(2.0, bottom=0.1), wall((6.0, 9.0), top=0.1)
    edge = frame_edge([near, far], CAMERA)
    for _ in range(20):
        place = rng.uniform(-0.15, 0.15, 3)
        factor = lens_factor(edge, CAMERA, still(place))
        rim = np.linspace(-1, 1, 201)
        x = np.concatenate([rim, rim, -np.ones(201), np.ones(201)]) * 0.5 / factor
        y = np.concatenate([-np.ones(201), np.ones(201), rim, rim]) * 0.375 / factor
        outside = 0
        for i in range(len(x)):
            z = np.linspace(0.2, 12, 3000)
            points = np.stack([place[0] + x[i] * z, place[1] + y[i] * z, place[2] + z], 1)
            u, v = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
            met = np.where(v < 0.1, points[:, 2] >= 2.0, 1 / points[:, 2] <= 1 / 6 + (1 / 9 - 1 / 6) * (u + 0.5))
            at = np.argmax(met)
            outside += (abs(u[at]) > 0.502) or (abs(v[at]) > 0.377)
        assert outside / len(x) < 0.03  # of the outermost line of pixels


def test_a_camera_that_sees_less_than_the_photo_needs_less():
    edge, closeup = frame_edge([wall(2.0)], CAMERA), Camera(400, 300, 600.0, 200.0, 150.0)
    assert lens_factor(edge, closeup, still((0.1, 0, 0))) == 1.0
    assert lens_factor(FrameEdge(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.int8)), CAMERA, still((9, 9, 9))) == 1.0


def test_a_closer_start_is_bounded():
    assert closer_start(still((0, 0, -0.3), (0, 0, 0.3)), 2.0, 1.0) == pytest.approx(0.15)
    assert closer_start(still((0, 0, -0.02), (0, 0, 0.02)), 2.0, 1.0) == pytest.approx(0.02)
    assert closer_start(still((0, 0, -1.5), (0, 0, 1.5)), 2.0, 5.0) == pytest.approx(0.1)


def test_the_description_of_a_framing():
    assert describe_framing(1.0, 1.0) == "" and describe_framing(1 / 0.92, 1.0) == "Framed 8 % tighter so that no edge shows."
    assert "an amount of 1.6 needs about 20 %" in describe_framing(1 / 0.75, 2.0)


@pytest.mark.parametrize("convergence, wanted", [(4.0, 1.0), (2.0, 1 / (1 - 2 * 0.015)), (8.0, 1 / (1 - 2 * 0.0075))])
def test_two_eyes_see_past_the_edge_by_what_lies_off_the_screen(convergence, wanted):
    """Each eye is 0.06 beside the middle, the wall at 4: 0.06 (1/4 - 1/convergence) of the focal length."""
    edge = frame_edge([wall(4.0)], CAMERA)
    path, eyes = still((0, 0, 0)), Eyes(0.12, convergence)
    assert lens_factor(edge, CAMERA, path, eyes) == pytest.approx(wanted, abs=2e-3)
    assert lens_factor(edge, CAMERA, path) == 1.0


def test_a_longer_lens_needs_no_second_margin():
    edge = frame_edge([wall(4.0)], CAMERA)
    assert lens_factor(edge, CAMERA, still((0, 0, 0)).with_lenses(np.array([1.1])), Eyes(0.12, 2.0)) == 1.0
