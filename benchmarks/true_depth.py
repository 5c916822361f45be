"""Whether two checkouts treat true depth alike, bit for bit: its disparity, sharpened, and where it is torn.

    python benchmarks/true_depth.py --against CHECKOUT [--checkout FOLDER] [--shared FOLDER]

Nine scenes: `moon` with its disparity, the demo's courtyard, a photo with a phone's lidar, six stereo pairs with true disparity.
Prints for each how many pixels' disparity and how many links differ, how many pixels sharpening moved, and how many links lead nowhere
(tears and the border); exit code 1 where any differs.
Each checkout needs a .venv of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
STEREO = ("Art", "Books", "Dolls", "Laundry", "Cloth3_half", "Wood2_half")
WORKER = """
import sys
checkout, photo, depth, kind, place = sys.argv[1:]
import numpy as np
import photo_diorama
from pathlib import Path
assert Path(photo_diorama.__file__).parent == Path(checkout), photo_diorama.__file__
from photo_diorama.core.depth.sharpen_depth import sharpen
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.pipeline import Kept, Steps, bring_depth, silent
from photo_diorama.core.settings import Settings
settings = Settings().with_values({"depth_kind": kind})
step = Steps(silent, Kept(), (photo, depth))
read, _, found = bring_depth(step, photo, depth, settings, None)
sharp = sharpen(found, read.working_colour(*found.disparity.shape), settings.layers)
torn = make_first_layer(read, sharp, settings.layers).layers[0].links
np.savez(place, found=found.disparity, sharp=sharp.disparity, links=torn)
"""
"""Runs in a checkout's own Python."""


def scenes(shared: Path) -> list[tuple[str, Path, Path, str]]:
    """Name, photo, depth file and what its numbers are."""
    rgbd, demo, stereo = shared / "data" / "rgbd", ROOT / "docs" / "demo", shared / "data" / "stereo"
    return [
        ("moon", rgbd / "moon" / "moon.jpg", rgbd / "moon" / "moon.npy", "disparity"),
        ("courtyard", demo / "courtyard.jpg", demo / "courtyard_depth.png", "auto"),
        ("lidar", rgbd / "iphone_lidar" / "image.jpg", rgbd / "iphone_lidar" / "arkit_depth.png", "metric"),
        *((name, stereo / name / "view1.png", stereo / name / "disp1.png", "disparity") for name in STEREO),
    ]


def treated(checkout: Path, photo: Path, depth: Path, kind: str) -> dict[str, np.ndarray]:
    """What the checkout makes of it: the disparity found and sharpened, and the links."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "made.npz")
        arguments = [str(checkout), str(photo), str(depth), kind, place]
        subprocess.run([str(checkout / ".venv/bin/python"), "-c", WORKER, *arguments], check=True, cwd=folder)
        with np.load(place) as made:
            return dict(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True)
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    given = parser.parse_args()
    print(
        "| scene | pixels | found differs | sharpened differs | sharpening moved | links differ | links that lead nowhere |\n|" + "---|" * 7
    )
    alike = True
    for name, photo, depth, kind in scenes(given.shared.resolve()):
        if not (photo.is_file() and depth.is_file()):
            print(f"| {name} | not on this machine |")
            continue
        one, other = (treated(checkout.resolve(), photo, depth, kind) for checkout in (given.checkout, given.against))
        differs = [int((one[key] != other[key]).sum()) if one[key].shape == other[key].shape else -1 for key in ("found", "sharp", "links")]
        moved = int((one["found"] != one["sharp"]).sum())
        print(f"| {name} | {one['sharp'].size} | {differs[0]} | {differs[1]} | {moved} | {differs[2]} | {int((one['links'] != 0).sum())} |")
        alike &= not any(differs)
    sys.exit(0 if alike else 1)


if __name__ == "__main__":
    main()
