"""From a photo's file to a layered mesh: the stages in order, each repeated only when what it depends on has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .camera.camera import Camera
from .camera.fspy import find_fspy
from .camera.known_length import measure_length, parse_line
from .camera.moves import MOVES, Length, border_needed
from .depth.depth_map import DepthMap, depth_on_photo
from .depth.edit_depth import DepthEdit, carry_edit_over
from .depth.find_depth import FoundDepth, available_sources, choose_camera, find_depth
from .depth.sharpen_depth import sharpen
from .errors import DioramaError
from .inpaint.choose_inpainter import resolve
from .inpaint.inpaint import inpaint
from .inpaint.needed_networks import Downloaded
from .layer_edits.cards import matte_on_cards
from .layer_edits.edited_layers import LayerEdits, take_over
from .layer_edits.meshes_on_cards import meshes_on_cards
from .layers.first_layer import make_first_layer
from .layers.layered_depth_image import LayeredDepthImage
from .layers.parts import Parts
from .layers.soft_silhouettes import add_skirt, find_matte, use_background_colours
from .memory import give_back
from .mesh.delight import delit_textures
from .mesh.separate_parts import separate_parts
from .mesh.triangulate import LayeredMesh, Triangles, UncutSurfaces, cut_triangles, lay_out, pack_textures
from .photo.photo import Photo, load_photo
from .settings import DepthSettings, InpaintSettings, LayerSettings, MeshSettings, SceneSettings, Settings
from .threads import hand_on_threads

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of the whole that is done; raises Cancelled to stop."""


MAX_BORDER = 0.25
"""What the option border allows."""


def silent(stage: str, fraction: float) -> None:
    """The default progress function: does nothing."""


@dataclass(frozen=True)
class Diorama:
    """Result of the pipeline: the mesh, what it was made of, and how."""

    photo: Photo
    depth_origin: str  # as in FoundDepth
    depth: DepthMap  # what the surfaces were made from
    original: DepthMap  # the depth as it was found; `depth` itself where it was not edited
    image: LayeredDepthImage
    mesh: LayeredMesh
    edges: tuple[int, ...]  # depth edges filled behind, for each pass
    seconds: dict[str, float]  # of each stage; 0 where its result was kept from before
    unedited: LayeredDepthImage  # `image` before its layers were edited
    options: tuple[tuple[str, str], ...]  # names and values, as texts, of those that decided on the surfaces and are not the default

    @property
    def whole(self) -> bool:
        """Whether nothing is cut: the depth shows no certain silhouette, and the photo is one sheet."""
        return not self.edges


@dataclass
class StageCache:
    """LRU cache of stage results by photo, so that a changed option repeats only the stages after it.

    The photos built last are kept, as many as fit into memory.
    """

    results: dict[tuple, tuple[Any, Any]] = field(default_factory=dict)  # by (photo and depth file, stage): key, result
    room: int = 2**30  # bytes

    def make_room(self, files: tuple) -> None:
        """Drops the photos built longest ago until the rest fits; `files` is the one built last and stays."""
        for place in [place for place in self.results if place[0] == files]:
            self.results[place] = self.results.pop(place)  # to the end
        while len(photos := list(dict.fromkeys(place[0] for place in self.results))) > 1:
            seen: set[int] = set()
            if sum(memory_size(result, seen) for _, result in self.results.values()) <= self.room:
                break
            for place in [place for place in self.results if place[0] == photos[0]]:
                del self.results[place]


