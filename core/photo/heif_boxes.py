"""Finds the items of a HEIF file (ISO/IEC 23008-12): their references, rotations and bytes.

libheif decodes the pictures, but gives no access to the XMP that Apple attaches to an auxiliary picture; this file does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BOXES, MAX_EXTENTS = 50_000, 50_000


@dataclass(frozen=True)
class HeifItems:
    """The item graph of a file; keys are item identifiers."""

    primary: int
    types: dict[int, bytes]  # item -> four characters, b"mime" followed by its content type
    references: tuple[tuple[bytes, int, tuple[int, ...]], ...]  # kind, from item, to items
    properties: dict[int, tuple[tuple[bytes, bytes], ...]]  # item -> (four characters, payload), in order
    extents: dict[int, tuple[tuple[int, int], ...]]  # item -> offsets in the file and lengths

    def auxiliary(self, kind: bytes) -> int | None:
        """The first auxiliary picture of the primary one whose type begins with `kind`."""
        for reference, item, targets in self.references:
            if reference == b"auxl" and self.primary in targets:
                for name, payload in self.properties.get(item, ()):
                    if name == b"auxC" and payload[4:].split(b"\0")[0].startswith(kind):
                        return item
        return None

    def xmp_of(self, data: bytes, item: int, limit: int) -> bytes | None:
        """The XMP packet that describes `item`; None where there is none or it has more than `limit` bytes."""
        for reference, source, targets in self.references:
            if reference == b"cdsc" and item in targets and self.types.get(source) == b"mimeapplication/rdf+xml":
                extents = self.extents.get(source, ())
                if 0 < sum(length for _, length in extents) <= limit:
                    return b"".join(data[offset : offset + length] for offset, length in extents)
        return None

    def orientation(self, item: int) -> int | None:
        """The EXIF orientation equal to `item`'s rotation; None where it is mirrored too."""
        turn = 1
        for name, payload in self.properties.get(item, ()):
            if name == b"imir":
                return None
            if name == b"irot" and payload:
                turn = {0: 1, 1: 8, 2: 3, 3: 6}[payload[0] & 3]  # irot counts quarter turns anticlockwise
        return turn


def read_heif_items(data: bytes) -> HeifItems | None:
    """The items of a file; None where its `meta` box is missing or malformed, in which case libheif decides what is shown."""
    try:
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind == b"meta":
                return _read_meta(data, start + 4, end)
    except (struct.error, IndexError, ValueError):
        return None
    return None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, payload start and end of the boxes between two offsets."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            raise ValueError("box outside its container")
        yield kind, start + head, start + size
        start += size


def _read_meta(data: bytes, start: int, end: int) -> HeifItems:
    primary, types, references, properties, extents = 0, {}, (), {}, {}
    boxes = {kind: (a, b) for kind, a, b in _boxes(data, start, end)}
    if b"pitm" in boxes:
        a = boxes[b"pitm"][0]
        primary = struct.unpack_from(">I" if data[a] else ">H", data, a + 4)[0]
    if b"iinf" in boxes:
        types = _read_types(data, *boxes[b"iinf"])
    if b"iref" in boxes:
        references = _read_references(data, *boxes[b"iref"])
    if b"iprp" in boxes:
        properties = _read_properties(data, *boxes[b"iprp"])
    if b"iloc" in boxes:
        extents = _read_locations(data, *boxes[b"iloc"], inline=boxes.get(b"idat", (0, 0))[0])
    return HeifItems(primary, types, references, properties, extents)


def _read_types(data: bytes, start: int, end: int) -> dict[int, bytes]:
    types = {}
    for kind, a, b in _boxes(data, start + (8 if data[start] else 6), end):
        if kind == b"infe" and data[a] in (2, 3):
            wide = data[a] == 3
            item = struct.unpack_from(">I" if wide else ">H", data, a + 4)[0]
            body = data[a + (10 if wide else 8) : b]  # behind the item's protection index
            _, *texts = body[4:].split(b"\0")
            types[item] = body[:4] + (texts[0] if body[:4] == b"mime" and texts else b"")
    return types


def _read_references(data: bytes, start: int, end: int) -> tuple:
    width, code = (4, "I") if data[start] else (2, "H")
    found = []
    for kind, a, _ in _boxes(data, start + 4, end):
        source, count = struct.unpack_from(f">{code}H", data, a)
        found.append((kind, source, struct.unpack_from(f">{count}{code}", data, a + width + 2)))
    return tuple(found)


def _read_properties(data: bytes, start: int, end: int) -> dict:
    all_properties, associations = [], {}
    for kind, a, b in _boxes(data, start, end):
        if kind == b"ipco":
            all_properties = [(k, data[c:d]) for k, c, d in _boxes(data, a, b)]
        elif kind == b"ipma":
            version, flags, count = data[a], data[a + 3], struct.unpack_from(">I", data, a + 4)[0]
            position = a + 8
            for _ in range(count):
                item = struct.unpack_from(">I" if version else ">H", data, position)[0]
                position += 4 if version else 2
                number = data[position]
                indices = struct.unpack_from(f">{number}{'H' if flags & 1 else 'B'}", data, position + 1)
                position += 1 + number * (2 if flags & 1 else 1)
                associations[item] = [i & (0x7FFF if flags & 1 else 0x7F) for i in indices]
    return {item: tuple(all_properties[i - 1] for i in indices if 0 < i <= len(all_properties)) for item, indices in associations.items()}


def _read_locations(data: bytes, start: int, end: int, inline: int) -> dict:
    """`inline` is where the `idat` box's payload lies, for items stored there (construction method 1)."""
    version, sizes = data[start], struct.unpack_from(">H", data, start + 4)[0]
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    position = start + 6

    def take(size: int) -> int:
        nonlocal position
        if size not in (0, 2, 4, 8) or position + size > end:
            raise ValueError("field outside the box")
        position += size
        return int.from_bytes(data[position - size : position], "big")

    locations, total = {}, 0
    for _ in range(take(4 if version == 2 else 2)):
        item = take(4 if version == 2 else 2)
        method = take(2) & 15 if version in (1, 2) else 0
        take(2)  # data reference: always this file
        base, extents = take(base_size), []
        count = take(2)
        total += count
        if total > MAX_EXTENTS:
            raise ValueError("too many extents")
        for _ in range(count):
            take(index_size)
            offset, length = take(offset_size), take(length_size)
            extents.append((base + offset + (inline if method == 1 else 0), length))
        if method in (0, 1):
            locations[item] = tuple(extents)
    return locations
