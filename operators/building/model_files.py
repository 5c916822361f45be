"""Operators that download, import and remove networks; only the download goes online, and only when asked."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import textwrap

import bpy

from ...core.errors import DioramaError
from ...core.job import Work
from ...core.models import store as models
from .build_operator import BuildOperator
from .user_preferences import models_folder, preferences, shared_models_folder

KEY = {"name": "Network", "description": "Its key, as the list in the preferences shows it", "options": {"HIDDEN"}}


class ModelOperator(BuildOperator):
    """Mixin: work on one network's file that may take long; Esc stops it."""

    def prepare(self, context) -> Work:
        wanted, folder = models.weights_named(self.key), models_folder(context)
        return self.work(wanted, folder)

    def execute(self, context):
        self._in_thread = not bpy.app.background
        return super().execute(context)

    def finish(self, context, result: models.InstalledFile) -> None:
        self.report({"INFO"}, result.note)
        redraw_preferences(context)


class DownloadModel(ModelOperator, bpy.types.Operator):
    """Download this network into the models folder; size and licence are shown first, and the file is checked afterwards"""

    bl_idname = "photo_diorama.download_model"
    bl_label = "Download"
    bl_options = {"INTERNAL"}

    key: bpy.props.StringProperty(**KEY)

    @classmethod
    def poll(cls, context):
        if not bpy.app.online_access:
            cls.poll_message_set("Allow Online Access in Blender's Preferences > System > Network first, or import the file")
        return bpy.app.online_access

    def invoke(self, context, event):
        return context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Download")

    def draw(self, context):
        column = self.layout.column(align=True)
        for line in textwrap.wrap(f"{models.describe(models.weights_named(self.key))} It goes to {models_folder(context)}.", 70):
            column.label(text=line)

    def work(self, wanted: models.Weights, folder) -> Work:
        online = bpy.app.online_access
        return lambda progress: models.download(wanted, folder, lambda fraction, text: progress(text, fraction), online)


class ImportModel(ModelOperator, bpy.types.Operator):
    """Copy this network from a file on your disk; it is checked as a download is"""

    bl_idname = "photo_diorama.import_model"
    bl_label = "Import"
    bl_options = {"INTERNAL"}

    key: bpy.props.StringProperty(**KEY)
    filepath: bpy.props.StringProperty(name="File", description="The network's file; its name does not matter", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default="*.pt;*.pth;*.safetensors", options={"HIDDEN"}, description="Files shown")

    def invoke(self, context, event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, wanted: models.Weights, folder) -> Work:
        path = bpy.path.abspath(self.filepath)
        return lambda progress: models.import_file(wanted, path, folder, lambda fraction, text: progress(text, fraction))


class RemoveModel(bpy.types.Operator):
    """Delete this network's file from the models folder"""

    bl_idname = "photo_diorama.remove_model"
    bl_label = "Remove"
    bl_options = {"INTERNAL"}

    key: bpy.props.StringProperty(**KEY)

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context):
        try:
            freed = models.remove(models.weights_named(self.key), models_folder(context))
        except DioramaError as error:
            self.report({"ERROR"}, error.in_window)
            return {"CANCELLED"}
        redraw_preferences(context)
        self.report({"INFO"}, f"{self.key}: {freed / 1e6:,.1f} MB freed" if freed else f"{self.key} was not there")
        return {"FINISHED"}


class ShareModels(bpy.types.Operator):
    """Use one models folder in your home for every version of Blender. The first download creates it; existing files are not moved"""

    bl_idname = "photo_diorama.share_models"
    bl_label = "One Folder for All Versions"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return preferences(context) is not None

    def execute(self, context):
        known, before = preferences(context), models_folder(context)
        known.models_folder = str(shared_models_folder())
        stay = [row.key for row in models.list_models(before) if row.state == "installed"] if before != shared_models_folder() else []
        if stay:
            self.report({"INFO"}, f"{', '.join(stay)} stay in {before}; move the files to {known.models_folder} to use them further")
        redraw_preferences(context)
        return {"FINISHED"}


def redraw_preferences(context) -> None:
    """Redraws the preferences, since Blender does not know that the list of networks has changed."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


register, unregister = bpy.utils.register_classes_factory((DownloadModel, ImportModel, RemoveModel, ShareModels))
