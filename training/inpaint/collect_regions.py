"""Collects the shapes of synthesis and context regions that the pipeline finds in photos, for training pairs.

    python training/inpaint/collect_regions.py --photos DIR [DIR ...] --out CACHE/regions.npz

Shih et al. 2020, section 3.4: the shapes come from one photo and are pasted on others, where what they hide is known.
Depth is the built-in network's. A photo that was done before is not done again.
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

FEWEST = 150
"""Regions of fewer pixels to invent are left out: next to nothing can be learned from them."""
SYNTHESIS = 255
"""In a stored picture; a context pixel holds its distance in steps plus 1 (at most 200), 0 is outside both."""


def regions_of(path: Path, settings: Settings) -> list[np.ndarray]:
    """(h, w) uint8 pictures of every region of every pass, as the pipeline would fill them."""
    layers = settings.layers
    photo = load_photo(path, settings.photo)
    found = find_depth(photo, None, settings.depth, None)
    depth = depth_on_photo(found.values, photo, settings.depth, layers.long_side, str(path))
    sharp = sharpen(depth, photo.working_colour(*depth.disparity.shape), layers.tear)
    image = split_into_layers(photo, sharp, layers)
    pictures = []
    for _ in range(layers.passes):
        hidden = disocclude(image, layers.hidden_width)
        if hidden is None or hidden.hidden.sum() < FEWEST_HIDDEN:
            break
        image, distance = add_hidden_layer(image, hidden)
        for region in find_regions(image, layers.context_width, distance):
            if region.synthesis.sum() >= FEWEST and region.context.any():
                picture = np.where(region.context, np.clip(region.distance + 1, 1, 200), 0).astype(np.uint8)
                picture[region.synthesis] = SYNTHESIS
                pictures.append(picture)
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    settings = replace(settings, depth=replace(settings.depth, estimator="built-in", device="cpu"))
    stored = dict(np.load(given.out)) if given.out.exists() else {}
    done = {name.rsplit("#", 1)[0] for name in stored}
    for path in sorted(p for folder in given.photos for p in folder.iterdir() if p.suffix in (".jpg", ".png")):
        if path.stem in done:
            continue
        started = time.time()
        pictures = regions_of(path, settings)
        stored.update({f"{path.stem}#{number}": picture for number, picture in enumerate(pictures)})
        temporary = given.out.with_suffix(".part.npz")
        np.savez_compressed(temporary, **stored)
        os.replace(temporary, given.out)
        print(f"{path.name}: {len(pictures)} regions, {time.time() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
