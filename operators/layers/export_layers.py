"""Writes every surface of a diorama as a layer in the photo's own frame, with what was painted on it."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial
from pathlib import Path

import bpy

from ...core.edit_and_rebuild import build_from
from ...core.errors import DioramaError
from ...core.layer_changes.clean_plates import ANSWERS, plate_files
from ...core.layer_changes.clean_plates import INDEX as PLATES
from ...core.layer_changes.update_layers import Painted
from ...core.layer_files.png_folder import INDEX
from ...core.layer_files.write_layers import check_ending, is_folder, write_folder, write_layer_file
from ...core.layer_pictures import make_layer_file
from ...core.mesh.texture_layout import PaintedTexels, carry_over
from ...core.pipeline import Diorama, Progress
from ..building.build_operator import BuildOperator
from ..depth.change_region import stored_source
from ..on_diorama import OnDiorama
from ..repaint.painted import find_all_paint
from ..scene.depth_image import stored_edit
from ..scene.root import find_root

FORMATS = {
    "FOLDER": ("", "PNG Folder", "A folder of PNGs with an index, for any program and for scripts"),
    "PSD": (".psd", "Photoshop (.psd)", "One document for Photoshop, Krita, GIMP and Affinity"),
    "ORA": (".ora", "OpenRaster (.ora)", "One document for Krita, GIMP and MyPaint"),
    "EXR": (".exr", "OpenEXR (.exr)", "One linear file of layers with distances, for Nuke, Fusion and Blender"),
}
"""Ending, name and meaning."""


class ExportLayers(OnDiorama, BuildOperator, bpy.types.Operator):
    """Write each surface of this diorama as a layer in the photo's frame, with depth and a mask of what was invented,
    for programs that paint and composite"""

    bl_idname = "photo_diorama.export_layers"
    bl_label = "Export Layers"

    filepath: bpy.props.StringProperty(name="File", description="The file that the layers go to", subtype="FILE_PATH")
    directory: bpy.props.StringProperty(name="Folder", description="The folder that the pictures go to", subtype="DIR_PATH")
    format: bpy.props.EnumProperty(
        items=[(key, name, meaning) for key, (_, name, meaning) in FORMATS.items()], name="Format", description="Kind of file"
    )
    overwrite: bpy.props.BoolProperty(name="Overwrite", description="Replace the pictures that are in the folder", default=False)
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Folders are shown")
    filter_glob: bpy.props.StringProperty(default="*.psd;*.ora;*.exr", options={"HIDDEN"}, description="Files shown")
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Warn before a file is replaced")

    def invoke(self, context, event):
        self._in_thread = not bpy.app.background
        if not self.properties.is_property_set("filepath"):
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / f"{find_root(context.object).name}{FORMATS[self.format][0]}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context):
        """Blender's file browser: the name's ending follows the format."""
        path, ending = Path(self.filepath), FORMATS[self.format][0]
        kept = path.with_suffix("") if path.suffix.lower() in {each for each, *_ in FORMATS.values()} else path
        changed = str(kept) + ending != self.filepath
        self.filepath = str(kept) + ending
        return changed

    def draw(self, context):
        self.layout.prop(self, "format")
        if self.format == "FOLDER":
            self.layout.prop(self, "overwrite")

    def _target(self) -> Path:
        """The file, or the folder of that name; without a name the folder itself."""
        if not Path(self.filepath).name:
            if not self.directory:
                raise DioramaError("No file was chosen; choose a file or a folder for the layers.")
            return Path(bpy.path.abspath(self.directory))
        named, ending = Path(bpy.path.abspath(self.filepath)), FORMATS[self.format][0]
        return named.with_name(named.name + ending) if ending and is_folder(named) else named

    def prepare(self, context):
        root = find_root(context.object)
        self._path = self._target()
        check_ending(self._path)
        if is_folder(self._path) and not self.overwrite and (self._path / INDEX).exists():
            raise DioramaError(f"{self._path} holds layers already; choose another folder or tick Overwrite.")
        source = stored_source(context, root)
        self._painted = find_all_paint(root, source.photo)
        return partial(build_from, source, stored_edit(root))

    def finish(self, context, built: Diorama):
        file = make_layer_file(built, _carried(self._painted, built))
        write_layer_file(self._path, file)
        where = f"front first in {INDEX}" if is_folder(self._path) else "the front one on top"
        self.report({"INFO"}, f"{len(file.layers)} layers in {self._path}, {where}.")


class ExportPlates(OnDiorama, BuildOperator, bpy.types.Operator):
    """Write for each invented layer the picture and the mask (hole white) that inpainting programs take. Their answers, saved in the
    folder "filled", come back with Update Layers From and the folder's plates.json"""

    bl_idname = "photo_diorama.export_plates"
    bl_label = "Export Clean Plates"

    directory: bpy.props.StringProperty(name="Folder", description="The folder that the plates go to", subtype="DIR_PATH")
    layer: bpy.props.StringProperty(name="Layer", description='The only layer to write, "hidden 1" for one; empty: all that are invented')
    overwrite: bpy.props.BoolProperty(name="Overwrite", description="Replace the plates that are in the folder", default=False)
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Folders are shown")

    def invoke(self, context, event):
        self._in_thread = not bpy.app.background
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def prepare(self, context):
        root = find_root(context.object)
        if not self.directory:
            raise DioramaError("No folder was chosen; choose one for the plates.")
        self._path = Path(bpy.path.abspath(self.directory))
        if not self.overwrite and (self._path / PLATES).exists():
            raise DioramaError(f"{self._path} holds plates already; choose another folder or tick Overwrite.")
        source = stored_source(context, root)
        self._painted = find_all_paint(root, source.photo)
        return partial(build_from, source, stored_edit(root))

    def finish(self, context, built: Diorama):
        files = write_folder(self._path, plate_files(built, _carried(self._painted, built), self.layer))
        self.report({"INFO"}, f"{len(files) // 2} pictures with their masks in {self._path}; fill them into {ANSWERS}.")


def _carried(painted: Painted, built: Diorama) -> dict[str, PaintedTexels]:
    """What was painted on the textures, carried over to those of a build."""
    layouts = built.mesh.layouts
    return {role: carry_over(texels, layout, layouts[role])[0] for role, (texels, layout) in painted.items() if role in layouts}


def built_in_scene(context: bpy.types.Context, root: bpy.types.Object, progress: Progress) -> tuple[Diorama, dict[str, PaintedTexels]]:
    """A diorama as it is, with its edits, and what was painted on its textures. Raises as a build does."""
    source = stored_source(context, root)
    built = build_from(source, stored_edit(root), progress)
    return built, _carried(find_all_paint(root, source.photo), built)


register, unregister = bpy.utils.register_classes_factory((ExportLayers, ExportPlates))
