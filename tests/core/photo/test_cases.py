"""Photos as the field's tools write them, each with its right value, and more of each kind made here.

The scene of most is a yard whose colours `yard_reference.png` holds.
"""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from exr_files import exr
from picture_files import P3_TO_XYZ, SRGB_TO_XYZ, linear_of_srgb, p3_profile, srgb_curve
from PIL import Image
from scenes import png_bytes, png_chunk
from tiff_files import tiff

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import PhotoSettings

CASES = Path(__file__).parent / "cases"
YARD = np.asarray(Image.open(CASES / "yard_reference.png").convert("RGB"))
LIGHT = linear_of_srgb(YARD / 255.0)
ADOBE = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
REC_2020 = np.array([[0.63696, 0.14462, 0.16888], [0.26270, 0.67800, 0.05930], [0.0, 0.02807, 1.06099]])
XYZ = np.array([[0.41239, 0.35758, 0.18048], [0.21264, 0.71517, 0.07219], [0.01933, 0.11919, 0.95053]])
"""Linear values to CIE XYZ at D65, of Adobe RGB (1998), BT.2020 and sRGB, as their standards print them."""


def seen(path: Path, settings: PhotoSettings = PhotoSettings()) -> np.ndarray:
    """The photo as everything after it sees it, 0..255."""
    photo = load_photo(path, settings)
    return photo.working_colour(*photo.colour.shape[:2]) * 255


def off(path: Path, wanted: np.ndarray = YARD, part: float = 100) -> float:
    return float(np.percentile(np.abs(seen(path) - wanted), part))


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def png_with(pixels: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG with chunks behind its header."""
    data = png_bytes(pixels)
    return data[:33] + b"".join(chunks) + data[33:]


def pq(light: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, of light in units of 203 cd/m2."""
    y = (np.clip(light, 0, None) * 203 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hlg(light: np.ndarray) -> np.ndarray:
    """BT.2100's curve of the scene's light; of a screen's light in units of 203 cd/m2, at 1000 cd/m2."""
    luminance = light @ np.array([0.2627, 0.6780, 0.0593]) * 0.203
    scene = light * 0.203 * (np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1))[..., None]
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def coded(values: np.ndarray, dtype) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * np.iinfo(dtype).max).astype(dtype)


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


