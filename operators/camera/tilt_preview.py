"""A viewport preview of the web viewer's tilt: it follows the mouse through its own camera inside the safe range."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
from mathutils import Matrix

from ...core.camera.safe_range import SafeRange, safe_range
from ...core.camera.tilt import keep_shift, tilt
from ...core.errors import DioramaError
from ..scene.camera_moves import lens_at_rest
from ..scene.emit import LOOK_FORWARD
from ..scene.root import find_root, objects_by_role
from .safe_range import is_current, measured_range
from .shown_surfaces import photo_camera, surface_triangles

OF_THE_VIEW = (
    "view_location",
    "view_rotation",
    "view_distance",
    "view_camera_zoom",
    "view_camera_offset",
    "view_perspective",
)
OF_THE_SPACE = (
    "use_local_camera", "camera", "lock_camera", "show_object_viewport_empty", "show_object_viewport_camera"
)  # fmt: skip
OF_THE_OVERLAY = ("show_relationship_lines", "show_outline_selected")


class Tilt:
    """A viewport that looks through its own camera, until `stop`, which restores it."""

    def __init__(self, root: bpy.types.Object, space: bpy.types.SpaceView3D, scene: bpy.types.Scene, box: SafeRange):
        """Raises DioramaError where the diorama has no camera."""
        own = objects_by_role(root).get("camera")
        if own is None or own.type != "CAMERA":
            raise DioramaError(f"{root.name} has no camera of its own any more; rebuild it from its photo.")
        self.box, self.root, self.space, self.view = box, root, space, space.region_3d
        self.focus = max(float(root.get("relief_focus", own.data.dof.focus_distance)), 1e-6)
        owners = ((self.view, OF_THE_VIEW), (space, OF_THE_SPACE), (space.overlay, OF_THE_OVERLAY))
        self.before = [(owner, name, _copied(getattr(owner, name))) for owner, names in owners for name in names]
        data = own.data.copy()
        data.animation_data_clear()
        data.lens = lens_at_rest(own)
        self.shift, self.focal = (data.shift_x, data.shift_y), data.lens / data.sensor_width
        self.camera = bpy.data.objects.new("Photo Diorama tilt", data)
        scene.collection.objects.link(self.camera)
        space.lock_camera, space.use_local_camera, space.camera = False, True, self.camera
        # only the picture: no box, no rig, no other camera, nothing outside the frame
        space.show_object_viewport_empty = space.show_object_viewport_camera = False
        space.overlay.show_relationship_lines = space.overlay.show_outline_selected = False
        data.show_passepartout, data.passepartout_alpha = True, 1.0
        self.view.view_perspective = "CAMERA"
        self.at(0.0, 0.0)

    def at(self, x: float, y: float) -> None:
        """Looks from where the pointer at (x, y) of the view, from -1 to 1, tilts it to."""
        side, up = tilt(x, y, self.box)
        right, above = keep_shift(side, up, self.focus, self.focal)
        self.camera.data.shift_x, self.camera.data.shift_y = self.shift[0] + right, self.shift[1] + above
        self.camera.matrix_world = self.root.matrix_world @ Matrix.Translation((side, 0.0, up)) @ LOOK_FORWARD

    def stop(self) -> None:
        """Puts the view back and takes the camera away."""
        data = self.camera.data
        bpy.data.objects.remove(self.camera)
        bpy.data.cameras.remove(data)
        for owner, name, value in self.before:
            if not (name == "camera" and value is None):
                setattr(owner, name, value)


def _copied(value):
    return value.copy() if hasattr(value, "copy") and not isinstance(value, bpy.types.ID) else _plain(value)


def _plain(value):
    return tuple(value) if type(value).__name__ == "bpy_prop_array" else value


def range_to_tilt_in(root: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> SafeRange:
    """The range measured last if it is current, else a new measurement; nothing is stored."""
    known = measured_range(root) if is_current(root) else None
    focus = float(root.get("relief_focus", 0.0))
    return known or safe_range(surface_triangles(root, depsgraph), photo_camera(root), focus)


class TiltPreview(bpy.types.Operator):
    """Move the mouse to look round in this viewport, as by tilting a phone, within the safe range. Esc or a click ends it"""

    bl_idname = "photo_diorama.tilt_preview"
    bl_label = "Tilt Preview"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        if find_root(context.object) is None or getattr(context.space_data, "type", "") != "VIEW_3D":
            cls.poll_message_set("Select a diorama and use a 3D viewport")
            return False
        return context.mode == "OBJECT"

    def invoke(self, context, event):
        root = find_root(context.object)
        try:
            box = range_to_tilt_in(root, context.evaluated_depsgraph_get())
            self._tilt = Tilt(root, context.space_data, context.scene, box)
        except DioramaError as error:
            self.report({"ERROR"}, error.in_window)
            return {"CANCELLED"}
        self._area, self._region = context.area, window_region(context.area)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Tilt: move the mouse   |   Esc, Enter or click: end")
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "MOUSEMOVE":
            self._tilt.at(*pointer_position(self._region, event.mouse_x, event.mouse_y))
            self._area.tag_redraw()
        elif event.type in {"ESC", "RIGHTMOUSE", "LEFTMOUSE", "RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context):
        """Also called by Blender where it ends the operator itself."""
        if self._tilt is not None:
            self._tilt.stop()
            self._tilt = None
            context.workspace.status_text_set(None)
            self._area.tag_redraw()


def window_region(area: bpy.types.Area) -> bpy.types.Region:
    """The part of an area that shows the scene."""
    return next(region for region in area.regions if region.type == "WINDOW")


def pointer_position(region, mouse_x: int, mouse_y: int) -> tuple[float, float]:
    """Pointer position in a region: (0, 0) in the middle, 1 at the right and at the upper edge."""
    half = max(1.0, region.width / 2), max(1.0, region.height / 2)
    return (mouse_x - region.x - half[0]) / half[0], (mouse_y - region.y - half[1]) / half[1]


register, unregister = bpy.utils.register_classes_factory((TiltPreview,))
