"""How much a move's focal length must grow so that no frame shows what lies outside the photo's frame.

The photographed part ends at the photo's frame, at the depth of the pixels there. From a moved camera that edge is a curve that
no longer fits the sides of the picture; a longer lens brings the sides back inside it. Nothing is rendered: the edge is projected
for every frame, and the area between it and the picture's sides is added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from .camera import Camera

LEFT, RIGHT, TOP, BOTTOM = range(4)
TOLERANCE = 4e-4
"""Part of a frame that may show what lies outside the photo's frame, so that noise of single depth pixels costs nothing."""
ON_FRAME = 5e-4
"""What is closer to the frame than this part of the long side counts as lying on it."""
SAMPLES = 500
"""Least number of samples along each long side of the frame."""
LONGEST, HALVINGS = 8.0, 16
MAX_CLOSER, MAX_AHEAD = 0.075, 0.8
"""How much closer a move of amount 1, and how far forward any move, may be shifted; parts of the nearest distance."""
LARGE_CROP = 0.2
"""A crop larger than this is reported with advice."""


@dataclass(frozen=True)
class FrameEdge:
    """The edge of what was photographed, as points along it."""

    points: np.ndarray  # (n, 3) float64: x right, y down, z forward from the photo's place
    length: np.ndarray  # (n,) float64: length of the edge round each point over its distance, so that a side adds up to its own
    side: np.ndarray  # (n,) int8: LEFT, RIGHT, TOP or BOTTOM


@dataclass(frozen=True)
class Path:
    """Where the camera stands in each frame."""

    places: np.ndarray  # (f, 3) float64: x right, y down, z forward from the photo's place, in the units of the points
    turns: np.ndarray  # (f, 3, 3) float64: columns are the camera's own axes
    lenses: np.ndarray  # (f,) float64: focal length as a part of the photo's

    def with_lenses(self, lenses: np.ndarray) -> Path:
        """The same with other focal lengths."""
        return replace(self, lenses=lenses)


@dataclass(frozen=True)
class Eyes:
    """Two eyes beside the path, whose pictures are shifted so that one distance lies at the same place in both."""

    distance: float  # between them, in the units of the points
    convergence: float  # distance that keeps its place


