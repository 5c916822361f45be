"""What each move shows at its frames' edges and in gaps, how much tighter it was framed, and how far things still move.

    python benchmarks/framing.py PHOTO... [--long-side 640] [--side 320] [--frames 7] [--amounts 1 2] [--moves ...] [--json FILE]

For every photo one diorama with the built-in depth network, and on it every move, with both framings. Surfaces are painted flat by
their role, so a frame's pixels say what they show. Prints for each move: crop in percent; the largest part of any frame, in percent,
that is border, backdrop or void with the clean framing, and how that is made up; the void with the whole framing; and how far the
photo's points move in the picture, clean over whole.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

ROLES = {"border": (1, 0, 0), "backdrop": (0, 1, 0), "hidden": (0, 0, 1), "photo": (0, 0, 0), "void": (1, 0, 1)}
POINTS = 4000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--long-side", type=int, default=640)
    parser.add_argument("--side", type=int, default=320, help="long side of the frames that are looked at")
    parser.add_argument("--frames", type=int, default=7)
    parser.add_argument("--amounts", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--moves", nargs="+")
    parser.add_argument("--json", type=Path, help="a line of JSON for each photo, move and amount is added to this file")
    parser.add_argument("--sheet", type=Path, help="a folder for a sheet of each photo: first, middle and last frame of every move")
    parser.add_argument("--keep", type=Path, help="a folder for the worst frame of each move, painted by role")
    given = parser.parse_args()
    if len(given.photos) > 1:
        each_in_its_own_process(given.photos)
        return
    measure(given.photos[0], given)


def each_in_its_own_process(photos: list[Path]) -> None:
    """Runs this command again for each of its photos alone: what Blender keeps of one is not the next one's."""
    for photo in photos:
        others = {str(p) for p in photos if p != photo}
        subprocess.run([sys.executable, sys.argv[0], *(word for word in sys.argv[1:] if word not in others)], check=True)


def measure(photo: Path, given) -> None:
    """All moves of one photo."""
    import bpy

    import photo_diorama
    from photo_diorama.core.camera.moves import MOVES
    from photo_diorama.operators.scene.camera_moves import framing_factor
    from photo_diorama.operators.scene.root import objects_by_role

    photo_diorama.register()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ops = bpy.ops.photo_diorama
    ops.import_photo(filepath=str(photo), long_side=given.long_side)
    root, scene = bpy.context.object, bpy.context.scene
    objects = objects_by_role(root)
    points = seen_points(objects["photo"])
    if given.sheet:
        draw_sheet(photo.stem, given)
    paint_by_role(root, scene)
    width, height = scene.render.resolution_x, scene.render.resolution_y
    scene.render.resolution_percentage = max(1, round(100 * given.side / max(width, height)))
    for move in given.moves or MOVES:
        for amount in given.amounts:
            found, tracks, crop = {}, {}, 0.0
            for framing in ("clean", "whole"):
                ops.apply_move(camera_move=move, move_amount=amount, frames=given.frames, framing=framing)
                if framing == "clean":
                    crop = 1 - 1 / framing_factor(objects["rig"])
                shares, pictures, paths = [], [], []
                for frame in range(scene.frame_start, scene.frame_start + given.frames):
                    scene.frame_set(frame)
                    paths.append(projected(objects["camera"], points, width))
                    picture = rendered(scene)
                    pictures.append(picture)
                    shares.append(shares_of(picture))
                edge = [s["border"] + s["backdrop"] + s["void"] for s in shares]
                worst = int(np.argmax(edge))
                found[framing] = {k: round(100 * v, 3) for k, v in shares[worst].items()}
                found[framing]["all"] = round(100 * edge[worst], 3)
                found[framing]["most_void"] = round(100 * max(s["void"] for s in shares), 3)
                tracks[framing] = np.median(np.ptp(np.array(paths), axis=0).max(axis=1))
                if given.keep and framing == "clean":
                    import cv2

                    given.keep.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(given.keep / f"{photo.stem}_{move}_{amount:g}.png"), pictures[worst][..., ::-1].astype(np.uint8) * 255)
            row = {"photo": photo.stem, "move": move, "amount": amount, "crop": round(100 * crop, 1), **found}
            row["motion"] = round(float(tracks["clean"] / tracks["whole"]), 3)
            clean, whole = found["clean"], found["whole"]
            print(
                f"{photo.stem:16} {move:10} x{amount:g}  crop {row['crop']:4.1f} %  clean {clean['all']:.3f} % "
                f"(border {clean['border']:.3f} backdrop {clean['backdrop']:.3f} void {clean['most_void']:.3f}, "
                f"hidden {clean['hidden']:.2f})  whole {whole['all']:.2f} % void {whole['most_void']:.3f}  motion {row['motion']:.2f}",
                flush=True,
            )
            if given.json:
                with given.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")


