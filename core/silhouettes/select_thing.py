"""The thing under a click: what a click on the photo selects, by colour, depth and silhouettes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SIDE = 320
"""Long side of the grid that is searched, px; the rim is then refined on the working grid."""
DEPTH_WEIGHT, COLOUR_WEIGHT, FLAT, GRAIN = 40.0, 3.0, 0.002, 2.0
"""Cost of a step across the whole range of disparity, across that of colour, and of any step; colour differences up to this many
times the median one are grain, not edges."""
LEVELS = np.geomspace(0.004, 0.5, 28)
"""Sizes of a thing that are tried, parts of the picture; the one with the strongest rim is taken."""
SMALL_FIRST = 0.05
"""Exponent by which small things are preferred to large ones that contain them."""
RIM = 4
"""Half the width, px at 960, of the band in which the rim is refined."""
GRABCUT_ROUNDS = 2
SMALLEST = 12


@dataclass
class Scene:
    """A photo and its depth, ready for clicks."""

    colour: np.ndarray  # (h, w, 3) uint8 sRGB on the working grid
    disparity: np.ndarray  # (h, w) float32, 1/m
    _searched: dict = field(default_factory=dict, repr=False)  # cache for further clicks

    def searched(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(h, w, 3) uint8 Lab, (h, w) float32 disparity from 0 to 1, and the cost graph of the smaller grid."""
        if not self._searched:
            import cv2

            height, width = self.disparity.shape
            scale = min(1.0, SIDE / max(height, width))
            size = max(8, round(width * scale)), max(8, round(height * scale))
            colour = cv2.resize(self.colour, size, interpolation=cv2.INTER_AREA)
            low, high = np.percentile(self.disparity[::2, ::2], (0.5, 99.5))
            depth = np.clip((self.disparity - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)
            depth = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST)
            lab = cv2.cvtColor(cv2.bilateralFilter(colour, 7, 30, 3), cv2.COLOR_RGB2LAB)
            self._searched.update(lab=lab, depth=depth, graph=_graph(lab, depth))
        return self._searched["lab"], self._searched["depth"], self._searched["graph"]


def select_thing(scene: Scene, point: tuple[float, float], against: np.ndarray | None = None) -> np.ndarray:
    """(h, w) bool: the thing at a `point`, from 0 to 1 right and down; `against` (h, w) bool surely does not belong to it.

    The region that can be reached from the click without crossing a silhouette or an edge of colour, grown to where its rim is strongest
    (watershed by distance, Dijkstra 1959), then cut along the colours (GrabCut, Rother, Kolmogorov and Blake 2004).
    """
    lab, depth, graph = scene.searched()
    height, width = depth.shape
    row, column = (min(n - 1, max(0, int(at * n))) for at, n in ((point[1], height), (point[0], width)))
    from scipy.sparse.csgraph import dijkstra

    far = dijkstra(graph, directed=False, indices=row * width + column).reshape(height, width)
    inside = _strongest(far, _edges(lab, depth), row, column)
    outside = None if against is None else _resized(against, (height, width))
    inside = _cut(lab, depth, far, inside, outside, row, column)
    return _with_fine_rim(scene, inside)


def _graph(lab: np.ndarray, depth: np.ndarray):
    """Graph of grid neighbours; a step costs more the more they differ."""
    from scipy.sparse import coo_matrix

    height, width = depth.shape
    number = np.arange(height * width, dtype=np.int32).reshape(height, width)
    start, end, cost = [], [], []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        step = np.abs(lab[one].astype(np.float32) - lab[other]).sum(-1) / 255
        jump = np.abs(depth[one] - depth[other])
        start.append(number[one].ravel()), end.append(number[other].ravel())
        grain = GRAIN * np.median(step)  # grain, which is everywhere, is no edge
        cost.append((FLAT + COLOUR_WEIGHT * np.maximum(step - grain, 0) + DEPTH_WEIGHT * np.maximum(jump - 0.004, 0)).ravel())
    size = height * width
    return coo_matrix((np.concatenate(cost), (np.concatenate(start), np.concatenate(end))), (size, size)).tocsr()


