"""Whether a large unknown region at the top of metric depth is the sky: by its place, the photo and the built-in network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .direction import SIDE, estimate_small
from .unknown import enlarge, sky_sized_regions

SMALLEST, SLIVER = 0.02, 0.001
"""Smallest part of the picture that a sky without distances has, and of its other pieces at the top; smaller regions are holes."""
REPORTED = 0.05
"""The smallest part of the picture at which an unknown region that may be sky is reported."""
MIN_SAMPLES = 64
"""Fewest known samples that a region can be compared with."""
FARTHER, FARTHEST = 0.15, 0.05
"""Three quarters of a sky's pixels are, for the network, farther than all but this part of the known pixels; the second part holds where
the photo's colours are checked too."""
PREDICTED = 0.5
"""A sky's inverse depth, as the network predicts it, is below this part of that of the surfaces around it."""
ORDER_IS_ENOUGH = 0.08
"""Surfaces around the region below this part of the nearest inverse depth: whether it is sky changes little, so the order is enough."""
SMOOTH, BLUE, BRIGHT, BRIGHTER = 0.012, 0.12, 0.9, 0.15
"""A sky as photos show it: gradient a pixel at most, blue above red at least, or brightness and how far above that of the rest, 0..1."""
SWEEPS = 8
"""Of iteratively reweighted least squares."""


@dataclass(frozen=True)
class Sky:
    """The unknown pixels of metric depth that are put far away."""

    far: np.ndarray  # (h, w) bool
    notes: tuple[str, ...] = ()
    taken: str = ""  # how an unknown region that may be sky was treated: "far" or "filled"; "": there is none, or the user decided


def place_sky(distances: np.ndarray, known: np.ndarray, unknown: np.ndarray, option: str, colour: np.ndarray | None) -> Sky:
    """The sky among `unknown`, by the option `depth_sky` (`option`); arrays as in `sky_of_unknown`."""
    if option == "unknown" or not unknown.any():
        return Sky(np.zeros_like(unknown))
    maybe = sky_sized_regions(unknown)
    if option == "farthest":
        return Sky(maybe)
    sky = sky_of_unknown(distances, known, unknown, colour)
    if sky.any():
        return Sky(sky, (f"{sky.mean():.0%} of it, unknown and where place and photo are as of a sky, is put far away",), "far")
    part = float(maybe.mean())
    if part > REPORTED:
        return Sky(sky, (f"{part:.0%} of it, where a sky may be, is unknown and filled from beside it",), "filled")
    return Sky(sky)


