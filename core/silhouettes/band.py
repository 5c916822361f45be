"""The band around each ridge: the signed distance from it, and the near and far surfaces on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..raster.nearest_known import nearest_known
from .ramps import REFERENCE_SIDE, Ramps
from .scattered_means import gaussian_means

ALONG = 5.0
"""Near and far values and normals are smoothed along the ridge by a Gaussian of this sigma."""
FADE = 12
"""Px past the end of a ridge within which its step fades."""
HALF_WIDTH = 32
"""Px from the nearest ridge up to which the band is computed; walks to plateaus, colours and labels all end before."""


@dataclass(frozen=True)
class RidgeBand:
    """For every pixel of the map, the values of its nearest ridge; 0 farther than `HALF_WIDTH` from all ridges."""

    distance: np.ndarray  # (h, w) float32: px of the map from the nearest ridge, positive on its near side; -inf beyond `HALF_WIDTH`
    near: np.ndarray  # (h, w) float32: disparity of the near surface there, part of the range
    far: np.ndarray  # (h, w) float32
    near_distance: np.ndarray  # (h, w) float32: px from the ridge to its near plateau
    far_distance: np.ndarray  # (h, w) float32
    fade: np.ndarray  # (h, w) float32: 1 beside the ridge, 0 further than `FADE` past its end, and beyond `HALF_WIDTH`


def band_around(ramps: Ramps, shape: tuple[int, int]) -> RidgeBand:
    """The band of at least one ridge pixel on a map of `shape` (h, w)."""
    scale = max(shape) / REFERENCE_SIDE
    normal, near, far, near_distance, far_distance = _smooth_along(ramps, shape, scale)
    number = np.full(shape, -1, np.int32)
    number[ramps.rows, ramps.columns] = np.arange(len(ramps))
    away, index = nearest_known(number >= 0)
    where = np.flatnonzero(away <= HALF_WIDTH * scale)
    nearest = number.ravel()[index.ravel()[where]]
    rows, columns = np.divmod(where.astype(np.int32), np.int32(shape[1]))
    dx, dy = (columns - ramps.columns[nearest]).astype(np.float32), (rows - ramps.rows[nearest]).astype(np.float32)
    nx, ny = normal[nearest, 0], normal[nearest, 1]
    across, along = dx * nx + dy * ny, np.abs(dy * nx - dx * ny)
    past = np.maximum(along - np.abs(across), 0)  # within 45 degrees of the normal the ridge is beside it

    def picture(values: np.ndarray, elsewhere: float = 0) -> np.ndarray:
        whole = np.full(shape, elsewhere, np.float32)
        whole.ravel()[where] = values
        return whole

    return RidgeBand(
        picture(np.hypot(dx, dy) * np.where(across >= 0, np.float32(1), np.float32(-1)), -np.inf),
        *(picture(values[nearest]) for values in (near, far, near_distance, far_distance)),
        picture(np.clip(1 - past / np.float32(FADE * scale), 0, 1)),
    )


def _smooth_along(ramps: Ramps, shape, scale: float):
    """Normals, plateaus and their distances, each smoothed along the ridge by a Gaussian."""
    values = np.stack([*ramps.normal.T, ramps.near, ramps.far, ramps.near_distance, ramps.far_distance])
    x, y, *others = gaussian_means(ramps.rows, ramps.columns, values, shape, ALONG * scale)
    return np.stack([x, y], axis=1) / np.maximum(np.hypot(x, y), 1e-6)[:, None], *others
