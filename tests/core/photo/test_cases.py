"""Colours of photos as the field's tools write them, each with its right value, and more of each kind made here.

The scene of most is a yard whose colours `yard_reference.png` holds.
"""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from exr_files import exr
from picture_files import P3_TO_XYZ, SRGB_TO_XYZ, srgb_curve
from PIL import Image
from scenes import png_chunk
from tiff_files import tiff
from yard_photos import ADOBE, CASES, LIGHT, REC_2020, XYZ, YARD, coded, gamma_profile, hlg, off, png_with, pq, seen, written

from photo_diorama.core.photo.photo import load_photo


@pytest.mark.parametrize("name", ["c18.png", "c19.png"])
def test_linear_pngs_are_the_yard(name):
    assert off(CASES / name) <= 3


def test_a_grey_photo_with_a_linear_grey_profile_is_its_luminance():
    grey = cv2.cvtColor(YARD, cv2.COLOR_RGB2GRAY).astype(float)
    assert off(CASES / "c18c.png", grey[..., None]) <= 3


def test_a_palette_of_display_p3_is_converted():
    raw = np.asarray(Image.open(CASES / "c18e.png").convert("RGB")) / 255.0
    wanted = srgb_curve(np.clip(raw ** (563 / 256) @ P3_TO_XYZ.T @ np.linalg.inv(SRGB_TO_XYZ).T, 0, 1)) * 255
    assert off(CASES / "c18e.png", wanted) <= 1.5 and off(CASES / "c18e.png", part=90) < off_raw(CASES / "c18e.png") - 3


def off_raw(path: Path) -> float:
    return float(np.percentile(np.abs(np.asarray(Image.open(path).convert("RGB")) - YARD.astype(float)), 90))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", ["grey", "colour", "grey alpha", "colour alpha"])
def test_a_profile_says_the_same_in_8_and_16_bits_grey_and_colour(tmp_path, dtype, channels):
    kind = "GRAY" if "grey" in channels else "RGB"
    pixels = coded(LIGHT if kind == "RGB" else LIGHT[..., :1] * 0 + LIGHT.mean(axis=2, keepdims=True), dtype)
    wanted = YARD if kind == "RGB" else srgb_curve(LIGHT.mean(axis=2, keepdims=True)) * 255
    if "alpha" in channels:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], np.iinfo(dtype).max // 2, dtype)])
    path = written(
        tmp_path / "a.png", png_with(pixels.squeeze(), png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(gamma_profile(kind, 1.0))))
    )
    assert off(path, wanted, 99) <= 3
    photo = load_photo(path)
    assert photo.colour.dtype == dtype and (photo.alpha is not None) == ("alpha" in channels) and photo.file_bytes is None


def test_a_profile_that_is_srgb_by_its_numbers_changes_nothing_whatever_its_name(tmp_path):
    from PIL import ImageCms

    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, dtype in (("a.png", np.uint8), ("b.png", np.uint16)):
        pixels = YARD.astype(dtype) * (257 if dtype == np.uint16 else 1)
        data = png_with(pixels, png_chunk(b"iCCP", b"My Camera\0\0" + zlib.compress(own)))
        photo = load_photo(written(tmp_path / name, data))
        assert np.array_equal(photo.colour, pixels) and not photo.notes
        assert (photo.file_bytes is not None) == (dtype == np.uint8)


def test_a_profile_for_another_kind_of_picture_is_told(tmp_path):
    path = written(tmp_path / "a.png", png_with(YARD, png_chunk(b"iCCP", b"x\0\0" + zlib.compress(gamma_profile("GRAY", 1.0)))))
    assert np.array_equal(load_photo(path).colour, YARD) and "profile" in load_photo(path).notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 1 / 3])
def test_the_gamma_of_a_png_counts(tmp_path, dtype, gamma):
    chunk = png_chunk(b"gAMA", struct.pack(">I", round(gamma * 1e5)))
    path = written(tmp_path / "a.png", png_with(coded(LIGHT**gamma, dtype), chunk))
    assert off(path) <= (3 if dtype == np.uint8 else 0.5)


