"""Splitting: links are mutual, the photo's pixels are as they were, and the border continues what is at the frame."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import assert_links_are_mutual, framed
from scenes import ALL, BORDERED, BORDERLESS, HEIGHT, WIDTH, Scene, slanted_ground, t_junction, two_planes

from photo_diorama.core.layers.first_layer import SMALL_BORDER_STEP, make_first_layer
from photo_diorama.core.layers.layered_depth_image import (
    DOWN,
    LEFT,
    OPPOSITE,
    RIGHT,
    STEPS,
    UP,
    mutual_links,
    neighbour,
)
from photo_diorama.core.settings import LayerSettings


@pytest.mark.parametrize("settings", [BORDERED, BORDERLESS, LayerSettings()])
@pytest.mark.parametrize("name", ALL)
def test_links_are_mutual_and_the_photo_is_as_it_was(name, settings):
    scene = ALL[name]()
    image = scene.split(settings)
    assert_links_are_mutual(image)
    (layer,) = image.layers
    assert layer.present.all() and np.array_equal(framed(image, layer.synthesised), np.zeros((HEIGHT, WIDTH), bool))
    assert layer.synthesised.sum() == layer.synthesised.size - HEIGHT * WIDTH
    top, left, _, _ = image.frame
    colour = layer.colour[top : top + HEIGHT, left : left + WIDTH]
    assert np.array_equal(colour, scene.photo().working_colour(HEIGHT, WIDTH))
    if settings.rim == 0 and name != "sphere":
        assert np.array_equal(framed(image, layer.disparity), scene.disparity)


@pytest.mark.parametrize("name", [name for name in ALL if name != "sphere"])
def test_no_link_of_the_canvas_exceeds_the_threshold(name):
    image = ALL[name]().split()
    layer = image.layers[0]
    for side in (RIGHT, DOWN):
        linked = layer.links[side] >= 0
        apart = np.abs(neighbour(layer.disparity, side, np.inf) - layer.disparity)
        assert apart[linked].max() <= image.threshold


@pytest.mark.parametrize("part", [0.0, 0.06, 0.2, 0.25])
def test_the_border_is_whole_blocks_on_each_side(part):
    image = two_planes().split(LayerSettings(border=part))
    top, left, height, width = image.frame
    assert (height, width) == (HEIGHT, WIDTH) and top == left and top % SMALL_BORDER_STEP == 0
    assert image.shape == (HEIGHT + 2 * top, WIDTH + 2 * left)
    assert abs(top - part * WIDTH) <= SMALL_BORDER_STEP / 2 and image.long_side == WIDTH


def test_the_border_goes_straight_on_and_tears_where_depth_jumps():
    """The rectangle touches the bottom and the left of the frame; its silhouette runs on to the rim of the canvas."""
    scene = two_planes((60, 0, HEIGHT, 60))
    image = scene.split()
    layer, (top, left, _, _) = image.layers[0], image.frame
    for r in (0, top, top + 59, top + 60, top + HEIGHT, layer.present.shape[0] - 1):
        for c in (0, left, left + 59, left + 60, left + WIDTH, layer.present.shape[1] - 1):
            at_frame = scene.disparity[np.clip(r - top, 0, HEIGHT - 1), np.clip(c - left, 0, WIDTH - 1)]
            assert layer.disparity[r, c] == at_frame
    assert (layer.links[RIGHT][top + 60 :, left + 59] == -1).all()
    assert (layer.links[DOWN][top + 59, : left + 60] == -1).all()
    torn = (layer.links[RIGHT][:, :-1] < 0).sum() + (layer.links[DOWN][:-1] < 0).sum()
    assert torn == (60 + top) + (60 + left)  # and nowhere else


def test_threshold_and_span_are_those_of_the_depth():
    scene = slanted_ground()
    image = scene.split(replace(BORDERED, tear=0.1))
    assert image.span == scene.depth().span and image.threshold == pytest.approx(0.1 * image.span)


def test_a_rim_gives_mixed_pixels_to_the_foreground():
    scene = two_planes()
    image = make_first_layer(scene.photo(), scene.depth(), replace(BORDERLESS, rim=2 / WIDTH))
    grown = image.layers[0].disparity == 1
    assert grown[28:92, 50:110].all() and grown[30:90, 48:112].all() and not grown[27].any() and not grown[:, 112].any()


def test_a_higher_threshold_tears_less():
    scene = t_junction()
    torn = [(scene.split(replace(BORDERED, tear=tear)).layers[0].links == -1).sum() for tear in (0.01, 0.4, 0.5)]
    assert torn[0] > torn[1] >= torn[2]


@pytest.mark.parametrize("side", [RIGHT, LEFT, DOWN, UP])
def test_neighbour_is_one_step_away_and_opposite_undoes_it(side):
    array = np.arange(20).reshape(4, 5)
    found = neighbour(array, side, -7)
    for r in range(4):
        for c in range(5):
            rr, cc = r + STEPS[side][0], c + STEPS[side][1]
            assert found[r, c] == (array[rr, cc] if 0 <= rr < 4 and 0 <= cc < 5 else -7)
    inside = found != -7
    assert np.array_equal(neighbour(found, OPPOSITE[side], -7)[neighbour(inside, OPPOSITE[side], False)],
                          array[neighbour(inside, OPPOSITE[side], False)])  # fmt: skip


def test_mutual_links_are_mutual():
    rng = np.random.default_rng(2)
    right, down = rng.random((2, 6, 7)) > 0.5
    right[:, -1], down[-1] = False, False
    links = mutual_links(right, down, 3)
    assert np.array_equal(links[RIGHT] == 3, right) and np.array_equal(links[DOWN] == 3, down)
    assert np.array_equal(links[LEFT][:, 1:] == 3, right[:, :-1]) and np.array_equal(links[UP][1:] == 3, down[:-1])
    assert set(np.unique(links)) == {-1, 3}


def a_ramp(step: np.ndarray | float = 0.0) -> Scene:
    """A tilted plane, whose disparity rises to the right and downwards; `step` is added to it."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    disparity = (0.4 + 0.0012 * columns + 0.0006 * rows + step).astype(np.float32)
    flat = np.zeros((HEIGHT, WIDTH), np.int8)
    return Scene(np.zeros((HEIGHT, WIDTH, 3), np.uint8), disparity, flat, disparity[None])


