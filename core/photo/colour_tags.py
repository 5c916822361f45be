"""Reads a file's colour tags besides the ICC profile (PNG chunks, HEIF code points, EXIF), and decides which of them counts."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from .colour_space import D65, REC_709, ColourSpace, Curve, adobe_rgb, by_chromaticities, by_codes, linear_curve, power, srgb_curve
from .icc_profile import read_profile

COLOUR_SPACE, INTEROP_IFD, INTEROP_INDEX = 0xA001, 0xA005, 1
SRGB, ADOBE, UNCALIBRATED = 1, 2, 0xFFFF
"""Values of EXIF's ColorSpace; 2 is not in the standard, but many cameras write it for Adobe RGB."""
USUAL_GAMMA = 0.45455
"""The gAMA that PNG asks for with sRGB (section 11.3.2.2)."""
MAX_CHUNKS = 1000
UNCALIBRATED_NOTE = "its EXIF calls the colours uncalibrated and names no profile, so they are taken as sRGB"
UNUSABLE = "its colour profile is damaged or of another kind of picture, so its colours are taken as sRGB"
GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0/", b"urn:iso:std:iso:ts:21496:-1")
HEIF_GAIN_MAPS = (b"urn:com:apple:photo:2020:aux:hdrgainmap", b"urn:iso:std:iso:ts:21496:-1", b"tmap")


@dataclass(frozen=True)
class Colours:
    """How to interpret a file's pixels: by `space` if set, else by `profile`, else as sRGB."""

    space: ColourSpace | None = None
    profile: bytes | None = None
    note: str = ""


def find_colours(image_format: str, data: bytes, info: Mapping, exif: Mapping, bits: int = 8) -> Colours:
    """Decides which colour tag of a picture counts; `info` is Pillow's, `exif` has the tags of all its directories.

    In PNG cICP takes precedence over iCCP, sRGB and gAMA (PNG, section 12.1). Elsewhere the order is: code points that say HDR
    (a profile cannot describe it well), the profile, other code points, EXIF.
    """
    profile = info.get("icc_profile") or None
    chunks = png_chunks(data) if image_format == "PNG" else {}
    coded = _coded(chunks, info, bits)
    if coded is not None and (coded.hdr or image_format == "PNG"):
        return Colours(coded)
    if profile:
        space = read_profile(profile)
        return Colours(space if space is not None and space.hdr else None, profile)
    if coded is not None:
        return Colours(coded)
    if image_format == "PNG" and b"sRGB" not in chunks and (b"gAMA" in chunks or b"cHRM" in chunks):
        return Colours(_by_gamma(chunks))
    if b"sRGB" in chunks:
        return Colours()
    said = exif.get(COLOUR_SPACE)
    if said == ADOBE or (said != SRGB and _is_r03(exif.get(INTEROP_INDEX))):
        return Colours(adobe_rgb())
    return Colours(note=UNCALIBRATED_NOTE if said == UNCALIBRATED and not _is_r98(exif.get(INTEROP_INDEX)) else "")


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    """The first chunk of each colour kind before the pixels."""
    found: dict[bytes, bytes] = {}
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data) or data[at + 4 : at + 8] == b"IDAT":
            break
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind in (b"cICP", b"sRGB", b"gAMA", b"cHRM"):
            found.setdefault(kind, data[at + 8 : at + 8 + min(length, 64)])
        at += 12 + length
    return found


def _coded(chunks: Mapping, info: Mapping, bits: int) -> ColourSpace | None:
    """The space of code points: PNG's cICP, or HEIF's nclx, whose range and matrix the decoder has applied."""
    if len(chunks.get(b"cICP", b"")) == 4:
        primaries, transfer, matrix, full = chunks[b"cICP"]
        return by_codes(primaries, transfer, bool(full), bits) if matrix == 0 else None
    nclx = info.get("nclx_profile")
    if isinstance(nclx, Mapping) and (nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2)) != (2, 2):
        return by_codes(int(nclx.get("color_primaries", 2)), int(nclx.get("transfer_characteristics", 2)))
    return None


def _by_gamma(chunks: Mapping) -> ColourSpace | None:
    """The space of PNG's gAMA and cHRM (sections 11.3.2.1 and 2); `USUAL_GAMMA` with sRGB's primaries means sRGB's curve."""
    curve: Curve = srgb_curve
    primaries, white = REC_709, D65
    if len(chunks.get(b"cHRM", b"")) == 32:
        values = [value / 1e5 for value in struct.unpack(">8I", chunks[b"cHRM"])]
        white, primaries = (values[0], values[1]), tuple(values[2:])
    usual = max(abs(a - b) for a, b in zip((*primaries, *white), (*REC_709, *D65), strict=True)) < 0.01
    if len(chunks.get(b"gAMA", b"")) == 4:
        gamma = int.from_bytes(chunks[b"gAMA"], "big") / 1e5
        if 0.1 < gamma < 10 and not (usual and abs(gamma - USUAL_GAMMA) < 0.005):
            curve = linear_curve if abs(gamma - 1) < 1e-4 else power(1 / gamma)
    return by_chromaticities(primaries, white, curve)


def _is_r03(index: object) -> bool:
    return _text(index).startswith("R03")


def _is_r98(index: object) -> bool:
    return _text(index).startswith("R98")


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
