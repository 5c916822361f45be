"""The page holds all that it shows, and its tilt stays inside the safe range and the photo's edge."""

import json
import re
from dataclasses import astuple

import numpy as np
import pytest

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.camera.framing import TOLERANCE, frame_edge, largest_excess
from photo_diorama.core.camera.safe_range import SafeRange
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.viewer.pack import Surface
from photo_diorama.core.viewer.page import FARTHEST, MAX_TIGHTER, Texture, Tilt, encoded, find_tilt, write_page

CAMERA = Camera.from_fov(160, 120)
WIDE = SafeRange(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


def sheet(z) -> tuple[np.ndarray, np.ndarray]:
    """Points and triangles over the whole picture at the distances (rows, columns)."""
    rows, columns = z.shape
    v, u = np.meshgrid(np.linspace(0, 120, rows), np.linspace(0, 160, columns), indexing="ij")
    points = CAMERA.unproject(u.ravel(), v.ravel(), z.ravel())
    tl = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    return points, np.concatenate([np.stack(c, axis=1) for c in ((tl, tl + columns, tl + columns + 1), (tl, tl + columns + 1, tl + 1))])


def test_a_tilt_is_as_far_as_the_range_and_no_farther_than_a_move():
    near = find_tilt(SafeRange(0.01, 0.02, 0.03, 0.04, 0, 0), 2.0, 3.0, None, CAMERA)
    assert astuple(near.box)[:4] == (0.01, 0.02, 0.03, 0.04) and near.tighter == 0
    assert astuple(find_tilt(WIDE, 2.0, 3.0, None, CAMERA).box)[:4] == (2 * FARTHEST,) * 4


def test_what_keeps_its_place_needs_no_framing():
    edge = frame_edge([sheet(np.full((13, 17), 3.0))], CAMERA)
    assert find_tilt(WIDE, 3.0, 3.0, edge, CAMERA).tighter == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_edge_shows_nowhere_on_the_way_to_the_rim(seed):
    rng = np.random.default_rng(seed)
    z = 2 + rng.uniform(0, 4, (1, 17)) + np.zeros((13, 1))
    edge = frame_edge([sheet(z)], CAMERA)
    tilt = find_tilt(WIDE, 2.0, 3.0, edge, CAMERA)
    assert 0 < tilt.tighter <= MAX_TIGHTER + 1e-9
    disparity, place, worst, without = 1 / edge.points[:, 2], edge.points[:, :2] / edge.points[:, 2:], 0.0, 0.0
    for turn in np.linspace(0, 2 * np.pi, 23):
        for part in np.linspace(0, 1, 6):
            x, y = part * np.cos(turn), part * np.sin(turn)
            side, up = x * (tilt.box.right if x > 0 else tilt.box.left), y * (tilt.box.up if y > 0 else tilt.box.down)
            u, v = place[:, 0] - side * (disparity - 1 / 3), place[:, 1] + up * (disparity - 1 / 3)
            part_beyond = lambda factor, u=u, v=v: largest_excess(u[None], v[None], edge.length[None], edge.side, CAMERA, factor)
            worst, without = max(worst, part_beyond(1 + tilt.tighter * part)), max(without, part_beyond(1.0))
    assert worst < 1.5 * TOLERANCE < without


def a_page(title: str = "a photo", **more) -> str:
    points, triangles = sheet(np.full((5, 5), 3.0))
    places = np.column_stack([points[:, :2] / points[:, 2:], 1 / points[:, 2]])
    uvs = np.zeros((len(triangles), 3, 2))
    pixels = np.random.default_rng(0).uniform(0, 1, (120, 160, 4)).astype(np.float32)
    tilt = Tilt(SafeRange(0.1, 0.1, 0.1, 0.1, 0, 0), 3.0, 0.05)
    return write_page(
        title, [Surface(places, triangles, uvs, 0, False)], [Texture(pixels, True, True)], CAMERA, tilt, **{"side": 2048, **more}
    )


def test_a_page_needs_nothing_but_itself():
    page = a_page()
    assert not re.search(r"https?://|//[a-z]+\.[a-z]|<link|\bimport\b|src=", page.replace("image.src =", ""))
    assert "SPDX-License-Identifier" in page and "$" not in page.split("<script")[0]


def test_a_title_is_only_a_title():
    title = '</title><script>alert("x")</script> & $scene \u00e9'
    page = a_page(title)
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    (scene,) = re.findall(r'id="packed">(.*?)</script>', page, re.S)
    assert "<" not in scene and json.loads(scene)["size"] == [160, 120]


def test_textures_are_reduced_to_what_was_asked_for():
    import base64

    import cv2

    pixels = np.random.default_rng(0).uniform(0, 1, (300, 900, 4)).astype(np.float32)
    for is_photo, side in ((True, 450), (False, 900)):
        made = encoded(Texture(pixels, True, is_photo), 450)
        for kind in ("colour", "alpha"):
            data = np.frombuffer(base64.b64decode(made[kind].split(",")[1]), np.uint8)
            assert max(cv2.imdecode(data, cv2.IMREAD_UNCHANGED).shape[:2]) == side
    assert encoded(Texture(pixels, False, True), 450)["alpha"] is None


def test_nothing_to_be_seen_is_told():
    with pytest.raises(DioramaError, match="no surface"):
        write_page("empty", [], [], CAMERA, Tilt(WIDE, 1.0, 0.0), 2048)
