"""The safe range in Blender: what rays find at its limits, the box, moves that fit, and a preview that leaves nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import differences, everything, furnish
from fake_layout import FakeLayout
from made_photos import texture, write


@pytest.fixture
def stand(tmp_path):
    """A photo of a board at 2 m before a tilted wall at 5 to 8 m, and its depth."""
    x, y = np.meshgrid((np.arange(240) + 0.5) / 240, (np.arange(180) + 0.5) / 180)
    metres = 1 / (1 / 5 + (1 / 8 - 1 / 5) * x)
    metres[(np.abs(x - 0.45) < 0.14) & (np.abs(y - 0.5) < 0.22)] = 2.0
    return write(tmp_path, "stand.png", texture(180, 240, 7), metres)


@pytest.fixture
def root(import_photo, stand):
    return import_photo(*stand, long_side=240, border=0.07, passes=2)


def role(root, name):
    return next((ob for ob in root.children_recursive if ob.get("photo_diorama_role") == name), None)


def unseen(bpy, root, eye) -> float:
    """The part of the picture that shows nothing from `eye` (right, forward, up), by rays against every surface."""
    from mathutils.bvhtree import BVHTree

    depsgraph = bpy.context.evaluated_depsgraph_get()
    meshes = [ob for ob in root.children_recursive if ob.type == "MESH" and ob["photo_diorama_role"] != "backdrop"]
    trees = [BVHTree.FromObject(ob, depsgraph) for ob in meshes]
    u, v = np.meshgrid(np.arange(0.5, 240, 1.5), np.arange(0.5, 180, 1.5))
    rays = np.column_stack([(u.ravel() - 120) / 240, np.ones(u.size), -(v.ravel() - 90) / 240])
    return float(np.mean([not any(tree.ray_cast(eye, ray)[0] for tree in trees) for ray in rays]))


def test_rays_see_nothing_unseen_at_the_limits_and_more_beyond(blender, root):
    assert blender.ops.photo_diorama.measure_safe_range() == {"FINISHED"}
    from photo_diorama.operators.camera.safe_range import measured_range

    found = measured_range(root)
    assert unseen(blender, root, (0, 0, 0)) == 0
    for name, way in (
        ("left", (-1, 0, 0)),
        ("right", (1, 0, 0)),
        ("down", (0, 0, -1)),
        ("up", (0, 0, 1)),
        ("back", (0, -1, 0)),
    ):
        limit = getattr(found, name) * np.array(way)
        at, beyond = unseen(blender, root, limit), unseen(blender, root, 2 * limit)
        assert at <= 0.002 and beyond > 3 * max(at, 0.001), (name, at, beyond)


def test_the_range_follows_the_relief_and_its_box_shows_it(blender, root):
    from photo_diorama.operators.camera.safe_range import is_current, measured_range

    blender.ops.photo_diorama.measure_safe_range()
    deep, box = measured_range(root), role(root, "safe range")
    assert box.type == "EMPTY" and box.empty_display_type == "CUBE" and box.parent == root
    low, high = np.array(box.location) - box.scale, np.array(box.location) + box.scale
    assert low == pytest.approx([-deep.left, -deep.back, -deep.down], abs=1e-5)
    assert high == pytest.approx([deep.right, deep.forward, deep.up], abs=1e-5)
    assert is_current(root)
    root["relief"] = 0.3
    root.update_tag()
    assert not is_current(root)
    blender.ops.photo_diorama.measure_safe_range(keep_focus=True)
    shallow = measured_range(root)
    assert shallow.left > 1.5 * deep.left and shallow.up > 1.2 * deep.up and is_current(root)
    assert len([ob for ob in root.children if ob["photo_diorama_role"] == "safe range"]) == 1
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0, 0.5, 1), (3, 3, 3)
    blender.ops.photo_diorama.measure_safe_range(keep_focus=True)
    assert measured_range(root).left == pytest.approx(shallow.left, rel=0.02), "in the root's own units"


def test_the_backdrop_fills_no_gap(blender, import_photo, stand):
    from photo_diorama.operators.camera.safe_range import measured_range

    found = []
    for backdrop in (True, False):
        root = import_photo(*stand, long_side=240, border=0.07, passes=2, backdrop=backdrop)
        assert (role(root, "backdrop") is not None) == backdrop
        blender.ops.photo_diorama.measure_safe_range()
        found.append(measured_range(root))
    assert found[0] == found[1]


def test_hidden_layers_that_are_not_rendered_do_not_count(blender, root):
    from photo_diorama.operators.camera.safe_range import measured_range

    blender.ops.photo_diorama.measure_safe_range()
    whole = measured_range(root)
    role(root, "hidden 1").hide_render = True
    blender.ops.photo_diorama.measure_safe_range()
    assert measured_range(root).left < 0.5 * whole.left


@pytest.mark.parametrize("move", ["swing", "circle", "zoom-in"])
def test_a_move_is_fitted_into_the_range(blender, root, move):
    from photo_diorama.operators.camera.safe_range import measured_range, rig_path

    with pytest.raises(RuntimeError, match="does not move"):
        blender.ops.photo_diorama.fit_move()
    blender.ops.photo_diorama.apply_move(camera_move=move, move_amount=0.2)
    assert blender.ops.photo_diorama.fit_move() == {"FINISHED"}
    found, path = measured_range(root), rig_path(role(root, "rig"))
    assert np.ptp(path, axis=0).max() > 0
    assert found.largest_amount(path) == pytest.approx(1.0, rel=0.01), "it touches the box and does not leave it"


def test_without_a_camera_it_is_told(blender, root):
    blender.data.objects.remove(role(root, "camera"))
    with pytest.raises(RuntimeError, match="no camera of its own"):
        blender.ops.photo_diorama.measure_safe_range()


def test_undo_takes_the_measurement_back(blender, root):
    blender.ops.ed.undo_push(message="made")
    blender.ops.photo_diorama.measure_safe_range()
    blender.ops.ed.undo_push(message="measured")
    assert "safe_range" in root
    blender.ops.ed.undo()
    root = blender.data.objects["stand"]
    assert "safe_range" not in root and role(root, "safe range") is None


def viewport(bpy):
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                return area
    pytest.skip("this Blender starts without a screen")


def test_the_preview_tilts_the_view_and_leaves_nothing_behind(blender, root):
    from photo_diorama.operators.camera.tilt_preview import Tilt, TiltPreview, pointer_position, range_to_tilt_in, window_region

    furnish(blender)
    scene, area = blender.context.scene, viewport(blender)
    space, view = area.spaces.active, area.spaces.active.region_3d
    view.view_perspective, view.view_distance, view.view_location = "PERSP", 7.0, (1, 2, 3)
    scene.frame_set(scene.frame_current)
    before = everything()
    looked = [
        tuple(view.view_rotation),
        tuple(view.view_location),
        view.view_distance,
        view.view_perspective,
        space.camera,
    ]
    box = range_to_tilt_in(root, blender.context.evaluated_depsgraph_get())
    preview = Tilt(root, space, scene, box)
    assert scene.camera.name == "my camera" and space.camera == preview.camera and view.view_perspective == "CAMERA"
    own, region = role(root, "camera"), window_region(area)
    blender.context.view_layer.update()
    assert np.array(preview.camera.matrix_world) == pytest.approx(np.array(own.matrix_world), abs=1e-6)

    told = []
    workspace = SimpleNamespace(status_text_set=told.append)
    stands = SimpleNamespace(_tilt=preview, _area=area, _region=region)
    stands.cancel = lambda context: TiltPreview.cancel(stands, context)
    context = SimpleNamespace(workspace=workspace)
    move = SimpleNamespace(type="MOUSEMOVE", value="NOTHING", mouse_x=region.x + region.width, mouse_y=region.y + region.height // 2)
    assert TiltPreview.modal(stands, context, move) == {"RUNNING_MODAL"}
    assert preview.camera.matrix_world.translation.x == pytest.approx(box.right, rel=0.05)
    focus = root["relief_focus"]
    seen = lambda data, x: data.lens / data.sensor_width * x / focus - data.shift_x
    assert seen(preview.camera.data, -preview.camera.matrix_world.translation.x) == pytest.approx(seen(own.data, 0.0), abs=1e-5)
    assert pointer_position(SimpleNamespace(x=10, y=20, width=200, height=100), 110, 120) == (0.0, 1.0)
    escape = SimpleNamespace(type="ESC", value="PRESS")
    assert TiltPreview.modal(stands, context, escape) == {"CANCELLED"}
    TiltPreview.cancel(stands, context)  # Blender may call it again
    after = everything()
    assert not differences(before, after) and not differences(after, before)
    assert looked == [
        tuple(view.view_rotation),
        tuple(view.view_location),
        view.view_distance,
        view.view_perspective,
        space.camera,
    ]
    assert told == [None]


def test_the_panel_tells_the_range(blender, root):
    panel = blender.types.PHOTO_DIORAMA_PT_safe_range
    blender.ops.photo_diorama.measure_safe_range()
    layout = FakeLayout()
    panel.draw(type("Self", (), {"layout": layout})(), blender.context)
    assert sum(text.endswith(" m") for text in layout.said("label")) == 3
    assert {name for name, _ in layout.said("operator")} == {
        "photo_diorama.measure_safe_range", "photo_diorama.fit_move", "photo_diorama.tilt_preview"
    }  # fmt: skip
    root["relief"] = 0.5
    layout = FakeLayout()
    panel.draw(type("Self", (), {"layout": layout})(), blender.context)
    assert any("changed" in text for text in layout.said("label"))


@pytest.mark.parametrize("by_parent", [False, True])
def test_a_scaled_root_is_told_as_large_as_it_is(blender, root, by_parent):
    """By the S key or by what it is parented to: range, facts and focus distance are those of the world."""
    from types import SimpleNamespace

    from fake_layout import FakeLayout

    from photo_diorama.operators.camera.safe_range import measured_range
    from photo_diorama.operators.scene.root import kept_source, world_scale
    from photo_diorama.ui.panels.main_panel import fact_rows

    blender.ops.photo_diorama.measure_safe_range()
    focus = role(root, "camera").data.dof.focus_distance
    scaled = root
    if by_parent:
        scaled = blender.data.objects.new("all", None)
        blender.context.scene.collection.objects.link(scaled)
        root.parent = scaled
    scaled.scale = (3.0, 3.0, 3.0)
    blender.context.view_layer.update()
    assert role(root, "camera").data.dof.focus_distance == pytest.approx(3 * focus)
    layout = FakeLayout()
    blender.types.PHOTO_DIORAMA_PT_safe_range.draw(SimpleNamespace(layout=layout), blender.context)
    told = layout.said("label")
    found = measured_range(root)
    assert f"{3 * found.left:.3g} m, {3 * found.right:.3g} m" in told
    facts = dict(fact_rows(kept_source(root), world_scale(root)))
    assert facts["Middle"].startswith(f"{3 * kept_source(root)['focus_m']:.2f} m")
    blender.ops.photo_diorama.depth_of_field(focus="MIDDLE")
    blender.context.view_layer.update()
    assert role(root, "camera").data.dof.focus_distance == pytest.approx(3 * kept_source(root)["focus_m"], rel=1e-4)
    scaled.scale = (1.0, 1.0, 1.0)
    blender.context.view_layer.update()
    assert role(root, "camera").data.dof.focus_distance == pytest.approx(kept_source(root)["focus_m"], rel=1e-4)
