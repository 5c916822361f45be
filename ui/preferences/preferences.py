"""The extension's preferences: where models are kept, how options start, and whether photos can be dropped."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import dataclasses

import bpy

from ...core.threads import ThreadSettings, use_threads
from ...operators.building.properties import PhotoDioramaDefaults, declare, draw_options
from ...operators.building.user_preferences import EXTENSION, models_folder, preferences
from ..drop import set_drop
from . import user_torch
from .model_list import draw_models, propose_shared_models


def threads_property():
    """A declared property, as core declares its option."""
    return declare(dataclasses.fields(ThreadSettings), update=lambda self, context: use_threads(self.threads))["threads"]


class PhotoDioramaPreferences(bpy.types.AddonPreferences):
    """Shown in Blender's preferences below the extension"""

    bl_idname = EXTENSION

    models_folder: bpy.props.StringProperty(
        name="Models Folder",
        description="Folder of downloaded networks; empty: the extension's own folder",
        subtype="DIR_PATH",
    )
    drop_photos: bpy.props.BoolProperty(
        name="Drop Photos on the Viewport",
        description="Offer a diorama when an image is dropped; Blender then asks each time how to use the image",
        default=False,
        update=lambda self, context: set_drop(self.drop_photos),
    )
    torch_folder: bpy.props.StringProperty(
        name="Own PyTorch",
        description="Site-packages folder with your own PyTorch, such as a CUDA build for an NVIDIA graphics card; "
        "empty: the one in the extension",
        subtype="DIR_PATH",
        update=lambda self, context: user_torch.apply(self.torch_folder),
    )
    threads: threads_property()
    defaults: bpy.props.PointerProperty(type=PhotoDioramaDefaults)

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "models_folder", placeholder=str(models_folder(context)))
        if not self.models_folder:
            propose_shared_models(layout)
        layout.prop(self, "drop_photos")
        layout.prop(self, "torch_folder")
        user_torch.draw_state(layout)
        layout.prop(self, "threads")
        layout.separator()
        draw_models(layout, context)
        layout.separator()
        layout.label(text="Default options")
        draw_options(layout, self.defaults)


def register() -> None:
    bpy.utils.register_class(PhotoDioramaPreferences)
    known = preferences(bpy.context)
    user_torch.apply(known.torch_folder if known else "")
    use_threads(known.threads if known else 0)


def unregister() -> None:
    user_torch.apply("")
    use_threads(0)
    bpy.utils.unregister_class(PhotoDioramaPreferences)
