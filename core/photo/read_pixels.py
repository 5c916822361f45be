"""Decodes a photo's file into upright pixels, sRGB or linear floats, with its EXIF and XMP and notes for the user."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..raster.decode import MAX_PIXELS, decode_pixels, exr_size
from ..raster.decoder_errors import DECODER_ERRORS, damaged
from ..raster.exr_header import check_exr
from ..raster.open_picture import decode_deep_heif, open_picture, picture_kind, unreadable_error
from ..raster.picture_bounds import check_memory, check_structure, count_channels, peak_bytes_per_pixel
from .colour_space import ColourSpace, by_chromaticities, linear_curve, to_linear, to_srgb
from .colour_tags import GAIN_MAPS, HEIF_GAIN_MAPS, INTEROP_IFD, INTEROP_INDEX, UNUSABLE, Colours, find_colours
from .dynamic_range import tone_mapped
from .icc_profile import eight_bits, profile_mode, read_profile
from .icc_profile import to_srgb as by_profile
from .jpeg_segments import xmp_segments
from .tiff_pages import ASSOCIATED, CIELAB, PROFILE, SEPARATED, WHITE_IS_ZERO, XMP, TiffPage, full_page
from .transparency import to_straight_alpha

MIN_SIDE, MAX_ASPECT = 16, 20
PIXELS_AT_ONCE = 1 << 20
HDR_PIXEL = 40
"""Peak bytes for each pixel that becomes floats: the floats, the decoded pixels and Pillow's copy."""
ORIENTATION_TAG, EXIF_IFD = 0x0112, 0x8769
FOCAL_MM, PLANE_X_RES, PLANE_UNIT = 0x920A, 0xA20E, 0xA210
MILLIMETRE = 4  # of PLANE_UNIT
BLENDERS_SENSOR = 36.0
"""Millimetres along the longer side, of a camera as Blender makes it."""
NO_EXIF = "its EXIF is damaged, so the focal length and which side is up are not known from there"
GAIN_MAP = "it carries a gain map for HDR screens, of which only the SDR picture is taken"
GREY_MODES = ("L", "LA", "La", "1")


@dataclass(frozen=True)
class Pixels:
    """The decoded photo, upright. Rows run down, columns right; straight alpha."""

    colour: np.ndarray  # (H, W, 3) uint8 or uint16: sRGB; float32: linear Rec.709
    alpha: np.ndarray | None = None  # (H, W) of the same type; None where all is opaque
    exif: dict = field(default_factory=dict)  # tags by number; "from": where they come from, if not EXIF
    plain: bool = False  # whether a program that ignores colour profiles shows the file as these same pixels
    notes: tuple[str, ...] = ()  # what was assumed or left out, each a clause about "it"
    xmp: bytes = b""


