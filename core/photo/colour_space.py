"""Colour spaces by primaries and transfer curve, and conversion to sRGB or linear Rec.709.

Primaries and transfer curves by code are those of ITU-T H.273 (tables 2 and 3), which PNG's cICP and HEIF's nclx both name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..raster.colour_curves import linear_from_srgb
from .dynamic_range import from_hlg, from_pq, light_of_hlg

Curve = Callable[[np.ndarray], np.ndarray]
"""Maps encoded values, 0 to 1 or above, to linear ones; arrays of float64."""
D65, ILLUMINANT_C, EQUAL_ENERGY, DCI_WHITE = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3), (0.314, 0.351)
REC_709 = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
PRIMARIES: dict[int, tuple[tuple[float, ...], tuple[float, float]]] = {
    1: (REC_709, D65), 4: ((0.670, 0.330, 0.210, 0.710, 0.140, 0.080), ILLUMINANT_C),
    5: ((0.640, 0.330, 0.290, 0.600, 0.150, 0.060), D65), 6: ((0.630, 0.340, 0.310, 0.595, 0.155, 0.070), D65),
    7: ((0.630, 0.340, 0.310, 0.595, 0.155, 0.070), D65), 8: ((0.681, 0.319, 0.243, 0.692, 0.145, 0.049), ILLUMINANT_C),
    9: ((0.708, 0.292, 0.170, 0.797, 0.131, 0.046), D65), 10: ((1, 0, 0, 1, 0, 0), EQUAL_ENERGY),
    11: ((0.680, 0.320, 0.265, 0.690, 0.150, 0.060), DCI_WHITE), 12: ((0.680, 0.320, 0.265, 0.690, 0.150, 0.060), D65),
    22: ((0.630, 0.340, 0.295, 0.605, 0.155, 0.077), D65),
}  # fmt: skip
"""By H.273 code: x and y of red, green and blue; x and y of white."""
ADOBE_RGB, ADOBE_GAMMA = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06), 563 / 256
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to cone responses, for adaptation of the white point (ICC.1:2022, annex E)."""
PQ, HLG = "PQ", "HLG"
SRGB_TOLERANCE = 1.6 / 255
"""A space counts as sRGB if no colour's values differ by more than this."""
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class ColourSpace:
    """What the values of a picture mean."""

    matrix: np.ndarray  # (3, 3) float64: linear values of this space to linear Rec.709, whites adapted
    curves: tuple[Curve, Curve, Curve]
    hdr: str = ""  # PQ or HLG: linear values are multiples of SDR white

    def linear(self, encoded: np.ndarray) -> np.ndarray:
        """(..., 3) linear Rec.709 of encoded values, 0 to 1; colours outside the gamut have values below 0."""
        return self.mixed(np.stack([curve(encoded[..., k]) for k, curve in enumerate(self.curves)], axis=-1))

    def mixed(self, linear: np.ndarray) -> np.ndarray:
        """(..., 3) linear values of this space as linear Rec.709."""
        if self.hdr == HLG:
            linear = light_of_hlg(linear)
        return linear @ self.matrix.T.astype(linear.dtype)

    def is_srgb(self) -> bool:
        """Whether the space is sRGB within what the eye can see; its name does not count."""
        if self.hdr:
            return False
        steps = np.linspace(0, 1, 9)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
        return bool(np.abs(encoded_srgb(self.linear(grid)) - grid).max() < SRGB_TOLERANCE)


def by_codes(primaries: int, transfer: int, full_range: bool = True, bits: int = 8) -> ColourSpace | None:
    """The space of two H.273 code points; None where they are unspecified or not supported."""
    if transfer not in TRANSFERS or (primaries not in PRIMARIES and primaries != 2):
        return None
    curve = TRANSFERS[transfer]
    if not full_range:  # H.273, section 8.3: black is 16 and white 235 of 8 bits
        top = 2.0**bits - 1
        low, wide = 16 * 2.0 ** (bits - 8) / top, 219 * 2.0 ** (bits - 8) / top
        within, curve = curve, lambda x: within(np.clip((x - low) / wide, 0, 1))
    hdr = {16: PQ, 18: HLG}.get(transfer, "")
    return ColourSpace(to_rec_709(*PRIMARIES[9 if primaries == 2 and hdr else 1 if primaries == 2 else primaries]), (curve,) * 3, hdr)


def by_chromaticities(primaries: Sequence[float], white: Sequence[float], curve: Curve) -> ColourSpace | None:
    """The space of primaries (x and y of red, green, blue) and a white point; None where these make no colour space."""
    try:
        matrix = to_rec_709(primaries, white)
    except (np.linalg.LinAlgError, ZeroDivisionError, ValueError):
        return None
    return ColourSpace(matrix, (curve,) * 3) if np.isfinite(matrix).all() and np.abs(matrix).max() < 100 else None


