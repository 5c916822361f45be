"""Casts made scenes into depth with true hidden surfaces: along each ray the surfaces behind the first one (needs bpy).

    python training/hidden_depth/cast_scenes.py --furniture DIR_OF_SH3F --out CACHE/cast --seed 1 --count 300

The scenes are those of `training/depth/scene_kinds/layouts.py`. No picture is rendered: rays through pixel centres meet the scene's
triangles, and what lies behind a pixel is the next surface that is left when the object hit first is taken away.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "depth"))

import bpy
import cv2
import numpy as np
from scene_kinds.catalogue import draw_models
from scene_kinds.layouts import LAYOUTS
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from scene_kinds.stage import Stage

LONG, SHORT = 384, 288
"""Sides of the grid in pixels, 0.4 of the pipeline's default: its widths are parts of the long side."""
SURFACES = 3
"""Along a ray through a pixel near a discontinuity: the first one and the two behind it."""
MAX_HITS = 24
REACH = 0.085
"""Pixels within this part of the long side of a discontinuity get hidden surfaces: the default hidden width and some more."""
FARTHEST = 60.0
"""Nothing is further than this many times the nearest distance, as for relative depth in `core/depth/depth_map.py`."""
WANTED = {"furniture": 46, "small": 46, "person": 14, "animal": 8, "vehicle": 9, "tree": 2, "plant": 9, "garden": 12}


class BareStage(Stage):
    """A stage without pictures and light: only its shapes count here."""

    def _image(self, pixels, linear=False):
        return None

    def _material(self, pixels):
        return bpy.data.materials.new("made")

    def daylight(self) -> None:
        pass

    def ambient(self, strength: float) -> None:
        pass

    def lamp(self, at, energy: float, size: float = 0.6) -> None:
        pass

    def add(self, mesh, at, turn=0.0, scale=1.0, material=None):
        """As the stage does, but no foot lies exactly in the floor, where rays could not tell one from the other."""
        raised = self.rng.uniform(0.001, 0.005) if len(mesh.polygons) > 1 else 0.0
        return super().add(mesh, Vector(at) + Vector((0, 0, raised)), turn, scale, material)

    def terrain(self, *arguments, **options):
        thing = super().terrain(*arguments, **options)
        thing.name = "terrain"
        return thing


