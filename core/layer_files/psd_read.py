"""Reads the layers of a Photoshop document (PSD or PSB): RGB or grey of 8, 16 or 32 bits; groups and masks are applied and noted."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np

from .layer_file import (
    TOP,
    FileLayer,
    LayerFile,
    as_one_channel,
    attach_planes,
    bounded_notes,
    duplicate_name_notes,
    place_in_canvas,
    reading_layers,
)
from .metadata import apply_text
from .pack_bits import unpack_rows
from .pictures import convert_to_srgb
from .psd_parse import GREY, LAST_OF_GROUP, MASK, MASK_OFF, MASK_TURNED, Document, Mask, Record, area, parse_psd

ICC, XMP = 1039, 1060
KINDS: dict[int, np.dtype] = {8: np.dtype(np.uint8), 16: np.dtype(">u2"), 32: np.dtype(">f4")}
RAW, RLE, ZIP, ZIP_PREDICTED = range(4)
EFFECTS = (b"lfx2", b"lmfx", b"lrFX")
VECTOR_MASKS = (b"vmsk", b"vsms")
NO_PIXELS = {
    b"SoCo", b"GdFl", b"PtFl", b"brit", b"levl", b"curv", b"expA", b"vibA", b"hue ", b"hue2", b"blnc", b"blwh", b"phfl", b"mixr", b"clrL",
    b"nvrt", b"post", b"thrs", b"grdm", b"selc",
}  # fmt: skip
"""Fills and adjustments, which compute pixels."""
FAILURES = (ValueError, struct.error, zlib.error, IndexError, OverflowError, KeyError, OSError, SyntaxError, TypeError)


def read_psd(data: bytes, name: str) -> LayerFile:
    """The layers, front first. Raises DioramaError, naming the file `name`, for other colours, damage, and more than may be read."""
    with reading_layers(name, FAILURES, "save it again as PSD"):
        document = parse_psd(data, name)
        layers, notes = _layers(document, name)
    found = bytes(document.resources.get(XMP, b""))[: 1 << 20].decode("utf-8", "replace")
    profile = bytes(document.resources.get(ICC, b""))
    file = attach_planes(apply_text(LayerFile(document.canvas, None, tuple(layers), notes=tuple(notes)), found))
    layers = list(file.layers)
    if document.bits < 32:
        layers = [replace(each, colour=convert_to_srgb(each.colour, profile)) for each in layers]
    return replace(file, layers=tuple(layers), notes=bounded_notes([*file.notes, *duplicate_name_notes(layers)]))


def _layers(document: Document, name: str) -> tuple[list[FileLayer], list[str]]:
    if not document.records:
        merged = _planes(document.merged, document.canvas, document, document.channels)
        note = f"{name} has no layers; it is taken as one."
        return [FileLayer("merged", (0, 0), _together(merged, document))], [note]
    notes: list[str] = []
    layers: list[FileLayer] = []
    groups: list[Record] = []
    pending: list[FileLayer] = []  # clipped layers, which wait for the one below
    for record in reversed(document.records):
        if record.divider == LAST_OF_GROUP:
            if groups:
                groups.pop()
            continue
        _note(record, notes)
        if record.divider:
            groups.append(record)
            continue
        if not area(record.box) and NO_PIXELS & record.blocks.keys():
            notes.append(f'The layer "{record.name}" is a fill or an adjustment without pixels and is left out; rasterise it to keep it.')
            continue
        layer = _layer(record, groups, document)
        if record.clipped:
            pending.append(layer)
            continue
        layers += [_clip(each, layer) for each in pending]
        pending = []
        layers.append(layer)
    return layers + pending, notes


def _note(record: Record, notes: list[str]) -> None:
    """Says what of a layer or group is not kept."""
    what = "group" if record.divider else "layer"
    if record.blend not in (b"norm", b"pass"):
        notes.append(f'The {what} "{record.name}" has another blending mode than Normal and is taken as Normal.')
    if any(len(record.blocks.get(key, b"")) for key in EFFECTS):
        notes.append(f'The effects of the {what} "{record.name}" are left out; rasterise them to keep them.')
    if any(key in record.blocks for key in VECTOR_MASKS) and not any(number == MASK for number, _ in record.channels):
        notes.append(f'The vector mask of the {what} "{record.name}" is left out; rasterise it to keep it.')
    if record.mask is not None and not record.mask.flags & MASK_OFF and any(number == MASK for number, _ in record.channels):
        notes.append(f'The mask of the {what} "{record.name}" is applied.')
    if record.clipped:
        notes.append(f'The {what} "{record.name}" is clipped by the one below.')


def _layer(record: Record, groups: list[Record], document: Document) -> FileLayer:
    top, left, bottom, right = record.box
    shape = (bottom - top, right - left)
    planes = {}
    for number, data in record.channels:
        if number in (-1, 0, 1, 2) and number not in planes:
            planes[number] = _plane(data, shape, document)
    kind = KINDS[document.bits].newbyteorder("=")
    plain = np.zeros(shape, kind)
    order = (0, 0, 0) if document.mode == GREY else (0, 1, 2)
    colour = np.empty((*shape, 4), kind)
    for at, number in enumerate(order):
        colour[..., at] = planes.get(number, plain)
    colour[..., 3] = planes.get(-1, TOP[kind])
    opacity, visible = record.opacity, record.visible
    for each in (record, *groups):
        _apply_mask(each, colour, (top, left), document)
    for each in groups:
        opacity, visible = opacity * each.opacity, visible and each.visible
    names = tuple(each.name for each in groups)
    return as_one_channel(FileLayer(record.name[:200], (top, left), _finite(colour), opacity, visible, names))


def _finite(colour: np.ndarray) -> np.ndarray:
    if colour.dtype != np.float32:
        return colour
    colour = np.nan_to_num(colour, nan=0.0, posinf=65504.0, neginf=0.0)
    colour[..., 3] = np.clip(colour[..., 3], 0, 1)
    return colour


def _apply_mask(record: Record, colour: np.ndarray, corner: tuple[int, int], document: Document) -> None:
    """Multiplies alpha by a layer's or group's mask, in place."""
    mask, data = record.mask, next((data for number, data in record.channels if number == MASK), None)
    if mask is None or data is None or mask.flags & MASK_OFF or not colour.size:
        return
    share = _mask_alpha(mask, data, colour.shape[:2], corner, document)
    alpha = colour[..., 3] * (1 - mask.density * (1 - share))
    colour[..., 3] = alpha if colour.dtype == np.float32 else np.rint(alpha)


def _mask_alpha(mask: Mask, data: memoryview, shape: tuple[int, ...], corner: tuple[int, int], document: Document) -> np.ndarray:
    """(h, w) float32, 0 to 1, of a mask over a layer's rectangle."""
    top, left, bottom, right = mask.box
    area(mask.box)
    plane = _plane(data, (bottom - top, right - left), document)
    values = plane.astype(np.float32) / np.float32(TOP[plane.dtype])
    share = np.full(shape[:2], mask.outside / 255, np.float32)
    start = max(top, corner[0]), max(left, corner[1])
    stop = min(bottom, corner[0] + shape[0]), min(right, corner[1] + shape[1])
    if start[0] < stop[0] and start[1] < stop[1]:
        inside = values[start[0] - top : stop[0] - top, start[1] - left : stop[1] - left]
        share[start[0] - corner[0] : stop[0] - corner[0], start[1] - corner[1] : stop[1] - corner[1]] = inside
    return 1 - share if mask.flags & MASK_TURNED else share


