"""Copies of a diorama's current surfaces for Blender's exporters, with plain materials and texture files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import DioramaError
from ...core.raster.colour_curves import srgb_from_linear
from ..scene.emit import ROLE_KEY, UV, textured_mesh
from ..scene.root import objects_by_role
from .camera_track import Track, key_camera

ENDINGS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"))
"""Texture formats that every program reads; other images are saved again as PNG."""
PADDING = 4
"""Texels repeated around each texture in a joined one, so that filtering never mixes two of them."""


@dataclass(frozen=True)
class ExportOptions:
    """How a diorama is exported."""

    one_mesh: bool = False  # all surfaces as one mesh with one texture
    camera: bool = True  # with the photo's camera
    unlit: bool = False  # materials that show the texture as it is, where the format knows such
    move: bool = True  # the camera with its move, where it makes one


@contextmanager
def exported_copies(
    context, root: bpy.types.Object, folder: Path, options: ExportOptions, track: Track | None = None
) -> Iterator[list[bpy.types.Object]]:
    """Copies of the visible surfaces and the camera of a diorama, which alone are selected; textures lie in `folder`.

    Afterwards the copies are gone and what was selected is so again. Raises DioramaError where nothing is visible.
    """
    surfaces = [ob for ob in objects_by_role(root).values() if ob.type == "MESH" and ob.visible_get()]
    if not surfaces:
        raise DioramaError(f"{root.name} has no visible surface; show at least one of its layers.")
    selected, active = list(context.selected_objects), context.view_layer.objects.active
    made = _Made()
    try:
        collection = made.keep(bpy.data.collections.new("Photo Diorama export"))
        context.scene.collection.children.link(collection)
        copies = _copies(context, surfaces, folder, options, made)
        if options.camera:
            copies += [_camera_copy(root, made, track)]
        for ob in selected:
            ob.select_set(False)
        for ob in copies:
            collection.objects.link(ob)
            ob.select_set(True)
        context.view_layer.objects.active = copies[0]
        yield copies
    finally:
        made.remove()
        for ob in selected:
            ob.select_set(True)
        context.view_layer.objects.active = active


class _Made:
    """Datablocks that are made for one export and removed after it."""

    def __init__(self):
        self.blocks: list[bpy.types.ID] = []

    def keep(self, block):
        self.blocks.append(block)
        return block

    def remove(self) -> None:
        bpy.data.batch_remove(self.blocks)


def plain_name(words: str) -> str:
    """Letters, digits, dots and dashes, which every program and file system takes."""
    return re.sub(r"[^\w.-]+", "_", words)


def _copies(context, surfaces, folder: Path, options: ExportOptions, made: _Made) -> list[bpy.types.Object]:
    depsgraph = context.evaluated_depsgraph_get()
    textures = {}
    copies = []
    for ob in surfaces:
        mesh = made.keep(bpy.data.meshes.new_from_object(ob.evaluated_get(depsgraph), depsgraph=depsgraph))
        for name in [a.name for a in mesh.attributes if not a.is_internal and not a.is_required and a.name != UV]:
            mesh.attributes.remove(mesh.attributes[name])  # rays and disparities mean nothing elsewhere
        image = shown_image(ob)
        if image is None:
            raise DioramaError(f"{ob.name} shows no image that could be exported; give its material an Image Texture node.")
        if image not in textures:
            textures[image] = made.keep(texture_file(image, folder))
        mesh.name = plain_name(ob.name)
        copies.append((mesh, ob.matrix_world.copy(), textures[image], is_transparent(ob), plain_name(ob.name)))
    if options.one_mesh:
        copies = [_joined(copies, folder, made)]
    materials = {}
    result = []
    for mesh, matrix, texture, transparent, name in copies:
        key = texture, transparent
        if key not in materials:
            materials[key] = made.keep(_material(f"{Path(texture.filepath).stem}", texture, transparent, options.unlit))
        mesh.materials.clear()
        mesh.materials.append(materials[key])
        ob = made.keep(bpy.data.objects.new(f"{name}_", mesh))
        ob.name = name
        ob.matrix_world = matrix
        result.append(ob)
    return result


def shown_image(ob: bpy.types.Object) -> bpy.types.Image | None:
    """The image of the first Image Texture node that is used in an object's material, an artist's own included."""
    for slot in ob.material_slots:
        if slot.material and slot.material.node_tree:
            for node in slot.material.node_tree.nodes:
                if node.bl_idname == "ShaderNodeTexImage" and node.image and any(o.is_linked for o in node.outputs):
                    return node.image
    return None


def is_transparent(ob: bpy.types.Object) -> bool:
    trees = [slot.material.node_tree for slot in ob.material_slots if slot.material]
    return any(node.bl_idname == "ShaderNodeBsdfTransparent" for tree in trees if tree for node in tree.nodes)


def texture_file(image: bpy.types.Image, folder: Path) -> bpy.types.Image:
    """An image datablock of a file in `folder` with the same pixels: the packed bytes as they are where they are PNG or JPEG,
    else written as PNG of 8 bits in sRGB."""
    data = image.packed_file.data if image.packed_file else _file_bytes(image)
    ending = next((ending for start, ending in ENDINGS if data.startswith(start)), None)
    path = folder / (plain_name(image.name) + (ending or ".png"))
    if ending:
        path.write_bytes(data)
    else:
        _save_png(srgb_pixels(image), path)
    loaded = bpy.data.images.load(str(path))
    loaded.alpha_mode = "CHANNEL_PACKED"
    return loaded


def _file_bytes(image: bpy.types.Image) -> bytes:
    path = Path(bpy.path.abspath(image.filepath_raw, library=image.library)) if image.filepath_raw else None
    return path.read_bytes() if path and path.is_file() else b""


def srgb_pixels(image: bpy.types.Image) -> np.ndarray:
    """(h, w, 4) float32 sRGB-encoded, first row on top."""
    width, height = image.size
    if not width or not height:
        raise DioramaError(f"The image {image.name} has no pixels; its file may be missing.")
    flat = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, 4)[::-1]
    if image.is_float:  # Blender returns the pixels of files with linear colours as linear
        pixels = np.dstack([srgb_from_linear(pixels[..., :3]), pixels[..., 3:]])
    return pixels


def _save_png(pixels: np.ndarray, path: Path) -> None:
    import cv2

    data = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(data[..., [2, 1, 0, 3]]))
    if not done:
        raise RuntimeError("the texture could not be encoded")
    path.write_bytes(encoded.tobytes())


def _joined(copies: list[tuple], folder: Path, made: _Made) -> tuple:
    """All surfaces as one mesh in the world's space, their textures below each other in one."""
    images = list(dict.fromkeys(texture for _, _, texture, _, _ in copies))
    whole, tops, parts = _stacked([srgb_pixels(image) for image in images])
    for image in images:
        Path(image.filepath).unlink()  # the UV map that is left is the one that is shown
    name = copies[0][4].rsplit("_", 1)[0]
    path = folder / f"{name}.png"
    _save_png(whole, path)
    texture = made.keep(bpy.data.images.load(str(path)))
    texture.alpha_mode = "CHANNEL_PACKED"
    height, width = whole.shape[:2]
    points, triangles, uvs, count = [], [], [], 0
    for mesh, matrix, image, _, _ in copies:
        k = images.index(image)
        places, corners, uv = mesh_arrays(mesh)
        points.append(places @ np.array(matrix.to_3x3()).T + np.array(matrix.translation))
        triangles.append(corners + count)
        count += len(places)
        tall, wide = parts[k]
        uvs.append(np.stack([(PADDING + uv[..., 0] * wide) / width, 1 - (tops[k] + (1 - uv[..., 1]) * tall) / height], axis=-1))
    mesh = made.keep(textured_mesh(name, np.concatenate(points), np.concatenate(triangles), np.concatenate(uvs)))
    return mesh, Matrix.Identity(4), texture, any(transparent for *_, transparent, _ in copies), name


