"""Mutated files of every kind give a scene or a sentence; what the long run of benchmarks/fuzz.py found stays mended."""

import io
import os
import time
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import case, depth_map, outcome, seeds
from picture_files import pfm_bytes
from PIL import EpsImagePlugin, Image

from photo_diorama.core.depth.depth_in_photo import decode_embedded_depth
from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.depth.samsung_depth import trailer_blocks
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.heif_boxes import read_heif_items
from photo_diorama.core.photo.jpeg_segments import appended_images, end_of_image, segments, xmp_segments
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.photo.xmp import decode_base64, number, parse_xmp
from photo_diorama.core.raster.decode import exr_size
from photo_diorama.core.raster.exr_read import read_depth_channel
from photo_diorama.core.settings import DepthSettings

CASES, SLOWEST = 156, 60.0  # seconds of the processor, on any machine: what takes longer hangs
MEMORY = 1_500_000_000
"""Bytes that the whole subset may add to the process: none of its files is larger than 100 kB."""
GOOD = {"a scene", "a result", "a sentence", "nothing"}


@pytest.mark.parametrize("seed", seeds(), ids=lambda seed: seed.name)
def test_the_sound_files_are_read(tmp_path, seed):
    expected = {"xmp": "a result"}.get(seed.kind, "a scene")
    assert outcome(seed, tmp_path) == expected


def test_a_subset_of_the_mutations(tmp_path):
    resource = pytest.importorskip("resource", reason="there is no measure of memory")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {}
    for n in range(CASES):
        begun = time.process_time()
        came = outcome(case(n), tmp_path)
        assert came in GOOD and time.process_time() - begun < SLOWEST, n
        counts[came] = counts.get(came, 0) + 1
    assert counts["a scene"] > 20 and counts["a sentence"] > 20, counts
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def test_mutations_are_the_same_each_time():
    assert [case(n) for n in range(60)] == [case(n) for n in range(60)]
    assert sum(case(n).data not in {s.data for s in seeds()} for n in range(200)) > 180


def test_an_array_with_a_header_cut_short_is_a_sentence(tmp_path):
    """NumPy's reader of headers passes on an error of Python's own tokenizer."""
    np.save(tmp_path / "d.npy", depth_map())
    data = (tmp_path / "d.npy").read_bytes().replace(b"False", b"F(lse")
    (tmp_path / "d.npy").write_bytes(data)
    with pytest.raises(DioramaError, match="d.npy is damaged"):
        read_depth(tmp_path / "d.npy", DepthSettings())


@pytest.mark.parametrize("kind", ["disparity", "metric"])
def test_numbers_without_meaning_are_unknown(tmp_path, kind):
    """3e38 less -3e38 is no float any more: one damaged bit made a mesh of NaN."""
    values = depth_map()
    values[3, 4], values[5, 6], values[7, 8] = 3e38, 1e30, -3e38 if kind == "disparity" else 2e38
    (tmp_path / "d.pfm").write_bytes(pfm_bytes(values))
    found = read_depth(tmp_path / "d.pfm", DepthSettings(depth_kind=kind))
    assert not found.known[[3, 5, 7], [4, 6, 8]].any() and found.known.sum() == values.size - 3
    assert found.values[found.known].max() < 10


