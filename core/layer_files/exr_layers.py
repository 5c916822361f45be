"""Layers as an OpenEXR file: channels NAME.R, NAME.G, NAME.B, NAME.A, NAME.Z; linear, premultiplied, the photo's frame shown."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import BinaryIO

import numpy as np

from ..errors import DioramaError, Kind
from ..raster.colour_curves import linear_from_srgb, srgb_from_linear
from ..raster.decode import MAX_PIXELS
from ..raster.exr_encode import write_exr
from ..raster.exr_header import MULTIPART, Headers, Part, check_chunks, check_exr, window_size
from ..raster.exr_read import FAILURES
from ..raster.picture_bounds import MAX_MEMORY
from .layer_file import (
    INVENTED,
    TOP,
    FileLayer,
    LayerFile,
    bounded_notes,
    bounding_box,
    composite,
    duplicate_name_notes,
    plain,
    reading_layers,
)
from .metadata import apply_text, as_text

LAYERS, KINDS = "photo_diorama:layers", "photo_diorama:bits"
"""Attributes: what `metadata` tells with the names in their order, and bits of each channel of the picture that this was."""
NO_DISTANCE = 1e10
"""Metres where a layer is not, as Blender writes them."""
ROWS_AT_ONCE = 256


def write_layered_exr(file: LayerFile, out: BinaryIO) -> None:
    """The file: half floats for pictures of 8 bits, which keep every level, else floats. The display window is the photo's frame, the
    data window the canvas. R, G, B, A without a name is all of it composited."""
    height, width = file.canvas
    top, left, high, wide = file.frame or (0, 0, height, width)
    kind = np.float16 if file.layers[0].colour.dtype == np.uint8 else np.float32
    table = _table(file.layers[0].colour.dtype, kind)
    named = list(zip(_names(file), file.layers, strict=True))
    merged = FileLayer("", (0, 0), composite(file))
    channels: dict[str, type] = dict.fromkeys("RGBA", kind)
    for name, layer in named:
        channels |= dict.fromkeys((f"{name}.{each}" for each in "RGBA"), kind)
        if layer.disparity is not None:
            channels[f"{name}.Z"] = np.float32
        if layer.invented is not None:
            channels[f"{name}.{INVENTED}"] = np.float16

    def lines(start: int, stop: int) -> dict[str, np.ndarray]:
        found = _colours(merged, "", start, stop, width, table)
        for name, layer in named:
            found |= _colours(layer, name + ".", start, stop, width, table)
            if layer.disparity is not None:
                band = _band(layer, layer.disparity, start, stop, width)
                found[f"{name}.Z"] = np.where(band > 0, 1 / np.where(band > 0, band, 1), np.float32(NO_DISTANCE))
            if layer.invented is not None:
                found[f"{name}.{INVENTED}"] = _band(layer, layer.invented, start, stop, width) * (found[f"{name}.A"] > 0).astype(np.float16)
        return found

    order = "\n".join([as_text(file), *(f"{name}={layer.name}" for name, layer in named)])
    attributes = {LAYERS: order, KINDS: str(8 * file.layers[0].colour.dtype.itemsize), "comments": "layers, the front one first: " +
                  ", ".join(name for name, _ in named)}  # fmt: skip
    write_exr(out, (-left, -top, width, height), (0, 0, wide, high), channels, lines, attributes)


def _names(file: LayerFile) -> list[str]:
    """Names for channels, where a point parts layer and channel, each once."""
    names: list[str] = []
    for each in file.layers:
        name = re.sub(r"[^\w\-]+", "_", each.name).strip("_") or "layer"
        while name in names:
            name += "_"
        names.append(name)
    return names


def _table(kind: np.dtype, wanted: type) -> np.ndarray | None:
    """The linear value of each level; None for colours that are linear."""
    if kind == np.float32:
        return None
    return linear_from_srgb(np.linspace(0, 1, TOP[kind] + 1)).astype(wanted)


def _band(layer: FileLayer, values: np.ndarray, start: int, stop: int, width: int) -> np.ndarray:
    """Rows of the canvas of a layer's values (h, w[, channels]); 0 beside it."""
    band = np.zeros((stop - start, width, *values.shape[2:]), values.dtype)
    top, left = layer.corner
    rows = slice(max(start, top), min(stop, top + values.shape[0]))
    columns = slice(max(0, left), min(width, left + values.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        part = values[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        band[rows.start - start : rows.stop - start, columns] = part
    return band


def _colours(layer: FileLayer, prefix: str, start: int, stop: int, width: int, table: np.ndarray | None) -> dict[str, np.ndarray]:
    """Rows of a layer's channels, premultiplied."""
    band = _band(layer, layer.colour, start, stop, width)
    top, kind = TOP[band.dtype], np.float32 if table is None else table.dtype
    alpha = band[..., 3].astype(np.float32) / np.float32(top)
    alpha *= np.float32(layer.opacity)
    clear = alpha == 0
    soft = ~clear & (alpha < 1)
    found = {prefix + "A": alpha.astype(kind)}
    for at, name in enumerate("RGB"):
        values = band[..., at] if table is None else table[band[..., at]]
        values = np.where(clear, kind(0) if table is None else table.dtype.type(0), values)
        if soft.any():
            values[soft] = values[soft] * alpha[soft]
        found[prefix + name] = values
    return found


@dataclass(frozen=True)
class _Source:
    """A layer's channels within a part of the file."""

    name: str
    part: Part
    colours: tuple[str, ...]  # red, green, blue; one of them three times for grey; none of a mere depth
    alpha: str
    depth: str
    mask: str

    @property
    def channels(self) -> list[str]:
        return list(dict.fromkeys(each for each in (*self.colours, self.alpha, self.depth, self.mask) if each))


def read_layered_exr(data: bytes, name: str) -> LayerFile:
    """The layers: those with colours, in the order that we wrote, else by name. Raises DioramaError, naming the file `name`."""
    headers = check_exr(data, name, MAX_PIXELS)
    with reading_layers(name, FAILURES, "save it again as OpenEXR"):
        return _read_layers(data, headers, name)


def _read_layers(data: bytes, headers: Headers, name: str) -> LayerFile:
    if any(part.is_deep for part in headers.parts):
        raise DioramaError(f"{name} is a deep OpenEXR, which is not read; flatten it.", Kind.UNUSABLE_FILE)
    sources = [each for part in headers.parts for each in _sources(part)]
    sources = [each for each in sources if each.name] or sources  # without a name: the composite
    if not sources:
        raise DioramaError(f"{name} has no layers with colours R, G, B; export it with them.", Kind.UNUSABLE_FILE)
    if any(not each.part.is_plain for each in sources):
        raise DioramaError(f"{name} holds channels of half the size; save it without them.", Kind.UNUSABLE_FILE)
    _check_memory(sources, name)
    check_chunks(data, headers)
    text = headers.parts[0].attributes.get(LAYERS.encode(), b"")[: 1 << 16].decode("utf-8", "replace")
    bits = headers.parts[0].attributes.get(KINDS.encode(), b"")
    kind = np.dtype(np.uint8 if bits == b"8" else np.uint16 if bits == b"16" else np.float32)
    order = dict(line.split("=", 1) for line in text.split("\n")[1:] if "=" in line)
    sources, notes = _in_order(sources, list(order), name)
    top, left, canvas, display = _canvas(sources)
    layers = []
    for source, planes in zip(sources, _read(data, headers, sources, kind), strict=True):
        at = source.part.window[1] - top, source.part.window[0] - left
        layers.append(_cropped(order.get(source.name, source.name), at, *planes))
    file = apply_text(LayerFile(canvas, None, tuple(layers)), text)
    frame = file.frame or (display if display != (0, 0, *canvas) else None)
    return replace(file, frame=frame, notes=bounded_notes([*notes, *duplicate_name_notes(layers)]))


def _sources(part: Part) -> list[_Source]:
    """The layers of a part: channels that share what stands before the last point, or the part's own name."""
    groups: dict[str, dict[str, str]] = {}
    own = part.attributes.get(b"name", b"").decode("utf-8", "replace")
    for channel, _ in part.channels:
        group, _, last = channel.rpartition(".")
        groups.setdefault(group or own, {})[last.casefold()] = channel
    found = []
    for name, channels in groups.items():
        first = {each[0]: channel for each, channel in channels.items() if each in ("r", "g", "b", "a", "red", "green", "blue", "alpha")}
        colours = tuple(first[each] for each in "rgb" if each in first)
        colours = colours if len(colours) == 3 else (channels["y"],) * 3 if "y" in channels else ()
        if colours:
            mask = channels.get(INVENTED, "")
            found.append(_Source(name[:200], part, colours, first.get("a", ""), channels.get("z", ""), mask))
    return found


def _check_memory(sources: list[_Source], name: str) -> None:
    bytes_of = sum(window_size(each.part.window)[0] * window_size(each.part.window)[1] * 4 * (5 + len(each.channels)) for each in sources)
    if bytes_of > 4 * MAX_MEMORY:
        raise DioramaError(f"{name} holds more layers of this size than can be read; leave some out, or scale it down.", Kind.UNUSABLE_FILE)


def _in_order(sources: list[_Source], order: list[str], name: str) -> tuple[list[_Source], list[str]]:
    """In the order in which they were written; where that is lost: the photo, layers of unknown names, the border, hidden layers."""

    def place(source: _Source) -> tuple:
        if source.name in order:
            return (1, order.index(source.name), "")
        if order:
            return (0, 0, source.name)
        words = plain(source.name)
        return (0 if words.endswith("photo") else 2 if words == "border" else 3 if words.startswith("hidden") else 1, 0, words)

    notes = [] if order else [f"{name} does not say in which order its layers lie; they are taken by name."]
    return sorted(sources, key=place), notes if len(sources) > 1 else []


def _canvas(sources: list[_Source]) -> tuple[int, int, tuple[int, int], tuple[int, int, int, int]]:
    """Top and left of the canvas, which holds all data and the display window; its size; and the display window on it."""
    boxes = [each.part.window for each in sources] + [sources[0].part.display]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    width, height = max(box[2] for box in boxes) - left + 1, max(box[3] for box in boxes) - top + 1
    if width * height > MAX_PIXELS:
        raise ValueError("canvas")
    shown = sources[0].part.display
    return top, left, (height, width), (shown[1] - top, shown[0] - left, shown[3] - shown[1] + 1, shown[2] - shown[0] + 1)


def _read(data: bytes, headers: Headers, sources: list[_Source], kind: np.dtype):
    """Yields (colour (h, w, 4), disparity (h, w) or None, mask (h, w) or None) of each layer over its part's data window."""
    import OpenEXR

    whole = [_Whole(each, kind) for each in sources]
    if headers.flags & MULTIPART:
        with contextlib.redirect_stdout(io.StringIO()):
            parts = OpenEXR.File(io.BytesIO(data), separate_channels=True).parts
        for each in whole:
            held = parts[each.source.part.number].channels
            each.fill(0, [np.asarray(held[name].pixels) for name in each.source.channels])
    else:
        file = OpenEXR.InputFile(io.BytesIO(data))
        part = sources[0].part
        (width, height), kinds = window_size(part.window), dict(part.channels)
        names = list(dict.fromkeys(name for each in sources for name in each.channels))
        for start in range(0, height, ROWS_AT_ONCE):  # all layers together, as a block of lines holds them all
            stop = min(height, start + ROWS_AT_ONCE)
            read = file.channels(names, scanLine1=part.window[1] + start, scanLine2=part.window[1] + stop - 1)
            dtypes = {0: "<u4", 1: "<f2", 2: "<f4"}
            bands = {name: np.frombuffer(band, dtypes[kinds[name]]).reshape(stop - start, width)
                     for name, band in zip(names, read, strict=True)}  # fmt: skip
            for each in whole:
                each.fill(start, [bands[name] for name in each.source.channels])
    while whole:  # let go one by one, as each is copied without its empty rows and columns
        each = whole.pop(0)
        yield each.colour, each.disparity, each.mask
        del each


class _Whole:
    """A layer that is filled band by band."""

    def __init__(self, source: _Source, kind: np.dtype):
        width, height = window_size(source.part.window)
        self.source = source
        self.colour = np.zeros((height, width, 4), kind)
        self.disparity = np.zeros((height, width), np.float32) if source.depth else None
        self.mask = np.zeros((height, width), bool) if source.mask else None

    def fill(self, start: int, bands: list[np.ndarray]) -> None:
        """Takes rows from `start` of the channels, in the order of `source.channels`."""
        held = dict(zip(self.source.channels, bands, strict=True))
        rows = slice(start, start + len(bands[0]))
        if self.source.alpha:
            alpha = np.clip(np.nan_to_num(held[self.source.alpha].astype(np.float32), nan=0.0), 0, 1)
        else:
            alpha = np.ones(bands[0].shape, np.float32)
        soft = (alpha > 0) & (alpha < 1)
        for at, name in enumerate(self.source.colours):
            quick = held[name].dtype == np.float16 and self.colour.dtype == np.uint8
            if quick:  # there are only 65,536 halves
                self.colour[rows, :, at] = _levels_of_halves()[held[name].view(np.uint16)]
            if quick and not soft.any():
                continue
            values = np.nan_to_num(held[name].astype(np.float32), nan=0.0, posinf=65504.0, neginf=0.0)
            with np.errstate(over="ignore"):
                values[soft] = np.minimum(values[soft] / alpha[soft], 65504.0)
            if quick:
                self.colour[rows, :, at][soft] = _as_kind(values[soft], self.colour.dtype)
            else:
                self.colour[rows, :, at] = _as_kind(values, self.colour.dtype)
        top = TOP[self.colour.dtype]
        self.colour[rows, :, 3] = alpha if top == 1 else np.rint(alpha * top)
        if self.disparity is not None:
            z = held[self.source.depth].astype(np.float32)
            real = np.isfinite(z) & (z > 1e-6) & (z < NO_DISTANCE / 2)
            self.disparity[rows] = np.where(real, 1 / np.where(real, z, 1), 0)
        if self.mask is not None:
            self.mask[rows] = held[self.source.mask].astype(np.float32) >= 0.5


@lru_cache(maxsize=1)
def _levels_of_halves() -> np.ndarray:
    """(65536,) uint8: the sRGB level of each half float, by its bits."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    return _as_kind(np.nan_to_num(halves, nan=0.0, posinf=65504.0, neginf=0.0), np.dtype(np.uint8))


def _as_kind(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    if kind == np.float32:
        return values
    encoded = srgb_from_linear(np.clip(values, 0, 1))
    return np.rint(encoded * TOP[kind]).astype(kind)


def _cropped(name: str, at: tuple[int, int], colour: np.ndarray, disparity: np.ndarray | None, mask: np.ndarray | None) -> FileLayer:
    """A layer without the rows and columns where it is not."""
    rows, columns = box = bounding_box(colour[..., 3] > 0)
    return FileLayer(
        name, (at[0] + rows.start, at[1] + columns.start), np.ascontiguousarray(colour[box]),
        disparity=None if disparity is None else np.ascontiguousarray(disparity[box]),
        invented=None if mask is None else np.ascontiguousarray(mask[box]),
    )  # fmt: skip
