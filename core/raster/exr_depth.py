"""Reads the depth channel of an OpenEXR file by its name, which OpenCV cannot: a Z pass beside colours or alone, layers, parts.

Scan line files without compression, with RLE or ZIP (Blender's default): the layout is the one of "OpenEXR File Layout",
openexr.com. Other files are left to OpenCV.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DioramaError

MAGIC = b"\x76\x2f\x31\x01"
TILED, DEEP, MULTIPART = 0x200, 0x800, 0x1000
PIXELS = {0: "<u4", 1: "<f2", 2: "<f4"}
COMPRESSIONS = {
    0: "none",
    1: "RLE",
    2: "ZIPS",
    3: "ZIP",
    4: "PIZ",
    5: "PXR24",
    6: "B44",
    7: "B44A",
    8: "DWAA",
    9: "DWAB",
}
LINES = {0: 1, 1: 1, 2: 1, 3: 16}
"""Scan lines of a block, of the compressions that are read here."""
MOST_PACKED = 1100
"""Bytes that a byte of the file can stand for: those of deflate, rounded up."""
MAX_CHANNELS, MAX_PARTS, MAX_ATTRIBUTES = 1024, 64, 512
MOST_IN_BLOCK, MOST_IN_ALL = 1 << 28, 3 << 30
"""Bytes, unpacked, of one block of lines or one tile, and of all: a block lies in memory whole, all takes time."""
MOST_RUNS = 20_000_000
"""Runs of a file packed by RLE that are read; an encoder makes one of at least three bytes each, or of up to 128."""
DEPTH_NAMES = tuple(map(re.compile, (r"(?i)z|depth", r"(?i).*\bdepth\.[zvy]", r".*\.Z", r"(?i).*\.depth")))
"""Names of a depth channel, the surest first; Blender's pass is "ViewLayer.Depth.Z"."""


@dataclass(frozen=True)
class Part:
    """The header of one part of a file."""

    number: int
    window: tuple[int, int, int, int]  # left, top, right, bottom
    compression: int
    channels: tuple[tuple[str, int], ...]  # name and kind of pixel, in the order in which they are stored
    is_plain: bool  # every channel has a value for each pixel
    tile: tuple[int, int] | None  # width and height, of a tiled part

    @property
    def pixel_bytes(self) -> int:
        return sum(2 if kind == 1 else 4 for _, kind in self.channels)


def check_exr(data: bytes, name: str, most: int) -> None:
    """Raises DioramaError, naming the file `name`, where an OpenEXR file would need more memory than a picture may.

    Reads headers only: there are at most `most` pixels, a block and all blocks fit `MOST_IN_BLOCK` and
    `MOST_IN_ALL`, and no attribute occurs twice, which readers interpret differently.
    """
    try:
        parts = _read_headers(data)[0]
    except DioramaError:
        raise
    except (struct.error, IndexError, ValueError, OverflowError):
        raise DioramaError(f"{name} is damaged or cut short; export it again as OpenEXR.") from None
    for part in parts:
        width, height = _size(part)
        if width < 1 or height < 1 or width * height > most:
            raise DioramaError(f"{name} has {width}x{height} pixels, not 1 to {most // 10**6} million; scale it first.")
        across, down = part.tile or (width, _lines(part))
        if across * down * part.pixel_bytes > MOST_IN_BLOCK:
            raise _too_much(name, part)
    if sum(math.prod(_size(part)) * part.pixel_bytes for part in parts) > MOST_IN_ALL:
        raise _too_much(name, max(parts, key=lambda part: math.prod(_size(part)) * part.pixel_bytes))


def _too_much(name: str, part: Part) -> DioramaError:
    width, height = _size(part)
    return DioramaError(
        f"{name} holds {len(part.channels)} channels of {width}x{height} pixels, more than can be read; "
        "save the needed ones alone, or scale it down."
    )


