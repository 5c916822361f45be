"""A line drawn on the photo and its length in metres: the diorama is built anew at the scale at which that is so."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy

from ...core.camera.known_length import line_from
from ..on_diorama import NAVIGATING, ActOnDiorama, calling_an_operator
from ..scene.root import find_root
from .camera_lines import draw_lines, place_on_photo
from .shown_surfaces import photo_camera

WHITE = (1.0, 1.0, 1.0, 1.0)
KEYS = "Drag along something whose length you know, from one of its ends to the other   |   Esc: stop"


class LineLength(ActOnDiorama, bpy.types.Operator):
    """Give the scene its metres: draw a line along something whose length you know, such as a door, and type its length"""

    bl_idname = "photo_diorama.line_length"
    bl_label = "Length of a Line"
    bl_options = {"REGISTER", "UNDO"}
    in_object_mode = True

    line: bpy.props.StringProperty(name="Line", description="Both its ends: X,Y,X,Y in pixels of the photo", options={"SKIP_SAVE"})
    length: bpy.props.FloatProperty(
        name="Length", description="Its length in the scene", unit="LENGTH", min=0.001, max=1e5, default=1.0, options={"SKIP_SAVE"}
    )

    def draw(self, context):
        self.layout.prop(self, "length")

    def act(self, context, root):
        line_from(self.line, photo_camera(root))
        with calling_an_operator():
            bpy.ops.photo_diorama.rebuild("EXEC_DEFAULT", known_line=self.line, known_length=self.length)
        return f"The line is {self.length:g} m long, so the scene is in metres."

    def invoke(self, context, event):
        if self.line:  # drawn: now its length
            return context.window_manager.invoke_props_dialog(self)
        if bpy.app.background or context.region_data is None:
            return self.execute(context)
        self._root, self._start, self._end, self._area = find_root(context.object).name, None, None, context.area
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(KEYS)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        root = bpy.data.objects.get(self._root)
        if root is None or (event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS"):
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in NAVIGATING or event.type.startswith("NDOF"):
            return {"PASS_THROUGH"}
        if event.type in {"LEFTMOUSE", "MOUSEMOVE"}:
            at = place_on_photo(context, root, (event.mouse_region_x, event.mouse_region_y))
            if event.type == "LEFTMOUSE" and event.value == "PRESS":
                self._start = at
            self._end = at or self._end
            self._area.tag_redraw()
            if event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start and self._end:
                self.cancel(context)
                camera = photo_camera(root)
                ends = [
                    n * length for end in (self._start, self._end) for n, length in zip(end, (camera.width, camera.height), strict=True)
                ]
                line = ",".join(f"{n:.2f}" for n in ends)
                bpy.ops.photo_diorama.line_length("INVOKE_DEFAULT", line=line, length=self.length)
                return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def _draw(self) -> None:
        root = bpy.data.objects.get(self._root)
        if root is not None and self._start and self._end and bpy.context.area == self._area:
            draw_lines(bpy.context, root, [(WHITE, [*self._start, *self._end])])

    def cancel(self, context):
        """Also called by Blender where it ends the operator itself."""
        if getattr(self, "_handle", None) is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
            context.workspace.status_text_set(None)
            self._area.tag_redraw()


register, unregister = bpy.utils.register_classes_factory((LineLength,))
