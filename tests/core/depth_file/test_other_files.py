"""Files that a stranger lays beside a photo or names as depth: units in words, positions, colours, formats that are not read."""

import json
import zipfile

import cv2
import numpy as np
import OpenEXR
import pytest
from yard_depth import CASES, Z, in_metres, read

from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings, Settings


@pytest.mark.parametrize("name", ["depth_cm.png", "yard_cm.npy", "centimetres.tif"])
def test_centimetres_by_the_files_name(tmp_path, name):
    values = np.float32(Z * 100)
    if name.endswith(".npy"):
        np.save(tmp_path / name, values)
    else:
        cv2.imwrite(str(tmp_path / name), values.astype(np.uint16) if name.endswith(".png") else values)
    z, depth, _ = read(tmp_path / name)
    in_metres(z)
    assert "centimetres" in depth.source and not depth.unsure


@pytest.mark.parametrize(
    "arrays", [{"depth_cm": Z * 100}, {"depth": Z * 100, "unit": "cm"}, {"depth": Z * 1000, "units": b"mm"}, {"depth": Z, "unit": "m"}]
)
def test_the_unit_of_an_npz(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    z, depth, _ = read(tmp_path / "a.npz")
    in_metres(z)
    assert not depth.unsure


def test_a_unit_that_is_a_guess_is_asked_for(tmp_path):
    cv2.imwrite(str(tmp_path / "z.png"), (Z * 100).astype(np.uint16))
    depth = read(tmp_path / "z.png")[1]
    assert "millimetres" in depth.source and "0.01 for centimetres" in depth.guess.questions(window=False)[0]
    assert "Depth Scale" in depth.guess.questions(window=True)[0]


def exr(path, **channels):
    channels = {name.replace("_", "."): np.float32(values) for name, values in channels.items()}
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(str(path))


def test_an_exr_of_three_unlike_channels_is_no_depth(tmp_path):
    noise = np.random.default_rng(0).random((3, *Z.shape))
    exr(tmp_path / "a.exr", R=noise[0], G=noise[1], B=noise[2])
    with pytest.raises(DioramaError, match="three channels differ.*pass Z"):
        read(tmp_path / "a.exr")
    exr(tmp_path / "b.exr", R=Z, G=Z, B=Z)
    in_metres(read(tmp_path / "b.exr")[0])
    cv2.imwrite(str(tmp_path / "c.pfm"), np.moveaxis(noise, 0, 2).astype(np.float32))
    with pytest.raises(DioramaError, match="colour picture"):
        read(tmp_path / "c.pfm")


@pytest.mark.parametrize("layer", ["P", "ViewLayer_Position", "Pworld"])
def test_a_pass_of_positions_is_named(tmp_path, layer):
    exr(tmp_path / "a.exr", **{f"{layer}_X": Z, f"{layer}_Y": Z / 2, f"{layer}_Z": -Z})
    with pytest.raises(DioramaError, match="positions of points.*pass Z"):
        read(tmp_path / "a.exr")
    exr(tmp_path / "b.exr", **{f"{layer}_X": Z / 3, f"{layer}_Y": Z / 2, f"{layer}_Z": -Z / 4}, Z=Z)
    in_metres(read(tmp_path / "b.exr")[0])


def test_a_recording_of_record3d_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.r3d", "w") as archive:
        archive.writestr("metadata", json.dumps({"w": 320, "h": 240}))
        archive.writestr("rgbd/0.depth", b"bvx2" + bytes(99))
    with pytest.raises(DioramaError, match="Record3D recording.*EXR"):
        read(tmp_path / "a.r3d")


@pytest.mark.parametrize("width", [1, 320, 1280])
def test_a_camera_matrix_of_any_size(tmp_path, width):
    """Of a width of 1 as MoGe writes it, of the depth's, and of the photo's."""
    matrix = np.array([[1.1, 0, 0.5], [0, 1.1, 0.5], [0, 0, 1 / width]]) * width
    np.savez(tmp_path / "a.npz", depth=np.where(Z > 70, np.inf, Z), mask=Z <= 70, intrinsics=matrix[None].astype(np.float32))
    z, depth, found = read(tmp_path / "a.npz")
    in_metres(z)
    assert found.focal_px == pytest.approx(1.1 * 320) and depth.sky == "far"


FORMATS = {
    b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf": "AVIF", b"BM": "BMP", b"\x89HDF\r\n\x1a\n": "HDF5", b"MATLAB 5.0": "MATLAB",
    b"PIEH": "dpt", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "HEIC", b"P5\n320 240\n": "PGM", b"#?RADIANCE\n": "Radiance",
}  # fmt: skip


@pytest.mark.parametrize("start", FORMATS, ids=FORMATS.values())
def test_a_format_that_is_not_read_is_named(tmp_path, start):
    (tmp_path / "a.bin").write_bytes(start + bytes(300))
    with pytest.raises(DioramaError, match=rf"a.bin is an? .*{FORMATS[start]}.*not read as depth; save the depth map as PNG.*NPZ"):
        read(tmp_path / "a.bin")


def test_a_tiff_of_logarithms_is_named_as_photo_and_as_depth(tmp_path):
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), np.dstack([Z] * 3), [cv2.IMWRITE_TIFF_COMPRESSION, 34676])
    for use in (read, load_photo):
        with pytest.raises(DioramaError, match="LogLuv.*32-bit floats"):
            use(path)


RUBBISH = {"empty": b"", "rubbish": bytes(range(256)) * 8, "cut short": (CASES / "yard_depth.png").read_bytes()[:3000]}


@pytest.mark.parametrize("content", RUBBISH.values(), ids=RUBBISH)
def test_a_depth_file_beside_the_photo_that_cannot_be_read_is_told_and_the_next_one_taken(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes((CASES / "yard.jpg").read_bytes())
    (tmp_path / "a_depth.png").write_bytes(content)
    found = find_depth(load_photo(tmp_path / "a.jpg"), None, DepthSettings(), None)
    assert found.origin == "built-in" and "a_depth.png" in found.values.not_used[0] and "a_depth.png" in found.values.source
    np.save(tmp_path / "a_depth.npy", Z)
    (tmp_path / "a-depth.png").write_bytes((CASES / "yard_depth.png").read_bytes())
    found = find_depth(load_photo(tmp_path / "a.jpg"), None, DepthSettings(), None)
    assert found.path.name in ("a_depth.npy", "a-depth.png") and "a_depth.png" in found.values.source


def test_an_impossible_value_is_called_by_its_flag_and_in_the_window_by_its_name():
    with pytest.raises(DioramaError, match="^--depth-scale is -1.0; it must be a number from 0 to") as caught:
        Settings().with_values({"depth_scale": -1.0})
    assert caught.value.in_window.startswith("Depth Scale is -1.0")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_a_tiff_of_every_number_of_bits(tmp_path, dtype):
    scale = 1000 if dtype == np.int32 else 1
    cv2.imwrite(str(tmp_path / "z.tif"), (Z * scale).astype(dtype))
    in_metres(read(tmp_path / "z.tif")[0])
