"""Brings a photo to the size and range that a depth network was trained with, in bounded memory."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LONGEST = 4
"""The long side is at most this many times the trained side, so that a panorama cannot fill the memory."""


@dataclass(frozen=True)
class PhotoInput:
    """How one network wants its photo: size rule and normalisation.

    `fit` says how the photo is scaled about the trained square: "inside" puts the long side at `side`, "outside" the
    short side, "least" the side that needs the smaller change of scale (the published resize methods "upper_bound",
    "lower_bound" and "minimal"). Sides are then rounded to multiples.
    """

    side: int  # px
    multiple: int  # px
    fit: Literal["inside", "outside", "least"]
    mean: tuple[float, float, float] = IMAGENET_MEAN  # of RGB in 0..1
    std: tuple[float, float, float] = IMAGENET_STD

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) given to the network for a photo of (height, width)."""
        scales = self.side / height, self.side / width
        if self.fit == "inside":
            scale = min(scales)
        elif self.fit == "outside":
            scale = max(scales)
        else:
            scale = scales[1] if abs(1 - scales[1]) < abs(1 - scales[0]) else scales[0]
        scale = min(scale, LONGEST * self.side / max(height, width))
        return self._rounded(scale * height), self._rounded(scale * width)

    def _rounded(self, length: float) -> int:
        nearest = round(length / self.multiple) * self.multiple
        if self.fit == "inside" and nearest > self.side:
            nearest = int(length // self.multiple) * self.multiple
        return max(nearest, self.multiple)

    def prepare(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (3, h, w) float32, resized by bicubic interpolation and normalised."""
        resized = resize_cubic(photo, self.size(*photo.shape[:2])) / np.float32(255)
        normalised = (resized - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(np.moveaxis(normalised, 2, 0), dtype=np.float32)


def resize_cubic(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) of any number type -> (*size, C) float32 by four-tap cubic interpolation, without clipping.

    Keys' kernel with a = -0.75, pixel centres at +0.5, edges replicated, no smoothing before shrinking: what the
    networks were trained on (OpenCV's INTER_CUBIC). Works axis by axis from the photo as it is, so that only maps of
    one reduced side exist in floats: 40 MB for a photo of 24 megapixels.
    """
    rows, row_weights = _cubic_taps(photo.shape[0], size[0])
    columns, column_weights = _cubic_taps(photo.shape[1], size[1])
    needed, places = np.unique(rows, return_inverse=True)
    narrow = np.zeros((len(needed), size[1], photo.shape[2]), np.float32)
    for tap in range(4):
        narrow += photo[needed[:, None], columns[tap]] * column_weights[tap][:, None]
    places = places.reshape(rows.shape)
    result = np.zeros((*size, photo.shape[2]), np.float32)
    for tap in range(4):
        result += narrow[places[tap]] * row_weights[tap][:, None, None]
    return result


def _cubic_taps(length: int, new_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (4, new_length) of the samples under each new pixel, and their float32 weights (Keys 1981)."""
    a = -0.75
    position = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
    first = np.floor(position)
    t = position - first
    near, far = np.stack([t, 1 - t]), np.stack([1 + t, 2 - t])
    inner = ((a + 2) * near - (a + 3)) * near * near + 1
    outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    indices = first.astype(np.int64) + np.arange(-1, 3)[:, None]
    weights = np.stack([outer[0], inner[0], inner[1], outer[1]]).astype(np.float32)
    return np.clip(indices, 0, length - 1), weights
