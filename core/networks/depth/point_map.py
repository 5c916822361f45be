"""Focal length and shift of a map of points that are known up to a shift along the optical axis (Wang et al. 2025, MoGe, section 3)."""

from __future__ import annotations

import numpy as np

GRID = 64
"""Rows and columns at which the points are sampled."""


def recover_focal_and_shift(points: np.ndarray, known: np.ndarray, focal: float | None = None) -> tuple[float, float] | None:
    """(focal length, shift) with which the points project best to where they are in the picture; None where too few are known.

    points (h, w, 3), camera axes; known (h, w) bool. The focal length is in half diagonals of the picture; where it is given, only
    the shift is sought.
    """
    from scipy.optimize import least_squares

    height, width = known.shape
    rows, columns = (np.arange(GRID) * side // GRID for side in (height, width))
    u = (2 * columns + 1 - width) / np.hypot(width, height)
    v = (2 * rows + 1 - height) / np.hypot(width, height)
    here = known[rows[:, None], columns]
    if here.sum() < 2:
        return None
    place = np.stack(np.meshgrid(u, v), axis=-1)[here]
    x, z = np.split(points[rows[:, None], columns].astype(np.float64)[here], [2], axis=1)

    def best(shift: float) -> tuple[float, np.ndarray]:
        flat = x / (z + shift)
        found = focal if focal is not None else float((flat * place).sum() / max((flat * flat).sum(), 1e-12))
        return found, (found * flat - place).ravel()

    with np.errstate(all="ignore"):
        solved = least_squares(lambda shift: best(shift[0])[1], 0.0, ftol=1e-3, method="lm")
        found, shift = best(solved.x[0])[0], float(solved.x[0])
    return (found, shift) if np.isfinite([found, shift]).all() and found > 0 else None
