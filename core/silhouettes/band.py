"""The band around each ridge: signed distance from it, and the near and the far surface continued across it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..raster.nearest_known import nearest_known
from .ramps import REFERENCE_SIDE, Ramps

ALONG = 5.0
"""Near and far values and normals are smoothed along the ridge by a Gaussian of this sigma."""
FADE = 12
"""Past the end of a ridge its step fades within so many px."""


@dataclass(frozen=True)
class Band:
    """For every pixel of the map what its nearest ridge says of it."""

    distance: np.ndarray  # (h, w) float32: px of the map from the nearest ridge, positive on its near side
    near: np.ndarray  # (h, w) float32: disparity of the near surface there, part of the range
    far: np.ndarray  # (h, w) float32
    near_distance: np.ndarray  # (h, w) float32: px from the ridge to its near plateau
    far_distance: np.ndarray  # (h, w) float32
    fade: np.ndarray  # (h, w) float32: 1 beside the ridge, 0 further than `FADE` past its end
    ridge: np.ndarray  # (h, w) int32: number of the nearest ridge


def band_around(ramps: Ramps, shape: tuple[int, int]) -> Band:
    """The band of at least one ridge pixel on a map of `shape` (h, w)."""
    scale = max(shape) / REFERENCE_SIDE
    normal, near, far, near_distance, far_distance = _smooth_along(ramps, shape, scale)
    number = np.full(shape, -1, np.int32)
    number[ramps.rows, ramps.columns] = np.arange(len(ramps))
    nearest = number.ravel()[nearest_known(number >= 0)[1]]
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    dx, dy = x - ramps.columns[nearest], y - ramps.rows[nearest]
    nx, ny = normal[nearest, 0], normal[nearest, 1]
    across, along = dx * nx + dy * ny, np.abs(dy * nx - dx * ny)
    distance = np.hypot(dx, dy) * np.where(across >= 0, 1, -1)
    past = np.maximum(along - np.abs(across), 0)  # within 45 degrees of the normal the ridge is beside it
    fade = np.clip(1 - past / (FADE * scale), 0, 1)
    return Band(distance.astype(np.float32), near[nearest], far[nearest], near_distance[nearest], far_distance[nearest],
                fade.astype(np.float32), ramps.ridge[nearest])  # fmt: skip


def _smooth_along(ramps: Ramps, shape, scale: float):
    """Normals, plateaus and their distances, each the weighted mean of the ridge pixels around (normalised convolution)."""
    import cv2

    def total(values: np.ndarray) -> np.ndarray:
        picture = np.zeros(shape, np.float32)
        picture[ramps.rows, ramps.columns] = values
        return cv2.GaussianBlur(picture, (0, 0), ALONG * scale)[ramps.rows, ramps.columns]

    share = np.maximum(total(np.ones(len(ramps), np.float32)), 1e-6)

    def mean(values: np.ndarray) -> np.ndarray:
        return total(values) / share

    normal = np.stack([mean(ramps.normal[:, 0]), mean(ramps.normal[:, 1])], axis=1)
    normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-6)[:, None]
    return normal, mean(ramps.near), mean(ramps.far), mean(ramps.near_distance), mean(ramps.far_distance)
