"""Depth of Samsung's dual cameras: named blocks behind the JPEG, listed from the file's end (SEFH ... SEFT).

There is no specification. The layout is the one that ExifTool documents (Samsung trailer and DualShotExtra tags):
a raster of one byte a pixel named DualShot_DepthMap_N, its size in DualShot_Extra_Info. That larger means nearer is
how public readers of Live Focus photos use it.
"""

from __future__ import annotations

import re
import struct

import numpy as np

from ..errors import DioramaError
from .depth_raster import StoredDepth, check_size

MAX_DIRECTORY_BYTES = 65536
DEPTH_MAP, EXTRA_INFO = 0x0AB1, 0x0AB3
_BEFORE_SIZE = re.compile(rb"[\x01-\x09]\x00\xff\xff")


def read_samsung(data: bytes, name: str) -> StoredDepth | None:
    """The first dual-shot depth map; None where the file has no Samsung trailer or no such map in it."""
    blocks = trailer_blocks(data)
    maps = (body for kind, title, body in blocks if kind == DEPTH_MAP and title.startswith("DualShot_DepthMap"))
    depth = next(maps, None)
    if depth is None:
        return None
    size = next((_depth_size(body) for kind, _, body in blocks if kind == EXTRA_INFO), None)
    if size is None:
        raise DioramaError(f"{name} holds a Samsung depth map but not its size; use another depth source.")
    width, height = size
    check_size(width, height, name, "a Samsung depth map")
    if len(depth) != width * height:
        raise DioramaError(f"{name} holds {len(depth)} bytes of depth, not {width}x{height}; use another source.")
    values = np.frombuffer(depth, np.uint8).reshape(height, width).astype(np.float32) / np.float32(255)
    return StoredDepth(
        values, np.ones(values.shape, bool), "disparity", metric_scale=False, shift_known=False, range=None,
        unit="0 to 1, larger is nearer", source="Samsung dual-shot depth map", stretch=True,
        notes=("layout by ExifTool's description, there is no specification",),
    )  # fmt: skip


def trailer_blocks(data: bytes) -> list[tuple[int, str, bytes]]:
    """Type, name and content of the blocks of Samsung's trailer; empty where there is none or it is malformed."""
    if data[-4:] != b"SEFT" or len(data) < 24:
        return []
    length = struct.unpack_from("<I", data, len(data) - 8)[0]
    start = len(data) - 8 - length
    if not 12 <= length <= MAX_DIRECTORY_BYTES or start < 0 or data[start : start + 4] != b"SEFH":
        return []
    count = struct.unpack_from("<I", data, start + 8)[0]
    blocks = []
    for index in range(min(count, (length - 12) // 12)):
        kind, back, size = struct.unpack_from("<HII", data, start + 12 + 12 * index + 2)
        begin = start - back
        if begin < 0 or not 8 <= size <= back:
            continue
        title = struct.unpack_from("<I", data, begin + 4)[0]
        if title + 8 <= min(size, 264):
            text = data[begin + 8 : begin + 8 + title].decode("latin-1").rstrip("\0")
            blocks.append((kind, text, data[begin + 8 + title : begin + size]))
    return blocks


def _depth_size(extra: bytes) -> tuple[int, int] | None:
    """Width and height; they follow the only recognisable bytes between offsets 32 and 96, aligned to 4."""
    for match in _BEFORE_SIZE.finditer(extra, 32, 96):
        if match.end() % 4 == 0 and match.end() + 8 <= len(extra):
            return struct.unpack_from("<II", extra, match.end())
    return None
