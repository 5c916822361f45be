"""Limits on what a picture's decoder may be made to do, checked on the file's structure before decoding.

Memory: the largest need per pixel of a format, as measured, times the pixels in the header. Time: parts that repeat without adding pixels
(scans, chunks, strips) are counted, and nothing may be decoded twice. tests/core/raster/test_picture_bounds.py holds both
against the files of tests/core/hostile_pictures.py.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left

from ..errors import DioramaError

MAX_MEMORY = 3_000_000_000
"""Bytes that decoding one picture may add to the process."""
PEAK_BYTES_PER_PIXEL = {"JPEG": 12, "PNG": 12, "TIFF": 12, "WEBP": 20, "HEIF": 16}
"""Peak bytes for each pixel of 8 bits, the largest among many files of each kind; JPEG: progressive with four colours."""
COPIES = 3
"""Copies of deeper pixels: the decoder's, and those of two later steps."""
MAX_SCANS = 100
"""Scans of a progressive JPEG (encoders make 3 to 20): each goes over all pixels, so that thousands of empty ones take long."""
MAX_SEGMENTS, MAX_JUNK = 20_000, 1 << 20
"""Segments of a JPEG before the first scan, and bytes between them that belong to none; both are scanned one by one."""
MAX_CHUNKS = 500_000
"""Chunks of a PNG; the largest honest picture has 130,000."""
MAX_STRIPS = 300_000
"""Strips or tiles of a TIFF."""
NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Of JPEG: entropy-coded data has a zero behind each 255 (ITU T.81, B.1.1.2), and restarts."""
ARITHMETIC = (0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
"""Start of a JPEG frame of arithmetic coding (ITU T.81, table B.1): a bit can stand for millions of coefficients."""
SCANS_A_STRIP = 4
"""Of JPEG inside TIFF: one, or one for each colour."""


def check_structure(data: bytes, kind: str, name: str) -> None:
    """Raises DioramaError, naming the file `name`, where a picture of `kind` would take its decoder longer than its pixels do."""
    check = {"JPEG": _check_jpeg, "PNG": _check_png, "TIFF": _check_tiff}.get(kind)
    if check is not None:
        check(data, name)


def check_memory(width: int, height: int, bytes_per_pixel: float, name: str) -> None:
    """Raises DioramaError where `width` x `height` pixels of `bytes_per_pixel` bytes at the peak are more than `MAX_MEMORY`."""
    if width * height * bytes_per_pixel > MAX_MEMORY:
        most = int(MAX_MEMORY / bytes_per_pixel / 1e6)
        raise DioramaError(
            f"{name} has {width}x{height} pixels, but at most {most} million can be decoded in this format; scale it down first."
        )


def peak_bytes_per_pixel(kind: str, channels: int, bits: int) -> float:
    """Bytes per pixel at the peak of decoding."""
    return PEAK_BYTES_PER_PIXEL[kind] if bits <= 8 else COPIES * max(channels, 3) * bits / 8


def count_channels(image, data: bytes) -> tuple[int, int]:
    """How many channels a picture has that `open_picture` opened from `data`, and the bits of each in the file."""
    if image.format == "PNG":
        return {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(data[25], 4), data[24]
    if image.format == "TIFF":
        return image.tag_v2.get(277, 1), max(image.tag_v2.get(258, (8,)))
    if image.format == "HEIF":
        return len(image.getbands()), int(image.info.get("bit_depth", 8))
    return len(image.getbands()), 8


def _check_jpeg(data: bytes, name: str) -> None:
    position, junk = 2, 0
    for _ in range(MAX_SEGMENTS):
        match = NEXT_MARKER.search(data, position)
        if match is None:
            break
        marker = data[match.start() + 1]
        junk += match.start() - position
        if junk > MAX_JUNK:
            raise _damaged(name)
        if marker in ARITHMETIC:
            raise DioramaError(f"{name} is an arithmetic-coded JPEG, which no camera writes and few programs read; save it again.")
        if marker in (0xDA, 0xD9):
            break
        position = _behind(match, data)
    else:
        raise _damaged(name)
    if has_more_scans(data, MAX_SCANS):
        raise DioramaError(f"{name} is a JPEG of more than {MAX_SCANS} scans, as no camera writes; save it again.")


def has_more_scans(data: bytes, most: int) -> bool:
    """Whether the JPEG at the start of `data` has more than `most` scans; one of endless other segments counts as such."""
    if data.count(b"\xff\xda") <= most:  # quick, and true of all that is honest
        return False
    position, scans = 2, 0
    for _ in range(MAX_SEGMENTS):
        match = NEXT_MARKER.search(data, position)
        if match is None or data[match.start() + 1] == 0xD9:
            return False
        scans += data[match.start() + 1] == 0xDA
        if scans > most:
            return True
        position = _behind(match, data)
    return True


def _behind(match: re.Match, data: bytes) -> int:
    """Where the JPEG segment ends whose marker was found."""
    stands_alone = data[match.start() + 1] == 0x01
    return match.end() + (0 if stands_alone else int.from_bytes(data[match.end() : match.end() + 2], "big"))


def _check_png(data: bytes, name: str) -> None:
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise _damaged(name)


def _check_tiff(data: bytes, name: str) -> None:
    """Raises where bytes would be decoded repeatedly, or a strip's pixels written repeatedly."""
    try:
        places = _strips(data)
    except (struct.error, KeyError):
        return  # damaged, which the decoder tells
    if places is None:
        raise _damaged(name)
    starts, lengths, packed_as_jpeg = places
    if len(starts) > MAX_STRIPS:
        raise DioramaError(f"{name} is a TIFF of more than {MAX_STRIPS:,} pieces; save it in strips of several rows.")
    parts = [(start, start + length) for start, length in zip(starts, lengths, strict=False)]
    if sum(lengths) > 2 * len(data):  # some programs round lengths up
        raise DioramaError(f"{name} is a TIFF that names the same bytes for several of its pieces; save it again.")
    if packed_as_jpeg:
        scans = [match.start() for match in re.finditer(rb"\xff\xda", data)]
        in_strips = sum(bisect_left(scans, end) - bisect_left(scans, start) for start, end in parts)
        if in_strips > SCANS_A_STRIP * len(parts) + MAX_SCANS:
            raise DioramaError(f"{name} is a TIFF of too many JPEG scans, as no program writes; save it again.")


