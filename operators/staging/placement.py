"""Where a new diorama stands: at the origin or beside what is there, at the 3D cursor, on its ground, before a camera."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.errors import DioramaError
from ..light.ground import find_ground_of, level, put_ground
from ..scene.axes import to_blender
from ..scene.emit import LOOK_FORWARD
from ..scene.keys import ROLE_KEY
from ..scene.root import find_root

SOLID = ("MESH", "CURVE", "SURFACE", "FONT", "META")
GAP = 0.1
"""Gap between dioramas side by side, as a part of the new one's width."""


def place(root: bpy.types.Object, how: str, context: bpy.types.Context, up: np.ndarray | None = None) -> str:
    """Moves a new root by the option `placement`; returns a sentence where the result is not the expected one.

    `up` is the photo's (3,) up direction in core's axes where it is known: the diorama is rotated to make it the world's.
    """
    scene, note = context.scene, ""
    if up is not None:
        root.rotation_euler = Vector(to_blender(np.asarray(up)[None])[0]).rotation_difference(Vector((0, 0, 1))).to_euler()
    if how == "cursor":
        root.location = scene.cursor.location
    elif how == "camera":
        note = _before_camera(root, scene)
    elif how == "ground":
        note = _on_ground(root, context)
    if how in ("automatic", "ground"):
        _beside_dioramas(root, scene)
    inside = _holding(root, scene)
    if inside is None:
        return note
    if how != "automatic":
        return f"{note} The camera of {root.name} stands inside {inside.name}; move one of them.".strip()
    first = inside
    while inside is not None:
        root.location.x = _bounds([inside])[1].x + max(1.0, root.empty_display_size)
        inside = _holding(root, scene)
    return f"{root.name} stands {root.location.x:.1f} m to the right, since its camera would have stood inside {first.name}."


def _before_camera(root: bpy.types.Object, scene: bpy.types.Scene) -> str:
    camera = scene.camera
    if camera is None or find_root(camera) == root:
        return f"The scene has no camera in use, so {root.name} stands at the origin."
    place, turn, _ = camera.matrix_world.decompose()
    root.matrix_world = Matrix.Translation(place) @ turn.to_matrix().to_4x4() @ LOOK_FORWARD.inverted()
    return ""


def _on_ground(root: bpy.types.Object, context: bpy.types.Context) -> str:
    try:
        plane = find_ground_of(root, context)
    except DioramaError as error:
        return error.in_window
    if plane is None:
        return f"{root.name} shows no ground that is found, so its camera stands at the origin."
    level(root, put_ground(root, plane))
    root.matrix_world = Matrix.Translation((-root.location.x, -root.location.y, 0)) @ root.matrix_world
    return ""


def _beside_dioramas(root: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Moves it to the right of all existing dioramas, so that no two overlap."""
    others = [ob for ob in scene.objects if _is_surface(ob) and find_root(ob) not in (root, None)]
    if not others:
        return
    left, right = _bounds([ob for ob in root.children_recursive if _is_surface(ob)])
    root.location.x += _bounds(others)[1].x - left.x + GAP * (right.x - left.x)


def _is_surface(ob: bpy.types.Object) -> bool:
    return ob.type == "MESH" and ROLE_KEY in ob


def _holding(root: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """A user's object whose bounding box contains the camera's place."""
    for ob in scene.objects:
        if ob.type in SOLID and find_root(ob) is None and ob.visible_get():
            low, high = _bounds([ob])
            if all(low[k] < root.location[k] < high[k] for k in range(3)):
                return ob
    return None


def _bounds(objects: list[bpy.types.Object]) -> tuple[Vector, Vector]:
    """Lower and upper corner of the objects' bounding box, in world space."""
    corners = np.concatenate([np.array(ob.bound_box) @ np.array(_world(ob))[:3, :3].T + np.array(_world(ob))[:3, 3] for ob in objects])
    return Vector(corners.min(axis=0)), Vector(corners.max(axis=0))


def _world(ob: bpy.types.Object) -> Matrix:
    """World matrix of an object, without waiting for a depsgraph update."""
    if ob.parent is not None:
        return _world(ob.parent) @ ob.matrix_parent_inverse @ ob.matrix_basis
    return ob.matrix_world if ob.constraints else ob.matrix_basis  # the first is stale until the depsgraph is evaluated
