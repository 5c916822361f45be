"""The tilt keeps inside the safe range, and the focus in its place."""

import numpy as np
import pytest

from photo_diorama.core.camera.safe_range import SafeRange
from photo_diorama.core.camera.tilt import keep_shift, tilt

BOX = SafeRange(left=1.0, right=2.0, down=0.5, up=0.25, back=9.0, forward=9.0)


def test_the_middle_is_the_photos_place_and_the_rims_are_the_limits():
    assert tilt(0, 0, BOX) == (0, 0)
    assert tilt(1, 0, BOX) == (2, 0) and tilt(-1, 0, BOX) == (-1, 0)
    assert tilt(0, 1, BOX) == (0, 0.25) and tilt(0, -1, BOX) == (0, -0.5)
    assert tilt(0.5, 0, BOX) == (1, 0)


def test_wherever_the_pointer_is_the_camera_stays_on_the_ellipse_inside_the_box():
    for x, y in np.random.default_rng(0).uniform(-4, 4, (500, 2)):
        side, up = tilt(x, y, BOX)
        assert BOX.holds(side, 0, up) or max(abs(side) / 2, abs(up) / 0.5) < 1 + 1e-9
        assert (side / (2 if side > 0 else 1)) ** 2 + (up / (0.25 if up > 0 else 0.5)) ** 2 <= 1 + 1e-9
        assert np.sign(side) == np.sign(x) and np.sign(up) == np.sign(y)


def test_the_shift_keeps_what_stands_in_the_focus():
    """Blender's projection: picture place = focal * position / distance - shift, in widths of the sensor."""
    focal, focus = 1.4, 3.0
    for side, up in ((0.4, 0.0), (-0.3, 0.7)):
        right, above = keep_shift(side, up, focus, focal)
        for place in ((0.0, 0.0), (0.5, -0.2)):
            was = np.array(place) * focal / focus
            now = (np.array(place) - (side, up)) * focal / focus - (right, above)
            assert now == pytest.approx(was)
        nearer = (np.array((0.0, 0.0)) - (side, up)) * focal / 2.0 - (right, above)
        assert np.abs(nearer).max() > 0.05
