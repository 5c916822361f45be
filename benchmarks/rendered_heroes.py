# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)
"""Heroes rendered before a background with true depth, true mask and the true colours behind them; then silhouettes and ghosts.

    python benchmarks/rendered_heroes.py make --photos FOLDER ... --cache FOLDER [--count 8] [--seed 1]
    python benchmarks/rendered_heroes.py measure --cache FOLDER [--checkout FOLDER] [--true-depth] [--option=--flag=value ...]

`make` (needs bpy, OpenEXR in OpenCV and Debian's sweethome3d-furniture) puts a person, an animal, a vehicle, a plant or a piece
of furniture before the training scenes' gardens, streets and rooms and keeps, in FOLDER/NN/: photo.png, behind.png (the same
without the hero, but with its shadow), depth.npy and depth_behind.npy (1/m), mask.png. Nothing of it goes into the repository.

`measure` builds each with the defaults and prints a Markdown table: the figures of benchmarks/silhouettes.py, and of the
invented pixels that lie behind the hero up to 24 px from its silhouette (of a long side of 960), which a move uncovers:

- invented: how many there are for each pixel of the silhouette;
- PSNR: of their colours against the truth, dB;
- ghosts: the share whose colour is nearer to the hero's (its mean within 15 px) than to the true background's, of those where
  the two differ by more than 10 in Lab.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # before cv2 is imported: its EXR reader is off otherwise
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training" / "depth"))

import cv2
import numpy as np
from silhouettes import COLUMNS, torn_figures, torn_picture

HEROES = ("person", "animal", "vehicle", "plant", "furniture")
TALL = {"person": (1.5, 1.9), "animal": (0.5, 0.9), "vehicle": (1.2, 1.6), "plant": (0.7, 1.6), "furniture": (0.8, 1.6)}
WANTED = {"person": 8, "animal": 8, "vehicle": 8, "plant": 8, "furniture": 16, "small": 8, "tree": 1, "garden": 4}
SIZE, SAMPLES = (640, 480), 12
UNCOVERED, AROUND, APART = 24, 15, 10.0
FIGURES = ("invented", "PSNR", "ghosts")


def make(given: argparse.Namespace) -> None:
    """Renders `count` heroes; what is in the cache already stays."""
    import bpy
    from scene_kinds.catalogue import draw_models
    from scene_kinds.layouts import garden, room, street
    from render_scenes import expose, pictures_in, read_photos, set_up
    from scene_kinds.stage import Stage

    given.cache.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(given.seed)
    chosen = draw_models(rng, given.furniture, given.cache / "sh3f", WANTED)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        stage = Stage(rng, read_photos(pictures_in(given.photos)), chosen)
        set_up(stage.scene, work, given.threads)
        stage.scene.render.resolution_x, stage.scene.render.resolution_y = SIZE
        for number in range(given.count):
            place = given.cache / f"{number:02d}"
            kind = HEROES[number % len(HEROES)]
            for _ in range(12):
                if (place / "photo.png").is_file():
                    break
                stage.clear()
                (garden, street, room)[rng.integers(2 if kind == "vehicle" else 3)](stage)
                tall, turn, lens = rng.uniform(*TALL[kind]), rng.uniform(-math.pi, math.pi), rng.uniform(35, 50)
                hero, model = stage.model(kind, (0, 0, 0), 0.0 if kind == "person" else None, height=tall)
                size = tall * max(1.0, 0.6 * max(model.size[:2]) / model.size[2])
                away = size * rng.uniform(0.65, 0.8) / math.tan(math.radians(lens) / 2)
                eye = (away * math.sin(0.2 * turn), -away * math.cos(0.2 * turn), tall * rng.uniform(0.7, 1.0))
                stage.look(eye, (rng.normal(scale=0.1) * size, 0, tall * 0.5), lens)
                stage.scene.render.resolution_percentage, stage.scene.cycles.samples = 25, 1
                if not _good(*_both(hero, lambda: expose(stage, work))):
                    continue
                stage.scene.render.resolution_percentage, stage.scene.cycles.samples = 100, SAMPLES
                seen, behind = _both(hero, lambda: expose(stage, work))
                _keep(place, seen, behind)
                print(f"{place}: {kind}", flush=True)
        bpy.ops.wm.read_factory_settings(use_empty=True)


def _both(hero, shoot):
    """(light, inverse depth) with the hero, and with it seen by everything but the camera."""
    seen = shoot()
    hero.visible_camera = False
    behind = shoot()
    hero.visible_camera = True
    return seen, behind


def _mask(seen, behind) -> np.ndarray:
    return seen[1] > 1.02 * behind[1] + 1e-5


def _good(seen, behind) -> bool:
    """Whether the hero is large, nothing stands before most of it, and what is behind is well farther away."""
    mask = _mask(seen, behind)
    if not 0.06 < mask.mean() < 0.45 or np.percentile(behind[0].mean(-1), 60) < 1e-3:
        return False
    pieces = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    return pieces.max() > 0.9 * mask.sum() and np.median(seen[1][mask]) > 1.4 * np.median(behind[1][mask])


def _keep(place: Path, seen, behind) -> None:
    place.mkdir(parents=True, exist_ok=True)
    gain = 0.5 / max(float(np.percentile(seen[0].mean(-1), 75)), 1e-4)  # one exposure for both
    np.save(place / "depth.npy", seen[1])
    np.save(place / "depth_behind.npy", behind[1])
    cv2.imwrite(str(place / "mask.png"), _mask(seen, behind).astype(np.uint8) * 255)
    for name, (light, _) in (("behind", behind), ("photo", seen)):
        encoded = np.clip(light * gain / (1 + 0.3 * light * gain), 0, 1) ** (1 / 2.2)
        cv2.imwrite(str(place / f"{name}.png"), (encoded[..., ::-1] * 255 + 0.5).astype(np.uint8))


WORKER = """
import sys
checkout, photo, depth, out, *pairs = sys.argv[1:]
sys.path.insert(0, checkout + "/tests")
import conftest
import numpy as np
from photo_diorama.core.pipeline import build_diorama
from photo_diorama.core.settings import Settings, each_option
kinds = {f.name: type(f.default) for _, f in each_option()}
values = {n.lstrip("-").replace("-", "_"): v for n, v in (p.split("=") for p in pairs)}
settings = Settings().with_values({n: kinds[n](v) for n, v in values.items()})
image = build_diorama(photo, depth or None, settings).image
top, left, h, w = image.frame
cut = np.s_[top:top + h, left:left + w]
first = image.layers[0]
hidden = np.zeros((h, w), bool)
colour = np.zeros((h, w, 3), np.float32)
for layer in image.layers[1:]:
    new = (layer.present & layer.synthesised)[cut] & ~hidden
    colour[new] = layer.colour[cut][new]
    hidden |= new
