"""The operator that gives an existing diorama's camera a move, and the root's focus object."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import json
from dataclasses import replace
from types import SimpleNamespace

import bpy

from ...core.camera.camera import Camera
from ...core.camera.framing import FrameEdge, describe_framing, frame_edge
from ...core.errors import DioramaError
from ...core.settings import Settings
from ..building.properties import option_properties, option_values, set_values
from ..on_diorama import ActOnDiorama
from ..scene.camera_moves import MOVE_OPTIONS, animate
from ..scene.keys import SETTINGS_KEY
from ..scene.root import find_root, kept_settings, kept_source, objects_by_role
from .shown_surfaces import photo_camera, photo_surfaces, surface_triangles

MoveOptions = type(
    "MoveOptions",
    (),
    {"__annotations__": {k: v for k, v in option_properties(options={"SKIP_SAVE"}).items() if k in MOVE_OPTIONS}},
)
MoveOptions.__doc__ = "Mixin: the options of a camera move, never taken over from the last call."


class ApplyMove(ActOnDiorama, bpy.types.Operator, MoveOptions):
    """Animate this diorama's camera; this replaces its previous move, everything else stays"""

    bl_idname = "photo_diorama.apply_move"
    bl_label = "Move Camera"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def description(cls, context, properties):
        choices = cls.bl_rna.properties["camera_move"].enum_items
        return choices[properties.camera_move].description

    def invoke(self, context, event):
        self._take_over(find_root(context.object))
        return self.execute(context)

    def _take_over(self, root: bpy.types.Object) -> None:
        known = kept_settings(root)
        wanted = {name: known[name] for name in MOVE_OPTIONS if name in known}
        if self.properties.is_property_set("camera_move") and self.camera_move != known.get("camera_move"):
            wanted.pop("move_amount", None)  # an amount belongs to its move: one that fills this move's range may leave another's
        set_values(self, {name: v for name, v in wanted.items() if not self.properties.is_property_set(name)})

    def act(self, context, root):
        self._take_over(root)
        context.view_layer.update()  # else Blender still has the old place of a focus object that was just moved
        return apply_move(root, option_values(self), context.scene)


def apply_move(root: bpy.types.Object, values: dict, scene: bpy.types.Scene) -> str:
    """Gives the root's rig the move in `values` and stores these on the root; returns a sentence for the user.

    Raises DioramaError where the diorama's rig or camera was deleted, or its distances are unknown.
    """
    objects, source = objects_by_role(root), kept_source(root)
    if not {"rig", "camera"} <= objects.keys() or objects["camera"].type != "CAMERA":
        raise DioramaError(f"{root.name} has no camera of its own any more; rebuild it from its photo.")
    try:
        distances = SimpleNamespace(nearest=float(source["nearest_m"]), focus=float(source["focus_m"]))
    except (KeyError, TypeError, ValueError):
        raise DioramaError(f"{root.name} does not know its distances any more; rebuild it from its photo.") from None
    settings = Settings().with_values({**kept_settings(root), **values}).scene
    edge = photo_edge(root) if settings.framing == "clean" and settings.camera_move != "none" else None
    factor = animate(objects["rig"], objects["camera"], distances, settings, scene, edge)
    root[SETTINGS_KEY] = json.dumps({**kept_settings(root), **values})
    if settings.camera_move == "none":
        return "The camera stays where the photo was taken."
    last = scene.frame_start + settings.frames - 1
    message = f"{settings.camera_move.replace('-', ' ').capitalize()} from frame {scene.frame_start} to {last}"
    if scene.frame_end != last:
        message = f"{message}; the scene ends at {scene.frame_end}, so set its end to {last} to play just the move"
    return f"{message}. {describe_framing(factor, settings.move_amount)}".rstrip()


def photo_edge(root: bpy.types.Object) -> tuple[FrameEdge, Camera]:
    """The edge of the photographed surfaces as they are now, and the photo's camera."""
    camera, source = photo_camera(root), kept_source(root)
    surfaces, own = photo_surfaces(root), camera
    try:  # the artist may have given the camera another lens: the photo's edge stays where it is
        own = replace(camera, focal_px=float(source["focal_px"]), cx=float(source["centre_px"][0]), cy=float(source["centre_px"][1]))
    except (KeyError, TypeError, ValueError, IndexError):
        pass
    found = surface_triangles(root, bpy.context.evaluated_depsgraph_get(), surfaces) if surfaces else []
    return frame_edge(found, own), camera


def register() -> None:
    bpy.utils.register_class(ApplyMove)
    bpy.types.Object.photo_diorama_focus = bpy.props.PointerProperty(
        type=bpy.types.Object,
        name="Focus Object",
        description="Object that a dolly zoom keeps at its size, that an aimed camera looks at and that is in focus; "
        "empty: the middle of the picture",
    )


def unregister() -> None:
    del bpy.types.Object.photo_diorama_focus
    bpy.utils.unregister_class(ApplyMove)
