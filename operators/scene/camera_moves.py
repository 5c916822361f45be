"""Camera moves as ordinary keyframes on the camera's rig, which an artist can edit."""

from __future__ import annotations

import bpy
from bpy_extras.anim_utils import action_get_channelbag_for_slot

from ...core.camera.moves import FORWARD, MOVES, PITCH, Key, Length
from ...core.errors import DioramaError
from ...core.settings import SceneSettings

MOVE_KEY, ROLE_KEY = "photo_diorama_move", "photo_diorama_role"
MOVE_OPTIONS = ("camera_move", "move_amount", "move_easing", "move_loop", "move_aim", "move_seed", "frames")
AIM = "Look at the focus"


def animate(rig: bpy.types.Object, camera: bpy.types.Object, mesh, settings: SceneSettings, scene=None) -> None:
    """Keyframes for the chosen move on the rig, and on the lens for the dolly zoom; those of the move before go.

    `mesh` is anything with `nearest` and `focus` distances in the root's units. A focus object of the root replaces the
    latter. Raises DioramaError where that one cannot be looked at; nothing is changed then.
    """
    focus = focus_distance(rig.parent, mesh.focus)
    clear(rig, camera)
    if settings.camera_move == "none":
        return
    _remove_curves(rig, {"location"})  # keys of the artist's own that the move would lie across
    scene = scene or bpy.context.scene
    move, frames = MOVES[settings.camera_move], settings.frames
    loop = move.closed or settings.move_loop
    seconds = frames * scene.render.fps_base / scene.render.fps
    first = scene.frame_start
    # a loop's last key is the frame after its last one, so that no picture is shown twice
    frame_at = lambda at: first + at * (frames if loop else frames - 1)
    unit = mesh.nearest * settings.move_amount
    channels = move.keys(Length(seconds, settings.move_easing, loop, settings.move_seed))
    for channel, keys in channels.items():
        is_offset = channel < 3
        path, scale = ("location", unit) if is_offset else ("rotation_euler", settings.move_amount)
        _write(rig, path, channel % 3, [(frame_at(k.at), k.value * scale, k) for k in keys], loop)
    if move.keeps_focus_size:
        # lens = lens0 * distance / focus, and the distance is eased as the place is, so the same keys are exact
        size = lambda forward: camera.data.lens * max(0.05, (focus - forward) / focus)
        _write(camera.data, "lens", 0, [(frame_at(k.at), size(k.value * unit), k) for k in channels[FORWARD]], loop)
    if settings.move_aim:
        _aim(rig, focus)
    rig[MOVE_KEY] = settings.camera_move


def clear(rig: bpy.types.Object, camera: bpy.types.Object) -> None:
    """Takes away what `animate` made, and the rig is back where the photo was taken; other animation stays."""
    made = rig.get(MOVE_KEY)
    if made is None:
        return
    turned = made in MOVES and any(channel >= PITCH for channel in MOVES[made].shapes)
    _remove_curves(rig, {"location", "rotation_euler"} if turned else {"location"})
    if turned:
        rig.rotation_euler = (0.0, 0.0, 0.0)
    if made in MOVES and MOVES[made].keeps_focus_size:
        lens = _lens_at_rest(camera.data)
        _remove_curves(camera.data, {"lens"})
        camera.data.lens = lens
    rig.location = (0.0, 0.0, 0.0)
    constraint = rig.constraints.get(AIM)
    if constraint is not None:
        target = constraint.target
        rig.constraints.remove(constraint)
        if target is not None and target.get(ROLE_KEY) == "focus":
            bpy.data.objects.remove(target)
    del rig[MOVE_KEY]


def _lens_at_rest(data: bpy.types.Camera) -> float:
    """The lens halfway between both ends of a dolly zoom, where the camera is at the photo's place."""
    curve = next((c for c in curves_of(data) if c.data_path == "lens"), None)
    values = [key.co[1] for key in curve.keyframe_points] if curve else []
    return (min(values) + max(values)) / 2 if values else data.lens


def focus_distance(root: bpy.types.Object, otherwise: float) -> float:
    """How far the root's focus object is from the photo's place along its view, in the root's units."""
    chosen = getattr(root, "photo_diorama_focus", None)
    if chosen is None:
        return otherwise
    distance = (root.matrix_world.inverted_safe() @ chosen.matrix_world.translation).y
    if distance <= 0:
        raise DioramaError(f"{chosen.name} is not in front of the photo's camera; choose a focus object that it sees.")
    return distance


def _aim(rig: bpy.types.Object, focus: float) -> None:
    """The rig keeps looking at a point straight ahead of the photo's place, so that at that place it is not turned."""
    target = bpy.data.objects.new(f"{rig.name} focus", None)
    target.empty_display_type, target.empty_display_size = "SPHERE", focus / 40
    target.parent, target.location, target[ROLE_KEY] = rig.parent, (0.0, focus, 0.0), "focus"
    for collection in rig.users_collection:
        collection.objects.link(target)
    constraint = rig.constraints.new("DAMPED_TRACK")
    constraint.name, constraint.target, constraint.track_axis = AIM, target, "TRACK_Y"


def curves_of(owner) -> list[bpy.types.FCurve]:
    """The F-curves of an object or datablock, those of its own slot of the action only."""
    bag = _bag(owner)
    return list(bag.fcurves) if bag else []


def _bag(owner):
    data = owner.animation_data
    if data is None or data.action is None or data.action_slot is None:
        return None
    return action_get_channelbag_for_slot(data.action, data.action_slot)


def _remove_curves(owner, paths: set[str]) -> None:
    """Takes curves away, and the action with them where nothing else is in it."""
    bag = _bag(owner)
    if bag is None:
        return
    for curve in [curve for curve in bag.fcurves if curve.data_path in paths]:
        bag.fcurves.remove(curve)
    if not len(bag.fcurves):
        data, action = owner.animation_data, owner.animation_data.action
        data.action = None
        if not data.drivers and not data.nla_tracks:
            owner.animation_data_clear()
        if not action.users:
            bpy.data.actions.remove(action)


def _write(owner, path: str, index: int, keys: list[tuple[float, float, Key]], loop: bool) -> None:
    """One curve with its keys; a loop goes on for ever."""
    if not owner.animation_data or not owner.animation_data.action:
        # the lens is no vector, which this call counts as -1
        owner.keyframe_insert(path, index=index if path != "lens" else -1, frame=keys[0][0])
    curve = owner.animation_data.action.fcurve_ensure_for_datablock(owner, path, index=index)
    curve.keyframe_points.clear()
    curve.keyframe_points.add(len(keys))
    curve.keyframe_points.foreach_set("co", [number for frame, value, _ in keys for number in (frame, value)])
    for point, (_, _, key) in zip(curve.keyframe_points, keys, strict=True):
        point.interpolation, point.easing = key.interpolation, key.easing
        point.handle_left_type = point.handle_right_type = "AUTO"
    if loop:
        curve.modifiers.new("CYCLES")
    curve.update()
