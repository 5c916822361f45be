"""What else may happen to a diorama with relief: linking, copies, rebuilds, baking, reset, rendering."""

import numpy as np
import pytest
from fake_layout import FakeLayout
from PIL import Image
from relief_views import SLIDERS, defaults, distances, evaluated, part, points, set_sliders, surfaces


@pytest.mark.parametrize("link", [False, True])
def test_appended_and_linked_dioramas_follow_their_own_sliders(blender, ball, import_photo, tmp_path, link):
    root = import_photo(*ball)
    set_sliders(blender, root, relief=0.25)
    depth = np.ptp(distances(blender, root))
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with blender.data.libraries.load(str(tmp_path / "a.blend"), link=link) as (there, here):
        here.collections = ["ball"]
    blender.context.scene.collection.children.link(blender.data.collections["ball"])
    blender.context.view_layer.update()
    root = blender.data.objects["ball"]
    assert np.ptp(distances(blender, root)) == pytest.approx(depth)
    if link:
        root = blender.data.collections["ball"].override_hierarchy_create(blender.context.scene, blender.context.view_layer)
        root = next(ob for ob in root.all_objects if ob["photo_diorama_role"] == "root")
    set_sliders(blender, root, relief=1.0)
    assert np.ptp(distances(blender, root)) > 2 * depth


def test_a_copy_has_sliders_of_its_own(blender, ball, import_photo):
    root = import_photo(*ball)
    for ob in (root, *root.children_recursive):
        ob.select_set(True)
    blender.ops.object.duplicate()
    copy = blender.context.view_layer.objects.active
    before = distances(blender, root)
    set_sliders(blender, copy, relief=0.0)
    assert np.array_equal(distances(blender, root), before)
    assert np.ptp(distances(blender, copy)) < 0.02 * np.ptp(before)


def test_a_rebuild_keeps_what_was_set_and_measures_the_rest_anew(blender, lane, import_photo):
    root = import_photo(*lane, passes=0)
    photo = part(root, "photo")
    photo.modifiers.new("mine", "SUBSURF")
    photo.modifiers.remove(photo.modifiers["Relief"])
    set_sliders(blender, root, relief_far=18.0, relief=0.5)
    near = root["relief_near"]
    assert blender.ops.photo_diorama.rebuild(passes=2, depth_scale=2.0) == {"FINISHED"}
    assert (root["relief"], root["relief_far"]) == (0.5, 18.0)
    assert root["relief_near"] == pytest.approx(2 * near, rel=1e-3)
    assert [m.name for m in photo.modifiers] == ["Relief", "mine"]
    assert {"hidden 1"} < {ob["photo_diorama_role"] for ob in surfaces(root)}
    photo.modifiers.remove(photo.modifiers["mine"])
    set_sliders(blender, root, **defaults(root))
    for ob in surfaces(root):
        assert points(evaluated(blender, ob).data) == pytest.approx(points(ob.data), rel=1e-6, abs=1e-6)


def test_a_diorama_of_an_older_file_gets_its_sliders_by_a_rebuild(blender, ball, import_photo):
    root = import_photo(*ball)
    for key in SLIDERS:
        del root[key]
    for ob in surfaces(root):
        ob.modifiers.clear()
        ob.animation_data_clear()
    assert not blender.ops.photo_diorama.reset_relief.poll()
    assert blender.ops.photo_diorama.rebuild() == {"FINISHED"}
    set_sliders(blender, root, relief=0.0)
    assert np.ptp(distances(blender, root)) < 0.1


def test_baking_makes_the_meshes_what_was_shown(blender, lane, import_photo):
    root = import_photo(*lane)
    photo = part(root, "photo")
    photo.data.vertices[7].co.z += 0.5  # by hand
    photo.modifiers.new("mine", "SUBSURF").levels = 1
    root["relief"] = 1.0
    root.keyframe_insert('["relief"]', frame=1)
    root["relief"] = 0.4
    root.keyframe_insert('["relief"]', frame=9)
    blender.context.scene.frame_set(9)
    set_sliders(blender, root, relief_near=1.2, relief_far=60.0, relief_flatten=20.0, relief_focus=4.0)
    photo.modifiers["mine"].show_viewport = False
    materials = [m.name for m in photo.data.materials]
    before = {ob: points(evaluated(blender, ob).data) for ob in surfaces(root)}
    blender.context.view_layer.objects.active = photo
    assert blender.ops.photo_diorama.bake_relief() == {"FINISHED"}
    for frame in (9, 1):
        blender.context.scene.frame_set(frame)
        for ob, was in before.items():
            assert points(ob.data) == pytest.approx(was, rel=1e-5, abs=1e-5)
            assert points(evaluated(blender, ob).data) == pytest.approx(was, rel=1e-5, abs=1e-5)
    assert [m.name for m in photo.data.materials] == materials and photo.modifiers["mine"].levels == 1
    assert dict((key, root[key]) for key in SLIDERS) == pytest.approx(defaults(root))
    measured = distances(blender, root)
    assert root["relief_far"] == pytest.approx(measured.max(), rel=1e-3)
    set_sliders(blender, root, relief=0.0)
    assert np.ptp(distances(blender, root)) < 0.1 * np.ptp(measured)


