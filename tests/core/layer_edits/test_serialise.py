"""What a scene keeps of edited surfaces comes back equal; what is damaged is nothing."""

from dataclasses import replace

import numpy as np
import pytest

from photo_diorama.core.layer_edits.edited_layers import AddedSurface, LayerEdits, Recut
from photo_diorama.core.layer_edits.serialise import as_bytes, from_bytes


def made() -> LayerEdits:
    rng = np.random.default_rng(0)
    mask = lambda: rng.random((30, 40)) > 0.5  # noqa: E731
    colour = rng.random((30, 40, 3)).astype(np.float16).astype(np.float32)
    added = AddedSurface(3, "cat ü", "a.psd", True, False, mask(), rng.random((30, 40)).astype(np.float32), colour)
    return LayerEdits((5, 5, 20, 30), (30, 40), (Recut(1, mask(), mask()),), (added,), (("part 1 photo", "flat"),))


def test_it_comes_back_equal():
    assert from_bytes(as_bytes(made())).key == made().key


def test_what_is_damaged_is_nothing():
    data = as_bytes(made())
    rng = np.random.default_rng(1)
    for _ in range(300):
        spoilt = bytearray(data[: int(rng.integers(1, len(data)))] if rng.random() < 0.5 else data)
        spoilt[int(rng.integers(len(spoilt)))] ^= int(rng.integers(1, 256))
        found = from_bytes(bytes(spoilt))
        assert found is None or isinstance(found, LayerEdits)
    assert from_bytes(b"") is None and from_bytes(data[:100]) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda e: replace(e, recuts=(replace(e.recuts[0], surface="1"),)),
        lambda e: replace(e, recuts=(replace(e.recuts[0], surface=-1),)),
        lambda e: replace(e, added=(replace(e.added[0], behind=1),)),
        lambda e: replace(e, added=(replace(e.added[0], disparity=-e.added[0].disparity),)),
        lambda e: replace(e, added=(replace(e.added[0], disparity=e.added[0].disparity[:5]),)),
        lambda e: replace(e, frame=(0, 0, 0, 5)),
    ],
)
def test_what_makes_no_sense_is_nothing(spoilt):
    assert from_bytes(as_bytes(spoilt(made()))) is None


def test_on_another_grid_it_lies_at_the_same_place_of_the_photo():
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:30] = True
    larger = LayerEdits((5, 5, 20, 30), (30, 40), (Recut(1, mask, mask),)).on((20, 20, 40, 60), (80, 100)).recuts[0].erased
    rows, columns = np.nonzero(larger)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (30, 50, 30, 70) and larger.sum() == 800
