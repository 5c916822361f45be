"""Links of hidden pixels: mutual, onto the surface they continue, never across a junction or onto what is nearer."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import assert_links_are_mutual
from scenes import ALL, BORDERED, BORDERLESS, t_junction, two_planes

from photo_diorama.core.layers.layered_depth_image import OPPOSITE, STEPS, Layer, LayeredDepthImage, mutual_links
from photo_diorama.core.layers.link_layers import absorb_islands, link_hidden
from photo_diorama.core.layers.regions import Disocclusion, disocclude

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


def hand_made(own: float = 1.0, shape=(60, 60)) -> tuple[LayeredDepthImage, Disocclusion]:
    """A front at disparity `own` whose left two thirds hide a wall at 0.2; the flood came from the left column."""
    present = np.ones(shape, bool)
    links = mutual_links(np.ones(shape, bool), np.ones(shape, bool), 0)
    front = Layer(present, ~present, np.full(shape, own, np.float32), np.zeros((*shape, 3), np.float32), links)
    hidden = np.zeros(shape, bool)
    hidden[:, :40] = True
    column = np.broadcast_to(np.arange(shape[1]), shape)
    seed = np.broadcast_to(np.arange(shape[0])[:, None] * shape[1], shape).astype(np.int32).copy()
    disparity = np.where(hidden, 0.2, 0).astype(np.float32)
    found = Disocclusion(hidden, disparity, column.astype(np.int16), seed, None, None, 1)
    return LayeredDepthImage((front,), (0, 0, *shape), 0.05, 1.0), found


def test_only_islands_change_and_take_the_nearest_surface():
    """A speck, a piece that reaches no silhouette, and a piece too close to what hides it; all else keeps its numbers."""
    image, found = hand_made()
    disparity, seed = found.disparity.copy(), found.seed.copy()
    speck, piece, close = np.s_[10:11, 10:11], np.s_[20:40, 15:35], np.s_[50:52, 5:20]
    disparity[speck], disparity[piece], disparity[close] = 0.5, 0.6, 0.98
    for place in (speck, piece, close):
        seed[place] = 7
    changed = absorb_islands(image, replace(found, disparity=disparity, seed=seed))
    assert np.array_equal(changed.disparity, found.disparity)
    islands = np.zeros(found.hidden.shape, bool)
    for place in (speck, piece, close):
        islands[place] = True
    assert np.array_equal(changed.seed[~islands], found.seed[~islands]) and not (changed.seed[islands] == 7).any()
    assert changed.seed[10, 10] in (9 * 60, 10 * 60, 11 * 60)  # of its row or one beside it
    assert absorb_islands(image, found) is found


def test_what_is_nearly_as_near_as_a_cut_part_is_no_island():
    """Behind a part that was cut off without a jump a surface may touch it; elsewhere it is absorbed. Parts come along."""
    image, found = hand_made()
    image = replace(image, layers=(replace(image.layers[0], part=np.ones(found.hidden.shape, np.uint8)),))
    part, cut = np.zeros(found.hidden.shape, np.uint8), np.zeros(found.hidden.shape, bool)
    disparity = found.disparity.copy()
    disparity[:30] = 0.99
    cut[:20] = True
    part[:30] = 3
    after = absorb_islands(image, replace(found, disparity=disparity, part=part, cut=cut))
    assert (after.disparity[:20, :40] == np.float32(0.99)).all()
    assert set(np.unique(after.disparity[20:30, :40])) <= {np.float32(0.99), np.float32(0.2)}
    assert (after.disparity[26:, :40] == np.float32(0.2)).all() and not after.part[26:30, :40].any()


def test_links_join_only_free_sides_of_what_is_present():
    """No hidden pixel is linked to a place that is empty, or whose side is linked already."""
    image, found, before = linked(two_planes(), BORDERED)
    hidden = image.layers[1]
    for side, (dr, dc) in enumerate(STEPS):
        r, c = np.nonzero(hidden.links[side] == 0)
        assert len(r) and before.layers[0].present[r + dr, c + dc].all()
        assert (before.layers[0].links[OPPOSITE[side]][r + dr, c + dc] == -1).all()