def read_pixels(path: Path, data: bytes) -> Pixels:
    """Decodes a photo; raises DioramaError where the file cannot be read, or its size cannot be used."""
    from PIL import Image, UnidentifiedImageError

    kind = picture_kind(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "EXR":
                return _without_alpha_faults(_read_exr(path, data), associated=True)
            if kind == "TIFF":
                return _read_tiff(path, data)
            return _read_picture(path, data, None)
    except UnidentifiedImageError:
        raise unreadable_error(path, data) from None
    except DioramaError:
        raise
    except Image.DecompressionBombError:  # Pillow checks a limit of its own for WebP and TIFF
        raise DioramaError(
            f"{path} has more pixels than Pillow decodes in this format; scale it down, or export it as JPEG or PNG."
        ) from None
    except DECODER_ERRORS as error:
        raise damaged(path, error, "copy or export it again") from None


def check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DioramaError(f"{path} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; scale it down first.")
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        raise DioramaError(
            f"{path} has {width}x{height} pixels; a diorama needs at least {MIN_SIDE} on each side "
            f"and an aspect of at most {MAX_ASPECT}:1, so use a larger or less narrow picture."
        )


def _read_picture(path: Path, data: bytes, page: TiffPage | None) -> Pixels:
    """Reads a picture that Pillow opens; OpenCV or libheif decode what has more than 8 bits."""
    image = open_picture(data, str(path))
    check_size(path, *image.size)
    channels, bits = count_channels(image, data)
    deep = page is None and (image.mode.startswith("I;16") or image.mode in ("I", "F") or bits > 8)
    check_memory(image.size[0], image.size[1], peak_bytes_per_pixel(image.format, channels, bits), str(path))
    if not deep:
        image.load()  # first, because reading a PNG's EXIF decodes it too, and damage would then pass for missing EXIF
    exif, notes = _exif(image.getexif)
    # Pillow and OpenCV turn TIFFs upright as they decode them, libheif does so for HEIC
    turn = 1 if image.format in ("TIFF", "HEIF") else exif.get(ORIENTATION_TAG, 1)
    colours, xmp = find_colours(image.format, data, image.info, exif, bits), _xmp(image, data)
    if colours.space is not None and colours.space.hdr:
        check_memory(image.size[0], image.size[1], HDR_PIXEL, str(path))
    if deep:
        decoded = decode_deep_heif(data) if image.format == "HEIF" else decode_pixels(data)
        found = _deep(path, decoded)
        colour, said = _in_srgb(found.colour, colours)
        found = replace(found, colour=colour, notes=said)
    else:
        plain = image.format in ("JPEG", "PNG") and image.mode in ("RGB", "RGBA") and turn == 1
        found = _eight_bits(image, colours)
        found = replace(found, plain=plain and found.plain)
    if any(name in xmp for name in GAIN_MAPS) or (image.format == "HEIF" and any(name in data[: 1 << 16] for name in HEIF_GAIN_MAPS)):
        found = replace(found, notes=(*found.notes, GAIN_MAP))
    turned = None if found.alpha is None else _turn_upright(found.alpha, turn)
    notes = (*notes, *((colours.note,) if colours.note else ()), *found.notes)
    found = replace(found, colour=_turn_upright(found.colour, turn), alpha=turned, exif=exif, notes=notes, xmp=xmp)
    del image  # frees its pixels before more memory is taken
    return _without_alpha_faults(found, associated=False)


def _read_tiff(path: Path, data: bytes) -> Pixels:
    """Reads the TIFF page that is the picture, integers or floats of any depth."""
    page, data, equals = full_page(data, str(path))
    several: tuple[str, ...] = (f"it has {equals} pages of the same size, of which the first is taken",) if equals > 1 else ()
    if page is None or page.bits <= 8 or page.photometric in (SEPARATED, CIELAB):
        found = _read_picture(path, data, page)
        return replace(found, notes=(*several, *found.notes))
    check_structure(data, "TIFF", str(path))
    check_size(path, *page.size)
    check_memory(*page.size, peak_bytes_per_pixel("TIFF", page.samples, page.bits), str(path))
    found = _deep(path, decode_pixels(data), floats=page.is_float)
    colour, alpha = found.colour, found.alpha if page.alpha else None
    if page.photometric == WHITE_IS_ZERO:
        colour = 1 - colour if colour.dtype == np.float32 else np.iinfo(colour.dtype).max - colour
    if alpha is not None:
        colour, alpha, note = to_straight_alpha(colour, alpha, page.alpha == ASSOCIATED)
        several += (note,) if note else ()
    exif, notes = _exif(lambda: _exif_of_tiff(data))
    info = {"icc_profile": page.blocks.get(PROFILE)}
    if colour.dtype == np.float32:
        colour, said = _linear_floats(colour, info["icc_profile"])
    else:
        colours = find_colours("TIFF", data, info, exif, 16)
        colour, said = _in_srgb(colour, colours)
        said += (colours.note,) if colours.note else ()
    return Pixels(colour, alpha, exif, False, (*several, *notes, *said), page.blocks.get(XMP, b""))


def _without_alpha_faults(found: Pixels, associated: bool) -> Pixels:
    if found.alpha is None:
        return found
    colour, alpha, note = to_straight_alpha(found.colour, found.alpha, associated)
    same = colour is found.colour and alpha is not None
    return replace(found, colour=colour, alpha=alpha, plain=found.plain and same, notes=(*found.notes, *((note,) if note else ())))


def _exif(read: Callable) -> tuple[dict, tuple[str, ...]]:
    """All EXIF tags in one dictionary, and a note where they cannot be read."""
    try:
        exif = read()
        index = exif.get_ifd(INTEROP_IFD).get(INTEROP_INDEX)
        return {**dict(exif), **dict(exif.get_ifd(EXIF_IFD)), **({} if index is None else {INTEROP_INDEX: index})}, ()
    except DECODER_ERRORS:
        return {}, (NO_EXIF,)


def _exif_of_tiff(data: bytes):
    from PIL import Image

    exif = Image.Exif()
    exif.load(data)
    return exif


def _xmp(image, data: bytes) -> bytes:
    """The picture's main XMP packet; empty where there is none."""
    if image.format == "JPEG":
        return xmp_segments(data)[0] or b""
    packet = image.info.get("xmp") or b""
    return packet if isinstance(packet, bytes) else b""


def _deep(path: Path, pixels: np.ndarray | None, floats: bool = False) -> Pixels:
    if pixels is not None and floats and pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16, np.float32) or (floats != (pixels.dtype == np.float32)):
        raise DioramaError(f"{path} is damaged or of an unusual kind; export it as 8- or 16-bit PNG or TIFF.")
    if pixels.ndim == 2:
        colour = np.repeat(pixels[..., None], 3, axis=2)
        return Pixels(_finite(colour) if floats else colour)
    colour = pixels[..., 2::-1]
    return Pixels(_finite(colour) if floats else colour, pixels[..., 3] if pixels.shape[2] == 4 else None)


