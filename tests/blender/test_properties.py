"""Options appear in Blender with core's default, range and help wherever they appear, and come back unchanged."""

import importlib

import numpy as np
import pytest

from photo_diorama.core.settings import Settings, each_option
from photo_diorama.core.shown_options import shown

OPTIONS = {f.name: f for _, f in each_option()}


def groups(bpy):
    """Every place where options are properties."""
    from photo_diorama.operators.building.properties import PhotoDioramaDefaults, PhotoDioramaScene

    return {
        "import": bpy.ops.photo_diorama.import_photo.get_rna_type(),
        "rebuild": bpy.ops.photo_diorama.rebuild.get_rna_type(),
        "scene": PhotoDioramaScene.bl_rna,
        "defaults": PhotoDioramaDefaults.bl_rna,
    }


@pytest.mark.parametrize("place", ["import", "rebuild", "scene", "defaults"])
@pytest.mark.parametrize("name", OPTIONS)
def test_default_range_and_help_are_cores(extension, place, name):
    f, prop = OPTIONS[name], groups(extension)[place].properties[name]
    about = f.metadata
    assert prop.description == about["help"]
    assert prop.name and prop.name[0].isupper() or shown(f.name).label
    if isinstance(f.default, float):
        assert np.float32(prop.default) == np.float32(f.default)
        assert np.float32(prop.hard_min) == np.float32(about["low"])
        assert np.float32(prop.hard_max) == np.float32(about["high"])
    else:
        assert prop.default == f.default
    if isinstance(f.default, int) and not isinstance(f.default, bool):
        assert (prop.hard_min, prop.hard_max) == (about["low"], about["high"])
    if about["choices"]:
        assert {item.identifier: item.description for item in prop.enum_items} == about["choices"]


def test_untouched_options_are_cores_settings_exactly(blender):
    from photo_diorama.operators.building.properties import read_settings

    assert read_settings(blender.context.scene.photo_diorama) == Settings()


def other_values() -> dict:
    """For each option a value that is not its default, decimals that single precision cannot hold among them."""
    values = {}
    for name, f in OPTIONS.items():
        if f.metadata["choices"]:
            values[name] = [*f.metadata["choices"]][-1]
        elif isinstance(f.default, bool):
            values[name] = not f.default
        elif isinstance(f.default, int):
            values[name] = f.metadata["high"] if f.default != f.metadata["high"] else f.metadata["low"]
        elif isinstance(f.default, float):
            low, high = f.metadata["low"], f.metadata["high"]
            values[name] = round(low + 0.123 * (min(high, 1.0) - low), 5) if low < 1.0 else low
    return values


def test_every_value_comes_back_as_it_was_set(blender):
    from photo_diorama.operators.building.properties import option_values, read_settings, set_values

    values = other_values()
    scene = blender.context.scene.photo_diorama
    set_values(scene, values)
    assert {name: option_values(scene)[name] for name in values} == values
    assert read_settings(scene) == Settings().with_values(values)


def test_bounds_themselves_come_back_within_the_range(blender):
    from photo_diorama.operators.building.properties import read_settings, set_values

    for end in ("low", "high"):
        bounds = {n: f.metadata[end] for n, f in OPTIONS.items() if f.metadata[end] is not None}
        scene = blender.context.scene.photo_diorama
        set_values(scene, bounds)
        assert {n: v for n, v in read_settings(scene).values().items() if n in bounds} == bounds


def test_values_of_another_version_do_no_harm(blender):
    from photo_diorama.operators.building.properties import read_settings, set_values

    scene = blender.context.scene.photo_diorama
    set_values(scene, {"shader": "toon", "density": "many", "no_such_option": 1, "frames": 48})
    assert read_settings(scene) == Settings().with_values({"frames": 48})


def test_every_option_has_a_row_in_the_section_of_its_stage(extension):
    from fake_layout import FakeLayout

    from photo_diorama.operators.building.properties import draw_options

    layout = FakeLayout()
    draw_options(layout, extension.context.scene.photo_diorama)
    rows = [(section, name) for section, name in layout.rows() if section]
    stages = [(part, f) for part, f in each_option() if not shown(f.name).first]
    assert rows == [(f"photo_diorama_{part}", f.name + "_percent" * shown(f.name).percent) for part, f in stages]


@pytest.mark.parametrize("module, operator", [("import_photo", "ImportPhoto"), ("rebuild", "Rebuild"), ("update_from", "UpdateFrom")])
def test_a_popup_with_all_its_sections_open_is_no_higher_than_a_screen(extension, street, module, operator):
    """Rows of 20 px on 1080 px, title and rim left out; a section without room says so. The tab, which scrolls, shows all."""
    from fake_layout import FakeLayout

    from photo_diorama.operators import building

    cls = getattr(importlib.import_module(f"{building.__name__}.{module}"), operator)

    class Drawn:
        layout, filepath, depth, photo, what = FakeLayout(), str(street[0]), str(street[1]), "", "FILE"
        bl_rna = getattr(extension.ops.photo_diorama, cls.bl_idname.split(".")[1]).get_rna_type()

        def __getattr__(self, name):
            return getattr(extension.context.scene.photo_diorama, name)

    cls.draw(Drawn(), extension.context)
    told = [kind for kind, _, _ in Drawn.layout.told]
    assert len(told) <= 50 and "No room; close another section" in Drawn.layout.said("label")
    assert 40 <= len(told)
