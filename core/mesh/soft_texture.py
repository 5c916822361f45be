"""The texture of soft silhouettes at the photo's resolution: foreground with alpha, and the background beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..layers.layered_depth_image import BACK, FRONT, LayeredDepthImage
from ..layers.soft_silhouettes import UNSEEN, Matte, least_alpha, solve_foreground, split_composite
from ..photo.photo import Photo
from ..raster.colour_curves import linear_from_srgb, srgb_from_linear
from ..raster.push_pull import push_pull
from .atlas import cover_by_rectangles, shelves
from .quadtree import SOFT_BLOCK
from .texture_layout import PaintedTexels, TextureLayout, grow_mask, layout_of_boxes

SHARPER = 0.1
"""Contrast of the two sides, linear, from which on alpha is found again at the photo's own resolution."""

WINDOW, AROUND = 1024, 16
"""Pixels of the photo whose sides are found again together, for memory; and how far around them colours count, in widths of padding."""


@dataclass(frozen=True)
class SoftTexture:
    """The texture, and where each tile of the canvas lies in it. The left half is FRONT, the right one BACK."""

    texture: np.ndarray  # (H, W, 4) as the photo: uint8 or uint16 sRGB, float32 linear; straight alpha
    origin: np.ndarray  # (tile rows, tile columns, 2) int32: texel row and column of the photo's (0, 0) for that tile
    layout: TextureLayout

    def origin_of(self, layer, tile) -> np.ndarray:
        """(n, 2): `origin` for each tile (rows, columns), equal only within one rectangle; the same on each layer."""
        return self.origin[tile[0], tile[1]]

    def uvs(self, rows: np.ndarray, columns: np.ndarray, tile, side: int) -> np.ndarray:
        """Texture coordinates (..., 2) of places in the photo's pixels, on the tile (row, column arrays) of that side."""
        height, width = self.texture.shape[:2]
        origin = self.origin[tile]
        u = columns + origin[..., 1:] + (width // 2 if side == BACK else 0)
        return np.stack([u / width, 1 - (rows + origin[..., :1]) / height], axis=-1).astype(np.float32)


def pack_soft(image: LayeredDepthImage, photo: Photo, matte: Matte) -> SoftTexture:
    """Packs all tiles (SOFT_BLOCK pixels square) that hold a soft pixel.

    Foreground and background composite to the photo's pixel, each rounded as it is stored; of texels that line up with the
    rendered pixels the picture is within one level of the photo's, in every bit depth.
    """
    h, w = image.shape
    top, left, height, width = image.frame
    scale = np.array([photo.camera.height / height, photo.camera.width / width])
    padding = 2 + int(np.ceil(scale.max()))  # silhouettes are smoothed by less than a pixel of the canvas
    rows, columns = -(-h // SOFT_BLOCK), -(-w // SOFT_BLOCK)
    soft = np.zeros((rows * SOFT_BLOCK, columns * SOFT_BLOCK), bool)
    for layer in image.layers:
        if layer.soft is not None:
            soft[:h, :w] |= layer.soft > 0
    used = soft.reshape(rows, SOFT_BLOCK, columns, SOFT_BLOCK).any(axis=(1, 3))
    boxes, sizes = cover_by_rectangles(used), []
    for t, l, b, r in boxes:  # noqa: E741
        first = np.floor((np.array([t, l]) * SOFT_BLOCK - (top, left)) * scale).astype(int) - padding
        last = np.ceil((np.array([b, r]) * SOFT_BLOCK - (top, left)) * scale).astype(int) + padding
        sizes.append((first, last - first))
    places, tall, wide = shelves([tuple(size) for _, size in sizes], 0)
    texture = np.zeros((tall, 2 * wide, 4), photo.colour.dtype)
    origin = np.zeros((rows, columns, 2), np.int32)
    for (t, l, b, r), (y, x), (first, size) in zip(boxes, places, sizes, strict=True):  # noqa: E741
        front, back = _composites(first, size, photo, matte, scale, (top, left))
        texture[y : y + size[0], x : x + size[1]] = front
        texture[y : y + size[0], wide + x : wide + x + size[1]] = back
        origin[t:b, l:r] = (y, x) - first
    return SoftTexture(texture, origin, _layout(texture.shape, places, sizes, padding, photo))


def _layout(shape, places, sizes, padding: int, photo: Photo) -> TextureLayout:
    """Both halves: the rectangles without their padding, in the photo's pixels."""
    surface, texels, boxes = [], [], []
    for side, shift in ((FRONT, 0), (BACK, shape[1] // 2)):
        for (y, x), (first, size) in zip(places, sizes, strict=True):
            inner = size - 2 * padding
            surface.append(side)
            texels.append((y + padding, x + shift + padding, *inner))
            boxes.append((*(first + padding), *(first + padding + inner)))
    return layout_of_boxes(shape[:2], surface, texels, boxes, (0, 0, photo.camera.height, photo.camera.width), padding)


def _composites(first, size, photo: Photo, matte: Matte, scale, frame) -> tuple[np.ndarray, np.ndarray]:
    """Both sides, (rows, columns, 4) each as stored, for the photo's pixels from `first` on."""
    r = np.clip(np.arange(first[0], first[0] + size[0]), 0, photo.camera.height - 1)
    c = np.clip(np.arange(first[1], first[1] + size[1]), 0, photo.camera.width - 1)
    colour, levels = photo.colour[np.ix_(r, c)], None
    if not photo.is_linear:
        levels = np.iinfo(colour.dtype).max
        colour = linear_from_srgb(colour / np.float32(levels))
    alpha, front, back = (_resample(values, first, size, scale, frame) for values in (matte.alpha, matte.foreground, matte.background))
    if scale.max() > 1.2:
        alpha = _sharpen(alpha, colour, front, back)
    top = 1.0 if levels else max(1.0, 4 * float(colour.max()))
    alpha = np.where(alpha > UNSEEN, np.maximum(alpha, least_alpha(colour, back, top)), alpha)
    alpha = _round(alpha, levels)[..., None]
    _, back = split_composite(colour, alpha, _continue(front, alpha, UNSEEN), back, top)
    back = linear_from_srgb(_round(srgb_from_linear(back), levels)) if levels else back
    front = _continue(solve_foreground(colour, alpha, front, back, top), alpha, 0)
    opacity = np.ones_like(alpha)
    if photo.alpha is not None:
        opacity = (photo.alpha[np.ix_(r, c)] / np.float32(levels or 1))[..., None]
    both = np.concatenate([front, alpha * opacity], axis=2), np.concatenate([back, opacity], axis=2)
    if not levels:
        return both
    for side in both:
        side[..., :3] = srgb_from_linear(side[..., :3])
    return tuple((np.clip(side, 0, 1) * levels + 0.5).astype(photo.colour.dtype) for side in both)


def _continue(front: np.ndarray, alpha: np.ndarray, unseen: float) -> np.ndarray:
    """The foreground with, where alpha is `unseen` or less, the colour that is seen beside it.

    Renderers filter colours first and alpha apart: halfway to a texel without alpha half its colour would be seen, as a line.
    """
    import cv2

    side = (3, 3)
    weight = cv2.blur(alpha[..., 0], side)[..., None]
    beside = cv2.blur(alpha * front, side) / np.maximum(weight, 1e-9)
    return np.where((alpha <= unseen) & (weight > 1e-6), beside, front)


def _resample(values: np.ndarray, first, size, scale, frame) -> np.ndarray:
    """A part of a map of the canvas on the photo's pixels, (rows, columns, ...) float32."""
    import cv2

    # the centre of a photo's pixel, brought onto the canvas, whose pixels cv2 numbers by their centres
    shift = (np.asarray(first) + 0.5) / scale + frame - 0.5
    matrix = np.array([[1 / scale[1], 0, shift[1]], [0, 1 / scale[0], shift[0]]])
    low = np.maximum(np.floor(shift).astype(int) - 2, 0)
    high = np.ceil(shift + np.asarray(size) / scale).astype(int) + 3
    part = np.ascontiguousarray(values[low[0] : high[0], low[1] : high[1]])
    matrix[:, 2] -= low[::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, matrix, (int(size[1]), int(size[0])), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _sharpen(alpha: np.ndarray, colour, front, back) -> np.ndarray:
    """Alpha where it is in between, moved towards what the photo's own pixel says of the two colours around."""
    along = front - back
    length = (along * along).sum(-1)
    said = np.clip(((colour - back) * along).sum(-1) / np.maximum(length, 1e-6), 0, 1)
    trust = length / (length + SHARPER**2) * np.clip(4 * np.minimum(alpha, 1 - alpha), 0, 1)
    return alpha + trust * (said - alpha)


def _round(values: np.ndarray, levels: int | None) -> np.ndarray:
    return values if levels is None else np.rint(np.clip(values, 0, 1) * levels) / np.float32(levels)


def apply_painted_photo(texture: np.ndarray, layout: TextureLayout, photo: PaintedTexels, levels: int | None) -> PaintedTexels:
    """What the soft silhouettes' texture (H, W, 4), linear with straight alpha, becomes where the photo was painted.

    There both sides composite to what was painted, and alpha stays: each side's colour is that of the painted photo beside the
    rim, where that is one side alone, or stays where it was not painted there; what is left goes to the sides as in `pack_soft`.
    `photo` has the photo's size; of `levels` a channel each side is rounded as it is stored. The colours returned are linear.
    """
    size, half = (photo.mask.shape[0], photo.mask.shape[1]), layout.size[1] // 2
    result = PaintedTexels(np.zeros(layout.size, bool), texture.astype(np.float32), True)
    places = [_rectangle_texels(layout, at, size) for at in np.flatnonzero(layout.surface == FRONT) if layout.texels[at, 1] < half]
    margin = AROUND * max(1, layout.padding)
    for top, left in product(range(0, size[0], WINDOW), range(0, size[1], WINDOW)):
        bottom, right = min(top + WINDOW, size[0]), min(left + WINDOW, size[1])
        if not photo.mask[top:bottom, left:right].any() or not _within(places, (top, left, bottom, right)):
            continue
        wide = max(0, top - margin), max(0, left - margin), min(bottom + margin, size[0]), min(right + margin, size[1])
        box = slice(wide[0], wide[2]), slice(wide[1], wide[3])
        painted = photo.mask[box]
        part = PaintedTexels(painted, photo.colour[box], photo.is_linear)
        seen = part.colours(True)[..., :3].astype(np.float32)
        front, back, alpha = np.zeros_like(seen), np.zeros_like(seen), np.full((*painted.shape, 1), -1, np.float32)
        for here, (y, x) in _within(places, wide):
            front[here], alpha[here] = texture[y, x, :3], texture[y, x, 3:]
            back[here] = texture[y, x + half, :3]
        front, back = _both_sides(seen, painted, alpha, front, back, levels)
        filtered = (alpha[..., 0] == 0) & grow_mask(painted & (alpha[..., 0] > 0))  # renderers mix what lies beside
        for here, (y, x) in _within(places, (top, left, bottom, right), wide[:2]):
            for columns, side, mask in ((x, front, painted | filtered), (x + half, back, painted)):
                result.mask[y, columns] = mask[here]
                result.colour[y, columns, :3] = np.where(mask[here][..., None], side[here], texture[y, columns, :3])
    return result


def _within(places: list, window: tuple[int, int, int, int], corner: tuple[int, int] | None = None) -> list[tuple]:
    """Of each rectangle that shows something of a window of the photo (top, left, bottom, right): its pixels, counted from `corner`
    or from the window's, and its texels; as index grids."""
    top, left, bottom, right = window
    first = corner or (top, left)
    found = []
    for y, x, rows, columns in places:
        if rows[0] < bottom and rows[-1] >= top and columns[0] < right and columns[-1] >= left:
            i, j = np.flatnonzero((rows >= top) & (rows < bottom)), np.flatnonzero((columns >= left) & (columns < right))
            found.append((np.ix_(rows[i] - first[0], columns[j] - first[1]), np.ix_(y + i, x + j)))
    return found


def _rectangle_texels(layout: TextureLayout, at: int, size: tuple[int, int]) -> tuple[int, int, np.ndarray, np.ndarray]:
    """A rectangle with its padding: its first row and column, and the photo's row and column of each texel."""
    first = np.rint(layout.photo[at, :2] * size).astype(int) - layout.padding
    y, x = (layout.texels[at, :2] - layout.padding).tolist()
    tall, wide = (layout.texels[at, 2:] + 2 * layout.padding).tolist()
    return y, x, np.clip(first[0] + np.arange(tall), 0, size[0] - 1), np.clip(first[1] + np.arange(wide), 0, size[1] - 1)


def _both_sides(seen, painted, alpha, front, back, levels: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and background that composite to `seen` where it was `painted`; `alpha` is below 0 outside of the texture."""
    top = 1.0 if levels else max(1.0, 4 * float(seen.max()))
    one_side = (alpha >= 1 - UNSEEN)[..., 0], ((alpha >= 0) & (alpha <= UNSEEN))[..., 0]
    front, back = (_recolour(side, seen, painted, known) for side, known in zip((front, back), one_side, strict=True))
    own = painted & (alpha[..., 0] >= 0)
    alpha = np.maximum(alpha, 0)
    _, behind = split_composite(seen[own], alpha[own], _continue(front, alpha, UNSEEN)[own], back[own], top)
    behind = linear_from_srgb(_round(srgb_from_linear(behind), levels)) if levels else behind
    front, back = front.copy(), back.copy()
    front[own], back[own] = solve_foreground(seen[own], alpha[own], front[own], behind, top), behind
    return _continue(front, alpha, 0), back


def _recolour(side: np.ndarray, seen: np.ndarray, painted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """One side's colours (h, w, 3) as they are seen painted nearby, where the photo shows that side alone; else as they were."""
    if not known.any():
        return np.where(painted[..., None], seen, side)
    if painted[known].all():
        return push_pull(seen, known)
    if not painted[known].any():
        return side
    share = push_pull(np.repeat(painted[..., None].astype(np.float32), 3, axis=2), known)
    near = push_pull(np.where(painted[..., None], seen, 0), known) / np.maximum(share, 1e-6)
    return np.where(share > 1e-3, side + np.minimum(share, 1) * (near - side), side).astype(np.float32)
