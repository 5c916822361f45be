"""Draws views of slanting planes cut by straight and bent outlines, one before the other: edges whose hidden part is plain.

    python training/inpaint_structure/planes.py --out CACHE/crops --seed 1 --count 400

Furniture mostly hides the ends of things. Here edges go on, so that the edge network sees enough of those.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import collect_crops
import cv2
import numpy as np
from views import View

from photo_diorama.core.depth.depth_map import FARTHEST_OF_RELATIVE

LONG, SHORT = 384, 288


def made_planes(rng: np.random.Generator, name: str) -> View:
    """A wall, one to three things before it that reach out of the picture on one side at least, and two to four things before all."""
    shape = (LONG, SHORT) if rng.random() < 0.3 else (SHORT, LONG)
    behind, before = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    depths = np.sort(rng.uniform(0.08, 1.0, behind + before + 1))
    planes = [_plane(rng, shape, depths[0])]
    for k in range(behind):
        planes.append(np.where(half_plane(rng, shape), _plane(rng, shape, depths[1 + k]), 0))
    for k in range(before):
        planes.append(np.where(thing(rng, shape), _plane(rng, shape, depths[1 + behind + k]), 0))
    stack = np.stack(planes).astype(np.float32)
    order = np.argsort(-stack, axis=0, kind="stable")
    surfaces = np.take_along_axis(stack, order, axis=0)[:3]
    known = surfaces > 0
    floor = np.percentile(surfaces[0], 99.9) / FARTHEST_OF_RELATIVE
    return View(name, np.maximum(surfaces, floor).astype(np.float32), known, order[0].astype(np.uint16))


def _plane(rng: np.random.Generator, shape: tuple[int, int], disparity: float) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape) - 0.5
    tilt = rng.normal(0, rng.choice([0.0, 0.15]), 2)
    return (disparity * np.clip(1 + tilt[0] * rows + tilt[1] * columns, 0.6, 1.5)).astype(np.float32)


def half_plane(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: one side of a line through the picture, straight or bent."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    turn = rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.normal(0, rng.choice([0.02, 0.5]))
    middle = np.array(shape) * rng.uniform(0.2, 0.8, 2)
    along = (rows - middle[0]) * np.cos(turn) + (columns - middle[1]) * np.sin(turn)
    across = -(rows - middle[0]) * np.sin(turn) + (columns - middle[1]) * np.cos(turn)
    bend = rng.choice([0, rng.normal(0, 0.002)])
    return across > bend * along**2


def thing(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: a post, a disc or a polygon."""
    mask, side = np.zeros(shape, np.uint8), max(shape)
    kind = rng.choice(["post", "disc", "polygon"], p=(0.45, 0.25, 0.3))
    at = np.array(shape[::-1]) * rng.uniform(0.1, 0.9, 2)
    if kind == "post":
        turn = rng.choice([0, 0.5]) * np.pi + rng.normal(0, 0.2)
        way = np.array([np.cos(turn), np.sin(turn)]) * side
        ends = [tuple(int(v) for v in at + sign * way * rng.choice([0.1, 0.3, 1.0])) for sign in (-1, 1)]
        cv2.line(mask, *ends, 1, int(np.exp(rng.uniform(np.log(3), np.log(60)))))
    elif kind == "disc":
        axes = tuple(int(v) for v in rng.uniform(0.03, 0.18, 2) * side)
        cv2.ellipse(mask, tuple(int(v) for v in at), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
        radii = rng.uniform(0.05, 0.2, len(turns)) * side
        corners = at + radii[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return mask > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=400)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for number in range(options.count):
        target = options.out / f"planes_{options.seed}_{4 * number:04d}_0.npz"  # each a scene of its own
        if target.exists():
            continue
        view = made_planes(np.random.default_rng([options.seed, number]), target.stem)
        collect_crops.store(target, collect_crops.crops(view, view.surfaces[0]))


if __name__ == "__main__":
    main()
