"""The sidebar's depth box of the selected diorama: painting, regions, and restoring the original."""

import bpy

from ...operators.depth.brushes import DepthBrush
from ...operators.depth.change_region import FlattenDepth, MoveDepth, PushDepth, RestoreDepth, SameDepth, SmoothDepth
from ...operators.depth.click_region import SelectByClick
from ...operators.depth.exchange_depth import ExportDepth, TakeEditedDepth
from ...operators.depth.paint_depth import EditDepth, FillMask, PaintMask
from ...operators.depth.pick_depth import PickDepth
from ...operators.scene.depth_image import EDITED_KEY, MASK_KEY, stored_image
from ...operators.scene.root import find_root
from .tab import DioramaPanel


class PHOTO_DIORAMA_PT_depth(DioramaPanel, bpy.types.Panel):
    """Edit the depth of the selected diorama; the original depth is kept"""

    bl_idname = "PHOTO_DIORAMA_PT_depth"
    bl_label = "Depth"
    bl_order = 3

    def draw(self, context):
        root = find_root(context.object)
        draw_painting(self.layout, root)
        draw_regions(self.layout, root, context)
        row = self.layout.row(align=True)
        row.operator(RestoreDepth.bl_idname, text="Restore Original", icon="LOOP_BACK").where = "ALL"


def draw_painting(layout, root) -> None:
    layout.label(text="Paint Depth")
    row = layout.row(align=True)
    row.operator(EditDepth.bl_idname, text="Depth as Image", icon="IMAGE_DATA").target = "IMAGE"
    row.operator(EditDepth.bl_idname, text="Depth on Photo", icon="TPAINT_HLT").target = "PAINT"
    row = layout.row(align=True)
    row.operator(ExportDepth.bl_idname, icon="EXPORT")
    row.operator(TakeEditedDepth.bl_idname, text="Take Back", icon="IMPORT")
    row = layout.row(align=True)
    row.enabled = stored_image(root, EDITED_KEY) is not None
    row.operator(DepthBrush.bl_idname, text="Brush Nearer", icon="ADD").kind = "NEARER"
    row.operator(DepthBrush.bl_idname, text="Brush Farther", icon="REMOVE").kind = "FARTHER"


def draw_regions(layout, root, context) -> None:
    layout.label(text="Region")
    layout.operator(SelectByClick.bl_idname, icon="RESTRICT_SELECT_OFF")
    row = layout.row(align=True)
    row.operator(PaintMask.bl_idname, text="Mask as Image", icon="IMAGE_ALPHA").target = "IMAGE"
    row.operator(PaintMask.bl_idname, text="Mask on Photo", icon="MOD_MASK").target = "PAINT"
    row = layout.row(align=True)
    row.enabled = stored_image(root, MASK_KEY) is not None
    row.operator(DepthBrush.bl_idname, text="Add to Mask", icon="ADD").kind = "MASK"
    row.operator(DepthBrush.bl_idname, text="Erase Mask", icon="REMOVE").kind = "UNMASK"
    row.operator(FillMask.bl_idname, text="", icon="ARROW_LEFTRIGHT").content = "INVERTED"
    row.operator(FillMask.bl_idname, text="", icon="X").content = "NOTHING"
    if context.mode == "EDIT_MESH":
        layout.operator(FillMask.bl_idname, text="Mask from Selection", icon="FACESEL").content = "SELECTION"
    column = layout.column(align=True)
    column.operator(FlattenDepth.bl_idname, icon="MESH_PLANE")
    row = column.row(align=True)
    row.operator(PushDepth.bl_idname, text="Push Behind", icon="MOD_OPACITY").side = "BEHIND"
    row.operator(PushDepth.bl_idname, text="In Front").side = "FRONT"
    row = column.row(align=True)
    row.operator(SameDepth.bl_idname, icon="PIVOT_CURSOR").of = "FACE" if context.mode == "EDIT_MESH" else "CURSOR"
    row.operator(PickDepth.bl_idname, text="", icon="EYEDROPPER")
    row = column.row(align=True)
    row.operator(MoveDepth.bl_idname, text="Move Nearer", icon="TRIA_UP").amount = 0.05
    row.operator(MoveDepth.bl_idname, text="Move Farther", icon="TRIA_DOWN").amount = -0.05
    row = column.row(align=True)
    row.operator(SmoothDepth.bl_idname, text="Smooth", icon="MOD_SMOOTH")
    row.operator(RestoreDepth.bl_idname, text="Restore Region", icon="LOOP_BACK").where = "REGION"


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_depth,))
