"""Regions: what is hidden lies on the nearer side within reach, and context comes from the farther surface alone."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import framed
from scenes import ALL, BORDERED, BORDERLESS, HEIGHT, WIDTH, nested, slanted_ground, t_junction, two_planes

from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.inpaint.inpaint import add_hidden_layer
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.layers.layered_depth_image import LayeredDepthImage
from photo_diorama.core.layers.regions import disocclude, find_regions

PLANAR = [name for name in ALL if name not in ("ground", "sphere")]


def hidden_of(scene, part: float = 0.07, settings=BORDERLESS):
    image = scene.split(settings)
    return image, disocclude(image, part)


def regions_of(scene, settings=BORDERLESS):
    """The image with its first hidden layer, and that layer's regions."""
    image, found = hidden_of(scene, settings.hidden_width, settings)
    image, found = add_hidden_layer(image, found)
    return image, find_regions(image, settings.context_width, found)


def test_a_plane_hides_nothing():
    assert hidden_of(slanted_ground())[1] is None


@pytest.mark.parametrize("part", [0.03, 0.07, 0.15])
def test_the_flood_covers_the_nearer_side_to_its_width(part):
    """City blocks from the silhouette: link by link."""
    scene = two_planes()
    _, found = hidden_of(scene, part)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside = np.minimum(np.minimum(rows - 30, 89 - rows), np.minimum(columns - 50, 109 - columns))
    assert np.array_equal(found.hidden, (inside >= 0) & (inside < round(part * WIDTH)))
    assert np.array_equal(found.distance[found.hidden], inside[found.hidden])
    assert found.edges == 1 and (found.disparity[found.hidden] == np.float32(0.25)).all()


@pytest.mark.parametrize("name", PLANAR)
def test_each_hidden_pixel_belongs_to_the_nearest_silhouette_pixel(name):
    image, found = hidden_of(ALL[name]())
    rows, columns = np.divmod(found.seed[found.hidden], image.shape[1])
    r, c = np.nonzero(found.hidden)
    steps = np.abs(rows - r) + np.abs(columns - c)
    assert np.array_equal(steps, found.distance[found.hidden])  # no scene has a bend that a walk must go round
    assert (found.distance[rows, columns] == 0).all()


@pytest.mark.parametrize("name", PLANAR)
def test_what_is_hidden_is_farther_than_what_hides_it(name):
    scene = ALL[name]()
    image, found = hidden_of(scene, settings=BORDERED)
    front = image.layers[0].disparity
    assert (found.disparity < front - image.threshold / 2)[found.hidden].all()
    assert (scene.surface[framed(image, found.hidden)] > 0).all()


def test_a_small_jump_hides_less():
    scene = two_planes()
    counts = []
    for distance in (1.0, 2.6, 3.6):
        near = np.where(scene.surface == 1, np.float32(1 / distance), scene.disparity)
        near[:4, :4] = 1  # keeps the range
        counts.append(hidden_of(replace(scene, disparity=near))[1].hidden[10:].sum())
    assert counts[0] > counts[1] > counts[2] > 0


def test_edges_are_counted_apart():
    scene = two_planes((20, 20, 50, 60))
    other = two_planes((70, 90, 100, 140))
    both = np.maximum(scene.disparity, other.disparity)
    assert hidden_of(replace(scene, disparity=both))[1].edges == 2


def test_at_a_junction_the_nearest_surface_behind_counts():
    scene = t_junction()
    _, found = hidden_of(scene)
    seeds = found.hidden & (found.distance == 0) & (scene.surface == 2)
    # on the upper edge of the nearest surface: the far plane to the left, the middle one to the right
    assert (found.disparity[70, 32:76][seeds[70, 32:76]] == np.float32(0.25)).all()
    assert (found.disparity[70, 84:128][seeds[70, 84:128]] == np.float32(0.5)).all()


@pytest.mark.parametrize("name", PLANAR)
def test_context_never_holds_a_nearer_surface(name):
    """Each region's context has the region's own surface's colours: no red anywhere."""
    image, regions = regions_of(ALL[name]())
    assert regions
    for region in regions:
        assert region.synthesis.any() and not (region.synthesis & region.context).any()
        assert region.colour[region.context][:, 0].max(initial=0) == 0
        assert (region.distance[region.context] > 0).all()
        assert region.context.shape == region.synthesis.shape == region.colour.shape[:2]


