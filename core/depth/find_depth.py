"""Chooses the best available depth for a photo: a file, depth inside the photo, a downloaded network, the built-in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..built_in.depth import estimate_with_edges
from ..camera.camera import Camera
from ..depth_file.direction import small_srgb
from ..depth_file.sky import place_sky
from ..errors import DioramaError, Kind
from ..models.store import best_estimator, checked_path, installed, weights_named
from ..photo.photo import Photo
from ..raster.decode import MAX_PIXELS, read_file
from ..raster.exr_read import has_colour_and_depth
from ..raster.open_picture import HEIF_ENDINGS
from ..settings import DepthSettings, PhotoSettings
from .depth_in_photo import EmbeddedDepth, read_embedded_depth, read_spatial_intrinsics
from .depth_map import AS_GOOD_AS_INFINITE, DepthValues, check_options, check_usable, read_depth
from .depth_sidecar import find_sidecar_depth, read_sidecar_depth
from .named_depth import find_named_depth, named_depths

BUILT_IN = "built-in"
BESIDE = "beside the photo"
"""Origin of depth from a file beside the photo that the user did not name."""
BETTER_NETWORK = "a better network can be downloaded"


@dataclass(frozen=True)
class FoundDepth:
    """Depth values, and what came with them."""

    values: DepthValues
    origin: str  # "file", "photo", "beside the photo", or the estimator's key
    focal_px: float | None = None  # of the full photo, from calibration that lies with the depth
    centre: tuple[float, float] | None = None  # principal point, px
    matte: np.ndarray | None = None  # (h, w) float32 0..1, 1 = foreground, of its own size
    seen_focal_px: float | None = None  # of the full photo, as a network saw it in the picture
    read_by_settings: bool = False  # whether it is a file's numbers, which the depth options said how to take
    path: Path | None = None  # of the file beside the photo that carries its name


def find_depth(photo: Photo, depth_path: Path | None, settings: DepthSettings, models: Path | None) -> FoundDepth:
    """Depth for `photo`: from `depth_path` where given, else by `settings.estimator`. `models`: folder of downloads.

    Raises DioramaError, with what to do, where no depth is available or a depth option makes no sense.
    """
    check_options(settings)
    if depth_path is not None:
        return _make_from_file(read_depth(depth_path, settings, photo), photo, "file")
    found = _find_without_file(photo, settings, models)
    return found if found.read_by_settings or not settings.invert_depth else replace(found, values=_invert(found.values))


def _invert(values: DepthValues) -> DepthValues:
    """Depth with near and far exchanged, for depth that does not come from a depth file."""
    inverse, known = values.values, values.known
    if values.metric:
        known = known & (inverse > 0)
        inverse = np.where(known, 1 / np.maximum(inverse, 1e-9), 0)
    turned = np.where(known, inverse[known].min() + inverse[known].max() - inverse, 0).astype(np.float32) if known.any() else inverse
    return replace(
        values, values=turned, known=known, metric=False, shift_known=False, normals=None, source=f"{values.source}; inverted as given"
    )


def _find_without_file(photo: Photo, settings: DepthSettings, models: Path | None) -> FoundDepth:
    if settings.estimator != "auto":
        return estimate_depth(photo, settings.estimator, settings.device, models)
    found, passed_over = given_depth(photo, settings)
    return _add_remark(found or _estimate(photo, settings, models), passed_over)


def find_given_depth(photo: Photo, settings: DepthSettings) -> FoundDepth | None:
    """The depth inside the photo's file or beside it, as `find_depth` chooses it; None where only a network could find depth."""
    found = given_depth(photo, settings)[0] if settings.estimator == "auto" else None
    turned = found is not None and settings.invert_depth and not found.read_by_settings
    return replace(found, values=_invert(found.values)) if found is not None and turned else found


def given_depth(photo: Photo, settings: DepthSettings) -> tuple[FoundDepth | None, list[str]]:
    """Depth in the photo or beside it, and why others that were there could not be used."""
    passed_over: list[str] = []
    ways: list[tuple[Callable[[Photo, DepthSettings], FoundDepth | None], Path]] = [
        (_find_in_photo, photo.path),
        (_find_beside_photo, photo.path),
        *((partial(_find_by_name, file), file) for file in named_depths(photo.path)),
    ]
    for bring, file in ways:
        try:
            found = bring(photo, settings)
            if found is not None:
                check_usable(found.values, photo, str(file))
                return found, passed_over
        except DioramaError as error:  # damaged or odd: another source is better than no diorama
            if error.kind is Kind.MISSING_PACKAGE:
                raise
            passed_over.append(error.fault.rstrip("."))
    return None, passed_over


