"""Quadtree of a layer: blocks of 1, 2, 4 ... pixels, coarse where the surface is plain; as triangles."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..layers.layered_depth_image import FRONT, Layer
from .vertices import BL, BR, SLOT_STEP, TL, TR, Vertices

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
    """The blocks of one level that become triangles."""

    size: int  # side in pixels
    row: np.ndarray  # (n,) int32 of the top left pixel
    column: np.ndarray  # (n,) int32
    falling: np.ndarray  # (n,) bool: split from top left to bottom right, else from top right to bottom left
    finer: np.ndarray  # (n, 4) bool: top, right, bottom, left neighbour is of smaller blocks


@dataclass(frozen=True)
class Pieces:
    """Triangles of all layers, with the block and layer that each comes from."""

    triangles: np.ndarray  # (T, 3) int32: numbers of `Vertices`, counter-clockwise seen from the camera
    layer: np.ndarray  # (T,) uint8
    shown: np.ndarray  # (T,) uint8: PHOTO, INVENTED, FRONT, BACK
    tile: np.ndarray  # (T, 2) int16: row and column of the tile of its texture, where it is not the photo's
    whole: np.ndarray  # (T,) bool: of a block of more than one pixel

    @classmethod
    def joined(cls, parts: list[Pieces]) -> Pieces:
        """Those of all layers."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def only(self, chosen: np.ndarray) -> Pieces:
        """Some of them, by (T,) bool or number."""
        return Pieces(*(getattr(self, f.name)[chosen] for f in fields(self)))


def cut_into_blocks(layer: Layer, k: int, corners: Vertices, tolerance: float, texels: float) -> Pieces:
    """The layer's blocks (see `find_leaves`) as triangles.

    A block beside smaller ones is a fan around its centre, so that it meets their vertices; the others are two triangles.
    """
    slots, stride, kinds = corners.slots[k], layer.present.shape[1] + 1, layer.shown
    triangles, blocks = [], []  # the triangles' vertices, and their block's row, column and size
    for each in find_leaves(layer, k, corners, tolerance, texels):
        r, c, n = each.row, each.column, each.size
        four = [slots[TL, r, c], slots[TR, r, c + n - 1], slots[BR, r + n - 1, c + n - 1], slots[BL, r + n - 1, c]]
        own = np.stack([r, c, np.full(len(r), n)], axis=1)
        plain = ~each.finer.any(axis=1)
        falling = each.falling if n > 1 else _better_diagonal(four, corners)
        for falls, picks in ((True, ((0, 3, 2), (0, 2, 1))), (False, ((0, 3, 1), (1, 3, 2)))):
            chosen = plain & (falling == falls)
            for pick in picks:
                triangles.append(np.stack([four[i][chosen] for i in pick], axis=1))
                blocks.append(own[chosen])
        if plain.all():
            continue
        half, fan = n // 2, ~plain
        base = k * corners.regular[0].size + r * stride + c
        middle = base + half * stride + half
        between = (base + half, base + half * stride + n, base + n * stride + half, base + half * stride)
        for side in range(4):
            a, b = four[side], four[(side + 1) % 4]
            one, two = fan & ~each.finer[:, side], fan & each.finer[:, side]
            for chosen, p, q in ((one, b, a), (two, between[side], a), (two, b, between[side])):
                triangles.append(np.stack([p[chosen], q[chosen], middle[chosen]], axis=1))
                blocks.append(own[chosen])
    every, (r, c, n) = np.concatenate(triangles).astype(np.int32), np.concatenate(blocks).T
    shown = kinds[r, c]
    size = np.where(shown < FRONT, BLOCK, SOFT_BLOCK)
    tile = np.stack([r // size, c // size], axis=1).astype(np.int16)
    return Pieces(every, np.full(len(r), k, np.uint8), shown, tile, np.greater(n, 1))


def _better_diagonal(four: list[np.ndarray], corners: Vertices) -> np.ndarray:
    """(n,) bool: whether single pixels, whose corners may be shifted, are split from top left to bottom right.

    Of both ways the one whose smaller triangle is larger: a corner moved inwards can flip a triangle.
    """
    falling = np.ones(len(four[0]), bool)
    odd = np.flatnonzero(np.any([f >= len(corners.regular) * corners.regular[0].size for f in four], axis=0))
    places = [np.stack(corners.place(f[odd])[:2]) for f in four]
    area = lambda a, b, c: (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]  # in (row, column): positive as seen
    tl, tr, br, bl = places
    falls, rises = (np.minimum(area(tl, bl, br), area(tl, br, tr)), np.minimum(area(tl, bl, tr), area(tr, bl, br)))
    falling[odd] = falls >= rises
    return falling


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
        error = _combine_four(error, np.maximum) + off
        same = (_combine_four(same[0], np.minimum), _combine_four(same[1], np.maximum))
        block = _combine_four(whole[-1], np.logical_and) & (same[0] == same[1]) & (error <= tolerance)
        block &= _texture_shift(disparity, 2 * half) * texels <= TEXTURE_SHIFT
        if level > SOFT_LEVELS:
            block &= same[1] < FRONT
        if level > 1:
            block &= _neighbours_whole(whole[-1])
        whole.append(block)
    return _collect(layer, whole, falling, (h, w))


def _combine_four(values: np.ndarray, join) -> np.ndarray:
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


def _double(values: np.ndarray) -> np.ndarray:
    """Each value as 2 x 2."""
    return values.repeat(2, axis=1).repeat(2, axis=0)


def _collect(layer: Layer, whole, falling, shape) -> list[Leaves]:
    h, w = shape
    level_of = np.full((whole[0].shape[0] + 1, whole[0].shape[1] + 1), 127, np.int8)  # beyond the canvas nothing is finer
    coarsest = np.zeros(whole[LEVELS].shape, np.int8)
    for level in range(LEVELS, 0, -1):
        coarsest = _double(np.maximum(coarsest, whole[level] * np.int8(level)))
    level_of[:h, :w] = np.where(layer.present, coarsest[:h, :w], 127)
    leaves = []
    for level in range(LEVELS + 1):
        n = 2**level
        drawn = np.pad(layer.present, ((0, -h % BLOCK), (0, -w % BLOCK))) if level == 0 else whole[level]
        if level < LEVELS:
            drawn = drawn & ~_double(whole[level + 1])
        r, c = np.nonzero(drawn)
        falls = np.ones(len(r), bool) if level == 0 else falling[level][r, c]
        r, c = r * n, c * n
        finer = np.stack([level_of[r - 1, c], level_of[r, c + n], level_of[r + n, c], level_of[r, c - 1]], axis=1) < level
        leaves.append(Leaves(n, r, c, falls, finer & np.stack([r > 0, c + n < w, r + n < h, c > 0], axis=1)))
    return leaves
