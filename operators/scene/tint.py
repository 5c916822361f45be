"""Tints everything invented: materials show a tinted copy of its texture, and later the texture itself again."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ...core.raster.colour_curves import linear_from_srgb, srgb_from_linear
from .colour_management import SPACES
from .keys import DIGEST_KEY, LAYOUT_KEY, ROLE_KEY, UNPAINTED_KEY, WRITTEN_KEY
from .materials import digest, encode_texture

TINT_OF = "photo_diorama_tint_of"
"""Custom property of a tinted image: the one it was made from."""
TINT_KEY = "photo_diorama_tint"
"""Custom property of the root: red, green, blue and strength of its tint."""
COLOUR, STRENGTH = (1.0, 0.1, 0.6), 0.5


def find_untinted(image: bpy.types.Image) -> bpy.types.Image:
    """The image that a tinted one was made from; any other itself."""
    of = image.get(TINT_OF)
    return of if isinstance(of, bpy.types.Image) else image


def tinted_images(nodes: Iterable[bpy.types.Node]) -> set[bpy.types.Image]:
    """The tinted copies that nodes show."""
    return {node.image for node in nodes if find_untinted(node.image) != node.image}


def kept_tint(root: bpy.types.Object) -> tuple[tuple[float, float, float], float]:
    """Colour and strength of a root's tint."""
    kept = root.get(TINT_KEY)
    try:
        red, green, blue, strength = (min(1.0, max(0.0, float(value))) for value in kept)
    except (TypeError, ValueError):
        return COLOUR, STRENGTH
    return (red, green, blue), strength


def tint(nodes: Iterable[bpy.types.Node], colour: tuple[float, float, float], strength: float) -> None:
    """Nodes that show what was invented show a copy of it, mixed with a colour (sRGB) by strength."""
    copies = {}
    for node in nodes:
        image = find_untinted(node.image)
        if image.get(ROLE_KEY) == "atlas":
            if image not in copies:
                copies[image] = tinted_copy(image, colour, strength)
            node.image = copies[image]


def tinted_copy(image: bpy.types.Image, colour: tuple[float, float, float], strength: float) -> bpy.types.Image:
    """A packed copy of an image, mixed with a colour; its alpha stays."""
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    wanted = np.array(colour, np.float32)
    if image.is_float:  # its values are linear
        wanted = linear_from_srgb(wanted)
    picture = pixels.reshape(-1, image.channels)
    picture[:, :3] += np.float32(strength) * (wanted - picture[:, :3])
    copy = image.copy()
    copy.name = f"{image.name} tinted"
    copy.pixels.foreach_set(pixels)
    copy.update()
    pack_pixels(copy)
    copy[TINT_OF] = image
    for key in (WRITTEN_KEY, UNPAINTED_KEY, DIGEST_KEY, LAYOUT_KEY):
        copy.pop(key, None)
    copy[DIGEST_KEY] = digest(bytes(copy.packed_file.data))
    return copy


def pack_pixels(image: bpy.types.Image) -> None:
    """Packs what an image shows now. Of 16 bits Blender would write linear values under a name that says sRGB, and they would be
    darker when the file is opened again."""
    if not image.is_float or image.colorspace_settings.name in SPACES["Linear Rec.709"]:
        image.pack()
        return
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    picture = np.clip(pixels.reshape(image.size[1], image.size[0], image.channels)[::-1], 0, 1)
    picture[..., :3] = srgb_from_linear(picture[..., :3])
    data, _ = encode_texture(picture, np.uint16)
    image.pack(data=data, data_len=len(data))
    image.buffers_free()


def take_off(nodes: Iterable[bpy.types.Node]) -> None:
    """Removes the tint: nodes show the untinted texture again."""
    nodes = list(nodes)
    copies = tinted_images(nodes)
    for node in nodes:
        node.image = find_untinted(node.image)
    bpy.data.batch_remove([image for image in copies if not image.users])
