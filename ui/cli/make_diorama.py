"""The main job of the command line: a photo in, a .blend and perhaps a render out."""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.camera.framing import told as framing_told
from ...core.errors import DioramaError
from ...core.pipeline import Diorama, build_diorama
from ...core.scene.output import GIF, MOVIES, OutputSettings, names_of
from ...core.settings import Settings
from .flags import add_common, add_options, add_output_options, output_from, settings_from
from .output_paths import beside, check_target, could_not_save, default_name, make_folder, room
from .session import Session, peak_memory_mb

SAMPLES, BOUNCES = 16, 4


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for the files, and one for every option that core declares."""
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="JPEG, PNG, WebP, TIFF, HEIC or OpenEXR")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="depth map: PNG, TIFF, EXR, NPY, NPZ or PFM")
    parser.add_argument("--output", type=Path, metavar="FILE.blend", help="default: the photo's name, in this folder")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_passed_on(parser)


def add_passed_on(parser: argparse.ArgumentParser) -> None:
    """Flags that a batch hands on to each of its photos."""
    parser.add_argument(
        "--render", type=Path, metavar="FILE|FOLDER",
        help="movie (.mp4, .mkv, .mov, .gif), still (.png, .jpg, .exr, .tif) or folder of frames; for movies and folders "
        "a camera that would stay swings",
    )  # fmt: skip
    add_output_options(parser)
    add_common(parser)
    add_options(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Builds, saves, renders and reports. Raises DioramaError before any work where the result could not be written."""
    settings, look = settings_of(given), output_from(given)
    output = given.output or default_name(given.photo, ".blend")
    if output.suffix != ".blend":
        raise DioramaError(f"{output} is not a .blend file; give --output a name that ends in .blend.")
    require_blender()
    sources = [given.photo, given.depth]
    check_target(output, given.overwrite, sources)
    if given.render is not None:
        _check_render(given.render, given.overwrite, sources, look)
    built = build_diorama(given.photo, given.depth, settings, session.progress, models=session.models)
    seconds, rendered = dict(built.seconds), []

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        session.progress(stage, 1.0)
        started = time.perf_counter()
        result = work()
        seconds[stage] = round(time.perf_counter() - started, 4)
        return result

    from ...operators.output.render import quality_told
    from ...operators.scene.camera_moves import framed

    with session.progress.stops.deferred():
        scene = timed("Writing the scene", lambda: new_scene(built, settings, given))
        timed("Saving", lambda: save_blend(output))
        if given.render is not None:
            frames = settings.scene.frames
            known = facts_of(built, given)
            rendered = timed("Rendering", lambda: render_whole(given.render, scene, frames, session, look, known))
    shown = {"framed_tighter": round(1 - 1 / framed(scene.camera.parent), 4)}
    told = [framing_told(framed(scene.camera.parent), settings.scene.move_amount)]
    told += [f"rendered by {quality_told(scene, look)}"] if rendered else []
    _report(session, facts_of(built, given) | {"seconds": seconds} | shown, output, rendered, told)


def settings_of(given: argparse.Namespace) -> Settings:
    """The options as flags set them; moving pictures without a chosen move get one."""
    settings = settings_from(given, set_up_scene=True)
    if given.render is not None and settings.scene.camera_move == "none" and not _is_still(given.render):
        return settings.with_values({"camera_move": "swing"})
    return settings


def _is_still(target: Path) -> bool:
    return target.suffix.lower() not in ("", GIF, *MOVIES)


def require_blender() -> None:
    """Raises DioramaError where Blender is not to be had."""
    if importlib.util.find_spec("bpy") is None:
        raise DioramaError(
            "A .blend is written by Blender, which is not here: install it as a module (pip install bpy) or run "
            "`blender --command photo_diorama`."
        )


def _check_render(target: Path, overwrite: bool, sources: list[Path | None], look: OutputSettings) -> None:
    from ...operators.output.render import check_target as check_ending

    check_ending(target, look)
    for name in names_of(target, look):
        check_target(name, overwrite, sources, folder=not target.suffix)


def new_scene(built: Diorama, settings: Settings, given: argparse.Namespace):
    """An empty file with the diorama in it and nothing else, its camera and render set up.

    The startup scene goes; preferences and enabled extensions stay, since this one may be what runs.
    """
    import bpy

    from ...operators.scene.emit import emit
    from ...operators.scene.root import source_of
    from ...operators.staging.placement import place

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, settings.scene.frames
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = SAMPLES, False, BOUNCES
    root = emit(built.mesh, built.photo, settings, source_of(built, given.photo, given.depth))
    place(root, settings.scene.placement, bpy.context)
    scene.frame_set(1)
    return scene


def render_whole(target: Path, scene, frames: int, session: Session, output: OutputSettings, known: dict) -> list[Path]:
    """Renders and returns the files; `known` are the facts that the scene keeps. Raises DioramaError where one fails."""
    from ...operators.output.render import View, render

    make_folder(target.parent)
    size = tuple(known["photo_size"])
    view = View(scene.camera, size, known["nearest_m"], known["focus_m"], known["metric"])
    return render(target, scene, frames, session.progress, output, view)


def save_blend(output: Path) -> None:
    """Saves beside the target and renames: a full disk leaves no half file. Raises DioramaError where it cannot."""
    import bpy

    make_folder(output.parent)
    fresh = beside(output.absolute())  # Blender has an idea of its own of what a relative path is relative to
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(fresh), copy=True, compress=False, relative_remap=False)
        os.replace(fresh, output)
    except (RuntimeError, OSError) as error:
        # Blender's own reason is often that of a file which it has removed by then
        reason = error.strerror if isinstance(error, OSError) else room(output.parent)
        raise could_not_save(output, reason) from None
    finally:
        fresh.unlink(missing_ok=True)


def facts_of(built: Diorama, given: argparse.Namespace) -> dict:
    """What the result was made of, as the scene keeps it too."""
    from ...operators.scene.root import source_of

    facts = source_of(built, given.photo, given.depth) | {"depth_origin": built.found.origin}
    return {name: value for name, value in facts.items() if name != "photo_stamp"}


def _report(session: Session, known: dict, output: Path, rendered: list[Path], told: list[str]) -> None:
    metres = "m" if known["metric"] else "m, as assumed"
    session.say(
        f"{output}: {known['layers']} layers, {known['triangles']:,} triangles, {sum(known['seconds'].values()):.1f} s",
        f"  focal length {known['focal_px']:g} px: {known['focal_source']}",
        f"  depth: {known['depth_source']}; nearest {known['nearest_m']:g} {metres}",
    )
    session.say(*(f"  {sentence}" for sentence in told if sentence))
    if rendered:
        few = " and ".join(map(str, rendered))
        where = few if len(rendered) <= 2 else f"{len(rendered)} frames in {rendered[0].parent}"
        session.say(f"  rendered {where}")
    written = {"blend": str(output.absolute()), "rendered": [str(path.absolute()) for path in rendered]}
    session.result(known | {"peak_memory_mb": peak_memory_mb()} | written)
