"""Our OpenEXR writer and the reader that stands in for OpenCV's: each against the other and against OpenCV."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photo_diorama.core.raster.decode import decode_pixels
from photo_diorama.core.raster.exr_encode import encode_exr
from photo_diorama.core.raster.exr_read import read_pixels

ROOT = Path(__file__).resolve().parents[3]


def picture(channels: int, height: int = 37, width: int = 21) -> np.ndarray:
    """Smooth in one half and noise in the other, so that some blocks are packed and some are not; with odd values."""
    rng = np.random.default_rng(channels)
    pixels = np.float32(rng.normal(size=(height, width, channels)) * 1e3)
    pixels[: height // 2] = np.linspace(0, 1, width)[None, :, None]
    odd = np.float32([1e-40, 65504, -3, np.pi])[:width, None]
    pixels[0, : len(odd)] = odd
    return pixels


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(37, 21), (1, 1), (16, 5), (33, 1)])
def test_what_is_written_is_read_by_opencv_and_by_us(channels, size):
    pixels = picture(channels, *size)
    data = encode_exr(pixels)
    expected = pixels[..., 0] if channels == 1 else pixels[..., [2, 1, 0, 3][:channels]]
    for read in (decode_pixels(data), read_pixels(data)):
        assert read.dtype == np.float32 and np.array_equal(read, expected)
    assert encode_exr(pixels) == data


def test_smooth_pictures_get_small():
    pixels = np.repeat(np.linspace(0, 1, 640, dtype=np.float32)[None, :, None], 480, axis=0).repeat(3, axis=2)
    assert len(encode_exr(pixels)) < pixels.nbytes / 20


def test_damage_is_no_picture():
    data = encode_exr(picture(3))
    for end in (4, 20, 200, len(data) - 30):
        assert read_pixels(data[:end]) is None
    assert read_pixels(b"") is None


def test_a_photo_is_read_where_somebody_else_loaded_opencv_without_openexr(tmp_path):
    """The order that another add-on makes: OpenCV first, told nothing, and then us."""
    pixels = np.abs(picture(3, 64, 80))
    (tmp_path / "a.exr").write_bytes(encode_exr(pixels))
    np.save(tmp_path / "a.npy", pixels)
    code = (
        "import os, sys; os.environ['OPENCV_IO_ENABLE_OPENEXR'] = '0'; import cv2, numpy as np; sys.path.insert(0, 'tests')\n"
        "import conftest\n"
        "from photo_diorama.core.photo.photo import load_photo\n"
        "assert np.array_equal(load_photo(sys.argv[1]).colour, np.load(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.exr"), str(tmp_path / "a.npy")], cwd=ROOT, check=True)
