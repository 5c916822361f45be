"""The texture atlas of all invented surfaces: tiles of each layer's canvas, packed as rectangles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..layers.layered_depth_image import LayeredDepthImage
from ..raster.nearest_known import nearest_known
from .quadtree import BLOCK
from .texture_layout import ADDED, SKIRT, TextureLayout, layout_of_boxes

PADDING = 4
"""Texels of the surroundings repeated around each rectangle, so that filtering never mixes two rectangles."""


@dataclass(frozen=True)
class Atlas:
    """The texture, and where each tile of each layer's canvas lies in it."""

    texture: np.ndarray  # (H, W, 3) float32, sRGB-encoded
    origin: np.ndarray  # (layers, tile rows, tile columns, 2) int32: texel row and column of the canvas's (0, 0) for that tile
    layout: TextureLayout

    def origin_of(self, layer, tile) -> np.ndarray:
        """(n, 2): `origin` for each layer and tile (rows, columns), equal only within one rectangle."""
        return self.origin[layer, tile[0], tile[1]]


def pack_atlas(image: LayeredDepthImage) -> Atlas:
    """Packs the tiles (BLOCK pixels square) with invented content, one texel a pixel."""
    h, w = image.shape
    rows, columns = -(-h // BLOCK), -(-w // BLOCK)
    rectangles = []
    for k, layer in enumerate(image.layers):
        padded = np.pad(layer.synthesised, ((0, rows * BLOCK - h), (0, columns * BLOCK - w)))
        used = padded.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3))
        rectangles += [(k, *box) for box in cover_by_rectangles(used)]
    sizes = [(min(h, b * BLOCK) - t * BLOCK, min(w, r * BLOCK) - l * BLOCK) for _, t, l, b, r in rectangles]
    places, height, width = shelves(sizes)
    texture = np.zeros((height, width, 3), np.float32)
    origin = np.zeros((len(image.layers), rows, columns, 2), np.int32)
    canvases = [fill_gaps(layer) for layer in image.layers]
    for (k, top, left, bottom, right), (y, x), (tall, wide) in zip(rectangles, places, sizes, strict=True):
        r = np.clip(np.arange(top * BLOCK - PADDING, top * BLOCK + tall + PADDING), 0, h - 1)
        c = np.clip(np.arange(left * BLOCK - PADDING, left * BLOCK + wide + PADDING), 0, w - 1)
        texture[y : y + len(r), x : x + len(c)] = canvases[k][np.ix_(r, c)]
        origin[k, top:bottom, left:right] = (y + PADDING - top * BLOCK, x + PADDING - left * BLOCK)
    boxes = [(t * BLOCK, l * BLOCK, t * BLOCK + size[0], l * BLOCK + size[1])
             for (_, t, l, _, _), size in zip(rectangles, sizes, strict=True)]  # fmt: skip
    surface = [surface_number(image, k) for k, *_ in rectangles]
    texels = [(y + PADDING, x + PADDING, *size) for (y, x), size in zip(places, sizes, strict=True)]
    return Atlas(texture, origin, layout_of_boxes((height, width), surface, texels, boxes, image.frame, PADDING))


def surface_number(image: LayeredDepthImage, k: int) -> int:
    """The number by which the texels of a layer are found again in another build (core/mesh/texture_layout.py)."""
    if k and k == image.skirt:
        return SKIRT
    return ADDED + image.layers[k].number if image.layers[k].number else k


def add_sheet(atlas: Atlas, colour: np.ndarray) -> tuple[Atlas, np.ndarray]:
    """The atlas with an (h, w, 3) picture below all else, and where that lies: (2, 2) u, v of its top left and bottom right."""
    height, width = atlas.texture.shape[:2]
    tall, wide = colour.shape[0] + 2 * PADDING, max(width, colour.shape[1] + 2 * PADDING)
    texture = np.zeros((height + tall, wide, 3), np.float32)
    texture[:height, :width] = atlas.texture
    texture[height:, : colour.shape[1] + 2 * PADDING] = np.pad(colour, ((PADDING,) * 2, (PADDING,) * 2, (0, 0)), mode="edge")
    x, y = PADDING + np.array([0, colour.shape[1]]), height + PADDING + np.array([0, colour.shape[0]])
    layout = replace(atlas.layout, size=(len(texture), wide))
    return Atlas(texture, atlas.origin, layout), np.stack([x / wide, 1 - y / len(texture)], axis=1)


def fill_gaps(layer) -> np.ndarray:
    """The layer's colours with those of the nearest present pixel where it has none, for filtering at its rim."""
    if layer.present.all() or not layer.present.any():
        return layer.colour
    distance, nearest = nearest_known(layer.present)
    rim = np.flatnonzero((distance > 0) & (distance < 2 * PADDING))  # further away nothing is sampled
    colour = layer.colour.reshape(-1, 3).copy()
    colour[rim] = colour[nearest.ravel()[rim]]
    return colour.reshape(layer.colour.shape)


def cover_by_rectangles(used: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Covers the True cells by rectangles (top, left, bottom, right): runs of a row, joined with equal runs below.

    >>> cover_by_rectangles(np.array([[1, 1, 0], [1, 1, 1]], bool))
    [(0, 0, 1, 2), (1, 0, 2, 3)]
    """
    open_: dict[tuple[int, int], int] = {}
    done: list[tuple[int, int, int, int]] = []
    for r in range(used.shape[0] + 1):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], used[r] if r < len(used) else used[0] & False, [0]]).astype(np.int8)))
        runs = {(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)}
        done += [(top, *run_, r) for run_, top in open_.items() if run_ not in runs]
        open_ = {run_: open_.get(run_, r) for run_ in runs}
    return sorted((top, left, bottom, right) for top, left, right, bottom in done)


def shelves(sizes: list[tuple[int, int]], padding: int = PADDING) -> tuple[list[tuple[int, int]], int, int]:
    """Places (row, column) of padded rectangles on shelves of equal width, tallest first; height and width of the whole."""
    if not sizes:
        return [], 8, 8
    tall = np.array([s[0] for s in sizes]) + 2 * padding
    wide = np.array([s[1] for s in sizes]) + 2 * padding
    width = int(max(wide.max(), np.ceil(np.sqrt(float((tall * wide).sum()) * 1.1))))
    places, y, x, shelf = [(0, 0)] * len(sizes), 0, 0, 0
    for i in np.lexsort((np.arange(len(sizes)), -wide, -tall)):
        if x + wide[i] > width:
            y, x, shelf = y + shelf, 0, 0
        places[i] = (int(y), int(x))
        x, shelf = x + wide[i], max(shelf, tall[i])
    return places, int(y + shelf), width
