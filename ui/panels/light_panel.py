"""The sidebar's light box: ground, shadows on the photo, holdout and depth of field of the selected diorama."""

from __future__ import annotations

import bpy

from ...operators.camera.depth_of_field import DepthOfField
from ...operators.light.ground import FindGround
from ...operators.light.light import Holdout, ShadowCatcher, catching, is_held_out
from ...operators.scene.root import find_root, objects_by_role
from .tab import DioramaPanel


class PHOTO_DIORAMA_PT_light(DioramaPanel, bpy.types.Panel):
    """Light, shadow and focus of the selected diorama"""

    bl_idname = "PHOTO_DIORAMA_PT_light"
    bl_label = "Light and Shadow"
    bl_order = 5

    def draw(self, context):
        layout, root = self.layout, find_root(context.object)
        layout.operator(FindGround.bl_idname, icon="EMPTY_ARROWS")
        method = catching(root)
        column = layout.column(align=True)
        text = "Match Light Again" if method == "PHOTO" else "Catch Shadows"
        column.operator(ShadowCatcher.bl_idname, text=text, icon="LIGHT_SUN").method = "PHOTO"
        if method == "NONE":
            button = column.operator(ShadowCatcher.bl_idname, text="Catch for Compositing", icon="NODE_COMPOSITING")
            button.method = "COMPOSITE"
        else:
            column.operator(ShadowCatcher.bl_idname, text="Catch Nothing", icon="X").method = "NONE"
        held = is_held_out(root)
        text, icon = ("Show Again", "HOLDOUT_ON") if held else ("Holdout", "HOLDOUT_OFF")
        layout.operator(Holdout.bl_idname, text=text, icon=icon)
        camera = objects_by_role(root).get("camera")
        if camera is None or camera.type != "CAMERA":
            return
        column = layout.column(align=True)
        for focus, text, icon in FOCUSES:
            column.operator(DepthOfField.bl_idname, text=text, icon=icon).focus = focus
        if camera.data.dof.use_dof:
            column.prop(camera.data.dof, "aperture_fstop")
            column.operator(DepthOfField.bl_idname, text="All Sharp", icon="X").focus = "OFF"


FOCUSES = (
    ("POINT", "Focus: Pick", "EYEDROPPER"),
    ("OBJECT", "Focus: Object", "OBJECT_DATA"),
    ("MIDDLE", "Focus: Middle", "PIVOT_MEDIAN"),
)


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_light,))
