"""The operator that rebuilds a diorama from the settings on its root and keeps the artist's changes."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path

import bpy

from ...core.depth.edit_depth import DepthEdit
from ...core.errors import DioramaError
from ...core.mesh.triangulate import LayeredMesh
from ...core.pipeline import Diorama, Edits, build_diorama
from ...core.settings import DepthSettings, SceneSettings, Settings
from ..nodes.relief_sliders import renew_relief
from ..on_diorama import OnDiorama
from ..repaint.painted import carry_paint, secure, take_from_tint
from ..repaint.painted_rims import add_photo_to_rims
from ..scene.camera_moves import MOVE_KEY, MOVE_OPTIONS, animate, clear, keep_framing
from ..scene.depth_image import EDITED_KEY, keep_edit, stored_edit, stored_image, stored_parts
from ..scene.emit import add_camera, make_mesh, match_camera, mesh_edge, set_up_scene, short_name
from ..scene.keys import ROLE_KEY, SETTINGS_KEY, SOURCE_KEY
from ..scene.materials import MATERIAL_OPTIONS, made_images, photo_image, texture_material, texture_role
from ..scene.root import find_root, kept_settings, kept_source, objects_by_role, source_facts, source_files, stored_layer_edits
from ..scene.surfaces import find_image_nodes, find_images, find_surfaces, image_nodes, root_by_name
from ..scene.tint import kept_tint, tint, tinted_images
from . import build_operator
from .properties import POPUP_ROWS, depth_property, draw_options, option_properties, photo_property, read_settings, set_values
from .user_preferences import models_folder

OwnOptions = type("OwnOptions", (), {"__annotations__": option_properties(options={"SKIP_SAVE"})})
OwnOptions.__doc__ = "Mixin: every option, never taken over from the last call, since each diorama has its own."


class Rebuilding(OnDiorama, build_operator.BuildOperator, OwnOptions):
    """Mixin of the operators that rebuild a diorama, possibly with another photo, depth or other options."""

    photo: photo_property()
    depth: depth_property()

    def invoke(self, context, event):
        self.fill_in_options(find_root(context.object))
        if not bpy.app.background and not Path(bpy.path.abspath(self.photo)).is_file():
            self._in_thread = True  # the photo has moved: the dialog asks where it is
            return context.window_manager.invoke_props_dialog(self, width=420, title="Where is the photo?")
        return self.execute_in_thread(context)

    def draw(self, context):
        self.layout.prop(self, "photo")
        self.layout.prop(self, "depth")
        draw_options(self.layout, self, POPUP_ROWS - 2)

    def fill_in_options(self, root: bpy.types.Object) -> None:
        """Options that the caller did not set get the values of the last build."""
        photo, depth = source_files(root)
        known = {**kept_settings(root), "photo": photo, "depth": depth}
        set_values(self, {name: v for name, v in known.items() if not self.properties.is_property_set(name)})
        for name in ("photo", "depth"):
            if not self.properties.is_property_set(name):
                setattr(self, name, str(known[name]))

    def prepare(self, context):
        root = find_root(context.object)
        self.fill_in_options(root)
        photo, depth = bpy.path.abspath(self.photo), bpy.path.abspath(self.depth) or None
        if not photo:
            raise DioramaError(f"{root.name} does not know its photo any more; choose the photo's file.")
        self._root, self._files, self._settings = root.name, (photo, depth), read_settings(self)
        models = models_folder(context)
        return partial(
            build_diorama, photo, depth, self._settings, kept=build_operator.kept, models=models,
            edits=Edits(stored_edit(root), stored_parts(root), stored_layer_edits(root)),
        )  # fmt: skip

    def finish(self, context, built: Diorama):
        return rebuild(root_by_name(self._root), built, self._settings, source_facts(built, *self._files), context.scene)


class Rebuild(Rebuilding, bpy.types.Operator):
    """Rebuild the selected diorama from its photo; its place, materials and camera animation stay"""

    bl_idname = "photo_diorama.rebuild"
    bl_label = "Rebuild Diorama"
    bl_options = {"REGISTER", "UNDO"}


@contextmanager
def object_mode(root: bpy.types.Object) -> Iterator[None]:
    """Leaves edit mode of a layer whose mesh is about to be replaced; afterwards an artist in paint mode can go on."""
    ob = getattr(bpy.context, "object", None)
    mode = ob.mode if ob is not None and find_root(ob) == root else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    yield
    if mode == "TEXTURE_PAINT":
        bpy.ops.object.mode_set(mode=mode)


DEPTH_OPTIONS = {each.name for each in fields(DepthSettings)}


def rebuild(root: bpy.types.Object, built: Diorama, settings: Settings, source: dict, scene: bpy.types.Scene) -> str:
    """Puts a new build into the diorama under `root`. Surfaces and invented textures are always new.

    Materials, camera and its animation change only where an option that they depend on changed; the root's transform,
    other materials, modifiers and everything the artist added stay, what was painted on textures too. Whatever can fail is made
    before the first change. Returns a sentence on what was painted and has no place any more, or nothing.
    """
    before, was = {**Settings().values(), **kept_settings(root)}, kept_source(root)
    changed = {name for name, value in settings.values().items() if value != before[name]}
    name, objects = short_name(built.mesh.name), objects_by_role(root)
    take_from_tint(root)
    old = find_images(root)
    photo_changed = was.get("photo_stamp") != source["photo_stamp"]
    secure((image for role, image in old.items() if role != "photo" or photo_changed), str(was.get("photo", "")))
    meshes = {part.role: make_mesh(f"{name} {part.role}", part, built.mesh.camera) for part in built.mesh.meshes}
    images, overlaid = dict(old), tinted_images(find_image_nodes(root))
    image_names = {texture: image.name for texture, image in old.items()}
    images = {k: image for k, image in images.items() if k == "photo"} | made_images(name, built.mesh, built.photo)
    if "photo" not in images or photo_changed:
        images["photo"] = photo_image(name, built.photo)
    images, note = carry_paint(root, old, images, built.mesh, str(was.get("photo", "")))
    if "soft" in images:
        clean, images["soft"] = images["soft"], add_photo_to_rims(images["soft"], images["photo"], str(was.get("photo", "")))
        if clean != images["soft"]:
            bpy.data.images.remove(clean)
    shown = {slot.material for ob in find_surfaces(root) for slot in ob.material_slots if slot.material}
    wanted = {part.texture for part in built.mesh.meshes}
    if not changed & MATERIAL_OPTIONS:
        wanted -= {texture_role(role) for role, ob in objects.items() if ob.type == "MESH"}
    materials = {t: texture_material(name, t, images, built.photo, settings.scene) for t in wanted}

    with object_mode(root):
        renew_surfaces(root, objects, meshes, name)
    moves_anew = add_missing_camera(root, objects, built.mesh, name)
    renew_relief(root, find_surfaces(root), objects.get("camera"), built.mesh)
    renew_materials(root, materials, images, settings.scene if "texture_filter" in changed else None)
    moves = moves_anew or changed & {*MOVE_OPTIONS}
    renew_camera(objects, built, was, settings.scene if moves else None, scene)
    if "set_up_scene" in changed and settings.scene.set_up_scene and "camera" in objects:
        set_up_scene(scene, objects["camera"], (built.mesh.camera.width, built.mesh.camera.height), built.photo.alpha is not None)
    if stored_image(root, EDITED_KEY) and (changed & DEPTH_OPTIONS or any(was.get(k) != source[k] for k in ("depth", "photo_stamp"))):
        keep_edit(root, DepthEdit(built.original.disparity, built.depth.disparity))
    root[SETTINGS_KEY], root[SOURCE_KEY] = json.dumps(settings.values()), json.dumps(source)
    bpy.data.batch_remove([material for material in bpy.data.materials if material in shown and not material.users])
    bpy.data.batch_remove([image for image in overlaid if not image.users])
    bpy.data.batch_remove([image for image in old.values() if not image.users])
    if overlaid:
        tint(find_image_nodes(root), *kept_tint(root))
    for texture, own_name in image_names.items():
        if texture in images and own_name not in bpy.data.images:
            images[texture].name = own_name
    return note


def renew_surfaces(root: bpy.types.Object, objects: dict, meshes: dict[str, bpy.types.Mesh], name: str) -> None:
    """Objects get the new meshes; a new role gets an object, and the object of a role that is gone is removed."""
    slots = {texture_role(role): ob.material_slots for role, ob in objects.items() if ob.type == "MESH"}
    adopt_orphans(root, objects, meshes)
    for role, mesh in meshes.items():
        ob = objects.get(role)
        if ob is None or ob.type != "MESH":
            for slot in slots.get(texture_role(role), ()):
                mesh.materials.append(slot.material)
            ob = objects[role] = bpy.data.objects.new(f"{name} {role}", mesh)
            ob[ROLE_KEY], ob.parent = role, objects.get(main_role(role), root)
            find_collection(root).objects.link(ob)
            for each in (objects.get(other) for other in meshes if main_role(other) == role):
                if each is not None and each.parent == root:
                    each.parent = ob
            continue
        old = ob.data
        for material in old.materials:
            mesh.materials.append(material)
        own_name = old.name
        old.user_remap(mesh)  # also where the artist linked the mesh to a second object
        bpy.data.meshes.remove(old)
        mesh.name = own_name
    for ob in find_surfaces(root):  # the artist's copies
        old = ob.data
        if ob[ROLE_KEY] in meshes and old != meshes[ob[ROLE_KEY]]:
            ob.data = meshes[ob[ROLE_KEY]]
            if not old.users:
                bpy.data.meshes.remove(old)
    gone = [ob for ob in find_surfaces(root) if ob[ROLE_KEY] not in meshes]
    emptied = {ob.data for ob in gone}
    bpy.data.batch_remove(gone)
    bpy.data.batch_remove([mesh for mesh in emptied if not mesh.users])


def adopt_orphans(root: bpy.types.Object, objects: dict, roles: Iterable[str]) -> None:
    """Layers behind a part whose own surface was deleted become children of the root again, or the part would exist twice."""
    for ob in find_collection(root).objects:
        role = ob.get(ROLE_KEY)
        if ob.parent is None and role in roles and role not in objects and main_role(role) not in objects:
            ob.parent, objects[role] = root, ob


def main_role(role: str) -> str:
    """The role whose object is the parent of a part's other objects: what a part hides moves with it."""
    words = role.split()
    return f"part {words[1]} photo" if words[0] == "part" and words[-1] != "photo" else ""


