"""Scores how depth edges go on behind a foreground against true hidden surfaces, and what that does to hidden depth.

    python benchmarks/hidden_edges.py --views CACHE/held_out [--weights FILE] [--likely 0.5]
    python benchmarks/hidden_edges.py --planes 60

The views are those of benchmarks/hidden_depth.py. Ways to continue an edge that ends at a silhouette: not at all (the flood's
nearest silhouettes decide), straight on, by our edge network, and as it truly goes on, which says what edges could give at most.
Edges: pixels at which the hidden surface is torn, within 45 px of such an end and where the truth is known; `precision` is the share
of them within 2 px of a true one, `recall` the share of true ones that go on with a seen edge and have one within 2 px. Depth: as
in benchmarks/hidden_depth.py, with the surfaces chosen by the network of hidden depth; `beside` is the same over the pixels
within 8 px of a true edge. Means over views.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "training" / "inpaint_structure")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from collect_crops import all_truth, near_sides, that_go_on  # noqa: E402  imports the package first
from hidden_depth import MIN_PIXELS, errors, fill  # noqa: E402
from planes import made_planes  # noqa: E402
from views import View, read_view, torn, truth  # noqa: E402

from photo_diorama.core.built_in.onnx_network import load  # noqa: E402
from photo_diorama.core.hidden_depth import built_in_edge_network  # noqa: E402
from photo_diorama.core.hidden_depth import choose_surface as learned  # noqa: E402
from photo_diorama.core.hidden_depth.continue_edges import junctions, on_canvas, regions_behind, see_edges  # noqa: E402
from photo_diorama.core.hidden_depth.edge_paths import EdgePath, plan_paths  # noqa: E402
from photo_diorama.core.hidden_depth.propagate_edges import propagate_across_edges  # noqa: E402
from photo_diorama.core.layers.link_layers import absorb_islands  # noqa: E402
from photo_diorama.core.layers.regions import disocclude  # noqa: E402
from photo_diorama.core.settings import HIDDEN_DEPTH, HIDDEN_EDGES, LayerSettings  # noqa: E402

REACH, NEAR, BESIDE, TAIL = 45, 2, 8, 10


def grown(mask: np.ndarray, radius: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0


def straight(crop, ends: list) -> np.ndarray:
    """(h, w) bool: lines from the ends, in the direction of the edges' last pixels."""
    rows, columns = np.nonzero(crop.edge & crop.context)
    line = np.zeros(crop.edge.shape, np.uint8)
    for end in ends:
        r, c = rows - end.pixel[0], columns - end.pixel[1]
        tail = np.maximum(np.abs(r), np.abs(c)) <= TAIL
        way = -np.array([r[tail].mean(), c[tail].mean()])
        if np.hypot(*way) < 1:
            continue
        stop = np.array(end.pixel) + way / np.hypot(*way) * 2 * REACH
        cv2.line(line, end.pixel[::-1], tuple(int(round(v)) for v in stop[::-1]), 1)
    inside = line.astype(bool) & crop.synthesis
    _, parts = cv2.connectedComponents((inside | _pixels([end.pixel for end in ends], inside.shape)).astype(np.uint8), connectivity=8)
    return inside & np.isin(parts, [parts[end.pixel] for end in ends])


