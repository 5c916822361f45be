"""Manual edits of a photo's depth: make a region one plane, push it behind its surroundings, put it at another depth.

All values are disparity (1/m): planes are linear over the picture, and equal steps look alike from the camera.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import DioramaError
from ..photo.photo import Photo
from .depth_map import DepthMap
from .resample_depth import resample

FARTHER_THAN_ALL = 0.1
"""Edited disparity never falls below this part of the smallest one found, so that nothing is moved beyond infinity."""
PLANE_TRIALS, PLANE_SAMPLE, REFINEMENTS = 200, 2000, 4
INLIER = 3 * 1.4826
"""Residuals up to so many median deviations belong to the plane (three standard deviations of normal noise)."""
MIN_PIXELS = 4

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes disparity and mask, (h, w) float32 and bool, and returns the new disparity; the mask's outside is not looked at."""


@dataclass(frozen=True)
class DepthEdit:
    """The depth that was found for a photo, and the depth as it was edited by hand; where both are equal, nothing was edited."""

    original: np.ndarray  # (h, w) float32, 1/m
    edited: np.ndarray  # (h, w) float32, 1/m

    @property
    def changed(self) -> np.ndarray:
        """(h, w) bool"""
        return self.edited != self.original

    @cached_property
    def key(self) -> str:
        """Equal for equal contents."""
        digest = hashlib.blake2b(np.ascontiguousarray(self.original).data, digest_size=16)
        digest.update(np.ascontiguousarray(self.edited).data)
        return f"{self.edited.shape} {digest.hexdigest()}"


def carry_edit_over(edit: DepthEdit | None, depth: DepthMap, photo: Photo) -> DepthMap:
    """The newly found depth with the edited pixels put in. Where it differs from the depth at the time of the edit (another size, distance
    of the nearest point, network or file), the edited values follow the scale and shift that map the old depth onto the new one.
    """
    if edit is None or not edit.changed.any():
        return depth
    original, edited, changed = _fit_to_size(edit, depth.disparity.shape, photo)
    scale, shift = _fit(original, depth.disparity, changed)
    floor = FARTHER_THAN_ALL * float(depth.disparity.min())
    values = np.maximum(np.where(np.isfinite(edited), edited * scale + shift, depth.disparity), floor)
    disparity = np.where(changed, values, depth.disparity).astype(np.float32)
    normals = None if depth.normals is None else np.where(changed[..., None], np.float32(0), depth.normals)
    return replace(depth, disparity=disparity, known=depth.known | changed, normals=normals, source=f"{depth.source}, edited by hand")