def _size(part: Part) -> tuple[int, int]:
    left, top, right, bottom = part.window
    return right - left + 1, bottom - top + 1


def read_depth_channel(data: bytes, name: str, most: int) -> np.ndarray | None:
    """(h, w) float32 of the channel called depth; None without such a channel, or where the kind of file is not read here.

    Raises DioramaError, naming the file `name`, where the channel has an unsupported compression, more than `most`
    pixels, or damaged data.
    """
    try:
        parts, chunks, flags = _read_headers(data)
        found = _depth_of(parts)
        if found is None or flags & (TILED | DEEP):
            return None
        return _read_channel(data, parts, chunks, flags, found, name, most)
    except (struct.error, IndexError, ValueError, OverflowError, UnicodeDecodeError, zlib.error) as error:
        if isinstance(error, DioramaError):
            raise
        raise DioramaError(f"{name} is damaged or cut short; write the depth map again.") from None


def read_pixels(data: bytes) -> np.ndarray | None:
    """(h, w) grey, (h, w, 2) with alpha, or (h, w, 3|4) B, G, R, alpha, float32, as OpenCV returns them.

    None where the kind of file is not read here. Needed where another add-on loaded OpenCV with OpenEXR switched off.
    """
    try:
        parts, chunks, flags = _read_headers(data)
        names = {channel for channel, _ in parts[0].channels} if parts and not flags & (TILED | DEEP) else set()
        wanted = next((order for order in ("BGRA", "BGR", "YA", "Y") if names >= set(order)), "")
        read = [_read_channel(data, parts, chunks, flags, (parts[0], name), "", MOST_PACKED * len(data)) for name in wanted]
    except (struct.error, IndexError, ValueError, OverflowError, UnicodeDecodeError, zlib.error):
        return None
    if not read or not all(np.isfinite(channel).any() for channel in read):
        return None
    return read[0] if wanted == "Y" else np.stack(read, axis=2)


def _depth_of(parts: list[Part]) -> tuple[Part, str] | None:
    for pattern in DEPTH_NAMES:
        for part in parts:
            names = {channel for channel, _ in part.channels}
            for channel, _ in part.channels:
                is_vector = channel[-2:] == ".Z" and f"{channel[:-1]}X" in names  # a normal's third number is no depth
                if pattern.fullmatch(channel) and not is_vector:
                    return part, channel
    return None


def _read_headers(data: bytes) -> tuple[list[Part], int, int]:
    """The parts, where their tables of offsets begin, and the file's flags."""
    flags = struct.unpack_from("<I", data, 4)[0]
    parts: list = []
    at = 8
    while len(parts) < MAX_PARTS:
        attributes, at = _read_attributes(data, at)
        if not attributes:  # an empty header ends those of a file of several parts
            return parts, at, flags
        parts.append(_part(len(parts), attributes))
        if not flags & MULTIPART:
            return parts, at, flags
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


def _part(number: int, attributes: dict[bytes, bytes]) -> Part:
    listed, at, channels, plain = attributes.get(b"channels", b"\0"), 0, [], True
    while listed[at]:
        end = listed.index(b"\0", at)
        kind, _, across, down = struct.unpack_from("<iIii", listed, end + 1)
        channels.append((listed[at:end].decode("utf-8", "replace"), kind))
        plain = plain and kind in PIXELS and across == down == 1
        at = end + 17
        if len(channels) > MAX_CHANNELS:
            raise ValueError("too many channels")
    window = struct.unpack_from("<4i", attributes.get(b"dataWindow", b""))
    tile = struct.unpack_from("<2I", attributes[b"tiles"]) if b"tiles" in attributes else None
    return Part(number, window, attributes.get(b"compression", b"\xff")[0], tuple(channels), plain, tile)


