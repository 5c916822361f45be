"""The pinhole camera of a photo. This file defines axes, pixel centres and focal length for all of core.

Axes are OpenCV's: x right, y down, z forward. Image coordinates (u, v) run from (0, 0) at the outer corner of the top left
pixel to (width, height); the centre of the first pixel is (0.5, 0.5). `operators/scene/axes.py` converts to Blender's axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DEFAULT_FOV_DEG = 2 * math.degrees(math.atan(0.5))
"""53.13 degrees across the long side: focal length = long side, what Shih et al. 2020 assume of every photo."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels of an image of width x height; square pixels, no distortion."""

    width: int
    height: int
    focal_px: float
    cx: float
    cy: float

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float = DEFAULT_FOV_DEG) -> Camera:
        """A centred camera whose LONG side spans `fov_deg` degrees."""
        focal = 0.5 * max(width, height) / math.tan(math.radians(fov_deg) / 2)
        return cls(width, height, focal, width / 2, height / 2)

    @classmethod
    def from_focal(cls, width: int, height: int, focal_px: float) -> Camera:
        """A centred camera with the focal length given in pixels."""
        return cls(width, height, float(focal_px), width / 2, height / 2)

    @property
    def fov_deg(self) -> float:
        """Angle across the long side, degrees."""
        return 2 * math.degrees(math.atan(0.5 * max(self.width, self.height) / self.focal_px))

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for the image resampled to another size. The focal length follows the long side."""
        sx, sy = width / self.width, height / self.height
        scale = sx if self.width >= self.height else sy
        return Camera(width, height, self.focal_px * scale, self.cx * sx, self.cy * sy)

    def unproject(self, u: np.ndarray, v: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Image coordinates (px) and depth along the axis z -> (..., 3) points, x right, y down, z forward."""
        x = (u - self.cx) / self.focal_px * z
        y = (v - self.cy) / self.focal_px * z
        return np.stack(np.broadcast_arrays(x, y, z), axis=-1)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 3) points -> image coordinates u, v in pixels; the inverse of `unproject`.

        >>> camera = Camera.from_focal(640, 480, 640)
        >>> u, v = camera.project(camera.unproject(np.array([320.0]), np.array([0.0]), np.array([2.0])))
        >>> float(u[0]), float(v[0])
        (320.0, 0.0)
        """
        z = points[..., 2]
        return points[..., 0] / z * self.focal_px + self.cx, points[..., 1] / z * self.focal_px + self.cy
