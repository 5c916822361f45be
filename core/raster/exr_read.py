"""Channels of an OpenEXR file by the library OpenEXR, whatever its compression, tiles, parts and windows; and which of them is depth."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from dataclasses import dataclass

import numpy as np

from ..errors import DioramaError, Kind, is_out_of_memory
from .exr_header import MULTIPART, Headers, Part, check_chunks, check_exr, read_headers, window_size

DEPTH_NAMES = tuple(
    map(
        re.compile,
        (r"(?i)z|depth|(hit)?pz", r"(?i)(.*[._ ])?depth([._]?[zvyr])?", r"(?i)(.*[._])?z", r"(?i).*depth[^.]*(\.[zvyr])?", r"(.*\.)?V"),
    )
)
"""Names of a depth channel, the surest first: Blender's pass is "ViewLayer.Depth.Z", its File Output node's "V" or "Image.V"."""
NO_DISTANCE = re.compile(r"(?i)(.*[._ ])?(mist|normal|n|position|vector|uv|denoising.*|crypto.*|id|zback)([._]?[xyzvrgba])?")
"""Names of what is no distance, though it may end in Z."""
POSITION = re.compile(r"(?i)(.*[._ ])?(p|pos|position|pworld|p_?world|world_?pos(ition)?)\.X")
ALPHA = re.compile(r"(.*\.)?[Aa]")
FAILURES = (RuntimeError, OSError, ValueError, TypeError, KeyError, IndexError, struct.error, OverflowError, UnicodeDecodeError)
"""What the library raises for files that are damaged; the header's own reader raises some of them too."""


@dataclass(frozen=True)
class ExrDepth:
    """A depth channel over the whole display window."""

    values: np.ndarray  # (h, w) float32, NaN where the file holds no data
    name: str  # of the channel
    is_named: bool  # whether that calls itself depth; else it is the only one there is
    has_colour: bool  # whether the same file holds a picture too
    writer: str  # "Blender", "Nuke" or ""


def read_depth_channel(data: bytes, name: str, most: int) -> ExrDepth | None:
    """The channel that is called depth or the only one there is; None where only colours are there.

    Raises DioramaError, naming the file `name`, for deep pictures, Mist, more than `most` pixels, damaged files, and without the library.
    """
    headers = check_exr(data, name, most)
    found = _depth_of(headers, name)
    if found is None:
        return None
    (part, channel), has_colour = found, _colours(headers) is not None
    values = to_display_window(_read(data, headers, part, (channel,), name)[0], part, np.nan)
    return ExrDepth(values, channel, _is_named(channel), has_colour, _writer(headers))


def has_colour_and_depth(data: bytes, name: str, most: int) -> bool:
    """Whether an OpenEXR is a photo with its own depth, as a render of several passes is; by the headers alone."""
    headers = check_exr(data, name, most)
    found = _depth_of(headers, name)
    return found is not None and _is_named(found[1]) and _colours(headers) is not None


def is_position(data: bytes) -> bool:
    """Whether a readable OpenEXR has channels X, Y and Z of a pass that is called a position, as Nuke's P and Blender's Position."""
    names = {name for part in read_headers(data).parts for name, _ in part.channels}
    return any(POSITION.fullmatch(name) and {name[:-1] + "Y", name[:-1] + "Z"} <= names for name in names)


def _is_named(channel: str) -> bool:
    """Whether a channel calls itself depth."""
    if channel.endswith("V"):
        return "epth" in channel
    return any(pattern.fullmatch(channel) for pattern in DEPTH_NAMES)


def read_pixels(data: bytes, name: str = "the picture") -> np.ndarray | None:
    """(h, w) grey, (h, w, 2) with alpha, or (h, w, 3|4) B, G, R, alpha, float32, as OpenCV gives them, over the display window.

    Colours are those without a layer's name, else Blender's Combined or another layer's. None where there are none, the file is damaged
    or the library is missing.
    """
    try:
        headers = read_headers(data)
        found = _colours(headers)
        if found is None or any(part.is_deep for part in headers.parts):
            return None
        part, wanted = found
        read = [to_display_window(values, part, 0.0) for values in _read(data, headers, part, wanted, name)]
    except (DioramaError, *FAILURES):
        return None
    if not all(np.isfinite(channel).any() for channel in read):
        return None
    return read[0] if len(read) == 1 else np.stack(read, axis=2)


