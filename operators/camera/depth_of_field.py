"""The operator that focuses a diorama's own camera: on a picked point, on an object, or on the middle of the photo."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
from bpy_extras import view3d_utils

from ...core.errors import DioramaError
from ..on_diorama import ActOnDiorama, point_property
from ..scene.focus_scale import SCALE_KEY
from ..scene.photo_rays import PhotoRays
from ..scene.root import find_root, kept_source, objects_by_role, world_scale


class DepthOfField(ActOnDiorama, bpy.types.Operator):
    """Focus this diorama's own camera by the distances in the photo"""

    bl_idname = "photo_diorama.depth_of_field"
    bl_label = "Depth of Field"
    bl_options = {"REGISTER", "UNDO"}

    focus: bpy.props.EnumProperty(
        name="Focus",
        description="What is sharp",
        items=[
            ("MIDDLE", "Middle", "What stands in the middle of the picture"),
            ("POINT", "Picked Point", "Where you click in the viewport, or the point of the photo given below"),
            ("OBJECT", "Focus Object", "The diorama's focus object; the focus follows it"),
            ("OFF", "Off", "All is sharp, as in the photo"),
        ],
    )
    point: point_property("The picked point: from the left and from the top of the photo, 0 to 1")
    fstop: bpy.props.FloatProperty(
        name="F-Stop",
        description="Aperture: smaller numbers blur more; physically right where the depth is in metres",
        default=2.8, min=0.01, soft_max=32.0, precision=1,
    )  # fmt: skip

    def invoke(self, context, event):
        if self.focus != "POINT" or bpy.app.background or context.region_data is None:
            return self.execute(context)
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set("Click on what shall be sharp    Esc: stop")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._done(context, {"CANCELLED"})
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"} if "MOUSE" in event.type or "NDOF" in event.type else {"RUNNING_MODAL"}
        place = pick_point(context, (event.mouse_region_x, event.mouse_region_y))
        if place is None:
            self.report({"WARNING"}, "Nothing is there; click on a surface.")
            return {"RUNNING_MODAL"}
        root = find_root(context.object)
        try:
            self.point = point_on_photo(root, place, PhotoRays(root, context))
        except DioramaError as error:
            self.report({"WARNING"}, error.in_window)
            return {"RUNNING_MODAL"}
        return self._done(context, self.execute(context))

    def _done(self, context, result):
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        return result

    def act(self, context, root):
        return set_focus(root, self.focus, tuple(self.point), self.fstop, context)


def pick_point(context, mouse: tuple[int, int]):
    """The world position of the surface under a place of the viewport; None where there is none."""
    start = view3d_utils.region_2d_to_origin_3d(context.region, context.region_data, mouse)
    along = view3d_utils.region_2d_to_vector_3d(context.region, context.region_data, mouse)
    hit, place, *_ = context.scene.ray_cast(context.evaluated_depsgraph_get(), start, along)
    return place if hit else None


def point_on_photo(root: bpy.types.Object, place, rays: PhotoRays) -> tuple[float, float]:
    """The place on the photo of a world position, 0 to 1 from the left and the top. Raises DioramaError outside."""
    x, y, z = root.matrix_world.inverted_safe() @ place
    if y > 0:
        u, v = (x / y * rays.focal + rays.cx) / rays.width, (-z / y * rays.focal + rays.cy) / rays.height
        if 0 <= u <= 1 and 0 <= v <= 1:
            return u, v
    raise DioramaError("The photo does not show that place; click on one inside its frame.")


def set_focus(root: bpy.types.Object, focus: str, point: tuple[float, float], fstop: float, context) -> str:
    """Focuses the diorama's camera and nothing else; returns a sentence for the user. Raises DioramaError where that fails."""
    camera = objects_by_role(root).get("camera")
    if camera is None or camera.type != "CAMERA":
        raise DioramaError(f"{root.name} has no camera of its own any more; rebuild it from its photo.")
    dof = camera.data.dof
    if focus == "OFF":
        dof.use_dof = False
        return "All is sharp."
    chosen, distance = None, dof.focus_distance
    scale = world_scale(root)
    if focus == "OBJECT":
        chosen = root.photo_diorama_focus
        if chosen is None:
            raise DioramaError(f"{root.name} has no focus object; choose one in the Camera box first.")
    elif focus == "POINT":
        rays = PhotoRays(root, context)
        met = rays.meet(point[0] * rays.width, point[1] * rays.height)
        if met is None:
            raise DioramaError("The photo has no surface at that point; pick another.")
        distance = met.y * scale
    else:
        try:
            distance = float(kept_source(root)["focus_m"]) * scale
        except (KeyError, TypeError, ValueError):
            fault = f"{root.name} does not know its distances any more; rebuild it from its photo."
            raise DioramaError(fault) from None
    dof.use_dof, dof.focus_object, dof.aperture_fstop = True, chosen, fstop
    if chosen is None:
        dof.focus_distance, camera.data[SCALE_KEY] = distance, scale
    where = f"on {chosen.name}" if chosen else f"at {distance:.2f} m"
    real = "" if kept_source(root).get("metric") else "; the depth has no metres, so choose the f-stop by eye"
    return f"Focus {where}, f/{fstop:g}{real}."


register, unregister = bpy.utils.register_classes_factory((DepthOfField,))
