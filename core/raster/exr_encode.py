"""Writes pictures as OpenEXR files (float32, ZIP), without OpenCV, whose writer is off where another add-on loaded it first.

The layout is the one of "OpenEXR File Layout", openexr.com: scan lines, blocks of 16.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..threads import thread_count

LINES, LEVEL = 16, 4
"""Scan lines of a ZIP block, and how hard it is packed; more gains little on floats."""
CHANNELS = {1: "Y", 3: "RGB", 4: "RGBA"}
FLOAT, ZIP, INCREASING = 2, b"\x03", b"\x00"


def encode_exr(pixels: np.ndarray) -> bytes:
    """The file of (h, w) grey or (h, w, 1|3|4) R, G, B, alpha; stored as float32. The same pixels give the same bytes."""
    pixels = np.asarray(pixels, np.float32)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, count = pixels.shape
    names = CHANNELS[count]
    order = sorted(range(count), key=lambda channel: names[channel])  # the file has them by name
    lines = np.ascontiguousarray(pixels[..., order].transpose(0, 2, 1), "<f4").reshape(height, -1)
    head = _header(width, height, [names[channel] for channel in order])
    tops = range(0, height, LINES)
    with ThreadPoolExecutor(thread_count()) as pool:  # zlib works outside Python's lock
        blocks = list(pool.map(lambda top: _packed(lines[top : top + LINES].tobytes()), tops))
    offsets, at = [], len(head) + 8 * len(blocks)
    for block in blocks:
        offsets.append(at)
        at += 8 + len(block)
    chunks = [struct.pack("<ii", top, len(block)) + block for top, block in zip(tops, blocks, strict=True)]
    return b"".join([head, struct.pack(f"<{len(offsets)}Q", *offsets), *chunks])


def _header(width: int, height: int, names: list[str]) -> bytes:
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(name.encode() + b"\0" + struct.pack("<iIii", FLOAT, 0, 1, 1) for name in names) + b"\0"
    attributes = [
        ("channels", "chlist", channels), ("compression", "compression", ZIP), ("dataWindow", "box2i", box),
        ("displayWindow", "box2i", box), ("lineOrder", "lineOrder", INCREASING),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)), ("screenWindowCenter", "v2f", struct.pack("<ff", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
    ]  # fmt: skip
    listed = (name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value for name, kind, value in attributes)
    return b"\x76\x2f\x31\x01" + struct.pack("<I", 2) + b"".join(listed) + b"\0"


def _packed(plain: bytes) -> bytes:
    """A block: the even bytes before the odd ones, each as its difference to the one before, deflated; as it is where that is larger."""
    raw = np.frombuffer(plain, np.uint8)
    parted = np.concatenate([raw[0::2], raw[1::2]])
    steps = parted.copy()
    steps[1:] -= parted[:-1]
    steps[1:] += 128
    short = zlib.compress(steps.tobytes(), LEVEL)
    return short if len(short) < len(plain) else plain
