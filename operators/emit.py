"""A layered mesh becomes objects, materials and a camera in Blender; core's axes become Blender's here and nowhere else."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ..core.mesh import LayeredMesh, TexturedMesh
from ..core.photo import Photo, linear_from_srgb
from ..core.settings import SceneSettings, Settings
from .camera_moves import animate

ROLE_KEY, SETTINGS_KEY, SOURCE_KEY = "photo_diorama_role", "photo_diorama_settings", "photo_diorama_source"
SENSOR_MM = 36.0
MAX_NAME = 48
"""Blender cuts names at 63 bytes; room is left for the role and a number."""


def to_blender(points: np.ndarray) -> np.ndarray:
    """(n, 3) points, x right, y down, z forward -> x right, y forward, z up, as the world of Blender stands."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1).astype(np.float32)


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
    root.empty_display_type, root.empty_display_size = "PLAIN_AXES", mesh.nearest / 2
    root[ROLE_KEY], root[SETTINGS_KEY], root[SOURCE_KEY] = "root", json.dumps(settings.values()), json.dumps(source)
    collection.objects.link(root)
    materials = make_materials(name, mesh, photo, settings.scene)
    for part in mesh.meshes:
        ob = bpy.data.objects.new(f"{name} {part.role}", make_mesh(f"{name} {part.role}", part))
        ob[ROLE_KEY] = part.role
        ob.parent = root
        ob.data.materials.append(materials[part.texture])
        collection.objects.link(ob)
    camera = add_camera(name, mesh, root, collection)
    animate(camera.parent, camera, mesh, settings.scene, context.scene)
    if settings.scene.set_up_scene:
        set_up_scene(context.scene, camera, mesh)
    return root


def short_name(name: str) -> str:
    """The photo's name, cut where Blender would cut it in the middle of a role or character."""
    return name.encode(errors="ignore")[:MAX_NAME].decode(errors="ignore") or "Photo"


