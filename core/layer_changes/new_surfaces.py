"""Layers that are not ours become surfaces: the part that the photo does not show already, and its depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layer_edits.edited_layers import AddedSurface, continue_planes, keep_behind
from ..pipeline import Diorama
from ..raster.nearest_known import nearest_known
from .canvas_to_grid import colour_on_grid, disparity_on_grid

MAX_DIFFERENCE = 0.1
"""Difference from the photo, as a part of full brightness, up to which a layer counts as equal to the photo: generators are not exact."""
MIN_SHARE_OF_PHOTO = 0.5
"""A layer of which this part is alike is a piece of the photo, and all that is seen of it counts as the photo's."""
SILHOUETTE_MARGIN = 0.008
"""So near a silhouette, as a part of the long side, the photo's depth may be that of the other side."""
LAYER_SPACING = 0.25
"""Layers in front of the photo lie so many thresholds of depth apart."""


@dataclass(frozen=True)
class Named:
    """What an added surface is called."""

    number: int
    name: str
    origin: str  # name of the file


@dataclass(frozen=True)
class Stacking:
    """Where a layer lies among the others of its file."""

    above: np.ndarray  # (h, w) bool on the grid: where layers in front of it lie
    order: int  # counted from the back
    behind: bool  # behind the photo
    replaces: bool  # instead of the surfaces that we invented


def make_surface(built: Diorama, colour: np.ndarray, disparity: np.ndarray | None, stacking: Stacking, named: Named) -> AddedSurface | None:
    """What a layer adds to a diorama; None where the photo shows all of it.

    `colour` (H, W, 4) and `disparity` (H, W) are on the canvas.
    """
    behind = stacking.behind
    image, first = built.image, built.image.layers[0]
    own_colour, present = colour_on_grid(built, colour)
    top, left, height, width = image.frame
    inside = np.zeros(image.shape, bool)
    inside[top : top + height, left : left + width] = True
    alike = present & inside & first.present & _alike(own_colour, first.colour)
    seen = present & ~stacking.above & inside
    if alike[seen].sum() >= MIN_SHARE_OF_PHOTO * max(1, seen.sum()):
        shown = _remove_specks(alike) if behind else seen
        own, rest, behind = (alike & seen) if not behind else shown, present & inside & ~shown, True
    else:
        own, rest = np.zeros(image.shape, bool), present
    rest = rest & first.present
    if not rest.any():
        return None
    given = None if disparity is None else disparity_on_grid(built, disparity)
    if given is not None and (given[rest] > 0).any():
        depth = np.where(given > 0, given, _spread(given, given > 0))
    elif behind:
        depth = _depth_behind(built, own, rest)
    else:
        depth = np.full(
            image.shape, np.percentile(first.disparity[rest], 99) + image.threshold * (0.5 + LAYER_SPACING * stacking.order), np.float32
        )
    if behind:
        depth = keep_behind(depth, first.disparity, image)
    depth = np.maximum(depth, float(first.disparity[first.present].min()) / 4).astype(np.float32)
    depth, own_colour = np.where(rest, depth, 0), np.where(rest[..., None], own_colour, 0)
    return AddedSurface(named.number, named.name, named.origin, behind, stacking.replaces, rest, depth, own_colour)


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(h, w) bool: about the same colour, noise aside."""
    import cv2

    off = np.abs(cv2.blur(one, (3, 3)) - cv2.blur(other, (3, 3))).max(axis=2)
    return off <= MAX_DIFFERENCE


def _remove_specks(alike: np.ndarray) -> np.ndarray:
    """What is alike, with thin lines between and single dots of it taken out."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel) > 0


def _depth_behind(built: Diorama, own: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Depth that goes on from where the photo shows the layer itself; else just before what we invented there; else just behind
    the photo."""
    import cv2

    image = built.image
    first = image.layers[0]
    otherwise = keep_behind(np.full(image.shape, np.inf, np.float32), first.disparity, image)
    hidden = np.zeros(image.shape, np.float32)
    for layer in image.layers[1:]:
        if not layer.number:
            np.maximum(hidden, layer.disparity, out=hidden, where=layer.present)
    known = hidden > 0
    if known.any():
        before = np.where(known, hidden + np.float32(LAYER_SPACING * image.threshold), hidden)
        otherwise = np.where(known, before, continue_planes(before, known, rest & ~known, otherwise))
    torn = (first.links < 0).any(axis=0).view(np.uint8)
    side = 2 * max(2, round(SILHOUETTE_MARGIN * image.long_side)) + 1
    sure = own & (cv2.dilate(torn, np.ones((side, side), np.uint8)) == 0)
    own = sure if sure.any() else own
    return continue_planes(first.disparity, own, rest, otherwise) if own.any() else otherwise


def _spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    return values.ravel()[nearest_known(known)[1]]
