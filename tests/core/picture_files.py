"""Pictures and numbers written byte by byte: what reads them is checked against the formats, not against itself."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageFile


def forbid_decoding(monkeypatch) -> None:
    """From now on in this test no picture's pixels may be decoded."""
    import cv2

    def decode(*_, **__):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    monkeypatch.setattr(cv2, "imdecode", decode)


P3_TO_XYZ = np.array([[0.515102, 0.291965, 0.157153], [0.241182, 0.692236, 0.066582], [-0.001050, 0.041882, 0.784378]])
"""Display P3's primaries as columns, adapted to the D50 of ICC profiles (Bradford)."""
SRGB_TO_XYZ = np.array([[0.436066, 0.385151, 0.143078], [0.222488, 0.716873, 0.060608], [0.013916, 0.097076, 0.714096]])
"""The same of sRGB, from the sRGB v2 profile of the ICC."""


def exr_bytes(channels: dict[str, np.ndarray], claimed: tuple[int, int] | None = None) -> bytes:
    """An uncompressed scan line OpenEXR file of float channels; `claimed` (width, height) lets the header lie."""
    height, width = next(iter(channels.values())).shape
    wide, tall = claimed or (width, height)
    names = sorted(channels)

    def attribute(name: str, kind: str, value: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value

    listed = b"".join(name.encode() + b"\0" + struct.pack("<iB3xii", 2, 0, 1, 1) for name in names) + b"\0"
    box = struct.pack("<4i", 0, 0, wide - 1, tall - 1)
    head = struct.pack("<ii", 20000630, 2) + b"".join([
        attribute("channels", "chlist", listed), attribute("compression", "compression", b"\0"),
        attribute("dataWindow", "box2i", box), attribute("displayWindow", "box2i", box),
        attribute("lineOrder", "lineOrder", b"\0"), attribute("pixelAspectRatio", "float", struct.pack("<f", 1)),
        attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        attribute("screenWindowWidth", "float", struct.pack("<f", 1)),
    ]) + b"\0"  # fmt: skip
    lines = []
    for y in range(height):
        data = b"".join(channels[name][y].astype("<f4").tobytes() for name in names)
        lines.append(struct.pack("<ii", y, len(data)) + data)
    start = len(head) + 8 * height
    offsets = np.cumsum([start, *(len(line) for line in lines[:-1])]).astype("<u8").tobytes()
    return head + offsets + b"".join(lines)


def pfm_bytes(values: np.ndarray, order: str = "<", claimed: tuple[int, int] | None = None) -> bytes:
    """A portable float map of (H, W) or (H, W, 3) values; rows go up, the sign of the scale tells the byte order."""
    wide, tall = claimed or (values.shape[1], values.shape[0])
    head = f"{'PF' if values.ndim == 3 else 'Pf'}\n{wide} {tall}\n{'-1.0' if order == '<' else '1.0'}\n"
    return head.encode() + values[::-1].astype(order + "f4").tobytes()


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, 0..1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def linear_of_srgb(x: np.ndarray) -> np.ndarray:
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def srgb_of_p3(pixels: np.ndarray) -> np.ndarray:
    """What 8-bit Display P3 values are in 8-bit sRGB, clipped to its gamut; float."""
    linear = linear_of_srgb(pixels / 255.0) @ P3_TO_XYZ.T @ np.linalg.inv(SRGB_TO_XYZ).T
    return 255 * srgb_curve(np.clip(linear, 0, 1))


def p3_profile() -> bytes:
    """A Display P3 matrix profile of ICC version 4: sRGB's curve with wider primaries."""

    def xyz(column) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(x) * 65536) for x in column))

    def text(words: str) -> bytes:
        words = words.encode("utf-16-be")
        return b"mluc\0\0\0\0" + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(words), 28) + words

    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + struct.pack(
        ">5i", *(round(x * 65536) for x in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    )  # fmt: skip
    tags = {
        b"desc": text("Display P3"), b"cprt": text("none"), b"wtpt": xyz((0.9642, 1, 0.8249)),
        b"rXYZ": xyz(P3_TO_XYZ[:, 0]), b"gXYZ": xyz(P3_TO_XYZ[:, 1]), b"bXYZ": xyz(P3_TO_XYZ[:, 2]),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4s4s4s4s4s12s4s", size, b"\0" * 4, b"\x04\0\0\0", b"mntr", b"RGB ", b"XYZ ", b"\0" * 12, b"acsp")
    head += b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
