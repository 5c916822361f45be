"""Cast views as the pipeline sees them: depth map in, layered depth image torn, and the truth of what it hides."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2])) / "tests")]

import conftest  # noqa: E402, F401
import numpy as np  # noqa: E402

from photo_diorama.core.camera.camera import Camera  # noqa: E402
from photo_diorama.core.depth.depth_map import FARTHEST_OF_RELATIVE, DepthMap  # noqa: E402
from photo_diorama.core.depth.sharpen_depth import sharpen  # noqa: E402
from photo_diorama.core.layers.first_layer import make_first_layer  # noqa: E402
from photo_diorama.core.layers.layered_depth_image import LayeredDepthImage, neighbour_indices  # noqa: E402
from photo_diorama.core.layers.link_layers import absorb_islands, link_hidden  # noqa: E402
from photo_diorama.core.layers.regions import Disocclusion, disocclude  # noqa: E402
from photo_diorama.core.photo.photo import Photo  # noqa: E402
from photo_diorama.core.settings import LayerSettings  # noqa: E402

CLEARANCE = 0.25
"""What counts as hidden lies at least this part of the tearing threshold behind what hides it, as in `core/hidden_depth/fill_depth.py`."""


@dataclass(frozen=True)
class View:
    """A cast view at the far end of what a relative depth map may hold."""

    name: str
    surfaces: np.ndarray  # (n, h, w) float32 disparity of the first surface and of those behind it; the floor for sky
    known: np.ndarray  # (n, h, w) bool: whether that surface is truth (behind a wall of a closed room is nothing)
    object: np.ndarray  # (h, w) uint16: number of the object that the first surface belongs to


def read_view(path: Path) -> View:
    """A file of `cast_scenes.py`."""
    with np.load(path) as stored:
        surfaces, near, object_ = stored["surfaces"], stored["near"], stored["object"]
    floor = np.percentile(surfaces[0], 99.9) / FARTHEST_OF_RELATIVE
    known = near & ((surfaces > 0) | (surfaces[0] == 0).any())
    return View(path.stem, np.maximum(surfaces, floor).astype(np.float32), known, object_)


def photo_of(view: View) -> Photo:
    """A grey photo of the view's size: no stage of the geometry looks at colour where depth is clean."""
    height, width = view.surfaces.shape[1:]
    colour = np.full((height, width, 3), 128, np.uint8)
    return Photo(view.name, Path(view.name), colour, None, Camera.from_fov(width, height), "cast", None)


def torn(view: View, layers: LayerSettings, disparity: np.ndarray | None = None) -> LayeredDepthImage:
    """The view's first surface, or another `disparity` (h, w) in its place, sharpened and torn."""
    photo = photo_of(view)
    disparity = view.surfaces[0] if disparity is None else disparity
    depth = DepthMap(disparity, np.ones(disparity.shape, bool), True, "cast")
    sharp = sharpen(depth, photo.working_colour(*disparity.shape), layers)
    return make_first_layer(photo, sharp, layers)


def hidden_parts(image: LayeredDepthImage, layers: LayerSettings) -> tuple[Disocclusion, np.ndarray] | None:
    """What the first layer hides and its links, as `core/inpaint/inpaint.py` finds them; None where it hides nothing."""
    found = disocclude(image, layers.hidden_width)
    if found is None:
        return None
    found = absorb_islands(image, found)
    return found, link_hidden(image, found)[1]


def truth(view: View, image: LayeredDepthImage, found: Disocclusion) -> tuple[np.ndarray, np.ndarray]:
    """True disparity (h, w) float32 of the hidden pixels of the canvas, and where it is known (h, w) bool.

    It is the first surface along the ray that lies behind the layer that hides it. Nothing is known outside the frame;
    where the layer covers a rim of what the photo shows; and where a thing hides a part of itself, as casting took the
    whole thing away.
    """
    top, left, height, width = image.frame
    frame = np.s_[top : top + height, left : left + width]
    front = image.layers[0].disparity[frame] - CLEARANCE * image.threshold
    behind = view.surfaces < front
    first = np.argmax(behind, axis=0)[None]
    value = np.take_along_axis(view.surfaces, first, axis=0)[0]
    known = np.take_along_axis(behind & view.known, first, axis=0)[0] & ~behind[0]
    result, where = np.zeros(found.hidden.shape, np.float32), np.zeros(found.hidden.shape, bool)
    result[frame], where[frame] = value, known & found.hidden[frame]
    number = np.pad(view.object.astype(np.int32), ((top, top), (left, left)), mode="edge")
    where &= number != number.ravel()[_farther_neighbour(image)[found.seed]]
    return result, where


def _farther_neighbour(image: LayeredDepthImage) -> np.ndarray:
    """(pixels,) flat index of the farthest of the four neighbours of each canvas pixel of the first layer."""
    disparity = image.layers[0].disparity
    pixels = np.arange(disparity.size)
    best, value = pixels.copy(), disparity.ravel().copy()
    for side in range(4):
        there, _ = neighbour_indices(pixels, side, disparity.shape)
        farther = disparity.ravel()[there] < value
        best[farther], value[farther] = there[farther], disparity.ravel()[there[farther]]
    return best
