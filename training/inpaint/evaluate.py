"""Scores the corrected fill beside the plain one on pairs of held-out photos and shapes, and makes a sheet to look at.

    python training/inpaint/evaluate.py --photos DIR [DIR ...] --regions CACHE/regions.npz --weights FILE
        [--sheet FILE.png]

PSNR is over all invented pixels of all pairs; "features" is the distance of losses.py, "edge" the mean absolute
difference of gradient magnitude on 0..255, which blur raises.
"""

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from pairs import Pairs  # noqa: E402  imports the package first

from losses import features, features_network  # isort: skip  # noqa: E402
from photo_diorama.core.fill_colour import DETAIL  # noqa: E402
from photo_diorama.core.networks.refine_colour import load_refine_colour, refine_colour  # noqa: E402

SIDE = 128


def gradient(picture: np.ndarray) -> np.ndarray:
    """(h, w) gradient magnitude of the brightness of a (h, w, 3) picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) * 255
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25))


def figures(made: list[np.ndarray], pairs, encoder) -> tuple[float, float, float]:
    """(PSNR in dB, feature distance, edge) in the holes of all pairs together."""
    squares, edges, distances = [], [], []
    for picture, pair in zip(made, pairs, strict=True):
        squares.append(((picture - pair.truth) ** 2).mean(axis=-1)[pair.synthesis])
        whole = np.where(pair.synthesis[..., None], picture, pair.truth).astype(np.float32)
        edges.append(np.abs(gradient(whole) - gradient(pair.truth))[pair.synthesis])
        tensors = (torch.from_numpy(np.atleast_3d(a).astype(np.float32)).permute(2, 0, 1)[None] for a in
                   (picture, pair.truth, pair.synthesis))  # fmt: skip
        with torch.no_grad():
            distances.append(float(features(encoder, *tensors)))
    return -10 * np.log10(np.concatenate(squares).mean()), np.mean(distances), np.concatenate(edges).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--regions", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--sheet", type=Path, help="picture: known, plain fill, corrected, truth, for the first pairs")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs = Pairs(options.photos, options.regions, held_out=True).batch(np.random.default_rng(99), options.count, SIDE)
    corrections = refine_colour(load_refine_colour(options.weights), [pair.start for pair in pairs])
    encoder = features_network()
    fills = {
        "smooth": [pair.start.smooth for pair in pairs],
        "plain": [pair.start.smooth + DETAIL * pair.start.detail for pair in pairs],
    }
    fills["corrected"] = [plain + more for plain, more in zip(fills["plain"], corrections, strict=True)]
    for name, made in fills.items():
        made = [np.clip(picture, 0, 1).astype(np.float32) for picture in made]
        psnr, distance, edge = figures(made, pairs, encoder)
        print(f"{name:10s} PSNR {psnr:6.3f} dB   features {distance:.4f}   edge {edge:.3f}")
    if options.sheet:
        rows = []
        for k, pair in enumerate(pairs[:10]):
            hole, seen = pair.synthesis[..., None], (pair.start.source | pair.synthesis)[..., None]
            known = np.where(pair.start.source[..., None], pair.truth, 0)
            shown = [np.where(hole, fills[name][k], known) for name in ("plain", "corrected")]
            rows.append(np.hstack([known, *shown, np.where(seen, pair.truth, 0)]))
        cv2.imwrite(str(options.sheet), (255 * np.clip(np.vstack(rows), 0, 1)).astype(np.uint8)[..., ::-1])


if __name__ == "__main__":
    main()
