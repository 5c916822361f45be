"""The depth that a diorama uses now as a file for other programs, and its edit from there."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial
from pathlib import Path

import bpy

from ...core.depth_file.depth_for_editing import ENDINGS, encode_depth
from ...core.edit_and_rebuild import Changed, current_depth, take_edited_depth
from ...core.errors import DioramaError
from ...core.layer_files.write_layers import write_folder
from ..scene.depth_image import stored_edit
from ..scene.root import find_root
from .change_region import OnDepth, build_property

GLOB = ";".join(f"*{ending}" for ending in ENDINGS)


class ExportDepth(OnDepth, bpy.types.Operator):
    """Write the depth that this diorama uses now, with what was edited: 16-bit PNG (near is white), or distances in metres as OpenEXR or
    TIFF. Take Edited Depth brings it back"""

    bl_idname = "photo_diorama.export_depth"
    bl_label = "Export Depth"
    bl_options = set()

    filepath: bpy.props.StringProperty(name="File", description="PNG, OpenEXR or TIFF, by its ending", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default=GLOB, options={"HIDDEN"}, description="Files shown")
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Warn before a file is replaced")

    def invoke(self, context, event):
        self._in_thread = not bpy.app.background
        if not self.properties.is_property_set("filepath"):
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / f"{find_root(context.object).name} depth.png")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def prepare(self, context):
        root, source = self.begin(context)
        self._path = Path(bpy.path.abspath(self.filepath))
        if self._path.suffix.lower() not in ENDINGS:
            raise DioramaError(f'"{self._path.name}" has no ending for depth; use {", ".join(ENDINGS[:-1])}.')
        return partial(current_depth, source, stored_edit(root))

    def finish(self, context, changed: Changed):
        data = encode_depth(changed.edit.edited, self._path.suffix.lower())
        write_folder(self._path.parent, [(self._path.name, data)])
        height, width = changed.edit.edited.shape
        self.report({"INFO"}, f"{width}x{height} pixels of depth in {self._path}.")


class TakeEditedDepth(OnDepth, bpy.types.Operator):
    """Take the depth back that Export Depth wrote and another program changed, as an edit that Restore Original undoes"""

    bl_idname = "photo_diorama.take_edited_depth"
    bl_label = "Take Edited Depth"

    filepath: bpy.props.StringProperty(name="File", description="A file of Export Depth", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default=GLOB, options={"HIDDEN"}, description="Files shown")
    build: build_property()

    def invoke(self, context, event):
        if self.properties.is_property_set("filepath") and self.filepath:
            return self.execute_in_thread(context)
        self._in_thread = not bpy.app.background
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def prepare(self, context):
        if not self.filepath:
            raise DioramaError("No file was chosen; choose one that Export Depth wrote.")
        root, source = self.begin(context)
        return partial(take_edited_depth, source, stored_edit(root), Path(bpy.path.abspath(self.filepath)), self.build)


register, unregister = bpy.utils.register_classes_factory((ExportDepth, TakeEditedDepth))
