"""The sidebar's export box and the menu entry: the selected diorama for other programs."""

from __future__ import annotations

import bpy

from ...operators.layers.export_layers import ExportLayers, ExportPlates
from ...operators.output.export_diorama import FORMATS, ExportDiorama
from ...operators.scene.root import find_root
from .tab import DioramaPanel


class PHOTO_DIORAMA_PT_export(DioramaPanel, bpy.types.Panel):
    """Export the selected diorama to other programs, with layers and textures"""

    bl_idname = "PHOTO_DIORAMA_PT_export"
    bl_label = "Export"
    bl_order = 8

    def draw(self, context):
        row = self.layout.row(align=True)
        for name in FORMATS:
            row.operator(ExportDiorama.bl_idname, text=name).format = name
        row = self.layout.row(align=True)
        row.operator(ExportLayers.bl_idname, text="Layers", icon="RENDERLAYERS")
        row.operator(ExportPlates.bl_idname, text="Clean Plates", icon="IMAGE_ALPHA")


def draw_entry(self, context) -> None:
    if find_root(context.object) is not None:
        self.layout.operator(ExportDiorama.bl_idname, text="Photo Diorama (.glb/.usdc/.abc/.obj/.ply)")


def register() -> None:
    bpy.utils.register_class(PHOTO_DIORAMA_PT_export)
    bpy.types.TOPBAR_MT_file_export.append(draw_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(draw_entry)
    bpy.utils.unregister_class(PHOTO_DIORAMA_PT_export)
