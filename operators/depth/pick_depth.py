"""An eyedropper for depth: a click on the photo, in a viewport or Image Editor, moves the region to the depth there."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
from bpy_extras import view3d_utils

from ...core.errors import DioramaError
from ..on_diorama import NAVIGATING, OnDiorama, calling_an_operator
from ..scene.depth_image import EDITED_KEY, MASK_KEY, ORIGINAL_KEY, stored_image
from ..scene.root import find_root, world_scale
from ..scene.surfaces import root_by_name
from .chosen_region import find_region, place_on_photo

KEYS = "Click: take the depth there for the region   |   Esc, right click: stop"
CLICK_ON_PHOTO = "Nothing of the photo is there; click on it in a 3D viewport, or on its depth or mask in an Image Editor."


class PickDepth(OnDiorama, bpy.types.Operator):
    """Click on the photo: the region (selected faces, else the painted mask) moves to the depth of that point. Esc cancels"""

    bl_idname = "photo_diorama.pick_depth"
    bl_label = "Pick Depth"
    bl_options = set()  # the operator that makes the change is the step of undo

    def invoke(self, context, event):
        root = find_root(context.object)
        try:
            find_region(context, root, "AUTO")  # reports what is missing now, not after the click
        except DioramaError as error:
            self.report({"ERROR"}, error.in_window)
            return {"CANCELLED"}
        self._root = root.name
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set(KEYS)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in NAVIGATING or event.type.startswith("NDOF"):
            return {"PASS_THROUGH"}
        clicked = event.type == "LEFTMOUSE" and event.value == "PRESS"
        if not clicked and event.type != "MOUSEMOVE":
            return {"RUNNING_MODAL"}
        try:
            place = place_under(context, root_by_name(self._root), event.mouse_x, event.mouse_y)
        except DioramaError as error:
            self.cancel(context)
            self.report({"ERROR"}, error.in_window)
            return {"CANCELLED"}
        if not clicked:
            context.workspace.status_text_set(KEYS if place is None or place[2] is None else f"{place[2]:.2f} m   |   {KEYS}")
            return {"RUNNING_MODAL"}
        if place is None:
            self.report({"WARNING"}, CLICK_ON_PHOTO)
            return {"RUNNING_MODAL"}
        self.cancel(context)
        return self._take(place[:2])

    def _take(self, point: tuple[float, float]) -> set[str]:
        try:
            with calling_an_operator():
                bpy.ops.photo_diorama.same_depth("INVOKE_DEFAULT", of="POINT", point=point)
        except DioramaError as error:
            self.report({"ERROR"}, error.in_window)
            return {"CANCELLED"}
        return {"FINISHED"}

    def cancel(self, context):
        """Also called by Blender where it ends the operator itself."""
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)


def place_under(context, root, x: int, y: int) -> tuple[float, float, float | None] | None:
    """Place on the photo (0 to 1 right and down) under a place of the window, and its distance in metres where that is known.

    None where there is no photo. Raises DioramaError where the root does not know its camera any more.
    """
    for area in context.window.screen.areas:
        over = [region for region in area.regions if _contains(region, x, y)]
        if not over or any(region.type != "WINDOW" for region in over):  # a sidebar lies over the view
            continue
        mouse = x - over[0].x, y - over[0].y
        if area.type == "VIEW_3D":
            return _in_view(context, root, over[0], mouse)
        if area.type == "IMAGE_EDITOR":
            return _in_image(root, area.spaces.active.image, over[0], mouse)
    return None


def _contains(region, x: int, y: int) -> bool:
    return 0 <= x - region.x < region.width and 0 <= y - region.y < region.height and min(region.width, region.height) > 1


def _in_view(context, root, region, mouse) -> tuple[float, float, float] | None:
    start = view3d_utils.region_2d_to_origin_3d(region, region.data, mouse)
    along = view3d_utils.region_2d_to_vector_3d(region, region.data, mouse)
    hit, place, *_ = context.scene.ray_cast(context.evaluated_depsgraph_get(), start, along)
    if not hit:
        return None
    inside = root.matrix_world.inverted_safe() @ place
    u, v = place_on_photo(root, *inside)
    if not (0 <= u <= 1 and 0 <= v <= 1):  # also false for NaN, behind the camera
        return None
    return float(u), float(v), inside.y * world_scale(root)


def _in_image(root, image, region, mouse) -> tuple[float, float, None] | None:
    if image is None or image not in [stored_image(root, key) for key in (EDITED_KEY, ORIGINAL_KEY, MASK_KEY)]:
        return None
    u, up = region.view2d.region_to_view(*mouse)
    return (u, 1 - up, None) if 0 <= u <= 1 and 0 <= up <= 1 else None


register, unregister = bpy.utils.register_classes_factory((PickDepth,))
