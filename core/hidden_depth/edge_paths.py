"""Linked depth edges, and paths along the edge network's prediction where they continue behind a foreground.

Shih et al. 2020, section 3.3, as in its released code: where an earlier depth edge touches a synthesis region, the edge network
extends it, and its prediction is thinned to a shortest path. The near path belongs to the nearer surface; the far path lies beside
it on the farther surface; the links between the two are cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from ..layers.layered_depth_image import STEPS, Layer, LayeredDepthImage

PUBLISHED_EDGE_THRESHOLD = 0.002
"""Any response above this counts (`ext_edge_threshold` of the released code): the network's answers are tiny nearly everywhere."""
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Row and column steps to the eight neighbours, clockwise in the picture."""
MIN_PATH = 2
GAP, LONG = 5, 10
"""Two edges that meet leave this many pixels between their paths where these have more than so many (released code)."""
SIDE_REACH = 3
"""The side on which the farther surface lies is looked up this many pixels around an edge's end."""


@dataclass(frozen=True)
class EdgeEnd:
    """Where a depth edge of the context meets the silhouette that hides how it goes on."""

    pixel: tuple[int, int]  # row and column of the edge's last pixel, on its nearer surface, outside the synthesis region
    away: tuple[float, float]  # row and column direction to the farther surface
    near: float  # disparity of the nearer surface there, 1/m
    far: float  # disparity of the farther one, 1/m


@dataclass(frozen=True)
class EdgePath:
    """A depth edge continued into a synthesis region."""

    near: tuple[tuple[int, int], ...]  # 8-connected pixels of the nearer surface, from the end that they continue
    torn: tuple[tuple[tuple[int, int], tuple[int, int]], ...]  # pairs of a near pixel and the far pixel beside it
    end: EdgeEnd


def find_ends(touching: np.ndarray, labels: np.ndarray, image: LayeredDepthImage) -> list[EdgeEnd]:
    """One end for each place at which a depth edge of the last layer touches the silhouette that is being filled behind.

    `touching` (h, w) bool are the touching pixels, `labels` (h, w) the depth edges. An end is left out where its farther side cannot
    be determined.
    """
    import cv2

    layer, ends = image.layers[-1], []
    for label in np.unique(labels[touching]):
        rows, columns = np.nonzero(touching & (labels == label))
        top, left = rows.min(), columns.min()
        patch = np.zeros((rows.max() - top + 1, columns.max() - left + 1), np.uint8)
        patch[rows - top, columns - left] = 1
        count, place = cv2.connectedComponents(patch, connectivity=8)
        for number in range(1, count):
            r, c = np.argwhere(place == number)[0] + (top, left)
            end = _make_end(int(r), int(c), labels == label, layer)
            if end is not None:
                ends.append(end)
    return ends


def _make_end(row: int, column: int, edge: np.ndarray, layer: Layer) -> EdgeEnd | None:
    """The end at that pixel; all of the edge's cut links nearby decide on which side the farther surface lies."""
    height, width = edge.shape
    away, near, far = np.zeros(2), [], []
    for r in range(max(0, row - SIDE_REACH), min(height, row + SIDE_REACH + 1)):
        for c in range(max(0, column - SIDE_REACH), min(width, column + SIDE_REACH + 1)):
            if not edge[r, c]:
                continue
            for side, (down, right) in enumerate(STEPS):
                there = r + down, c + right
                if layer.links[side, r, c] >= 0 or not (0 <= there[0] < height and 0 <= there[1] < width):
                    continue
                if layer.present[there] and layer.disparity[there] < layer.disparity[r, c]:
                    away += (down, right)
                    near.append(float(layer.disparity[r, c]))
                    far.append(float(layer.disparity[there]))
    if not far or not away.any():
        return None
    return EdgeEnd((row, column), (float(away[0]), float(away[1])), float(np.median(near)), float(np.median(far)))


