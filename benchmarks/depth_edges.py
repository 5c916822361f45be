"""How far silhouettes in depth stray when depth is reduced to 1/8 and brought back: guided by the photo's colour, and plainly.

    python benchmarks/depth_edges.py [--shared FOLDER]

Boundary distance: mean over the true depth discontinuities of the distance to the nearest one found, and back, in pixels.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

SCENES, PART = ("Art", "Books", "Dolls", "Laundry", "Cloth3_half", "Wood2_half"), 8


def main() -> None:
    import cv2

    from photo_diorama.core.depth.depth_map import DepthMap
    from photo_diorama.core.depth.resample_depth import fill_unknown, resample
    from photo_diorama.core.depth.sharpen_depth import sharpen
    from photo_diorama.core.settings import LayerSettings

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    given = parser.parse_args()
    print("| scene | linear | guided | guided and sharpened |\n|---|---|---|---|")
    rows = []
    for scene in SCENES:
        folder = given.shared / "data/stereo" / scene
        colour = cv2.imread(str(folder / "view1.png"))[..., ::-1].astype(np.float32) / 255
        disparity = cv2.imread(str(folder / "disp1.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32)
        known = disparity > 0
        true = fill_unknown(disparity, known, colour) if not known.all() else disparity
        h, w = true.shape
        small = cv2.resize(true, (w // PART, h // PART), interpolation=cv2.INTER_AREA)
        linear = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
        guided, _ = resample(small, np.ones(small.shape, bool), colour, h, w)
        sharp = sharpen(DepthMap(guided, np.ones((h, w), bool), False, ""), colour, LayerSettings()).disparity
        jump = 0.03 * np.ptp(true)
        rows.append([_distance(_edges(true, jump) & known, _edges(found, jump)) for found in (linear, guided, sharp)])
        print(f"| {scene} |", " | ".join(f"{x:.2f}" for x in rows[-1]), "|", flush=True)
    print("| mean |", " | ".join(f"{x:.2f}" for x in np.mean(rows, axis=0)), "|")


def _edges(disparity: np.ndarray, jump: float) -> np.ndarray:
    """(h, w) bool: pixels beside a jump."""
    edges = np.zeros(disparity.shape, bool)
    edges[:, :-1] |= np.abs(np.diff(disparity, axis=1)) > jump
    edges[:-1] |= np.abs(np.diff(disparity, axis=0)) > jump
    return edges


def _distance(true: np.ndarray, found: np.ndarray) -> float:
    """Symmetric mean distance between two sets of pixels, px; the diagonal where one is empty."""
    import cv2

    if not true.any() or not found.any():
        return float(np.hypot(*true.shape))
    to_found, to_true = (cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5) for edges in (found, true))
    return float(to_found[true].mean() + to_true[found].mean()) / 2


if __name__ == "__main__":
    main()
