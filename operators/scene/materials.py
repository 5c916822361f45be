"""Textures and materials of a diorama: images packed into the .blend, and the shader that shows them."""

from __future__ import annotations

import hashlib
import json

import bpy
import numpy as np

from ...core.errors import DioramaError
from ...core.layers.layered_depth_image import ADDED_ROLE
from ...core.mesh.triangulate import LayeredMesh
from ...core.photo.photo import Photo
from ...core.raster.colour_curves import linear_from_srgb
from ...core.raster.exr_encode import encode_exr
from ...core.settings import SceneSettings
from .colour_management import mark_colour_space
from .keys import DIGEST_KEY, LAYOUT_KEY, ROLE_KEY, WRITTEN_KEY

ALBEDO = "albedo"
IMAGE_ROLES = tuple(f"{image}{kind}" for image in ("photo", "atlas", "soft") for kind in ("", f" {ALBEDO}"))
"""Roles of a diorama's images."""


BATCH = 1 << 16
"""Pixels that are compared at a time, to save memory."""
IMAGE_OF = {"photo": "photo", "atlas": "atlas", "soft": "soft", "cleaned": "soft"}
"""Which image the material of a texture shows: soft silhouettes and what lies behind them share one."""
NAMES = {"photo": "photo", "atlas": "hidden", "soft": "soft", "cleaned": "cleaned"}


def texture_role(role: str) -> str:
    """Which texture the surface of a role shows."""
    if role.startswith(f"{ADDED_ROLE} "):
        return "atlas"
    kind = role.split()[-1] if role else role  # "part 1 photo" is split off "photo"
    return kind if kind in ("photo", "soft", "cleaned") else "atlas"


def make_images(name: str, mesh: LayeredMesh, photo: Photo) -> dict[str, bpy.types.Image]:
    """All images that a diorama shows, packed, by what they are."""
    images = {"photo": photo_image(name, photo)}
    return images | made_images(name, mesh, photo)


def made_images(name: str, mesh: LayeredMesh, photo: Photo) -> dict[str, bpy.types.Image]:
    """Those of them that change with every build."""
    images = {"atlas": atlas_image(name, mesh, photo)}
    if mesh.soft is not None:
        images["soft"] = _own_image(f"{name} soft", mesh.soft, mesh.soft.dtype, "soft")
    for texture, pixels in (mesh.albedo or {}).items():
        if texture == "atlas" and photo.is_linear:
            pixels = linear_from_srgb(pixels)
        role = f"{texture} {ALBEDO}"
        images[role] = _own_image(f"{name} {NAMES[texture]} {ALBEDO}", pixels, photo.colour.dtype, role)
    for role, image in images.items():
        if (layout := mesh.layouts.get(role.split()[0])) is not None:
            image[LAYOUT_KEY] = json.dumps(layout.values())
    return images


def make_materials(
    name: str, mesh: LayeredMesh, photo: Photo, settings: SceneSettings, images: dict[str, bpy.types.Image] | None = None
) -> dict[str, bpy.types.Material]:
    """A material for each texture that the mesh shows; `images` as `make_images` gives them."""
    images = images or make_images(name, mesh, photo)
    textures = {"photo", "atlas"} | {part.texture for part in mesh.meshes}
    return {t: texture_material(name, t, images, photo, settings) for t in IMAGE_OF if t in textures}


def texture_material(name: str, texture: str, images: dict, photo: Photo, settings: SceneSettings) -> bpy.types.Material:
    """The material of one texture of the diorama called `name`."""
    transparent = texture == "soft" or (photo.alpha is not None and texture in ("photo", "cleaned"))
    material = make_material(
        f"{name} {NAMES[texture]}", images[IMAGE_OF[texture]], transparent, settings, images.get(f"{IMAGE_OF[texture]} {ALBEDO}")
    )
    if texture == "soft":  # without the noise of dithering; there is one such object, so nothing needs sorting
        material.surface_render_method = "BLENDED"
        show_in_solid(material.node_tree, images["photo"], settings)
    return material


def show_in_solid(tree: bpy.types.NodeTree, photo: bpy.types.Image, settings: SceneSettings) -> None:
    """Makes the photo the material's active image: the viewport's Solid mode shows that, and cannot mix images by alpha."""
    node = _texture(tree, photo, (-700, 350), settings)
    node.label = "Shown in Solid view"
    tree.nodes.active = node


