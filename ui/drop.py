"""Photos dropped on the viewport; optional, since every dropped image then opens a choice."""

from __future__ import annotations

import bpy

from ..core.raster.open_picture import PHOTO_ENDINGS
from ..operators.building.import_photo import ImportPhoto
from ..operators.building.user_preferences import preferences


class PHOTO_DIORAMA_FH_photo(bpy.types.FileHandler):
    """Makes a diorama of a dropped photo, beside Blender's own choices (empty image, camera background)"""

    bl_idname = "PHOTO_DIORAMA_FH_photo"
    bl_label = "Photo as Diorama"
    bl_import_operator = ImportPhoto.bl_idname
    bl_file_extensions = ";".join(PHOTO_ENDINGS)

    @classmethod
    def poll_drop(cls, context):
        return context.area is not None and context.area.type == "VIEW_3D"


def set_drop(wanted: bool) -> None:
    """Registers or unregisters the handler."""
    if wanted and not PHOTO_DIORAMA_FH_photo.is_registered:
        bpy.utils.register_class(PHOTO_DIORAMA_FH_photo)
    elif not wanted and PHOTO_DIORAMA_FH_photo.is_registered:
        bpy.utils.unregister_class(PHOTO_DIORAMA_FH_photo)


def register() -> None:
    known = preferences(bpy.context)
    set_drop(known is not None and known.drop_photos)


def unregister() -> None:
    set_drop(False)
