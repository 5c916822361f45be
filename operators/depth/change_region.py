"""Operators that change depth by regions: make a plane, push behind the surroundings, set another depth, move, smooth."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from functools import partial

import bpy

from ...core.depth import edit_depth as core
from ...core.edit_and_rebuild import Changed, Source, change_depth, restore_depth
from ...core.errors import DioramaError
from ...core.settings import Settings
from ..building import build_operator as build
from ..building.rebuild import rebuild
from ..building.user_preferences import models_folder
from ..on_diorama import OnDiorama, point_property
from ..scene.depth_image import keep_edit, stored_edit, stored_parts
from ..scene.root import find_root, kept_settings, source_facts, source_files, stored_layer_edits
from ..scene.surfaces import root_by_name
from .chosen_region import find_region, place_on_photo, region_property, selected_triangles


def part(name: str, description: str, default: float, low: float = 0.0, high: float = 1.0):
    """A declared property for a share of the depth's range or of the long side."""
    return bpy.props.FloatProperty(name=name, description=description, default=default, min=low, max=high, precision=3, step=0.5)


def build_property():
    """A declared property: whether the layers are rebuilt."""
    return bpy.props.BoolProperty(name="Rebuild", description="Rebuild the layers at once; off, only the depth image changes", default=True)


def stored_source(context: bpy.types.Context, root: bpy.types.Object) -> Source:
    """The build inputs stored on a root; raises DioramaError where the photo's path is lost."""
    photo, depth = source_files(root)
    if not photo:
        raise DioramaError(f"{root.name} does not know its photo any more; rebuild it with the photo's file first.")
    settings = Settings().with_values(kept_settings(root))
    files = bpy.path.abspath(photo), bpy.path.abspath(depth) or None
    return Source(*files, settings, models_folder(context), build.kept, stored_parts(root), stored_layer_edits(root))


class OnDepth(OnDiorama, build.BuildOperator):
    """Mixin of operators on the selected diorama's depth; in a thread for a person, in place for scripts."""

    bl_options = {"REGISTER", "UNDO"}

    def invoke(self, context, event):
        return self.execute_in_thread(context)

    def begin(self, context) -> tuple[bpy.types.Object, Source]:
        root = find_root(context.object)
        self._root, self._source = root.name, stored_source(context, root)
        return root, self._source

    def finish(self, context, changed: Changed):
        root = root_by_name(self._root)
        keep_edit(root, changed.edit)
        if changed.built is not None:
            about = source_facts(changed.built, self._source.photo, self._source.depth)
            return rebuild(root, changed.built, self._source.settings, about, context.scene)
        return ""


class ChangeDepth(OnDepth):
    """Mixin: `change_of(context, root)` returns a function from the current depth to the change."""

    region: region_property()
    feather: part(
        "Feather",
        "Width over which the change fades in from the region's rim, as a part of the long side",
        0.0,
        high=0.5,
    )
    build: build_property()

    def prepare(self, context):
        root, source = self.begin(context)
        mask, change = find_region(context, root, self.region), self.change_of(context, root)
        return partial(change_depth, source, stored_edit(root), mask, change, self.feather, self.build)


class FlattenDepth(ChangeDepth, bpy.types.Operator):
    """Fit one plane in space to most of the region: for walls, screens, floors and signs"""

    bl_idname = "photo_diorama.depth_to_plane"
    bl_label = "Make One Plane"

    def change_of(self, context, root):
        return lambda depth: core.make_plane


class PushDepth(ChangeDepth, bpy.types.Operator):
    """Push the region just behind its surroundings (or in front): for gaps in foliage, windows, sky between branches"""

    bl_idname = "photo_diorama.push_depth"
    bl_label = "Push Behind"

    side: bpy.props.EnumProperty(
        name="Side",
        description="Where the region goes",
        items=[
            ("BEHIND", "Behind", "Just behind what surrounds it"),
            ("FRONT", "In Front", "Just in front of what surrounds it"),
        ],
    )
    gap: part("Gap", "How far behind, as a part of the range of disparity; beyond the option Tear the surface is torn", 0.04)
    keep_relief: bpy.props.BoolProperty(
        name="Keep Relief", description="Move the region as it is; off, it follows the depth of its surroundings", default=True
    )

    def change_of(self, context, root):
        gap, front, keep = self.gap, self.side == "FRONT", self.keep_relief
        return lambda depth: core.push(gap * depth.span, front, keep)