STRIP_TAGS = {259: "compression", 273: "starts", 279: "lengths", 324: "starts", 325: "lengths"}
"""TIFF 6.0: Compression, StripOffsets, StripByteCounts, TileOffsets, TileByteCounts."""
NUMBERS = {3: "H", 4: "I", 13: "I", 16: "Q"}
"""Kinds of whole numbers: SHORT, LONG, IFD, and BigTIFF's LONG8."""
OLD_JPEG, JPEG = 6, 7


def _strips(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...], bool] | None:
    """Offsets and lengths of the first picture's pieces, and whether they are JPEG; None where it tells one of them twice.

    Raises struct.error or KeyError where the directory is damaged.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    (directory,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, directory)
    entry, width = (20, 8) if big else (12, 4)
    found: dict[str, tuple[int, ...]] = {}
    first = directory + (8 if big else 2)
    for at in range(first, first + entry * min(count, 65_536), entry):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag not in STRIP_TAGS:
            continue
        if STRIP_TAGS[tag] in found:
            return None
        (length,) = struct.unpack_from(order + ("Q" if big else "I"), data, at + 4)
        if length > len(data):
            raise struct.error
        where = at + 4 + width
        if length * struct.calcsize(NUMBERS[kind]) > width:
            (where,) = struct.unpack_from(order + ("Q" if big else "I"), data, where)
        found[STRIP_TAGS[tag]] = struct.unpack_from(f"{order}{length}{NUMBERS[kind]}", data, where)
    return found["starts"], found["lengths"], found.get("compression", (1,))[0] in (OLD_JPEG, JPEG)


def _damaged(name: str) -> DioramaError:
    return DioramaError(f"{name} is damaged or made to be slow to read; copy or export it again.")