def renew_materials(root: bpy.types.Object, materials: dict, images: dict, filtered: SceneSettings | None) -> None:
    """Materials get the new images. `materials` by texture replace the old; `filtered` says that the texture filter changed."""
    surfaces = find_surfaces(root)
    slots = [slot for ob in surfaces for slot in ob.material_slots if slot.material]
    others = set(bpy.data.objects) - set(surfaces)
    shared = {slot.material for ob in others for slot in ob.material_slots}
    # where a copy of the diorama shows a material too, that copy keeps it with the textures it has
    copies = {material: material.copy() for material in {slot.material for slot in slots} & shared}
    for slot in slots:
        slot.material = copies.get(slot.material, slot.material)
    shown = {slot.material for slot in slots if slot.material.node_tree}
    for node in (node for material in shown for node in image_nodes(material.node_tree)):
        node.image = images.get(node.image[ROLE_KEY], node.image)
        if filtered:
            node.interpolation = "Closest" if filtered.texture_filter == "closest" else "Linear"
    for ob in surfaces:
        if texture_role(ob[ROLE_KEY]) in materials:
            ob.data.materials.clear()
            ob.data.materials.append(materials[texture_role(ob[ROLE_KEY])])
    bpy.data.batch_remove([material for material in shown if not material.users])


