"""The scene's scale in metres from one line on the photo whose real length is known."""

from __future__ import annotations

import numpy as np

from ..errors import DioramaError
from .camera import Camera

SHORTEST = 0.01
"""Least length of the line, as a part of the photo's long side: on a shorter one the depth of its ends says nothing."""
ROUNDS = 4
LINE_TOLERANCE, MIN_STEP = 0.004, 0.03
"""How far beside its edge a line may be drawn, as a part of the working picture's long side, and the least step of inverse depth at
such an edge, as a part of it."""


def parse_line(text: str, camera: Camera) -> np.ndarray:
    """(2, 2) float64: x, y of both ends from "X,Y,X,Y" in the photo's pixels. Raises DioramaError where that is no line on it."""
    try:
        ends = np.array([float(number) for number in text.split(",")]).reshape(2, 2)
    except ValueError:
        raise DioramaError(
            f"The known line {text!r} is not four numbers with commas", window="draw it again with Length of a Line",
            command_line="give both its ends in the photo's pixels, as in --known-line 120,400,380,420",
        ) from None  # fmt: skip
    size = np.array([camera.width, camera.height], np.float64)
    if not (np.isfinite(ends).all() and (ends >= 0).all() and (ends <= size).all()):
        raise DioramaError(
            f"The known line {text} leaves the photo of {camera.width} x {camera.height} pixels; both its ends must lie on it."
        )
    if np.hypot(*(ends[1] - ends[0])) < SHORTEST * max(size):
        raise DioramaError(f"The known line {text} is too short to measure by; draw it along something longer.")
    return ends


def measure_length(ends: np.ndarray, disparity: np.ndarray, camera: Camera) -> float:
    """Length in the scene, in units of 1 / `disparity` (h, w), of a straight line seen between (2, 2) `ends` in the photo's
    pixels; `camera` is the photo's.

    Inverse depth is linear along the line in the picture. The fit follows most of the samples, so things in front of the line, or the
    background where it is drawn slightly off the edge, do not count: where a much nearer surface ends beside most of the line, the
    line is its edge.
    """
    import cv2

    h, w = disparity.shape
    places = ends * (w / camera.width, h / camera.height)
    t = np.linspace(0, 1, max(16, int(np.hypot(*(places[1] - places[0]))) + 1))
    column, row = (places[0] + t[:, None] * (places[1] - places[0])).T
    least = disparity.min() / 2
    reach = np.ones((2 * max(1, round(LINE_TOLERANCE * max(h, w))) + 1,) * 2, np.uint8)
    pictures = (disparity, cv2.dilate(disparity, reach), cv2.erode(disparity, reach))
    at_ends, nearer, farther = (np.maximum(_fit_ends(t, picture, row, column), least) for picture in pictures)
    if (nearer + farther - 2 * at_ends).sum() > MIN_STEP * at_ends.sum():  # on a slope both sides differ by the same
        at_ends = nearer
    return float(np.linalg.norm(np.diff(camera.unproject(ends[:, 0], ends[:, 1], 1 / at_ends), axis=0)))


def _fit_ends(t: np.ndarray, disparity: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(2,) disparity at t = 0 and t = 1 of the line that fits most of the samples at (n,) rows and columns."""
    h, w = disparity.shape
    values = disparity[np.clip(row.astype(int), 0, h - 1), np.clip(column.astype(int), 0, w - 1)].astype(np.float64)
    slope, start = _line_through(t, values)
    return np.array([start, start + slope])


def _line_through(t: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the line through most values: the median slope of pairs (Theil-Sen), then least squares of values near it."""
    half = len(t) // 2
    slope = float(np.median((values[half : 2 * half] - values[:half]) / (t[half : 2 * half] - t[:half])))
    start = float(np.median(values - slope * t))
    for _ in range(ROUNDS):
        off = np.abs(values - start - slope * t)
        near = off <= max(2.5 * float(np.median(off)), 1e-9)
        if near.sum() < 8:
            break
        slope, start = (float(n) for n in np.polyfit(t[near], values[near], 1))
    return slope, start
