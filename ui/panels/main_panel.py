"""The sidebar's first box: photo and options, progress, and facts about the selected diorama."""

from __future__ import annotations

import math
import textwrap

import bpy

from ...core.depth.depth_map import Guess
from ...operators.building import build_operator
from ...operators.building.better_depth import GetBetterDepth, best_free_network, is_wanted
from ...operators.building.defaults import LoadDefaults, SaveDefaults
from ...operators.building.import_photo import ImportPhoto
from ...operators.building.properties import draw_options, option_values, read_settings, set_values
from ...operators.building.rebuild import Rebuild
from ...operators.depth.invert_depth import InvertDepth
from ...operators.scene.root import find_root, kept_source, world_scale
from ...operators.staging.depth_preview import draw_depth_preview
from ...operators.staging.look_through import LookThrough, SetUpScene, looks_through
from .tab import DioramaPanel, TabPanel

NAMES_PART = 0.32  # of the sidebar's width
LETTER_PX = 6.5  # of a letter at a scale of 1, on average


class PHOTO_DIORAMA_PT_import(TabPanel, bpy.types.Panel):
    """Photo, options and the button that makes the diorama"""

    bl_idname = "PHOTO_DIORAMA_PT_import"
    bl_label = "Photo Diorama"

    def draw(self, context):
        layout, chosen, root = self.layout, context.scene.photo_diorama, find_root(context.object)
        if root is not None:
            draw_this_diorama(layout.box(), root, context)
        layout.prop(chosen, "photo", placeholder="Photo")
        layout.prop(chosen, "depth", text="Depth", placeholder="Depth file, if you have one")
        draw_depth_preview(layout, chosen.photo, chosen.depth, lambda: read_settings(chosen))
        if build_operator.running is not None:
            row = layout.row(align=True)
            build_operator.draw_progress(row)
            row.operator(build_operator.StopBuilding.bl_idname, text="", icon="CANCEL")
        else:
            button = layout.operator(ImportPhoto.bl_idname, text="Make Diorama", icon="IMAGE_DATA")
            button.filepath, button.depth, button.ask = chosen.photo, chosen.depth, not chosen.photo
            set_values(button, option_values(chosen))
        draw_options(layout, chosen)
        row = layout.row(align=True)
        row.operator(LoadDefaults.bl_idname)
        row.operator(SaveDefaults.bl_idname)


def draw_this_diorama(layout, root: bpy.types.Object, context: bpy.types.Context) -> None:
    """The most wanted buttons for the selected diorama: look through, set up, rebuild, better depth."""
    layout.label(text=root.name, icon="OUTLINER_OB_IMAGE")
    column = layout.column(align=True)
    looks = looks_through(context.area, root)
    text, icon = ("Back to My View", "LOOP_BACK") if looks else ("Look Through the Photo", "OUTLINER_OB_CAMERA")
    column.operator(LookThrough.bl_idname, text=text, icon=icon)
    column.operator(SetUpScene.bl_idname, icon="SCENE_DATA")
    row = column.row(align=True)
    row.operator(Rebuild.bl_idname, text="Rebuild", icon="FILE_REFRESH")
    row.operator(InvertDepth.bl_idname, text="Invert Depth", icon="ARROW_LEFTRIGHT")
    if not is_wanted(root, context):
        return
    offer, better = layout.column(align=True), best_free_network()
    for line in textwrap.wrap(OFFER.format(better.bytes / 1e6, better.licence), letters_beside(context) + 8):
        offer.label(text=line)
    if not bpy.app.online_access:
        offer.operator("extensions.userpref_allow_online", text="Allow Online Access", icon="INTERNET")
    offer.operator(GetBetterDepth.bl_idname, icon="IMPORT")


OFFER = "The small built-in network guessed this depth. A better one is {0:,.0f} MB, {1}, and stays on this computer."


class PHOTO_DIORAMA_PT_about(DioramaPanel, bpy.types.Panel):
    """What is known about the photo of the selected diorama"""

    bl_idname = "PHOTO_DIORAMA_PT_about"
    bl_label = "About This Photo"
    bl_options = set()
    bl_order = 20  # below all tools

    def draw(self, context):
        layout, root = self.layout, find_root(context.object)
        rows = layout.column(align=True)
        letters = letters_beside(context)
        for name, text in fact_rows(kept_source(root), world_scale(root)):
            for number, line in enumerate(textwrap.wrap(text, letters) or [""]):
                split = rows.split(factor=NAMES_PART)
                split.label(text="" if number else name)
                split.label(text=line)


def letters_beside(context: bpy.types.Context) -> int:
    """How many letters fit beside the names in this sidebar, since labels do not wrap."""
    letter = LETTER_PX * (context.preferences.system.ui_scale or 1.0)  # it is 0 without a window
    width = context.region.width if context.region else 0
    return max(24, int(width * (1 - NAMES_PART) / letter) - 2)


def fact_rows(source: dict, scale: float = 1.0) -> list[tuple[str, str]]:
    """The facts on a root with this scale in the world, as rows of name and text; missing or damaged ones are left out."""
    rows = [("Photo", lambda: bpy.path.basename(source["photo"]))]
    rows += [("Size", lambda: _size(*source["photo_size"]))]
    rows += [("Worked at", lambda: _size(*source["working_size"]))]
    rows += [("Focal length", lambda: f"{_full_frame(source):.0f}\u00a0mm as on full frame, {source['focal_px']:,.0f}\u00a0px")]
    rows += [("", lambda: source["focal_source"])]
    rows += [("Depth", lambda: source["depth_source"])]
    rows += [("", lambda question=question: question) for question in Guess.from_facts(source).questions(window=True)]
    rows += [("Nearest", lambda: _distance(source["nearest_m"] * scale, source["metric"]))]
    rows += [("Middle", lambda: _distance(source["focus_m"] * scale, source["metric"]))]
    rows += [("Layers", lambda: _layers(source["layers"], sum(source["edges"])))]
    rows += [("Triangles", lambda: f"{source['triangles']:,d}")]
    rows += [("Built in", lambda: f"{sum(source['seconds'].values()):.1f} s")]
    facts = []
    for name, words in rows:
        try:
            facts.append((name, str(words())))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue  # anybody can edit a custom property
    return facts


def _layers(count: int, edges: int) -> str:
    if edges == 0:
        return "1: no sure silhouette, so nothing is torn; a depth file or a better depth network shows more"
    return f"{count:d}, behind {edges:,d} edges"


def _full_frame(source: dict) -> float:
    """The focal length of a camera for 35 mm film that sees the same angle across the diagonal (Exif 2.32)."""
    return source["focal_px"] / math.hypot(*source["photo_size"]) * math.hypot(36, 24)


def _size(width: int, height: int) -> str:
    return f"{width:d} x {height:d} px"


def _distance(metres: float, metric: bool) -> str:
    return f"{metres:.2f} m" + ("" if metric else ", scale unknown")


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_import, PHOTO_DIORAMA_PT_about))