def _finite(colour: np.ndarray) -> np.ndarray:
    return np.nan_to_num(colour, nan=0.0, posinf=65504.0, neginf=0.0)


def _in_srgb(colour: np.ndarray, colours: Colours) -> tuple[np.ndarray, tuple[str, ...]]:
    """Integers of 8 or 16 bits as sRGB of the same dtype, HDR as linear floats; and notes for the user."""
    if colours.space is not None and colours.space.hdr:
        return _standard_range(colour, colours.space)
    if colours.space is not None:
        return (colour if colours.space.is_srgb() else to_srgb(colour, colours.space)), ()
    if not colours.profile or colour.dtype == np.uint8:
        return colour, ()
    if profile_mode(colours.profile) == "L" and not np.array_equal(colour[..., 0], colour[..., 1]):
        return colour, (UNUSABLE,)
    try:
        converted = by_profile(colour, colours.profile)
    except ValueError:
        return colour, (UNUSABLE,)
    return (colour if converted is None else converted), ()


def _standard_range(colour: np.ndarray, space: ColourSpace) -> tuple[np.ndarray, tuple[str, ...]]:
    linear, changed = tone_mapped(to_linear(colour, space))
    how = "what is brighter than white is tone-mapped to SDR" if changed else "next to nothing is brighter than white, so SDR shows it"
    return linear, (f"it is HDR ({space.hdr}): {how}",)


