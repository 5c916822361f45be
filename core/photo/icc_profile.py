"""ICC colour profiles, converted to sRGB.

Those of matrices with curves, and grey ones, are computed from their numbers; tables, and all pictures of 8 bits, by LittleCMS. A
profile's name is ignored: many that are not sRGB have "sRGB" in their names.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from functools import partial

import numpy as np

from .colour_space import SRGB_TOLERANCE, ColourSpace, Curve, by_codes
from .colour_space import to_srgb as converted

SRGB_TO_XYZ = np.array([[0.436066, 0.385151, 0.143078], [0.222488, 0.716873, 0.060608], [0.013916, 0.097076, 0.714096]])
"""Columns: sRGB's primaries as its own profile has them, adapted to the D50 of all profiles."""
ROWS_AT_ONCE = 256
LEVELS = 65536
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
"""Pillow's mode for each colour model of a profile."""
DAMAGED = (KeyError, IndexError, ValueError, ZeroDivisionError, OverflowError, struct.error)


def read_profile(profile: bytes) -> ColourSpace | None:
    """The colour space of a profile of code points, of a matrix with curves, or of grey (ICC.1:2022, sections 8.3.3, 8.3.4, 9.2.17).

    None where it is damaged, or consists of tables, which `deep_by_tables` and `eight_bits` understand.
    """
    try:
        tags = _tags(profile)
        if b"cicp" in tags:
            primaries, transfer, _, full = tags[b"cicp"][8:12]
            coded = by_codes(primaries, transfer, bool(full))
            if coded is not None and coded.hdr:
                return coded
        if b"A2B0" in tags:  # which is to be preferred
            return None
        if profile[16:20] == b"GRAY":
            matrix, curves = np.eye(3), (_curve(tags[b"kTRC"]),) * 3
        else:
            columns = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
            matrix = np.linalg.inv(SRGB_TO_XYZ) @ columns
            curves = (_curve(tags[b"rTRC"]), _curve(tags[b"gTRC"]), _curve(tags[b"bTRC"]))
    except DAMAGED:
        return None
    levels = np.linspace(0, 1, 256)
    if not np.isfinite(matrix).all() or not all(np.isfinite(curve(levels)).all() for curve in curves):
        return None
    return ColourSpace(matrix, curves)


def to_srgb(colour: np.ndarray, profile: bytes) -> np.ndarray | None:
    """(H, W, 3) uint16 in the profile's colour space -> uint16 sRGB, clipped to its gamut.

    None where it is sRGB already or the profile is damaged: the numbers are then kept.
    """
    space = read_profile(profile)
    if space is not None:
        return None if space.is_srgb() or space.hdr else converted(colour, space)
    return deep_by_tables(colour, profile)


def deep_by_tables(colour: np.ndarray, profile: bytes) -> np.ndarray | None:
    """The same by LittleCMS, which Pillow offers for 8 bits only: interpolates between the two 8-bit levels beside each value.

    Exact to half an 8-bit level, without steps: interpolated along each channel in turn.
    """
    from PIL import Image

    convert = eight_bits(profile, "RGB")
    if convert is None:
        return None
    result = np.empty_like(colour)
    for start in range(0, len(colour), ROWS_AT_ONCE):
        part = colour[start : start + ROWS_AT_ONCE].astype(np.int32)
        low = part // 257
        left = (part - 257 * low) / np.float32(257)

        def look_up(levels: np.ndarray) -> np.ndarray:
            return np.asarray(convert(Image.fromarray(levels.astype(np.uint8)))).astype(np.float32)

        corner = look_up(low)
        mixed = corner.copy()
        for channel in range(3):
            beside = low.copy()
            beside[..., channel] = np.minimum(beside[..., channel] + 1, 255)
            mixed += (look_up(beside) - corner) * left[..., channel : channel + 1]
        result[start : start + ROWS_AT_ONCE] = np.rint(np.clip(mixed, 0, 255) * 257).astype(np.uint16)
    return result


def profile_mode(profile: bytes) -> str | None:
    """Pillow's mode of the pictures that a profile describes; None where Pillow has none."""
    return MODES.get(profile[16:20])


def eight_bits(profile: bytes, mode: str) -> Callable | None:
    """The function that converts a Pillow picture of `mode` to RGB in sRGB; None where it is RGB in sRGB already. Lab needs no profile.

    Raises ValueError where the profile is damaged or for pictures of another kind.
    """
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        convert = partial(ImageCms.applyTransform, transform=transform)  # which raises only for pictures of another mode
        if mode in ("RGB", "L"):
            steps = np.linspace(0, 255, 18 if mode == "RGB" else 256).round().astype(np.uint8)
            grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3) if mode == "RGB" else steps[None]
            got = np.asarray(convert(Image.fromarray(grid))).astype(int)
            if np.abs(got - (grid if mode == "RGB" else grid[..., None])).max() <= SRGB_TOLERANCE * 255:
                return None
    except (ImageCms.PyCMSError, OSError, TypeError) as error:
        raise ValueError(str(error)) from None
    return convert


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The data of each tag by its signature (section 7.3)."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for i in range(min(count, 200)):
        name, start, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        tags[name] = profile[start : start + size]
    return tags


def _xyz(data: bytes) -> np.ndarray:
    if data[:4] != b"XYZ ":
        raise ValueError("no XYZ")
    return np.array(struct.unpack_from(">3i", data, 8)) / LEVELS


def _curve(data: bytes) -> Curve:
    """Encoded 0..1 to linear, from a `curv` (section 10.6) or a `para` (section 10.18); above 1 it is extrapolated."""
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count == 0:
            return lambda x: x
        values = np.frombuffer(data, ">u2", count, 12).astype(np.float64)
        if count == 1:
            return lambda x: np.maximum(x, 0) ** (values[0] / 256)
        places = np.linspace(0, 1, count)
        return lambda x: np.interp(x, places, values / (LEVELS - 1)) * np.maximum(x, 1)
    if data[:4] != b"para":
        raise ValueError("no curve")
    (kind,) = struct.unpack_from(">H", data, 8)
    g, a, b, c, d, e, f = _parameters(kind, data)

    def parametric(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)

    return parametric


def _parameters(kind: int, data: bytes) -> tuple[float, ...]:
    """g, a, b, c, d, e, f of y = (a x + b)^g + e from x = d on and c x + f below, for each kind of table 68."""
    count = (1, 3, 4, 5, 7)[kind]
    g, *rest = (value / LEVELS for value in struct.unpack_from(f">{count}i", data, 12))
    if kind == 0:
        return g, 1, 0, 0, 0, 0, 0
    if kind in (1, 2):
        a, b = rest[:2]
        offset = rest[2] if kind == 2 else 0.0
        return g, a, b, 0, -b / a, offset, offset
    return (g, *rest, 0, 0) if kind == 3 else (g, *rest)
