"""Inside a Blender window: runs the files that a test puts into a folder, and writes what they print beside them."""

import contextlib
import io
import sys
import traceback
from pathlib import Path

import bpy

FOLDER = Path(sys.argv[-1])


@contextlib.contextmanager
def view():
    """The next operators run in the window's 3D viewport."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
        yield area


known = {"bpy": bpy, "view": view}


def listen():
    for path in sorted(FOLDER.glob("*.py")):
        text, said = path.read_text(), io.StringIO()
        path.rename(path.with_suffix(".done"))
        try:
            with contextlib.redirect_stdout(said):
                exec(compile(text, str(path), "exec"), known)
        except Exception:
            said.write(traceback.format_exc())
        path.with_suffix(".answer").write_text(said.getvalue())
        path.with_suffix(".answer").rename(path.with_suffix(".out"))
    return 0.05


bpy.app.timers.register(listen, first_interval=0.5, persistent=True)
