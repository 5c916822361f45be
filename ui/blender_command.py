"""The same command line inside a Blender program: `blender --command photo_diorama PHOTO ...`."""

from __future__ import annotations

import bpy

from ..operators.building.user_preferences import models_folder

NAME = "photo_diorama"

handle = None
"""Blender's handle of the registered command, for unregistering."""


def execute(arguments: list[str]) -> int:
    """Called by Blender with what follows the command's name; its result is Blender's exit code."""
    from .cli.command_line import main  # imported late: Blender's start does not need it

    return main(arguments, models_folder(bpy.context), bpy.app.online_access)


def register() -> None:
    global handle
    handle = bpy.utils.register_cli_command(NAME, execute)


def unregister() -> None:
    global handle
    bpy.utils.unregister_cli_command(handle)
    handle = None
