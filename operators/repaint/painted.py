"""What an artist painted on a texture since we wrote it: found, kept when the file is saved, laid into the texture of a new build."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...core.layer_changes.update_layers import Painted
from ...core.mesh.texture_layout import PaintedTexels, TextureLayout, carry_over, layout_of_photo
from ...core.mesh.triangulate import LayeredMesh
from ...core.raster.colour_curves import srgb_from_linear
from ...core.raster.decode import decode_pixels
from ..scene.colour_management import SPACES
from ..scene.keys import DIGEST_KEY, LAYOUT_KEY, ROLE_KEY, UNPAINTED_KEY, WRITTEN_KEY
from ..scene.materials import IMAGE_ROLES, digest, encode_texture, packed_image
from ..scene.surfaces import find_image_nodes, find_images
from ..scene.tint import TINT_OF, find_untinted, kept_tint, pack_pixels, tinted_copy, tinted_images
from .shown_by_surfaces import shown_by_build, shown_in_scene

KEPT_ROLE = "kept paint"
"""Role of an image that holds what was painted and has no place in the present build."""


@dataclass(frozen=True)
class Paint:
    """What was painted on a texture, and where its texels lie; None where nobody knows: of an older file, or scaled by hand."""

    texels: PaintedTexels
    layout: TextureLayout | None


def stored_pixels(image: bpy.types.Image) -> np.ndarray:
    """(H, W, 4) float32 as Blender holds them, rows from the top: sRGB-encoded in 8 bits, else linear; (0, 0, 4) without any."""
    width, height = image.size
    pixels = np.empty(height * width * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(height, width, image.channels)[::-1]
    if pixels.shape[2] == 4 or not pixels.size:
        return pixels.reshape(height, width, image.channels)
    return np.dstack([pixels[..., [0] * 3 if pixels.shape[2] < 3 else [0, 1, 2]], np.ones((height, width, 1), np.float32)])


def packed_data(image: bpy.types.Image) -> bytes | None:
    """The file that the .blend holds of an image; None without."""
    return bytes(image.packed_file.data) if image.packed_file is not None else None


def written_file(image: bpy.types.Image, photo: str = "") -> bytes | None:
    """The file that we wrote into a texture; None where it is gone. `photo` is the photo's own file, where that may be it."""
    kept = image.get(WRITTEN_KEY)
    if isinstance(kept, bytes):
        return kept
    known, data = image.get(DIGEST_KEY), packed_data(image)
    if data is not None and known in (None, digest(data)):
        return data
    if photo and Path(photo).is_file() and digest(data := Path(photo).read_bytes()) == known:
        return data
    return None


def is_touched(image: bpy.types.Image) -> bool:
    """Whether anybody may have painted on a texture; without decoding it."""
    if image.is_dirty:
        return True
    data = packed_data(image)
    return DIGEST_KEY in image and (data is None or digest(data) != image[DIGEST_KEY])


def find_paint(image: bpy.types.Image, photo: str = "") -> Paint | None:
    """What was painted on a texture since we wrote it; None where every texel is as it was."""
    if not is_touched(image):
        return None
    now, written = stored_pixels(image), written_file(image, photo)
    if not now.size:
        return None
    layout = stored_layout(image)
    was = None if written is None else decode_as_texture(written, image)
    if was is None or was.shape != now.shape:
        mask, layout = np.ones(now.shape[:2], bool), None
    else:
        channels = 4 if (was[..., 3] != 1).any() else 3  # a file that we wrote without alpha has none to compare
        mask = (now[..., :channels] != was[..., :channels]).any(axis=2)
    if not mask.any():
        return None
    linear = is_linear(image)
    colour = np.ascontiguousarray(now)
    if image.is_float and not linear:
        colour[..., :3] = srgb_from_linear(np.clip(colour[..., :3], 0, 1))
    return Paint(PaintedTexels(mask, colour, linear), layout)


def find_all_paint(root: bpy.types.Object, photo: str) -> Painted:
    """What was painted on each texture of a diorama, where its texels have a known place; `photo` is the photo's own file."""
    found = {role: find_paint(image, photo) for role, image in find_images(root).items()}
    return {role: (each.texels, each.layout) for role, each in found.items() if each is not None and each.layout is not None}