@pytest.mark.parametrize("name", PLANAR)
def test_regions_are_the_hidden_layer_in_connected_pieces(name):
    image, regions = regions_of(ALL[name](), BORDERED)
    whole = np.zeros(image.shape, int)
    for region in regions:
        whole[region.window][region.synthesis] += 1
    assert np.array_equal(whole == 1, image.layers[1].present) and whole.max() == 1
    sizes = [region.synthesis.sum() for region in regions]
    assert sizes == sorted(sizes, reverse=True)


def test_context_reaches_as_far_as_told():
    image, regions = regions_of(two_planes())
    (region,) = regions
    r, c = np.nonzero(region.context)
    top, left = region.window[0].start, region.window[1].start
    outside = np.maximum(np.maximum(30 - r - top, r + top - 89), 0) + np.maximum(np.maximum(50 - c - left, c + left - 109), 0)
    assert outside.max() <= round(BORDERLESS.context_width * WIDTH) and outside.min() == 1
    assert np.array_equal(region.distance[region.context], outside)


def test_the_same_image_gives_the_same_regions():
    for (_, a), (_, b) in [(regions_of(nested()), regions_of(nested()))]:
        for one, two in zip(a, b, strict=True):
            assert one.window == two.window and np.array_equal(one.colour, two.colour)


@pytest.mark.parametrize("part", [0.06, 0.1])
def test_context_goes_no_further_than_the_context_width(part):
    """The hidden part is deep enough to ask for more, so the option alone ends the flood: at it, and not before."""
    _, (region,) = regions_of(two_planes(), replace(BORDERLESS, context_width=part))
    assert region.distance[region.context].max() == round(part * WIDTH)


def ending_tear() -> LayeredDepthImage:
    """A rectangle before a wall whose right silhouette is torn only in its upper half; below it the depth ramps over 8 px."""
    disparity = np.full((HEIGHT, WIDTH), 0.2, np.float32)
    disparity[:, :80] = 1.0
    disparity[60:, 76:84] = np.linspace(1.0, 0.2, 8, dtype=np.float32)
    steps = np.zeros((2, HEIGHT, WIDTH), bool)
    steps[0, :60, 79] = True
    depth = DepthMap(disparity, np.ones(disparity.shape, bool), False, "made here", steps=steps)
    return make_first_layer(two_planes().photo(), depth, BORDERLESS)


def test_context_does_not_reach_round_the_end_of_a_tear_in_estimated_depth():
    image = ending_tear()
    found = disocclude(image, BORDERLESS.hidden_width)
    image, found = add_hidden_layer(image, found)
    regions = find_regions(image, BORDERLESS.context_width, found)
    assert regions[0].context.any() and image.estimated
    for region in regions:
        near = image.layers[0].disparity[region.window] > 0.65
        assert not (region.context & near).any()


def test_what_the_flood_hides_beyond_the_end_of_a_tear_covers_no_context():
    """It lies behind the wall that the region in front continues; alone it has no context."""
    image, found = add_hidden_layer(ending_tear(), disocclude(ending_tear(), BORDERLESS.hidden_width))
    front, beyond = find_regions(image, BORDERLESS.context_width, found)
    assert front.context.any() and not beyond.context.any()
    rows, columns = np.nonzero(beyond.synthesis)
    assert (columns + beyond.window[1].start >= 80).all()
    rows, columns = rows + beyond.window[0].start, columns + beyond.window[1].start
    wall = (columns >= 80) & (rows < 60)
    assert front.context[rows[wall] - front.window[0].start, columns[wall] - front.window[1].start].any()


def test_a_region_that_the_farther_side_alone_would_starve_takes_what_it_is_linked_to():
    """A hidden surface far behind all that is seen beside it: better that context than none."""
    image = ending_tear()
    found = disocclude(image, BORDERLESS.hidden_width)
    image, found = add_hidden_layer(image, found)
    *before, last = image.layers
    image = replace(image, layers=(*before, replace(last, disparity=np.full_like(last.disparity, -0.9))))
    regions, free = (find_regions(each, BORDERLESS.context_width, found) for each in (image, replace(image, estimated=False)))
    assert regions[0].context.any()
    assert all(np.array_equal(a.context, b.context) for a, b in zip(regions, free, strict=True))
