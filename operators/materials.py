"""Textures and materials of a diorama: images packed into the .blend, and the shader that shows them."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.mesh import LayeredMesh
from ..core.photo import Photo, linear_from_srgb
from ..core.settings import SceneSettings

ROLE_KEY = "photo_diorama_role"
"""Custom property that says what a datablock was made for; a rebuild knows it again by this."""


def make_materials(name: str, mesh: LayeredMesh, photo: Photo, settings: SceneSettings) -> dict[str, bpy.types.Material]:
    """The photo's and the atlas's materials by texture name."""
    return {
        "photo": make_material(f"{name} photo", photo_image(name, photo), photo.alpha is not None, settings),
        "atlas": make_material(f"{name} hidden", atlas_image(name, mesh, photo), False, settings),
    }


def photo_image(name: str, photo: Photo) -> bpy.types.Image:
    """The photo at full resolution, packed: its own file where Blender shows that as the same pixels."""
    if photo.file_bytes is not None:
        return packed_image(f"{name} photo", (photo.file_bytes, "sRGB"), "photo")
    pixels = photo.colour if photo.alpha is None else np.dstack([photo.colour, photo.alpha])
    return packed_image(f"{name} photo", _encode(pixels, pixels.dtype), "photo")


def atlas_image(name: str, mesh: LayeredMesh, photo: Photo) -> bpy.types.Image:
    """What was invented, packed, in the photo's own depth of bits."""
    atlas = linear_from_srgb(mesh.atlas) if photo.is_linear else mesh.atlas
    return packed_image(f"{name} hidden", _encode(atlas, photo.colour.dtype), "atlas")


def _encode(pixels: np.ndarray, dtype) -> tuple[bytes, str]:
    """File bytes and Blender's colour space: PNG of 8 or 16 bits for sRGB, OpenEXR for linear."""
    import cv2

    if dtype == np.float32:
        return _encode_exr(pixels), "Linear Rec.709"
    if pixels.dtype == np.float32:
        top = np.iinfo(dtype).max
        pixels = (np.clip(pixels, 0, 1) * top + 0.5).astype(dtype)
    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("the texture could not be encoded")
    return data.tobytes(), "sRGB"


def _encode_exr(pixels: np.ndarray) -> bytes:
    import os

    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    import cv2

    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, data = cv2.imencode(".exr", np.ascontiguousarray(pixels[..., order].astype(np.float32)))
    if not done:
        raise RuntimeError("the texture could not be encoded")
    return data.tobytes()


def packed_image(name: str, encoded: tuple[bytes, str], role: str) -> bpy.types.Image:
    """An image datablock that holds the given file's bytes inside the .blend; a rebuild knows it again by its role."""
    data, colour_space = encoded
    image = bpy.data.images.new(name, 8, 8, alpha=True)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image.colorspace_settings.name = colour_space
    # straight alpha would be multiplied into 8-bit colours and lose them where the picture is thin
    image.alpha_mode = "CHANNEL_PACKED"
    image[ROLE_KEY] = role
    return image


def make_material(name: str, image: bpy.types.Image, transparent: bool, settings: SceneSettings) -> bpy.types.Material:
    """Shadeless (emission of the texture as it is) or Principled, with the photo's alpha where it has one."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image, texture.extension = image, "EXTEND"
    texture.interpolation = "Closest" if settings.texture_filter == "closest" else "Linear"
    texture.location, output.location = (-600, 0), (300, 0)
    if settings.shader == "principled":
        shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
        tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
        shader.inputs["Roughness"].default_value = 1.0
        shader.inputs["Specular IOR Level"].default_value = 0.0
        result = shader.outputs["BSDF"]
    else:
        shader = tree.nodes.new("ShaderNodeEmission")
        tree.links.new(texture.outputs["Color"], shader.inputs["Color"])
        result = shader.outputs["Emission"]
    shader.location = (-250, 0)
    if transparent:
        clear, mix = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
        clear.location, mix.location = (-250, 150), (60, 0)
        tree.links.new(texture.outputs["Alpha"], mix.inputs["Fac"])
        tree.links.new(clear.outputs["BSDF"], mix.inputs[1])
        tree.links.new(result, mix.inputs[2])
        result = mix.outputs["Shader"]
    tree.links.new(result, output.inputs["Surface"])
    return material
