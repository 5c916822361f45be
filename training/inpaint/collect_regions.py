"""Collects what the pairs are made of: photos on the working grid, where their surfaces tear, and the shapes of hidden regions.

    python training/inpaint/collect_regions.py --photos DIR [DIR ...] --out CACHE/sources

Shih et al. 2020, section 3.4: the shapes come from one photo and are pasted on others, where what they hide is known.
Depth is the built-in network's. Each photo is done at every long side of `LONG_SIDES` that it fills, one file each; a file
that is there is not made again.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2]))
sys.path[:0] = [str(ROOT / "tests")]

import conftest  # noqa: E402, F401
import numpy as np  # noqa: E402

from photo_diorama.core.depth import depth_on_photo  # noqa: E402
from photo_diorama.core.find_depth import find_depth  # noqa: E402
from photo_diorama.core.inpaint import FEWEST_HIDDEN, add_hidden_layer  # noqa: E402
from photo_diorama.core.layers import split_into_layers  # noqa: E402
from photo_diorama.core.photo import load_photo  # noqa: E402
from photo_diorama.core.regions import disocclude, find_regions  # noqa: E402
from photo_diorama.core.settings import Settings  # noqa: E402
from photo_diorama.core.sharpen_depth import sharpen  # noqa: E402

LONG_SIDES = (480, 720, 960)
FEWEST = 60
"""Regions of fewer pixels to invent are left out: next to nothing can be learned from them."""
FARTHEST = 120


def sources_of(path: Path, settings: Settings) -> dict[str, np.ndarray]:
    """`photo` (h, w, 3) uint8 and `torn` (h, w) bool on the working grid, and `shape_N` (h, w) int8 for every region.

    In a shape, a context pixel holds its steps from the region (1, 2 ...), a pixel to be invented its steps from the
    silhouette less one, negative (-1, -2 ...), and 0 is outside both.
    """
    layers = settings.layers
    photo = load_photo(path, settings.photo)
    found = find_depth(photo, None, settings.depth, None)
    depth = depth_on_photo(found.values, photo, settings.depth, layers.long_side, str(path))
    colour = photo.working_colour(*depth.disparity.shape)
    image = split_into_layers(photo, sharpen(depth, colour, layers.tear), layers)
    top, left, height, width = image.frame
    torn = (image.layers[0].links < 0).any(axis=0)[top : top + height, left : left + width]
    result = {"photo": np.rint(255 * colour).astype(np.uint8), "torn": torn}
    for _ in range(layers.passes):
        hidden = disocclude(image, layers.hidden_width)
        if hidden is None or hidden.hidden.sum() < FEWEST_HIDDEN:
            break
        image, distance = add_hidden_layer(image, hidden)
        for region in find_regions(image, layers.context_width, distance):
            if region.synthesis.sum() >= FEWEST and region.context.any():
                shape = np.where(region.context, np.clip(region.distance, 1, FARTHEST), 0)
                behind = -1 - np.clip(distance[region.window], 0, FARTHEST)
                result[f"shape_{len(result) - 2}"] = np.where(region.synthesis, behind, shape).astype(np.int8)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    base = Settings()
    base = replace(base, depth=replace(base.depth, estimator="built-in", device="cpu"))
    for path in sorted(p for folder in given.photos for p in folder.iterdir() if p.suffix in (".jpg", ".png")):
        for long_side in LONG_SIDES:
            target = given.out / f"{path.stem}@{long_side}.npz"
            started = time.time()
            if target.exists():
                continue
            found = sources_of(path, replace(base, layers=replace(base.layers, long_side=long_side)))
            if max(found["torn"].shape) != long_side:
                break  # a smaller photo keeps its own size
            part = target.with_suffix(".part")
            with open(part, "wb") as file:
                np.savez_compressed(file, **found)
            os.replace(part, target)
            print(f"{target.stem}: {len(found) - 2} regions, {time.time() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
