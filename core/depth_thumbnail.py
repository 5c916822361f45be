"""A thumbnail of a photo and its depth, near in warm colours: an inverted map is noticed before anything is built from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .depth.depth_map import Guess, depth_on_photo
from .depth.find_depth import choose_camera, find_depth, find_given_depth
from .photo.photo import load_photo
from .settings import Settings

SIDE = 256
"""Long side of each of the two pictures, px."""
UNKNOWN = 0.35
"""Grey level of unknown depth."""


@dataclass(frozen=True)
class DepthThumbnail:
    """What a person sees of a depth map."""

    pixels: np.ndarray  # (h, 2 w, 3) or (2 h, w, 3) uint8 sRGB: the photo, and beside or below it its depth in false colours
    description: str  # what the depth was taken for
    guess: Guess


def depth_thumbnail(photo_path: Path, depth_path: Path | None, settings: Settings) -> DepthThumbnail | None:
    """The thumbnail; None where the photo has no depth, so that a network would have to find it.

    Raises DioramaError as reading them does.
    """
    photo = load_photo(photo_path, settings.photo)
    if depth_path is None:
        found = find_given_depth(photo, settings.depth)
        if found is None:
            return None
    else:
        found = find_depth(photo, depth_path, settings.depth, None)
    photo = choose_camera(photo, found, settings.photo)
    depth = depth_on_photo(found.values, photo, settings.depth, SIDE, str(depth_path or photo_path))
    h, w = depth.disparity.shape
    colour = (np.clip(photo.working_colour(h, w)[..., :3], 0, 1) * 255 + 0.5).astype(np.uint8)
    shown = depth.known | (depth.disparity <= depth.disparity.min()) if depth.sky == "far" else depth.known
    both = [colour, false_colour(depth.disparity, shown)]
    pixels = np.vstack(both) if w > h else np.hstack(both)  # together nearly a square, which a panel has room for
    return DepthThumbnail(pixels, depth.source, depth.guess)


def false_colour(disparity: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 of (h, w) disparity: near is red, far is blue, what is not `known` is grey (Turbo, Mikhailov 2019)."""
    import cv2

    low, high = np.percentile(disparity, (1, 99))
    part = np.sqrt(np.clip((disparity - low) / max(high - low, 1e-12), 0, 1))
    # the outermost tenths of the scale are nearly black
    shown = cv2.applyColorMap(np.rint(25 + 205 * part).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where(known[..., None], shown, np.uint8(255 * UNKNOWN))
