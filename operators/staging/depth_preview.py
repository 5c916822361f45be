"""Previews photo and depth side by side in panel and dialog, as soon as both are chosen; they are read in a thread."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import bpy
import bpy.utils.previews
import numpy as np

from ...core.depth.depth_map import Guess
from ...core.depth_thumbnail import DepthThumbnail, depth_thumbnail
from ...core.errors import DioramaError
from ...core.settings import Settings

LOOK_AGAIN = 0.2
"""Seconds between two checks whether a thumbnail is ready."""
SCALE, LETTERS = 10.0, 38
MAX_KEPT = 8
"""Largest number of thumbnails that are kept."""

_previews = None
_shown: dict[tuple, Shown] = {}


@dataclass
class Shown:
    """One thumbnail, or why there is none."""

    icon: int = 0
    description: str = ""
    guess: Guess = Guess()
    result: DepthThumbnail | DioramaError | Exception | None = None  # of the thread
    ready: bool = False


def draw_depth_preview(layout, photo: str, depth: str, settings: Callable[[], Settings]) -> int:
    """Draws the thumbnail of these files, or what is wrong with the depth; nothing where photo or depth is missing.

    Returns how many rows high it is.
    """
    if not photo:
        return 0
    try:
        shown = _look(Path(bpy.path.abspath(photo)), Path(bpy.path.abspath(depth)) if depth else None, settings())
    except (OSError, DioramaError):
        return 0  # reported when the diorama is built
    if shown.icon:
        layout.template_icon(icon_value=shown.icon, scale=SCALE)
        row = layout.row(align=True)
        row.label(text="Near is red, far is blue")
    column = layout.column(align=True)
    lines = textwrap.wrap("; ".join([shown.description, *shown.guess.questions(window=True)]), LETTERS)
    for line in lines:
        column.label(text=line)
    return len(lines) + (int(SCALE) + 1 if shown.icon else 0)


def _look(photo: Path, depth: Path | None, settings: Settings) -> Shown:
    """The thumbnail of these files; starts to read them if they are new."""
    stamps = tuple(path.stat().st_mtime_ns for path in (photo, depth) if path is not None)
    key = (str(photo), str(depth), stamps, settings.photo, settings.depth)
    if key not in _shown:
        while len(_shown) >= MAX_KEPT:
            _forget(next(iter(_shown)))
        _shown[key] = Shown()
        Thread(target=_read, args=(_shown[key], photo, depth, settings), daemon=True).start()
        bpy.app.timers.register(lambda: _publish(key), first_interval=LOOK_AGAIN)
    return _shown[key]


def _read(shown: Shown, photo: Path, depth: Path | None, settings: Settings) -> None:
    """Reads the files; runs in the thread, without Blender."""
    try:
        shown.result = depth_thumbnail(photo, depth, settings)
    except Exception as error:  # noqa: BLE001 - the fault is reported when the diorama is built
        shown.result = error
    shown.ready = True


def _publish(key: tuple) -> float | None:
    """Makes the preview once the files are read; a timer in Blender's main thread."""
    shown = _shown.get(key)
    if shown is None or _previews is None:
        return None
    if not shown.ready:
        return LOOK_AGAIN
    result, shown.result = shown.result, None
    if isinstance(result, DepthThumbnail):
        shown.icon, shown.description = _as_icon(str(key), result.pixels), result.description
        shown.guess = result.guess
    elif isinstance(result, DioramaError):
        shown.description = result.in_window
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    return None


def _as_icon(name: str, pixels: np.ndarray) -> int:
    """Blender's icon number of a square picture with these (h, w, 3) uint8 pixels in its middle."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 4), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width, :3] = pixels / np.float32(255)
    square[top : top + height, left : left + width, 3] = 1
    preview = _previews.new(name)
    preview.image_size = preview.icon_size = (side, side)
    preview.image_pixels_float = preview.icon_pixels_float = square[::-1].ravel()
    return preview.icon_id


def _forget(key: tuple) -> None:
    del _shown[key]
    if _previews is not None and str(key) in _previews:
        del _previews[str(key)]


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    _shown.clear()
    bpy.utils.previews.remove(_previews)
    _previews = None
