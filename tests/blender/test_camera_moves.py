"""Camera moves in Blender: what the F-curves say at every frame, that loops close, and that nothing else is touched."""

from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import differences, everything, furnish
from camera_view import seen_from
from fake_layout import FakeLayout
from mathutils import Vector

from photo_diorama.core.camera.moves import MOVES
from photo_diorama.operators.camera.apply_move import apply_move
from photo_diorama.operators.scene.camera_moves import curves_of


@pytest.fixture
def move(blender):
    def call(root, **options):
        blender.context.view_layer.objects.active = root
        assert blender.ops.photo_diorama.apply_move(**options) == {"FINISHED"}

    return call


def parts(root):
    return {ob["photo_diorama_role"]: ob for ob in root.children_recursive if "photo_diorama_role" in ob}


def seen(scene, root, frames):
    """(frames, 3) places and turns of the rig and (frames,) lenses; places in nearest distances (2 m)."""
    part, places, turns, lenses = parts(root), [], [], []
    for frame in frames:
        scene.frame_set(int(frame), subframe=frame % 1)
        places.append(np.array(part["rig"].location) / 2)
        turns.append(np.array(part["rig"].rotation_euler))
        lenses.append(part["camera"].data.lens)
    return np.array(places), np.array(turns), np.array(lenses)


def test_the_circle_is_exact_at_every_frame_and_repeats(blender, street, import_photo, move):
    root, scene = import_photo(*street), blender.context.scene
    move(root, camera_move="circle", frames=20, move_amount=2.0, framing="whole")
    frames = np.arange(1, 61)
    places, turns, lenses = seen(scene, root, frames)
    t = (frames - 1) / 20
    wanted = np.stack([0.09 * np.cos(4 * np.pi * t), 0.15 * np.cos(2 * np.pi * t), 0.09 * np.sin(4 * np.pi * t)], 1)
    assert np.abs(places - wanted).max() < 2e-4  # the nearest distance is kept with four decimals
    assert np.ptp(lenses) == 0 and not turns.any()


@pytest.mark.parametrize("name", MOVES)
def test_every_loop_repeats_without_a_jump_or_a_picture_twice(blender, street, import_photo, move, name):
    root, scene = import_photo(*street), blender.context.scene
    move(root, camera_move=name, frames=24, move_loop=True, move_seed=5)
    first = np.column_stack([np.column_stack(s) for s in [seen(scene, root, np.arange(1, 26))]])
    again = np.column_stack([np.column_stack(s) for s in [seen(scene, root, np.arange(25, 50))]])
    assert np.allclose(first, again, atol=1e-5)
    steps = np.abs(np.diff(first, axis=0)).max(1)
    assert (steps > 1e-7).all() and steps[-1] < 4 * np.median(steps)


def test_the_dolly_zoom_keeps_the_focus_objects_size_with_every_easing(blender, street, import_photo, move):
    root, scene = import_photo(*street), blender.context.scene
    lens = parts(root)["camera"].data.lens
    focus = blender.data.objects.new("subject", None)
    scene.collection.objects.link(focus)
    root.location, root.scale = (3, 1, 0), (2, 2, 2)
    focus.location = (3.5, 1 + 2 * 3.2, 0.2)
    root.photo_diorama_focus = focus
    for easing in ("smooth", "linear", "ease-in", "ease-out"):
        move(root, camera_move="dolly-zoom", frames=11, move_easing=easing)
        places, _, lenses = seen(scene, root, np.arange(1, 11.5, 0.5))
        size = lenses / (3.2 - 2 * places[:, 1])
        assert np.ptp(size) / size.mean() < 1e-4 and np.ptp(lenses) > 5
    move(root, camera_move="none")
    camera = parts(root)["camera"]
    assert camera.data.lens == pytest.approx(lens, rel=1e-6)
    assert camera.data.animation_data is None or camera.data.animation_data.action is None


