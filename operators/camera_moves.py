"""Camera moves as ordinary keyframes on the camera's rig, which an artist can edit; amounts follow the nearest distance."""

from __future__ import annotations

import math

import bpy

from ..core.mesh import LayeredMesh
from ..core.settings import SceneSettings

# Shih et al. 2020 (released code): offsets of 0.015 and 0.05 where the nearest surface stands at 1/3, so 0.045 and 0.15 of the
# nearest distance. Sideways, upwards, forwards.
PATHS = {
    "zoom-in": (0.0, 0.0, 0.15),
    "swing": (0.045, 0.0, 0.075),
    "circle": (0.045, 0.045, 0.075),
    "dolly-zoom": (0.0, 0.0, 0.15),
}
CIRCLE_TURNS, CIRCLE_KEYS = 2, 32


def animate(rig: bpy.types.Object, camera: bpy.types.Object, mesh: LayeredMesh, settings: SceneSettings, scene=None) -> None:
    """Keyframes for the chosen move on the rig's location, and on the lens for the dolly zoom. Offsets are in the root's units."""
    if settings.camera_move == "none":
        return
    scene = scene or bpy.context.scene
    unit = mesh.nearest * settings.move_amount
    first = scene.frame_start
    last = first + settings.frames - 1
    side, up, forward = (amount * unit for amount in PATHS[settings.camera_move])
    if settings.camera_move == "circle":
        for key in range(CIRCLE_KEYS + 1):
            turn = 2 * math.pi * CIRCLE_TURNS * key / CIRCLE_KEYS
            rig.location = (side * math.cos(turn), forward * math.cos(turn / CIRCLE_TURNS), up * math.sin(turn))
            rig.keyframe_insert("location", frame=first + (last - first) * key / CIRCLE_KEYS)
    else:
        for frame, along in ((first, -1.0), (last, 1.0)):
            rig.location = (side * along, forward * along, up * along)
            rig.keyframe_insert("location", frame=frame)
        _set_linear(rig)
    if settings.camera_move == "dolly-zoom":
        _keep_size_of_focus(camera.data, mesh.focus, forward, first, last)
    rig.location = (0.0, 0.0, 0.0)


def _keep_size_of_focus(data: bpy.types.Camera, focus: float, forward: float, first: int, last: int) -> None:
    """The lens follows the distance to what stands in the middle, so that it keeps its size: lens = lens0 * distance / focus.

    The distance is linear in time, so two linear keys are exact.
    """
    lens = data.lens
    for frame, along in ((first, -1.0), (last, 1.0)):
        data.lens = lens * max(0.05, (focus - forward * along) / focus)
        data.keyframe_insert("lens", frame=frame)
    data.lens = lens
    _set_linear(data)


def _set_linear(owner) -> None:
    """Linear interpolation for every key of an object or datablock, in the layered and in the older kind of action."""
    data = owner.animation_data
    if hasattr(data.action, "fcurves"):
        curves = data.action.fcurves
    else:
        bags = (strip.channelbag(data.action_slot) for layer in data.action.layers for strip in layer.strips)
        curves = [curve for bag in bags for curve in bag.fcurves]
    for curve in curves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