def test_what_cannot_be_baked_is_told_and_nothing_changes(blender, ball, import_photo):
    root = import_photo(*ball)
    set_sliders(blender, root, relief=0.5)
    part(root, "photo").shape_key_add(name="mine")
    before = [points(ob.data) for ob in surfaces(root)]
    with pytest.raises(RuntimeError, match="shape keys"):
        blender.ops.photo_diorama.bake_relief()
    assert all(np.array_equal(points(ob.data), was) for ob, was in zip(surfaces(root), before, strict=True))
    assert root["relief"] == 0.5


def test_reset_puts_the_sliders_back(blender, ball, import_photo):
    root = import_photo(*ball)
    set_sliders(blender, root, relief=0.2, relief_near=9.0, relief_far=10.0, relief_focus=3.0, relief_flatten=4.0)
    assert blender.ops.photo_diorama.reset_relief() == {"FINISHED"}
    blender.context.view_layer.update()
    for ob in surfaces(root):
        assert points(evaluated(blender, ob).data) == pytest.approx(points(ob.data), rel=1e-6, abs=1e-6)


def test_a_mesh_without_rays_is_left_alone(blender, ball, import_photo):
    root = import_photo(*ball)
    blender.ops.mesh.primitive_cube_add()
    cube = blender.context.object
    cube.modifiers.new("Relief", "NODES").node_group = part(root, "photo").modifiers[0].node_group
    blender.context.view_layer.update()
    assert points(evaluated(blender, cube).data) == pytest.approx(points(cube.data), abs=1e-6)


def test_the_panel_shows_the_sliders(blender, ball, import_photo):
    panel = blender.types.PHOTO_DIORAMA_PT_relief
    assert not panel.poll(blender.context)
    root = import_photo(*ball)
    assert panel.poll(blender.context)
    layout = FakeLayout()
    panel.draw(type("Self", (), {"layout": layout})(), blender.context)
    drawn = [name for _, name in layout.rows()]
    assert drawn == [*(f'["{key}"]' for key in SLIDERS), "photo_diorama_world_scale"]
    assert {name for name, _ in layout.said("operator")} == {"photo_diorama.reset_relief", "photo_diorama.bake_relief"}
    del root["relief"]
    layout = FakeLayout()
    panel.draw(type("Self", (), {"layout": layout})(), blender.context)
    assert any("Rebuild" in text for text in layout.said("label"))


def test_the_node_group_can_be_read(blender, ball, import_photo):
    group = part(import_photo(*ball), "photo").modifiers[0].node_group
    frames = [node for node in group.nodes if node.type == "FRAME"]
    assert [frame.label[0] for frame in frames] == list("1234567")
    for node in group.nodes:
        assert node.type in ("FRAME", "GROUP_INPUT", "GROUP_OUTPUT") or node.parent in frames
        assert node.type not in ("MATH", "VECT_MATH") or node.label
    for item in group.interface.items_tree:
        assert item.item_type != "SOCKET" or item.name == "Geometry" or item.description


def test_drivers_need_no_python(blender, ball, import_photo):
    root = import_photo(*ball)
    blender.context.preferences.filepaths.use_scripts_auto_execute = False
    for ob in (*surfaces(root), part(root, "camera").data):
        for curve in ob.animation_data.drivers:
            assert curve.driver.type == "AVERAGE" or curve.driver.is_simple_expression, curve.driver.expression
            assert curve.driver.is_valid


@pytest.mark.parametrize(
    "settings",
    [dict(relief=0.0), dict(relief=0.0, relief_flatten=4.0), dict(relief=0.35), dict(relief=3.0),
     dict(relief_near=0.05, relief_far=5000.0), dict(relief_near=8.0, relief_far=3.0, relief=0.0)],
    ids=["card", "flattened card", "shallow", "deep", "wide", "inside out"],
)  # fmt: skip
def test_cycles_renders_the_photo_for_every_setting(blender, lane, import_photo, tmp_path, settings):
    root = import_photo(*lane, passes=2, texture_filter="closest", set_up_scene=True)
    set_sliders(blender, root, **settings)
    scene = blender.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    scene.render.dither_intensity, scene.render.filepath = 0, str(tmp_path / "seen.png")
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    blender.ops.render.render(write_still=True)
    seen, photo = (np.asarray(Image.open(p).convert("RGB")).astype(int) for p in (tmp_path / "seen.png", lane[0]))
    wrong = np.abs(seen - photo).max(axis=2) > 0
    assert wrong.sum() <= 2, (settings, int(wrong.sum()))
