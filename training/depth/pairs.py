"""Reads real photos with true depth, each set in its own encoding: the test split, and pairs for experiments."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

TEST_PAIRS = ("phone_depth", "nyu_sun_tum_redwood_samples", "kitti_samples")
TRAINING_PAIRS = ("farm_field", "rc_tabletop", "replica_office0")
"""No licence is stated for the first two and the third is for research only, so the shipped weights never saw them."""
ROOM_TEST_FRAMES = 20
AFFINE_FLOOR = 0.05
"""Inverse depth that is stretched per image is mapped to this..1 where a ratio of depths is asked for."""


@dataclass(frozen=True)
class Pair:
    """One photo with its truth."""

    collection: str
    name: str
    photo: np.ndarray  # (H, W, 3) uint8 RGB
    inverse: np.ndarray  # (h, w) float32, larger = nearer; 1/m, or any unit without shift
    valid: np.ndarray  # (h, w) bool


def _rgb(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(path)
    return np.ascontiguousarray(image[:, :, ::-1])


def _invert(depth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(valid, 1 / np.maximum(depth, 1e-3), 0).astype(np.float32)


def _spread(code: np.ndarray, valid: np.ndarray) -> np.ndarray:
    low, high = np.percentile(code[valid], (0.5, 99.5))
    scaled = np.clip((code - low) / max(high - low, 1e-6), 0, 1)
    return (AFFINE_FLOOR + (1 - AFFINE_FLOOR) * scaled).astype(np.float32)


def read_collection(folder: Path) -> Iterator[Pair]:
    """One folder of rgbd_pairs, by the encoding that its meta.json names."""
    metric = json.loads((folder / "meta.json").read_text())["kind"] == "depth"
    for path in sorted(folder.glob("*.jpg")):
        code = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED).astype(np.float32)
        valid = code > 0
        inverse = _invert(code / 1000, valid) if metric else _spread(code, valid)
        yield Pair(folder.name, path.stem, _rgb(path), inverse, valid)


def read_stereo(folder: Path) -> Iterator[Pair]:
    """The Middlebury scenes: disparity of the left view, which is inverse depth, with the crop's offset where known."""
    for scene in sorted(folder.iterdir()):
        if scene.name.startswith("Motorcycle"):
            with np.load(scene / "motorcycle_disp.npz") as stored:
                disparity = stored[stored.files[0]].astype(np.float32)
            valid = np.isfinite(disparity) & (disparity > 0)
            inverse, photo = np.where(valid, disparity + 31.086, 0), scene / "motorcycle_left.png"
        else:
            code = cv2.imread(str(scene / "disp1.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32)
            valid, photo = code > 0, scene / "view1.png"
            offset = scene / "dmin.txt"  # In pixels of the full size, as the codes are (value / 3 in the third size).
            inverse = np.where(valid, code + (float(offset.read_text()) if offset.exists() else 0.0), 0)
        yield Pair("stereo", scene.name, _rgb(photo), inverse.astype(np.float32), valid)


def read_room(folder: Path, test: bool) -> Iterator[Pair]:
    """room_posed: its last 20 frames (test) or the others."""
    frames = sorted(folder.glob("*.color.jpg"))
    for path in frames[-ROOM_TEST_FRAMES:] if test else frames[:-ROOM_TEST_FRAMES]:
        code = cv2.imread(str(path).replace(".color.jpg", ".depth.png"), cv2.IMREAD_UNCHANGED)
        valid = (code > 0) & (code < 65535)
        yield Pair("room_posed_last20", path.name[:12], _rgb(path), _invert(code / 1000, valid), valid)


def test_split(data: Path) -> Iterator[Pair]:
    """Every pair of the test split, which no training run reads."""
    for name in TEST_PAIRS:
        yield from read_collection(data / "rgbd_pairs" / name)
    yield from read_stereo(data / "stereo")
    yield from read_room(data / "room_posed", test=True)


def training_pairs(data: Path, research_only: bool = False) -> Iterator[Pair]:
    """Real pairs for experiments; weights trained with them carry their terms and are not shipped."""
    for name in TRAINING_PAIRS:
        yield from read_collection(data / "rgbd_pairs" / name)
    if research_only:
        yield from read_room(data / "room_posed", test=False)
