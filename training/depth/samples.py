"""Training samples: rendered pictures, cut-outs on photos, photos with a weak teacher; cropped and recoloured."""

import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

RENDERED, PASTED, TAUGHT, REAL = range(4)
TAUGHT_SHARE = 0.12
HELD_BACK = 20
"""One scene in so many is left out of training."""
TWICE = ("room", "table_top", "still_life", "clutter", "kitchen", "lived_in", "shelf", "street", "front", "plain_wall")
"""Kinds of renders that are drawn twice an epoch: indoors a network of ours is worst, and streets are few."""


def shapes(long_side: int) -> tuple[tuple[int, int], ...]:
    """Heights and widths of samples: 4:3 twice as often, upright, square, wide and very wide, in multiples of 32 of about equal area."""
    unit = lambda share: max(2, round(long_side * share / 32)) * 32
    return (
        (unit(0.75), unit(1)),
        (unit(0.75), unit(1)),
        (unit(1), unit(0.75)),
        (unit(0.875), unit(0.875)),
        (unit(0.625), unit(1.125)),
        (unit(0.45), unit(1.45)),
    )


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


def crop(
    photo: np.ndarray, inverse: np.ndarray, shape: tuple[int, int], rng: np.random.Generator, smallest: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
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


def vignette(height: int, width: int, loss: float) -> np.ndarray:
    """(H, W) float32: what a lens lets through, 1 in the middle and less by `loss` in the corners."""
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    return 1 - np.float32(loss) * (x * x + y * y) / 2


def recolour(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, gamma, contrast, white balance, vignette, saturation, grey, blur, noise, JPEG: what cameras do."""
    image = photo.astype(np.float32) / 255
    image = np.clip(image * np.exp(rng.normal(scale=0.2)), 0, 1) ** np.exp(rng.normal(scale=0.25))
    image = (image - image.mean()) * np.exp(rng.normal(scale=0.2)) + image.mean() + rng.normal(scale=0.03)
    image *= np.exp(rng.normal(scale=0.1, size=3))
    if rng.random() < 0.2:
        image *= vignette(*image.shape[:2], rng.uniform(0.1, 0.7))[..., None]
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


def read_cut_out(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """RGBA (H, W, 4) uint8 and inverse depth (H, W) uint16 of a hero before nothing, cropped to it with a small margin."""
    rgba = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    code = cv2.imread(str(path.with_name(f"{path.stem}_depth.png")), cv2.IMREAD_UNCHANGED)
    rows, columns = np.flatnonzero(rgba[..., 3].max(1)), np.flatnonzero(rgba[..., 3].max(0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return rgba[window], code[window]


def place(rgba: np.ndarray, code: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The cut-out somewhere in an empty picture of the shape, 30 to 110 % of its height: (h, w, 4) uint8 and (h, w) float32 0..1."""
    height, width = shape
    tall = height * rng.uniform(0.3, 1.1)
    factor = min(tall / code.shape[0], 1.3 * width / code.shape[1])
    rgba = cv2.resize(rgba, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    code = cv2.resize(code, rgba.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        rgba, code = rgba[:, ::-1], code[:, ::-1]
    y = int(rng.uniform(-0.15, 1) * max(height - rgba.shape[0], 1)) if rng.random() < 0.5 else height - rgba.shape[0]
    x = int(rng.uniform(-0.3, 1.3) * (width - rgba.shape[1]))
    whole, depth = np.zeros((height, width, 4), np.uint8), np.zeros((height, width), np.float32)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + rgba.shape[0], height), min(x + rgba.shape[1], width)
    if bottom > top and right > left:
        part = slice(top - y, bottom - y), slice(left - x, right - x)
        whole[top:bottom, left:right] = rgba[part]
        depth[top:bottom, left:right] = code[part] / np.float32(65535)
    return whole, depth


class Source:
    """Everything that samples are drawn from; pictures are decoded when they are drawn, new ones picked up by `refresh`."""

    def __init__(
        self,
        rendered: Path,
        photos: list[np.ndarray],
        taught: list[np.ndarray] | None,
        real: list[tuple[np.ndarray, np.ndarray]],
        rng: np.random.Generator,
        held_back: int = HELD_BACK,
    ):
        self.folder, self.photos, self.taught, self.real, self.rng = rendered, photos, taught, real, rng
        self.held_back = held_back
        self.rendered: list[Path] = []
        self.validation: list[Path] = []
        self.cut_outs: list[Path] = []
        self.queue: list[int] = []
        self.refresh()

    def refresh(self) -> None:
        """Find the pictures that have been rendered since; whole processes' seeds are held back, one in `held_back`."""
        pictures = sorted(path for path in self.folder.glob("*.jpg") if path.with_suffix(".png").exists())
        self.rendered = [path for path in pictures if not is_held_back(path, self.held_back)]
        self.validation = [path for path in pictures if is_held_back(path, self.held_back)]
        self.cut_outs = sorted(
            path
            for path in (self.folder.parent / "cut_outs").glob("*.png")
            if not path.stem.endswith("_depth") and not path.name.startswith(".")
        )

    def _next(self) -> tuple[np.ndarray, np.ndarray]:
        if not self.queue:
            self.refresh()
            twice = [k for k, path in enumerate(self.rendered) if path.name.startswith(TWICE)]
            self.queue = list(self.rng.permutation([*range(len(self.rendered)), *twice]))
        return read_rendered(self.rendered[self.queue.pop()])

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
        elif self.taught and choice > 0.92 - TAUGHT_SHARE:
            k = rng.integers(len(self.taught))
            photo, inverse = crop(self.photos[k], self.taught[k], shape, rng)
            return Sample(recolour(photo, rng), inverse, inverse > 0, TAUGHT)
        photo, code = crop(*self._next(), shape, rng, 0.6)
        inverse = code / np.float32(65535)
        if self.cut_outs and rng.random() < 0.12:
            photo, inverse = self._joined(photo, inverse)
        if rng.random() < 0.25:
            photo = defocus(photo, inverse, rng)
        return Sample(recolour(photo, rng), inverse, np.ones_like(inverse, bool), RENDERED)

    def _cut_out(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        return place(*read_cut_out(self.cut_outs[self.rng.integers(len(self.cut_outs))]), shape, self.rng)

    def _joined(self, photo: np.ndarray, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A cut-out with its own depth before a render, nearer than all that it hides."""
        rgba, depth = self._cut_out(inverse.shape)
        mask = (rgba[..., 3] > 127) & (depth > 0)
        if mask.sum() < 200:
            return photo, inverse
        depth *= max(float(inverse[mask].max()), 0.02) * self.rng.uniform(1.05, 2.5) / float(np.quantile(depth[mask], 0.02))
        alpha = rgba[..., 3:].astype(np.float32) / 255
        return (photo * (1 - alpha) + rgba[..., :3] * alpha).astype(np.uint8), np.where(mask, depth, inverse)

    def _pasted(self, shape: tuple[int, int]) -> Sample | None:
        """Something cut out before a photo: 2 in it, 1 in the photo beside it, where alone it is valid."""
        if self.cut_outs and self.rng.random() < 0.7:
            rgba, depth = self._cut_out(shape)
            mask, soft, photo = rgba[..., 3] > 127, rgba[..., 3:].astype(np.float32) / 255, rgba[..., :3]
            if mask.sum() < 200:
                return None
        else:
            photo, inverse = crop(*read_rendered(self.rendered[self.rng.integers(len(self.rendered))]), shape, self.rng, 0.8)
            mask = cut_out(inverse, self.rng)
            if mask is None:
                return None
            soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
        back = self.photos[self.rng.integers(len(self.photos))]
        back, _ = crop(back, np.zeros(back.shape[:2], np.uint16), shape, self.rng)
        photo = (photo * soft + back * (1 - soft)).astype(np.uint8)
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((25, 25), np.uint8)).astype(bool)
        return Sample(recolour(photo, self.rng), 1 + mask.astype(np.float32), ring, PASTED)

    def batch(self, count: int, long_side: int) -> list[Sample]:
        """`count` samples of one random shape."""
        choices = shapes(long_side)
        shape = choices[self.rng.integers(len(choices))]
        return [self.draw(shape) for _ in range(count)]


def is_held_back(path: Path, one_in: int) -> bool:
    """Whether a render is kept for validation: by its scene (NAME_SEED_SCENE-VIEW.jpg), so that no scene is in both."""
    scene, dash, _ = path.stem.rpartition("-")
    group = scene if dash else path.stem[:-1]
    return one_in > 0 and zlib.crc32(group.encode()) % one_in == 0
