"""The layered depth image (LDI): several surfaces per pixel, with links between neighbours of the same surface.

The links are the explicit local connectivity of Shih et al. 2020, section 3.1: a pixel has at most one neighbour in each of four
directions, and none across a depth discontinuity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

RIGHT, LEFT, DOWN, UP = range(4)
STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""Row and column step to the neighbour on each side."""
OPPOSITE = (LEFT, RIGHT, UP, DOWN)
PHOTO, INVENTED, FRONT, BACK = range(4)
"""What a pixel shows: the photo, what was invented, or at a soft silhouette the foreground with alpha or what lies behind it."""

ADDED_ROLE = "added"
"""First word of the role of a surface that came in as a layer of its own; its name follows."""


@dataclass(frozen=True)
class Layer:
    """One sheet of pixels on the canvas, with links to the neighbours that belong to the same surface.

    A neighbour may be on another layer: a hidden surface continues in the photo beside its occluder. So a link holds the number of
    the neighbour's layer; -1 means cut, or no pixel there. Links are mutual, one per side.
    """

    present: np.ndarray  # (h, w) bool
    synthesised: np.ndarray  # (h, w) bool, part of `present`: invented, not photographed
    disparity: np.ndarray  # (h, w) float32, 1/m; meaningless where not present
    colour: np.ndarray  # (h, w, 3) float32, sRGB-encoded; meaningless where not present
    links: np.ndarray  # (4, h, w) int8: layer of the linked pixel on the right, left, down, up; -1 without
    soft: np.ndarray | None = None  # (h, w) uint8: FRONT or BACK at soft silhouettes, 0 elsewhere; None without any
    part: np.ndarray | None = None  # (h, w) uint8: the part it was split off into (core/layers/parts.py); None where nothing was
    name: str = ""  # of a surface that came in as a layer of its own (core/layer_edits/edited_layers.py); "" for what we made
    number: int = 0  # of such a surface, from 1

    @property
    def shown(self) -> np.ndarray:
        """(h, w) uint8: PHOTO, INVENTED, FRONT or BACK, where present."""
        plain = self.synthesised.astype(np.uint8)
        return plain if self.soft is None else np.where(self.soft > 0, self.soft, plain)


@dataclass(frozen=True)
class LayeredDepthImage:
    """Layers on one canvas: the photo's surface first, then what it hides, then what that hides."""

    layers: tuple[Layer, ...]
    frame: tuple[int, int, int, int]  # top, left, height, width of the photo within the canvas, working pixels
    threshold: float  # jump of disparity at which surfaces are torn, 1/m
    span: float  # range of disparity of the photo, 1/m
    estimated: bool = False  # torn at steps that were found in soft depth: a tear may end before its silhouette does
    see_through: np.ndarray | None = None  # (h, w) bool: the photo is not opaque, so nothing is invented behind; None without
    normals: np.ndarray | None = None  # (h, w, 3) float32: of the first layer, as `DepthMap` has them; None where only depth tells
    skirt: int = 0  # the layer in which foregrounds go on over what is behind, to end softly; 0 without
    cards: tuple[tuple[str, tuple[float, ...]], ...] = ()  # role of a surface laid on a card, and that (core/layer_edits/cards.py)

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.layers[0].present.shape
        return rows, columns

    @property
    def long_side(self) -> int:
        """Of the photo on the working grid: the length that widths are parts of."""
        return max(self.frame[2:])


def neighbour(array: np.ndarray, side: int, outside) -> np.ndarray:
    """For each pixel the value of `array` (h, w) at its neighbour on that side; `outside` beyond the canvas.

    >>> neighbour(np.array([[1, 2, 3]]), RIGHT, 0).tolist()
    [[2, 3, 0]]
    """
    result = np.full_like(array, outside)
    rows, columns = STEPS[side]
    here = tuple(slice(None, -1) if d > 0 else slice(1, None) if d < 0 else slice(None) for d in (rows, columns))
    there = tuple(slice(1, None) if d > 0 else slice(None, -1) if d < 0 else slice(None) for d in (rows, columns))
    result[here] = array[there]
    return result


def neighbour_indices(pixels: np.ndarray, side: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the neighbours on that side, and a mask of those on the canvas (others: unchanged)."""
    rows, columns = STEPS[side]
    r, c = np.divmod(pixels, shape[1])
    inside = (r + rows >= 0) & (r + rows < shape[0]) & (c + columns >= 0) & (c + columns < shape[1])
    return pixels + np.where(inside, rows * shape[1] + columns, 0), inside


def mutual_links(right: np.ndarray, down: np.ndarray, layer: int) -> np.ndarray:
    """Links within one layer, (4, h, w) int8, from the two arrays of bool."""
    sides = (right, neighbour(right, LEFT, False), down, neighbour(down, UP, False))
    return np.where(np.stack(sides), np.int8(layer), np.int8(-1))


def remove_pixels(layers: Sequence[Layer], k: int, gone: np.ndarray) -> list[Layer]:
    """Layers of which the `k`th has lost the pixels `gone`, (h, w) bool, with every link from and to them."""
    result = []
    for j, layer in enumerate(layers):
        links = layer.links.copy()
        for side in range(4):
            links[side][(links[side] == k) & neighbour(gone, side, False)] = -1
        if j == k:
            links[:, gone] = -1
            layer = replace(layer, present=layer.present & ~gone, synthesised=layer.synthesised & ~gone)
        result.append(replace(layer, links=links))
    return result
