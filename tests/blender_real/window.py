"""A window of Debian's Blender on a display that nobody sees, driven by mouse, keyboard and Python, with factory settings."""

from __future__ import annotations

import itertools
import subprocess
import time
from pathlib import Path

from blenders import DebianBlender

DISPLAY = ":93"
WIDTH, HEIGHT = 1600, 900
LISTENER = Path(__file__).with_name("window_listener.py")


class Window:
    """One window. Raises AssertionError where Blender does not answer or Python fails in it."""

    def __init__(self, blender: DebianBlender):
        self.blender, self.numbers, self.started = blender, itertools.count(), []
        self.folder = blender.home / "commands"
        self.folder.mkdir(exist_ok=True)
        listener = blender.inside(LISTENER)
        self._start("Xvfb", DISPLAY, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp", "-ac", "+extension", "GLX")
        time.sleep(2)
        self._start(
            "blender", "--factory-startup", "--gpu-backend", "opengl", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT),
            "--addons", "bl_ext.user_default.photo_diorama", "-P", listener, "--", blender.inside(self.folder),
        )  # fmt: skip
        self.python("print(bpy.app.version_string)", seconds=120)
        self.mouse("mousemove", "400", "500", "sleep", "0.5", "key", "Escape", "sleep", "1")  # the splash screen goes

    def _command(self, *arguments: str) -> list[str]:
        program = self.blender._program()[:-1]  # all but the name of Blender
        return [*program, f"DISPLAY={DISPLAY}", *arguments]

    def _start(self, *arguments: str) -> None:
        log = (self.blender.home / f"{arguments[0]}.log").open("w")
        self.started.append(subprocess.Popen(self._command(*arguments), stdout=log, stderr=log))

    def python(self, text: str, seconds: float = 120) -> str:
        """Runs Python in the window, where `view()` puts operators into its 3D viewport; returns what it printed."""
        name = f"{next(self.numbers):04d}"
        (self.folder / f"{name}.part").write_text(text)
        (self.folder / f"{name}.part").rename(self.folder / f"{name}.py")
        answer = self.folder / f"{name}.out"
        for _ in range(int(seconds * 20)):
            if answer.exists():
                said = answer.read_text()
                assert "Traceback" not in said, said
                return said
            assert all(each.poll() is None for each in self.started), "Blender or its display has ended"
            time.sleep(0.05)
        raise AssertionError(f"no answer in {seconds} s to: {text}")

    def mouse(self, *actions: str) -> None:
        subprocess.run(self._command("xdotool", *actions), check=True, timeout=60)

    def stroke(self, *points: tuple[int, int]) -> None:
        """A stroke with the left button through points of the window, from its upper left corner."""
        (x, y), *rest = points
        actions = ["mousemove", str(x), str(y), "sleep", "0.5", "mousedown", "1", "sleep", "0.5"]
        for x, y in rest:
            actions += ["mousemove", str(x), str(y), "sleep", "0.3"]
        self.mouse(*actions, "mouseup", "1", "sleep", "0.5")

    def click(self, x: int, y: int) -> None:
        self.mouse("mousemove", str(x), str(y), "sleep", "0.3", "mousedown", "1", "sleep", "0.1", "mouseup", "1", "sleep", "0.3")

    def key(self, name: str) -> None:
        self.mouse("key", name, "sleep", "0.3")

    def picture(self) -> bytes:
        """What the display shows, (HEIGHT, WIDTH, 3) bytes of RGB."""
        shot = subprocess.run(self._command("import", "-window", "root", "-depth", "8", "rgb:-"), capture_output=True, timeout=60)
        assert len(shot.stdout) == WIDTH * HEIGHT * 3, shot.stderr.decode(errors="replace")
        return shot.stdout

    def close(self) -> None:
        for each in reversed(self.started):
            each.kill()
            each.wait()
