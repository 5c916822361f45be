"""Camera moves as ordinary keyframes on the camera's rig, which an artist can edit."""

from __future__ import annotations

import bpy
import numpy as np
from bpy_extras.anim_utils import action_get_channelbag_for_slot
from mathutils import Euler, Vector

from ...core.camera.camera import Camera
from ...core.camera.framing import FrameEdge, Path, closer_start, lens_factor
from ...core.camera.moves import FORWARD, MOVES, PITCH, Key, Length
from ...core.errors import DioramaError
from ...core.settings import SceneSettings

MOVE_KEY, ROLE_KEY = "photo_diorama_move", "photo_diorama_role"
LENS_KEY, FRAMED_KEY = "photo_diorama_lens", "photo_diorama_framed"
"""On the rig of a move that changes the lens: the lens at rest in mm, and by how much the framing made it longer."""
MOVE_OPTIONS = ("camera_move", "move_amount", "framing", "move_easing", "move_loop", "move_aim", "move_seed", "frames")
SAME_LENS = 1e-5
MAX_POSES = 200
"""Largest number of frames of a move that the framing samples."""
AIM = "Look at the focus"


def animate(
    rig: bpy.types.Object, camera: bpy.types.Object, mesh, settings: SceneSettings, scene=None,
    edge: tuple[FrameEdge, Camera] | None = None,
) -> float:  # fmt: skip
    """Keyframes of the chosen move on the rig, and on the lens where the move or its framing needs them; replaces the last move.

    `mesh` is anything with `nearest` and `focus` distances in the root's units. A focus object of the root replaces the
    latter. `edge`: the photo's edge and camera, for a framing that shows nothing outside it. Returns the factor by which the framing made
    the lens longer. Raises DioramaError, with nothing changed, where the focus object cannot be looked at.
    """
    focus = focus_distance(rig.parent, mesh.focus)
    clear(rig, camera)
    if settings.camera_move == "none":
        return 1.0
    _remove_curves(rig, {"location"})  # the artist's own keys, which the move's would overlap
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
    size = lambda forward: 1.0
    if move.keeps_focus_size:
        # lens = lens0 * distance / focus, and the distance is eased as the place is, so the same keys are exact
        size = lambda forward: max(0.05, (focus - forward) / focus)
    if settings.move_aim:
        _aim(rig, focus)
    rig[MOVE_KEY], rest, factor = settings.camera_move, camera.data.lens, 1.0
    if settings.framing == "clean" and edge is not None:
        path = path_of_move(rig, first, frames, size, focus if settings.move_aim else None)
        closer = 0.0 if move.keeps_focus_size else closer_start(path, mesh.nearest, settings.move_amount)
        factor = lens_factor(*edge, path)
        if factor > 1 and closer > 0:
            _shift(rig, FORWARD, closer)
            factor = lens_factor(*edge, path_of_move(rig, first, frames, size, focus if settings.move_aim else None))
    rig[LENS_KEY], rig[FRAMED_KEY] = rest, factor
    if move.keeps_focus_size:
        keys = [(frame_at(k.at), rest * factor * size(k.value * unit), k) for k in channels[FORWARD]]
        _write(camera.data, "lens", 0, keys, loop)
    elif factor > 1:
        camera.data.lens = rest * factor
    return factor


def _shift(rig: bpy.types.Object, axis: int, distance: float) -> None:
    """Moves all keys of the rig's place along one of its axes."""
    curve = next(c for c in curves_of(rig) if (c.data_path, c.array_index) == ("location", axis))
    for point in curve.keyframe_points:
        point.co[1] += distance
    curve.update()


def path_of_move(rig: bpy.types.Object, first: int, frames: int, size, focus: float | None) -> Path:
    """Where the rig's curves put the camera in the frames of a move; `size` gives the lens for a place forwards, `focus` is how
    far away a turned camera looks."""
    at = first + np.unique(np.linspace(0, frames - 1, min(frames, MAX_POSES)).round())
    curves = {(c.data_path, c.array_index): c for c in curves_of(rig)}
    channel = lambda path, axis: [curves[path, axis].evaluate(f) if (path, axis) in curves else 0.0 for f in at]
    places, turns = (np.array([channel(path, axis) for axis in range(3)]).T for path in ("location", "rotation_euler"))
    if focus is None:
        rotations = [Euler(turn).to_matrix() for turn in turns]
    else:
        ahead = Vector((0.0, 1.0, 0.0))
        rotations = [ahead.rotation_difference(Vector((0.0, focus, 0.0)) - Vector(place)).to_matrix() for place in places]
    # from Blender's axes, x right, y forward, z up, to those of core, x right, y down, z forward
    axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return Path(places @ axes.T, np.array([axes @ np.array(r) @ axes.T for r in rotations]), np.array([size(y) for y in places[:, 1]]))


def framing_factor(rig: bpy.types.Object | None) -> float:
    """By how much the framing of the rig's move made the lens longer; 1 where there is none."""
    return float(rig.get(FRAMED_KEY, 1.0)) if rig is not None and MOVE_KEY in rig else 1.0


def lens_at_rest(camera: bpy.types.Object) -> float:
    """The lens of a diorama's camera in mm without its move; one that the artist has set since is kept."""
    rig, lens = camera.parent, camera.data.lens
    if rig is None or LENS_KEY not in rig:
        return lens
    animated = any(curve.data_path == "lens" for curve in curves_of(camera.data))
    return float(rig[LENS_KEY]) if animated or abs(lens / (rig[LENS_KEY] * rig[FRAMED_KEY]) - 1) < SAME_LENS else lens


def keep_framing(rig: bpy.types.Object, camera: bpy.types.Object) -> None:
    """Makes the lens that was just set the lens at rest, and applies the framing of the move to it again."""
    if LENS_KEY in rig and not any(curve.data_path == "lens" for curve in curves_of(camera.data)):
        rig[LENS_KEY] = camera.data.lens
        camera.data.lens *= rig[FRAMED_KEY]


def clear(rig: bpy.types.Object, camera: bpy.types.Object) -> None:
    """Removes what `animate` made and puts the rig back at the photo's viewpoint; other animation stays."""
    made = rig.get(MOVE_KEY)
    if made is None:
        return
    turned = made in MOVES and any(channel >= PITCH for channel in MOVES[made].shapes)
    _remove_curves(rig, {"location", "rotation_euler"} if turned else {"location"})
    if turned:
        rig.rotation_euler = (0.0, 0.0, 0.0)
    if LENS_KEY in rig:
        lens = lens_at_rest(camera)
        _remove_curves(camera.data, {"lens"})
        camera.data.lens = lens
    rig.location = (0.0, 0.0, 0.0)
    constraint = rig.constraints.get(AIM)
    if constraint is not None:
        target = constraint.target
        rig.constraints.remove(constraint)
        if target is not None and target.get(ROLE_KEY) == "focus":
            bpy.data.objects.remove(target)
    for key in (MOVE_KEY, LENS_KEY, FRAMED_KEY):
        if key in rig:
            del rig[key]


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
    """Rotates the rig towards a point straight ahead of the photo's viewpoint, so that there it is not rotated."""
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
    """Removes curves, and the action with them where it holds nothing else."""
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
