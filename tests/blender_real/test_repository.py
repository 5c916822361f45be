"""Installing and updating from a static repository in a folder, as from a shared disk or a web server, offline."""

import json
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "wheels"))

MODULE = "bl_ext.our_tools.photo_diorama"


@pytest.fixture
def publish(blender, tool):
    """Puts one zip, and no other, into the repository's folder and lists it there; the index's address for this Blender."""
    folder = blender.home / "repository"

    def put(zipped: Path) -> str:
        from build_extension import run_tool

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy2(zipped, folder)
        run_tool(tool, "server-generate", "--repo-dir", str(folder))
        return "file://" + blender.inside(folder) + "/index.json"

    return put


@pytest.fixture(scope="module")
def tool():
    from build_extension import BuildError, builder_tool

    try:
        return builder_tool()
    except BuildError as error:
        pytest.skip(str(error))


def version(blender) -> str:
    said = blender.script(f"""
        import json
        from bl_ext.our_tools import photo_diorama
        assert {MODULE!r} in bpy.context.preferences.addons and hasattr(bpy.types.Scene, "photo_diorama")
        text = open(os.path.dirname(photo_diorama.__file__) + "/blender_manifest.toml").read()
        print("VERSION", json.dumps(text.split('version = "')[2].split('"')[0]))
    """)
    (line,) = [line for line in said.splitlines() if line.startswith("VERSION ")]
    return json.loads(line.removeprefix("VERSION "))


def test_install_and_update_from_a_folder(blender, publish, older, zipped):
    blender.install_from(publish(older), "our_tools")
    assert version(blender) == "0.0.1"
    publish(zipped)
    blender.update_all("our_tools")
    manifest = tomllib.loads(zipfile.ZipFile(zipped).read("blender_manifest.toml").decode())
    assert version(blender) == manifest["version"]
    blender.remove("our_tools")
    assert not [p for p in blender.user.rglob("*.py") if "photo_diorama" in p.parts]
