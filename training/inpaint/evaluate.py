"""Scores the completed fill beside the deterministic ones on pairs of held-out photos and shapes, and makes a sheet to look at.

    python training/inpaint/evaluate.py --pairs CACHE/pairs [--weights FILE] [--sheet FILE.png]

For each pair the camera uncovers 4 and 12 pixels behind the silhouette. PSNR is over all uncovered pixels of all pairs;
"features" is the distance of losses.py, "edge" the mean absolute difference of gradient magnitude on 0..255, which blur
raises; "depth features" the same distance by the encoder of the built-in depth network, which no loss has seen.
"""

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from train import Stored, deterministic, guess, tensors  # noqa: E402  imports the package first

from losses import features, features_network, structure  # isort: skip  # noqa: E402
from photo_diorama.core.inpaint.deterministic import DETAIL  # noqa: E402
from photo_diorama.core.networks.depth.embedded_depth_net import load_network  # noqa: E402
from photo_diorama.core.networks.inpaint.hidden_colour import load_hidden_colour  # noqa: E402
from photo_diorama.core.settings import HIDDEN_COLOUR  # noqa: E402

UNCOVERED = (4.0, 12.0)
FILLS = ("smooth part alone", "diffusion", "exemplar", "learned")


def gradient(pictures: np.ndarray) -> np.ndarray:
    """(N, h, w) gradient magnitude of the brightness of (N, 3, h, w) pictures, 0..255."""
    grey = (cv2.cvtColor(np.ascontiguousarray(np.moveaxis(p, 0, 2)), cv2.COLOR_RGB2GRAY) * 255 for p in pictures)
    return np.stack([np.hypot(cv2.Sobel(g, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(g, cv2.CV_32F, 0, 1, scale=0.25)) for g in grey])


def figures(made: torch.Tensor, batch: dict, encoders) -> np.ndarray:
    """(mean square, SSIM, edge, features, depth features) over the visible pixels of a batch."""
    truth, visible = batch["truth"], batch["visible"]
    square = float(((made - truth) ** 2 * visible).sum() / (3 * visible.sum()))
    mixed = torch.where(visible > 0, made, truth)
    edge = np.abs(gradient(mixed.numpy()) - gradient(truth.numpy()))[visible[:, 0].numpy() > 0].mean()
    distances = [float(features(encoder, made, truth, visible)) for encoder in encoders]
    return np.array([square, 1 - float(structure(made, truth, visible)), edge, *distances])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=HIDDEN_COLOUR.with_suffix(".safetensors"))
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--sheet", type=Path, help="picture: known, diffusion, exemplar, learned, truth, for 33 pairs")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    stored, network = Stored(options.pairs, "held_out"), load_hidden_colour(options.weights)
    encoders = features_network(), load_network().encoder
    for shift in UNCOVERED:
        sums: dict[str, list] = {}
        for start in range(0, min(options.count, stored.count), 40):
            batch = read(stored, range(start, min(start + 40, stored.count)), shift)
            for name, made in fills(network, batch).items():
                sums.setdefault(name, []).append(figures(made, batch, encoders))
        for name, rows in sums.items():
            square, ssim, edge, deep, depth = np.mean(rows, axis=0)
            print(f"{shift:4.0f} px {name:18s} PSNR {-10 * np.log10(square):6.3f} dB   SSIM {ssim:.4f}   edge {edge:6.3f}   "
                  f"features {deep:.4f}   depth features {depth:.4f}")  # fmt: skip
    if options.sheet:
        batch = read(stored, range(33), UNCOVERED[1])
        made, known = fills(network, batch), torch.where(batch["channels"][:, 12:13] > 0, batch["smooth"], 0)
        shown = [known] + [torch.where(batch["visible"] > 0, made[name], batch["truth"]) for name in FILLS[1:]] + [batch["truth"]]
        rows = np.concatenate([np.moveaxis(s.numpy(), 1, 3) for s in shown], axis=2)
        sheet = np.hstack([np.vstack(rows[k::3]) for k in range(3)])
        cv2.imwrite(str(options.sheet), np.rint(255 * sheet).astype(np.uint8)[..., ::-1])


def read(stored: Stored, numbers, shift: float) -> dict[str, torch.Tensor]:
    """Pairs of these numbers, with `shift` pixels uncovered."""
    items = [tensors({key: array[k] for key, array in stored.arrays.items()}, shift) for k in numbers]
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def fills(network, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch's pictures by each fill, clipped."""
    diffusion = batch["smooth"] + DETAIL * batch["channels"][:, 3:6] * batch["spread"]
    with torch.no_grad():
        made = (batch["smooth"], diffusion, deterministic(batch), guess(network, batch, mixed_precision=False))
    return {name: picture.clamp(0, 1) for name, picture in zip(FILLS, made, strict=True)}


if __name__ == "__main__":
    main()
