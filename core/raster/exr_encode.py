"""Writes pictures as OpenEXR files (float32, ZIP), without OpenCV, whose writer is off where another add-on loaded it first.

The layout is the one of "OpenEXR File Layout", openexr.com: scan lines, blocks of 16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import numpy as np

from ..threads import thread_count

LINES, LEVEL, QUICK = 16, 4, 1
"""Scan lines of a ZIP block, and how hard it is packed; more gains little on floats, and the
quick level is for many channels at once."""
CHANNELS = {1: "Y", 3: "RGB", 4: "RGBA"}
LONG_NAMES = 0x400
"""Flag of names of more than 31 bytes."""
HALF, FLOAT, ZIP, INCREASING = 1, 2, b"\x03", b"\x00"


def encode_exr(pixels: np.ndarray) -> bytes:
    """The file of (h, w) grey or (h, w, 1|3|4) R, G, B, alpha; stored as float32. The same pixels give the same bytes."""
    pixels = np.asarray(pixels, np.float32)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, count = pixels.shape
    names = CHANNELS[count]
    order = sorted(range(count), key=lambda channel: names[channel])  # the file has them by name
    lines = np.ascontiguousarray(pixels[..., order].transpose(0, 2, 1), "<f4").reshape(height, -1)
    head = _header((0, 0, width, height), (0, 0, width, height), dict.fromkeys((names[channel] for channel in order), FLOAT), {})
    tops = range(0, height, LINES)
    with ThreadPoolExecutor(thread_count()) as pool:  # zlib works outside Python's lock
        blocks = list(pool.map(lambda top: _packed(lines[top : top + LINES].tobytes()), tops))
    offsets, at = [], len(head) + 8 * len(blocks)
    for block in blocks:
        offsets.append(at)
        at += 8 + len(block)
    chunks = [struct.pack("<ii", top, len(block)) + block for top, block in zip(tops, blocks, strict=True)]
    return b"".join([head, struct.pack(f"<{len(offsets)}Q", *offsets), *chunks])


Lines = Callable[[int, int], Mapping[str, np.ndarray]]
"""Rows from the first number to before the second, for each channel (rows, width), float16 or float32 as declared."""


def write_exr(
    out: BinaryIO, window: tuple[int, int, int, int], display: tuple[int, int, int, int], channels: Mapping[str, type], lines: Lines,
    attributes: Mapping[str, str],
) -> None:  # fmt: skip
    """Writes an OpenEXR file of any channels, np.float16 or np.float32, a few blocks at a time, whatever its size.

    `window` and `display`: left, top, width, height of the data and of the picture that is shown. `attributes` are texts by name.
    """
    height, names = window[3], sorted(channels)
    kinds = {name: HALF if channels[name] == np.float16 else FLOAT for name in names}
    out.write(_header(window, display, kinds, attributes))
    table, offsets = out.tell(), []
    tops = range(0, height, LINES)
    out.write(bytes(8 * len(tops)))

    def block(top: int) -> bytes:
        rows = lines(top, min(height, top + LINES))
        plain = [np.ascontiguousarray(rows[name], "<f2" if kinds[name] == HALF else "<f4").view(np.uint8) for name in names]
        return _packed(np.concatenate(plain, axis=1).tobytes(), QUICK)

    count = thread_count()
    with ThreadPoolExecutor(count) as pool:
        for start in range(0, len(tops), 2 * count):  # bounds the memory
            for top, data in zip(tops[start:], pool.map(block, tops[start : start + 2 * count]), strict=False):
                offsets.append(out.tell())
                out.write(struct.pack("<ii", window[1] + top, len(data)) + data)
    end = out.tell()
    out.seek(table)
    out.write(struct.pack(f"<{len(offsets)}Q", *offsets))
    out.seek(end)


def _box(window: tuple[int, int, int, int]) -> bytes:
    left, top, width, height = window
    return struct.pack("<4i", left, top, left + width - 1, top + height - 1)


def _header(
    window: tuple[int, int, int, int], display: tuple[int, int, int, int], kinds: Mapping[str, int], texts: Mapping[str, str]
) -> bytes:  # fmt: skip
    channels = b"".join(name.encode() + b"\0" + struct.pack("<iIii", kind, 0, 1, 1) for name, kind in kinds.items()) + b"\0"
    long_names = any(len(name.encode()) > 31 for name in kinds)
    attributes = [
        ("channels", "chlist", channels), ("compression", "compression", ZIP), ("dataWindow", "box2i", _box(window)),
        ("displayWindow", "box2i", _box(display)), ("lineOrder", "lineOrder", INCREASING),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)), ("screenWindowCenter", "v2f", struct.pack("<ff", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        *((name, "string", text.encode()) for name, text in sorted(texts.items())),
    ]  # fmt: skip
    listed = (name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value for name, kind, value in attributes)
    return b"\x76\x2f\x31\x01" + struct.pack("<I", LONG_NAMES | 2 if long_names else 2) + b"".join(listed) + b"\0"


def _packed(plain: bytes, level: int = LEVEL) -> bytes:
    """A block: the even bytes before the odd ones, each as its difference from the byte before, deflated; uncompressed where that is
    smaller."""
    raw = np.frombuffer(plain, np.uint8)
    parted = np.concatenate([raw[0::2], raw[1::2]])
    steps = parted.copy()
    steps[1:] -= parted[:-1]
    steps[1:] += 128
    short = zlib.compress(steps.tobytes(), level)
    return short if len(short) < len(plain) else plain
