"""Passes for compositors: what every layer of a multilayer OpenEXR holds, and a matte of what is photo and what is invented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ...core.layers.layered_depth_image import ADDED_ROLE
from ..scene.keys import ROLE_KEY

ORIGINS = {"photo": 1, "hidden": 2, "border": 3, "backdrop": 4}
"""Object index by what a surface shows; soft silhouettes and what was cleaned behind them count as photo."""
PASSES = ("combined", "z", "normal", "object_index", "cryptomatte_object")


def origin_of(role: str) -> int:
    """The object index of a surface by its role, such as "part 1 hidden 2"."""
    if role.startswith(f"{ADDED_ROLE} "):
        return ORIGINS["hidden"]  # not photographed
    return next((index for name, index in ORIGINS.items() if name in role.split()), ORIGINS["photo"])


@contextmanager
def marked_by_origin(root: bpy.types.Object, shot: bpy.types.Scene) -> Iterator[None]:
    """A context with passes on in all view layers and an object index by origin on the surfaces under `root`."""
    for layer in shot.view_layers:
        for name in PASSES:
            setattr(layer, f"use_pass_{name}", True)
    surfaces = {ob: ob.pass_index for ob in root.children_recursive if ob.type == "MESH" and ROLE_KEY in ob}
    try:
        for ob in surfaces:
            ob.pass_index = origin_of(str(ob[ROLE_KEY]))
        yield
    finally:
        for ob, index in surfaces.items():
            ob.pass_index = index


def write_passes(image: bpy.types.ImageFormatSettings) -> None:
    """One OpenEXR file a frame that holds every pass, in floats, scene-linear."""
    if hasattr(image, "media_type"):
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "ZIP"
