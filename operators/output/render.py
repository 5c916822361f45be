"""Renders a diorama's camera to a still, a film, a GIF or a folder of frames; the user's own scene is left as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...core.errors import DioramaError
from ...core.models.file_lock import folder_beside
from ...core.raster.decode import decode_pixels
from ...core.raster.exr_encode import encode_exr
from ...core.raster.supersample import FACTOR, LARGEST, reduce
from ...core.scene.output import GIF, OutputSettings, eye_distance, output_files, output_kind, picture_size
from ...core.scene.output_names import check_name
from ...core.scene.vr180_metadata import MARKED, mark_vr180
from ..scene.camera_moves import framing_factor
from ..scene.colour_management import show_as_the_photo
from ..scene.root import find_root
from .check_complete import cut_short, explain_failure, is_whole
from .eye_margins import lens_margin
from .gif import check_pillow, write_gif
from .passes import marked_by_origin, write_passes
from .stereo import EYES, set_up_stereo
from .web_viewer import writing_page

STILL_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".exr": "OPEN_EXR", ".tif": "TIFF"}
CONTAINERS = {".mp4": "MPEG4", ".mkv": "MKV", ".mov": "QUICKTIME"}
Rendering = Generator[float, None, list[Path]]


@dataclass(frozen=True)
class View:
    """What is rendered: which camera, how large the photo is, and the distances that two eyes need, in scene units."""

    camera: bpy.types.Object
    photo_size: tuple[int, int]  # width, height
    nearest: float
    focus: float
    metric: bool


def check_target(target: Path, output: OutputSettings | None = None) -> None:
    """Raises DioramaError where the name's ending is no format, cannot be written here, or cannot hold the stereo or passes wanted."""
    check_name(target)
    if output_kind(target) == "gif":
        check_pillow()
    if output is not None and output.stereo != "none" and output_kind(target) == "viewer":
        raise DioramaError(f"{target} shows one eye; choose no stereo, or another ending.")
    if output is not None and output.render_passes and output_kind(target) != "frames" and target.suffix.lower() != ".exr":
        raise DioramaError(f"{target} cannot hold passes; name a folder or an .exr file.")


def render(
    target: Path, scene, frames: int, progress: Callable[[str, float], None],
    output: OutputSettings, view: View,
) -> list[Path]:  # fmt: skip
    """Renders to the end; `progress` is called before each frame and may raise to stop. Else as `rendering`."""
    steps = rendering(target, scene, frames, output, view)
    try:
        while True:
            progress("Rendering", next(steps))
    except StopIteration as ended:
        return ended.value
    finally:
        steps.close()


