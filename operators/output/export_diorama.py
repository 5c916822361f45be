"""Exports a diorama by Blender's exporters (glTF, USD, Alembic, OBJ, PLY), layers and textures kept; the scene stays as it is."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ...core.errors import DioramaError
from ...core.models.file_lock import make_folder_in
from ...core.scene.gltf_animations import joined_animations
from ...core.scene.output_names import check_name
from ..on_diorama import report_failure
from ..scene.root import find_root, kept_source, objects_by_role
from .camera_track import Track, find_track, write_chan
from .export_parts import ExportOptions, exported_copies, has_surfaces, paint_vertices

FORMATS = {
    "GLB": (".glb", "glTF binary: one file for game engines, viewers and the web"),
    "USD": (".usdc", "Universal Scene Description, with its textures in a folder beside it"),
    "ABC": (".abc", "Alembic: surfaces with UVs and the camera for film pipelines, the textures in a folder beside it"),
    "OBJ": (".obj", "Wavefront OBJ with its materials and textures beside it; no camera"),
    "PLY": (".ply", "One mesh with colours at its vertices and UVs, and the texture beside it; no camera"),
}
"""Name, ending and meaning."""
EXPORTERS = {
    "GLB": ("export_scene", "gltf"),
    "USD": ("wm", "usd_export"),
    "ABC": ("wm", "alembic_export"),
    "OBJ": ("wm", "obj_export"),
    "PLY": ("wm", "ply_export"),
}
"""Group and name of Blender's own export operator; some builds lack some (Debian's: USD and Alembic)."""
WITH_CAMERA = {"GLB", "USD", "ABC"}


class ExportDiorama(bpy.types.Operator):
    """Export this diorama's visible surfaces with their textures, as they look at the present frame"""

    bl_idname = "photo_diorama.export"
    bl_label = "Export Diorama"
    bl_options = {"PRESET"}

    filepath: bpy.props.StringProperty(name="File", description="The file to export to; its ending follows the format", subtype="FILE_PATH")
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"}, description="Warn before a file is replaced")
    filter_glob: bpy.props.StringProperty(default="*.glb;*.usdc;*.abc;*.obj;*.ply", options={"HIDDEN"}, description="Files shown")
    format: bpy.props.EnumProperty(
        items=[(name, name, meaning) for name, (_, meaning) in FORMATS.items()], name="Format", description="Kind of file"
    )
    one_mesh: bpy.props.BoolProperty(
        name="One Mesh", description="Join all layers into one mesh with one texture; PLY always does", default=False
    )
    camera: bpy.props.BoolProperty(
        name="Camera", description="Export the photo's camera as well, where the format has cameras", default=True
    )
    move: bpy.props.BoolProperty(
        name="Camera Move",
        description="The camera with a key for each frame of its move (glTF, USD and Alembic), and a .chan file for compositors beside it",
        default=True,
    )
    unlit: bpy.props.BoolProperty(
        name="Unlit",
        description="Materials that show the photo as it is in any light (glTF only); off, they are lit",
        default=True,
    )

    @classmethod
    def poll(cls, context):
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the present mode for Object Mode first")
            return False
        return has_surfaces(find_root(context.object))

    def invoke(self, context, event):
        if not self.properties.is_property_set("filepath"):
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / (find_root(context.object).name + FORMATS[self.format][0]))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context):
        """The name's ending follows the format that is chosen in the file browser."""
        path = Path(self.filepath)
        if not path.name or path.suffix.lower() == FORMATS[self.format][0]:
            return False
        known = path.suffix.lower() in [ending for ending, _ in FORMATS.values()]
        self.filepath = str(path.with_suffix("") if known else path) + FORMATS[self.format][0]
        return True

    def draw(self, context):
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "format")
        for name, of in (("one_mesh", {*WITH_CAMERA, "OBJ"}), ("camera", WITH_CAMERA), ("move", WITH_CAMERA), ("unlit", {"GLB"})):
            if self.format in of:
                layout.prop(self, name)

    def execute(self, context):
        try:
            self.check(context)
            made = export(context, find_root(context.object), Path(bpy.path.abspath(self.filepath)), self.format, self._options())
        except Exception as error:
            report_failure(self, error)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Exported {made[0].name}" + (f" and {len(made) - 1} more files" if made[1:] else ""))
        return {"FINISHED"}

    def _options(self) -> ExportOptions:
        return ExportOptions(
            self.one_mesh or self.format == "PLY", self.camera and self.format in WITH_CAMERA,
            self.unlit and self.format == "GLB", self.move,
        )  # fmt: skip