def is_linear(image: bpy.types.Image) -> bool:
    """Whether a texture's file holds linear colours."""
    return image.colorspace_settings.name in SPACES["Linear Rec.709"]


def stored_layout(image: bpy.types.Image) -> TextureLayout | None:
    if str(image.get(ROLE_KEY)).split()[0] == "photo":
        return layout_of_photo(image.size[1], image.size[0])
    try:
        layout = TextureLayout.from_values(json.loads(image.get(LAYOUT_KEY, "")))
    except (TypeError, ValueError):
        return None
    return layout if layout is not None and layout.size == (image.size[1], image.size[0]) else None


def decode_as_texture(data: bytes, like: bpy.types.Image) -> np.ndarray:
    """(H, W, 4): the pixels that Blender makes of a file for a texture with the same colour space."""
    space = "Linear Rec.709" if is_linear(like) else "sRGB"
    image = packed_image("as it was written", (data, space), "")
    try:
        image.colorspace_settings.name = like.colorspace_settings.name
        return stored_pixels(image)
    finally:
        bpy.data.images.remove(image)


def lay_into_file(image: bpy.types.Image, texels: PaintedTexels, written: bytes | None) -> tuple[bytes, str]:
    """A texture's file with what was painted laid into it, and its colour space; all else keeps its bits."""
    pixels, linear = stored_pixels(image) if written is None else decode_as_texture(written, image), is_linear(image)
    channels = 4 if (pixels[..., 3] != 1).any() else 3
    pixels, colour = np.ascontiguousarray(pixels[..., :channels]), texels.colours(linear)[..., :channels]
    if image.is_float and not linear:
        pixels = _sixteen_bits(pixels, written)
        colour = (np.clip(colour, 0, 1) * 65535 + 0.5).astype(np.uint16)
    kind = np.float32 if linear else np.uint16 if image.is_float else np.uint8
    return encode_texture(np.where(texels.mask[..., None], colour, pixels), kind)


def _sixteen_bits(pixels: np.ndarray, written: bytes | None) -> np.ndarray:
    """The levels of a file of 16 bits, which Blender decodes to linear floats."""
    levels = None if written is None else decode_pixels(written)
    if levels is not None and levels.dtype == np.uint16 and levels.shape == pixels.shape:
        return levels[..., [2, 1, 0, 3][: levels.shape[2]]]
    encoded = pixels.copy()
    encoded[..., :3] = srgb_from_linear(np.clip(pixels[..., :3], 0, 1))
    return (np.clip(encoded, 0, 1) * 65535 + 0.5).astype(np.uint16)


def keep_in_file(image: bpy.types.Image, photo: str = "") -> None:
    """Packs a painted texture into the .blend, since Blender saves only what is packed; the file that we wrote is kept beside it."""
    written = written_file(image, photo)
    if TINT_OF in image:
        pack_pixels(image)
        return
    if written is not None and WRITTEN_KEY not in image:  # Blender damages bytes that replace others
        image[WRITTEN_KEY] = written
        if DIGEST_KEY not in image:  # a .blend of an older version
            image[DIGEST_KEY] = digest(written)
    if not image.is_float:
        image.pack()
        return
    # Blender would write linear values under a name that says sRGB, and they would be darker when the file is opened again
    paint = find_paint(image, photo)
    if paint is not None:
        data, _ = lay_into_file(image, paint.texels, written if paint.layout is not None else None)
        image.pack(data=data, data_len=len(data))
        image.buffers_free()


def renew_image(image: bpy.types.Image, data: tuple[bytes, str]) -> bpy.types.Image:
    """A new image like a texture of ours, with the file given. Always a new one: Blender's undo does not restore pixels."""
    written = written_file(image)
    new = packed_image(image.name, data, image[ROLE_KEY])
    new.colorspace_settings.name = image.colorspace_settings.name
    new[DIGEST_KEY] = image.get(DIGEST_KEY, new[DIGEST_KEY])
    if LAYOUT_KEY in image:
        new[LAYOUT_KEY] = image[LAYOUT_KEY]
    if written is not None and data[0] != written or WRITTEN_KEY in image:
        new[WRITTEN_KEY] = written
    if UNPAINTED_KEY in image:
        new[UNPAINTED_KEY] = image[UNPAINTED_KEY]
    return new


