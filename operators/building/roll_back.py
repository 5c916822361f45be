"""Undoes a change of the scene that fails half-way: all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

NEVER_OURS = {"all_ids", "screens", "window_managers", "workspaces", "libraries", "scenes", "shape_keys"}
"""Collections that a diorama never adds to, some of which cannot be removed from; and the one that contains all others."""
NOT_TO_READ = {"use_nodes"}
"""Settings for which Blender 5 prints a warning when they are read."""


@contextmanager
def all_or_nothing(scene: bpy.types.Scene) -> Iterator[None]:
    """A context that, on an exception, removes the datablocks that were added and restores the scene's settings."""
    before = {each.as_pointer() for each in _datablocks()}
    settings = list(_settings(scene))
    camera = scene.camera
    try:
        yield
    except BaseException:
        bpy.data.batch_remove([each for each in _datablocks() if each.as_pointer() not in before])
        scene.camera = camera
        for owner, name, value in settings:
            if _plain(getattr(owner, name)) != value:
                setattr(owner, name, value)
        raise


def _datablocks() -> Iterator[bpy.types.ID]:
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION" and prop.identifier not in NEVER_OURS:
            yield from getattr(bpy.data, prop.identifier)


def _settings(scene: bpy.types.Scene) -> Iterator[tuple]:
    """(owner, name, value) of every plain setting of the scene: frames, resolution, engine, colours."""
    numbers, words = {"BOOLEAN", "INT", "FLOAT"}, {"ENUM", "STRING"}
    parts = [(part, numbers | words) for part in (scene, scene.render, scene.display_settings, scene.view_settings)]
    # the engines' choices are left alone: only to read them makes Cycles look for devices
    parts += [(getattr(scene, engine), numbers) for engine in ("cycles", "eevee") if hasattr(scene, engine)]
    for owner, kinds in parts:
        for prop in owner.bl_rna.properties:
            if prop.type in kinds and not prop.is_readonly and prop.identifier not in NOT_TO_READ:
                yield owner, prop.identifier, _plain(getattr(owner, prop.identifier))


def _plain(value):
    return value if isinstance(value, (bool, int, float, str, set)) else tuple(value)
