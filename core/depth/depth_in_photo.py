"""Depth inside a photo's file, brought onto the photo as it is shown: Apple, Google, Dynamic Depth, Samsung."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DioramaError, reading_a_file
from ..photo.jpeg_segments import SOI
from ..raster.decode import read_file
from ..raster.decoder_errors import DECODER_ERRORS, damaged
from ..raster.open_picture import is_heif, open_picture
from .apple_depth import read_apple_heif, read_apple_jpeg, read_spatial_photo
from .depth_raster import Intrinsics, StoredDepth
from .google_depth import read_google, read_google_original
from .samsung_depth import read_samsung

ORIENTATION_TAG = 0x0112
MAX_ASPECT_ERROR = 0.02


@dataclass(frozen=True)
class EmbeddedDepth:
    """What a photo file says of its depth, in the photo's displayed orientation and covering exactly the photo.

    `kind` "metric": metres along the optical axis. "disparity": inverse depth, larger is nearer; in 1/m where
    `metric_scale`, else of unknown scale, and of unknown shift too unless `shift_known` (only then 0 is infinity).
    """

    values: np.ndarray  # (h, w) float32, of the depth's own size
    valid: np.ndarray  # (h, w) bool
    kind: str
    metric_scale: bool
    shift_known: bool
    range: tuple[float, float] | None  # distances that the file declares, nearest first; metres where `metric_scale`
    unit: str
    source: str
    photo_width: int
    photo_height: int
    focal_px: float | None = None  # of the full photo, from calibration that lies with the depth
    cx: float | None = None  # px from the photo's outer left edge
    cy: float | None = None  # px from its outer top edge
    matte: np.ndarray | None = None  # (hm, wm) float32 0..1, of its own size: portrait matte, 1 = foreground
    original: str | None = None  # set where the file also holds the sharp picture that the depth belongs to
    orientation_applied: int = 1  # EXIF orientation that the depth was turned by to lie as the photo is shown
    notes: tuple[str, ...] = ()

    def inverse_depth(self) -> np.ndarray:
        """(h, w) float32, larger is nearer for every `kind`; 0 where not valid."""
        if self.kind == "disparity":
            return np.where(self.valid, self.values, 0).astype(np.float32)
        return np.where(self.valid, 1 / np.maximum(self.values, 1e-6), 0).astype(np.float32)


@reading_a_file()
def read_embedded_depth(path: str | Path) -> EmbeddedDepth | None:
    """The depth inside the photo's file; None where there is none.

    Raises DioramaError where the file cannot be read, or its depth is damaged or hostile.
    Of a spatial photo (two views) this is None: the first view is the photo, see `inspect_depth`.
    """
    path = Path(path)
    return decode_embedded_depth(read_file(path), str(path))


def decode_embedded_depth(data: bytes, name: str) -> EmbeddedDepth | None:
    """`read_embedded_depth` for the bytes of a file that messages call `name`."""
    if data[:2] == SOI:
        stored = read_apple_jpeg(data, name) or read_google(data, name) or read_samsung(data, name)
        if stored is None:
            return None
        width, height, orientation = _jpeg_frame(data, name)
        return place_on_photo(stored, width, height, orientation, name)
    if is_heif(data):
        stored, (width, height) = read_apple_heif(data, name)
        # libheif has turned photo and depth alike; HEIF has EXIF's orientation ignored (ISO/IEC 23008-12, annex A)
        return None if stored is None else place_on_photo(stored, width, height, 1, name)
    return None


def read_embedded_original(path: str | Path) -> bytes | None:
    """The bytes of the sharp picture inside a refocused photo (GDepth's GImage:Data, Dynamic Depth's "Original").

    The depth was made of that picture. A diorama looks better with it, as the blur around a silhouette is neither
    foreground nor background, so the pipeline should offer it; it is not taken silently, since the user chose the
    refocused picture. Both cover the same field of view. None where the file holds none; raises DioramaError where
    it is damaged.
    """
    path = Path(path)
    data = read_file(path)
    return read_google_original(data, str(path)) if data[:2] == SOI else None


def place_on_photo(stored: StoredDepth, width: int, height: int, orientation: int, name: str) -> EmbeddedDepth:
    """Turns and crops stored depth onto a photo whose file stores width x height pixels to be shown by `orientation`.

    Raises DioramaError where portrait depth comes with a landscape photo or the reverse: the way to turn it is then unknown.
    """
    orientation = orientation if 1 <= orientation <= 8 else 1
    notes, matte, camera = list(stored.notes), stored.matte, stored.intrinsics
    h, w = stored.values.shape
    turned_photo = orientation in (5, 6, 7, 8)
    across = _aspect_error(w, h, height, width) < MAX_ASPECT_ERROR <= _aspect_error(w, h, width, height)
    if across and not turned_photo:
        raise DioramaError(f"{name} holds depth of {w}x{h} across a photo of {width}x{height}; use another source.")
    if camera is not None:
        camera = camera.for_raster(width, height).turned(orientation)
        camera = camera.with_plausible_centre() if camera.is_plausible() else None
    turn = 1 if across else orientation  # across a photo that is to be turned: it was stored upright already
    values, valid = upright(stored.values, turn), upright(stored.valid, turn)
    if not valid.any():
        raise DioramaError(f"{name} carries depth of which no pixel is known; use another depth source.")
    shown_width, shown_height = (height, width) if turned_photo else (width, height)
    if not stored.stretch:
        rows, columns = _crop(values.shape, shown_width, shown_height)
        if values[rows, columns].shape != values.shape:
            notes.append(f"cut from {values.shape[1]}x{values.shape[0]} to the photo's aspect")
        values, valid = values[rows, columns], valid[rows, columns]
    elif _aspect_error(values.shape[1], values.shape[0], shown_width, shown_height) >= MAX_ASPECT_ERROR:
        notes.append("stretched to the photo's aspect, as its format wants")
    if matte is not None:
        mh, mw = matte.shape
        lies_across = _aspect_error(mw, mh, height, width) < _aspect_error(mw, mh, width, height)
        matte = upright(matte, 1 if turned_photo and lies_across else orientation)
        matte = np.ascontiguousarray(matte[_crop(matte.shape, shown_width, shown_height)])
    return EmbeddedDepth(
        values=np.ascontiguousarray(values), valid=np.ascontiguousarray(valid), kind=stored.kind,
        metric_scale=stored.metric_scale, shift_known=stored.shift_known, range=stored.range, unit=stored.unit,
        source=stored.source, photo_width=shown_width, photo_height=shown_height, matte=matte,
        original=stored.original, orientation_applied=turn, notes=tuple(notes), **_camera_fields(camera),
    )  # fmt: skip


def upright(raster: np.ndarray, orientation: int) -> np.ndarray:
    """A view of (h, w, ...) pixels brought upright from EXIF orientation 1 to 8 (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        raster = raster.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return raster[::rows, ::columns]


def describe(embedded: EmbeddedDepth) -> list[str]:
    """Lines for `photo-diorama inspect`: what was found, in the user's words."""
    h, w = embedded.values.shape
    kind = "metric depth" if embedded.kind == "metric" else "disparity (larger is nearer)"
    lines = [f"depth: {embedded.source}, {w}x{h}, {kind}", f"unit: {embedded.unit}"]
    if embedded.range is not None:
        unit = "m" if embedded.metric_scale else ("m, nominal" if "nominal" in embedded.unit else "of an unknown unit")
        lines.append(f"range: {_shown(embedded.range[0])} to {_shown(embedded.range[1])} {unit}")
    known = float(embedded.valid.mean())
    if known < 1:
        lines.append(f"known: {known:.1%} of the pixels")
    if embedded.focal_px is not None:
        centre = f", principal point ({embedded.cx:.1f}, {embedded.cy:.1f})" if embedded.cx is not None else ""
        lines.append(f"focal length: {embedded.focal_px:.1f} px{centre}, calibration that lies with the depth")
    if embedded.matte is not None:
        lines.append(f"portrait matte: {embedded.matte.shape[1]}x{embedded.matte.shape[0]}")
    if embedded.original is not None:
        lines.append(f"original: the sharp picture that the depth belongs to is inside ({embedded.original})")
    if embedded.orientation_applied != 1:
        lines.append(f"orientation: turned like the photo (EXIF {embedded.orientation_applied})")
    return lines + [f"note: {note}" for note in embedded.notes]


def inspect_depth(path: str | Path) -> list[str]:
    """`describe` of a file, or lines that say it carries no depth and, of a spatial photo, which view is used."""
    path = Path(path)
    data = read_file(path)
    embedded = decode_embedded_depth(data, str(path))
    if embedded is not None:
        return describe(embedded)
    lines = ["depth: none in the file"]
    spatial = read_spatial_photo(data, str(path)) if is_heif(data) else None
    if spatial is not None:
        lines.append(f"spatial photo: {spatial.views} views of {spatial.width}x{spatial.height}, the first is used")
        if spatial.intrinsics is not None:
            lines.append(f"focal length: {spatial.intrinsics.focal_px:.1f} px, calibration of the first view")
    return lines


def read_spatial_intrinsics(path: str | Path) -> Intrinsics | None:
    """The calibration of a spatial photo's first view, which is the photo; None for other files."""
    path = Path(path)
    data = read_file(path)
    spatial = read_spatial_photo(data, str(path)) if is_heif(data) else None
    return None if spatial is None else spatial.intrinsics


def _shown(distance: float) -> str:
    return f"{distance:.3g}" if np.isfinite(distance) else "infinity"


def _camera_fields(camera: Intrinsics | None) -> dict:
    return {} if camera is None else {"focal_px": float(camera.focal_px), "cx": camera.cx, "cy": camera.cy}


def _aspect_error(w: int, h: int, width: int, height: int) -> float:
    """Relative difference of two aspects, less what rounding the smaller raster to whole pixels can make."""
    return max(0.0, abs(w * height / (h * width) - 1) - 1 / min(w, h))


def _crop(shape: tuple[int, ...], width: int, height: int) -> tuple[slice, slice]:
    """Rows and columns of the centred part of (h, w) that has the photo's aspect; all of them where the aspect nearly fits."""
    h, w = shape[:2]
    if _aspect_error(w, h, width, height) < MAX_ASPECT_ERROR:
        return slice(0, h), slice(0, w)
    rows = min(h, max(2, round(w * height / width)))
    columns = min(w, max(2, round(h * width / height)))
    top, left = (h - rows) // 2, (w - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def _jpeg_frame(data: bytes, name: str) -> tuple[int, int, int]:
    """Stored width and height and the orientation as Pillow, which shows the photo, sees them; nothing is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_picture(data, name, ("JPEG",))
            try:
                orientation = int(image.getexif().get(ORIENTATION_TAG, 1))
            except DECODER_ERRORS:
                orientation = 1  # as `load_photo` decides
            return *image.size, orientation
    except DECODER_ERRORS as error:
        raise damaged(name, error, "copy or export it again") from None
