"""Builds the demo scene, a courtyard with a laid table, and its camera in an empty Blender file."""

from __future__ import annotations

import math

import bpy
import numpy as np

from . import courtyard, plants, still_life

WIDTH, HEIGHT = 1536, 1024
FOCAL_35MM = 28
"""Focal length as EXIF has it; a 3:2 picture on a 36 x 24 mm frame, so focal_px = 28 / 36 * WIDTH exactly."""
CAMERA_AT, PITCH_DEG = (0.0, 0.0, 1.45), -9.0
SUN_FROM = np.array([-0.82, -0.42, 0.54])


def focal_px(width: int = WIDTH) -> float:
    """Focal length in pixels of the picture rendered `width` wide."""
    return FOCAL_35MM / 36 * width


def camera_frame() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors right, up, forward of the camera in world axes."""
    a = math.radians(PITCH_DEG)
    return np.array([1.0, 0, 0]), np.array([0, -math.sin(a), math.cos(a)]), np.array([0, math.cos(a), math.sin(a)])


def place_camera(shift=(0.0, 0.0, 0.0)) -> None:
    """Put the camera at its place plus `shift` metres (right, up, forward); principal point in the middle."""
    scene = bpy.context.scene
    camera = scene.camera
    if camera is None:
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(camera)
        scene.camera = camera
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.lens = "HORIZONTAL", 36.0, float(FOCAL_35MM)
    camera.data.clip_start, camera.data.clip_end = 0.05, 200.0
    camera.location = np.array(CAMERA_AT) + sum(s * axis for s, axis in zip(shift, camera_frame(), strict=True))
    camera.rotation_euler = (math.radians(90 + PITCH_DEG), 0, 0)


def light() -> None:
    """Low warm sun from the left behind the camera, cool sky."""
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle, sun.color = 7.0, math.radians(0.7), (1.0, 0.82, 0.61)
    ob = bpy.data.objects.new("sun", sun)
    x, y, z = SUN_FROM
    ob.rotation_euler = (math.atan2(math.hypot(x, y), z), 0, math.atan2(y, x) + math.pi / 2)
    bpy.context.scene.collection.objects.link(ob)
    world = bpy.data.worlds.new("sky")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    tree = world.node_tree
    background = next(n for n in tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.50, 0.66, 1.0, 1)
    background.inputs["Strength"].default_value = 0.65
    bpy.context.scene.world = world


def build() -> None:
    """Empty the file and build everything."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    courtyard.wall()
    courtyard.paving()
    courtyard.gate()
    courtyard.wall_lamp()
    courtyard.backdrop()
    courtyard.dappling()
    plants.climbers()
    plants.vine_overhead()
    plants.lemon_tree()
    plants.pots_by_the_arch()
    plants.garden()
    plants.fallen_leaves()
    still_life.still_life()
    light()
    place_camera()