def sky_of_unknown(distances: np.ndarray, known: np.ndarray, unknown: np.ndarray, colour: np.ndarray | None) -> np.ndarray:
    """(h, w) bool: the part of `unknown` that is taken for the sky.

    A region that touches the top, ends above the bottom and is large, and of which the photo says the same: the network sees it
    beyond nearly all that is known, and either predicts it well beyond its surroundings, or the region is as smooth and as blue or
    bright as a sky. Order alone is not enough: the far wall of a room is farthest too. `distances` (h, w) in any unit, where `known`;
    `colour` (H, W, 3) uint8 sRGB, or None, where place and size alone decide.
    """
    step = max(1, max(distances.shape) // SIDE)
    gap, where = unknown[::step, ::step], known[::step, ::step]
    regions = regions_at_the_top(gap, SMALLEST)
    if not regions or (colour is not None and where.sum() < MIN_SAMPLES):
        return np.zeros_like(unknown)
    if colour is not None:
        inverse = np.where(where, 1 / np.maximum(distances[::step, ::step], 1e-9), 0)
        evidence = _Evidence(inverse, where, colour)
        regions = [region for region in regions if evidence.is_sky(region)]
        if regions:  # what poles and branches cut off from it
            regions += [region for region in regions_at_the_top(gap, SLIVER) if evidence.place(region) <= FARTHER]
    return enlarge(np.any(regions, axis=0), step, unknown) if regions else np.zeros_like(unknown)


def regions_at_the_top(gap: np.ndarray, smallest: float = SMALLEST) -> list[np.ndarray]:
    """The connected regions of (h, w) bool `gap` that touch the top, end above the bottom and are that part of the picture or more."""
    import cv2

    count, labels, facts, _ = cv2.connectedComponentsWithStats(gap.astype(np.uint8), connectivity=8)
    top, height, area = (facts[:, column] for column in (cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    fitting = (top == 0) & (height < gap.shape[0]) & (area >= smallest * gap.size)
    return [labels == number for number in range(1, count) if fitting[number]]


def looks_nearer(far: np.ndarray, known: np.ndarray, colour: np.ndarray) -> bool:
    """Whether the infinite pixels are, for the network, nearer than half of the known pixels, so that they are holes."""
    step = max(1, max(far.shape) // SIDE)
    gap, where = far[::step, ::step], known[::step, ::step]
    if not gap.any() or where.sum() < MIN_SAMPLES:
        return False
    seen = _resize(estimate_small(colour), gap.shape)
    return bool(np.median(seen[gap]) > np.median(seen[where]))


class _Evidence:
    """What photo, network and known depth say about regions of one depth map, all arrays of one small size."""

    def __init__(self, inverse: np.ndarray, known: np.ndarray, colour: np.ndarray):
        import cv2

        self.inverse, self.known = inverse, known
        self.seen = _resize(estimate_small(colour), known.shape).astype(np.float64)
        self.ranks = np.sort(self.seen[known])
        self.colour = _resize(colour, known.shape).astype(np.float32) / 255
        self.grey = self.colour.mean(axis=2)
        self.gradient = np.hypot(cv2.Sobel(self.grey, -1, 1, 0), cv2.Sobel(self.grey, -1, 0, 1)) / 8
        self.nearest = float(np.percentile(inverse[known], 95))
        self.fit = _robust_line(self.seen[known], inverse[known])

    def is_sky(self, region: np.ndarray) -> bool:
        """`region` (h, w) bool, unknown."""
        place = self.place(region)
        if place > FARTHER:
            return False
        around = self._around(region)
        predicted = float(self.fit[0] * np.median(self.seen[region]) + self.fit[1])
        if predicted < PREDICTED * around or around < ORDER_IS_ENOUGH * self.nearest:
            return True
        return place <= FARTHEST and self._looks_like_sky(region)

    def place(self, region: np.ndarray) -> float:
        """The share of known pixels that are, for the network, farther than three quarters of the region."""
        return float(np.percentile(np.searchsorted(self.ranks, self.seen[region]), 75)) / len(self.ranks)

    def _around(self, region: np.ndarray) -> float:
        """Median inverse depth of the known pixels beside the region."""
        import cv2

        ring = cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & self.known
        return float(np.median(self.inverse[ring if ring.any() else self.known]))

    def _looks_like_sky(self, region: np.ndarray) -> bool:
        import cv2

        inner = cv2.erode(region.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        inner = inner if inner.any() else region
        bright, rest = float(np.median(self.grey[inner])), float(np.median(self.grey[self.known]))
        blue = float(np.median(self.colour[..., 2][inner] - self.colour[..., 0][inner]))
        smooth = float(np.percentile(self.gradient[inner], 75)) < SMOOTH
        return smooth and (blue > BLUE or (bright > BRIGHT and bright > rest + BRIGHTER))


def _resize(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    import cv2

    smaller = picture.shape[0] > shape[0]
    return cv2.resize(picture, shape[1::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and shift of y over x with least absolute deviations, by iteratively reweighted least squares."""
    step = max(1, len(x) // 8192)
    x, y = x[::step], y[::step].astype(np.float64)
    least, weight = 0.02 * max(float(np.percentile(y, 95)), 1e-12), np.ones_like(x)
    slope, shift = 0.0, float(np.median(y))
    for _ in range(SWEEPS):
        mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
        spread = float(np.average((x - mean_x) ** 2, weights=weight))
        if spread <= 1e-12:
            break
        slope = float(np.average((x - mean_x) * (y - mean_y), weights=weight)) / spread
        shift = float(mean_y - slope * mean_x)
        weight = 1 / np.maximum(np.abs(slope * x + shift - y), least)
    return slope, shift