def draw_sheet(name: str, given) -> None:
    """First, middle and last frame of every move at amount 1, clean, as they are rendered, with nothing of their edge hidden."""
    import bpy
    import cv2

    from photo_diorama.core.camera.moves import MOVES

    given.sheet.mkdir(parents=True, exist_ok=True)
    rows = []
    for move in given.moves or MOVES:
        bpy.ops.photo_diorama.apply_move(camera_move=move, move_amount=1.0, frames=3, framing="clean")
        with tempfile.TemporaryDirectory() as place:
            bpy.ops.photo_diorama.render_output(filepath=f"{place}/frames", render_side=given.side)
            frames = [cv2.imread(f"{place}/frames/frame_{n:04d}.png") for n in (1, 2, 3)]
        gap = np.full((len(frames[0]), 6, 3), 128, np.uint8)
        row = np.hstack([frames[0], gap, frames[1], gap, frames[2]])
        cv2.putText(row, move, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(row, move, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        rows += [row, np.full((6, row.shape[1], 3), 128, np.uint8)]
    cv2.imwrite(str(given.sheet / f"{name}.png"), np.vstack(rows[:-1]))


def seen_points(photo) -> np.ndarray:
    """(n, 3) some of the photo's points in the world."""
    points = np.empty(3 * len(photo.data.vertices), np.float32)
    photo.data.attributes["position"].data.foreach_get("vector", points)
    points = points.reshape(-1, 3)
    points = points[np.random.default_rng(0).permutation(len(points))[:POINTS]]
    world = np.array(photo.matrix_world)
    return points @ world[:3, :3].T + world[:3, 3]


def projected(camera, points: np.ndarray, width: int) -> np.ndarray:
    """(n, 2) pixels of a picture of that width, from its middle."""
    home = np.linalg.inv(np.array(camera.matrix_world))
    local = points @ home[:3, :3].T + home[:3, 3]
    return local[:, :2] / -local[:, 2:] * camera.data.lens / camera.data.sensor_width * width


def paint_by_role(root, scene) -> None:
    """Every surface in the flat colour of its role, and a scene that shows nothing else."""
    import bpy

    materials = {}
    for name, colour in ROLES.items():
        material = materials[name] = bpy.data.materials.new(name)
        material.use_nodes = True
        nodes = material.node_tree.nodes
        nodes.clear()
        light, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
        light.inputs[0].default_value = (*colour, 1)
        material.node_tree.links.new(light.outputs[0], output.inputs[0])
    for ob in root.children_recursive:
        if ob.type == "MESH":
            words = str(ob.get("photo_diorama_role", "")).split()
            alpha = alpha_of(ob) if "soft" in words else None
            ob.data.materials.clear()
            ob.data.materials.append(materials[next((k for k in ("border", "backdrop", "hidden") if k in words), "photo")])
            if alpha is not None:  # soft silhouettes are clear at their rims, and what is behind shows there
                ob.data.materials[0] = see_through(materials["photo"].copy(), alpha)
    world = bpy.data.worlds.new("void")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (*ROLES["void"], 1)
    scene.world = world
    render, cycles = scene.render, scene.cycles
    render.engine, cycles.device, cycles.samples, cycles.use_denoising, cycles.use_adaptive_sampling = "CYCLES", "CPU", 1, False, False
    cycles.pixel_filter_type, cycles.filter_width, render.use_persistent_data = "BLACKMAN_HARRIS", 0.01, True
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    render.image_settings.file_format, render.image_settings.color_mode, render.dither_intensity = "PNG", "RGB", 0


def alpha_of(ob):
    """The image whose alpha a soft surface has."""
    nodes = ob.active_material.node_tree.nodes
    return next(node.image for node in nodes if node.bl_idname == "ShaderNodeTexImage" and node.image)


def see_through(material, image):
    """The flat material, as clear as the image is."""
    nodes, link = material.node_tree.nodes, material.node_tree.links.new
    texture, clear, over = (nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "BsdfTransparent", "MixShader"))
    texture.image = image
    light = next(node for node in nodes if node.bl_idname == "ShaderNodeEmission")
    output = next(node for node in nodes if node.bl_idname == "ShaderNodeOutputMaterial")
    link(texture.outputs["Alpha"], over.inputs[0])
    link(clear.outputs[0], over.inputs[1])
    link(light.outputs[0], over.inputs[2])
    link(over.outputs[0], output.inputs["Surface"])
    return material


def rendered(scene) -> np.ndarray:
    """(h, w, 3) bool: the present frame's role colours."""
    import bpy
    import cv2

    with tempfile.TemporaryDirectory() as place:
        scene.render.filepath = f"{place}/frame.png"
        bpy.ops.render.render(write_still=True)
        return cv2.imread(scene.render.filepath)[..., ::-1] > 127


def shares_of(picture: np.ndarray) -> dict[str, float]:
    """The part of the picture that each role has."""
    return {name: float((picture == np.array(colour, bool)).all(axis=2).mean()) for name, colour in ROLES.items()}


if __name__ == "__main__":
    main()
    import os

    sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up can hang beside threads
