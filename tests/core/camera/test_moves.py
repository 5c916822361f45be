"""The camera's moves as keys: their curves between the keys, their sizes, and that loops close."""

import numpy as np
import pytest

from photo_diorama.core.camera.moves import EASINGS, FORWARD, MOVES, SIDE, UP, Length

EASED = {  # Blender's sinusoidal easings from 0 to 1
    "EASE_IN": lambda t: 1 - np.cos(t * np.pi / 2),
    "EASE_OUT": lambda t: np.sin(t * np.pi / 2),
    "EASE_IN_OUT": lambda t: (1 - np.cos(t * np.pi)) / 2,
}


def followed(keys, times: np.ndarray) -> np.ndarray:
    """The curve through keys at the times, as Blender draws it for linear and sinusoidal keys."""
    values = np.empty_like(times)
    for a, b in zip(keys, keys[1:], strict=False):
        inside = (times >= a.at) & (times <= b.at)
        t = (times[inside] - a.at) / (b.at - a.at)
        values[inside] = a.value + (b.value - a.value) * (t if a.interpolation == "LINEAR" else EASED[a.easing](t))
    return values


def test_the_circle_is_the_papers_waves_exactly():
    keys, t = MOVES["circle"].keys(Length(4.0)), np.linspace(0, 1, 97)
    assert np.allclose(followed(keys[SIDE], t), 0.045 * np.cos(4 * np.pi * t), atol=1e-9)
    assert np.allclose(followed(keys[UP], t), 0.045 * np.sin(4 * np.pi * t), atol=1e-9)
    assert np.allclose(followed(keys[FORWARD], t), 0.075 * np.cos(2 * np.pi * t), atol=1e-9)


@pytest.mark.parametrize("easing", EASINGS)
@pytest.mark.parametrize("move", ["zoom-in", "swing", "dolly-zoom", "push-rise"])
def test_open_moves_go_once_through_the_photos_place(move, easing):
    t = np.linspace(0, 1, 101)
    for channel, keys in MOVES[move].keys(Length(4.0, easing)).items():
        values, size = followed(keys, t), MOVES[move].shapes[channel][0]
        assert values[0] == pytest.approx(-size) and values[-1] == pytest.approx(size)
        pace = np.diff(values)
        assert (pace > 0).all()
        slow_at_first, slow_at_last = pace[0] < 0.5 * pace.mean(), pace[-1] < 0.5 * pace.mean()
        assert (slow_at_first, slow_at_last) == (easing in ("smooth", "ease-in"), easing in ("smooth", "ease-out"))


@pytest.mark.parametrize("move", MOVES)
def test_loops_end_where_they_began(move):
    for easing in EASINGS:
        for keys in MOVES[move].keys(Length(4.0, easing, loop=True, seed=3)).values():
            assert keys[0].at == 0 and keys[-1].at == 1 and keys[0].value == keys[-1].value
            assert (np.diff([key.at for key in keys]) > 0).all()


def test_a_hand_trembles_the_same_for_the_same_seed_and_within_its_size():
    move = MOVES["handheld"]
    for seconds in (0.08, 4.0, 300.0):
        first, again, other = (move.keys(Length(seconds, seed=seed)) for seed in (1, 1, 2))
        assert first == again and first != other
        for channel, keys in first.items():
            values = np.array([key.value for key in keys])
            assert np.abs(values).max() == pytest.approx(move.shapes[channel][0])
            assert abs(values[:-1].mean()) < 1e-9, "round the photo's place"
    values = np.array([key.value for key in move.keys(Length(64.0))[SIDE]][:-1])
    power = np.abs(np.fft.rfft(values)) ** 2
    hertz = np.fft.rfftfreq(len(values), 64.0 / len(values))
    assert power[hertz > 2.51].sum() < 1e-12 * power.sum() and power[hertz < 1].sum() > 0.8 * power.sum()
