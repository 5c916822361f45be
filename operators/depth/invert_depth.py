"""The button for a diorama that came out inside out: near and far exchanged, and built anew."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy

from ..building.rebuild import Rebuilding
from ..scene.root import kept_settings


class InvertDepth(Rebuilding, bpy.types.Operator):
    """Exchange near and far in the selected diorama and rebuild it; press again to undo"""

    bl_idname = "photo_diorama.invert_depth"
    bl_label = "Invert Depth"
    bl_options = {"REGISTER", "UNDO"}

    def fill_in_options(self, root):
        if not self.properties.is_property_set("invert_depth"):
            self.invert_depth = not kept_settings(root).get("invert_depth", False)
        super().fill_in_options(root)


def register() -> None:
    bpy.utils.register_class(InvertDepth)


def unregister() -> None:
    bpy.utils.unregister_class(InvertDepth)
