"""How hidden pixels hang together: with each other, and with the surfaces beside them that they continue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .layers import DOWN, OPPOSITE, RIGHT, LayeredDepthImage, neighbour
from .regions import Disocclusion
from .tear_surfaces import ISLAND_AREA, label_surfaces

SLOPE = 150.0
"""Surfaces that two silhouette pixels hide may differ by one more threshold for every 1/150 of the long side between them."""
FAR_APART = 6.0
"""... and by this many thresholds at most, then they are two surfaces."""


def link_hidden(image: LayeredDepthImage, found: Disocclusion) -> tuple[list[np.ndarray], np.ndarray]:
    """Links of the earlier layers, now also into the new one, and of the new layer: (4, h, w) int8 each.

    A hidden pixel goes on in the pixel beside it that has a free side there and about the same disparity, on any layer; but
    never in one that is nearer than what hides it, so that no part of it comes out in front.
    """
    new, front = len(image.layers), image.layers[-1].disparity
    earlier = [layer.links.copy() for layer in image.layers]
    links = np.full((4, *found.hidden.shape), -1, np.int8)
    for side in range(4):
        nearest = np.full(found.hidden.shape, np.float32(image.threshold))
        for k, layer in enumerate(image.layers):
            free = neighbour(layer.present & (earlier[k][OPPOSITE[side]] < 0), side, False)
            beside = neighbour(layer.disparity, side, np.inf)
            apart = np.abs(beside - found.disparity)
            better = found.hidden & free & (apart <= nearest) & (beside < front)
            links[side][better] = k
            nearest[better] = apart[better]
        for k in range(new):
            earlier[k][OPPOSITE[side]][neighbour(links[side] == k, OPPOSITE[side], False)] = new
    for side in (RIGHT, DOWN):
        free = (links[side] < 0) & neighbour(links[OPPOSITE[side]] < 0, side, False)
        joined = free & _one_surface(image, found, side)
        links[side][joined] = new
        links[OPPOSITE[side]][neighbour(joined, OPPOSITE[side], False)] = new
    return earlier, links


def _one_surface(image: LayeredDepthImage, found: Disocclusion, side: int) -> np.ndarray:
    """(h, w) bool: the hidden pixel and its hidden neighbour continue one surface.

    Behind silhouette pixels side by side that means within two thresholds: more is a junction of three surfaces. The further
    apart those pixels are, the more a slanting surface may differ between them.
    """
    both = found.hidden & neighbour(found.hidden, side, False)
    apart = np.abs(neighbour(found.disparity, side, 0) - found.disparity)
    row, column = np.divmod(found.seed, found.hidden.shape[1])
    between = np.maximum(np.abs(neighbour(row, side, 0) - row), np.abs(neighbour(column, side, 0) - column))
    limit = image.threshold * np.minimum(2 + between * (SLOPE / image.long_side), FAR_APART)
    return both & (apart <= limit)


def absorb_islands(image: LayeredDepthImage, found: Disocclusion) -> Disocclusion:
    """Gives pieces that are no surfaces of their own to the nearest one that is.

    Too small ones, as single silhouette pixels leave many behind; and those that come close to the surface that hides them,
    which happens where that surface falls away, and would leave what is behind both unfilled.
    """
    import cv2

    labels, sizes = label_surfaces(found.hidden, _one_surface(image, found, RIGHT), _one_surface(image, found, DOWN))
    small = found.hidden & (sizes[labels] < ISLAND_AREA * image.long_side**2)
    small |= found.hidden & (image.layers[-1].disparity - found.disparity < image.threshold / 2)
    kept = found.hidden & ~small
    if not small.any() or not kept.any():
        return found
    _, nearest = cv2.distanceTransformWithLabels((~kept).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    pixel = np.zeros(nearest.max() + 1, np.int64)
    pixel[nearest[kept]] = np.flatnonzero(kept)
    source = pixel[nearest[small]]
    disparity, seed = found.disparity.copy(), found.seed.copy()
    disparity[small], seed[small] = found.disparity.ravel()[source], found.seed.ravel()[source]
    return replace(found, disparity=disparity, seed=seed)
