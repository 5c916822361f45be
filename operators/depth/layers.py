"""Operators on layers: split off, join, duplicate, delete, select, show or hide invented surfaces."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial

import bpy

from ...core.layers.layered_depth_image import ADDED_ROLE
from ...core.split_and_rebuild import Split, join_part, split_range, split_region
from ..building.rebuild import rebuild
from ..on_diorama import ActOnDiorama
from ..repaint.painted import take_from_tint
from ..scene.depth_image import keep_parts, stored_edit
from ..scene.keys import DIGEST_KEY, LAYOUT_KEY, ROLE_KEY, UNPAINTED_KEY, WRITTEN_KEY
from ..scene.materials import texture_role
from ..scene.root import find_root, objects_by_role, source_facts
from ..scene.surfaces import find_image_nodes, find_surfaces, image_nodes, root_by_name
from ..scene.tint import COLOUR, STRENGTH, TINT_KEY, take_off, tint, tinted_images
from .change_region import OnDepth
from .chosen_region import find_region, region_property


class ChangesParts(OnDepth):
    """Mixin of operators that change what is split off."""

    def finish(self, context, split: Split):
        root = root_by_name(self._root)
        keep_parts(root, split.parts)
        about = source_facts(split.built, self._source.photo, self._source.depth)
        note = rebuild(root, split.built, self._source.settings, about, context.scene)
        made = objects_by_role(root).get(f"part {split.number} photo" if split.number else "photo", root)
        if context.mode == "OBJECT":
            for ob in context.selected_objects:
                ob.select_set(False)
            made.select_set(True)
            context.view_layer.objects.active = made
        return note


class SplitLayer(ChangesParts, bpy.types.Operator):
    """Split a part of the photo off as a layer of its own that can be moved. Everything behind it is filled"""

    bl_idname = "photo_diorama.split_layer"
    bl_label = "Split Layer"

    by: bpy.props.EnumProperty(
        name="By",
        description="What is split off",
        items=[
            ("REGION", "Region", "The selected faces in edit mode, or what is painted white in the mask"),
            ("RANGE", "Distance", "Everything between two distances from the camera"),
        ],
    )
    region: region_property()
    near: bpy.props.FloatProperty(
        name="Near",
        description="Nearest distance, in metres, that is split off",
        default=0.0,
        min=0.0,
        unit="LENGTH",
    )
    far: bpy.props.FloatProperty(
        name="Far",
        description="Farthest distance, in metres, that is split off",
        default=2.0,
        min=0.0,
        unit="LENGTH",
    )

    def prepare(self, context):
        root, source = self.begin(context)
        if self.by == "RANGE":
            return partial(split_range, source, stored_edit(root), self.near, self.far)
        return partial(split_region, source, stored_edit(root), find_region(context, root, self.region))


class JoinLayer(ChangesParts, bpy.types.Operator):
    """Join the selected part to the surface that it was split from; what was invented behind it is removed"""

    bl_idname = "photo_diorama.join_layer"
    bl_label = "Join Layer"

    @classmethod
    def poll(cls, context):
        if not super().poll(context):
            return False
        if not part_number(context.object):
            cls.poll_message_set("Select a layer that was split off")
            return False
        return True

    def prepare(self, context):
        root, source = self.begin(context)
        return partial(join_part, source, stored_edit(root), part_number(context.object))


def part_number(ob: bpy.types.Object) -> int:
    """The number of the part that a layer belongs to; 0 where it was not split off."""
    words = str(ob.get(ROLE_KEY, "")).split()
    return int(words[1]) if len(words) > 2 and words[0] == "part" and words[1].isdigit() else 0


class OfLayer:
    """Mixin of operators that need a layer to be the active object."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        ob = context.object
        if ob is None or ob.type != "MESH" or ROLE_KEY not in ob or find_root(ob) is None:
            cls.poll_message_set("Select a layer of a diorama")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the edit or paint mode first")
            return False
        return True


class DuplicateLayer(OfLayer, bpy.types.Operator):
    """Duplicate the layer, and for a part that was split off also what it hides"""

    bl_idname = "photo_diorama.duplicate_layer"
    bl_label = "Duplicate Layer"

    linked: bpy.props.BoolProperty(
        name="Linked",
        description="The duplicate shares mesh and materials and follows every rebuild; off, it is independent",
        default=True,
    )

    def execute(self, context):
        source = context.object
        made = {ob: ob.copy() for ob in (source, *source.children_recursive)}
        for ob, copy in made.items():
            for collection in ob.users_collection:
                collection.objects.link(copy)
            if ob is not source:
                copy.parent = made[ob.parent]
            if not self.linked:
                make_own(copy)
        for ob in context.selected_objects:
            ob.select_set(False)
        made[source].select_set(True)
        context.view_layer.objects.active = made[source]
        return {"FINISHED"}


class DeleteLayer(OfLayer, bpy.types.Operator):
    """Delete the layer and everything behind it, which deleting its object alone would leave. Rebuild brings it back"""

    bl_idname = "photo_diorama.delete_layer"
    bl_label = "Delete Layer"

    def execute(self, context):
        layer, root = context.object, find_root(context.object)
        bpy.data.batch_remove([layer, *(ob for ob in layer.children_recursive if ROLE_KEY in ob)])
        context.view_layer.objects.active = root
        root.select_set(True)
        return {"FINISHED"}


