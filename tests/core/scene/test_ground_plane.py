"""The ground plane: exact planes, noise, furniture and slopes; and that there is none where there is none."""

import numpy as np
import pytest

from photo_diorama.core.scene.ground_plane import UP, find_ground, find_walls, normals_of

WIDTH, HEIGHT, FOCAL = 96, 64, 96.0


def rays() -> np.ndarray:
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones_like(u)], -1).reshape(-1, 3)


def turned(pitch: float, roll: float = 0.0) -> np.ndarray:
    """Upwards as a camera sees it that looks down by `pitch` and is rolled, in degrees."""
    p, r = np.radians(pitch), np.radians(roll)
    return np.array([np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)])


def scene(up: np.ndarray, height: float, wall: float = 12.0, furniture=()):
    """Points and normals of ground with a wall behind it, and boxes' tops: (rows, columns, height above the ground)."""
    ray = rays()
    z = np.full(len(ray), wall)
    normal = np.tile([0.0, 0.0, -1.0], (len(ray), 1))
    for above, where in [(0.0, np.ones(len(ray), bool)), *furniture]:
        slope = ray @ up
        with np.errstate(divide="ignore"):
            hit = np.where(slope < 0, -(height - above) / slope, np.inf)
        nearer = where & (hit < z)
        z[nearer], normal[nearer] = hit[nearer], up
    return ray * z[:, None], normal


@pytest.mark.parametrize("pitch, roll", [(0, 0), (15, 0), (40, 0), (-3, 6), (20, -15)])
def test_a_plane_is_found_exactly_however_the_camera_is_held(pitch, roll):
    up = turned(pitch, roll)
    ground = find_ground(*scene(up, 1.6))
    assert np.degrees(np.arccos(min(1, ground.normal @ up))) < 1e-4
    assert ground.height == pytest.approx(1.6, rel=1e-6)
    assert ground.tilt_deg == pytest.approx(np.degrees(np.arccos(up @ UP)), abs=1e-4)
    assert ground.point @ up == pytest.approx(-1.6) and ground.point[2] > 0
    points, normals = scene(up, 1.6)
    on_it = np.abs(points @ up + 1.6) < 0.02 * points[:, 2]
    assert np.array_equal(ground.inliers, on_it & (normals @ up > 0.99)) and ground.inliers.sum() > 1000


