"""Which stretches of a ridge are sure enough to tear: where no clean step can be found, a stretched sheet is the kinder error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .colour_models import ColourModels
from .ramps import REFERENCE_SIDE, Ramps, connected
from .ridge_means import gaussian_means

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
    overlap = _along(ramps, colours.overlap(ramps), STRETCH * scale)
    strength = (ramps.near - ramps.far) * np.clip(1 - overlap, 0.05, 1)
    strength = _along(ramps, strength, STRETCH / 2 * scale)
    inner = _along(ramps, _gives_way(ramps, strength, shape, scale).astype(np.float32), STRETCH / 2 * scale) > 0.5
    sure = (overlap < MOST_OVERLAP) & (strength > LEAST_STRENGTH)
    kept = ~inner & ((overlap < WEAK_OVERLAP) | sure)
    if boundary is not None:
        likely = _along(ramps, _beside(boundary, BOUNDARY_REACH * scale)[ramps.rows, ramps.columns], STRETCH * scale)
        sure = (sure & (likely > NO_BOUNDARY)) | ((likely > SURE_BOUNDARY) & (ramps.near - ramps.far > LEAST_JUMP))
        kept = ~inner & (sure | ((overlap < WEAK_OVERLAP) & (likely > NO_BOUNDARY)) | (likely > WEAK_BOUNDARY))
    return _with_sure_pixels(ramps.take(kept), sure[kept], shape, SHORTEST * scale)


def _beside(picture: np.ndarray, reach: float) -> np.ndarray:
    """The largest value within `reach` px."""
    import cv2

    return cv2.dilate(picture, np.ones((2 * round(reach) + 1,) * 2, np.uint8))


def _along(ramps: Ramps, values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian means of (n,) values along each ridge, ridge by ridge."""
    result = np.empty(len(ramps), np.float32)
    order = np.argsort(ramps.ridge, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(ramps.ridge[order])) + 1):
        r, c = ramps.rows[own] - ramps.rows[own].min(), ramps.columns[own] - ramps.columns[own].min()
        result[own] = gaussian_means(r, c, values[own][None], (int(r.max()) + 1, int(c.max()) + 1), sigma)[0]
    return result


def _gives_way(ramps: Ramps, strength: np.ndarray, shape, scale: float) -> np.ndarray:
    """(n,) bool: a pixel of another ridge that points the same way lies across within reach, and is the silhouette of both."""
    import cv2

    number = np.full(shape, -1, np.float32)  # exact up to 2**24; of 32-bit integers OpenCV finds no maximum
    number[ramps.rows, ramps.columns] = np.arange(len(ramps))
    number = cv2.dilate(number, np.ones((3, 3), np.uint8)).astype(np.int32)  # so that every second px meets a thin line
    result = np.zeros(len(ramps), bool)
    reach = round(PARALLEL_REACH * scale)
    for step in [*range(-reach, -3, 2), *range(4, reach + 1, 2)]:
        c = np.clip(np.rint(ramps.columns + step * ramps.normal[:, 0]).astype(np.int32), 0, shape[1] - 1)
        r = np.clip(np.rint(ramps.rows + step * ramps.normal[:, 1]).astype(np.int32), 0, shape[0] - 1)
        own = np.flatnonzero(number[r, c] >= 0)
        other = number[r[own], c[own]]
        met = (ramps.normal[own] * ramps.normal[other]).sum(axis=1) > 0.6
        met &= (np.abs(step) > 8) | (ramps.ridge[other] != ramps.ridge[own])
        factor = 1 / OUTER_FACTOR if step < 0 else OUTER_FACTOR  # towards the far side lies the outer ridge
        result[own[met & (strength[other] > factor * strength[own])]] = True
    return result


def _with_sure_pixels(ramps: Ramps, sure: np.ndarray, shape, least: float) -> Ramps:
    """Numbers the stretches that are left anew and drops those with fewer than `least` sure pixels."""
    own = connected(ramps.rows, ramps.columns, shape) if len(ramps) else ramps.ridge
    return replace(ramps, ridge=own).take(np.bincount(own, sure, minlength=1)[own] >= least)
