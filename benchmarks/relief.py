"""Times one change of a relief slider on about a million points: what Blender evaluates before it draws again.

python benchmarks/relief.py [POINTS]
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import conftest  # noqa: F401  (makes the checkout importable as the package)

CHANGES = 21
OWN_NORMALS = "--own-normals" in sys.argv


def layered(points: int):
    """A wavy photo surface with two thirds of the points, and the wall hidden behind it with the rest."""
    from photo_diorama.core.camera.camera import Camera
    from photo_diorama.core.mesh.triangulate import LayeredMesh, TexturedMesh

    camera = Camera.from_fov(4000, 3000)
    meshes = []
    for role, share, metres in (("photo", 2 / 3, 3.0), ("hidden 1", 1 / 3, 8.0)):
        columns = round((points * share * 4 / 3) ** 0.5)
        rows = round(points * share / columns)
        u, v = np.meshgrid(np.linspace(0, 4000, columns), np.linspace(0, 3000, rows))
        depth = metres + np.sin(u / 150) * np.cos(v / 130) + v / 3000
        number = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
        tl, tr, bl, br = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
        triangles = np.stack([tl, bl, br, tl, br, tr], axis=-1).reshape(-1, 3)
        normals = np.tile(np.float32([0, 0, -1]), (rows * columns, 1)) if OWN_NORMALS else None
        uv = np.stack([u / 4000, 1 - v / 3000], axis=-1).reshape(-1, 2).astype(np.float32)
        vertices = camera.unproject(u, v, depth).reshape(-1, 3).astype(np.float32)
        meshes.append(TexturedMesh(role, vertices, triangles, uv[triangles], "photo", normals))
    return LayeredMesh("benchmark", tuple(meshes), camera, np.zeros((8, 8, 3), np.float32), 1.9, 3.5, 10.0, True)


def main() -> None:
    import bpy

    from photo_diorama.operators.nodes.relief_sliders import add_relief
    from photo_diorama.operators.scene.emit import add_camera, make_mesh

    points = next((int(a) for a in sys.argv[1:] if a.isdigit()), 1_000_000)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    mesh = layered(points)
    collection = bpy.context.scene.collection
    root = bpy.data.objects.new("root", None)
    collection.objects.link(root)
    surfaces = []
    for part in mesh.meshes:
        ob = bpy.data.objects.new(part.role, make_mesh(part.role, part))
        ob.parent = root
        collection.objects.link(ob)
        surfaces.append(ob)
    add_relief(root, surfaces, add_camera("benchmark", mesh, root, collection), mesh)
    layer = bpy.context.view_layer
    layer.update()
    results = {}
    for slider, values in (
        ("relief", np.linspace(0, 2, CHANGES)),
        ("relief_far", np.geomspace(5, 50, CHANGES)),
        ("relief_flatten", np.geomspace(2, 9, CHANGES)),
    ):
        spent = []
        for value in values:
            root[slider] = float(value)
            root.update_tag()
            start = time.perf_counter(), time.process_time()
            layer.update()
            spent.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        results[slider] = spent
    normals = []
    for value in np.linspace(0.1, 0.9, 5):
        root["relief"] = float(value)
        root.update_tag()
        layer.update()
        start = time.perf_counter(), time.process_time()
        for ob in surfaces:
            _ = ob.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertex_normals[0]
        normals.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    results["normals*"] = normals
    print(f"Blender {bpy.app.version_string}, {mesh.vertex_count:,} points, {mesh.triangle_count:,} triangles, "
          f"{os.cpu_count()} cores")  # fmt: skip
    for slider, spent in results.items():
        wall, processor = 1e3 * np.array(spent).T
        print(
            f"{slider:15s} median {np.median(wall):6.1f} ms, slowest {wall.max():6.1f} ms; of processor time {np.median(processor):6.1f} ms"
        )
    print("* Blender's own, when a surface is drawn that needs them")
    sys.stdout.flush()
    os._exit(0)  # Blender's clean-up as a module can hang


if __name__ == "__main__":
    main()
