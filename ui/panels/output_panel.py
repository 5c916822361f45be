"""The sidebar's output box: renders of the selected diorama."""

from __future__ import annotations

import bpy

from ...operators.output.render_output import RenderOutput
from .tab import DioramaPanel

BUTTONS = (
    ("Film (MP4)", "RENDER_ANIMATION", "MP4", "none"),
    ("GIF", "FILE_MOVIE", "GIF", "none"),
    ("Still", "RENDER_STILL", "Still", "none"),
    ("Frames", "RENDERLAYERS", "Frames", "none"),
    ("Web Page", "URL", "HTML", "none"),
    ("Side by Side", "CAMERA_STEREO", "MP4", "side-by-side"),
    ("Anaglyph", "CAMERA_STEREO", "Still", "anaglyph"),
    ("VR180", "CAMERA_STEREO", "MP4", "vr180"),
)
"""Text, icon, format and stereo of the buttons; the file browser that they open has every option."""


class PHOTO_DIORAMA_PT_output(DioramaPanel, bpy.types.Panel):
    """Render the selected diorama's own camera to files"""

    bl_idname = "PHOTO_DIORAMA_PT_output"
    bl_label = "Output"
    bl_order = 7

    def draw(self, context):
        column = self.layout.column(align=True)
        for text, icon, kind, stereo in BUTTONS:
            button = column.operator(RenderOutput.bl_idname, text=text, icon=icon)
            button.format, button.stereo = kind, stereo


register, unregister = bpy.utils.register_classes_factory((PHOTO_DIORAMA_PT_output,))