def plan_paths(predicted: np.ndarray, synthesis: np.ndarray, ends: list[EdgeEnd], chance: np.ndarray | None = None) -> list[EdgePath]:
    """Near paths through the predicted edge pixels, each with the links that it cuts.

    `predicted` and `synthesis` are (h, w) bool of one crop; the ends are in its pixels too. A connected component of the prediction
    that meets one end is followed to its farthest pixel. One that meets two ends joins them, or, where their farther sides do not
    agree, is divided between them by their jumps. Others are dropped. `chance` (h, w), the probability of an edge, keeps paths in the
    middle of likely pixels.
    """
    import cv2

    nodes = predicted & synthesis
    for end in ends:
        nodes[end.pixel] = True
    _, component = cv2.connectedComponents(nodes.astype(np.uint8), connectivity=8)
    paths, taken = [], np.zeros(nodes.shape, bool)
    for number in dict.fromkeys(int(component[end.pixel]) for end in ends):
        met = [end for end in ends if component[end.pixel] == number]
        if len(met) <= 2:
            for path in _find_paths(component == number, met, chance):
                path = _cut_at_crossing(path, taken)
                if len(path.near) >= MIN_PATH:
                    paths.append(path)
                    for pixel in (*path.near, *(far for _, far in path.torn)):
                        taken[pixel] = True
    return paths


def _find_paths(component: np.ndarray, ends: list[EdgeEnd], chance: np.ndarray | None) -> list[EdgePath]:
    first = ends[0]
    if len(ends) == 1:
        return _add_tears(_shortest(component, first.pixel, None, chance), first, component.shape)
    other = ends[1]
    path = _shortest(component, first.pixel, other.pixel, chance)[:-1]
    if len(path) < MIN_PATH:
        return []
    back = path[::-1]
    if _farther_side(path, first) == -_farther_side(back, other) != 0:  # the farther surface is on one hand all along
        return _add_tears(path, first, component.shape)
    usable = len(path) - (GAP if len(path) > LONG else 0)
    jumps = first.near - first.far, other.near - other.far
    share = round(usable * jumps[0] / max(sum(jumps), 1e-12))
    return [*_add_tears(path[:share], first, component.shape), *_add_tears(back[: usable - share], other, component.shape)]


def _shortest(
    component: np.ndarray, start: tuple[int, int], goal: tuple[int, int] | None, chance: np.ndarray | None = None
) -> list[tuple[int, int]]:
    """Pixels of the shortest 8-connected path from `start` (left out) to `goal`, or to the farthest pixel.

    With `chance` a step costs more the less likely its pixel is, and the farthest pixel is one in the middle of a likely line; more
    likely ones are preferred.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    rows, columns = np.nonzero(component)
    place = np.full(np.add(component.shape, 2), -1, np.int64)
    place[rows + 1, columns + 1] = np.arange(len(rows))
    one, other, cost = [], [], []
    for down, right in RING[1:5]:
        there = place[rows + 1 + down, columns + 1 + right]
        meet = np.flatnonzero(there >= 0)
        one.append(meet)
        other.append(there[meet])
        price = np.ones(len(rows)) if chance is None else 1 / np.maximum(chance[rows, columns], 0.05) ** 2
        cost.append(sqrt(down * down + right * right) * (price[meet] + price[there[meet]]) / 2)
    graph = coo_matrix((np.concatenate(cost), (np.concatenate(one), np.concatenate(other))), shape=(len(rows),) * 2)
    begin = place[start[0] + 1, start[1] + 1]
    length, before = dijkstra(graph.tocsr(), directed=False, indices=begin, return_predecessors=True)
    if chance is not None and goal is None:
        away = np.hypot(rows - start[0], columns - start[1]) * chance[rows, columns]
        length = np.where(_middles(chance)[rows, columns] & np.isfinite(length), away, 0)
    at = int(np.argmax(np.where(np.isfinite(length), length, -1))) if goal is None else int(place[goal[0] + 1, goal[1] + 1])
    path = []
    while at != begin and at >= 0:
        path.append((int(rows[at]), int(columns[at])))
        at = int(before[at])
    return path[::-1]


def _middles(chance: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels that are the most likely one along at least three of the four lines of five pixels through them.

    A pixel beside the middle of a line is so along one of them at most.
    """
    height, width = chance.shape
    wide, most = np.pad(chance, 2), np.zeros(chance.shape, np.uint8)
    for down, right in RING[1:5]:
        there = [wide[2 + k * down :, 2 + k * right :][:height, :width] for k in (-2, -1, 1, 2)]
        most += chance >= np.max(there, axis=0)
    return most >= 3


