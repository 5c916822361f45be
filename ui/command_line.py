"""The command line: `photo-diorama PHOTO ...` and `blender --command photo_diorama PHOTO ...`, one program for both."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import Cancelled, DioramaError
from ..core.pipeline import Diorama, build_diorama
from ..core.settings import Settings, each_option

OK, FAULT, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
SCENE_FLAGS_OWN = {"set_up_scene"}
"""The command line writes a new file of its own, which is always set up; so this is no flag."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 2 for bad input, 1 for a fault of ours, 130 for Ctrl-C."""
    parser = make_parser()
    try:
        given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as stop:  # argparse has told why
        return int(stop.code or 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with only_ours_on_standard_output() as say:
            return run(given, say)
    except (KeyboardInterrupt, Cancelled):
        print("photo-diorama: stopped; nothing half-written was left behind.", file=sys.stderr)
        return INTERRUPTED
    except DioramaError as error:
        print(f"photo-diorama: {error}", file=sys.stderr)
        return BAD_INPUT
    except Exception:
        traceback.print_exc()
        print("photo-diorama: this is a fault of Photo Diorama; please report it with the lines above.", file=sys.stderr)
        return FAULT


@contextmanager
def only_ours_on_standard_output():
    """Yields a `print` for standard output, from which Blender's own chatter is kept away meanwhile."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as out:
            yield lambda text: print(text, file=out, flush=True)
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def make_parser() -> argparse.ArgumentParser:
    """Flags for the files, and one for every option that core declares."""
    parser = argparse.ArgumentParser(
        prog="photo-diorama", description="Turns one photo into a layered, textured, camera-matched diorama for Blender."
    )
    parser.add_argument("photo", type=Path, help="JPEG, PNG, WebP, TIFF, HEIC or OpenEXR")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="depth map: PNG, TIFF, EXR, NPY, NPZ or PFM")
    parser.add_argument("--output", type=Path, metavar="SCENE.blend", help="default: beside the photo's name, in this folder")
    parser.add_argument("--render", type=Path, metavar="FILE|FOLDER", help="movie (.mp4), still (.png) or folder of frames")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="print one JSON object: seconds, memory, counts, paths")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    focal = None
    for part, f in each_option():
        if f.name in SCENE_FLAGS_OWN:
            continue
        if part == "photo" and focal is None:
            focal = parser.add_mutually_exclusive_group()
        _add_flag(focal if part == "photo" else parser, f)
    return parser


def _add_flag(parser, f) -> None:
    flag, about = "--" + f.name.replace("_", "-"), f.metadata["help"].replace("%", "%%")
    choices, default = f.metadata["choices"], f.default
    if choices:
        parser.add_argument(flag, choices=list(choices), default=default, help=f"{about} (default {default})")
    elif isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=about)
    else:
        shown = f"{default:.4g}" if isinstance(default, float) else default
        parser.add_argument(flag, type=type(default), default=default, metavar=f.name[-1].upper(), help=f"{about} (default {shown})")


def settings_from(given: argparse.Namespace) -> Settings:
    """The options as flags set them; a render without a chosen move gets the first of the paper's."""
    values = {f.name: getattr(given, f.name) for _, f in each_option() if f.name not in SCENE_FLAGS_OWN}
    if given.render is not None and values["camera_move"] == "none" and given.render.suffix.lower() not in (".png", ".jpg", ".exr"):
        values["camera_move"] = "swing"
    return Settings().with_values({**values, "set_up_scene": True})


def run(given: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Photo in, .blend out, and a render where one was asked for."""
    from ..operators.render import check_target, render

    settings = settings_from(given)
    output = given.output or Path(f"{given.photo.stem}.blend")
    if output.suffix != ".blend":
        raise DioramaError(f"{output} is not a .blend file; give --output a name that ends in .blend.")
    if given.render is not None:
        check_target(given.render)
    for target in (output, given.render):
        check_writable(target, given.overwrite)
    tell = _tell(given)
    built = build_diorama(given.photo, given.depth, settings, tell)
    scene = new_scene(built, settings, given)
    save_blend(output)
    written = []
    if given.render is not None:
        written = render(given.render, scene, settings.scene.frames, tell)
    report(given, built, output, written, say)
    return OK


def check_writable(target: Path | None, overwrite: bool) -> None:
    """Raises DioramaError before any work is done where the result could not be written."""
    if target is None:
        return
    if target.exists() and not overwrite and not (target.is_dir() and not target.suffix and not any(target.iterdir())):
        raise DioramaError(f"{target} exists already; choose another name or pass --overwrite.")
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DioramaError(f"{folder} cannot be written to ({error.strerror or error}); choose another folder.") from None


def new_scene(built: Diorama, settings: Settings, given: argparse.Namespace):
    """An empty file with the diorama in it, its camera and render set up."""
    import bpy

    from ..operators.emit import emit

    bpy.ops.wm.read_factory_settings(use_empty=True)
    source = {"photo": str(given.photo.resolve()), "depth": str(given.depth.resolve()) if given.depth else ""}
    emit(built.mesh, built.photo, settings, source | facts(built))
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, settings.scene.frames
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 16, False, 4
    scene.frame_set(1)
    return scene


def save_blend(output: Path) -> None:
    """Saves beside the target and renames, so that a full disk leaves no half file. Raises DioramaError where it cannot."""
    import bpy

    beside = output.with_name(f".{os.getpid()}-{output.name[-40:]}")
    try:
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(beside), copy=True, compress=False, relative_remap=False)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise DioramaError(f"{output} could not be saved ({reason}); check the free space and the folder's permissions.") from None
        os.replace(beside, output)
    finally:
        beside.unlink(missing_ok=True)


def facts(built: Diorama) -> dict:
    """What the result was made of, as plain values: kept on the scene and printed."""
    return {
        "focal_px": round(built.photo.camera.focal_px, 3),
        "focal_source": built.photo.focal_source,
        "depth_source": built.depth.source,
        "metric": built.depth.metric,
        "photo_size": [built.photo.camera.width, built.photo.camera.height],
        "working_size": [built.image.frame[3], built.image.frame[2]],
        "edges": list(built.edges),
        "layers": len(built.image.layers),
        "vertices": built.mesh.vertex_count,
        "triangles": built.mesh.triangle_count,
        "nearest_m": round(built.mesh.nearest, 4),
        "focus_m": round(built.mesh.focus, 4),
        "seconds": built.seconds,
    }


def report(given: argparse.Namespace, built: Diorama, output: Path, written: list[Path], say: Callable[[str], None]) -> None:
    """Says what was made: one JSON object, or a few lines."""
    known = facts(built)
    if given.json:
        say(json.dumps(known | {"peak_memory_mb": peak_memory_mb(), "blend": str(output), "rendered": [str(p) for p in written]}))
    elif not given.quiet:
        say(f"{output}: {known['layers']} layers, {known['triangles']:,} triangles, {sum(built.seconds.values()):.1f} s")
        say(f"  focal length {known['focal_px']:g} px: {known['focal_source']}")
        say(f"  depth: {known['depth_source']}; nearest {known['nearest_m']:g} m")
        if written:
            say(f"  rendered {written[0]}" if len(written) == 1 else f"  rendered {len(written)} frames in {written[0].parent}")


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    scale = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6, 1)


def _tell(given: argparse.Namespace):
    """Progress lines on standard error, so that --json leaves standard output to the object."""

    def tell(stage: str, fraction: float) -> None:
        if not given.quiet and sys.stderr.isatty():
            print(f"\r{fraction:4.0%} {stage:<40}", end="\n" if fraction >= 1 else "", file=sys.stderr, flush=True)

    return tell
