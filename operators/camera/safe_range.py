"""Measures how far a diorama's camera may move before gaps show, draws that as a box, and fits camera moves into it."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
import numpy as np

from ...core.camera.camera import Camera
from ...core.camera.safe_range import DIRECTIONS, SafeRange, safe_range
from ...core.errors import DioramaError
from ..nodes.relief_sliders import KEYS
from ..scene.camera_moves import curves_of
from ..scene.keys import ROLE_KEY
from ..scene.root import find_root, kept_settings, kept_source, objects_by_role, world_scale
from .apply_move import apply_move

RANGE_KEY, STATE_KEY = "safe_range", "safe_range_state"
BOX_ROLE = "safe range"
SHOWS_GAPS = {"backdrop", "soft"}
"""Surfaces that cover no gap: the blurred sheet is what shows in one, and soft silhouettes are clear at their rims."""
MOST_AMOUNT = 5.0
"""What the option move_amount allows."""


def measured_range(root: bpy.types.Object) -> SafeRange | None:
    """The range that was measured last, in the root's units; None before."""
    values = root.get(RANGE_KEY)
    if values is None or len(values) != len(DIRECTIONS):
        return None
    return SafeRange(*(float(v) for v in values))


def is_current(root: bpy.types.Object) -> bool:
    """Whether the surfaces and their relief are still those that were measured."""
    return list(root.get(STATE_KEY, ())) == _state(root)


def _state(root: bpy.types.Object) -> list[float]:
    sizes = [float(len(ob.data.vertices)) for ob in shown_surfaces(root)]
    return [*(float(root.get(key, 0.0)) for key in KEYS), float(len(sizes)), sum(sizes)]


def shown_surfaces(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The surfaces of a diorama that are rendered and show what was photographed or invented."""
    meshes = [ob for ob in root.children_recursive if ob.type == "MESH" and not ob.hide_render]
    return [ob for ob in meshes if ob.get(ROLE_KEY, "backdrop") not in SHOWS_GAPS]


def photo_camera(root: bpy.types.Object) -> Camera:
    """The photo's camera, from the numbers of the diorama's; raises DioramaError where the artist has taken that away."""
    ob = objects_by_role(root).get("camera")
    if ob is None or ob.type != "CAMERA":
        raise DioramaError(f"{root.name} has no camera of its own any more; rebuild it from its photo.")
    data, width, height = ob.data, 4000.0, 3000.0
    size = _photo_size(root)
    if size:
        width, height = size
    focal = data.lens / data.sensor_width * width
    return Camera(int(width), int(height), focal, width / 2 - data.shift_x * width, height / 2 + data.shift_y * width)


def _photo_size(root: bpy.types.Object) -> tuple[float, float] | None:
    size = kept_source(root).get("photo_size")
    good = isinstance(size, list) and len(size) == 2 and all(isinstance(s, (int, float)) and s > 0 for s in size)
    return (float(size[0]), float(size[1])) if good else None


def triangles_of(root: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> list[tuple[np.ndarray, np.ndarray]]:
    """(points, triangles) of every rendered surface as it stands now; x right, y down, z forward from the photo's place."""
    found, home = [], np.linalg.inv(np.array(root.evaluated_get(depsgraph).matrix_world, np.float64))
    for ob in shown_surfaces(root):
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


def measure(root: bpy.types.Object, depsgraph: bpy.types.Depsgraph, keep_focus: bool) -> SafeRange:
    """Measures the range of the surfaces as they stand, keeps it on the root and renews the box that shows it.

    Raises DioramaError where there is nothing to measure.
    """
    focus = float(root.get("relief_focus", 0.0)) if keep_focus else 0.0
    found = safe_range(triangles_of(root, depsgraph), photo_camera(root), focus)
    root[RANGE_KEY] = [getattr(found, name) for name in DIRECTIONS]
    root[STATE_KEY] = _state(root)
    show_box(root, found)
    return found


def show_box(root: bpy.types.Object, found: SafeRange) -> bpy.types.Object:
    """An empty in the shape of the range round the photo's place: a child of the root, which is never rendered."""
    box = next((ob for ob in root.children if ob.get(ROLE_KEY) == BOX_ROLE), None)
    if box is None:
        box = bpy.data.objects.new(f"{root.name} safe range", None)
        box.parent, box[ROLE_KEY], box.empty_display_type, box.empty_display_size = root, BOX_ROLE, "CUBE", 1.0
        box.hide_select = True
        (root.users_collection or (bpy.context.scene.collection,))[0].objects.link(box)
    low = np.array([-found.left, -found.back, -found.down])
    high = np.array([found.right, found.forward, found.up])
    box.location, box.scale = (low + high) / 2, np.maximum((high - low) / 2, 1e-6)
    return box


def path_of(rig: bpy.types.Object) -> np.ndarray:
    """(frames, 3) places of the rig through its keyframes: right, forwards, upwards in the root's units."""
    curves = {c.array_index: c for c in curves_of(rig) if c.data_path == "location"}
    if not curves:
        return np.zeros((0, 3))
    ends = np.array([c.range() for c in curves.values()])
    frames = np.arange(np.floor(ends[:, 0].min()), np.ceil(ends[:, 1].max()) + 1)
    return np.array([[curves[k].evaluate(f) if k in curves else rig.location[k] for k in range(3)] for f in frames])


class RangeOperator:
    """Mixin of the operators that need a diorama of this file."""

    @classmethod
    def poll(cls, context):
        root = find_root(context.object)
        if root is None or root.library is not None:
            cls.poll_message_set("Select a diorama")
            return False
        return True

    def execute(self, context):
        try:
            return self.act(context, find_root(context.object))
        except DioramaError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}


class MeasureSafeRange(RangeOperator, bpy.types.Operator):
    """Find how far the camera may move each way until a thousandth of the picture is gaps, and show that as a box round it"""

    bl_idname = "photo_diorama.measure_safe_range"
    bl_label = "Measure Safe Range"
    bl_options = {"REGISTER", "UNDO"}

    keep_focus: bpy.props.BoolProperty(
        name="Keep the Focus in Place",
        description="For a camera that keeps looking at the focus distance as it moves, which goes farther than one that does not turn",
    )

    def act(self, context, root):
        found = measure(root, context.evaluated_depsgraph_get(), self.keep_focus)
        side, up, _ = (distance * world_scale(root) for distance in found.centred)
        self.report({"INFO"}, f"The camera may move {side:.3g} m sideways and {up:.3g} m up and down.")
        return {"FINISHED"}


class FitMove(RangeOperator, bpy.types.Operator):
    """Make the camera's move as large as the safe range allows, measuring that first where it is not known"""

    bl_idname = "photo_diorama.fit_move"
    bl_label = "Fit Move to Safe Range"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context, root):
        kept, objects = kept_settings(root), objects_by_role(root)
        moves = path_of(objects["rig"]) if "rig" in objects else np.zeros((0, 3))
        if kept.get("camera_move", "none") == "none" or not np.any(moves):
            raise DioramaError(f"The camera of {root.name} does not move; choose a move, then fit it.")
        found = measured_range(root) if is_current(root) else None
        found = found or measure(root, context.evaluated_depsgraph_get(), bool(kept.get("move_aim")))
        amount = min(MOST_AMOUNT, float(kept["move_amount"]) * found.largest_amount(moves))
        self.report({"INFO"}, f"Amount {amount:.3g}. {apply_move(root, {'move_amount': amount}, context.scene)}")
        return {"FINISHED"}


CLASSES = (MeasureSafeRange, FitMove)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
