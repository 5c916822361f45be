"""PackBits, the run-length code of Photoshop documents ("Adobe Photoshop File Formats Specification", image compression 1)."""

from __future__ import annotations

import numpy as np

BLOCK = 128
"""Bytes that one header byte can stand for."""


def pack_rows(rows: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Rows (h, n) of bytes, each packed by itself; and (h,) the length of each. A block of 128 equal bytes becomes one run, every other
    block is stored as it is: quick, and enough for flat and transparent areas.
    """
    height, width = rows.shape
    blocks = -(-width // BLOCK)
    last = width - BLOCK * (blocks - 1)
    padded = rows if last == BLOCK else np.pad(rows, ((0, 0), (0, BLOCK - last)), "edge")
    padded = padded.reshape(height, blocks, BLOCK)
    sizes = np.full(blocks, BLOCK)
    sizes[-1] = last
    flat = (padded == padded[..., :1]).all(axis=2) & (sizes > 1)
    out = np.empty((height, blocks, BLOCK + 1), np.uint8)
    out[..., 1:] = padded
    out[..., 0] = np.where(flat, 257 - sizes, sizes - 1)
    lengths = np.where(flat, 2, sizes + 1)
    keep = np.arange(BLOCK + 1) < lengths[..., None]
    return out[keep].tobytes(), lengths.sum(axis=1)


def unpack_rows(data: bytes, height: int, width: int) -> np.ndarray:
    """(height, width) uint8 of packed rows that follow each other; raises ValueError where they do not hold that."""
    from PIL import Image

    if height * width > 64 * len(data):
        raise ValueError("more than these bytes can hold")
    return np.asarray(Image.frombytes("L", (width, height), data, "packbits", "L"))
