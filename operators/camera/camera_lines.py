"""Lines drawn along edges that are parallel in the scene: focal length, principal point and horizon from vanishing points."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import json

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

from ...core.camera.fspy import FoundCamera
from ...core.camera.vanishing_points import camera_from_lines
from ...core.errors import DioramaError
from ..on_diorama import NAVIGATING, ActOnDiorama, calling_an_operator
from ..scene.axes import to_blender
from ..scene.root import find_root, kept_source
from .depth_of_field import pick_point
from .shown_surfaces import photo_camera

LINES_KEY = "photo_diorama_lines"
"""Custom property of the root: the lines as JSON, by axis, each x, y of both ends from 0 to 1 right and down."""
COLOURS = {"x": (1.0, 0.2, 0.3, 1.0), "y": (0.5, 0.85, 0.1, 1.0), "z": (0.2, 0.5, 1.0, 1.0)}
KEYS = "Drag along edges: {0}   |   X, Y, Z: direction   |   Backspace: take the last back   |   Enter: find the camera   |   Esc: stop"


def kept_lines(root: bpy.types.Object) -> dict[str, list[list[float]]]:
    """The lines that were drawn on a photo."""
    try:
        kept = json.loads(root.get(LINES_KEY, "{}"))
        return {axis: [[float(n) for n in line] for line in kept.get(axis, ()) if len(line) == 4] for axis in COLOURS}
    except (TypeError, ValueError, AttributeError):
        return {axis: [] for axis in COLOURS}


def found_camera(root: bpy.types.Object) -> FoundCamera:
    """The camera from the root's lines. Raises DioramaError where there are too few lines."""
    try:
        width, height = (int(length) for length in kept_source(root)["photo_size"])
    except (KeyError, TypeError, ValueError):
        raise DioramaError(f"{root.name} does not know its photo any more; rebuild it from its photo.") from None
    size = np.array([width, height], np.float64)
    return camera_from_lines(width, height, {axis: np.reshape(lines, (-1, 2, 2)) * size for axis, lines in kept_lines(root).items()})


def stand_upright(root: bpy.types.Object, up: np.ndarray) -> None:
    """Rotates a root around the photo's viewpoint by the smallest turn that makes the photo's up direction the world's."""
    place, turn, scale = root.matrix_world.decompose()
    world = turn @ Vector(to_blender(np.asarray(up)[None])[0])
    made = (world.rotation_difference(Vector((0, 0, 1))) @ turn).to_matrix().to_4x4()
    made.translation = place
    root.matrix_world = made
    root.scale = scale


