"""Soft depth gets one step at each silhouette: where the photo has its edge, once, and not on slopes or without evidence."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.depth.sharpen_depth import sharpen
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.photo.photo import Photo
from photo_diorama.core.settings import LayerSettings
from photo_diorama.core.silhouettes.ramps import find_ramps
from photo_diorama.core.silhouettes.step_depth import is_soft

HEIGHT, WIDTH = 320, 480
SCALE = WIDTH / 960
HARD = LayerSettings(soft_edge=0.0, rim=0.0)
NEAR, FAR = 1.0, 0.2


def picture(colour: np.ndarray) -> Photo:
    """A photo of these (h, w, 3) float32 colours, sRGB."""
    height, width = colour.shape[:2]
    whole = (colour * 65535 + 0.5).astype(np.uint16)
    return Photo("made", Path("made.png"), whole, None, Camera.from_fov(width, height), "made here", None)


def disc(radius=90, centre=(240, 160)):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - centre[0], y - centre[1]) < radius


def scene(mask, near=(0.7, 0.2, 0.2), far=(0.2, 0.4, 0.6), noise=0.03, seed=0):
    """(h, w, 3) float32: two colours with noise."""
    rng = np.random.default_rng(seed)
    colour = np.where(mask[..., None], np.float32(near), np.float32(far))
    return np.clip(colour + rng.normal(scale=noise, size=colour.shape), 0, 1).astype(np.float32)


def soft(disparity, width=20.0, shift=0):
    """A DepthMap with ramps of about `width` px at a long side of 960, moved by `shift` px to the right."""
    blurred = cv2.GaussianBlur(disparity.astype(np.float32), (0, 0), width / 2.5 * SCALE)
    blurred = np.roll(blurred, shift, axis=1)
    return DepthMap(blurred, np.ones(blurred.shape, bool), False, "made here")


def torn(depth, colour, settings=HARD):
    """Links right and down that are torn, (2, h, w) bool, within the photo."""
    sharp = sharpen(depth, colour, settings)
    image = make_first_layer(picture(colour), sharp, settings)
    top, left, h, w = image.frame
    links = image.layers[0].links[:, top : top + h, left : left + w]
    return np.stack([links[0] < 0, links[2] < 0]), sharp


def crossings(torn_right, rows, columns):
    """Tears that a line along each of `rows` meets within `columns`."""
    return torn_right[rows, columns[0] : columns[1]].sum(axis=1)


def test_a_ramp_becomes_one_step_on_the_edge_of_the_photo():
    mask = disc()
    cracks, sharp = torn(soft(np.where(mask, NEAR, FAR), shift=4), scene(mask))  # the depth is off by 8 px of 960
    assert sharp.steps is not None
    true = np.stack([np.zeros(mask.shape, bool)] * 2)
    true[0, :, :-1], true[1, :-1] = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    distance = cv2.distanceTransform((~true.any(axis=0)).astype(np.uint8), cv2.DIST_L2, 5)
    assert distance[cracks.any(axis=0)].max() <= 3
    back = cv2.distanceTransform((~cracks.any(axis=0)).astype(np.uint8), cv2.DIST_L2, 5)
    assert (back[true.any(axis=0)] <= 2).mean() > 0.97
    rows = np.arange(90, 230)
    assert (crossings(cracks[0], rows, (0, 240)) == 1).all() and (crossings(cracks[0], rows, (240, WIDTH)) == 1).all()
    assert np.median(sharp.disparity[mask]) == pytest.approx(NEAR, abs=0.02)
    band = mask & (distance < 6)
    assert np.percentile(sharp.disparity[band], 5) > NEAR - 0.1  # the near surface goes on to its edge
    assert np.percentile(sharp.disparity[~mask & (distance < 6) & (distance > 1)], 95) < FAR + 0.1


def ground():
    """Far, a slope of 112 px down the picture, near."""
    return np.clip((np.linspace(0, 1, HEIGHT)[:, None] - 0.4) / 0.35, 0, 1) * 0.8 + 0.2 + np.zeros((1, WIDTH))


def table():
    """A slope with plateaus on both sides as a silhouette's ramp has, but 44 px wide at a long side of 960, the near side below."""
    return np.clip((np.arange(HEIGHT)[:, None] - 160) / 22 + 0.5, 0, 1) * 0.4 + 0.2 + np.zeros((1, WIDTH))


def wavy_wall():
    """A wall seen at an angle as an estimator sees it: its slope rises and falls by a fifth."""
    x = np.arange(WIDTH)[None] - 80
    return np.clip((x + 1.27 * np.sin(x / 6.4)) / 120, 0, 1) * 0.8 + 0.2 + np.zeros((HEIGHT, 1))


@pytest.mark.parametrize("slope", [ground, table, wavy_wall])
def test_a_slope_is_left_alone(slope):
    disparity = slope()
    depth = soft(disparity, 4)
    edges = disparity > (disparity.min() + disparity.max()) / 2  # colours that would make a ramp there sure
    bars = (disparity * 8).astype(int) % 2 > 0
    for mask in (edges, bars):
        cracks, sharp = torn(depth, scene(mask))
        assert not cracks[:, 1:-1, 1:-1].any() and np.array_equal(sharp.disparity, depth.disparity)
        told = replace(depth, boundary=np.full(mask.shape, 0.5, np.float32))  # from an estimator that does not know either
        cracks, sharp = torn(told, scene(mask))
        assert not cracks[:, 1:-1, 1:-1].any() and np.array_equal(sharp.disparity, depth.disparity)


