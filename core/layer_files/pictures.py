"""Single pictures of a file of layers: PNG out, PNG and other pictures in, checked before they are decoded."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np

from ..errors import DioramaError, Kind, is_out_of_memory
from ..photo.colour_space import to_srgb
from ..photo.icc_profile import read_profile
from ..raster.decode import MAX_PIXELS, decode_pixels
from ..raster.decoder_errors import DECODER_ERRORS
from ..raster.open_picture import open_picture
from ..raster.picture_bounds import check_memory, count_channels, peak_bytes_per_pixel
from .layer_file import damaged

KINDS = ("PNG", "WEBP")
"""What single layers may be: pictures with alpha."""
ANSWER_KINDS = (*KINDS, "JPEG")
"""What may be taken back of a picture without alpha."""
AFTER_HEADER = 33
"""Bytes of a PNG's signature and first chunk."""


def encode_png(pixels: np.ndarray, is_photo: bool = False, with_profile: bool = False) -> bytes:
    """The PNG of (h, w) or (h, w, 4) R G B alpha, uint8 or uint16.

    `is_photo`: noise, for which a search for repetitions is lost time. `with_profile`: says that the colours are sRGB.
    """
    import cv2

    order = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
    strategy = cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY if is_photo else cv2.IMWRITE_PNG_STRATEGY_RLE
    done, data = cv2.imencode(".png", order, [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, strategy])
    if not done:
        raise RuntimeError("the layer could not be encoded")
    if not with_profile:
        return data.tobytes()
    return insert_chunk(data.tobytes(), b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))


def insert_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:AFTER_HEADER] + chunk + png[AFTER_HEADER:]


def decode_picture(data: bytes, name: str, kinds: tuple[str, ...] = KINDS) -> np.ndarray:
    """(h, w, 4) uint8 or uint16, sRGB, straight alpha, of a picture's bytes; opaque without alpha.

    Raises DioramaError, naming the file `name`, for what is no such picture, is damaged or too large.
    """
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = open_picture(data, name, kinds)
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise DioramaError(f"{name} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; scale it first.")
            channels, bits = count_channels(picture, data)
            check_memory(width, height, peak_bytes_per_pixel(picture.format, channels, bits), name)
            profile = picture.info.get("icc_profile")
            if bits <= 8:  # Pillow tells where one breaks off
                return convert_to_srgb(np.asarray(picture.convert("RGBA")), profile)
            if b"IEND" not in data[-64:]:
                raise damaged(name)
            return convert_to_srgb(_deep(decode_pixels(data), (height, width), name), profile)
    except UnidentifiedImageError:
        raise DioramaError(f"{name} is not a picture of a layer; save it as PNG.", Kind.UNUSABLE_FILE) from None
    except DioramaError as error:
        error.kind = Kind.UNUSABLE_FILE
        raise
    except DECODER_ERRORS as error:
        if is_out_of_memory(error):
            raise MemoryError from None
        raise damaged(name) from None


def _deep(pixels: np.ndarray | None, shape: tuple[int, int], name: str) -> np.ndarray:
    """(h, w, 4) uint16 R G B alpha of pixels as OpenCV orders them."""
    import cv2

    codes = {1: cv2.COLOR_GRAY2RGBA, 3: cv2.COLOR_BGR2RGBA, 4: cv2.COLOR_BGRA2RGBA}
    if pixels is None or pixels.shape[:2] != shape or pixels.dtype != np.uint16 or pixels[:1, :1].size not in codes:
        raise damaged(name)
    return cv2.cvtColor(pixels, codes[pixels[:1, :1].size])


def convert_to_srgb(colour: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Colours of an ICC profile as sRGB; unchanged where they are sRGB already or the profile cannot be read."""
    space = read_profile(profile) if profile else None
    if space is None or space.is_srgb() or not colour.size:
        return colour
    return np.dstack([to_srgb(np.ascontiguousarray(colour[..., :3]), space), colour[..., 3]])


def srgb_profile() -> bytes:
    """The profile of sRGB, for formats that tell their colour space so; the same bytes every time."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes((7, 234, 0, 1, 0, 1)) + bytes(6)  # when it was made (ICC.1, 7.2)
    profile[84:100] = bytes(16)  # its checksum, which may be left out (7.2.18)
    return bytes(profile)


def thumbnail(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (h, w, 4) at a long side of at most `side`."""
    import cv2

    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    return cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