def test_noise_and_gross_errors_move_it_little():
    up, rng = turned(12, 3), np.random.default_rng(0)
    points, normals = scene(up, 1.6)
    points *= 1 + 0.01 * rng.standard_normal((len(points), 1))
    wild = rng.random(len(points)) < 0.2
    points[wild] *= rng.uniform(0.3, 1.0, (wild.sum(), 1))
    normals += 0.2 * rng.standard_normal(normals.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    ground = find_ground(points, normals)
    assert np.degrees(np.arccos(ground.normal @ up)) < 1.0 and ground.height == pytest.approx(1.6, rel=0.03)
    again = find_ground(points, normals)
    assert np.array_equal(again.normal, ground.normal) and again.offset == ground.offset


def test_a_large_table_is_not_the_ground():
    up = turned(20)
    table = np.zeros((HEIGHT, WIDTH), bool)
    table[36:, 8:70] = True  # more of the picture than the floor
    ground = find_ground(*scene(up, 1.6, furniture=[(0.75, table.ravel())]))
    assert ground.height == pytest.approx(1.6, rel=1e-3)


def test_there_is_none_in_a_wall_a_ceiling_noise_and_too_little():
    ray, rng = rays(), np.random.default_rng(1)
    wall = ray * 3.0, np.tile([0.0, 0.0, -1.0], (len(ray), 1))
    assert find_ground(*wall) is None
    points, normals = scene(turned(0), 1.6)
    assert find_ground(points * (1, -1, 1), normals * (1, -1, 1)) is None
    directions = rng.standard_normal(ray.shape)
    assert find_ground(ray * rng.uniform(1, 20, (len(ray), 1)), directions / np.linalg.norm(directions, axis=1)[:, None]) is None
    assert find_ground(points[:0], normals[:0]) is None
    assert find_ground(np.full_like(points, np.nan), normals) is None
    few = np.arange(len(points)) >= len(points) - 150  # a strip at the picture's lower edge
    normals[~few] = (0, 0, -1)
    assert find_ground(points, normals) is None


def test_unknown_points_are_passed_over():
    up = turned(10)
    points, normals = scene(up, 1.2)
    points[::3], normals[1::7] = np.nan, np.inf
    assert find_ground(points, normals).height == pytest.approx(1.2, rel=1e-6)


def test_normals_face_the_camera_and_do_not_bend_at_edges():
    up = turned(15, 5)
    points, normals = scene(up, 1.6, wall=6.0)
    found = normals_of(points.reshape(HEIGHT, WIDTH, 3)).reshape(-1, 3)
    right = np.degrees(np.arccos(np.clip((found * normals).sum(1), -1, 1)))
    assert np.mean(right < 0.01) > 0.97  # all but where wall and ground meet
    points = points.reshape(HEIGHT, WIDTH, 3).copy()
    points[10:20, 10:20] = np.nan
    found = normals_of(points)
    assert np.isnan(found[10:20, 10:20]).all() and np.isfinite(found[30:]).all()


@pytest.mark.parametrize("pitch, roll", [(0, 0), (12, 0), (-3, 6)])
def test_two_walls_of_a_room_are_found_exactly(pitch, roll):
    up = turned(pitch, roll)
    ray = rays()
    beside = np.cross(up, [0, 0, 1.0])
    beside /= np.linalg.norm(beside)
    ahead = np.cross(beside, up)
    planes = [(up, -1.5), (-(0.8 * ahead + 0.6 * beside), -6.0), (-(0.8 * ahead - 0.6 * beside), -5.0)]
    with np.errstate(divide="ignore"):
        hits = np.array([np.where(ray @ n < 0, offset / (ray @ n), np.inf) for n, offset in planes])
    nearest = hits.argmin(0)
    points, normals = ray * hits.min(0)[:, None], np.array([n for n, _ in planes])[nearest]
    assert find_ground(points, normals).normal @ up == pytest.approx(1)
    found = find_walls(points, normals, up)
    largest_first = sorted((1, 2), key=lambda k: -(nearest == k).sum())
    assert len(found) == 2
    for wall, k in zip(found, largest_first, strict=True):
        np.testing.assert_allclose(wall, [*planes[k][0], planes[k][1]], atol=1e-6)
    assert len(find_walls(points, normals, up, most=1)) == 1


def test_what_is_seen_through_a_window_does_not_count_against_its_wall():
    points, normals = scene(turned(5), 1.6, wall=8.0)
    ray = rays()
    window = (np.abs(ray[:, 0]) < 0.2) & (np.abs(ray[:, 1] + 0.1) < 0.1)
    points = np.where(window[:, None], ray * 60.0, points)
    (wall,) = find_walls(points, normals, turned(5))
    np.testing.assert_allclose(wall, [0, 0, -1, -8], atol=1e-6)


def test_there_is_no_wall_in_ground_noise_and_too_little():
    rng, up = np.random.default_rng(2), turned(50)
    assert find_walls(*scene(up, 1.6, wall=1e4), up) == []
    ray, directions = rays(), rng.normal(size=(WIDTH * HEIGHT, 3))
    assert find_walls(ray * rng.uniform(1, 20, (len(ray), 1)), directions / np.linalg.norm(directions, axis=1)[:, None]) == []
    points, normals = scene(turned(0), 1.6)
    assert find_walls(points[:0], normals[:0]) == [] and find_walls(np.full_like(points, np.nan), normals) == []
