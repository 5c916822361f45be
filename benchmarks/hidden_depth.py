"""Scores invented depth against true hidden surfaces, on views cast from made scenes through the pipeline's own regions.

    python training/hidden_depth/cast_scenes.py --furniture DIR_OF_SH3F --out CACHE/held_out --seed 9001 --count 40
    python training/hidden_depth/cast_scenes.py --furniture DIR_OF_SH3F --out CACHE/held_out --seed 9002 --count 40
    python benchmarks/hidden_depth.py --views CACHE/held_out [--weights FILE] [--shifted] [--bounds]

For each view: depth is torn, what the first layer hides is flooded, linked and filled, and compared where the truth is
known. `relative`: |z - true z| / true z; `log`: |ln z - ln true z|; `parallax`: difference of disparity over the view's
range, which is how far a pixel lands beside its place when the camera moves. Means over views, medians over views, and
the share of pixels more than 20 % off. All but the flood's guess go through the membrane. `--shifted` takes off the smallest disparity
first, as depth networks lose it. `--bounds` adds what a perfect choice would reach: the best candidate of each pixel, and the
truth itself, both as what is expected while links stay the flood's.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "training" / "hidden_depth")]

import numpy as np  # noqa: E402
from views import View, read_view, torn, truth  # noqa: E402  imports the package first

from photo_diorama.core.depth.depth_map import FARTHEST_OF_RELATIVE  # noqa: E402
from photo_diorama.core.hidden_depth import choose_surface as learned  # noqa: E402
from photo_diorama.core.hidden_depth.fill_depth import fill_depth  # noqa: E402
from photo_diorama.core.layers.layered_depth_image import LayeredDepthImage  # noqa: E402
from photo_diorama.core.layers.link_layers import absorb_islands, link_hidden  # noqa: E402
from photo_diorama.core.layers.regions import Disocclusion, disocclude  # noqa: E402
from photo_diorama.core.settings import HIDDEN_DEPTH, LayerSettings  # noqa: E402

MIN_PIXELS = 200
"""Views with fewer pixels of known hidden depth are left out."""
Guess = Callable[[LayeredDepthImage, Disocclusion], Disocclusion]


def flood(image: LayeredDepthImage, found: Disocclusion) -> Disocclusion:
    """The disparity across the nearest silhouette, as the flood found it."""
    return found


def row_where_both_agree(image: LayeredDepthImage, found: Disocclusion) -> Disocclusion:
    """The line between the surfaces to the right and left where these are about as deep, else the flood's."""
    seen = learned.find_candidates(image, found)
    right, left, between = seen.candidates[1], seen.candidates[5], seen.candidates[17]
    agree = (between > 0) & (np.abs(right - left) < 6 * image.threshold)
    return learned.set_hidden_disparity(image, found, seen, np.where(agree, between, 0), np.inf)


def expecting(image: LayeredDepthImage, found: Disocclusion, true: np.ndarray, only: bool) -> Disocclusion:
    """`found` expecting the truth (h, w), 0 where unknown, or only the candidate that comes nearest to it."""
    seen = learned.find_candidates(image, found)
    best = true[np.ix_(seen.rows, seen.columns)].ravel()[seen.where]
    if only:
        off = np.abs(np.log(np.maximum(seen.candidates, 1e-9) / np.maximum(best, 1e-9)))
        best = np.where(best > 0, np.take_along_axis(seen.candidates, off.argmin(axis=0)[None], axis=0)[0], 0)
    return learned.set_hidden_disparity(image, found, seen, best, np.inf)


def fill(image: LayeredDepthImage, found: Disocclusion) -> np.ndarray:
    """(h, w) disparity as the pipeline would fill it from a guess."""
    found = absorb_islands(image, found)
    return fill_depth(image, found, link_hidden(image, found)[1])


def errors(made: np.ndarray, true: np.ndarray, span: float) -> list[float]:
    log = np.abs(np.log(made / true))
    return [np.abs(true / made - 1).mean(), log.mean(), np.abs(made - true).mean() / span, (log > 0.2).mean()]


def shifted(view: View) -> View:
    """The view without its smallest disparity, as a network's relative inverse depth is put on the working grid."""
    surfaces = view.surfaces - view.surfaces[0].min()
    return replace(view, surfaces=np.maximum(surfaces, np.percentile(surfaces[0], 99.9) / FARTHEST_OF_RELATIVE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=Path, required=True, help="made by training/hidden_depth/cast_scenes.py")
    parser.add_argument("--weights", type=Path, default=HIDDEN_DEPTH, help="the network's, if not those that come along")
    parser.add_argument("--shifted", action="store_true")
    parser.add_argument("--bounds", action="store_true")
    parser.add_argument("--each", action="store_true", help="a line for each view too")
    given = parser.parse_args()
    layers = LayerSettings()
    methods: dict[str, Guess] = {"membrane": flood, "row where both sides agree": row_where_both_agree}
    if given.weights.is_file():
        network = learned.load_network(given.weights)
        methods["learned"] = lambda image, found: learned.choose_surfaces(image, found, network)
    rows: dict[str, list[list[float]]] = {}
    for path in sorted(given.views.glob("*.npz")):
        view = shifted(read_view(path)) if given.shifted else read_view(path)
        image = torn(view, layers)
        found = disocclude(image, layers.hidden_width)
        true, known = truth(view, image, found) if found else (None, np.zeros(0))
        if known.sum() < MIN_PIXELS:
            continue
        rows.setdefault("flood", []).append(errors(found.disparity[known], true[known], image.span))
        for name, guess in methods.items():
            made = fill(image, guess(image, found))
            rows.setdefault(name, []).append(errors(made[known], true[known], image.span))
        for name, only in (("best candidate", True), ("truth", False)) if given.bounds else ():
            made = fill(image, expecting(image, found, true, only))
            rows.setdefault(name, []).append(errors(made[known], true[known], image.span))
        if given.each:
            print(f"{view.name:24s}", *(f"{row[-1][0]:.3f}/{row[-1][1]:.3f}" for row in rows.values()), flush=True)
    print(f"{len(rows['flood'])} views\n")
    print("| fill | relative | log | parallax | off by > 20 % | median relative | median log | median parallax |")
    print("|---|---|---|---|---|---|---|---|")
    for name, figures in rows.items():
        mean, median = np.mean(figures, axis=0), np.median(figures, axis=0)
        print(f"| {name} |", *(f"{value:.4f} |" for value in (*mean, *median[:3])))


if __name__ == "__main__":
    main()
