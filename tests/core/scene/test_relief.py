"""Relief changes distances and nothing else: never another order, planes stay planes, each slider does what it says."""

from dataclasses import replace

import numpy as np
import pytest

from photo_diorama.core.scene.relief import KNEE, ORDER, Relief, apply_relief, range_mapping

AS_MEASURED = Relief(1.0, 2.0, 50.0, 5.0, 0.0, 2.0, 50.0)
METRES = np.concatenate([np.geomspace(1.5, 50.0, 2000), [2.0, 5.0, 50.0]])


def moved(relief: Relief, metres=METRES) -> np.ndarray:
    return 1 / apply_relief(1 / np.asarray(metres, np.float64), relief)


def some_reliefs(count: int, seed: int = 0):
    """Settings all over the sliders' ranges, near beyond far among them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        near, far, focus = 10 ** rng.uniform([-2, -2, -1], [3, 4, 3])
        amount, flatten = rng.choice([0.0, 1.0, rng.uniform(0, 3)]), rng.choice([0.0, 10 ** rng.uniform(-1, 2)])
        yield replace(AS_MEASURED, amount=amount, near=near, far=far, focus=focus, flatten=flatten)


def test_the_defaults_change_nothing():
    assert np.abs(moved(AS_MEASURED) / METRES - 1).max() < 1e-14
    flat_scene = replace(AS_MEASURED, near=3.0, far=3.0, measured_near=3.0, measured_far=3.0)
    assert moved(flat_scene, [3.0]) == pytest.approx([3.0], rel=1e-12)


def test_what_lies_behind_stays_behind_for_every_setting():
    disparity = np.linspace(1 / 50, 1 / 1.5, 4001)
    for relief in some_reliefs(400):
        result = apply_relief(disparity, relief)
        assert (result > 0).all() and np.isfinite(result).all(), relief
        # compared with the order of a diorama that is only scaled, at least this much is kept on the flattest card
        scale, shift, least = range_mapping(relief)
        focus = max(scale / relief.focus + shift, least)
        kept = np.diff(result) / np.diff(disparity) / (focus * relief.focus)
        assert kept.min() > 0.99 * ORDER, relief


def test_near_and_far_go_where_the_sliders_say():
    for near, far in ((1.0, 50.0), (2.0, 9.0), (7.0, 40.0)):
        deeper = near <= 2.0 and far >= 50.0
        # in a range that is less deep than measured a little is kept of the measured one, for the order
        rel = 1e-9 if deeper else ORDER
        assert moved(replace(AS_MEASURED, near=near, far=far), [2.0, 50.0]) == pytest.approx([near, far], rel=rel)


def test_what_stands_in_the_focus_stays_for_every_amount():
    for amount in (0.0, 0.3, 1.0, 1.7, 3.0):
        for near, far in ((2.0, 50.0), (4.0, 30.0)):
            relief = replace(AS_MEASURED, near=near, far=far)
            at_one = moved(relief, [5.0])
            assert moved(replace(relief, amount=amount), [5.0]) == pytest.approx(at_one, rel=1e-12)


def test_parallax_about_the_focus_goes_with_the_amount():
    """The camera moved aside by t sees t * focal * (disparity - that of the focus) of shift."""
    shift = 1 / METRES - 1 / 5
    for amount in (0.0, 0.25, 0.8, 1.0):
        now = 1 / moved(replace(AS_MEASURED, amount=amount)) - 1 / 5
        assert np.abs(now - amount * shift).max() <= ORDER * np.abs(shift).max() * 1.01
    more = 1 / moved(replace(AS_MEASURED, amount=2.0)) - 1 / 5
    assert more[METRES < 5] == pytest.approx(2 * shift[METRES < 5], rel=0.01)
    beyond = moved(replace(AS_MEASURED, amount=2.0))[METRES > 5]
    assert beyond == pytest.approx(5 + 2 * (METRES[METRES > 5] - 5), rel=0.01)


def test_what_is_beyond_becomes_a_card_and_what_is_nearer_stays():
    result = moved(replace(AS_MEASURED, flatten=10.0))
    # the soft bend itself moves the distance it is round by ln 2 of its width
    card = result[METRES > 20]
    assert card.max() / card.min() < 1.01 and card.mean() == pytest.approx(10, rel=0.01)
    assert np.abs(result / METRES - 1)[METRES < 6].max() < 2 * KNEE * np.exp(-(10 / 6 - 1) / KNEE) + 1e-9
    assert moved(replace(AS_MEASURED, flatten=60.0)) == pytest.approx(METRES, rel=0.15), "nothing is there to flatten"
    assert np.array_equal(moved(replace(AS_MEASURED, flatten=0.0)), moved(AS_MEASURED))


@pytest.mark.parametrize("change", [dict(near=1.0, far=400.0), dict(amount=0.4), dict(amount=0.0, near=3.0)])
def test_planes_stay_planes(change):
    rng = np.random.default_rng(1)
    rays = np.column_stack([rng.uniform(-0.5, 0.5, (300, 2)), np.ones(300)])
    points = rays / (rays @ [0.3, -0.2, 0.25])[:, None]
    now = rays * moved(replace(AS_MEASURED, **change), points[:, 2])[:, None]
    # a plane n . p = 1: solved in least squares, it holds for every point
    normal, *_ = np.linalg.lstsq(now, np.ones(300), rcond=None)
    assert np.abs(now @ normal - 1).max() < 1e-9