class DrawsLines:
    """Mixin of modal operators that draw lines on the photo; they give `_act_on(context, root, event)`, for what is not
    navigation or Esc, and `_lines_shown()`, the colour and the ends of each line."""

    _handle = None

    def _begin(self, context, root: bpy.types.Object) -> None:
        self._root, self._area, self._start, self._end = root.name, context.area, None, None
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._drawn_over, (), "WINDOW", "POST_PIXEL")
        context.window_manager.modal_handler_add(self)

    def modal(self, context, event):
        root = bpy.data.objects.get(self._root)
        if root is None or (event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS"):
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in NAVIGATING or event.type.startswith("NDOF"):
            return {"PASS_THROUGH"}
        return self._act_on(context, root, event)

    def _drag(self, context, root, event) -> bool:
        """Follows the mouse; whether a line was finished just now, from `_start` to `_end`."""
        at = place_on_photo(context, root, (event.mouse_region_x, event.mouse_region_y))
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._start = at
        self._end = at or self._end
        self._area.tag_redraw()
        return bool(event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start and self._end)

    def _drawn_over(self) -> None:
        root, context = bpy.data.objects.get(self._root), bpy.context
        if root is not None and context.area == self._area:
            draw_lines(context, root, self._lines_shown())

    def cancel(self, context):
        """Also called by Blender where it ends the operator itself."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
            context.workspace.status_text_set(None)
            self._area.tag_redraw()


class CameraFromLines(DrawsLines, ActOnDiorama, bpy.types.Operator):
    """Find the camera of a photo without camera data: draw at least two lines along edges of each of two or three directions that
    are at right angles in the scene, such as those of a house. The diorama is rebuilt and stands upright"""

    bl_idname = "photo_diorama.camera_from_lines"
    bl_label = "Camera from Lines"
    bl_options = {"REGISTER", "UNDO"}
    in_object_mode = True
    _drawn = False
    """Whether the lines were drawn in the window: the rebuild then runs in a thread."""

    lines: bpy.props.StringProperty(
        name="Lines", description='For scripts: {"x": [[x, y, x, y], ...], ...}, from 0 to 1 right and down', options={"SKIP_SAVE"}
    )

    def act(self, context, root):
        if self.lines:
            root[LINES_KEY] = self.lines
        found = found_camera(root)
        camera = found.camera
        stand_upright(root, found.up)
        with calling_an_operator():
            bpy.ops.photo_diorama.rebuild(
                "INVOKE_DEFAULT" if self._drawn else "EXEC_DEFAULT",
                focal_px=camera.focal_px, centre_x=camera.cx, centre_y=camera.cy, focal_mm=0.0, fov=0.0,
            )  # fmt: skip
        full_frame = camera.focal_px / np.hypot(camera.width, camera.height) * np.hypot(36, 24)
        return f"The lens is {full_frame:.1f} mm as on full frame; the diorama stands upright."

    def invoke(self, context, event):
        if bpy.app.background or context.region_data is None:
            return self.execute(context)
        root = find_root(context.object)
        self._axis, self._lines = "x", kept_lines(root)
        self._order = [axis for axis, lines in self._lines.items() for _ in lines]
        self._begin(context, root)
        self._tell(context)
        return {"RUNNING_MODAL"}

    def _act_on(self, context, root, event) -> set[str]:
        if event.value == "PRESS" and event.type.lower() in COLOURS:
            self._axis = event.type.lower()
        elif event.type == "BACK_SPACE" and event.value == "PRESS" and self._order:
            self._lines[self._order.pop()].pop()
        elif event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            root[LINES_KEY] = json.dumps(self._lines)
            self.cancel(context)
            self._drawn = True
            return self.execute(context)
        elif event.type in {"LEFTMOUSE", "MOUSEMOVE"}:
            if self._drag(context, root, event):
                if np.hypot(self._end[0] - self._start[0], self._end[1] - self._start[1]) > 0.01:
                    self._lines[self._axis].append([*self._start, *self._end])
                    self._order.append(self._axis)
                self._start = None
        self._tell(context)
        return {"RUNNING_MODAL"}

    def _tell(self, context) -> None:
        drawn = ", ".join(f"{axis.upper()} {len(self._lines[axis])}" for axis in COLOURS)
        context.workspace.status_text_set(KEYS.format(f"{self._axis.upper()} now ({drawn})"))
        self._area.tag_redraw()

    def _lines_shown(self) -> list[tuple[tuple, list[float]]]:
        """All lines in the colours of Blender's axes."""
        shown = [(COLOURS[axis], line) for axis, lines in self._lines.items() for line in lines]
        if self._start and self._end:
            shown.append((COLOURS[self._axis], [*self._start, *self._end]))
        return shown


def draw_lines(context, root: bpy.types.Object, shown: list[tuple[tuple, list[float]]]) -> None:
    """Lines on the photo, each its colour and x, y of both ends from 0 to 1, in the viewport that is drawn now."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", 3.0)
    for colour, line in shown:
        ends = [place_in_view(context, root, *line[k : k + 2]) for k in (0, 2)]
        if None not in ends:
            shader.uniform_float("color", colour)
            batch_for_shader(shader, "LINES", {"pos": [(*end, 0.0) for end in ends]}).draw(shader)


def place_on_photo(context, root: bpy.types.Object, mouse: tuple[int, int]) -> tuple[float, float] | None:
    """The place on the photo, 0 to 1 right and down, under a place of the viewport; None outside the photo."""
    place = pick_point(context, mouse)
    if place is None:
        return None
    x, y, z = root.matrix_world.inverted_safe() @ place
    camera = photo_camera(root)
    if y <= 0:
        return None
    u, v = (camera.cx + camera.focal_px * x / y) / camera.width, (camera.cy - camera.focal_px * z / y) / camera.height
    return (u, v) if 0 <= u <= 1 and 0 <= v <= 1 else None


def place_in_view(context, root: bpy.types.Object, u: float, v: float) -> tuple[float, float] | None:
    """The inverse of `place_on_photo`, for points at the distance of the photo's middle."""
    camera, far = photo_camera(root), float(root.get("relief_focus", 1.0))
    x, z = (u * camera.width - camera.cx) / camera.focal_px * far, (camera.cy - v * camera.height) / camera.focal_px * far
    found = location_3d_to_region_2d(context.region, context.region_data, root.matrix_world @ Vector((x, far, z)))
    return None if found is None else (found.x, found.y)


register, unregister = bpy.utils.register_classes_factory((CameraFromLines,))
