"""Checks that a rendered file is complete: on a full disk Blender leaves cut or empty files without an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ...core.errors import DioramaError, Kind
from ...core.raster.decode import decode_pixels
from ...core.raster.exr_read import read_depth_channel

ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".gif": b"\x3b"}


def is_whole(file: Path, frames: int = 1) -> bool:
    """Whether a rendered picture is complete, or a movie has its frames."""
    if not file.is_file() or not file.stat().st_size:
        return False
    end = ENDS.get(file.suffix.lower())
    if end is not None:
        with open(file, "rb") as opened:
            opened.seek(max(0, file.stat().st_size - 16))
            return opened.read().rstrip(b"\0").endswith(end)
    if file.suffix.lower() in (".exr", ".tif"):
        # from bytes: on Windows OpenCV opens only plain names
        data = np.fromfile(file, np.uint8)
        return decode_pixels(data) is not None or (file.suffix.lower() == ".exr" and _holds_depth(data.tobytes()))
    return _count_frames(file) == frames


def _holds_depth(data: bytes) -> bool:
    """Whether an OpenEXR of many layers can be read to its end: every block holds some of each layer."""
    try:
        return read_depth_channel(data, "", 10**9) is not None
    except DioramaError:
        return False


def _count_frames(movie: Path) -> int:
    """Number of frames of a movie as Blender reads it; 0 where it cannot be opened."""
    import bpy

    try:
        clip = bpy.data.movieclips.load(str(movie))
    except RuntimeError:
        return 0
    try:
        return clip.frame_duration
    finally:
        bpy.data.movieclips.remove(clip)


def cut_short(target: Path) -> DioramaError:
    """The error for a file that Blender did not write completely."""
    free = shutil.disk_usage(_nearest(target)).free / 1e6
    return DioramaError(
        f"{target} could not be saved (Blender could not write all of it, {free:,.1f} MB are free there); "
        "check the free space and the folder's permissions.",
        Kind.DISK,
    )


def _nearest(path: Path) -> Path:
    """The folder that holds the path, or the nearest one above it that exists."""
    path = path.absolute().parent
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


OF_THE_DISK = ("save", "open", "write", "space", "initialize streams", "render error")
"""Where a movie cannot be written Blender says that the codec is unsupported, though it is not: we write H.264 in MP4."""


def explain_failure(target: Path, error: RuntimeError) -> Exception:
    """The error of a full or failing disk as a sentence; another error of Blender unchanged."""
    return cut_short(target) if any(words in str(error).lower() for words in OF_THE_DISK) else error
