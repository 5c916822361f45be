"""Detects panoramas, which no flat (rectilinear) camera can show, by GPano metadata or by matching edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..settings import PhotoSettings
from .xmp import find_in, number, parse_xmp

GPANO = "http://ns.google.com/photos/1.0/panorama/"
WIDEST = 150.0
"""Widest horizontal angle, degrees, of a picture that is still taken as a flat camera's."""
SAME_ASPECT = 0.02
"""Tolerance between the picture's aspect and GPano's; beyond it the picture was cropped and GPano no longer holds."""
SEAM, VARIED, POLE = 1.5, 6.0, 0.5
"""For a picture of 2:1 to count as a panorama: how many times as much its left and right edges may differ as neighbouring columns do; how
many times as much columns far apart must differ; and what part of a middle row's variation the first and last rows may have at most."""
PROJECTIONS = ("equirectangular", "cylindrical")
CUT = "cut a flat view out of it (rectilinear, at most 120 degrees across) and use that"


def panorama_notes(path: Path, colour: np.ndarray, xmp: bytes, settings: PhotoSettings) -> tuple[str, ...]:
    """Notes for the user about a picture that is a panorama, or seems to be one.

    Raises DioramaError where its metadata says that it is wider than `WIDEST`, unless the user sets the focal length or angle.
    """
    camera_given = settings.focal_px > 0 or settings.focal_mm > 0 or settings.fov > 0
    height, width = colour.shape[:2]
    kind, across, odd = _declared(xmp, width, height, str(path))
    if across > WIDEST and not camera_given:
        raise DioramaError(f"{path} is a panorama ({kind}, {across:.0f} degrees across), and a flat camera sees no such picture",
                           window=f"{CUT}; or set its field of view, to take it as flat all the same",
                           command_line=f"{CUT}; or pass --fov, to take it as flat all the same")  # fmt: skip
    if across > 0:
        return (f"it is a panorama ({kind}, {across:.0f} degrees across), taken as flat, so what is straight may be bent",)
    if not odd and not camera_given and _wraps_around(colour):
        return ("it looks like a 360-degree panorama (2:1, its left and right edges match), taken as a flat photo; if it is one, " + CUT,)
    return odd


def _declared(xmp: bytes, width: int, height: int, name: str) -> tuple[str, float, tuple[str, ...]]:
    """Projection and horizontal angle (degrees, 0 if unknown) by GPano, and a note where these contradict the picture."""
    if GPANO.encode() not in xmp:
        return "", 0.0, ()
    try:
        trees = [parse_xmp(xmp, name)]
    except DioramaError:
        return "", 0.0, ("what its XMP says of a panorama is damaged and was left aside",)
    kind = (find_in(trees, GPANO, "ProjectionType") or "").strip().lower()
    full = number(find_in(trees, GPANO, "FullPanoWidthPixels"))
    part = number(find_in(trees, GPANO, "CroppedAreaImageWidthPixels"))
    tall = number(find_in(trees, GPANO, "CroppedAreaImageHeightPixels"))
    if kind not in PROJECTIONS:
        return "", 0.0, ()
    if part and tall and abs(part / tall / (width / height) - 1) > SAME_ASPECT:
        return "", 0.0, ("its XMP speaks of a panorama of another shape, so it is taken as a flat part of one",)
    across = 360 * min(1.0, part / full) if part and full and part > 0 and full > 0 else 360.0 if width >= 1.9 * height else 0.0
    if across == 0:
        return "", 0.0, ("its XMP calls it a panorama but not how wide, so it is taken as a flat photo",)
    return kind, across, ()


def _wraps_around(colour: np.ndarray) -> bool:
    """Whether a 2:1 picture continues from its right edge at its left one, and shows single points (poles) at top and bottom."""
    import cv2

    height, width = colour.shape[:2]
    if abs(width - 2 * height) > 0.01 * height:
        return False
    sides = np.concatenate([colour[:, : width // 64 + 2], colour[:, -(width // 64) - 2 :]], axis=1).astype(np.float32)
    seam = np.abs(sides[:, 0] - sides[:, -1]).mean()
    beside = np.abs(sides[:, 0] - sides[:, 1]).mean() + np.abs(sides[:, -1] - sides[:, -2]).mean()
    small = cv2.resize(colour, (128, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    apart = np.abs(small - np.roll(small, 64, axis=1)).mean()
    row = colour[[0, -1]].astype(np.float32).std(axis=1).mean()
    middle = small[20:44].std(axis=1).mean()
    return bool(apart > 0 and seam <= SEAM * beside / 2 + 0.02 * apart and VARIED * seam < apart and row < POLE * middle)
