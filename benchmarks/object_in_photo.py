"""3D objects standing in a photo, lit and shadowed: the demo courtyard with a monkey on its stones.

    python benchmarks/object_in_photo.py [--engine cycles|eevee] [--output FILE.png] [--side 720] [--samples 64] [--plain]

Finds the ground, levels the diorama by it, picks two places in the photo, adds the objects, a sun and a sky, lets the photo
catch their shadows and renders the photo's view. `--plain` leaves the objects out, for comparison.
"""

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

DEMO = HERE.parent / "docs/demo"
FOCAL_PX = 1194.667
STANDS_AT = (0.075, 0.7)
"""On the stones left of the chair, from the left and the top of the photo."""
LIES_AT = (0.53, 0.85)
"""On the table between lantern and jug."""
SUN_FROM = (-0.82, -0.42, 0.54)
"""As the shadows in the photo lie: from the left behind the camera. In the ground's axes: right, ahead, up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["cycles", "eevee"], default="cycles")
    parser.add_argument("--output", type=Path, default=Path("out/object_in_photo.png"))
    parser.add_argument("--side", type=int, default=720)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    import bpy

    import photo_diorama

    photo_diorama.register()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ops = bpy.ops.photo_diorama
    ops.import_photo(
        filepath=str(DEMO / "courtyard.jpg"), depth=str(DEMO / "courtyard_depth.png"),
        long_side=720, depth_kind="metric", depth_scale=0.001, focal_px=FOCAL_PX,
    )  # fmt: skip
    root = bpy.context.view_layer.objects.active
    ops.find_ground(level=True)
    add_light(bpy, root)
    if not given.plain:
        add_objects(bpy, root)
    bpy.context.view_layer.objects.active = root
    ops.shadow_catcher(method="PHOTO")
    started = time.perf_counter()
    options = dict(engine=given.engine, samples=given.samples, render_side=given.side)
    ops.render_output(filepath=str(given.output.resolve()), **options)
    print(f"made {given.output} with {given.engine} in {time.perf_counter() - started:.0f} s")


def add_light(bpy, root) -> None:
    """A sun from where the photo's comes, and an even sky. The photo only shows the ratio of the two."""
    from mathutils import Vector

    scene, ahead = bpy.context.scene, root.matrix_world.to_3x3() @ Vector((0, 1, 0))
    ahead = Vector((ahead.x, ahead.y, 0)).normalized()
    right, (x, y, z) = Vector((ahead.y, -ahead.x, 0)), SUN_FROM
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 4.5, 0.012, (1.0, 0.82, 0.61)
    sun.rotation_euler = (right * x + ahead * y + Vector((0, 0, z))).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(sun)
    scene.world = bpy.data.worlds.new("sky")
    if bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.22, 0.27, 0.34, 1)


def add_objects(bpy, root) -> None:
    """A monkey of plaster, 0.4 m high, and a ball of brass, each where a ray through the photo meets a surface."""
    from photo_diorama.operators.scene.photo_rays import PhotoRays

    bpy.context.view_layer.update()
    rays = PhotoRays(root, bpy.context)
    stands, lies = (root.matrix_world @ rays.meet(u * rays.width, v * rays.height) for u, v in (STANDS_AT, LIES_AT))
    bpy.ops.mesh.primitive_monkey_add(size=0.5, rotation=(-0.15, 0, 0.5))
    monkey = bpy.context.object
    monkey.modifiers.new("smooth", "SUBSURF").render_levels = 2
    monkey.data.shade_smooth()
    bpy.context.view_layer.update()
    lowest = min((monkey.matrix_world @ v.co).z for v in monkey.data.vertices)
    monkey.location = (stands.x, stands.y, stands.z - lowest - 0.01)
    monkey.data.materials.append(material(bpy, "plaster", (0.72, 0.66, 0.58), 0.7, 0.0))
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.055, segments=48, ring_count=24, location=(lies.x, lies.y, lies.z + 0.054))
    bpy.context.object.data.shade_smooth()
    bpy.context.object.data.materials.append(material(bpy, "brass", (0.85, 0.6, 0.25), 0.15, 1.0))


def material(bpy, name: str, colour, roughness: float, metallic: float):
    made = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        made.use_nodes = True
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value, shader.inputs["Metallic"].default_value = roughness, metallic
    return made


if __name__ == "__main__":
    main()
    import os

    sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up can hang beside threads
