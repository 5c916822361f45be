"""Operators for light on the photo: it catches shadows and reflections of other objects, or holds them out."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import json
import math

import bpy
from mathutils import Vector

from ...core.errors import DioramaError
from ..nodes.catcher_nodes import catcher_nodes, insert, remove
from ..on_diorama import ActOnDiorama
from ..scene.keys import ROLE_KEY
from ..scene.root import objects_by_role
from ..scene.surfaces import find_surfaces
from .ground import find_ground_of, put_ground, walls_of

COPY_KEY, KEPT_KEY = "photo_diorama_catcher", "photo_diorama_rays"
HIDDEN_RAYS = ("visible_shadow", "visible_diffuse")
"""Ray types for which a shadow-catching photo is invisible: the photo has its own shadows in it already."""
CATCHER_SCALE = 0.998
"""Scale of a shadow catcher's copy about the photo's camera, so that it lies just in front of the photo."""


class ShadowCatcher(ActOnDiorama, bpy.types.Operator):
    """Let other objects cast shadows on the photo's ground and walls; press again after the lights have changed"""

    bl_idname = "photo_diorama.shadow_catcher"
    bl_label = "Shadow Catcher"
    bl_options = {"REGISTER", "UNDO"}
    in_object_mode = True

    method: bpy.props.EnumProperty(
        name="Method",
        description="How shadows are put on the photo",
        items=[
            ("PHOTO", "On the Photo", "Darken the photo itself: Cycles and EEVEE, from every camera"),
            ("COMPOSITE", "For Compositing", "Render only the objects and their shadows with Cycles, to composite over the photo"),
            ("NONE", "None", "The photo as it was before"),
        ],
    )
    strength: bpy.props.FloatProperty(
        name="Strength", default=1.0, min=0.0, max=1.0, subtype="FACTOR",
        description="How dark shadows are: 0 leaves the photo as it is",
    )  # fmt: skip
    reflection: bpy.props.FloatProperty(
        name="Reflection", default=0.0, min=0.0, max=1.0, subtype="FACTOR",
        description="How much the ground reflects, like polished or wet ground",
    )  # fmt: skip
    roughness: bpy.props.FloatProperty(
        name="Roughness", default=0.2, min=0.0, max=1.0, subtype="FACTOR", description="How blurred the reflection is"
    )
    walls: bpy.props.BoolProperty(
        name="Walls", description="Let the large walls of the photo catch shadows too, where light falls on them", default=True
    )

    def act(self, context, root):
        if self.method == "NONE":
            stop_catching(root)
            return "The photo catches nothing."
        if self.method == "PHOTO":
            return catch_on_photo(root, context, self.strength, self.reflection, self.roughness, self.walls)
        return catch_for_compositing(root, context, self.roughness)


def catch_on_photo(root, context, strength: float, reflection: float, roughness: float, walls: bool = True) -> str:
    """Lets the root's materials take shadow; returns a sentence for the user.

    Raises DioramaError without light or ground.
    """
    ground = _ground(root, context)
    up = (ground.matrix_world.to_3x3() @ Vector((0, 0, 1))).normalized()
    light, unsure = incoming_light(context.scene, up)
    if max(light) < 1e-6:
        raise DioramaError("No sun or world lights the ground, so nothing casts a shadow; add a sun and press again.")
    stop_catching(root)
    own_normal = (ground.matrix_local.to_3x3() @ Vector((0, 0, 1))).normalized()
    surfaces = find_surfaces(root)
    facing = [(own_normal, light, reflection)]
    for normal in walls_of(root, context, own_normal) if walls else ():
        falling, _ = incoming_light(context.scene, (root.matrix_world.to_3x3() @ normal).normalized())
        if max(falling) > 1e-6:  # else there is nothing to remove
            facing.append((normal, falling, 0.0))
    for material in {slot.material for ob in surfaces for slot in ob.material_slots if slot.material}:
        for normal, falling, mirror in facing:
            node = insert(material)
            if node is None:
                break
            values = {"Light": [max(part, 1e-6) for part in falling], "Ground Normal": normal, "Strength": strength}
            for name, value in {**values, "Reflection": mirror, "Roughness": roughness}.items():
                node.inputs[name].default_value = value
    for ob in surfaces:
        _let_through(ob)
    found = len(facing) - 1
    what = "ground catches" if not found else f"ground and {'a wall' if found == 1 else f'{found} walls'} catch"
    message = f"The photo's {what} shadows in Cycles and EEVEE"
    if unsure:
        return f"{message}; the world shows a picture, so match its brightness by Light in the material."
    return f"{message}."


def catch_for_compositing(root, context, roughness: float) -> str:
    """Adds a Cycles shadow catcher just before the photo, which is held out; returns a sentence for the user."""
    stop_catching(root)
    material = bpy.data.materials.new(f"{root.name} catcher")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = roughness
    for ob in find_surfaces(root):
        if ob[ROLE_KEY] in ("photo", "border"):
            _catching_copy(ob, root, material)
    hold_out(root, True)
    return "Turn on Transparent under Render > Film, render in Cycles and lay the picture over the photo."


