"""The root of a diorama: finding it from any of its objects, and the settings and facts that are kept on it."""

from __future__ import annotations

import json
import os
from pathlib import Path, PureWindowsPath

import bpy

from ...core.batch.manifest import final_folder
from ...core.layer_edits.edited_layers import LayerEdits
from ...core.layer_edits.serialise import as_bytes, from_bytes
from ...core.pipeline import Diorama, stamp
from ...core.settings import each_option
from .keys import LAYER_EDITS_KEY, ROLE_KEY, SETTINGS_KEY, SOURCE_KEY

DEEPEST = 4
"""Levels of folders above a .blend, and of parts of an old path, that are searched for a file that moved."""
SOURCES, SEEN_FROM_BLEND = ("photo", "depth"), "seen_from_blend"
"""Keys of a stored source: the absolute paths, and the same relative to the .blend."""


def find_root(ob: bpy.types.Object | None) -> bpy.types.Object | None:
    """The root of the diorama that an object belongs to; None where it belongs to none."""
    while ob is not None and ob.get(ROLE_KEY) != "root":
        ob = ob.parent
    return ob


def objects_by_role(root: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """The objects under a root by the role they were made for."""
    return {str(ob[ROLE_KEY]): ob for ob in reversed(root.children_recursive) if ROLE_KEY in ob}


def world_scale(root: bpy.types.Object) -> float:
    """How large one unit of the diorama is in the world, with the scale of the root and of its parents."""
    return sum(abs(s) for s in root.matrix_world.to_scale()) / 3


def kept_settings(root: bpy.types.Object) -> dict:
    """The options that a diorama was built with, by name; those of another version are left out."""
    known = {f.name for _, f in each_option()}
    return {name: value for name, value in _kept(root, SETTINGS_KEY).items() if name in known}


def kept_source(root: bpy.types.Object) -> dict:
    """Where a diorama comes from: what `source_facts` returned when it was built."""
    return _kept(root, SOURCE_KEY)


def source_files(root: bpy.types.Object) -> tuple[str, str]:
    """Photo and depth file ("" where there is none) of a diorama; where they moved together with the .blend, at their new places."""
    source = kept_source(root)
    photo, depth = (str(source.get(name, "")) for name in SOURCES)
    seen = source.get(SEEN_FROM_BLEND)
    seen = seen if isinstance(seen, dict) else {}
    try:
        size = int(source["photo_stamp"][1])
    except (KeyError, IndexError, TypeError, ValueError):
        size = None
    return _found_again(photo, seen.get("photo"), size), _found_again(depth, seen.get("depth"), None)


def _found_again(path: str, seen: object, size: int | None) -> str:
    """The first of these that is a file of so many bytes: what was `seen` from the .blend, for a project that was copied; the path
    itself, of any size; the longest end of it below a folder of the .blend. The path itself where none is."""
    if not path or not bpy.data.filepath:
        return path
    here = Path(bpy.data.filepath).resolve().parent
    is_it = lambda place: place.is_file() and size in (None, place.stat().st_size)
    if isinstance(seen, str) and seen and is_it(here / seen):
        return os.path.normpath(here / seen)
    if Path(path).is_file():
        return path
    ends = PureWindowsPath(path).parts[1:][-DEEPEST:]  # which accepts both slashes
    for folder in (here, *here.parents)[:DEEPEST]:
        for count in range(len(ends), 0, -1):
            place = folder.joinpath(*ends[-count:])
            if is_it(place):
                return str(place)
    return path


@bpy.app.handlers.persistent
def keep_places(file: str = "", *_) -> None:
    """Before a file is saved: where photos and depth lie as seen from it, so that a copied project takes its own copies."""
    if not file:
        return  # Blender saves its startup file
    folder = final_folder(Path(file).resolve().parent)
    for root in bpy.data.objects:
        source = kept_source(root) if root.library is None and SOURCE_KEY in root else {}
        if source:
            seen = {name: _as_seen_from(folder, path) for name, path in zip(SOURCES, source_files(root), strict=True)}
            if seen != source.get(SEEN_FROM_BLEND):
                root[SOURCE_KEY] = json.dumps(source | {SEEN_FROM_BLEND: seen})


def _as_seen_from(folder: Path, path: str) -> str:
    """The relative path with slashes; "" where there is none, as on another drive of Windows."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix() if path and Path(path).is_file() else ""
    except ValueError:
        return ""


def _kept(root: bpy.types.Object, key: str) -> dict:
    """A custom property that anybody may have edited; nothing is known where it is damaged."""
    try:
        values = json.loads(root.get(key, "{}"))
    except (TypeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def stored_layer_edits(root: bpy.types.Object) -> LayerEdits | None:
    """What was changed in a diorama's surfaces themselves; None where nothing was."""
    kept = root.get(LAYER_EDITS_KEY)
    return from_bytes(kept) if isinstance(kept, bytes) else None


def keep_layer_edits(root: bpy.types.Object, edits: LayerEdits | None) -> None:
    """Keeps that on the root."""
    root.pop(LAYER_EDITS_KEY, None)  # Blender damages bytes that replace others
    if edits is not None and (edits.recuts or edits.added or edits.cards):
        root[LAYER_EDITS_KEY] = as_bytes(edits)


def source_facts(built: Diorama, photo: str, depth: str | None) -> dict:
    """The facts stored on the root beside the settings: files, what was found and what was built, as plain values."""
    camera, mesh = built.photo.camera, built.mesh
    return {
        "photo": str(Path(photo).resolve()),
        "depth": str(Path(depth).resolve()) if depth else "",
        "photo_stamp": list(stamp(photo)),
        "focal_px": round(camera.focal_px, 3),
        "centre_px": [round(camera.cx, 3), round(camera.cy, 3)],
        "focal_source": built.photo.focal_source,
        "see_through": built.photo.alpha is not None,
        "photo_notes": list(built.photo.notes),
        "depth_source": built.depth.source,
        "depth_unsure": built.depth.unsure,
        "depth_sky_taken": built.depth.sky,
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


def register() -> None:
    bpy.app.handlers.save_pre.append(keep_places)


def unregister() -> None:
    bpy.app.handlers.save_pre.remove(keep_places)
