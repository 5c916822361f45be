"""Layers as a folder of PNGs: what was written is read; other folders of pictures; what is refused."""

import json

import numpy as np
import pytest
from made_layers import assert_same, made_file
from PIL import Image

from photo_diorama.core.errors import DioramaError, Kind
from photo_diorama.core.layer_files.png_folder import INDEX
from photo_diorama.core.layer_files.read_layers import read_layer_file
from photo_diorama.core.layer_files.write_layers import write_layer_file


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_what_was_written_is_read(tmp_path, kind):
    made = made_file(kind)
    paths = write_layer_file(tmp_path / "out", made)
    assert paths[-1].name == INDEX and sorted(paths) == sorted((tmp_path / "out").iterdir())
    found = read_layer_file(tmp_path / "out")
    assert_same(found, made, depth=0.5 / 65535, colour=2e-6 if kind == np.float32 else 0)
    assert (found.white, found.metric, found.photo, found.notes) == (0.5, True, "street", ())
    assert_same(read_layer_file(tmp_path / "out" / INDEX), found)


def test_pictures_without_an_index_are_layers_by_name(tmp_path):
    for name, alpha in (("2 chair", 255), ("10 wall", 255), ("1 lamp", 0)):
        pixels = np.zeros((20, 30, 4), np.uint8)
        pixels[5:9, 3:13] = (10, 20, 30, alpha)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    found = read_layer_file(tmp_path)
    assert [each.name for each in found.layers] == ["1 lamp", "2 chair", "10 wall"] and found.canvas == (20, 30) and found.frame is None
    assert [each.colour.shape[:2] for each in found.layers] == [(0, 0), (4, 10), (4, 10)] and found.layers[1].corner == (5, 3)
    assert "first in front" in found.notes[0]
    single = read_layer_file(tmp_path / "2 chair.png")
    assert single.canvas == (20, 30) and len(single.layers) == 1


def test_without_its_index_our_own_folder_is_the_same_layers_and_no_plane_becomes_a_layer(tmp_path):
    made = made_file()
    write_layer_file(tmp_path, made)
    (tmp_path / INDEX).unlink()
    found = read_layer_file(tmp_path)
    assert len(found.layers) == len(made.layers)
    for name in ("photo", "border", "hidden 1"):
        new, old = found.layer(name), made.layer(name)
        assert np.array_equal(new.colour, old.colour) and np.array_equal(new.is_invented, old.is_invented)
        assert np.allclose(new.disparity * made.white, old.disparity, atol=made.white / 65535)
    (tmp_path / "hidden_1.png").unlink()
    found = read_layer_file(tmp_path)
    assert not any("depth" in each.name or "invented" in each.name for each in found.layers)
    assert sum("hidden_1" in note for note in found.notes) == 2
    for path in tmp_path.glob("[!h]*.png"):
        path.unlink()
    with pytest.raises(DioramaError, match="no pictures of layers"):
        read_layer_file(tmp_path)


def test_a_picture_that_is_gone_is_told_and_the_others_are_read(tmp_path):
    write_layer_file(tmp_path / "out", made_file())
    (tmp_path / "out" / "border.png").unlink()
    (tmp_path / "out" / "photo_depth.png").unlink()
    found = read_layer_file(tmp_path / "out")
    assert found.layer("border") is None and found.layer("PHOTO").disparity is None
    assert len(found.notes) == 2 and "border" in found.notes[1]


@pytest.mark.parametrize("change", [
    {"canvas": [60, 43]}, {"canvas": [10**6, 10**6]}, {"canvas": None}, {"layers": []}, {"layers": [{"name": "a", "file": "../x.png"}]},
    {"layers": [{"name": "a", "file": "/etc/passwd"}]}, {"layers": [[]]}, {"photo_offset": [1]}, {"depth": 3},
])  # fmt: skip
def test_an_index_that_lies_is_refused_in_a_sentence(tmp_path, change):
    write_layer_file(tmp_path / "out", made_file())
    index = tmp_path / "out" / INDEX
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    with pytest.raises(DioramaError) as error:
        read_layer_file(tmp_path / "out")
    assert error.value.kind is Kind.UNUSABLE_FILE and str(tmp_path) in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("data", [b"", b"nothing", b"[" * 100_000, b"\xff\xfe{}"])
def test_an_index_that_is_none_is_refused(tmp_path, data):
    (tmp_path / INDEX).write_bytes(data)
    with pytest.raises(DioramaError, match="damaged"):
        read_layer_file(tmp_path)


def test_damaged_pictures_are_refused(tmp_path):
    write_layer_file(tmp_path / "out", made_file())
    picture = tmp_path / "out" / "hidden_1.png"
    whole = picture.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:40], b"GIF89a", b"", whole[:16] + b"\xff\xff\xff\x7f" + whole[20:]):
        picture.write_bytes(data)
        with pytest.raises(DioramaError):
            read_layer_file(tmp_path / "out")


def test_nothing_is_left_where_the_disk_refuses(tmp_path):
    def full(new, place):
        raise OSError(28, "No space left on device")

    with pytest.raises(DioramaError, match="No space") as error:
        write_layer_file(tmp_path / "out", made_file(), put=full)
    assert error.value.kind is Kind.DISK and not list(tmp_path.iterdir())