@pytest.mark.parametrize("extra", [b"sRGB", b"iCCP", b""])
def test_the_usual_gamma_and_what_comes_before_it_leave_a_png_as_it_is(tmp_path, extra):
    from PIL import ImageCms

    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {b"sRGB": [png_chunk(b"sRGB", b"\0")], b"iCCP": [png_chunk(b"iCCP", b"x\0\0" + zlib.compress(own))], b"": []}[extra]
    gamma = 100000 if extra else 45455
    path = written(tmp_path / "a.png", png_with(YARD, png_chunk(b"gAMA", struct.pack(">I", gamma)), *more))
    assert np.array_equal(load_photo(path).colour, YARD)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_chromaticities_of_a_png_count(tmp_path, dtype):
    values = [0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06]  # Adobe RGB's
    chunks = [
        png_chunk(b"gAMA", struct.pack(">I", round(1e5 * 256 / 563))),
        png_chunk(b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in values))),
    ]
    assert off(written(tmp_path / "a.png", png_with(in_adobe(dtype), *chunks)), part=99) <= 2


def in_adobe(dtype=np.uint8) -> np.ndarray:
    return coded(np.clip(LIGHT @ XYZ.T @ np.linalg.inv(ADOBE).T, 0, 1) ** (256 / 563), dtype)


def test_adobe_rgb_by_exif_alone():
    assert off(CASES / "c21.jpg", part=95) <= 8  # a JPEG's own loss
    assert np.abs((seen(CASES / "c21.jpg") - YARD).mean(axis=(0, 1))).max() < 1.0


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("said", ["R03", "2"])
def test_adobe_rgb_by_exif_in_every_format(tmp_path, ending, said):
    exif = Image.Exif()
    exif[0x0112] = 1  # without a tag of its own Pillow writes none at all
    exif.get_ifd(0x8769)[0xA001] = 2 if said == "2" else 65535
    if said == "R03":
        exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    path = tmp_path / f"a.{ending}"
    options = {"jpg": {"quality": 98, "subsampling": 0}, "webp": {"lossless": True}}.get(ending, {})
    if ending == "tif":  # of which Pillow writes no directory below another
        told = {0xA001: 2} if said == "2" else {0xA001: 65535, 0xA005: {1: b"R03\0"}}
        path.write_bytes(tiff([{"pixels": in_adobe(), "exif": told}]))
    else:
        Image.fromarray(in_adobe()).save(path, exif=exif, **options)
    photo = load_photo(path)
    assert off(path, part=98) <= (8 if ending == "jpg" else 4) and photo.file_bytes is None and not photo.notes


def test_uncalibrated_without_more_is_told_as_an_assumption(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0xA001] = 65535
    Image.fromarray(YARD).save(tmp_path / "a.png", exif=exif)
    photo = load_photo(tmp_path / "a.png")
    assert np.array_equal(photo.colour, YARD) and "uncalibrated" in photo.notes[0]


def test_hdr_by_code_points_is_the_yard_in_floats():
    photo = load_photo(CASES / "c20b.png")
    assert photo.colour.dtype == np.float32 and "HDR (PQ)" in photo.notes[0]
    assert np.abs(seen(CASES / "c20b.png") - YARD[::2, ::2]).max() <= 1
    pytest.importorskip("pillow_heif", reason="pillow-heif is not here")
    assert off(CASES / "c20.heic", part=95) <= 6 and "HDR (PQ)" in load_photo(CASES / "c20.heic").notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("transfer", "curve"), [(16, pq), (18, hlg)])
@pytest.mark.parametrize("full", [True, False])
def test_hdr_pngs_of_every_curve_depth_and_range(tmp_path, dtype, transfer, curve, full):
    values = curve(np.clip(LIGHT @ XYZ.T @ np.linalg.inv(REC_2020).T, 0, None))
    bits = 8 * np.dtype(dtype).itemsize
    stored = coded(values if full else (16 + 219 * np.clip(values, 0, 1)) * 2 ** (bits - 8) / (2**bits - 1), dtype)
    path = written(tmp_path / "a.png", png_with(stored, png_chunk(b"cICP", bytes([9, transfer, 0, full]))))
    assert off(path, part=99) <= (6 if dtype == np.uint8 else 1.5)


