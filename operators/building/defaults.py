"""Operators that save a scene's options as the user's defaults, and load those."""

from __future__ import annotations

import bpy

from .properties import option_values, set_values
from .user_preferences import default_values, preferences


class SaveDefaults(bpy.types.Operator):
    """Make these options the defaults of File > Import; Load Defaults brings them into other files"""

    bl_idname = "photo_diorama.save_defaults"
    bl_label = "Save as Defaults"

    @classmethod
    def poll(cls, context):
        return preferences(context) is not None

    def execute(self, context):
        set_values(preferences(context).defaults, option_values(context.scene.photo_diorama))
        context.preferences.is_dirty = True  # or Blender would not save them when it quits
        return {"FINISHED"}


class LoadDefaults(bpy.types.Operator):
    """Set all options to your defaults"""

    bl_idname = "photo_diorama.load_defaults"
    bl_label = "Load Defaults"
    bl_options = {"UNDO"}

    def execute(self, context):
        set_values(context.scene.photo_diorama, default_values(context))
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((SaveDefaults, LoadDefaults))
