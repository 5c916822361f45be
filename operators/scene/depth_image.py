"""Depth and masks of a diorama as images that an artist can paint on; the .blend holds them, the root points to them."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.depth.edit_depth import DepthEdit
from ...core.errors import DioramaError
from ...core.layers.parts import Parts
from .emit import short_name
from .keys import ROLE_KEY

EDITED_KEY, ORIGINAL_KEY, MASK_KEY = "photo_diorama_depth", "photo_diorama_depth_original", "photo_diorama_mask"
"""Custom properties of the root that point to images."""
PARTS_KEY = "photo_diorama_parts"
"""Custom property of the root that points to an image of the parts split off, 8 bits a pixel: their numbers."""
SCALE_KEY = "photo_diorama_depth_scale"
"""Custom property of a depth image: disparity in 1/m is a pixel's value divided by this."""
PAINTED_ROLES = ("depth", "mask")
"""Roles of images that an artist paints on."""


def stored_image(root: bpy.types.Object, key: str) -> bpy.types.Image | None:
    """The image that a root points to under a key; None without."""
    image = root.get(key)
    return image if isinstance(image, bpy.types.Image) else None


def image_values(image: bpy.types.Image) -> np.ndarray:
    """(h, w) float32: the first channel, rows from the top."""
    width, height = image.size
    if not width or not height:
        raise DioramaError(f"The image {image.name} has no pixels any more; restore the original depth or clear the mask.")
    values = np.empty(height * width * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return np.ascontiguousarray(values.reshape(height, width, image.channels)[::-1, :, 0])


def new_image(name: str, values: np.ndarray, role: str, exact: bool) -> bpy.types.Image:
    """A grey image of (h, w) float32 inside the .blend; `exact` keeps every bit, else 8 bits a pixel do."""
    height, width = values.shape
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=exact, is_data=True)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = values[::-1, :, None]
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    image[ROLE_KEY] = role
    return image


def put_image(root: bpy.types.Object, key: str, image: bpy.types.Image) -> None:
    """Makes the root and all users of the previous image use the new one; the previous one is removed.

    Always a new image, never new pixels in the old one: Blender's undo does not restore pixels.
    """
    old = stored_image(root, key)
    root[key] = image
    if old is None or any(ob.get(key) == old for ob in bpy.data.objects):  # a copy of the diorama keeps it
        return
    name = old.name
    old.user_remap(image)
    bpy.data.images.remove(old)
    image.name = name


def stored_edit(root: bpy.types.Object) -> DepthEdit | None:
    """The depth as it was edited, from the images of the root; None where nothing was changed.

    Raises DioramaError where the images do not belong together any more.
    """
    edited, original = stored_image(root, EDITED_KEY), stored_image(root, ORIGINAL_KEY)
    if edited is None or original is None:
        return None
    if tuple(edited.size) != tuple(original.size):
        raise DioramaError(f"The depth image {edited.name} was given another size; undo that or restore the original depth.")
    scale = np.float32(original.get(SCALE_KEY, 1.0))
    edit = DepthEdit(image_values(original) / scale, image_values(edited) / scale)
    return edit if edit.changed.any() else None


def keep_edit(root: bpy.types.Object, edit: DepthEdit) -> None:
    """Puts an edited depth and the one that was found on the root, as images."""
    name = short_name(root.name)
    # a power of two changes no bit of the disparities, and brings the nearest found to between 0.5 and 1
    scale = float(2.0 ** -np.ceil(np.log2(edit.original.max())))
    for key, role, title, values in (
        (EDITED_KEY, "depth", "depth", edit.edited),
        (ORIGINAL_KEY, "depth original", "depth original", edit.original),
    ):
        old = stored_image(root, key)
        if old is not None and old.get(SCALE_KEY) == scale and old.size[:] == values.shape[::-1]:
            if np.array_equal(image_values(old), values * np.float32(scale)):
                continue
        image = new_image(f"{name} {title}", values * np.float32(scale), role, True)
        image[SCALE_KEY] = scale
        put_image(root, key, image)


def mask_image(root: bpy.types.Object, shape: tuple[int, int]) -> bpy.types.Image:
    """The mask that an artist paints for this diorama; an empty one of (h, w) where there is none yet."""
    image = stored_image(root, MASK_KEY)
    if image is None:
        image = new_image(f"{short_name(root.name)} mask", np.zeros(shape, np.float32), "mask", False)
        put_image(root, MASK_KEY, image)
    return image


def stored_parts(root: bpy.types.Object) -> Parts | None:
    """What was split off a diorama; None where nothing was."""
    image = stored_image(root, PARTS_KEY)
    labels = None if image is None else np.rint(image_values(image) * 255).astype(np.uint8)
    return Parts(labels) if labels is not None and labels.any() else None


def keep_parts(root: bpy.types.Object, parts: Parts | None) -> None:
    """Puts what was split off on the root, as an image."""
    if parts is not None:
        values = parts.labels.astype(np.float32) / np.float32(255)
        put_image(root, PARTS_KEY, new_image(f"{short_name(root.name)} parts", values, "parts", False))
    elif (old := stored_image(root, PARTS_KEY)) is not None:
        del root[PARTS_KEY]
        if not old.users:
            bpy.data.images.remove(old)


@bpy.app.handlers.persistent
def keep_painted(*_) -> None:
    """Before a file is saved: what was painted goes into it, as Blender keeps only what is packed."""
    for image in bpy.data.images:
        if image.get(ROLE_KEY) in PAINTED_ROLES and image.is_dirty and image.library is None:
            image.pack()


def register() -> None:
    bpy.app.handlers.save_pre.append(keep_painted)


def unregister() -> None:
    bpy.app.handlers.save_pre.remove(keep_painted)
