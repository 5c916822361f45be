"""Collects the shapes of hidden regions and of their contexts, as the pipeline's own code finds them.

    python training/inpaint/collect_regions.py --photos DIR [DIR ...] --cast CACHE/cast --out CACHE/shapes

Shih et al. 2020, section 3.4: the shapes come from one picture and are pasted on others, where what they hide is known. Half
of what they come from is photos, whose depth is the built-in network's; half is made scenes with exact depth
(`training/hidden_depth/cast_scenes.py`), whose silhouettes are whole. One file for each at each size; what is there stays.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2]))
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "training" / "hidden_depth")]

import conftest  # noqa: E402, F401
import cv2  # noqa: E402
import numpy as np  # noqa: E402

from photo_diorama.core.depth.depth_map import depth_on_photo  # noqa: E402
from photo_diorama.core.depth.find_depth import find_depth  # noqa: E402
from photo_diorama.core.depth.sharpen_depth import sharpen  # noqa: E402
from photo_diorama.core.inpaint.inpaint import MIN_HIDDEN, add_hidden_layer  # noqa: E402
from photo_diorama.core.layers.first_layer import make_first_layer  # noqa: E402
from photo_diorama.core.layers.layered_depth_image import LayeredDepthImage  # noqa: E402
from photo_diorama.core.layers.regions import disocclude, find_regions  # noqa: E402
from photo_diorama.core.photo.photo import load_photo  # noqa: E402
from photo_diorama.core.settings import LayerSettings, Settings  # noqa: E402

LONG_SIDES = (480, 720, 960)
"""Of photos; cast views are taken as they are and at twice their size."""
MIN_PIXELS = 60
"""Regions of fewer pixels to invent are left out: next to nothing can be learned from them."""
FARTHEST = 120


def shapes_of(image: LayeredDepthImage, layers: LayerSettings) -> dict[str, np.ndarray]:
    """`shape_N` (h, w) int8 for every region of a torn image.

    A context pixel holds its steps from the region (1, 2 ...), a pixel to be invented its steps from the silhouette less
    one, negative (-1, -2 ...), and 0 is outside both.
    """
    shapes: dict[str, np.ndarray] = {}
    for _ in range(layers.passes):
        hidden = disocclude(image, layers.hidden_width)
        if hidden is None or hidden.hidden.sum() < MIN_HIDDEN:
            break
        image, hidden = add_hidden_layer(image, hidden)
        for region in find_regions(image, layers.context_width, hidden):
            if region.synthesis.sum() >= MIN_PIXELS and region.context.any():
                shape = np.where(region.context, np.clip(region.distance, 1, FARTHEST), 0)
                behind = -1 - np.clip(hidden.distance[region.window], 0, FARTHEST)
                shapes[f"shape_{len(shapes)}"] = np.where(region.synthesis, behind, shape).astype(np.int8)
    return shapes


def of_photo(path: Path, settings: Settings) -> dict[str, np.ndarray] | None:
    """Shapes of a photo at the settings' long side; None for a photo that is smaller."""
    layers = settings.layers
    photo = load_photo(path, settings.photo)
    if max(photo.colour.shape) < layers.long_side:
        return None
    found = find_depth(photo, None, settings.depth, None)
    depth = depth_on_photo(found.values, photo, settings.depth, layers.long_side, str(path))
    colour = photo.working_colour(*depth.disparity.shape)
    return shapes_of(make_first_layer(photo, sharpen(depth, colour, layers), layers), layers)


def of_cast(path: Path, times: int, layers: LayerSettings) -> dict[str, np.ndarray]:
    """Shapes of a cast view, enlarged so many times with silhouettes that stay sharp and lose their stairs."""
    from views import read_view, torn

    view = read_view(path)
    disparity = view.surfaces[0]
    if times > 1:
        size = (disparity.shape[1] * times, disparity.shape[0] * times)
        disparity = cv2.medianBlur(cv2.resize(disparity, size, interpolation=cv2.INTER_NEAREST), 5)
        view = replace(view, surfaces=disparity[None])
    return shapes_of(torn(view, layers, disparity), layers)


def keep(target: Path, make: Callable[[], dict[str, np.ndarray] | None]) -> None:
    """Writes what `make` returns, if anything, beside and renamed, unless the file is there."""
    started = time.time()
    if target.exists() or (shapes := make()) is None:
        return
    part = target.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez_compressed(file, **shapes)
    os.replace(part, target)
    print(f"{target.stem}: {len(shapes)} regions, {time.time() - started:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=())
    parser.add_argument("--cast", type=Path, help="folder made by training/hidden_depth/cast_scenes.py")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    base = Settings()
    base = replace(base, depth=replace(base.depth, estimator="built-in", device="cpu"))
    for path in sorted(p for folder in given.photos for p in folder.iterdir() if p.suffix in (".jpg", ".png")):
        for side in LONG_SIDES:
            settings = replace(base, layers=replace(base.layers, long_side=side))
            keep(given.out / f"{path.stem}@{side}.npz", lambda path=path, settings=settings: of_photo(path, settings))
    for path in sorted(given.cast.glob("*.npz")) if given.cast else ():
        for times in (1, 2):
            with np.load(path) as stored:
                side = times * max(stored["surfaces"].shape)
            keep(given.out / f"cast_{path.stem}@{side}.npz", lambda path=path, times=times: of_cast(path, times, base.layers))


if __name__ == "__main__":
    main()
