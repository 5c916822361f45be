"""Estimates in which direction a depth map's numbers grow, from ground, sky and planes in it and from the built-in network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..photo.photo import Photo

SIDE = 256
"""Long side to which the numbers are subsampled, px."""
NETWORK, GROUND, SKY, PLANES = 2.0, 0.8, 0.6, 2.2
"""Weights of the pieces of evidence, each from -1 to 1. Planes weigh most where the photo is known: ground and network say what is
usual, but a plane in space is linear in inverse depth whatever the photo shows."""
MIN_ON_PLANES = 300
"""Fewest samples on slanted planes from which `straightness` is estimated."""


@dataclass(frozen=True)
class Direction:
    """Evidence from the picture; positive: larger numbers are nearer."""

    nearer: float  # the weighted sum of all evidence
    planes: float  # 1: values are linear over planes, so inverse depth; -1: 1 / value is, so distances
    seen: bool  # whether the photo was used


def small_srgb(photo: Photo) -> np.ndarray:
    """(h, w, 3) uint8 sRGB, about 512 px on its long side, as `estimate_direction` needs it."""
    step = max(1, max(photo.colour.shape[:2]) // 512)
    if photo.colour.dtype == np.uint8:
        return np.ascontiguousarray(photo.colour[::step, ::step, :3])
    height, width = photo.colour.shape[:2]
    return (np.clip(photo.working_colour(height // step, width // step), 0, 1) * 255 + 0.5).astype(np.uint8)


def estimate_direction(values: np.ndarray, known: np.ndarray, colour: np.ndarray | None, quantum: float, prior: float = 0.0) -> Direction:
    """Estimates the direction of (h, w) values where `known`, with the photo's (H, W, 3) uint8 sRGB where there is one.

    `quantum` is the step of the values: smaller differences mean nothing. `prior` is other evidence that larger is nearer. The network
    runs only where it could change the result.
    """
    small, where = _small(values, known)
    if where.sum() < 64:
        return Direction(0.0, 0.0, False)
    rank = _ranks(small, where)
    rows = np.broadcast_to(np.linspace(-1, 1, small.shape[0])[:, None], small.shape)
    nearer = GROUND * _correlation(rank[where], rows[where]) + SKY * _sky(small, where)
    planes = straightness(values, known, quantum)
    if colour is None:
        return Direction(nearer, planes, False)
    nearer += PLANES * planes
    if abs(nearer + prior) <= NETWORK:
        nearer += NETWORK * _correlate_with_network(small, where, colour)
    return Direction(nearer, planes, True)


def _small(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    step = max(1, max(values.shape) // SIDE)
    return values[::step, ::step], known[::step, ::step]


def _ranks(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(h, w) 0..1: ranks of the known values, ties alike, so that outliers have no influence."""
    ranks = np.zeros(values.shape)
    _, index, count = np.unique(values[where], return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    ranks[where] = middle[index.ravel()] / max(1, where.sum() - 1)
    return ranks


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0


def _sky(values: np.ndarray, where: np.ndarray) -> float:
    """Share of the top rows at the least value minus the share at the greatest: sky is farthest."""
    rows = max(1, len(values) // 20)
    top = values[:rows][where[:rows]]
    if not len(top):
        return 0.0
    low, high = np.percentile(values[where], (0.5, 99.5))
    edge = 0.005 * (high - low)
    return float((top <= low + edge).mean() - (top >= high - edge).mean())


def _correlate_with_network(values: np.ndarray, where: np.ndarray, colour: np.ndarray) -> float:
    """Rank correlation between the file's values and the built-in network's inverse depth of the photo."""
    import cv2

    seen = cv2.resize(estimate_small(colour), (values.shape[1], values.shape[0]), interpolation=cv2.INTER_LINEAR)
    return _correlation(_ranks(values, where)[where], _ranks(seen, where)[where])


def estimate_small(colour: np.ndarray) -> np.ndarray:
    """(h, w) float32 inverse depth of the photo by the built-in network, `SIDE` px on its long side; colour (H, W, 3) uint8 sRGB.

    The last photo's answer is kept: several pieces of evidence ask for it.
    """
    step = max(1, max(colour.shape[:2]) // (2 * SIDE))
    small = np.ascontiguousarray(colour[::step, ::step])
    return _seen(small.tobytes(), small.shape)


@lru_cache(maxsize=1)
def _seen(pixels: bytes, shape: tuple[int, ...]) -> np.ndarray:
    from ..built_in.depth import estimate_built_in

    seen = estimate_built_in(np.frombuffer(pixels, np.uint8).reshape(shape), SIDE, mirrored=False)
    seen.setflags(write=False)
    return seen


def straightness(values: np.ndarray, known: np.ndarray, quantum: float) -> float:
    """1 where the values are linear over slanted planes, -1 where their inverses are, 0 where neither can be shown.

    1 / z is linear in the pixel over any plane. So v v'' / v'^2 is 2 where v = z, and 0 where v is inverse depth of any scale and shift.
    """
    step = max(2, round(max(values.shape) / 100))
    if min(values.shape) <= 2 * step:
        return 0.0
    found = []
    for axis in (0, 1):
        v, k = (np.moveaxis(each, axis, 0)[:, :: max(1, step // 2)] for each in (values, known))
        before, here, behind = (v[part].astype(np.float64) for part in (np.s_[: -2 * step], np.s_[step:-step], np.s_[2 * step :]))
        where = k[: -2 * step] & k[step:-step] & k[2 * step :]
        with np.errstate(all="ignore"):
            slope, bend = (behind - before) / 2, before - 2 * here + behind
            # samples without a silhouette between them, where a plane's distances would bend by more than the values' step
            where &= (np.abs(bend) < 0.6 * np.abs(slope)) & (2 * slope**2 > 6 * quantum * np.abs(here))
            found.append((here * bend / slope**2)[where])
    bends = np.concatenate(found)
    if len(bends) < MIN_ON_PLANES:
        return 0.0
    return float((np.abs(bends) < 0.4).mean() - (np.abs(bends - 2) < 0.4).mean())
