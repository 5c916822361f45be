"""Photos: every format and orientation gives the same upright picture and EXIF's camera; bad files are told."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from picture_files import exr_bytes, forbid_decoding, p3_profile, srgb_of_p3
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from scenes import png_bytes, png_chunk, png_header

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.raster.colour_curves import linear_from_srgb, srgb_from_linear
from photo_diorama.core.settings import PhotoSettings

ROWS, COLUMNS = np.mgrid[:40, :60]
UPRIGHT = np.stack([ROWS * 6, COLUMNS * 4, 255 - ROWS * 3 - COLUMNS * 2], axis=2).astype(np.uint8)
"""A picture that no turn and no flip leaves as it is."""
STORED = {  # what a camera that writes this orientation stores of an upright picture (TIFF 6.0, tag 274)
    1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1), 6: lambda p: p.swapaxes(0, 1)[::-1], 7: lambda p: p.swapaxes(0, 1)[::-1, ::-1],
    8: lambda p: p.swapaxes(0, 1)[:, ::-1],
}  # fmt: skip
FOCAL_MM, FOCAL_35MM, PLANE_X_RES, PLANE_UNIT, WIDE, TALL = 0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA003


def exif(orientation: int = 1, **tags) -> Image.Exif:
    result = Image.Exif()
    result[0x0112] = orientation
    names = {
        "mm": FOCAL_MM,
        "mm35": FOCAL_35MM,
        "resolution": PLANE_X_RES,
        "unit": PLANE_UNIT,
        "wide": WIDE,
        "tall": TALL,
    }
    for name, value in tags.items():
        result.get_ifd(0x8769)[names[name]] = value
    return result


def saved(folder: Path, name: str, pixels: np.ndarray, mode: str | None = None, **options) -> Path:
    path = folder / name
    Image.fromarray(np.ascontiguousarray(pixels), mode).save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp", "tif", "jpg"])
def test_every_orientation_gives_the_upright_photo(tmp_path, orientation, kind):
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95, "subsampling": 0}}.get(kind, {})
    path = saved(tmp_path, f"photo.{kind}", STORED[orientation](UPRIGHT), exif=exif(orientation), **options)
    photo = load_photo(path)
    assert photo.colour.shape == UPRIGHT.shape and (photo.camera.width, photo.camera.height) == (60, 40)
    difference = np.abs(photo.colour.astype(int) - UPRIGHT).max()
    assert difference <= (12 if kind == "jpg" else 0)
    # Blender does not turn pictures: the file's own bytes may be handed on only when they are upright
    assert (photo.file_bytes is not None) == (kind in ("png", "jpg") and orientation == 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_sixteen_bits_are_turned_too(tmp_path, orientation, kind):
    deep = UPRIGHT[..., 0].astype(np.uint16) * 257 + COLUMNS.astype(np.uint16)
    path = saved(tmp_path, f"deep.{kind}", STORED[orientation](deep), exif=exif(orientation))
    photo = load_photo(path)
    assert photo.colour.dtype == np.uint16 and np.array_equal(photo.colour, np.repeat(deep[..., None], 3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_read_upright(tmp_path, orientation):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not here")
    heif.register_heif_opener()
    path = tmp_path / "phone.heic"
    try:
        saved(tmp_path, path.name, STORED[orientation](UPRIGHT), quality=100, exif=exif(orientation).tobytes())
    except (KeyError, ValueError, OSError, RuntimeError) as error:
        pytest.skip(f"this pillow-heif cannot write HEIC: {error}")
    photo = load_photo(path)
    assert photo.colour.shape == UPRIGHT.shape and np.abs(photo.colour.astype(int) - UPRIGHT).mean() < 6


def test_35_mm_equivalent_keeps_the_diagonal_angle(tmp_path):
    photo = load_photo(saved(tmp_path, "a.jpg", UPRIGHT, exif=exif(mm35=28)))
    assert photo.camera.focal_px == pytest.approx(28 / np.hypot(36, 24) * np.hypot(60, 40), rel=1e-6)
    assert "28" in photo.focal_source and "EXIF" in photo.focal_source
    turned = load_photo(saved(tmp_path, "b.jpg", STORED[6](UPRIGHT), exif=exif(6, mm35=28)))
    assert turned.camera == photo.camera


@pytest.mark.parametrize(("unit", "resolution"), [(2, 2540), (3, 1000), (4, 100)])
def test_focal_plane_resolution_gives_the_focal_length(tmp_path, unit, resolution):
    """5 mm at 100 px a mm are 500 px on a sensor 600 px wide: 50 px on a photo scaled down to 60."""
    tags = exif(mm=IFDRational(5), resolution=IFDRational(resolution), unit=unit, wide=600, tall=400)
    photo = load_photo(saved(tmp_path, "a.jpg", UPRIGHT, exif=tags))
    assert photo.camera.focal_px == pytest.approx(50, rel=1e-6) and "focal plane" in photo.focal_source
    assert photo.camera.fov_deg == pytest.approx(2 * np.degrees(np.arctan(30 / 50)))


def test_focal_plane_resolution_of_a_portrait_stored_upright(tmp_path):
    tags = exif(mm=IFDRational(5), resolution=IFDRational(1000), unit=3, wide=400, tall=600)
    photo = load_photo(saved(tmp_path, "a.jpg", UPRIGHT.swapaxes(0, 1), exif=tags))
    assert photo.camera.focal_px == pytest.approx(50, rel=1e-6)


@pytest.mark.parametrize(
    ("header", "focal", "assumed"),
    [
        ({"effectiveFocalLength": 20.0, "sensorOverallDimensions": (30.0, 20.0)}, 40.0, False),
        ({"nominalFocalLength": 20.0, "sensorOverallDimensions": (40.0, 20.0)}, 30.0, False),
        ({"Lens": "36.00"}, 60.0, True),
        ({"Lens": "wide"}, 60.0, False),
        ({"Lens": "-3"}, 60.0, False),
        ({"effectiveFocalLength": 20.0}, 60.0, False),
    ],
)
def test_the_lens_that_an_openexr_tells(tmp_path, header, focal, assumed):
    """By its standard attributes, or as Blender stamps it; what was taken for granted is told."""
    OpenEXR = pytest.importorskip("OpenEXR")
    header = {name: np.float32(value) if np.ndim(value) else value for name, value in header.items()}
    OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, {"RGB": np.full((40, 60, 3), 0.5, np.float32)}).write(str(tmp_path / "a.exr"))
    photo = load_photo(tmp_path / "a.exr")
    assert photo.camera.focal_px == pytest.approx(focal, rel=1e-5)
    assert any("sensor of 36 mm" in note for note in photo.notes) == assumed
    assert ("OpenEXR" in photo.focal_source) == (focal != 60 or assumed)


@pytest.mark.parametrize("tags", [{}, {"mm35": 0}, {"mm": IFDRational(0, 0), "resolution": IFDRational(1)}, {"mm35": 65000}])
def test_without_a_focal_length_the_long_side_spans_53_degrees(tmp_path, tags):
    photo = load_photo(saved(tmp_path, "a.jpg", UPRIGHT, exif=exif(**tags)))
    assert photo.camera.focal_px == pytest.approx(60) and "53.13" in photo.focal_source


def test_the_users_focal_length_wins(tmp_path):
    path = saved(tmp_path, "a.jpg", UPRIGHT, exif=exif(mm35=28))
    assert load_photo(path, PhotoSettings(focal_px=77)).camera.focal_px == 77
    assert load_photo(path, PhotoSettings(fov=60)).camera.fov_deg == pytest.approx(60)


def test_grey_and_alpha_in_8_and_16_bits(tmp_path):
    alpha = (COLUMNS * 4).astype(np.uint8)
    grey = UPRIGHT[..., 0]
    stacks = {"grey": grey, "grey alpha": np.dstack([grey, alpha]), "rgb": UPRIGHT, "rgba": np.dstack([UPRIGHT, alpha])}
    for name, pixels in stacks.items():
        for scale, dtype in ((1, np.uint8), (257, np.uint16)):
            path = tmp_path / f"{name} {scale}.png"
            path.write_bytes(png_bytes(pixels.astype(dtype) * dtype(scale)))
            photo = load_photo(path)
            colour = UPRIGHT if "rgb" in name else np.repeat(grey[..., None], 3, axis=2)
            assert photo.colour.dtype == dtype, name
            seen = alpha > 0 if "alpha" in name or name == "rgba" else alpha >= 0
            assert np.array_equal(photo.colour[seen], (colour.astype(dtype) * dtype(scale))[seen]), name
            assert (photo.alpha is not None) == ("a" in name[4:] or name == "rgba"), name
            if photo.alpha is not None:
                assert np.array_equal(photo.alpha, alpha.astype(dtype) * dtype(scale)), name


def test_opaque_alpha_is_none(tmp_path):
    assert load_photo(saved(tmp_path, "a.png", np.dstack([UPRIGHT, np.full((40, 60), 255, np.uint8)]))).alpha is None


def test_palette_and_bilevel(tmp_path):
    flat = np.where(COLUMNS[..., None] < 30, np.uint8((200, 20, 30)), np.uint8((10, 20, 230)))
    image = Image.fromarray(flat).convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    image.save(tmp_path / "p.png")
    assert np.array_equal(load_photo(tmp_path / "p.png").colour, flat)
    Image.fromarray(flat[..., 0] > 100).save(tmp_path / "1.png")
    assert np.array_equal(load_photo(tmp_path / "1.png").colour[..., 1], np.where(flat[..., 0] > 100, 255, 0))


def test_sixteen_bit_tiff_colour(tmp_path):
    import cv2

    deep = UPRIGHT.astype(np.uint16) * 256 + ROWS[..., None].astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.tif"), deep[..., ::-1])  # OpenCV's order is B G R
    photo = load_photo(tmp_path / "deep.tif")
    assert np.array_equal(photo.colour, deep) and photo.file_bytes is None


def test_cmyk_jpeg_is_converted(tmp_path):
    ink = np.zeros((40, 60, 4), np.uint8)
    ink[:, 20:40, 1:3] = 255  # magenta and yellow: red
    ink[:, 40:, 3] = 255
    photo = load_photo(saved(tmp_path, "print.jpg", ink, "CMYK", quality=95))
    assert photo.colour.shape == (40, 60, 3) and photo.file_bytes is None
    for column, colour in ((10, (255, 255, 255)), (30, (255, 0, 0)), (50, (0, 0, 0))):
        assert np.abs(photo.colour[20, column].astype(int) - colour).max() <= 8


def test_open_exr_keeps_its_floats(tmp_path):
    value = np.float32(UPRIGHT) / 64  # above 1 is kept
    channels = dict(zip("RGB", np.moveaxis(value, 2, 0), strict=True))
    (tmp_path / "a.exr").write_bytes(exr_bytes(channels))
    photo = load_photo(tmp_path / "a.exr")
    assert photo.colour.dtype == np.float32 and photo.is_linear and np.array_equal(photo.colour, value)
    alpha = np.float32((COLUMNS + 1) / 60)
    (tmp_path / "b.exr").write_bytes(exr_bytes({**{name: values * alpha for name, values in channels.items()}, "A": alpha}))
    half_clear = load_photo(tmp_path / "b.exr")
    assert np.array_equal(half_clear.alpha, alpha) and np.allclose(half_clear.colour, value, rtol=1e-6)
    working = photo.working_colour(40, 60)
    assert np.allclose(linear_from_srgb(working), value, rtol=1e-4, atol=1e-6)


def test_unusual_floats_of_an_exr_are_made_finite(tmp_path):
    value = np.float32(UPRIGHT[..., 0]) / 255
    value[3, 4], value[5, 6], value[7, 8] = np.nan, np.inf, -np.inf
    (tmp_path / "a.exr").write_bytes(exr_bytes({"R": value, "G": value, "B": value}))
    colour = load_photo(tmp_path / "a.exr").colour
    assert np.isfinite(colour).all() and colour[3, 4, 0] == 0 and colour[5, 6, 0] > 1000


def test_display_p3_becomes_srgb(tmp_path):
    photo = load_photo(saved(tmp_path, "phone.png", UPRIGHT, icc_profile=p3_profile()))
    assert np.abs(photo.colour - srgb_of_p3(UPRIGHT)).max() <= 2.0
    assert np.abs(photo.colour.astype(int) - UPRIGHT).max() > 20 and photo.file_bytes is None


def test_srgb_profile_changes_nothing(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = load_photo(saved(tmp_path, "a.png", UPRIGHT, icc_profile=profile))
    assert np.array_equal(photo.colour, UPRIGHT) and photo.file_bytes is not None


def test_damaged_profile_and_exif_are_passed_over(tmp_path):
    wild = b"Exif\0\0II*\0\xff\xff\xff\xff"
    photo = load_photo(saved(tmp_path, "a.png", UPRIGHT, icc_profile=b"no profile", exif=wild))
    assert np.array_equal(photo.colour, UPRIGHT) and "53.13" in photo.focal_source
    assert any("profile" in note for note in photo.notes)


def test_transfer_curve_round_trip():
    x = np.linspace(0, 4, 4001, dtype=np.float32)
    assert np.allclose(linear_from_srgb(srgb_from_linear(x)), x, rtol=1e-4, atol=1e-6)
    assert np.allclose(srgb_from_linear(np.float32([0, 0.0031308, 0.21404114, 1])), [0, 0.04045, 0.5, 1], atol=1e-5)


@pytest.mark.parametrize("scale", [1, 257])
def test_working_colour_averages_areas(tmp_path, scale):
    dtype = np.uint8 if scale == 1 else np.uint16
    (tmp_path / "a.png").write_bytes(png_bytes(UPRIGHT.astype(dtype) * dtype(scale)))
    photo = load_photo(tmp_path / "a.png")
    expected = UPRIGHT.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3)) / 255
    assert np.allclose(photo.working_colour(20, 30), expected, atol=1.1 / 255)
    assert photo.working_colour(20, 30).dtype == np.float32


@pytest.mark.parametrize("name", ["two words and more.png", "Übergröße 写真 фото.png", "n" * 246 + ".png"])
def test_any_name(tmp_path, name):
    photo = load_photo(saved(tmp_path, name, UPRIGHT))
    assert np.array_equal(photo.colour, UPRIGHT) and photo.name == name[:-4]


def picture_bytes(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(UPRIGHT).save(file, kind)
    return file.getvalue()


DAMAGED = {
    "text": b"This is no picture at all.\n" * 9,
    "cut JPEG": picture_bytes("JPEG")[:-300],
    "JPEG head": picture_bytes("JPEG")[:30],
    "cut PNG": png_bytes(UPRIGHT)[:-200],
    "cut 16-bit PNG": png_bytes(UPRIGHT.astype(np.uint16) * 257)[:-200],
    "cut TIFF": picture_bytes("TIFF")[:-300],
    "cut WebP": picture_bytes("WEBP")[:-100],
    "cut EXR": exr_bytes({c: np.ones((40, 60), np.float32) for c in "RGB"})[:-2000],
    "EXR head": b"\x76\x2f\x31\x01" + bytes(40),
    "PNG with broken data": png_header(60, 40) + png_chunk(b"IDAT", b"no zlib stream") + png_chunk(b"IEND", b""),
}


def told(path: Path) -> str:
    """The one sentence with which a photo is refused; it names the file."""
    with pytest.raises(DioramaError) as caught:
        load_photo(path)
    text = str(caught.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text
    return text.replace(str(path), "")


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_refused(tmp_path, kind):
    path = tmp_path / "bad.jpg"
    path.write_bytes(DAMAGED[kind])
    assert any(words in told(path) for words in ("damaged", "cut short", "not a picture", "cannot be decoded"))


def test_no_file_folder_and_empty(tmp_path):
    assert "cannot be read" in told(tmp_path / "missing.jpg")
    assert "folder" in told(tmp_path)
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert "0 bytes" in told(tmp_path / "empty.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path):
    path = saved(tmp_path, "secret.png", UPRIGHT)
    path.chmod(0)
    assert "cannot be read" in told(path)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2000, 3), (3, 2000), (15, 60), (2000, 99)])
def test_too_small_or_narrow(tmp_path, width, height):
    path = saved(tmp_path, "small.png", np.zeros((height, width, 3), np.uint8))
    assert f"{width}x{height}" in told(path)


def huge(kind: str) -> bytes:
    """A short file whose header claims 40,000 x 40,000 pixels."""
    if kind == "png":
        return png_header(40000, 40000) + png_chunk(b"IDAT", b"x\x9c" + bytes(500))
    if kind == "png 16":
        return png_header(40000, 40000, 16) + png_chunk(b"IDAT", b"x\x9c" + bytes(500))
    if kind == "exr":
        return exr_bytes({c: np.zeros((40, 60), np.float32) for c in "RGB"}, claimed=(30000, 30000))
    jpeg = picture_bytes("JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + (40000).to_bytes(2, "big") * 2 + jpeg[at + 4 :]


@pytest.mark.parametrize("kind", ["png", "png 16", "jpg", "exr"])
def test_a_huge_header_is_refused_before_decoding(tmp_path, kind, monkeypatch):
    path = tmp_path / "huge.png"
    path.write_bytes(huge(kind))
    forbid_decoding(monkeypatch)
    assert "scale it down" in told(path)


MEMORY = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import conftest
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
import cv2
load_photo(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[3:]:
    try:
        load_photo(path)
    except DioramaError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in the unit of Linux")
def test_huge_headers_take_no_memory(tmp_path):
    small = saved(tmp_path, "small.png", UPRIGHT)
    paths = []
    for kind in ("png", "png 16", "jpg", "exr"):
        paths.append(tmp_path / f"{kind}.bin")
        paths[-1].write_bytes(huge(kind))
    command = [sys.executable, "-c", MEMORY, Path(__file__).parents[2], small, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000  # KiB
