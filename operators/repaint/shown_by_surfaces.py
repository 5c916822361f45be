"""Which texels of a diorama's textures its surfaces show: of those in the scene, and of those of a new build."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ...core.mesh.texture_layout import TextureLayout, shown_texels
from ...core.mesh.triangulate import LayeredMesh
from ..scene.keys import ROLE_KEY
from ..scene.materials import IMAGE_OF, texture_role
from ..scene.surfaces import find_surfaces


def shown_in_scene(root: bpy.types.Object, sizes: Mapping[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    """For each texture, of whose `sizes` in rows and columns, (H, W) bool: what the surfaces under `root` show of it."""
    parts = [(IMAGE_OF[texture_role(ob[ROLE_KEY])], ob.data) for ob in find_surfaces(root)]
    return _together([(texture, _uvs_of(mesh)) for texture, mesh in parts if texture in sizes], sizes)


def shown_by_build(mesh: LayeredMesh, layouts: Mapping[str, TextureLayout]) -> dict[str, np.ndarray]:
    """The same for the surfaces of a build and the textures of its `layouts`."""
    parts = [(IMAGE_OF[part.texture], part.uvs) for part in mesh.meshes]
    return _together([each for each in parts if each[0] in layouts], {texture: layout.size for texture, layout in layouts.items()})


def _together(parts: list[tuple[str, np.ndarray]], sizes: Mapping[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    shown = {texture: np.zeros(size, bool) for texture, size in sizes.items()}
    for texture, uvs in parts:
        shown[texture] |= shown_texels(uvs, sizes[texture])
    return shown


def _uvs_of(mesh: bpy.types.Mesh) -> np.ndarray:
    """(T, 3, 2) float32; none without texture coordinates."""
    layer = mesh.uv_layers.active
    if layer is None:
        return np.zeros((0, 3, 2), np.float32)
    mesh.calc_loop_triangles()
    loops, uvs = np.empty(3 * len(mesh.loop_triangles), np.int32), np.empty(2 * len(mesh.loops), np.float32)
    mesh.loop_triangles.foreach_get("loops", loops)
    layer.uv.foreach_get("vector", uvs)
    return uvs.reshape(-1, 2)[loops].reshape(-1, 3, 2)
