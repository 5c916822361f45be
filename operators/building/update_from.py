"""The operator that updates an existing diorama from another depth map, another photo or a new estimate."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy
from bpy_extras.io_utils import ImportHelper

from ...core.errors import DioramaError
from ...core.raster.open_picture import PHOTO_ENDINGS
from ..scene.root import find_root
from .import_photo import DEPTH_ENDINGS
from .properties import OF_ONE_PHOTO, POPUP_ROWS, draw_options
from .rebuild import Rebuilding


class UpdateFrom(Rebuilding, bpy.types.Operator, ImportHelper):
    """Update the selected diorama from another depth map, another version of its photo or a fresh estimate of its depth.
    Places, materials, camera, constraints, animation and modifiers stay"""

    bl_idname = "photo_diorama.update_from"
    bl_label = "Update Diorama"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        name="From",
        description="What the diorama is updated from",
        items=[
            ("DEPTH", "Depth Map", "Another depth map of the same photo"),
            ("PHOTO", "Photo", "Another version of the photo: retouched, graded, larger"),
            ("ESTIMATE", "Estimate", "No depth map: what the photo carries, or the chosen estimator"),
        ],
        options={"SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(
        default=";".join("*" + ending for ending in (*PHOTO_ENDINGS, *DEPTH_ENDINGS)),
        options={"HIDDEN", *OF_ONE_PHOTO},
    )

    def invoke(self, context, event):
        self.fill_in_options(find_root(context.object))
        self._in_thread = not bpy.app.background
        if bpy.app.background or self.what == "ESTIMATE":
            return self.execute_in_thread(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context):
        self.layout.prop(self, "what")
        draw_options(self.layout, self, POPUP_ROWS - 1)

    def prepare(self, context):
        if self.what == "ESTIMATE":
            self.depth = ""
        elif not self.filepath:
            raise DioramaError("No file was chosen; pick a depth map or another version of the photo.")
        else:
            setattr(self, "depth" if self.what == "DEPTH" else "photo", self.filepath)
        return super().prepare(context)


register, unregister = bpy.utils.register_classes_factory((UpdateFrom,))
