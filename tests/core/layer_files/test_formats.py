"""PSD, OpenRaster and OpenEXR: what was written is read, by us and by others; what is flattened is told; what is refused."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from made_layers import assert_same, made_file
from PIL import Image

from photo_diorama.core.errors import DioramaError, Kind
from photo_diorama.core.layer_files.layer_file import FileLayer, Origin, composite
from photo_diorama.core.layer_files.metadata import apply_text, group_of_masks
from photo_diorama.core.layer_files.read_layers import read_layer_file
from photo_diorama.core.layer_files.write_layers import write_layer_file

KINDS = [np.uint8, np.uint16, np.float32]


def shown_whole(file):
    """Without what OpenEXR does not hold."""
    return replace(file, layers=tuple(replace(each, opacity=1.0, visible=True) for each in file.layers))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["psd", "ora", "exr"])
def test_what_was_written_is_read(tmp_path, kind, ending):
    made = made_file(kind) if ending != "exr" else shown_whole(made_file(kind))
    path = tmp_path / f"street.{ending}"
    if (ending, kind) == ("ora", np.float32):
        with pytest.raises(DioramaError, match="linear"):
            write_layer_file(path, made)
        assert not list(tmp_path.iterdir())
        return
    assert write_layer_file(path, made) == [path]
    found = read_layer_file(path)
    step = found.depth_step / 2
    assert_same(found, made, depth=step, colour=2e-6 if kind == np.float32 else 0)
    assert step == {"exr": 0, "ora": 0.25 / 255, "psd": 0 if kind == np.float32 else 0.25 / np.iinfo(kind).max}[ending]
    assert (found.white, found.metric, found.notes) == (0.5, True, ())
    assert path.read_bytes() == write_layer_file(tmp_path / f"again.{ending}", made)[0].read_bytes()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("ending", ["psd", "ora", "exr"])
def test_without_our_own_words_the_names_and_the_photo_tell_the_same(tmp_path, monkeypatch, kind, ending):
    """As after a program that keeps layers and nothing else."""
    for module in ("psd_write", "open_raster", "exr_layers"):
        monkeypatch.setattr(f"photo_diorama.core.layer_files.{module}.as_text", lambda file: "")
    made = shown_whole(made_file(kind))
    found = read_layer_file(*write_layer_file(tmp_path / f"street.{ending}", made))
    assert found.frame == made.frame and found.metric is None
    assert found.white == (None if ending == "exr" else 0.5)
    assert np.abs(found.layer("photo").disparity - made.layer("photo").disparity).max() <= found.depth_step / 2 + 1e-7


@pytest.mark.parametrize("ending", ["psd", "ora"])
def test_groups_tell_what_it_was_made_of_where_our_own_words_are_lost(tmp_path, monkeypatch, ending):
    """As after GIMP, which keeps names alone."""
    for module in ("psd_write", "open_raster"):
        monkeypatch.setattr(f"photo_diorama.core.layer_files.{module}.as_text", lambda file: "")
    made = replace(made_file(), origin=Origin("0123456789abcdef", "f" * 16, (("long_side", "320"), ("tear", "0.0133"))))
    found = read_layer_file(*write_layer_file(tmp_path / f"street.{ending}", made))
    assert (found.origin, found.photo, found.frame, found.notes) == (made.origin, "street", made.frame, ())
    assert found.layer("border").is_invented.any() and len(found.layers) == len(made.layers)


def test_options_that_a_program_cut_off_count_as_lost():
    made = replace(made_file(), origin=Origin("0123456789abcdef", "f" * 16, (("long_side", "320"), ("hidden_depth", "nearest"))))
    name = group_of_masks(made)
    for length in range(len(name) - 9, len(name)):
        cut = FileLayer("photo invented", (0, 0), made.layers[0].colour, groups=(name[:length],))
        assert apply_text(replace(made, origin=None, layers=(cut,)), "").origin == replace(made.origin, options=None)


def test_the_composite_inside_each_file_is_that_of_the_layers(tmp_path):
    made = shown_whole(made_file())
    wanted = composite(made)
    psd, ora = (write_layer_file(tmp_path / f"a.{ending}", made)[0] for ending in ("psd", "ora"))
    assert np.array_equal(np.asarray(Image.open(psd).convert("RGB")), wanted[..., :3])
    with zipfile.ZipFile(ora) as archive:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(archive.read("mergedimage.png")))), wanted)


def test_psd_tools_sees_the_same_layers(tmp_path):
    psd_tools = pytest.importorskip("psd_tools")
    for kind in (np.uint8, np.uint16):
        made = made_file(kind)
        path = write_layer_file(tmp_path / f"{kind.__name__}.psd", made)[0]
        document = psd_tools.PSDImage.open(path)
        assert document.size == (60, 44) and document.depth == 8 * np.dtype(kind).itemsize
        groups = {each.name: each for each in document if each.is_group()}
        assert set(groups) == {"depth, white is 0.5 per metre", "invented"} and not any(each.visible for each in groups.values())
        layers = [each for each in reversed(list(document)) if not each.is_group()]
        assert [each.name for each in layers] == [each.name for each in made.layers]
        for theirs, ours in zip(layers, made.layers, strict=True):
            assert theirs.offset == ours.corner[::-1] and theirs.size == ours.colour.shape[1::-1] and theirs.visible == ours.visible
            assert theirs.opacity == round(255 * ours.opacity)
            top = np.iinfo(kind).max
            assert np.array_equal(np.rint(theirs.numpy() * top).astype(kind), ours.colour)


def test_the_archive_keeps_the_rules_of_openraster(tmp_path):
    path = write_layer_file(tmp_path / "a.ora", made_file())[0]
    assert path.read_bytes()[30:54] == b"mimetypeimage/openraster", "first, stored, without an extra field"
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED and archive.testzip() is None
        assert {"stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png"} <= set(archive.namelist())
        assert max(Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png"))).size) <= 256


def test_other_programs_read_the_channels_of_an_exr(tmp_path):
    import OpenEXR

    made = shown_whole(made_file())
    path = write_layer_file(tmp_path / "a.exr", made)[0]
    with OpenEXR.File(str(path), separate_channels=True) as file:
        header, channels = file.header(), file.channels()
        assert [tuple(map(int, corner)) for corner in header["displayWindow"]] == [(0, 0), (39, 29)]
        assert [tuple(map(int, corner)) for corner in header["dataWindow"]] == [(-10, -7), (49, 36)]
        assert {"R", "A", "photo.R", "hidden_1.A", "hidden_1.Z", "border.invented"} <= set(channels)
        inside = channels["photo.Z"].pixels[7:37, 10:50]
        assert np.allclose(1 / inside, made.layer("photo").disparity, rtol=1e-6)


def changed_ora(path, change):
    """An archive with its files changed by name; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        files = {each.filename: archive.read(each) for each in archive.infolist()} | change
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            if data is not None:
                archive.writestr(name, data)


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><image w="4" h="4"><stack>&c;</stack></image>'


