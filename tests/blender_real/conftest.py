"""Which Blender and which zip are proven: DIORAMA_PROGRAM (a Blender of this system) or DIORAMA_BLENDER (Debian's root folder), else the
module; DIORAMA_ZIP; DIORAMA_TRANSCRIPT (a file)."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from blenders import Blender, DebianBlender, ProgramBlender, close  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def zipped(tmp_path_factory) -> Path:
    """The zip under test: the one that is named, else a bare one of this checkout."""
    if os.environ.get("DIORAMA_ZIP"):
        return Path(os.environ["DIORAMA_ZIP"]).resolve()
    pytest.importorskip("bpy", reason="needs Blender's extension tool: pip install bpy")
    folder = tmp_path_factory.mktemp("dist")
    builder = [sys.executable, str(ROOT / "wheels" / "build_extension.py"), "--bare", "--output", str(folder)]
    done = subprocess.run(builder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*-bare.zip")
    return found


@pytest.fixture(scope="session")
def older(zipped, tmp_path_factory) -> Path:
    """The same zip as if it were a version that came before."""
    path = tmp_path_factory.mktemp("older") / zipped.name
    with zipfile.ZipFile(zipped) as read, zipfile.ZipFile(path, "w") as write:
        for item in read.infolist():
            data = read.read(item)
            if item.filename == "blender_manifest.toml":
                version = tomllib.loads(data.decode())["version"]
                data = data.replace(f'version = "{version}"'.encode(), b'version = "0.0.1"', 1)
            write.writestr(item, data)
        write.writestr("core/gone_since.py", '"""A file that the newer version has no more."""\n')
    return path


@pytest.fixture(scope="session")
def blender(tmp_path_factory) -> Blender:
    root, program = os.environ.get("DIORAMA_BLENDER"), os.environ.get("DIORAMA_PROGRAM")
    if program:
        started = ProgramBlender(tmp_path_factory.mktemp("home"), program)
    elif root:
        assert (Path(root) / "ready").exists(), f"{root} has no Blender; run tests/blender_real/debian_blender.sh {root}"
        started = DebianBlender(Path(root))
    else:
        pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
        started = Blender(tmp_path_factory.mktemp("home"))
    yield started
    transcript = os.environ.get("DIORAMA_TRANSCRIPT")
    close(started, Path(transcript) if transcript else None)