def _fit_to_size(edit: DepthEdit, shape: tuple[int, ...], photo: Photo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import cv2

    if edit.original.shape == shape:
        return edit.original, edit.edited, edit.changed
    known, colour = np.ones(edit.original.shape, bool), photo.working_colour(*shape)
    original, edited = (resample(values, known, colour, *shape)[0] for values in (edit.original, edit.edited))
    changed = cv2.resize(edit.changed.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return original, edited, changed.astype(bool)


def _fit(old: np.ndarray, new: np.ndarray, changed: np.ndarray) -> tuple[float, float]:
    """Scale and shift from the old disparity to the new: least squares without outliers."""
    if old.shape == new.shape and np.allclose(old, new, rtol=1e-5, atol=0):
        return 1.0, 0.0
    use = ~changed if changed.mean() < 0.95 else np.ones_like(changed)
    x, y = old[use].astype(np.float64), new[use].astype(np.float64)
    step = max(1, len(x) // 100_000)
    x, y = x[::step], y[::step]
    keep, scale, shift = np.ones(len(x), bool), 1.0, 0.0
    for _ in range(REFINEMENTS):
        if np.ptp(x[keep]) <= 1e-9 * max(abs(x).max(), 1e-12):
            return float(np.median(y) / np.median(x)), 0.0
        scale, shift = np.polyfit(x[keep], y[keep], 1)
        off = np.abs(y - scale * x - shift)
        keep = off <= INLIER * np.median(off) + 1e-9
    if scale <= 0:  # the two depths contradict each other: only the order of size can be taken over
        return float(np.median(y) / np.median(x)), 0.0
    return float(scale), float(shift)


def change_region(disparity: np.ndarray, mask: np.ndarray, change: Change, feather: float = 0.0) -> np.ndarray:
    """Disparity (h, w) float32 with `change` applied inside `mask`, blended in over `feather` pixels from its edge inwards.

    Raises DioramaError where the region is too small.
    """
    if mask.sum() < MIN_PIXELS:
        raise DioramaError("The region is empty or a few pixels only; paint a mask over it or select its faces first.")
    window = _window(mask, 0)
    new = change(disparity, mask)
    weight = fade(mask, feather)[window]
    result = disparity.copy()
    result[window] += (weight * (new[window] - disparity[window])).astype(np.float32)
    exact = weight == 1  # not the last bit is left to rounding
    result[window][exact] = new[window][exact]
    return np.maximum(result, FARTHER_THAN_ALL * float(disparity.min())).astype(np.float32)


def fade(mask: np.ndarray, feather: float) -> np.ndarray:
    """(h, w) float32: 0 outside the mask, 1 inside, a smooth step over `feather` pixels; the photo's frame is no edge."""
    import cv2

    if feather <= 0:
        return mask.astype(np.float32)
    wide = np.pad(mask, 1, mode="edge")
    distance = cv2.distanceTransform(wide.astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    if not (~wide).any():
        return np.ones(mask.shape, np.float32)
    part = np.clip(distance / np.float32(feather + 1), 0, 1)
    return (part * part * (3 - 2 * part)).astype(np.float32)


def _window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )


def make_plane(disparity: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fits one plane in space to the region; up to nearly half of its pixels may belong to something else.

    Least median of squares (Rousseeuw 1984) over random triples of pixels, then least squares over the inliers.
    """
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows, np.ones(len(rows))], axis=1).astype(np.float64)
    points[:, :2] -= points[:, :2].mean(axis=0)
    values = disparity[rows, columns].astype(np.float64)
    rng = np.random.default_rng(0)
    some = rng.choice(len(rows), min(len(rows), PLANE_SAMPLE), replace=False)
    best, plane = np.inf, None
    for _ in range(PLANE_TRIALS):
        three = rng.choice(some, 3, replace=False)
        if abs(np.linalg.det(points[three])) < 1e-6:
            continue
        trial = np.linalg.solve(points[three], values[three])
        off = np.median(np.abs(points[some] @ trial - values[some]))
        if off < best:
            best, plane = off, trial
    if plane is None:
        raise DioramaError("The region is a single line, through which many planes go; make it wider.")
    for _ in range(REFINEMENTS):
        off = np.abs(points @ plane - values)
        near = off <= INLIER * np.median(off) + 1e-7 * np.abs(values).max()
        if np.linalg.matrix_rank(points[near]) < 3:
            break
        plane = np.linalg.lstsq(points[near], values[near], rcond=None)[0]
    result = disparity.copy()
    result[rows, columns] = points @ plane
    return result


def surroundings(disparity: np.ndarray, mask: np.ndarray, ring: int = 3) -> np.ndarray:
    """(h, w) float32: inside the region, the disparity of its surroundings continued smoothly; unchanged elsewhere.

    Raises DioramaError where the region is the whole picture.
    """
    import cv2

    from ..raster.push_pull import push_pull

    side = 2 * ring + 1
    outside = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool) & ~mask
    if not outside.any():
        raise DioramaError("The region is the whole photo, so nothing surrounds it; choose a part of it.")
    window = _window(mask, ring + 1)
    values = np.repeat(disparity[window][..., None], 3, axis=2)
    result = disparity.copy()
    result[window][mask[window]] = push_pull(values, outside[window])[..., 0][mask[window]]
    return result


def push(gap: float, front: bool = False, keep_relief: bool = True) -> Change:
    """Puts the region `gap` (1/m) behind its surroundings, or in front of them.

    With its own relief it moves as a whole until 95 % of it is there, and the rest is clipped; without, it follows its surroundings.
    """
    sign = np.float32(1 if front else -1)

    def change(disparity: np.ndarray, mask: np.ndarray) -> np.ndarray:
        wanted = surroundings(disparity, mask) + sign * np.float32(gap)
        result = disparity.copy()
        if keep_relief:
            lacking = sign * (wanted[mask] - disparity[mask])
            result[mask] += sign * np.float32(np.percentile(lacking, 95))
            limit = np.maximum if front else np.minimum
            result[mask] = limit(result[mask], wanted[mask])
        else:
            result[mask] = wanted[mask]
        return result

    return change


def set_disparity(value: float, keep_relief: bool = False) -> Change:
    """Puts the region at the disparity `value` (1/m): flat and facing the camera, or its middle there with its relief kept."""

    def change(disparity: np.ndarray, mask: np.ndarray) -> np.ndarray:
        result = disparity.copy()
        result[mask] = disparity[mask] - np.median(disparity[mask]) + np.float32(value) if keep_relief else np.float32(value)
        return result

    return change


def move(amount: float) -> Change:
    """Brings the region nearer by `amount` (1/m), or farther where it is negative."""

    def change(disparity: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.where(mask, disparity + np.float32(amount), disparity)

    return change


def smooth(radius: float) -> Change:
    """Smooths the region by a Gaussian of so many pixels that ignores everything outside the region."""
    import cv2

    def change(disparity: np.ndarray, mask: np.ndarray) -> np.ndarray:
        share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius)
        blurred = cv2.GaussianBlur(np.where(mask, disparity, 0).astype(np.float32), (0, 0), radius)
        return np.where(mask, blurred / np.maximum(share, 1e-6), disparity).astype(np.float32)

    return change


def disparity_at(disparity: np.ndarray, u: float, v: float) -> float:
    """Disparity (1/m) at a place of the photo, u right and v down from 0 to 1: the median of 3 x 3 pixels.

    Raises DioramaError outside the photo.
    """
    if not (0 <= u <= 1 and 0 <= v <= 1):
        raise DioramaError("The point lies outside the photo; pick one that the photo shows.")
    h, w = disparity.shape
    row, column = min(int(v * h), h - 1), min(int(u * w), w - 1)
    return float(np.median(disparity[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]))


def mask_of_triangles(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) bool: pixels whose centre lies in one of the triangles (n, 3, 2), given as columns and rows from 0 to w and h."""
    import cv2

    # three times as fine: OpenCV draws outlines as well, which then do not reach the centre of the pixel beside
    fine = np.zeros((3 * shape[0], 3 * shape[1]), np.uint8)
    near = np.clip(np.nan_to_num(corners), -4 * max(shape), 8 * max(shape))
    for triangle in np.rint((3 * near - 0.5) * 16).astype(np.int32):
        cv2.fillConvexPoly(fine, triangle, (1,), shift=4)
    return fine[1::3, 1::3].astype(bool)


def mask_of_picture(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) bool from a painted picture (H, W) float32 of any size: what is brighter than half."""
    import cv2

    if values.shape != shape:
        kind = cv2.INTER_AREA if values.shape[0] > shape[0] else cv2.INTER_LINEAR
        values = cv2.resize(np.nan_to_num(values).astype(np.float32), shape[::-1], interpolation=kind)
    return values > 0.5
