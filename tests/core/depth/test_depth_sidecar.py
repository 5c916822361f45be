"""Depth files beside a photo: which are taken, which are left, and what their numbers mean."""

import json

import numpy as np
import pytest
from depth_photo_files import jpeg, photo_pixels, png

from photo_diorama.core.depth.depth_sidecar import find_sidecar_depth, known_sidecar_meaning, read_sidecar_depth
from photo_diorama.core.errors import DioramaError

MILLIMETRES = (np.arange(2400).reshape(40, 60) + 600).astype(np.uint16)
MILLIMETRES[3, 4] = 0
CAMERA = {"width": 120, "height": 80, "intrinsic_matrix": [100, 0, 0, 0, 100, 0, 59.5, 39.5, 1]}


def put(path, content: bytes | str | dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def photo(path):
    return put(path, jpeg(photo_pixels()) if path.suffix == ".jpg" else png(photo_pixels().astype(np.uint8)))


@pytest.mark.parametrize("of, depth", [("a-image.jpg", "a-depth.jpg"), ("a-alternative.jpg", "a-depth.png")])
def test_lens_blur_pair_is_inverse_depth_with_dark_near(tmp_path, of, depth):
    grey = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
    picture, file = photo(tmp_path / of), put(tmp_path / depth, jpeg(grey) if depth.endswith("jpg") else png(grey))
    assert find_sidecar_depth(picture) == file
    found = read_sidecar_depth(file, picture)
    np.testing.assert_allclose(found.values, 1 - grey / 255, atol=0.01)
    assert (found.kind, found.metric_scale, found.shift_known, found.range) == ("disparity", False, False, None)
    assert (found.photo_width, found.photo_height) == (120, 80)


@pytest.mark.parametrize("cameras", ["cameras", "corrected_cameras"])
def test_polycams_raw_data(tmp_path, cameras):
    """keyframes/images, depth and cameras, a JSON for each picture with the camera's numbers one by one."""
    picture = photo(tmp_path / "keyframes" / "images" / "1234.jpg")
    file = put(tmp_path / "keyframes" / "depth" / "1234.png", png(MILLIMETRES))
    assert find_sidecar_depth(picture) is None
    put(tmp_path / "keyframes" / cameras / "1234.json", dict(fx=100, fy=102, cx=60, cy=40, width=120, height=80, t_00=1.0))
    assert find_sidecar_depth(picture) == file
    found = read_sidecar_depth(file, picture)
    assert found.focal_px == 101 and found.range == pytest.approx((0.6, 2.999)) and "Polycam" in found.source
    for bad in ("[]", "{}", '{"fx": "x"}', json.dumps(dict(fx=1e30, fy=1, cx=0, cy=0, width=1, height=1))):
        put(tmp_path / "keyframes" / cameras / "1234.json", bad)
        assert find_sidecar_depth(picture) is None


def test_open3d_folders_with_a_camera_file(tmp_path):
    picture = photo(tmp_path / "color" / "00007.jpg")
    file = put(tmp_path / "depth" / "00007.png", png(MILLIMETRES))
    assert find_sidecar_depth(picture) is None  # nothing says what the numbers are
    put(tmp_path / "camera_primesense.json", CAMERA)
    assert find_sidecar_depth(picture) == file
    found = read_sidecar_depth(file, picture)
    np.testing.assert_allclose(found.values[found.valid], MILLIMETRES[MILLIMETRES > 0] / 1000, rtol=1e-6)
    assert np.array_equal(found.valid, MILLIMETRES > 0) and found.kind == "metric"
    assert found.range == pytest.approx((0.6, 2.999))
    assert (found.focal_px, found.cx, found.cy) == (100, 60, 40)  # the file counts from pixel centres


@pytest.mark.parametrize("scale, metres", [(1000.0, 0.001), (0.00025, 0.00025), (5000, 0.0002), (1.0, 1.0)])
def test_depth_scale_of_a_camera_file(tmp_path, scale, metres):
    file = put(tmp_path / "depth" / "1.png", png(MILLIMETRES))
    put(tmp_path / "intrinsic.json", {**CAMERA, "depth_scale": scale})
    assert known_sidecar_meaning(file).metres_per_unit == pytest.approx(metres)


@pytest.mark.parametrize("of, depth, metres", [
    ("TUM_color.png", "TUM_depth.png", 1 / 5000),
    ("rgbd_freiburg1/rgb/1.png", "rgbd_freiburg1/depth/1.png", 1 / 5000),
    ("scene0000_00/color/12.jpg", "scene0000_00/depth/12.png", 0.001),
    ("realsense_run/a_Color.png", "realsense_run/a_Depth.png", 0.001),
    ("orbbec/color/3.jpg", "orbbec/depth/3.png", 0.001),
    ("kinect/x_color.jpg", "kinect/x_depth.png", 0.001),
    ("frame-000003.color.jpg", "frame-000003.depth.png", 0.001),
    ("image.jpg", "arkit_depth.png", 0.001),
])  # fmt: skip
def test_recordings_known_by_their_names(tmp_path, of, depth, metres):
    picture, file = photo(tmp_path / of), put(tmp_path / depth, png(MILLIMETRES))
    assert find_sidecar_depth(picture) == file
    assert known_sidecar_meaning(file).metres_per_unit == pytest.approx(metres)
    found = read_sidecar_depth(file, picture)
    np.testing.assert_allclose(found.values[found.valid], MILLIMETRES[MILLIMETRES > 0] * metres, rtol=1e-6)


def test_tum_folder_known_by_its_lists(tmp_path):
    picture, file = photo(tmp_path / "rgb" / "5.png"), put(tmp_path / "depth" / "5.png", png(MILLIMETRES))
    for name in ("rgb.txt", "depth.txt"):
        put(tmp_path / name, "# list")
    assert find_sidecar_depth(picture) == file and known_sidecar_meaning(file).metres_per_unit == 1 / 5000


def test_sun_bits_are_turned_back(tmp_path):
    turned = ((MILLIMETRES << 3) | (MILLIMETRES >> 13)).astype(np.uint16)
    assert not np.array_equal(turned, MILLIMETRES)
    picture, file = photo(tmp_path / "SUN_color.jpg"), put(tmp_path / "SUN_depth.png", png(turned))
    found = read_sidecar_depth(file, picture)
    np.testing.assert_allclose(found.values[found.valid], MILLIMETRES[MILLIMETRES > 0] / 1000, rtol=1e-6)


def test_seven_scenes_has_two_values_for_unknown(tmp_path):
    depth = MILLIMETRES.copy()
    depth[9, 9] = 65535
    picture, file = photo(tmp_path / "frame-000000.color.jpg"), put(tmp_path / "frame-000000.depth.png", png(depth))
    put(tmp_path / "camera-intrinsics.txt", "585 0 319.5\n0 585 239.5\n0 0 1")
    found = read_sidecar_depth(file, picture)
    assert np.array_equal(found.valid, (depth > 0) & (depth < 65535))
    assert found.focal_px == pytest.approx(585 * 120 / 640)


@pytest.mark.parametrize("of, depth, content", [
    ("photo.jpg", "photo-depth.jpg", MILLIMETRES),  # no convention says what this is
    ("photo.jpg", "photo_depth.png", MILLIMETRES),
    ("a_color.jpg", "a_depth.png", MILLIMETRES),  # 16 bits, but nobody knows of what
    ("kinect/a_color.jpg", "kinect/a_depth.png", (MILLIMETRES >> 8).astype(np.uint8)),  # 8 bits
    ("kinect/a_color.jpg", "kinect/a_depth.png", MILLIMETRES[:, :30]),  # another aspect
    ("kinect/a_color.jpg", "kinect/b_depth.png", MILLIMETRES),  # another picture's
    ("Sun/a_color.jpg", "Sun/a_depth.png", MILLIMETRES),  # the weather
    ("b-image.jpg", "b-depth.jpg", np.zeros((60, 40), np.uint8)),
])  # fmt: skip
def test_doubtful_files_are_left(tmp_path, of, depth, content):
    picture = photo(tmp_path / of)
    put(tmp_path / depth, png(content))
    assert find_sidecar_depth(picture) is None
    assert find_sidecar_depth(tmp_path / "missing.jpg") is None


def test_depth_file_is_not_its_own_photo(tmp_path):
    photo(tmp_path / "a-image.jpg")
    file = put(tmp_path / "a-depth.jpg", jpeg(np.zeros((80, 120), np.uint8)))
    assert find_sidecar_depth(file) is None


@pytest.mark.parametrize("camera", [
    "[" * 9000, "{}", '{"intrinsic_matrix": 5, "width": 1, "height": 1}', "\xff", '{"intrinsic_matrix": [[1],[2,3]]}',
    json.dumps({**CAMERA, "depth_scale": 1e30}), json.dumps({**CAMERA, "depth_scale": "x"}), "[1]", "null", " " * 99999,
])  # fmt: skip
def test_hostile_camera_files_are_none(tmp_path, camera):
    file = put(tmp_path / "depth" / "1.png", png(MILLIMETRES))
    put(tmp_path / "camera_primesense.json", camera)
    assert known_sidecar_meaning(file) is None


def test_what_cannot_be_read_says_so(tmp_path):
    picture = photo(tmp_path / "kinect" / "a_color.jpg")
    file = put(tmp_path / "kinect" / "a_depth.png", png(np.zeros((40, 60), np.uint16)))
    with pytest.raises(DioramaError, match="no distance"):
        read_sidecar_depth(file, picture)
    put(file, png(np.random.default_rng(0).integers(0, 65536, (40, 60), dtype=np.uint16))[:2000])
    with pytest.raises(DioramaError, match="does not decode"):
        read_sidecar_depth(file, picture)
    with pytest.raises(DioramaError, match="--depth-scale"):
        read_sidecar_depth(put(tmp_path / "depth.png", png(MILLIMETRES)), picture)
    put(file, png(MILLIMETRES))
    with pytest.raises(DioramaError, match="not a picture"):
        read_sidecar_depth(file, put(tmp_path / "text.jpg", "text"))


def test_real_recordings(shared):
    folder = shared / "data"
    if not (folder / "rgbd").is_dir():
        pytest.skip(f"recordings not found in {folder}")
    expected = {  # median metres, smallest and largest, read off the 16-bit files
        "rgbd/primesense/color/00000.jpg": ("00000.png", 1.861, (0.955, 2.702)),
        "rgbd/primesense/other_formats/TUM_color.png": ("TUM_depth.png", 2.415, (1.464, 9.331)),
        "rgbd/primesense/other_formats/SUN_color.jpg": ("SUN_depth.png", 2.723, (1.057, 9.87)),
        "rgbd/iphone_lidar/image.jpg": ("arkit_depth.png", 2.654, (1.566, 3.512)),
        "room_posed/frame-000000.color.jpg": ("frame-000000.depth.png", 1.878, (0.801, 3.493)),
    }
    for name, (depth, median, span) in expected.items():
        file = find_sidecar_depth(folder / name)
        assert file is not None and file.name == depth
        found = read_sidecar_depth(file, folder / name)
        assert np.median(found.values[found.valid]) == pytest.approx(median, abs=2e-3)
        assert found.range == pytest.approx(span, abs=1e-3) and found.kind == "metric"
    first = read_sidecar_depth(find_sidecar_depth(folder / "rgbd/primesense/color/00000.jpg"), folder / name)
    assert (first.focal_px, first.cx, first.cy) == (525, 320, 240)
    mango = folder / "embedded_depth" / "lensblur" / "mango-image.jpg"
    found = read_sidecar_depth(find_sidecar_depth(mango), mango)
    assert found.values[740, 420] > found.values[440, 490] > found.values[560, 200]  # front fruit, next, gap behind
    assert find_sidecar_depth(folder / "rgbd" / "moon" / "moon.jpg") is None
