"""Ray casts through the photo's pixels onto the current surfaces of a diorama."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from ...core.errors import DioramaError
from .root import kept_source, objects_by_role
from .surfaces import find_surfaces


class PhotoRays:
    """The surfaces under a root, with their modifiers, in the root's axes: x right, y forward, z up, camera at 0."""

    def __init__(self, root: bpy.types.Object, context: bpy.types.Context):
        depsgraph = context.evaluated_depsgraph_get()
        to_root = root.matrix_world.inverted_safe()
        self.trees = []
        for ob in find_surfaces(root):
            if ob.hide_render or not len(ob.data.polygons) or ob.name not in context.view_layer.objects:
                continue
            evaluated = ob.evaluated_get(depsgraph)
            mesh = evaluated.to_mesh()
            mesh.calc_loop_triangles()
            places = np.empty(3 * len(mesh.vertices), np.float32)
            mesh.vertices.foreach_get("co", places)
            matrix = np.array(to_root @ ob.matrix_world)
            places = places.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
            corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
            mesh.loop_triangles.foreach_get("vertices", corners)
            if len(corners):
                triangles = corners.reshape(-1, 3).tolist()
                self.trees.append(BVHTree.FromPolygons(places.tolist(), triangles, all_triangles=True))
            evaluated.to_mesh_clear()
        try:
            source, camera = kept_source(root), objects_by_role(root)["camera"].data
            self.width, self.height = source["photo_size"]
            self.focal = float(source["focal_px"])
            self.cx = self.width / 2 - camera.shift_x * self.width
            self.cy = self.height / 2 + camera.shift_y * self.width
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DioramaError(f"{root.name} does not know its photo any more; rebuild it from its photo.") from None

    def meet(self, u: float, v: float) -> Vector | None:
        """Where the ray through pixel (u, v) from the top left meets the nearest surface; None where it meets none."""
        along = Vector(((u - self.cx) / self.focal, 1.0, -(v - self.cy) / self.focal))
        hits = [hit for hit in (tree.ray_cast(Vector(), along) for tree in self.trees) if hit[0] is not None]
        return min(hits, key=lambda hit: hit[3])[0] if hits else None

    def grid(self, columns: int) -> np.ndarray:
        """(rows, columns, 3) points in core's axes for rays spread evenly over the photo; NaN where one meets none."""
        rows = max(2, round(columns * self.height / self.width))
        points = np.full((rows, columns, 3), np.nan)
        for row in range(rows):
            for column in range(columns):
                met = self.meet((column + 0.5) * self.width / columns, (row + 0.5) * self.height / rows)
                if met is not None:
                    points[row, column] = met.x, -met.z, met.y
        return points
