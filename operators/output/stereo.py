"""Stereo by Blender's multi-view, on a scene and a camera made for one render."""

from __future__ import annotations

import math

import bpy

DISPLAY = {"side-by-side": "SIDEBYSIDE", "top-bottom": "TOPBOTTOM", "anaglyph": "ANAGLYPH", "vr180": "SIDEBYSIDE"}
EYES = {"_L": "_left", "_R": "_right"}
"""Blender's names for the two files of a pair, and ours."""


def set_up_stereo(scene, camera: bpy.types.Object, stereo: str, eye_distance: float, convergence: float) -> None:
    """Turns multi-view on for a render of `stereo` (not "none"); both distances in the scene's units."""
    render, image, data = scene.render, scene.render.image_settings, camera.data
    render.use_multiview, render.views_format = True, "STEREO_3D"
    for view in render.views:
        view.use = view.name in ("left", "right")
    if stereo == "pair":
        image.views_format = "INDIVIDUAL"
    else:
        image.views_format = "STEREO_3D"
        shown = image.stereo_3d_format
        shown.display_mode = DISPLAY[stereo]
        if stereo == "anaglyph":
            shown.anaglyph_type = "RED_CYAN"
        elif stereo == "top-bottom":
            shown.use_squeezed_frame = False
        else:
            shown.use_squeezed_frame, shown.use_sidebyside_crosseyed = False, False
    # parallel sensors, shifted: the lines stay upright, and the photo's own shift stays
    data.stereo.convergence_mode, data.stereo.pivot = "OFFAXIS", "CENTER"
    data.stereo.interocular_distance, data.stereo.convergence_distance = eye_distance, convergence
    if stereo == "vr180":
        _half_a_sphere(data)


def _half_a_sphere(data: bpy.types.Camera) -> None:
    data.type = "PANO"
    # the settings of panoramas moved from Cycles to Blender's own camera
    panorama = data if hasattr(data, "panorama_type") else data.cycles
    panorama.panorama_type = "EQUIRECTANGULAR"
    panorama.latitude_min = panorama.longitude_min = -math.pi / 2
    panorama.latitude_max = panorama.longitude_max = math.pi / 2
    data.shift_x = data.shift_y = 0.0
    # VR glasses have no screen at a distance: the eyes look in parallel, each turning with the direction
    data.stereo.convergence_mode = "PARALLEL"
    data.stereo.use_spherical_stereo, data.stereo.use_pole_merge = True, True
