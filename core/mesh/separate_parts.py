"""Splits the meshes where an artist split the photo's surface: each part gets its own meshes, with what it hides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..layers.layered_depth_image import ADDED_ROLE, BACK, LayeredDepthImage
from ..raster.nearest_known import nearest_known
from .triangulate import LayeredMesh, TexturedMesh


def separate_parts(mesh: LayeredMesh, image: LayeredDepthImage) -> LayeredMesh:
    """The same triangles in one mesh for each role and part: "photo" and "part 1 photo", "hidden 1" and "part 1 hidden 1"."""
    if image.layers[0].part is None:
        return mesh
    meshes = []
    for each in mesh.meshes:
        if each.role.split()[0] in ("backdrop", ADDED_ROLE):  # one sheet behind all of them; what was never of the photo
            meshes.append(each)
            continue
        of = parts_of_triangles(each, part_map(each.role, image), mesh, image)
        for number in np.unique(of):
            meshes.append(select_triangles(each, of == number, f"part {number} {each.role}" if number else each.role))
    return replace(mesh, meshes=tuple(meshes))


def part_map(role: str, image: LayeredDepthImage) -> np.ndarray:
    """(h, w) uint8: the part of each pixel on the canvas where a surface of that role is. For images that were split."""
    first, part = image.layers[0], image.layers[0].part
    if role.startswith("hidden "):
        part = image.layers[int(role.split()[1])].part
    assert part is not None, "nothing was split off"
    if role == "soft" and image.skirt:
        return np.where(image.layers[image.skirt].present, part_of_skirt(image), part)
    if role == "cleaned" and len(image.layers) > 1 and image.layers[1].part is not None:
        own = first.soft == BACK if first.soft is not None else np.zeros(part.shape, bool)
        return np.where(own, part, image.layers[1].part)
    return part


def part_of_skirt(image: LayeredDepthImage) -> np.ndarray:
    """(h, w) uint8: a skirt belongs to the nearest pixel of the photo's surface that is as near as the skirt itself."""
    import cv2

    first, skirt = image.layers[0], image.layers[image.skirt]
    assert first.part is not None, "nothing was split off"
    source = cv2.dilate(skirt.present.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~skirt.present
    near = cv2.dilate(np.where(skirt.present, skirt.disparity, 0), np.ones((3, 3), np.uint8)) - first.disparity
    source &= near <= image.threshold
    if not source.any():
        return first.part
    return first.part.ravel()[nearest_known(source)[1]]


def parts_of_triangles(each: TexturedMesh, parts: np.ndarray, mesh: LayeredMesh, image: LayeredDepthImage) -> np.ndarray:
    """(T,) int: the part of each triangle, by most of the connected surface that it belongs to.

    A single triangle may lie a little beside its pixel, where silhouettes were smoothed; no surface has two parts.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    top, left, height, width = image.frame
    u, v = mesh.camera.project(each.vertices[each.triangles].astype(np.float64).mean(axis=1))
    row = np.clip(np.floor(v / mesh.camera.height * height + top).astype(int), 0, parts.shape[0] - 1)
    column = np.clip(np.floor(u / mesh.camera.width * width + left).astype(int), 0, parts.shape[1] - 1)
    own = parts[row, column].astype(np.int64)
    if each.role in ("soft", "cleaned"):  # bands as narrow as these hang together along whole silhouettes, past cuts
        return own
    a, b, c = each.triangles.T
    pairs = coo_matrix((np.ones(2 * len(a), bool), (np.concatenate([a, b]), np.concatenate([b, c]))), shape=(len(each.vertices),) * 2)
    count, piece = connected_components(pairs, directed=False)
    numbers = int(own.max()) + 1
    votes = np.bincount(piece[a] * numbers + own, minlength=count * numbers).reshape(count, numbers)
    return votes.argmax(axis=1)[piece[a]]


def select_triangles(each: TexturedMesh, chosen: np.ndarray, role: str) -> TexturedMesh:
    """A mesh of some of the triangles, with the vertices that they need."""
    used = np.zeros(len(each.vertices), bool)
    used[each.triangles[chosen].ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    normals = getattr(each, "normals", None)
    more = {} if normals is None else {"normals": normals[used]}
    return replace(
        each,
        role=role,
        vertices=each.vertices[used],
        triangles=number[each.triangles[chosen]],
        uvs=each.uvs[chosen],
        **more,
    )
