"""Runs command lines one after another in a process with Blender, and looks into the files that they wrote.

Reads one JSON object a line, {"do": name of a function below, ...its arguments}, and answers with one a line.
"""

import errno
import importlib.util
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
if "photo_diorama" not in sys.modules:
    spec = importlib.util.spec_from_file_location("photo_diorama", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["photo_diorama"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["photo_diorama"])


def serve_from(sources: dict[str, dict]) -> None:
    """Other facts for some networks; before core/models/store.py is imported, which takes the catalogue over."""
    from photo_diorama.core.models import catalogue

    changes = {key: {**new, "urls": tuple(new["urls"])} for key, new in sources.items()}
    catalogue.CATALOGUE = tuple(replace(w, **changes.get(w.key, {})) for w in catalogue.CATALOGUE)


def failing_at(stage: str, nth: int, kind: str):
    """A patch by which the command fails when a stage is told for the nth time."""
    from photo_diorama.core.errors import Cancelled
    from photo_diorama.ui.cli.session import ProgressLine

    error = {"fault": RuntimeError("broken for a test"), "cancel": Cancelled(), "memory": MemoryError(),
             "full disk": OSError(errno.ENOSPC, "No space left on device")}[kind]  # fmt: skip
    tell, count = ProgressLine.__call__, []

    def told(self, name, fraction):
        count.extend([1] * (name == stage))
        if name == stage and len(count) == nth:
            raise error
        tell(self, name, fraction)

    return mock.patch.object(ProgressLine, "__call__", told)


def run(arguments: list[str], cwd: str, broken: str = "", online: bool = True, **failing) -> dict:
    """`main` as the console script calls it; `broken` names a function of the package that is to fail."""
    import recalled

    from photo_diorama.ui.cli.command_line import main

    recalled.recall(setattr)
    os.chdir(cwd)
    patch = mock.patch(broken, side_effect=RuntimeError("broken for a test")) if broken else mock.MagicMock()
    patch = failing_at(**failing) if failing else patch
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = os.dup(1), os.dup(2)
        sys.stdout.flush(), sys.stderr.flush()
        os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
        try:
            with patch:
                code = main(arguments, online=online)
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os.dup2(kept[0], 1), os.dup2(kept[1], 2)
            os.close(kept[0]), os.close(kept[1])
        out.seek(0), err.seek(0)
        return {"code": code, "out": out.read().decode(), "err": err.read().decode()}


def look(blend: str) -> dict:
    """What a .blend holds, after it was opened again."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    roles = {str(ob["photo_diorama_role"]): ob for ob in scene.objects if "photo_diorama_role" in ob}
    camera, rig = roles["camera"], roles["rig"]
    frames = range(scene.frame_start, scene.frame_end + 1)
    places, lenses = [], []
    for frame in frames:
        scene.frame_set(frame)
        places.append(list(rig.location))
        lenses.append(camera.data.lens)
    return {
        "objects": [ob.name for ob in bpy.data.objects],
        "collections": [c.name for c in bpy.data.collections],
        "scenes": len(bpy.data.scenes),
        "roles": sorted(roles),
        "camera_is_scene's": scene.camera == camera,
        "size": [scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage],
        "view": [scene.display_settings.display_device, scene.view_settings.view_transform, scene.view_settings.look],
        "frames": [scene.frame_start, scene.frame_end],
        "triangles": sum(len(ob.data.polygons) for ob in roles.values() if ob.type == "MESH"),
        "packed": all(image.packed_file is not None for image in bpy.data.images if image.source == "FILE"),
        "interpolation": sorted({
            node.interpolation for m in bpy.data.materials for node in m.node_tree.nodes if node.type == "TEX_IMAGE"
        }),
        "settings": json.loads(roles["root"]["photo_diorama_settings"]),
        "source": json.loads(roles["root"]["photo_diorama_source"]),
        "places": places,
        "lenses": lenses,
    }  # fmt: skip


def render_photo(blend: str, picture: str) -> dict:
    """What the saved camera sees, with nothing of Cycles' own added: one sample in the middle of each pixel."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    cycles, render = scene.cycles, scene.render
    cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = 1, False, False
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    render.dither_intensity, render.filepath = 0, picture
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
    render.image_settings.color_depth = "8"
    bpy.ops.render.render(write_still=True)
    return {}


def blender_command(arguments: list[str], cwd: str) -> dict:
    """`blender --command photo_diorama` after a startup file with its cube: calls what Blender would call."""
    import bpy

    import photo_diorama

    given = {}

    def keep(name, execute):
        given[name] = execute
        return bpy_register(name, execute)

    os.chdir(cwd)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    before = sorted(ob.name for ob in bpy.data.objects)
    bpy_register = bpy.utils.register_cli_command
    with mock.patch("bpy.utils.register_cli_command", keep):
        photo_diorama.register()
    try:
        with mock.patch("photo_diorama.core.models.store.fetch", side_effect=AssertionError("went online")):
            code = given["photo_diorama"](arguments)
        # the extension that runs is still there and its operators too
        still = hasattr(bpy.types.Scene, "photo_diorama") and "import_photo" in dir(bpy.ops.photo_diorama)
    finally:
        photo_diorama.unregister()
    return {"code": code, "before": before, "commands": list(given), "still_registered": still}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # Blender's own words are no answers
    if "SOURCES" in os.environ:
        serve_from(json.loads(os.environ["SOURCES"]))
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(globals()[request.pop("do")](**request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
