"""A diorama as one HTML file that tilts in a browser: its rendered surfaces as they stand now, each with the image it shows."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import bpy
import numpy as np

from ...core.errors import DioramaError, Kind
from ...core.scene.output import SIDES, OutputSettings
from ...core.viewer.pack import Surface
from ...core.viewer.page import Texture, find_tilt, write_page
from ..camera.apply_move import photo_edge
from ..camera.shown_surfaces import photo_camera
from ..camera.tilt_preview import range_to_tilt_in
from ..scene.keys import ROLE_KEY
from ..scene.root import kept_settings, kept_source
from .export_parts import is_transparent, mesh_arrays, shown_image, srgb_pixels


def writing_page(target: Path, root: bpy.types.Object | None, output: OutputSettings) -> Generator[float, None, list[Path]]:
    """Writes the page; yields how far it is. Nothing in the scene changes. Raises DioramaError for what cannot be shown or saved."""
    if root is None:
        raise DioramaError("The camera belongs to no diorama, so no web page can be made of it; select a diorama.")
    yield 0.0
    camera, depsgraph = photo_camera(root), bpy.context.evaluated_depsgraph_get()
    surfaces, textures = shown(root, depsgraph)
    yield 0.3
    box, focus = range_to_tilt_in(root, depsgraph), max(float(root.get("relief_focus", 1.0)), 1e-6)
    clean = kept_settings(root).get("framing", "clean") == "clean"
    nearest = float(kept_source(root).get("nearest_m", focus))
    tilt = find_tilt(box, nearest, focus, photo_edge(root)[0] if clean else None, camera)
    yield 0.5
    page = write_page(root.name, surfaces, textures, camera, tilt, output.render_side or SIDES["viewer"])
    fresh = target.with_name(f".{target.name}.writing")
    try:
        fresh.write_text(page, encoding="utf-8")
        fresh.replace(target)
    except OSError as error:
        raise DioramaError(f"{target} could not be saved ({error.strerror or error}); choose another folder.", Kind.DISK) from None
    finally:
        fresh.unlink(missing_ok=True)
    return [target]


def shown(root: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> tuple[list[Surface], list[Texture]]:
    """The rendered surfaces under a root, seen from the photo's place, and the textures that they show."""
    home, images, surfaces = np.linalg.inv(np.array(root.evaluated_get(depsgraph).matrix_world, np.float64)), {}, []
    clear = set()
    for ob in root.children_recursive:
        if ob.type != "MESH" or ROLE_KEY not in ob or ob.hide_render:
            continue
        image, each = shown_image(ob), ob.evaluated_get(depsgraph)
        if image is None:
            raise DioramaError(f"{ob.name} shows no image; give its material an Image Texture node.")
        points, triangles, uvs = mesh_arrays(each.data)
        place = home @ np.array(each.matrix_world, np.float64)
        points = points @ place[:3, :3].T + place[:3, 3]
        before = (points[triangles, 1] > 1e-9).all(axis=1)  # what relief has pulled behind the camera is not seen
        if not before.any():
            continue
        triangles, uvs = triangles[before], uvs[before]
        used = np.unique(triangles)
        number = np.zeros(len(points), np.int32)
        number[used] = np.arange(len(used))
        x, y, z = points[used, 0], -points[used, 2], points[used, 1]
        soft = is_transparent(ob)
        clear |= {image} if soft else set()
        texture = images.setdefault(image, len(images))
        surfaces.append(Surface(np.stack([x / z, y / z, 1 / z], axis=1), number[triangles], uvs, texture, soft))
    return surfaces, [Texture(srgb_pixels(image), image in clear, image.get(ROLE_KEY) == "photo") for image in images]
