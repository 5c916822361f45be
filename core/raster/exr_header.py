"""What the headers of an OpenEXR file claim, and its bounds, before the library sees it: "OpenEXR File Layout", openexr.com."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from ..errors import DioramaError

MAGIC = b"\x76\x2f\x31\x01"
TILED, DEEP, MULTIPART = 0x200, 0x800, 0x1000
LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Scan lines of a block: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB."""
PACKED_BY_DEFLATE = (0, 1, 2, 3)
MAX_PACKED = 1100
"""Bytes that a byte of the file can stand for: those of deflate, rounded up."""
MAX_CHANNELS, MAX_PARTS, MAX_ATTRIBUTES = 1024, 64, 512
MAX_IN_BLOCK, MAX_IN_ALL = 1 << 28, 3 << 30
"""Unpacked bytes of one block of lines or one tile, and of all together: a block is in memory as a whole, and all together take time."""


@dataclass(frozen=True)
class Part:
    """The header of one part of a file."""

    number: int
    window: tuple[int, int, int, int]  # of the data: left, top, right, bottom
    display: tuple[int, int, int, int]  # of the whole picture, in the same pixels
    compression: int
    channels: tuple[tuple[str, int], ...]  # (name, pixel type), in the order in which they are stored
    is_plain: bool  # every channel has a value for each pixel
    tile: tuple[int, int] | None  # width and height, of a tiled part
    is_deep: bool  # any number of values a pixel
    attributes: dict[bytes, bytes]

    @property
    def pixel_bytes(self) -> int:
        return sum(2 if kind == 1 else 4 for _, kind in self.channels)


@dataclass(frozen=True)
class Headers:
    """All headers of a file."""

    parts: list[Part]
    tables: int  # where the tables of offsets begin
    flags: int


def check_exr(data: bytes, name: str, most: int) -> Headers:
    """Raises DioramaError, naming the file `name`, where reading an OpenEXR file would take more than a picture may.

    Returns the headers. Looks at them alone: the number of pixels is at most `most`, a block and all blocks fit `MAX_IN_BLOCK` and
    `MAX_IN_ALL`, and no attribute occurs twice, which readers would understand in different ways.
    """
    try:
        headers = read_headers(data)
    except DioramaError:
        raise
    except (struct.error, IndexError, ValueError, OverflowError):
        raise DioramaError(f"{name} is damaged or cut short; export it again as OpenEXR.") from None
    parts = headers.parts
    for part in parts:
        width, height = _size(part)
        if width < 1 or height < 1 or width * height > most:
            raise DioramaError(f"{name} has {width}x{height} pixels, not 1 to {most // 10**6} million; scale it first.")
        if math.prod(window_size(part.display)) > most:
            raise DioramaError(f"{name} is to be shown at more than {most // 10**6} million pixels; scale it first.")
        across, down = part.tile or (width, _lines(part))
        if across * down * part.pixel_bytes > MAX_IN_BLOCK:
            raise _too_much(name, part)
    if sum(math.prod(_size(part)) * part.pixel_bytes for part in parts) > MAX_IN_ALL:
        raise _too_much(name, max(parts, key=lambda part: math.prod(_size(part)) * part.pixel_bytes))
    return headers


def _too_much(name: str, part: Part) -> DioramaError:
    width, height = _size(part)
    return DioramaError(
        f"{name} holds {len(part.channels)} channels of {width}x{height} pixels, more than can be read; "
        "save the needed ones alone, or scale it down."
    )


def _size(part: Part) -> tuple[int, int]:
    return window_size(part.window)


def window_size(window: tuple[int, int, int, int]) -> tuple[int, int]:
    """Width and height of a window, whose right and bottom belong to it."""
    left, top, right, bottom = window
    return right - left + 1, bottom - top + 1


def read_headers(data: bytes) -> Headers:
    """The headers; raises struct.error, IndexError or ValueError where they are damaged."""
    flags = struct.unpack_from("<I", data, 4)[0]
    parts: list = []
    at = 8
    while len(parts) < MAX_PARTS:
        attributes, at = _read_attributes(data, at)
        if not attributes:  # an empty header ends those of a file of several parts
            return Headers(parts, at, flags)
        parts.append(_part(len(parts), attributes, flags))
        if not flags & MULTIPART:
            return Headers(parts, at, flags)
    raise ValueError("too many parts")


def _read_attributes(data: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    attributes: dict = {}
    while data[at]:
        name, kind, _ = data[at : at + 600].split(b"\0", 2)
        at += len(name) + len(kind) + 2
        (length,) = struct.unpack_from("<i", data, at)
        if length < 0 or at + 4 + length > len(data) or len(attributes) >= MAX_ATTRIBUTES:
            raise ValueError("attribute")
        if name in attributes:
            raise ValueError("attribute given twice")
        attributes[name] = data[at + 4 : at + 4 + length]
        at += 4 + length
    return attributes, at + 1


def _part(number: int, attributes: dict[bytes, bytes], flags: int) -> Part:
    listed, at, channels, plain = attributes.get(b"channels", b"\0"), 0, [], True
    while listed[at]:
        end = listed.index(b"\0", at)
        kind, _, across, down = struct.unpack_from("<iIii", listed, end + 1)
        channels.append((listed[at:end].decode("utf-8", "replace"), kind))
        plain = plain and kind in (0, 1, 2) and across == down == 1
        at = end + 17
        if len(channels) > MAX_CHANNELS:
            raise ValueError("too many channels")
    window = struct.unpack_from("<4i", attributes.get(b"dataWindow", b""))
    display = struct.unpack_from("<4i", attributes.get(b"displayWindow", b"").ljust(16, b"\0"))
    if min(window_size(display)) < 1 or b"displayWindow" not in attributes:
        display = window
    tile = struct.unpack_from("<2I", attributes[b"tiles"]) if b"tiles" in attributes else None
    deep = attributes.get(b"type", b"").startswith(b"deep") or (bool(flags & DEEP) and not flags & MULTIPART)
    compression = attributes.get(b"compression", b"\xff")[0]
    return Part(number, window, display, compression, tuple(channels), plain, tile, deep, attributes)


def check_chunks(data: bytes, headers: Headers) -> None:
    """Raises ValueError where a part's table names a block outside the file, or one block twice, or too many bytes stand for too few."""
    at, marked = headers.tables, 4 if headers.flags & MULTIPART else 0
    for part in headers.parts:
        width, height = _size(part)
        if part.compression in PACKED_BY_DEFLATE and width * height * part.pixel_bytes > MAX_PACKED * len(data):
            raise ValueError("more than any compression holds")
        if part.compression not in LINES:
            return  # how many lines its blocks have only the library knows
        count = _blocks(part)
        offsets = np.frombuffer(data, "<u8", count, at)
        at += 8 * (int.from_bytes(part.attributes.get(b"chunkCount", b""), "little") if marked else count)
        low, high = (int(end) for end in (offsets.min(), offsets.max()))
        if low < headers.tables or high + marked + 8 > len(data) or len(np.unique(offsets)) < count:
            raise ValueError("block outside the file, or named twice")


def _blocks(part: Part) -> int:
    """How many blocks a part has at its full size, the smallest number that its table holds."""
    width, height = _size(part)
    if part.tile:
        return math.ceil(width / max(1, part.tile[0])) * math.ceil(height / max(1, part.tile[1]))
    return math.ceil(height / _lines(part))


def _lines(part: Part) -> int:
    """Scan lines of a block."""
    return LINES.get(part.compression, 1)
