"""The sidebar's camera box: a button for each move, and the focus object."""

from __future__ import annotations

import bpy

from ...core.camera.framing import describe_framing
from ...core.camera.moves import MOVES
from ...operators.camera.apply_move import ApplyMove
from ...operators.camera.camera_lines import CameraFromLines
from ...operators.camera.line_length import LineLength
from ...operators.scene.camera_moves import framing_factor
from ...operators.scene.root import find_root, kept_settings, objects_by_role
from .tab import DioramaPanel


class PHOTO_DIORAMA_PT_camera(DioramaPanel, bpy.types.Panel):
    """Moves of the selected diorama's camera"""

    bl_idname = "PHOTO_DIORAMA_PT_camera"
    bl_label = "Camera"
    bl_order = 6

    def draw(self, context):
        layout, root = self.layout, find_root(context.object)
        layout.operator(CameraFromLines.bl_idname, icon="EMPTY_AXIS")
        layout.operator(LineLength.bl_idname, icon="DRIVER_DISTANCE")
        layout.prop(root, "photo_diorama_focus")
        kept = kept_settings(root)
        moving = kept.get("camera_move", "none")
        column = layout.column(align=True)
        for name in MOVES:
            chosen = "RADIOBUT_ON" if name == moving else "RADIOBUT_OFF"
            button = column.operator(ApplyMove.bl_idname, text=name.replace("-", " ").title(), icon=chosen)
            button.camera_move = name
        if moving != "none":
            column.operator(ApplyMove.bl_idname, text="Stay", icon="X").camera_move = "none"
            layout.label(text=f"{kept.get('frames', 0)} frames, amount {kept.get('move_amount', 1.0):g}")
            layout.label(text="Amount, length and pace: F9 after a click")
            row = layout.row(align=True)
            for name in ("clean", "whole"):
                chosen = "RADIOBUT_ON" if name == kept.get("framing", "clean") else "RADIOBUT_OFF"
                row.operator(ApplyMove.bl_idname, text=f"{name.title()} Frame", icon=chosen).framing = name
            description = describe_framing(framing_factor(objects_by_role(root).get("rig")), kept.get("move_amount", 1.0))
            for part in description.split(", "):
                layout.label(text=part)


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_camera,))
