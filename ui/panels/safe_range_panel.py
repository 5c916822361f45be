"""The sidebar's safe range box: the measured range, measuring, and the tilt preview."""

import bpy

from ...operators.camera.safe_range import FitMove, MeasureSafeRange, is_current, measured_range
from ...operators.camera.tilt_preview import TiltPreview
from ...operators.scene.root import find_root, world_scale
from .tab import DioramaPanel


class PHOTO_DIORAMA_PT_safe_range(DioramaPanel, bpy.types.Panel):
    """How far the selected diorama's camera may move before gaps show"""

    bl_idname = "PHOTO_DIORAMA_PT_safe_range"
    bl_label = "Safe Range"
    bl_order = 6

    def draw(self, context):
        layout, root = self.layout, find_root(context.object)
        found = measured_range(root)
        if found is not None:
            scale = world_scale(root)
            rows = layout.column(align=True)
            for name, one, other in (("Left, right", found.left, found.right), ("Down, up", found.down, found.up),
                                     ("Back, forward", found.back, found.forward)):  # fmt: skip
                row = rows.split(factor=0.45)
                row.label(text=name)
                row.label(text=f"{one * scale:.3g} m, {other * scale:.3g} m")
            if not is_current(root):
                layout.label(text="The diorama has changed since", icon="ERROR")
        layout.operator(MeasureSafeRange.bl_idname, icon="CUBE")
        layout.operator(FitMove.bl_idname, icon="FULLSCREEN_EXIT")
        layout.operator(TiltPreview.bl_idname, icon="VIEW_PAN")


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_safe_range,))
