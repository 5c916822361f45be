"""The root of a diorama: finding it from any of its objects, and the settings and facts that are kept on it."""

from __future__ import annotations

import json
from pathlib import Path

import bpy

from ...core.pipeline import Diorama, stamp
from ...core.settings import each_option
from .keys import ROLE_KEY, SETTINGS_KEY, SOURCE_KEY


def find_root(ob: bpy.types.Object | None) -> bpy.types.Object | None:
    """The root of the diorama that an object belongs to; None where it belongs to none."""
    while ob is not None and ob.get(ROLE_KEY) != "root":
        ob = ob.parent
    return ob


def objects_by_role(root: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """The objects under a root by the role they were made for."""
    return {str(ob[ROLE_KEY]): ob for ob in reversed(root.children_recursive) if ROLE_KEY in ob}


def world_scale(root: bpy.types.Object) -> float:
    """How large one unit of the diorama is in the world, whatever scales it: the root or what it is parented to."""
    return sum(abs(s) for s in root.matrix_world.to_scale()) / 3


def kept_settings(root: bpy.types.Object) -> dict:
    """The options that a diorama was built with, by name; those of another version are left out."""
    known = {f.name for _, f in each_option()}
    return {name: value for name, value in _kept(root, SETTINGS_KEY).items() if name in known}


def kept_source(root: bpy.types.Object) -> dict:
    """Where a diorama comes from: what `source_of` returned when it was built."""
    return _kept(root, SOURCE_KEY)


def _kept(root: bpy.types.Object, key: str) -> dict:
    """A custom property that anybody may have edited; nothing is known where it is damaged."""
    try:
        values = json.loads(root.get(key, "{}"))
    except (TypeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def source_of(built: Diorama, photo: str, depth: str | None) -> dict:
    """What is kept on the root beside the settings: the files, what was found and what was made, as plain values."""
    camera, mesh = built.photo.camera, built.mesh
    return {
        "photo": str(Path(photo).resolve()),
        "depth": str(Path(depth).resolve()) if depth else "",
        "photo_stamp": list(stamp(photo)),
        "focal_px": round(camera.focal_px, 3),
        "centre_px": [round(camera.cx, 3), round(camera.cy, 3)],
        "focal_source": built.photo.focal_source,
        "depth_source": built.depth.source,
        "metric": built.depth.metric,
        "photo_size": [camera.width, camera.height],
        "working_size": [built.image.frame[3], built.image.frame[2]],
        "edges": list(built.edges),
        "layers": len(built.image.layers),
        "vertices": mesh.vertex_count,
        "triangles": mesh.triangle_count,
        "nearest_m": round(mesh.nearest, 4),
        "focus_m": round(mesh.focus, 4),
        "seconds": built.seconds,
    }
