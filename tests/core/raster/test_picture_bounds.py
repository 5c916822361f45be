"""A picture's file bounds what its decoder may take: no work without pixels, no pixels without memory for them."""

import io
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_pictures import LARGEST, chunk, exr, heif_grid, jpeg, png, segment, tiff, webp
from PIL import Image

from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.raster.picture_bounds import MAX_CHUNKS, MAX_JUNK, MAX_MEMORY, MAX_SEGMENTS, peak_bytes_per_pixel
from photo_diorama.core.settings import DepthSettings

ROOT = Path(__file__).resolve().parents[3]
SIDES = (4096, 3072)
PACKED_ROW = zlib.compress(np.random.default_rng(1).bytes(3 * 64))

WORK = {
    "arithmetic.jpg": (lambda: jpeg(64, 48, frame=0xC9), "arithmetic-coded JPEG"),
    "arithmetic-progressive.jpg": (lambda: jpeg(64, 48, frame=0xCA), "arithmetic-coded JPEG"),
    "junk.jpg": (lambda: b"\xff\xd8\xff\xe0\0\2" + bytes(MAX_JUNK + 9) + jpeg(64, 48)[2:], "slow to read"),
    "parts.jpg": (lambda: b"\xff\xd8" + segment(0xE5, b"") * MAX_SEGMENTS + jpeg(64, 48)[2:], "slow to read"),
    "scans.jpg": (lambda: jpeg(64, 48, 101), "more than 100 scans"),
    "chunks.png": (lambda: png(64, 48, before=chunk(b"vpAg", b"") * MAX_CHUNKS), "slow to read"),
    "same-strip.tif": (lambda: tiff(64, 480, PACKED_ROW, 1), "names the same bytes"),
    "same-strip-big.tif": (lambda: tiff(64, 480, PACKED_ROW, 1, big=True), "names the same bytes"),
    "scans.tif": (lambda: tiff(64, 48, jpeg(64, 48, 120), 48, compression=7), "too many JPEG scans"),
    "told-twice.tif": (lambda: tiff(64, 48, PACKED_ROW, 1, shared=False, more=((273, 4, [8]),)), "slow to read"),
    "pieces.tif": (lambda: tiff(16, 300_010, b"", 1), "more than 300,000 pieces"),
}  # fmt: skip
TOO_LARGE = {
    "deep.png": lambda: _head_alone(png(16, 16, 16, 6), 16, (12_000, 12_000)), "flat.webp": lambda: webp(13_000, 12_000),
    "grid.heic": lambda: heif_grid(27, 27), "lie.exr": lambda: _larger(exr(64, 48), (10_000, 10_000)),
    "deep.tif": lambda: tiff(13_000, 13_000, b"", 13_000, bits=16, shared=False),
}  # fmt: skip


def _head_alone(data: bytes, at: int, size: tuple[int, int]) -> bytes:
    """A PNG that calls itself larger."""
    head = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + data[at + 8 : at + 13]
    return data[:8] + chunk(b"IHDR", head) + data[33:]


def _larger(data: bytes, size: tuple[int, int]) -> bytes:
    box = np.array([0, 0, 63, 47], "<i4").tobytes()
    assert box in data
    return data.replace(box, np.array([0, 0, size[0] - 1, size[1] - 1], "<i4").tobytes())


