"""Decides which stretches of a ridge are certain enough to cut: where no clean step can be found, a stretched sheet looks better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .colour_models import ColourModels
from .ramps import REFERENCE_SIDE, Ramps, connected
from .scattered_means import gaussian_means

STRETCH = 30
"""Sigma, px, of the Gaussian that smooths evidence along the ridge, so that whole stretches are decided."""
MAX_OVERLAP, WEAK_OVERLAP = 0.55, 0.75
"""Bhattacharyya coefficients of both sides' colours: below the first a stretch is certain, below the second it counts where it is
connected to a certain one, above that it is dropped."""
SURE_BOUNDARY, WEAK_BOUNDARY, NO_BOUNDARY = 0.75, 0.6, 0.45
"""Probabilities of an occlusion boundary, where the estimator gives them: above the first a stretch is certain without asking its colours,
above the second it counts where it is connected to a certain one, below the third it is dropped."""
BOUNDARY_REACH = 3
"""Px beside a ridge within which the boundary's probability is taken."""
MIN_JUMP = 0.03
"""Least jump of a stretch that the boundary alone makes certain, part of the range."""
MIN_STRENGTH = 0.05
"""Least strength: jump (part of the range) times 1 - Bhattacharyya coefficient."""
PARALLEL_REACH = 60
"""Two ridges within this distance across, px, that jump the same way are one ramp. The outer one is the silhouette ..."""
OUTER_FACTOR = 2.0
"""... unless the inner one is this many times stronger: the inside of a foreground stays whole."""
SHORTEST = 24
"""Stretches shorter than this are dropped, px."""


def keep_sure_stretches(ramps: Ramps, colours: ColourModels, shape: tuple[int, int], boundary: np.ndarray | None = None) -> Ramps:
    """The ramps without stretches whose sides have similar colours and without those beside a stronger parallel ridge.

    `boundary` (h, w) float32 0..1 is the probability of an occlusion boundary, where the estimator gives one: it overrules colours.
    """
    if len(ramps) == 0:
        return ramps
    scale = max(shape) / REFERENCE_SIDE
    overlap = _along(ramps, colours.overlap(ramps), STRETCH * scale)
    strength = (ramps.near - ramps.far) * np.clip(1 - overlap, 0.05, 1)
    strength = _along(ramps, strength, STRETCH / 2 * scale)
    inner = _along(ramps, _gives_way(ramps, strength, shape, scale).astype(np.float32), STRETCH / 2 * scale) > 0.5
    sure = (overlap < MAX_OVERLAP) & (strength > MIN_STRENGTH)
    kept = ~inner & ((overlap < WEAK_OVERLAP) | sure)
    if boundary is not None:
        likely = _along(ramps, _beside(boundary, BOUNDARY_REACH * scale)[ramps.rows, ramps.columns], STRETCH * scale)
        sure = (sure & (likely > NO_BOUNDARY)) | ((likely > SURE_BOUNDARY) & (ramps.near - ramps.far > MIN_JUMP))
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
    """(n,) bool: another ridge of the same direction lies across within reach, and is the silhouette of both."""
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
    """Renumbers the remaining stretches and drops those with fewer than `least` certain (`sure`) pixels."""
    own = connected(ramps.rows, ramps.columns, shape) if len(ramps) else ramps.ridge
    return replace(ramps, ridge=own).take(np.bincount(own, sure, minlength=1)[own] >= least)
