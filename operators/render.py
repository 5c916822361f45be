"""Renders a diorama's camera to a still, a movie or a folder of frames with Cycles on the processor."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import bpy

from ..core.errors import DioramaError

MOVIES, STILLS = (".mp4", ".mkv", ".mov"), (".png", ".jpg", ".jpeg", ".exr", ".tif")
STILL_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".exr": "OPEN_EXR", ".tif": "TIFF"}
MOST_MOVIE_SIDE = 1280
SAMPLES = 4


def check_target(target: Path) -> None:
    """Raises DioramaError for a name that says no format."""
    if target.suffix.lower() not in (*MOVIES, *STILLS, ""):
        raise DioramaError(f"{target} has no ending that can be rendered; use .mp4, .png, .jpg, .exr or a folder.")


def render(target: Path, scene, frames: int, progress: Callable[[str, float], None]) -> list[Path]:
    """Renders `frames` frames to a movie or a folder, or the first to a still; returns the files written.

    Written beside the target and renamed when whole. The scene's own render settings are put back afterwards.
    """
    ending = target.suffix.lower()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".rendering-", dir=target.parent) as place, _settings_kept(scene):
        _set_cycles(scene)
        if ending in STILLS:
            return [_still(scene, Path(place), target, progress)]
        if ending in MOVIES:
            return [_movie(scene, Path(place), target, frames, progress)]
        return _frames(scene, Path(place), target, frames, progress)


def _still(scene, place: Path, target: Path, progress) -> Path:
    progress("Rendering", 0.0)
    scene.render.image_settings.file_format = STILL_FORMATS[target.suffix.lower()]
    still = place / f"still{target.suffix.lower()}"
    scene.render.filepath = _verbatim(still)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    os.replace(still, target)
    return target


def _movie(scene, place: Path, target: Path, frames: int, progress) -> Path:
    _fit_movie(scene.render, MOST_MOVIE_SIDE)
    files = _render_frames(scene, place, frames, progress)
    movie = place / f"movie{target.suffix.lower()}"
    _encode(files, movie, scene)
    os.replace(movie, target)
    return target


def _frames(scene, place: Path, target: Path, frames: int, progress) -> list[Path]:
    files = _render_frames(scene, place, frames, progress)
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        os.replace(file, target / file.name)
    return [target / file.name for file in files]


def _render_frames(scene, place: Path, frames: int, progress) -> list[Path]:
    """One call a frame: so `progress` may stop between two, which it could not inside Blender's own animation render."""
    scene.render.image_settings.file_format = "PNG"
    files = []
    for number in range(frames):
        progress("Rendering", number / frames)
        scene.frame_set(scene.frame_start + number)
        files.append(place / f"frame_{number + 1:04d}.png")
        scene.render.filepath = _verbatim(files[-1])
        bpy.ops.render.render(write_still=True, scene=scene.name)
    return files


def _encode(files: list[Path], movie: Path, shown) -> None:
    """Encodes pictures to H.264 with Blender's own encoder, through a scene of its own that is removed again."""
    scene = bpy.data.scenes.new("Photo Diorama movie")
    try:
        scene.view_settings.view_transform = "Standard"
        editor = scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences
        strip = strips.new_image("frames", str(files[0]), 1, 1)
        for file in files[1:]:
            strip.elements.append(file.name)
        scene.frame_start, scene.frame_end = 1, len(files)
        render, image = scene.render, scene.render.image_settings
        render.resolution_x, render.resolution_y = shown.render.resolution_x, shown.render.resolution_y
        render.resolution_percentage, render.fps, render.dither_intensity = 100, shown.render.fps, 0
        render.use_sequencer, render.use_compositing, render.use_file_extension = True, False, False
        if hasattr(image, "media_type"):
            image.media_type = "VIDEO"
        image.file_format = "FFMPEG"
        render.ffmpeg.format = {".mp4": "MPEG4", ".mkv": "MKV", ".mov": "QUICKTIME"}[movie.suffix]
        render.ffmpeg.codec, render.ffmpeg.constant_rate_factor = "H264", "HIGH"
        render.filepath = _verbatim(movie)
        bpy.ops.render.render(animation=True, scene=scene.name)
    finally:
        bpy.data.scenes.remove(scene)


def _verbatim(path: Path) -> str:
    """The path as `render.filepath` takes it: from 4.5 Blender reads braces as the name of a variable."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _set_cycles(scene) -> None:
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = "CPU", SAMPLES, False, False
    scene.render.use_persistent_data = True  # only the camera moves, so the scene is built once
    scene.render.use_compositing = scene.render.use_sequencer = False


def _fit_movie(render, most: int) -> None:
    """A movie at full photo resolution is seldom played; H.264 also wants even sides."""
    scale = min(1.0, most / max(render.resolution_x, render.resolution_y))
    render.resolution_x = max(2, round(render.resolution_x * scale / 2) * 2)
    render.resolution_y = max(2, round(render.resolution_y * scale / 2) * 2)


class _settings_kept:
    """Puts back everything that rendering changes in the scene."""

    NAMES = (
        "render.engine render.filepath render.resolution_x render.resolution_y render.use_persistent_data "
        "render.use_compositing render.use_sequencer render.use_file_extension frame_end frame_current cycles.device "
        "cycles.samples cycles.use_adaptive_sampling cycles.use_denoising"
    ).split()
    IMAGE = ("media_type", "file_format")

    def __init__(self, scene):
        self.scene = scene

    def __enter__(self):
        self.values = {name: self.scene.path_resolve(name) for name in self.NAMES}
        image = self.scene.render.image_settings
        self.image = {name: getattr(image, name) for name in self.IMAGE if hasattr(image, name)}

    def __exit__(self, *_):
        image = self.scene.render.image_settings
        for name, value in self.image.items():
            setattr(image, name, value)
        for name, value in self.values.items():
            if name == "frame_current":
                self.scene.frame_set(value)
                continue
            owner, _, last = name.rpartition(".")
            setattr(self.scene.path_resolve(owner) if owner else self.scene, last, value)
