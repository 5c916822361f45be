"""Soft silhouettes take what was painted on the photo: their texture was made of the photo and would keep its old colours."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ...core.mesh.soft_texture import apply_painted_photo
from ...core.mesh.texture_layout import TextureLayout
from ...core.raster.colour_curves import linear_from_srgb
from ..scene.keys import DIGEST_KEY, LAYOUT_KEY, ROLE_KEY, UNPAINTED_KEY, WRITTEN_KEY
from ..scene.materials import digest, packed_image
from .painted import decode_as_texture, find_paint, is_linear, lay_into_file, written_file


def add_photo_to_rims(soft: bpy.types.Image, photo: bpy.types.Image, photo_file: str = "") -> bpy.types.Image:
    """The soft silhouettes' texture as it is with what is painted on the `photo` now; the same image where that is as before.

    What was painted on the soft texture itself stays on top. `photo_file` is the photo's own file.
    """
    ours = soft.get(UNPAINTED_KEY) or written_file(soft)
    layout = TextureLayout.from_values(json.loads(soft.get(LAYOUT_KEY, "null")))
    painted = find_paint(photo, photo_file)
    if ours is None or layout is None or (painted is None and UNPAINTED_KEY not in soft):
        return soft
    if painted is not None and painted.layout is None:  # a photo that was scaled by hand
        return soft
    data = ours
    if painted is not None:
        pixels = np.ascontiguousarray(decode_as_texture(ours, soft))
        levels = None if is_linear(soft) else 65535 if soft.is_float else 255
        if levels == 255:
            pixels[..., :3] = linear_from_srgb(pixels[..., :3])
        texels = apply_painted_photo(pixels, layout, painted.texels, levels)
        if texels.mask.any():
            data, _ = lay_into_file(soft, texels, ours)
    own = find_paint(soft)
    if data == written_file(soft):
        return soft
    name, new = soft.name, _image_like(soft, data, data, ours)
    if own is not None and own.layout is not None:
        painted_file = lay_into_file(new, own.texels, data)
        bare, new = new, _image_like(soft, painted_file[0], data, ours)
        bpy.data.images.remove(bare)
    new.name = name
    return new


def remove_photo_from_rims(soft: bpy.types.Image) -> bpy.types.Image:
    """A new image like the soft silhouettes' texture, as it was built."""
    ours = soft[UNPAINTED_KEY]
    return _image_like(soft, ours, ours, ours)


def _image_like(soft: bpy.types.Image, data: bytes, written: bytes, ours: bytes) -> bpy.types.Image:
    """A new image like the texture that shows `data`, where `written` is what nobody painted on, and `ours` what was built."""
    space = "Linear Rec.709" if is_linear(soft) else "sRGB"
    new = packed_image(soft.name, (data, space), soft[ROLE_KEY])
    new.colorspace_settings.name = soft.colorspace_settings.name
    new[LAYOUT_KEY], new[WRITTEN_KEY], new[DIGEST_KEY] = soft[LAYOUT_KEY], written, digest(written)
    if written != ours:
        new[UNPAINTED_KEY] = ours
    return new
