"""Measures of the shape that a depth network gives: far over near, flatness of planes, silhouettes in place, width of their ramps.

All take inverse depth with its zero at infinity, (H, W), any scale. `zeroed` gives an answer of unknown shift the zero that the
extension gives it: its least value a hundredth of its largest.
"""

import cv2
import numpy as np

EDGE_SIDE = 640
RAMP_SIDE = 960
JUMP = 0.05  # of the range, across two pixels at EDGE_SIDE
TOLERANCE = 2  # px at EDGE_SIDE


def zeroed(disparity: np.ndarray, shift_known: bool, shift: float | None = None) -> np.ndarray:
    """Inverse depth that is never below a thousandth of its largest value; with an unknown shift the least becomes a hundredth.

    `shift` is what the network says of it, in parts of the range.
    """
    if not shift_known:
        low, high = float(disparity.min()), float(disparity.max())
        relative = (disparity - low) / max(high - low, 1e-9)
        disparity = 0.01 + 0.99 * relative if shift is None else relative + np.float32(shift)
    return np.maximum(disparity, 1e-3 * float(disparity.max()))


def far_over_near(guess: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> float:
    """By what factor (at least 1) the ratio of the 5th and 95th percentile of depth is wrong, over pixels that are no sky."""
    known = valid & (truth > 0)
    ratio = lambda values: float(np.divide(*np.percentile(values[known], (95, 5))))
    found, true = ratio(guess), ratio(truth)
    return max(found / true, true / found)


def normals(inverse: np.ndarray, focal: float, step: int) -> np.ndarray:
    """(H, W, 3) unit normals of the surface, by differences over `step` pixels both ways; `focal` in pixels."""
    height, width = inverse.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    depth = 1 / np.maximum(inverse, 1e-9)
    points = np.dstack([(x - (width - 1) / 2) / focal * depth, (y - (height - 1) / 2) / focal * depth, depth])
    difference = lambda axis: np.roll(points, -step, axis) - np.roll(points, step, axis)
    normal = np.cross(difference(1), difference(0))
    return normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12)


def planes(truth: np.ndarray, valid: np.ndarray, focal: float, step: int) -> np.ndarray:
    """(H, W) bool: where true normals turn by less than 2 degrees within two steps, well inside, and no sky."""
    normal = normals(truth, focal, step)
    reach = 4 * step + 1
    mean = cv2.blur(normal, (reach, reach))
    flat = np.linalg.norm(mean, axis=2) > np.cos(np.radians(2))
    known = cv2.erode((valid & (truth > 0)).astype(np.uint8), np.ones((reach, reach), np.uint8), borderValue=0) > 0
    inside = np.zeros_like(flat)
    inside[2 * step : -2 * step, 2 * step : -2 * step] = True
    return flat & known & inside


def flatness(guess: np.ndarray, truth: np.ndarray, valid: np.ndarray, focal: float) -> float:
    """Median angle in degrees between true and found normals on planes; nan where there are next to none."""
    step = max(2, round(max(truth.shape) / 100))
    where = planes(truth, valid, focal, step)
    if where.sum() < 500:
        return float("nan")
    cosine = (normals(guess, focal, step) * normals(truth, focal, step)).sum(2)[where]
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def _resized(inverse: np.ndarray, side: int, nearest: bool) -> np.ndarray:
    factor = side / max(inverse.shape)
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.resize(inverse.astype(np.float32), None, fx=factor, fy=factor, interpolation=how)


def depth_edges(inverse: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels across which disparity jumps by over JUMP of its range within two pixels, thinned to the largest jump."""
    low, high = np.percentile(inverse, (1, 99))
    level = np.clip(inverse, low, high) / max(float(high - low), 1e-9)
    edges = np.zeros(inverse.shape, bool)
    for axis in (0, 1):
        jump = np.abs(np.roll(level, -1, axis) - np.roll(level, 1, axis))
        largest = (jump >= np.roll(jump, 1, axis)) & (jump > np.roll(jump, -1, axis))
        edges |= (jump > JUMP) & largest
    edges[[0, -1]] = edges[:, [0, -1]] = False
    return edges


def silhouettes(guess: np.ndarray, truth: np.ndarray, nearest: bool = True) -> tuple[float, float, float]:
    """Precision, recall and F1 of depth edges at EDGE_SIDE, within TOLERANCE; nan where truth has next to none."""
    true = depth_edges(_resized(truth, EDGE_SIDE, nearest))
    found = depth_edges(cv2.resize(guess.astype(np.float32), true.shape[::-1], interpolation=cv2.INTER_LINEAR))
    if true.sum() < 100:
        return (float("nan"),) * 3
    wide = lambda edges: cv2.dilate(edges.astype(np.uint8), np.ones((2 * TOLERANCE + 1,) * 2, np.uint8)) > 0
    precision = float(wide(true)[found].mean()) if found.any() else 0.0
    recall = float(wide(found)[true].mean())
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def ramp_width(guess: np.ndarray, truth: np.ndarray, nearest: bool = True) -> float:
    """Median width in px at RAMP_SIDE of the found ramp across true jumps of over 15 % of the range: its rise over its steepest slope.

    Only where the found rise is at least half the true one; nan where there are fewer than 50 such pixels.
    """
    truth = _resized(truth, RAMP_SIDE, nearest)
    guess = cv2.resize(guess.astype(np.float32), truth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    scale = lambda values: np.clip(values, *np.percentile(values, (1, 99))) / max(float(np.ptp(np.percentile(values, (1, 99)))), 1e-9)
    true, found, reach, widths = scale(truth), scale(guess), 24, []
    for axis in (0, 1):
        jump = np.abs(np.roll(true, -2, axis) - np.roll(true, 2, axis))
        peak = (jump > 0.15) & (jump >= np.roll(jump, 1, axis)) & (jump > np.roll(jump, -1, axis))
        cut = [slice(reach + 1, -reach - 1) if k == axis else slice(None) for k in (0, 1)]
        at = np.argwhere(peak[tuple(cut)])[::7]
        if not len(at):
            continue
        at[:, axis] += reach + 1
        offset = np.arange(-reach, reach + 1)
        rows = at[:, :1] + (offset if axis == 0 else 0 * offset)
        columns = at[:, 1:] + (offset if axis == 1 else 0 * offset)
        profile, real = found[rows, columns], true[rows, columns]
        rise, real_rise = np.abs(profile[:, -1] - profile[:, 0]), np.abs(real[:, -1] - real[:, 0])
        keep = (real_rise > 0.12) & (rise > 0.5 * real_rise)
        widths.append(rise[keep] / np.maximum(np.abs(np.diff(profile[keep], axis=1)).max(1), 1e-6))
    widths = np.concatenate(widths) if widths else np.empty(0)
    return float(np.median(widths)) if len(widths) >= 50 else float("nan")
