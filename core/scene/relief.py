"""Relief: changes how far each point is from the camera, by disparity alone.

Blender nodes do the same (operators/nodes/relief_nodes.py). Points stay on their own rays, so the photo's camera sees no
change. A plane stays a plane while disparity changes affinely: by near and far distance always, by an amount up to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORDER = 0.002
"""Part of the measured relief that is always kept, so that what lies behind stays behind on the flattest card."""
KNEE = 0.1
"""Width of the bend into the flattened distance, as a part of that distance's disparity."""
MIN_RANGE = 1.002
"""Far over near is at least this: nothing can be turned inside out."""
FARTHEST = 1000.0
"""Nothing is moved farther away than this many far distances."""


@dataclass(frozen=True)
class Relief:
    """Distances are in metres along the optical axis; `near`, `far` replace the measured ones, the others are measured."""

    amount: float  # 1 as measured, 0 a flat card at the focus distance
    near: float  # where the nearest measured surface goes
    far: float  # where the farthest goes
    focus: float  # surfaces here stay where they are for every amount
    flatten: float  # surfaces beyond are flattened onto this distance; 0 flattens nothing
    measured_near: float
    measured_far: float


def apply_relief(disparity: np.ndarray, relief: Relief) -> np.ndarray:
    """Disparity (any shape, 1/m, positive) -> disparity with the relief changed, float64, positive, never in another order.

    >>> measured = dict(near=1.0, far=4.0, focus=2.0, flatten=0.0, measured_near=1.0, measured_far=4.0)
    >>> 1 / apply_relief([1.0, 0.5, 0.25], Relief(amount=1.0, **measured))
    array([1., 2., 4.])
    >>> (1 / apply_relief([1.0, 0.5, 0.25], Relief(amount=0.0, **measured))).round(2)  # a flat card at the focus
    array([2., 2., 2.])
    """
    scale, shift, least = range_mapping(relief)
    measured = np.maximum(scale * np.asarray(disparity, np.float64) + shift, least)

    wall = max(scale / relief.flatten + shift, 0.0) if relief.flatten > 0 else 0.0
    bend = KNEE * wall
    flat = np.maximum(measured, wall)
    if bend > 0:  # a smooth maximum: a sharp one would let large triangles behind cut through small ones before them
        flat = flat + bend * np.log1p(np.exp(-np.abs(measured - wall) / bend))

    amount, focus = max(relief.amount, 0.0), 1 / relief.focus
    pivot = max(scale * focus + shift, least)
    straight = amount * flat + (1 - amount) * pivot
    # an amount above 1 would push what is far beyond infinity: there distances grow instead of disparities shrinking
    stretched = 1 / (1 / pivot + amount * np.maximum(1 / flat - 1 / pivot, 0))
    formed = np.maximum(straight, stretched)

    # what keeps the order is the diorama scaled to the new focus distance, or to the new range where that is deeper
    deep = pivot + max(scale, pivot / focus) * (np.asarray(disparity, np.float64) - focus)
    return (1 - ORDER) * formed + ORDER * np.maximum(deep, least)


def transform_normals(normals: np.ndarray, rays: np.ndarray, forward: int, disparity: np.ndarray, relief: Relief) -> np.ndarray:
    """Normals (n, 3) of surfaces as measured -> those with the relief changed; `rays` have 1 on their `forward` axis.

    Points move by p -> p h(d) / d with their depth d, so normals by the inverse transpose of that map's derivative:
    n - forward (ray . n) (1 - q' / (q dq'/dq)), with the disparities q before and q' after.
    """
    q, eps = np.asarray(disparity, np.float64), 1e-5
    slope = (apply_relief(q * (1 + eps), relief) - apply_relief(q * (1 - eps), relief)) / (2 * eps * q)
    turned = np.array(normals, np.float64)
    turned[:, forward] -= (rays * turned).sum(axis=1) * (1 - apply_relief(q, relief) / (q * slope))
    return turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-20)


def range_mapping(relief: Relief) -> tuple[float, float, float]:
    """Scale and offset that take measured disparity to that between the new near and far distance, and the least result."""
    far, near = 1 / relief.far, max(1 / relief.near, MIN_RANGE / relief.far)
    measured_far = 1 / relief.measured_far
    measured_near = max(1 / relief.measured_near, MIN_RANGE / relief.measured_far)
    scale = (near - far) / (measured_near - measured_far)
    return scale, far - scale * measured_far, far / FARTHEST
