"""Cameras of fSpy's project files: focal length, principal point and upwards come back as they were, other files are told."""

import json
import struct

import numpy as np
import pytest
from PIL import Image
from poses import turned

from photo_diorama.core.camera.fspy import find_fspy, read_fspy
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import PhotoSettings


def project(path, width=1200, height=800, focal=1000.0, centre=(630.0, 380.0), axes=None, **more):
    """An fSpy project as fSpy writes it: the picture from -1 to 1 along its long side, y upwards."""
    axes, half = turned(0, 0, 0) if axes is None else axes, max(width, height) / 2
    matrix = np.eye(4)
    matrix[:3, :3] = axes
    found = {
        "imageWidth": width, "imageHeight": height, "horizontalFieldOfView": 2 * np.arctan(width / 2 / focal),
        "principalPoint": {"x": (centre[0] - width / 2) / half, "y": (height / 2 - centre[1]) / half},
        "cameraTransform": {"rows": matrix.tolist()}, **more,
    }  # fmt: skip
    text = json.dumps({"cameraParameters": found}).encode()
    path.write_bytes(struct.pack("<4sIII", b"fspy", 1, len(text), 4) + text + b"pict")
    return path


@pytest.mark.parametrize("size", [(1200, 800), (800, 1200)])
@pytest.mark.parametrize("turn", [(0, 0, 0), (-12, 0, 30), (25, 7, -100)])
def test_the_camera_comes_back(tmp_path, size, turn):
    width, height = size
    axes = turned(*turn)
    found = read_fspy(project(tmp_path / "a.fspy", width, height, 1000.0, (width / 2 + 30, height / 2 - 20), axes), width, height)
    camera = found.camera
    assert (camera.focal_px, camera.cx, camera.cy) == pytest.approx((1000.0, width / 2 + 30, height / 2 - 20))
    u, v = camera.project(found.up * 1e-6 + np.array([0, 0, 1]))  # where a little upwards is seen from ahead
    seen = np.array([u - camera.cx, camera.cy - v]) / 1000.0 * 1e6
    assert np.allclose(seen, (axes.T @ (0, 0, 1))[:2], atol=1e-4)
    assert np.linalg.norm(found.up) == pytest.approx(1)


def test_a_photo_takes_the_camera_that_lies_beside_it(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)).save(tmp_path / "room.jpg")
    project(tmp_path / "room.fspy", axes=turned(-10, 0, 0))
    photo = load_photo(tmp_path / "room.jpg", PhotoSettings())
    assert photo.camera.focal_px == pytest.approx(100) and (photo.camera.cx, photo.camera.cy) == pytest.approx((63, 38))
    assert "room.fspy" in photo.focal_source and photo.focal_is_known
    assert photo.up == pytest.approx((0, -np.cos(np.radians(10)), -np.sin(np.radians(10))), abs=1e-6), "it looks down by 10 degrees"
    given = load_photo(tmp_path / "room.jpg", PhotoSettings(focal_px=77))
    assert given.camera.focal_px == 77, "what the user says comes first"


def test_a_principal_point_may_be_given(tmp_path):
    Image.fromarray(np.zeros((80, 120, 3), np.uint8)).save(tmp_path / "a.png")
    camera = load_photo(tmp_path / "a.png", PhotoSettings(centre_x=70.5, focal_mm=50)).camera
    assert (camera.cx, camera.cy) == (70.5, 40)
    assert camera.focal_px == pytest.approx(50 / np.hypot(36, 24) * np.hypot(120, 80))


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "cannot be read"),
        (b"fspx" + bytes(20), "no fSpy project"),
        (struct.pack("<4sIII", b"fspy", 1, 2, 0) + b"{}", "no solved camera"),
        (struct.pack("<4sIII", b"fspy", 1, 4 << 20, 0) + b"[" * 100_000, "no solved camera"),
    ],
)
def test_other_files_are_told(tmp_path, data, words):
    (tmp_path / "a.fspy").write_bytes(data)
    with pytest.raises(DioramaError, match=words) as caught:
        read_fspy(tmp_path / "a.fspy", 120, 80)
    assert "a.fspy" in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {"horizontalFieldOfView": float("nan")},
        {"cameraTransform": {"rows": [[1, 2], [3]]}},
        {"principalPoint": None},
        {"imageWidth": 0},
        {"cameraTransform": {"rows": np.ones((4, 4)).tolist()}},
    ],
)
def test_impossible_cameras_are_told(tmp_path, more):
    with pytest.raises(DioramaError, match="holds no"):
        read_fspy(project(tmp_path / "a.fspy", **more), 1200, 800)


def test_a_project_of_another_picture_is_told(tmp_path):
    with pytest.raises(DioramaError, match="another shape"):
        read_fspy(project(tmp_path / "a.fspy"), 800, 800)


@pytest.mark.parametrize("folder", [".", "/", ""])
def test_a_folder_has_no_project_beside_it(folder):
    assert find_fspy(folder) is None
