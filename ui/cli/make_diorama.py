"""The main command: a photo in, a .blend and perhaps a render out."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.batch.request import Request
from ...core.camera.framing import describe_framing
from ...core.depth.depth_map import Guess
from ...core.edit_and_rebuild import Source
from ...core.errors import DioramaError, Kind
from ...core.layer_changes.find_changes import Changes
from ...core.layer_changes.update_layers import update_layers
from ...core.memory import BLENDER_ADDRESSES, address_space_left, free_caches, give_back, scarce_memory
from ...core.mesh.triangulate import LayeredMesh
from ...core.photo.photo import Photo
from ...core.pipeline import StageCache, build_diorama
from ...core.raster.open_picture import DEPTH_FORMATS, READ_FORMATS
from ...core.scene.output import OutputSettings, output_files
from ...core.settings import Settings
from .flags import add_common, add_options, add_output_options, refuse_for_scene, request_from
from .output_paths import check_target, could_not_save, default_name, make_folder, put, room, temporary_name
from .session import Session, peak_memory_mb
from .write_layers import diorama_in_scene, format_count

SAMPLES, BOUNCES = 16, 4


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for the files, and one for every option that core declares."""
    parser.add_argument("photo", type=Path, metavar="PHOTO", help=READ_FORMATS)
    parser.add_argument("--depth", type=Path, metavar="FILE", help=f"depth map: {DEPTH_FORMATS}")
    parser.add_argument("--output", type=Path, metavar="FILE.blend", help="default: the photo's name, in this folder")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument(
        "--layers", type=Path, metavar="FILE",
        help="layers that `photo-diorama layers` wrote and another program changed, or somebody else's layers of the same photo: "
        "folder of PNGs, PSD, OpenRaster or OpenEXR; with it PHOTO may be a scene that holds the diorama",
    )  # fmt: skip
    parser.add_argument("--diorama", metavar="NAME", help="which diorama of a scene, where it holds several")
    add_passed_on(parser)