def memory_size(value: Any, seen: set[int]) -> int:
    """Bytes of the arrays and files in a result, each counted once; `seen` holds what was counted before."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return memory_size(value.base, seen) if isinstance(value.base, np.ndarray) else value.nbytes
    if isinstance(value, bytes):
        return len(value)
    if is_dataclass(value):
        return sum(memory_size(getattr(value, each.name), seen) for each in fields(value))
    return sum(memory_size(each, seen) for each in value) if isinstance(value, (tuple, list)) else 0


@dataclass(frozen=True)
class Edits:
    """What an artist changed by hand; it is carried into every build."""

    depth: DepthEdit | None = None
    parts: Parts | None = None  # what was split off
    layers: LayerEdits | None = None  # what was changed in the surfaces themselves


def build_diorama(
    photo_path: str | Path,
    depth_path: str | Path | None,
    settings: Settings = Settings(),
    progress: Progress = silent,
    kept: StageCache | None = None,
    models: str | Path | None = None,
    edits: Edits = Edits(),
) -> Diorama:
    """Photo in, layered mesh out; depth comes from a file or the best available source (`find_depth`; `models` is its folder).

    Raises DioramaError for input that cannot be used, Cancelled through `progress`.
    """
    layers, files = settings.layers, (str(photo_path), str(depth_path or ""))
    step = Steps(progress, kept, files)
    downloaded = Downloaded(Path(models) if models else None, settings.depth.device)
    settings = replace(settings, inpaint=resolve(settings.inpaint))
    networks = downloaded.stamp(settings.inpaint.inpainter)  # before anything that takes long: one may be missing
    photo, found, original = bring_depth(step, photo_path, depth_path, settings, models)
    origin, known_matte = found.origin, found.matte
    del found  # a large file's numbers are larger than all that comes
    depth = step("Taking over the edited depth", 0.14, edits.depth and edits.depth.key,
                 lambda: carry_edit_over(edits.depth, original, photo))  # fmt: skip
    sharp = step("Sharpening the depth", 0.15, (layers.tear, layers.rim, layers.soft_edge),
                 lambda: sharpen(depth, photo.working_colour(*depth.disparity.shape), layers))  # fmt: skip
    layers = wide_enough(layers, settings.scene, photo.camera)
    torn = step("Splitting at depth discontinuities", 0.25, (layers, edits.parts and edits.parts.key),
                lambda: make_first_layer(photo, sharp, layers, edits.parts))  # fmt: skip
    matte = step("Softening silhouettes", 0.28, (), lambda: find_matte(torn, layers, known_matte, sharp.steps is not None))
    inpainted, edges = step("Inpainting what is hidden", 0.3, (settings.inpaint, networks),
                        lambda: inpaint(use_background_colours(torn, matte), layers, settings.inpaint, step.within(0.3, 0.85),
                                        downloaded))  # fmt: skip
    image = step("Taking over the edited layers", 0.85, edits.layers and edits.layers.key, lambda: take_over(inpainted, edits.layers))
    give_back()
    lit = settings.scene.shader == "principled"
    uncut = step("Packing the textures", 0.85, settings.mesh.backdrop, lambda: _uncut(image, matte, photo, settings.mesh))
    cut = step("Triangulating", 0.86, settings.mesh, partial(cut_triangles, uncut, photo, settings.mesh))
    skirted = uncut.image
    del uncut  # a tenth of what there is in memory now
    mesh = step("Laying out the meshes", 0.93, lit, lambda: _laid_out(cut, skirted, photo, depth.metric, lit))
    if lit and settings.scene.delight > 0:
        mesh = step("Taking off the light", 0.95, (), lambda: _with_albedo(mesh, image, matte, photo, settings.mesh))
    progress("Done", 1.0)
    if kept is not None:
        kept.make_room(files)
    give_back()
    return Diorama(photo, origin, depth, original, image, mesh, edges, step.seconds, inpainted, _changed_options(layers, settings.inpaint))


def _changed_options(*parts: LayerSettings | InpaintSettings) -> tuple[tuple[str, str], ...]:
    return tuple((f.name, str(getattr(part, f.name))) for part in parts for f in fields(part) if getattr(part, f.name) != f.default)


def wide_enough(layers: LayerSettings, scene: SceneSettings, camera: Camera) -> LayerSettings:
    """The settings with a border as wide as the scene's own move needs where nothing is cropped; unchanged otherwise."""
    if scene.framing == "clean" or scene.camera_move == "none" or not layers.border:
        return layers
    move = MOVES[scene.camera_move]
    length = Length(scene.frames / 24, scene.move_easing, move.closed or scene.move_loop, scene.move_seed)
    needed = border_needed(move, length, scene.move_amount, camera.focal_px / max(camera.width, camera.height))
    return replace(layers, border=min(max(layers.border, needed), MAX_BORDER))


def find_original(
    photo_path: str | Path,
    depth_path: str | Path | None,
    settings: Settings,
    progress: Progress = silent,
    kept: StageCache | None = None,
    models: str | Path | None = None,
) -> tuple[Photo, DepthMap]:
    """Photo and depth that `build_diorama` finds for the same arguments, before any manual edit; raises as that does."""
    files = (str(photo_path), str(depth_path or ""))
    return bring_depth(Steps(progress, kept, files), photo_path, depth_path, settings, models)[::2]


