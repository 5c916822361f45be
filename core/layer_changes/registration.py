"""Where a picture of another size lies on the canvas of a build: the same, without the overscan, or scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DioramaError
from ..layer_files.layer_file import TOP, place_in_canvas

MAX_SCALE = 8.0
"""A picture may be so many times smaller or larger than the photo."""


@dataclass(frozen=True)
class Placement:
    """From pixels of a picture to those of the canvas."""

    size: tuple[int, int]  # rows and columns that the picture takes there
    offset: tuple[int, int]  # row and column of its first pixel there; negative where it reaches beyond
    is_scaled: bool

    def on_canvas(self, picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """The picture, (h, w) or (h, w, n), on a canvas of that shape; 0 outside it. The picture itself where it is as large."""
        if self.is_scaled:
            picture = _resize(picture, self.size)
        return place_in_canvas(picture, self.offset, shape)

    def covered(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The part of the canvas that the picture has."""
        rows, columns = (_overlap(o, n, m) for o, n, m in zip(self.offset, self.size, shape, strict=True))
        return rows, columns


def _overlap(offset: int, length: int, room: int) -> slice:
    """What a side of that length at `offset` covers of one from 0 to `room`."""
    start = max(0, offset)
    return slice(start, max(start, min(room, offset + length)))


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture at another size, its colours mixed by their alpha."""
    import cv2

    kind = cv2.INTER_AREA if size[0] < picture.shape[0] else cv2.INTER_LINEAR
    if picture.ndim < 3 or picture.shape[2] < 4:
        return cv2.resize(picture, size[::-1], interpolation=kind)
    top = float(TOP[picture.dtype])
    alpha = picture[..., 3].astype(np.float32)
    share = cv2.resize(alpha, size[::-1], interpolation=kind)
    result = np.empty((*size, 4), picture.dtype)
    round_up = 0.0 if picture.dtype == np.float32 else 0.5
    for channel in range(3):
        mixed = cv2.resize(picture[..., channel] * alpha, size[::-1], interpolation=kind) / np.maximum(share, 1e-6 * top)
        result[..., channel] = (mixed if picture.dtype == np.float32 else np.clip(mixed, 0, top)) + round_up
    result[..., 3] = share + round_up
    return result


def place(
    size: tuple[int, int],
    canvas: tuple[int, int],
    photo: tuple[int, int, int, int],
    recorded: tuple[int, int, int, int] | None,
    name: str,
) -> Placement:
    """Where a picture of that size (rows, columns) lies on the canvas (rows, columns).

    `photo` is top, left, height, width of the photo on the canvas, `recorded` the same on the picture, where its file says so. Raises
    DioramaError, with `name` for the picture, where the size is neither the canvas's nor the photo's nor one of them scaled.
    """
    if recorded is not None and min(recorded[2:]) > 0:
        scale = photo[3] / recorded[3]
        if abs(recorded[2] * scale - photo[2]) <= max(1.0, scale) and 1 / MAX_SCALE <= scale <= MAX_SCALE:
            whole = (round(size[0] * scale), round(size[1] * scale))
            offset = (round(photo[0] - recorded[0] * scale), round(photo[1] - recorded[1] * scale))
            return Placement(whole, offset, whole != size)
    for rows, columns, offset in ((*canvas, (0, 0)), (*photo[2:], photo[:2])):
        if size == (rows, columns):
            return Placement(size, offset, False)
    for rows, columns, offset in ((*canvas, (0, 0)), (*photo[2:], photo[:2])):
        scale = columns / size[1]
        if abs(size[0] * scale - rows) <= max(1.0, scale) and 1 / MAX_SCALE <= scale <= MAX_SCALE:
            return Placement((rows, columns), offset, True)
    raise DioramaError(
        f"{name} has {size[1]}x{size[0]} pixels, which is no scale of the photo's {photo[3]}x{photo[2]} nor of the "
        f"{canvas[1]}x{canvas[0]} that layers have with the border; export the layers again and keep their size."
    )
