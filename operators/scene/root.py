"""The root of a diorama: finding it from any of its objects, and the settings and facts that are kept on it."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath

import bpy

from ...core.pipeline import Diorama, stamp
from ...core.settings import each_option
from .keys import ROLE_KEY, SETTINGS_KEY, SOURCE_KEY

DEEPEST = 4
"""Folders up from a .blend, and parts of an old path, that are looked at for a file that moved."""


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


def source_files(root: bpy.types.Object) -> tuple[str, str]:
    """Photo and depth file ("" where there is none) of a diorama; where they moved together with the .blend, at their new places."""
    source = kept_source(root)
    photo, depth = (str(source.get(name, "")) for name in ("photo", "depth"))
    try:
        size = int(source["photo_stamp"][1])
    except (KeyError, IndexError, TypeError, ValueError):
        size = None
    return _found_again(photo, size), _found_again(depth, None)


def _found_again(path: str, size: int | None) -> str:
    """The path itself where it exists, or where no file is found. Else the longest end of it that is a file below a folder of the
    .blend and has this size."""
    if not path or not bpy.data.filepath or Path(path).is_file():
        return path
    ends, here = PureWindowsPath(path).parts[1:][-DEEPEST:], Path(bpy.data.filepath).resolve().parent  # which takes both slashes
    for folder in (here, *here.parents)[:DEEPEST]:
        for count in range(len(ends), 0, -1):
            place = folder.joinpath(*ends[-count:])
            if place.is_file() and size in (None, place.stat().st_size):
                return str(place)
    return path


def _kept(root: bpy.types.Object, key: str) -> dict:
    """A custom property that anybody may have edited; nothing is known where it is damaged."""
    try:
        values = json.loads(root.get(key, "{}"))
    except (TypeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def source_of(built: Diorama, photo: str, depth: str | None) -> dict:
    """The facts stored on the root beside the settings: files, what was found and what was built, as plain values."""
    camera, mesh = built.photo.camera, built.mesh
    return {
        "photo": str(Path(photo).resolve()),
        "depth": str(Path(depth).resolve()) if depth else "",
        "photo_stamp": list(stamp(photo)),
        "focal_px": round(camera.focal_px, 3),
        "centre_px": [round(camera.cx, 3), round(camera.cy, 3)],
        "focal_source": built.photo.focal_source,
        "depth_source": built.depth.source,
        "depth_unsure": built.depth.unsure,
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
