"""Files that other programs saved: GIMP 2.10.34 and Krita 5.1.5 opened those that `made_file` gives and saved them again."""

import struct
from pathlib import Path

import numpy as np
import pytest
from made_layers import assert_same, made_file

from photo_diorama.core.errors import DioramaError, Kind
from photo_diorama.core.layer_files.read_layers import read_layer_file
from photo_diorama.core.layer_files.write_layers import write_layer_file

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["gimp.psd", "krita.psd", "krita.ora"])
def test_what_gimp_and_krita_saved_again_is_what_we_wrote(name):
    found = read_layer_file(FILES / name)
    assert_same(found, made_file(), depth=found.depth_step)
    assert found.white == 0.5 and found.notes == ()


def test_groups_masks_and_opacity_are_applied_and_blending_is_told():
    """Of GIMP: a group at half opacity with a lamp at half, and a chair that multiplies, half of which a mask hides."""
    found = read_layer_file(FILES / "gimp_groups.psd")
    assert [(each.name, each.groups, each.corner) for each in found.layers] == [
        ("lamp", ("things",), (6, 5)), ("chair", ("things",), (15, 20)), ("wall", (), (0, 0)),
    ]  # fmt: skip
    lamp, chair, wall = found.layers
    assert np.allclose([lamp.opacity, chair.opacity, wall.opacity], [0.25, 0.5, 1], atol=0.005)
    assert (chair.colour[:, :6, 3] == 255).all() and not chair.colour[:, 6:, 3].any() and (chair.colour[..., 2] == 255).all()
    assert (lamp.colour == (10, 220, 30, 255)).all() and (wall.colour == (200, 100, 50, 255)).all()
    assert len(found.notes) == 2 and "blending mode" in found.notes[0] and "mask" in found.notes[1]


def changed(tmp_path, change) -> Path:
    path = write_layer_file(tmp_path / "a.psd", made_file())[0]
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def put(at: int, form: str, *values):
    return lambda data: struct.pack_into(form, data, at, *values)


@pytest.mark.parametrize(("change", "words"), [
    (put(24, ">H", 4), "CMYK"), (put(24, ">H", 9), "Lab"), (put(24, ">H", 2), "indexed"), (put(22, ">H", 1), "1 bits"),
    (put(14, ">II", 300_000, 300_000), "pixels"), (put(4, ">H", 7), "damaged"),
])  # fmt: skip
def test_documents_of_other_colours_or_size_are_refused_in_a_sentence(tmp_path, change, words):
    path = changed(tmp_path, change)
    with pytest.raises(DioramaError, match=words) as error:
        read_layer_file(path)
    assert error.value.kind is Kind.UNUSABLE_FILE and str(path) in str(error.value)


def test_a_layer_that_claims_more_than_its_bytes_hold_is_refused_before_memory_is_taken(tmp_path):
    def claim(data):
        at = data.index(struct.pack(">4iH", 0, 0, 44, 60, 4))
        struct.pack_into(">4i", data, at, 0, 0, 20_000, 20_000)

    with pytest.raises(DioramaError, match="damaged"):
        read_layer_file(changed(tmp_path, claim))

    def claim_more(data):
        at = data.index(struct.pack(">4iH", 0, 0, 44, 60, 4))
        struct.pack_into(">4i", data, at, 0, 0, 200_000, 200_000)

    with pytest.raises(DioramaError, match="more than can be read"):
        read_layer_file(changed(tmp_path, claim_more))


def test_effects_and_clipping_are_told(tmp_path):
    def with_effects(data):
        at = data.rindex(b"8BIMlyid")  # of the front layer
        data[at + 4 : at + 8] = b"lfx2"

    found = read_layer_file(changed(tmp_path, with_effects))
    assert found.notes == ('The effects of the layer "photo" are left out; rasterise them to keep them.',)

    def clipped(data):
        at = data.rindex(b"8BIMnorm")
        data[at + 9] = 1

    found = read_layer_file(changed(tmp_path, clipped))
    assert "clipped" in found.notes[0]
    assert not found.layers[0].colour[..., 3].any(), "the layer below lies beside it"
