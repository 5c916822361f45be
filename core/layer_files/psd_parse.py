"""The records of a Photoshop document, checked before anything is decoded ("Adobe Photoshop File Formats Specification", 2019)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import DioramaError, Kind
from ..raster.decode import MAX_PIXELS
from ..raster.picture_bounds import MAX_MEMORY

MODES = {0: "bitmap", 1: "greyscale", 2: "indexed colours", 3: "RGB", 4: "CMYK", 7: "multichannel", 8: "duotone", 9: "Lab"}
GREY, RGB = 1, 3
MAX_RECORDS, MAX_CHANNELS, MAX_BLOCKS = 4000, 64, 400
MAX_SIDE = 300_000
WIDE_KEYS = {b"LMsk", b"Lr16", b"Lr32", b"Layr", b"Mt16", b"Mt32", b"Mtrn", b"Alph", b"FMsk", b"lnk2", b"FEid", b"FXid", b"PxSD"}
"""Blocks whose length takes eight bytes in a PSB."""
LAYERS_KEYS = {b"Lr16", b"Lr32", b"Layr"}
MASK = -2
MASK_OFF, MASK_TURNED, MASK_WITH_NUMBERS = 2, 4, 16
LAST_OF_GROUP = 3


class Cursor:
    """Reads numbers one after the other; raises ValueError at the end."""

    def __init__(self, data: memoryview, at: int = 0, end: int | None = None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def take(self, count: int) -> memoryview:
        if not 0 <= count <= self.end - self.at:
            raise ValueError("beyond the end")
        self.at += count
        return self.data[self.at - count : self.at]

    def numbers(self, form: str) -> tuple:
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))

    def number(self, form: str) -> int:
        return self.numbers(form)[0]

    def part(self, count: int) -> Cursor:
        """The next bytes as a cursor of their own."""
        self.take(count)
        return Cursor(self.data, self.at - count, self.at)

    @property
    def left(self) -> int:
        return self.end - self.at


@dataclass(frozen=True)
class Mask:
    """Where a layer's mask lies, and what holds outside."""

    box: tuple[int, int, int, int]  # top, left, bottom, right
    outside: int  # 0 or 255
    flags: int
    density: float = 1.0  # 0: the mask does nothing


@dataclass(frozen=True)
class Record:
    """A layer as it is described, or an end of a group."""

    box: tuple[int, int, int, int]
    channels: tuple[tuple[int, memoryview], ...]  # number, and its bytes with the compression before
    blend: bytes
    opacity: float
    clipped: bool
    visible: bool
    name: str
    mask: Mask | None
    blocks: dict[bytes, memoryview] = field(default_factory=dict)

    @property
    def divider(self) -> int:
        """0 for a layer, 1 or 2 for a group above those that it holds, 3 for its lower end."""
        data = self.blocks.get(b"lsct") or self.blocks.get(b"lsdk")
        kind = 0 if data is None or len(data) < 4 else int.from_bytes(data[:4], "big")
        return kind if kind <= LAST_OF_GROUP else 0


@dataclass(frozen=True)
class Document:
    """What a Photoshop document holds, undecoded."""

    canvas: tuple[int, int]
    channels: int
    bits: int
    mode: int
    big: bool  # of the format PSB, for large documents
    resources: dict[int, memoryview]
    records: tuple[Record, ...]  # the bottom first
    merged: memoryview
    merged_alpha: bool


def parse_psd(data: bytes, name: str) -> Document:
    """The document; raises DioramaError for what is not read, ValueError or struct.error where it is damaged."""
    cursor = Cursor(memoryview(data))
    _, version, channels, height, width, bits, mode = cursor.numbers("4sH6xHIIHH")
    big = version == 2
    if version not in (1, 2):
        raise ValueError("version")
    if mode not in (GREY, RGB):
        kind = MODES.get(mode, "an unknown mode")
        raise DioramaError(f"{name} is a document in {kind}; change it to RGB (Image > Mode) and save it again.", Kind.UNUSABLE_FILE)
    if bits not in (8, 16, 32):
        raise DioramaError(f"{name} has {bits} bits a channel; change it to 8 or 16 (Image > Mode).", Kind.UNUSABLE_FILE)
    if not 0 < width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE or not 0 < channels <= MAX_CHANNELS:
        raise DioramaError(
            f"{name} has {width}x{height} pixels, not 1 to {MAX_PIXELS // 10**6} million; scale it first.", Kind.UNUSABLE_FILE
        )
    cursor.take(cursor.number("I"))
    resources = dict(_resources(cursor.part(cursor.number("I"))))
    section = cursor.part(cursor.number("Q" if big else "I"))
    records, merged_alpha = _parse_layers(section, big)
    document = Document((height, width), channels, bits, mode, big, resources, records, cursor.take(cursor.left), merged_alpha)
    _check_memory(document, name)
    _check_end(document)
    return document


