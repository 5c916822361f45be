"""The current surfaces of a diorama, as triangles seen from the photo's viewpoint."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.camera.camera import Camera
from ...core.errors import DioramaError
from ..scene.camera_moves import lens_at_rest
from ..scene.keys import ROLE_KEY
from ..scene.materials import texture_role
from ..scene.root import kept_source, objects_by_role

SHOWS_GAPS = {"backdrop", "soft"}
"""Surfaces that do not close gaps: the blurred backdrop, and soft silhouettes, which are transparent at their rims."""


def shown_surfaces(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The surfaces of a diorama that are rendered and show what was photographed or invented."""
    meshes = [ob for ob in root.children_recursive if ob.type == "MESH" and not ob.hide_render]
    return [ob for ob in meshes if ob.get(ROLE_KEY, "backdrop") not in SHOWS_GAPS]


def photo_camera(root: bpy.types.Object) -> Camera:
    """The photo's camera, from the diorama's camera object; raises DioramaError where that was deleted."""
    ob = objects_by_role(root).get("camera")
    if ob is None or ob.type != "CAMERA":
        raise DioramaError(f"{root.name} has no camera of its own any more; rebuild it from its photo.")
    data, width, height = ob.data, 4000.0, 3000.0
    size = _photo_size(root)
    if size:
        width, height = size
    focal = lens_at_rest(ob) / data.sensor_width * width
    return Camera(int(width), int(height), focal, width / 2 - data.shift_x * width, height / 2 + data.shift_y * width)


def _photo_size(root: bpy.types.Object) -> tuple[float, float] | None:
    size = kept_source(root).get("photo_size")
    good = isinstance(size, list) and len(size) == 2 and all(isinstance(s, (int, float)) and s > 0 for s in size)
    return (float(size[0]), float(size[1])) if good else None


def surface_triangles(
    root: bpy.types.Object, depsgraph: bpy.types.Depsgraph, surfaces: list[bpy.types.Object] | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(points, triangles) of every rendered surface as it is now, or of those given; x right, y down, z forward from the
    photo's viewpoint. Raises DioramaError where there is none."""
    found, home = [], np.linalg.inv(np.array(root.evaluated_get(depsgraph).matrix_world, np.float64))
    for ob in shown_surfaces(root) if surfaces is None else surfaces:
        each = ob.evaluated_get(depsgraph)
        mesh = each.data
        if not mesh.polygons:
            continue
        mesh.calc_loop_triangles()
        points, corners = np.empty(3 * len(mesh.vertices), np.float32), np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.attributes["position"].data.foreach_get("vector", points)
        mesh.loop_triangles.foreach_get("vertices", corners)
        place = home @ np.array(each.matrix_world, np.float64)
        points = points.reshape(-1, 3) @ place[:3, :3].T + place[:3, 3]
        points, corners = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1), corners.reshape(-1, 3)
        found.append((points, corners[(points[corners, 2] > 1e-9).all(axis=1)]))
    if not found:
        raise DioramaError(f"{root.name} has no surface that is rendered; rebuild it or show its layers.")
    return found


def photo_surfaces(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The rendered surfaces that show the photo, or what lies behind its soft silhouettes."""
    meshes = [ob for ob in root.children_recursive if ob.type == "MESH" and not ob.hide_render and ROLE_KEY in ob]
    return [ob for ob in meshes if texture_role(ob[ROLE_KEY]) != "atlas"]
