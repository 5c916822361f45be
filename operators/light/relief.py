"""Operators on relief: bake it into the meshes, reset it; and the world scale of a whole diorama."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
import numpy as np

from ...core.errors import DioramaError
from ...core.scene.relief import Relief, apply_relief, transform_normals
from ..nodes.relief_nodes import DISPARITY, NORMAL, RAY, SLIDERS, read_input
from ..nodes.relief_sliders import (
    animated_sliders,
    defaults_of,
    follow_clip,
    has_relief,
    relief_modifier,
    set_defaults,
    set_measured,
    set_sliders,
)
from ..on_diorama import ActOnDiorama
from ..scene.focus_scale import SCALE_KEY
from ..scene.root import find_root, objects_by_role


def followers(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects under a root that have the relief modifier."""
    return [ob for ob in root.children_recursive if ob.type == "MESH" and relief_modifier(ob)]


def core_relief(root: bpy.types.Object, values: dict[str, float] | None = None) -> Relief:
    """The sliders of a root, or `values` in their place, as core's Relief."""
    at, measured = values or {key: float(root[key]) for key in defaults_of(root)}, defaults_of(root)
    return Relief(
        at["relief"], at["relief_near"], at["relief_far"], at["relief_focus"], at["relief_flatten"],
        measured["relief_near"], measured["relief_far"],
    )  # fmt: skip


def modifier_relief(ob: bpy.types.Object) -> Relief:
    """The inputs of a surface's modifier; `ob` evaluated, since drivers set them."""
    modifier = relief_modifier(ob)
    return Relief(*(read_input(modifier, name) for name in SLIDERS))


def bake_mesh(mesh: bpy.types.Mesh, relief: Relief) -> None:
    """Moves the points of a mesh along their rays, permanently."""
    count = len(mesh.vertices)
    place, ray, disparity = (np.empty(n, np.float32) for n in (3 * count, 3 * count, count))
    mesh.attributes["position"].data.foreach_get("vector", place)
    mesh.attributes[RAY].data.foreach_get("vector", ray)
    mesh.attributes[DISPARITY].data.foreach_get("value", disparity)
    formed = apply_relief(disparity, relief).astype(np.float32)
    one = np.float32(1)
    place, ray = place.reshape(-1, 3), ray.reshape(-1, 3)
    by_hand = place - ray * (one / disparity)[:, None]
    place = by_hand + ray * (one / formed)[:, None]
    mesh.attributes["position"].data.foreach_set("vector", place.ravel())
    mesh.attributes[DISPARITY].data.foreach_set("value", formed)
    own = mesh.attributes.get(NORMAL)
    if own is not None and own.domain == "POINT" and own.data_type == "FLOAT_VECTOR":
        normals = np.empty(3 * count, np.float32)
        own.data.foreach_get("vector", normals)
        turned = transform_normals(normals.reshape(-1, 3), ray, 1, disparity, relief)
        own.data.foreach_set("vector", turned.astype(np.float32).ravel())
    mesh.update()


class ReliefOperator(ActOnDiorama):
    """Mixin of the operators that need a diorama with sliders."""

    @classmethod
    def poll(cls, context):
        root = find_root(context.object)
        if not has_relief(root):
            cls.poll_message_set("Select a diorama; one of an older file has to be rebuilt first")
            return False
        return root.library is None


class BakeRelief(ReliefOperator, bpy.types.Operator):
    """Apply the relief of this frame to the meshes, for exporters and sculpting. The sliders then start from there"""

    bl_idname = "photo_diorama.bake_relief"
    bl_label = "Bake Relief"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context, root):
        if context.mode != "OBJECT":
            raise DioramaError("Leave edit or paint mode, then bake.")
        bake(root, context.evaluated_depsgraph_get())


def bake(root: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> None:
    """Bakes the relief of every surface as it is now; keyframes of the sliders are removed.

    Raises DioramaError, with nothing changed, where a mesh cannot be baked.
    """
    seen = {key: float(root.evaluated_get(depsgraph)[key]) for key in defaults_of(root)}
    reliefs = {ob: modifier_relief(ob.evaluated_get(depsgraph)) for ob in followers(root)}
    meshes = {ob.data: relief for ob, relief in reliefs.items()}
    for mesh in meshes:
        if mesh.library is not None or mesh.shape_keys:
            raise DioramaError(f"{mesh.name} is linked or has shape keys; make it local and apply those, then bake.")
        if not {RAY, DISPARITY} <= set(mesh.attributes.keys()):
            raise DioramaError(f"{mesh.name} has lost its camera rays; rebuild the diorama, then bake.")
    whole = core_relief(root, seen)
    for mesh, relief in meshes.items():
        bake_mesh(mesh, relief)
    for curves, curve in animated_sliders(root):
        curves.remove(curve)
    was = np.array([whole.measured_near, whole.measured_far, seen["relief_focus"]])
    near, far, focus = (float(d) for d in 1 / apply_relief(1 / was, whole))
    now = {"relief": 1.0, "relief_near": near, "relief_far": far, "relief_focus": focus, "relief_flatten": 0.0}
    set_defaults(root, now, restore=True)
    for ob in reliefs:
        set_measured(ob, root)
    follow_clip(objects_by_role(root).get("camera"), root)


class ResetRelief(ReliefOperator, bpy.types.Operator):
    """Reset the relief sliders to the measured depth; the world scale stays"""

    bl_idname = "photo_diorama.reset_relief"
    bl_label = "Reset Relief"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context, root):
        set_sliders(root, defaults_of(root))
        if animated_sliders(root):
            self.report({"WARNING"}, "Keyframes on the sliders will change them again; clear those to keep the reset.")


def _world_scale(root: bpy.types.Object) -> float:
    return sum(abs(s) for s in root.scale) / 3


def _set_world_scale(root: bpy.types.Object, value: float) -> None:
    """The root is at the photo's camera, so its scale scales everything around that: surfaces, moves and child objects."""
    ratio = value / (_world_scale(root) or 1.0)
    root.scale = [s * ratio for s in root.scale] if _world_scale(root) else (value,) * 3
    camera = objects_by_role(root).get("camera")
    if camera is not None and camera.type == "CAMERA":
        camera.data.dof.focus_distance *= ratio  # Blender scales a camera's place only
        camera.data[SCALE_KEY] = camera.data.get(SCALE_KEY, 1.0) * ratio


register_classes, unregister_classes = bpy.utils.register_classes_factory((BakeRelief, ResetRelief))


def register() -> None:
    register_classes()
    bpy.types.Object.photo_diorama_world_scale = bpy.props.FloatProperty(
        name="World Scale", description="Scales the whole diorama round its camera: surfaces, camera moves, focus. It is the root's scale",
        min=0.0001, max=1e6, soft_min=0.01, soft_max=100.0, precision=3, options=set(), get=_world_scale, set=_set_world_scale,
    )  # fmt: skip


def unregister() -> None:
    del bpy.types.Object.photo_diorama_world_scale
    unregister_classes()
