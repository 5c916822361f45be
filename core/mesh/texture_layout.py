"""Where each texel of a texture lies in the photo and on which surface; carries what an artist painted to another layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..raster.colour_curves import linear_from_srgb, srgb_from_linear

SKIRT, BACKDROP = -1, -2
"""Numbers of surfaces that are no layer in the order of depth; parts of the backdrop count on downwards."""
ADDED = 1000
"""Surfaces that came in as layers of their own count on from here."""
EXACT = 1e-3
"""Texels from whole ones up to which a carried texel is copied as it is instead of mixed from its neighbours."""
SUBTEXEL, AT_ONCE = 6, 1 << 12
"""Bits of a texel's parts, and triangles, that are drawn together."""


@dataclass(frozen=True)
class TextureLayout:
    """Rectangles of a texture: which surface each shows, and which part of the photo's frame.

    Places in the photo are parts of its height and width, from 0 (top, left) to 1; below and above lies the border. So they stay
    comparable where the photo or the working grid gets another size.
    """

    size: tuple[int, int]  # rows and columns of the texture
    surface: np.ndarray  # (n,) int64: the layer's number, SKIRT, or BACKDROP and below; FRONT and BACK at soft silhouettes
    texels: np.ndarray  # (n, 4) int64: row, column, height, width of each rectangle
    photo: np.ndarray  # (n, 4) float64: top, left, bottom, right of the same rectangle in the photo
    padding: int = 0  # texels round each rectangle that repeat its surroundings

    def values(self) -> dict:
        """The same as plain values, for JSON."""
        return {
            "size": list(self.size),
            "padding": self.padding,
            "places": [[s, *t, *p] for s, t, p in zip(self.surface.tolist(), self.texels.tolist(), self.photo.tolist(), strict=True)],
        }

    @staticmethod
    def from_values(values: object) -> TextureLayout | None:
        """What `values` gave; None where that is damaged."""
        try:
            height, width = (int(n) for n in values["size"])  # type: ignore[index]
            padding, places = int(values["padding"]), np.array(values["places"], np.float64).reshape(-1, 9)  # type: ignore[index]
            texels = places[:, 1:5].astype(np.int64)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        inside = np.isfinite(places).all() and (texels >= 0).all() and (texels[:, 2:] > 0).all()
        if not inside or (texels[:, :2] + texels[:, 2:] > (height, width)).any() or (places[:, 7:] <= places[:, 5:7]).any():
            return None
        return TextureLayout((height, width), places[:, 0].astype(np.int64), texels, places[:, 5:], max(0, padding))

    def equals(self, other: TextureLayout) -> bool:
        """Whether every texel lies where it does in the other."""
        pairs = (self.surface, other.surface), (self.texels, other.texels), (self.photo, other.photo)
        return self.size == other.size and all(np.array_equal(a, b) for a, b in pairs)

    def with_places(self, more: TextureLayout) -> TextureLayout:
        """The same texture with the rectangles of both."""
        surface, texels = np.concatenate([self.surface, more.surface]), np.concatenate([self.texels, more.texels])
        return TextureLayout(self.size, surface, texels, np.concatenate([self.photo, more.photo]), self.padding)


@dataclass(frozen=True)
class PaintedTexels:
    """What was painted on a texture."""

    mask: np.ndarray  # (H, W) bool
    colour: np.ndarray  # (H, W, 3 or 4) float32: sRGB-encoded, or linear; meaningless where nothing was painted
    is_linear: bool = False

    def colours(self, linear: bool) -> np.ndarray:
        """`colour` as linear values, or sRGB-encoded ones; alpha stays."""
        if linear == self.is_linear:
            return self.colour
        result = self.colour.copy()
        result[..., :3] = linear_from_srgb(result[..., :3]) if linear else srgb_from_linear(np.clip(result[..., :3], 0, 1))
        return result


def layout_of_boxes(size, surface, texels, photo_boxes, frame, padding: int) -> TextureLayout:
    """A layout from boxes (top, left, bottom, right) of a grid on which the photo's `frame` is top, left, height, width."""
    top, left, height, width = frame
    boxes = np.array(photo_boxes, np.float64).reshape(-1, 4)
    photo = (boxes - (top, left, top, left)) / (height, width, height, width)
    return TextureLayout(
        (int(size[0]), int(size[1])), np.array(surface, np.int64), np.array(texels, np.int64).reshape(-1, 4), photo, padding
    )


def layout_of_photo(height: int, width: int) -> TextureLayout:
    """The photo as a texture of its own."""
    return layout_of_boxes((height, width), [0], [(0, 0, height, width)], [(0, 0, height, width)], (0, 0, height, width), 0)


