"""The yard of `photo/cases`: its colours, and how they are coded and read."""

import struct
from pathlib import Path

import numpy as np
from picture_files import SRGB_TO_XYZ, linear_of_srgb, p3_profile
from PIL import Image
from scenes import png_bytes

from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import PhotoSettings

CASES = Path(__file__).parent / "photo" / "cases"
YARD = np.asarray(Image.open(CASES / "yard_reference.png").convert("RGB"))
LIGHT = linear_of_srgb(YARD / 255.0)
ADOBE = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
REC_2020 = np.array([[0.63696, 0.14462, 0.16888], [0.26270, 0.67800, 0.05930], [0.0, 0.02807, 1.06099]])
XYZ = np.array([[0.41239, 0.35758, 0.18048], [0.21264, 0.71517, 0.07219], [0.01933, 0.11919, 0.95053]])
"""Linear values to CIE XYZ at D65, of Adobe RGB (1998), BT.2020 and sRGB, as their standards print them."""


def seen(path: Path, settings: PhotoSettings = PhotoSettings()) -> np.ndarray:
    """The photo as everything after it sees it, 0..255."""
    photo = load_photo(path, settings)
    return photo.working_colour(*photo.colour.shape[:2]) * 255


def off(path: Path, wanted: np.ndarray = YARD, part: float = 100) -> float:
    return float(np.percentile(np.abs(seen(path) - wanted), part))


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def png_with(pixels: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG with chunks behind its header."""
    data = png_bytes(pixels)
    return data[:33] + b"".join(chunks) + data[33:]


def pq(light: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, of light in units of 203 cd/m2."""
    y = (np.clip(light, 0, None) * 203 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hlg(light: np.ndarray) -> np.ndarray:
    """BT.2100's curve of the scene's light; of a screen's light in units of 203 cd/m2, at 1000 cd/m2."""
    luminance = light @ np.array([0.2627, 0.6780, 0.0593]) * 0.203
    scene = light * 0.203 * (np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1))[..., None]
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def coded(values: np.ndarray, dtype) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * np.iinfo(dtype).max).astype(dtype)


def gamma_profile(kind: str, gamma: float) -> bytes:
    """A matrix or grey profile of version 2 whose name lies: "sRGB", whatever its gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    data = bytearray(p3_profile())
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB_TO_XYZ.T, strict=True))
    end = len(data)
    for i in range(struct.unpack_from(">I", data, 128)[0]):
        at = 132 + 12 * i
        name, start = struct.unpack_from(">4sI", data, at)
        if name in columns:
            struct.pack_into(">3i", data, start + 8, *(round(float(x) * 65536) for x in columns[name]))
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            data[at : at + 12] = (b"kTRC" if kind == "GRAY" and name == b"rTRC" else name) + struct.pack(">II", end, len(curve))
        if name == b"desc":
            words = data.index("Display P3".encode("utf-16-be"))
            data[words : words + 20] = "sRGB IEC61".encode("utf-16-be")
    data[16:20] = b"GRAY" if kind == "GRAY" else b"RGB "
    data += curve
    struct.pack_into(">I", data, 0, len(data))
    return bytes(data)
