"""Cuts the heroes' silhouettes anew from the strokes in heroes.json, with OpenCV's GrabCut.

    python tests/heroes/cut_masks.py [NAME ...] [--shared FOLDER] [--packages FOLDER] [--overlays FOLDER]

A hero's strokes, all in px of the photo at a long side of 960: `outlines` are rough polygons round what is near; up to
`band` px on both sides of them GrabCut decides, the rest is given. `near` and `far` are lines drawn over it (`width` px wide),
`near_areas` and `far_areas` are polygons without a band, `gaps` polygons of background inside the hero with a band of their own.
Where `true` is given, the polygon's own edge is the silhouette there and no colour is asked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
SIDE = 960
TILE, STEP = 240, 120
"""Each part of the band is cut by the colours near it: GrabCut runs in overlapping tiles and their votes are counted."""


def heroes() -> list[dict]:
    """All heroes as heroes.json names them."""
    return json.loads((HERE / "heroes.json").read_text(encoding="utf-8"))


def unseen() -> list[dict]:
    """Photographs with a hero, without a mask, that nothing was tuned on: to be judged by eye beside the heroes held back."""
    return json.loads((HERE / "by_eye.json").read_text(encoding="utf-8"))


def find_photo(hero: dict, shared: Path | None = None, packages: Path | None = None) -> Path | None:
    """The photo's file where it lies on this machine, checked by its sha256; None where it does not.

    `shared` is the folder of reference data, `packages` a folder with unpacked Debian packages (NAME/usr/...); without it
    the installed packages are looked at.
    """
    shared = shared or Path(os.environ.get("DIORAMA_SHARED", HERE.parents[2] / "shared"))
    if "package" in hero:
        root = packages or os.environ.get("DIORAMA_WALLPAPERS")
        path = Path(root, hero["package"], hero["file"]) if root else Path("/", hero["file"])
    else:
        path = shared / hero["file"]
    if not path.is_file():
        return None
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != hero["sha256"]:
        raise ValueError(f"{path} is another file than the mask of {hero['name']} was cut for: its sha256 is {found}.")
    return path


def at_mask_size(photo: np.ndarray) -> np.ndarray:
    """The photo at a long side of 960 px."""
    height, width = photo.shape[:2]
    scale = SIDE / max(height, width)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(photo, (round(width * scale), round(height * scale)), interpolation=way)


def _filled(shape: tuple[int, int], polygons: list) -> np.ndarray:
    drawn = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(drawn, [np.array(polygon, np.int32)], 1)
    return drawn > 0


def _distance(region: np.ndarray) -> np.ndarray:
    """Signed distance to the region's edge in px, positive inside; the frame is no edge."""
    padded = np.pad(region, 64, mode="edge").astype(np.uint8)
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (padded, 1 - padded))
    return (inside - outside)[64:-64, 64:-64]


def trimap(shape: tuple[int, int], cut: dict) -> np.ndarray:
    """(h, w) uint8 of GrabCut's four labels from the strokes."""
    band, width = cut.get("band", 12), cut.get("width", 5)
    near = _filled(shape, cut["outlines"])
    distance = _distance(near)
    gaps = _filled(shape, cut.get("gaps", []))
    if gaps.any():
        distance = np.minimum(distance, -_distance(gaps))
    labels = np.where(distance > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[distance > band] = cv2.GC_FGD
    labels[distance < -band] = cv2.GC_BGD
    for polygon in cut.get("loose", []):  # here the band is wider: thin or ragged parts
        area = _filled(shape, [polygon])
        labels[area] = np.where(labels[area] == cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    for polygon in cut.get("true", []):
        area = _filled(shape, [polygon])
        labels[area] = np.where(distance[area] > 0, cv2.GC_FGD, cv2.GC_BGD)
    for key, label in (("near_areas", cv2.GC_FGD), ("far_areas", cv2.GC_BGD)):
        labels[_filled(shape, cut.get(key, []))] = label
    for key, label in (("near", cv2.GC_FGD), ("far", cv2.GC_BGD)):
        for line in cut.get(key, []):
            cv2.polylines(labels, [np.array(line, np.int32)], False, label, width)
    return labels


def cut_mask(picture: np.ndarray, cut: dict) -> np.ndarray:
    """(h, w) bool: GrabCut in overlapping tiles along the band, then the largest piece, its small holes closed."""
    labels = trimap(picture.shape[:2], cut)
    near, votes = np.zeros(labels.shape, np.float32), np.zeros(labels.shape, np.float32)
    unsure = (labels == cv2.GC_PR_FGD) | (labels == cv2.GC_PR_BGD)
    for top in range(-STEP, labels.shape[0], STEP):
        for left in range(-STEP, labels.shape[1], STEP):
            tile = np.s_[max(top, 0) : top + TILE, max(left, 0) : left + TILE]
            if not unsure[tile].any() or not {cv2.GC_FGD, cv2.GC_BGD} <= set(np.unique(labels[tile])):
                continue
            cv2.setRNGSeed(1)
            found = labels[tile].copy()
            crop = np.ascontiguousarray(picture[tile])
            cv2.grabCut(crop, found, None, np.zeros((1, 65)), np.zeros((1, 65)), cut.get("rounds", 4), cv2.GC_INIT_WITH_MASK)
            y, x = np.mgrid[: found.shape[0], : found.shape[1]]
            weight = 1.0 + np.minimum(np.minimum(y, y[::-1]), np.minimum(x, x[:, ::-1]))  # a tile knows its middle best
            near[tile] += weight * ((found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD))
            votes[tile] += weight
    mask = np.where(unsure & (votes > 0), near > 0.5 * votes, (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    mask = cv2.medianBlur(mask.astype(np.uint8), cut.get("median", 3)) > 0
    return _without_specks(_without_specks(mask, cut.get("smallest", 400)) ^ True, cut.get("smallest_gap", 60)) ^ True


def _without_specks(mask: np.ndarray, least: int) -> np.ndarray:
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return mask & (stats[:, cv2.CC_STAT_AREA] >= least)[pieces]


def overlay(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photo with the silhouette's pixels in green and the outside darkened, to be checked at full size."""
    shown = picture.copy()
    shown[~mask] = shown[~mask] // 3 + 60
    edge = mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    shown[edge] = (0, 255, 0)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--overlays", type=Path)
    given = parser.parse_args()
    for hero in heroes():
        if given.names and hero["name"] not in given.names:
            continue
        photo = find_photo(hero, given.shared, given.packages)
        if photo is None:
            print(f"{hero['name']}: skipped, {hero['file']} is not on this machine")
            continue
        picture = at_mask_size(cv2.imread(str(photo), cv2.IMREAD_COLOR))
        mask = cut_mask(picture, hero["cut"])
        cv2.imwrite(str(HERE / "masks" / f"{hero['name']}.png"), mask.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
        if given.overlays:
            cv2.imwrite(str(given.overlays / f"{hero['name']}.png"), overlay(picture, mask))
        print(f"{hero['name']}: {mask.shape[1]}x{mask.shape[0]}, {mask.mean():.1%} near", flush=True)


if __name__ == "__main__":
    main()
