"""Which stretches of a ridge are sure enough to tear: where no clean step can be found, a stretched sheet is the kinder error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .colour_models import ColourModels
from .ramps import REFERENCE_SIDE, Ramps, connected

STRETCH = 30
"""The decision is made for stretches: evidence is smoothed along the ridge by a Gaussian of this sigma, px."""
MOST_OVERLAP, WEAK_OVERLAP = 0.55, 0.75
"""Stretches whose two sides have colours as alike as this (Bhattacharyya) are no silhouettes, or hide theirs too well; those up
to the second value go with a sure stretch that they are connected to."""
SURE_BOUNDARY, WEAK_BOUNDARY, NO_BOUNDARY = 0.75, 0.6, 0.45
"""Where the estimator says how likely a pixel is to lie at an occlusion boundary: stretches above the first are sure whatever their
colours, above the second they go with a sure one, below the third they are none."""
BOUNDARY_REACH = 3
"""A boundary is looked for up to so many px beside a ridge."""
LEAST_JUMP = 0.03
"""Of a stretch that the boundary alone makes sure, part of the range."""
LEAST_STRENGTH = 0.05
"""Jump, as a part of the range, times what the two sides' colours do not share."""
PARALLEL_REACH = 60
"""Another ridge this near across, px, that jumps the same way is part of one ramp. The outer one is the silhouette ..."""
OUTER_FACTOR = 2.0
"""... unless the inner one is so many times stronger: what lies within a hero stays whole."""
SHORTEST = 24
"""Stretches shorter than this are dropped, px."""


def sure_stretches(ramps: Ramps, colours: ColourModels, shape: tuple[int, int], boundary: np.ndarray | None = None) -> Ramps:
    """The ramps, less the stretches whose colours do not tell the sides apart and those beside a stronger parallel ridge.

    `boundary` (h, w) float32 0..1 is the probability of an occlusion boundary, where the estimator gives one: it overrules colours.
    """
    if len(ramps) == 0:
        return ramps
    scale = max(shape) / REFERENCE_SIDE
    overlap = _along(ramps, colours.overlap(ramps), shape, STRETCH * scale)
    strength = (ramps.near - ramps.far) * np.clip(1 - overlap, 0.05, 1)
    strength = _along(ramps, strength, shape, STRETCH / 2 * scale)
    inner = _along(ramps, _gives_way(ramps, strength, shape, scale).astype(np.float32), shape, STRETCH / 2 * scale) > 0.5
    sure = (overlap < MOST_OVERLAP) & (strength > LEAST_STRENGTH)
    kept = ~inner & ((overlap < WEAK_OVERLAP) | sure)
    if boundary is not None:
        likely = _along(ramps, _beside(boundary, BOUNDARY_REACH * scale)[ramps.rows, ramps.columns], shape, STRETCH * scale)
        sure = (sure & (likely > NO_BOUNDARY)) | ((likely > SURE_BOUNDARY) & (ramps.near - ramps.far > LEAST_JUMP))
        kept = ~inner & (sure | ((overlap < WEAK_OVERLAP) & (likely > NO_BOUNDARY)) | (likely > WEAK_BOUNDARY))
    return _with_sure_pixels(ramps.take(kept), sure[kept], shape, SHORTEST * scale)


def _beside(picture: np.ndarray, reach: float) -> np.ndarray:
    """The largest value within `reach` px."""
    import cv2

    return cv2.dilate(picture, np.ones((2 * round(reach) + 1,) * 2, np.uint8))


def _along(ramps: Ramps, values: np.ndarray, shape, sigma: float) -> np.ndarray:
    """Means of (n,) values along each ridge (normalised convolution, ridge by ridge)."""
    import cv2

    result = np.empty(len(ramps), np.float32)
    for number in np.unique(ramps.ridge):
        own = np.flatnonzero(ramps.ridge == number)
        r, c, pad = ramps.rows[own], ramps.columns[own], int(2 * sigma) + 2
        r, c = r - r.min() + pad, c - c.min() + pad
        picture = np.zeros((2, r.max() + pad + 1, c.max() + pad + 1), np.float32)
        picture[0, r, c], picture[1, r, c] = values[own], 1
        blurred = [cv2.GaussianBlur(each, (0, 0), sigma)[r, c] for each in picture]
        result[own] = blurred[0] / np.maximum(blurred[1], 1e-9)
    return result


def _gives_way(ramps: Ramps, strength: np.ndarray, shape, scale: float) -> np.ndarray:
    """(n,) bool: a pixel of another ridge that points the same way lies across within reach, and is the silhouette of both."""
    number = np.full(shape, -1, np.int32)
    number[ramps.rows, ramps.columns] = np.arange(len(ramps))
    result = np.zeros(len(ramps), bool)
    own, reach = np.arange(len(ramps)), round(PARALLEL_REACH * scale)
    for step in [*range(-reach, -3), *range(4, reach + 1)]:
        c = np.clip(np.rint(ramps.columns + step * ramps.normal[:, 0]).astype(int), 0, shape[1] - 1)
        r = np.clip(np.rint(ramps.rows + step * ramps.normal[:, 1]).astype(int), 0, shape[0] - 1)
        for dr, dc in ((0, 0), (0, 1), (1, 0)):  # so that a thin line is not missed
            other = number[np.minimum(r + dr, shape[0] - 1), np.minimum(c + dc, shape[1] - 1)]
            met = (other >= 0) & ((ramps.normal[own] * ramps.normal[other]).sum(axis=1) > 0.6)
            met &= (np.abs(step) > 8) | (ramps.ridge[other] != ramps.ridge[own])
            factor = 1 / OUTER_FACTOR if step < 0 else OUTER_FACTOR  # towards the far side lies the outer ridge
            result |= met & (strength[other] > factor * strength)
    return result


def _with_sure_pixels(ramps: Ramps, sure: np.ndarray, shape, least: float) -> Ramps:
    """Numbers the stretches that are left anew and drops those with fewer than `least` sure pixels."""
    own = connected(ramps.rows, ramps.columns, shape) if len(ramps) else ramps.ridge
    return replace(ramps, ridge=own).take(np.bincount(own, sure, minlength=1)[own] >= least)