def _add_remark(found: FoundDepth, passed_over: list[str]) -> FoundDepth:
    """The same depth, with a note on each source that could not be used."""
    if not passed_over:
        return found
    notes = "; ".join(f"not used: {why}" for why in passed_over)
    return replace(found, values=replace(found.values, source=f"{found.values.source}; {notes}", not_used=tuple(passed_over)))


def _find_in_photo(photo: Photo, settings: DepthSettings) -> FoundDepth | None:
    if photo.path.suffix.lower() == ".exr":
        if not has_colour_and_depth(read_file(photo.path), str(photo.path), MAX_PIXELS):
            return None
        values = read_depth(photo.path, settings, photo)
        return _make_from_file(replace(values, source=f"{values.source}; in the photo's own file"), photo, "photo")
    carried = read_embedded_depth(photo.path)
    return None if carried is None else _make_from_embedded(carried, "photo", photo, settings)


def _find_beside_photo(photo: Photo, settings: DepthSettings) -> FoundDepth | None:
    sidecar = find_sidecar_depth(photo.path)
    return None if sidecar is None else _make_from_embedded(read_sidecar_depth(sidecar, photo.path), BESIDE, photo, settings)


def _find_by_name(file: Path, photo: Photo, settings: DepthSettings) -> FoundDepth:
    values = read_depth(file, settings, photo)
    values = replace(values, source=f"{values.source}; found beside the photo by its name")
    return replace(_make_from_file(values, photo, BESIDE), path=file)


def _estimate(photo: Photo, settings: DepthSettings, models: Path | None) -> FoundDepth:
    best = best_estimator(models) if models is not None else None
    if best is None:
        return _estimate_built_in(photo, BETTER_NETWORK)
    try:
        return _estimate_downloaded(photo, best.key, settings.device, models)
    except ImportError as error:
        return _estimate_built_in(photo, f"{best.key} needs PyTorch, which cannot be loaded here ({error})")


def _make_from_file(values: DepthValues, photo: Photo, origin: str) -> FoundDepth:
    focal = values.focal_px and values.focal_px * photo.colour.shape[1]
    return FoundDepth(values, origin, focal, read_by_settings=True)


def _make_from_embedded(carried: EmbeddedDepth, origin: str, photo: Photo, settings: DepthSettings) -> FoundDepth:
    """Depth inside the photo as values; inverse depth in 1/m becomes metric, other inverse depth keeps its unknown scale."""
    metric = carried.kind == "metric" or carried.metric_scale
    values, source, sky = carried.values, f"{carried.source}, {carried.unit}", None
    if metric and carried.kind == "disparity":
        values = np.where(carried.valid & (values > 0), 1 / np.maximum(values, 1e-6), 0).astype(np.float32)
    known = carried.valid & (values > 0) if metric else carried.valid
    if metric and not known.all():
        sky = place_sky(values, known, ~known, settings.depth_sky, small_srgb(photo))
        values, known = np.where(sky.far, np.float32(AS_GOOD_AS_INFINITE), values), known | sky.far
        source = "; ".join((source, *sky.notes))
    found = DepthValues(values, known, metric, carried.shift_known, source, stretched=True, sky=sky)
    centre = None if carried.cx is None or carried.cy is None else (carried.cx, carried.cy)
    return FoundDepth(found, origin, carried.focal_px, centre, carried.matte)


def estimate_depth(photo: Photo, key: str, device: str, models: Path | None) -> FoundDepth:
    """Depth of the photo by one network. Raises DioramaError where PyTorch or the network's file is missing."""
    if key == BUILT_IN:
        return _estimate_built_in(photo, BETTER_NETWORK)
    try:
        return _estimate_downloaded(photo, key, device, models)
    except ImportError as error:
        raise DioramaError(
            f"The depth network {key} needs PyTorch, which cannot be loaded here ({error}); choose the built-in network, or install "
            "the full build, which brings PyTorch.",
            Kind.MISSING_PACKAGE,
        ) from None


