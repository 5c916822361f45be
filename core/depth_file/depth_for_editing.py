"""Depth as a file for programs that paint: what a scene uses now goes out, and comes back as an edit of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..layer_files.pictures import encode_png, insert_chunk
from ..raster.exr_encode import write_exr
from .read_file import read_raw

ENDINGS = (".png", ".exr", ".tif", ".tiff")
TOP = 65535
WHITE_KEY = b"photo_diorama_white"
"""Text of a PNG: 1/m for which white stands. Programs that lose it leave white to be the nearest point, as when it was written."""
UNTOUCHED_DIFFERENCE = 4e-6
"""Relative difference of distances up to which a pixel counts as untouched: twice a float's rounding, there and back."""
MAX_CLOSER = 100.0
"""Times the nearest point's disparity that an edit may reach."""


def encode_depth(disparity: np.ndarray, ending: str) -> bytes:
    """The file of (h, w) disparity, 1/m. PNG: 16 bits, near is white, of the disparity. EXR (channel Z) and TIFF: metres, float32."""
    if ending == ".png":
        white = float(disparity.max())
        levels = np.clip(np.rint(disparity * (TOP / white)), 1, TOP).astype(np.uint16)
        return insert_chunk(encode_png(levels), b"tEXt", WHITE_KEY + b"\0" + repr(white).encode())
    distance = (1 / disparity).astype(np.float32)
    if ending == ".exr":
        import io

        height, width = distance.shape
        out = io.BytesIO()
        window = (0, 0, width, height)
        write_exr(out, window, window, {"Z": np.float32}, lambda start, stop: {"Z": distance[start:stop]}, {})
        return out.getvalue()
    import cv2

    done, data = cv2.imencode(".tiff", distance)
    if not done:
        raise RuntimeError("the depth could not be encoded")
    return data.tobytes()


def read_edited_depth(path: Path, now: np.ndarray) -> np.ndarray:
    """(h, w) float32 disparity, 1/m, of a file that `encode_depth` wrote of `now` and another program changed.

    Whole numbers are disparity, floats metres. What was not touched, or is unknown in the file, has the very values of `now`. Other
    sizes of the same shape are taken by the nearest pixel. Raises DioramaError for another shape, and for files that are not read.
    """
    raw = read_raw(path)
    height, width = raw.values.shape
    if abs(width * now.shape[0] / (height * now.shape[1]) - 1) > 0.01:
        raise DioramaError(
            f"{path} has {width}x{height} pixels, another shape than the depth of {now.shape[1]}x{now.shape[0]}; "
            "export the depth and edit that."
        )
    values = raw.values.astype(np.float32)
    known = np.isfinite(values) & (values > 0) & (True if raw.unknown is None else ~raw.unknown)
    if raw.integers:
        top = float(2**raw.bits - 1)
        white = _stored_white(path) or float(now.max())
        found = values * np.float32(white / top)
        slack = np.full(now.shape, np.float32(0.5001 * white / top))
    else:
        found = 1 / np.where(known, values, 1)
        slack = UNTOUCHED_DIFFERENCE * now
    if (height, width) != now.shape:
        import cv2

        size = now.shape[::-1]
        found = cv2.resize(found, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.float32)
        known = cv2.resize(known.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) > 0
    found = np.clip(found, 0, MAX_CLOSER * float(now.max()))
    changed = known & (np.abs(found - now) > slack)
    return np.where(changed, np.maximum(found, float(now.min()) / MAX_CLOSER), now).astype(np.float32)


def _stored_white(path: Path) -> float | None:
    with open(path, "rb") as file:
        found = re.search(WHITE_KEY + rb"\0([-+.\de]{1,30})", file.read(1 << 16))
    try:
        white = float(found[1]) if found else 0.0
    except ValueError:
        return None
    return white if 0 < white < 1e12 else None
