"""What holds of every layered depth image, and the scenes filled once for all tests that look at them."""

from __future__ import annotations

from functools import cache

import numpy as np
from scenes import BORDERED, EVERY

from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.layers.layered_depth_image import OPPOSITE, STEPS, LayeredDepthImage
from photo_diorama.core.mesh.triangulate import LayeredMesh, triangulate
from photo_diorama.core.settings import InpaintSettings, LayerSettings, MeshSettings


@cache
def filled(name: str, settings: LayerSettings = BORDERED) -> LayeredDepthImage:
    """A scene by name, split and inpainted."""
    return inpaint(EVERY[name]().split(settings), settings, InpaintSettings())[0]


@cache
def meshed(
    name: str, settings: LayerSettings = BORDERED, density: float = 1.0, scale: int = 1, backdrop=False, lit=False, triangles=0
) -> LayeredMesh:
    """A scene by name as triangles, those of the layers alone; its photo is `scale` times as large as its depth."""
    return triangulate(filled(name, settings), EVERY[name]().photo(scale), True, MeshSettings(triangles, density, backdrop), lit=lit)


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


def on_picture(layered, mesh) -> np.ndarray:
    """(T, 3, 2) image coordinates of the triangles' corners in the photo's pixels: u right, v down."""
    u, v = layered.camera.project(mesh.vertices.astype(np.float64))
    return np.stack([u, v], axis=1)[mesh.triangles]


def areas(corners: np.ndarray) -> np.ndarray:
    """Signed areas of (T, 3, 2) triangles, positive where counter-clockwise with the second coordinate up."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


def covered(corners: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each pixel centre lies strictly inside a triangle, and how often inside or on its edge."""
    low, high = np.floor(corners.min(axis=1)).astype(int), np.ceil(corners.max(axis=1)).astype(int)
    size = high - low
    count = size[:, 0] * size[:, 1]
    triangle = np.repeat(np.arange(len(corners)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    x = low[triangle, 0] + place % size[triangle, 0]
    y = low[triangle, 1] + place // size[triangle, 0]
    edges = []
    for i in range(3):
        (ax, ay), (bx, by) = corners[triangle, i].T, corners[triangle, (i + 1) % 3].T
        edges.append((bx - ax) * (y + 0.5 - ay) - (by - ay) * (x + 0.5 - ax))
    side = np.stack(edges) * np.sign(areas(corners))[triangle]
    ok = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    pixel = y * width + x
    strictly = np.bincount(pixel[ok & (side > 1e-9).all(axis=0)], minlength=width * height)
    loosely = np.bincount(pixel[ok & (side > -1e-4).all(axis=0)], minlength=width * height)
    return strictly, loosely


def assert_layers_are_sound(image) -> None:
    """Links are mutual, and each layer lies behind what hides it."""
    assert_links_are_mutual(image)
    for k, layer in list(enumerate(image.layers))[1:]:
        front = image.layers[k - 1]
        assert layer.present.any() and front.present[layer.present].all()
        assert (layer.disparity < front.disparity)[layer.present].all()
        assert np.isfinite(layer.disparity[layer.present]).all() and (layer.disparity[layer.present] > 0).all()
        assert (layer.colour[layer.present] >= 0).all() and (layer.colour[layer.present] <= 1).all()