def bring_depth(step: Steps, photo_path, depth_path, settings: Settings, models) -> tuple[Photo, FoundDepth, DepthMap]:
    """The first stages: the photo with its camera, the depth source, and depth on the photo's working grid."""
    hand_on_threads()
    project = find_fspy(Path(photo_path))
    photo = step("Reading the photo", 0.0, (stamp(photo_path), project and stamp(project), settings.photo),
                 lambda: load_photo(photo_path, settings.photo))  # fmt: skip
    sources = stamp(depth_path) if depth_path else (str(models), available_sources(Path(photo_path), models))
    by_itself = replace(settings.depth, known_length=0.0, known_line="")
    found = step("Finding the depth", 0.05, (sources, by_itself),
                 lambda: find_depth(photo, depth_path, settings.depth, models))  # fmt: skip
    photo, long_side = choose_camera(photo, found, settings.photo), settings.layers.long_side
    depth = step("Bringing the depth onto the photo", 0.1, long_side,
                 lambda: depth_on_photo(found.values, photo, settings.depth, long_side, str(depth_path or photo_path)))  # fmt: skip
    if settings.depth.known_length > 0:
        depth = step("Measuring the known line", 0.12, (settings.depth.known_length, settings.depth.known_line),
                     lambda: _in_metres(depth, photo.camera, settings.depth))  # fmt: skip
    return photo, found, depth


def _in_metres(depth: DepthMap, camera: Camera, settings: DepthSettings) -> DepthMap:
    """The depth scaled so that the known line has its length."""
    scale = measure_length(parse_line(settings.known_line, camera), depth.disparity, camera) / settings.known_length
    source = f"{depth.source}; in metres by a line of {settings.known_length:g} m"
    return replace(depth, disparity=(depth.disparity * np.float32(scale)), metric=True, source=source)


def _with_albedo(mesh: LayeredMesh, image, matte, photo: Photo, settings: MeshSettings) -> LayeredMesh:
    return replace(mesh, albedo=delit_textures(*add_skirt(image, matte), photo, settings.backdrop))


def _uncut(image, matte, photo: Photo, settings: MeshSettings) -> UncutSurfaces:
    image, matte = add_skirt(image, matte_on_cards(matte, image))
    return pack_textures(image, photo, settings.backdrop, matte)


def _laid_out(cut: Triangles, image, photo: Photo, metric: bool, lit: bool) -> LayeredMesh:
    return meshes_on_cards(separate_parts(lay_out(cut, image, photo, metric, lit), image), image)


def stamp(path: str | Path) -> tuple:
    """A value that changes when a file does: its place, size and modification time."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise DioramaError(f"{path} cannot be read ({error.strerror or error}); check the name and its permissions.") from None
    return str(Path(path).resolve()), status.st_size, status.st_mtime_ns


class Steps:
    """Runs stages in order: reports progress, measures times, and reuses cached results, where there is a cache.

    A stage's result is reused while its own options and all earlier inputs are equal.
    """

    def __init__(self, progress: Progress, kept: StageCache | None, files: tuple = ()):
        self.progress, self.kept, self.files, self.stage = progress, kept, files, ""
        self.seconds: dict[str, float] = {}
        self.key: tuple = ()

    def __call__(self, stage: str, fraction: float, depends_on: Any, work: Callable[[], Any]) -> Any:
        self.progress(stage, fraction)
        self.key, self.stage = (self.key, depends_on), stage
        was, result = self.kept.results.get((self.files, stage), (None, None)) if self.kept is not None else (None, None)
        self.seconds[stage] = 0.0
        if was != self.key:
            started = time.perf_counter()
            result = work()
            if self.kept is not None:
                self.kept.results[self.files, stage] = (self.key, result)
            self.seconds[stage] = round(time.perf_counter() - started, 4)
        return result

    def within(self, start: float, end: float) -> Callable[[float], None]:
        """Progress inside the running stage, whose fraction goes from 0 to 1."""
        return lambda fraction: self.progress(self.stage, start + (end - start) * fraction)
