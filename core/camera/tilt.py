"""A phone-like tilt: where the camera goes for a place of the pointer, and the lens shift that keeps the focus where it is."""

from __future__ import annotations

import math

from .safe_range import SafeRange


def tilt(x: float, y: float, box: SafeRange) -> tuple[float, float]:
    """Offset of the camera to the right and upwards for the pointer at (x, y), (0, 0) the middle, 1 its right and upper rim.

    The pointer's picture is a disc: its rim is the ellipse that touches the box on all four sides, so that no corner of the
    box is reached, where gaps of both axes would add up. Beyond the rim nothing moves on.
    """
    length = max(1.0, math.hypot(x, y))
    x, y = x / length, y / length
    return x * (box.right if x > 0 else box.left), y * (box.up if y > 0 else box.down)


def keeping_shift(side: float, up: float, focus: float, focal: float) -> tuple[float, float]:
    """What to add to a lens shift so that surfaces at the `focus` distance stay in place in the picture.

    `focal` and the result are parts of the sensor's width; the shift is Blender's: positive takes in more on the right, above.
    """
    return -side / focus * focal, -up / focus * focal