def gamma_profile(kind: str, gamma: float) -> bytes:
    """A matrix or grey profile of version 2 whose name lies: "sRGB", whatever its gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    data = bytearray(p3_profile())
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB_TO_XYZ.T, strict=True))
    end = len(data)
    for i in range(struct.unpack_from(">I", data, 128)[0]):
        at = 132 + 12 * i
        name, start = struct.unpack_from(">4sI", data, at)
        if name in columns:
            struct.pack_into(">3i", data, start + 8, *(round(float(x) * 65536) for x in columns[name]))
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            data[at : at + 12] = (b"kTRC" if kind == "GRAY" and name == b"rTRC" else name) + struct.pack(">II", end, len(curve))
        if name == b"desc":
            words = data.index("Display P3".encode("utf-16-be"))
            data[words : words + 20] = "sRGB IEC61".encode("utf-16-be")
    data[16:20] = b"GRAY" if kind == "GRAY" else b"RGB "
    data += curve
    struct.pack_into(">I", data, 0, len(data))
    return bytes(data)


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


def test_premultiplied_exr_is_divided_by_its_alpha():
    photo = load_photo(CASES / "c17.exr")
    rim = (photo.alpha > 0.05) & (photo.alpha < 0.95)
    assert rim.sum() > 50 and np.abs(photo.colour[rim][:, 0] - 0.8).max() < 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("said", [1, 2])
def test_associated_alpha_of_tiff_is_divided_and_straight_is_not(tmp_path, dtype, said):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    alpha = np.repeat(np.linspace(0.2, 1, 60)[None], 40, axis=0)
    colour = np.full((40, 60, 3), (0.8, 0.4, 0.2))
    stored = np.dstack([colour * alpha[..., None] if said == 1 else colour, alpha]) * top
    stored = stored.astype(dtype) if dtype == np.float32 else np.rint(stored).astype(dtype)
    photo = load_photo(written(tmp_path / "a.tif", tiff([{"pixels": stored, "extra": (said,)}])))
    assert photo.colour.dtype == dtype and np.abs(photo.colour / top - colour).max() < (0.02 if dtype == np.uint8 else 1e-4)
    assert np.abs(photo.alpha / top - alpha).max() < 0.003


def test_a_fourth_channel_that_is_no_alpha_is_left_out(tmp_path):
    stored = np.dstack([coded(LIGHT, np.uint16), np.zeros(LIGHT.shape[:2], np.uint16)])
    photo = load_photo(written(tmp_path / "a.tif", tiff([{"pixels": stored, "extra": (0,)}])))
    assert photo.alpha is None and np.array_equal(photo.colour, stored[..., :3])


def test_colours_under_an_alpha_of_0_are_nobodys(tmp_path):
    photo = load_photo(CASES / "c16.png")
    assert np.array_equal(photo.alpha, np.asarray(Image.open(CASES / "c16.png"))[..., 3])
    clear = np.asarray(Image.open(CASES / "c16.png")).copy()
    assert (clear[clear[..., 3] == 0][:, :3] == 255).all()
    assert (photo.colour[photo.alpha == 0] != 255).any(axis=1).mean() > 0.99
    for number, hidden in enumerate([(0, 0, 0), (255, 0, 255)]):
        clear[clear[..., 3] == 0] = (*hidden, 0)
        Image.fromarray(clear).save(tmp_path / f"{number}.png")
        other = load_photo(tmp_path / f"{number}.png")
        assert np.array_equal(other.colour, photo.colour) and np.array_equal(other.alpha, photo.alpha)


@pytest.mark.parametrize("kind", ["png", "png 16", "exr"])
def test_an_alpha_of_0_everywhere_is_opaque_and_told(tmp_path, kind):
    if kind == "exr":
        channels = {**dict(zip("RGB", np.moveaxis(np.float32(LIGHT), 2, 0), strict=True)), "A": np.zeros(LIGHT.shape[:2], np.float32)}
        path = written(tmp_path / "a.exr", exr([channels], 3))
    else:
        pixels = np.dstack([YARD, np.zeros(YARD.shape[:2], np.uint8)])
        path = written(tmp_path / "a.png", png_bytes(pixels.astype(np.uint16) * 257 if "16" in kind else pixels))
    photo = load_photo(path)
    assert photo.alpha is None and "opaque" in photo.notes[0] and off(path) <= 1 and photo.file_bytes is None


def test_float_tiffs_are_linear():
    assert np.abs(seen(CASES / "c22.tif") - YARD[::2, ::2]).max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_float_tiffs_of_every_make(tmp_path, dtype, big_endian, grey):
    values = (LIGHT[..., 1] if grey else LIGHT).astype(dtype)
    photo = load_photo(written(tmp_path / "a.tif", tiff([{"pixels": values}], big_endian)))
    wanted = np.repeat(values[..., None], 3, axis=2) if grey else values
    assert photo.colour.dtype == np.float32 and np.allclose(photo.colour, wanted, atol=1e-6) and photo.is_linear
    assert "linear" in photo.notes[0]


def test_white_is_zero_is_no_negative():
    grey = cv2.cvtColor(YARD, cv2.COLOR_RGB2GRAY).astype(float)
    assert off(CASES / "c23.tif", grey[..., None]) <= 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("big_endian", [False, True])
def test_white_is_zero_in_8_and_16_bits(tmp_path, dtype, big_endian):
    grey = coded(LIGHT[..., 1], dtype)
    top = np.iinfo(dtype).max
    photo = load_photo(written(tmp_path / "a.tif", tiff([{"pixels": top - grey, "photometric": 0}], big_endian)))
    assert np.array_equal(photo.colour, np.repeat(grey[..., None], 3, axis=2))


def refused(path: Path) -> str:
    with pytest.raises(DioramaError) as caught:
        load_photo(path)
    text = str(caught.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text
    return text


def test_a_dng_is_told_to_be_developed():
    text = refused(CASES / "c24.dng")
    assert "camera raw" in text and "develop" in text


SMALL = np.zeros((32, 48, 3), np.uint8)
MOSAIC = np.zeros((320, 480), np.uint16)
RAW = {
    "NEF": lambda: tiff([{"pixels": SMALL, "subfile": 1, "below": [{"pixels": MOSAIC, "photometric": 32803}]}]),
    "ARW": lambda: tiff([{"pixels": SMALL, "subfile": 1, "below": [{"pixels": MOSAIC, "photometric": 32803}]}], True),
    "linear DNG": lambda: tiff([{"pixels": SMALL, "below": [{"pixels": MOSAIC, "photometric": 34892}]}]),
    "CR2": lambda: b"II*\0\x10\0\0\0CR\2\0" + tiff([{"pixels": SMALL}])[12:],
    "CR3": lambda: struct.pack(">I", 24) + b"ftypcrx \0\0\0\1crx isom" + bytes(200),
    "RAF": lambda: b"FUJIFILMCCD-RAW 0201FF383501" + bytes(200),
    "ORF": lambda: b"IIRO\x08\0\0\0" + bytes(200),
    "RW2": lambda: b"IIU\0\x18\0\0\0" + bytes(200),
}


@pytest.mark.parametrize("kind", RAW)
def test_camera_raw_of_every_maker_is_a_sentence(tmp_path, kind):
    text = refused(written(tmp_path / "photo.tif", RAW[kind]()))
    assert "camera raw" in text and "develop" in text


OTHERS = {
    "AVIF": struct.pack(">I", 28) + b"ftypavif\0\0\0\0avifmif1miaf" + bytes(99),
    "GIF": b"GIF89a" + bytes(99), "JPEG XL": b"\xff\x0a" + bytes(99), "Photoshop": b"8BPS" + bytes(99), "BMP": b"BM" + bytes(99),
    "film": struct.pack(">I", 24) + b"ftypmp42\0\0\0\0mp42isom" + bytes(99), "Radiance": b"#?RADIANCE\n" + bytes(99),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_formats_that_are_not_read_are_named(tmp_path, kind):
    text = refused(written(tmp_path / "photo.jpg", OTHERS[kind]))
    assert kind in text and "export it as JPEG" in text


FULL = coded(LIGHT, np.uint8)
PAGES = {
    "flagged preview first": [{"pixels": SMALL, "subfile": 1}, {"pixels": FULL}],
    "old flag": [{"pixels": SMALL, "old": 2}, {"pixels": FULL}],
    "unflagged preview first": [{"pixels": SMALL}, {"pixels": FULL}],
    "below": [{"pixels": SMALL, "subfile": 1, "below": [{"pixels": FULL}]}],
    "mask as large": [{"pixels": FULL[..., 0], "subfile": 4}, {"pixels": FULL}],
    "a pyramid": [{"pixels": FULL, "below": [{"pixels": SMALL, "subfile": 1}]}],
    "deep": [{"pixels": SMALL, "subfile": 1}, {"pixels": FULL.astype(np.uint16) * 257}],
    "float": [{"pixels": SMALL, "subfile": 1}, {"pixels": np.float32(FULL / 255)}],
}


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("kind", PAGES)
def test_the_full_page_of_a_tiff_is_taken(tmp_path, kind, big_endian):
    photo = load_photo(written(tmp_path / "a.tif", tiff(PAGES[kind], big_endian)))
    top = 1 if photo.colour.dtype == np.float32 else np.iinfo(photo.colour.dtype).max
    assert photo.colour.shape == FULL.shape and np.abs(photo.colour / top - FULL / 255).max() < 1e-3


def test_several_full_pages_are_told(tmp_path):
    photo = load_photo(written(tmp_path / "a.tif", tiff([{"pixels": FULL}, {"pixels": FULL[::-1]}])))
    assert np.array_equal(photo.colour, FULL) and "2 pages" in photo.notes[0]


def test_a_panorama_is_told():
    text = refused(CASES / "c25.jpg")
    assert "panorama" in text and "360" in text and "--fov" in text
    assert "panorama" in load_photo(CASES / "c25.jpg", PhotoSettings(fov=90)).notes[0]


def gpano(full: int, part: tuple[int, int], kind: str = "equirectangular") -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="{kind}" GPano:FullPanoWidthPixels="{full}" '
        f'GPano:CroppedAreaImageWidthPixels="{part[0]}" GPano:CroppedAreaImageHeightPixels="{part[1]}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_panoramas_of_every_format_are_told(tmp_path, ending):
    options = {"xmp": gpano(320, (320, 240))}
    if ending == "png":
        from PIL import PngImagePlugin

        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", gpano(320, (320, 240)).decode())
        options = {"pnginfo": info}
    if ending == "tif":
        options = {"tiffinfo": {700: gpano(320, (320, 240))}}
    Image.fromarray(YARD).save(tmp_path / f"a.{ending}", **options)
    assert "panorama" in refused(tmp_path / f"a.{ending}")


def test_a_narrow_part_of_a_panorama_and_one_that_was_cut_since_are_photos_with_a_note(tmp_path):
    for packet, words in ((gpano(1600, (320, 240)), "72 degrees"), (gpano(4000, (4000, 2000)), "another shape"), (b"x" * 9, "")):
        Image.fromarray(YARD).save(tmp_path / "a.jpg", xmp=packet)
        notes = load_photo(tmp_path / "a.jpg").notes
        assert (words in notes[0]) if words else not notes
    Image.fromarray(YARD).save(tmp_path / "a.jpg", xmp=gpano(1600, (320, 240))[:-20])
    assert "damaged" in load_photo(tmp_path / "a.jpg").notes[0]


def test_a_sphere_without_a_word_is_a_note_and_a_wide_photo_is_none(tmp_path):
    half = cv2.resize(YARD, (160, 160), interpolation=cv2.INTER_AREA)
    sphere = np.concatenate([half, half[:, ::-1]], axis=1).astype(float)
    towards = np.clip(np.abs(np.linspace(-1, 1, 160)) * 4 - 3, 0, 1)[:, None, None]
    sphere = sphere * (1 - towards) + sphere.mean(axis=1, keepdims=True) * towards
    Image.fromarray(sphere.astype(np.uint8)).save(tmp_path / "sphere.png")
    assert "360" in load_photo(tmp_path / "sphere.png").notes[0]
    Image.fromarray(YARD[60:220]).save(tmp_path / "wide.png")
    Image.fromarray(np.full((160, 320, 3), 90, np.uint8)).save(tmp_path / "plain.png")
    assert not load_photo(tmp_path / "wide.png").notes and not load_photo(tmp_path / "plain.png").notes


def test_a_gain_map_is_told(tmp_path):
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>'
    Image.fromarray(YARD).save(tmp_path / "a.jpg", xmp=packet, quality=95)
    photo = load_photo(tmp_path / "a.jpg")
    assert photo.colour.dtype == np.uint8 and "gain map" in photo.notes[0]


def test_deep_profiles_of_tables_are_as_those_of_8_bits():
    """LittleCMS does both; 16 bits go between its levels, without steps."""
    from photo_diorama.core.photo.icc_profile import deep_by_tables
    from photo_diorama.core.photo.icc_profile import to_srgb as by_numbers

    profile = gamma_profile("RGB", 1.8)
    pixels = coded(LIGHT ** (1 / 1.8), np.uint16)
    by_tables, exact = deep_by_tables(pixels, profile), by_numbers(pixels, profile)
    assert np.abs(by_tables / 257 - exact / 257).max() < 1.6
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
    assert (np.diff(deep_by_tables(ramp, profile)[0, :, 1].astype(int)) >= 0).all()


def test_one_list_of_endings_serves_all():
    from photo_diorama.core.batch.manifest import PHOTO_ENDINGS as of_batches
    from photo_diorama.core.raster.open_picture import PHOTO_ENDINGS

    assert of_batches is PHOTO_ENDINGS and {".hif", ".heic", ".exr", ".tiff"} <= set(PHOTO_ENDINGS)
    told = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert all(f"`{ending}`" in told for ending in PHOTO_ENDINGS)