class SameDepth(ChangeDepth, bpy.types.Operator):
    """Give the region the depth of another place in the photo: at the 3D cursor, at the active face or at a picked point"""

    bl_idname = "photo_diorama.same_depth"
    bl_label = "Same Depth As"

    of: bpy.props.EnumProperty(
        name="As",
        description="Where the depth is taken from",
        items=[
            ("CURSOR", "3D Cursor", "What the photo's camera sees where the 3D cursor is"),
            ("FACE", "Active Face", "The active face in edit mode"),
            ("POINT", "Point", "A place on the photo"),
        ],
    )
    point: point_property()
    keep_relief: bpy.props.BoolProperty(
        name="Keep Relief",
        description="Move the middle of the region there and keep its relief; off, it becomes flat",
    )

    def change_of(self, context, root):
        u, v = {"CURSOR": _cursor, "FACE": _active_face, "POINT": lambda *_: tuple(self.point)}[self.of](context, root)
        keep = self.keep_relief
        return lambda depth: core.set_disparity(core.disparity_at(depth.disparity, u, v), keep)


def _cursor(context, root) -> tuple[float, float]:
    u, v = place_on_photo(root, *(root.matrix_world.inverted() @ context.scene.cursor.location))
    if not (0 <= u <= 1 and 0 <= v <= 1):
        raise DioramaError("The photo does not show the place of the 3D cursor; put it on the photo with Shift and right click.")
    return float(u), float(v)


def _active_face(context, root) -> tuple[float, float]:
    import bmesh

    ob = context.object
    face = bmesh.from_edit_mesh(ob.data).faces.active if ob.mode == "EDIT" and ob.type == "MESH" else None
    if face is None:
        raise DioramaError("There is no active face; in edit mode select the region, then the face to take the depth of.")
    selected_triangles(root, ob)  # raises where this is no layer
    u, v = place_on_photo(root, *face.calc_center_median())
    return float(u), float(v)


class MoveDepth(ChangeDepth, bpy.types.Operator):
    """Move the region nearer; an amount below 0 moves it farther"""

    bl_idname = "photo_diorama.move_depth"
    bl_label = "Nearer or Farther"

    amount: part("Amount", "How much nearer, as a part of the range of disparity; below 0 farther", 0.05, low=-1.0)

    def change_of(self, context, root):
        amount = self.amount
        return lambda depth: core.move(amount * depth.span)


class SmoothDepth(ChangeDepth, bpy.types.Operator):
    """Smooth the depth within the region; its surroundings have no influence"""

    bl_idname = "photo_diorama.smooth_depth"
    bl_label = "Smooth Depth"

    radius: part("Radius", "Width of the smoothing, as a part of the long side", 0.01, low=0.001, high=0.2)

    def change_of(self, context, root):
        radius = self.radius
        return lambda depth: core.smooth(radius * max(depth.disparity.shape))


class RestoreDepth(OnDepth, bpy.types.Operator):
    """Restore the original depth: everywhere, or inside the region"""

    bl_idname = "photo_diorama.restore_depth"
    bl_label = "Restore Original Depth"

    where: bpy.props.EnumProperty(
        name="Where",
        description="Which changes are undone",
        items=[("ALL", "Everywhere", "All changes"), ("REGION", "Region", "Changes inside the selection or mask")],
    )
    build: build_property()

    def prepare(self, context):
        root, source = self.begin(context)
        if self.where == "ALL":
            return partial(restore_depth, source, None, None, self.build)
        return partial(restore_depth, source, stored_edit(root), find_region(context, root, "AUTO"), self.build)


register, unregister = bpy.utils.register_classes_factory((FlattenDepth, PushDepth, SameDepth, MoveDepth, SmoothDepth, RestoreDepth))
