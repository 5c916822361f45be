"""What the user has set for the extension as a whole: where models lie and how options start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...core.settings import Settings
from .fallback_folder import NO_EXTENSION_FOLDER
from .properties import option_values

EXTENSION = __package__.removesuffix(".operators.building")
"""The package under which Blender knows the extension: its name, with a repository before it where one installed it."""


def preferences(context: bpy.types.Context) -> bpy.types.AddonPreferences | None:
    """The extension's preferences; None where it was registered by a script instead of being enabled."""
    addon = context.preferences.addons.get(EXTENSION)
    return addon.preferences if addon else None


def default_values(context: bpy.types.Context) -> dict[str, Any]:
    """Every option as the user wants it to start with, by name."""
    known = preferences(context)
    return option_values(known.defaults) if known else Settings().values()


def shared_models_folder() -> Path:
    """The folder that is proposed for all Blenders of a user; the command line without Blender's extension uses it too."""
    return NO_EXTENSION_FOLDER / "models"


def models_folder(context: bpy.types.Context) -> Path:
    """Where models are kept: the preference, else the extension's own folder, which survives its upgrades."""
    known = preferences(context)
    if known and known.models_folder:
        return Path(bpy.path.abspath(known.models_folder))
    try:
        return Path(bpy.utils.extension_path_user(EXTENSION, path="models"))
    except ValueError:  # not installed as an extension
        return shared_models_folder()
