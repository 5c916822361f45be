"""Vertices: the corners of the pixel grid, one for every surface that meets there.

A pixel is a square between four corners, so the squares of the photo's surface cover the picture exactly, with or without cuts. At
a corner, linked pixels share one vertex at the mean of their disparities; a cut gives each side its own. Most corners are
regular, all four pixels linked within their layer, and need no search; the few others are joined as a graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layers.discontinuities import torn_segments
from ..layers.layered_depth_image import DOWN, RIGHT, LayeredDepthImage

TL, TR, BL, BR = range(4)
SLOT_STEP = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column step from a pixel to the corner of each of its four slots."""
MAX_SMOOTHING = 0.35
SMOOTHING_ROUNDS = 4
CHAIN = 3
"""Surfaces that meet in one corner, each before the next, at the most."""
NUDGE = (0.0031, 0.0047)
"""Rows and columns of corners stand this far off the pixel grid, in pixels, UVs with them.

Renderers may let a ray through that meets a vertex exactly; so no vertex stays where the centre of a photo's pixel can be.
"""


@dataclass(frozen=True)
class Slots:
    """The vertices at the four corners of a layer's pixels: regular ones follow from their place, the few others are listed.

    An array of all would be the largest thing of a diorama.
    """

    first: int  # number of the layer's first regular vertex
    odd: np.ndarray  # (4, h, w) bool: irregular, at top left, top right, bottom left, bottom right
    at: np.ndarray  # (n,) int64: flat indices of those, sorted
    vertex: np.ndarray  # (n,) int32: their numbers

    def __getitem__(self, place: tuple[int, np.ndarray, np.ndarray]) -> np.ndarray:
        """(n,) int32: the vertices at one slot of pixels, by rows and columns."""
        slot, row, column = place
        _, h, w = self.odd.shape
        down, right = SLOT_STEP[slot]
        number = (self.first + (row + down) * (w + 1) + column + right).astype(np.int32)
        odd = np.flatnonzero(self.odd[slot, row, column])
        number[odd] = self.vertex[np.searchsorted(self.at, (slot * h + row[odd]) * w + column[odd])]
        return number


