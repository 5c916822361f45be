"""The operator that updates a diorama from a file of layers that came back from another program."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from dataclasses import replace
from functools import partial
from pathlib import Path

import bpy

from ...core.edit_and_rebuild import Source, build_from
from ...core.errors import DioramaError
from ...core.layer_changes.find_changes import Changes
from ...core.layer_changes.update_layers import Updated, update_layers
from ...core.pipeline import Diorama, Progress
from ..building.rebuild import rebuild
from ..depth.change_region import OnDepth, stored_source
from ..repaint.lay_paint import lay_paint
from ..repaint.painted import find_all_paint, secure, take_from_tint
from ..scene.depth_image import stored_edit
from ..scene.keys import LAYER_EDITS_KEY, LAYER_FILE_KEY
from ..scene.root import find_root, keep_layer_edits, source_facts
from ..scene.surfaces import find_images, root_by_name

ENDINGS = (".json", ".psd", ".psb", ".ora", ".exr", ".png", ".webp")


class UpdateLayers(OnDepth, bpy.types.Operator):
    """Update this diorama from its layers as another program saved them, or from somebody else's layers of the same photo:
    colours, outlines and new layers. For a folder of PNGs choose its layers.json"""

    bl_idname = "photo_diorama.update_layers"
    bl_label = "Update Layers From"

    filepath: bpy.props.StringProperty(name="File", description="PSD, OpenRaster, OpenEXR, or layers.json", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default=";".join("*" + each for each in ENDINGS), options={"HIDDEN"})

    def invoke(self, context, event):
        if self.properties.is_property_set("filepath") and self.filepath:
            return self.execute_in_thread(context)
        last = find_root(context.object).get(LAYER_FILE_KEY)
        if isinstance(last, str):
            self.filepath = last
        self._in_thread = not bpy.app.background
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def prepare(self, context):
        if not self.filepath:
            raise DioramaError("No file was chosen; choose a file of layers.")
        root, source = self.begin(context)
        take_from_tint(root)
        self._path = Path(bpy.path.abspath(self.filepath))
        return partial(update_layers, source, stored_edit(root), find_all_paint(root, source.photo), self._path)

    def finish(self, context, updated: Updated):
        root, changes = root_by_name(self._root), updated.changes
        note = show_changes(root, updated, self._source, context.scene)
        if root.get(LAYER_FILE_KEY) != str(self._path):
            root[LAYER_FILE_KEY] = str(self._path)
        what = "; ".join(changes.summary) if changes.summary else "nothing differs from the scene"
        self.report({"INFO"}, f"{self._path.name}: {what}.")
        return " ".join((*changes.notes, note)).strip()


def update_in_scene(context: bpy.types.Context, root: bpy.types.Object, path: Path, progress: Progress) -> tuple[Changes, str]:
    """Updates a diorama without an operator; what the file changes, and a sentence as `show_changes` returns it."""
    source = stored_source(context, root)
    take_from_tint(root)
    updated = update_layers(source, stored_edit(root), find_all_paint(root, source.photo), path, progress)
    return updated.changes, show_changes(root, updated, source, context.scene)


def show_changes(root: bpy.types.Object, updated: Updated, source: Source, scene: bpy.types.Scene) -> str:
    """Puts into a scene what a file changed; returns a sentence on what was painted and has no place any more, or nothing."""
    changes, note = updated.changes, ""
    if updated.rebuilt:
        about = source_facts(updated.built, source.photo, source.depth)
        note = rebuild(root, updated.built, source.settings, about, scene)
        keep_layer_edits(root, changes.edits)
    elif changes.paints:
        secure(find_images(root).values(), source.photo)
    if changes.paints:
        lay_paint(root, changes.paints, source.photo)
    return note


class RestoreLayers(OnDepth, bpy.types.Operator):
    """Take back what files of layers and cards changed in the surfaces: outlines, added layers, cards. What was painted stays"""

    bl_idname = "photo_diorama.restore_layers"
    bl_label = "Restore Surfaces"

    def prepare(self, context):
        root, source = self.begin(context)
        if LAYER_EDITS_KEY not in root:
            raise DioramaError(f"No surface of {root.name} was changed.")
        self._source = replace(source, layer_edits=None)
        return partial(build_from, self._source, stored_edit(root))

    def finish(self, context, built: Diorama):
        root = root_by_name(self._root)
        note = rebuild(root, built, self._source.settings, source_facts(built, self._source.photo, self._source.depth), context.scene)
        keep_layer_edits(root, None)
        return note


register, unregister = bpy.utils.register_classes_factory((UpdateLayers, RestoreLayers))