def _edges(lab: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(h, w) float32: strength of the edge in colour or depth at each pixel."""
    import cv2

    slope = lambda plane: cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
    colour = sum(slope(lab[..., k].astype(np.float32) / 255) for k in range(3))
    return np.minimum(colour, 1.0) + 2.0 * np.minimum(10 * slope(depth), 1.0)


def _strongest(far: np.ndarray, edges: np.ndarray, row: int, column: int) -> np.ndarray:
    """Of the regions reached at different costs, the one whose rim lies on the strongest edges."""
    import cv2

    order = np.sort(far.ravel())
    best, found = -1.0, far <= order[SMALLEST]
    counts = (LEVELS * (order.size - 1)).astype(int)
    for least, most in zip(counts[:-1], counts[1:], strict=True):
        # between two sizes: where the cost rises most, which is where the thing ends
        ahead = max(1, least // 50)
        step = order[least + ahead : most + ahead] - order[least:most]
        reached = (far <= order[least + int(step.argmax())]).astype(np.uint8)
        filled = cv2.morphologyEx(reached, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        rim = cv2.morphologyEx(filled, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        strength = float(edges[rim].mean()) if rim.any() else 0.0
        # of equally strong rims the one that is shorter for its area belongs to a thing, not to a texture
        round_ = np.sqrt(4 * np.pi * max(1, int(filled.sum()))) / max(1.0, rim.sum() / 2)
        score = strength * min(1.0, round_) ** 0.5 * filled.mean() ** -SMALL_FIRST
        if score > best:
            best, found = score, filled > 0
    return found


def _cut(lab, depth, far, inside, outside, row: int, column: int) -> np.ndarray:
    """Refines the rim by GrabCut in colour and depth; pixels far from the rim keep their label."""
    import cv2

    grid = np.dstack([lab[..., 0], (lab[..., 1].astype(np.int32) + lab[..., 2]) // 2, depth * 255]).astype(np.uint8)
    width = max(3, int(0.35 * np.sqrt(inside.sum())) // 2 * 2 + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    grown, core = cv2.dilate(inside.astype(np.uint8), kernel), cv2.erode(inside.astype(np.uint8), kernel)
    marks = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[grown == 0], marks[core > 0] = cv2.GC_BGD, cv2.GC_FGD
    if outside is not None:
        marks[outside] = cv2.GC_BGD
    marks[row, column] = cv2.GC_FGD
    if not (marks == cv2.GC_BGD).any():
        return inside
    cv2.setRNGSeed(0)  # the same click selects the same
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(grid, marks, None, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels = cv2.connectedComponents(cut)
    part = labels == labels[row, column]
    return part if part.sum() >= SMALLEST else inside


def _with_fine_rim(scene: Scene, inside: np.ndarray) -> np.ndarray:
    """The mask on the working grid: pixels near its rim join the side that they resemble more in colour and depth."""
    import cv2

    height, width = scene.disparity.shape
    mask = _resized(inside, (height, width))
    reach = max(2, round(RIM * max(height, width) / 960))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    core, grown = cv2.erode(mask.astype(np.uint8), kernel) > 0, cv2.dilate(mask.astype(np.uint8), kernel) > 0
    low, high = np.percentile(scene.disparity[::2, ::2], (0.5, 99.5))
    features = np.dstack([scene.colour.astype(np.float32) / 255, 3 * (scene.disparity - low) / max(high - low, 1e-9)]).astype(np.float32)
    apart = []
    for side in (core, ~grown):
        weight = cv2.blur(side.astype(np.float32), (6 * reach + 1, 6 * reach + 1))
        mean = cv2.blur(features * side[..., None], (6 * reach + 1, 6 * reach + 1)) / np.maximum(weight, 1e-6)[..., None]
        apart.append(np.where(weight > 1e-4, np.square(features - mean).sum(-1), np.inf))
    band = grown & ~core & np.isfinite(apart[0]) & np.isfinite(apart[1])
    fine = np.where(band, apart[0] < apart[1], mask)
    return cv2.medianBlur(fine.astype(np.uint8), 3) > 0


def _resized(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    import cv2

    return cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
