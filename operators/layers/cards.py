"""The operator that lays a layer on a flat or curved card, and takes it off again."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from dataclasses import replace
from functools import partial

import bpy

from ...core.depth.edit_depth import DepthEdit
from ...core.edit_and_rebuild import Source, build_from
from ...core.errors import DioramaError
from ...core.layer_edits.edited_layers import LayerEdits
from ...core.layers.layered_depth_image import ADDED_ROLE
from ...core.pipeline import Diorama, Progress
from ..building.rebuild import rebuild
from ..depth.change_region import OnDepth
from ..scene.depth_image import stored_edit
from ..scene.keys import ROLE_KEY
from ..scene.root import find_root, keep_layer_edits, objects_by_role, source_facts, stored_layer_edits
from ..scene.surfaces import root_by_name

NO_CARD = "SURFACE"


def card_role(ob: bpy.types.Object | None) -> str:
    """The role of the surface that would be laid on a card with this layer; "" where none can be."""
    role = "" if ob is None else str(ob.get(ROLE_KEY, ""))
    words = role.split()
    if words[:1] == [ADDED_ROLE]:
        return role
    words = words[2:] if words[:1] == ["part"] else words
    if words in (["border"], ["soft"]):
        return role[: -len(words[0])] + "photo"
    return role if words == ["photo"] or words[:1] == ["hidden"] else ""


def card_of(root: bpy.types.Object, role: str) -> str:
    """FLAT, CURVED, or SURFACE where that surface is on no card."""
    edits = stored_layer_edits(root)
    return dict(edits.cards).get(role, NO_CARD).upper() if edits is not None else NO_CARD


class LayOnCard(OnDepth, bpy.types.Operator):
    """Lay the active layer on a card, for animating with planes: the photo's own view stays as it is.
    A part that was split off is the best one for it. Rebuilds keep the card"""

    bl_idname = "photo_diorama.lay_on_card"
    bl_label = "Lay on Card"

    card: bpy.props.EnumProperty(
        name="Card",
        description="What the layer's surface becomes",
        items=[
            ("FLAT", "Flat", "A plane in space that fits the layer best"),
            ("CURVED", "Curved", "A smoothly bent sheet that fits the layer best"),
            (NO_CARD, "Surface", "The layer's own surface again"),
        ],
    )

    @classmethod
    def poll(cls, context):
        if not super().poll(context):
            return False
        if not card_role(context.object):
            cls.poll_message_set("Select a layer with the photo, a hidden layer, or one that was added")
            return False
        return True

    def prepare(self, context):
        role = card_role(context.object)
        root, source = self.begin(context)
        edits = source.layer_edits or LayerEdits((0, 0, 1, 1), (1, 1))
        others = tuple((each, card) for each, card in edits.cards if each != role)
        self._active = str(context.object.get(ROLE_KEY))
        self._edits = replace(edits, cards=others if self.card == NO_CARD else (*others, (role, self.card.lower())))
        wanted = "" if self.card == NO_CARD else role
        return partial(build_with_card, replace(source, layer_edits=self._edits), stored_edit(root), wanted)

    def finish(self, context, built: Diorama):
        root = root_by_name(self._root)
        note = rebuild(root, built, self._source.settings, source_facts(built, self._source.photo, self._source.depth), context.scene)
        keep_layer_edits(root, self._edits)
        if context.mode == "OBJECT" and find_root(context.object) is None:
            context.view_layer.objects.active = objects_by_role(root).get(self._active, root)
        return note


def build_with_card(source: Source, edit: DepthEdit | None, role: str, progress: Progress) -> Diorama:
    """The diorama of a source, one of whose cards is that of a role; raises DioramaError where that surface is not there any more."""
    built = build_from(source, edit, progress)
    if role and role not in dict(built.image.cards):
        raise DioramaError(f"There is no surface {role} any more; rebuild the diorama.")
    return built


register, unregister = bpy.utils.register_classes_factory((LayOnCard,))