def _stacked(pictures: list[np.ndarray]) -> tuple[np.ndarray, list[int], list[tuple[int, int]]]:
    """Pictures below each other with their edges repeated round them; the first row and the (height, width) of each."""
    sizes = [picture.shape[:2] for picture in pictures]
    whole = np.zeros((sum(h for h, _ in sizes) + 2 * PADDING * len(sizes), max(w for _, w in sizes) + 2 * PADDING, 4), np.float32)
    tops, row = [], 0
    for picture, (tall, wide) in zip(pictures, sizes, strict=True):
        framed = np.pad(picture, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)), mode="edge")
        whole[row : row + len(framed), : wide + 2 * PADDING] = framed
        tops.append(row + PADDING)
        row += tall + 2 * PADDING
    return whole, tops, sizes


def mesh_arrays(mesh: bpy.types.Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(V, 3) points, (T, 3) triangles and (T, 3, 2) UVs."""
    mesh.calc_loop_triangles()
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points)
    corners, loops = (np.empty(len(mesh.loop_triangles) * 3, np.int32) for _ in range(2))
    mesh.loop_triangles.foreach_get("vertices", corners)
    mesh.loop_triangles.foreach_get("loops", loops)
    uv = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers[UV].uv.foreach_get("vector", uv)
    return points.reshape(-1, 3), corners.reshape(-1, 3), uv.reshape(-1, 2)[loops].reshape(-1, 3, 2)


def paint_vertices(mesh: bpy.types.Mesh, image: bpy.types.Image) -> None:
    """A colour attribute with the texture's colour at each vertex, for formats without textures."""
    pixels, (points, triangles, uvs) = srgb_pixels(image), mesh_arrays(mesh)
    h, w = pixels.shape[:2]
    columns = np.clip((uvs[..., 0] * w).astype(int), 0, w - 1)
    rows = np.clip(((1 - uvs[..., 1]) * h).astype(int), 0, h - 1)
    colours = np.ones((len(points), 4), np.float32)
    colours[triangles.ravel()] = pixels[rows.ravel(), columns.ravel()]
    attribute = mesh.color_attributes.new("Col", "BYTE_COLOR", "POINT")
    attribute.data.foreach_set("color_srgb", colours.ravel())
    mesh.color_attributes.active_color = attribute


def _material(name: str, image: bpy.types.Image, transparent: bool, unlit: bool) -> bpy.types.Material:
    """The two patterns that Blender's exporters understand: a textured Principled BSDF, or what glTF calls unlit."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    new, link = tree.nodes.new, tree.links.new
    output, texture = new("ShaderNodeOutputMaterial"), new("ShaderNodeTexImage")
    texture.image, texture.extension = image, "EXTEND"
    if unlit:
        path, nothing, shown, mix = (new(f"ShaderNode{kind}") for kind in ("LightPath", "BsdfTransparent", "Emission", "MixShader"))
        link(path.outputs["Is Camera Ray"], mix.inputs[0])
        link(nothing.outputs[0], mix.inputs[1])
        link(shown.outputs[0], mix.inputs[2])
        link(texture.outputs["Color"], shown.inputs["Color"])
        result = mix.outputs[0]
        if transparent:
            clear, over = new("ShaderNodeBsdfTransparent"), new("ShaderNodeMixShader")
            link(texture.outputs["Alpha"], over.inputs[0])
            link(clear.outputs[0], over.inputs[1])
            link(result, over.inputs[2])
            result = over.outputs[0]
    else:
        shader = new("ShaderNodeBsdfPrincipled")
        shader.inputs["Roughness"].default_value, shader.inputs["Specular IOR Level"].default_value = 1.0, 0.0
        link(texture.outputs["Color"], shader.inputs["Base Color"])
        if transparent:
            link(texture.outputs["Alpha"], shader.inputs["Alpha"])
        result = shader.outputs[0]
    link(result, output.inputs["Surface"])
    return material


def _camera_copy(root: bpy.types.Object, made: _Made, track: Track | None) -> bpy.types.Object:
    """The photo's camera where it stands now, with a key for each frame of its move."""
    camera = objects_by_role(root)["camera"]
    data = made.keep(camera.data.copy())
    data.animation_data_clear()
    ob = made.keep(bpy.data.objects.new(plain_name(camera.name), data))
    ob.matrix_world = camera.matrix_world.copy()
    if track is not None:
        for action in key_camera(ob, track):
            made.keep(action)
    return ob


def has_surfaces(root: bpy.types.Object | None) -> bool:
    """Whether there is a mesh of a diorama under this root."""
    return root is not None and any(ob.type == "MESH" and ROLE_KEY in ob for ob in root.children_recursive)
