"""The list of networks in the preferences: purpose, size, licence, state, and buttons to download or remove."""

from __future__ import annotations

import bpy

from ...core.models import store as models
from ...operators.building.model_files import DownloadModel, ImportModel, RemoveModel, ShareModels
from ...operators.building.user_preferences import models_folder, shared_models_folder

USABLE = ("installed", "unchecked")


def propose_shared_models(layout: bpy.types.UILayout) -> None:
    """What the extension's own folder means, and a button for one that all versions of Blender share."""
    line = layout.row()
    line.label(text=f"Of this Blender version alone, and removed with the extension. All could share {shared_models_folder()}")
    line.operator(ShareModels.bl_idname)


def draw_models(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """A row per network; it says where commercial use is not allowed."""
    folder = models_folder(context)
    best = models.best_estimator(folder)
    layout.label(text=f"Photos without depth: {best.key if best else 'the built-in network'}", icon="OUTLINER_OB_IMAGE")
    column = layout.column()
    for row in models.list_models(folder):
        line = column.row(align=True)
        line.label(text=row.key, icon="CHECKMARK" if row.state in USABLE else "BLANK1")
        line.label(text=f"{row.bytes / 1e6:,.0f} MB, {row.licence}{'' if row.commercial else ' (not commercial)'}")
        buttons = line.row(align=True)
        if row.state in USABLE:
            buttons.operator(RemoveModel.bl_idname, text="", icon="TRASH").key = row.key
        else:
            buttons.operator(DownloadModel.bl_idname, text="", icon="IMPORT").key = row.key
            buttons.operator(ImportModel.bl_idname, text="", icon="FILEBROWSER").key = row.key
        about = column.row()
        about.active = False
        cut = f" (cut off after {row.bytes_on_disk / 1e6:,.0f} MB; a download goes on from there)" if row.state == "partial" else ""
        about.label(text=row.purpose + cut, icon="BLANK1")
