"""The sidebar's sliders for the relief of the selected diorama."""

import bpy

from ...operators.light.relief import BakeRelief, ResetRelief
from ...operators.nodes.relief_sliders import KEYS, has_relief
from ...operators.scene.root import find_root
from .tab import DioramaPanel

SHORT = {"Near Distance": "Near", "Far Distance": "Far", "Focus Distance": "Focus", "Flatten Beyond": "Flat Beyond"}
"""Names that a narrow sidebar does not cut."""


class PHOTO_DIORAMA_PT_relief(DioramaPanel, bpy.types.Panel):
    """Depth of the selected diorama; the photo's own camera sees the same picture for every setting"""

    bl_idname = "PHOTO_DIORAMA_PT_relief"
    bl_label = "Relief"
    bl_order = 2

    def draw(self, context):
        layout, root = self.layout, find_root(context.object)
        layout.use_property_split = True
        if not has_relief(root):
            layout.label(text="Rebuild this diorama to get sliders", icon="INFO")
        else:
            column = layout.column(align=True)
            for key, name in KEYS.items():
                column.prop(root, f'["{key}"]', text=SHORT.get(name, name))
        layout.prop(root, "photo_diorama_world_scale")
        row = layout.row(align=True)
        row.operator(ResetRelief.bl_idname, icon="LOOP_BACK")
        row.operator(BakeRelief.bl_idname, icon="MESH_DATA")


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_relief,))
