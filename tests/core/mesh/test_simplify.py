"""Fewer triangles: the number asked for, the surfaces and outlines where they were, the photo as exact as before."""

from functools import cache

import numpy as np
import pytest
from layer_checks import areas, covered, on_picture
from scenes import Scene

from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.mesh import simplify
from photo_diorama.core.mesh.quadtree import FLATNESS
from photo_diorama.core.mesh.triangulate import triangulate
from photo_diorama.core.settings import InpaintSettings, LayerSettings, MeshSettings

HEIGHT, WIDTH = 360, 480
SPLIT = LayerSettings(long_side=WIDTH, rim=0.0, border=0.05)


@cache
def large() -> tuple:
    """A photo of leaves before a wall that bends, split and filled."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    wall = 0.3 + 0.03 * np.sin(columns / 40) + 0.02 * np.cos(rows / 31)
    leaves = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    for y, x, radius in ((100, 120, 60), (230, 280, 80), (290, 90, 33), (80, 380, 47)):
        ragged = radius * (1 + 0.15 * np.sin(9 * np.arctan2(rows - y, columns - x)))
        leaves = np.where(np.hypot(rows - y, columns - x) < ragged, 0.8 + 0.05 * np.sin(rows / 25), leaves)
    near = np.isfinite(leaves)
    colour = np.dstack([rows % 256, columns % 256, (rows + columns) % 256]).astype(np.uint8)
    scene = Scene(colour, np.where(near, leaves, wall), near.astype(np.int8), np.stack([wall, leaves]))
    image = inpaint(scene.split(SPLIT), SPLIT, InpaintSettings(inpainter="diffusion", hidden_depth="nearest"))[0]
    return image, scene.photo()


@cache
def meshed(triangles: int = 0, density: float = 1.0, backdrop: bool = False):
    return triangulate(*large(), True, MeshSettings(triangles, density, backdrop))


def seen(layered) -> np.ndarray:
    """(h, w) disparity of the photo's surface at each pixel's centre."""
    photo = next(mesh for mesh in layered.meshes if mesh.role == "photo")
    corners, disparity = on_picture(layered, photo), 1 / photo.vertices[:, 2][photo.triangles].astype(np.float64)
    result = np.full((HEIGHT, WIDTH), np.nan)
    low, high = np.ceil(corners.min(axis=1) - 0.5).astype(int), np.floor(corners.max(axis=1) - 0.5).astype(int)
    size = np.maximum(high - low + 1, 0)
    count = size[:, 0] * size[:, 1]
    triangle = np.repeat(np.arange(len(corners)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    x, y = low[triangle, 0] + place % size[triangle, 0], low[triangle, 1] + place // size[triangle, 0]
    a, b, c = np.moveaxis(corners[triangle], 1, 0)
    area = lambda p, q, s: (q[:, 0] - p[:, 0]) * (s[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (s[:, 0] - p[:, 0])  # noqa: E731
    point = np.stack([x + 0.5, y + 0.5], axis=1)
    weights = np.stack([area(b, c, point), area(c, a, point), area(a, b, point)], axis=1) / area(a, b, c)[:, None]
    inside = (weights > -1e-6).all(axis=1) & (x >= 0) & (y >= 0) & (x < WIDTH) & (y < HEIGHT)
    result[y[inside], x[inside]] = (weights * disparity[triangle])[inside].sum(axis=1)
    return result


@pytest.mark.parametrize("backdrop", [False, True])
@pytest.mark.parametrize("wanted", [20000, 27000, 60000, 300000])
def test_there_are_as_many_triangles_as_asked_for(wanted, backdrop):
    """More than automatic as well as fewer, all of the diorama counted."""
    assert meshed(wanted, 1.0, backdrop).triangle_count == pytest.approx(wanted, rel=0.01)


def test_without_a_number_far_fewer_than_blocks_alone_and_density_has_no_say_beside_one():
    automatic = meshed()
    assert 5000 < automatic.triangle_count < 30000
    assert meshed(0, 4.0).triangle_count > 1.5 * automatic.triangle_count
    assert meshed(20000, 4.0).triangle_count == meshed(20000).triangle_count


@pytest.mark.parametrize("wanted", [0, 100, 4000, 20000])
def test_seen_from_its_own_camera_each_pixel_is_covered_once_and_in_its_place(wanted):
    layered = meshed(wanted)
    photo = next(mesh for mesh in layered.meshes if mesh.role == "photo")
    strictly, loosely = covered(photo.uvs.astype(np.float64) * (WIDTH, HEIGHT), WIDTH, HEIGHT)
    assert strictly.max() == 1 and loosely.min() >= 1
    assert abs(areas(photo.uvs.astype(np.float64)).sum() - 1) < 1e-6
    weights = np.random.default_rng(0).dirichlet((1, 1, 1), 40)
    u, v = layered.camera.project(np.einsum("sk,tkc->stc", weights, photo.vertices[photo.triangles].astype(np.float64)))
    uv = np.einsum("sk,tkc->stc", weights, photo.uvs.astype(np.float64))
    shift = np.hypot(uv[..., 0] * WIDTH - u, (1 - uv[..., 1]) * HEIGHT - v).max()
    assert shift < (0.1 if wanted == 0 else 0.5)


def test_surfaces_stay_within_the_tolerance_and_silhouettes_within_a_part_of_a_pixel():
    image, _ = large()
    truth, now = seen(meshed(0, 10.0)), seen(meshed())
    off = np.abs(now - truth)
    other_side = off > image.threshold
    assert other_side.mean() < 0.002  # pixels that went over to the other side of a silhouette
    tolerance = FLATNESS * image.span
    assert off[~other_side].max() < 1.2 * tolerance and off[~other_side].max() > 0.2 * tolerance
    import cv2

    near = np.nan_to_num(image_surface(image)).astype(np.uint8)
    edge = cv2.dilate(near, np.ones((3, 3), np.uint8)) != cv2.erode(near, np.ones((3, 3), np.uint8))
    assert not (other_side & ~edge).any()  # none of them further than a pixel from it


def image_surface(image) -> np.ndarray:
    top, left, height, width = image.frame
    return image.layers[0].disparity[top : top + height, left : left + width] > 0.6


@pytest.mark.parametrize("wanted", [100, 20000])
def test_hidden_surfaces_stay_behind_what_hides_them(wanted):
    layered = meshed(wanted)
    front = seen(layered)
    for mesh in layered.meshes:
        if not mesh.role.startswith("hidden"):
            continue
        middle = mesh.vertices[mesh.triangles].mean(axis=1).astype(np.float64)
        u, v = layered.camera.project(middle)
        inside = (u > 0) & (u < WIDTH) & (v > 0) & (v < HEIGHT)
        over = front[v[inside].astype(int), u[inside].astype(int)]
        assert (1 / middle[inside, 2] <= over + large()[0].threshold / 8).mean() > 0.99


def test_at_the_last_resort_textures_give_way_only_where_the_photos_camera_never_looks(monkeypatch):
    now = meshed(100)
    monkeypatch.setattr(simplify, "HIDDEN_MORE", 1.0)
    as_strict = triangulate(*large(), True, MeshSettings(100, 1.0, False))
    count = lambda layered: sum(len(m.triangles) for m in layered.meshes if m.role != "photo")  # noqa: E731
    assert count(now) < 0.97 * count(as_strict)
    photo = next(mesh for mesh in now.meshes if mesh.role == "photo")
    middle = photo.vertices[photo.triangles].mean(axis=1).astype(np.float64)
    shown = photo.uvs.mean(axis=1) * (WIDTH, HEIGHT)
    off = np.stack(now.camera.project(middle), axis=1) - np.stack([shown[:, 0], HEIGHT - shown[:, 1]], axis=1)
    assert np.hypot(*off.T).max() <= 0.5


def test_the_same_photo_gives_the_same_triangles():
    one, two = meshed(20000), triangulate(*large(), True, MeshSettings(20000, backdrop=False))
    assert all(np.array_equal(a.triangles, b.triangles) and np.array_equal(a.vertices, b.vertices)
               for a, b in zip(one.meshes, two.meshes, strict=True))  # fmt: skip
