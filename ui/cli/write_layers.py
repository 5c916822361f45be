"""`photo-diorama layers`: writes the surfaces of a photo as pictures in its own frame, for programs that paint and composite."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ...core.errors import DioramaError
from ...core.layer_pictures import INDEX, layer_files
from ...core.pipeline import build_diorama
from .flags import add_common, add_options, settings_from
from .output_paths import check_target, write_whole
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
    check_target(given.output, given.overwrite, [given.photo, given.depth], folder=True)
    built = build_diorama(given.photo, given.depth, settings_from(given), session.progress, models=session.models)
    written = []
    for name, data in layer_files(built):
        session.progress(f"Writing {name}", 1.0)
        write_whole(given.output / name, data, given.overwrite)
        written.append(str((given.output / name).absolute()))
    session.say(f"{given.output}: {len(written) - 1} pictures, front first in {INDEX}")
    facts = {"output": str(given.output.absolute()), "files": written, "photo_size": [built.photo.camera.width, built.photo.camera.height]}
    session.result(facts | {"seconds": round(time.perf_counter() - started, 4), "peak_memory_mb": peak_memory_mb()})
