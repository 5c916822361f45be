"""Layers as OpenRaster, the format that Krita, GIMP and MyPaint share (freedesktop.org, OpenRaster file layout, version 0.0.3)."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import numpy as np

from ..errors import DioramaError, Kind
from ..raster.decode import MAX_PIXELS
from .layer_file import (
    DEPTH,
    INVENTED,
    PHOTO_NAMES,
    FileLayer,
    LayerFile,
    as_one_channel,
    attach_planes,
    bounded_notes,
    composite,
    duplicate_name_notes,
    highest_disparity,
    levels,
    reading_layers,
    unify_kinds,
)
from .metadata import NAMESPACE, apply_text, as_text, group_of_depth, group_of_masks
from .pictures import decode_picture, encode_png, thumbnail

MIMETYPE = b"image/openraster"
THUMBNAIL_SIDE = 256
MAX_XML, MAX_PICTURE = 4 << 20, 1 << 30
"""Bytes, unpacked, of the description and of one picture."""
MAX_ELEMENTS, MAX_DEPTH, MAX_FILES, MAX_ALL_PIXELS = 4000, 32, 10_000, 600_000_000
FAILURES = (ValueError, OSError, EOFError, KeyError, IndexError, RuntimeError, zipfile.BadZipFile, zlib.error)


def write_open_raster(file: LayerFile, out: BinaryIO) -> None:
    """The archive: layers, and two hidden groups below, of depth in 8 bits and of masks of what was invented.

    Raises DioramaError for linear colours, which the format does not know.
    """
    if file.is_linear:
        raise DioramaError(
            "Layers of linear colours do not fit into OpenRaster", window="choose another Format",
            command_line="name a folder, or a file .exr or .psd",
        )  # fmt: skip
    white = file.white or highest_disparity(file.layers)
    height, width = file.canvas
    stack: list[str] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:

        def add(name: str, data: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name), data)  # of 1980, so that the same layers give the same bytes

        def add_layer(name: str, layer: FileLayer, pixels: np.ndarray) -> None:
            source, (top, left) = f"data/{len(stack):03}.png", layer.corner
            # Krita asks what 16 bits without a profile mean
            with_profile = pixels.dtype == np.uint16
            add(source, encode_png(pixels, bool(PHOTO_NAMES.fullmatch(name)), with_profile))
            shown = f'opacity="{layer.opacity:g}" visibility="{"visible" if layer.visible else "hidden"}"'
            place = f'src="{source}" x="{left}" y="{top}"'
            stack.append(f'<layer name={quoteattr(name)} {place} {shown} composite-op="svg:src-over"/>')

        add("mimetype", MIMETYPE)
        for each in file.layers:
            add_layer(each.name, each, each.colour)
        for what in (DEPTH, INVENTED):
            name = group_of_depth(white) if what == DEPTH else group_of_masks(file)
            stack.append(f'<stack name={quoteattr(name)} visibility="hidden" opacity="1" composite-op="svg:src-over">')
            before = len(stack)
            for each in file.layers:
                if what == DEPTH and each.disparity is not None and each.colour.size:
                    add_layer(f"{each.name} {what}", replace(each, opacity=1.0, visible=True), levels(each, white, np.uint8))
                elif what == INVENTED and each.is_invented.any():
                    white_there = each.is_invented.view(np.uint8) * np.uint8(255)
                    add_layer(f"{each.name} {what}", replace(each, opacity=1.0, visible=True), white_there)
            if len(stack) == before:
                stack.pop()
            else:
                stack.append("</stack>")
        merged = composite(file)
        add("mergedimage.png", encode_png(merged, True, merged.dtype == np.uint16))
        small = thumbnail(merged, THUMBNAIL_SIDE)
        add("Thumbnails/thumbnail.png", encode_png(small if small.dtype == np.uint8 else (small >> 8).astype(np.uint8)))
        about = f'xmlns:photo-diorama="{NAMESPACE}" photo-diorama:layers={quoteattr(as_text(file))}'
        head = f'<image version="0.0.3" w="{width}" h="{height}" xres="72" yres="72" {about}>'
        add(
            "stack.xml", "\n".join(["<?xml version='1.0' encoding='UTF-8'?>", head, "<stack>", *stack, "</stack>", "</image>", ""]).encode()
        )


@dataclass
class _Element:
    """An element of the description."""

    name: str
    attributes: dict[str, str]
    inside: list[_Element] = field(default_factory=list)


def read_open_raster(data: BinaryIO, name: str) -> LayerFile:
    """The layers, front first. Raises DioramaError, naming the file `name`, for damage, and for more than may be read."""
    with reading_layers(name, FAILURES, "save it again as OpenRaster"):
        return _read(data, name)


def _read(data: BinaryIO, name: str) -> LayerFile:
    with zipfile.ZipFile(data) as archive:
        files = {each.filename: each for each in archive.infolist()[:MAX_FILES]}
        if "stack.xml" not in files:
            raise DioramaError(f"{name} is a zip file without layers of OpenRaster; export it as .ora.", Kind.UNUSABLE_FILE)
        image = _parse_description(_read_entry(archive, files["stack.xml"], MAX_XML))
        width, height = (int(image.attributes[side]) for side in "wh")
        if not (0 < width < 1 << 20 and 0 < height < 1 << 20 and width * height <= MAX_PIXELS):
            raise DioramaError(f"{name} has {width}x{height} pixels, not 1 to {MAX_PIXELS // 10**6} million; scale it.", Kind.UNUSABLE_FILE)
        notes: list[str] = []
        layers, pixels = [], 0
        for element, groups in _layers(image, ()):
            layer = _layer(archive, files, element, groups, name, notes)
            pixels += layer.colour.shape[0] * layer.colour.shape[1]
            if pixels > MAX_ALL_PIXELS:
                raise DioramaError(f"{name} has layers of more than {MAX_ALL_PIXELS // 10**6} million pixels; leave some out.")
            layers.append(layer)
    if not layers:
        raise DioramaError(f"{name} has no layers; export it with them.", Kind.UNUSABLE_FILE)
    text = image.attributes.get(f"{NAMESPACE} layers", "")
    file = attach_planes(apply_text(LayerFile((height, width), None, tuple(layers), notes=tuple(notes)), text))
    return replace(
        file, layers=tuple(unify_kinds(list(file.layers))), notes=bounded_notes([*file.notes, *duplicate_name_notes(file.layers)])
    )


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of a file of the archive, whatever size it claims; raises ValueError for more than `most`."""
    with archive.open(entry) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError("too large")
    return data


