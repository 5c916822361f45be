"""Which hidden pixels belong to which side of a continued depth edge, and their depth beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..layers.layered_depth_image import DOWN, LEFT, RIGHT, STEPS, UP, LayeredDepthImage, neighbour
from ..layers.regions import Disocclusion
from .edge_paths import EdgePath

NEAR_SIDE, FAR_SIDE = 1, 2


def propagate_across_edges(image: LayeredDepthImage, found: Disocclusion, behind: np.ndarray, paths: list[EdgePath], owning: bool = True):
    """(`found` cut along the paths; (h, w) bool near paths): hidden pixels continue the nearest silhouette on their side.

    Only behind silhouettes at which a path starts, by their numbers in `behind`. Silhouette pixels on a path whose farther surface is
    that of the other side start nothing. With `owning`, paths start the continuation of their surfaces too, along all their length.
    """
    torn = np.zeros((2, *found.hidden.shape), bool)
    sides, wrong = label_sides(found.hidden.shape, paths), np.zeros(found.hidden.shape, bool)
    for path in paths:
        for pixel in path.near:
            wrong[pixel] = abs(found.disparity[pixel] - path.end.near) > abs(found.disparity[pixel] - path.end.far)
        for one, far in path.torn:
            _cut_link(torn, one, far)
            if sides[far] == FAR_SIDE:
                wrong[far] = abs(found.disparity[far] - path.end.far) > abs(found.disparity[far] - path.end.near)
    torn &= found.hidden
    concerned = np.isin(behind, np.unique([behind[path.near[0]] for path in paths])) & found.hidden
    begin = np.where(concerned & (found.distance == 0) & ~wrong, np.arange(wrong.size).reshape(wrong.shape), -1)
    reach = _flood_reach(found)
    if owning:
        _own_paths(begin, _nearest(image, torn, concerned, begin, reach).reshape(begin.shape), found, paths)
    owner = _nearest(image, torn, concerned, begin, reach)
    owner = np.where(owner >= 0, owner, np.arange(owner.size))
    disparity, seed = (array.ravel()[owner].reshape(array.shape) for array in (found.disparity, found.seed))
    return replace(found, disparity=disparity, seed=seed, torn=torn), sides == NEAR_SIDE


def _own_paths(begin: np.ndarray, owner: np.ndarray, found: Disocclusion, paths: list[EdgePath]) -> None:
    """Lets paths start the continuation of their surfaces: each side continues what it does at the path's start.

    `begin` (h, w) int64, changed in place: flat index of the silhouette pixel that a pixel continues from the start, -1 for none.
    """
    for path in paths:
        near, far = list(path.near), [pixel for _, pixel in path.torn]
        for pixels, own, other in ((near, path.end.near, path.end.far), (far, path.end.far, path.end.near)):
            for pixel in pixels:
                value = found.disparity.ravel()[owner[pixel]] if owner[pixel] >= 0 else np.nan
                if abs(value - own) < abs(value - other):
                    for each in pixels:
                        if owner[each] >= 0 and begin[each] < 0:
                            begin[each] = owner[pixel]
                    break


def label_sides(shape: tuple[int, ...], paths: list[EdgePath]) -> np.ndarray:
    """(h, w) uint8: `NEAR_SIDE` on near paths, `FAR_SIDE` on the pixels beside them on the other side, 0 elsewhere."""
    sides = np.zeros(shape, np.uint8)
    for path in paths:
        for _, far in path.torn:
            sides[far] = FAR_SIDE
    for path in paths:
        for pixel in path.near:
            sides[pixel] = NEAR_SIDE
    return sides


def _cut_link(torn: np.ndarray, one: tuple[int, int], other: tuple[int, int]) -> None:
    first = min(one, other)
    torn[0 if one[0] == other[0] else 1][first] = True


def _open_links(image: LayeredDepthImage, torn: np.ndarray) -> np.ndarray:
    """(4, h, w) bool: links of the occluder, except where the surface behind it is cut."""
    own = image.layers[-1].links == len(image.layers) - 1
    own[RIGHT] &= ~torn[0]
    own[LEFT] &= ~neighbour(torn[0], LEFT, False)
    own[DOWN] &= ~torn[1]
    own[UP] &= ~neighbour(torn[1], UP, False)
    return own


def _flood_reach(found: Disocclusion) -> np.ndarray:
    """(pixels,) int32: how many steps the flood took from each silhouette pixel; after a small jump it takes fewer."""
    reach = np.zeros(found.hidden.size, np.int32)
    np.maximum.at(reach, found.seed[found.hidden], found.distance[found.hidden].astype(np.int32))
    return reach


def _nearest(image: LayeredDepthImage, torn: np.ndarray, within: np.ndarray, begin: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(pixels,) int64: the number in `begin` (h, w), where not -1, that reaches each pixel first over links; -1 for none.

    First each only within its `reach` (pixels,); then the remaining pixels go to the first one that reaches them.
    """
    links, width = _open_links(image, torn).reshape(4, -1), within.shape[1]
    free, owner = within.ravel(), begin.ravel().copy()
    for limited in (True, False):
        front, steps = np.flatnonzero(owner >= 0), 0
        while len(front):
            steps += 1
            reached = []
            for side, (down, right) in enumerate(STEPS):
                from_ = front[links[side][front]]
                to = from_ + down * width + right
                new = free[to] & (owner[to] < 0)
                if limited:
                    new &= steps <= reach[owner[from_]]
                owner[to[new]] = owner[from_[new]]
                reached.append(to[new])
            front = np.concatenate(reached)
    return owner


def repropagate(image: LayeredDepthImage, found: Disocclusion, drawn: np.ndarray, width: int) -> np.ndarray:
    """`drawn` (h, w) with the bands of `width` pixels beside cut links filled again, each from its own side only.

    A network blurs the step at the edges that it was given (section 7.4 of the released code: both bands are discarded and filled again
    ring by ring with the mean of the known neighbours).
    """
    assert found.torn is not None, "nothing is torn"
    links = _open_links(image, found.torn)
    band = found.torn[0] | found.torn[1]
    band |= neighbour(found.torn[0], LEFT, False) | neighbour(found.torn[1], UP, False)
    band &= found.hidden
    for _ in range(width - 1):
        band = band | (found.hidden & np.any([links[side] & neighbour(band, side, False) for side in range(4)], axis=0))
    known, drawn = found.hidden & ~band, np.where(band, 0, drawn).astype(np.float32)
    left = band
    while left.any():
        total, count = np.zeros(drawn.shape, np.float32), np.zeros(drawn.shape, np.float32)
        for side in range(4):
            there = links[side] & neighbour(known, side, False)
            total += np.where(there, neighbour(drawn, side, 0), 0)
            count += there
        reached = left & (count > 0)
        if not reached.any():
            break
        drawn[reached] = total[reached] / count[reached]
        known, left = known | reached, left & ~reached
    return np.where(left, found.disparity, drawn)


def smooth(depth: np.ndarray, synthesis: np.ndarray, context: np.ndarray, rounds: int) -> np.ndarray:
    """(h, w) float32: synthesised values averaged over their four neighbours in either region, so many times (released code)."""
    known = synthesis | context
    count = sum(neighbour(known, side, False).astype(np.float32) for side in range(4))
    change = synthesis & (count > 0)
    for _ in range(rounds):
        total = sum(np.where(neighbour(known, side, False), neighbour(depth, side, 0), 0) for side in range(4))
        depth = np.where(change, total / np.maximum(count, 1), depth).astype(np.float32)
    return depth
