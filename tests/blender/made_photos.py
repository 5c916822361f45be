"""Small photos with exact depth: two planes, and a sphere before a wall."""

from pathlib import Path

import numpy as np
from PIL import Image

from photo_diorama.core.raster.colour_curves import srgb_from_linear

OPTIONS = dict(depth_kind="metric", long_side=128, border=0.2)
"""For quick builds. So small a photo has a border only where that is wide: borders are whole blocks of the mesh."""


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: smooth patches with noise on top, so that every texel has its own colour."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(40, 216, (height // 8 + 1, width // 8 + 1, 3))
    smooth = np.asarray(Image.fromarray(patches.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)


def write(folder: Path, name: str, colour: np.ndarray, metres: np.ndarray) -> tuple[Path, Path]:
    """The photo and beside it its depth in metres."""
    photo, depth = folder / name, folder / "depth_of.npy"
    Image.fromarray(colour).save(photo)
    np.save(depth, metres.astype(np.float32))
    return photo, depth


def two_planes(folder: Path, name: str = "street.png", width: int = 160, height: int = 120) -> tuple[Path, Path]:
    """A board at 2 m before a wall at 6 m."""
    metres = np.full((height, width), 6.0)
    metres[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = 2.0
    return write(folder, name, texture(height, width), metres)


def sphere(folder: Path, name: str = "ball.png", width: int = 160, height: int = 120) -> tuple[Path, Path]:
    """A sphere of 1 m at 3 m before a tilted wall, seen with 53.13 degrees across the long side."""
    focal = max(width, height)
    x, y = (np.arange(width) + 0.5 - width / 2) / focal, (np.arange(height)[:, None] + 0.5 - height / 2) / focal
    length = x * x + y * y + 1
    inside = 9.0 - length * 8.0
    z = (3.0 - np.sqrt(np.maximum(inside, 0))) / length
    return write(folder, name, texture(height, width, 1), np.where(inside > 0, z, 6.0 + 1.5 * x))


def blades(folder: Path, name: str = "grass.png", width: int = 160, height: int = 120) -> tuple[Path, Path]:
    """A dark green tuft at 2 m whose blades stand out before a bright wall at 6 m; the depth knows the tuft's body alone.

    Blades are mixed with the wall in linear light, as a camera does it.
    """
    import cv2

    rng = np.random.default_rng(5)
    alpha = np.zeros((4 * height, 4 * width), np.uint8)
    body = (slice(height * 2 // 5, height), slice(width * 3 // 10, width * 7 // 10))
    alpha[body[0].start * 4 :, body[1].start * 4 : body[1].stop * 4] = 255
    for x in rng.uniform(body[1].start, body[1].stop, 60):
        top = body[0].start - rng.uniform(2, 5)
        cv2.line(alpha, (int(4 * x), 4 * body[0].start + 8), (int(4 * (x + rng.uniform(-3, 3))), int(4 * top)), 255, 2)
    alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255
    front = np.array([0.03, 0.09, 0.02]) * rng.uniform(0.6, 1.4, (height, width, 1))
    back = np.array([0.55, 0.5, 0.45]) * rng.uniform(0.9, 1.1, (height, width, 1))
    linear = alpha * front + (1 - alpha) * back
    colour = srgb_from_linear(linear)
    metres = np.full((height, width), 6.0)
    metres[body] = 2.0
    return write(folder, name, np.rint(colour * 255).astype(np.uint8), metres)


def lane(folder):
    """A photo of a ground that recedes to 30 m, a near ball and thin posts in a row behind one another, and its depth."""
    y, x = np.meshgrid((np.arange(120) + 0.5) / 120 - 0.5, (np.arange(160) + 0.5) / 160 - 0.5, indexing="ij")
    metres = 1 / np.maximum(0.033, y / 1.6)
    for k, place in enumerate((-0.38, -0.2, 0.0, 0.18, 0.36)):
        metres[(np.abs(x - place) < 0.012) & (y > -0.35) & (metres > 2 + 3 * k)] = 2 + 3 * k
    inside = (x + 0.1) ** 2 + (y - 0.12) ** 2 < 0.02
    metres[inside] = (1.6 - 2 * np.sqrt(np.maximum(0.02 - (x + 0.1) ** 2 - (y - 0.12) ** 2, 0)))[inside]
    return write(folder, "lane.png", texture(120, 160, 5), metres)