def _parse_description(data: bytes) -> _Element:
    """The root of the description. Declarations, by which a few bytes become gigabytes or other files are read, are refused."""
    parser = expat.ParserCreate(namespace_separator=" ")
    root = _Element("", {})
    open_now = [root]
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(open_now) > MAX_DEPTH:
            raise ValueError("too many elements")
        open_now[-1].inside.append(_Element(tag, attributes))
        open_now.append(open_now[-1].inside[-1])

    def refuse(*_) -> None:
        raise ValueError("declaration")

    parser.StartElementHandler, parser.EndElementHandler = start, lambda _: open_now.pop()
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise ValueError("no XML") from None
    return root.inside[0]


def _layers(element: _Element, groups: tuple[_Element, ...]) -> Iterator[tuple[_Element, tuple[_Element, ...]]]:
    """The layers within an element, front first, with the groups that they lie in; the root stack is no group."""
    for each in element.inside:
        if each.name == "layer":
            yield each, groups
        elif each.name == "stack":
            yield from _layers(each, groups if element.name == "image" else (*groups, each))


def _layer(
    archive: zipfile.ZipFile,
    files: dict[str, zipfile.ZipInfo],
    element: _Element,
    groups: tuple[_Element, ...],
    name: str,
    notes: list[str],
) -> FileLayer:
    attributes = element.attributes
    called, source = attributes.get("name", "")[:200], attributes.get("src", "")
    if source not in files:
        raise DioramaError(f'{name} lacks the picture of its layer "{called}"; save it again as OpenRaster.', Kind.UNUSABLE_FILE)
    colour = decode_picture(_read_entry(archive, files[source], MAX_PICTURE), f'the layer "{called}" of {name}')
    opacity, visible = 1.0, True
    for each in (element, *groups):
        share = float(each.attributes.get("opacity", "1"))
        opacity *= min(1.0, max(0.0, share)) if math.isfinite(share) else 1.0
        visible = visible and each.attributes.get("visibility", "visible") != "hidden"
        if each.attributes.get("composite-op", "svg:src-over") != "svg:src-over":
            what = "layer" if each is element else "group"
            title = each.attributes.get("name", "")[:200]
            notes.append(f'The {what} "{title}" has another blending mode than Normal and is taken as Normal.')
    top, left = (sum(_place(each.attributes.get(key, "0")) for each in (element, *groups)) for key in "yx")
    return as_one_channel(
        FileLayer(called, (top, left), colour, opacity, visible, tuple(each.attributes.get("name", "")[:200] for each in groups))
    )


def _place(text: str) -> int:
    number = int(float(text))
    if abs(number) > 1 << 24:
        raise ValueError("place")
    return number
