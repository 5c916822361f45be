"""Operators for painting the depth or the mask, as an image or as a texture on the photo."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial

import bpy
import numpy as np

from ...core.depth.edit_depth import mask_of_triangles
from ...core.edit_and_rebuild import current_depth
from ...core.errors import DioramaError
from ..on_diorama import ActOnDiorama
from ..scene.depth_image import (
    EDITED_KEY,
    MASK_KEY,
    image_values,
    keep_edit,
    mask_image,
    new_image,
    put_image,
    stored_edit,
    stored_image,
)
from ..scene.emit import short_name
from ..scene.root import kept_source, objects_by_role
from ..scene.surfaces import root_by_name
from .change_region import OnDepth
from .chosen_region import selected_triangles


def target_property():
    """A declared property: on what the artist paints."""
    return bpy.props.EnumProperty(
        name="Where",
        description="Where to paint",
        items=[
            ("IMAGE", "Image Editor", "On the image, in an Image Editor beside the viewport or in a window of its own"),
            ("PAINT", "On the Photo", "Through the photo's surface, in texture paint mode in the viewport"),
        ],
    )


class EditDepth(OnDepth, bpy.types.Operator):
    """Open the depth as an image to paint on: white is near, black infinitely far. Rebuild applies what you painted"""

    bl_idname = "photo_diorama.edit_depth"
    bl_label = "Edit Depth"

    target: target_property()

    def prepare(self, context):
        root, source = self.begin(context)
        return partial(current_depth, source, stored_edit(root))

    def finish(self, context, changed):
        root = root_by_name(self._root)
        keep_edit(root, changed.edit)
        open_image(context, root, stored_image(root, EDITED_KEY), self.target, "NEARER")


class PaintMask(ActOnDiorama, bpy.types.Operator):
    """Open the mask as an image to paint on: white is the region that the depth and layer operators work on"""

    bl_idname = "photo_diorama.paint_mask"
    bl_label = "Paint Mask"
    bl_options = {"REGISTER", "UNDO"}

    target: target_property()

    def act(self, context, root):
        open_image(context, root, mask_image(root, mask_shape(root)), self.target, "MASK")


class FillMask(ActOnDiorama, bpy.types.Operator):
    """Fill the mask from the faces selected in edit mode, or empty or invert it"""

    bl_idname = "photo_diorama.fill_mask"
    bl_label = "Fill Mask"
    bl_options = {"REGISTER", "UNDO"}

    content: bpy.props.EnumProperty(
        name="Content",
        description="What the mask becomes",
        items=[
            ("SELECTION", "Selection", "The selected faces of the active layer"),
            ("ADD", "Mask and Selection", "The present mask and the selected faces"),
            ("SUBTRACT", "Mask without Selection", "The present mask without the selected faces"),
            ("NOTHING", "Nothing", "Empty"),
            ("INVERTED", "Inverted", "Everything that was not in it"),
        ],
    )

    def act(self, context, root):
        old = stored_image(root, MASK_KEY)
        values = image_values(old) if old is not None else np.zeros(mask_shape(root), np.float32)
        if self.content == "NOTHING":
            values = np.zeros_like(values)
        elif self.content == "INVERTED":
            values = 1 - values
        else:
            triangles = selected_triangles(root, context.object)
            chosen = mask_of_triangles(triangles * np.array(values.shape[::-1]), values.shape).astype(np.float32)
            if self.content == "ADD":
                chosen = np.maximum(values, chosen)
            values = values * (1 - chosen) if self.content == "SUBTRACT" else chosen
        put_image(root, MASK_KEY, new_image(f"{short_name(root.name)} mask", values, "mask", False))


def open_image(context: bpy.types.Context, root: bpy.types.Object, image: bpy.types.Image, target: str, brush: str) -> None:
    """Shows an image of the diorama for painting, in an Image Editor or as the canvas of texture paint on the photo.

    On the photo, `brush` is activated: with another brush, whose colour is black at first, a stroke would make a hole.
    """
    if target == "PAINT":
        photo = objects_by_role(root).get("photo")
        if photo is None or photo.type != "MESH":
            raise DioramaError(f"{root.name} has no photo layer any more; rebuild it, or paint in the Image Editor.")
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        photo.hide_set(False)
        photo.select_set(True)
        context.view_layer.objects.active = photo
        bpy.ops.object.mode_set(mode="TEXTURE_PAINT")
    elif not bpy.app.background and image_editor(context) is None:
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "IMAGE_EDITOR"
    show_image(context, image)
    if target == "PAINT":
        bpy.ops.photo_diorama.depth_brush(kind=brush)


def show_image(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Makes the image the canvas of texture paint and shows it in the Image Editor, ready for painting."""
    canvas = context.scene.tool_settings.image_paint
    canvas.mode, canvas.canvas = "IMAGE", image
    found = image_editor(context)
    if found is not None:
        space = found[1].spaces.active
        space.image = image
        space.mode = "PAINT"
        for shows_mesh in ("show_texpaint", "show_uv"):  # the property's name until Blender 4.5, and since 5.0
            if hasattr(space.uv_editor, shows_mesh):
                setattr(space.uv_editor, shows_mesh, False)  # else the layer's dense mesh covers the picture


def image_editor(context: bpy.types.Context) -> tuple[bpy.types.Window, bpy.types.Area] | None:
    """The window and area of an Image Editor that is open, none of a render or UV editor's; None without."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.ui_type == "IMAGE_EDITOR":
                return window, area
    return None


def mask_shape(root: bpy.types.Object) -> tuple[int, int]:
    """Height and width of a new mask: the depth's."""
    try:
        width, height = kept_source(root)["working_size"]
        return max(8, int(height)), max(8, int(width))
    except (KeyError, TypeError, ValueError):
        return 720, 960


register, unregister = bpy.utils.register_classes_factory((EditDepth, PaintMask, FillMask))
