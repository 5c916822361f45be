"""A room with a desk, a cupboard and a box, rendered with its exact depth; and lines as an artist draws them along its edges."""

from itertools import product
from pathlib import Path

import bpy
import numpy as np
from made_photos import write
from mathutils import Matrix

WIDTH, HEIGHT = 720, 480
FOCAL = 24 / 36 * WIDTH
ROOM = ((-3.2, -2.5, 0.0), (3.2, 4.5, 2.7))
BOXES = (((-1.3, 2.0, 0.0), (0.5, 2.9, 0.74)), ((1.4, 3.8, 0.0), (2.8, 4.5, 2.0)), ((-0.9, 2.2, 0.74), (-0.3, 2.6, 1.1)))
VIEWS = {  # where the camera stands, how it is turned: pitch, roll, yaw
    "to a corner": ((-2.2, -1.6, 1.6), (-7, 0, -38)),
    "from above": ((2.1, -1.2, 2.3), (-21, 4, 34)),
    "from below": ((-1.9, -0.6, 0.5), (8, -3, -33)),
}
LINES_EACH = 4
"""Of each direction."""


def edges() -> dict[str, np.ndarray]:
    """(n, 2, 3) metres: the edges of the room and of what stands in it, by axis."""
    found = {axis: [] for axis in "xyz"}
    for box in (ROOM, *BOXES):
        sides = list(zip(*box, strict=True))
        for k, axis in enumerate("xyz"):
            for others in product(*sides[:k], *sides[k + 1 :]):
                found[axis].append([(*others[:k], end, *others[k:]) for end in sides[k]])
    return {axis: np.array(ends) for axis, ends in found.items()}


def render(folder: Path, place, pose: np.ndarray) -> tuple[Path, Path, np.ndarray]:
    """The photo, its depth in metres as a file, and (h, w) metres along the camera's axis; the scene is emptied again."""
    scene = bpy.context.scene
    material = bpy.data.materials.new("by direction")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    shine, geometry, camera = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("Emission", "NewGeometry", "CameraData"))
    light = tree.nodes.new("ShaderNodeVectorMath")
    light.operation, light.inputs[1].default_value, light.inputs[2].default_value = "MULTIPLY_ADD", (0.2, 0.15, 0.3), (0.4, 0.35, 0.4)
    tree.links.new(geometry.outputs["Normal"], light.inputs[0])
    tree.links.new(shine.outputs[0], next(n for n in tree.nodes if n.type == "OUTPUT_MATERIAL").inputs["Surface"])
    for number, (low, high) in enumerate((ROOM, *BOXES)):
        corners = [tuple(corner) for corner in product(*zip(low, high, strict=True))]
        faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        mesh = bpy.data.meshes.new(f"box {number}")
        mesh.from_pydata(corners, [], faces)
        mesh.materials.append(material)
        scene.collection.objects.link(bpy.data.objects.new(mesh.name, mesh))
    scene.camera = bpy.data.objects.new("room camera", bpy.data.cameras.new("room camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.data.lens, scene.camera.data.sensor_width = 24.0, 36.0
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = pose, place
    scene.camera.matrix_world = Matrix(matrix.tolist())
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01  # one ray through each pixel's middle
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    pictures = []
    for source in (light.outputs[0], camera.outputs["View Z Depth"]):
        tree.links.new(source, shine.inputs["Color"])
        scene.render.filepath = str(folder / f"room{len(pictures)}.exr")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        pictures.append(np.array(image.pixels[:], np.float32).reshape(HEIGHT, WIDTH, 4)[::-1, :, :3])
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    photo, depth = write(folder, "room.png", np.uint8(np.clip(pictures[0], 0, 1) * 255 + 0.5), pictures[1][..., 0])
    return photo, depth, pictures[1][..., 0]


def seen(points: np.ndarray, place, pose: np.ndarray) -> np.ndarray:
    """(n, 3): column, row and metres along the axis of points of the room, as the camera sees them."""
    x, y, z = ((points - np.array(place)) @ pose).T
    return np.stack([WIDTH / 2 + FOCAL * x / -z, HEIGHT / 2 - FOCAL * y / -z, -z], axis=1)


def drawn_lines(metres: np.ndarray, place, pose: np.ndarray) -> dict[str, np.ndarray]:
    """(n, 2, 2) whole pixels: along the longest visible pieces of edges of each direction."""
    lines = {}
    for axis, ends in edges().items():
        pieces = []
        for start, end in ends:
            steps = np.linspace(0, 1, 201)[:, None]
            u, v, z = seen(start + steps * (end - start), place, pose).T
            ok = (z > 0.1) & (u > 1) & (u < WIDTH - 1) & (v > 1) & (v < HEIGHT - 1)
            row, column = np.clip(v, 1, HEIGHT - 2).astype(int), np.clip(u, 1, WIDTH - 2).astype(int)
            around = np.max([metres[row + i, column + j] for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)
            nearest = np.min([np.abs(metres[row + i, column + j] / np.maximum(z, 0.1) - 1) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)
            ok &= (nearest < 0.02) & (around > z * 0.98)
            if ok.any():
                runs = np.split(np.flatnonzero(ok), np.flatnonzero(np.diff(np.flatnonzero(ok)) > 1) + 1)
                run = max(runs, key=len)
                pieces.append(np.rint([[u[run[0]], v[run[0]]], [u[run[-1]], v[run[-1]]]]))
        pieces.sort(key=lambda piece: -np.hypot(*(piece[1] - piece[0])))
        lines[axis] = np.array(pieces[:LINES_EACH])
    return lines