def _pixels(pixels: list[tuple[int, int]], shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


def planned(met: list, predicted: list[np.ndarray], likely: list[np.ndarray | None]) -> list[EdgePath]:
    """Paths on the canvas through the edges predicted at each junction."""
    paths = []
    for (region, ends, crop), mask, chance in zip(met, predicted, likely, strict=True):
        plan = plan_paths(mask, crop.synthesis, ends, chance)
        paths += [moved for path in plan if (moved := on_canvas(path, region, ends, 1)) is not None]
    return paths


def edge_figures(made: np.ndarray, true: np.ndarray, asked: np.ndarray) -> list[float]:
    """Counts: of made ones near a true one, made ones, asked ones near a made one, asked ones."""
    return [(made & grown(true, NEAR)).sum(), made.sum(), (asked & grown(made, NEAR)).sum(), asked.sum()]


def drawn(disparity: np.ndarray, where: np.ndarray | None, image, lines: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8, blue first: nearer is brighter, dark blue where nothing is, lines green."""
    grey = 255 * np.clip(disparity / np.percentile(image.layers[0].disparity, 99.5), 0, 1) ** 0.6
    tile = cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR)
    if where is not None:
        tile[~where] = (70, 30, 20)
    tile[lines] = (60, 220, 60)
    return np.pad(tile, ((0, 0), (0, 4), (0, 0)))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=Path, nargs="*", default=[], help="made by training/hidden_depth/cast_scenes.py")
    parser.add_argument("--planes", type=int, default=0, help="so many views of training/inpaint_structure/planes.py too")
    parser.add_argument("--weights", type=Path, default=HIDDEN_EDGES)
    parser.add_argument("--likely", type=float, nargs="+", default=[built_in_edge_network.OWN_EDGE_THRESHOLD])
    parser.add_argument("--only", help="text file of views' names, one a line")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--ways", nargs="+", default=["none", "straight", "network", "truth"])
    parser.add_argument("--sheet", type=Path, help="a picture of what is seen, hidden depth by each way, and the truth")
    return parser.parse_args()


def views_asked_for(given: argparse.Namespace) -> list[Callable[[], View]]:
    """What makes each view, since all together are large."""
    files = sorted(file for folder in given.views for file in folder.glob("*.npz"))
    files = [file for file in files if not given.only or file.stem in Path(given.only).read_text().split()]
    views = [partial(read_view, path) for path in files[:: given.every]]
    views += [partial(made_planes, np.random.default_rng([9001, number]), f"planes {number}") for number in range(given.planes)]
    return views


def main() -> None:
    given = read_arguments()
    layers, choice = LayerSettings(), learned.load_network(HIDDEN_DEPTH)
    network = load(given.weights) if given.weights.is_file() else None
    edges: dict[str, np.ndarray] = {}
    rows: dict[str, list] = {}
    sheet: list[np.ndarray] = []
    for view in (make() for make in views_asked_for(given)):
        image = torn(view, layers)
        found = disocclude(image, layers.hidden_width)
        true, known = truth(view, image, found) if found else (None, np.zeros(0))
        if known.sum() < MIN_PIXELS:
            continue
        value, has_truth = all_truth(view, image, found)
        found = absorb_islands(image, found)
        seen = see_edges(image, found)
        met = [
            (each.region, each.ends, each.crop)
            for each in junctions(image, seen, regions_behind(image, found, seen, layers.context_width), 1)
        ]
        asked, close = np.zeros(found.hidden.shape, bool), np.zeros(found.hidden.shape, bool)
        trues = []
        for region, ends, _ in met:
            within = (
                grown(_pixels([end.pixel for end in ends], region.synthesis.shape), REACH) & region.synthesis & has_truth[region.window]
            )
            close[region.window] |= within
            torn_there = near_sides(value[region.window], has_truth[region.window] & region.synthesis, image.threshold)
            trues.append(that_go_on(torn_there, ends))
            asked[region.window] |= trues[-1] & within
        true_edges = near_sides(value, has_truth & found.hidden, image.threshold)
        ways = {"none": [], "straight": [straight(crop, ends) for _, ends, crop in met]}
        if network is not None:
            answers = built_in_edge_network.answers(network, [crop for *_, crop in met])
            ways |= {f"network {likely}": [answer > likely for answer in answers] for likely in given.likely}
        ways["truth"] = trues
        ways = {name: predicted for name, predicted in ways.items() if name.split()[0] in given.ways}
        tiles = [drawn(image.layers[0].disparity, None, image, seen.labels[0] > 0)]
        for name, predicted in ways.items():
            paths = planned(met, predicted, answers if name.startswith("network") else [None] * len(met)) if name != "none" else []
            after = propagate_across_edges(image, found, seen.behind, paths, built_in_edge_network.OWNING)[0] if paths else found
            tiles.append(
                drawn(after.disparity, found.hidden, image, _pixels([pixel for path in paths for pixel in path.near], image.shape))
            )
            made = near_sides(after.disparity, has_truth & found.hidden, image.threshold) & close
            edges[name] = edges.get(name, 0) + np.array(edge_figures(made, true_edges, asked), float)
            if paths or name == "none":
                filled = fill(image, learned.choose_surfaces(image, after, choice))
                beside = known & grown(asked, BESIDE)
                figures = errors(filled[known], true[known], image.span)
                near = errors(filled[beside], true[beside], image.span) if beside.sum() > 50 else [np.nan] * 4
                rows.setdefault(name, []).append([*figures, *near, len(paths)])
            else:
                rows.setdefault(name, []).append(rows["none"][-1])
        sheet.append(np.hstack([*tiles, drawn(value, found.hidden & has_truth, image, true_edges)]))
    if given.sheet:
        width = max(row.shape[1] for row in sheet)
        cv2.imwrite(str(given.sheet), np.vstack([np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in sheet]))
    print_table(rows, edges)


def print_table(rows: dict[str, list], edges: dict[str, np.ndarray]) -> None:
    """Errors of each way, beside those without continued edges."""
    print(f"{len(rows['none'])} views, {np.isfinite([row[4] for row in rows['none']]).sum()} with a true edge that goes on\n")
    print(
        "| way | paths | precision | recall | relative | log | parallax | off by > 20 % | log beside | parallax beside | better | worse |"
    )
    print("|---|" + "---|" * 11)
    none = np.array(rows["none"])
    for name, figures in rows.items():
        table, (right, made, hit, asked) = np.array(figures), edges[name]
        mean = np.nanmean(table, axis=0)
        gain = none[:, 1] - table[:, 1]
        print(f"| {name} | {table[:, 8].sum():.0f} | {right / max(made, 1):.3f} | {hit / max(asked, 1):.3f} |",
              *(f"{v:.4f} |" for v in (*mean[:4], mean[5], mean[6])), f"{(gain > 0.002).sum()} | {(gain < -0.002).sum()} |")  # fmt: skip


if __name__ == "__main__":
    main()
