"""The backdrop: one smooth sheet behind everything, so that a gap shows a plausible colour and never the empty world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layers.layered_depth_image import LayeredDepthImage
from ..raster.push_pull import push_pull
from .texture_layout import BACKDROP, TextureLayout, layout_of_boxes

RADIUS = 0.07
"""Radius, part of the long side: the sheet lies behind everything within it, and takes its colours from the farthest there."""
CELL, TEXEL = 48, 4
"""Pixels along a cell of its mesh and along a texel: it is seen through small gaps, or far beside a foreground."""
APRON, FADE = 0.25, 12
"""How far the sheet goes on all round the canvas, as a part of the long side: no move of amount 2 sees past it, however
near the edge is. So wide a rim is one cell, with few texels of what fades into the mean colour of the sides."""


@dataclass(frozen=True)
class Backdrop:
    """A sheet over the whole canvas and an apron all round it, on grids of its own."""

    disparity: np.ndarray  # (rows + 1, columns + 1) float32 at the corners of the cells, 1/m; the outermost cells are the apron
    colour: np.ndarray  # (h', w', 3) float32, sRGB-encoded; the outermost `FADE` texels are the apron

    @property
    def triangle_count(self) -> int:
        return 2 * (self.disparity.shape[0] - 1) * (self.disparity.shape[1] - 1)

    def corners(self, shape: tuple[int, ...], long_side: int) -> tuple[np.ndarray, np.ndarray]:
        """(rows + 1,) and (columns + 1,): places of the cells' corners in pixels of a canvas of that shape."""
        rows, columns = (_add_apron(np.linspace(0, n, m - 2), APRON * long_side)
                         for n, m in zip(shape, self.disparity.shape, strict=True))  # fmt: skip
        return rows, columns

    def texels(self) -> tuple[np.ndarray, np.ndarray]:
        """The same in texels of `colour`."""
        rows, columns = (_add_apron(np.linspace(FADE, n - FADE, m - 2), FADE)
                         for n, m in zip(self.colour.shape, self.disparity.shape, strict=False))  # fmt: skip
        return rows, columns

    def layout(self, image: LayeredDepthImage, corner: tuple[int, int], size: tuple[int, int], padding: int) -> TextureLayout:
        """Where its texels lie in the photo, on a texture of that size that has them from `corner` on: the middle, and eight
        parts of the apron, each stretched in its own way."""
        photo: list[tuple[float, ...]] = []
        texels: list[tuple[int, ...]] = []
        surface: list[int] = []
        ends = [[places[i] for i in (0, 1, -2, -1)] for places in self.corners(image.shape, image.long_side)]
        lines = [[int(places[i]) for i in (0, 1, -2, -1)] for places in self.texels()]
        for i in range(3):
            for j in range(3):
                photo.append((ends[0][i], ends[1][j], ends[0][i + 1], ends[1][j + 1]))
                row, column = lines[0][i], lines[1][j]
                texels.append((corner[0] + row, corner[1] + column, lines[0][i + 1] - row, lines[1][j + 1] - column))
                surface.append(BACKDROP - len(surface))
        return layout_of_boxes(size, surface, texels, photo, image.frame, padding)


def _add_apron(places: np.ndarray, width: float) -> np.ndarray:
    return np.concatenate([places[:1] - width, places, places[-1:] + width])


def lay_backdrop(image: LayeredDepthImage) -> Backdrop:
    """The sheet behind an inpainted image.

    Inpainted surfaces end: after the last pass, one hidden width behind each silhouette, at single leftover pixels beside ragged
    silhouettes, and outside the border.
    """
    import cv2

    h, w = image.shape
    farthest, colour = farthest_surface(image)
    size = -(-w // TEXEL), -(-h // TEXEL)
    texels = np.pad(farthest, ((0, -h % TEXEL), (0, -w % TEXEL)), mode="edge")
    least = texels.reshape(size[1], TEXEL, size[0], TEXEL).min(axis=(1, 3))  # so that nothing thin is lost
    reach = max(CELL // TEXEL, round(RADIUS * image.long_side / TEXEL))
    near = cv2.erode(least, np.ones((2 * reach + 1,) * 2, np.uint8), borderType=cv2.BORDER_REPLICATE)
    source = least <= near + 2 * image.threshold
    painted = push_pull(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), source)
    rim = ((FADE, FADE), (FADE, FADE))
    painted = push_pull(np.pad(painted, (*rim, (0, 0))), np.pad(np.ones(painted.shape[:2], bool), rim))
    return Backdrop(np.pad(_behind(least, reach, image), 1, mode="edge"), painted)


def farthest_surface(image: LayeredDepthImage) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) disparity and (h, w, 3) colour of the last surface at each pixel."""
    import cv2

    first = image.layers[0]
    disparity, colour = first.disparity.copy(), first.colour.copy()
    for layer in image.layers[1:]:
        behind = (layer.present & (layer.disparity < disparity)).view(np.uint8)
        cv2.copyTo(layer.disparity, behind, disparity)
        cv2.copyTo(layer.colour, behind, colour)
    return disparity, colour


def _behind(least: np.ndarray, reach: int, image: LayeredDepthImage) -> np.ndarray:
    """(rows + 1, columns + 1) float32 disparity at the corners of the cells, smooth and everywhere behind `least`.

    The mean over one reach of the minimum within two is nowhere above any value within one reach; a cell is narrower, so triangles
    between its corners stay behind as well.
    """
    import cv2

    lowest = least
    for shape in ((4 * reach + 1, 1), (1, 4 * reach + 1)):
        lowest = cv2.erode(lowest, np.ones(shape, np.uint8), borderType=cv2.BORDER_REPLICATE)
    smooth = cv2.blur(lowest, (2 * reach + 1,) * 2, borderType=cv2.BORDER_REPLICATE)
    h, w = image.shape
    rows, columns = (np.linspace(0, n - 1, -(-m // CELL) + 1).round().astype(int) for n, m in zip(least.shape, (h, w), strict=True))
    floor = float(least.min()) / 2
    return np.maximum(smooth[np.ix_(rows, columns)] - image.threshold / 2, floor).astype(np.float32)
