"""A diorama's meshes and the images they show, found again in the scene."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ...core.errors import DioramaError
from .keys import ROLE_KEY
from .materials import IMAGE_ROLES
from .root import find_root
from .tint import find_untinted


def root_by_name(name: str) -> bpy.types.Object:
    """The root with that name, looked up again after a build; raises DioramaError where it was deleted meanwhile."""
    root = bpy.data.objects.get(name)
    if root is None or find_root(root) is not root:
        raise DioramaError(f"{name} is gone; select a diorama and rebuild that one.")
    return root


def find_surfaces(root: bpy.types.Object) -> list[bpy.types.Object]:
    """All meshes under the root that were made from the photo, copies among them."""
    return [ob for ob in root.children_recursive if ob.type == "MESH" and ROLE_KEY in ob]


def image_nodes(tree: bpy.types.NodeTree) -> Iterator[bpy.types.Node]:
    """The nodes that show a texture of a diorama, those inside groups too."""
    for node in tree.nodes:
        if node.type == "GROUP" and node.node_tree:
            yield from image_nodes(node.node_tree)
        elif node.type == "TEX_IMAGE" and node.image and node.image.get(ROLE_KEY) in IMAGE_ROLES:
            yield node


def find_images(root: bpy.types.Object) -> dict[str, bpy.types.Image]:
    """The images in the diorama's materials, by texture; with a tint, the tinted ones."""
    return {node.image[ROLE_KEY]: find_untinted(node.image) for node in find_image_nodes(root)}


def find_image_nodes(root: bpy.types.Object) -> list[bpy.types.Node]:
    """The nodes that show a texture of this diorama, in all materials of its surfaces."""
    materials = {slot.material for ob in find_surfaces(root) for slot in ob.material_slots if slot.material}
    return [node for material in materials if material.node_tree for node in image_nodes(material.node_tree)]
