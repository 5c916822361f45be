"""Tearing: silhouettes are closed, nothing smooth is torn, and only short cracks and specks are healed."""

import numpy as np
import pytest
from scenes import ALL, HEIGHT, WIDTH, slanted_ground, t_junction, two_planes

from photo_diorama.core.layers.discontinuities import (
    cut_discontinuities,
    grow_foreground,
    label_surfaces,
    torn_segments,
)

THRESHOLD = 0.01
LONG = 512  # cracks up to 6 segments are short and pieces under 17 px are specks


def jumps(disparity, right, down):
    """Jumps of disparity across the links that are there."""
    across = np.abs(np.diff(disparity, axis=1))[right[:, :-1]]
    return np.concatenate([across, np.abs(np.diff(disparity, axis=0))[down[:-1]]])


def same_surface(right, down):
    return label_surfaces(np.ones(right.shape, bool), right, down)[0]


def flat(height: int = 96) -> np.ndarray:
    return np.full((height, LONG), 0.5, np.float32)


@pytest.mark.parametrize("name", ALL)
def test_no_link_exceeds_the_threshold_and_every_other_is_there(name):
    disparity, right, down = cut_discontinuities(ALL[name]().disparity, THRESHOLD)
    changed = (disparity != ALL[name]().disparity).sum()
    assert changed == 0 or (name == "sphere" and changed < 150)  # its rim is so steep that it falls into specks
    # where a sphere's rim has just been torn, ends dangle and heal
    assert jumps(disparity, right, down).max() <= (2 if name == "sphere" else 1) * THRESHOLD
    assert not right[:, -1].any() and not down[-1].any()
    smooth_across, smooth_down = (
        np.abs(np.diff(disparity, axis=1)) <= THRESHOLD,
        np.abs(np.diff(disparity, axis=0)) <= THRESHOLD,
    )
    lost = (smooth_across & ~right[:, :-1]).sum() + (smooth_down & ~down[:-1]).sum()
    assert lost <= 0.01 * HEIGHT * WIDTH and (lost == 0 or name in ("leaning wire 3 px", "sphere"))  # bridges only


@pytest.mark.parametrize("name", [name for name in ALL if name != "ground"])
def test_silhouettes_are_closed(name):
    """No walk along links leads from one surface to another."""
    scene = ALL[name]()
    disparity, right, down = cut_discontinuities(scene.disparity, THRESHOLD)
    label, whole = same_surface(right, down), disparity == scene.disparity
    owners = {}
    for piece, surface in zip(label[whole], scene.surface[whole], strict=True):
        assert owners.setdefault(piece, surface) == surface


@pytest.mark.parametrize("jump", [1.2, 1.8, 30])
@pytest.mark.parametrize("turned", [False, True])
def test_a_silhouette_from_frame_to_frame_is_closed(jump, turned):
    """Also where its jump is small: it ends at the frame because the picture does, and not because it dangles."""
    disparity = flat()
    disparity[:, 250:] += jump * THRESHOLD
    disparity = np.ascontiguousarray(disparity.T) if turned else disparity
    _, right, down = cut_discontinuities(disparity, THRESHOLD)
    assert len(np.unique(same_surface(right, down))) == 2


def dislocation(length: int, size: float) -> np.ndarray:
    """A flat sheet with a crack over so many rows: a step of `size` thresholds that fades out around it."""
    disparity = flat()
    fade = np.clip(1 - np.arange(LONG - 256) / 100, 0, 1)
    outside = np.maximum(np.maximum(40 - np.arange(96), np.arange(96) - 39 - length), 0)
    step = np.where(outside == 0, size, np.maximum(0.95 - 0.5 * (outside - 1), 0)) * THRESHOLD
    # from row to row it must stay under the threshold as well
    assert np.abs(np.diff(step)).max() <= THRESHOLD
    disparity[:, 256:] += np.float32(step[:, None] * fade)
    return disparity


@pytest.mark.parametrize("length", [1, 4, 6])
def test_short_cracks_heal(length):
    disparity = dislocation(length, 1.9)
    assert (np.abs(np.diff(disparity, axis=1)) > THRESHOLD).sum() == length
    same, right, down = cut_discontinuities(disparity, THRESHOLD)
    assert np.array_equal(same, disparity)
    assert right[:, :-1].all() and down[:-1].all()


def test_long_cracks_stay_but_for_their_dangling_ends():
    """Nothing but the three outermost segments of each end heals."""
    for length in (14, 40):
        _, right, down = cut_discontinuities(dislocation(length, 1.9), THRESHOLD)
        torn = ~right[:, :-1]
        assert torn[43 : 37 + length, 255].all() and torn[40 : 40 + length, 255].sum() == torn.sum() <= length


def test_cracks_of_a_large_jump_heal_by_their_length_alone():
    steep = np.float32(0.9 * THRESHOLD)
    for length, heals in ((5, True), (8, False)):
        disparity = flat()
        rows = np.arange(96)
        # rises by less than a threshold a row to more than two, stays, and falls again
        step = np.clip(np.minimum(rows - 38, 40 + length - rows) * steep, 0, 2.5 * THRESHOLD)
        disparity[:, 256:] += (step[:, None] * np.clip(1 - np.arange(LONG - 256) / 100, 0, 1)).astype(np.float32)
        count = (np.abs(np.diff(disparity, axis=1)) > THRESHOLD).sum()
        assert (count <= 6) == heals
        _, right, _ = cut_discontinuities(disparity, THRESHOLD)
        torn = (~right[:, :-1]).sum()
        assert torn == 0 if heals else torn >= count - 2


