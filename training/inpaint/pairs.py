"""Training pairs for the inpainting networks: shapes of hidden regions pasted on photos, where the truth is known."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2])) / "tests")]

import conftest  # noqa: E402, F401
import cv2  # noqa: E402
import numpy as np  # noqa: E402

from photo_diorama.core.fill_colour import fill_parts  # noqa: E402
from photo_diorama.core.networks.refine_colour import Start, contrast  # noqa: E402
from photo_diorama.core.regions import Region  # noqa: E402

SYNTHESIS = 255
"""As collect_regions.py stores it."""
LONGEST = 2048
RIM, SIGMA = 3, 5.8
"""Pixels: the eroded rim and the scale of detail at the default long side of 960."""
FEWEST = 80
HELD_OUT = 6
"""Every sixth photo, and the shapes found in it, are never trained on."""


@dataclass(frozen=True)
class Pair:
    """One region pasted on a photo: what the network starts from and what was really there."""

    start: Start
    synthesis: np.ndarray  # (s, s) bool: what is scored; `start.hole` has the rim too
    truth: np.ndarray  # (s, s, 3) float32, sRGB 0..1


class Pairs:
    """Draws pairs; what is drawn depends on the given generator alone."""

    def __init__(self, photos: list[Path], regions: Path, held_out: bool):
        files = [p for folder in photos for p in folder.iterdir() if p.suffix in (".jpg", ".png")]
        files.sort(key=lambda p: p.stem)
        chosen = [p for k, p in enumerate(files) if (k % HELD_OUT == 0) == held_out]
        names = {p.stem for p in chosen}
        self.photos = [(p.stem, _read(p)) for p in chosen]
        with np.load(regions) as stored:
            owners = [(key.rsplit("#", 1)[0], key) for key in sorted(stored.files)]
            self.shapes = [(owner, stored[key]) for owner, key in owners if owner in names]
        area = np.array([(shape == SYNTHESIS).sum() for _, shape in self.shapes], float)
        self.chance = np.sqrt(area) / np.sqrt(area).sum()

    def draw(self, rng: np.random.Generator, side: int) -> Pair:
        """A pair of `side` x `side` pixels: a shape, turned and cut about one of its pixels, on another photo."""
        while True:
            name, shape = self.shapes[rng.choice(len(self.shapes), p=self.chance)]
            other, photo = self.photos[rng.integers(len(self.photos))]
            shape = _cut(rng, shape, side)
            context_size = ((shape > 0) & (shape != SYNTHESIS)).sum()
            if other != name and (shape == SYNTHESIS).sum() >= FEWEST and context_size >= 2 * FEWEST:
                return make_pair(_crop(rng, photo, side), shape)

    def batch(self, rng: np.random.Generator, count: int, side: int) -> list[Pair]:
        return [self.draw(rng, side) for _ in range(count)]


def make_pair(truth: np.ndarray, shape: np.ndarray) -> Pair:
    """The pair of a (s, s, 3) photo and a (s, s) uint8 picture of a region."""
    synthesis, context = shape == SYNTHESIS, (shape > 0) & (shape != SYNTHESIS)
    distance = np.where(context, shape.astype(np.int16) - 1, 0)
    region = Region((slice(0), slice(0)), synthesis, context, distance, np.where(context[..., None], truth, 0))
    parts = fill_parts(region, RIM, SIGMA)
    hole = synthesis | (context & ~parts.source)
    mean, spread = contrast(truth[parts.source])
    return Pair(Start(parts.smooth, parts.detail, parts.source, hole, mean, spread), synthesis, truth)


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))[:, :, ::-1]
    factor = min(1.0, LONGEST / max(image.shape[:2]))
    return np.ascontiguousarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def _cut(rng: np.random.Generator, shape: np.ndarray, side: int) -> np.ndarray:
    """(side, side) of the shape about one of its pixels to invent, mirrored and turned at random."""
    where = np.flatnonzero(shape == SYNTHESIS)
    row, column = np.divmod(where[rng.integers(len(where))], shape.shape[1])
    shake = rng.integers(-side // 4, side // 4 + 1, 2)
    padded = np.pad(shape, side)
    top, left = row + side - side // 2 + shake[0], column + side - side // 2 + shake[1]
    cut = np.rot90(padded[top : top + side, left : left + side], rng.integers(4))
    return np.ascontiguousarray(cut[:, ::-1] if rng.random() < 0.5 else cut)


def _crop(rng: np.random.Generator, photo: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) float32 of the photo, shrunk 1 to 3 times, mirrored, its channels, gain and gamma changed."""
    most = min(3.0, min(photo.shape[:2]) / side)
    size = int(side * most ** rng.random()) if most > 1 else min(photo.shape[:2])
    top, left = (int(rng.integers(n - size + 1)) for n in photo.shape[:2])
    crop = cv2.resize(photo[top : top + size, left : left + size], (side, side), interpolation=cv2.INTER_AREA)
    crop = crop[:, ::-1] if rng.random() < 0.5 else crop
    crop = crop.astype(np.float32)[..., rng.permutation(3)] / 255
    return np.clip(crop ** np.float32(rng.uniform(0.8, 1.25)) * np.float32(rng.uniform(0.8, 1.1)), 0, 1)
