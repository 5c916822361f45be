"""The pinhole camera: project undoes unproject, axes and pixel centres are as written, resizing keeps what is seen."""

import math

import numpy as np
import pytest

from photo_diorama.core.camera.camera import DEFAULT_FOV_DEG, Camera

CAMERAS = [
    Camera.from_fov(160, 120),
    Camera.from_fov(120, 160, 90),
    Camera(6000, 4000, 5123.4, 2871.0, 2100.5),  # off its centre
    Camera.from_focal(17, 17, 400),
]


@pytest.mark.parametrize("camera", CAMERAS)
def test_project_of_unproject_is_the_pixel_grid(camera):
    v, u = np.meshgrid(np.linspace(0, camera.height, 23), np.linspace(0, camera.width, 31), indexing="ij")
    z = 0.1 + np.random.default_rng(0).random(u.shape) * 100
    points = camera.unproject(u, v, z)
    assert points.shape == (*u.shape, 3) and np.array_equal(points[..., 2], z)
    assert np.allclose(camera.project(points), (u, v), rtol=0, atol=1e-9)


def test_unproject_of_project_is_the_point():
    points = np.random.default_rng(1).normal(size=(50, 3)) + (0, 0, 5)
    camera = CAMERAS[2]
    u, v = camera.project(points)
    assert np.allclose(camera.unproject(u, v, points[:, 2]), points)


def test_axes_are_right_down_forward():
    camera = Camera.from_focal(160, 120, 100)
    assert np.allclose(camera.unproject(np.float64(80), np.float64(60), 3.0), (0, 0, 3))
    x, y, z = camera.unproject(np.float64(180), np.float64(160), 2.0)
    assert (x, y, z) == pytest.approx((2, 2, 2))
    # the outer corner of the first pixel is (0, 0), so the middle of 160 x 120 pixels is a corner of four
    assert camera.project(np.array([0.0, 0.0, 1.0])) == (80, 60)


@pytest.mark.parametrize("fov", [10, 53.13, 120])
@pytest.mark.parametrize("size", [(160, 120), (120, 160)])
def test_fov_spans_the_long_side(size, fov):
    camera = Camera.from_fov(*size, fov)
    assert camera.fov_deg == pytest.approx(fov)
    ends = [(0.0, camera.cy), (camera.width, camera.cy)] if size[0] > size[1] else [(camera.cx, 0.0), (camera.cx, camera.height)]
    a, b = (camera.unproject(u, v, 1.0) for u, v in ends)
    assert math.degrees(math.acos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))) == pytest.approx(fov)


def test_default_angle_is_a_focal_length_of_the_long_side():
    assert Camera.from_fov(160, 120, DEFAULT_FOV_DEG).focal_px == pytest.approx(160)


@pytest.mark.parametrize("camera", CAMERAS[:3])
def test_resized_sees_the_same(camera):
    half = camera.resized(camera.width // 2, camera.height // 2)
    assert half.fov_deg == pytest.approx(camera.fov_deg)
    point = np.array([0.3, -0.2, 2.0])
    (u, v), (a, b) = camera.project(point), half.project(point)
    assert (a, b) == pytest.approx((u / 2, v / 2))
    again = half.resized(camera.width, camera.height)
    assert (again.focal_px, again.cx, again.cy) == pytest.approx((camera.focal_px, camera.cx, camera.cy))