@pytest.mark.parametrize("name", WORK)
def test_work_without_pixels_is_refused_before_it_is_done(tmp_path, name):
    make, why = WORK[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(DioramaError, match=why) as refused:
        load_photo(tmp_path / name)
    assert name in str(refused.value) and str(refused.value).endswith(".") and "\n" not in str(refused.value)
    with pytest.raises(DioramaError, match=why):
        read_depth(tmp_path / name, DepthSettings())


@pytest.mark.parametrize("name", TOO_LARGE)
def test_more_pixels_than_memory_is_refused_by_the_header(tmp_path, name, monkeypatch):
    if name.endswith("heic"):
        pytest.importorskip("pillow_heif")
    (tmp_path / name).write_bytes(TOO_LARGE[name]())

    def decode(*_, **__):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    monkeypatch.setattr("cv2.imdecode", decode)
    with pytest.raises(DioramaError, match="million can be decoded in this format; scale it down first"):
        load_photo(tmp_path / name)


MEASURE = """
import json, sys
sys.path[:0] = sys.argv[1:3]
import conftest, cv2, scipy.ndimage
from hostile_pictures import LARGEST
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.raster.open_picture import _decoder
for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF"):
    try:
        _decoder(kind, "")
    except DioramaError:
        pass
def peak(fresh):
    if fresh:
        open("/proc/self/clear_refs", "w").write("5")
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
place, width, height = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
for name in sys.argv[6:]:
    before = peak(True)
    photo = load_photo(f"{place}/{name}")
    print(json.dumps([name, (peak(False) - before) / (width * height), list(photo.colour.shape[:2])]), flush=True)
    del photo
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system does not tell a peak")
def test_each_kind_takes_no_more_memory_for_a_pixel_than_is_counted(tmp_path):
    pytest.importorskip("pillow_heif")
    for name, make in LARGEST.items():
        (tmp_path / name).write_bytes(make(*SIDES))
    command = [sys.executable, "-c", MEASURE, ROOT / "tests", ROOT / "tests" / "core", tmp_path, *SIDES, *LARGEST]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    taken = {name: (bytes_, shape) for name, bytes_, shape in map(json.loads, done.stdout.splitlines())}
    assert set(taken) == set(LARGEST)
    print({name: round(a_pixel, 1) for name, (a_pixel, _) in taken.items()})
    for name, (a_pixel, shape) in taken.items():
        ending, deep = name.split(".")[1], "deep" in name
        kind = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP", "heic": "HEIF", "exr": "EXR"}[ending]
        channels, bits = 4 if "alpha" in name or kind == "EXR" else 3, 32 if kind == "EXR" else 16 if deep else 8
        assert shape == [SIDES[1], SIDES[0]]
        assert a_pixel < peak_bytes_per_pixel(kind, channels, bits) + 0.5, (name, a_pixel)  # and half for what is not of pixels
    assert MAX_MEMORY / peak_bytes_per_pixel("JPEG", 3, 8) >= 250e6


def test_what_programs_write_passes(tmp_path):
    """TIFFs of every packing that Pillow writes, in strips, in JPEG's, and in other orders of bytes; pictures of many parts."""
    pixels = Image.fromarray((np.random.default_rng(3).random((300, 400, 3)) * 255).astype(np.uint8))
    for packing in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_lzma", "zstd", "webp"):
        try:
            pixels.save(tmp_path / "a.tif", compression=packing)
        except (RuntimeError, OSError, ValueError):  # without that codec
            continue
        assert load_photo(tmp_path / "a.tif").colour.shape == (300, 400, 3)
    big = tiff(64, 48, PACKED_ROW, 1, shared=False, big=True)
    (tmp_path / "big.tif").write_bytes(big)
    rows = np.frombuffer(zlib.decompress(PACKED_ROW), np.uint8).reshape(1, 64, 3)
    assert (load_photo(tmp_path / "big.tif").colour == rows).all()
    out = io.BytesIO()
    pixels.save(out, "JPEG", progressive=True)
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + segment(0xE2, bytes(1000)) * 500 + out.getvalue()[2:])
    assert load_photo(tmp_path / "a.jpg").colour.shape == (300, 400, 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P"])
def test_rows_at_once_make_the_same_pixels_as_all_at_once(tmp_path, monkeypatch, mode):
    from picture_files import p3_profile

    picture = Image.fromarray((np.random.default_rng(4).random((70, 90, 4)) * 255).astype(np.uint8)).convert(mode)
    more = {"transparency": 7} if mode == "P" else {}
    picture.save(tmp_path / "a.png", **({} if mode in ("L", "LA", "P") else {"icc_profile": p3_profile()}), **more)
    whole = load_photo(tmp_path / "a.png")
    monkeypatch.setattr("photo_diorama.core.photo.read_pixels.PIXELS_AT_ONCE", 1000)
    parts = load_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(whole.colour, parts.colour)
    assert (whole.alpha is None) == (parts.alpha is None) == (mode in ("RGB", "L"))
    if whole.alpha is not None:
        np.testing.assert_array_equal(whole.alpha, parts.alpha)
        np.testing.assert_array_equal(whole.alpha, np.asarray(Image.open(tmp_path / "a.png").convert("RGBA"))[..., 3])
    if mode in ("L", "LA", "P"):
        seen = np.asarray(Image.open(tmp_path / "a.png").convert("RGBA"))
        np.testing.assert_array_equal(whole.colour[seen[..., 3] > 0], seen[seen[..., 3] > 0][:, :3])
