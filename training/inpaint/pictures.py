"""Where the truth of a pair comes from: crisp pieces of photos at any scale, and of made prints with lines, letters and grain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SHARP = 0.8
"""Photos are shrunk at least to this, so that a pixel's detail is a pixel's and not the lens's."""
SMALLEST = 400
"""Photos are shrunk to no less than this long side."""
MAX_SIDE = 2600
"""Longer photos are halved when read."""
PRINTS, PRINT_SIDE = 96, 640
PRINT_SHARE = 0.25
"""Of all pieces drawn. Photos of the sort that is free show much water and leaves, and few book covers, boxes and boards."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789    .,:-"
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)


@dataclass(frozen=True)
class Pictures:
    """Photos by their file's stem, and prints made from a seed."""

    photos: dict[str, np.ndarray]  # (h, w, 3) uint8 RGB
    prints: list[np.ndarray]  # the same

    def piece(self, rng: np.random.Generator, side: int, besides: str = "") -> np.ndarray:
        """(side, side, 3) uint8 of one of them, not of the photo named `besides`."""
        if rng.random() < PRINT_SHARE:
            return cut(rng, self.prints[rng.integers(len(self.prints))], side, float(rng.uniform(0.6, 1.0)))
        names = [name for name in self.photos if name != besides]
        photo = self.photos[names[rng.integers(len(names))]]
        least = max(SMALLEST / max(photo.shape), (side + 1) / min(photo.shape[:2]))
        return cut(rng, photo, side, float(np.exp(rng.uniform(np.log(least), np.log(max(SHARP, least))))))


def cut(rng: np.random.Generator, picture: np.ndarray, side: int, scale: float) -> np.ndarray:
    """(side, side, 3) uint8 of a random place of the picture, shrunk by averaging."""
    large = min(round(side / scale), *picture.shape[:2])
    top, left = (int(rng.integers(n - large + 1)) for n in picture.shape[:2])
    piece = picture[top : top + large, left : left + large]
    return cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA)


def read_pictures(folders: list[Path], held_out: bool, seed: int) -> Pictures:
    """The photos of these folders that are held out, or all others, with prints of their own."""
    photos = {}
    for file in photo_files(folders, held_out):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)[..., ::-1]
        if max(picture.shape) > MAX_SIDE:
            picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        photos[file.stem] = np.ascontiguousarray(picture)
    rng = np.random.default_rng([seed, held_out, 77])
    return Pictures(photos, [made_print(rng) for _ in range(PRINTS)])


def photo_files(folders: list[Path], held_out: bool) -> list[Path]:
    """The photos of these folders that are held out, or all others, in the order of their names."""
    files = {file.stem: file for folder in folders for file in folder.iterdir() if file.suffix in (".jpg", ".png")}
    return [file for number, (_, file) in enumerate(sorted(files.items())) if is_held_out(number) == held_out]


def is_held_out(number: int) -> bool:
    """Every sixth is."""
    return number % 6 == 3


def made_print(rng: np.random.Generator) -> np.ndarray:
    """(PRINT_SIDE, PRINT_SIDE, 3) uint8: a ground with or without grain, on it blocks, stripes, rings and lines of letters.

    Drawn at twice the size and averaged, so that edges are as soft as a sharp photo's.
    """
    side = 2 * PRINT_SIDE
    canvas = ground(rng, side)
    for _ in range(int(rng.integers(2, 14))):
        draw = (block, stripes, letters, ring)[rng.choice(4, p=(0.35, 0.2, 0.3, 0.15))]
        draw(rng, canvas)
    turned = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.choice([0, rng.uniform(-30, 30)])), 1.45)
    canvas = cv2.warpAffine(canvas, turned, (side, side), borderMode=cv2.BORDER_REFLECT)
    light = cv2.resize(rng.uniform(0.7, 1.1, (3, 3)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    canvas = canvas * light[..., None] + grain(rng, side) * rng.choice([0, rng.uniform(0, 14)])
    small = cv2.resize(canvas, (PRINT_SIDE, PRINT_SIDE), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small + rng.normal(0, rng.uniform(0, 2), small.shape)), 0, 255).astype(np.uint8)


def ink(rng: np.random.Generator) -> tuple[float, float, float]:
    """A colour; most are dull, some are black or white."""
    grey = rng.choice([15, 240, rng.uniform(0, 255)], p=(0.15, 0.2, 0.65))
    return tuple(float(v) for v in np.clip(grey + rng.normal(0, rng.choice([5, 60]), 3), 0, 255))


def grain(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side, 1) float32, mean 0 and spread 1: noise drawn out along one way, as wood, cloth or sand is."""
    along, across = rng.choice([rng.uniform(1, 3), rng.uniform(8, 60)]), rng.uniform(1, 3)
    noise = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), sigmaX=float(along), sigmaY=float(across))
    return (noise / noise.std())[..., None]


def ground(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side, 3) float32 of one ink with grain in another's direction."""
    strength = rng.choice([0, rng.uniform(0, 25)], p=(0.3, 0.7))
    towards = np.float32(rng.normal(1, 0.3, 3))
    return np.float32(np.float32(ink(rng)) + strength * grain(rng, side) * towards)


def block(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """A filled or drawn rectangle."""
    side = len(canvas)
    corner, size = rng.integers(0, side, 2), rng.integers(side // 30, side // 2, 2)
    width = int(rng.choice([-1, rng.integers(2, 14)], p=(0.7, 0.3)))
    cv2.rectangle(canvas, corner.tolist(), (corner + size).tolist(), ink(rng), width, cv2.LINE_AA)


def stripes(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """Straight lines at even distances, from side to side."""
    side, colour = len(canvas), ink(rng)
    step, width, slope = rng.integers(12, 160), int(rng.integers(2, 12)), rng.choice([0, rng.normal(0, 200)])
    upright, first, count = rng.random() < 0.5, rng.integers(0, side), int(rng.integers(1, 25))
    for at in range(first, min(first + count * step, side), step):
        ends = [(at, 0), (int(at + slope), side)]
        ends = ends if upright else [end[::-1] for end in ends]
        cv2.line(canvas, *ends, colour, width, cv2.LINE_AA)


def letters(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """A few lines of letters without sense."""
    side, size, colour = len(canvas), float(np.exp(rng.uniform(np.log(0.7), np.log(8)))), ink(rng)
    font, x, y = FONTS[rng.integers(len(FONTS))], int(rng.integers(-side // 4, side // 2)), int(rng.integers(0, side))
    for row in range(int(rng.integers(1, 12))):
        text = "".join(LETTERS[k] for k in rng.integers(len(LETTERS), size=int(rng.integers(3, 40))))
        cv2.putText(
            canvas, text, (x, int(y + row * 42 * size)), font, size, colour, max(1, int(2 * size * rng.uniform(0.6, 1.6))), cv2.LINE_AA
        )


def ring(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """A disc, or several rings about one middle."""
    side, middle = len(canvas), rng.integers(0, len(canvas), 2).tolist()
    width = int(rng.choice([-1, rng.integers(2, 20)]))
    for radius in rng.integers(side // 60, side // 4, int(rng.integers(1, 4))):
        cv2.circle(canvas, middle, int(radius), ink(rng), width, cv2.LINE_AA)
