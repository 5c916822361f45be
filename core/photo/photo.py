"""Photo: a picture's pixels and the camera that took it, read from a file of any common kind."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..camera.camera import DEFAULT_FOV_DEG, Camera
from ..camera.fspy import find_fspy, read_fspy
from ..errors import DioramaError, reading_a_file
from ..raster.colour_curves import srgb_from_linear
from ..raster.decode import MAX_PIXELS, decode_pixels, exr_size, read_file
from ..raster.decoder_errors import DECODER_ERRORS, damaged
from ..raster.exr_header import check_exr
from ..raster.open_picture import open_picture
from ..raster.picture_bounds import bytes_a_pixel, channels_of, check_memory
from ..settings import PhotoSettings
from .icc_profile import to_srgb

MIN_SIDE, MAX_ASPECT = 16, 20
PIXELS_AT_ONCE = 1 << 20
ORIENTATION_TAG, EXIF_IFD = 0x0112, 0x8769
FOCAL_35MM, FOCAL_MM, PLANE_X_RES, PLANE_UNIT = 0xA405, 0x920A, 0xA20E, 0xA210
EXIF_WIDTH, EXIF_HEIGHT = 0xA002, 0xA003
MM_PER_PLANE_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}
ASSUMED = f"not in the photo, so {DEFAULT_FOV_DEG:.2f} degrees across the long side"
DIAGONAL_35MM = float(np.hypot(36.0, 24.0))


@dataclass(frozen=True)
class Photo:
    """One picture. Rows run down, columns right; straight alpha."""

    name: str  # the file's name without its ending; names everything made of it
    path: Path
    colour: np.ndarray  # (H, W, 3) uint8 or uint16: sRGB; float32: linear Rec.709
    alpha: np.ndarray | None  # (H, W) of the same dtype, None where all is opaque
    camera: Camera  # in pixels of this photo, orientation applied
    focal_source: str  # one sentence: where the focal length comes from
    file_bytes: bytes | None  # the file itself where Blender shows it as the same pixels, else None
    up: np.ndarray | None = None  # (3,) float64, unit: the scene's upwards in the camera's axes, where somebody found it

    @property
    def focal_is_known(self) -> bool:
        """Whether the focal length comes from a source, and is not the default angle."""
        return self.focal_source != ASSUMED

    @property
    def is_linear(self) -> bool:
        return self.colour.dtype == np.float32

    def working_colour(self, height: int, width: int) -> np.ndarray:
        """(height, width, 3) float32, sRGB-encoded (linear photos too, then without an upper bound), area-averaged."""
        import cv2

        kind = cv2.INTER_AREA if width < self.colour.shape[1] else cv2.INTER_LINEAR
        small = cv2.resize(self.colour, (width, height), interpolation=kind).astype(np.float32)
        if self.is_linear:
            return srgb_from_linear(np.maximum(small, 0))
        return small / np.float32(np.iinfo(self.colour.dtype).max)


@reading_a_file()
def load_photo(path: str | os.PathLike, settings: PhotoSettings = PhotoSettings()) -> Photo:
    """Reads JPEG, PNG, WebP, TIFF (8 and 16 bit), OpenEXR and HEIC; EXIF orientation applied, colours brought to sRGB.

    Raises DioramaError where the file is no picture that a diorama can be made of.
    """
    path = Path(path)
    data = read_file(path)
    if data[:4] == b"\x76\x2f\x31\x01":
        colour, alpha, plain = _read_exr(path, data), None, False
        exif: dict = {}
        if colour.shape[2] == 4:
            colour, alpha = colour[..., :3], colour[..., 3]
    else:
        colour, alpha, exif, plain = _read_picture(path, data)
    height, width = colour.shape[:2]
    _check_size(path, width, height)
    if alpha is not None and (alpha == alpha.dtype.type(1 if alpha.dtype == np.float32 else np.iinfo(alpha.dtype).max)).all():
        alpha = None
    camera, focal_source = _camera(width, height, exif, settings)
    camera, focal_source, up = _as_found(path, camera, focal_source, settings)
    return Photo(
        name=path.stem, path=path, colour=np.ascontiguousarray(colour), alpha=alpha, camera=camera,
        focal_source=focal_source, file_bytes=data if plain else None, up=up,
    )  # fmt: skip


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DioramaError(f"{path} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; scale it down first.")
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        raise DioramaError(
            f"{path} has {width}x{height} pixels; a diorama needs at least {MIN_SIDE} on each side "
            f"and an aspect of at most {MAX_ASPECT}:1, so use a larger or less narrow picture."
        )


def _read_picture(path: Path, data: bytes) -> tuple[np.ndarray, np.ndarray | None, dict, bool]:
    """Colour, alpha, EXIF values, and whether Blender would show the file itself with the same pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_picture(data, str(path))
            _check_size(path, *image.size)
            channels, bits = channels_of(image, data)
            deep = image.mode.startswith("I;16") or image.mode in ("I", "F") or bits > 8
            check_memory(image.size[0], image.size[1], bytes_a_pixel(image.format, channels, bits), str(path))
            if not deep:
                image.load()  # before EXIF is read: of a PNG that decodes it too, and damage would count as no EXIF
            exif = _exif(image)
            # Pillow and OpenCV bring TIFFs upright as they decode them, and no other format
            turn = 1 if image.format == "TIFF" else exif.get(ORIENTATION_TAG, 1)
            plain = image.format in ("JPEG", "PNG") and image.mode in ("RGB", "RGBA") and turn == 1 and not deep
            profile = image.info.get("icc_profile")
            if deep:
                colour, alpha = _read_deep(path, data)
                if profile and colour.dtype == np.uint16:
                    converted = to_srgb(colour, profile)
                    colour = colour if converted is None else converted
                colour, alpha = _turned(colour, turn), None if alpha is None else _turned(alpha, turn)
            else:
                colour, alpha, changed = _eight_bits(image, profile)
                plain = plain and not changed
                colour, alpha = _turned(colour, turn), None if alpha is None else _turned(alpha, turn)
    except UnidentifiedImageError:
        raise DioramaError(f"{path} is not a picture that can be read; use JPEG, PNG, WebP, TIFF, HEIC or OpenEXR.") from None
    except DioramaError:
        raise
    except Image.DecompressionBombError:  # of WebP and TIFF Pillow asks its own limit again
        raise DioramaError(f"{path} has more pixels than Pillow decodes of its kind; scale it down, or export it as JPEG or PNG.") from None
    except DECODER_ERRORS as error:
        raise damaged(path, error, "copy or export it again") from None
    return colour, alpha, exif, plain


