"""The move of a diorama's camera for other programs: a camera with a key for each frame, and a .chan file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Matrix

from ..scene.camera_moves import MOVE_KEY
from ..scene.root import kept_settings, objects_by_role

Y_UP = Matrix(((1, 0, 0, 0), (0, 0, 1, 0), (0, -1, 0, 0), (0, 0, 0, 1)))
"""From Blender's world, z up, to that of compositors, y up."""


@dataclass(frozen=True)
class Track:
    """Where the camera stands in each frame of a move."""

    frames: tuple[int, ...]
    places: tuple[Matrix, ...]  # in the world
    lenses: tuple[float, ...]  # mm


def find_track(root: bpy.types.Object, scene: bpy.types.Scene) -> Track | None:
    """The move that the root's camera makes, frame by frame; None where it stays. The scene is at its frame again afterwards."""
    objects = objects_by_role(root)
    if "camera" not in objects or MOVE_KEY not in objects.get("rig", {}):
        return None
    camera, count = objects["camera"], int(kept_settings(root).get("frames", 1))
    frames, now = tuple(range(scene.frame_start, scene.frame_start + count)), (scene.frame_current, scene.frame_subframe)
    places, lenses = [], []
    try:
        for frame in frames:
            scene.frame_set(frame)
            places.append(camera.matrix_world.copy())
            lenses.append(float(camera.data.lens))
    finally:
        scene.frame_set(now[0], subframe=now[1])
    return Track(frames, tuple(places), tuple(lenses))


def key_camera(camera: bpy.types.Object, track: Track) -> list[bpy.types.Action]:
    """Gives a camera of its own a key for each frame, of the lens too where that changes; returns the actions made."""
    camera.rotation_mode, before = "QUATERNION", None
    for frame, place, lens in zip(track.frames, track.places, track.lenses, strict=True):
        location, turn, _ = place.decompose()
        if before is not None:
            turn.make_compatible(before)
        before = turn
        camera.location, camera.rotation_quaternion, camera.data.lens = location, turn, lens
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_quaternion", frame=frame)
        if max(track.lenses) - min(track.lenses) > 1e-6 * lens:
            camera.data.keyframe_insert("lens", frame=frame)
    owners = [owner for owner in (camera, camera.data) if owner.animation_data]
    return [owner.animation_data.action for owner in owners]


def write_chan(file: Path, track: Track, camera: bpy.types.Camera, size: tuple[int, int]) -> None:
    """A line a frame: frame, place x y z, turn x y z in degrees (order ZXY, y up), vertical angle of view in degrees."""
    lines = []
    for frame, place, lens in zip(track.frames, track.places, track.lenses, strict=True):
        matrix = Y_UP @ place
        turn = matrix.to_quaternion().to_euler("ZXY")
        angle = 2 * math.atan(camera.sensor_width * size[1] / size[0] / (2 * lens))
        numbers = (*matrix.translation, *(math.degrees(a) for a in (turn.x, turn.y, turn.z)), math.degrees(angle))
        lines.append("\t".join([str(frame), *(f"{number:.9g}" for number in numbers)]))
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