def test_a_tilted_plane_goes_on_beyond_the_frame_and_does_not_turn_back():
    scene = a_ramp()
    image = scene.split(LayerSettings(border=0.2, rim=0.0))
    top, left, height, width = image.frame
    disparity = image.layers[0].disparity
    rows, columns = np.mgrid[0 : disparity.shape[0], 0 : disparity.shape[1]]
    plane = 0.4 + 0.0012 * (columns - left) + 0.0006 * (rows - top)
    at_frame = np.pad(scene.disparity, top, mode="edge")
    mirrored = np.pad(scene.disparity, top, mode="symmetric")
    for side in (np.s_[top : top + height, :left], np.s_[top : top + height, left + width :], np.s_[:top, left : left + width],
                 np.s_[top + height :, left : left + width]):  # fmt: skip
        went = (disparity - at_frame)[side].mean() / (plane - at_frame)[side].mean()
        assert 0.8 < went < 1.001 and (disparity - mirrored)[side].mean() * (plane - mirrored)[side].mean() > 0
    assert np.array_equal(disparity[top : top + height, left : left + width], scene.disparity)
    assert (np.diff(disparity, axis=1) > 0).all() and (np.diff(disparity, axis=0) > 0).all()


def test_what_lies_behind_at_the_frame_stays_as_far_behind_beyond_it():
    """A thing stands at the lower edge before the tilted plane."""
    step = np.zeros((HEIGHT, WIDTH), np.float32)
    step[60:, 50:100] = 0.5
    image = a_ramp(step).split(LayerSettings(border=0.2, rim=0.0))
    top, left, height, _ = image.frame
    below = image.layers[0].disparity[top + height :]
    for outside, inside in ((left + 49, left + 50), (left + 100, left + 99)):
        assert np.abs(below[:, inside] - below[:, outside] - 0.5).max() < 0.02
    assert (image.layers[0].links[RIGHT][top + height :, left + 49] == -1).all()


def test_noise_at_the_frame_sends_nothing_away():
    rng = np.random.default_rng(2)
    image = a_ramp(0.02 * rng.standard_normal((HEIGHT, WIDTH))).split(LayerSettings(border=0.25, rim=0.0, tear=0.5))
    outside = image.layers[0].disparity[image.layers[0].synthesised]
    inside = image.layers[0].disparity[~image.layers[0].synthesised]
    assert inside.min() / 2 <= outside.min() and outside.max() <= 1.3 * inside.max()