def _catching_copy(ob: bpy.types.Object, root, material: bpy.types.Material) -> None:
    """A second object with the same mesh, which a rebuild updates too, and a material of its own."""
    copy = ob.copy()
    del copy[ROLE_KEY]
    copy.name, copy[COPY_KEY] = f"{ob.name} catcher", True
    copy.scale = ob.scale * CATCHER_SCALE
    copy.is_shadow_catcher, copy.is_holdout = True, False
    for collection in ob.users_collection:
        collection.objects.link(copy)
    for slot in copy.material_slots:
        slot.link, slot.material = "OBJECT", material
    _let_through(ob)
    for name in ("visible_shadow", "visible_diffuse", "visible_glossy"):
        setattr(copy, name, False)


def stop_catching(root: bpy.types.Object) -> None:
    """Restores everything as it was before the photo caught shadows."""
    surfaces = find_surfaces(root)
    for material in {slot.material for ob in surfaces for slot in ob.material_slots if slot.material}:
        remove(material)
    for ob in surfaces:
        kept = json.loads(ob.get(KEPT_KEY, "{}"))
        for name in HIDDEN_RAYS:
            if name in kept:
                setattr(ob, name, bool(kept[name]))
        if KEPT_KEY in ob:
            del ob[KEPT_KEY]
    copies = [ob for ob in root.children_recursive if ob.get(COPY_KEY)]
    if copies:
        materials = {slot.material for ob in copies for slot in ob.material_slots}
        bpy.data.batch_remove(copies)
        bpy.data.batch_remove([material for material in materials if material and not material.users])
        hold_out(root, False)


def _let_through(ob: bpy.types.Object) -> None:
    ob[KEPT_KEY] = json.dumps({name: getattr(ob, name) for name in HIDDEN_RAYS})
    for name in HIDDEN_RAYS:
        setattr(ob, name, False)


def _ground(root, context) -> bpy.types.Object:
    """The root's ground empty, found where there is none yet. Raises DioramaError where there is no ground."""
    ground = objects_by_role(root).get("ground")
    if ground is None:
        plane = find_ground_of(root, context)
        if plane is None:
            raise DioramaError(f"{root.name} shows no ground that is found, so there is nothing to cast shadows on.")
        ground = put_ground(root, plane)
        context.view_layer.update()
    return ground


def incoming_light(scene, up: Vector) -> tuple[tuple[float, float, float], bool]:
    """(red, green, blue) radiance of a white, matt surface facing `up` under the scene's suns and uniform world alone;
    and whether the world's colour is a texture, which then counts by its strength only.

    Lamps with a place are not counted. Blender's sun of strength S gives a radiance of S / pi on such a surface, a world of strength
    B one of B.
    """
    total = Vector((0, 0, 0))
    for ob in scene.objects:
        if ob.type == "LIGHT" and ob.data.type == "SUN" and not ob.hide_render:
            towards = (ob.matrix_world.to_3x3() @ Vector((0, 0, 1))).normalized()
            strength = ob.data.energy * 2 ** getattr(ob.data, "exposure", 0.0) * max(0.0, towards.dot(up)) / math.pi
            warm = getattr(ob.data, "use_temperature", False)
            tint = Vector(ob.data.temperature_color if warm else (1, 1, 1))
            total += strength * tint * Vector(ob.data.color)
    world, unsure = scene.world, False
    if world is not None:
        tree = world.node_tree if getattr(world, "use_nodes", True) else None
        background = next((n for n in tree.nodes if n.type == "BACKGROUND"), None) if tree else None
        if background is not None:
            colour, strength = background.inputs["Color"], background.inputs["Strength"]
            unsure = bool(colour.links or strength.links)
            even = Vector((1, 1, 1) if colour.links else colour.default_value[:3])
            total += even * strength.default_value
        elif tree is None:
            total += Vector(world.color)
    return tuple(total), unsure


class Holdout(ActOnDiorama, bpy.types.Operator):
    """Cut this diorama out of the render, so that only objects in front of it are rendered; press again to show it"""

    bl_idname = "photo_diorama.holdout"
    bl_label = "Holdout"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context, root):
        on = not is_held_out(root)
        hold_out(root, on)
        shown = "held out; turn on Transparent under Render > Film to see through it" if on else "shown again"
        return f"{root.name} is {shown}."


def is_held_out(root: bpy.types.Object) -> bool:
    """Whether all surfaces of a diorama are held out."""
    surfaces = find_surfaces(root)
    return bool(surfaces) and all(ob.is_holdout for ob in surfaces)


def hold_out(root: bpy.types.Object, on: bool) -> None:
    """Sets or clears the holdout of all surfaces of a diorama."""
    for ob in find_surfaces(root):
        ob.is_holdout = on


def catching(root: bpy.types.Object) -> str:
    """How the diorama catches shadows now: PHOTO, COMPOSITE or NONE."""
    if any(ob.get(COPY_KEY) for ob in root.children_recursive):
        return "COMPOSITE"
    materials = {slot.material for ob in find_surfaces(root) for slot in ob.material_slots}
    return "PHOTO" if any(catcher_nodes(material) for material in materials) else "NONE"


register, unregister = bpy.utils.register_classes_factory((ShadowCatcher, Holdout))