def test_a_soft_estimate_without_evidence_is_not_torn():
    mask = disc()
    depth = soft(np.where(mask, NEAR, FAR))
    cracks, sharp = torn(depth, scene(np.zeros(mask.shape, bool)))  # one colour everywhere
    assert sharp.steps is not None and not cracks.any()
    assert np.array_equal(sharp.disparity, depth.disparity)


def test_with_evidence_the_same_estimate_is_torn():
    mask = disc()
    cracks, _ = torn(soft(np.where(mask, NEAR, FAR)), scene(mask))
    assert cracks.sum() > 300


def line_of(mask, beside=0.05, on=0.95, width=5):
    """(h, w) float32: an estimator that knows the border of `mask`."""
    edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((width, width), np.uint8))
    return np.where(edge > 0, np.float32(on), np.float32(beside))


def test_a_boundary_that_the_estimator_tells_is_torn_whatever_the_colours_say():
    """One colour everywhere, a ramp that is off by 8 px of 960, even one as short as true depth has: the step stands on the boundary."""
    mask = disc()
    edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5)
    for width, shift in ((20, 4), (8, 0)):
        depth = replace(soft(np.where(mask, NEAR, FAR), width, shift), boundary=line_of(mask))
        cracks, _ = torn(depth, scene(np.zeros(mask.shape, bool)))
        places = cracks.any(axis=0)
        back = cv2.distanceTransform((~places).astype(np.uint8), cv2.DIST_L2, 5)
        assert distance[places].max() <= 4 and (back[edge] <= 3).mean() > 0.95, (width, shift)


def test_where_the_estimator_is_sure_that_nothing_ends_nothing_is_torn():
    mask = disc()
    depth = replace(soft(np.where(mask, NEAR, FAR)), boundary=np.full(mask.shape, 0.05, np.float32))
    cracks, sharp = torn(depth, scene(mask))  # the colours would tear it
    assert sharp.steps is not None and not cracks.any()


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(("count", "reach"), [(300, 1), (24, 3), (14, 4)])
def test_no_island_of_the_ramp_survives(count, reach, told):
    """`told`: an estimator takes the dots' borders for occlusion boundaries too."""
    mask = disc()
    spots = np.zeros(mask.shape, bool)
    rng = np.random.default_rng(3)
    for angle in rng.uniform(0, 2 * np.pi, count):  # beside the silhouette, where the label is open
        radius = 90 + rng.choice([-1, 1]) * rng.uniform(reach + 2, 7)
        x, y = round(240 + radius * np.cos(angle)), round(160 + radius * np.sin(angle))
        spots[y - reach : y + reach + 1, x - reach : x + reach + 1] = True
    colour = np.where(spots[..., None], scene(~mask), scene(mask))  # each side wears dots of the other's colour
    depth = soft(np.where(mask, NEAR, FAR))
    _, sharp = torn(replace(depth, boundary=line_of(mask ^ spots, width=3)) if told else depth, colour)
    near = (sharp.disparity > (NEAR + FAR) / 2).astype(np.uint8)
    assert cv2.connectedComponents(near, connectivity=4)[0] == 2
    assert cv2.connectedComponents(1 - near, connectivity=4)[0] == 2


def test_true_depth_is_not_taken_for_soft():
    mask = disc()
    for width in (0, 2, 5, 8):
        disparity = np.where(mask, NEAR, FAR).astype(np.float32)
        depth = soft(disparity, width) if width else DepthMap(disparity, np.ones(mask.shape, bool), False, "made here")
        assert sharpen(depth, scene(mask), HARD).steps is None, width


def test_the_width_is_measured_scale_free():
    mask = disc()
    depth = soft(np.where(mask, NEAR, FAR), 20)
    relative = ((depth.disparity - FAR) / (NEAR - FAR)).astype(np.float32)
    assert is_soft(find_ramps(relative), relative.shape)
    double = cv2.resize(relative, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    small, large = find_ramps(relative), find_ramps(double)
    assert 2 * np.median(small.width) == pytest.approx(np.median(large.width), rel=0.1)
    assert is_soft(large, double.shape)


def test_what_somebody_painted_sharp_stays_a_step():
    mask, painted = disc(), disc(30, (420, 60))
    depth = soft(np.where(mask, NEAR, FAR))
    disparity = np.where(painted, np.float32(0.8), depth.disparity)
    cracks, _ = torn(DepthMap(disparity, depth.known, False, ""), scene(mask))  # in the colour of what lies around it
    around = np.s_[60 - 34 : 60 + 34, 420 - 34 : 420 + 34]
    assert cracks[0][around].sum() >= 2 * 50


def test_what_lies_within_a_hero_stays_whole():
    """A face in hair: the network sees two ramps one after the other, the outer one is the silhouette."""
    outer, inner = disc(95), disc(72)
    disparity = np.where(inner, NEAR, np.where(outer, 0.7, FAR))
    colour = np.where(inner[..., None], scene(inner, near=(0.8, 0.6, 0.5)), scene(outer, near=(0.3, 0.2, 0.1)))
    cracks, _ = torn(soft(disparity, 12), colour)
    y, x = np.nonzero(cracks.any(axis=0))
    radius = np.hypot(x - 240, y - 160)
    assert (np.abs(radius - 95) < 4).mean() > 0.97


def test_silhouettes_of_estimates_are_soft_by_default_and_those_of_true_depth_hard():
    from photo_diorama.core.layers.soft_silhouettes import find_matte

    mask, settings = disc(), LayerSettings()
    colour = scene(mask)
    for depth, expected in ((soft(np.where(mask, NEAR, FAR)), True), (soft(np.where(mask, NEAR, FAR), 3), False)):
        sharp = sharpen(depth, colour, settings)
        image = make_first_layer(picture(colour), sharp, settings)
        assert (find_matte(image, settings, None, sharp.steps is not None) is not None) == expected
