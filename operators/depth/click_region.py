"""Selects things by clicks on the photo: they fill the diorama's mask, which all region operators use."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial

import bpy
import numpy as np

from ...core.edit_and_rebuild import scene_to_click
from ...core.errors import DioramaError
from ...core.silhouettes.select_thing import Scene, select_thing
from ..building.rebuild import root_by_name
from ..on_diorama import NAVIGATING, point_property
from ..scene.depth_image import MASK_KEY, image_values, new_image, put_image, stored_edit, stored_image
from ..scene.emit import short_name
from . import mask_overlay
from .change_region import OnDepth
from .pick_depth import CLICK_ON_PHOTO, place_under

KEYS = "Click: add the thing there   |   Ctrl click: take it out   |   Backspace: empty   |   Enter, Esc, right click: done"


class SelectByClick(OnDepth, bpy.types.Operator):
    """Click on things in the photo to select them; Ctrl click deselects. The tools below then work on the tinted region"""

    bl_idname = "photo_diorama.select_by_click"
    bl_label = "Select by Click"

    point: point_property()
    remove: bpy.props.BoolProperty(name="Take Out", description="Remove the thing from the mask instead of adding it")
    extend: bpy.props.BoolProperty(name="Extend", description="Keep what is in the mask", default=True)
    by_hand: bpy.props.BoolProperty(name="By Hand", description="The clicks were made in the window", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, event):
        self.by_hand = not bpy.app.background
        return super().invoke(context, event)

    def execute(self, context):
        if self.by_hand and not getattr(self, "_in_thread", False):
            return {"CANCELLED"}  # F9 or Repeat Last: clicks in the window are undo steps of their own, and cannot be repeated by options
        return super().execute(context)

    def draw(self, context):
        if self.by_hand:
            self.layout.label(text="Undo takes these clicks back")
            return
        for name in ("point", "remove", "extend"):
            self.layout.prop(self, name)

    def prepare(self, context):
        root, source = self.begin(context)
        return partial(scene_to_click, source, stored_edit(root))

    def finish(self, context, scene: Scene):
        root = root_by_name(self._root)
        if self.by_hand:
            _clicked.clear()
            _clicked[root.name] = scene
            bpy.ops.photo_diorama.click_things("INVOKE_DEFAULT")
            return
        click(root, scene, tuple(self.point), self.remove, self.extend)


_clicked: dict[str, Scene] = {}
"""By root: the photo on which clicks are being made."""


def click(root: bpy.types.Object, scene: Scene, point: tuple[float, float], remove: bool, extend: bool = True) -> None:
    """Adds the thing at a point of the photo to the root's mask, or takes it out."""
    image, shape = stored_image(root, MASK_KEY), scene.disparity.shape
    mask = np.zeros(shape, bool)
    if image is not None and extend and tuple(image.size) == shape[::-1]:
        mask = image_values(image) > 0.5
    if remove:
        mask = mask & ~select_thing(scene, point, ~mask)
    else:
        mask = mask | select_thing(scene, point)
    put_image(root, MASK_KEY, new_image(f"{short_name(root.name)} mask", mask.astype(np.float32), "mask", False))


class ClickThings(OnDepth, bpy.types.Operator):
    """The clicks, once the photo and its depth have been read"""

    bl_idname = "photo_diorama.click_things"
    bl_label = "Select Things"
    bl_options = {"INTERNAL", "UNDO"}

    def execute(self, context):
        self.report({"ERROR"}, "Clicks are read after Select by Click has read the depth, with a mouse; start Select by Click.")
        return {"CANCELLED"}

    def invoke(self, context, event):
        if not _clicked:
            return self.execute(context)
        self._root, self._scene = next(iter(_clicked.items()))
        _clicked.clear()
        mask_overlay.picking.add(self._root)
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set(KEYS)
        context.window_manager.modal_handler_add(self)
        _redraw(context)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type in {"ESC", "RIGHTMOUSE", "RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            self.cancel(context)
            return {"FINISHED"}
        if event.type in NAVIGATING or event.type.startswith("NDOF"):
            return {"PASS_THROUGH"}
        try:
            if event.type == "BACK_SPACE" and event.value == "PRESS":
                root = root_by_name(self._root)
                empty = np.zeros(self._scene.disparity.shape, np.float32)
                put_image(root, MASK_KEY, new_image(f"{short_name(root.name)} mask", empty, "mask", False))
                _redraw(context)
            elif event.type == "LEFTMOUSE" and event.value == "PRESS":
                self._click(context, event)
        except DioramaError as error:
            self.cancel(context)
            self.report({"ERROR"}, error.in_window)
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def _click(self, context, event) -> None:
        root = root_by_name(self._root)
        place = place_under(context, root, event.mouse_x, event.mouse_y)
        if place is None:
            self.report({"WARNING"}, CLICK_ON_PHOTO)
            return
        click(root, self._scene, place[:2], event.ctrl)
        _redraw(context)

    def cancel(self, context):
        """Also called by Blender where it ends the operator itself."""
        mask_overlay.picking.discard(self._root)
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        _redraw(context)


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR"):
                area.tag_redraw()


register_classes, unregister_classes = bpy.utils.register_classes_factory((SelectByClick, ClickThings))


def register() -> None:
    register_classes()


def unregister() -> None:
    _clicked.clear()
    unregister_classes()
