"""Adds a layered mesh to Blender as objects, materials and a camera, in Blender's axes."""

from __future__ import annotations

import json

import bpy
import numpy as np
from mathutils import Matrix

from ...core.camera.camera import Camera
from ...core.camera.framing import FrameEdge, frame_edge
from ...core.mesh.triangulate import LayeredMesh, TexturedMesh
from ...core.photo.photo import Photo
from ...core.settings import Settings
from ..nodes.relief_nodes import DISPARITY, RAY
from ..nodes.relief_sliders import add_relief
from .axes import to_blender
from .camera_moves import animate
from .colour_management import show_as_the_photo
from .keys import ROLE_KEY, SETTINGS_KEY, SOURCE_KEY
from .materials import make_materials, texture_role

SENSOR_MM = 36.0
UV = "UVMap"
SOLID_UV = "Photo"
"""The photo's own places on a soft silhouette: the viewport's Solid mode cannot mix by alpha, so it shows the photo there."""
LOOK_FORWARD = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))
"""Turns a camera from looking down, as Blender makes it, to looking along +Y."""
MAX_NAME = 48
"""Blender cuts names at 63 bytes; room is left for the role and a number."""


def emit(mesh: LayeredMesh, photo: Photo, settings: Settings, source: dict, context=None) -> bpy.types.Object:
    """Adds the diorama to the scene: a collection named after the photo, a root empty, an object for each role, the camera.

    Returns the root. `source` (plain values) is kept on it beside the settings for a later rebuild. Nothing that was in the
    scene before is changed, unless `settings.scene.set_up_scene`.
    """
    context = context or bpy.context
    name = short_name(mesh.name)
    collection = bpy.data.collections.new(name)
    context.scene.collection.children.link(collection)
    root = bpy.data.objects.new(name, None)
    # a ring in the plane of the lens, which the camera in its middle does not see
    root.empty_display_type, root.empty_display_size = "CIRCLE", mesh.nearest / 4
    root[ROLE_KEY], root[SETTINGS_KEY], root[SOURCE_KEY] = "root", json.dumps(settings.values()), json.dumps(source)
    collection.objects.link(root)
    materials = make_materials(name, mesh, photo, settings.scene)
    surfaces = []
    for part in mesh.meshes:
        ob = bpy.data.objects.new(f"{name} {part.role}", make_mesh(f"{name} {part.role}", part, mesh.camera))
        ob[ROLE_KEY] = part.role
        ob.parent = root
        ob.data.materials.append(materials[part.texture])
        collection.objects.link(ob)
        surfaces.append(ob)
    camera = add_camera(name, mesh, root, collection)
    add_relief(root, surfaces, camera, mesh)
    animate(camera.parent, camera, mesh, settings.scene, context.scene, (mesh_edge(mesh), mesh.camera))
    if settings.scene.set_up_scene:
        set_up_scene(context.scene, camera, (mesh.camera.width, mesh.camera.height), photo.alpha is not None)
    return root


def mesh_edge(mesh: LayeredMesh) -> FrameEdge:
    """The edge of what was photographed."""
    seen = [(part.vertices, part.triangles) for part in mesh.meshes if texture_role(part.role) != "atlas"]
    return frame_edge(seen, mesh.camera)


def short_name(name: str) -> str:
    """The photo's name, cut where Blender would cut it in the middle of a role or character."""
    return name.encode(errors="ignore")[:MAX_NAME].decode(errors="ignore") or "Photo"