def adobe_rgb() -> ColourSpace:
    """Adobe RGB (1998), whose gamma is 2.19921875."""
    return ColourSpace(to_rec_709(ADOBE_RGB, D65), (power(ADOBE_GAMMA),) * 3)


def to_rec_709(primaries: Sequence[float], white: Sequence[float]) -> np.ndarray:
    """(3, 3) from linear values of the primaries to linear Rec.709, white adapted to D65 by Bradford."""
    back = np.linalg.inv(to_xyz(REC_709, D65))
    cones, wanted = BRADFORD @ _xyz(white), BRADFORD @ _xyz(D65)
    adapted = np.linalg.inv(BRADFORD) @ np.diag(wanted / cones) @ BRADFORD
    return back @ adapted @ to_xyz(primaries, white)


def to_xyz(primaries: Sequence[float], white: Sequence[float]) -> np.ndarray:
    """(3, 3) from linear values to CIE XYZ in which white has Y = 1 (SMPTE RP 177)."""
    x, y = np.asarray(primaries, float).reshape(3, 2).T
    columns = np.stack([x, y, 1 - x - y])
    return columns * np.linalg.solve(columns, _xyz(white))


def _xyz(white: Sequence[float]) -> np.ndarray:
    x, y = (float(v) for v in white)
    return np.array([x / y, 1, (1 - x - y) / y])


def power(gamma: float) -> Curve:
    """The curve x to the power of `gamma`.

    >>> float(power(2.0)(np.array(0.5)))
    0.25
    """
    return lambda x: np.maximum(x, 0) ** gamma


def srgb_curve(x: np.ndarray) -> np.ndarray:
    return linear_from_srgb(np.asarray(x, np.float64)).astype(np.float64)


def linear_curve(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, np.float64)


TRANSFERS: dict[int, Curve] = {
    # BT.709, 601 and 2020: encoders of stills write these codes for pictures that are meant to be shown as sRGB
    **dict.fromkeys((1, 2, 6, 11, 12, 13, 14, 15), srgb_curve), 4: power(2.2), 5: power(2.8), 8: linear_curve,
    16: from_pq, 17: lambda x: 52.37 / 48 * np.maximum(x, 0) ** 2.6, 18: from_hlg,
}  # fmt: skip


def encoded_srgb(linear: np.ndarray) -> np.ndarray:
    """Encodes linear values with the sRGB curve (IEC 61966-2-1), clipped to 0..1; keeps the dtype."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-8) ** (1 / 2.4) - 0.055)


def to_srgb(colour: np.ndarray, space: ColourSpace) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 in `space` -> sRGB of the same dtype, clipped to its gamut."""
    top = np.iinfo(colour.dtype).max
    tables = _tables(space, top)
    result = np.empty_like(colour)
    codes = None if top > 255 else np.rint(encoded_srgb(np.linspace(0, 1, 65536)) * top).astype(np.uint8)
    for start in range(0, len(colour), ROWS_AT_ONCE):  # bounds the memory
        part = colour[start : start + ROWS_AT_ONCE]
        linear = space.mixed(np.stack([tables[k][part[..., k]] for k in range(3)], axis=-1))
        if codes is None:
            result[start : start + ROWS_AT_ONCE] = np.rint(encoded_srgb(linear) * top).astype(np.uint16)
        else:
            result[start : start + ROWS_AT_ONCE] = codes[(np.clip(linear, 0, 1) * 65535 + 0.5).astype(np.uint16)]
    return result


def to_linear(colour: np.ndarray, space: ColourSpace) -> np.ndarray:
    """(H, W, 3) float32, linear Rec.709, of values of any dtype in `space`; negative values are clipped to 0."""
    result = np.empty(colour.shape, np.float32)
    tables = _tables(space, np.iinfo(colour.dtype).max) if colour.dtype != np.float32 else None
    for start in range(0, len(colour), ROWS_AT_ONCE):
        part = colour[start : start + ROWS_AT_ONCE]
        if tables is None:
            linear = space.linear(part.astype(np.float64)).astype(np.float32)
        else:
            linear = space.mixed(np.stack([tables[k][part[..., k]] for k in range(3)], axis=-1))
        result[start : start + ROWS_AT_ONCE] = np.maximum(linear, 0)
    return result


def _tables(space: ColourSpace, top: int) -> list[np.ndarray]:
    """Look-up table for each channel: the linear value of each level, float32."""
    levels = np.linspace(0, 1, top + 1)
    return [curve(levels).astype(np.float32) for curve in space.curves]