def find_collection(root: bpy.types.Object) -> bpy.types.Collection:
    """The collection for new objects: the root's."""
    return (root.users_collection or (bpy.context.scene.collection,))[0]


def add_missing_camera(root: bpy.types.Object, objects: dict, mesh: LayeredMesh, name: str) -> bool:
    """Makes a new rig and camera where one was deleted; returns whether the move has to be made again too."""
    rig = objects.get("rig")
    if rig is not None and "camera" in objects:
        return False
    objects["camera"] = camera = add_camera(name, mesh, root, find_collection(root), rig)
    objects["rig"] = camera.parent
    keep_framing(camera.parent, camera)
    if bpy.context.scene.camera is None and kept_settings(root).get("set_up_scene"):
        bpy.context.scene.camera = camera
    # the move that a rig makes is left as the artist edited it, but for the one whose other half was the lens
    return rig is None or rig.get(MOVE_KEY) == "dolly-zoom"


def renew_camera(objects: dict, built: Diorama, was: dict, move: SceneSettings | None, scene: bpy.types.Scene) -> None:
    """Applies a changed focal length or photo size to the camera, and makes the `move` if another one was chosen."""
    if not {"rig", "camera"} <= objects.keys() or objects["camera"].type != "CAMERA":
        return  # the artist uses another
    rig, camera = objects["rig"], objects["camera"]
    intrinsics = built.mesh.camera
    now = {"focal_px": round(intrinsics.focal_px, 3), "photo_size": [intrinsics.width, intrinsics.height]}
    if "centre_px" in was:
        now["centre_px"] = [round(intrinsics.cx, 3), round(intrinsics.cy, 3)]
    if move:
        clear(rig, camera)  # before the new lens is set
    if move or any(was.get(key) != value for key, value in now.items()):
        match_camera(camera.data, built.mesh)
        keep_framing(rig, camera)
    camera.data.clip_end = max(camera.data.clip_end, built.mesh.farthest * 4)
    if move:
        animate(rig, camera, built.mesh, move, scene, (mesh_edge(built.mesh), built.mesh.camera))


register, unregister = bpy.utils.register_classes_factory((Rebuild,))