def frame_edge(surfaces: Iterable[tuple[np.ndarray, np.ndarray]], camera: Camera) -> FrameEdge:
    """The sides of triangles that lie on the frame of `camera`, of (points, triangles) that show what was photographed.

    Points are (V, 3), x right, y down, z forward; triangles (T, 3). An edge that was cut away in the mesh is left out.
    """
    bounds, slack = _bounds(camera), ON_FRAME * max(camera.width, camera.height) / camera.focal_px
    step = max(camera.width, camera.height) / camera.focal_px / SAMPLES
    points, lengths, sides = [np.zeros((0, 3))], [np.zeros(0)], [np.zeros(0, np.int8)]
    for place, triangles in surfaces:
        place = np.asarray(place, np.float64)
        flat, disparity = place[:, :2] / place[:, 2:], 1 / place[:, 2]
        for side, bound in enumerate(bounds):
            across = 0 if side in (LEFT, RIGHT) else 1
            on = np.abs(flat[:, across] - bound) < slack
            pairs = np.concatenate([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
            pairs = pairs[on[pairs].all(axis=1)]
            if not len(pairs):
                continue
            along = flat[pairs, 1 - across]
            count = np.maximum(1, np.ceil(np.abs(along[:, 1] - along[:, 0]) / step)).astype(np.int64)
            which = np.repeat(np.arange(len(pairs)), count)
            part = (np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[which]
            mixed = lambda ends, part=part, which=which: ends[which, 0] * (1 - part) + ends[which, 1] * part
            z = 1 / mixed(disparity[pairs])  # on planes as on lines disparity is linear in the picture
            found = np.empty((len(which), 3))
            found[:, across], found[:, 1 - across], found[:, 2] = bound * z, mixed(along) * z, z
            points.append(found)
            lengths.append((np.abs(along[:, 1] - along[:, 0]) / count)[which])
            sides.append(np.full(len(which), side, np.int8))
    return FrameEdge(np.concatenate(points), np.concatenate(lengths), np.concatenate(sides))


def lens_factor(edge: FrameEdge, camera: Camera, path: Path, eyes: Eyes | None = None) -> float:
    """The factor of the focal length, at least 1 and at most `LONGEST`, with which every frame is clean.

    `camera` makes the move, at rest: its picture may be smaller than the photo. With `eyes` both eyes are clean.
    """
    if not len(edge.points) or not len(path.places):
        return 1.0
    moved = np.einsum("fpi,fij->fpj", edge.points[None] - path.places[:, None], path.turns)
    near = 1e-3 * edge.points[:, 2].min()
    z = np.where(moved[..., 2] > near, moved[..., 2], np.inf)  # behind the camera: not seen, so no fault
    lenses = path.lenses[:, None]
    u, v = (moved[..., i] / z * lenses for i in (0, 1))
    scale = np.where(np.isinf(z), 0.0, edge.length * edge.points[:, 2] / z * lenses)
    asides = (0.0,) if eyes is None else (-eyes.distance / 2, eyes.distance / 2)
    # a step aside moves the picture of near things; the shift of the lens moves everything back so far that the focus distance
    # stays in place
    seen = [u - lenses * aside * (1 / z - (1 / eyes.convergence if eyes else 0.0)) for aside in asides]
    return clean_factor(lambda factor: max(largest_excess(each, v, scale, edge.side, camera, factor) for each in seen))


def clean_factor(part_beyond: Callable[[float], float]) -> float:
    """The smallest factor of the focal length, 1 to `LONGEST`, with which the visible part outside the edge is within the tolerance."""
    if part_beyond(1.0) <= TOLERANCE:
        return 1.0
    good, bad = LONGEST, 1.0
    for _ in range(HALVINGS):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if part_beyond(middle) <= TOLERANCE else (good, middle)
    return float(good)


def closer_start(path: Path, nearest: float, amount: float) -> float:
    """How far the whole path may be moved forward: half the distance that a zoom goes back, as further ahead more gaps open.

    Unlike a longer lens it hardly crops distant things. It is never more than the path goes back.
    """
    back, ahead = -path.places[:, 2].min(), path.places[:, 2].max()
    return float(max(0.0, min(MAX_CLOSER * amount * nearest, back, MAX_AHEAD * nearest - ahead)))


def largest_excess(u: np.ndarray, v: np.ndarray, length: np.ndarray, side: np.ndarray, camera: Camera, factor: float) -> float:
    """The largest part of a frame outside the edge, over all frames, with the focal length multiplied by `factor`.

    u, v, length: (f, p), the edge as the moved camera sees it with its own lens, divided by the photo's focal length.
    """
    left, right, top, bottom = (bound / factor for bound in _bounds(camera))
    upright = (side == LEFT) | (side == RIGHT)
    along = np.where(upright, v, u)
    low, high = np.where(upright, top, left), np.where(upright, bottom, right)
    inward = np.choose(side, [u - left, right - u, v - top, bottom - v])
    seen = np.clip(inward, 0, np.where(upright, right - left, bottom - top)) * length * ((along > low) & (along < high))
    return float((seen.sum(axis=1) / ((right - left) * (bottom - top))).max())


def _bounds(camera: Camera) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of the picture over the focal length, from the principal point."""
    left, top = -camera.cx / camera.focal_px, -camera.cy / camera.focal_px
    return left, left + camera.width / camera.focal_px, top, top + camera.height / camera.focal_px


def describe_framing(factor: float, amount: float) -> str:
    """One sentence about a framing for the user; "" where the photo's own lens was enough."""
    crop = 1 - 1 / factor
    if crop < 0.0005:
        return ""
    sentence = f"Framed {100 * crop:.2g} % tighter so that no edge shows"
    if crop <= LARGE_CROP:
        return f"{sentence}."
    # crops grow about as the amount does
    less = amount * LARGE_CROP / crop
    return f"{sentence}, which is much; an amount of {less:.2g} needs about {100 * LARGE_CROP:.0f} %."
