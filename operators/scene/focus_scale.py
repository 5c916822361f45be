"""Scales the focus distance with the diorama's root, since Blender scales only the place of a camera."""

from __future__ import annotations

import bpy

from ..nodes.relief_sliders import curves_of
from .keys import ROLE_KEY
from .root import objects_by_role, world_scale

SCALE_KEY = "photo_diorama_scale"
"""Custom property of the camera: the root's scale in the world for which its focus distance is right."""


def follow_scale(root: bpy.types.Object) -> None:
    """Scales the focus distance by what the root was scaled since; one that is animated is the artist's own."""
    camera = objects_by_role(root).get("camera")
    if camera is None or camera.type != "CAMERA" or camera.library is not None or camera.data.library is not None:
        return
    data, scale = camera.data, world_scale(root)
    seen = data.get(SCALE_KEY, 1.0)
    if not isinstance(seen, (int, float)) or seen <= 0 or scale <= 0 or abs(scale / seen - 1) < 1e-6:
        return
    if not any(curve.data_path == "dof.focus_distance" for _, curve in curves_of(data)):
        data.dof.focus_distance *= scale / seen
    data[SCALE_KEY] = scale


@bpy.app.handlers.persistent
def on_change(scene, depsgraph) -> None:
    for update in depsgraph.updates:
        if update.is_updated_transform and isinstance(update.id, bpy.types.Object):
            root = update.id.original
            if root.get(ROLE_KEY) == "root" and root.library is None:
                follow_scale(root)


def register() -> None:
    bpy.app.handlers.depsgraph_update_post.append(on_change)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(on_change)
