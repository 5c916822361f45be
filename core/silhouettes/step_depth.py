"""Soft disparity with one step at each silhouette, on the photo's own edge."""

from __future__ import annotations

import numpy as np

from .band import RidgeBand, band_around
from .choose_ridges import keep_sure_stretches
from .colour_models import learn_colours
from .grid_system import make_links, solve
from .join_ends import join_ends
from .ramps import REFERENCE_SIDE, Ramps, drop_slopes
from .random_walker import WIDTH, near_probability

SOFT, MIN_SOFT = 12.0, 5.0
"""Median width of ramps from which depth counts as estimated: px at a long side of 960 (stereo has 5.5, sensors 4.6, phones 4 to 8,
the built-in network 15 to 35), and px of the map itself at least, as every small map blurs a little."""
LABEL_SMOOTHING = 2.0
"""Sigma of the Gaussian over the label, px."""
PLATEAU_PULL = 0.02
"""Weight of the pull to the plateau's disparity, beside links of weight 1."""
ISOLATED = 5.0
"""A jump this many times its neighbours is a step already (painted, or in the file), not a ramp."""
ITERATIONS, TOLERANCE = 80, 1e-4


def is_soft(ramps: Ramps, shape: tuple[int, int]) -> bool:
    """Whether a map of `shape` (h, w) with these ramps was estimated, not measured."""
    return len(ramps) > 0 and float(np.median(ramps.width)) > max(SOFT * max(shape) / REFERENCE_SIDE, MIN_SOFT)


def step_at_silhouettes(
    disparity: np.ndarray, colour: np.ndarray, ramps: Ramps, tear: float, rim: int, boundary: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 disparity in which each certain ramp is one step, and (2, h, w) bool of the links where it steps.

    disparity: (h, w) float32, parts of its range; colour: (h, w, 3) float32 sRGB 0..1; `tear`: the least step. Slopes and
    doubtful ramps stay as they are. The near side goes on for `rim` px over the pixels whose colour mixes both.
    `boundary`: (h, w) float32 0..1, how likely a pixel is to lie at an occlusion boundary, where the estimator knows it.
    Steps are returned as links to the right of and below a pixel, together with the steps that the disparity had before.
    """
    import cv2

    shape = disparity.shape
    sharp = _isolated_steps(disparity, tear)
    ramps = drop_slopes(ramps, shape)
    if len(ramps) == 0:
        return disparity, sharp
    lab = cv2.cvtColor(np.ascontiguousarray(colour, np.float32), cv2.COLOR_RGB2LAB)
    colours = learn_colours(band_around(ramps, shape), lab)
    ramps = keep_sure_stretches(ramps, colours, shape, boundary)
    ramps = join_ends(ramps, shape)
    if len(ramps) == 0:
        return disparity, sharp
    band = band_around(ramps, shape)
    probability, open_ = near_probability(band, lab, learn_colours(band, lab, colours.centres), boundary)
    near = _smooth_label(probability, band, open_)
    if rim > 0:
        near |= cv2.dilate(near.astype(np.uint8), np.ones((2 * rim + 1,) * 2, np.uint8)).astype(bool) & (band.fade > 0)
    stepped = _make_steps(disparity, band, near)
    return stepped, _steps_at(near, band.fade > 0) | sharp


def _steps_at(label: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(2, h, w) bool: links right and down, within `where`, across the border of a label (h, w) bool."""
    steps = np.zeros((2, *label.shape), bool)
    steps[0, :, :-1] = (label[:, 1:] != label[:, :-1]) & where[:, 1:] & where[:, :-1]
    steps[1, :-1] = (label[1:] != label[:-1]) & where[1:] & where[:-1]
    return steps


def _isolated_steps(disparity: np.ndarray, tear: float) -> np.ndarray:
    """(2, h, w) bool: links right and down whose jump is a step already: `ISOLATED` times its neighbours along the line."""
    steps = np.zeros((2, *disparity.shape), bool)
    for step, jump in ((steps[0, :, :-1], np.diff(disparity, axis=1)), (steps[1, :-1].T, np.diff(disparity, axis=0).T)):
        sign, same = np.sign(jump), np.zeros_like(jump)
        same[:, 1:] = jump[:, :-1] * sign[:, 1:]
        np.maximum(same[:, :-1], jump[:, 1:] * sign[:, :-1], out=same[:, :-1])
        step[...] = (np.abs(jump) > tear) & (np.abs(jump) > ISOLATED * np.maximum(same, 0))
    return steps


def _smooth_label(probability: np.ndarray, band: RidgeBand, open_: np.ndarray) -> np.ndarray:
    """(h, w) bool: the near side, with a smoothed contour; islands that reach no plateau go to the other side."""
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


def _make_steps(disparity: np.ndarray, band: RidgeBand, near: np.ndarray) -> np.ndarray:
    """Continues each side's surface over the ramp as a membrane, up to the label's border."""
    scale = max(near.shape) / REFERENCE_SIDE
    on_ramp = (band.distance < band.near_distance) & (-band.distance < band.far_distance)
    moved = (near != (band.distance > 0)) & (np.abs(band.distance) <= WIDTH * scale)
    open_ = (on_ramp | moved) & (band.fade > 0)
    where = np.flatnonzero(open_)
    label, prior = near.ravel(), np.where(near, band.near, band.far).ravel()[where].astype(np.float64)

    def same_side(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (label[a] == label[b]).astype(np.float64)

    links = make_links(where, near.shape, same_side, np.ones(near.shape, bool))
    result = disparity.copy()
    solved = solve(links, disparity.ravel(), prior, PLATEAU_PULL, ITERATIONS, TOLERANCE)
    fade = band.fade.ravel()[where]
    result.ravel()[where] += fade * (solved - disparity.ravel()[where])
    return result