def _linear_floats(colour: np.ndarray, profile: bytes | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """(H, W, 3) float32 linear Rec.709 of float pixels, which are taken as linear unless a profile says otherwise."""
    space = read_profile(profile) if profile else None
    if space is None:
        return colour, ("it is of floats without a profile, which are taken as linear",) if not profile else (UNUSABLE,)
    return (_standard_range(colour, space)) if space.hdr else (_convert(colour, space), ())


def _convert(colour: np.ndarray, space: ColourSpace) -> np.ndarray:
    steps = np.linspace(0, 1, 5)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    same = np.abs(space.linear(grid) - grid).max() < 2e-3
    return colour if same else to_linear(np.ascontiguousarray(colour), space)


def _eight_bits(image, colours: Colours) -> Pixels:
    """uint8 colour in sRGB, or floats where it is HDR; `plain` says whether the file's pixels are unchanged.

    Works on bands of rows, since each step of Pillow's copies the picture.
    """
    width, height = image.size
    if colours.profile and profile_mode(colours.profile) == "L" and image.mode in GREY_MODES:
        # LittleCMS is up to 10 levels off in the shadows of grey pictures
        colours = replace(colours, space=colours.space or read_profile(colours.profile))
    see_through = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    convert, notes = _converter(image.mode, colours.profile if colours.space is None else None)
    colour = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if see_through else None
    rows = max(1, PIXELS_AT_ONCE // width)
    for top in range(0, height, rows):
        part = image.crop((0, top, width, min(height, top + rows)))
        if part.mode == "La":
            part = part.convert("LA")
        if alpha is not None:
            part = part.convert("RGBA")
            alpha[top : top + rows] = np.asarray(part)[..., 3]
            part = part.convert("RGB")
        colour[top : top + rows] = np.asarray((convert(part) if convert else part).convert("RGB"))
    if colours.space is None:
        return Pixels(colour, alpha, plain=convert is None, notes=notes)
    brought, more = _in_srgb(colour, colours)
    if brought.dtype == np.float32 and alpha is not None:
        return Pixels(brought, alpha.astype(np.float32) / 255, notes=(*notes, *more))
    return Pixels(brought, alpha, plain=brought is colour, notes=(*notes, *more))


def _converter(mode: str, profile: bytes | None) -> tuple[Callable | None, tuple[str, ...]]:
    """The function that converts parts of a picture of `mode` to sRGB (None: not needed), and a note where its profile is unusable."""
    if not profile and mode != "LAB":
        return None, ()
    profile, wanted = profile or b"", profile_mode(profile) or "" if profile else "LAB"
    fits = {"RGB": mode not in ("CMYK", "LAB"), "L": mode in GREY_MODES, "CMYK": mode == "CMYK", "LAB": mode == "LAB"}
    if not fits.get(wanted, False):
        return None, (UNUSABLE,)
    try:
        convert = eight_bits(profile, wanted)
    except ValueError:
        return None, (UNUSABLE,)
    if convert is None:
        return None, ()
    return lambda part: convert(part if part.mode == wanted else part.convert(wanted)), ()


def _read_exr(path: Path, data: bytes) -> Pixels:
    """float32, linear Rec.709, with associated (premultiplied) alpha as stored."""
    size = exr_size(data)
    if size:
        check_size(path, *size)
    headers = check_exr(data, str(path), MAX_PIXELS)
    if size:
        check_memory(*size, peak_bytes_per_pixel("EXR", 4, 32), str(path))
    pixels = decode_pixels(data) if size else None
    if pixels is None:
        raise DioramaError(f"{path} cannot be decoded as OpenEXR; export it again as a flat RGB or RGBA EXR with ZIP compression.")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    order = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [2, 1, 0]}.get(pixels.shape[2], [2, 1, 0, 3])  # grey, with alpha; B G R
    colour = np.empty((*pixels.shape[:2], 3), np.float32)
    for channel, source in enumerate(order[:3]):
        colour[..., channel] = pixels[..., source]
        np.nan_to_num(colour[..., channel], copy=False, nan=0.0, posinf=65504.0, neginf=0.0)
    alpha = np.ascontiguousarray(pixels[..., order[3]], np.float32) if len(order) == 4 else None
    attributes = headers.parts[0].attributes
    numbers = attributes.get(b"chromaticities", b"")
    if len(numbers) == 32:
        values = [float(v) for v in np.frombuffer(numbers, "<f4")]
        space = by_chromaticities(values[:6], values[6:], linear_curve)
        colour = colour if space is None else _convert(colour, space)
    lens, notes = _exif_of_lens(attributes, max(colour.shape[:2]), colour.shape[1])
    return Pixels(colour, alpha, lens, notes=notes)


def _exif_of_lens(attributes: dict[bytes, bytes], long_side: int, width: int) -> tuple[dict, tuple[str, ...]]:
    """EXIF tags with the focal length that an OpenEXR header tells, and what was assumed about the sensor.

    OpenEXR's standard attributes give the focal length and the sensor's width in mm. Blender's metadata (Output > Metadata > Lens)
    gives the focal length alone; its sensor is 36 mm along the picture's longer side unless it was changed.
    """
    focal = _floats(attributes, b"effectiveFocalLength", 1)[0] or _floats(attributes, b"nominalFocalLength", 1)[0]
    sensor = _floats(attributes, b"sensorOverallDimensions", 2)[0]
    if focal > 0 and sensor > 0:
        return {FOCAL_MM: focal, PLANE_X_RES: width / sensor, PLANE_UNIT: MILLIMETRE, "from": "OpenEXR"}, ()
    try:
        stamped = float(attributes.get(b"Lens", b"").decode("ascii"))
    except ValueError:
        return {}, ()
    if not 1 <= stamped <= 5000:
        return {}, ()
    tags = {FOCAL_MM: stamped, PLANE_X_RES: long_side / BLENDERS_SENSOR, PLANE_UNIT: MILLIMETRE, "from": "OpenEXR"}
    return tags, (f"its lens of {stamped:g} mm was taken for one before a sensor of {BLENDERS_SENSOR:g} mm",)


def _floats(attributes: dict[bytes, bytes], name: bytes, count: int) -> list[float]:
    """The numbers of an attribute of floats; zeros where there is none of that length."""
    value = attributes.get(name, b"")
    return np.frombuffer(value, "<f4").tolist() if len(value) == 4 * count else [0.0] * count


def _turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels turned upright from EXIF orientation 1 to 8 (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    flips = {2: (False, True), 3: (True, True), 4: (True, False), 6: (False, True), 7: (True, True), 8: (True, False)}
    rows, columns = flips.get(orientation, (False, False))
    return pixels[:: -1 if rows else 1, :: -1 if columns else 1]