@pytest.mark.parametrize("change", [
    {"stack.xml": None}, {"stack.xml": b""}, {"stack.xml": BOMB}, {"stack.xml": b"<image w='4' h='4'>" + b"<stack>" * 9999},
    {"data/000.png": None}, {"data/000.png": b"\x89PNG\r\n\x1a\n"}, {"stack.xml": b"<image w='999999' h='999999'><stack/></image>"},
    {"stack.xml": b"<image w='4' h='4'><stack/></image>"}, {"stack.xml": b"<image w='a' h='4'/>"},
    {"stack.xml": b"<image w='4' h='4'><stack><layer src='data/000.png' x='1e99'/></stack></image>"},
])  # fmt: skip
def test_archives_that_lie_are_refused_in_a_sentence(tmp_path, change):
    path = write_layer_file(tmp_path / "a.ora", made_file())[0]
    changed_ora(path, change)
    with pytest.raises(DioramaError) as error:
        read_layer_file(path)
    assert error.value.kind is Kind.UNUSABLE_FILE and str(path) in str(error.value)


@pytest.mark.parametrize("ending", ["psd", "ora", "exr"])
def test_a_file_that_is_cut_short_is_refused(tmp_path, ending):
    path = write_layer_file(tmp_path / f"a.{ending}", shown_whole(made_file()))[0]
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.8):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DioramaError) as error:
            read_layer_file(path)
        assert error.value.kind is Kind.UNUSABLE_FILE


@pytest.mark.parametrize("ending", ["psd", "ora", "exr"])
def test_mutants_are_read_or_refused(tmp_path, ending):
    whole = bytearray(write_layer_file(tmp_path / f"a.{ending}", shown_whole(made_file()))[0].read_bytes())
    rng = np.random.default_rng(5)
    path = tmp_path / f"mutant.{ending}"
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), rng.choice([200, 2000, len(data)])), rng.integers(1, 6)):
            data[at] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        path.write_bytes(data)
        try:
            found = read_layer_file(path)
        except DioramaError as error:
            assert str(error).endswith(".")
            continue
        assert all(each.colour.shape[2] == 4 for each in found.layers)


def test_json_and_pixels_are_no_layers(tmp_path):
    for name, data in (("a.psd", b"GIF89a" + bytes(99)), ("a.ora", b""), ("a.exr", json.dumps({}).encode())):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DioramaError):
            read_layer_file(tmp_path / name)
    with pytest.raises(DioramaError, match="cannot be read"):
        read_layer_file(tmp_path / "nothing.psd")


@pytest.mark.parametrize("name", ["layers.psd", "layers"])
def test_folders_that_were_made_for_files_that_then_fail_go_again(tmp_path, name):
    def full(new, place):
        raise OSError(28, "No space left on device")

    (tmp_path / "mine").mkdir()
    with pytest.raises(DioramaError, match="No space left"):
        write_layer_file(tmp_path / "mine" / "a" / "b" / name, made_file(), full)
    assert [each.name for each in tmp_path.iterdir()] == ["mine"] and not list((tmp_path / "mine").iterdir())
