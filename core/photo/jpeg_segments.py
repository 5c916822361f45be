"""Reads the segments of a JPEG file: XMP packets and their extensions, images appended by MPF, the end of an image."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

SOI = b"\xff\xd8"
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
XMP_EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
MPF_HEADER = b"MPF\0"
MAX_SEGMENTS = 20_000  # 64 MB of extended XMP need about a thousand
MAX_APPENDED_IMAGES = 64
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True)
class XmpChunk:
    """One APP1 segment of extended XMP (XMP specification part 3, 1.1.3.1)."""

    guid: str  # 32 hexadecimal digits: MD5 of the whole extension
    total: int  # bytes of the whole extension, as this segment declares it
    offset: int  # where this chunk belongs
    content: bytes


def segments(data: bytes, start: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """Marker, offset of the payload in `data` and payload of each segment before the first scan.

    Ends silently at bytes that are no segment: a damaged header hides what follows, and the caller reports the segment it misses.
    """
    position = start + 2
    for _ in range(MAX_SEGMENTS):
        while data[position : position + 2] == b"\xff\xff":  # fill bytes (ITU T.81, B.1.1.2)
            position += 1
        if position + 4 > len(data) or data[position] != 0xFF:
            return
        marker = data[position + 1]
        if marker in (0xDA, 0xD9):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            position += 2
            continue
        length = struct.unpack_from(">H", data, position + 2)[0]
        if length < 2 or position + 2 + length > len(data):
            return
        yield marker, position + 4, data[position + 4 : position + 2 + length]
        position += 2 + length


def xmp_segments(data: bytes, start: int = 0) -> tuple[bytes | None, list[XmpChunk]]:
    """The main XMP packet, None where there is none, and the chunks of extended XMP in file order."""
    packet, chunks = None, []
    for marker, _, payload in segments(data, start):
        if marker != 0xE1:
            continue
        if payload.startswith(XMP_HEADER) and packet is None:
            packet = payload[len(XMP_HEADER) :]
        elif payload.startswith(XMP_EXTENSION_HEADER):
            head = len(XMP_EXTENSION_HEADER)
            if len(payload) < head + 40:
                continue
            total, offset = struct.unpack_from(">II", payload, head + 32)
            guid = payload[head : head + 32].decode("latin-1").upper()
            chunks.append(XmpChunk(guid, total, offset, payload[head + 40 :]))
    return packet, chunks


def appended_images(data: bytes) -> list[tuple[int, int]]:
    """Start and end in `data` of the JPEG images listed by MPF after the first (CIPA DC-007, 5.2.3).

    Entries that point outside the file or at something that is no JPEG are left out, such as previews of other makers. An end
    behind the file's is clipped to it.
    """
    for marker, offset, payload in segments(data):
        if marker == 0xE2 and payload.startswith(MPF_HEADER):
            try:
                return _mpf_entries(data, payload[4:], offset + 4)
            except struct.error:
                return []
    return []


def _mpf_entries(data: bytes, tiff: bytes, base: int) -> list[tuple[int, int]]:
    """Offsets in MPF count from its own TIFF header, which lies at `base` of the file."""
    order = {b"MM": ">", b"II": "<"}.get(tiff[:2])
    if order is None:
        return []
    directory = struct.unpack_from(order + "I", tiff, 4)[0]
    count = struct.unpack_from(order + "H", tiff, directory)[0]
    for index in range(count):
        tag, _, size, where = struct.unpack_from(order + "HHII", tiff, directory + 2 + 12 * index)
        if tag != 0xB002:
            continue
        found = []
        for entry in range(1, min(size // 16, MAX_APPENDED_IMAGES)):
            length, offset = struct.unpack_from(order + "II", tiff, where + 16 * entry + 4)
            begin = base + offset
            if offset and data[begin : begin + 2] == SOI:
                found.append((begin, min(begin + length, len(data))))
        return found
    return []


def end_of_image(data: bytes, start: int = 0) -> int | None:
    """The offset after the EOI marker of the JPEG that begins at `start`; None without one."""
    position = start + 2
    for _ in range(MAX_SEGMENTS):
        match = _NEXT_MARKER.search(data, position)
        if match is None:
            return None
        marker = data[match.start() + 1]
        if marker == 0xD9:
            return match.end()
        if marker == 0x01 or match.end() + 2 > len(data):
            position = match.end()
            continue
        # every other marker has a length, scans too: entropy-coded data follows it and holds no markers but restarts
        position = match.end() + struct.unpack_from(">H", data, match.end())[0]
    return None
