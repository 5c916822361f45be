"""The region that an operator works on: the white of the mask, or the faces selected in edit mode."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial

import bpy
import numpy as np

from ...core.depth.edit_depth import mask_of_picture, mask_of_triangles
from ...core.edit_and_rebuild import Mask
from ...core.errors import DioramaError
from ..nodes.relief_nodes import RAY
from ..scene.depth_image import MASK_KEY, image_values, stored_image
from ..scene.keys import ROLE_KEY
from ..scene.root import find_root, kept_source

WHAT_TO_DO = "select faces of the photo in edit mode, or paint the mask white over the region"


def region_property():
    """A declared property for where the region comes from."""
    return bpy.props.EnumProperty(
        name="Region",
        description="Which part of the photo is changed",
        items=[
            ("AUTO", "Selection or Mask", "The selected faces in edit mode, else the painted mask"),
            ("MASK", "Mask", "What is painted white in the diorama's mask"),
            ("SELECTION", "Selection", "The faces of the active layer that are selected"),
        ],
    )


def find_region(context: bpy.types.Context, root: bpy.types.Object, kind: str) -> Mask:
    """The region as a function of the grid's height and width, free of Blender.

    Raises DioramaError where nothing is selected or painted.
    """
    ob = context.object
    if kind == "SELECTION" or (kind == "AUTO" and ob.mode == "EDIT"):
        return partial(_triangles_on, selected_triangles(root, ob))
    image = stored_image(root, MASK_KEY)
    if image is None:
        raise DioramaError(f"There is no region yet: {WHAT_TO_DO}.")
    values = image_values(image)
    if not (values > 0.5).any():
        raise DioramaError(f"The mask {image.name} is empty: {WHAT_TO_DO}.")
    return partial(mask_of_picture, values)


def _triangles_on(triangles: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return mask_of_triangles(triangles * np.array(shape[::-1]), shape)


def selected_triangles(root: bpy.types.Object, ob: bpy.types.Object) -> np.ndarray:
    """(n, 3, 2) places on the photo, 0 to 1 right and down, of the selected faces of a layer as its camera sees them."""
    if ob.type != "MESH" or ROLE_KEY not in ob or find_root(ob) != root:
        raise DioramaError(f"{ob.name} is no layer of the diorama: {WHAT_TO_DO}.")
    ob.update_from_editmode()
    mesh = ob.data
    chosen = np.empty(len(mesh.polygons), bool)
    mesh.polygons.foreach_get("select", chosen)
    if not chosen.any():
        raise DioramaError(f"No face of {ob.name} is selected: {WHAT_TO_DO}.")
    mesh.calc_loop_triangles()
    owner = np.empty(len(mesh.loop_triangles), np.int32)
    corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("polygon_index", owner)
    mesh.loop_triangles.foreach_get("vertices", corners)
    return photo_places(root, mesh)[corners.reshape(-1, 3)[chosen[owner]]]


def photo_places(root: bpy.types.Object, mesh: bpy.types.Mesh) -> np.ndarray:
    """(vertices, 2) where the photo's camera sees each point of a layer, 0 to 1 right and down."""
    rays = np.empty(3 * len(mesh.vertices), np.float32)
    attribute = None if mesh.is_editmode else mesh.attributes.get(RAY)  # in edit mode Blender hands out none
    if attribute is not None and attribute.domain == "POINT" and attribute.data_type == "FLOAT_VECTOR":
        attribute.data.foreach_get("vector", rays)
    else:
        mesh.vertices.foreach_get("co", rays)
    x, y, z = rays.reshape(-1, 3).astype(np.float64).T
    return place_on_photo(root, x, y, z)


def place_on_photo(root: bpy.types.Object, x, y, z) -> np.ndarray:
    """(..., 2) places on the photo of points in the root's space, 0 to 1 right and down.

    Raises DioramaError where the root does not know its camera any more.
    """
    try:
        source = kept_source(root)
        (width, height), focal = source["photo_size"], float(source["focal_px"])
        cx, cy = source.get("centre_px", (width / 2, height / 2))
        ahead = np.where(y > 1e-12, y, np.nan)  # nothing behind the camera is seen
        return np.stack([(cx + focal * x / ahead) / width, (cy - focal * z / ahead) / height], axis=-1)
    except (KeyError, TypeError, ValueError):
        raise DioramaError(f"{root.name} does not know its camera any more; rebuild it first.") from None
