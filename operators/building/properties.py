"""The options of core/settings.py as Blender properties, made from their declarations, and their values back."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import dataclasses
from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np

from ...core.settings import Settings, each_option
from ...core.shown_options import PRESETS, shown

POPUP_ROWS = 50
"""The most rows of a popup, which Blender cannot scroll: 20 px each on a screen of 1080 px."""
OWN = "own"
"""The entry for options that match no preset."""


def option_properties(**flags) -> dict[str, Any]:
    """A declared Blender property for each option, by name, with the option's default, range and help.

    Plus properties for the window only: the preset, and a percentage for each option that is a part of the photo's width.
    """
    percentages = {percent_name(f.name): _percentage(f) for _, f in each_option() if shown(f.name).percent}
    percentages |= {automatic_name(f.name): _automatic(f) for _, f in each_option() if may_be_automatic(f)}
    return declare((f for _, f in each_option()), **flags) | percentages | {"preset": _preset()}


def percent_name(name: str) -> str:
    """The name of the property that shows an option as a percentage."""
    return f"{name}_percent"


FOR_THE_EYE = {"HIDDEN", "SKIP_SAVE"}
"""Flags of properties that store nothing themselves; hidden ones are not part of presets."""


def _percentage(f: dataclasses.Field):
    about, name = f.metadata, f.name
    return bpy.props.FloatProperty(
        name=shown(name).label or _label(name), description=about["help"], subtype="PERCENTAGE", precision=2, step=10,
        min=max(0.0, 100 * about["low"]), max=100 * about["high"], options=FOR_THE_EYE,
        get=lambda self: max(0.0, 100 * getattr(self, name)), set=lambda self, value: setattr(self, name, value / 100),
    )  # fmt: skip


def may_be_automatic(f: dataclasses.Field) -> bool:
    """Whether an option that is a part of something may also be below 0, which means automatic."""
    return shown(f.name).percent and f.metadata["low"] < 0


def automatic_name(name: str) -> str:
    """The name of the property that tells whether an option is automatic."""
    return f"{name}_automatic"


def _automatic(f: dataclasses.Field):
    name = f.name
    return bpy.props.BoolProperty(
        name="Automatic", description=f.metadata["help"], options=FOR_THE_EYE, get=lambda self: getattr(self, name) < 0,
        set=lambda self, value: setattr(self, name, -1.0 if value else 0.0),
    )  # fmt: skip


def _preset():
    """Draft, Standard or Fine, by the options that these set; choosing one sets them."""
    names = [*PRESETS, OWN]
    items = [(name, name.title(), description, k) for k, (name, (description, _)) in enumerate(PRESETS.items())]
    items.append((OWN, "Custom", "Options that you chose yourself", len(items)))

    def get(self) -> int:
        held = ({k: _same(getattr(self, k), v) for k, v in values.items()} for _, values in PRESETS.values())
        return next((k for k, same in enumerate(held) if all(same.values())), len(PRESETS))

    def choose(self, number: int) -> None:
        if names[number] != OWN:
            set_values(self, PRESETS[names[number]][1])

    return bpy.props.EnumProperty(
        name="Quality", description="Quality of the diorama; higher takes longer", items=items, get=get, set=choose, options=FOR_THE_EYE
    )


def _same(held, wanted) -> bool:
    return np.float32(held) == np.float32(wanted) if isinstance(wanted, float) else held == wanted


def declare(fields: Iterable[dataclasses.Field], **flags) -> dict[str, Any]:
    """Declared properties for the options of any dataclass, made by core's `option`."""
    return {f.name: _property(f, flags) for f in fields}


def _property(f: dataclasses.Field, flags: dict):
    about = f.metadata
    given = dict(name=shown(f.name).label or about["label"] or _label(f.name), description=about["help"], default=f.default, **flags)
    if about["choices"]:
        items = [(value, _label(value), meaning) for value, meaning in about["choices"].items()]
        return bpy.props.EnumProperty(items=items, **given)
    if isinstance(f.default, bool):
        return bpy.props.BoolProperty(**given)
    if isinstance(f.default, int):
        return bpy.props.IntProperty(min=about["low"], max=about["high"], **given)
    if isinstance(f.default, float):
        small = about["high"] <= 1
        return bpy.props.FloatProperty(min=about["low"], max=about["high"], precision=4 if small else 2, step=0.1 if small else 10, **given)
    return bpy.props.StringProperty(**given)


def _label(name: str) -> str:
    if name == "auto":
        return "Automatic"
    return name.replace("_", " ").replace("-", " ").title()


