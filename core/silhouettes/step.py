"""Soft disparity with one step at each silhouette, on the photo's own edge."""

from __future__ import annotations

import numpy as np

from .band import Band, band_around
from .colour_models import learn_colours
from .evidence import sure_stretches
from .grid_system import links_of, solve
from .join_ends import join_ends
from .ramps import REFERENCE_SIDE, Ramps, find_ramps, without_slopes
from .random_walker import WIDTH, near_probability

SOFT = 12
"""Ramps of this median width or more, px at a long side of 960, are an estimator's; stereo has 5.5, sensors 4.6, phones 4 to 8."""
LABEL_SMOOTHING = 2.0
"""Sigma of the Gaussian over the label, px."""
PLATEAU_PULL = 0.02
"""Weight that draws a continued surface to the plateau's disparity, beside links of weight 1."""
ITERATIONS, TOLERANCE = 80, 1e-4


def softness(ramps: Ramps, shape: tuple[int, int]) -> float:
    """Median width of the ramps, px at a long side of 960; 0 where there is none."""
    return float(np.median(ramps.width)) / max(shape) * REFERENCE_SIDE if len(ramps) else 0.0


def step_at_silhouettes(disparity: np.ndarray, colour: np.ndarray, ramps: Ramps) -> np.ndarray:
    """(h, w) float32 disparity in which each ramp of `ramps` is one step; slopes stay as they are.

    disparity: (h, w) float32, parts of its range; colour: (h, w, 3) float32 sRGB 0..1.
    """
    import cv2

    shape = disparity.shape
    ramps = without_slopes(ramps, shape)
    if len(ramps) == 0:
        return disparity
    lab = cv2.cvtColor(np.ascontiguousarray(colour, np.float32), cv2.COLOR_RGB2LAB)
    ramps = sure_stretches(ramps, learn_colours(band_around(ramps, shape), lab), shape)
    ramps = join_ends(ramps, shape)
    if len(ramps) == 0:
        return disparity
    band = band_around(ramps, shape)
    probability, open_ = near_probability(band, lab, learn_colours(band, lab).log_ratio())
    near = _smooth_label(probability, band, open_)
    return _stepped(disparity, band, near)


def _smooth_label(probability: np.ndarray, band: Band, open_: np.ndarray) -> np.ndarray:
    """(h, w) bool near; its contour smoothed, islands that reach no plateau given to the other side."""
    import cv2

    scale = max(open_.shape) / REFERENCE_SIDE
    near = cv2.GaussianBlur(probability, (0, 0), LABEL_SMOOTHING * scale) > 0.5
    near = np.where(open_, near, band.distance > 0)
    for value in (True, False):
        side = (near == value) & (band.fade > 0)
        _, labels = cv2.connectedComponents(side.astype(np.uint8), connectivity=4)
        rooted = np.zeros(labels.max() + 1, bool)
        rooted[labels[~open_ & side]] = True
        near = np.where(side & ~rooted[labels], not value, near)
    return near


def _stepped(disparity: np.ndarray, band: Band, near: np.ndarray) -> np.ndarray:
    """Each side's surface continued over the ramp as a membrane, up to the label's border."""
    scale = max(near.shape) / REFERENCE_SIDE
    on_ramp = (band.distance < band.near_distance) & (-band.distance < band.far_distance)
    moved = (near != (band.distance > 0)) & (np.abs(band.distance) <= WIDTH * scale)
    open_ = (on_ramp | moved) & (band.fade > 0)
    where = np.flatnonzero(open_)
    label, told = near.ravel(), np.where(near, band.near, band.far).ravel()[where].astype(np.float64)

    def same_side(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (label[a] == label[b]).astype(np.float64)

    links = links_of(where, near.shape, same_side, np.ones(near.shape, bool))
    result = disparity.copy()
    solved = solve(links, disparity.ravel(), told, PLATEAU_PULL, ITERATIONS, TOLERANCE)
    fade = band.fade.ravel()[where]
    result.ravel()[where] += fade * (solved - disparity.ravel()[where])
    return result
