"""Depth as a photo's file stores it, before it is turned and cropped to the photo: pixels, their scale, calibration."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DioramaError
from ..raster.decoder_errors import DECODER_ERRORS, in_one_line
from ..raster.open_picture import open_picture

MAX_DEPTH_PIXELS = 100_000_000
NEAREST, FARTHEST = 1e-6, 1e9
"""Distances outside these come from a damaged or hostile file; inside, float32 holds them and their inverses."""


@dataclass(frozen=True)
class Intrinsics:
    """A calibrated camera for a raster of width x height pixels; the outer corner of the first pixel is (0, 0)."""

    width: float
    height: float
    focal_px: float
    cx: float | None
    cy: float | None

    def turned(self, orientation: int) -> Intrinsics:
        """The same camera after the raster is brought upright from EXIF orientation 1 to 8."""
        width, height = self.width, self.height
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        if self.cx is None or self.cy is None:
            return replace(self, width=width, height=height)
        right, below = self.width - self.cx, self.height - self.cy
        cx, cy = {
            2: (right, self.cy), 3: (right, below), 4: (self.cx, below), 5: (self.cy, self.cx),
            6: (below, self.cx), 7: (below, right), 8: (self.cy, right),
        }.get(orientation, (self.cx, self.cy))  # fmt: skip
        return Intrinsics(width, height, self.focal_px, cx, cy)

    def for_raster(self, width: int, height: int) -> Intrinsics:
        """The same camera for the raster scaled to width x height; where the aspect differs, its centre is kept.

        Calibration that stands across the raster (portrait against landscape) gives the focal length alone.
        """
        if (self.width - self.height) * (width - height) < 0:
            scale = max(width, height) / max(self.width, self.height)
            return Intrinsics(width, height, self.focal_px * scale, None, None)
        scale = max(width / self.width, height / self.height)
        if self.cx is None or self.cy is None:
            return Intrinsics(width, height, self.focal_px * scale, None, None)
        cx = self.cx * scale - (self.width * scale - width) / 2
        cy = self.cy * scale - (self.height * scale - height) / 2
        return Intrinsics(width, height, self.focal_px * scale, cx, cy)

    def is_plausible(self) -> bool:
        """Whether a real lens could have these values: calibration in a hostile or half-written file may hold anything."""
        numbers = [self.width, self.height, self.focal_px, self.cx or 0.0, self.cy or 0.0]
        if not all(np.isfinite(numbers)) or min(self.width, self.height) < 1:
            return False
        return 0.2 < self.focal_px / max(self.width, self.height) < 60

    def with_plausible_centre(self) -> Intrinsics:
        """Without the principal point where that lies outside the middle 80 % of the raster."""
        if self.cx is None or self.cy is None:
            return replace(self, cx=None, cy=None)
        inside = 0.1 < self.cx / self.width < 0.9 and 0.1 < self.cy / self.height < 0.9
        return self if inside else replace(self, cx=None, cy=None)


@dataclass(frozen=True)
class StoredDepth:
    """One depth raster in the orientation in which the file stores its photo. Fields as in `EmbeddedDepth`."""

    values: np.ndarray  # (h, w) float32
    valid: np.ndarray  # (h, w) bool
    kind: str  # "metric" or "disparity"
    metric_scale: bool
    shift_known: bool
    range: tuple[float, float] | None
    unit: str
    source: str
    stretch: bool  # True: stretched over the whole photo; False: same centre and scale, the excess is cropped
    intrinsics: Intrinsics | None = None
    matte: np.ndarray | None = None  # (hm, wm) float32 0..1
    original: str | None = None  # what the embedded original image is
    notes: tuple[str, ...] = ()


def decode_grey(data: bytes, name: str, what: str) -> tuple[np.ndarray, int]:
    """(h, w) uint8 or uint16 pixels of a JPEG, PNG or WebP held in the file `name`, and the value of white.

    The size in the header is checked before anything is decoded. Raises DioramaError where `what` cannot be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_picture(data, name, ("JPEG", "PNG", "WEBP"))
            check_size(image.width, image.height, name, what)
            if image.mode.startswith("I"):  # 16-bit PNG; Pillow calls it I;16 or I
                return np.clip(np.asarray(image), 0, 65535).astype(np.uint16), 65535
            return np.asarray(image.convert("L")), 255
    except DioramaError:
        raise
    except UnidentifiedImageError:
        raise DioramaError(f"{name} holds {what} that is neither JPEG, PNG nor WebP; copy the photo again.") from None
    except DECODER_ERRORS as error:
        raise DioramaError(f"{name} holds {what} that does not decode ({in_one_line(error)}); copy it again.") from None
    except Image.DecompressionBombError:
        raise DioramaError(f"{name} holds {what} of too many pixels; save the photo again without it.") from None


def check_size(width: int, height: int, name: str, what: str) -> None:
    """Raises DioramaError where a raster is empty or larger than `MAX_DEPTH_PIXELS`."""
    if width < 2 or height < 2 or width * height > MAX_DEPTH_PIXELS:
        limit = MAX_DEPTH_PIXELS // 10**6
        raise DioramaError(f"{name} holds {what} of {width}x{height} pixels; 2x2 to {limit} million can be read.")


def range_inverse(fraction: np.ndarray, near: float, far: float) -> np.ndarray:
    """1/z for values 0 (near) to 1 (far) quantised evenly in 1/z: GDepth's and Dynamic Depth's RangeInverse.

    The specification writes z = far near / (far - fraction (far - near)).
    """
    return 1 / near + fraction * (1 / far - 1 / near)


def range_linear(fraction: np.ndarray, near: float, far: float) -> np.ndarray:
    """z for values 0 (near) to 1 (far) quantised evenly in z: GDepth's and Dynamic Depth's RangeLinear."""
    return near + fraction * (far - near)