def add_passed_on(parser: argparse.ArgumentParser) -> None:
    """Flags that a batch hands on to each of its photos."""
    parser.add_argument(
        "--render",
        type=Path,
        metavar="FILE|FOLDER",
        help="movie (.mp4, .mkv, .mov, .gif), still (.png, .jpg, .exr, .tif), web page that tilts (.html) or folder of frames; "
        "for movies and folders a camera that would stay swings",
    )
    add_output_options(parser)
    add_common(parser)
    add_options(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Makes what the flags ask for."""
    if given.layers is not None and given.photo.suffix.lower() == ".blend":
        update_scene(given, session)
        return
    if given.diorama:
        raise DioramaError("--diorama names one in a scene that --layers updates; leave it out.")
    make(request_from(given, given.photo, given.depth).named(output=given.output, overwrite=given.overwrite), session, given.layers)


def update_scene(given: argparse.Namespace, session: Session) -> None:
    """Updates a diorama in a scene from a file of layers, and saves that as another scene."""
    output = given.output or given.photo
    if output.suffix != ".blend":
        raise DioramaError(f"{output} is not a .blend file; give --output a name that ends in .blend.")
    if given.render is not None:
        raise DioramaError(f"{given.photo} is a scene, which is only updated here; leave --render out and render the new one in Blender.")
    refuse_for_scene(given)
    require_blender()
    check_target(output, given.overwrite, [given.layers])
    load_blender(session)
    from ...operators.layers.update_layers import update_in_scene

    context, root = diorama_in_scene(given.photo, given.depth, given.diorama)
    changes, note = update_in_scene(context, root, given.layers, session.progress)
    with session.progress.stops.deferred():
        save_blend(output, given.overwrite)
    what = "; ".join(changes.summary) or "nothing differs from the scene"
    session.say(f"{output}: {what}", *(f"  {each}" for each in (*changes.notes, note) if each))
    session.result({"blend": str(output.absolute()), "changed": list(changes.summary), "peak_memory_mb": peak_memory_mb()})


def make(request: Request, session: Session, layers: Path | None = None) -> None:
    """Builds, saves, renders and reports. Raises DioramaError before any work where the result could not be written."""
    settings, look = request.built_settings, request.look
    output = request.output or default_name(request.photo, ".blend")
    if output.suffix != ".blend":
        raise DioramaError(f"{output} is not a .blend file; give --output a name that ends in .blend.")
    require_blender()
    sources = [request.photo, request.depth]
    check_target(output, request.overwrite, sources)
    check_room()  # before all the work that would be for nothing
    if request.render is not None:
        load_blender(session)
        _check_render(request.render, request.overwrite, sources, look)
    tell_of_memory(request, settings, session)
    changes = None
    if layers is None:
        built = build_diorama(request.photo, request.depth, settings, session.progress, models=session.models)
    else:
        given = Source(str(request.photo), request.depth and str(request.depth), settings, session.models, StageCache())
        updated = update_layers(given, None, {}, layers, session.progress)
        built, changes = updated.built, updated.changes
        del given, updated
    load_blender(session)
    from ...operators.output.render import describe_quality
    from ...operators.scene.camera_moves import framing_factor
    from ...operators.scene.root import source_facts

    source, seconds, rendered = source_facts(built, request.photo, request.depth), dict(built.seconds), []
    known = {name: value for name, value in source.items() if name != "photo_stamp"} | {"depth_origin": built.depth_origin}
    mesh, photo = built.mesh, built.photo
    del built  # what the mesh was made from, networks and patches of this photo: Blender needs the room
    free_caches(__package__.removesuffix(".ui.cli"))
    give_back()

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        session.progress(stage, 1.0)
        started = time.perf_counter()
        result = work()
        seconds[stage] = round(time.perf_counter() - started, 4)
        return result

    with session.progress.stops.deferred():
        scene = timed("Writing the scene", lambda: new_scene(mesh, photo, settings, source, changes))
        timed("Saving", lambda: save_blend(output, request.overwrite))
        if request.render is not None:
            frames = settings.scene.frames
            rendered = timed("Rendering", lambda: render_whole(request.render, scene, frames, session, look, known))
    shown = {"framed_tighter": round(1 - 1 / framing_factor(scene.camera.parent), 4)}
    notes = [describe_framing(framing_factor(scene.camera.parent), settings.scene.move_amount)]
    quality = describe_quality(scene, look, request.render) if rendered else ""
    notes += [f"rendered by {quality}"] if quality else []
    if changes is not None:
        notes += [f"layers: {'; '.join(changes.summary) or 'nothing differs from what was built'}", *changes.notes]
    _report(session, known | {"seconds": seconds} | shown, output, rendered, notes)


def require_blender() -> None:
    """Raises DioramaError where Blender is not installed."""
    if importlib.util.find_spec("bpy") is None:
        raise DioramaError(
            "A .blend is written by Blender, which is not here: install it as a module (pip install bpy) or run "
            "`blender --command photo_diorama`."
        )


def tell_of_memory(request: Request, settings: Settings, session: Session) -> None:
    """Warns where the machine has less memory left than the photo will take."""
    networks = request.depth is None or settings.inpaint.inpainter not in ("diffusion", "exemplar")
    scarce = scarce_memory(request.photo, settings.layers.long_side, networks)
    if scarce:
        session.warn(f"{scarce}, lower --long-side (now {settings.layers.long_side}) or scale the photo down.")


def check_room() -> None:
    """Raises DioramaError where a limit of this process leaves no room for Blender, unless that is loaded already."""
    left = address_space_left()
    if "bpy" not in sys.modules and left is not None and left < BLENDER_ADDRESSES:
        raise DioramaError(
            f"There is not enough memory for Blender: it needs {BLENDER_ADDRESSES / 1e9:.1f} GB of address space, and the limit of this "
            f"process leaves {max(0, left) / 1e9:.1f} GB; raise the limit (ulimit -v).", Kind.MEMORY,
        )  # fmt: skip


def load_blender(session: Session) -> None:
    """Imports Blender as a module, which takes a second. Signals wait meanwhile, since they would leave it half loaded."""
    check_room()
    with session.progress.stops.defer_all_signals():
        importlib.import_module("bpy")


def _check_render(target: Path, overwrite: bool, sources: list[Path | None], look: OutputSettings) -> None:
    from ...operators.output.render import check_target as check_ending

    check_ending(target, look)
    for name in output_files(target, look):
        check_target(name, overwrite, sources, folder=not target.suffix)


def new_scene(mesh: LayeredMesh, photo: Photo, settings: Settings, source: dict, changes: Changes | None = None):
    """An empty file with only the diorama in it, its camera and render set up; with what a file of layers changed.

    `source` is what `source_facts` tells of the diorama.

    The startup scene is removed; preferences and enabled extensions stay, since this extension may be what runs.
    """
    import bpy

    from ...operators.repaint.lay_paint import lay_paint
    from ...operators.scene.emit import emit
    from ...operators.scene.root import keep_layer_edits
    from ...operators.staging.placement import place

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, settings.scene.frames
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = SAMPLES, False, BOUNCES
    root = emit(mesh, photo, settings, source)
    if changes is not None:
        keep_layer_edits(root, changes.edits)
        lay_paint(root, changes.paints, source["photo"])
    place(root, settings.scene.placement, bpy.context, photo.up)
    scene.frame_set(1)
    return scene


def render_whole(target: Path, scene, frames: int, session: Session, output: OutputSettings, known: dict) -> list[Path]:
    """Renders and returns the files; `known` are the facts stored in the scene. Raises DioramaError where a render fails."""
    from ...operators.output.render import View, render

    make_folder(target.parent)
    size = tuple(known["photo_size"])
    view = View(scene.camera, size, known["nearest_m"], known["focus_m"], known["metric"])
    return render(target, scene, frames, session.progress, output, view)


def save_blend(output: Path, overwrite: bool = True) -> None:
    """Saves beside the target and renames, so that a full disk leaves no half file. Raises DioramaError where it fails.

    Without `overwrite` also where another run has made the file meanwhile.
    """
    import bpy

    from ...operators.scene.root import keep_places

    make_folder(output.parent)
    fresh = temporary_name(output.absolute())  # Blender has an idea of its own of what a relative path is relative to
    try:
        if not bpy.app.handlers.save_pre.count(keep_places):  # where the add-on is not switched on
            keep_places(str(fresh))
        bpy.ops.wm.save_as_mainfile(filepath=str(fresh), copy=True, compress=False, relative_remap=False)
        put(fresh, output, overwrite)
    except (RuntimeError, OSError) as error:
        # Blender's own reason is often that of a file which it has removed by then
        reason = error.strerror if isinstance(error, OSError) else room(output.parent)
        raise could_not_save(output, reason) from None
    finally:
        fresh.unlink(missing_ok=True)


def _report(session: Session, known: dict, output: Path, rendered: list[Path], notes: list[str]) -> None:
    metres = "m" if known["metric"] else "m, as assumed"
    session.say(
        f"{output}: {format_count(known['layers'], 'layer')}, {known['triangles']:,} triangles, {sum(known['seconds'].values()):.1f} s",
        *(f"  photo: {note}" for note in known["photo_notes"]),
        f"  focal length {known['focal_px']:g} px: {known['focal_source']}",
        f"  depth: {known['depth_source']}; nearest {known['nearest_m']:g} {metres}",
    )
    session.say(*(f"  {question}" for question in Guess.from_facts(known).questions(window=False)))
    if not sum(known["edges"]):
        session.say(
            "  nothing is torn: the depth shows no silhouette that is sure, so the photo is one sheet; another depth file "
            "(--depth), a better network (--estimator) or a smaller --tear may show more"
        )
    session.say(*(f"  {sentence}" for sentence in notes if sentence))
    if rendered:
        few = " and ".join(map(str, rendered))
        where = few if len(rendered) <= 2 else f"{len(rendered)} frames in {rendered[0].parent}"
        session.say(f"  rendered {where}")
    written = {"blend": str(output.absolute()), "rendered": [str(path.absolute()) for path in rendered]}
    session.result(known | {"peak_memory_mb": peak_memory_mb()} | written)