def _check_end(document: Document) -> None:
    """Raises ValueError where the picture at the end is not whole: the program may still be writing."""
    rows, data = document.canvas[0] * document.channels, document.merged
    if data[:2] == b"\0\0":
        wanted = rows * (document.canvas[1] * document.bits // 8)
    elif data[:2] == b"\0\1":
        kind = np.dtype(">u4" if document.big else ">u2")
        wanted = rows * kind.itemsize + int(np.frombuffer(data[2:], kind, rows).sum())
    else:
        wanted = 0
    if len(data) < 2 + wanted:
        raise ValueError("cut short")


def _check_memory(document: Document, name: str) -> None:
    """Raises where decoding takes more than a picture may."""
    pixels = max(4, document.channels) * document.canvas[0] * document.canvas[1] if not document.records else 0
    for record in document.records:
        pixels += area(record.box) * max(4, len(record.channels))
        pixels += 0 if record.mask is None else area(record.mask.box)
    if pixels * document.bits // 8 > MAX_MEMORY:
        raise DioramaError(f"{name} has layers of {pixels // 4 // 10**6} million pixels, more than can be read; leave some out.")


def area(box: tuple[int, int, int, int]) -> int:
    """Pixels of a rectangle; raises ValueError where it is none."""
    top, left, bottom, right = box
    if bottom < top or right < left or max(bottom - top, right - left) > MAX_SIDE or max(map(abs, box)) > 1 << 24:
        raise ValueError("rectangle")
    return (bottom - top) * (right - left)


def _resources(cursor: Cursor) -> Iterator[tuple[int, memoryview]]:
    while cursor.left >= 12:
        signature, number, length = cursor.numbers("4sHB")
        cursor.take(length + (length + 1) % 2)
        size = cursor.number("I")
        if signature not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
            raise ValueError("resource")
        yield number, cursor.take(size)
        if size % 2 and cursor.left:
            cursor.take(1)


def _parse_layers(section: Cursor, big: bool) -> tuple[tuple[Record, ...], bool]:
    """The records of the layers, wherever in the section they stand; and whether the merged picture has alpha."""
    form = "Q" if big else "I"
    if not section.left:
        return (), False
    layers = section.part(section.number(form))
    if layers.left >= 2:
        return _records(layers, big)
    if section.left >= 4:
        section.take(min(section.left, section.number("I")))
    for key, block in _blocks(section, big):
        if key in LAYERS_KEYS:
            return _records(Cursor(block), big)
    return (), False


def _blocks(cursor: Cursor, big: bool) -> Iterator[tuple[bytes, memoryview]]:
    """Additional information: keys and contents. Programs pad them to 2 or 4 bytes, or not at all."""
    for _ in range(MAX_BLOCKS):
        skipped = 0
        while cursor.left >= 4 and bytes(cursor.data[cursor.at : cursor.at + 4]) not in (b"8BIM", b"8B64") and skipped < 4:
            cursor.take(1)
            skipped += 1
        if cursor.left < 12 or skipped == 4:
            return
        signature, key = cursor.numbers("4s4s")
        wide = signature == b"8B64" or (big and key in WIDE_KEYS)
        yield key, cursor.take(cursor.number("Q" if wide else "I"))


def _records(cursor: Cursor, big: bool) -> tuple[tuple[Record, ...], bool]:
    count = cursor.number("h")
    if abs(count) > MAX_RECORDS:
        raise ValueError("too many layers")
    heads = [_record(cursor, big) for _ in range(abs(count))]
    # their pixels follow in the same order
    records = []
    for record, lengths in heads:
        channels = tuple((number, cursor.take(length)) for number, length in lengths)
        area(record.box)
        records.append(Record(**{**record.__dict__, "channels": channels}))
    return tuple(records), count < 0


def _record(cursor: Cursor, big: bool) -> tuple[Record, list[tuple[int, int]]]:
    box = cursor.numbers("4i")
    count = cursor.number("H")
    if count > MAX_CHANNELS:
        raise ValueError("too many channels")
    lengths = [cursor.numbers("hQ" if big else "hI") for _ in range(count)]
    signature, blend, opacity, clipping, flags, extra = cursor.numbers("4s4sBBBxI")
    if signature != b"8BIM":
        raise ValueError("layer")
    more = cursor.part(extra)
    mask = _mask(more.part(more.number("I")))
    more.take(more.number("I"))
    length = more.number("B")
    short = bytes(more.take(length))
    more.take(min(more.left, -(length + 1) % 4))
    blocks = dict(_blocks(more, big))
    name = _unicode(blocks.get(b"luni")) or short.decode("mac_roman", "replace")
    share = opacity / 255 * (blocks[b"iOpa"][0] / 255 if blocks.get(b"iOpa") else 1.0)
    return Record(box, (), blend, share, bool(clipping), not flags & 2, name, mask, blocks), lengths


def _mask(cursor: Cursor) -> Mask | None:
    if cursor.left < 18:
        return None
    *box, outside, flags = cursor.numbers("4iBB")
    density = 1.0
    if flags & MASK_WITH_NUMBERS and cursor.left >= 2 and cursor.number("B") & 1:
        density = cursor.number("B") / 255
    top, left, bottom, right = box
    return Mask((top, left, bottom, right), outside, flags, density)


def _unicode(block: memoryview | None) -> str:
    if block is None or len(block) < 4:
        return ""
    length = min(int.from_bytes(block[:4], "big"), (len(block) - 4) // 2, 255)
    return bytes(block[4 : 4 + 2 * length]).decode("utf-16-be", "replace").rstrip("\0")
