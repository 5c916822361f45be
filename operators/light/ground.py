"""The operator that finds the ground of a diorama and adds it as an empty, with the result stored on it."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.scene.ground_plane import GroundPlane, find_ground, find_walls, normals_of
from ..on_diorama import ActOnDiorama
from ..scene.keys import ROLE_KEY
from ..scene.photo_rays import PhotoRays
from ..scene.root import kept_source, objects_by_role

RAYS_ACROSS = 128


class FindGround(ActOnDiorama, bpy.types.Operator):
    """Find the ground of the photo and put an empty on it, with Z upwards from the ground, to place objects by"""

    bl_idname = "photo_diorama.find_ground"
    bl_label = "Find Ground"
    bl_options = {"REGISTER", "UNDO"}

    level: bpy.props.BoolProperty(
        name="Level",
        description="Also turn and lift the whole diorama so that its ground becomes the world's floor at Z = 0",
        default=False,
    )

    def act(self, context, root):
        plane = find_ground_of(root, context)
        if plane is None:
            self.report({"WARNING"}, f"{root.name} shows no ground that is found; place an empty on it by hand.")
            return {"CANCELLED"}
        empty = put_ground(root, plane)
        if self.level:
            level(root, empty)
        unit = "m" if kept_source(root).get("metric") else "m, as assumed"
        distances = f"The camera is {plane.height:.2f} {unit} above the ground, {plane.tilt_deg:.0f} degrees tilted to it"
        return f"{distances}; {plane.inliers.mean():.0%} of the photo is ground."


def find_ground_of(root: bpy.types.Object, context) -> GroundPlane | None:
    """The ground of a diorama as it stands now, in core's axes and the root's units; None where there is none."""
    return find_ground(*_seen(root, context))


def walls_of(root: bpy.types.Object, context, up: Vector) -> list[Vector]:
    """Unit normals in the root's axes of the large walls that a diorama shows; `up` is its ground's, in the same axes."""
    walls = find_walls(*_seen(root, context), (up.x, -up.z, up.y))
    return [_to_root(wall[:3]) for wall in walls]


def _seen(root, context) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points and (n, 3) normals in core's axes, spread evenly over the photo."""
    context.view_layer.update()
    points = PhotoRays(root, context).grid(RAYS_ACROSS)
    return points.reshape(-1, 3), normals_of(points).reshape(-1, 3)


def _to_root(xyz: np.ndarray) -> Vector:
    return Vector((xyz[0], xyz[2], -xyz[1]))


def put_ground(root: bpy.types.Object, plane: GroundPlane) -> bpy.types.Object:
    """The root's ground empty on the plane: the one that is there, or a new one. Y looks away from the camera."""
    up, place = _to_root(plane.normal), _to_root(plane.point)
    ahead = Vector((0, 1, 0)) - up * up.y
    if ahead.length < 1e-3:  # looked at from straight above
        ahead = Vector((0, 0, 1)) - up * up.z
    ahead.normalize()
    matrix = Matrix((ahead.cross(up), ahead, up)).transposed().to_4x4()
    matrix.translation = place
    empty = objects_by_role(root).get("ground")
    if empty is None:
        empty = bpy.data.objects.new(f"{root.name} ground", None)
        empty.empty_display_type, empty[ROLE_KEY], empty.parent = "ARROWS", "ground", root
        root.users_collection[0].objects.link(empty)
    empty.empty_display_size = plane.height / 4
    empty.matrix_parent_inverse, empty.matrix_basis = Matrix(), matrix
    return empty


def level(root: bpy.types.Object, ground: bpy.types.Object) -> None:
    """Rotates the root by the smallest turn that makes its ground's Z the world's, and moves its ground to Z = 0."""
    world = root.matrix_world @ ground.matrix_basis
    up = (world.to_3x3() @ Vector((0, 0, 1))).normalized()
    turn = up.rotation_difference(Vector((0, 0, 1))).to_matrix().to_4x4()
    pivot = Matrix.Translation(world.translation)
    lift = Matrix.Translation((0, 0, -world.translation.z))
    root.matrix_world = lift @ pivot @ turn @ pivot.inverted() @ root.matrix_world


register, unregister = bpy.utils.register_classes_factory((FindGround,))
