"""What holds of every layered depth image, and the scenes filled once for all tests that look at them."""

from __future__ import annotations

from functools import cache

import numpy as np
from scenes import BORDERED, EVERY

from photo_diorama.core.inpaint import inpaint
from photo_diorama.core.layers import OPPOSITE, STEPS, LayeredDepthImage
from photo_diorama.core.mesh import LayeredMesh, triangulate
from photo_diorama.core.settings import InpaintSettings, LayerSettings, MeshSettings


@cache
def filled(name: str, settings: LayerSettings = BORDERED) -> LayeredDepthImage:
    """A scene by name, split and inpainted."""
    return inpaint(EVERY[name]().split(settings), settings, InpaintSettings())[0]


@cache
def meshed(name: str, settings: LayerSettings = BORDERED, density: float = 1.0, scale: int = 1) -> LayeredMesh:
    """A scene by name as triangles; its photo is `scale` times as large as its depth."""
    return triangulate(filled(name, settings), EVERY[name]().photo(scale), True, MeshSettings(density=density))


def framed(image: LayeredDepthImage, array: np.ndarray) -> np.ndarray:
    """The part of a canvas array (..., h, w) that lies within the photo's frame."""
    top, left, height, width = image.frame
    return array[..., top : top + height, left : left + width]


def assert_links_are_mutual(image: LayeredDepthImage) -> None:
    """If layer k links to layer j on one side, layer j links back to k from there, and both pixels are present."""
    h, w = image.shape
    for k, layer in enumerate(image.layers):
        assert layer.links.dtype == np.int8 and layer.links.shape == (4, h, w)
        assert layer.links.min() >= -1 and layer.links.max() < len(image.layers)
        for side, (dr, dc) in enumerate(STEPS):
            r, c = np.nonzero(layer.links[side] >= 0)
            assert layer.present[r, c].all(), f"layer {k} links from pixels that are not there"
            to, rr, cc = layer.links[side][r, c], r + dr, c + dc
            assert ((rr >= 0) & (rr < h) & (cc >= 0) & (cc < w)).all(), f"layer {k} links beyond the canvas"
            for j in np.unique(to):
                one = to == j
                other = image.layers[j]
                assert other.present[rr[one], cc[one]].all(), f"layer {k} links to pixels that layer {j} has not"
                back = other.links[OPPOSITE[side]][rr[one], cc[one]]
                assert (back == k).all(), f"{(back != k).sum()} links from layer {k} to {j} are not mutual"


def torn_corners(image: LayeredDepthImage, k: int) -> set[tuple[int, int]]:
    """Segments of the pixel grid along which layer k ends or is torn, each as its two corner indices in order."""
    h, w = image.shape
    layer = image.layers[k]
    segments = set()
    for side, ends in enumerate((((0, 1), (1, 1)), ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((0, 0), (0, 1)))):
        r, c = np.nonzero(layer.present & (layer.links[side] != k))
        a, b = ((r + dr) * (w + 1) + c + dc for dr, dc in ends)
        segments.update(zip(a.tolist(), b.tolist(), strict=True))
    return segments
