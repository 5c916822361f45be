"""A yard with exact depth, a sun and a block whose shadow is known, and small renders of it."""

from pathlib import Path

import numpy as np
from made_photos import texture, write
from PIL import Image

from photo_diorama.core.raster.colour_curves import linear_from_srgb

WIDTH, HEIGHT = 160, 120
PITCH, HEIGHT_M, WALL_M = 12.0, 1.5, 9.0
SUN_DEG = 40.0
"""Between the sun and the ground's normal; it stands to the left."""


def yard(folder: Path) -> tuple[Path, Path]:
    """Ground 1.5 m under a camera that looks down by 12 degrees, and a wall across the view 9 m away."""
    v = (np.arange(HEIGHT)[:, None] + 0.5 - HEIGHT / 2) / WIDTH + np.zeros((1, WIDTH))
    p = np.radians(PITCH)
    down = v * np.cos(p) + np.sin(p)
    metres = np.minimum(np.where(down > 0, HEIGHT_M / np.maximum(down, 1e-9), np.inf), WALL_M)
    colour = texture(HEIGHT, WIDTH, 3) // 2 + 60  # bright enough that shadows are seen
    return write(folder, "yard.png", colour, metres)


def _frame(root):
    """The ground's axes and a place on it 4 m away, in the world."""
    p = np.radians(PITCH)
    up, ahead, right = np.array([0, -np.sin(p), np.cos(p)]), np.array([0, np.cos(p), np.sin(p)]), np.array([1.0, 0, 0])
    return up, ahead, right, -HEIGHT_M * up + 4.0 * ahead


def add_sun(bpy, root, sun: float, world: float, size: float = 0.0) -> None:
    """A sun 40 degrees from the ground's normal on the left, and an even world."""
    from mathutils import Matrix

    up, ahead, right, _ = _frame(root)
    scene, angle = bpy.context.scene, np.radians(SUN_DEG)
    towards = up * np.cos(angle) - right * np.sin(angle)
    if sun:
        light = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
        light.data.energy, light.data.angle = sun, size
        light.matrix_world = Matrix(np.column_stack([np.cross(ahead, towards), ahead, towards]).tolist()).to_4x4()
        scene.collection.objects.link(light)
    scene.world = bpy.data.worlds.new("even")
    if bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (world, world, world, 1)
    bpy.context.view_layer.update()


def add_block(bpy, root, glow=None, size: float = 0.8):
    """A cube on the ground; two masks of the photo: well inside its shadow, and far from cube and shadow."""
    up, ahead, right, place = _frame(root)
    corners = [place + size * (i * right + j * ahead + k * up) for k in (0, 1) for j in (-0.5, 0.5) for i in (-0.5, 0.5)]
    mesh = bpy.data.meshes.new("block")
    faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    mesh.from_pydata([tuple(c) for c in corners], [], faces)
    material = bpy.data.materials.new("block")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    if glow:
        shader.inputs["Emission Color"].default_value = (*glow, 1)
        shader.inputs["Emission Strength"].default_value = 1.0
    mesh.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("block", mesh))
    bpy.context.view_layer.update()
    long = size * np.tan(np.radians(SUN_DEG))
    shadow = [place + right * (size / 2 + along * long) + ahead * size * across
              for along in (0.25, 0.8) for across in (-0.3, 0.3)]  # fmt: skip
    around = [*corners, *(c + right * long for c in corners)]
    inside, all_of_it = (_seen(points) for points in (np.array(shadow), np.array(around)))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    box = lambda points, by: (
        (columns > points[:, 0].min() - by) & (columns < points[:, 0].max() + by)
        & (rows > points[:, 1].min() - by) & (rows < points[:, 1].max() + by)
    )  # fmt: skip
    return box(inside, -1), ~box(all_of_it, 12)


def _seen(points: np.ndarray) -> np.ndarray:
    """(n, 2) pixels of places in the world, for a root that stands at the origin."""
    return np.stack([WIDTH / 2 + points[:, 0] / points[:, 1] * WIDTH, HEIGHT / 2 - points[:, 2] / points[:, 1] * WIDTH], 1)


def shot(bpy, root, folder: Path, samples: int = 1, engine: str = "cycles", alpha: bool = False) -> np.ndarray:
    """(H, W, 3 or 4) float64 levels of the diorama's own camera."""
    path = folder / "shot.png"
    told = bpy.ops.photo_diorama.render_output(filepath=str(path), samples=samples, engine=engine)
    assert told == {"FINISHED"}
    return np.asarray(Image.open(path).convert("RGBA" if alpha else "RGB"), float)


def linear_of(levels: np.ndarray) -> np.ndarray:
    """Linear light of sRGB levels from 0 to 255."""
    return linear_from_srgb(levels / 255)
