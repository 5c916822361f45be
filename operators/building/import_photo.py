"""The operator that makes a diorama from a photo: for File > Import, Add > Image, the sidebar, drag and drop, and scripts."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ...core.depth.find_depth import BESIDE
from ...core.depth.named_depth import find_named_depth, pair
from ...core.depth_file.shared_range import SharedRange
from ...core.errors import DioramaError
from ...core.memory import scarce_memory
from ...core.pipeline import Diorama, Progress, StageCache, build_diorama
from ...core.raster.open_picture import PHOTO_ENDINGS
from ...core.settings import Settings
from ..scene.emit import emit
from ..scene.root import source_facts
from ..staging.depth_preview import draw_depth_preview
from ..staging.look_through import is_fresh, look_through
from ..staging.placement import place
from . import build_operator
from .properties import OF_ONE_PHOTO, POPUP_ROWS, Options, depth_property, draw_options, read_settings, set_values
from .user_preferences import default_values, models_folder

HIDDEN = {"HIDDEN", *OF_ONE_PHOTO}
DEPTH_ENDINGS = (".npy", ".npz", ".pfm")
"""Endings of files that are depth maps and never photos."""
DEPTH_HINT = (
    "A depth file is found by its name,",
    "NAME_depth, or Ctrl click it too.",
)
"""Hint for the user where no button can ask for the depth file."""
Built = tuple[str, str | None, Diorama | DioramaError]


class ImportPhoto(build_operator.BuildOperator, bpy.types.Operator, ImportHelper, Options):
    """Make a layered, camera-matched diorama of a photo"""

    bl_idname = "photo_diorama.import_photo"
    bl_label = "Make Diorama"
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    filter_glob: bpy.props.StringProperty(default=";".join("*" + ending for ending in (*PHOTO_ENDINGS, *DEPTH_ENDINGS)), options=HIDDEN)
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options=HIDDEN)
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options=HIDDEN)
    # Blender's file browser goes by this name, and shows photos as pictures
    display_type: bpy.props.EnumProperty(
        items=[(name, name, "", number) for number, name in enumerate(("DEFAULT", "LIST_VERTICAL", "LIST_HORIZONTAL", "THUMBNAIL"))],
        default="THUMBNAIL", options={"HIDDEN", "SKIP_SAVE"},
    )  # fmt: skip
    depth: depth_property()
    ask: bpy.props.BoolProperty(default=True, description="Show files or options before building", options=HIDDEN)

    def invoke(self, context, event):
        given = {name for name in default_values(context) if self.properties.is_property_set(name, ghost=False)}
        set_values(self, {name: value for name, value in default_values(context).items() if name not in given})
        if bpy.app.background or not self.ask:
            return self.execute_in_thread(context)
        self._in_thread = True
        return self.invoke_popup(context)

    def draw(self, context):
        most = None
        if getattr(getattr(context, "space_data", None), "type", "") == "FILE_BROWSER":
            # Blender opens no second file browser, so a button for the depth's file would be dead
            hint = self.layout.column(align=True)
            for line in DEPTH_HINT:
                hint.label(text=line)
        else:
            self.layout.prop(self, "depth")
            most = POPUP_ROWS - 1
            if hasattr(self, "filepath"):
                most -= draw_depth_preview(self.layout, self.filepath, self.depth, lambda: read_settings(self))
        draw_options(self.layout, self, most)

    def prepare(self, context):
        photos, depths = pair(self._photos())
        if self.depth and len(photos) > 1:
            raise DioramaError(f"{self.depth} cannot be the depth of {len(photos)} photos; import the photos one by one.")
        if self.depth:
            depths = {photos[0]: bpy.path.abspath(self.depth)}
        self._settings = read_settings(self)
        for warning in memory_warnings(photos, depths, self._settings):
            self.report({"WARNING"}, warning)
        return partial(build_each, photos, depths, self._settings, models_folder(context), build_operator.kept)

    def _photos(self) -> list[str]:
        names = [each.name for each in self.files if each.name]
        paths = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        if not paths[0]:
            raise DioramaError("No photo was chosen; pick a file of a photo.")
        return [bpy.path.abspath(path) for path in paths]

    def finish(self, context, result: list[Built]):
        roots, fresh = [], is_fresh(context.scene)
        for photo, depth, built in result:
            if isinstance(built, DioramaError):
                self.report({"WARNING"}, str(built))
                continue
            roots.append(emit(built.mesh, built.photo, self._settings, source_facts(built, photo, depth), context))
            note = place(roots[-1], self._settings.scene.placement, context, built.photo.up)
            if note:
                self.report({"INFO"}, note)
            for note in built.photo.notes:
                self.report({"INFO"}, f"{built.photo.name}: {note}.")
            if built.depth_origin == BESIDE:
                self.report({"INFO"}, f"The depth of {built.photo.name} is from {built.depth.source}.")
            for why in built.depth.not_used:
                self.report({"WARNING"}, f"{built.photo.name}: depth was not used, as {why}.")
            for question in built.depth.guess.questions(window=True):
                self.report({"INFO"}, f"{built.depth.source}: {question}.")
            if built.whole:
                self.report({"INFO"}, f"Nothing in {built.photo.name} is torn, as its depth shows no silhouette that is sure: "
                            "choose a depth file or a better depth network for more")  # fmt: skip
            spent = sum(built.seconds.values())
            self.report({"INFO"}, f"{built.photo.name}: {built.mesh.triangle_count:,} triangles in {spent:.1f} s")
        select(context, roots)
        if roots and (fresh or self._settings.scene.set_up_scene):
            look_through(context, roots[-1])


def memory_warnings(photos: Sequence[str], depths: dict[str, str], settings: Settings) -> list[str]:
    """A sentence for each photo that needs more memory than the machine has left."""
    side, warnings = settings.layers.long_side, []
    for photo in photos:
        networks = photo not in depths or settings.inpaint.inpainter not in ("diffusion", "exemplar")
        scarce = scarce_memory(Path(photo), side, networks)
        if scarce:
            warnings.append(f"{scarce}, lower Long Side (now {side}) or scale the photo down")
    return warnings


def build_each(
    photos: Sequence[str], depths: dict[str, str], settings: Settings, models: Path, kept: StageCache, progress: Progress
) -> list[Built]:
    """Builds several photos, one after another; `depths` are depth files by photo. Free of Blender, for any thread.

    A photo that fails stops none of the others. Raises DioramaError where no photo can be built.
    """
    done: list[Built] = []
    shared = SharedRange(settings.depth)
    for number, photo in enumerate(photos):
        try:
            tell, depth = partial(_tell, progress, photo, number, len(photos)), depths.get(photo)
            own = shared.settings_of(Path(photo), Path(depth) if depth else find_named_depth(photo))
            built = build_diorama(photo, depth, replace(settings, depth=own), tell, kept, models)
        except DioramaError as error:
            if not any(isinstance(b, Diorama) for _, _, b in done) and number == len(photos) - 1:
                raise
            built = error
        done.append((photo, depth, built))
    return done


def _tell(progress: Progress, photo: str, number: int, count: int, stage: str, fraction: float) -> None:
    """Progress of one photo as a part of all."""
    progress(stage if count == 1 else f"{Path(photo).name}: {stage}", (number + fraction) / count)


def select(context: bpy.types.Context, roots: list[bpy.types.Object]) -> None:
    """Selects the new dioramas, the last as the active one; does nothing in edit or paint mode."""
    if context.mode != "OBJECT":
        return
    for ob in context.selected_objects:
        ob.select_set(False)
    for root in roots:
        root.select_set(True)
        context.view_layer.objects.active = root


register, unregister = bpy.utils.register_classes_factory((ImportPhoto,))
