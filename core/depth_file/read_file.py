"""Reads a depth file of any supported format into its raw numbers."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..photo.tiff_pages import full_page
from ..raster.decode import MAX_PIXELS, decode_pixels, exr_size, read_file
from ..raster.decoder_errors import DECODER_ERRORS, damaged
from ..raster.exr_header import MAGIC, check_exr
from ..raster.exr_read import is_position, read_depth_channel, read_pixels
from ..raster.open_picture import DEPTH_FORMATS, DEPTH_KINDS, HEAD, open_picture, other_format, picture_kind
from ..raster.picture_bounds import check_memory, check_structure, count_channels, peak_bytes_per_pixel
from .numpy_file import read_npy, read_npz
from .raw_depth import RawDepth

GREY_NOISE = 10 / 255
"""A pixel is grey if its channels differ by at most this part of white: lossy codecs leave that much."""
MAX_COLOURED = 0.03
"""Largest share of pixels that may differ by more: silhouettes in lossy files, and white that overflowed by one."""


def read_raw(path: Path, shape: tuple[int, int] | None = None) -> RawDepth:
    """The raw numbers of a depth file; `shape` is the photo's height and width, where there is one.

    Raises DioramaError where the file is not a readable depth map.
    """
    data = read_file(path, "depth map")
    try:
        if data[:6] == b"\x93NUMPY":
            return read_npy(path, data)
        if data[:2] == b"PK":
            return read_npz(path, data, shape)
        if data[:2] in (b"Pf", b"PF"):
            return RawDepth(_read_pfm(path, data), "PFM")
        if data[:4] == MAGIC:
            return _read_exr(path, data)
        return _read_picture(path, data)
    except DioramaError:
        raise
    except (*DECODER_ERRORS, zipfile.BadZipFile, tokenize.TokenError) as error:
        # TokenError: NumPy's header reader, where a header is cut short
        raise damaged(path, error, "write the depth map again") from None


def _read_exr(path: Path, data: bytes) -> RawDepth:
    check_exr(data, str(path), MAX_PIXELS)
    check_memory(*(exr_size(data) or (0, 0)), peak_bytes_per_pixel("EXR", 3, 32), str(path))
    found = read_depth_channel(data, str(path), MAX_PIXELS)
    if found is not None:
        return RawDepth(found.values, "EXR", 0, found.name, found.is_named, found.writer)
    pixels = read_pixels(data, str(path))
    if pixels is None:
        position = is_position(data)
        what = "positions of points, not their depth" if position else "no channel that may be depth"
        raise DioramaError(f"{path} holds {what}; export the pass Z (Depth) as OpenEXR.")
    if pixels.ndim == 3 and pixels.shape[2] > 2 and not _are_alike(pixels):
        raise DioramaError(
            f"{path} holds colours, positions or normals, whose three channels differ, and no depth; export the pass Z (Depth) as OpenEXR."
        )
    # a depth pass sits in the first channel; the order is B G R
    values = pixels if pixels.ndim == 2 else pixels[..., 0 if pixels.shape[2] == 2 else 2]
    return RawDepth(values, "EXR")


def _are_alike(pixels: np.ndarray) -> bool:
    """Whether the first three channels of (h, w, 3 or more) floats, B G R, are equal except for noise of lossy compression, or whether
    only red varies, which is then the depth.
    """
    step = max(1, max(pixels.shape[:2]) // 512)
    some = pixels[::step, ::step, :3]
    some = some[np.isfinite(some).all(axis=2)]
    if not len(some) or not np.ptp(some[:, :2], axis=0).any():
        return True
    apart = some.max(axis=1) - some.min(axis=1)
    limit = GREY_NOISE * np.maximum(np.abs(some).max(axis=1), 1e-6 + 0.01 * float(np.percentile(np.abs(some), 99)))
    return bool((apart > limit).mean() <= MAX_COLOURED)


def _read_pfm(path: Path, data: bytes) -> np.ndarray:
    """Portable float map: rows from the bottom, the sign of the scale gives the byte order."""
    head = data[:256].split(b"\n")
    if len(head) < 4:
        raise ValueError("PFM header")
    width, height = (int(x) for x in head[1].split())
    channels = 3 if head[0].strip() == b"PF" else 1
    if not (0 < width * height <= MAX_PIXELS) or min(width, height) < 2:
        raise ValueError("PFM size")
    order = "<" if float(head[2]) < 0 else ">"
    start = sum(len(line) + 1 for line in head[:3])
    values = np.frombuffer(data, order + "f4", width * height * channels, start).reshape(height, width, channels)
    if channels == 3 and not _are_alike(values[..., ::-1]):
        raise DioramaError(f"{path} is a colour picture, not a depth map; save one channel alone, as Pf.")
    return values[::-1, :, 0].astype(np.float32)


def _read_picture(path: Path, data: bytes) -> RawDepth:
    if data[:4] == b"GIF8":
        raise DioramaError(f"{path} is a GIF, which has too few levels for depth and is not read; save the depth map as PNG.")
    kind, page = picture_kind(data[:HEAD]), None
    what = "a HEIC picture" if kind == "HEIF" else other_format(data) if kind not in DEPTH_KINDS else None
    if what is not None:
        raise DioramaError(f"{path} is {what}, which is not read as depth; save the depth map as {DEPTH_FORMATS}.")
    if kind == "TIFF":
        page, data, _ = full_page(data, str(path))
    if page is not None and page.is_float:  # Pillow knows only some of them
        check_structure(data, "TIFF", str(path))
        _check_size(path, *page.size)
        check_memory(*page.size, peak_bytes_per_pixel("TIFF", page.samples, page.bits), str(path))
    else:
        kind = _check_header(path, data)
    pixels = decode_pixels(data)
    if pixels is None:
        raise DioramaError(f"{path} is damaged or cut short; write the depth map again.")
    if pixels.ndim not in (2, 3) or min(pixels.shape[:2]) < 2:
        raise DioramaError(f"{path} is no depth map that can be read; use {DEPTH_FORMATS}.")
    unknown = None
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4) and pixels.dtype.kind == "u":
        clear = pixels[..., -1] == 0
        unknown = clear if clear.any() and not clear.all() else None
    values = _grey(path, pixels)
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 becomes infinite
        return RawDepth(
            values.astype(np.float32), kind or "", 8 * pixels.dtype.itemsize if pixels.dtype.kind in "iu" else 0, unknown=unknown
        )


def _check_header(path: Path, data: bytes) -> str | None:
    """The format of a picture as Pillow calls it, whose header was read and whose size can be decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_picture(data, str(path), DEPTH_KINDS)  # only the header, before anything is decoded
            width, height = image.size
            _check_size(path, width, height)
            channels, bits = count_channels(image, data)
            check_memory(width, height, peak_bytes_per_pixel(image.format, channels, bits), str(path))
            return image.format
    except Image.DecompressionBombError:  # Pillow checks a limit of its own for WebP
        raise DioramaError(f"{path} has more pixels than Pillow decodes in this format; scale it down first.") from None
    except UnidentifiedImageError:
        raise DioramaError(f"{path} is no depth map that can be read; use {DEPTH_FORMATS}.") from None


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DioramaError(f"{path} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; scale it down first.")


def _grey(path: Path, pixels: np.ndarray) -> np.ndarray:
    """(h, w) of grey pixels, or of colours that are grey but for noise; raises DioramaError for a coloured picture."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] < 3:
        return pixels[..., 0]
    if pixels.dtype.kind == "f":
        if not _are_alike(pixels):
            raise DioramaError(f"{path} is a colour picture, not a depth map; a depth map is grey, so save one channel alone.")
        return pixels[..., 2]  # a depth pass sits in the first channel; OpenCV's order is B G R
    white = np.iinfo(pixels.dtype).max
    highest, lowest = pixels[..., :3].max(axis=2), pixels[..., :3].min(axis=2)
    if not (highest - lowest > GREY_NOISE * white).mean() <= MAX_COLOURED:
        raise DioramaError(f"{path} is a colour picture, not a depth map; a depth map is grey, so save it without colours.")
    if np.array_equal(highest, lowest):
        return highest
    blue, green, red = (pixels[..., channel] for channel in range(3))
    return np.maximum(np.minimum(blue, green), np.minimum(np.maximum(blue, green), red))  # the median
