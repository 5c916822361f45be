"""The HTML file of a diorama: what it shows, how far it tilts, and the viewer itself."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template

import numpy as np

from ..camera.camera import Camera
from ..camera.framing import FrameEdge, clean_factor, largest_excess
from ..camera.safe_range import SafeRange
from ..errors import DioramaError
from ..raster.colour_curves import linear_from_srgb
from .pack import Surface, format_numbers, pack

FARTHEST = 0.08
"""Largest distance of the camera to each side, in nearest distances, even where the safe range is larger."""
MAX_TIGHTER = 0.12
"""Largest crop for a tilt; a tilt that would need more goes less far."""
QUALITY = 95
LARGEST = 4096
"""Largest side of a texture that every phone's graphics accept."""
MAX_MIPMAP_LEVEL = 2
"""Largest number of mipmap levels of an atlas: its rectangles have margins of four texels."""
BACKGROUND = 17
"""Grey level around the picture."""
DIRECTIONS = 16
"""Number of directions in which the framing is sampled."""


@dataclass(frozen=True)
class Texture:
    """A texture of some surfaces."""

    pixels: np.ndarray  # (h, w, 4) float32, sRGB-encoded with straight alpha, first row on top
    has_alpha: bool
    is_photo: bool  # the photo itself: one picture, which may be reduced to any size


@dataclass(frozen=True)
class Tilt:
    """How far the camera moves, and which distance stays in place."""

    box: SafeRange  # in the units of the surfaces, sideways and up only
    focus: float  # distance that stays in place in the picture
    tighter: float  # how much larger the picture is drawn at the rim: nothing in the middle, and in between in proportion


def find_tilt(box: SafeRange, nearest: float, focus: float, edge: FrameEdge | None, camera: Camera) -> Tilt:
    """A tilt inside the safe range; with the photo's `edge`, one that shows nothing outside it."""
    reach = lambda distance: float(min(distance, FARTHEST * nearest))
    left, right, down, up = (reach(distance) for distance in (box.left, box.right, box.down, box.up))
    needed = 0.0 if edge is None else needed_crop(edge, camera, (left, right, down, up), 1 / focus)
    part = min(1.0, MAX_TIGHTER / needed) if needed > 0 else 1.0
    return Tilt(SafeRange(part * left, part * right, part * down, part * up, 0.0, 0.0), focus, part * needed)


def needed_crop(edge: FrameEdge, camera: Camera, reach: tuple[float, float, float, float], pivot: float) -> float:
    """How much larger the picture must be drawn at the rim, if in proportion to the way there, so that its edge is clean on it."""
    if not len(edge.points):
        return 0.0
    left, right, down, up = reach
    place, disparity = edge.points[:, :2] / edge.points[:, 2:], 1 / edge.points[:, 2]
    turn = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    x, y = np.cos(turn), np.sin(turn)
    side, above = x * np.where(x > 0, right, left), y * np.where(y > 0, up, down)
    needed = 0.0
    for part in (0.25, 0.5, 0.75, 1.0):
        u = place[:, 0] - part * side[:, None] * (disparity - pivot)
        v = place[:, 1] + part * above[:, None] * (disparity - pivot)
        length = np.broadcast_to(edge.length, u.shape)
        factor = clean_factor(partial(largest_excess, u, v, length, edge.side, camera))
        needed = max(needed, (factor - 1) / part)
    return needed


def write_page(title: str, surfaces: list[Surface], textures: list[Texture], camera: Camera, tilt: Tilt, side: int) -> str:
    """The page; `side` is how many texels of the photo's long side it keeps at most. Raises DioramaError where nothing is to be seen."""
    if not surfaces:
        raise DioramaError(f"{title} has no surface that is rendered; show at least one of its layers.")
    frame = tuple(format_numbers(np.array([-camera.cx, -camera.cy, camera.width, camera.height]) / camera.focal_px))
    depths = [surface.places[:, 2] for surface in surfaces]
    low, high = min(d.min() for d in depths), max(d.max() for d in depths)
    grey = linear_from_srgb(np.array([BACKGROUND / 255])).tolist()
    scene = {
        "size": [camera.width, camera.height],
        "frame": frame,
        "range": {name: format_numbers(np.array([getattr(tilt.box, name)]))[0] for name in ("left", "right", "down", "up")},
        "pivot": 1 / tilt.focus,
        "tighter": tilt.tighter,
        "depths": format_numbers(np.array([low, 1 / max(high - low, 1e-12)])),
        "background": 3 * grey,
        "textures": [encoded(texture, side) for texture in textures],
        "meshes": [pack(surface, frame) for surface in sorted(surfaces, key=lambda surface: surface.soft)],
    }
    own = {name: Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("viewer.html", "viewer.js")}
    return Template(own["viewer.html"]).substitute(
        title=html.escape(title), background="#" + 3 * f"{BACKGROUND:02x}",
        scene=json.dumps(scene, separators=(",", ":")).replace("<", "\\u003c"), viewer=own["viewer.js"],
    )  # fmt: skip


def encoded(texture: Texture, side: int) -> dict:
    """A texture as a page holds it: colours as JPEG, alpha as a PNG of its own."""
    import cv2

    height, width = texture.pixels.shape[:2]
    scale = min(1.0, (side if texture.is_photo else LARGEST) / max(height, width), LARGEST / max(height, width))
    pixels = texture.pixels
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    levels = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    colour = data_url("image/jpeg", cv2.imencode(".jpg", np.ascontiguousarray(levels[..., 2::-1]), settings)[1])
    alpha = data_url("image/png", cv2.imencode(".png", np.ascontiguousarray(levels[..., 3]))[1]) if texture.has_alpha else None
    return {"colour": colour, "alpha": alpha, "mips": 1000 if texture.is_photo else MAX_MIPMAP_LEVEL}


def data_url(kind: str, data) -> str:
    """Bytes as an address that a page may name an image by."""
    return f"data:{kind};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
