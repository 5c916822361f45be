"""Joins ridges whose ends face each other: a silhouette goes on where the depth map is too soft to show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .ramps import REFERENCE_SIDE, Ramps

END_GAP = 44
"""Largest distance, px, between two ends that are joined."""
END_RADIUS = 5
"""Radius, px, within which a ridge's pixels lie to one side of an end ..."""
END_OFFSET = 0.3
"""... so that their mean is displaced by at least this part of the radius."""
FACING = 0.75
"""Cosine of the largest angle between an end's direction and the line to the other end."""
CLOSE_ENDS = 14
"""Ends this close, px, need not face each other: ridges of soft maps sometimes jump sideways."""
MAX_SIDE_DIFFERENCE = 0.15
"""Largest difference of the two near sides, and of the two far sides, part of the range."""


def join_ends(ramps: Ramps, shape: tuple[int, int]) -> Ramps:
    """The ramps, with ridge pixels along a straight line between each two ends that face each other.

    Values are interpolated from one end to the other; the two ridges become one.
    """
    if len(ramps) == 0:
        return ramps
    scale = max(shape) / REFERENCE_SIDE
    ends, outward = _ends(ramps, shape, scale)
    parts, number = [ramps], ramps.ridge.copy()
    for a, b in _pairs(ramps, ends, outward, END_GAP * scale):
        one, other = number[ends[a]], number[ends[b]]
        number[number == other] = one
        line = _line(ramps, ends[a], ends[b])
        if line is not None:
            parts.append(line)
    joined = Ramps(*(np.concatenate([getattr(p, name) for p in parts]) for name in Ramps.__dataclass_fields__))
    own = dict(zip(ramps.ridge.tolist(), number.tolist(), strict=True))
    joined = replace(joined, ridge=np.array([own[k] for k in joined.ridge.tolist()], np.int32))
    _, unique = np.unique(joined.rows.astype(np.int64) * shape[1] + joined.columns, return_index=True)
    return joined.take(unique)


def _ends(ramps: Ramps, shape, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the ridge pixels that are ends, and (n, 2) the direction (column, row) in which each ridge would continue."""
    import cv2

    radius = max(2, round(END_RADIUS * scale))
    picture = np.zeros(shape, np.float32)
    picture[ramps.rows, ramps.columns] = 1
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    total = lambda values: cv2.boxFilter(values, -1, (2 * radius + 1,) * 2, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = np.maximum(total(picture), 1)
    offset = np.stack([total(picture * x) / count - x, total(picture * y) / count - y], axis=2)[ramps.rows, ramps.columns]
    size = np.hypot(*offset.T)
    lengths = np.zeros(shape, np.float32)
    lengths[ramps.rows, ramps.columns] = size
    most = cv2.dilate(lengths, np.ones((2 * radius + 1,) * 2, np.uint8))[ramps.rows, ramps.columns]
    inside = (ramps.rows > radius) & (ramps.rows < shape[0] - 1 - radius)
    inside &= (ramps.columns > radius) & (ramps.columns < shape[1] - 1 - radius)
    ends = np.flatnonzero((size > END_OFFSET * radius) & (size >= most) & inside)
    return ends, -offset[ends] / np.maximum(size[ends, None], 1e-6)


def _pairs(ramps: Ramps, ends: np.ndarray, outward: np.ndarray, gap: float) -> list[tuple[int, int]]:
    """Pairs of ends that face each other, closest first; each end is in one pair at most."""
    if len(ends) < 2:
        return []
    place = np.stack([ramps.columns[ends], ramps.rows[ends]], axis=1).astype(np.float32)
    way = place[None] - place[:, None]
    distance = np.hypot(way[..., 0], way[..., 1])
    towards = way / np.maximum(distance, 1e-6)[..., None]
    facing = ((towards * outward[:, None]).sum(2) > FACING) & ((-towards * outward[None]).sum(2) > FACING)
    normal = ramps.normal[ends]
    facing |= distance <= CLOSE_ENDS / END_GAP * gap
    facing &= (normal[:, None] * normal[None]).sum(2) > 0.3
    for side in (ramps.near, ramps.far):
        facing &= np.abs(side[ends][:, None] - side[ends][None]) < MAX_SIDE_DIFFERENCE
    facing &= (distance > 0) & (distance <= gap)
    chosen, taken = [], set()
    for a, b in sorted(np.argwhere(np.triu(facing, 1)).tolist(), key=lambda pair: distance[pair[0], pair[1]]):
        if a not in taken and b not in taken:
            chosen.append((a, b))
            taken |= {a, b}
    return chosen


def _line(ramps: Ramps, a: int, b: int) -> Ramps | None:
    """Ridge pixels on the straight line between two others, excluding both; None where they touch."""
    dr, dc = int(ramps.rows[b] - ramps.rows[a]), int(ramps.columns[b] - ramps.columns[a])
    count = max(abs(dr), abs(dc))
    if count < 2:
        return None
    t = (np.arange(1, count) / count).astype(np.float32)
    mix = lambda values: values[a] + (values[b] - values[a]) * t
    normal = ramps.normal[a] + (ramps.normal[b] - ramps.normal[a]) * t[:, None]
    normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-6)[:, None]
    rows = np.rint(ramps.rows[a] + dr * t).astype(np.int32)
    columns = np.rint(ramps.columns[a] + dc * t).astype(np.int32)
    values = (mix(getattr(ramps, name)) for name in ("near", "far", "near_distance", "far_distance", "width"))
    return Ramps(rows, columns, normal.astype(np.float32), *values, np.full(count - 1, ramps.ridge[a], np.int32))
