"""Tighter framing for stereo: each eye looks past the photo's edge on its own side."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.camera.framing import Eyes, lens_factor
from ..camera.apply_move import photo_edge
from ..scene.camera_moves import AIM, MOVE_KEY, curves_of, lens_at_rest, path_of_move
from ..scene.root import kept_settings, objects_by_role, world_scale


def lens_margin(root: bpy.types.Object | None, scene: bpy.types.Scene, eye_distance: float, convergence: float) -> float:
    """The factor by which the lens must be longer, so that neither eye sees anything outside the photo's edge in any frame.

    Both distances in the scene's units. 1 without a move, and where the framing is whole.
    """
    objects = objects_by_role(root) if root is not None else {}
    rig, camera = objects.get("rig"), objects.get("camera")
    if rig is None or camera is None or MOVE_KEY not in rig or kept_settings(root).get("framing", "clean") != "clean":
        return 1.0
    aim = rig.constraints.get(AIM)
    focus = aim.target.location.y if aim is not None and aim.target is not None else None
    frames = int(kept_settings(root).get("frames", 1))
    lens = next((curve for curve in curves_of(camera.data) if curve.data_path == "lens"), None)
    path = path_of_move(rig, scene.frame_start, frames, lambda forward: 1.0, focus)
    at = scene.frame_start + np.unique(np.linspace(0, frames - 1, len(path.lenses)).round())
    now = np.array([lens.evaluate(frame) if lens else camera.data.lens for frame in at]) / lens_at_rest(camera)
    scale = world_scale(root)
    return lens_factor(*photo_edge(root), path.with_lenses(now), Eyes(eye_distance / scale, convergence / scale))
