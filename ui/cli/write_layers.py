"""`photo-diorama layers`: writes the surfaces of a photo, or of a scene, as layers for programs that paint and composite."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from ...core.errors import DioramaError
from ...core.layer_changes.clean_plates import ANSWERS, MASKS, plate_files
from ...core.layer_files.write_layers import check_ending, is_folder, write_folder, write_layer_file
from ...core.layer_pictures import make_layer_file
from ...core.mesh.texture_layout import PaintedTexels
from ...core.pipeline import Diorama, build_diorama
from ...core.raster.decode import check_file
from ...core.raster.open_picture import DEPTH_FORMATS, READ_FORMATS
from .flags import add_common, add_options, refuse_for_scene, settings_from
from .output_paths import check_target, put
from .session import Session, peak_memory_mb


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO|SCENE", help=f"{READ_FORMATS}; or a .blend with a diorama")
    parser.add_argument("--depth", type=Path, metavar="FILE", help=f"depth map: {DEPTH_FORMATS}")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER|FILE.psd|FILE.ora|FILE.exr",
        help="a folder for PNGs and their layers.json, or one file: Photoshop, OpenRaster (Krita, GIMP) or OpenEXR (Nuke, Fusion, Blender)",
    )  # fmt: skip
    parser.add_argument("--diorama", metavar="NAME", help="which diorama of the scene, where it holds several")
    parser.add_argument(
        "--plates", action="store_true",
        help="instead of layers, for each the picture and the mask (hole white) that inpainting programs take, into a folder",
    )  # fmt: skip
    parser.add_argument("--layer", metavar="NAME", default="", help='with --plates: the only layer to write, "hidden 1" for one')
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_common(parser)
    add_options(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Builds as for a diorama, writes its layers and prints which."""
    started = time.perf_counter()
    if given.photo.suffix.lower() == ".blend":
        refuse_for_scene(given)
    folder = given.plates or is_folder(given.output)
    if given.plates and not is_folder(given.output):
        raise DioramaError(f"{given.output} is the name of a file, and plates are a folder; choose another name.")
    check_ending(given.output)
    if given.layer and not given.plates:
        raise DioramaError("--layer chooses a plate; pass --plates as well, or leave it out.")
    check_target(given.output, given.overwrite, [given.photo, given.depth], folder=folder)
    built, painted = _built(given, session)
    size = [built.photo.camera.width, built.photo.camera.height]
    place = partial(put, overwrite=given.overwrite)
    if given.plates:
        written = write_folder(given.output, plate_files(built, painted, given.layer), place, session.progress)
        names = [path.stem for path in written if path.parent.name == MASKS]
        session.say(
            f"{given.output}: {format_count(len(names), 'picture')}, with masks: {', '.join(names)}",
            f"  fill them into {given.output / ANSWERS}",
        )
    else:
        file = make_layer_file(built, painted)
        del built
        written, names = write_layer_file(given.output, file, place, session.progress), [each.name for each in file.layers]
        borders = ", the border as one of them" if any(name.endswith("border") for name in names) else ""
        session.say(f"{given.output}: {format_count(len(names), 'layer')}{borders}, front first: {', '.join(names)}")
    session.result({
        "output": str(given.output.absolute()), "files": [str(each.absolute()) for each in written], "layers": names, "photo_size": size,
        "seconds": round(time.perf_counter() - started, 4), "peak_memory_mb": peak_memory_mb(),
    })  # fmt: skip


def _built(given: argparse.Namespace, session: Session) -> tuple[Diorama, dict[str, PaintedTexels]]:
    """The diorama, and what was painted on its textures."""
    if given.photo.suffix.lower() == ".blend":
        return _of_scene(given, session)
    if given.diorama:
        raise DioramaError("--diorama names one in a scene, and this is a photo; leave it out.")
    return build_diorama(given.photo, given.depth, settings_from(given), session.progress, models=session.models), {}


def _of_scene(given: argparse.Namespace, session: Session) -> tuple[Diorama, dict[str, PaintedTexels]]:
    """The diorama in a .blend, which is not saved."""
    from ...operators.layers.export_layers import built_in_scene

    context, root = diorama_in_scene(given.photo, given.depth, given.diorama)
    return built_in_scene(context, root, session.progress)


def format_count(number: int, what: str) -> str:
    """The number and what it counts, a regular noun: 1 layer, 2 layers."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def diorama_in_scene(scene: Path, depth: Path | None, name: str | None):
    """Opens a .blend, without running scripts in it; Blender's context, and the root of the diorama of that name, or of the only one.

    Raises DioramaError where there is none, its photo is gone, or a `depth` was given, which the scene has.
    """
    import bpy

    from ...operators.scene.root import find_root, source_files

    if depth is not None:
        raise DioramaError(f"{scene} knows its depth; leave --depth out.")
    check_file(scene, "scene")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(scene.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError:
        raise DioramaError(f"{scene} cannot be opened as a scene; save it again in Blender.") from None
    roots = {ob.name: ob for ob in bpy.data.objects if find_root(ob) == ob}
    names = ", ".join(sorted(roots))
    if not roots:
        raise DioramaError(f"{scene} holds no diorama; name a scene that does, or a photo.")
    if name is not None and name not in roots:
        raise DioramaError(f'{scene} holds no diorama "{name}"; it holds {names}.')
    if name is None and len(roots) > 1:
        raise DioramaError(f"{scene} holds several dioramas; pass --diorama with one of {names}.")
    root = roots[name or names]
    photo = source_files(root)[0]
    if photo and not Path(bpy.path.abspath(photo)).is_file():
        raise DioramaError(
            f"{photo}, the photo of {root.name}, is not there; put it back, or open {scene} in Blender: Rebuild asks where it is."
        )
    return bpy.context, root
