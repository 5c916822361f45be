"""`photo-diorama layers`: writes the surfaces of a photo, or of a scene, as layers for programs that paint and composite."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from ...core.errors import DioramaError
from ...core.layer_files.layer_file import LayerFile
from ...core.layer_files.write_layers import is_folder, write_layer_file
from ...core.layer_pictures import layer_file_of
from ...core.pipeline import build_diorama
from ...core.raster.decode import read_file
from .flags import add_common, add_options, settings_from
from .output_paths import check_target, put
from .session import Session, peak_memory_mb


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photo", type=Path, metavar="PHOTO|SCENE", help="JPEG, PNG, WebP, TIFF, HEIC or OpenEXR; or a .blend with a diorama"
    )
    parser.add_argument("--depth", type=Path, metavar="FILE", help="depth map: PNG, TIFF, EXR, NPY, NPZ or PFM")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER|FILE.psd|FILE.ora|FILE.exr",
        help="a folder for PNGs and their layers.json, or one file: Photoshop, OpenRaster (Krita, GIMP) or OpenEXR (Nuke, Fusion, Blender)",
    )  # fmt: skip
    parser.add_argument("--diorama", metavar="NAME", help="which diorama of the scene, where it holds several")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_common(parser)
    add_options(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Builds as for a diorama, writes its layers and prints which."""
    started = time.perf_counter()
    check_target(given.output, given.overwrite, [given.photo, given.depth], folder=is_folder(given.output))
    if given.photo.suffix.lower() == ".blend":
        size, file = _of_scene(given, session)
    else:
        if given.diorama:
            raise DioramaError("--diorama names one in a scene, and this is a photo; leave it out.")
        built = build_diorama(given.photo, given.depth, settings_from(given), session.progress, models=session.models)
        size, file = [built.photo.camera.width, built.photo.camera.height], layer_file_of(built)
        del built
    written = write_layer_file(given.output, file, partial(put, overwrite=given.overwrite), session.progress)
    session.say(f"{given.output}: {len(file.layers)} layers, front first: {', '.join(each.name for each in file.layers)}")
    session.result({
        "output": str(given.output.absolute()), "files": [str(each.absolute()) for each in written],
        "layers": [each.name for each in file.layers], "photo_size": size,
        "seconds": round(time.perf_counter() - started, 4), "peak_memory_mb": peak_memory_mb(),
    })  # fmt: skip


def _of_scene(given: argparse.Namespace, session: Session) -> tuple[list[int], LayerFile]:
    """Size of the photo and layers of the diorama in a .blend; scripts in it are not run, and it is not saved."""
    import bpy

    from ...operators.output.export_layers import layers_in_scene
    from ...operators.scene.root import find_root, kept_source

    if given.depth is not None:
        raise DioramaError(f"{given.photo} knows its depth; leave --depth out.")
    read_file(given.photo, "scene")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(given.photo.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError:
        raise DioramaError(f"{given.photo} cannot be opened as a scene; save it again in Blender.") from None
    roots = {ob.name: ob for ob in bpy.data.objects if find_root(ob) == ob}
    names = ", ".join(sorted(roots))
    if not roots:
        raise DioramaError(f"{given.photo} holds no diorama; name a scene that does, or a photo.")
    if given.diorama is not None and given.diorama not in roots:
        raise DioramaError(f'{given.photo} holds no diorama "{given.diorama}"; it holds {names}.')
    if given.diorama is None and len(roots) > 1:
        raise DioramaError(f"{given.photo} holds several dioramas; pass --diorama with one of {names}.")
    root = roots[given.diorama or names]
    size = [int(side) for side in kept_source(root).get("photo_size", ())]
    return size, layers_in_scene(bpy.context, root, session.progress)
