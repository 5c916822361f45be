"""Depth passes of OpenEXR files: by name, in every compression that is read, in layers and parts; lies are refused."""

import struct
import zlib

import numpy as np
import pytest
from exr_files import exr
from picture_files import exr_bytes

from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.raster.exr_read import read_depth_channel
from photo_diorama.core.settings import DepthSettings

RNG = np.random.default_rng(5)
METRES = np.float32(2 + np.arange(45)[:, None] / 9 + RNG.random((45, 30)) / 100)
OTHER = RNG.random((45, 30), dtype=np.float32)
MAX_PIXELS = 10**8


@pytest.mark.parametrize("compression", [0, 1, 2, 3])
@pytest.mark.parametrize("top", [0, -7])
def test_a_pass_among_others_in_each_compression(compression, top):
    layers = {"ViewLayer.Combined.R": OTHER.astype(np.float16), "ViewLayer.Depth.Z": METRES, "ViewLayer.Normal.Z": OTHER,
              "ViewLayer.Normal.X": OTHER, "ViewLayer.Mist.Z": OTHER}  # fmt: skip
    found = read_depth_channel(exr([layers], compression, top=top), "a.exr", MAX_PIXELS).values
    np.testing.assert_array_equal(found, METRES)


def test_runs_and_flat_blocks():
    flat = np.full((45, 30), 7.5, np.float32)
    flat[3] = METRES[3]
    np.testing.assert_array_equal(read_depth_channel(exr([{"Z": flat}], 1), "a.exr", MAX_PIXELS).values, flat)


@pytest.mark.parametrize("compression", [0, 3])
def test_one_part_of_several(compression):
    parts = [{"R": OTHER[:20], "G": OTHER[:20]}, {"ViewLayer.Depth.Z": METRES.astype(np.float16)}, {"A": OTHER}]
    found = read_depth_channel(exr(parts, compression), "a.exr", MAX_PIXELS).values
    np.testing.assert_array_equal(found, METRES.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(read_depth_channel(exr([{"Z": METRES}], 3, multi=True), "a.exr", MAX_PIXELS).values, METRES)


def test_colours_normals_and_unnamed_channels_are_left_to_others():
    for channels in ({"R": OTHER, "G": OTHER, "B": OTHER}, {"N.X": OTHER, "N.Y": OTHER, "N.Z": OTHER}, {"R": OTHER, "azimuth": OTHER}):
        assert read_depth_channel(exr([channels], 0), "a.exr", MAX_PIXELS) is None


@pytest.mark.parametrize("channels", [{"Z": METRES}, {"R": OTHER, "G": OTHER, "B": OTHER, "Z": METRES}, {"depth": METRES}])
def test_the_reader_of_depth_files_takes_it(tmp_path, channels):
    (tmp_path / "z.exr").write_bytes(exr_bytes(channels))
    found = read_depth(tmp_path / "z.exr", DepthSettings())
    assert found.metric and found.known.all()
    np.testing.assert_array_equal(found.values, METRES)


def test_lies_and_damage_are_refused_and_take_no_memory():
    data = exr([{"Z": METRES}], 3)
    box = struct.pack("<4i", 0, 0, 29, 44)
    for lie in ((0, 0, 2**31 - 1, 2**31 - 1), (0, 0, 29, 10**6), (5, 5, 0, 0), (-(2**31), 0, 2**31 - 1, 44)):
        with pytest.raises(DioramaError, match="a.exr .*(pixels|damaged)"):
            read_depth_channel(data.replace(box, struct.pack("<4i", *lie)), "a.exr", MAX_PIXELS)
    for end in range(8, len(data) - 1, 7):
        with pytest.raises(DioramaError, match="damaged"):
            read_depth_channel(data[:end], "a.exr", MAX_PIXELS)
    bomb = exr([{"Z": METRES}], 3)
    at = bomb.index(zlib.compress(b"")[:2], 300)
    with pytest.raises(DioramaError):
        read_depth_channel(bomb[:at] + zlib.compress(bytes(10**7)) + bomb[at:], "a.exr", MAX_PIXELS)


def test_any_change_of_a_byte_gives_depth_or_a_sentence():
    data, read = exr([{"Z": METRES[:6, :5]}, {"R": OTHER[:4, :4]}], 3), 0
    for at in range(4, len(data)):
        for value in (0, 255, data[at] ^ 1):
            changed = data[:at] + bytes([value]) + data[at + 1 :]
            try:
                found = read_depth_channel(changed, "a.exr", MAX_PIXELS)
            except DioramaError:
                continue
            assert found is None or found.values.dtype == np.float32
            read += 1
    assert read > 50
