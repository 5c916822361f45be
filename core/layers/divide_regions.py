"""Divides hidden surfaces so that no synthesis region covers the context that it continues.

A region is a picture, but a connected hidden surface may pass behind itself: behind the rim of a bowl it goes on from the lemon
above, and around the lemon it also goes on behind that. Where the lemon is context, the picture would show what is behind it.
"""

from __future__ import annotations

import numpy as np

from ..raster.nearest_known import nearest_known
from .discontinuities import label_depth_edges, label_surfaces
from .layered_depth_image import DOWN, RIGHT, Layer, LayeredDepthImage, neighbour_indices


def divide_self_covering(image: LayeredDepthImage, seed: np.ndarray) -> np.ndarray:
    """(h, w) int32: regions of the last layer, numbered from 1, 0 where nothing is hidden.

    A connected surface is one region, unless it covers a pixel of an earlier layer that it is linked to. Then it is divided into the
    pieces that single depth edges hide, those that still cover their own context also along that silhouette. The pieces are joined
    again, longest common border first, as long as neither covers what the other is linked to.
    `seed` (h, w) int32: flat index of the silhouette pixel that hides a pixel (Disocclusion).
    """
    last = len(image.layers) - 1
    layer = image.layers[last]
    labels, sizes = label_surfaces(layer.present, layer.links[RIGHT] == last, layer.links[DOWN] == last)
    first, second = _covered(layer, last, labels)
    divided = np.zeros(len(sizes), bool)
    divided[labels.ravel()[first]] = True
    inside = divided[labels]
    if not inside.any():
        return labels
    silhouette = np.zeros(seed.size, bool)
    silhouette[seed[inside]] = True
    edge = label_depth_edges(silhouette.reshape(seed.shape), image.layers[last - 1], last - 1).ravel()[seed]
    pieces = _pieces(layer, last, inside, edge)
    own = pieces.ravel()[first] == pieces.ravel()[second]
    if own.any():
        pieces = _pieces(layer, last, inside, 2 * edge + _beyond(pieces, first[own], second[own]))
    joined = _join(pieces, layer, last, pieces.ravel()[first], pieces.ravel()[second])
    result = np.where(inside, len(sizes) + joined[pieces], labels)
    taken = np.bincount(result.ravel()) > 0
    taken[0] = True
    return (np.cumsum(taken, dtype=np.int32) - 1)[result]


def _covered(layer: Layer, last: int, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices: hidden pixels that continue an earlier layer's pixel, and the pixel of the same surface that covers that."""
    first, second = [], []
    for side in range(4):
        linked = np.flatnonzero(layer.present & (layer.links[side] >= 0) & (layer.links[side] < last))
        there, _ = neighbour_indices(linked, side, layer.present.shape)
        same = labels.ravel()[there] == labels.ravel()[linked]
        first.append(linked[same])
        second.append(there[same])
    return np.concatenate(first), np.concatenate(second)


def _pieces(layer: Layer, last: int, inside: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """(h, w) int32: connected hidden pixels `inside` that one depth edge hides, from 1; `edge` (h, w) is its number."""
    right, down = inside & (layer.links[RIGHT] == last), inside & (layer.links[DOWN] == last)
    right[:, :-1] &= edge[:, :-1] == edge[:, 1:]
    down[:-1] &= edge[:-1] == edge[1:]
    return label_surfaces(inside, right, down)[0]


def _beyond(pieces: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(h, w) bool: the part of each piece that lies across its own silhouette, where the surface that it continues is seen.

    `first` and `second` are flat indices of its pixels on both sides of that silhouette; every other pixel goes with the nearest.
    """
    side = np.zeros(pieces.shape, np.uint8)
    side.ravel()[second] = 2
    side.ravel()[first] = 1
    divided = np.zeros(int(pieces.max()) + 1, bool)
    divided[pieces.ravel()[first]] = True
    return divided[pieces] & (side.ravel()[nearest_known(side > 0)[1]] == 2)


def _join(pieces: np.ndarray, layer: Layer, last: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(pieces + 1,) int: number of the region that each piece belongs to; pieces in `first` and `second` of one place stay apart."""
    count = int(pieces.max()) + 1
    apart: list[set[int]] = [set() for _ in range(count)]
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        if a != b:  # a piece that covers its own context cannot be divided further
            apart[a].add(b)
            apart[b].add(a)
    region, members = list(range(count)), [[piece] for piece in range(count)]
    for a, b in _longest_borders(pieces, layer, last):
        a, b = region[a], region[b]
        if a == b or b in apart[a]:
            continue
        if len(members[a]) < len(members[b]):
            a, b = b, a
        for piece in members[b]:
            region[piece] = a
        members[a] += members[b]
        for other in apart[b]:
            apart[other].discard(b)
            apart[other].add(a)
        apart[a] |= apart[b]
    return np.array(region)


def _longest_borders(pieces: np.ndarray, layer: Layer, last: int) -> list[tuple[int, int]]:
    """Pairs of pieces that links of the last layer cross between, most links first."""
    pairs = []
    for side, here, there in ((RIGHT, np.s_[:, :-1], np.s_[:, 1:]), (DOWN, np.s_[:-1], np.s_[1:])):
        linked = layer.links[side][here] == last
        pairs.append(np.stack([pieces[here][linked], pieces[there][linked]], axis=1))
    both = np.sort(np.concatenate(pairs), axis=1)
    both = both[(both[:, 0] > 0) & (both[:, 0] != both[:, 1])]
    found, links = np.unique(both, axis=0, return_counts=True)
    return [(int(a), int(b)) for a, b in found[np.argsort(-links, kind="stable")]]
