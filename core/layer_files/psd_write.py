"""Writes layers as a Photoshop document ("Adobe Photoshop File Formats Specification", November 2019): RGB of 8, 16 or 32 bits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np

from ..errors import DioramaError
from ..threads import thread_count
from .layer_file import DEPTH, INVENTED, PHOTO_NAMES, TOP, FileLayer, LayerFile, composite, highest_disparity, levels
from .metadata import as_text, group_of_depth, group_of_masks
from .pack_bits import pack_rows
from .pictures import srgb_profile

MAX_SIDE = 30_000
"""Pixels of a side; larger is a format of its own that few programs read."""
MAX_BYTES = (1 << 31) - 1
OPEN, CLOSED, END = 1, 2, 3
"""Kinds of section dividers, by which records become groups."""
RAW, RLE, ZIP = 0, 1, 2
HIDDEN = 2
"""Flag of a layer that is not shown."""
RESOLUTION, ICC, XMP = 1005, 1039, 1060
"""Image resources."""
DEEP_LAYERS = {16: b"Lr16", 32: b"Lr32"}


@dataclass(frozen=True)
class _Record:
    """A layer, or one end of a group, as it is stored."""

    name: str
    corner: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    opacity: float = 1.0
    visible: bool = True
    channels: Callable[[], list[_Coded]] = lambda: [EMPTY] * 4  # alpha, red, green, blue
    divider: int = 0


def write_psd(file: LayerFile, out: BinaryIO) -> None:
    """The document: layers, and depth and masks of what was invented as grey layers in two hidden groups below.

    Raises DioramaError for more than 30,000 pixels a side or 2 GB.
    """
    height, width = file.canvas
    if max(height, width) > MAX_SIDE:
        raise _too_large(f"Layers of {width}x{height} pixels are too large for a PSD, which holds {MAX_SIDE:,} a side")
    kind = file.layers[0].colour.dtype
    bits = 8 * kind.itemsize
    merged = composite(file)
    opaque = bool((merged[..., 3] == TOP[kind]).all())
    resources = b"".join(_resource(*each) for each in _resources(file))
    out.write(struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3 if opaque else 4, height, width, bits, 3))
    out.write(struct.pack(">II", 0, len(resources)) + resources)
    start = out.tell()
    # deeper layers stand behind an empty section of their own
    before = b"" if bits == 8 else struct.pack(">II", 0, 0) + b"8BIM" + DEEP_LAYERS[bits]
    out.write(bytes(4) + before + bytes(4))
    length = _write_layers(file, out, 1 if opaque else -1)
    out.write(bytes(-length % 4 + (4 if bits == 8 else 0)))  # no mask of all layers
    end, length = out.tell(), length + -length % 4
    if end + merged.nbytes * 129 // 128 + 4 * height * 2 > MAX_BYTES:
        raise _too_large(f"Layers of {width}x{height} pixels do not fit into a PSD, which holds 2 GB")
    out.seek(start)
    out.write(struct.pack(">I", end - start - 4) + before + struct.pack(">I", length))
    out.seek(end)
    _write_merged(out, merged[..., : 3 if opaque else 4])


def _too_large(fault: str) -> DioramaError:
    return DioramaError(fault, window="choose another Format", command_line="name a folder, or a file .ora or .exr")


def _write_layers(file: LayerFile, out: BinaryIO, sign: int) -> int:
    """Descriptions and then pixels of all layers, the bottom first; one layer at a time in memory. Returns the bytes written."""
    records = [*_planes(file, INVENTED), *_planes(file, DEPTH), *(_colours(each) for each in reversed(file.layers))]
    lengths = [[2] * 4 for _ in records]
    start = out.tell()

    def heads() -> bytes:
        described = (_head(number, *each) for number, each in enumerate(zip(records, lengths, strict=True), 1))
        return b"".join([struct.pack(">h", sign * len(records)), *described])

    out.write(heads())  # again when lengths are known, which does not change its own
    for at, record in enumerate(records):
        coded = record.channels()
        lengths[at] = [each.length for each in coded]
        for each in coded:
            each.write(out)
    end = out.tell()
    out.seek(start)
    out.write(heads())
    out.seek(end)
    return end - start


def _write_merged(out: BinaryIO, merged: np.ndarray) -> None:
    """All layers over each other, which programs show that read no layers."""
    planes = [_encode_channel(merged[..., each], False) for each in range(merged.shape[2])]
    out.write(struct.pack(">H", planes[0].compression))  # the same for all, as their rows are as long
    out.write(b"".join(plane.rows for plane in planes))
    for plane in planes:
        out.write(plane.data)


@dataclass(frozen=True)
class _Coded:
    """A channel as it is stored."""

    compression: int
    rows: bytes  # the length of each, of run-length codes
    data: bytes

    @property
    def length(self) -> int:
        return 2 + len(self.rows) + len(self.data)

    def write(self, out: BinaryIO) -> None:
        out.write(struct.pack(">H", self.compression) + self.rows)
        out.write(self.data)


EMPTY: _Coded = _Coded(RAW, b"", b"")


def _encode_channel(plane: np.ndarray, smooth: bool) -> _Coded:
    """A channel (h, w). `smooth`: deflated, which gains nothing on a photo's noise and takes long there."""
    if not plane.size:
        return EMPTY
    rows = np.ascontiguousarray(plane, plane.dtype.newbyteorder(">")).view(np.uint8).reshape(plane.shape[0], -1)
    if smooth:
        return _Coded(ZIP, b"", zlib.compress(rows.data, 1))
    if rows.shape[1] * 129 // 128 + 2 > 65535:  # a row's length is stored in two bytes
        return _Coded(RAW, b"", rows.tobytes())
    data, lengths = pack_rows(rows)
    return _Coded(RLE, lengths.astype(">u2").tobytes(), data)


