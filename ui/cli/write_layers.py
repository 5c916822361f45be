"""`photo-diorama layers`: writes the surfaces of a photo as pictures in its own frame, for programs that paint and composite."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from ...core.errors import DioramaError
from ...core.layer_files.write_layers import is_folder, write_layer_file
from ...core.layer_pictures import layer_file_of
from ...core.pipeline import build_diorama
from .flags import add_common, add_options, settings_from
from .output_paths import check_target, put
from .session import Session, peak_memory_mb


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="JPEG, PNG, WebP, TIFF, HEIC or OpenEXR")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="depth map: PNG, TIFF, EXR, NPY, NPZ or PFM")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder for the pictures and their layers.json")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist in the folder")
    add_common(parser)
    add_options(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Builds as for a diorama, writes a picture of each surface and prints which."""
    if given.photo.suffix.lower() == ".blend":
        raise DioramaError(f"{given.photo} is a scene; open it in Blender and use Export Layers there, or name the photo here.")
    started = time.perf_counter()
    check_target(given.output, given.overwrite, [given.photo, given.depth], folder=is_folder(given.output))
    built = build_diorama(given.photo, given.depth, settings_from(given), session.progress, models=session.models)
    file = layer_file_of(built)
    written = write_layer_file(given.output, file, partial(put, overwrite=given.overwrite), session.progress)
    session.say(f"{given.output}: {len(file.layers)} layers, front first: {', '.join(each.name for each in file.layers)}")
    session.result({
        "output": str(given.output.absolute()), "files": [str(each.absolute()) for each in written],
        "layers": [each.name for each in file.layers], "photo_size": [built.photo.camera.width, built.photo.camera.height],
        "seconds": round(time.perf_counter() - started, 4), "peak_memory_mb": peak_memory_mb(),
    })  # fmt: skip