def test_a_decoder_with_several_lines_to_say_is_one_sentence(tmp_path):
    heic = next((s for s in seeds() if s.name == "a.heic"), None)
    if heic is None:
        pytest.skip("pillow-heif is not here")
    (tmp_path / "cut.heic").write_bytes(heic.data[: len(heic.data) // 2])
    with pytest.raises(DioramaError) as told:
        load_photo(tmp_path / "cut.heic")
    assert "\n" not in str(told.value) and str(told.value).endswith(".")


def _npz(compression: int) -> bytes:
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, depth_map())
    with zipfile.ZipFile(archive, "w", compression) as packed:
        packed.writestr("depth.npy", array.getvalue())
    return archive.getvalue()


def _damaged_lzma() -> bytes:
    data = bytearray(_npz(zipfile.ZIP_LZMA))
    data[50] ^= 0x55
    return bytes(data)


def _tiff(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 7).save(out, "TIFF")
    return out.getvalue()


@pytest.mark.parametrize(
    "name, make",
    [
        ("d.npz", lambda: _npz(zipfile.ZIP_LZMA)),  # its errors are of no kind that NumPy's other ones are
        ("d.npz", _damaged_lzma),
        ("d.npz", lambda: _npz(zipfile.ZIP_BZIP2)),
        ("d.tif", lambda: _tiff(1_100_000, 20)),  # OpenCV's own bound: an error of its own kind
        ("d.tif", lambda: _tiff(20, 1_100_000)),
    ],
)
def test_a_depth_map_of_an_odd_make_is_a_sentence(tmp_path, name, make):
    (tmp_path / name).write_bytes(make())
    with pytest.raises(DioramaError) as told:
        read_depth(tmp_path / name, DepthSettings())
    assert str(tmp_path / name) in str(told.value) and str(told.value).endswith(".") and "\n" not in str(told.value)


@pytest.mark.filterwarnings("error")
def test_numbers_that_are_no_float32_are_unknown_without_a_warning(tmp_path):
    values = depth_map().astype(np.float64)
    values[3, 4], values[5, 6] = 1e300, np.inf
    np.save(tmp_path / "d.npy", values)
    found = read_depth(tmp_path / "d.npy", DepthSettings(depth_scale=2.0))
    assert not found.known[[3, 5], [4, 6]].any() and found.known.sum() == values.size - 2
    np.testing.assert_array_equal(found.values[found.known], 2 * depth_map()[found.known])


def test_no_other_program_is_started_for_a_picture(tmp_path, monkeypatch):
    """Pillow hands PostScript to Ghostscript where that is installed."""
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.jpg", "EPS")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("Ghostscript was started"))
    with pytest.raises(DioramaError, match="a.jpg is not a picture"):
        load_photo(tmp_path / "a.jpg")


def refused_or(work):
    """What `work` gives, or None where it says so in a sentence."""
    try:
        return work()
    except DioramaError as error:
        assert str(error).endswith(".") and "\n" not in str(error)


ANY = settings(max_examples=150, deadline=20_000, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
BYTES = st.binary(max_size=600)
MAGIC = st.sampled_from([
    b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\0\x40http://ns.adobe.com/xap/1.0/\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"II*\0\x08\0\0\0",
    b"RIFF\0\1\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\1\0meta\0\0\0\0", b"\x76\x2f\x31\x01\2\0\0\0channels\0chlist\0",
    b"\x93NUMPY\1\0\x76\0{'descr': '<f4', ", b"PK\3\4", b"Pf\n", b"PF\n4 4\n-1\n",
])  # fmt: skip
TEXT = st.text(max_size=60)
TREES = st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4).map(lambda c: "<r:li>" + "".join(c) + "</r:li>"), max_leaves=12)


@ANY
@given(MAGIC, BYTES)
def test_any_bytes_are_a_photo_or_a_sentence(tmp_path_factory, magic, data):
    path = tmp_path_factory.getbasetemp() / "any.jpg"
    path.write_bytes(magic + data)
    photo = refused_or(lambda: load_photo(path))
    assert photo is None or min(photo.colour.shape[:2]) >= 16
    refused_or(lambda: decode_embedded_depth(magic + data, "any.jpg"))


@ANY
@given(MAGIC, BYTES)
def test_any_bytes_are_depth_or_a_sentence(tmp_path_factory, magic, data):
    path = tmp_path_factory.getbasetemp() / "any.png"
    path.write_bytes(magic + data)
    found = refused_or(lambda: read_depth(path, DepthSettings()))
    assert found is None or np.isfinite(found.values[found.known]).all()


@ANY
@given(MAGIC, BYTES, st.integers(-5, 700))
def test_readers_of_structure_stay_inside_the_file(magic, data, start):
    data = magic + data
    assert all(0 <= at <= len(data) for _, at, _ in segments(data, max(0, start)))
    assert all(0 < a <= b <= len(data) for a, b in appended_images(data))
    end = end_of_image(data)
    assert end is None or 0 < end <= len(data)
    xmp_segments(data), trailer_blocks(data + b"SEFT"), read_heif_items(data)
    size = exr_size(data)
    assert size is None or min(size) >= 0
    refused_or(lambda: read_depth_channel(data, "any.exr", 10**6))


@ANY
@given(TREES, BYTES)
def test_any_xmp_is_a_tree_or_a_sentence(tree, noise):
    refused_or(lambda: parse_xmp(noise, "any.xmp"))
    head = '<x xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    root = refused_or(lambda: parse_xmp(f"{head}{tree}</x>".encode(errors="ignore"), "any.xmp"))
    assert root is None or sum(1 for _ in root.walk()) >= 2


@ANY
@given(TEXT)
def test_numbers_and_base64_from_strangers(text):
    value = number(text)
    assert value is None or value == value
    data = refused_or(lambda: decode_base64(text, "any.jpg", "depth"))
    assert data is None or len(data) <= len(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
@pytest.mark.parametrize("read", [load_photo, lambda path: read_depth(path, DepthSettings())])
def test_a_pipe_or_device_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "p.png")
    for path in (tmp_path / "p.png", "/dev/zero"):
        with pytest.raises(DioramaError, match="is no file"):
            read(path)
