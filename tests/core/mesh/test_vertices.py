"""Vertices: linked pixels share theirs on every layer, torn ones do not; silhouettes are smooth, the frame straight."""

import numpy as np
import pytest
from layer_checks import filled
from scenes import ALL, BORDERLESS, EVERY, slanted_ground, two_planes

from photo_diorama.core.layers.layered_depth_image import (
    DOWN,
    LEFT,
    OPPOSITE,
    RIGHT,
    STEPS,
    UP,
    Layer,
    LayeredDepthImage,
)
from photo_diorama.core.mesh.vertices import (
    BL,
    BR,
    MAX_SMOOTHING,
    NUDGE,
    SLOT_STEP,
    TL,
    TR,
    _keep_vertices_behind_occluders,
    find_vertices,
)

SHARED = {RIGHT: ((TR, TL), (BR, BL)), LEFT: ((TL, TR), (BL, BR)), DOWN: ((BL, TL), (BR, TR)), UP: ((TL, BL), (TR, BR))}
"""For a neighbour on each side: my slot and its slot of the two corners between us."""


@pytest.mark.parametrize("name", EVERY)
def test_linked_pixels_share_both_corners_also_across_layers(name):
    image = filled(name)
    corners = find_vertices(image)
    for k, layer in enumerate(image.layers):
        for side, (dr, dc) in enumerate(STEPS):
            r, c = np.nonzero(layer.links[side] >= 0)
            to = layer.links[side][r, c]
            for j in np.unique(to):
                one = to == j
                for mine, its in SHARED[side]:
                    own = corners.slots[k][mine, r[one], c[one]]
                    other = corners.slots[j][its, r[one] + dr, c[one] + dc]
                    assert (own == other).all(), f"{(own != other).sum()} cracks between layers {k} and {j}"


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("sphere", "ground")])
def test_across_a_silhouette_no_vertex_is_shared(name):
    """In front of a tear and behind it each surface has its own, at another distance."""
    image = filled(name)
    corners = find_vertices(image)
    layer = image.layers[0]
    for side, (dr, dc) in ((RIGHT, (0, 1)), (DOWN, (1, 0))):
        r, c = np.nonzero(layer.links[side][:-1, :-1] != 0)
        for mine, its in SHARED[side]:
            own, other = corners.slots[0][mine, r, c], corners.slots[0][its, r + dr, c + dc]
            assert (own != other).all()
            assert (np.abs(corners.place(own)[2] - corners.place(other)[2]) > image.threshold / 2).all()


@pytest.mark.parametrize("name", EVERY)
def test_every_slot_lies_at_its_pixels_corner(name):
    image = filled(name)
    corners = find_vertices(image)
    for k, layer in enumerate(image.layers):
        r, c = np.nonzero(layer.present)
        for slot, (dr, dc) in enumerate(SLOT_STEP):
            row, column, disparity = corners.place(corners.slots[k][slot, r, c])
            most = MAX_SMOOTHING + max(abs(n) for n in NUDGE) + 1e-6
            assert np.abs(row - r - dr).max() <= most and np.abs(column - c - dc).max() <= most
            assert np.isfinite(disparity).all() and (disparity > 0).all()


@pytest.mark.parametrize("name", EVERY)
def test_no_hidden_vertex_is_in_front_of_the_one_that_hides_it(name):
    """Where two surfaces meet, single corners may touch: within the quarter of a threshold that keeps hidden pixels behind."""
    image = filled(name)
    corners = find_vertices(image)
    for k in range(1, len(image.layers)):
        r, c = np.nonzero(image.layers[k].present)
        for slot in range(4):
            front, own = corners.slots[k - 1][slot, r, c], corners.slots[k][slot, r, c]
            apart = front != own
            ahead = (corners.place(own)[2] - corners.place(front)[2])[apart]
            assert ahead.max() < (0 if name in ALL else 0.26 * image.threshold) and (ahead >= 0).sum() < 5


@pytest.mark.parametrize("name", EVERY)
def test_the_frame_and_the_rim_stay_straight(name):
    image = filled(name)
    h, w = image.shape
    top, left, height, width = image.frame
    offset = find_vertices(image).offset.reshape(h + 1, w + 1, 2)
    for line in (0, top, top + height, h):
        assert not offset[line, :, 0].any()
    for line in (0, left, left + width, w):
        assert not offset[:, line, 1].any()


def test_a_stair_becomes_a_slope():
    """The corners along a leaning silhouette lie nearer to a straight line than the stairs of the pixels."""
    image = filled("leaning wire 3 px", BORDERLESS)
    corners = find_vertices(image)
    near = image.layers[0].disparity > 0.6
    r, c = np.nonzero(near[:, 1:] & ~near[:, :-1])
    c = c + 1
    row, column, _ = corners.place(corners.slots[0][TL, r, c])
    inner = (r > 10) & (r < 110)
    stairs = np.std((c - np.polyval(np.polyfit(r, c, 1), r))[inner])
    smooth = np.std((column - np.polyval(np.polyfit(row, column, 1), row))[inner])
    assert smooth < 0.6 * stairs


def test_means_of_a_plane_are_that_plane():
    scene = slanted_ground()
    corners = find_vertices(scene.split(BORDERLESS))
    assert corners.regular[0].all() and len(corners.irregular_corner) == 0
    slope = scene.disparity[1, 0] - scene.disparity[0, 0]
    expected = scene.disparity[0, 0] + slope * (np.arange(1, scene.surface.shape[0]) - 0.5)
    assert np.allclose(corners.disparity[0][1:-1, 5], expected, atol=1e-6)


def test_irregular_corners_are_only_those_at_tears():
    scene = two_planes()
    corners = find_vertices(scene.split(BORDERLESS))
    r, c = np.divmod(np.unique(corners.irregular_corner), scene.surface.shape[1] + 1)
    on_outline = (np.isin(r, (30, 90)) & (c >= 50) & (c <= 110)) | (np.isin(c, (50, 110)) & (r >= 30) & (r <= 90))
    assert on_outline.all() and len(r) == 2 * (60 + 60)
    assert len(corners.irregular_corner) == 2 * len(r)  # one for the rectangle, one for the wall


def test_opposite_sides_are_opposite():
    for side, (dr, dc) in enumerate(STEPS):
        assert STEPS[OPPOSITE[side]] == (-dr, -dc)


def test_what_is_lowered_lowers_what_it_hides_three_deep():
    """Vertices 1 > 2 > 3 > 4 hide one another at one corner, on layers in such an order that each round settles one more."""
    one = np.ones((1, 3), bool)
    layers = []
    for present in (one, one, np.array([[True, False, False]])):
        layers.append(
            Layer(present, ~present, np.ones((1, 3), np.float32), np.zeros((1, 3, 3), np.float32), np.full((4, 1, 3), -1, np.int8))
        )
    image = LayeredDepthImage(tuple(layers), (0, 0, 1, 3), threshold=0.08, span=1.0)
    slots = [np.array([[row]] * 4) for row in ([0, 2, 3], [1, 3, 4], [2, 3, 4])]
    values = _keep_vertices_behind_occluders(image, slots, np.array([3.0, 1.0, 2.0, 2.0, 2.0], np.float32))
    assert values[:2].tolist() == [3, 1] and np.allclose(values[2:], [0.99, 0.98, 0.97])
