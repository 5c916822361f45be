"""Depth that goes to another program and comes back: untouched it is the same to the bit; what was changed is where it was changed."""

import cv2
import numpy as np
import pytest
from PIL import Image

from photo_diorama.core.depth_file.depth_for_editing import ENDINGS, WHITE_KEY, encode_depth, read_edited_depth
from photo_diorama.core.errors import DioramaError

NOW = np.random.default_rng(1).uniform(0.02, 0.8, (30, 40)).astype(np.float32)
SQUARE = slice(5, 12), slice(20, 33)


def edited(data: bytes, change) -> bytes:
    """A PNG or TIFF as another program saves it, without what it does not know."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.imencode(".png" if pixels.dtype == np.uint16 else ".tiff", change(pixels))[1].tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
def test_untouched_it_is_the_same_to_the_bit(tmp_path, ending):
    path = tmp_path / f"depth{ending}"
    path.write_bytes(encode_depth(NOW, ending))
    assert read_edited_depth(path, NOW).tobytes() == NOW.tobytes()


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_a_painted_square_is_an_edit_there_and_nowhere_else(tmp_path, ending):
    def paint(pixels):
        pixels = pixels.copy()
        pixels[SQUARE] = 65535 // 2 if pixels.dtype == np.uint16 else 4.0
        return pixels

    path = tmp_path / f"depth{ending}"
    path.write_bytes(edited(encode_depth(NOW, ending), paint))
    assert WHITE_KEY not in path.read_bytes()
    found, wanted = read_edited_depth(path, NOW), NOW.max() / 2 if ending == ".png" else 0.25
    assert np.abs(found[SQUARE] - wanted).max() < NOW.max() / 65535
    outside = np.ones(NOW.shape, bool)
    outside[SQUARE] = False
    assert np.array_equal(found[outside], NOW[outside])


def test_what_a_painter_leaves_unknown_or_saves_in_8_bits_keeps_the_depth(tmp_path):
    path = tmp_path / "depth.png"
    path.write_bytes(edited(encode_depth(NOW, ".png"), lambda pixels: np.where(NOW > 0.5, 0, pixels).astype(np.uint16)))
    assert np.array_equal(read_edited_depth(path, NOW), NOW)
    eight = cv2.imdecode(np.frombuffer(encode_depth(NOW, ".png"), np.uint8), cv2.IMREAD_UNCHANGED) / 257
    Image.fromarray(np.rint(eight).astype(np.uint8)).save(path)
    assert np.array_equal(read_edited_depth(path, NOW), NOW)


def test_white_is_kept_where_the_scene_got_another_nearest_point(tmp_path):
    path = tmp_path / "depth.png"
    path.write_bytes(encode_depth(NOW, ".png"))
    found = read_edited_depth(path, np.minimum(NOW, 0.3))
    assert np.abs(found - NOW).max() < NOW.max() / 65535


def test_another_shape_and_other_files_are_refused(tmp_path):
    path = tmp_path / "depth.png"
    path.write_bytes(encode_depth(NOW[:, :20], ".png"))
    with pytest.raises(DioramaError, match="another shape"):
        read_edited_depth(path, NOW)
    path.write_bytes(b"GIF89a")
    with pytest.raises(DioramaError):
        read_edited_depth(path, NOW)


def test_a_depth_twice_as_large_is_taken(tmp_path):
    path = tmp_path / "depth.exr"
    path.write_bytes(encode_depth(NOW.repeat(2, 0).repeat(2, 1), ".exr"))
    assert np.array_equal(read_edited_depth(path, NOW), NOW)