def make_mesh(name: str, part: TexturedMesh, camera: Camera) -> bpy.types.Mesh:
    """Triangles with their UV map, and of each point its ray from the camera and disparity (operators/nodes/relief_nodes.py).

    Attributes are written whole (float32, int32), which is fast at a million vertices.
    """
    points = to_blender(part.vertices)
    ray, disparity = points / points[:, 1:2], 1 / points[:, 1]
    # computed from ray and disparity as the relief does it, so that a relief of 1 changes no bit
    mesh = textured_mesh(name, ray * (1 / disparity)[:, None], part.triangles, part.uvs)
    mesh.attributes.new(RAY, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", ray.ravel())
    mesh.attributes.new(DISPARITY, "FLOAT", "POINT").data.foreach_set("value", disparity)
    if part.texture == "soft":
        u, v = camera.project(part.vertices.astype(np.float64))
        on_photo = np.stack([u / camera.width, 1 - v / camera.height], axis=1).astype(np.float32)
        layer = mesh.uv_layers.new(name=SOLID_UV, do_init=False)
        layer.uv.foreach_set("vector", on_photo[part.triangles].ravel())
        mesh.uv_layers.active = layer  # what Solid mode goes by; shaders go by the one that is active for rendering, the first
    if part.normals is not None:  # free custom normals, which Blender takes as they are; the triangles' own are rough
        mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "POINT").data.foreach_set("vector", to_blender(part.normals).ravel())
    return mesh


def textured_mesh(name: str, points: np.ndarray, triangles: np.ndarray, uvs: np.ndarray) -> bpy.types.Mesh:
    """A smooth mesh of (V, 3) points in Blender's axes, (T, 3) triangles and (T, 3, 2) UVs."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(points))
    mesh.loops.add(triangles.size)
    mesh.polygons.add(len(triangles))
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(points, np.float32).ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", np.ascontiguousarray(triangles, np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, triangles.size, 3, dtype=np.int32))
    mesh.uv_layers.new(name=UV, do_init=False).uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def add_camera(name: str, mesh: LayeredMesh, root, collection, rig=None) -> bpy.types.Object:
    """The camera that took the photo, on a rig empty that camera moves animate; both stand where the photo was taken.

    `rig` is one that is there already.
    """
    rig = rig or add_rig(name, mesh, root, collection)
    data = bpy.data.cameras.new(f"{name} camera")
    match_camera(data, mesh)
    data.display_size = mesh.nearest / 4
    data.dof.focus_distance = mesh.focus
    data.show_passepartout = False  # it would dim parts of the photo where the scene renders another shape
    ob = bpy.data.objects.new(f"{name} camera", data)
    ob.rotation_euler = (np.pi / 2, 0.0, 0.0)  # LOOK_FORWARD
    ob.parent, ob[ROLE_KEY] = rig, "camera"
    collection.objects.link(ob)
    return ob


def add_rig(name: str, mesh: LayeredMesh, root, collection) -> bpy.types.Object:
    """The empty that carries the camera."""
    rig = bpy.data.objects.new(f"{name} camera rig", None)
    rig.empty_display_type, rig.empty_display_size = "CIRCLE", mesh.nearest / 20
    rig.parent, rig[ROLE_KEY] = root, "rig"
    collection.objects.link(rig)
    return rig


def match_camera(data: bpy.types.Camera, mesh: LayeredMesh) -> None:
    """Focal length and principal point of the photo's camera, and a clip range that holds the whole diorama."""
    camera = mesh.camera
    # both shifts are parts of the width: with this fit the sensor's width is the picture's
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_MM
    data.lens = camera.focal_px * SENSOR_MM / camera.width
    data.shift_x = -(camera.cx - camera.width / 2) / camera.width
    data.shift_y = (camera.cy - camera.height / 2) / camera.width
    data.clip_start, data.clip_end = mesh.nearest / 50, mesh.farthest * 4


def set_up_scene(scene, camera, size: tuple[int, int], see_through: bool) -> None:
    """The photo's camera, resolution and colours for the scene: what the user asked for, or the command line's own new file.

    Where one sees through the photo, the film keeps what is transparent so.
    """
    scene.camera = camera
    camera.data.show_passepartout = True
    render = scene.render
    (render.resolution_x, render.resolution_y), render.resolution_percentage = size, 100
    render.film_transparent = render.film_transparent or see_through
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    show_as_the_photo(scene)
    scene.cycles.transparent_max_bounces = max(scene.cycles.transparent_max_bounces, 32)