def _exif(image) -> dict:
    """EXIF tags as one dictionary; an unreadable block counts as none, since a photo without EXIF is fine too."""
    try:
        exif = image.getexif()
        return {**dict(exif), **dict(exif.get_ifd(EXIF_IFD))}
    except DECODER_ERRORS:
        return {}


def _read_deep(path: Path, data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    pixels = decode_pixels(data)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise DioramaError(f"{path} is damaged or of an unusual kind; export it as 8- or 16-bit PNG or TIFF.")
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2), None
    colour = pixels[..., 2::-1]
    if pixels.dtype == np.float32:
        colour = np.nan_to_num(colour, nan=0.0, posinf=65504.0, neginf=0.0)
    return colour, pixels[..., 3] if pixels.shape[2] == 4 else None


def _eight_bits(image, profile: bytes | None) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """uint8 colour in sRGB, alpha, and whether pixels of the file were changed on the way.

    Works on a few rows at a time, since each of Pillow's steps makes a new picture.
    """
    width, height = image.size
    see_through = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    convert = _to_srgb(profile, "RGB" if see_through else image.mode) if profile else None
    colour = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if see_through else None
    rows = max(1, PIXELS_AT_ONCE // width)
    for top in range(0, height, rows):
        part = image.crop((0, top, width, min(height, top + rows)))
        if alpha is not None:
            part = part.convert("RGBA")
            alpha[top : top + rows] = np.asarray(part)[..., 3]
            part = part.convert("RGB")
        colour[top : top + rows] = np.asarray((convert(part) if convert else part).convert("RGB"))
    return colour, alpha, convert is not None


def _to_srgb(profile: bytes, mode: str):
    """A conversion from the profile of a picture of `mode` to sRGB; None where it is sRGB or its profile cannot be used."""
    from PIL import ImageCms

    if mode not in ("RGB", "CMYK", "L"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return partial(ImageCms.applyTransform, transform=transform)  # which raises only for pictures of another mode


def _read_exr(path: Path, data: bytes) -> np.ndarray:
    """(H, W, 3|4) float32, linear."""
    size = exr_size(data)
    if size:
        _check_size(path, *size)
    check_exr(data, str(path), MAX_PIXELS)
    if size:
        check_memory(*size, bytes_a_pixel("EXR", 4, 32), str(path))
    pixels = decode_pixels(data) if size else None
    if pixels is None:
        raise DioramaError(f"{path} cannot be decoded as OpenEXR; export it again as a flat RGB or RGBA EXR with ZIP compression.")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    order = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [2, 1, 0]}.get(pixels.shape[2], [2, 1, 0, 3])  # grey, with alpha; B G R
    colour = np.empty((*pixels.shape[:2], len(order)), np.float32)
    for channel, source in enumerate(order):
        colour[..., channel] = pixels[..., source]
        np.nan_to_num(colour[..., channel], copy=False, nan=0.0, posinf=65504.0, neginf=0.0)
    return colour


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels brought upright from EXIF orientation 1 to 8 (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    flips = {2: (False, True), 3: (True, True), 4: (True, False), 6: (False, True), 7: (True, True), 8: (True, False)}
    rows, columns = flips.get(orientation, (False, False))
    return pixels[:: -1 if rows else 1, :: -1 if columns else 1]


def _as_found(path: Path, camera: Camera, source: str, settings: PhotoSettings) -> tuple[Camera, str, np.ndarray | None]:
    """The camera, overridden by an fSpy project beside the photo and by the user; and the scene's up direction, if known."""
    up, project = None, find_fspy(path)
    if project is not None:
        found = read_fspy(project, camera.width, camera.height)
        up = found.up
        if not (settings.focal_px or settings.focal_mm or settings.fov):
            camera, source = found.camera, f"lines drawn in fSpy, {project.name}"
    camera = replace(camera, cx=settings.centre_x if settings.centre_x > 0 else camera.cx)
    camera = replace(camera, cy=settings.centre_y if settings.centre_y > 0 else camera.cy)
    return camera, source, up


def _camera(width: int, height: int, exif: dict, settings: PhotoSettings) -> tuple[Camera, str]:
    """The photo's camera and where its focal length comes from: the user, EXIF, or the default angle."""
    if settings.focal_px > 0:
        return Camera.from_focal(width, height, settings.focal_px), "as given, in pixels"
    if settings.focal_mm > 0:
        focal = settings.focal_mm / DIAGONAL_35MM * float(np.hypot(width, height))
        return Camera.from_focal(width, height, focal), f"as given, {settings.focal_mm:g} mm equivalent"
    if settings.fov > 0:
        return Camera.from_fov(width, height, settings.fov), "as given, by its angle (fov)"
    focal = _number(exif.get(FOCAL_35MM))
    if 4 <= focal <= 3000:
        # Exif 2.32: the 35 mm equivalent keeps the angle across the diagonal
        return (
            Camera.from_focal(width, height, focal / DIAGONAL_35MM * float(np.hypot(width, height))),
            f"EXIF, {focal:g} mm equivalent",
        )
    focal, resolution = _number(exif.get(FOCAL_MM)), _number(exif.get(PLANE_X_RES))
    unit = MM_PER_PLANE_UNIT.get(int(_number(exif.get(PLANE_UNIT, 2))), 25.4)
    if focal > 0 and resolution > 0:
        taken = max(_number(exif.get(EXIF_WIDTH)), _number(exif.get(EXIF_HEIGHT))) or max(width, height)
        focal_px = focal * resolution / unit * max(width, height) / max(taken, 1)
        if 0.2 < focal_px / max(width, height) < 60:
            return Camera.from_focal(width, height, focal_px), f"EXIF, {focal:g} mm and the focal plane's resolution"
    return Camera.from_fov(width, height), ASSUMED


def _number(value) -> float:
    """A finite float of an EXIF value, 0 where there is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0.0
    return number if np.isfinite(number) else 0.0
