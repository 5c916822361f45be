"""What colours lie on the two sides of each silhouette: local histograms of clustered CIELAB colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .band import Band
from .ramps import REFERENCE_SIDE, Ramps

SAMPLES = (6, 30)
"""Colours of a side are counted between these distances from the ridge, px."""
CLUSTERS, LOCAL = 32, 22
"""Colours are counted in so many clusters, within a Gaussian of this sigma."""
FLOOR = 1e-4
"""Share of a cluster that was not seen."""
GRID = 4
"""Histograms are kept on every such px: they vary slowly."""


@dataclass(frozen=True)
class ColourModels:
    """Shares of the colour clusters around every place, on the near and on the far side of the nearest ridge."""

    cluster: np.ndarray  # (h, w) int32: each pixel's cluster
    near: np.ndarray  # (CLUSTERS, h', w') float32: shares, on a grid of every `GRID` px
    far: np.ndarray  # (CLUSTERS, h', w') float32

    def log_ratio(self) -> np.ndarray:
        """(h, w) float32: log of how much likelier each pixel's own colour is on the near side than on the far one."""
        import cv2

        ratio = np.zeros(self.cluster.shape, np.float32)
        for k in range(CLUSTERS):
            own = self.cluster == k
            log = np.log(self.near[k] / self.far[k])
            ratio[own] = cv2.resize(log, self.cluster.shape[::-1], interpolation=cv2.INTER_LINEAR)[own]
        return ratio

    def overlap(self, ramps: Ramps) -> np.ndarray:
        """(n,) float32 at each ridge pixel: Bhattacharyya coefficient of both sides' histograms, 1 where they are alike."""
        rows, columns = self._places(ramps)
        return np.sqrt(self.near[:, rows, columns] * self.far[:, rows, columns]).sum(axis=0)

    def _places(self, ramps: Ramps) -> tuple[np.ndarray, np.ndarray]:
        (h, w), (rows, columns) = self.cluster.shape, self.near.shape[1:]
        return np.minimum(ramps.rows * rows // h, rows - 1), np.minimum(ramps.columns * columns // w, columns - 1)


def learn_colours(band: Band, lab: np.ndarray) -> ColourModels:
    """Colour models of both sides of every ridge of `band`; `lab` is (h, w, 3) float32 CIELAB."""
    import cv2

    scale = max(lab.shape[:2]) / REFERENCE_SIDE
    low, high = SAMPLES[0] * scale, SAMPLES[1] * scale
    sides = [(sign * band.distance > low) & (sign * band.distance < high) & (band.fade > 0.5) for sign in (1, -1)]
    cluster = _clusters(lab, sides[0] | sides[1])
    step = max(1, round(GRID * scale))
    small = (-(-lab.shape[1] // step), -(-lab.shape[0] // step))
    sigma = LOCAL * scale / step

    def spread(mask: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(cv2.resize(mask.astype(np.float32), small, interpolation=cv2.INTER_AREA), (0, 0), sigma)

    shares = []
    for side in sides:
        total = np.maximum(spread(side), 1e-6)
        counted = np.stack([spread(side & (cluster == k)) / total for k in range(CLUSTERS)])
        shares.append((counted + FLOOR) / (1 + CLUSTERS * FLOOR))
    return ColourModels(cluster, *shares)


def _clusters(lab: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(h, w) int32: number of each pixel's colour; k-means on the pixels of `where`, from a start spread by brightness."""
    import cv2

    samples = lab[where]
    samples = np.ascontiguousarray(samples[:: max(1, len(samples) // 6000)], np.float32)
    if len(samples) < CLUSTERS:
        return np.zeros(lab.shape[:2], np.int32)
    start = np.zeros((len(samples), 1), np.int32)
    start[np.lexsort(samples.T[::-1]), 0] = np.arange(len(samples)) * CLUSTERS // len(samples)
    ends = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 8, 0.5)
    _, _, centres = cv2.kmeans(samples, CLUSTERS, start, ends, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    flat = lab.reshape(-1, 3)
    nearest, least = np.zeros(len(flat), np.int32), np.full(len(flat), np.inf, np.float32)
    squares = (centres * centres).sum(axis=1)
    for k in range(CLUSTERS):  # |p|^2 is the same for all
        distance = squares[k] - 2 * (flat @ centres[k])
        closer = distance < least
        nearest[closer], least[closer] = k, distance[closer]
    return nearest.reshape(lab.shape[:2])
