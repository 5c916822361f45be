"""Measures the safe range of a diorama's camera, shows it as a box, and fits camera moves into it."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
import numpy as np

from ...core.camera.safe_range import DIRECTIONS, SafeRange, safe_range
from ...core.errors import DioramaError
from ..nodes.relief_sliders import KEYS
from ..on_diorama import ActOnDiorama
from ..scene.camera_moves import curves_of
from ..scene.keys import ROLE_KEY
from ..scene.root import kept_settings, objects_by_role, world_scale
from .apply_move import apply_move
from .shown_surfaces import photo_camera, shown_surfaces, surface_triangles

RANGE_KEY, STATE_KEY = "safe_range", "safe_range_state"
BOX_ROLE = "safe range"
FITTINGS, FIT_TOLERANCE = 16, 0.005
MAX_AMOUNT = 5.0
"""Largest value of the option move_amount."""


def measured_range(root: bpy.types.Object) -> SafeRange | None:
    """The range that was measured last, in the root's units; None before."""
    values = root.get(RANGE_KEY)
    if values is None or len(values) != len(DIRECTIONS):
        return None
    return SafeRange(*(float(v) for v in values))


def is_current(root: bpy.types.Object) -> bool:
    """Whether the surfaces and their relief are still the measured ones."""
    return list(root.get(STATE_KEY, ())) == _state(root)


def _state(root: bpy.types.Object) -> list[float]:
    sizes = [float(len(ob.data.vertices)) for ob in shown_surfaces(root)]
    return [*(float(root.get(key, 0.0)) for key in KEYS), float(len(sizes)), sum(sizes)]


def measure(root: bpy.types.Object, depsgraph: bpy.types.Depsgraph, keep_focus: bool) -> SafeRange:
    """Measures the safe range of the current surfaces, stores it on the root and updates its box.

    Raises DioramaError where there is no surface.
    """
    focus = float(root.get("relief_focus", 0.0)) if keep_focus else 0.0
    found = safe_range(surface_triangles(root, depsgraph), photo_camera(root), focus)
    root[RANGE_KEY] = [getattr(found, name) for name in DIRECTIONS]
    root[STATE_KEY] = _state(root)
    show_box(root, found)
    return found


def show_box(root: bpy.types.Object, found: SafeRange) -> bpy.types.Object:
    """An empty in the shape of the range around the photo's viewpoint: a child of the root, never rendered."""
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


def rig_path(rig: bpy.types.Object) -> np.ndarray:
    """(frames, 3) places of the rig through its keyframes: right, forwards, upwards in the root's units."""
    curves = {c.array_index: c for c in curves_of(rig) if c.data_path == "location"}
    if not curves:
        return np.zeros((0, 3))
    ends = np.array([c.range() for c in curves.values()])
    frames = np.arange(np.floor(ends[:, 0].min()), np.ceil(ends[:, 1].max()) + 1)
    return np.array([[curves[k].evaluate(f) if k in curves else rig.location[k] for k in range(3)] for f in frames])


class MeasureSafeRange(ActOnDiorama, bpy.types.Operator):
    """Measure how far the camera may move in each direction until gaps fill a thousandth of the picture, and show it as a box"""

    bl_idname = "photo_diorama.measure_safe_range"
    bl_label = "Measure Safe Range"
    bl_options = {"REGISTER", "UNDO"}

    keep_focus: bpy.props.BoolProperty(
        name="Keep the Focus in Place",
        description="Measure for a camera that keeps looking at the focus distance as it moves; it may go farther",
    )

    def act(self, context, root):
        found = measure(root, context.evaluated_depsgraph_get(), self.keep_focus)
        side, up, _ = (distance * world_scale(root) for distance in found.centred)
        return f"The camera may move {side:.3g} m sideways and {up:.3g} m up and down."


class FitMove(ActOnDiorama, bpy.types.Operator):
    """Make the camera's move as large as the safe range allows; the range is measured first if needed"""

    bl_idname = "photo_diorama.fit_move"
    bl_label = "Fit Move to Safe Range"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context, root):
        kept, objects = kept_settings(root), objects_by_role(root)
        moves = rig_path(objects["rig"]) if "rig" in objects else np.zeros((0, 3))
        if kept.get("camera_move", "none") == "none" or not np.any(moves):
            raise DioramaError(f"The camera of {root.name} does not move; choose a move, then fit it.")
        found = measured_range(root) if is_current(root) else None
        found = found or measure(root, context.evaluated_depsgraph_get(), bool(kept.get("move_aim")))
        amount, note, low, high = float(kept["move_amount"]), "", 0.0, MAX_AMOUNT
        for _ in range(FITTINGS):  # a larger move may be framed from a closer start, so its path is not just longer
            wanted = amount * found.largest_amount(rig_path(objects["rig"]))
            amount = wanted if low < wanted < high else high if low == 0 and wanted >= high else (low + high) / 2
            note = apply_move(root, {"move_amount": amount}, context.scene)
            fits = found.largest_amount(rig_path(objects["rig"]))
            if 1 - FIT_TOLERANCE < fits < 1 + FIT_TOLERANCE or (fits >= 1 and amount == MAX_AMOUNT):
                break
            low, high = (amount, high) if fits > 1 else (low, amount)
        return f"Amount {amount:.3g}. {note}"


register, unregister = bpy.utils.register_classes_factory((MeasureSafeRange, FitMove))
