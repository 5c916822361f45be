"""Core's axes as Blender's."""

from __future__ import annotations

import numpy as np


def to_blender(points: np.ndarray) -> np.ndarray:
    """(n, 3) points, x right, y down, z forward -> x right, y forward, z up, as the world of Blender stands."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1).astype(np.float32)
