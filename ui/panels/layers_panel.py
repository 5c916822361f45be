"""The sidebar's list of a diorama's layers, and their operators."""

import bpy

from ...operators.building.update_from import UpdateFrom
from ...operators.depth.layers import (
    DeleteLayer,
    DuplicateLayer,
    JoinLayer,
    SelectLayer,
    ShowInvented,
    SplitLayer,
    TintInvented,
    is_invented,
)
from ...operators.layers.cards import LayOnCard, card_of, card_role
from ...operators.layers.update_layers import RestoreLayers, UpdateLayers
from ...operators.layers.watch_layers import WatchLayers, watched
from ...operators.repaint.restore_textures import RestoreTextures
from ...operators.scene.keys import LAYER_EDITS_KEY, LAYER_FILE_KEY
from ...operators.scene.root import find_root, kept_source
from ...operators.scene.surfaces import find_surfaces
from ...operators.scene.tint import TINT_KEY
from .tab import DioramaPanel


class PHOTO_DIORAMA_PT_layers(DioramaPanel, bpy.types.Panel):
    """The surfaces of the selected diorama: select, hide, split, duplicate, tint"""

    bl_idname = "PHOTO_DIORAMA_PT_layers"
    bl_label = "Layers"
    bl_order = 4

    def draw(self, context):
        layout, root = self.layout, find_root(context.object)
        draw_list(layout, root, context.object)
        row = layout.row(align=True)
        split = row.operator(SplitLayer.bl_idname, text="Split Region", icon="MOD_BOOLEAN")
        split.by = "REGION"
        split = row.operator(SplitLayer.bl_idname, text="Split Distance", icon="DRIVER_DISTANCE")
        split.by, split.far = "RANGE", middle_of(root)
        row = layout.row(align=True)
        row.operator(DuplicateLayer.bl_idname, text="Duplicate", icon="DUPLICATE")
        row.operator(JoinLayer.bl_idname, text="Join", icon="SELECT_EXTEND")
        row.operator(DeleteLayer.bl_idname, text="", icon="TRASH")
        draw_card(layout, root, context.object)
        layout.label(text="Invented")
        row = layout.row(align=True)
        seen = any(is_invented(ob) and not ob.hide_viewport for ob in find_surfaces(root))
        row.operator(ShowInvented.bl_idname, text="Hide" if seen else "Show", icon="HIDE_ON" if seen else "HIDE_OFF").show = not seen
        tinted = TINT_KEY in root
        row.operator(TintInvented.bl_idname, text="Take Tint Off" if tinted else "Tint", icon="OVERLAY").show = not tinted
        draw_update(layout, root)
        layout.operator(RestoreTextures.bl_idname, text="Restore Painted Textures", icon="LOOP_BACK")
        if LAYER_EDITS_KEY in root:
            layout.operator(RestoreLayers.bl_idname, text="Restore Surfaces", icon="LOOP_BACK")
        layout.label(text="Update From")
        row = layout.row(align=True)
        for what, name, icon in (
            ("DEPTH", "New Depth", "IMAGE_ZDEPTH"),
            ("PHOTO", "New Photo", "IMAGE_DATA"),
            ("ESTIMATE", "New Estimate", "FILE_REFRESH"),
        ):
            row.operator(UpdateFrom.bl_idname, text=name, icon=icon).what = what


def draw_card(layout, root, active) -> None:
    """Whether the active layer is on a card, where it can be."""
    role = card_role(active)
    if not role:
        return
    row, now = layout.row(align=True), card_of(root, role)
    row.label(text="Card")
    for card, name in (("SURFACE", "None"), ("FLAT", "Flat"), ("CURVED", "Curved")):
        row.operator(LayOnCard.bl_idname, text=name, depress=card == now).card = card


def draw_update(layout, root) -> None:
    """Layers from a file, and whether it is watched."""
    layout.operator(UpdateLayers.bl_idname, text="Update Layers From", icon="IMPORT")
    if LAYER_FILE_KEY in root:
        watching = watched.get(root.name)
        icon = "HIDE_OFF" if watching else "HIDE_ON"
        layout.operator(WatchLayers.bl_idname, text="Watch That File", icon=icon, depress=watching is not None).watch = watching is None
        if watching and watching.trouble:
            layout.label(text=watching.trouble, icon="ERROR")


def draw_list(layout, root, active) -> None:
    """A row for each layer: its name, and whether viewport and renders show it."""
    rows = layout.column(align=True)
    for ob in sorted(find_surfaces(root), key=lambda ob: ob.name):
        row = rows.row(align=True)
        icon = "RADIOBUT_ON" if ob == active else "RADIOBUT_OFF"
        row.operator(SelectLayer.bl_idname, text=ob.name.removeprefix(root.name).strip() or ob.name, icon=icon).name = ob.name
        row.prop(ob, "hide_viewport", text="")
        row.prop(ob, "hide_render", text="")


def middle_of(root) -> float:
    """A default distance: that of the photo's middle."""
    try:
        return float(kept_source(root)["focus_m"])
    except (KeyError, TypeError, ValueError):
        return 2.0


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_layers,))