@dataclass(frozen=True)
class Vertices:
    """Vertex numbers for each pixel's four corners on each layer, and what the vertices are.

    Numbers below len(layers) * corners are regular: layer * corners + corner index; irregular ones follow.
    """

    slots: tuple[Slots, ...]  # per layer
    regular: tuple[np.ndarray, ...]  # per layer (h + 1, w + 1) bool
    disparity: tuple[np.ndarray, ...]  # per layer (h + 1, w + 1) float32, right at regular corners
    irregular_corner: np.ndarray  # (n,) int32: corner index of each irregular vertex
    irregular_disparity: np.ndarray  # (n,) float32
    offset: np.ndarray  # (corners, 2) float32: shift of row and column of irregular ones, px, large along silhouettes only
    nudge: np.ndarray  # (corners, 2) float32: the same of regular ones, tiny; a hidden layer's lie beneath silhouettes too

    @property
    def count(self) -> int:
        """How many numbers there are, used or not."""
        return len(self.regular) * self.regular[0].size + len(self.irregular_corner)

    def corner(self, vertex: np.ndarray) -> np.ndarray:
        """(n,) int32: the corner of the pixel grid at which vertices stand, by number."""
        size = self.regular[0].size
        odd = vertex >= len(self.regular) * size
        corner = np.where(odd, 0, vertex % size).astype(np.int32)
        corner[odd] = self.irregular_corner[vertex[odd] - len(self.regular) * size]
        return corner

    def place(self, vertex: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column (float64, canvas corners) and disparity of vertices by number."""
        count = self.regular[0].size
        first = len(self.regular) * count
        odd, corner = vertex >= first, self.corner(vertex)
        disparity = np.empty(len(vertex), np.float32)
        for k, values in enumerate(self.disparity):
            own = ~odd & (vertex // count == k)
            disparity[own] = values.ravel()[corner[own]]
        disparity[odd] = self.irregular_disparity[vertex[odd] - first]
        row, column = np.divmod(corner, self.regular[0].shape[1])
        shift = np.where(odd[:, None], self.offset[corner], self.nudge[corner])
        return row + shift[:, 0].astype(np.float64), column + shift[:, 1].astype(np.float64), disparity


def find_vertices(image: LayeredDepthImage) -> Vertices:
    """The vertices of all layers, shared wherever pixels are linked."""
    regular, disparity = zip(*(_regular(layer, k) for k, layer in enumerate(image.layers)), strict=True)
    h, w = image.shape
    corner_count = (h + 1) * (w + 1)
    slots = []
    odd = _irregular_slots(image, regular)
    irregular = [np.flatnonzero(each) for each in odd]
    label, count = _join(image, irregular)
    corner_of = np.zeros(count, np.int32)
    values = np.concatenate([layer.disparity.ravel()[own % (h * w)] for layer, own in zip(image.layers, irregular, strict=True)])
    members = np.maximum(np.bincount(label, minlength=count), 1)
    mean = np.bincount(label, weights=values, minlength=count) / members
    start = 0
    for k, own in enumerate(irregular):
        mine = label[start : start + len(own)]
        start += len(own)
        slot, pixel = np.divmod(own, h * w)
        r, c = np.divmod(pixel, w)
        step = np.array(SLOT_STEP)[slot]
        corner_of[mine] = (r + step[:, 0]) * (w + 1) + c + step[:, 1]
        slots.append(Slots(k * corner_count, odd[k], own, (len(image.layers) * corner_count + mine).astype(np.int32)))
    values = _keep_vertices_behind_occluders(image, slots, np.concatenate([d.ravel() for d in disparity] + [mean.astype(np.float32)]))
    *disparity, mean = np.split(values, np.arange(1, len(disparity) + 1) * corner_count)
    disparity = tuple(d.reshape(h + 1, w + 1) for d in disparity)
    nudge = _nudges(image)
    return Vertices(tuple(slots), regular, disparity, corner_of, mean, nudge + _smooth_silhouettes(image), nudge)


def _keep_vertices_behind_occluders(image: LayeredDepthImage, slots, values: np.ndarray) -> np.ndarray:
    """Disparity by vertex, lowered where the mean of pixels would bring a hidden vertex in front of its occluder."""
    behind = np.float32(image.threshold / 8)
    pairs = []
    for k in range(1, image.skirt or len(image.layers)):
        hidden, before = image.layers[k].present, k - 1
        if image.layers[k].number:  # added by hand: where it lies behind the photo, it stays there
            hidden, before = hidden & image.layers[0].present & (image.layers[k].disparity < image.layers[0].disparity), 0
        front, own = _all_slots(slots[before], hidden), _all_slots(slots[k], hidden)
        apart = front != own
        pairs.append((front[apart], own[apart]))
    for _ in range(CHAIN):  # what is lowered may hide something itself
        for front, own in pairs:
            np.minimum.at(values, own, np.maximum(values[front] - behind, values[front] / 2))
    if image.skirt:  # in front of the photo's surface, as the hidden layers are behind it
        over = image.layers[image.skirt].present
        own, below = _all_slots(slots[image.skirt], over), _all_slots(slots[0], over)
        apart = own != below
        np.maximum.at(values, own[apart], values[below[apart]] + behind)
    return values


def _regular(layer, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(h + 1, w + 1) bool: all pixels round the corner linked within the layer; and their mean disparity.

    Beyond the canvas the outermost pixels count again, so its rim is regular as well.
    """
    pad = ((1, 1), (1, 1))
    present = np.pad(layer.present, pad, mode="edge")
    right = np.pad(layer.links[RIGHT] == k, pad, mode="edge")
    down = np.pad(layer.links[DOWN] == k, pad, mode="edge")
    right[:, 0], right[:, -2:] = True, True
    down[0], down[-2:] = True, True
    regular = present[:-1, :-1] & present[1:, :-1] & present[:-1, 1:] & present[1:, 1:]
    regular &= right[:-1, :-1] & right[1:, :-1] & down[:-1, :-1] & down[:-1, 1:]
    d = np.pad(layer.disparity, pad, mode="edge")
    return regular, (d[:-1, :-1] + d[1:, :-1] + d[:-1, 1:] + d[1:, 1:]) * np.float32(0.25)


def _all_slots(slots: Slots, where: np.ndarray) -> np.ndarray:
    """(4, n) int32: all vertices of the pixels where (h, w) `where` is true."""
    row, column = np.nonzero(where)
    return np.stack([slots[slot, row, column] for slot in range(4)])


def _irregular_slots(image: LayeredDepthImage, regular) -> list[np.ndarray]:
    """Per layer (4, h, w) bool: slots at irregular corners."""
    h, w = image.shape
    result = []
    for layer, fine in zip(image.layers, regular, strict=True):
        result.append(np.stack([layer.present & ~fine[r : r + h, c : c + w] for r, c in SLOT_STEP]))
    return result


def _join(image: LayeredDepthImage, irregular: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Labels of the irregular slots of all layers in order: equal where linked pixels share the corner."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    h, w = image.shape
    pixels = h * w
    first = np.cumsum([0, *(len(own) for own in irregular)])
    start, end = [], []
    for k, own in enumerate(irregular):
        slot, pixel = np.divmod(own, pixels)
        # to the right: my right corners are its left ones; downwards: my bottom corners are its top ones
        for side, step, pairs in ((RIGHT, 1, ((TR, TL), (BR, BL))), (DOWN, w, ((BL, TL), (BR, TR)))):
            link = image.layers[k].links[side].ravel()
            for mine, its in pairs:
                at = np.flatnonzero(slot == mine)
                to = link[pixel[at]]
                at, to = at[to >= 0], to[to >= 0]
                other = its * pixels + pixel[at] + step
                for j in np.unique(to):
                    there = to == j
                    found = np.searchsorted(irregular[j], other[there])
                    start.append(first[k] + at[there])
                    end.append(first[j] + found)
    total = int(first[-1])
    if total == 0:
        return np.zeros(0, np.int32), 0
    ends = tuple(np.concatenate(found) if found else np.zeros(0, int) for found in (start, end))
    count, label = connected_components(coo_matrix((np.ones(len(ends[0]), bool), ends), shape=(total,) * 2), directed=False)
    return label, count


def _smooth_silhouettes(image: LayeredDepthImage) -> np.ndarray:
    """(corners, 2) float32 shifts that make the photo's silhouettes smooth lines instead of stairs of pixels.

    Corners where exactly two cut segments meet move towards the middle of their neighbours along the cut. Every surface at a corner
    moves with it, and so does its UV, so the picture from the photo's camera stays the same.
    """
    h, w = image.shape
    offset = np.zeros(((h + 1) * (w + 1), 2), np.float32)
    layer = image.layers[0]
    # a link into a hidden layer is a tear of the photo's surface too
    torn_right, torn_down = layer.links[RIGHT] == 0, layer.links[DOWN] == 0
    (_, a0, a1), (_, b0, b1) = torn_segments(torn_right, torn_down)
    start, end = np.concatenate([a0, b0]), np.concatenate([a1, b1])
    if len(start) == 0:
        return offset
    corners, index = np.unique(np.concatenate([start, end]), return_inverse=True)
    start, end = index[: len(start)], index[len(start) :]
    row, column = np.divmod(corners, w + 1)
    grid = np.stack([row, column], axis=1).astype(np.float64)
    top, left, height, width = image.frame
    fixed = np.bincount(np.concatenate([start, end]), minlength=len(corners)) != 2
    fixed |= np.isin(row, (0, h, top, top + height)) | np.isin(column, (0, w, left, left + width))
    place = grid.copy()
    for _ in range(SMOOTHING_ROUNDS):
        total = np.zeros_like(place)
        for axis in (0, 1):
            total[:, axis] = np.bincount(start, place[end, axis], len(corners)) + np.bincount(end, place[start, axis], len(corners))
        moved = 0.5 * place + 0.25 * total
        place = np.where(fixed[:, None], grid, np.clip(moved, grid - MAX_SMOOTHING, grid + MAX_SMOOTHING))
    offset[corners] = place - grid
    return offset


def _nudges(image: LayeredDepthImage) -> np.ndarray:
    """(corners, 2) float32: NUDGE everywhere but on the photo's frame and the canvas's rim, which stay straight lines."""
    h, w = image.shape
    top, left, height, width = image.frame
    rows, columns = np.full(h + 1, NUDGE[0], np.float32), np.full(w + 1, NUDGE[1], np.float32)
    rows[[0, top, top + height, h]] = 0
    columns[[0, left, left + width, w]] = 0
    return np.stack(np.broadcast_arrays(rows[:, None], columns), axis=2).reshape(-1, 2)
