"""Links of hidden pixels: to each other, and to the surfaces beside them that they continue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..raster.nearest_known import nearest_known
from .discontinuities import ISLAND_AREA, label_surfaces
from .layered_depth_image import DOWN, OPPOSITE, RIGHT, LayeredDepthImage, neighbour_indices
from .regions import CUT_SLACK, Disocclusion

SLOPE = 150.0
"""Surfaces that two silhouette pixels hide may differ by one more threshold for every 1/150 of the long side between them."""
FAR_APART = 6.0
"""... and by this many thresholds at most, then they are two surfaces."""


def link_hidden(image: LayeredDepthImage, found: Disocclusion) -> tuple[list[np.ndarray], np.ndarray]:
    """Links of the earlier layers, now also into the new one, and of the new layer: (4, h, w) int8 each.

    A hidden pixel links to a pixel beside it, on any layer, that has no link on that side and about the same disparity; never to one
    nearer than the occluder, so that no hidden surface comes out in front.
    """
    new = len(image.layers)
    earlier = [layer.links.copy() for layer in image.layers]
    links = np.full((4, *found.hidden.shape), -1, np.int8)
    where = np.flatnonzero(found.hidden)
    own, front = found.disparity.ravel()[where], image.layers[-1].disparity.ravel()[where]
    if found.cut is not None:  # there it may be nearer by a little, as both were one surface; its rim is bent back later
        front = front + np.where(found.cut.ravel()[where], np.float32(CUT_SLACK * image.threshold), 0)
    for side in range(4):
        there, inside = neighbour_indices(where, side, found.hidden.shape)
        nearest, chosen = np.full(len(where), np.float32(image.threshold)), np.full(len(where), -1, np.int8)
        for k, layer in enumerate(image.layers):
            disparity = layer.disparity.ravel()[there]
            apart = np.abs(disparity - own)
            free = layer.present.ravel()[there] & (earlier[k][OPPOSITE[side]].ravel()[there] < 0)
            better = inside & free & (apart <= nearest) & (disparity < front)
            if found.part is not None and layer.part is not None:
                better &= layer.part.ravel()[there] == found.part.ravel()[where]
            chosen[better], nearest[better] = k, apart[better]
        links[side].ravel()[where] = chosen
        for k in range(new):
            earlier[k][OPPOSITE[side]].ravel()[there[chosen == k]] = new
    for side in (RIGHT, DOWN):
        one, other = _pairs_of_one_surface(image, found, side)
        free = (links[side].ravel()[one] < 0) & (links[OPPOSITE[side]].ravel()[other] < 0)
        links[side].ravel()[one[free]] = new
        links[OPPOSITE[side]].ravel()[other[free]] = new
    return earlier, links


def _pairs_of_one_surface(image: LayeredDepthImage, found: Disocclusion, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of hidden pixels and their hidden neighbours on that side that continue one surface.

    Behind adjacent silhouette pixels their disparities must be within two thresholds: a larger difference is a junction of three
    surfaces. The larger the distance of the silhouette pixels, the more a slanted surface may differ between them.
    """
    one = np.flatnonzero(found.hidden)
    other, inside = neighbour_indices(one, side, found.hidden.shape)
    both = inside & found.hidden.ravel()[other]
    one, other = one[both], other[both]
    disparity, seed = found.disparity.ravel(), found.seed.ravel()
    (row, column), (other_row, other_column) = (np.divmod(seed[pixels], found.hidden.shape[1]) for pixels in (one, other))
    between = np.maximum(np.abs(other_row - row), np.abs(other_column - column))
    limit = image.threshold * np.minimum(2 + between * (SLOPE / image.long_side), FAR_APART)
    same = np.abs(disparity[other] - disparity[one]) <= limit
    if found.part is not None:
        same &= found.part.ravel()[one] == found.part.ravel()[other]
    if found.torn is not None:
        same &= ~found.torn[(RIGHT, DOWN).index(side)].ravel()[one]
    return one[same], other[same]


def absorb_islands(image: LayeredDepthImage, found: Disocclusion) -> Disocclusion:
    """Joins pieces that are no real surfaces to the nearest one that is.

    These are pieces that are too small, as single silhouette pixels leave many behind; that reach no silhouette, where alone they could
    be visible; or that come close to their occluder, which happens where that falls away, and would leave the surface behind both
    unfilled.
    """
    linked = np.zeros((2, found.hidden.size), bool)
    for way, side in enumerate((RIGHT, DOWN)):
        linked[way, _pairs_of_one_surface(image, found, side)[0]] = True
    labels, sizes = label_surfaces(found.hidden, *linked.reshape(2, *found.hidden.shape))
    small = found.hidden & (sizes[labels] < ISLAND_AREA * image.long_side**2)
    reaching = np.bincount(labels[found.hidden & (found.distance == 0)], minlength=len(sizes)) > 0
    small |= found.hidden & ~reaching[labels]
    touching = found.hidden & (image.layers[-1].disparity - found.disparity < image.threshold / 2)
    small |= touching if found.cut is None else touching & ~found.cut
    kept = found.hidden & ~small
    if not small.any() or not kept.any():
        return found
    source = nearest_known(kept)[1][small]
    disparity, seed = found.disparity.copy(), found.seed.copy()
    disparity[small], seed[small] = found.disparity.ravel()[source], found.seed.ravel()[source]
    if found.part is None or found.cut is None:
        return replace(found, disparity=disparity, seed=seed)
    part, cut = found.part.copy(), found.cut.copy()
    part[small], cut[small] = found.part.ravel()[source], found.cut.ravel()[source]
    return replace(found, disparity=disparity, seed=seed, part=part, cut=cut)
