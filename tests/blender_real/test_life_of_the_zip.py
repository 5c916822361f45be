"""The zip's life with a user: installed, upgraded, used, rendered, switched off and on, removed, in a Blender of its own."""

import json
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "docs" / "demo" / "courtyard.jpg"
DEPTH = ROOT / "docs" / "demo" / "courtyard_depth.png"
MODULE = "bl_ext.user_default.photo_diorama"
LONG_SIDE = 320
MODEL = "a model of half a gigabyte, say"


def told(said: str, mark: str):
    """What a script printed after a mark, as JSON."""
    (line,) = [line for line in said.splitlines() if line.startswith(mark + " ")]
    return json.loads(line.removeprefix(mark + " "))


def ours(blender) -> list[str]:
    """Files of the extension and of its wheels in the user's folder."""
    files = [p.relative_to(blender.user) for p in blender.user.rglob("*") if p.is_file()]
    return sorted(str(p) for p in files if "photo_diorama" in p.parts or ".local" in p.parts)


@pytest.fixture(scope="module")
def empty(blender) -> list[str]:
    """What lies in the user's folder before the extension comes."""
    blender.script("bpy.ops.wm.save_userpref()")
    return sorted(str(p.relative_to(blender.user)) for p in blender.user.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def upgraded(blender, older, zipped, empty) -> dict:
    """An older version with preferences and a model, then the zip over it; what the next Blender says."""
    blender.install(older)
    before = blender.script(f"""
        preferences = bpy.context.preferences.addons[{MODULE!r}].preferences
        preferences.drop_photos = True
        preferences.defaults.density = 2.0
        from {MODULE}.operators.building.user_preferences import models_folder
        folder = models_folder(bpy.context)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "some_model.pt").write_text({MODEL!r})
        bpy.ops.wm.save_userpref()
        print("MODELS", __import__("json").dumps(str(folder)))
    """)
    assert [p for p in ours(blender) if p.endswith("gone_since.py")]
    blender.install(zipped)
    after = blender.script(f"""
        import json
        preferences = bpy.context.preferences.addons[{MODULE!r}].preferences
        from {MODULE}.operators.building.user_preferences import models_folder
        folder = models_folder(bpy.context)
        heavy = [name for name in ("torch", "timm", "torchvision", "cv2", "scipy", "PIL") if name in sys.modules]
        handler = sys.modules[{MODULE!r} + ".ui.drop"].PHOTO_DIORAMA_FH_photo
        print("AFTER", json.dumps(dict(
            folder=str(folder), model=(folder / "some_model.pt").read_text(), density=preferences.defaults.density,
            drop=preferences.drop_photos, handler=handler.is_registered, heavy=heavy,
            blender=bpy.app.version_string, python=sys.version.split()[0])))
    """)
    return told(after, "AFTER") | {"before": told(before, "MODELS")}


def test_an_upgrade_keeps_models_and_preferences(upgraded, blender):
    assert upgraded["model"] == MODEL and upgraded["folder"] == upgraded["before"]
    assert (upgraded["density"], upgraded["drop"]) == (2.0, True)
    assert not [p for p in ours(blender) if p.endswith("gone_since.py")], "a file of the older version is still there"


def test_a_preference_takes_effect_at_the_next_start(upgraded):
    assert upgraded["handler"]


def test_a_start_with_it_loads_nothing_heavy(upgraded):
    assert not upgraded["heavy"]


@pytest.fixture(scope="module")
def diorama(upgraded, blender) -> dict:
    """The demo's photo and depth through the command line; the facts that it prints, and the scene's path."""
    scene = blender.home / "courtyard.blend"
    said = blender.command(
        blender.inside(PHOTO), "--depth", blender.inside(DEPTH), "--long-side", str(LONG_SIDE), "--inpainter", "diffusion",
        "--hidden-depth", "nearest", "--output",
        blender.inside(blender.home) + "/courtyard.blend", "--json",
    )  # fmt: skip
    (line,) = [line for line in said.splitlines() if line.startswith("{")]
    return json.loads(line) | {"scene": scene}


def test_the_command_makes_a_scene(diorama):
    assert diorama["depth_origin"] == "file" and diorama["layers"] >= 2 and diorama["triangles"] > 10_000
    assert diorama["scene"].is_file()


def test_cycles_shows_the_photo_from_its_camera(diorama, blender):
    """One sample at the photo's own size, with linear texels as users have them."""
    width, height = diorama["photo_size"]
    said = blender.script(
        f"""
        scene = bpy.context.scene
        scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
        scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
        assert [scene.render.resolution_x, scene.render.resolution_y] == [{width}, {height}]
        scene.render.dither_intensity, scene.render.image_settings.file_format = 0, "PNG"
        scene.render.filepath = {blender.inside(blender.home)!r} + "/seen.png"
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        photo = bpy.data.images.load({blender.inside(PHOTO)!r})
        import numpy
        a, b = (numpy.array(i.pixels[:], numpy.float32).reshape({height}, {width}, 4)[..., :3] for i in (image, photo))
        print("ERROR", float(((a - b) ** 2).mean()))
    """,
        blend=diorama["scene"],
    )
    assert (blender.home / "seen.png").stat().st_size > 10_000
    decibel = -10 * np.log10(told(said, "ERROR"))
    print(f"{blender.name}: {decibel:.1f} dB")
    assert decibel > 45, decibel


def test_the_built_in_network_estimates_without_pytorch(upgraded, blender):
    said = blender.command(
        blender.inside(PHOTO),
        "--long-side",
        "240",
        "--estimator",
        "built-in",  # or the depth that lies beside the photo would be found by its name
        "--output",
        blender.inside(blender.home) + "/estimated.blend",
        "--json",
    )
    (line,) = [line for line in said.splitlines() if line.startswith("{")]
    assert "built-in network" in json.loads(line)["depth_source"] and (blender.home / "estimated.blend").is_file()


def test_bundled_wheels_are_the_ones_in_use(upgraded, blender, zipped):
    """Every wheel of the zip is installed and imported from there; NumPy stays Blender's own."""
    manifest = tomllib.loads(zipfile.ZipFile(zipped).read("blender_manifest.toml").decode())
    names = {Path(w).name.split("-")[0] for w in manifest.get("wheels", ())}
    if not names:
        pytest.skip("a bare zip bundles none")
    imports = {"opencv_python_headless": "cv2", "pillow": "PIL", "openexr": "OpenEXR"}
    wanted = sorted(imports.get(name, name) for name in names)
    said = blender.script(f"""
        import importlib.util, json
        print("FROM", json.dumps({{name: importlib.util.find_spec(name).origin for name in {[*wanted, "numpy"]!r}}}))
    """)
    places = told(said, "FROM")
    numpy = places.pop("numpy")
    assert "/.local/" not in numpy and all("/.local/" in place for place in places.values()), places


def test_the_published_networks_can_be_built_from_the_bundled_wheels(upgraded, blender, zipped):
    """Their backbones come from timm, which imports torchvision and more of torch than the built-in network does."""
    manifest = tomllib.loads(zipfile.ZipFile(zipped).read("blender_manifest.toml").decode())
    if not any("/torch-" in wheel for wheel in manifest.get("wheels", ())):
        pytest.skip("this zip bundles no torch")
    said = blender.script(f"""
        from {MODULE}.core.networks.depth.backbones import efficientnet_lite3, vision_transformer
        import torch
        with torch.inference_mode():
            print(efficientnet_lite3().eval().forward_features(torch.zeros(1, 3, 64, 64)).shape)
        vision_transformer("vit_small_patch14_dinov2")
        print("ALL WELL")
    """)
    assert "ALL WELL" in said


def test_a_torch_of_ones_own_is_used_after_the_next_start(upgraded, blender):
    """A made one, of the Blender's own Python; the preferences say what it is, and the networks would import it."""
    folder = blender.inside(blender.home) + "/own torch"
    blender.script(f"""
        from importlib.machinery import EXTENSION_SUFFIXES
        from pathlib import Path
        torch = Path({folder!r}, "torch")
        torch.mkdir(parents=True)
        (torch / "version.py").write_text("__version__ = '9.9.0'\\ncuda = '13.0'\\n")
        (torch / ("_C" + EXTENSION_SUFFIXES[0])).write_bytes(b"")
        (torch / "__init__.py").write_text("__version__ = '9.9.0'\\n")
        bpy.context.preferences.addons[{MODULE!r}].preferences.torch_folder = {folder!r}
        bpy.ops.wm.save_userpref()
    """)
    said = blender.script(f"""
        import json
        from {MODULE}.ui.preferences import user_torch
        class Layout:
            lines = []
            def label(self, text, icon):
                self.lines.append(text)
        assert "torch" not in sys.modules
        user_torch.draw_state(Layout())
        import torch
        print("OWN", json.dumps([Layout.lines, torch.__file__]))
        bpy.context.preferences.addons[{MODULE!r}].preferences.torch_folder = ""
        assert user_torch.user_torch.preferred() is None
        bpy.ops.wm.save_userpref()
    """)
    lines, place = told(said, "OWN")
    assert lines == ["PyTorch 9.9.0, CUDA 13.0; used by the next estimate"] and place.startswith(folder)


def test_disable_and_enable_again(upgraded, blender):
    said = blender.script(f"""
        import bpy
        def registered():
            return sorted(name for kind in (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup, bpy.types.Menu,
                          bpy.types.FileHandler, bpy.types.AddonPreferences, bpy.types.UIList)
                          for name in (c.__name__ for c in kind.__subclasses__()) if "iorama" in name.lower()
                          and getattr(bpy.types, name, None))
        def menus():
            return [f for m in (bpy.types.TOPBAR_MT_file_import, bpy.types.VIEW3D_MT_image_add)
                    for f in m._dyn_ui_initialize() if "photo_diorama" in f.__module__]
        assert menus()
        bpy.ops.preferences.addon_disable(module={MODULE!r})
        assert not menus() and not hasattr(bpy.types.Scene, "photo_diorama"), menus()
        assert not [f for f in sys.meta_path if "photo_diorama" in type(f).__module__]
        handlers = [f for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)
                    for f in getattr(bpy.app.handlers, name) if "photo_diorama" in getattr(f, "__module__", "")]
        assert not handlers, handlers
        bpy.ops.preferences.addon_enable(module={MODULE!r})
        assert menus() and hasattr(bpy.types.Scene, "photo_diorama")
        print("ALL WELL")
    """)
    assert "ALL WELL" in said


def test_removing_it_leaves_nothing_behind(upgraded, blender, empty):
    """Last in this file. Blender takes the extension's own folder, and so the models in it, along."""
    blender.remove()
    said = blender.script(f"print('HERE' if {MODULE!r} in bpy.context.preferences.addons else 'GONE')")
    assert "GONE" in said and not ours(blender)
    left = {str(p.relative_to(blender.user)) for p in blender.user.rglob("*") if p.is_file()} - {*empty}
    assert not [p for p in left if "cache" not in p.lower() and "bookmarks" not in p and "recent" not in p], left