def _estimate_built_in(photo: Photo, remark: str) -> FoundDepth:
    """Depth by the built-in network, which needs no PyTorch."""
    said = estimate_with_edges(_eight_bits(photo))
    found = _make_from_estimate(said.from_infinity, False, f"estimated by the built-in network; {remark}", BUILT_IN, zero_is_far=True)
    return replace(found, values=replace(found.values, boundary=said.boundary))


def _estimate_downloaded(photo: Photo, key: str, device: str, models: Path | None) -> FoundDepth:
    """By a downloaded network; raises ImportError where PyTorch cannot be loaded, DioramaError where the file is missing."""
    if models is None:
        raise DioramaError(f"The network {key} needs a models folder", Kind.MISSING_NETWORK,
                           window="choose one in the preferences or download the network first",
                           command_line="pass --models-dir or download it first")  # fmt: skip
    known_focal_px = photo.camera.focal_px if photo.focal_is_known else None
    said = _load_network(key, str(checked_path(weights_named(key), models)), device).predict(_eight_bits(photo), known_focal_px)
    found = _make_from_estimate(said.values, said.kind == "metric", f"estimated by {key}", key, said.zero_is_far)
    seen = said.focal_px and said.focal_px * max(photo.colour.shape[:2]) / max(said.values.shape)
    return replace(found, values=replace(found.values, normals=said.normals), seen_focal_px=seen)


def _make_from_estimate(values: np.ndarray, metric: bool, source: str, key: str, zero_is_far: bool = False) -> FoundDepth:
    return FoundDepth(DepthValues(values, np.isfinite(values), metric, zero_is_far, source, stretched=True), key)


@lru_cache(maxsize=1)
def _load_network(key: str, path: str, device: str):
    """The network; it stays loaded for the next photo that asks for the same one."""
    from ..networks.depth.estimate import load_estimator

    return load_estimator(key, path, device)


def forget_models() -> None:
    """Frees the memory of loaded networks."""
    _load_network.cache_clear()


def available_estimators(models: Path | None) -> list[str]:
    """Keys of the estimators that can run now, in no order of quality."""
    return [BUILT_IN, *(w.key for w in (installed(models) if models else ()) if w.rank > 0)]


def _eight_bits(photo: Photo) -> np.ndarray:
    """(H, W, 3) uint8 sRGB as networks want it."""
    if photo.colour.dtype == np.uint8:
        return photo.colour
    return (np.clip(photo.working_colour(*photo.colour.shape[:2]), 0, 1) * 255 + 0.5).astype(np.uint8)


def choose_camera(photo: Photo, found: FoundDepth, settings: PhotoSettings) -> Photo:
    """The photo with its best known camera: the user's values, then the calibration of its depth or of a spatial photo's view.

    Where the photo does not state a focal length, a network's estimate is better than the default angle.
    """
    if settings.focal_px > 0 or settings.focal_mm > 0 or settings.fov > 0 or photo.up is not None:
        return photo
    height, width = photo.colour.shape[:2]
    focal, centre, source = found.focal_px, found.centre, "calibration that lies with the depth"
    if focal is None and photo.path.suffix.lower() in HEIF_ENDINGS:
        view = read_spatial_intrinsics(photo.path)
        if view is not None and view.is_plausible():
            view = view.for_raster(width, height)
            focal, centre = view.focal_px, None if view.cx is None or view.cy is None else (view.cx, view.cy)
            source = "calibration of the spatial photo's first view"
    if focal is None and found.seen_focal_px and not photo.focal_is_known:
        focal, source = found.seen_focal_px, f"not in the photo, so as {found.origin} sees it"
    if focal is None:
        return photo
    cx, cy = centre or (width / 2, height / 2)
    cx, cy = settings.centre_x or cx, settings.centre_y or cy
    return replace(photo, camera=Camera(width, height, float(focal), float(cx), float(cy)), focal_source=source)


def available_sources(photo_path: Path, models: Path | None) -> tuple:
    """What `find_depth` can choose from without a depth file; changes when a network is installed or a file beside the photo appears."""
    beside = find_sidecar_depth(photo_path) or find_named_depth(photo_path)
    return str(beside), beside.stat().st_mtime_ns if beside else 0, tuple(available_estimators(models))
