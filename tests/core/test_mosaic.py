"""Pictures side by side on canvases: none overlaps another, each comes back as if it had been alone."""

import numpy as np
import pytest

from photo_diorama.core.built_in.mosaic import GAP, SIDE, lay_out, run_in_mosaics


@pytest.mark.parametrize("seed", range(3))
def test_pictures_lie_apart_on_as_few_canvases_as_rows_allow(seed: int):
    rng = np.random.default_rng(seed)
    sizes = [tuple(int(side) for side in rng.integers(1, (40, SIDE, SIDE)[seed] + 1, 2)) for _ in range(60)]
    places, count = lay_out(sizes)
    taken = np.zeros((count, SIDE + GAP, SIDE + GAP), int)
    for place, (height, width) in zip(places, sizes, strict=True):
        assert place.top + height <= SIDE and place.left + width <= SIDE
        taken[place.canvas, place.top : place.top + height + GAP, place.left : place.left + width + GAP] += 1
    assert taken.max() == 1 and (taken.sum(axis=(1, 2)) > 0).all()
    assert lay_out(sizes) == (places, count)
    assert lay_out([]) == ([], 0)


def test_each_comes_back_in_its_order_with_nothing_of_its_neighbours():
    """By a network that averages 2 * GAP + 1 pixels both ways: it would see what lies nearer than the gap."""
    import cv2

    rng = np.random.default_rng(4)
    pictures = [rng.random((2, *rng.integers(3, 70, 2))).astype(np.float32) for _ in range(20)]
    average = lambda picture: cv2.blur(picture, (2 * GAP + 1, 2 * GAP + 1), borderType=cv2.BORDER_CONSTANT)
    told: list[float] = []

    def network(given: np.ndarray) -> np.ndarray:
        assert given.shape == (1, 2, SIDE, SIDE)
        return average(given[0, 0])[None, None]

    made = run_in_mosaics(network, pictures, told.append)
    for answer, picture in zip(made, pictures, strict=True):
        assert np.allclose(answer[0], average(picture[0]), atol=1e-6)
    assert told == sorted(told) and told[-1] == 1
