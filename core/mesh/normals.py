"""Normals from an estimator where it tells them, else from the depth: of a plane fitted to the disparity around each pixel.

A plane in space is a plane in disparity over the picture: 1 / z = A x + B y + C with x, y = (u - cx) / f, (v - cy) / f, and
(A, B, C) is its normal. So the slope of disparity, smoothed, gives smooth normals that know nothing of the triangles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..camera.camera import Camera
from ..layers.layered_depth_image import DOWN, LEFT, RIGHT, UP, Layer, LayeredDepthImage, neighbour
from ..raster.guided_filter import guided_filter, window_mean

SMOOTHING = 0.005
"""Half the side of the window that slopes are averaged over, as a part of the long side."""
GRAZING = 0.1
"""Least cosine between an estimated normal and the ray to the camera."""


def find_slopes(image: LayeredDepthImage, camera: Camera) -> np.ndarray:
    """(layers, h, w, 2) float32: disparity's slope along columns and rows in 1/m a pixel, smoothed within surfaces.

    Where an estimator gives the photo's normals, the slopes are theirs; beside silhouettes, where both mix two surfaces, those of the
    surface further in. `camera` is the photo's.
    """
    radius = max(2, round(SMOOTHING * image.long_side))
    slopes = np.zeros((len(image.layers), *image.shape, 2), np.float32)
    for k, layer in enumerate(image.layers):
        trust = _away_from_tears(layer, k, 4 * radius)
        estimated = None if k or image.normals is None else _estimated_slopes(image, image.normals, camera)
        for axis, (after, before) in enumerate(((RIGHT, LEFT), (DOWN, UP))):
            total, count = np.zeros(image.shape, np.float32), np.zeros(image.shape, np.float32)
            for side, sign in ((after, 1), (before, -1)):
                linked = layer.links[side] == k
                total += np.where(linked, sign * (neighbour(layer.disparity, side, 0) - layer.disparity), 0)
                count += linked
            rough = total / np.maximum(count, 1)
            if estimated is not None:
                rough, count = np.where(estimated.sure, estimated.slopes[..., axis], rough), np.where(estimated.sure, 2, count)
            slope = _smooth(rough, layer.disparity, count * trust, radius, image.threshold)
            if estimated is not None:
                slope = np.where(estimated.sure, trust * rough + (1 - trust) * slope, slope)
            slopes[k, ..., axis] = slope
    return slopes


class EstimatedSlopes(NamedTuple):
    """Slopes of the first layer's planes with the normals that an estimator gives."""

    slopes: np.ndarray  # (h, w, 2) float32, 1/m a pixel
    sure: np.ndarray  # (h, w) bool, where they are of use


def _estimated_slopes(image: LayeredDepthImage, normals: np.ndarray, camera: Camera) -> EstimatedSlopes:
    """The slopes of planes with `normals`, (h, w, 3) on the canvas.

    With n . (x, y, 1) = -k / z for n = -k (A, B, C), A = n_x / z / (n . (x, y, 1)): unsure where a surface is seen from its edge.
    """
    x, y, focal = _picture_plane(image, camera)
    towards = normals[..., 0] * x + normals[..., 1] * y + normals[..., 2]
    sure = image.layers[0].present & (towards < -GRAZING * np.sqrt(1 + x * x + y * y))
    part = np.where(sure, image.layers[0].disparity / np.where(sure, towards, 1), 0) / focal
    return EstimatedSlopes((normals[..., :2] * part[..., None]).astype(np.float32), sure)


def _picture_plane(image: LayeredDepthImage, camera: Camera) -> tuple[np.ndarray, np.ndarray, float]:
    """x (w,) and y (h, 1) of the canvas' pixel centres on the plane at distance 1, and the focal length in its pixels."""
    top, left, height, width = image.frame
    small = camera.resized(width, height)
    x = (np.arange(image.shape[1]) - left + 0.5 - small.cx) / small.focal_px
    y = ((np.arange(image.shape[0]) - top + 0.5 - small.cy) / small.focal_px)[:, None]
    return x, y, small.focal_px


def _away_from_tears(layer: Layer, k: int, reach: int) -> np.ndarray:
    """(h, w) float32: weight that falls towards a silhouette, where depth is often flattened or mixed."""
    import cv2

    whole = layer.present.copy()
    for side in range(4):
        whole &= (layer.links[side] == k) | ~neighbour(np.ones_like(whole), side, False)
    return np.clip(cv2.distanceTransform(whole.astype(np.uint8), cv2.DIST_L2, 5) / reach, 0.03, 1) ** 2


def _smooth(slope, disparity, weight, radius: int, threshold: float) -> np.ndarray:
    """A weighted guided filter with the disparity as guide: surfaces at different depths are averaged apart."""
    guide = np.where(weight > 0, disparity, 0).astype(np.float32)
    return guided_filter(slope, guide, window_mean(radius, weight, 1e-6), (threshold / 2) ** 2)


def vertex_normals(
    slopes: np.ndarray, layer, rows: np.ndarray, columns: np.ndarray, triangles: np.ndarray, disparity: np.ndarray,
    x: np.ndarray, y: np.ndarray, focal: float,
) -> np.ndarray:  # fmt: skip
    """(V, 3) float32 unit normals of vertices towards the camera, axes x right, y down, z forward.

    `layer` of each triangle, (T,) or one number; `rows`, `columns` (V,) place the vertices on the canvas, x and y on the
    picture plane at distance 1; `focal` in pixels of the canvas. A vertex takes the mean of the pixels of its triangles.
    """
    r, c = rows[triangles], columns[triangles]
    height, width = slopes.shape[1:3]
    # the pixel beside the vertex that the triangle lies on: half a pixel from it towards the triangle's centre
    pixel_r = np.floor(np.rint(r) + 0.5 * np.sign(r.mean(axis=1, keepdims=True) - r)).astype(np.intp)
    pixel_c = np.floor(np.rint(c) + 0.5 * np.sign(c.mean(axis=1, keepdims=True) - c)).astype(np.intp)
    of = slopes[np.broadcast_to(np.reshape(layer, (-1, 1)), r.shape), np.clip(pixel_r, 0, height - 1), np.clip(pixel_c, 0, width - 1)]
    vertex = triangles.ravel()
    count = np.maximum(np.bincount(vertex, minlength=len(rows)), 1)
    a, b = (np.bincount(vertex, of[..., i].ravel(), len(rows)) / count * focal for i in (0, 1))
    normal = -np.stack([a, b, disparity - a * x - b * y], axis=1)
    return (normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def normal_map(slopes: np.ndarray, image: LayeredDepthImage, camera: Camera, k: int = 0) -> np.ndarray:
    """(h, w, 3) float32: the normals of one layer's pixels, as in `vertex_normals`. `camera` is the photo's."""
    x, y, focal = _picture_plane(image, camera)
    a, b = slopes[k, ..., 0] * focal, slopes[k, ..., 1] * focal
    normal = -np.stack([a, b, image.layers[k].disparity - a * x - b * y], axis=2)
    return (normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12)).astype(np.float32)
