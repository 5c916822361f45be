"""The extension as users get it: the zip is whole and lean, installs, runs, starts quickly and goes without a trace."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from made_photos import two_planes

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
ROOT = Path(__file__).resolve().parents[2]
BUILDER = next(Path(bpy.utils.resource_path("LOCAL")).glob("scripts/addons_core/bl_pkg/cli/blender_ext.py"))
MODULE = "bl_ext.user_default.photo_diorama"
HEAVY = ("torch", "cv2", "scipy", "timm", "PIL")
WHOLE_FOLDERS, TOP_FILES = ("core/", "operators/", "ui/"), {"__init__.py", "blender_manifest.toml"}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The zip, made as a release is."""
    folder = tmp_path_factory.mktemp("zip")
    done = run([str(BUILDER), "build", "--source-dir", str(ROOT), "--output-dir", str(folder)])
    assert done.returncode == 0, done.stdout + done.stderr
    (zipped,) = folder.glob("*.zip")
    return zipped


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> dict:
    """The environment of a Blender in which the zip is installed."""
    user = tmp_path_factory.mktemp("user")
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(user), "PYTHONDONTWRITEBYTECODE": ""}
    said = blender(
        environment,
        f"""
        bpy.ops.extensions.package_install_files(
            filepath={str(built)!r}, repo="user_default", enable_on_install=True, overwrite=True)
        assert {MODULE!r} in bpy.context.preferences.addons
    """,
    )
    assert "Traceback" not in said, said
    return environment


def run(arguments: list[str], environment: dict | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=300)


def blender(environment: dict, script: str) -> str:
    """Runs a script in a fresh Blender; returns all it said."""
    lines = script.splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    script = "import sys, time, bpy\n" + "\n".join(line[margin:] for line in lines)
    done = run(["-c", script], environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_zip_holds_the_extension_and_nothing_else(built):
    names = {name for name in zipfile.ZipFile(built).namelist() if not name.endswith("/")}
    code = {str(p.relative_to(ROOT)) for folder in WHOLE_FOLDERS for p in (ROOT / folder).rglob("*.py")}
    assert TOP_FILES | code <= names
    others = {name for name in names - TOP_FILES if not name.startswith(WHOLE_FOLDERS)}
    allowed = ("wheels/", "LICENSE")
    assert not {name for name in others if not name.startswith(allowed)}
    assert not {name for name in names if "__pycache__" in name or Path(name).name.startswith(".")}


def test_the_manifest_says_what_the_extension_is(built):
    manifest = tomllib.loads(zipfile.ZipFile(built).read("blender_manifest.toml").decode())
    assert (manifest["id"], manifest["type"], manifest["blender_version_min"]) == ("photo_diorama", "add-on", "4.5.0")
    assert manifest["permissions"].keys() == {"files", "network"}
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == manifest["version"]
    done = run([str(BUILDER), "validate", str(built)])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_extension_makes_keeps_and_rebuilds_a_diorama(installed, tmp_path):
    photo, depth = two_planes(tmp_path)
    said = blender(
        installed,
        f"""
        bpy.ops.preferences.addon_enable(module={MODULE!r})
        preferences = bpy.context.preferences.addons[{MODULE!r}].preferences
        scene = bpy.context.scene.photo_diorama
        scene.depth_kind, scene.long_side, scene.density = "metric", 96, 2.0
        assert bpy.ops.photo_diorama.save_defaults() == {{"FINISHED"}}
        assert (preferences.defaults.density, preferences.defaults.long_side) == (2.0, 96)
        scene.density = 1.0
        assert bpy.ops.photo_diorama.load_defaults() == {{"FINISHED"}} and scene.density == 2.0
        options = dict(filepath={str(photo)!r}, depth={str(depth)!r}, long_side=96, depth_kind="metric")
        assert bpy.ops.photo_diorama.import_photo("EXEC_DEFAULT", True, **options) == {{"FINISHED"}}
        assert bpy.ops.photo_diorama.rebuild("EXEC_DEFAULT", True, passes=0) == {{"FINISHED"}}
        root = bpy.data.objects["street"]
        assert {{o["photo_diorama_role"] for o in root.children}} == {{"photo", "border", "rig", "backdrop"}}, [*root.children]
        from {MODULE}.operators.building.user_preferences import models_folder
        print("MODELS", models_folder(bpy.context))
        preferences.models_folder = "/somewhere/else"
        assert str(models_folder(bpy.context)) == "/somewhere/else"
        preferences.drop_photos = True
        handler = sys.modules[{MODULE!r} + ".ui.drop"].PHOTO_DIORAMA_FH_photo
        assert handler.is_registered
        bpy.ops.preferences.addon_disable(module={MODULE!r})
        assert not handler.is_registered and not hasattr(bpy.types.Scene, "photo_diorama")
        print("ALL WELL")
    """,
    )
    assert "ALL WELL" in said and "Traceback" not in said and "Warning" not in said, said
    folder = said.split("MODELS ")[1].splitlines()[0]
    assert folder.startswith(installed["BLENDER_USER_RESOURCES"]) and ".user" in folder  # survives an upgrade


def test_enabling_imports_nothing_heavy(installed):
    """What costs time at Blender's start; `benchmarks/start_up.py` tells how much."""
    said = blender(
        installed,
        f"""
        import json
        before = set(sys.modules)
        bpy.ops.preferences.addon_enable(module={MODULE!r})
        new = set(sys.modules) - before
        print("FOUND", json.dumps([{MODULE!r} in new, [m for m in {HEAVY!r} if m in sys.modules]]))
    """,
    )
    assert "Traceback" not in said, said
    enabled, heavy = json.loads(said.split("FOUND ")[1].splitlines()[0])
    assert enabled and not heavy


def test_uninstalling_leaves_no_file_of_it(built, tmp_path):
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    said = blender(
        environment,
        f"""
        bpy.ops.extensions.package_install_files(filepath={str(built)!r}, repo="user_default", enable_on_install=True)
        repos = bpy.context.preferences.extensions.repos
        number = [k for k, repo in enumerate(repos) if repo.module == "user_default"][0]
        bpy.ops.extensions.package_uninstall(repo_index=number, pkg_id="photo_diorama")
        print("ALL WELL")
    """,
    )
    assert "ALL WELL" in said and "Traceback" not in said, said
    left = [p for p in (tmp_path / "user").rglob("*") if p.is_file() and "photo_diorama" in str(p.relative_to(tmp_path))]
    assert not left
