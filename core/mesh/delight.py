"""Delight: estimates the shading in the photo so that it can be divided out and new light can fall on the scene.

Shading is what follows the normals: within colours of one hue, log radiance is fitted by spherical harmonics of order two of
the normal (Ramamoorthi and Hanrahan 2001: nine of them describe diffuse light), one fit per channel, so that warm sun and blue sky
are removed with their own colours. The rest is smoothed within surfaces, and half of its slow part is taken for cast light.
It is an estimate: paint that gets darker with the slope of a surface looks like shading, and hard shadows stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..camera.camera import Camera
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.soft_silhouettes import Matte
from ..photo.photo import Photo
from ..raster.colour_curves import linear_from_srgb, srgb_from_linear
from ..raster.guided_filter import guided_filter, window_mean
from .atlas import add_sheet, pack_atlas
from .backdrop import lay_backdrop
from .normals import find_slopes, normal_map
from .soft_texture import pack_soft

DARKEST = 0.004
"""Linear radiance added before the logarithm, below which noise dominates."""
HUES, SAMPLES, ROUNDS = 8, 20000, 5
RIDGE = 0.01
"""Ridge regression: weight, as a part of the samples, that keeps the fit small where the photo says little."""
SLOW = 0.05
"""Half the window of the low-pass filter, as a part of the long side."""
SLOW_PART, MAX_SLOW = 0.5, 0.35
"""Part of the low-pass remainder that counts as light, the rest being paint; and its largest amount, as a logarithm."""
MAX_CORRECTION = 1.6
"""Largest correction, as a logarithm: about five times."""
BRIGHTEST = 0.9
"""Linear albedo of the brightest material: white paint."""


@dataclass(frozen=True)
class Shading:
    """Factors of linear colours that remove the light, for each layer of the canvas."""

    factor: np.ndarray  # (layers, h, w, 3) float32, above 0
    frame: tuple[int, int, int, int]  # top, left, height, width of the photo on the canvas


def find_shading(image: LayeredDepthImage, camera: Camera) -> Shading:
    """The light on the photo and, by the same fit, on what was invented. Deterministic."""
    slopes = find_slopes(image, camera)
    basis = [harmonics(normal_map(slopes, image, camera, k)) for k in range(len(image.layers))]
    logs = [np.log(linear_from_srgb(layer.colour) + DARKEST) for layer in image.layers]
    weights = _fit(basis[0], logs[0], ~image.layers[0].synthesised)
    fitted = [b @ weights for b in basis]
    seen = ~image.layers[0].synthesised
    remainder, hue = (logs[0] - fitted[0]).mean(axis=2), hues(logs[0])
    paint = np.bincount(hue[seen], remainder[seen], HUES**2) / np.maximum(np.bincount(hue[seen], minlength=HUES**2), 1)
    remainder = np.clip(remainder - paint[hue], -1, 1)
    slow = _smooth_within_surfaces(remainder, seen, image.layers[0].disparity, 4 * image.threshold, max(4, round(SLOW * image.long_side)))
    slow = np.clip(SLOW_PART * (slow - np.median(slow[seen])), -MAX_SLOW, MAX_SLOW)[..., None]
    shading = np.stack([f + slow for f in fitted])
    shading = np.clip(shading - np.median(shading[0][seen], axis=0), -MAX_CORRECTION, MAX_CORRECTION)
    factor = np.exp(-shading).astype(np.float32)
    # paint is at most white, and the whole is to be about as bright as before
    brightest = np.percentile(linear_from_srgb(image.layers[0].colour)[seen] * factor[0][seen], 99.5)
    return Shading(factor * np.float32(min(1.0, BRIGHTEST / max(brightest, 1e-6))), image.frame)


def harmonics(normals: np.ndarray) -> np.ndarray:
    """(..., 3) unit normals -> (..., 8) float32: real spherical harmonics of order 1 and 2, unscaled; the constant is left to albedo."""
    x, y, z = np.moveaxis(normals, -1, 0)
    return np.stack([x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], axis=-1).astype(np.float32)


def _fit(basis: np.ndarray, logs: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(8, 3) weights of the harmonics per channel: robust least squares with one albedo per hue."""
    rows = np.flatnonzero(seen)
    rows = rows[:: max(1, len(rows) // SAMPLES)]
    b, target = basis.reshape(-1, basis.shape[-1])[rows].astype(np.float64), logs.reshape(-1, 3)[rows].astype(np.float64)
    hue = hues(target)
    weight = np.ones(len(rows))
    result = np.zeros((b.shape[1], 3))
    for _ in range(ROUNDS):
        inner, outer = _within(b, hue, weight), _within(target, hue, weight)
        scaled = inner * weight[:, None]
        result = np.linalg.solve(inner.T @ scaled + RIDGE * len(rows) * np.eye(b.shape[1]), scaled.T @ outer)
        off = np.abs(outer - inner @ result).mean(axis=1)
        weight = 1 / np.maximum(off, 0.1)  # least absolute deviations: patterns of the paint do not pull
        weight /= weight.mean()
    return result


def hues(logs: np.ndarray) -> np.ndarray:
    """(..., 3) log colours -> (...) int: bin of their chroma, HUES squared bins, independent of brightness."""
    chroma = logs - logs.mean(axis=-1, keepdims=True)
    return np.clip(np.floor((chroma[..., [0, 2]] + 1.2) / 2.4 * HUES), 0, HUES - 1).astype(int) @ [HUES, 1]


def _within(values: np.ndarray, group: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values minus the weighted mean of their group: what is constant within a hue explains nothing."""
    total = np.maximum(np.bincount(group, weight), 1e-9)
    means = np.stack([np.bincount(group, weight * column) / total for column in values.T], axis=1)
    return values - means[group]


def _smooth_within_surfaces(values: np.ndarray, known: np.ndarray, disparity: np.ndarray, apart: float, radius: int) -> np.ndarray:
    """The slow part of `values` within surfaces, continued where nothing is known. A guided filter with the disparity as guide:
    disparity knows no paint, so patterns and things of another colour on one surface leave no trace."""
    weight = known.astype(np.float32) + np.float32(1e-4)
    values, guide = np.where(known, values, 0).astype(np.float32), disparity.astype(np.float32)
    return guided_filter(values, guide, window_mean(radius, weight), apart**2)


def delit_textures(image: LayeredDepthImage, matte: Matte | None, photo: Photo, backdrop: bool) -> dict[str, np.ndarray]:
    """All textures of a diorama with the shading removed: "photo", "atlas" and, with a matte, "soft", each with the layout of the
    texture that it replaces. `image` and `matte` are what was triangulated."""
    shading = find_shading(image, photo.camera)
    layers = [
        replace(layer, colour=srgb_from_linear(linear_from_srgb(layer.colour) * factor))
        for layer, factor in zip(image.layers, shading.factor, strict=True)
    ]
    without = replace(image, layers=tuple(layers))
    atlas, sheet = pack_atlas(without), lay_backdrop(without) if backdrop and image.see_through is None else None
    if sheet is not None:
        atlas, _ = add_sheet(atlas, sheet.colour)
    plain = replace(photo, colour=delit(photo, shading))
    textures = {"photo": plain.colour if photo.alpha is None else np.dstack([plain.colour, photo.alpha]), "atlas": atlas.texture}
    if matte is not None:
        factor = shading.factor[0]
        matte = replace(matte, foreground=matte.foreground * factor, background=matte.background * factor)
        textures["soft"] = pack_soft(image, plain, matte).texture
    return textures


def delit(photo: Photo, shading: Shading) -> np.ndarray:
    """The photo's colours with its shading removed, (H, W, 3) of their own type: uint8 or uint16 sRGB, float32 linear."""
    import cv2

    top, left, height, width = shading.frame
    factor = shading.factor[0, top : top + height, left : left + width]
    factor = cv2.resize(factor, photo.colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if photo.is_linear:
        return (photo.colour * factor).astype(np.float32)
    levels = np.iinfo(photo.colour.dtype).max
    lit = srgb_from_linear(np.minimum(linear_from_srgb(photo.colour / np.float32(levels)) * factor, 1))
    return (np.clip(lit, 0, 1) * levels + 0.5).astype(photo.colour.dtype)