def test_an_aimed_camera_keeps_the_focus_where_it_is_in_the_picture(blender, street, import_photo, move):
    root, scene = import_photo(*street), blender.context.scene
    move(root, camera_move="swing", frames=9, move_aim=True, move_easing="linear", framing="whole")
    part = parts(root)
    aim = np.array([part["focus"].matrix_world.translation])
    for frame in range(1, 10):
        scene.frame_set(frame)
        assert np.abs(seen_from(part["camera"], aim, 160, 120) - (80, 60)).max() < 0.01
    assert np.abs(np.array(part["rig"].location)).max() > 0.05
    scene.frame_set(5)  # halfway: the photo's own view, not turned
    assert np.abs(np.array(part["rig"].matrix_local) - np.eye(4)).max() < 1e-5
    move(root, camera_move="swing", move_aim=False)
    assert not part["rig"].constraints and "focus" not in parts(root)


def test_nothing_but_the_rig_and_the_lens_is_touched(blender, street, import_photo, move):
    root = import_photo(*street)
    furnish(blender)
    part = parts(root)
    part["camera"].data.dof.keyframe_insert("focus_distance", frame=3)
    part["rig"].scale = (1.5, 1, 1)
    part["rig"].keyframe_insert("scale", frame=3)
    part["photo"].location.x = 0.01
    part["photo"].keyframe_insert("location", frame=1)
    blender.context.view_layer.objects.active = root
    blender.context.scene.frame_set(20)
    before = everything()
    for name in ("handheld", "dolly-zoom", "circle", "none"):
        move(root, camera_move=name, move_aim=name == "circle", frames=12)
        curves = [line for line in differences(before, everything()) if "photo_diorama" not in line]
        # the camera follows the rig, and what an aimed one looks at is one object more
        curves = [line for line in curves if "street camera: matrix_" not in line and "objects) was" not in line]
        allowed = ("objects street camera rig", "cameras street camera: lens", "cameras street camera: angle", "actions")
        assert not [line for line in curves if not line.startswith(allowed)]
    scene = blender.context.scene
    scene.frame_set(scene.frame_current)
    assert not differences(before, everything())


def test_a_move_takes_the_place_of_the_one_before(blender, street, import_photo, move):
    root, scene = import_photo(*street, camera_move="circle", frames=20), blender.context.scene
    move(root, camera_move="handheld")
    kept = root["photo_diorama_settings"]
    assert '"camera_move": "handheld"' in kept and '"frames": 20' in kept  # what was not said is as it was
    move(root, camera_move="zoom-in", move_easing="linear", framing="whole")
    places, turns, _ = seen(scene, root, np.arange(1, 21))
    assert np.allclose(places[:, [0, 2]], 0) and not turns.any()
    assert np.allclose(places[:, 1], np.linspace(-0.15, 0.15, 20), atol=2e-4)


def test_bad_input_is_a_sentence_and_changes_nothing(blender, street, import_photo):
    root = import_photo(*street, camera_move="swing")
    behind = blender.data.objects.new("behind", None)
    behind.location = (0, -3, 0)
    blender.context.scene.collection.objects.link(behind)
    root.photo_diorama_focus = behind
    blender.context.view_layer.update()
    before = everything()
    with pytest.raises(RuntimeError, match="behind is not in front of the photo's camera"):
        blender.ops.photo_diorama.apply_move(camera_move="dolly-zoom")
    assert not differences(before, everything())
    root.photo_diorama_focus = None
    root["photo_diorama_source"] = "{}"
    with pytest.raises(RuntimeError, match="does not know its distances"):
        blender.ops.photo_diorama.apply_move(camera_move="circle")
    blender.data.objects.remove(parts(root)["camera"])
    with pytest.raises(RuntimeError, match="no camera of its own"):
        blender.ops.photo_diorama.apply_move(camera_move="circle")


def test_a_rebuild_leaves_a_changed_move_alone(blender, street, import_photo, move):
    root, scene = import_photo(*street), blender.context.scene
    move(root, camera_move="push-rise", frames=10)
    before = seen(scene, root, np.arange(1, 11))
    assert blender.ops.photo_diorama.rebuild(density=2.0) == {"FINISHED"}
    assert all(np.array_equal(a, b) for a, b in zip(before, seen(scene, root, np.arange(1, 11)), strict=True))
    assert before[0][-1][2] > 0.04