def carry_paint(
    root: bpy.types.Object, old: Mapping[str, bpy.types.Image], images: dict[str, bpy.types.Image], mesh: LayeredMesh, photo: str
) -> tuple[dict[str, bpy.types.Image], str]:
    """The images of a new build, by role, with what was painted on those of the `old` one that they replace; and a sentence on
    what has no place there, or nothing. That is kept as an image. `mesh` is the new build's; the scene still shows the old one."""
    paints = {role: paint for role, image in old.items() if images.get(role) != image and (paint := find_paint(image, photo))}
    images, kept = dict(images), []
    for role, paint in paints.items():
        texture, left = role.split()[0], paint.texels.mask
        layout = mesh.layouts.get(texture)
        if role in images and paint.layout is not None and layout is not None:
            outlines = {}
            if texture == "atlas":  # the photo is shown wherever it lies, and what was painted on soft silhouettes is a part of it
                outlines["was_shown"] = shown_in_scene(root, {texture: paint.layout.size})[texture]
                outlines["shown"] = shown_by_build(mesh, {texture: layout})[texture]
            texels, left = carry_over(paint.texels, paint.layout, layout, **outlines)
            if texels.mask.any():
                clean = images[role]
                images[role] = renew_image(clean, lay_into_file(clean, texels, written_file(clean)))
                bpy.data.images.remove(clean)
        if left.any():
            kept.append(_keep_aside(f"{root.name} painted {role}", paint.texels, left).name)
    if not kept:
        return images, ""
    names = " and ".join(f'"{name}"' for name in kept)
    return images, f"Some of what was painted on {root.name} has no place on it any more; it is kept in the image {names}."


def _keep_aside(name: str, texels: PaintedTexels, left: np.ndarray) -> bpy.types.Image:
    """A packed image of what has no place, transparent elsewhere, that stays though nothing uses it."""
    colour = np.where(left[..., None], texels.colour[..., :3], 0)
    pixels = np.dstack([colour, left]).astype(np.float32)
    image = packed_image(name, encode_texture(pixels, np.float32 if texels.is_linear else np.uint16), "")
    image[ROLE_KEY], image.use_fake_user = KEPT_ROLE, True
    return image


def take_from_tint(root: bpy.types.Object) -> None:
    """Where the tint is on, the artist paints on the tinted copy: what was painted there goes onto the texture itself, with the colours
    that it shows."""
    touched = [image for image in tinted_images(find_image_nodes(root)) if is_touched(image)]
    secure(touched)
    for image in touched:
        texture = find_untinted(image)
        unpainted = tinted_copy(texture, *kept_tint(root))
        was, now = stored_pixels(unpainted), stored_pixels(image)
        bpy.data.images.remove(unpainted)
        if was.shape != now.shape or not (mask := (was[..., :3] != now[..., :3]).any(axis=2)).any():
            continue
        linear = is_linear(texture)
        if image.is_float and not linear:
            now[..., :3] = srgb_from_linear(np.clip(now[..., :3], 0, 1))
        earlier = find_paint(texture)
        if earlier is not None:
            now = np.where(mask[..., None], now, earlier.texels.colour)
            mask |= earlier.texels.mask
        painted, name = renew_image(texture, lay_into_file(texture, PaintedTexels(mask, now, linear), written_file(texture))), texture.name
        texture.user_remap(painted)
        bpy.data.images.remove(texture)
        painted.name = name


def secure(images: Iterable[bpy.types.Image], photo: str = "") -> None:
    """Before painted textures are replaced: undo brings back only what is packed, so that is done and becomes a step of its own."""
    painted = [image for image in images if image.is_dirty]
    for image in painted:
        keep_in_file(image, photo)
    if painted and bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message="Paint")


@bpy.app.handlers.persistent
def keep_painted_textures(*_) -> None:
    """Before a file is saved: what was painted on textures goes into it."""
    for image in bpy.data.images:
        if image.get(ROLE_KEY) in IMAGE_ROLES and image.is_dirty and image.library is None:
            keep_in_file(image)


def register() -> None:
    bpy.app.handlers.save_pre.append(keep_painted_textures)


def unregister() -> None:
    bpy.app.handlers.save_pre.remove(keep_painted_textures)