def _read_channel(data, parts: list[Part], tables: int, flags: int, found: tuple[Part, str], name: str, most: int):
    part, channel = found
    check_exr(data, name, most)
    (width, height), top = _size(part), part.window[1]
    if part.compression not in LINES or not part.is_plain:
        how = COMPRESSIONS.get(part.compression, "an unknown")
        raise DioramaError(f'{name} holds its channel "{channel}" in {how} compression; save it with ZIP.')
    sizes = [(title, np.dtype(PIXELS[kind])) for title, kind in part.channels]
    line = width * sum(kind.itemsize for _, kind in sizes)
    before = [title for title, _ in sizes].index(channel)
    start, kind = width * sum(kind.itemsize for _, kind in sizes[:before]), sizes[before][1]
    if line * height > MOST_PACKED * len(data):
        raise ValueError("more than any compression holds")
    values = np.full((height, width), np.nan, np.float32)
    table = tables + 8 * sum(_blocks(p) for p in parts[: part.number])
    rows, runs = set(), MOST_RUNS
    for offset in struct.unpack_from(f"<{_blocks(part)}Q", data, table):
        at = offset + (4 if flags & MULTIPART else 0)
        row, length = struct.unpack_from("<ii", data, at)
        row -= top
        lines = min(LINES[part.compression], height - row)
        if length < 0 or at + 8 + length > len(data) or not 0 <= row < height or row in rows:
            raise ValueError("block outside the file, or named twice")
        rows.add(row)
        block, runs = _unpacked(data[at + 8 : at + 8 + length], part.compression, lines * line, runs)
        for number in range(lines):
            values[row + number] = block(number * line + start, width * kind.itemsize).view(kind)
    return values


def _blocks(part: Part) -> int:
    """How many blocks a part has; of a compression that is not read, those that the table of it has."""
    return max(0, math.ceil(_size(part)[1] / _lines(part)))


def _lines(part: Part) -> int:
    """Scan lines of a block."""
    return LINES.get(part.compression) or {4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}.get(part.compression, 1)


def _unpacked(block: bytes, compression: int, size: int, runs: int) -> tuple[Callable[[int, int], np.ndarray], int]:
    """What gives so many of the block's `size` bytes from a place on, and how many of `runs` are left.

    A block that compression would enlarge is stored as it is.
    """
    if compression == 0 or len(block) == size:
        plain = np.frombuffer(block, np.uint8)
        if len(plain) != size:
            raise ValueError("block of another size")
        return lambda start, count: plain[start : start + count], runs
    if compression == 1:
        packed, runs = _run_lengths(block, size, runs)
    else:
        packed = zlib.decompressobj().decompress(block, size)
    if len(packed) != size:
        raise ValueError("block of another size")
    # each byte is stored as its difference to the one before, and the even bytes before the odd ones
    steps = np.frombuffer(packed, np.uint8) ^ 128  # less 128, modulo 256
    steps[0] ^= 128
    summed = np.cumsum(steps, dtype=np.uint8)
    halves = summed[: (size + 1) // 2], summed[(size + 1) // 2 :]

    def piece(start: int, count: int) -> np.ndarray:
        plain = np.empty(count, np.uint8)
        for offset in (0, 1):
            half = halves[(start + offset) % 2][(start + offset) // 2 :]
            part = plain[offset:count:2]
            part[:] = half[: len(part)]
        return plain

    return piece, runs


def _run_lengths(block: bytes, size: int, runs: int) -> tuple[bytes, int]:
    """The bytes that runs stand for, and how many of `runs` are left; raises ValueError where they do not suffice."""
    out, at = bytearray(), 0
    while at < len(block) and len(out) <= size:
        runs -= 1
        if not runs:
            raise ValueError("more runs than an encoder makes")
        count = block[at] - 256 if block[at] > 127 else block[at]
        if count < 0:
            out += block[at + 1 : at + 1 - count]
            at += 1 - count
        else:
            out += block[at + 1 : at + 2] * (count + 1)
            at += 2
    return bytes(out), runs
