"""Measures far over near, flatness and silhouettes on held-back renders, the courtyard, one posed room, indoor and stereo pictures.

python training/depth/evaluate_shape.py --rendered CACHE/rendered --data ../shared/data --weights A.safetensors [B ...] [--side 384]

`--in-use` adds what the extension makes of a photo with the bundled networks: levels joined with silhouettes.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests")]

import conftest  # noqa: F401  (makes the checkout importable as photo_diorama)
from pairs import read_collection, read_room, read_stereo
from photo_diorama.core.built_in.depth import estimate_with_edges
from photo_diorama.core.networks.depth.embedded_depth_net import LONG_SIDE, EmbeddedDepthNet, infer, infer_shift, load_network
from samples import HELD_BACK, is_held_back
from shape_measures import far_over_near, flatness, ramp_width, silhouettes, zeroed

COLUMNS = ("far/near", "normals", "precision", "recall", "F1", "ramp")


@dataclass(frozen=True)
class Scene:
    """A picture with truth whose zero is at infinity; `hfov_deg` and `sharp` say whether normals and edges can be asked for."""

    collection: str
    photo: np.ndarray  # (H, W, 3) uint8 RGB
    inverse: np.ndarray  # (h, w) float32
    valid: np.ndarray  # (h, w) bool
    hfov_deg: float | None = None
    sharp: bool = False


def held_back(rendered: Path, most: int, one_in: int) -> Iterator[Scene]:
    """Renders that training leaves out."""
    paths = [path for path in sorted(rendered.glob("*.jpg")) if is_held_back(path, one_in) and path.with_suffix(".png").exists()]
    for path in paths[:: max(1, len(paths) // most)][:most]:
        with Image.open(path.with_suffix(".png")) as stored:
            hfov = float(stored.text["hfov"]) if "hfov" in stored.text else None
            code = np.array(stored).astype(np.float32) / 65535
        photo = cv2.imread(str(path))[:, :, ::-1]
        yield Scene("renders", np.ascontiguousarray(photo), code, np.ones(code.shape, bool), hfov, True)


def reference(data: Path) -> Iterator[Scene]:
    """Real pictures whose inverse depth has a true zero: the room's test frames, indoor singles, stereo scenes."""
    for pair in read_room(data / "room_posed", test=True):
        yield Scene("room", pair.photo, pair.inverse, pair.valid)
    for pair in read_collection(data / "rgbd_pairs" / "nyu_sun_tum_redwood_samples"):
        yield Scene("indoor", pair.photo, pair.inverse, pair.valid)
    for pair in read_stereo(data / "stereo"):
        yield Scene("stereo", pair.photo, pair.inverse, pair.valid)


def courtyard() -> Iterator[Scene]:
    """The demo photo, a render whose 16-bit depth is in millimetres."""
    folder = HERE.parents[1] / "docs" / "demo"
    facts = json.loads((folder / "camera.json").read_text())
    photo, depth = cv2.imread(str(folder / "courtyard.jpg")), cv2.imread(str(folder / facts["depth"]), cv2.IMREAD_UNCHANGED)
    hfov = 2 * np.degrees(np.arctan(facts["width"] / 2 / facts["focal_px"]))
    inverse = np.where(depth > 0, 1 / np.maximum(depth.astype(np.float32) * facts["depth_unit_m"], 1e-3), 0)
    yield Scene("courtyard", np.ascontiguousarray(photo[:, :, ::-1]), inverse, depth > 0, float(hfov), True)


def measure(guess: np.ndarray, scene: Scene) -> tuple[float, ...]:
    """The COLUMNS of one answer, nan where a measure cannot be asked for."""
    fitted = cv2.resize(guess, scene.inverse.shape[::-1], interpolation=cv2.INTER_LINEAR)
    bent = float("nan")
    if scene.hfov_deg:
        focal = fitted.shape[1] / 2 / np.tan(np.radians(scene.hfov_deg) / 2)
        bent = flatness(fitted, scene.inverse, scene.valid, focal)
    edges = (*silhouettes(guess, scene.inverse), ramp_width(guess, scene.inverse)) if scene.sharp else (float("nan"),) * 4
    return far_over_near(fitted, scene.inverse, scene.valid), bent, *edges


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path, nargs="+", default=[])
    parser.add_argument("--side", type=int, nargs="+", default=[LONG_SIDE])
    parser.add_argument("--most", type=int, default=60, help="held-back renders to look at")
    parser.add_argument("--one-in", type=int, default=HELD_BACK, help="as in training")
    parser.add_argument("--in-use", action="store_true", help="also the bundled networks together, as the extension runs them")
    parser.add_argument("--threads", type=int, default=1, help="more only on an idle machine: waiting threads burn their time")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    scenes = list(courtyard())
    scenes += list(held_back(options.rendered, options.most, options.one_in)) if options.rendered else []
    scenes += list(reference(options.data)) if options.data else []
    print(f"| weights | pictures | {' | '.join(COLUMNS)} |\n|{'---|' * (2 + len(COLUMNS))}")
    for weights in options.weights:
        network = load_network(weights)
        for side in options.side:
            print_rows(f"{weights.stem} {side}", scenes, lambda photo, network=network, side=side: answer(network, photo, side))
    if options.in_use:
        print_rows("in use", scenes, lambda photo: zeroed(estimate_with_edges(photo).from_infinity, True))


def answer(network: EmbeddedDepthNet, photo: np.ndarray, side: int) -> np.ndarray:
    """Inverse depth with its zero at infinity, by one network alone."""
    shift = None if network.shift is None else infer_shift(network, photo)
    return zeroed(infer(network, photo, side), network.outputs == 2, shift)


def print_rows(name: str, scenes: list[Scene], estimate: Callable[[np.ndarray], np.ndarray]) -> None:
    """One row a collection, medians."""
    rows: dict[str, list] = {}
    for scene in scenes:
        rows.setdefault(scene.collection, []).append(measure(estimate(scene.photo), scene))
    for collection, found in rows.items():
        values = [np.nanmedian(column) if np.isfinite(column).any() else float("nan") for column in np.array(found).T]
        print(f"| {name} | {collection} ({len(found)}) | " + " | ".join(f"{v:.2f}" for v in values) + " |", flush=True)


if __name__ == "__main__":
    main()
