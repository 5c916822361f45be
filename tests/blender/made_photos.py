"""Small photos with exact depth: two planes, and a sphere before a wall."""

from pathlib import Path

import numpy as np
from PIL import Image

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
