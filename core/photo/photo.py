"""Photo: a picture's pixels and the camera that took it, read from a file of any common kind."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..camera.camera import DEFAULT_FOV_DEG, Camera
from ..camera.fspy import find_fspy, read_fspy
from ..errors import reading_a_file
from ..raster.colour_curves import srgb_from_linear
from ..raster.decode import read_file
from ..settings import PhotoSettings
from .panorama import panorama_notes
from .read_pixels import FOCAL_MM, PLANE_UNIT, PLANE_X_RES, check_size, read_pixels

FOCAL_35MM = 0xA405
EXIF_WIDTH, EXIF_HEIGHT = 0xA002, 0xA003
MM_PER_PLANE_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}
NEARLY_OPAQUE = 0.98
"""Alpha from which a pixel counts as opaque."""
ASSUMED = f"not in the photo, so {DEFAULT_FOV_DEG:.2f} degrees across the long side"
DIAGONAL_35MM = float(np.hypot(36.0, 24.0))


@dataclass(frozen=True)
class Photo:
    """One picture. Rows run down, columns right; straight alpha."""

    name: str  # the file's name without its ending; names everything made of it
    path: Path
    colour: np.ndarray  # (H, W, 3) uint8 or uint16: sRGB; float32: linear Rec.709
    alpha: np.ndarray | None  # (H, W) of the same dtype, None where all is opaque
    camera: Camera  # in pixels of this photo, orientation applied
    focal_source: str  # where the focal length comes from, for the user
    file_bytes: bytes | None  # the file itself where Blender shows it as the same pixels, else None
    up: np.ndarray | None = None  # (3,) float64, unit: the scene's up direction in the camera's axes, where it is known
    notes: tuple[str, ...] = ()  # what was assumed or left out when it was read, each a clause whose subject is "it"

    @property
    def focal_is_known(self) -> bool:
        """Whether the focal length has a source, rather than being the default angle."""
        return self.focal_source != ASSUMED

    @property
    def is_linear(self) -> bool:
        return self.colour.dtype == np.float32

    def seen(self, height: int, width: int) -> np.ndarray | None:
        """(height, width) bool: where anything of the photo is to be seen; None if alpha is never 0."""
        return None if self.alpha is None or self.alpha.min() > 0 else _scaled(self.alpha > 0, height, width) > 0

    def opaque(self, height: int, width: int) -> np.ndarray | None:
        """(height, width) bool: where the photo is opaque; None where that is so everywhere."""
        if self.alpha is None:
            return None
        whole = self.alpha >= NEARLY_OPAQUE * (1 if self.is_linear else np.iinfo(self.alpha.dtype).max)
        return None if whole.all() else _scaled(~whole, height, width) == 0

    def working_colour(self, height: int, width: int) -> np.ndarray:
        """(height, width, 3) float32, sRGB-encoded (linear photos too, then without an upper bound), area-averaged."""
        import cv2

        kind = cv2.INTER_AREA if width < self.colour.shape[1] else cv2.INTER_LINEAR
        small = cv2.resize(self.colour, (width, height), interpolation=kind).astype(np.float32)
        if self.is_linear:
            return srgb_from_linear(np.maximum(small, 0))
        return small / np.float32(np.iinfo(self.colour.dtype).max)


def _scaled(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) float32: the share of each pixel that the mask (H, W) covers."""
    import cv2

    kind = cv2.INTER_AREA if width < mask.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=kind)


@reading_a_file()
def load_photo(path: str | os.PathLike, settings: PhotoSettings = PhotoSettings()) -> Photo:
    """Reads JPEG, PNG, WebP, TIFF (8 and 16 bit, floats), OpenEXR and HEIC, upright, with colours converted to sRGB.

    Raises DioramaError where no diorama can be made of the file.
    """
    path = Path(path)
    data = read_file(path)
    found = read_pixels(path, data)
    height, width = found.colour.shape[:2]
    check_size(path, width, height)
    notes = found.notes + panorama_notes(path, found.colour, found.xmp, settings)
    camera, focal_source = _camera_by_exif(width, height, found.exif, settings)
    camera, focal_source, up = _override_camera(path, camera, focal_source, settings)
    return Photo(
        name=path.stem, path=path, colour=np.ascontiguousarray(found.colour), alpha=found.alpha, camera=camera,
        focal_source=focal_source, file_bytes=data if found.plain else None, up=up, notes=notes,
    )  # fmt: skip


def _override_camera(path: Path, camera: Camera, source: str, settings: PhotoSettings) -> tuple[Camera, str, np.ndarray | None]:
    """The camera, overridden by an fSpy project beside the photo and by the user; and the scene's up direction, if known."""
    up, project = None, find_fspy(path)
    if project is not None:
        found = read_fspy(project, camera.width, camera.height)
        up = found.up
        if not (settings.focal_px or settings.focal_mm or settings.fov):
            camera, source = found.camera, f"lines drawn in fSpy, {project.name}"
    camera = replace(camera, cx=settings.centre_x if settings.centre_x > 0 else camera.cx)
    camera = replace(camera, cy=settings.centre_y if settings.centre_y > 0 else camera.cy)
    return camera, source, up


def _camera_by_exif(width: int, height: int, exif: dict, settings: PhotoSettings) -> tuple[Camera, str]:
    """The photo's camera and where its focal length comes from: the user's options, EXIF, or the default angle as a guess."""
    if settings.focal_px > 0:
        return Camera.from_focal(width, height, settings.focal_px), "as given, in pixels"
    if settings.focal_mm > 0:
        focal = settings.focal_mm / DIAGONAL_35MM * float(np.hypot(width, height))
        return Camera.from_focal(width, height, focal), f"as given, {settings.focal_mm:g} mm equivalent"
    if settings.fov > 0:
        return Camera.from_fov(width, height, settings.fov), "as given, by its angle (fov)"
    focal = _number(exif.get(FOCAL_35MM))
    if 4 <= focal <= 3000:
        # Exif 2.32: the 35 mm equivalent keeps the angle across the diagonal
        return (
            Camera.from_focal(width, height, focal / DIAGONAL_35MM * float(np.hypot(width, height))),
            f"EXIF, {focal:g} mm equivalent",
        )
    focal, resolution = _number(exif.get(FOCAL_MM)), _number(exif.get(PLANE_X_RES))
    unit = MM_PER_PLANE_UNIT.get(int(_number(exif.get(PLANE_UNIT, 2))), 25.4)
    if focal > 0 and resolution > 0:
        taken = max(_number(exif.get(EXIF_WIDTH)), _number(exif.get(EXIF_HEIGHT))) or max(width, height)
        focal_px = focal * resolution / unit * max(width, height) / max(taken, 1)
        if 0.2 < focal_px / max(width, height) < 60:
            return Camera.from_focal(width, height, focal_px), f"{exif.get('from', 'EXIF')}, {focal:g} mm and the focal plane's resolution"
    return Camera.from_fov(width, height), ASSUMED


def _number(value) -> float:
    """A finite float of an EXIF value, 0 where there is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0.0
    return number if np.isfinite(number) else 0.0