def make_own(ob: bpy.types.Object) -> None:
    """Makes a copied layer independent: it gets its own copies of what a rebuild would change, and is no layer any more."""
    if ob.data is not None:
        ob.data = ob.data.copy()
    role = ob.pop(ROLE_KEY, None)
    if role is None or texture_role(role) == "photo":
        return
    for slot in ob.material_slots:
        if slot.material is None:
            continue
        slot.material = slot.material.copy()
        for node in image_nodes(slot.material.node_tree) if slot.material.node_tree else ():
            node.image = node.image.copy()
            for key in (ROLE_KEY, WRITTEN_KEY, UNPAINTED_KEY, DIGEST_KEY, LAYOUT_KEY):
                node.image.pop(key, None)


class SelectLayer(bpy.types.Operator):
    """Make this layer the active object; with Shift it is selected as well"""

    bl_idname = "photo_diorama.select_layer"
    bl_label = "Select Layer"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Layer", description="Name of the layer's object")
    extend: bpy.props.BoolProperty(name="Extend", description="Keep what is selected")

    @classmethod
    def poll(cls, context):
        return context.mode == "OBJECT"

    def invoke(self, context, event):
        self.extend = event.shift
        return self.execute(context)

    def execute(self, context):
        ob = context.view_layer.objects.get(self.name)
        if ob is None or find_root(ob) is None:
            self.report({"ERROR"}, f"There is no layer named {self.name} in this view layer.")
            return {"CANCELLED"}
        if not self.extend:
            for other in context.selected_objects:
                other.select_set(False)
        ob.select_set(True)
        context.view_layer.objects.active = ob
        return {"FINISHED"}


class ShowInvented(ActOnDiorama, bpy.types.Operator):
    """Show or hide what was invented, in the viewport and in renders: behind things, outside the frame, or both"""

    bl_idname = "photo_diorama.show_invented"
    bl_label = "Show Invented"
    bl_options = {"REGISTER", "UNDO"}

    show: bpy.props.BoolProperty(name="Show", description="Whether it is visible", default=True)
    what: bpy.props.EnumProperty(
        name="What",
        description="What is shown or hidden",
        items=[
            ("ALL", "All", "All that was invented"),
            ("HIDDEN", "Hidden", "What was invented behind things"),
            ("BORDER", "Border", "What was invented outside the photo's frame"),
        ],
    )
    part_only: bpy.props.BoolProperty(name="This Part Only", description="Only for the part that the active layer belongs to")

    def act(self, context, root):
        number = part_number(context.object)
        chosen = [ob for ob in find_surfaces(root) if is_invented(ob, self.what)]
        chosen = [ob for ob in chosen if not self.part_only or part_number(ob) == number]
        if not chosen:
            self.report({"INFO"}, "Nothing of that kind was invented here.")
            return {"CANCELLED"}
        for ob in chosen:
            ob.hide_viewport = ob.hide_render = not self.show


class TintInvented(ActOnDiorama, bpy.types.Operator):
    """Tint everything that was invented, in the viewport and in renders, or remove the tint.
    Visible in Material Preview, Rendered, and Solid with the colour Texture"""

    bl_idname = "photo_diorama.tint_invented"
    bl_label = "Tint Invented"
    bl_options = {"REGISTER", "UNDO"}

    show: bpy.props.BoolProperty(name="Tint", description="Whether what was invented is tinted", default=True)
    colour: bpy.props.FloatVectorProperty(
        name="Colour", description="Colour of the tint", subtype="COLOR_GAMMA", size=3, default=COLOUR, min=0.0, max=1.0
    )
    strength: bpy.props.FloatProperty(
        name="Strength", description="How much of the tint covers the texture", default=STRENGTH, min=0.0, max=1.0
    )

    def act(self, context, root):
        take_from_tint(root)
        nodes = find_image_nodes(root)
        take_off(nodes)
        if TINT_KEY in root:
            del root[TINT_KEY]
        if self.show:
            root[TINT_KEY] = (*self.colour, self.strength)
            tint(nodes, tuple(self.colour), self.strength)
            if not tinted_images(nodes):
                return f"Nothing of {root.name} was invented, so nothing is tinted."
        return ""


def is_invented(ob: bpy.types.Object, what: str = "ALL") -> bool:
    """Whether a layer shows invented content: behind things, in the border, or either."""
    words = str(ob.get(ROLE_KEY, "")).split()
    if words[:1] == [ADDED_ROLE]:
        return False
    behind, outside = ("hidden", "backdrop"), ("border",)
    kinds = {"ALL": behind + outside, "HIDDEN": behind, "BORDER": outside}[what]
    return any(kind in words for kind in kinds)


register, unregister = bpy.utils.register_classes_factory(
    (SplitLayer, JoinLayer, DuplicateLayer, DeleteLayer, SelectLayer, ShowInvented, TintInvented)
)
