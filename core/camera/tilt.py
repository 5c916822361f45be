"""A phone-like tilt: camera offset for a pointer position, and the lens shift that keeps the focus distance in place."""

from __future__ import annotations

import math

from .safe_range import SafeRange


def tilt(x: float, y: float, box: SafeRange) -> tuple[float, float]:
    """Camera offset to the right and upwards for the pointer at (x, y); (0, 0) is the middle, 1 the right and upper edge.

    The unit disc of pointer positions maps to the ellipse that touches all four sides of the box, so no corner of the box is reached,
    where the gaps of both axes would add up. Outside the disc the offset stays on the ellipse.
    """
    length = max(1.0, math.hypot(x, y))
    x, y = x / length, y / length
    return x * (box.right if x > 0 else box.left), y * (box.up if y > 0 else box.down)


def keep_shift(side: float, up: float, focus: float, focal: float) -> tuple[float, float]:
    """What to add to the lens shift so that surfaces at the `focus` distance stay in place in the picture.

    `focal` and the result are parts of the sensor's width, as Blender has the shift: positive shows more on the right, above.
    """
    return -side / focus * focal, -up / focus * focal
