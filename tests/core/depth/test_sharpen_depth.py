"""Sharpening: blurred steps become clean ones where the photo's edge is; what is clean stays as it is, bit by bit."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import ALL, HEIGHT, WIDTH, nested, sphere_before_wall, t_junction, two_planes, wire

from photo_diorama.core.depth.sharpen_depth import sharpen
from photo_diorama.core.settings import LayerSettings

TEAR = LayerSettings().tear
CLEAN = [name for name in ALL if name != "sphere"]


def sharpened(scene, depth):
    return sharpen(depth, scene.photo().working_colour(HEIGHT, WIDTH), LayerSettings()).disparity


def blurred(scene, sigma: float):
    import cv2

    return replace(scene.depth(), disparity=cv2.GaussianBlur(scene.disparity, (0, 0), sigma))


@pytest.mark.parametrize("name", CLEAN)
def test_clean_steps_thin_lines_and_planes_stay_bit_by_bit(name):
    scene = ALL[name]()
    assert np.array_equal(sharpened(scene, scene.depth()), scene.disparity)


@pytest.mark.parametrize("lean", [0, 1])
def test_a_line_one_pixel_wide_stays(lean):
    scene = wire(1, lean)
    assert np.array_equal(sharpened(scene, scene.depth()), scene.disparity)
    turned = replace(scene.depth(), disparity=np.ascontiguousarray(scene.disparity[:, :HEIGHT].T))
    assert np.array_equal(sharpen(turned, np.zeros((HEIGHT, HEIGHT, 3), np.float32), LayerSettings()).disparity, turned.disparity)


@pytest.mark.parametrize("steepness", [0.1, 0.5, 0.9])
def test_a_slanted_plane_stays_however_steep(steepness):
    """Up to nearly the jump at which a surface is torn."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    plane = 0.2 + steepness * TEAR * rows + 0.2 * steepness * TEAR * columns
    plane = (plane / np.ptp(plane)).astype(np.float32)
    scene = two_planes()
    assert np.array_equal(sharpened(scene, replace(scene.depth(), disparity=plane)), plane)


def surface_of(scene, disparity):
    return np.argmin([np.abs(disparity - np.nanmedian(plane)) for plane in scene.surfaces], axis=0)


def away_from_silhouettes(scene, pixels: int):
    import cv2

    other = np.zeros(scene.surface.shape, np.uint8)
    other[:, 1:] |= scene.surface[:, 1:] != scene.surface[:, :-1]
    other[1:] |= scene.surface[1:] != scene.surface[:-1]
    other |= np.roll(other, -1, 0) | np.roll(other, -1, 1)
    return cv2.dilate(other, np.ones((2 * pixels - 1, 2 * pixels - 1), np.uint8)) == 0


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5, 2.5])
@pytest.mark.parametrize("make", [two_planes, lambda: two_planes((60, 0, HEIGHT, 60)), sphere_before_wall])
def test_a_blurred_silhouette_becomes_a_step_within_a_pixel_of_the_photos(make, sigma):
    scene = make()
    result = sharpened(scene, blurred(scene, sigma))
    wrong = surface_of(scene, result) != scene.surface
    assert not (wrong & away_from_silhouettes(scene, 1)).any()


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5, 2.5])
def test_nothing_of_a_blurred_step_is_left_between_its_sides(sigma):
    scene = two_planes()
    result = sharpened(scene, blurred(scene, sigma))
    assert np.minimum(np.abs(result - 0.25), np.abs(result - 1)).max() < 0.01


def test_beyond_its_reach_sharpening_leaves_curved_surfaces():
    scene = sphere_before_wall()
    result = sharpened(scene, scene.depth())
    far = away_from_silhouettes(scene, 12)
    assert np.array_equal(result[far], scene.disparity[far])


@pytest.mark.parametrize("make", [two_planes, t_junction, lambda: wire(2), sphere_before_wall])
def test_twice_is_once(make):
    scene = make()
    once = sharpen(blurred(scene, 1.0), scene.photo().working_colour(HEIGHT, WIDTH), LayerSettings())
    assert np.array_equal(sharpened(scene, once), once.disparity)


def test_a_blurred_wire_keeps_its_width():
    scene = wire(3, 0.4)
    result = sharpened(scene, blurred(scene, 1.0))
    assert np.abs((result > 0.6).sum(axis=1) - 3).max() <= 1


def test_no_value_is_invented_beyond_the_range():
    scene = nested()
    for sigma in (1.0, 2.5):
        depth = blurred(scene, sigma)
        result = sharpened(scene, depth)
        assert result.min() >= depth.disparity.min() and result.max() <= depth.disparity.max()


def test_what_is_known_and_said_of_the_depth_stays():
    scene = two_planes()
    depth = replace(blurred(scene, 1.5), metric=False, source="said")
    result = sharpen(depth, scene.photo().working_colour(HEIGHT, WIDTH), LayerSettings())
    assert (result.metric, result.source) == (False, "said") and result.known is depth.known
    assert result.disparity.dtype == np.float32