def photo_image(name: str, photo: Photo) -> bpy.types.Image:
    """The photo at full resolution, packed: its own file where Blender shows that as the same pixels."""
    pixels = photo.colour if photo.alpha is None else np.dstack([photo.colour, photo.alpha])
    if photo.file_bytes is not None:
        image = packed_image(f"{name} photo", (photo.file_bytes, "sRGB"), "photo")
        if shows(image, pixels):
            return image
        bpy.data.images.remove(image)  # decoders differ over damaged files; ours are the pixels that were built upon
    return _own_image(f"{name} photo", pixels, pixels.dtype, "photo")


def shows(image: bpy.types.Image, pixels: np.ndarray) -> bool:
    """Whether Blender decodes the packed file to exactly these (H, W, 3|4) uint8 pixels."""
    import cv2

    height, width, channels = pixels.shape
    if tuple(image.size) != (width, height) or image.is_float:
        return False
    decoded = np.empty(height * width * 4, np.float32)
    image.pixels.foreach_get(decoded)
    decoded = decoded.reshape(height, width, 4)  # from the bottom row upwards
    rows = max(1, BATCH // width)
    for top in range(0, height, rows):
        wanted = np.ascontiguousarray(pixels[top : top + rows])
        wanted = wanted if channels == 4 else cv2.cvtColor(wanted, cv2.COLOR_RGB2RGBA)  # opaque
        shown = cv2.convertScaleAbs(decoded[height - top - len(wanted) : height - top], alpha=255)[::-1]  # rounds
        if not np.array_equal(shown, wanted):
            return False
    return True


def atlas_image(name: str, mesh: LayeredMesh, photo: Photo) -> bpy.types.Image:
    """What was invented, packed, in the photo's own depth of bits."""
    atlas = linear_from_srgb(mesh.atlas) if photo.is_linear else mesh.atlas
    return _own_image(f"{name} hidden", atlas, photo.colour.dtype, "atlas")


def _own_image(name: str, pixels: np.ndarray, dtype, role: str) -> bpy.types.Image:
    """Our pixels as a packed image; raises DioramaError where Blender could not decode it and would show magenta."""
    encoded = encode_texture(pixels, dtype)
    image = packed_image(name, encoded, role)
    if not role.startswith("photo"):  # the photo's file is large, and on disk; it gets the key when it was painted on and is saved
        image[WRITTEN_KEY] = encoded[0]
    if tuple(image.size) != pixels.shape[1::-1]:
        bpy.data.images.remove(image)
        raise DioramaError(
            f'Blender cannot read the image "{name}" of {pixels.shape[1]}x{pixels.shape[0]} pixels that was made for it, '
            "perhaps for lack of memory; close other programs or scale the photo down."
        )
    return image


def encode_texture(pixels: np.ndarray, dtype) -> tuple[bytes, str]:
    """File bytes and Blender's colour space: PNG of 8 or 16 bits for sRGB, OpenEXR for linear."""
    import cv2

    if dtype == np.float32:
        return encode_exr(pixels), "Linear Rec.709"
    if pixels.dtype == np.float32:
        top = np.iinfo(dtype).max
        pixels = (np.clip(pixels, 0, 1) * top + 0.5).astype(dtype)
    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("the texture could not be encoded")
    return data.tobytes(), "sRGB"


def packed_image(name: str, encoded: tuple[bytes, str], role: str) -> bpy.types.Image:
    """An image datablock that holds the given file's bytes inside the .blend; a rebuild knows it again by its role."""
    data, colour_space = encoded
    image = bpy.data.images.new(name, 8, 8, alpha=True)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    mark_colour_space(image, colour_space)
    # straight alpha would be multiplied into 8-bit colours and lose them where the picture is thin
    image.alpha_mode = "CHANNEL_PACKED"
    image[ROLE_KEY], image[DIGEST_KEY] = role, digest(data)
    return image


def digest(data: bytes) -> str:
    """By which a texture's file is known again as the one that we wrote."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def make_material(
    name: str, image: bpy.types.Image, transparent: bool, settings: SceneSettings, albedo: bpy.types.Image | None = None
) -> bpy.types.Material:
    """Shows the image by the shader that was chosen, through its alpha where `transparent`; mixed with its `albedo`."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output = _node(tree, "ShaderNodeOutputMaterial", (300, 0))
    texture = _texture(tree, image, (-700, 0), settings)
    colour = texture.outputs["Color"]
    if albedo is not None:
        colour = _mixed(tree, colour, _texture(tree, albedo, (-700, -300), settings).outputs["Color"], settings.delight)
    result = SHADERS[settings.shader](material, colour, settings)
    if transparent:
        clear, mix = _node(tree, "ShaderNodeBsdfTransparent", (-250, 200)), _node(tree, "ShaderNodeMixShader", (100, 0))
        tree.links.new(texture.outputs["Alpha"], mix.inputs["Fac"])
        tree.links.new(clear.outputs["BSDF"], mix.inputs[1])
        tree.links.new(result, mix.inputs[2])
        result = mix.outputs["Shader"]
    tree.links.new(result, output.inputs["Surface"])
    return material


def _node(tree, kind: str, location: tuple[float, float]):
    node = tree.nodes.new(kind)
    node.location = location
    return node


def _texture(tree, image: bpy.types.Image, location: tuple[float, float], settings: SceneSettings):
    node = _node(tree, "ShaderNodeTexImage", location)
    node.image, node.extension = image, "EXTEND"
    node.interpolation = "Closest" if settings.texture_filter == "closest" else "Linear"
    return node


def _mixed(tree, one, other, part: float):
    """The colour `one` with a part of `other`; the node's factor goes on as a slider for the artist."""
    mix = _node(tree, "ShaderNodeMix", (-430, -120))
    mix.data_type, mix.label = "RGBA", "Delight"
    sockets = {socket.identifier: socket for socket in mix.inputs}
    sockets["Factor_Float"].default_value = part
    tree.links.new(one, sockets["A_Color"])
    tree.links.new(other, sockets["B_Color"])
    return next(socket for socket in mix.outputs if socket.identifier == "Result_Color")


def _principled(material, colour, settings: SceneSettings):
    tree = material.node_tree
    shader = _node(tree, "ShaderNodeBsdfPrincipled", (-250, 0))
    tree.links.new(colour, shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = settings.roughness
    # even a rough dielectric has a sheen, which would lie on top of the one in the photo
    shader.inputs["Specular IOR Level"].default_value = 0.0 if settings.roughness == 1 else 0.5
    return shader.outputs["BSDF"]


def _emission(material, colour, settings: SceneSettings):
    tree = material.node_tree
    shader = _node(tree, "ShaderNodeEmission", (-250, 0))
    tree.links.new(colour, shader.inputs["Color"])
    shader.inputs["Strength"].default_value = settings.emission_strength
    return shader.outputs["Emission"]


def _shadeless(material, colour, settings: SceneSettings):
    """Emission for rays of the camera, of reflections and through glass; for all others a diffuse surface, which takes
    light and occludes but emits none (as "shadeless" in Blender's own Images as Planes)."""
    tree = material.node_tree
    unlit, surface = _node(tree, "ShaderNodeEmission", (-350, 0)), _node(tree, "ShaderNodeBsdfDiffuse", (-350, -130))
    path, seen = _node(tree, "ShaderNodeLightPath", (-700, 400)), _node(tree, "ShaderNodeMath", (-450, 350))
    either, mix = _node(tree, "ShaderNodeMath", (-270, 350)), _node(tree, "ShaderNodeMixShader", (-100, 0))
    either.use_clamp = True
    tree.links.new(path.outputs["Is Camera Ray"], seen.inputs[0])
    tree.links.new(path.outputs["Is Glossy Ray"], seen.inputs[1])
    tree.links.new(seen.outputs["Value"], either.inputs[0])
    tree.links.new(path.outputs["Is Transmission Ray"], either.inputs[1])
    for shader in (unlit, surface):
        tree.links.new(colour, shader.inputs["Color"])
    tree.links.new(either.outputs["Value"], mix.inputs["Fac"])
    tree.links.new(surface.outputs["BSDF"], mix.inputs[1])
    tree.links.new(unlit.outputs["Emission"], mix.inputs[2])
    if hasattr(material, "cycles"):
        material.cycles.emission_sampling = "NONE"  # else Cycles looks for light on every triangle and finds none
    return mix.outputs["Shader"]


SHADERS = {"shadeless": _shadeless, "principled": _principled, "emission": _emission}
MATERIAL_OPTIONS = {"shader", "emission_strength", "roughness", "delight"}
"""Options that a material depends on; a rebuild makes new materials where one of them changed."""