def test_what_is_brighter_than_white_is_mapped_below_it_in_order(tmp_path):
    light = np.repeat(np.geomspace(0.01, 20, 64)[None, :, None], 64, axis=0).repeat(3, axis=2)
    path = written(tmp_path / "a.png", png_with(coded(pq(light), np.uint16), png_chunk(b"cICP", bytes([9, 16, 0, 1]))))
    photo = load_photo(path)
    row = photo.colour[0, :, 1]
    assert row.max() <= 1 and row[-2] > 0.9 and (np.diff(row[:-1]) > 0).all() and "tone-mapped" in photo.notes[0]
    dark = light[0, :, 1] < 0.75
    assert np.allclose(row[dark], light[0, dark, 1], rtol=2e-3)


def test_wide_code_points_of_heic_without_a_profile_count(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not here")
    light = np.clip(LIGHT @ SRGB_TO_XYZ.T @ np.linalg.inv(P3_TO_XYZ).T, 0, 1)
    try:
        made = heif.from_pillow(Image.fromarray(coded(srgb_curve(light), np.uint8)))
        nclx = {"color_primaries": 12, "transfer_characteristics": 13, "matrix_coefficients": 6, "full_range_flag": 1}
        made.save(tmp_path / "a.heic", quality=95, chroma=444, save_nclx_profile=True, **nclx)
    except (KeyError, ValueError, OSError, RuntimeError, TypeError) as error:
        pytest.skip(f"this pillow-heif cannot write HEIC: {error}")
    said = heif.open_heif(tmp_path / "a.heic").info.get("nclx_profile") or {}
    if said.get("color_primaries") != 12:
        pytest.skip("this pillow-heif writes no code points")
    assert np.abs((seen(tmp_path / "a.heic") - YARD).mean(axis=(0, 1))).max() < 1.5


@pytest.mark.parametrize("major", [b"heic", b"heix", b"heim", b"heis", b"hevx", b"hevm", b"mif1", b"MiHE", b"mif2"])
def test_every_brand_of_heic_is_opened(tmp_path, major):
    pytest.importorskip("pillow_heif", reason="pillow-heif is not here")
    data = bytearray((CASES / "c20.heic").read_bytes())
    data[8:12] = major
    assert load_photo(written(tmp_path / "a.hif", bytes(data))).colour.shape == (240, 320, 3)


def test_exr_of_other_primaries_is_brought_to_rec_709(tmp_path):
    aces = np.array([0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767], "<f4")  # ACEScg
    matrix = np.array([[1.70505, -0.62179, -0.08326], [-0.13026, 1.14080, -0.01055], [-0.02400, -0.12897, 1.15297]])  # to Rec.709
    values = np.float32(LIGHT @ np.linalg.inv(matrix).T)
    data = with_attribute(exr([dict(zip("RGB", np.moveaxis(values, 2, 0), strict=True))], 3), "chromaticities", aces.tobytes())
    assert off(written(tmp_path / "a.exr", data), part=99.9) <= 1


def with_attribute(data: bytes, name: str, value: bytes) -> bytes:
    """An EXR of ZIP blocks with an attribute more, its offsets moved."""
    extra = name.encode() + b"\0" + name.encode() + b"\0" + struct.pack("<i", len(value)) + value
    height = YARD.shape[0]
    table = header_end(data)
    count = -(-height // 16)
    offsets = np.frombuffer(data, "<u8", count, table) + np.uint64(len(extra))
    return data[:8] + extra + data[8:table] + offsets.tobytes() + data[table + 8 * count :]


def header_end(data: bytes) -> int:
    at = 8
    while data[at]:
        name, kind, _ = data[at : at + 600].split(b"\0", 2)
        at += len(name) + len(kind) + 2
        at += 4 + struct.unpack_from("<i", data, at)[0]
    return at + 1
