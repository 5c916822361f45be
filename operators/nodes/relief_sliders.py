"""One set of relief sliders on a diorama's root, and the modifiers of its surfaces that follow them through drivers.

The sliders are plain custom properties and the drivers need no Python: files keep their relief, animated or not, through
undo, append, link and copies, and on computers without this extension.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from ...core.mesh.triangulate import LayeredMesh
from .relief_nodes import GROUP_KEY, SLIDERS, input_path, relief_group, write_input

MODIFIER_NAME = "Relief"
KEYS = {
    "relief": "Relief",
    "relief_near": "Near Distance",
    "relief_far": "Far Distance",
    "relief_focus": "Focus Distance",
    "relief_flatten": "Flatten Beyond",
}
"""Custom properties of a root by the name of the modifier's input that they drive."""


def add_relief(root: bpy.types.Object, surfaces: Iterable[bpy.types.Object], camera, mesh: LayeredMesh) -> None:
    """Sliders at their defaults, which change nothing, on the root; a modifier that follows them on each surface.

    `camera` (or None) is the photo's: what it clips follows the relief.
    """
    measured = {"relief": 1.0, "relief_near": mesh.nearest, "relief_far": mesh.farthest, "relief_focus": mesh.focus}
    set_defaults(root, {**measured, "relief_flatten": 0.0}, restore=True)
    for ob in surfaces:
        add_modifier(ob, root)
    follow_clip(camera, root)


def renew_relief(root: bpy.types.Object, surfaces: Iterable[bpy.types.Object], camera, mesh: LayeredMesh) -> None:
    """After a rebuild: every surface follows the sliders; sliders at their defaults take those of the new measurement."""
    surfaces = list(surfaces)
    if not has_relief(root):
        return add_relief(root, surfaces, camera, mesh)
    measured = {"relief_near": mesh.nearest, "relief_far": mesh.farthest, "relief_focus": mesh.focus}
    set_defaults(root, measured, restore=False)
    for ob in surfaces:
        if relief_modifier(ob) is None:
            add_modifier(ob, root)
        set_measured(ob, root)
    follow_clip(camera, root)


def has_relief(root: bpy.types.Object | None) -> bool:
    """Whether a root has its sliders; those of older files get them by a rebuild."""
    return root is not None and all(isinstance(root.get(key), (int, float)) for key in KEYS)


def defaults_of(root: bpy.types.Object) -> dict[str, float]:
    """The values of the sliders at which the surfaces stand as measured."""
    return {key: float(root.id_properties_ui(key).as_dict()["default"]) for key in KEYS}


def set_defaults(root: bpy.types.Object, values: dict[str, float], restore: bool) -> None:
    """Sets new defaults of sliders; a slider at its old default, or every slider with `restore`, takes the new default as its value."""
    known = has_relief(root)
    for key, value in values.items():
        _, least, most, kind, help = SLIDERS[KEYS[key]]
        if restore or not known or abs(root[key] / defaults_of(root)[key] - 1) < 1e-6:
            root[key] = float(value)
        soft = {"relief": (0.0, 2.0), "relief_flatten": (0.0, 1000.0)}.get(key, (least, max(100.0, 4 * value)))
        root.id_properties_ui(key).update(
            default=float(value), min=least, max=most, soft_min=soft[0], soft_max=soft[1], subtype=kind,
            description=help, precision=3, step=1.0,
        )  # fmt: skip
        root.property_overridable_library_set(f'["{key}"]', True)
    root.update_tag()


def set_sliders(root: bpy.types.Object, values: dict[str, float]) -> None:
    """Sets sliders by their keys, as `root["relief"] = 0.5; root.update_tag()` does in a script."""
    for key, value in values.items():
        root[key] = float(value)
    root.update_tag()


def add_modifier(ob: bpy.types.Object, root: bpy.types.Object) -> bpy.types.Modifier:
    """The relief modifier before all others, its inputs driven by the root's sliders."""
    modifier = ob.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = relief_group()
    ob.modifiers.move(len(ob.modifiers) - 1, 0)
    for slider, name in KEYS.items():
        driver = ob.driver_add(input_path(modifier, name)).driver
        driver.type = "AVERAGE"  # a driver of a single value needs no Python, which may be forbidden
        _variable(driver, "slider", root, f'["{slider}"]')
    set_measured(ob, root)
    return modifier


def set_measured(ob: bpy.types.Object, root: bpy.types.Object) -> None:
    """Tells a surface's modifier the measured distances that the near and far sliders replace."""
    modifier = relief_modifier(ob)
    measured = defaults_of(root)
    write_input(modifier, "Measured Near", measured["relief_near"])
    write_input(modifier, "Measured Far", measured["relief_far"])
    ob.update_tag()


def relief_modifier(ob: bpy.types.Object) -> bpy.types.Modifier | None:
    """The modifier of an object that moves its points along their rays."""
    for modifier in ob.modifiers:
        if modifier.type == "NODES" and modifier.node_group and GROUP_KEY in modifier.node_group:
            return modifier
    return None


def follow_clip(camera: bpy.types.Object | None, root: bpy.types.Object) -> None:
    """Sets clip distances of the photo's camera by drivers, so that it clips nothing of the diorama at any relief and scale.

    The range is the one of `emit.match_camera`, for the larger or smaller of the measured and the chosen distance.
    """
    if camera is None or camera.type != "CAMERA":
        return
    measured = defaults_of(root)
    near, far = measured["relief_near"], measured["relief_far"]
    wanted = {
        "clip_start": ("relief_near", f"scale * min(slider, {near:.9g}) / 50 / max(relief, 1)"),
        "clip_end": ("relief_far", f"scale * max(slider, {far:.9g}) * 4 * max(relief, 1)"),
    }
    for name, (slider, expression) in wanted.items():
        camera.data.driver_remove(name)
        driver = camera.data.driver_add(name).driver
        driver.type, driver.expression = "SCRIPTED", expression  # simple enough that Blender evaluates it without Python
        _variable(driver, "slider", root, f'["{slider}"]')
        _variable(driver, "relief", root, '["relief"]')
        scale = driver.variables.new()
        scale.name, scale.type = "scale", "TRANSFORMS"
        scale.targets[0].id, scale.targets[0].transform_type = root, "SCALE_AVG"
        scale.targets[0].transform_space = "WORLD_SPACE"


def _variable(driver: bpy.types.Driver, name: str, root: bpy.types.Object, path: str) -> None:
    variable = driver.variables.new()
    variable.name, variable.type = name, "SINGLE_PROP"
    variable.targets[0].id, variable.targets[0].data_path = root, path


def curves_of(owner: bpy.types.ID) -> Iterator[tuple]:
    """(holder, F-curve) of an animated datablock, where `holder.remove(curve)` removes it, in either kind of action."""
    action = owner.animation_data and owner.animation_data.action
    if not action:
        return
    if hasattr(action, "fcurves"):
        holders = [action.fcurves]
    else:
        slot = owner.animation_data.action_slot
        holders = [bag.fcurves for layer in action.layers for strip in layer.strips if (bag := strip.channelbag(slot))]
    for curves in holders:
        for curve in list(curves):
            yield curves, curve


def animated_sliders(root: bpy.types.Object) -> list[tuple]:
    """(holder, F-curve) of the keyframes on the sliders."""
    paths = {f'["{key}"]' for key in KEYS}
    return [(curves, curve) for curves, curve in curves_of(root) if curve.data_path in paths]
