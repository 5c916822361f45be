"""Labels each pixel beside a silhouette as near or far: a random walker (Grady 2006) with priors by colour and distance."""

from __future__ import annotations

import numpy as np

from .band import RidgeBand
from .colour_models import ColourModels
from .grid_system import make_links, solve
from .ramps import REFERENCE_SIDE

WIDTH = 20
"""Px from the ridge within which the label is solved for."""
MAX_RATIO = 2.5
"""Largest log likelihood ratio of a colour that counts."""
PRIOR_WEIGHT = 0.005
"""Weight of the priors by colour and distance, beside links of weight up to about 1."""
DISTANCE_PULL = 5.0
"""Px from the ridge that count as much as a log likelihood ratio of 1."""
CONTRAST, MIN_CONTRAST, MIN_LINK = 0.5, 0.3, 0.01
CONTRAST_WINDOW = 17
MAX_SIDE_DIFFERENCE = 0.08
"""Two ridges separate the same surfaces if their near sides, and their far sides, differ by less than this part of the range."""
MAX_BARRIER = 0.9
"""Part of its weight that a link loses across a certain occlusion boundary."""
ITERATIONS, TOLERANCE = 150, 1e-4


def near_probability(
    band: RidgeBand, lab: np.ndarray, colours: ColourModels, boundary: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 probability that a pixel belongs to the near side, and (h, w) bool where it was solved for.

    Elsewhere the side of the ridge decides. `lab` is (h, w, 3) float32 CIELAB, `colours` those of both sides,
    `boundary` (h, w) float32 0..1 the probability of an occlusion boundary, where it is known: links across it are weak.
    """
    scale = max(lab.shape[:2]) / REFERENCE_SIDE
    open_ = (np.abs(band.distance) <= WIDTH * scale) & (band.fade > 0)
    side = (band.distance > 0).astype(np.float32)
    held = ~open_ & (band.fade > 0) & (np.abs(band.distance) < (WIDTH + 4) * scale)
    where = np.flatnonzero(open_)
    prior = np.clip(colours.log_ratio(lab, where), -MAX_RATIO, MAX_RATIO) + band.distance.ravel()[where] / (DISTANCE_PULL * scale)
    prior = 1 / (1 + np.exp(-prior.astype(np.float64)))
    weight = _link_weights(band, lab, scale, boundary)
    result = side.copy()
    system = make_links(where, open_.shape, weight, open_ | held)
    result.ravel()[where] = solve(system, side.ravel(), prior, PRIOR_WEIGHT, ITERATIONS, TOLERANCE)
    return result, open_


def _link_weights(band: RidgeBand, lab: np.ndarray, scale: float, boundary: np.ndarray | None):
    """Weight of the link between flat indices a and b: high for similar colours, 0 between bands of ridges of different surfaces."""
    planes, contrast = lab.reshape(-1, 3).T.copy(), _local_contrast(lab, scale).ravel()
    near, far = band.near.ravel(), band.far.ravel()
    passes = None if boundary is None else 1 - MAX_BARRIER * np.clip(boundary, 0, 1).ravel()

    def weight(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        change = sum(np.square(plane[a] - plane[b]) for plane in planes)
        link = np.exp(-change / (CONTRAST * (contrast[a] + contrast[b]) / 2 + MIN_CONTRAST)) + MIN_LINK
        if passes is not None:
            link *= passes[a] * passes[b]
        return link * ((np.abs(near[a] - near[b]) < MAX_SIDE_DIFFERENCE) & (np.abs(far[a] - far[b]) < MAX_SIDE_DIFFERENCE))

    return weight


def _local_contrast(lab: np.ndarray, scale: float) -> np.ndarray:
    """(h, w) float32: mean squared change of colour between neighbours around each pixel."""
    import cv2

    change = np.zeros(lab.shape[:2], np.float32)
    for plane in cv2.split(lab):
        change[:, 1:] += np.square(plane[:, 1:] - plane[:, :-1])
        change[1:] += np.square(plane[1:] - plane[:-1])
    side = 2 * round(CONTRAST_WINDOW / 2 * scale) + 1
    return cv2.blur(change / 2, (side, side))
