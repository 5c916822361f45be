"""Watches the file of layers that a diorama was updated from last: when it is saved again, the scene follows."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from dataclasses import dataclass
from pathlib import Path

import bpy

from ...core.errors import DioramaError
from ...core.layer_changes.clean_plates import ANSWERS
from ...core.layer_changes.clean_plates import INDEX as PLATES
from ...core.layer_files.png_folder import INDEX
from ..building import build_operator
from ..on_diorama import ActOnDiorama
from ..scene.keys import LAYER_FILE_KEY
from ..scene.root import find_root

INTERVAL = 0.5
"""Seconds between two looks at a file."""
PATIENCE = 20
"""Looks after which a file that cannot be read is reported; until then somebody may still be writing it."""
MAX_FILES = 1000

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of each file."""


@dataclass
class Watched:
    """One file that is watched."""

    path: str
    taken: Stamp  # what the scene shows
    seen: Stamp  # what was there at the last look
    failures: int = 0  # looks at `seen` that found it unreadable
    trouble: str = ""  # why it could not be taken, for the panel


watched: dict[str, Watched] = {}
"""By the name of the diorama's root; empty where nothing is watched."""


def stamp_of(path: str) -> Stamp:
    """Names, sizes and times, which change when a file of layers, or a picture in a folder of them, is saved; empty where nothing is
    there."""
    place = Path(path)
    place = place.parent if place.name in (INDEX, PLATES) else place
    if (place / PLATES).is_file():
        place = place / ANSWERS
    try:
        files = sorted(place.iterdir())[:MAX_FILES] if place.is_dir() else [place]
        stats = [(each.name, each.stat()) for each in files if not each.name.startswith(".")]
    except OSError:
        return ()
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in stats)


def look() -> float | None:
    """Takes every watched file that was saved and is quiet since the last look; called by Blender's timer."""
    for name, each in list(watched.items()):
        root = bpy.data.objects.get(name)
        if root is None or find_root(root) is not root:
            del watched[name]
            continue
        now = stamp_of(each.path)
        if now != each.seen:
            each.seen, each.failures = now, 0
        elif now and now != each.taken and build_operator.running is None:
            _take(root, each)
    _redraw()
    return INTERVAL if watched else None


def _take(root: bpy.types.Object, each: Watched) -> None:
    """Updates the diorama from the file. One that cannot be read counts as half-written, and is tried again."""
    now, each.trouble = each.seen, ""
    try:
        with bpy.context.temp_override(**_override(root)):
            # not in a thread: a timer has no window to wait in, and stages that the file does not change are kept
            bpy.ops.photo_diorama.update_layers("EXEC_DEFAULT", True, filepath=each.path)
        each.taken = now
    except RuntimeError as error:
        each.failures += 1
        if each.failures >= PATIENCE:
            each.trouble, each.taken = str(error).strip().removeprefix("Error: "), now


def _override(root: bpy.types.Object) -> dict:
    """A context in which the diorama is the active one, as operators ask for it."""
    window = next(iter(bpy.context.window_manager.windows), None)
    objects = {"object": root, "active_object": root}
    return objects if window is None or bpy.context.window is not None else objects | {"window": window}


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


class WatchLayers(ActOnDiorama, bpy.types.Operator):
    """Watch the file of layers that this diorama was updated from last: each time another program saves it, the scene follows"""

    bl_idname = "photo_diorama.watch_layers"
    bl_label = "Watch Layers"

    watch: bpy.props.BoolProperty(name="Watch", description="Whether the file is watched", default=True)

    def act(self, context, root):
        if not self.watch:
            watched.pop(root.name, None)
            return ""
        path = root.get(LAYER_FILE_KEY)
        if not isinstance(path, str) or not path:
            raise DioramaError(f"{root.name} was not updated from a file of layers yet; use Update Layers From first.")
        if not (now := stamp_of(path)):
            raise DioramaError(f"{path} is not there any more; use Update Layers From and choose the file again.")
        watched[root.name] = Watched(path, now, now)
        if not bpy.app.timers.is_registered(look):
            bpy.app.timers.register(look, first_interval=INTERVAL)
        return f"{Path(path).name} is watched."


@bpy.app.handlers.persistent
def stop_watching(*_) -> None:
    """Before another file is opened."""
    watched.clear()
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)


_register, _unregister = bpy.utils.register_classes_factory((WatchLayers,))


def register() -> None:
    _register()
    bpy.app.handlers.load_pre.append(stop_watching)


def unregister() -> None:
    stop_watching()
    bpy.app.handlers.load_pre.remove(stop_watching)
    _unregister()
