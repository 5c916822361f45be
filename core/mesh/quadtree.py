"""Which pixels of a layer one quad may stand for: blocks of 1, 2, 4 ... pixels, coarse where the surface is plain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layers.layered_depth_image import FRONT, Layer
from .vertices import SLOT_STEP, Vertices

LEVELS = 6
BLOCK = 2**LEVELS
"""Side of the largest block in pixels; the atlas is cut along the same grid."""
FLATNESS = 1.1e-3
"""How far a block's quad may be off the surface, as a part of the range of disparity, at density 1."""
SOFT_LEVELS = 4
SOFT_BLOCK = 2**SOFT_LEVELS
"""Side of the largest block at soft silhouettes, and of the tiles of their texture."""
TEXTURE_SHIFT = 0.1
"""How far, in the photo's pixels, the photo may shift inside a triangle.

Texture coordinates are linear over a triangle in space, not on the picture. Between two vertices at depths in ratio q the
texel that belongs to one place on the picture is off by at most (sqrt q - 1) / (sqrt q + 1) of their distance.
"""


@dataclass(frozen=True)
class Leaves:
    """The blocks of one level that are drawn."""

    size: int  # side in pixels
    row: np.ndarray  # (n,) int32 of the top left pixel
    column: np.ndarray  # (n,) int32
    falling: np.ndarray  # (n,) bool: split from top left to bottom right, else from top right to bottom left
    finer: np.ndarray  # (n, 4) bool: top, right, bottom, left neighbour is of smaller blocks


def find_leaves(layer: Layer, k: int, corners: Vertices, tolerance: float, texels: float) -> list[Leaves]:
    """The layer's blocks by level. `tolerance` in 1/m; `texels`: the photo's pixels along a working pixel.

    A block stands for its pixels where they are all of one kind, its quad is flat enough and close enough in depth, and no
    neighbour would be finer by more than one level. Pixels at tears stay single.
    """
    h, w = layer.present.shape
    ph, pw = -h % BLOCK, -w % BLOCK
    free = np.ones((h, w), bool)
    for r, c in SLOT_STEP:
        free &= corners.regular[k][r : r + h, c : c + w]
    disparity = np.pad(corners.disparity[k], ((0, ph), (0, pw)), mode="edge")
    kind = np.pad(layer.shown, ((0, ph), (0, pw)))
    whole = [np.pad(free & layer.present, ((0, ph), (0, pw)))]
    falling: list[np.ndarray | None] = [None]
    error, same = np.zeros((h + ph, w + pw), np.float32), (kind, kind)
    for level in range(1, LEVELS + 1):
        half = 2 ** (level - 1)
        off, falls = _flatness(disparity, half)
        falling.append(falls)
        error = _of_four(error, np.maximum) + off
        same = (_of_four(same[0], np.minimum), _of_four(same[1], np.maximum))
        block = _of_four(whole[-1], np.logical_and) & (same[0] == same[1]) & (error <= tolerance)
        block &= _texture_shift(disparity, 2 * half) * texels <= TEXTURE_SHIFT
        if level > SOFT_LEVELS:
            block &= same[1] < FRONT
        if level > 1:
            block &= _neighbours_whole(whole[-1])
        whole.append(block)
    return _collect(layer, whole, falling, (h, w))


def _of_four(values: np.ndarray, join) -> np.ndarray:
    """Values of 2 x 2 blocks from their four parts."""
    return join(join(values[::2, ::2], values[::2, 1::2]), join(values[1::2, ::2], values[1::2, 1::2]))


def _flatness(disparity: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest deviation of the five inner points of each block from its two triangles, and the better of the diagonals."""
    n = 2 * half
    at = lambda r, c: disparity[r : disparity.shape[0] - n + r : n, c : disparity.shape[1] - n + c : n]  # noqa: E731
    tl, tr, bl, br = at(0, 0), at(0, n), at(n, 0), at(n, n)
    middle = at(half, half)
    fall, rise = np.abs(middle - (tl + br) / 2), np.abs(middle - (tr + bl) / 2)
    off = np.minimum(fall, rise)
    for a, b, between in ((tl, tr, at(0, half)), (bl, br, at(n, half)), (tl, bl, at(half, 0)), (tr, br, at(half, n))):
        off = np.maximum(off, np.abs(between - (a + b) / 2))
    return off, fall <= rise


def _texture_shift(disparity: np.ndarray, n: int) -> np.ndarray:
    """Largest shift of the texture in each block of side n, in working pixels."""
    at = lambda r, c: disparity[r : disparity.shape[0] - n + r : n, c : disparity.shape[1] - n + c : n]  # noqa: E731
    four = (at(0, 0), at(0, n), at(n, 0), at(n, n))
    low, high = np.minimum.reduce(four), np.maximum.reduce(four)
    q = np.sqrt(high / np.maximum(low, 1e-12))
    return n * np.float32(np.sqrt(2)) * (q - 1) / (q + 1)


def _neighbours_whole(finer: np.ndarray) -> np.ndarray:
    """Whether the parts of the neighbours that touch a block are whole themselves, so that levels differ by one at most."""
    wide = np.pad(finer, 2, constant_values=True)
    h, w = finer.shape
    at = lambda r, c: wide[2 + r : 2 + r + h : 2, 2 + c : 2 + c + w : 2]  # noqa: E731
    return at(-1, 0) & at(-1, 1) & at(2, 0) & at(2, 1) & at(0, -1) & at(1, -1) & at(0, 2) & at(1, 2)


def _collect(layer: Layer, whole, falling, shape) -> list[Leaves]:
    h, w = shape
    level_of = np.full((whole[0].shape[0] + 1, whole[0].shape[1] + 1), 127, np.int8)  # beyond the canvas nothing is finer
    level_of[:h, :w] = np.where(layer.present, 0, 127)
    leaves = []
    for level in range(1, LEVELS + 1):
        grown = whole[level].repeat(2**level, axis=0).repeat(2**level, axis=1)[:h, :w]
        level_of[:h, :w][grown] = level
    for level in range(LEVELS + 1):
        n = 2**level
        drawn = np.pad(layer.present, ((0, -h % BLOCK), (0, -w % BLOCK))) if level == 0 else whole[level]
        if level < LEVELS:
            drawn = drawn & ~whole[level + 1].repeat(2, axis=0).repeat(2, axis=1)
        r, c = np.nonzero(drawn)
        falls = np.ones(len(r), bool) if level == 0 else falling[level][r, c]
        r, c = r * n, c * n
        finer = np.stack([level_of[r - 1, c], level_of[r, c + n], level_of[r + n, c], level_of[r, c - 1]], axis=1) < level
        leaves.append(Leaves(n, r, c, falls, finer & np.stack([r > 0, c + n < w, r + n < h, c > 0], axis=1)))
    return leaves
