"""Tiny scenes whose depth, silhouettes and hidden parts are known; every surface has a colour channel of its own.

The farthest surface is blue only, one in the middle green only, the nearest red only. So a colour that bled from one
surface into another shows as a channel that is not zero.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.depth.sharpen_depth import sharpen
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.layers.layered_depth_image import LayeredDepthImage
from photo_diorama.core.photo.photo import Photo
from photo_diorama.core.settings import LayerSettings

HEIGHT, WIDTH = 120, 160
FAR, MIDDLE, NEAR = 4.0, 2.0, 1.0
"""Distances in metres of the planes that face the camera."""
BORDERED = LayerSettings(border=0.2, rim=0.0)
"""A border of 32 px, where the default would round to none here; and no rim, as no pixel mixes two surfaces."""
BORDERLESS = LayerSettings(border=0.0, rim=0.0)


@dataclass(frozen=True)
class Scene:
    """One photo with its depth, and what lies behind."""

    colour: np.ndarray  # (h, w, 3) uint8, sRGB
    disparity: np.ndarray  # (h, w) float32, 1/m
    surface: np.ndarray  # (h, w) int8: number of the surface seen; 0 is the farthest
    surfaces: np.ndarray  # (n, h, w) float32 disparity of each whole surface, NaN where it is not

    @property
    def camera(self) -> Camera:
        return Camera.from_fov(self.surface.shape[1], self.surface.shape[0])

    def photo(self, scale: int = 1) -> Photo:
        """The scene as a photo `scale` times as large as its depth."""
        colour = self.colour.repeat(scale, axis=0).repeat(scale, axis=1)
        camera = Camera.from_fov(colour.shape[1], colour.shape[0])
        return Photo("scene", Path("scene.png"), colour, None, camera, "by construction", None)

    def depth(self) -> DepthMap:
        return DepthMap(self.disparity, np.ones(self.disparity.shape, bool), True, "by construction")

    def split(self, settings: LayerSettings = BORDERED) -> LayeredDepthImage:
        """The scene sharpened, which only the sphere's rim needs, and torn into its surfaces; nothing filled yet."""
        photo = self.photo()
        sharp = sharpen(self.depth(), photo.working_colour(*self.surface.shape), settings)
        return make_first_layer(photo, sharp, settings)

    def saved(self, folder: Path) -> tuple[Path, Path]:
        """Paths of the photo as PNG and of the depth in metres as NPY."""
        photo, depth = folder / "scene.png", folder / "scene.npy"
        photo.write_bytes(png_bytes(self.colour))
        np.save(depth, 1 / self.disparity)
        return photo, depth


def two_planes(box: tuple[int, int, int, int] = (30, 50, 90, 110)) -> Scene:
    """A rectangle (top, left, bottom, right) before a wall; both face the camera."""
    near = np.zeros((HEIGHT, WIDTH), bool)
    near[box[0] : box[2], box[1] : box[3]] = True
    return _scene(_wall(FAR), np.where(near, 1 / NEAR, np.nan))


def slanted_wall() -> Scene:
    """The rectangle before a wall that comes nearer from the left to the right."""
    near = np.zeros((HEIGHT, WIDTH), bool)
    near[30:90, 50:110] = True
    wall = np.broadcast_to(np.linspace(0.2, 0.4, WIDTH), (HEIGHT, WIDTH))
    return _scene(wall, np.where(near, 1 / NEAR, np.nan))


def sphere_before_wall() -> Scene:
    """A sphere of radius 0.35 m in the middle, 1.5 m away, before a wall."""
    camera = Camera.from_fov(WIDTH, HEIGHT)
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    ray = camera.unproject(u, v, np.ones((HEIGHT, WIDTH)))
    centre, radius = np.array([0.0, 0.0, 1.5]), 0.35
    # |t ray - centre| = radius; the smaller t, which is z as the rays have z = 1
    a, b, c = (ray**2).sum(-1), ray @ centre, centre @ centre - radius**2
    root = np.sqrt(np.where(b * b - a * c > 0, b * b - a * c, np.nan))
    return _scene(_wall(FAR), a / (b - root))


def t_junction() -> Scene:
    """A middle surface on the right before a far one, and a near one over the lower half of both: they meet in a T."""
    middle, near = np.zeros((2, HEIGHT, WIDTH), bool)
    middle[:, 80:] = True
    near[70:, 30:130] = True
    return _scene(_wall(FAR), np.where(middle, 1 / MIDDLE, np.nan), np.where(near, 1 / NEAR, np.nan))