def _clip(layer: FileLayer, base: FileLayer) -> FileLayer:
    """A layer shown only where the one below is."""
    colour = layer.colour.copy()
    below = place_in_canvas(base.colour[..., 3], base.corner, colour.shape[:2], layer.corner).astype(np.float32) / TOP[colour.dtype]
    alpha = colour[..., 3] * below
    colour[..., 3] = alpha if colour.dtype == np.float32 else np.rint(alpha)
    return replace(layer, colour=colour, visible=layer.visible and base.visible)


def _together(planes: list[np.ndarray], document: Document) -> np.ndarray:
    order = [0, 0, 0] if document.mode == GREY else [0, 1, 2]
    if len(planes) <= max(order):
        raise ValueError("channels")
    alpha = np.full(document.canvas, TOP[planes[0].dtype], planes[0].dtype)
    return _finite(np.dstack([*(planes[each] for each in order), alpha]))


def _plane(data: memoryview, shape: tuple[int, int], document: Document) -> np.ndarray:
    """(h, w) of one channel of a layer."""
    if not shape[0] * shape[1]:
        return np.zeros(shape, KINDS[document.bits].newbyteorder("="))
    return _planes(data, shape, document, 1)[0]


def _planes(data: memoryview, shape: tuple[int, int], document: Document, count: int) -> list[np.ndarray]:
    """(h, w) of each of `count` channels that are stored together."""
    (height, width), kind = shape, KINDS[document.bits]
    row = width * kind.itemsize
    rows, compression, rest = height * count, int.from_bytes(data[:2], "big"), data[2:]
    wanted = rows * row
    if compression == RAW:
        values = np.frombuffer(rest, np.uint8, wanted)
    elif compression == RLE:
        head = rows * (4 if document.big else 2)
        values = unpack_rows(bytes(rest[head:]), rows, row)
    elif compression in (ZIP, ZIP_PREDICTED):
        values = np.frombuffer(_inflate(rest, wanted), np.uint8)
        if compression == ZIP_PREDICTED:
            values = _undo_prediction(values.reshape(rows, row), kind)
    else:
        raise ValueError("compression")
    native = np.ascontiguousarray(values).reshape(-1).view(kind).astype(kind.newbyteorder("="), copy=False)
    return list(native.reshape(count, height, width))


def _inflate(data: memoryview, wanted: int) -> bytes:
    if wanted > 1040 * len(data) + 1040:
        raise ValueError("more than these bytes can hold")
    found = zlib.decompressobj().decompress(data, wanted)
    if len(found) != wanted:
        raise ValueError("cut short")
    return found


def _undo_prediction(rows: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Rows of bytes whose values were stored as differences from the value to their left."""
    if kind.itemsize == 1:
        return np.cumsum(rows, axis=1, dtype=np.uint8)
    if kind.itemsize == 2:
        return np.cumsum(rows.view(">u2"), axis=1, dtype=np.uint16).astype(">u2").view(np.uint8)
    # floats: the highest bytes of a whole row, then the next
    summed = np.cumsum(rows, axis=1, dtype=np.uint8)
    return np.ascontiguousarray(summed.reshape(len(rows), 4, -1).transpose(0, 2, 1)).reshape(len(rows), -1)
