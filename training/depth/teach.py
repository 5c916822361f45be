"""Writes what our networks say of free photos, for `train.py --taught`: what they know of real pictures is not unlearned.

python training/depth/teach.py --photos DIR [DIR ...] [--weights OLD.safetensors] --out CACHE/taught.npz
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
from pathlib import Path

import numpy as np
import torch

from train import read_photos
from photo_diorama.core.built_in.depth import estimate_with_edges
from photo_diorama.core.networks.depth.embedded_depth_net import infer, load_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--weights", type=Path, help="of one network; default: the bundled ones together, as the extension runs them")
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    import cv2

    torch.set_num_threads(1)
    network = load_network(options.weights) if options.weights else None
    answers = {}
    for number, photo in enumerate(read_photos(options.photos)):
        found = infer(network, photo, options.side) if network else estimate_with_edges(photo).disparity
        low, high = float(found.min()), float(found.max())
        found = 0.02 + 0.98 * (found - low) / max(high - low, 1e-6)  # Above zero, which means unknown.
        answers[f"{number:04d}"] = cv2.resize(found, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    np.savez_compressed(options.out, **answers)
    print(f"{len(answers)} photos in {options.out}")


if __name__ == "__main__":
    main()
