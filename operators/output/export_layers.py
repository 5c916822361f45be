"""Writes every surface of a diorama as a picture in the photo's own frame, with what was painted on it."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial
from pathlib import Path

import bpy

from ...core.edit_and_rebuild import build_from
from ...core.errors import DioramaError
from ...core.layer_files.png_folder import INDEX
from ...core.layer_files.write_layers import write_layer_file
from ...core.layer_pictures import layer_file_of
from ...core.mesh.texture_layout import carry_over
from ...core.pipeline import Diorama
from ..building.build_operator import BuildOperator
from ..depth.change_region import source_on
from ..on_diorama import OnDiorama
from ..repaint.painted import find_paint
from ..scene.depth_image import edit_on
from ..scene.root import find_root
from ..scene.surfaces import images_of


class ExportLayers(OnDiorama, BuildOperator, bpy.types.Operator):
    """Write each surface of this diorama as a picture in the photo's frame, with depth and a mask of what was invented,
    for programs that paint and composite"""

    bl_idname = "photo_diorama.export_layers"
    bl_label = "Export Layers"

    directory: bpy.props.StringProperty(name="Folder", description="The folder that the pictures go to", subtype="DIR_PATH")
    overwrite: bpy.props.BoolProperty(name="Overwrite", description="Replace the pictures that are in the folder", default=False)
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Folders are shown")

    def invoke(self, context, event):
        self._in_thread = not bpy.app.background
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def prepare(self, context):
        root = find_root(context.object)
        if not self.directory:
            raise DioramaError("No folder was chosen; choose one for the pictures.")
        self._folder = Path(bpy.path.abspath(self.directory))
        if not self.overwrite and (self._folder / INDEX).exists():
            raise DioramaError(f"{self._folder} holds layers already; choose another folder or tick Overwrite.")
        source = source_on(context, root)
        self._painted = {role: paint for role, image in images_of(root).items() if (paint := find_paint(image, source.photo))}
        return partial(build_from, source, edit_on(root))

    def finish(self, context, built: Diorama):
        painted = {
            role: carry_over(paint.texels, paint.layout, built.mesh.layouts[role])[0]
            for role, paint in self._painted.items()
            if paint.layout is not None and role in built.mesh.layouts
        }
        file = layer_file_of(built, painted)
        write_layer_file(self._folder, file)
        self.report({"INFO"}, f"{len(file.layers)} layers in {self._folder}, front first in {INDEX}.")


register, unregister = bpy.utils.register_classes_factory((ExportLayers,))
