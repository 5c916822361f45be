"""Shows colours as in the photo, also with a studio's OpenColorIO configuration that has other names."""

from __future__ import annotations

import bpy

DISPLAYS = ("sRGB", "sRGB - Display")
VIEWS = ("Standard", "Un-tone-mapped")
"""Blender's own names first, then those of the ACES configurations."""
SPACES = {
    "sRGB": ("sRGB", "sRGB - Texture", "sRGB Encoded Rec.709 (sRGB)", "Utility - sRGB - Texture"),
    "Linear Rec.709": ("Linear Rec.709", "Linear Rec.709 (sRGB)", "Utility - Linear - sRGB"),
}


def choose(owner: bpy.types.bpy_struct, name: str, *values: str) -> bool:
    """Sets an enumeration to the first of `values` that exists; returns whether one did, else nothing changes."""
    for value in values:
        try:
            setattr(owner, name, value)
        except TypeError:  # Blender's word for a name that its configuration does not have
            continue
        return True
    return False


def show_as_the_photo(scene: bpy.types.Scene) -> None:
    """A display and view that show sRGB colours as they are; what the configuration does not have stays as it is."""
    view = scene.view_settings
    choose(scene.display_settings, "display_device", *DISPLAYS)
    choose(view, "view_transform", *VIEWS)
    choose(view, "look", "None")
    view.exposure, view.gamma = 0.0, 1.0


def mark_colour_space(image: bpy.types.Image, space: str) -> None:
    """Tells Blender the space of an image's colours, "sRGB" or "Linear Rec.709"."""
    choose(image.colorspace_settings, "name", *SPACES[space])