class Cast:
    """All triangles of the scene as one tree, and which object each belongs to."""

    def __init__(self, stage: Stage):
        bpy.context.view_layer.update()
        points, triangles, owners, self.sheets, total = [], [], [], [], 0
        for number, thing in enumerate(t for t in stage.scene.objects if t.type == "MESH" and not t.hide_render):
            mesh = thing.data
            mesh.calc_loop_triangles()
            own = np.empty(3 * len(mesh.vertices), np.float32)
            mesh.vertices.foreach_get("co", own)
            matrix = np.array(thing.matrix_world)
            points.append(own.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
            corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
            mesh.loop_triangles.foreach_get("vertices", corners)
            triangles.append(corners.reshape(-1, 3) + total)
            owners.append(np.full(len(mesh.loop_triangles), number, np.int32))
            self.sheets.append(thing.name.startswith("terrain"))
            total += len(mesh.vertices)
        self.owner = np.concatenate(owners)
        self.tree = BVHTree.FromPolygons(np.concatenate(points).tolist(), np.concatenate(triangles).tolist(), all_triangles=True)

    def hits(self, eye: Vector, ray: Vector, wanted: int) -> list[tuple[float, int]]:
        """(distance over the ray's length, object) of the first hit and of what is left behind when its object goes.

        Of a terrain only the part that faces the camera counts and the rest of it stays: behind a ridge is its valley.
        """
        found, left_out = [], set()
        length, start, gone = ray.length, eye, 0.0
        step = 1e-5
        for _ in range(MAX_HITS):
            place, normal, index, distance = self.tree.ray_cast(start, ray)
            if place is None:
                break
            gone += distance
            owner = int(self.owner[index])
            sheet = self.sheets[owner]
            if owner not in left_out and (not sheet or not found or normal.dot(ray) < 0):
                found.append((gone / length, owner))
                if len(found) == wanted:
                    break
                if not sheet:
                    left_out.add(owner)
            ahead = step + 1e-5 * gone
            gone += ahead
            start = eye + ray * (gone / length)
        return found


def cast(stage: Stage, scene: Cast, view: tuple) -> dict[str, np.ndarray]:
    """Disparity (SURFACES, h, w) float32, 0 without a surface, the first behind the others; object (h, w) uint16 of the
    first; focal length in pixels."""
    upright = stage.rng.random() < 0.3
    height, width = (LONG, SHORT) if upright else (SHORT, LONG)
    stage.look(*view, roll_deg=float(stage.rng.normal(scale=1.5)))
    bpy.context.view_layer.update()
    turn, eye = stage.camera.matrix_world.to_3x3(), stage.camera.matrix_world.translation.copy()
    focal = 0.5 * LONG / np.tan(stage.camera.data.angle / 2)
    rows, columns = np.mgrid[:height, :width]
    local = np.stack([(columns + 0.5 - width / 2) / focal, -(rows + 0.5 - height / 2) / focal, -np.ones((height, width))], -1)
    rays = [Vector(ray) for ray in (local.reshape(-1, 3) @ np.array(turn).T).tolist()]
    surfaces = np.zeros((SURFACES, height * width), np.float32)
    owner = np.full(height * width, 65535, np.uint16)
    lengths = np.linalg.norm(local, axis=-1).ravel()
    for k, ray in enumerate(rays):
        place, _, index, distance = scene.tree.ray_cast(eye, ray)
        if place is not None:
            surfaces[0, k], owner[k] = lengths[k] / max(distance, 1e-4), scene.owner[index]
    near = _near_discontinuities(surfaces[0].reshape(height, width))
    for k in np.flatnonzero(near):
        for number, (distance, _) in enumerate(scene.hits(eye, rays[k], SURFACES)):
            surfaces[number, k] = 1 / max(distance, 1e-4)
    return {
        "surfaces": surfaces.reshape(-1, height, width),
        "object": owner.reshape(height, width),
        "near": near.reshape(height, width),
        "focal": np.float32(focal),
    }


def _near_discontinuities(disparity: np.ndarray) -> np.ndarray:
    """(h * w,) bool: within reach of a jump of disparity."""
    span = np.percentile(disparity, 99.9) - disparity.min()
    low = cv2.erode(disparity, np.ones((3, 3), np.uint8))
    jumps = (disparity - low > 0.01 * span).astype(np.uint8)
    side = 2 * round(REACH * LONG) + 1
    return cv2.dilate(jumps, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))).astype(bool).ravel()


def usable(first: np.ndarray) -> bool:
    """False when the camera stands inside or against something, or sees next to nothing."""
    near, far = np.percentile(first, 98), np.percentile(first, 3)
    return 2e-3 < near < 8 and near > 1.25 * far and (first > 0.8 * first.max()).mean() < 0.75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--furniture", type=Path, required=True, help="folder of .sh3f archives")
    parser.add_argument("--out", type=Path, required=True, help="folder outside the repository")
    parser.add_argument("--count", type=int, default=300, help="views of this process")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    chosen = draw_models(rng, options.furniture, options.out.parent / "sh3f", WANTED)
    stage = BareStage(rng, [rng.integers(0, 255, (300, 300, 3)).astype(np.uint8)], chosen)
    done, start = 0, time.time()
    while done < options.count:
        stage.clear()
        layout = rng.choice(list(LAYOUTS), p=list(LAYOUTS.values()))
        views = layout(stage)
        scene = Cast(stage)
        for view in views:
            arrays = cast(stage, scene, view)
            if usable(arrays["surfaces"][0]) and done < options.count:
                name = f"{layout.__name__}_{options.seed}_{done:04d}.npz"
                np.savez_compressed(options.out / f".{name}", **arrays)
                os.replace(options.out / f".{name}", options.out / name)
                done += 1
        print(f"{done} views, {(time.time() - start) / max(done, 1):.2f} s each, {layout.__name__}", flush=True)
    sys.stdout.flush()
    os._exit(0)  # Blender's clean-up can hang


if __name__ == "__main__":
    main()
