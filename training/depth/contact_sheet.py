"""Puts photos beside their estimated inverse depth in false colour on one sheet, to be looked at and counted.

python training/depth/contact_sheet.py --photos DIR_OR_FILE [...] --out SHEET.jpg [--weights FILE.safetensors]

Without `--weights` it is what the extension makes of a photo: the bundled networks together.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tests")]

import conftest  # noqa: F401  (makes the checkout importable as photo_diorama)
import cv2
import numpy as np
from photo_diorama.core.built_in.depth import estimate_with_edges
from photo_diorama.core.networks.depth.embedded_depth_net import infer, load_network

CELL = (190, 128)  # px, one photo; its depth stands to the right of it


def false_colour(disparity: np.ndarray) -> np.ndarray:
    """(H, W) any scale to (H, W, 3) uint8 BGR: dark is far, yellow is near."""
    low, high = np.percentile(disparity, (0.5, 99.5))
    level = np.clip((disparity - low) / max(float(high - low), 1e-6), 0, 1)
    return cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)


def cell(picture: np.ndarray) -> np.ndarray:
    """The picture, fitted into one cell."""
    factor = min(CELL[0] / picture.shape[1], CELL[1] / picture.shape[0])
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    place = np.full((CELL[1], CELL[0], 3), 255, np.uint8)
    place[: small.shape[0], : small.shape[1]] = small[: CELL[1], : CELL[0]]
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--weights", type=Path, help="of one network instead")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=4)
    options = parser.parse_args()
    network, tiles = load_network(options.weights) if options.weights else None, []
    found = [path for place in options.photos for path in (sorted(place.iterdir()) if place.is_dir() else [place])]
    paths = [path for path in found if path.suffix in (".jpg", ".png")]
    for number, path in enumerate(paths, 1):
        photo = cv2.imread(str(path))
        colour = np.ascontiguousarray(photo[:, :, ::-1])
        disparity = infer(network, colour) if network else estimate_with_edges(colour).disparity
        size = photo.shape[1::-1]
        tile = np.hstack([cell(photo), cell(false_colour(cv2.resize(disparity, size)))])
        for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(tile, str(number), (3, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)
        tiles.append(np.pad(tile, ((2, 2), (3, 3), (0, 0)), constant_values=255))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % options.columns)
    rows = [np.hstack(tiles[k : k + options.columns]) for k in range(0, len(tiles), options.columns)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