def make_mesh(name: str, part: TexturedMesh) -> bpy.types.Mesh:
    """Triangles with their UV map; attributes are written whole (float32, int32), which is fast at a million vertices."""
    mesh = bpy.data.meshes.new(name)
    count = len(part.triangles)
    mesh.vertices.add(len(part.vertices))
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.attributes["position"].data.foreach_set("vector", to_blender(part.vertices).ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", np.ascontiguousarray(part.triangles, np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    uv = mesh.uv_layers.new(name="UVMap", do_init=False)
    uv.uv.foreach_set("vector", np.ascontiguousarray(part.uvs, np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def make_materials(name: str, mesh: LayeredMesh, photo: Photo, settings: SceneSettings) -> dict[str, bpy.types.Material]:
    """The photo's and the atlas's materials by texture name."""
    return {
        "photo": make_material(f"{name} photo", photo_image(name, photo), photo.alpha is not None, settings),
        "atlas": make_material(f"{name} hidden", atlas_image(name, mesh, photo), False, settings),
    }


def photo_image(name: str, photo: Photo) -> bpy.types.Image:
    """The photo at full resolution, packed: its own file where Blender shows that as the same pixels."""
    if photo.file_bytes is not None:
        return packed_image(f"{name} photo", (photo.file_bytes, "sRGB"), "photo")
    pixels = photo.colour if photo.alpha is None else np.dstack([photo.colour, photo.alpha])
    return packed_image(f"{name} photo", _encode(pixels, pixels.dtype), "photo")


def atlas_image(name: str, mesh: LayeredMesh, photo: Photo) -> bpy.types.Image:
    """What was invented, packed, in the photo's own depth of bits."""
    atlas = linear_from_srgb(mesh.atlas) if photo.is_linear else mesh.atlas
    return packed_image(f"{name} hidden", _encode(atlas, photo.colour.dtype), "atlas")


def _encode(pixels: np.ndarray, dtype) -> tuple[bytes, str]:
    """File bytes and Blender's colour space: PNG of 8 or 16 bits for sRGB, OpenEXR for linear."""
    import cv2

    if dtype == np.float32:
        return _encode_exr(pixels), "Linear Rec.709"
    if pixels.dtype == np.float32:
        top = np.iinfo(dtype).max
        pixels = (np.clip(pixels, 0, 1) * top + 0.5).astype(dtype)
    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("the texture could not be encoded")
    return data.tobytes(), "sRGB"


def _encode_exr(pixels: np.ndarray) -> bytes:
    import os

    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    import cv2

    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, data = cv2.imencode(".exr", np.ascontiguousarray(pixels[..., order].astype(np.float32)))
    if not done:
        raise RuntimeError("the texture could not be encoded")
    return data.tobytes()


def packed_image(name: str, encoded: tuple[bytes, str], role: str) -> bpy.types.Image:
    """An image datablock that holds the given file's bytes inside the .blend; a rebuild knows it again by its role."""
    data, colour_space = encoded
    image = bpy.data.images.new(name, 8, 8, alpha=True)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image.colorspace_settings.name = colour_space
    # straight alpha would be multiplied into 8-bit colours and lose them where the picture is thin
    image.alpha_mode = "CHANNEL_PACKED"
    image[ROLE_KEY] = role
    return image


def make_material(name: str, image: bpy.types.Image, transparent: bool, settings: SceneSettings) -> bpy.types.Material:
    """Shadeless (emission of the texture as it is) or Principled, with the photo's alpha where it has one."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image, texture.extension = image, "EXTEND"
    texture.interpolation = "Closest" if settings.texture_filter == "closest" else "Linear"
    texture.location, output.location = (-600, 0), (300, 0)
    if settings.shader == "principled":
        shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
        tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
        shader.inputs["Roughness"].default_value = 1.0
        shader.inputs["Specular IOR Level"].default_value = 0.0
        result = shader.outputs["BSDF"]
    else:
        shader = tree.nodes.new("ShaderNodeEmission")
        tree.links.new(texture.outputs["Color"], shader.inputs["Color"])
        result = shader.outputs["Emission"]
    shader.location = (-250, 0)
    if transparent:
        clear, mix = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
        clear.location, mix.location = (-250, 150), (60, 0)
        tree.links.new(texture.outputs["Alpha"], mix.inputs["Fac"])
        tree.links.new(clear.outputs["BSDF"], mix.inputs[1])
        tree.links.new(result, mix.inputs[2])
        result = mix.outputs["Shader"]
    tree.links.new(result, output.inputs["Surface"])
    return material


def add_camera(name: str, mesh: LayeredMesh, root, collection) -> bpy.types.Object:
    """The camera that took the photo, on a rig empty that camera moves animate; both stand where the photo was taken."""
    rig = bpy.data.objects.new(f"{name} camera rig", None)
    rig.empty_display_type, rig.empty_display_size = "SPHERE", mesh.nearest / 20
    rig.parent, rig[ROLE_KEY] = root, "rig"
    data = bpy.data.cameras.new(f"{name} camera")
    match_camera(data, mesh)
    data.display_size = mesh.nearest / 4
    data.dof.focus_distance = mesh.focus
    ob = bpy.data.objects.new(f"{name} camera", data)
    ob.rotation_euler = (np.pi / 2, 0.0, 0.0)  # from looking down to looking along +Y
    ob.parent, ob[ROLE_KEY] = rig, "camera"
    collection.objects.link(rig)
    collection.objects.link(ob)
    return ob


def match_camera(data: bpy.types.Camera, mesh: LayeredMesh) -> None:
    """Focal length and principal point of the photo's camera, and a clip range that holds the whole diorama."""
    camera = mesh.camera
    # both shifts are parts of the width: with this fit the sensor's width is the picture's
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_MM
    data.lens = camera.focal_px * SENSOR_MM / camera.width
    data.shift_x = -(camera.cx - camera.width / 2) / camera.width
    data.shift_y = (camera.cy - camera.height / 2) / camera.width
    data.clip_start, data.clip_end = mesh.nearest / 50, mesh.farthest * 4


def set_up_scene(scene, camera, mesh: LayeredMesh) -> None:
    """The photo's camera, resolution and colours for the scene: what the user ticked, or the command line's own new file."""
    scene.camera = camera
    render, view = scene.render, scene.view_settings
    render.resolution_x, render.resolution_y, render.resolution_percentage = mesh.camera.width, mesh.camera.height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    scene.display_settings.display_device = "sRGB"
    view.view_transform, view.look, view.exposure, view.gamma = "Standard", "None", 0.0, 1.0
    scene.cycles.transparent_max_bounces = max(scene.cycles.transparent_max_bounces, 32)
