"""Normals from depth: exact on planes, close on a sphere, and not of the wall at its rim."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import filled, framed, meshed
from scenes import BORDERED, BORDERLESS, EVERY, HEIGHT, WIDTH, slanted_wall
from scipy import ndimage

from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.mesh.normals import find_slopes, normal_map
from photo_diorama.core.mesh.triangulate import triangulate
from photo_diorama.core.settings import MeshSettings


def angle(a, b) -> np.ndarray:
    """Degrees between unit vectors."""
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


def on_photo(name: str) -> np.ndarray:
    image = filled(name)
    top, left, height, width = image.frame
    return normal_map(find_slopes(image, EVERY[name]().camera), image, EVERY[name]().camera)[top : top + height, left : left + width]


@pytest.mark.parametrize("name", ["two planes", "nested", "T-junction"])
def test_planes_that_face_the_camera_face_the_camera(name):
    assert angle(on_photo(name), np.array([0, 0, -1.0])).max() < 0.1
    for mesh in meshed(name, lit=True).meshes:
        assert mesh.normals.dtype == np.float32 and mesh.normals.shape == mesh.vertices.shape
        if mesh.role == "photo":
            assert angle(mesh.normals, np.array([0, 0, -1.0])).max() < 0.1


def test_the_normal_of_a_slanted_plane_is_exact():
    """z = 1 / d with d = 1/12 + (1 - 1/12) r / (h - 1): linear in the row, so (A, B, C) follows by hand."""
    camera = EVERY["ground"]().camera
    slope = (1 - 1 / 12) / (HEIGHT - 1) * camera.focal_px
    at_centre = 1 / 12 + (1 - 1 / 12) * (camera.cy - 0.5) / (HEIGHT - 1)
    wanted = -np.array([0, slope, at_centre]) / np.hypot(slope, at_centre)
    assert angle(on_photo("ground")[6:-6], wanted).max() < 0.1
    photo = next(mesh for mesh in meshed("ground", lit=True).meshes if mesh.role == "photo")
    inner = np.abs(photo.vertices[:, 1] / photo.vertices[:, 2]) < 0.45 * HEIGHT / camera.focal_px
    assert angle(photo.normals, wanted)[inner].max() < 0.5


def own_normals(mesh) -> np.ndarray:
    """(V, 3): the mean of the triangles around each vertex, by area, as Blender makes them."""
    across = np.cross(*(mesh.vertices[mesh.triangles[:, i]] - mesh.vertices[mesh.triangles[:, 0]] for i in (2, 1)))
    own = np.stack([np.bincount(mesh.triangles.ravel(), across[:, i].repeat(3), len(mesh.vertices)) for i in range(3)], axis=1)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    return own if own[:, 2].mean() < 0 else -own


def test_a_sphere_is_round():
    camera = EVERY["sphere"]().camera
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    points = camera.unproject(u, v, 1.0 / framed(filled("sphere"), filled("sphere").layers[0].disparity))
    truth = (points - np.array([0, 0, 1.5])) / 0.35
    # sharpening flattens the steep rim, which then is off the sphere
    facing = ndimage.binary_erosion(np.abs(np.linalg.norm(truth, axis=2) - 1) < 0.01, iterations=3)
    off = angle(on_photo("sphere"), truth / np.linalg.norm(truth, axis=2, keepdims=True))[facing]
    assert facing.sum() > 1200 and np.median(off) < 0.1 and np.percentile(off, 95) < 3
    photo = next(mesh for mesh in meshed("sphere", lit=True).meshes if mesh.role == "photo")
    out = (photo.vertices - np.array([0, 0, 1.5])) / 0.35
    on = (np.abs(np.linalg.norm(out, axis=1) - 1) < 0.02) & (out[:, 2] < -0.85)
    assert on.sum() > 50 and angle(photo.normals, out / np.linalg.norm(out, axis=1, keepdims=True))[on].mean() < 2.5


def test_noise_of_the_depth_is_smoothed_away_but_for_a_part_of_what_the_triangles_show():
    scene, image = EVERY["ground"](), filled("ground")
    layer = image.layers[0]
    noise = np.random.default_rng(4).normal(scale=0.002, size=layer.disparity.shape).astype(np.float32)
    rough = replace(image, layers=(replace(layer, disparity=layer.disparity + noise * layer.disparity),))
    truth = {mesh.role: mesh for mesh in triangulate(image, scene.photo(), True, MeshSettings(density=10.0), lit=True).meshes}["photo"]
    noisy = {mesh.role: mesh for mesh in triangulate(rough, scene.photo(), True, MeshSettings(density=10.0), lit=True).meshes}["photo"]
    wanted = np.median(truth.normals, axis=0)
    ours, own = angle(noisy.normals, wanted).mean(), angle(own_normals(noisy), wanted).mean()
    assert ours < 0.5 * own, (ours, own)


def test_the_wall_beside_the_sphere_stays_flat():
    wall = EVERY["sphere"]().surface == 0
    assert np.percentile(angle(on_photo("sphere")[wall], np.array([0, 0, -1.0])), 99) < 1


def test_depth_beside_a_silhouette_is_trusted_less():
    """Noise in the two pixels beside a silhouette, where depth is mixed, hardly turns the wall next to them."""
    scene = slanted_wall()
    near = scene.surface == 1
    band = ndimage.binary_dilation(near, np.ones((5, 5))) & ~near
    beside = ndimage.binary_dilation(near, np.ones((9, 9))) & ~near & ~band
    image = scene.split(BORDERLESS)
    noise = np.random.default_rng(0).normal(scale=0.003, size=image.shape).astype(np.float32)
    layer = replace(image.layers[0], disparity=image.layers[0].disparity + noise * band)
    truth = scene.disparity[0, 1] - scene.disparity[0, 0]
    off = np.abs(find_slopes(replace(image, layers=(layer,)), scene.camera)[0, ..., 0] - truth)[beside].mean() / truth
    assert off < 0.06, off


def made_normals(name: str) -> np.ndarray:
    """(h, w, 3) float32: the true normals of the ground or the sphere before its wall, by their formulas."""
    scene = EVERY[name]()
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    points = scene.camera.unproject(u, v, 1.0 / scene.disparity)
    if name == "sphere":
        out = np.where((scene.surface == 1)[..., None], points - np.array([0, 0, 1.5]), np.array([0, 0, -1.0]))
    else:
        slope = (1 - 1 / 12) / (HEIGHT - 1) * scene.camera.focal_px
        out = np.broadcast_to(-np.array([0, slope, 1 / 12 + (1 - 1 / 12) * (scene.camera.cy - 0.5) / (HEIGHT - 1)]), points.shape)
    return (out / np.linalg.norm(out, axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("name", ["ground", "sphere"])
def test_told_normals_are_taken_where_the_depth_is_wavy(name):
    """Depth with waves of 0.5 %, as estimators make them, tells normals some degrees off; those that came with it are within one."""
    scene, truth = EVERY[name](), made_normals(name)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    noise = 0.005 * np.sin(rows / 3) * np.sin(columns / 3)
    depth = replace(scene.depth(), disparity=(scene.disparity * (1 + noise)).astype(np.float32), normals=truth)
    off = {}
    for told in (depth, replace(depth, normals=None)):
        image = make_first_layer(scene.photo(), told, BORDERED)
        top, left, height, width = image.frame
        found = normal_map(find_slopes(image, scene.camera), image, scene.camera)[top : top + height, left : left + width]
        inner = ndimage.binary_erosion(scene.surface == scene.surface.max(), iterations=12)
        inner &= truth[..., 2] < -0.3
        off[told.normals is not None] = angle(found, truth)[inner]
    assert np.percentile(off[True], 95) < 1 and np.median(off[True]) < 0.1 * np.median(off[False]), off
    assert np.median(off[False]) > 2


def test_told_normals_reach_the_meshes_and_the_border_and_fall_back_where_none_are():
    scene, truth = EVERY["ground"](), made_normals("ground")
    turned = np.broadcast_to(np.float32([0.6, 0, -0.8]), truth.shape).copy()  # which the depth knows nothing of
    turned[:, : WIDTH // 2] = 0  # unknown
    image = make_first_layer(scene.photo(), replace(scene.depth(), normals=turned), BORDERED)
    for mesh in triangulate(image, scene.photo(), True, MeshSettings(density=10.0, backdrop=False), lit=True).meshes:
        u = mesh.vertices[:, 0] / mesh.vertices[:, 2] * scene.camera.focal_px
        for side, wanted in ((u > 4, turned[0, -1]), (u < -4, truth[0, 0])):
            assert side.any() and np.median(angle(mesh.normals, wanted)[side]) < 2, mesh.role


def test_normals_from_the_edge_or_from_behind_are_not_taken():
    scene = EVERY["two planes"]()
    for odd in ([0, 0, 1.0], [1.0, 0, -0.01], [0, 0, 0]):
        normals = np.broadcast_to(np.float32(odd), (HEIGHT, WIDTH, 3))
        image = make_first_layer(scene.photo(), replace(scene.depth(), normals=normals), BORDERLESS)
        plain = make_first_layer(scene.photo(), scene.depth(), BORDERLESS)
        sure = scene.camera.unproject(*(np.mgrid[:HEIGHT, :WIDTH][::-1] + 0.5), np.ones((HEIGHT, WIDTH))) @ np.float32(odd) > -0.05
        both = (find_slopes(each, scene.camera)[0][sure] for each in (image, plain))
        assert np.allclose(*both, atol=1e-6)
