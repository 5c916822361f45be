"""Links of hidden pixels: mutual, onto the surface they continue, never across a junction or onto what is nearer."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import assert_links_are_mutual
from scenes import ALL, BORDERED, BORDERLESS, t_junction, two_planes

from photo_diorama.core.layers.layered_depth_image import STEPS, Layer
from photo_diorama.core.layers.link_layers import absorb_islands, link_hidden
from photo_diorama.core.layers.regions import disocclude

PLANAR = [name for name in ALL if name not in ("ground", "sphere")]


def linked(scene, settings=BORDERED):
    """The image with its first hidden layer linked, and what was found hidden."""
    image = scene.split(settings)
    found = absorb_islands(image, disocclude(image, settings.hidden_width))
    earlier, links = link_hidden(image, found)
    hidden = Layer(found.hidden, found.hidden, found.disparity, image.layers[0].colour, links)
    layers = tuple(replace(layer, links=own) for layer, own in zip(image.layers, earlier, strict=True))
    return replace(image, layers=(*layers, hidden)), found, image


@pytest.mark.parametrize("name", PLANAR)
def test_links_are_mutual(name):
    assert_links_are_mutual(linked(ALL[name]())[0])


@pytest.mark.parametrize("name", PLANAR)
def test_what_was_linked_before_stays_linked(name):
    image, _, before = linked(ALL[name]())
    old = before.layers[0].links
    assert np.array_equal(image.layers[0].links[old >= 0], old[old >= 0])


@pytest.mark.parametrize("name", PLANAR)
def test_hidden_pixels_are_linked_to_their_own_surface_only(name):
    """Link by link: the disparity on both sides is that of one surface of the scene."""
    image, found, _ = linked(ALL[name]())
    for side, (dr, dc) in enumerate(STEPS):
        r, c = np.nonzero(image.layers[1].links[side] >= 0)
        to = image.layers[1].links[side][r, c]
        there = np.where(to == 1, found.disparity[r + dr, c + dc], image.layers[0].disparity[r + dr, c + dc])
        assert np.abs(there - found.disparity[r, c]).max() <= 6 * image.threshold < 0.08


def test_the_wall_behind_goes_on_in_the_wall_beside_it_all_around():
    image, _, before = linked(two_planes(), BORDERLESS)
    torn = before.layers[0].links == -1
    wall = before.layers[0].disparity < 0.5
    inside = np.zeros_like(wall)
    inside[1:-1, 1:-1] = True
    # every tear of the wall that is not the picture's own rim goes on in the hidden layer
    for side in range(4):
        at = torn[side] & wall & inside
        assert at.any() and (image.layers[0].links[side][at] == 1).all()
    assert not (image.layers[0].links[:, ~wall] == 1).any()


def test_behind_a_junction_the_two_surfaces_are_torn():
    scene = t_junction()
    image, found, _ = linked(scene, BORDERLESS)
    hidden = image.layers[1]
    for side in range(4):
        dr, dc = STEPS[side]
        r, c = np.nonzero(hidden.links[side] == 1)
        assert np.abs(found.disparity[r, c] - found.disparity[r + dr, c + dc]).max() < 0.1


def test_specks_of_hidden_surface_are_absorbed():
    """One mixed pixel beside a silhouette would make a hidden surface of its own."""
    scene = two_planes()
    disparity = scene.disparity.copy()
    disparity[60, 110] = 0.6  # a mixed pixel right of the rectangle
    image = replace(scene, disparity=disparity).split(BORDERLESS)
    found = disocclude(image, 0.07)
    calm = absorb_islands(image, found)
    assert np.array_equal(calm.hidden, found.hidden) and np.array_equal(calm.distance, found.distance)
    assert np.abs(calm.disparity[calm.hidden] - 0.25).max() < 0.2
