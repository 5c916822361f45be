"""Makes training pairs ahead: shapes of hidden regions pasted on other pictures, where the truth is known.

    python training/inpaint/pairs.py --shapes CACHE/shapes --photos DIR [DIR ...] --out CACHE/pairs --count 12000

Behind a real foreground what is hidden mostly goes on as its context does, so a shape is pasted preferably where both look
alike. Another picture plays the foreground: some of its colour leaks into the context's rim, as lenses and misplaced
silhouettes let it, and it stands beside what is uncovered when that is scored, as in a picture from another place. Writes
train_*.npy and held_out_*.npy; every sixth photo, and every sixth picture's shapes, is held out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parent),
    str(Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2])) / "tests"),
]

import conftest  # noqa: E402, F401
import cv2  # noqa: E402
import numpy as np  # noqa: E402
from pictures import Pictures, is_held_out, read_pictures  # noqa: E402

from photo_diorama.core.built_in.colour import contrast  # noqa: E402
from photo_diorama.core.inpaint.deterministic import fill_parts, rim_difference  # noqa: E402
from photo_diorama.core.layers.regions import Region  # noqa: E402

SIDE, AROUND = 96, 32
"""Of a stored crop, and what the deterministic fill sees around it, in pixels."""
PLACES = 12
"""Pieces of pictures tried for a shape before another shape is drawn."""
CAST, CAST_SHARE = "cast_", 0.65
"""How files of cast views begin, and how much of the shapes drawn are theirs: photos' have estimated, ragged silhouettes."""
MIN_PIXELS = 60
RIM, DETAIL_SIGMA = 0.003, 0.006
"""Parts of the long side, as in the settings and in fill_colour."""
NOISY, NOISE = 0.5, (0.002, 0.015)
"""The share of pairs with a sensor's noise, and its amplitude (sRGB 0..1): photos that were shrunk have lost theirs, and what is
invented beside noise must have as much of it."""
STEADY, STRAY, STRAYING = 2400, 500, 0.25
"""What parts of the long side silhouettes are out of place: exact depth's, estimated depth's, and how often it is the latter."""
SOURCE, HOLE, SYNTHESIS = 1, 2, 4
"""Bits of a stored mask."""
DETAIL_UNIT = 254.0
"""Detail is stored as int8 in 1/254 of full scale, which clips it at half of full scale."""


@dataclass(frozen=True)
class Shape:
    """A region of one picture at one long side, as collect_regions.py left it."""

    owner: str  # stem of the photo, or the cast view
    long_side: int
    values: np.ndarray  # (h, w) int8


def read_shapes(folder: Path, held_out: bool) -> list[Shape]:
    """All that the held-out pictures have, or all others'."""
    files = sorted(folder.glob("*.npz"))
    names = sorted({file.stem.rsplit("@", 1)[0] for file in files})
    chosen = {name for number, name in enumerate(names) if is_held_out(number) == held_out}
    found = []
    for file in files:
        name, long_side = file.stem.rsplit("@", 1)
        if name in chosen:
            with np.load(file) as stored:
                shapes = [stored[key] for key in stored.files if key.startswith("shape_")]
            found += [Shape(name, int(long_side), shape) for shape in shapes if near_silhouette(shape).any()]
    return found


class Pairs:
    """Draws pairs; what is drawn depends on the given generator alone."""

    def __init__(self, shapes: list[Shape], pictures: Pictures):
        self.shapes, self.pictures = shapes, pictures
        area = np.array([near_silhouette(shape.values).sum() for shape in shapes], float)
        cast = np.array([shape.owner.startswith(CAST) for shape in shapes])
        chance = area.copy()  # every pixel that comes into view counts the same, whichever region it is of
        for which, share in ((cast, CAST_SHARE), (~cast, 1 - CAST_SHARE)):
            chance[which] *= share / max(chance[which].sum(), 1e-9)
        self.chance = chance / chance.sum()

    def draw_number(self, seed: int, held_out: bool, number: int) -> dict[str, np.ndarray]:
        """The pair of that number, whoever draws it."""
        return self.draw(np.random.default_rng([seed, held_out, number]))

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One stored pair: see `make_pair`."""
        side = SIDE + 2 * AROUND
        while True:
            owner = self.shapes[rng.choice(len(self.shapes), p=self.chance)]
            shape = cut(rng, owner.values, side)
            inner = shape[AROUND:-AROUND, AROUND:-AROUND]
            if (inner < 0).sum() < MIN_PIXELS or (inner > 0).sum() < 4 * MIN_PIXELS:
                continue
            for _ in range(PLACES):
                develop = sensor(rng)
                truth = develop(self.pictures.piece(rng, side, owner.owner))
                if rng.random() < worth(truth, shape):
                    front = develop(self.pictures.piece(rng, side))
                    return make_pair(truth, leak(rng, truth, front, shape, owner.long_side), front, shape, owner.long_side)


def sensor(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """What gives (h, w, 3) uint8 pictures of one pair their noise, somewhat less than a pixel wide and mostly of all colours alike."""
    if rng.random() > NOISY:
        return lambda picture: picture
    strength, width = 255 * np.exp(rng.uniform(*np.log(NOISE))), float(rng.uniform(0.3, 0.8))

    def noisy(picture: np.ndarray) -> np.ndarray:
        noise = 0.8 * rng.normal(size=(*picture.shape[:2], 1)) + 0.6 * rng.normal(size=picture.shape)
        noise = cv2.GaussianBlur(noise, (0, 0), width)
        return np.clip(np.rint(picture + noise * (strength / noise.std())), 0, 255).astype(np.uint8)

    return noisy


def worth(truth: np.ndarray, shape: np.ndarray) -> float:
    """The chance with which a placement is kept: most of most photos is flat, and nothing is to be learned there; and where the
    hidden part looks unlike its context, the photo's depth did not tell two surfaces apart."""
    hidden, seen = truth[(shape < 0) & (shape > -12)] / 255.0, truth[(shape > 0) & (shape < 12)] / 255.0
    if len(hidden) < MIN_PIXELS or len(seen) < MIN_PIXELS:
        return 0.0
    fine = np.abs(truth - cv2.GaussianBlur(truth, (0, 0), 2.0).astype(np.float32))[shape != 0].mean() / 255
    unlike = np.abs(hidden.mean(axis=0) - seen.mean(axis=0)).mean() / (0.5 * seen.std(axis=0).mean() + 0.02)
    return min(1.0, fine / 0.02) * float(np.exp(-(unlike**2)))