def test_the_panel_offers_every_move(blender, street, import_photo):
    root, layout = import_photo(*street, camera_move="swing"), FakeLayout()
    panel = blender.types.PHOTO_DIORAMA_PT_camera
    assert panel.poll(blender.context)
    panel.draw(SimpleNamespace(layout=layout), blender.context)
    buttons = [button.camera_move for name, button in layout.said("operator") if hasattr(button, "camera_move")]
    assert buttons == [*MOVES, "none"] and ("", "photo_diorama_focus") in layout.rows()
    assert find_tooltips(blender)
    blender.context.view_layer.objects.active = None
    assert not panel.poll(blender.context) and root


def find_tooltips(blender) -> bool:
    properties = blender.ops.photo_diorama.apply_move.get_rna_type().properties
    return all(p.description for p in properties if p.identifier != "rna_type")


def role_shares(blender, scene, root, frames):
    """The largest part of any frame that shows the border, or nothing at all: rays cast through 60 x 45 pixels."""
    worst = 0.0
    for frame in frames:
        scene.frame_set(int(frame))
        camera, shows = parts(root)["camera"], 0
        data, depsgraph = camera.data, blender.context.evaluated_depsgraph_get()
        for y in (np.arange(45) + 0.5) / 45:
            for x in (np.arange(60) + 0.5) / 60:
                at = Vector((
                    (x - 0.5 + data.shift_x) * data.sensor_width,
                    ((0.5 - y) * 0.75 + data.shift_y) * data.sensor_width, -data.lens,
                ))  # fmt: skip
                hit = scene.ray_cast(depsgraph, camera.matrix_world.translation, camera.matrix_world.to_3x3() @ at)
                shows += not hit[0] or hit[4].get("photo_diorama_role") in ("border", "backdrop")
        worst = max(worst, shows / 2700)
    return worst


@pytest.mark.parametrize("name", MOVES)
def test_a_clean_move_shows_no_border_and_a_whole_one_does(blender, street, import_photo, move, name):
    root, scene = import_photo(*street), blender.context.scene
    rest = parts(root)["camera"].data.lens
    move(root, camera_move=name, frames=9, move_amount=1.5)
    assert role_shares(blender, scene, root, (1, 3, 5, 7, 9)) <= 0.0015
    tighter = parts(root)["camera"].data.lens
    move(root, framing="whole")
    assert role_shares(blender, scene, root, (1, 3, 5, 7, 9)) > 0.004
    lens = parts(root)["camera"].data.lens
    assert name == "dolly-zoom" or (lens == pytest.approx(rest) and rest < tighter)
    move(root, camera_move="none", framing="clean")
    assert parts(root)["camera"].data.lens == pytest.approx(rest, rel=1e-6) and not parts(root)["rig"].location.length


def test_what_the_framing_does_is_told_and_is_no_larger_than_it_must_be(blender, street, import_photo, move):
    root, scene = import_photo(*street), blender.context.scene
    told = apply_move(root, {"camera_move": "swing", "move_amount": 1.5, "frames": 9}, scene)
    assert "tighter so that no edge shows." in told
    data = parts(root)["camera"].data
    assert not curves_of(data)
    data.lens *= 0.95  # what an artist may do, and keeps
    assert role_shares(blender, scene, root, (1, 9)) > 0.003
    mine = data.lens
    apply_move(root, {"camera_move": "none"}, scene)
    assert data.lens == mine
    assert "much; an amount of" in apply_move(root, {"camera_move": "push-rise", "move_amount": 5.0}, scene)
    layout = FakeLayout()
    bpy_panel = blender.types.PHOTO_DIORAMA_PT_camera
    bpy_panel.draw(SimpleNamespace(layout=layout), blender.context)
    assert any("tighter" in text for text in layout.said("label"))


def test_an_amount_is_of_its_move(blender, street, import_photo):
    """What a handheld move was fitted to would take a zoom out of the safe range."""
    from photo_diorama.operators.scene.root import kept_settings

    root = import_photo(*street)
    blender.ops.photo_diorama.apply_move("INVOKE_DEFAULT", camera_move="handheld", move_amount=4.0)
    assert kept_settings(root)["move_amount"] == 4.0
    blender.ops.photo_diorama.apply_move("INVOKE_DEFAULT", camera_move="handheld")
    assert kept_settings(root)["move_amount"] == 4.0, "the same move keeps its own"
    blender.ops.photo_diorama.apply_move("INVOKE_DEFAULT", camera_move="zoom-in")
    assert kept_settings(root)["move_amount"] == 1.0
