"""Parts that an artist splits off the photo's surface: numbered pixels, cut from their surroundings wherever these meet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SNAP = 0.008
"""A part's outline moves to a depth discontinuity up to this part of the long side away: masks are painted roughly."""
SMALLEST = 64e-6
"""Pieces smaller than this part of the long side squared are slips of the brush."""
MAX_PARTS = 99


@dataclass(frozen=True)
class Parts:
    """Which part each pixel of the photo belongs to; of any size, it is brought onto the working grid."""

    labels: np.ndarray  # (h, w) uint8: 0 where nothing was split off, else the part's number; a higher one lies in front of its cut

    @cached_property
    def key(self) -> str:
        """Equal for equal contents."""
        return f"{self.labels.shape} {hashlib.blake2b(np.ascontiguousarray(self.labels).data, digest_size=16).hexdigest()}"


def cut_parts(parts: Parts, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Part of each pixel (h, w) uint8, its outline moved to silhouettes nearby; and the links, cut where two parts meet.

    `right` and `down`, (h, w) bool: links of the cut surface.
    """
    import cv2

    shape = right.shape
    labels = cv2.resize(parts.labels, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    labels = snap(labels, right, down, max(1, round(SNAP * max(shape))))
    right, down = right.copy(), down.copy()
    right[:, :-1] &= labels[:, 1:] == labels[:, :-1]
    down[:-1] &= labels[1:] == labels[:-1]
    return labels, right, down


def snap(labels: np.ndarray, right: np.ndarray, down: np.ndarray, reach: int) -> np.ndarray:
    """Labels (h, w) uint8 in which pixels up to `reach` from an outline go to the part that reaches them first along links.

    So an outline beside a silhouette moves onto it, and one across a surface stays where it was.
    """
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    open_ = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    if not open_.any():
        return labels
    left, up = np.zeros_like(right), np.zeros_like(down)
    left[:, 1:], up[1:] = right[:, :-1], down[:-1]
    result, reached = labels.copy(), ~open_
    for _ in range(4 * reach):
        new = np.zeros_like(reached)
        for linked, shift, axis in ((left, 1, 1), (right, -1, 1), (up, 1, 0), (down, -1, 0)):
            take = linked & ~reached & ~new & np.roll(reached, shift, axis)
            result[take] = np.roll(result, shift, axis)[take]
            new |= take
        if not new.any():
            break
        reached |= new
    return result


def add_part(parts: Parts | None, mask: np.ndarray) -> Parts:
    """Parts with the mask's pixels as a new one, taken away from other parts. Numbers of other parts stay.

    Raises ValueError where no number is free; tiny pieces of the mask, slips of the brush, are ignored.
    """
    import cv2

    labels = np.zeros(mask.shape, np.uint8) if parts is None else parts.labels
    if labels.shape != mask.shape:
        labels = cv2.resize(labels, mask.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    number = int(labels.max()) + 1
    if number > MAX_PARTS:
        raise ValueError(f"more than {MAX_PARTS} parts")
    _, pieces, about, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = about[:, cv2.CC_STAT_AREA] >= SMALLEST * max(mask.shape) ** 2
    return Parts(np.where(mask & large[pieces], np.uint8(number), labels))


def remove_part(parts: Parts, number: int) -> Parts | None:
    """Parts without this one, whose pixels join the unsplit surface; None where no part is left."""
    labels = np.where(parts.labels == number, np.uint8(0), parts.labels)
    return Parts(labels) if labels.any() else None