def _farther_side(path: list[tuple[int, int]], end: EdgeEnd) -> int:
    """1 where the farther surface lies on the right along the path from its end, -1 on the left, 0 unknown."""
    if not path:
        return 0
    ahead = path[min(SIDE_REACH, len(path)) - 1]
    down, right = ahead[0] - end.pixel[0], ahead[1] - end.pixel[1]
    return int(np.sign(right * end.away[0] - down * end.away[1]))


def _add_tears(path: list[tuple[int, int]], end: EdgeEnd, shape: tuple[int, ...]) -> list[EdgePath]:
    """The path with pairs of its pixels and their neighbours on the farther side; no pairs where that side is unknown."""
    hand, on_path, torn = _farther_side(path, end), set(path), []
    if hand == 0:
        return []
    for number, (row, column) in enumerate(path):
        before = end.pixel if number == 0 else path[number - 1]
        came = (before[0] - row, before[1] - column)
        if max(map(abs, came)) > 1:  # refined paths begin beside their end, not always touching it
            came = int(np.sign(came[0])), int(np.sign(came[1]))
        goes = (path[number + 1][0] - row, path[number + 1][1] - column) if number + 1 < len(path) else (-came[0], -came[1])
        turn, last = RING.index(goes), RING.index(came)
        while (turn := (turn + hand) % 8) != last:
            there = row + RING[turn][0], column + RING[turn][1]
            beside = turn % 2 == 0 and there not in on_path
            if beside and 0 <= there[0] < shape[0] and 0 <= there[1] < shape[1]:
                torn.append(((row, column), there))
    return [EdgePath(tuple(path), tuple(torn), end)]


def _cut_at_crossing(path: EdgePath, taken: np.ndarray) -> EdgePath:
    """The path up to where it meets an earlier path."""
    met = next((number for number, pixel in enumerate(path.near) if taken[pixel]), len(path.near))
    near = path.near[:met]
    kept, here = tuple((one, far) for one, far in path.torn if one in near and not taken[far]), len(near) == len(path.near)
    return path if here and len(kept) == len(path.torn) else EdgePath(near, kept, path.end)


def refine(path: EdgePath, scale: int, synthesis: np.ndarray, end: EdgeEnd) -> EdgePath | None:
    """The path on a grid `scale` times as fine, from `end` there, while it stays within `synthesis`; None where nothing is left."""
    corners = [end.pixel, *((row * scale + scale // 2, column * scale + scale // 2) for row, column in path.near)]
    fine: list[tuple[int, int]] = []
    for start, stop in zip(corners[:-1], corners[1:], strict=True):
        count = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]), 1)
        for part in range(1, count + 1):
            row, column = (round(a + (b - a) * part / count) for a, b in zip(start, stop, strict=True))
            pixel = row, column
            inside = 0 <= pixel[0] < synthesis.shape[0] and 0 <= pixel[1] < synthesis.shape[1] and synthesis[pixel]
            if inside and pixel not in fine:
                fine.append(pixel)
            elif not inside and len(fine) > scale:
                break
    made = _add_tears(_cut_at_gap(fine), end, synthesis.shape)
    return made[0] if made and len(made[0].near) >= MIN_PATH else None


def _cut_at_gap(path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The path up to its first gap."""
    for number in range(1, len(path)):
        if max(abs(path[number][0] - path[number - 1][0]), abs(path[number][1] - path[number - 1][1])) > 1:
            return path[:number]
    return path
