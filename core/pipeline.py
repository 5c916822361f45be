"""From a photo's file to a layered mesh: the stages in their order, each done once while what it depends on stays the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .depth import DepthMap, depth_on_photo
from .errors import DioramaError
from .find_depth import FoundDepth, at_hand, find_depth, with_calibration
from .inpaint import inpaint
from .layers import LayeredDepthImage, split_into_layers
from .mesh import LayeredMesh, triangulate
from .photo import Photo, load_photo
from .settings import Settings
from .sharpen_depth import sharpen

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of the whole that is done; raises Cancelled to stop."""


def silent(stage: str, fraction: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Diorama:
    """What the pipeline hands on: the mesh, and what it was made of and how."""

    photo: Photo
    found: FoundDepth
    depth: DepthMap
    image: LayeredDepthImage
    mesh: LayeredMesh
    edges: tuple[int, ...]  # depth edges filled behind, for each pass
    seconds: dict[str, float]  # of each stage; 0 where its result was kept from before


@dataclass
class Kept:
    """Results of the last run by stage, so that a changed option repeats only the stages from there on."""

    results: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def build_diorama(
    photo_path: str | Path,
    depth_path: str | Path | None,
    settings: Settings = Settings(),
    progress: Progress = silent,
    kept: Kept | None = None,
    models: str | Path | None = None,
) -> Diorama:
    """Photo in, layered mesh out; the depth is a file's or the best that is to be had (`find_depth`, `models` its folder).

    Raises DioramaError for input that cannot be used, Cancelled through `progress`.
    """
    step = Steps(progress, kept if kept is not None else Kept())
    layers = settings.layers
    photo = step("Reading the photo", 0.0, (stamp(photo_path), settings.photo), lambda: load_photo(photo_path, settings.photo))
    sources = stamp(depth_path) if depth_path else (str(models), at_hand(Path(photo_path), models))
    found = step("Finding the depth", 0.05, (sources, settings.depth),
                 lambda: find_depth(photo, depth_path, settings.depth, models))  # fmt: skip
    photo = with_calibration(photo, found, settings.photo)
    depth = step("Bringing the depth onto the photo", 0.1, layers.long_side,
                 lambda: depth_on_photo(found.values, photo, settings.depth, layers.long_side, str(depth_path or photo_path)))  # fmt: skip
    sharp = step("Sharpening the depth", 0.15, layers.tear,
                 lambda: sharpen(depth, photo.working_colour(*depth.disparity.shape), layers.tear))  # fmt: skip
    torn = step("Splitting at depth discontinuities", 0.25, layers, lambda: split_into_layers(photo, sharp, layers))
    image, edges = step("Inpainting what is hidden", 0.3, settings.inpaint,
                        lambda: inpaint(torn, layers, settings.inpaint, step.within(0.3, 0.85)))  # fmt: skip
    mesh = step("Triangulating", 0.85, settings.mesh, lambda: triangulate(image, photo, depth.metric, settings.mesh))
    progress("Done", 1.0)
    return Diorama(photo, found, depth, image, mesh, edges, step.seconds)


def stamp(path: str | Path) -> tuple:
    """What changes when a file does: its place, size and time of writing."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise DioramaError(f"{path} cannot be read ({error.strerror or error}); check the name and its permissions.") from None
    return str(Path(path).resolve()), status.st_size, status.st_mtime_ns


class Steps:
    """Runs stages one after the other: tells the progress, times them, and recalls what was kept.

    A stage's result is recalled while its own options and all that came before are equal.
    """

    def __init__(self, progress: Progress, kept: Kept):
        self.progress, self.kept, self.seconds, self.key, self.stage = progress, kept, {}, (), ""

    def __call__(self, stage: str, fraction: float, depends_on: Any, work: Callable[[], Any]) -> Any:
        self.progress(stage, fraction)
        self.key, self.stage = (self.key, depends_on), stage
        was, result = self.kept.results.get(stage, (None, None))
        started = time.perf_counter()
        if was != self.key:
            result = work()
            self.kept.results[stage] = (self.key, result)
        self.seconds[stage] = round(time.perf_counter() - started, 4)
        return result

    def within(self, start: float, end: float) -> Callable[[float], None]:
        """Progress inside the running stage: takes its own fraction 0 to 1."""
        return lambda fraction: self.progress(self.stage, start + (end - start) * fraction)
