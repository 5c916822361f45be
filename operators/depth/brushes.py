"""Brushes for depth and mask, independent of the colour, strength and falloff that an artist's other brushes share."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

from dataclasses import dataclass

import bpy

from ...core.errors import DioramaError
from ..on_diorama import ActOnDiorama
from ..scene.depth_image import EDITED_KEY, MASK_KEY, stored_image
from .change_region import part
from .paint_depth import image_editor, show_image


@dataclass(frozen=True)
class Kind:
    """One of our brushes."""

    name: str
    blend: str
    level: float  # its colour, a grey level
    help: str


BRUSHES = {
    "NEARER": Kind("Photo Diorama Nearer", "ADD", 1.0, "Makes what you paint nearer, stroke by stroke"),
    "FARTHER": Kind("Photo Diorama Farther", "SUB", 1.0, "Makes what you paint farther, stroke by stroke"),
    "MASK": Kind("Photo Diorama Mask", "MIX", 1.0, "Adds what you paint to the region"),
    "UNMASK": Kind("Photo Diorama Unmask", "MIX", 0.0, "Removes what you paint from the region"),
}
OF_MASK = ("MASK", "UNMASK")
LOOK_AGAIN = 0.3
"""Seconds between two checks whether one of our brushes is still active."""


class DepthBrush(ActOnDiorama, bpy.types.Operator):
    """Activate a brush for the depth or the mask, and show the image that it paints on"""

    bl_idname = "photo_diorama.depth_brush"
    bl_label = "Take Brush"
    bl_options = {"REGISTER", "UNDO"}

    kind: bpy.props.EnumProperty(
        name="Brush",
        description="What the brush does",
        items=[(key, key.title(), kind.help) for key, kind in BRUSHES.items()],
    )
    strength: part("Strength", "How much one stroke changes, as a part of the nearest disparity", 0.02)

    @classmethod
    def poll(cls, context):
        if not super().poll(context):
            return False
        if context.mode != "PAINT_TEXTURE" and image_editor(context) is None:
            cls.poll_message_set("Open the depth or the mask for painting first")
            return False
        return True

    def act(self, context, root):
        of_mask = self.kind in OF_MASK
        image = stored_image(root, MASK_KEY if of_mask else EDITED_KEY)
        if image is None:
            raise DioramaError(f"Open the {'mask' if of_mask else 'depth'} for painting first.")
        show_image(context, image)
        take_brush(context, self.kind, 1.0 if of_mask else self.strength)


def take_brush(context: bpy.types.Context, kind: str, strength: float) -> None:
    """Makes the brush of a kind active in the editor that is being painted in."""
    brush = make_brush(kind, strength)
    place = {}
    if context.mode != "PAINT_TEXTURE" and (found := image_editor(context)):
        place = {"area": found[1], "window": found[0]}
    with context.temp_override(**place):
        bpy.ops.brush.asset_activate(asset_library_type="LOCAL", relative_asset_identifier=f"Brush/{brush.name}")
    watch()


def make_brush(kind: str, strength: float) -> bpy.types.Brush:
    """Returns our brush of a kind, and makes it where the file has none; the user's own brushes are not touched."""
    wanted = BRUSHES[kind]
    brush = bpy.data.brushes.get(wanted.name)
    if brush is None:
        brush = bpy.data.brushes.new(wanted.name, mode="TEXTURE_PAINT")
        brush.asset_mark()  # only assets can be made active
        brush.asset_data.description = wanted.help
    brush.blend, brush.strength = wanted.blend, strength
    # Blender replaces a brush's colour by the one that all brushes share, but never its gradient
    brush.color, brush.color_type = (wanted.level,) * 3, "GRADIENT"
    for stop in brush.gradient.elements:
        stop.color = (wanted.level, wanted.level, wanted.level, 1.0)
    brush.use_pressure_strength = kind not in OF_MASK
    return brush


def shared(scene: bpy.types.Scene) -> list[tuple]:
    """(owner, name, value) of the settings that all brushes share, where ours need another value."""
    paint = scene.tool_settings.image_paint
    unified = getattr(paint, "unified_paint_settings", None) or scene.tool_settings.unified_paint_settings  # until 4.5
    # strokes thin out on slopes with the normal falloff, and a torn surface is all slopes
    return [(unified, "use_unified_strength", False), (paint, "use_normal_falloff", False)]


_lent: dict[str, list] = {}
"""By scene: the artist's own values of the shared brush settings, while one of our brushes is active there."""


def watch() -> None:
    """Sets the shared settings while one of our brushes paints, and restores them afterwards."""
    for scene in bpy.data.scenes:
        if is_painting(scene) and scene.name not in _lent:
            _lent[scene.name] = [getattr(owner, name) for owner, name, _ in shared(scene)]
            for owner, name, value in shared(scene):
                setattr(owner, name, value)
        elif scene.name in _lent and not is_painting(scene):
            _give_back(scene)
    for gone in set(_lent) - {scene.name for scene in bpy.data.scenes}:
        del _lent[gone]
    if _lent and not bpy.app.background and not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=LOOK_AGAIN)


def is_painting(scene: bpy.types.Scene) -> bool:
    """Whether one of our brushes is active in a place of this scene where painting goes on."""
    brush = scene.tool_settings.image_paint.brush
    if brush is None or brush.name not in {kind.name for kind in BRUSHES.values()}:
        return False
    for window in bpy.context.window_manager.windows:
        if window.scene == scene:
            active = window.view_layer.objects.active
            if active is not None and active.mode == "TEXTURE_PAINT":
                return True
            for area in window.screen.areas:
                if area.type == "IMAGE_EDITOR" and area.spaces.active.mode == "PAINT":
                    return True
    return False


def _look() -> float | None:
    watch()
    return LOOK_AGAIN if _lent else None


def _give_back(scene: bpy.types.Scene) -> None:
    for (owner, name, _), value in zip(shared(scene), _lent.pop(scene.name), strict=True):
        setattr(owner, name, value)


@bpy.app.handlers.persistent
def on_change(*_) -> None:
    """Handler: an artist may return to painting with our brush still active."""
    if not _lent:
        watch()


@bpy.app.handlers.persistent
def before_save(*_) -> None:
    """Handler: a saved file holds the artist's own settings."""
    for scene in bpy.data.scenes:
        if scene.name in _lent:
            _give_back(scene)


@bpy.app.handlers.persistent
def after_save(*_) -> None:
    watch()


@bpy.app.handlers.persistent
def after_load(*_) -> None:
    """Handler: another file has its own settings."""
    _lent.clear()


HANDLERS = (
    ("depsgraph_update_post", on_change),
    ("save_pre", before_save),
    ("save_post", after_save),
    ("save_post_fail", after_save),
    ("load_post", after_load),
)


def register() -> None:
    bpy.utils.register_class(DepthBrush)
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    for scene in bpy.data.scenes:
        if scene.name in _lent:
            _give_back(scene)
    bpy.utils.unregister_class(DepthBrush)