def wire(thickness: int, slope: float = 0.0) -> Scene:
    """A wire 1 to 3 px thick from the top to the bottom of the picture, upright or leaning by `slope` columns a row."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    left = np.rint(70 + slope * (rows - HEIGHT / 2))
    near = (columns >= left) & (columns < left + thickness)
    return _scene(_wall(FAR), np.where(near, 1 / NEAR, np.nan))


def nested() -> Scene:
    """Three rectangles, each before a larger one: two nestings hidden behind the nearest."""
    boxes = [(20, 25, 100, 135, 3.0), (35, 45, 85, 115, MIDDLE), (45, 60, 75, 100, NEAR)]
    planes = [_wall(FAR)]
    for top, left, bottom, right, distance in boxes:
        plane = np.full((HEIGHT, WIDTH), np.nan)
        plane[top:bottom, left:right] = 1 / distance
        planes.append(plane)
    return _scene(*planes)


def bowl() -> Scene:
    """A round bowl let into a wall: its rim stands out before the wall, its bottom lies deeper."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot(rows - 60, columns - 100)
    near = np.where(radius < 40, 0.42 - 0.006 * (40 - radius), np.nan)
    near[:20, :20] = 1  # keeps the range of the whole
    return _scene(np.where(radius < 40, np.nan, 0.35), near)


def relief(seed: int = 0) -> Scene:
    """Leaves of a random outline that bend towards and from the camera, one behind the other, before a wavy wall."""
    import cv2

    rng = np.random.default_rng(seed)

    def smooth(sigma: float) -> np.ndarray:
        noise = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH)), (0, 0), sigma)
        return noise / noise.std()

    planes = [0.2 + 0.012 * smooth(14)]
    for nearness in (0.3, 0.45, 0.7):
        planes.append(np.where(smooth(9) > 0.6, nearness + 0.05 * smooth(9), np.nan))
    return _scene(*planes)


def slanted_ground() -> Scene:
    """One plane, from 12 m at the top of the picture to 1 m at the bottom: nothing to tear, and linear in disparity."""
    plane = np.broadcast_to(np.linspace(1 / 12, 1, HEIGHT)[:, None], (HEIGHT, WIDTH))
    return _scene(plane)


ALL = {
    "two planes": two_planes,
    "slanted wall": slanted_wall,
    "sphere": sphere_before_wall,
    "T-junction": t_junction,
    "wire 1 px": lambda: wire(1),
    "wire 2 px": lambda: wire(2),
    "leaning wire 3 px": lambda: wire(3, 0.4),
    "nested": nested,
    "ground": slanted_ground,
    "at the frame": lambda: two_planes((60, 0, HEIGHT, 60)),
}
"""Every scene whose surfaces are planes, or nearly, by name."""
ROUGH = {"bowl": bowl, "relief": relief, "other relief": lambda: relief(1)}
"""Scenes of bent surfaces, for tests of what holds always."""
EVERY = {**ALL, **ROUGH}


def _wall(distance: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH), 1 / distance)


def _scene(*surfaces: np.ndarray) -> Scene:
    """The nearest surface of each pixel wins; the last surface is red, the first blue, those between green."""
    surfaces = np.stack([np.asarray(s, np.float32) for s in surfaces])
    surface = np.nanargmax(surfaces, axis=0).astype(np.int8)
    disparity = np.take_along_axis(surfaces, surface[None].astype(np.int64), axis=0)[0]
    rows, columns = np.mgrid[: surface.shape[0], : surface.shape[1]]
    texture = np.uint8(150 + 60 * np.sin(rows / 5) * np.cos(columns / 7))
    channel = np.full(len(surfaces), 1)
    channel[-1], channel[0] = 0, 2
    colour = np.zeros((*surface.shape, 3), np.uint8)
    texture = np.where(channel[surface] == 1, texture // 2 + 120, texture)  # green is as bright as no other
    np.put_along_axis(colour, channel[surface][..., None], texture[..., None], axis=2)
    colour[(surface == len(surfaces) - 1) & (surface > 0)] = (255, 0, 0)
    return Scene(colour, disparity, surface, surfaces)


def png_bytes(pixels: np.ndarray) -> bytes:
    """A PNG of (H, W) grey, (H, W, 2 | 3 | 4) with alpha or colour, uint8 or uint16, written by the specification."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = png_header(width, height, 8 * pixels.itemsize, kind)
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    return head + png_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 1)) + png_chunk(b"IEND", b"")


def png_header(width: int, height: int, bits: int = 8, kind: int = 2) -> bytes:
    """Signature and IHDR chunk."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", size + bytes([bits, kind, 0, 0, 0]))


def png_chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
