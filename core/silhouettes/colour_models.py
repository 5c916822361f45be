"""Colour models of the two sides of each silhouette: local histograms of clustered CIELAB colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .band import RidgeBand
from .ramps import REFERENCE_SIDE, Ramps
from .scattered_means import bilinear

SAMPLES = (6, 30)
"""Distances from the ridge, px, between which the colours of a side are counted."""
CLUSTERS, HISTOGRAM_SIGMA = 32, 22
"""Number of colour clusters, and sigma of the Gaussian within which they are counted, px."""
MIN_SHARE = 1e-4
"""Least share of a cluster, so that no likelihood is 0."""
GRID = 8
"""Spacing of the histograms, px: they vary slowly."""
BATCH = 1 << 15
"""Colours that are compared with all clusters at once."""


@dataclass(frozen=True)
class ColourModels:
    """Shares of the colour clusters around each pixel, on the near and on the far side of the nearest ridge."""

    centres: np.ndarray  # (CLUSTERS, 3) float32: CIELAB
    near: np.ndarray  # (h', w', CLUSTERS) float32: shares, on a grid of every `step` px
    far: np.ndarray  # (h', w', CLUSTERS) float32
    step: int

    def log_ratio(self, lab: np.ndarray, where: np.ndarray) -> np.ndarray:
        """(n,) float32: log likelihood ratio, near side over far side, of the colours at flat pixels `where` (n,)."""
        rows, columns = np.divmod(where.astype(np.int32), np.int32(lab.shape[1]))
        own = _nearest(lab.reshape(-1, 3)[where], self.centres)
        return bilinear(np.log(self.near / self.far), rows, columns, self.step, own)

    def overlap(self, ramps: Ramps) -> np.ndarray:
        """(n,) float32 at each ridge pixel: Bhattacharyya coefficient of both sides' histograms; 1 where they are equal."""
        return bilinear(np.sqrt(self.near * self.far), ramps.rows, ramps.columns, self.step).sum(axis=1)


def learn_colours(band: RidgeBand, lab: np.ndarray, centres: np.ndarray | None = None) -> ColourModels:
    """Colour models of both sides of every ridge of `band`; `lab` is (h, w, 3) float32 CIELAB.

    `centres`: clusters found earlier in the same photo; None finds them.
    """
    import cv2

    scale = max(lab.shape[:2]) / REFERENCE_SIDE
    low, high = SAMPLES[0] * scale, SAMPLES[1] * scale
    distance = np.where(band.fade > 0.5, band.distance, np.float32(0))
    sides = [np.flatnonzero((sign * distance > low) & (sign * distance < high)) for sign in (1, -1)]
    samples = [lab.reshape(-1, 3)[side] for side in sides]
    if centres is None:
        centres = _find_centres(np.concatenate(samples))
    step = max(1, round(GRID * scale))
    cells = -(-lab.shape[0] // step), -(-lab.shape[1] // step)
    shares = []
    for side, colours in zip(sides, samples, strict=True):
        rows, columns = np.divmod(side.astype(np.int32), np.int32(lab.shape[1]))
        own = (rows // step * cells[1] + columns // step) * CLUSTERS + _nearest(colours, centres)
        counted = np.bincount(own, minlength=cells[0] * cells[1] * CLUSTERS).reshape(*cells, CLUSTERS).astype(np.float32)
        around = cv2.GaussianBlur(counted, (0, 0), HISTOGRAM_SIGMA * scale / step)
        total = np.maximum(around.sum(axis=2, keepdims=True), 1e-6 * step**2)
        shares.append((around / total + MIN_SHARE) / (1 + CLUSTERS * MIN_SHARE))
    return ColourModels(centres, *shares, step)


def _find_centres(samples: np.ndarray) -> np.ndarray:
    """(CLUSTERS, 3) float32: k-means of (n, 3) colours, started spread over brightness; all equal where there are too few."""
    import cv2

    samples = np.ascontiguousarray(samples[:: max(1, len(samples) // 6000)], np.float32)
    if len(samples) < CLUSTERS:
        return np.zeros((CLUSTERS, 3), np.float32)
    start = np.zeros((len(samples), 1), np.int32)
    start[np.lexsort(samples.T[::-1]), 0] = np.arange(len(samples)) * CLUSTERS // len(samples)
    ends = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 8, 0.5)
    return cv2.kmeans(samples, CLUSTERS, start, ends, 1, cv2.KMEANS_USE_INITIAL_LABELS)[2]


def _nearest(colours: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n,) int32: the cluster of each of (n, 3) colours."""
    result, halves = np.empty(len(colours), np.int32), (centres * centres).sum(axis=1) / 2
    for start in range(0, len(colours), BATCH):
        part = np.s_[start : start + BATCH]
        result[part] = (halves - colours[part] @ centres.T).argmin(axis=1)  # |p|^2 is the same for all
    return result
