"""How often an unknown sky is put far away, and a hole at the top of a room is not.

    python benchmarks/sky.py [--rendered FOLDER] [--shared FOLDER]

Skies: what has no depth at the top of the scenes that `training/depth/render_scenes.py` wrote into `--rendered`, and of the stereo pairs of
a field. Holes: rectangles and half ellipses of 3 to 25 % cut at the top of scenes without sky, of the office that was scanned, of rooms and
tables as depth cameras measured them, each compared with what is known of the rest.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from photo_diorama.core.depth_file.sky import regions_at_the_top, sky_of_unknown

ROOT = Path(__file__).resolve().parents[1]
FIELDS, ROOMS = ("farm_field",), {"replica_office0": 8, "nyu_sun_tum_redwood_samples": 8, "rc_tabletop": 2}
"""Folders of pairs, and holes cut into each pair."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rendered", type=Path, help="folder of NAME.jpg with NAME.png, inverse depth of 16 bits, 0 for the sky")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    given = parser.parse_args()
    random, counted = np.random.default_rng(0), Counter()
    for name, holes in [*((name, 0) for name in FIELDS), *ROOMS.items()]:
        step = 8 if name == "rc_tabletop" else 1  # one table in all
        for photo in sorted((given.shared / "data" / "rgbd_pairs" / name).glob("*.jpg"))[::step]:
            stored = cv2.imread(str(photo.with_suffix(".png")), cv2.IMREAD_UNCHANGED).astype(np.float32)
            inverse = np.where(stored > 0, 1000 / np.maximum(stored, 1), 0) if name.startswith(("replica", "nyu")) else stored / 65535
            look(photo, inverse, holes, random, counted, "measured")
    for photo in sorted(given.rendered.glob("*.jpg")) if given.rendered else ():
        inverse = cv2.imread(str(photo.with_suffix(".png")), cv2.IMREAD_UNCHANGED).astype(np.float32) / 65535
        look(photo, inverse, 0 if (inverse == 0).any() else 4, random, counted, "rendered")
    for kind in ("measured", "rendered"):
        skies, holes = (counted[kind, what, True] + counted[kind, what, False] for what in ("sky", "hole"))
        print(f"{kind}: {counted[kind, 'sky', True]} of {skies} skies far, {counted[kind, 'hole', True]} of {holes} holes far")


def look(photo: Path, inverse: np.ndarray, holes: int, random: np.random.Generator, counted: Counter, kind: str) -> None:
    """Counts what is put far away of one pair: its own sky, or `holes` holes that are cut."""
    colour = np.ascontiguousarray(shrunk(cv2.imread(str(photo)), 512, cv2.INTER_AREA)[..., ::-1])
    inverse = shrunk(inverse, 256, cv2.INTER_NEAREST)
    known = inverse > 0
    gaps = [("hole", cut(known.shape, random)) for _ in range(holes)] or [("sky", ~known)]
    for what, gap in gaps:
        for region in regions_at_the_top(gap):
            distances = np.where(known & ~region, 1 / np.maximum(inverse, 1e-9), 0).astype(np.float32)
            counted[kind, what, bool(sky_of_unknown(distances, known & ~region, region, colour).any())] += 1


def shrunk(picture: np.ndarray, side: int, how: int) -> np.ndarray:
    """The picture with `side` px on its long side."""
    scale = side / max(picture.shape[:2])
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)


def cut(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """(h, w) bool: a hole at the top edge."""
    h, w = shape
    height = int(min(0.7 * h, random.uniform(0.15, 0.6) * h))
    width = int(min(w, random.uniform(0.03, 0.25) * h * w / height))
    left, hole = int(random.integers(0, w - width + 1)), np.zeros(shape, np.uint8)
    if random.random() < 0.5:
        hole[:height, left : left + width] = 1
    else:
        cv2.ellipse(hole, (left + width // 2, 0), (max(2, width // 2), height), 0, 0, 360, 1, -1)
    return hole > 0


if __name__ == "__main__":
    main()
