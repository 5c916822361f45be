"""Converts 16-bit photos to sRGB by ICC matrix profiles; Pillow converts 8 bits only."""

from __future__ import annotations

import struct

import numpy as np

from ..raster.colour_curves import linear_from_srgb, srgb_from_linear

SRGB_TO_XYZ = np.array([[0.436066, 0.385151, 0.143078], [0.222488, 0.716873, 0.060608], [0.013916, 0.097076, 0.714096]])
"""Columns: sRGB's primaries as its own profile has them, adapted to the D50 of all profiles."""
ROWS_AT_ONCE = 256
LEVELS = 65536


def to_srgb(colour: np.ndarray, profile: bytes) -> np.ndarray | None:
    """(H, W, 3) uint16 in the profile's colour space -> uint16 sRGB, clipped to its gamut.

    None where the profile is sRGB, damaged, or not a matrix with curves (ICC.1:2022, section 8.3.3): then the values are best used
    unchanged.
    """
    try:
        tags = _tags(profile)
        matrix = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
    except (KeyError, IndexError, ValueError, ZeroDivisionError, OverflowError, struct.error):
        return None
    if not np.isfinite(matrix).all() or not all(np.isfinite(curve).all() for curve in curves):
        return None
    if np.abs(matrix - SRGB_TO_XYZ).max() < 2e-3 and all(np.abs(c - _srgb_curve()).max() < 2e-3 for c in curves):
        return None
    mixed = (np.linalg.inv(SRGB_TO_XYZ) @ matrix).astype(np.float32)
    result = np.empty_like(colour)
    for start in range(0, len(colour), ROWS_AT_ONCE):  # bounds the memory
        part = colour[start : start + ROWS_AT_ONCE]
        linear = np.stack([curves[k][part[..., k]] for k in range(3)], axis=-1) @ mixed.T
        result[start : start + ROWS_AT_ONCE] = _encoded(linear)
    return result


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Linear 0..1 -> uint16 sRGB."""
    return np.rint(srgb_from_linear(np.clip(linear, 0, 1)) * (LEVELS - 1)).astype(np.uint16)


def _srgb_curve() -> np.ndarray:
    return linear_from_srgb(np.linspace(0, 1, LEVELS))


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


def _curve(data: bytes) -> np.ndarray:
    """(65536,) float32: linear value of each level, from a `curv` (section 10.6) or a `para` (section 10.18)."""
    x = np.linspace(0, 1, LEVELS)
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count == 0:
            return x.astype(np.float32)
        values = np.frombuffer(data, ">u2", count, 12).astype(np.float64)
        result = x ** (values[0] / 256) if count == 1 else np.interp(x, np.linspace(0, 1, count), values / (LEVELS - 1))
        return result.astype(np.float32)
    if data[:4] != b"para":
        raise ValueError("no curve")
    (kind,) = struct.unpack_from(">H", data, 8)
    g, a, b, c, d, e, f = _parameters(kind, data)
    with np.errstate(all="ignore"):
        return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f).astype(np.float32)


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
