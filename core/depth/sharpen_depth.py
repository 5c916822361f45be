"""Turns the ramps of a depth map at silhouettes into clean steps, so that every pixel belongs to one surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..settings import LayerSettings
from ..silhouettes.ramps import find_ramps
from ..silhouettes.step_depth import is_soft, step_at_silhouettes
from .depth_map import DepthMap
from .resample_depth import grow_surfaces, smooth_silhouettes

WINDOWS = (7, 7, 5, 5)
"""Sides of the four passes' windows at a long side of about 1000 px (Shih et al. 2020, released code)."""


def sharpen(depth: DepthMap, colour: np.ndarray, settings: LayerSettings) -> DepthMap:
    """Gives soft depth one step at each silhouette; short ramps of other depth are cleared by `_sharpen_short_ramps`.

    Depth counts as soft where its ramps are wide, as estimators' are (`is_soft`), or where the estimator also predicts silhouettes;
    measured depth has short ramps and keeps its values elsewhere. `colour` is (h, w, 3) float32 0..1. At a step, the neighbouring
    pixels whose colour mixes both sides go to the foreground, unless the silhouette is to be soft: then alpha divides them.
    """
    low = float(np.percentile(depth.disparity[::2, ::2].astype(float), 0.05))
    relative = ((depth.disparity - low) / depth.span).astype(np.float32)
    ramps = find_ramps(relative)
    if depth.boundary is None and not is_soft(ramps, (relative.shape[0], relative.shape[1])):
        return _sharpen_short_ramps(depth, colour, settings.tear)
    rim = settings.rim_width(max(relative.shape)) if settings.soft_edge == 0 else 0
    stepped, steps = step_at_silhouettes(relative, colour, ramps, settings.tear, rim, depth.boundary)
    disparity = np.where(stepped != relative, stepped * np.float32(depth.span) + np.float32(low), depth.disparity)
    return replace(depth, disparity=np.maximum(disparity, depth.disparity.min()), steps=steps)


def _sharpen_short_ramps(depth: DepthMap, colour: np.ndarray, tear: float) -> DepthMap:
    """A median of ramp pixels alone; then each pixel still on a ramp joins the side whose colour it has.

    On a ramp is a pixel whose disparity jumps the same way on both sides; a clean step or a line one pixel wide is none
    and stays as it is (the reference gates by any jump and so eats thin things). First each ramp pixel takes the median
    of the pixels around it that are on none; windows grow with the map, by spacing their samples. Blurred depth leaves
    a core that no window reaches across: there every pixel takes the disparity of the plateau that it joins by the
    smallest step of brightness. `colour` is (h, w, 3) float32 0..1, `tear` a part of the range of disparity.
    """
    disparity, threshold = depth.disparity, np.float32(tear * depth.span)
    spacing = max(1, round(max(disparity.shape) / 1000))
    ramp = _ramps(disparity, threshold, 7 * spacing)
    if not ramp.any():
        return depth
    slope = _add_slopes(disparity, ramp, threshold, 7 * spacing)
    if slope.all():
        return depth
    disparity = smooth_silhouettes(grow_surfaces(disparity, ~slope, colour), slope)
    for window in WINDOWS:
        ramp = _ramps(disparity, threshold, 7 * spacing)
        if not ramp.any():
            break
        disparity = _median_beside(disparity, ramp, window, spacing)
    return replace(depth, disparity=disparity)


def _add_slopes(disparity: np.ndarray, ramp: np.ndarray, threshold: np.float32, reach: int) -> np.ndarray:
    """The ramps and the pixels within `reach` of a ramp that still slope and are connected to it."""
    import cv2

    row, column = np.gradient(disparity)
    sloping = np.maximum(np.abs(row), np.abs(column)) > threshold / 5
    near = cv2.dilate(ramp.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)).astype(bool)
    count, labels = cv2.connectedComponents(((sloping & near) | ramp).astype(np.uint8), connectivity=8)
    joined = np.zeros(count, bool)
    joined[labels[ramp]] = True
    joined[0] = False
    return joined[labels]


def _ramps(disparity: np.ndarray, threshold: np.float32, reach: int) -> np.ndarray:
    """(h, w) bool: disparity jumps the same way on both sides, along rows or columns, more than twice as steeply as at the flattest
    place within `reach` on either side. So a plane, however steep, is no ramp. Beyond the picture counts as flat."""
    ramp = np.zeros(disparity.shape, bool)
    for axis in (0, 1):
        step = np.diff(disparity, axis=axis)
        before, after = (step[:-1], step[1:]) if axis == 0 else (step[:, :-1], step[:, 1:])
        rim = (reach, 0) if axis == 0 else (0, reach)
        steep = np.zeros([n + 2 * more for n, more in zip(before.shape, rim, strict=True)], np.float32)
        large = steep[rim[0] : rim[0] + before.shape[0], rim[1] : rim[1] + before.shape[1]]
        np.abs(np.add(before, after, out=large), out=large)
        row, column = np.nonzero(large > threshold)  # few, so the rest is asked of them alone
        one, other = before[row, column], after[row, column]
        own = (one * other > 0) & (np.minimum(np.abs(one), np.abs(other)) > threshold / 3)
        row, column = row[own], column[own]
        flat, next_one = steep.ravel(), steep.shape[1] if axis == 0 else 1
        at = (row + rim[0]) * steep.shape[1] + column + rim[1]
        flattest = [np.minimum.reduce([flat.take(at + turn * n) for n in range(reach + 1)]) for turn in (-next_one, next_one)]
        own = flat.take(at) > 2 * np.maximum(*flattest)
        ramp[row[own] + (axis == 0), column[own] + (axis == 1)] = True
    return ramp


def _median_beside(disparity: np.ndarray, ramp: np.ndarray, window: int, spacing: int) -> np.ndarray:
    """Each ramp pixel becomes the lower (farther) median of its window's pixels that are on no ramp."""
    reach = window // 2 * spacing
    padded = np.pad(np.where(ramp, np.float32(np.inf), disparity), reach, mode="edge")
    rows, columns = np.nonzero(ramp)
    width = padded.shape[1]
    start = rows * width + columns
    offsets = (np.arange(window)[:, None] * spacing * width + np.arange(window) * spacing).ravel()
    result = disparity.copy()
    for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // 200_000)):  # bounds the memory
        around = np.sort(padded.ravel()[start[part, None] + offsets], axis=1)
        count = np.isfinite(around).sum(axis=1)
        median = around[np.arange(len(part)), np.maximum(count - 1, 0) // 2]
        r, c = rows[part], columns[part]
        result[r, c] = np.where(count > 0, median, disparity[r, c])
    return result
