"""Lays what was painted in other programs onto the textures of a diorama."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ...core.layer_changes.find_changes import PaintedPart
from ...core.mesh.texture_layout import PaintedTexels, carry_over
from ..scene.surfaces import find_image_nodes, find_images
from ..scene.tint import kept_tint, take_off, tint, tinted_images
from .painted import find_paint, is_linear, lay_into_file, renew_image, stored_layout, written_file
from .painted_rims import add_photo_to_rims


def lay_paint(root: bpy.types.Object, parts: Iterable[PaintedPart], photo: str = "") -> None:
    """Lays what was painted on layers elsewhere onto the textures of a diorama, by place, over what was painted there before."""
    parts, nodes = list(parts), find_image_nodes(root)
    overlaid = bool(tinted_images(nodes))
    take_off(nodes)
    for role, image in find_images(root).items():
        layout, linear = stored_layout(image), is_linear(image)
        own = [part for part in parts if part.role == role]
        if not own or layout is None:
            continue
        earlier = find_paint(image, photo)
        mask = np.zeros(layout.size, bool) if earlier is None else earlier.texels.mask
        colour = np.zeros((*layout.size, 4), np.float32) if earlier is None else earlier.texels.colours(linear)
        for part in own:
            texels, _ = carry_over(part.texels, part.layout, layout)
            colour[texels.mask] = texels.colours(linear)[texels.mask]
            mask = mask | texels.mask
        written = written_file(image, photo)
        _exchange(image, renew_image(image, lay_into_file(image, PaintedTexels(mask, colour, linear), written)))
    shown = find_images(root)
    if "soft" in shown and "photo" in shown:
        rims = add_photo_to_rims(shown["soft"], shown["photo"], photo)
        if rims != shown["soft"]:
            _exchange(shown["soft"], rims)
    if overlaid:
        tint(nodes, *kept_tint(root))


def _exchange(old: bpy.types.Image, new: bpy.types.Image) -> None:
    """Shows an image wherever another was, under its name."""
    name = old.name
    old.user_remap(new)
    bpy.data.images.remove(old)
    new.name = name
