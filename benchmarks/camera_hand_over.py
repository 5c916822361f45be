"""How exactly a move comes back from each format that carries the camera: a table, frame by frame the largest difference.

    python benchmarks/camera_hand_over.py [--frames 24] [--photo FILE --depth FILE]

Exports a diorama of the demo with each move to glTF, USD and Alembic, reads the file back with Blender's importers, and the .chan file
by its numbers. Position as a part of the nearest distance, turn in radians, focal length as a part of itself.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

DEMO = HERE.parent / "docs/demo"
MOVES = ("swing", "push-rise", "handheld", "dolly-zoom")
FORMATS = {"GLB": ".glb", "USD": ".usdc", "ABC": ".abc"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--moves", nargs="+", default=MOVES)
    given = parser.parse_args()
    import bpy

    import photo_diorama
    from photo_diorama.operators.output.camera_track import find_track
    from photo_diorama.operators.scene.root import objects_by_role

    photo_diorama.register()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.photo_diorama.import_photo(
        filepath=str(DEMO / "courtyard.jpg"), depth=str(DEMO / "courtyard_depth.png"), long_side=320,
        depth_kind="metric", depth_scale=0.001, focal_px=1194.667, inpainter="diffusion",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        bpy.ops.wm.save_as_mainfile(filepath=f"{place}/demo.blend")
        for move in given.moves:
            for format, ending in FORMATS.items():
                bpy.ops.wm.open_mainfile(filepath=f"{place}/demo.blend")
                root, scene = next(ob for ob in bpy.data.objects if ob.get("photo_diorama_role") == "root"), bpy.context.scene
                bpy.context.view_layer.objects.active = root
                root.location, root.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
                bpy.ops.photo_diorama.apply_move(camera_move=move, frames=given.frames)
                track = find_track(root, scene)
                camera = objects_by_role(root)["camera"].data
                sensor, size = camera.sensor_width, json.loads(root["photo_diorama_source"])["photo_size"]
                nearest = json.loads(root["photo_diorama_source"])["nearest_m"]
                bpy.ops.photo_diorama.export(filepath=f"{place}/out{ending}", format=format)
                found = read_back(f"{place}/out{ending}", track, sensor)
                print(f"{move:11} {format:5} {describe(found, track, nearest)}", flush=True)
            found = from_chan(Path(f"{place}/out.chan"), sensor * size[1] / size[0])
            print(f"{move:11} .chan {describe(found, track, nearest)}", flush=True)


def read_back(file: str, track, sensor: float) -> list:
    """(matrix, lens in mm of the photo's sensor) of the imported camera in each frame."""
    import bpy
    from mathutils import Matrix

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if file.endswith(".glb"):
        bpy.ops.import_scene.gltf(filepath=file)
    elif file.endswith(".usdc"):
        bpy.ops.wm.usd_import(filepath=file)
    else:
        bpy.ops.wm.alembic_import(filepath=file, as_background_job=False)
    camera, scene, found = next(ob for ob in bpy.data.objects if ob.type == "CAMERA"), bpy.context.scene, []
    for frame in track.frames:
        scene.frame_set(frame)
        data = camera.data
        across = data.sensor_height * scene.render.resolution_x / scene.render.resolution_y
        across = across if data.sensor_fit == "VERTICAL" else data.sensor_width
        found.append((Matrix(camera.matrix_world), data.lens / across * sensor))
    return found


def from_chan(file: Path, height: float) -> list:
    """The same from a .chan file's lines, for a sensor `height` mm high."""
    from mathutils import Euler, Matrix

    found = []
    for line in file.read_text().splitlines():
        _, x, y, z, rx, ry, rz, angle = (float(word) for word in line.split())
        turn = Euler([math.radians(a) for a in (rx, ry, rz)], "ZXY").to_matrix().to_4x4()
        from_y_up = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))
        found.append((from_y_up @ Matrix.Translation((x, y, z)) @ turn, height / 2 / math.tan(math.radians(angle) / 2)))
    return found


def describe(found: list, track, nearest: float) -> str:
    """The largest differences, in words."""
    place = max((m.translation - p.translation).length for (m, _), p in zip(found, track.places, strict=True)) / nearest
    angles = [m.to_quaternion().rotation_difference(p.to_quaternion()).angle for (m, _), p in zip(found, track.places, strict=True)]
    turn = max(min(a, 2 * math.pi - a) for a in angles)
    lens = np.max([abs(f / lens - 1) for (_, f), lens in zip(found, track.lenses, strict=True)])
    far = max((p.translation - track.places[0].translation).length for p in track.places) / nearest
    return f"{len(found)} frames, path {far:.2f}  position {place:.1e}  turn {turn:.1e}  focal length {100 * lens:.3f} %"


if __name__ == "__main__":
    main()
    import os

    sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up can hang beside threads
