"""Options: each is declared once with a help and a range that holds its default, and survives its flat form."""

from dataclasses import fields

import pytest

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.settings import Settings, each_option

OPTIONS = {f.name: f for _, f in each_option()}


def other_value(f):
    """A value the option may have that is not its default."""
    if f.metadata["choices"]:
        return next((c for c in f.metadata["choices"] if c != f.default), f.default)
    if isinstance(f.default, bool):
        return not f.default
    if isinstance(f.default, str):
        return f.default + "x"
    low, high = f.metadata["low"], f.metadata["high"]
    return high if f.default != high else low


def test_names_are_unique_so_that_the_flat_form_is():
    names = [f.name for _, f in each_option()]
    assert len(names) == len(set(names)) == len(Settings().values())


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_has_help_and_its_default_in_range(name):
    f = OPTIONS[name]
    assert f.metadata["help"] and f.metadata["help"][0].isupper() and not f.metadata["help"].endswith(".")
    if f.metadata["choices"]:
        assert f.default in f.metadata["choices"] and all(f.metadata["choices"].values())
    elif isinstance(f.default, (int, float)) and not isinstance(f.default, bool):
        assert f.metadata["low"] <= f.default <= f.metadata["high"]
        assert type(f.metadata["low"]) is type(f.metadata["high"]) is type(f.default)


def test_values_and_with_values_are_a_round_trip():
    changed = {name: other_value(f) for name, f in OPTIONS.items()}
    settings = Settings().with_values(changed)
    assert settings.values() == changed and settings != Settings()
    assert Settings().with_values(settings.values()) == settings
    assert settings.with_values(Settings().values()) == Settings()
    assert hash(settings) == hash(Settings().with_values(changed))  # the pipeline compares and keeps them


@pytest.mark.parametrize("name", OPTIONS)
def test_one_option_changes_its_own_part_alone(name):
    part = next(p for p, f in each_option() if f.name == name)
    changed = Settings().with_values({name: other_value(OPTIONS[name])})
    for each in fields(Settings):
        same = getattr(changed, each.name) == getattr(Settings(), each.name)
        assert same == (each.name != part or other_value(OPTIONS[name]) == OPTIONS[name].default)


@pytest.mark.parametrize("name", [n for n, f in OPTIONS.items() if f.metadata["low"] is not None])
def test_both_bounds_are_allowed_and_nothing_beyond(name):
    f = OPTIONS[name]
    low, high = f.metadata["low"], f.metadata["high"]
    for value in (low, high):
        assert Settings().with_values({name: value}).values()[name] == value
    step = 1 if isinstance(low, int) else 1e-6 * max(1.0, high)
    for value in (low - step, high + step, float("nan"), float("inf"), "1", None, True):
        with pytest.raises(DioramaError, match=f"^--{name.replace('_', '-')} is"):
            Settings().with_values({name: value})


@pytest.mark.parametrize(
    ("values", "about"),
    [
        ({"no_such_option": 1}, "no_such_option"),
        ({"depth_kind": "feet"}, "--depth-kind.*metric"),
        ({"long_side": 960.5}, "--long-side"),
        ({"set_up_scene": "yes"}, "--set-up-scene"),
    ],
)
def test_impossible_values_are_told_by_name(values, about):
    with pytest.raises(DioramaError, match=about) as caught:
        Settings().with_values(values)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_whole_numbers_do_for_options_with_a_fraction():
    assert Settings().with_values({"fov": 60}).photo.fov == 60
