"""A line on the photo with its length in metres: rebuilds the diorama at the scale where the line has that length."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy

from ...core.camera.known_length import parse_line
from ..on_diorama import ActOnDiorama, calling_an_operator
from ..scene.root import find_root
from .camera_lines import DrawsLines
from .shown_surfaces import photo_camera

WHITE = (1.0, 1.0, 1.0, 1.0)
KEYS = "Drag along something whose length you know, from one of its ends to the other   |   Esc: stop"


class LineLength(DrawsLines, ActOnDiorama, bpy.types.Operator):
    """Set the scale: draw a line along something whose length you know, such as a door, and type its length"""

    bl_idname = "photo_diorama.line_length"
    bl_label = "Length of a Line"
    bl_options = {"REGISTER", "UNDO"}
    in_object_mode = True

    line: bpy.props.StringProperty(name="Line", description="Both ends of the line: X,Y,X,Y in pixels of the photo", options={"SKIP_SAVE"})
    length: bpy.props.FloatProperty(
        name="Length", description="Length of the line in the scene", unit="LENGTH", min=0.001, max=1e5, default=1.0, options={"SKIP_SAVE"}
    )

    def draw(self, context):
        self.layout.prop(self, "length")

    def act(self, context, root):
        parse_line(self.line, photo_camera(root))
        with calling_an_operator():
            bpy.ops.photo_diorama.rebuild("EXEC_DEFAULT", known_line=self.line, known_length=self.length)
        return f"The line is {self.length:g} m long, so the scene is in metres."

    def invoke(self, context, event):
        if self.line:  # the line is drawn; its length comes next
            return context.window_manager.invoke_props_dialog(self)
        if bpy.app.background or context.region_data is None:
            return self.execute(context)
        self._begin(context, find_root(context.object))
        context.workspace.status_text_set(KEYS)
        return {"RUNNING_MODAL"}

    def _act_on(self, context, root, event) -> set[str]:
        if event.type in {"LEFTMOUSE", "MOUSEMOVE"} and self._drag(context, root, event):
            self.cancel(context)
            camera = photo_camera(root)
            size = (camera.width, camera.height) * 2
            line = ",".join(f"{n * length:.2f}" for n, length in zip([*self._start, *self._end], size, strict=True))
            bpy.ops.photo_diorama.line_length("INVOKE_DEFAULT", line=line, length=self.length)
            return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def _lines_shown(self) -> list[tuple[tuple, list[float]]]:
        return [(WHITE, [*self._start, *self._end])] if self._start and self._end else []


register, unregister = bpy.utils.register_classes_factory((LineLength,))