OF_ONE_PHOTO = {"SKIP_PRESET", "SKIP_SAVE"}
"""Flags of properties that belong to one photo: neither presets nor the next call keep them."""


def photo_property():
    """A declared property for the photo's file."""
    help = "The photo that becomes a diorama"
    return bpy.props.StringProperty(name="Photo", description=help, subtype="FILE_PATH", options=OF_ONE_PHOTO)


def depth_property():
    """A declared property for the photo's depth map."""
    help = "Depth map of the photo; left empty, depth is looked for in the photo and beside it"
    return bpy.props.StringProperty(name="Depth File", description=help, subtype="FILE_PATH", options=OF_ONE_PHOTO)


Options = type("Options", (), {"__annotations__": option_properties()})
Options.__doc__ = "Mixin of property groups and operators: every option as a property."


class PhotoDioramaScene(bpy.types.PropertyGroup, Options):
    """The sidebar's values for a scene: photo, depth and every option."""

    photo: photo_property()
    depth: depth_property()


class PhotoDioramaDefaults(bpy.types.PropertyGroup, Options):
    """The user's default for every option."""


def option_values(data) -> dict[str, Any]:
    """Values of the options in `data` (an operator or property group), by name."""
    return values_of_fields(data, (f for _, f in each_option() if hasattr(data, f.name)))


def values_of_fields(data, fields: Iterable[dataclasses.Field]) -> dict[str, Any]:
    """The same for options of any dataclass."""
    return {f.name: _value(f, getattr(data, f.name)) for f in fields}


def read_settings(data) -> Settings:
    """The options in `data` as core's settings; raises DioramaError for an impossible value."""
    return Settings().with_values(option_values(data))


def set_values(data, values: dict[str, Any]) -> None:
    """Sets options of `data`; unknown names (of another version of the extension) are ignored."""
    for _, f in each_option():
        if f.name in values:
            try:
                setattr(data, f.name, values[f.name])
            except TypeError:  # a choice that exists no more
                setattr(data, f.name, f.default)


def _value(f: dataclasses.Field, value):
    """Blender stores single precision; this returns core's own default, or the shortest decimal of that precision."""
    if not isinstance(f.default, float):
        return value
    return f.default if np.float32(value) == np.float32(f.default) else float(str(np.float32(value)))


def draw_options(layout, data, most: int | None = None) -> None:
    """Rows of all options of `data`: the preset and the important ones first, the rest under Advanced by stage.

    Options that have no effect now are greyed out. Where more than `most` rows would be shown, a stage asks to close another one.
    """
    layout.row(align=True).prop(data, "preset", expand=True)
    options = list(each_option())
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    first = [f for _, f in options if shown(f.name).first]
    for f in first:
        draw_option(column, data, f)
    header, advanced = layout.panel("photo_diorama_advanced", default_closed=True)
    header.label(text="Advanced")
    if not advanced:
        return
    rows = 1 + len(first) + 1 + len(STAGES)
    for part in dict.fromkeys(part for part, _ in options):
        header, body = advanced.panel(f"photo_diorama_{part}", default_closed=True)
        header.label(text=STAGES[part])
        if not body:
            continue
        own = [f for name, f in options if name == part and not shown(f.name).first]
        if most is not None and rows + len(own) > most:
            body.label(text="No room; close another section")
            rows += 1
            continue
        rows += len(own)
        column = body.column(align=True)  # rows close together: all of a stage is to fit on a screen
        column.use_property_split, column.use_property_decorate = True, False
        for f in own:
            draw_option(column, data, f)


STAGES = {
    "photo": "Photo",
    "depth": "Depth",
    "layers": "Layers",
    "inpaint": "Hidden Parts",
    "mesh": "Mesh",
    "scene": "Look and Move",
}


def draw_option(layout, data, f: dataclasses.Field) -> None:
    """One row, greyed out where the option has no effect now."""
    row = layout.row()
    row.enabled = all(getattr(data, name) in values for name, values in shown(f.name).needs.items() if hasattr(data, name))
    if may_be_automatic(f):
        width = row.row()
        width.enabled = getattr(data, f.name) >= 0
        width.prop(data, percent_name(f.name))
        row.prop(data, automatic_name(f.name), text="", icon="AUTO")
    else:
        row.prop(data, percent_name(f.name) if shown(f.name).percent else f.name)


register_classes, unregister_classes = bpy.utils.register_classes_factory((PhotoDioramaScene, PhotoDioramaDefaults))


def register() -> None:
    register_classes()
    bpy.types.Scene.photo_diorama = bpy.props.PointerProperty(type=PhotoDioramaScene)


def unregister() -> None:
    del bpy.types.Scene.photo_diorama
    unregister_classes()
