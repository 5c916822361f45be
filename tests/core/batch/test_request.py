"""A request survives JSON, tells only what was chosen, and refuses what makes no sense."""

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_diorama.core.batch import request as module
from photo_diorama.core.batch.request import Request
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.scene.output import OutputSettings
from photo_diorama.core.settings import Settings, each_option

PATHS = st.one_of(st.none(), st.text("ab/ .ü", min_size=1).map(Path))


def values_of(f):
    """Values that an option may have."""
    low, high = f.metadata["low"], f.metadata["high"]
    if f.metadata["choices"]:
        return st.sampled_from(list(f.metadata["choices"]))
    if isinstance(f.default, bool):
        return st.booleans()
    if isinstance(f.default, str):
        return st.text("0123456789,. ")
    if isinstance(f.default, int):
        return st.integers(int(low), int(high))
    return st.floats(low, high, allow_nan=False)


OPTIONS = st.fixed_dictionaries({}, optional={f.name: values_of(f) for _, f in each_option()})


@given(st.text("ab/.", min_size=1).map(Path), PATHS, PATHS, st.booleans(), OPTIONS, st.integers(1, 99))
def test_what_is_told_is_understood(photo, depth, render, overwrite, options, samples):
    request = Request(photo, depth, None, render, overwrite, Settings().with_values(options), OutputSettings(samples=samples))
    told = json.loads(json.dumps(request.to_json()))
    assert Request.from_json(told) == request
    usual = Settings().values()
    assert all(value != usual.get(name, ...) for name, value in told.items())


def test_the_examples_are_true():
    assert doctest.testmod(module).attempted and not doctest.testmod(module).failed


@pytest.mark.parametrize("wrong", [{"tear": -1}, {"no such": 1}, {"samples": 0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(DioramaError):
        Request.from_json({"photo": "a.jpg"} | wrong)


@pytest.mark.parametrize(
    ("render", "move", "moves"),
    [
        ("a.mp4", "none", "swing"),
        ("frames", "none", "swing"),
        ("a.gif", "circle", "circle"),
        ("a.png", "none", "none"),
        (None, "none", "none"),
    ],
)
def test_films_without_a_move_swing(render, move, moves):
    settings = Settings().with_values({"camera_move": move})
    built = Request(Path("a.jpg"), render=render and Path(render), settings=settings).built_settings
    assert built.scene.camera_move == moves and built.scene.set_up_scene