right, down = (first.links[side][cut] != 0 for side in (0, 2))
np.savez(out, hidden=hidden, colour=colour, right=right, down=down)
"""
"""Runs in a checkout's own Python: the frontmost invented colour behind each pixel of the photo, and the photo's torn links."""


def ghosts(hidden: np.ndarray, colour: np.ndarray, photo: np.ndarray, behind: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Figures of what was invented behind the hero near its silhouette. Colours are (h, w, 3) float32 sRGB in 0..1."""
    scale = max(mask.shape) / 960
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    judged = hidden & mask & (inside <= UNCOVERED * scale)
    edge = mask & (inside <= 1.01)
    if not judged.any():
        return {"invented": 0.0, "PSNR": float("nan"), "ghosts": float("nan")}
    error = ((colour - behind)[judged] ** 2).mean()
    window = (2 * round(AROUND * scale) + 1,) * 2
    weight = cv2.boxFilter(mask.astype(np.float32), -1, window)
    lab = [cv2.cvtColor(c.astype(np.float32), cv2.COLOR_RGB2LAB) for c in (colour, behind, photo)]
    of_hero = cv2.boxFilter(lab[2] * mask[..., None], -1, window) / np.maximum(weight, 1e-6)[..., None]
    to_hero, to_truth = (np.linalg.norm(lab[0] - other, axis=2) for other in (of_hero, lab[1]))
    distinct = judged & (np.linalg.norm(of_hero - lab[1], axis=2) > APART)
    share = float((to_hero < to_truth)[distinct].mean()) if distinct.any() else float("nan")
    return {"invented": float(judged.sum() / edge.sum()), "PSNR": float(-10 * np.log10(error)), "ghosts": share}


def measure(given: argparse.Namespace) -> None:
    columns = (*COLUMNS, *FIGURES)
    print("| hero | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    rows = []
    for place in sorted(p.parent for p in given.cache.glob("*/photo.png")):
        with tempfile.TemporaryDirectory() as folder:
            depth, pairs = ("", []) if not given.true_depth else (str(place / "depth.npy"), ["depth_kind=disparity"])
            arguments = [str(given.checkout), str(place / "photo.png"), depth, f"{folder}/found.npz", *pairs, *given.option]
            subprocess.run([str(given.checkout / ".venv/bin/python"), "-c", WORKER, *arguments], check=True, stdout=subprocess.DEVNULL)
            found = dict(np.load(f"{folder}/found.npz"))
        mask = cv2.imread(str(place / "mask.png"), cv2.IMREAD_GRAYSCALE) > 0
        photo, behind = (cv2.imread(str(place / n))[..., ::-1].astype(np.float32) / 255 for n in ("photo.png", "behind.png"))
        large = (round(960 * mask.shape[0] / max(mask.shape)), round(960 * mask.shape[1] / max(mask.shape)))
        mask_large = cv2.resize(mask.astype(np.uint8), large[::-1], interpolation=cv2.INTER_NEAREST) > 0
        figures = torn_figures(torn_picture(found["right"], found["down"], large), mask_large, np.load(place / "depth.npy"))
        figures |= ghosts(found["hidden"], found["colour"], photo, behind, mask)
        rows.append([figures[c] for c in columns])
        print(f"| {place.name} | " + " | ".join(f"{v:.2f}" for v in rows[-1]) + " |", flush=True)
    print(f"| **mean** ({len(rows)}) | " + " | ".join(f"{v:.2f}" for v in np.nanmean(rows, axis=0)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "measure"))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--photos", type=Path, nargs="+", default=[], help="folders of free photos for textures")
    parser.add_argument("--furniture", type=Path, default=Path("/usr/share/sweethome3d/furniture"))
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--true-depth", action="store_true")
    parser.add_argument("--option", action="append", default=[])
    given = parser.parse_args()
    given.cache, given.checkout = given.cache.resolve(), given.checkout.resolve()
    make(given) if given.what == "make" else measure(given)


if __name__ == "__main__":
    main()
