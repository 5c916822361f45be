"""Training samples: rendered pictures, cut-outs on photos, photos with a weak teacher; cropped and recoloured."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

RENDERED, PASTED, TAUGHT, REAL = range(4)
SHAPES = ((192, 256), (192, 256), (256, 192), (224, 224), (160, 288))


@dataclass(frozen=True)
class Sample:
    """One picture of a batch; `kind` says what its truth is good for."""

    photo: np.ndarray  # (H, W, 3) uint8 RGB
    inverse: np.ndarray  # (H, W) float32; for PASTED only its order counts
    valid: np.ndarray  # (H, W) bool
    kind: int


def read_rendered(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) uint8 RGB and inverse depth (H, W) uint16, largest = 65535, from NAME.jpg and NAME.png."""
    picture = cv2.imread(str(path))
    code = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED)
    return np.ascontiguousarray(picture[:, :, ::-1]), code


def crop(photo: np.ndarray, inverse: np.ndarray, shape: tuple[int, int], rng: np.random.Generator,
         smallest: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """A random window of the shape's aspect, at least `smallest` of the largest that fits, resized, often mirrored."""
    height, width = inverse.shape
    aspect = shape[1] / shape[0] * np.exp(rng.normal(scale=0.06))
    tall = min(height, width / aspect) * rng.uniform(smallest, 1.0) ** 0.7
    wide = min(tall * aspect, width)
    y, x = rng.uniform(0, height - tall), rng.uniform(0, width - wide)
    window = slice(int(y), max(int(y + tall), int(y) + 8)), slice(int(x), max(int(x + wide), int(x) + 8))
    size = shape[::-1]
    shrinks = tall > shape[0]
    photo = cv2.resize(photo[window], size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    inverse = cv2.resize(inverse[window], size, interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        photo, inverse = photo[:, ::-1], inverse[:, ::-1]
    return np.ascontiguousarray(photo), np.ascontiguousarray(inverse).astype(np.float32)


def defocus(photo: np.ndarray, inverse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Depth of field after the fact: four blurs mixed by the distance in disparity from a focus."""
    focus = np.quantile(inverse, rng.choice([0.5, 0.9, 0.97]))
    circle = np.abs(inverse - focus) / max(float(np.ptp(inverse)), 1e-6) * rng.uniform(1.5, 8)
    circle = cv2.GaussianBlur(circle, (0, 0), 1.2)
    result, radii = photo.astype(np.float32), (0.0, 1.0, 2.2, 4.5)
    for low, high in pairwise(radii):
        blurred = cv2.GaussianBlur(photo, (0, 0), high).astype(np.float32)
        share = np.clip((circle - low) / (high - low), 0, 1)[..., None]
        result += (blurred - result) * share
    return result.astype(np.uint8)


def recolour(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, gamma, contrast, white balance, saturation, grey, blur, noise, JPEG: what cameras do."""
    image = photo.astype(np.float32) / 255
    image = np.clip(image * np.exp(rng.normal(scale=0.2)), 0, 1) ** np.exp(rng.normal(scale=0.25))
    image = (image - image.mean()) * np.exp(rng.normal(scale=0.2)) + image.mean() + rng.normal(scale=0.03)
    image *= np.exp(rng.normal(scale=0.1, size=3))
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * (0.0 if rng.random() < 0.08 else np.exp(rng.normal(scale=0.35)))
    image = np.clip(image, 0, 1).astype(np.float32)
    if rng.random() < 0.12:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.5:
        image = image + rng.normal(scale=rng.uniform(0.005, 0.05), size=image.shape)
    image = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.4:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image


def cut_out(inverse: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The mask of something that stands clear of what is behind it: a near part with jumps along its border."""
    level = np.quantile(inverse, rng.uniform(0.5, 0.9))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((inverse > level).astype(np.uint8))
    parts = [k for k in range(1, count) if 0.02 < stats[k, cv2.CC_STAT_AREA] / inverse.size < 0.4]
    if not parts:
        return None
    mask = labels == parts[rng.integers(len(parts))]
    inner = mask & ~cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    around = cv2.erode(inverse, np.ones((5, 5), np.uint8))
    border = inverse[inner] > 1.25 * around[inner]
    return mask if len(border) > 20 and border.mean() > 0.6 else None


class Source:
    """Everything that samples are drawn from, held decoded in memory; new renders are picked up by `refresh`."""

    def __init__(self, rendered: Path, photos: list[np.ndarray], taught: list[np.ndarray] | None,
                 real: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator):
        self.folder, self.photos, self.taught, self.real, self.rng = rendered, photos, taught, real, rng
        self.rendered: list[tuple[np.ndarray, np.ndarray]] = []
        self.names: set[str] = set()
        self.queue: list[int] = []
        self.refresh()

    def refresh(self) -> None:
        """Read the pictures that have been rendered since."""
        for path in sorted(self.folder.glob("*.jpg")):
            if path.name not in self.names and not path.name.startswith(".") and path.with_suffix(".png").exists():
                self.rendered.append(read_rendered(path))
                self.names.add(path.name)

    def _next(self) -> tuple[np.ndarray, np.ndarray]:
        if not self.queue:
            self.refresh()
            self.queue = list(self.rng.permutation(len(self.rendered)))
        return self.rendered[self.queue.pop()]

    def draw(self, shape: tuple[int, int]) -> Sample:
        """One augmented sample of the shape (height, width)."""
        rng, choice = self.rng, self.rng.random()
        if self.real and choice < 0.15:
            photo, inverse = crop(*self.real[rng.integers(len(self.real))], shape, rng)
            return Sample(recolour(photo, rng), inverse, inverse > 0, REAL)
        if self.photos and choice > 0.92:
            pasted = self._pasted(shape)
            if pasted is not None:
                return pasted
        elif self.taught and choice > 0.84:
            k = rng.integers(len(self.taught))
            photo, inverse = crop(self.photos[k], self.taught[k], shape, rng)
            return Sample(recolour(photo, rng), inverse, inverse > 0, TAUGHT)
        photo, code = crop(*self._next(), shape, rng)
        inverse = code / np.float32(65535)
        if rng.random() < 0.25:
            photo = defocus(photo, inverse, rng)
        return Sample(recolour(photo, rng), inverse, np.ones_like(inverse, bool), RENDERED)

    def _pasted(self, shape: tuple[int, int]) -> Sample | None:
        """Something cut from a render before a photo: 2 in it, 1 in the photo beside it, where alone it is valid."""
        photo, inverse = crop(*self.rendered[self.rng.integers(len(self.rendered))], shape, self.rng, 0.8)
        mask = cut_out(inverse, self.rng)
        if mask is None:
            return None
        back = self.photos[self.rng.integers(len(self.photos))]
        back, _ = crop(back, np.zeros(back.shape[:2], np.uint16), shape, self.rng)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
        photo = (photo * soft + back * (1 - soft)).astype(np.uint8)
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((25, 25), np.uint8)).astype(bool)
        return Sample(recolour(photo, self.rng), 1 + mask.astype(np.float32), ring, PASTED)

    def batch(self, count: int, shapes: tuple = SHAPES) -> list[Sample]:
        """`count` samples of one random shape."""
        shape = shapes[self.rng.integers(len(shapes))]
        return [self.draw(shape) for _ in range(count)]
