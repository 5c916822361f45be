"""Cuts what the edge and depth networks are given, and the truth, out of cast views; can be run again for new views.

    python training/inpaint_structure/collect_crops.py --cast CACHE/cast --out CACHE/crops

Each view is torn, flooded and cut by the pipeline's own code, as it is and in variants that are shifted, bent and blurred as
estimated depth is. The truth of a crop are the depth edges among the true hidden surfaces, and their depth.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from pathlib import Path

FOLDER = Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2]))
sys.path[:0] = [str(FOLDER / "training" / "hidden_depth")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from prepare import variant  # noqa: E402
from views import CLEARANCE, View, read_view, torn, truth  # noqa: E402  imports the package first

from photo_diorama.core.hidden_depth.continue_edges import disparity_unit, junctions, make_crop, regions_behind, see_edges  # noqa: E402
from photo_diorama.core.layers.layered_depth_image import LayeredDepthImage  # noqa: E402
from photo_diorama.core.layers.link_layers import absorb_islands  # noqa: E402
from photo_diorama.core.layers.regions import Disocclusion, disocclude  # noqa: E402
from photo_diorama.core.settings import LayerSettings  # noqa: E402

EDGE, CONTEXT, SYNTHESIS, TARGET, OTHER, KNOWN = 1, 2, 4, 8, 16, 32
"""Bits of a stored crop's `flags`: the edges it is told of, its regions, true edges that go on with those, all other true
edges, and where the truth is known."""
MEETING = 3
"""A true edge that comes this near to the end of a seen one, in pixels, goes on with it."""
MIN_PIXELS = 40
"""Crops in which fewer synthesis pixels have a known truth are left out."""


def all_truth(view: View, image: LayeredDepthImage, found: Disocclusion) -> tuple[np.ndarray, np.ndarray]:
    """`views.truth`, known too where the layer covers a rim of what the photo shows: what is about as deep as the flood says."""
    value, known = truth(view, image, found)
    top, left, height, width = image.frame
    frame = np.s_[top : top + height, left : left + width]
    front, first = image.layers[0].disparity[frame], view.surfaces[0]
    seen = (first < front - CLEARANCE * image.threshold) & (np.abs(first - found.disparity[frame]) < np.abs(first - front))
    known[frame] |= seen & found.hidden[frame]
    return value, known


def near_sides(value: np.ndarray, known: np.ndarray, threshold: float) -> np.ndarray:
    """(h, w) bool: pixels of the nearer side of a tear between two pixels of known disparity."""
    edge = np.zeros(known.shape, bool)
    for one, other in (((slice(None), slice(1, None)), (slice(None), slice(-1))), ((slice(1, None),), (slice(-1),))):
        step = np.where(known[one] & known[other], value[one] - value[other], 0)
        edge[one] |= step > threshold
        edge[other] |= step < -threshold
    return edge


def that_go_on(edge: np.ndarray, ends: list) -> np.ndarray:
    """(h, w) bool: connected parts of `edge` that come near to one of the ends."""
    close = np.zeros(edge.shape, np.uint8)
    for end in ends:
        close[end.pixel] = 1
    close = cv2.dilate(close, np.ones((2 * MEETING + 1,) * 2, np.uint8)) > 0
    _, parts = cv2.connectedComponents(edge.astype(np.uint8), connectivity=8)
    return edge & np.isin(parts, np.unique(parts[close & edge]))


def crops(view: View, first: np.ndarray) -> list[dict[str, np.ndarray]]:
    """What is stored of each region of a view with this first surface: `depth` (h, w) float32 of the context in the networks'
    unit, `true` (h, w) the same of the hidden surface, `flags` (h, w) uint8, `ends` (n, 6) of the edges that touch."""
    layers = LayerSettings()
    image = torn(view, layers, first)
    found = disocclude(image, layers.hidden_width)
    if found is None:
        return []
    found = absorb_islands(image, found)
    seen = see_edges(image, found)
    regions = regions_behind(image, found, seen, layers.context_width)
    value, known = all_truth(view, image, found)
    unit, result = disparity_unit(image), []
    at_ends = {id(met.region): met.ends for met in junctions(image, seen, regions, 1)}
    for region in regions:
        if not region.context.any() or (known[region.window] & region.synthesis).sum() < MIN_PIXELS:
            continue
        crop, ends = make_crop(region, image, unit, seen.of(region), 1), at_ends.get(id(region), [])
        known_there = known[region.window] & region.synthesis
        edge = near_sides(value[region.window], known_there, image.threshold)
        goes_on = that_go_on(edge, ends)
        bits = ((EDGE, crop.seen_edge), (CONTEXT, crop.context), (SYNTHESIS, crop.synthesis), (TARGET, goes_on),
                (OTHER, edge & ~goes_on), (KNOWN, known_there))  # fmt: skip
        flags = sum(np.where(mask, bit, 0) for bit, mask in bits).astype(np.uint8)
        rows = [(*end.pixel, *end.away, end.near, end.far) for end in ends]
        result.append({
            "depth": np.where(crop.context, crop.depth, 0).astype(np.float32),
            "true": np.where(known_there, unit.depth(value[region.window]), 0).astype(np.float32),
            "flags": flags, "ends": np.array(rows, np.float32).reshape(-1, 6),
        })  # fmt: skip
    return result


def store(target: Path, made: list[dict[str, np.ndarray]]) -> None:
    """Writes the crops of a view."""
    part = target.with_name(f".{target.name}")
    np.savez_compressed(part, **{f"{name}_{k}": array for k, crop in enumerate(made) for name, array in crop.items()})
    os.replace(part, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cast", type=Path, nargs="+", required=True, help="made by training/hidden_depth/cast_scenes.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=3, help="1 takes the views as they are only")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for number in range(options.variants):
        for path in sorted(file for folder in options.cast for file in folder.glob("*.npz")):
            target = options.out / f"{path.stem}_{number}.npz"
            if target.exists():
                continue
            view, rng = read_view(path), np.random.default_rng([zlib.crc32(path.stem.encode()), number])
            view, first = variant(view, rng) if number else (view, view.surfaces[0])
            store(target, crops(view, first))


if __name__ == "__main__":
    main()