def _encode_channels(planes: list[np.ndarray], smooth: bool) -> list[_Coded]:
    with ThreadPoolExecutor(min(len(planes), thread_count())) as pool:
        return list(pool.map(partial(_encode_channel, smooth=smooth), planes))


def _colours(layer: FileLayer) -> _Record:
    smooth = not PHOTO_NAMES.fullmatch(layer.name)
    order = [np.moveaxis(layer.colour, 2, 0)[each] for each in (3, 0, 1, 2)]
    size = layer.colour.shape[0], layer.colour.shape[1]
    return _Record(layer.name, layer.corner, size, layer.opacity, layer.visible, partial(_encode_channels, order, smooth))


def _planes(file: LayerFile, what: str) -> Iterator[_Record]:
    """A closed, hidden group of one grey layer for each layer that has such a plane, in the order of the file: from the bottom."""
    white = file.white or highest_disparity(file.layers)
    having = [
        each for each in reversed(file.layers) if each.colour.size and (each.disparity if what == DEPTH else each.invented) is not None
    ]
    if what == INVENTED:
        having = [each for each in having if each.is_invented.any()]
    if not having:
        return
    yield _Record("</Layer group>", divider=END)
    for each in having:
        size = each.colour.shape[0], each.colour.shape[1]
        yield _Record(f"{each.name} {what}", each.corner, size, channels=partial(_grey_channels, each, what, white))
    yield _Record(group_of_depth(white) if what == DEPTH else group_of_masks(file), visible=False, divider=CLOSED)


def _grey_channels(layer: FileLayer, what: str, white: float) -> list[_Coded]:
    """Depth, transparent where there is none, or an opaque mask."""
    kind = layer.colour.dtype
    if what == DEPTH:
        assert layer.disparity is not None
        grey = layer.disparity / np.float32(white) if kind == np.float32 else levels(layer, white, kind.type)
        seen = (grey > 0).astype(kind) * kind.type(TOP[kind])
    else:
        grey = layer.is_invented.astype(kind) * kind.type(TOP[kind])
        seen = np.full(grey.shape, TOP[kind], kind)
    alpha, coded = _encode_channels([seen, grey], True)
    return [alpha, coded, coded, coded]


def _head(number: int, record: _Record, lengths: list[int]) -> bytes:
    (top, left), (height, width) = record.corner, record.size
    start = struct.pack(">4iH", top, left, top + height, left + width, len(lengths))
    listed = b"".join(struct.pack(">hI", each, length) for each, length in zip((-1, 0, 1, 2), lengths, strict=True))
    flags = 8 | (0 if record.visible else HIDDEN) | (16 if record.divider else 0)
    blend = b"pass" if record.divider in (OPEN, CLOSED) else b"norm"
    short = record.name.encode("ascii", "replace")[:255]
    name = bytes([len(short)]) + short
    name += bytes(-len(name) % 4)
    wide = record.name.encode("utf-16-be")
    more = _block(b"luni", struct.pack(">I", len(wide) // 2) + wide) + _block(b"lyid", struct.pack(">I", number))
    if record.divider:
        more += _block(b"lsct", struct.pack(">I4s4s", record.divider, b"8BIM", blend))
    extra = struct.pack(">II", 0, 0) + name + more  # no mask, no blending ranges
    opacity = int(round(record.opacity * 255))
    return start + listed + b"8BIM" + blend + struct.pack(">BBBxI", opacity, 0, flags, len(extra)) + extra


def _block(key: bytes, data: bytes) -> bytes:
    data += bytes(-len(data) % 4)
    return b"8BIM" + key + struct.pack(">I", len(data)) + data


def _resources(file: LayerFile) -> Iterator[tuple[int, bytes]]:
    yield RESOLUTION, struct.pack(">IHHIHH", 72 << 16, 1, 1, 72 << 16, 1, 1)
    if not file.is_linear:
        yield ICC, srgb_profile()
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:photo_diorama="https://example.org/photo-diorama/1.0/" '
        f'photo_diorama:layers="{as_text(file)}"/></rdf:RDF></x:xmpmeta>'
    )
    yield XMP, f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{packet}<?xpacket end="w"?>'.encode()


def _resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)