def test_what_is_healed_is_short_or_dangling():
    noise = np.random.default_rng(5).normal(size=(96, LONG)).astype(np.float32) * THRESHOLD * 0.35
    disparity = flat() + noise
    disparity[30:70, 100:300] += 0.3
    calm, right, down = cut_discontinuities(disparity, THRESHOLD)
    healed_across = right[:, :-1] & (np.abs(np.diff(calm, axis=1)) > THRESHOLD)
    assert healed_across.any()
    # the box stays cut out, whatever the noise
    label = same_surface(right, down)
    assert not set(np.unique(label[35:65, 110:290])) & set(np.unique(label[:25]))
    assert jumps(calm, right, down).max() < 0.1


@pytest.mark.parametrize(("side", "stays"), [(1, False), (3, False), (4, False), (5, True), (12, True)])
def test_specks_join_the_surface_beside_them(side, stays):
    disparity = flat()
    disparity[40 : 40 + side, 200 : 200 + side] = 0.9
    calm, right, down = cut_discontinuities(disparity, THRESHOLD)
    assert (calm == 0.9).any() == stays
    assert (np.unique(same_surface(right, down)).size == 2) == stays


def test_a_link_between_two_tears_is_cut():
    disparity = flat()
    disparity[:, 256:] = 0.6
    disparity[48, 250:262] = np.linspace(0.5, 0.6, 12)  # a bridge one pixel wide
    _, right, down = cut_discontinuities(disparity, THRESHOLD)
    label = same_surface(right, down)
    assert label[10, 10] != label[10, -10]


def test_an_inside_out_picture_is_torn_alike():
    """Far and near swapped: the same places tear."""
    scene = t_junction()
    _, right, down = cut_discontinuities(scene.disparity, THRESHOLD)
    _, r, d = cut_discontinuities(2 - scene.disparity, THRESHOLD)
    assert np.array_equal(right, r) and np.array_equal(down, d)


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.transpose])
def test_tearing_does_not_depend_on_which_way_the_picture_lies(turn):
    disparity = ALL["leaning wire 3 px"]().disparity
    _, right, down = cut_discontinuities(disparity, THRESHOLD)
    _, r, d = cut_discontinuities(np.ascontiguousarray(turn(disparity)), THRESHOLD)
    back = {
        "fliplr": lambda: (np.fliplr(np.roll(r, 1, axis=1)), np.fliplr(d)),
        "flipud": lambda: (np.flipud(r), np.flipud(np.roll(d, 1, axis=0))),
        "transpose": lambda: (d.T, r.T),
    }[turn.__name__]()
    assert np.array_equal(back[0], right) and np.array_equal(back[1], down)


def test_labels_are_pieces_of_links():
    present = np.ones((4, 6), bool)
    present[:, 3] = False
    right, down = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    right[:, 0] = right[1, 4] = True
    down[:3, :2] = True
    label, sizes = label_surfaces(present, right, down)
    assert (label[:, 3] == 0).all() and sizes[0] == 4 and sizes.sum() == 24
    assert len(np.unique(label[:, :2])) == 1 and label[0, 0] != label[0, 2]
    assert label[1, 4] == label[1, 5] != label[2, 4]
    assert np.array_equal(sizes[label][:, :2], np.full((4, 2), 8))


def test_torn_segments_lie_between_their_pixels():
    right, down = np.ones((3, 5), bool), np.ones((3, 5), bool)
    right[:, -1], down[-1] = False, False
    right[1, 2], down[0, 4] = False, False
    ((r, c), a0, a1), ((s, t), b0, b1) = torn_segments(right, down)
    assert (r.tolist(), c.tolist()) == ([1], [2]) and (a0.tolist(), a1.tolist()) == ([1 * 6 + 3], [2 * 6 + 3])
    assert (s.tolist(), t.tolist()) == ([0], [4]) and (b0.tolist(), b1.tolist()) == ([1 * 6 + 4], [1 * 6 + 5])


@pytest.mark.parametrize("rings", [0, 1, 3])
def test_the_foreground_grows_by_rings_and_nothing_else_moves(rings):
    scene = two_planes()
    grown = grow_foreground(scene.disparity, THRESHOLD, rings)
    r, c = np.mgrid[:HEIGHT, :WIDTH]
    steps = np.maximum(np.maximum(30 - r, r - 89), 0) + np.maximum(np.maximum(50 - c, c - 109), 0)
    assert np.array_equal(grown, np.where(steps <= rings, np.float32(1), np.float32(0.25)))


def test_slopes_do_not_grow_and_nothing_recedes():
    ground = slanted_ground().disparity
    assert np.array_equal(grow_foreground(ground, THRESHOLD, 3), ground)
    disparity = t_junction().disparity
    assert (grow_foreground(disparity, THRESHOLD, 2) >= disparity).all()