def _colours(headers: Headers) -> tuple[Part, tuple[str, ...]] | None:
    """The part and the names of its channels of colour, in the order B, G, R, alpha; a layer called Combined before others."""
    found: list[tuple[int, int, Part, tuple[str, ...]]] = []
    for part in headers.parts:
        names = [name for name, _ in part.channels]
        for layer in dict.fromkeys(name[: name.rfind(".") + 1] for name in names):
            if NO_DISTANCE.fullmatch(layer.rstrip(".")) and layer:
                continue
            order = next((order for order in ("BGRA", "BGR", "YA", "Y") if {layer + c for c in order} <= set(names)), "")
            if order and not (layer and order[0] == "Y"):
                rank = 0 if not layer else 1 if "ombined" in layer else 2
                found.append((rank, len(found), part, tuple(layer + c for c in order)))
    return min(found)[2:] if found else None


def _depth_of(headers: Headers, name: str) -> tuple[Part, str] | None:
    if any(part.is_deep for part in headers.parts):
        raise DioramaError(f"{name} is a deep OpenEXR, of many depths a pixel, which is not read; flatten it, or export the pass Depth.")
    channels = [(part, channel) for part in headers.parts for channel, _ in part.channels]
    distances = [(part, channel) for part, channel in channels if not NO_DISTANCE.fullmatch(channel) and not _is_vector(part, channel)]
    for pattern in DEPTH_NAMES:
        for part, channel in distances:
            if pattern.fullmatch(channel):
                return part, channel
    lone = [found for found in distances if not ALPHA.fullmatch(found[1])]
    if len(lone) == 1:
        return lone[0]
    if not distances and any("mist" in channel.lower() for _, channel in channels):
        raise DioramaError(f"{name} holds the pass Mist, which Blender cuts off and bends; render the pass Z (Depth) instead.")
    return None


def _is_vector(part: Part, channel: str) -> bool:
    """Whether a channel called Z is the third number of a normal or a position."""
    return channel[-1:] in "Zz" and bool({channel[:-1] + x for x in "Xx"} & {other for other, _ in part.channels})


def _writer(headers: Headers) -> str:
    names = {name for part in headers.parts for name in part.attributes}
    if {b"RenderTime", b"Scene"} & names or b"BlenderMultiChannel" in names:
        return "Blender"
    return "Nuke" if any(name.startswith(b"nuke/") for name in names) else ""


def _read(data: bytes, headers: Headers, part: Part, names: tuple[str, ...], name: str) -> list[np.ndarray]:
    """(h, w) float32 of each channel over the data window. Raises DioramaError where they cannot be read."""
    try:
        import OpenEXR
    except ImportError as error:
        raise DioramaError(
            f"{name} needs the Python module OpenEXR, which cannot be loaded here ({error}); save the depth as PNG, TIFF or NPY.",
            Kind.MISSING_PACKAGE,
        ) from None
    if not part.is_plain:
        raise DioramaError(f"{name} holds channels of half the size, as no depth has; save it anew.")
    (width, height), kinds = window_size(part.window), dict(part.channels)
    try:
        check_chunks(data, headers)
        if headers.flags & MULTIPART:
            with contextlib.redirect_stdout(io.StringIO()):  # where it warns of a part that it leaves out
                parts = OpenEXR.File(io.BytesIO(data), separate_channels=True).parts
            if len(parts) != len(headers.parts):
                raise ValueError("a part that does not decode")
            read = [parts[part.number].channels[each].pixels for each in names]
        else:
            file = OpenEXR.InputFile(io.BytesIO(data))
            dtypes = {0: "<u4", 1: "<f2", 2: "<f4"}
            read = [np.frombuffer(file.channel(each), dtypes[kinds[each]]).reshape(height, width) for each in names]
    except FAILURES as error:
        if is_out_of_memory(error):
            raise MemoryError from None
        raise DioramaError(f"{name} is damaged or cut short; write it again as OpenEXR.") from None
    if any(values.shape != (height, width) for values in read):
        raise DioramaError(f"{name} is damaged or cut short; write it again as OpenEXR.")
    return [values.astype(np.float32, copy=False) for values in read]


def to_display_window(values: np.ndarray, part: Part, outside: float) -> np.ndarray:
    """A channel as it lies in the display window; beyond the data window there is `outside`."""
    left, top, right, bottom = part.window
    first, above, last, below = part.display
    if part.window == part.display:
        return values
    rows, columns = slice(max(top, above), min(bottom, below) + 1), slice(max(left, first), min(right, last) + 1)
    width, height = window_size(part.display)
    whole = np.full((height, width), outside, np.float32)
    if rows.start < rows.stop and columns.start < columns.stop:
        shown = values[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        whole[rows.start - above : rows.stop - above, columns.start - first : columns.stop - first] = shown
    return whole