def near_silhouette(shape: np.ndarray) -> np.ndarray:
    """(h, w) bool: the pixels to invent that a small movement of the camera uncovers."""
    return (shape < 0) & (shape > -9)


def cut(rng: np.random.Generator, shape: np.ndarray, side: int) -> np.ndarray:
    """(side, side) of the shape about one of its pixels near the silhouette, mirrored and turned at random."""
    where = np.flatnonzero(near_silhouette(shape))
    row, column = np.divmod(where[rng.integers(len(where))], shape.shape[1])
    shake = rng.integers(-SIDE // 4, SIDE // 4 + 1, 2)
    padded = np.pad(shape, side)
    top, left = row + side - side // 2 + shake[0], column + side - side // 2 + shake[1]
    piece = np.rot90(padded[top : top + side, left : left + side], rng.integers(4))
    return np.ascontiguousarray(piece[:, ::-1] if rng.random() < 0.5 else piece)


def leak(rng: np.random.Generator, truth, foreground, shape: np.ndarray, long_side: int) -> np.ndarray:
    """(side, side, 3) uint8: the photo with a little of the foreground's colour beside the silhouette."""
    if rng.random() < 0.4:
        return truth
    shift = rng.normal(0, long_side / (STRAY if rng.random() < STRAYING else STEADY), 2)
    moved = cv2.warpAffine((shape < 0).astype(np.float32), np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), shape.shape[::-1])
    share = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.3, 0.7)))[..., None] * (shape > 0)[..., None]
    return np.rint(truth + share * (foreground.astype(np.float32) - truth)).astype(np.uint8)


def make_pair(truth: np.ndarray, known: np.ndarray, front: np.ndarray, shape: np.ndarray, long_side: int) -> dict[str, np.ndarray]:
    """What is stored of a pair, all (SIDE, SIDE): `truth`, `front` and `smooth` (.., 3) uint8, `detail`, `shown`
    and `pieces` (.., 3) int8, `mask` uint8 (SOURCE, HOLE, SYNTHESIS), `behind` uint8 (steps of invented
    pixels from the silhouette), `scale` (4,) float32: mean, spread.

    `known` is the picture as the context shows it, `truth` as it is, `front` what hides it.
    """
    synthesis, context = shape < 0, shape > 0
    colour = np.where(context[..., None], known.astype(np.float32) / 255, 0).astype(np.float32)
    region = Region((slice(0), slice(0)), synthesis, context, np.where(context, shape, 0).astype(np.int16), colour)
    parts = fill_parts(region, round(RIM * long_side), max(2.0, DETAIL_SIGMA * long_side), long_side)
    rim, shown = rim_difference(region, parts)
    mean, spread = contrast(colour[parts.source])
    inner = np.s_[AROUND : AROUND + SIDE, AROUND : AROUND + SIDE]
    return {
        "truth": truth[inner],
        "front": front[inner],
        "smooth": np.rint(255 * np.clip(parts.smooth[inner], 0, 1)).astype(np.uint8),
        "detail": as_bytes(parts.detail[inner]),
        "shown": as_bytes(shown[inner]),
        "pieces": as_bytes(parts.pieces[inner]) if parts.pieces is not None else np.zeros((SIDE, SIDE, 3), np.int8),
        "mask": (parts.source * SOURCE + (synthesis | rim) * HOLE + synthesis * SYNTHESIS)[inner].astype(np.uint8),
        "behind": np.where(synthesis, -1 - shape.astype(np.int16), 0)[inner].astype(np.uint8),
        "scale": np.float32([*mean, spread]),
    }


def as_bytes(detail: np.ndarray) -> np.ndarray:
    """What is added to a colour, as int8 in `DETAIL_UNIT`."""
    return np.clip(np.rint(DETAIL_UNIT * detail), -127, 127).astype(np.int8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=Path, required=True, help="made by collect_regions.py")
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--held-out-count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, held_out, count in (("held_out", True, given.held_out_count), ("train", False, given.count)):
        pairs = Pairs(read_shapes(given.shapes, held_out), read_pictures(given.photos, held_out, given.seed))
        draw = partial(pairs.draw_number, given.seed, held_out)
        with get_context("fork").Pool(given.workers) as pool:
            drawn = list(pool.imap(draw, range(count), 50))
        for key in drawn[0]:
            target = given.out / f"{name}_{key}.npy"
            part = target.with_suffix(".part")
            with open(part, "wb") as file:
                np.save(file, np.stack([pair[key] for pair in drawn]))
            os.replace(part, target)
        print(f"{name}: {count} pairs of {len(pairs.pictures.photos)} photos and {len(pairs.shapes)} shapes", flush=True)


if __name__ == "__main__":
    main()