def export(context, root: bpy.types.Object, target: Path, format: str, options: ExportOptions) -> list[Path]:
    """Writes a diorama to `target` and what belongs to it beside it; returns the files, `target` first.

    All is written in a folder of its own and moved when it is whole. Raises DioramaError where that cannot be done.
    """
    check_name(target)
    if target.is_dir() or not target.parent.is_dir():
        raise DioramaError(f"{target} cannot be written; choose a file name in a folder that is there.")
    try:
        work = make_folder_in(target.parent, f".{target.stem}_")
    except OSError as error:
        raise DioramaError(f"{target.parent} cannot be written to ({error.strerror}); choose another folder.") from None
    try:
        # textures that are files of their own go into a folder named after the exported file
        textures = work / f"{target.stem}_textures"
        textures.mkdir()
        track = find_track(root, context.scene) if options.camera and options.move else None
        if track is not None:
            size = kept_source(root).get("photo_size", (4, 3))
            write_chan(work / f"{target.stem}.chan", track, objects_by_role(root)["camera"].data, size)
        with exported_copies(context, root, textures, options, track) as copies, move_frame_range(context.scene, track):
            if format == "PLY":
                paint_vertices(copies[0].data, copies[0].active_material.node_tree.nodes["Image Texture"].image)
            _write(format, work / target.name, context, track is not None)
        if format == "GLB":
            shutil.rmtree(textures)
            if (work / target.name).is_file():
                whole = (work / target.name).read_bytes()
                (work / target.name).write_bytes(joined_animations(whole, root.name))
        if not (work / target.name).is_file() or not (work / target.name).stat().st_size:
            raise DioramaError(f"{target} could not be written; Blender's console says why.")
        return _move(work, target)
    except OSError as error:
        raise DioramaError(f"{target} could not be written ({error.strerror or error}); check the free space and permissions.") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def move_frame_range(scene: bpy.types.Scene, track: Track | None) -> Iterator[None]:
    """A context in which the scene's frame range is the move's, which USD and Alembic write."""
    before = scene.frame_start, scene.frame_end
    if track is not None:
        scene.frame_start, scene.frame_end = track.frames[0], track.frames[-1]
    try:
        yield
    finally:
        scene.frame_start, scene.frame_end = before


def _write(format: str, file: Path, context, moves: bool) -> None:
    """Calls Blender's own exporter for what is selected."""
    path = str(file)
    group, name = EXPORTERS[format]
    if name not in dir(getattr(bpy.ops, group)):
        if format == "GLB":
            raise DioramaError("Blender's glTF exporter is not enabled; enable the add-on glTF 2.0 format in the preferences.")
        other = next(other for other, (group, name) in EXPORTERS.items() if name in dir(getattr(bpy.ops, group)))
        raise DioramaError(f"This Blender was built without its {format} exporter; choose another format, such as {other}.")
    if format == "GLB":
        bpy.ops.export_scene.gltf(
            filepath=path, export_format="GLB", use_selection=True, export_cameras=True, export_animations=moves,
            export_force_sampling=True, export_frame_range=True, export_optimize_animation_size=False, **_moving_lens(moves),
            export_yup=True, export_apply=False, export_extras=False,
        )  # fmt: skip
    elif format == "USD":
        bpy.ops.wm.usd_export(
            filepath=path, selected_objects_only=True, export_animation=moves, export_cameras=True, export_lights=False,
            convert_world_material=False, export_materials=True, export_textures_mode="KEEP", relative_paths=True,
        )  # fmt: skip
    elif format == "ABC":
        now = context.scene.frame_current
        first, last = (context.scene.frame_start, context.scene.frame_end) if moves else (now, now)
        bpy.ops.wm.alembic_export(
            filepath=path, selected=True, start=first, end=last, flatten=True, uvs=True, normals=True, packuv=False,
            face_sets=False, export_hair=False, export_particles=False, export_custom_properties=False, as_background_job=False,
        )  # fmt: skip
    elif format == "OBJ":
        bpy.ops.wm.obj_export(filepath=path, export_selected_objects=True, path_mode="RELATIVE", export_materials=True)
    else:
        bpy.ops.wm.ply_export(filepath=path, export_selected_objects=True, export_uv=True, export_colors="SRGB", apply_modifiers=False)


def _moving_lens(moves: bool) -> dict:
    """Arguments by which glTF carries a lens that changes, where Blender's exporter knows how (KHR_animation_pointer)."""
    known = bpy.ops.export_scene.gltf.get_rna_type().properties
    if not moves or "export_pointer_animation" not in known:
        return {}
    return {"export_pointer_animation": True, "export_animation_mode": "SCENE"}


def _move(work: Path, target: Path) -> list[Path]:
    """Moves the written files to their place; the file that refers to the others comes last, so that it is never broken."""
    moved = []
    for source in sorted(work.iterdir(), key=lambda path: path.name == target.name):
        place = target.parent / source.name
        if source.is_dir():
            place.mkdir(exist_ok=True)
            for file in sorted(source.iterdir()):
                os.replace(file, place / file.name)
                moved.append(place / file.name)
        else:
            os.replace(source, place)
            moved.append(place)
    return moved[::-1]


register, unregister = bpy.utils.register_classes_factory((ExportDiorama,))
