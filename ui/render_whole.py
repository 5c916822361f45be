"""Renders so that only what is whole takes the target's place: on a full disk Blender leaves empty files, silently."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from ..core.errors import DioramaError
from ..core.photo import decode_exr
from .session import Session
from .targets import could_not_save, make_folder, room

ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9"}


def render_whole(target: Path, scene, frames: int, session: Session) -> list[Path]:
    """Renders beside the target and renames what is whole; returns the files. Raises DioramaError where one is not."""
    from ..operators.render import render

    make_folder(target.parent)
    is_folder = not target.suffix
    with tempfile.TemporaryDirectory(prefix=".rendering-", dir=target.parent.absolute()) as place:
        fresh = Path(place, "frames" if is_folder else f"rendered{target.suffix}")

        def tell(stage: str, fraction: float) -> None:
            session.progress(stage, fraction)
            _check_frames(Path(place), target)

        try:
            files = render(fresh, scene, frames, tell)
        except RuntimeError as error:  # all that Blender has to say, whatever happened
            raise _failed(target, error) from None
        for file in files:
            if not is_whole(file, 1 if is_folder else frames):
                raise _cut_short(target)
        return _put(files, target, is_folder)


def _put(files: list[Path], target: Path, is_folder: bool) -> list[Path]:
    if is_folder:
        make_folder(target)
    written = [target / file.name for file in files] if is_folder else [target]
    for file, name in zip(files, written, strict=True):
        os.replace(file, name)
    return written


def _check_frames(place: Path, target: Path) -> None:
    """Stops at the first frame that is not whole, instead of after hours."""
    frames = max(place.rglob("frame_*.png"), default=None)
    if frames is not None and not is_whole(frames):
        raise _cut_short(target)


def is_whole(file: Path, frames: int = 1) -> bool:
    """Whether a rendered picture has its end, or a movie its frames."""
    if not file.is_file() or not file.stat().st_size:
        return False
    end = ENDS.get(file.suffix.lower())
    if end is not None:
        with open(file, "rb") as opened:
            opened.seek(max(0, file.stat().st_size - 16))
            return opened.read().rstrip(b"\0").endswith(end)
    if file.suffix.lower() in (".exr", ".tif"):
        import cv2

        # not by name, which OpenCV cannot read on Windows unless it is plain
        pixels = decode_exr if file.suffix.lower() == ".exr" else lambda data: cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        return pixels(np.fromfile(file, np.uint8)) is not None
    return _frames_of(file) == frames


def _frames_of(movie: Path) -> int:
    """Counted by Blender, which wrote it and knows every codec it writes; 0 where it cannot be opened."""
    import bpy

    try:
        clip = bpy.data.movieclips.load(str(movie))
    except RuntimeError:
        return 0
    try:
        return clip.frame_duration
    finally:
        bpy.data.movieclips.remove(clip)


def _cut_short(target: Path) -> DioramaError:
    return could_not_save(target, f"Blender could not write all of it, {room(target.parent)}")


def _failed(target: Path, error: RuntimeError) -> Exception:
    """A sentence for what a disk does; the error itself where Blender complains of something else."""
    text = str(error).lower()
    # of a movie that it cannot write Blender says that the codec is unsupported, which it is not: H.264 in MP4 is ours
    if any(words in text for words in ("save", "open", "write", "space", "initialize streams", "render error")):
        return _cut_short(target)
    return error
