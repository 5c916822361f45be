"""The yard of `cases`: how a depth file of it is read, and where its things stand."""

from pathlib import Path

import numpy as np
import pytest

from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings, PhotoSettings

CASES = Path(__file__).parent / "depth_file" / "cases"
SKY, HILLS, WALL, GROUND, POLE = (4, 150), (119, 10), (119, 223), (236, 10), (119, 150)
"""Rows and columns of the yard at 240 x 320."""
Z = np.load(CASES / "c12_depth.npz")["depth"].astype(np.float32)
"""The yard in metres, its sky at 80."""


def read(depth: Path | str, photo: str = "yard.jpg", fov: float = 0.0, **options):
    """Distances (h, w) on the photo's grid, what is known, and what was found."""
    settings = DepthSettings(**options)
    shown = load_photo(CASES / photo, PhotoSettings(fov=fov))
    found = find_depth(shown, CASES / depth, settings, None)
    depth_map = depth_on_photo(found.values, shown, settings, 960, str(depth))
    return 1 / depth_map.disparity, depth_map, found


def in_metres(distances, unknown_sky: bool = False) -> None:
    for place, metres in ((WALL, 8), (GROUND, 4.47), (HILLS, 60)):
        assert distances[place] == pytest.approx(metres, rel=0.02) or (unknown_sky and metres == 60)
    assert distances.min() == pytest.approx(2, rel=0.01)


def in_relation(distances) -> None:
    """The same but for the scale: the nearest is the pole at 2 m, and 1 here."""
    for place, parts in ((WALL, 4), (GROUND, 2.24), (HILLS, 30), (SKY, 60)):
        assert distances[place] == pytest.approx(parts, rel=0.06)
