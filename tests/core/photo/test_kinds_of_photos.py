"""Alpha, floats, pages, raw files, panoramas and gain maps of photos as the field's tools write them, and more of each kind made here."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from exr_files import exr
from PIL import Image
from scenes import png_bytes
from tiff_files import tiff
from yard_photos import CASES, LIGHT, YARD, coded, gamma_profile, off, seen, written

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import PhotoSettings


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
