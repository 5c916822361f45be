"""The menu entries: File > Import and Add > Image."""

from __future__ import annotations

import bpy

from ..operators.building.import_photo import ImportPhoto

MENUS = ("TOPBAR_MT_file_import", "VIEW3D_MT_image_add")


def draw_entry(self, context) -> None:
    self.layout.operator(ImportPhoto.bl_idname, text="Photo as Diorama", icon="IMAGE_DATA")


def register() -> None:
    for name in MENUS:
        getattr(bpy.types, name).append(draw_entry)


def unregister() -> None:
    for name in MENUS:
        getattr(bpy.types, name).remove(draw_entry)
