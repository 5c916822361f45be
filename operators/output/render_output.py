"""The operator that renders a diorama to a file: still, film, GIF or frames, for one eye or two."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import dataclasses
from pathlib import Path

import bpy

from ...core.errors import DioramaError
from ...core.scene.output import OutputSettings, output_files, output_kind
from ..building.properties import OF_ONE_PHOTO, declare, values_of_fields
from ..on_diorama import report_failure
from ..scene.root import find_root, kept_settings, kept_source, objects_by_role, world_scale
from .render import View, check_target, describe_quality, rendering

FORMATS = {
    "MP4": (".mp4", "A film, H.264"),
    "GIF": (".gif", "A film that every browser plays and repeats, with 256 colours"),
    "Frames": ("", "A folder of PNG pictures, one for each frame"),
    "Still": (".png", "The present frame as a PNG picture"),
    "HTML": (".html", "One file that every browser shows: the picture tilts with the mouse, a finger or the phone"),
}
"""Name, ending and meaning; a script's file name may have any ending that can be rendered."""
FIELDS = dataclasses.fields(OutputSettings)
OutputOptions = type("OutputOptions", (), {"__annotations__": declare(FIELDS)})
OutputOptions.__doc__ = "Mixin: every option of what is rendered, as a property."
WAIT = 0.05
"""Seconds between two frames in which Blender draws its window and receives the Esc key."""


class RenderOutput(bpy.types.Operator, OutputOptions):
    """Render this diorama's camera to a file; scene, camera and render settings stay as they are"""

    bl_idname = "photo_diorama.render_output"
    bl_label = "Render Diorama"
    bl_options = {"PRESET"}

    filepath: bpy.props.StringProperty(
        name="File",
        description="The file to render to; its ending decides the format, and a folder gets frames",
        subtype="FILE_PATH",
        options=OF_ONE_PHOTO,
    )
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Warn before a file is replaced")
    filter_glob: bpy.props.StringProperty(default="*.mp4;*.gif;*.png;*.html", options={"HIDDEN"}, description="Files shown")
    format: bpy.props.EnumProperty(
        items=[(name, name, meaning) for name, (_, meaning) in FORMATS.items()],
        name="Format",
        description="Kind of file; the ending of its name is changed accordingly",
    )

    @classmethod
    def poll(cls, context):
        return find_root(context.object) is not None

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        if not self.properties.is_property_set("filepath"):
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / (find_root(context.object).name + FORMATS[self.format][0]))
        self._waits = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context):
        """The name's ending follows the format that is chosen in the file browser."""
        path, ending = Path(self.filepath), FORMATS[self.format][0]
        known = path.suffix.lower() in [each for each, _ in FORMATS.values()]
        wanted = path.with_suffix(ending) if known and path.name else Path(f"{path}{ending}")
        if not path.name or str(wanted) == self.filepath:
            return False
        self.filepath = str(wanted)
        return True

    def draw(self, context):
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "format")
        for f in FIELDS:
            layout.prop(self, f.name)

    def execute(self, context):
        waits, self._waits = getattr(self, "_waits", False), False
        try:
            self._steps = self._prepare(context)
            if waits:
                return self._start(context)
            while True:
                next(self._steps)
        except StopIteration as ended:
            return self._ended(ended.value)
        except Exception as error:
            return self._failed(error)

    def _prepare(self, context):
        """The rendering, not begun. Raises DioramaError for what cannot be rendered."""
        if not self.filepath:
            raise DioramaError("No file was chosen; give the name of the file to render to.")
        target = Path(bpy.path.abspath(self.filepath))
        output = OutputSettings(**values_of_fields(self, FIELDS))
        check_target(target, output)
        kind, root = output_kind(target), find_root(context.object)
        for name in output_files(target, output):
            if name.is_dir() != (kind == "frames") and name.exists():
                raise DioramaError(f"{name} is a {'folder' if name.is_dir() else 'file'} already; choose another name.")
        frames, self._quality = count_frames(root, context.scene), describe_quality(context.scene, output, target)
        return rendering(target, context.scene, frames, output, diorama_view(root, context.scene))

    def _start(self, context):
        manager = context.window_manager
        self._timer = manager.event_timer_add(WAIT, window=context.window)
        manager.progress_begin(0, 1)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        """A frame each time; all else is kept from Blender meanwhile, since undo would take the render's scene away."""
        if event.type == "ESC" and event.value == "PRESS":
            self._stop(context)
            self.report({"INFO"}, "Stopped; no file was written.")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        try:
            fraction = next(self._steps)
            context.window_manager.progress_update(fraction)
            context.workspace.status_text_set(f"Rendering {fraction:.0%}    Esc: stop")
            return {"RUNNING_MODAL"}
        except StopIteration as ended:
            self._stop(context)
            return self._ended(ended.value)
        except Exception as error:
            self._stop(context)
            return self._failed(error)

    def cancel(self, context):
        """Blender ends the operator itself: a window closes or another file is opened."""
        if hasattr(self, "_timer"):
            self._stop(context)

    def _stop(self, context) -> None:
        self._steps.close()  # takes the render's scene and files away
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)

    def _ended(self, files: list[Path]):
        quality = getattr(self, "_quality", "")
        where = " and ".join(map(str, files)) if len(files) <= 2 else f"{len(files)} frames in {files[0].parent}"
        self.report({"INFO"}, f"Rendered {where}{quality and f' ({quality})'}")
        return {"FINISHED"}

    def _failed(self, error: Exception):
        report_failure(self, error)
        return {"CANCELLED"}


def count_frames(root: bpy.types.Object, scene) -> int:
    """How many frames a film has: those of the diorama's move, or where it has none the scene's."""
    kept = kept_settings(root)
    if kept.get("camera_move", "none") != "none":
        return int(kept.get("frames", 1))
    return max(1, scene.frame_end - scene.frame_start + 1)


def diorama_view(root: bpy.types.Object, scene) -> View:
    """The diorama's own camera, and its distances as large as they are in the scene. Raises DioramaError without one."""
    camera, source = objects_by_role(root).get("camera"), kept_source(root)
    if camera is None or camera.type != "CAMERA" or camera.name not in scene.objects:
        raise DioramaError(f"{root.name} has no camera of its own in this scene; rebuild it from its photo.")
    scale = world_scale(root)
    try:
        width, height = (int(length) for length in source["photo_size"])
        nearest, focus = float(source["nearest_m"]) * scale, float(source["focus_m"]) * scale
    except (KeyError, TypeError, ValueError):
        raise DioramaError(f"{root.name} does not know its photo any more; rebuild it from its photo.") from None
    focused = root.photo_diorama_focus
    if focused is not None:
        focus = max(nearest, (root.matrix_world.inverted_safe() @ focused.matrix_world.translation).y * scale)
    return View(camera, (width, height), nearest, focus, bool(source.get("metric")))


register, unregister = bpy.utils.register_classes_factory((RenderOutput,))