def shown_texels(uvs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: the texels that triangles with the texture coordinates (T, 3, 2) show, those at their rim with them."""
    import cv2

    shown = np.zeros(size, np.uint8)
    corners = np.stack([uvs[..., 0] * size[1] - 0.5, (1 - uvs[..., 1]) * size[0] - 0.5], axis=2)
    fixed = np.rint(np.clip(corners, -1e4, 1e5) * 2**SUBTEXEL).astype(np.int32)
    for start in range(0, len(fixed), AT_ONCE):
        cv2.fillPoly(shown, list(fixed[start : start + AT_ONCE]), (1,), lineType=cv2.LINE_8, shift=SUBTEXEL)
    return shown > 0


def carry_over(
    painted: PaintedTexels, old: TextureLayout, new: TextureLayout, was_shown: np.ndarray | None = None, shown: np.ndarray | None = None
) -> tuple[PaintedTexels, np.ndarray]:
    """What was painted on a texture with the `old` layout, laid out as the `new` one; and (H, W) bool: what has no place there.

    A painted texel goes to the same place of the photo on the same surface. Where both layouts have the same texels a pixel it is
    copied as it is; else it is resampled. What was painted between the rectangles, where no surface shows it, is dropped.
    Rectangles are larger than the surfaces: `was_shown` and `shown`, (H, W) bool of either texture, tell which texels surfaces
    show. What was shown and lies more than a texel outside of what is shown now has no place, though the texture holds it.
    """
    left = painted.mask & _within(old)
    if was_shown is not None:
        left &= was_shown | ~_within(old, was_shown)
    near = None if shown is None else grow_mask(shown)
    if old.equals(new):
        return painted, np.zeros(old.size, bool) if near is None else left & ~near
    mask, colour = np.zeros(new.size, bool), np.zeros((*new.size, painted.colour.shape[2]), np.float32)
    sheets = {int(s): sheet for s in np.unique(old.surface) if (sheet := _gather(painted, old, int(s))) is not None}
    for padding in (new.padding, 0):  # what is shown is laid last, over what only surrounds it
        for s, sheet in sheets.items():
            for at in np.flatnonzero(new.surface == s):
                _lay(sheet, new.texels[at], new.photo[at], padding, mask, colour)
    for s, sheet in sheets.items():
        for at in np.flatnonzero(new.surface == s):
            sheet.cover(new.photo[at], new.texels[at], near)
        for at in np.flatnonzero(old.surface == s):
            for texels, cells in sheet.shared(old.texels[at], old.photo[at], 0, old.size):
                left[texels] &= ~sheet.covered[cells]
    return PaintedTexels(mask, colour, painted.is_linear), left


def _within(layout: TextureLayout, chosen: np.ndarray | None = None) -> np.ndarray:
    """(H, W) bool: the texels of the rectangles, without what surrounds them; of those alone that hold a `chosen` one."""
    inside = np.zeros(layout.size, bool)
    for row, column, height, width in layout.texels:
        box = slice(row, row + height), slice(column, column + width)
        inside[box] = chosen is None or chosen[box].any()
    return inside


def grow_mask(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: the mask and the texels beside it."""
    import cv2

    return cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0


@dataclass
class _Sheet:
    """The painted part of one surface as a picture without gaps, a cell for each texel."""

    mask: np.ndarray  # (h, w) bool
    colour: np.ndarray  # (h, w, channels) float32
    corner: np.ndarray  # (2,) top and left in parts of the photo
    cell: np.ndarray  # (2,) height and width of a cell, in the same
    covered: np.ndarray  # (h, w) bool: what has a place in the new layout

    def shared(self, texels, photo, padding: int, size: tuple[int, int]) -> Iterator[tuple[tuple, tuple]]:
        """The part of a rectangle on this grid that the sheet has: the texture's slices and the sheet's; nothing without."""
        first = np.rint((photo[:2] - self.corner) / self.cell).astype(int) - padding
        low, high = texels[:2] - padding, texels[:2] + texels[2:] + padding
        start = np.maximum(np.maximum(low, 0), low - first)
        stop = np.minimum(np.minimum(high, size), low - first + self.mask.shape)
        if (stop > start).all():
            there = start - low + first
            yield (
                tuple(slice(a, b) for a, b in zip(start, stop, strict=True)),
                tuple(slice(a, a + n) for a, n in zip(there, stop - start, strict=True)),
            )

    def cover(self, box: np.ndarray, texels: np.ndarray, shown: np.ndarray | None) -> None:
        """Marks the cells whose middle lies in that box of the photo, and of its `texels` on one that is `shown`, (H, W) bool."""
        low = np.ceil((box[:2] - self.corner) / self.cell - 0.5 - EXACT).astype(int)
        high = np.ceil((box[2:] - self.corner) / self.cell - 0.5 - EXACT).astype(int)
        (top, left), (bottom, right) = np.maximum(low, 0), np.maximum(high, 0)
        covered = self.covered[top:bottom, left:right]
        if shown is None or not covered.size:
            covered[:] = True
            return
        at = []
        for axis, (start, count) in enumerate(zip((top, left), covered.shape, strict=True)):
            places = self.corner[axis] + (start + 0.5 + np.arange(count)) * self.cell[axis]
            part = (places - box[axis]) / (box[axis + 2] - box[axis])
            at.append(texels[axis] + np.clip(np.floor(part * texels[axis + 2]).astype(int), 0, texels[axis + 2] - 1))
        covered |= shown[np.ix_(*at)]


def _gather(painted: PaintedTexels, layout: TextureLayout, surface: int) -> _Sheet | None:
    """The painted part of a surface; None where nothing was painted on it."""
    own = np.flatnonzero(layout.surface == surface)
    texels, photo = layout.texels[own], layout.photo[own]
    cell = (photo[0, 2:] - photo[0, :2]) / texels[0, 2:]
    low, high = [], []
    for each, box in zip(texels, photo, strict=True):
        corner = np.maximum(each[:2] - layout.padding, 0)
        end = each[:2] + each[2:] + layout.padding
        rows, columns = np.nonzero(painted.mask[corner[0] : end[0], corner[1] : end[1]])
        if len(rows):
            first = np.rint((box[:2] - photo[0, :2]) / cell).astype(int) + corner - each[:2]
            low.append(first + (rows.min(), columns.min()))
            high.append(first + (rows.max() + 1, columns.max() + 1))
    if not low:
        return None
    start, shape = np.min(low, axis=0), np.max(high, axis=0) - np.min(low, axis=0)
    sheet = _Sheet(
        np.zeros(shape, bool), np.zeros((*shape, painted.colour.shape[2]), np.float32), photo[0, :2] + start * cell, cell,
        np.zeros(shape, bool),
    )  # fmt: skip
    for padding in (layout.padding, 0):  # a rectangle's own texels count for more than another's repetition of them
        for each, box in zip(texels, photo, strict=True):
            for there, here in sheet.shared(each, box, padding, layout.size):
                sheet.mask[here], sheet.colour[here] = painted.mask[there], painted.colour[there]
    return sheet


def _lay(sheet: _Sheet, texels, photo, padding: int, mask: np.ndarray, colour: np.ndarray) -> None:
    """Writes what the sheet has for a rectangle, with the padding round it, into a texture's mask and colour."""
    step = (photo[2:] - photo[:2]) / texels[2:] / sheet.cell  # of a texel, in cells
    first = (photo[:2] - sheet.corner) / sheet.cell + 0.5 * step - 0.5
    start, stop = np.full(2, -padding), texels[2:] + padding
    start = np.maximum(start, np.ceil((-0.5 - first) / step - EXACT).astype(int))
    stop = np.minimum(stop, np.floor((np.array(sheet.mask.shape) - 0.5 - first) / step + EXACT).astype(int) + 1)
    start, stop = np.maximum(start, -texels[:2]), np.minimum(stop, np.array(mask.shape) - texels[:2])
    if (stop <= start).any():
        return
    into = tuple(slice(a, b) for a, b in zip(texels[:2] + start, texels[:2] + stop, strict=True))
    rows, columns = (first[i] + step[i] * np.arange(start[i], stop[i]) for i in (0, 1))
    if all(np.abs(places - np.rint(places)).max() < EXACT for places in (rows, columns)) and (np.abs(step - 1) < EXACT).all():
        r, c = np.rint(rows).astype(int), np.rint(columns).astype(int)
        keep = (r >= 0) & (r < sheet.mask.shape[0]), (c >= 0) & (c < sheet.mask.shape[1])
        into = tuple(slice(s.start + int(k.argmax()), s.start + int(k.argmax()) + int(k.sum())) for s, k in zip(into, keep, strict=True))
        chosen = np.ix_(r[keep[0]], c[keep[1]])
        painted, values = sheet.mask[chosen], sheet.colour[chosen]
    else:
        painted, values = _resample(sheet, rows, columns, step)
    mask[into] = painted
    colour[into] = values


def _resample(sheet: _Sheet, rows: np.ndarray, columns: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask and colour at places in cells, mixed from what is painted alone, where that is at least half."""
    import cv2

    weight = sheet.mask.astype(np.float32)
    both = np.dstack([sheet.colour * weight[..., None], weight])
    side = tuple(int(max(1, round(s))) for s in step[::-1])
    both = cv2.blur(both, side, borderType=cv2.BORDER_CONSTANT) if max(side) > 1 else both
    x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    both = cv2.remap(both, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    both = both.reshape(*x.shape, -1)
    return both[..., -1] >= 0.5, both[..., :-1] / np.maximum(both[..., -1:], 1e-6)
