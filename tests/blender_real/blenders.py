"""The Blenders that the zip is proven in: the bpy module of a Python, or Debian's program in a folder of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

LIMIT = 1200
"""Seconds that one call may take; a shared machine with two cores is slow."""


@dataclass
class Blender:
    """One Blender with its own empty user folder. Paths in scripts are those that `inside` gives."""

    home: Path
    transcript: list[str] = field(default_factory=list)
    name = "bpy"

    def inside(self, path: Path) -> str:
        """The path as this Blender sees it."""
        return str(path)

    @property
    def user(self) -> Path:
        return self.home / "user"

    def script(self, text: str, blend: Path | None = None) -> str:
        """Runs Python in a fresh Blender and returns what it said. Raises AssertionError where it fails or warns of a fault."""
        opened = f"bpy.ops.wm.open_mainfile(filepath={self.inside(blend)!r})\n" if blend else ""
        preferences = f"""
            import os, sys, bpy
            kept = {self.inside(self.user)!r} + "/config/userpref.blend"
            if bpy.app.factory_startup and os.path.exists(kept):
                bpy.ops.wm.read_userpref()  # the module starts without
        """
        file = self.home / "script.py"
        file.write_text(textwrap.dedent(preferences) + opened + textwrap.dedent(text) + "\nsys.stdout.flush()\n")
        return self.run(self.python(file))

    def python(self, file: Path) -> list[str]:
        return [
            sys.executable,
            "-c",
            f"exec(compile(open({str(file)!r}).read(), 'script', 'exec')); import os; os._exit(0)",
        ]

    def command(self, *arguments: str) -> str:
        """`blender --command photo_diorama ...`; in the module, which has no command line, the same function."""
        return self.script(f"""
            module = sys.modules["bl_ext.user_default.photo_diorama.ui.blender_command"]
            code = module.execute({list(arguments)!r})
            assert code == 0, code
        """)

    def install(self, zipped: Path) -> str:
        """Through Blender's operator, as the preferences do."""
        return self.script(f"""
            bpy.ops.extensions.package_install_files(
                filepath={self.inside(zipped)!r}, repo="user_default", enable_on_install=True, overwrite=True)
            bpy.ops.wm.save_userpref()
        """)

    def remove(self, repository: str = "user_default") -> str:
        return self.script(f"""
            number = [k for k, r in enumerate(bpy.context.preferences.extensions.repos) if r.module == {repository!r}][0]
            bpy.ops.extensions.package_uninstall(repo_index=number, pkg_id="photo_diorama")
            bpy.ops.wm.save_userpref()
        """)

    def install_from(self, address: str, repository: str) -> str:
        """Adds a repository by the address of its index and installs from it."""
        return self.script(f"""
            bpy.context.preferences.system.use_online_access = True  # Blender's buttons want it for a folder too
            repos = bpy.context.preferences.extensions.repos
            added = repos.new(name={repository!r}, module={repository!r}, remote_url={address!r})
            number = [k for k, r in enumerate(repos) if r.module == {repository!r}][0]
            bpy.ops.extensions.repo_sync(repo_index=number)
            bpy.ops.extensions.package_install(repo_index=number, pkg_id="photo_diorama", enable_on_install=True)
            bpy.ops.wm.save_userpref()
        """)

    def update_all(self, repository: str) -> str:
        return self.script(f"""
            number = [k for k, r in enumerate(bpy.context.preferences.extensions.repos) if r.module == {repository!r}][0]
            bpy.ops.extensions.repo_sync(repo_index=number)
            bpy.ops.extensions.package_upgrade_all("EXEC_DEFAULT", use_active_only=False)
            bpy.ops.wm.save_userpref()
        """)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "BLENDER_USER_RESOURCES": self.inside(self.user), "PYTHONDONTWRITEBYTECODE": ""}

    def run(self, command: list[str]) -> str:
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT, env=self.environment())
        said = done.stdout + done.stderr
        self.transcript.append(f"$ {shlex.join(command[:6])[:160]}  [{time.monotonic() - started:.1f} s]\n{said}")
        assert done.returncode == 0 and "Traceback" not in said, said
        return said


class ProgramBlender(Blender):
    """A real program of this system."""

    name = "program"

    def __init__(self, home: Path, program: str):
        super().__init__(home)
        self.program = program

    def _program(self, *arguments: str) -> list[str]:
        return [self.program, *arguments]

    def python(self, file: Path) -> list[str]:
        return self._program("-b", "--python-exit-code", "3", "-P", self.inside(file))

    def command(self, *arguments: str) -> str:
        return self.run(self._program("--command", "photo_diorama", *arguments))

    def install(self, zipped: Path) -> str:
        return self.run(self._program("--command", "extension", "install-file", "-r", "user_default", "-e", self.inside(zipped)))

    def remove(self, repository: str = "user_default") -> str:
        return self._extension("remove", f"{repository}.photo_diorama")

    def install_from(self, address: str, repository: str) -> str:
        added = self._extension("repo-add", "--name", repository, "--url", address, repository)
        return added + self._extension("sync") + self._extension("install", f"{repository}.photo_diorama", "-e")

    def update_all(self, repository: str) -> str:
        return self._extension("sync") + self._extension("update")

    def _extension(self, *arguments: str) -> str:
        # Blender wants online access for a repository in a folder too
        return self.run(self._program("--online-mode", "--command", "extension", *arguments))


class DebianBlender(ProgramBlender):
    """Debian's program, in a root folder that debian_blender.sh filled."""

    name = "debian"

    def __init__(self, root: Path):
        self.root = root
        (root / "home").mkdir(exist_ok=True)
        super().__init__(Path(tempfile.mkdtemp(dir=root / "home", prefix="diorama-")), "blender")

    def inside(self, path: Path) -> str:
        """Files from outside are copied in beside the user's folder."""
        if not path.is_relative_to(self.root):
            path = Path(shutil.copy2(path, self.home))
        return "/" + str(path.relative_to(self.root))

    def _program(self, *arguments: str) -> list[str]:
        settings = ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "OMP_NUM_THREADS=2", f"HOME={self.inside(self.home)}",
                    f"BLENDER_USER_RESOURCES={self.inside(self.user)}"]  # fmt: skip
        return ["chroot", str(self.root), "env", "-i", *settings, "blender", *arguments]

    def environment(self) -> dict[str, str]:
        return dict(os.environ)


def close(blender: Blender, transcript: Path | None) -> None:
    """Takes the user's folder away and keeps what was said, if wanted."""
    if transcript:
        transcript.write_text("\n".join(blender.transcript))
    shutil.rmtree(blender.home, ignore_errors=True)