def rendering(target: Path, scene, frames: int, output: OutputSettings, view: View) -> Rendering:
    """Renders `frames` frames from the scene's first, or the present one to a still; yields the fraction done before each.

    Returns the files written. Closing the generator stops the render. Files are written beside the target and renamed when all are
    complete; everything happens in a copy of the scene, which is removed at the end. Raises DioramaError for a full disk
    and a name without a format.
    """
    check_target(target, output)
    kind = output_kind(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "viewer":
        return (yield from writing_page(target, find_root(view.camera), output))
    with folder_beside(target.parent, ".rendering-") as place:
        try:
            with _copy_of(scene, view, kind, output) as shot:
                finish = _choose_finish(shot, view, output)
                pictures = yield from _pictures(shot, place, target, kind, frames, output, finish)
                fps = shot.render.fps / shot.render.fps_base
                written = [_joined(files, place, target, eye, kind, fps) for eye, files in pictures.items()]
                if output.stereo == "vr180":
                    write_vr180_boxes(written[0][0])
        except RuntimeError as error:  # Blender raises no other type
            raise explain_failure(target, error) from None
        return _put(written, target, kind, output)


@contextmanager
def _copy_of(scene, view: View, kind: str, output: OutputSettings) -> Iterator[bpy.types.Scene]:
    """The scene once more with its own settings and its own copy of the camera, as long as it renders."""
    shot, camera = scene.copy(), view.camera.copy()
    camera.data = data = view.camera.data.copy()
    try:
        shot.collection.objects.link(camera)
        shot.camera, shot.name = camera, "Photo Diorama render"
        for marker in shot.timeline_markers:
            marker.camera = None  # or it would switch to another
        _set_up(shot, kind, output)
        render = shot.render
        render.resolution_x, render.resolution_y = picture_size(view.photo_size, kind, output)
        if supersamples(shot, output):
            render.resolution_percentage = 100 * FACTOR
        if output.stereo != "none":
            eyes = eye_distance(output, view.nearest, view.metric)
            convergence = output.convergence or view.focus
            set_up_stereo(shot, camera, output.stereo, eyes, convergence)
            if output.stereo != "vr180":  # a smaller sensor acts as a longer lens, also where the lens is animated
                data.sensor_width /= lens_margin(find_root(view.camera), scene, eyes, convergence)
        with marked_by_origin(find_root(view.camera), shot) if output.render_passes else nullcontext():
            yield shot
    finally:
        # Blender keeps the engine, and with it a dependency graph that goes on to read this scene when it is gone: a crash some time later
        shot.render.use_persistent_data = False
        bpy.data.scenes.remove(shot)
        bpy.data.objects.remove(camera)
        bpy.data.cameras.remove(data)


def _set_up(shot, kind: str, output: OutputSettings) -> None:
    render, cycles = shot.render, shot.cycles
    if output.engine == "cycles":
        render.engine = "CYCLES"
        cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = output.samples, False, False
        cycles.pixel_filter_type = "BOX"
    elif output.engine == "eevee":
        render.engine = "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE"
        shot.eevee.taa_render_samples, render.filter_size = output.samples, 1.0
    render.use_persistent_data = kind != "still"  # only the camera moves, so the scene is built once
    # a compositor's or sequencer's nodes and strips show the user's scene, not this copy
    render.use_compositing = render.use_sequencer = render.use_border = render.use_multiview = False
    render.resolution_percentage, render.pixel_aspect_x, render.pixel_aspect_y = 100, 1.0, 1.0
    render.use_file_extension, render.use_overwrite, render.use_stamp = False, True, False
    if output.colours == "photo":
        show_as_the_photo(shot)
        shot.view_settings.use_curve_mapping = False


def describe_quality(scene, output: OutputSettings, target: Path) -> str:
    """What renders, and with how many rays a pixel; "" for a web page, which the browser draws."""
    if output_kind(target) == "viewer":
        return ""
    if output.engine != "scene":
        return f"{'Cycles' if output.engine == 'cycles' else 'EEVEE'}, {max(output.samples, FACTOR**2)} rays a pixel"
    engine = scene.render.engine.replace("BLENDER_", "").replace("_NEXT", "")
    samples = scene.cycles.samples if engine == "CYCLES" else scene.eevee.taa_render_samples
    return f"the scene's own {engine.title() if engine == 'CYCLES' else engine}, {samples} rays a pixel"


def supersamples(shot, output: OutputSettings) -> bool:
    """Whether pictures are rendered at `FACTOR` times their size; then rays are shot through the middles of its pixels alone."""
    large = max(shot.render.resolution_x, shot.render.resolution_y) > LARGEST
    if output.render_passes or large or output.engine == "scene":
        return False
    cycles, rays = shot.cycles, -(-output.samples // FACTOR**2)
    cycles.pixel_filter_type, cycles.filter_width, cycles.samples = "BLACKMAN_HARRIS", 0.01, rays
    shot.render.filter_size, shot.eevee.taa_render_samples = 0.0, rays
    return True


def _choose_finish(shot, view: View, output: OutputSettings) -> Callable[[Path, Path], None] | None:
    """What makes a frame of what was rendered at `FACTOR` times its size; None where that is the frame."""
    if shot.render.resolution_percentage == 100:
        return None
    tighter = framing_factor(view.camera.parent) * view.camera.data.sensor_width / shot.camera.data.sensor_width
    texels = 0.0 if output.stereo == "vr180" else view.photo_size[0] / shot.render.resolution_x / tighter
    return lambda rendered, frame: reduce_file(rendered, frame, texels, shot.render.image_settings.quality)


def reduce_file(rendered: Path, frame: Path, texels: float, quality: int = 90) -> None:
    """Writes the frame that a picture of `FACTOR` times its size becomes; the ending says how. Raises RuntimeError as Blender does."""
    import cv2

    pixels = decode_pixels(np.fromfile(rendered, np.uint8))
    if pixels is None:
        raise RuntimeError(f"cannot open {rendered}")
    top = np.iinfo(pixels.dtype).max if pixels.dtype != np.float32 else 1
    small = reduce(pixels.astype(np.float32) / top, texels)
    if frame.suffix.lower() == ".exr":
        data = encode_exr(small[..., [2, 1, 0, 3][: small.shape[2]]])
    else:
        whole = (np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8)
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if frame.suffix.lower() in (".jpg", ".jpeg") else []
        data = cv2.imencode(frame.suffix, whole, settings)[1].tobytes()
    try:
        frame.write_bytes(data)
    except OSError as error:
        raise RuntimeError(f"cannot save {frame}: {error.strerror}") from None


def _pictures(
    shot, place: Path, target: Path, kind: str, frames: int, output: OutputSettings, finish: Callable[[Path, Path], None] | None
) -> Generator[float, None, dict[str, list[Path]]]:
    """Renders frame after frame; returns the files by eye ("" for one eye or both in one picture).

    One call a frame: so it may stop between two, which it could not inside Blender's own animation render.
    """
    image = shot.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    ending = target.suffix.lower() if kind == "still" else ".png"
    see_through = shot.render.film_transparent and kind in ("still", "frames") and ending not in (".jpg", ".jpeg")
    made = ending if finish is None else ".exr" if ending == ".exr" else ".png"
    image.file_format = STILL_FORMATS[made]
    if finish is not None:  # the picture is processed further, so it must not be rounded yet
        image.color_depth, image.compression, shot.render.dither_intensity = "32" if made == ".exr" else "16", 0, 0
    image.color_mode = "RGBA" if see_through else "RGB"
    if output.render_passes:
        made = ending = ".exr"
        write_passes(image)
    eyes = EYES if shot.render.use_multiview and image.views_format == "INDIVIDUAL" else {"": ""}
    files: dict[str, list[Path]] = {eye: [] for eye in eyes.values()}
    first, count = (shot.frame_current, 1) if kind == "still" else (shot.frame_start, frames)
    (place / "frames").mkdir()
    for number in range(count):
        yield number / count
        shot.frame_set(first + number)
        stem = place / "frames" / f"frame_{number + 1:04d}"
        shot.render.filepath = _verbatim(Path(f"{stem}{made}"))
        with bpy.context.temp_override(scene=shot):  # or it would be rendered at the user's own frame
            bpy.ops.render.render(write_still=True, scene=shot.name)
        for suffix, eye in eyes.items():
            file = Path(f"{stem}{eye}{made}")
            if suffix and Path(f"{stem}{suffix}{made}").exists():
                os.replace(f"{stem}{suffix}{made}", file)
            if not is_whole(file):  # after the first frame, instead of after hours
                raise cut_short(target)
            if finish is not None:
                file = finished(file, ending, finish)
            files[eye].append(file)
    return files


def finished(rendered: Path, ending: str, finish: Callable[[Path, Path], None]) -> Path:
    """The frame that a rendered picture becomes, in its place."""
    larger = rendered.with_name(f"larger_{rendered.name}")
    os.replace(rendered, larger)
    frame = rendered.with_suffix(ending)
    finish(larger, frame)
    larger.unlink()
    return frame


def _joined(files: list[Path], place: Path, target: Path, eye: str, kind: str, fps: float) -> list[Path]:
    """The files that the target is to become, made of one eye's frames."""
    if kind in ("still", "frames"):
        return files
    made = place / f"joined{eye}{target.suffix.lower()}"
    join(files, made, fps)
    if not is_whole(made, len(files)):
        raise cut_short(target)
    return [made]


def join(files: list[Path], movie: Path, fps: float) -> None:
    """Makes a movie or a GIF, by its ending, of pictures of one size; whether it is whole is for the caller to see."""
    if movie.suffix.lower() == GIF:
        write_gif(files, movie, fps)
    else:
        _encode(files, movie, fps)


def write_vr180_boxes(movie: Path) -> None:
    """Marks a film of half spheres as VR180; pictures and MKV have no such metadata here."""
    if movie.suffix.lower() in MARKED:
        mark_vr180(movie)


def _put(written: list[list[Path]], target: Path, kind: str, output: OutputSettings) -> list[Path]:
    """Renames complete files to their place; returns it."""
    if kind == "frames":
        target.mkdir(parents=True, exist_ok=True)
        pairs = [(file, target / file.name) for files in written for file in files]
    else:
        pairs = list(zip([files[0] for files in written], output_files(target, output), strict=True))
    for file, name in pairs:
        os.replace(file, name)
    return sorted(name for _, name in pairs)


def _encode(files: list[Path], movie: Path, fps: float) -> None:
    """Encodes pictures to H.264 with Blender's own encoder, through a scene of its own that is removed again."""
    picture = bpy.data.images.load(str(files[0]))
    size = tuple(max(2, side // 2 * 2) for side in picture.size)  # H.264 needs even sides
    bpy.data.images.remove(picture)
    scene = bpy.data.scenes.new("Photo Diorama movie")
    try:
        show_as_the_photo(scene)
        editor = scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences
        strip = strips.new_image("frames", str(files[0]), 1, 1)
        for file in files[1:]:
            strip.elements.append(file.name)
        scene.frame_start, scene.frame_end = 1, len(files)
        render, image = scene.render, scene.render.image_settings
        render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
        render.fps = max(1, round(fps))
        render.fps_base, render.dither_intensity = render.fps / fps, 0
        render.use_sequencer, render.use_compositing, render.use_file_extension = True, False, False
        if hasattr(image, "media_type"):
            image.media_type = "VIDEO"
        image.file_format = "FFMPEG"
        render.ffmpeg.format = CONTAINERS[movie.suffix]
        render.ffmpeg.codec, render.ffmpeg.constant_rate_factor = "H264", "HIGH"
        render.filepath = _verbatim(movie)
        bpy.ops.render.render(animation=True, scene=scene.name)
    finally:
        bpy.data.scenes.remove(scene)


def _verbatim(path: Path) -> str:
    """The path as `render.filepath` takes it: from 4.5 Blender reads braces as the name of a variable."""
    return str(path).replace("{", "{{").replace("}", "}}")
