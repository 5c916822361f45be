"""Relief sliders move every surface along the photo's rays: the photo's camera sees the same for every setting."""

import numpy as np
import pytest
from camera_view import seen_from
from fake_layout import FakeLayout
from made_photos import texture, write
from PIL import Image

SLIDERS = ("relief", "relief_near", "relief_far", "relief_focus", "relief_flatten")


def surfaces(root) -> list:
    return [ob for ob in root.children_recursive if ob.type == "MESH"]


def part(root, role):
    return next(ob for ob in root.children_recursive if ob["photo_diorama_role"] == role)


def evaluated(bpy, ob):
    return ob.evaluated_get(bpy.context.evaluated_depsgraph_get())


def points(mesh) -> np.ndarray:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def shown(bpy, ob) -> np.ndarray:
    """Where the points of an object stand in the world."""
    each = evaluated(bpy, ob)
    world = np.array(each.matrix_world, np.float64)
    return points(each.data) @ world[:3, :3].T + world[:3, 3]


def distances(bpy, root) -> np.ndarray:
    """Of all points of the diorama, along the camera's axis, in the root's units."""
    return np.concatenate([points(evaluated(bpy, ob).data)[:, 1] for ob in surfaces(root)])


def set_sliders(bpy, root, **values):
    for key, value in values.items():
        root[key] = float(value)
    root.update_tag()
    bpy.context.view_layer.update()


def some_settings(count: int, seed: int):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        near, far, focus = 10 ** rng.uniform([-1, -1, -0.5], [1.5, 2.5, 1.5])
        relief, flatten = rng.choice([0.0, 1.0, rng.uniform(0, 3)]), rng.choice([0.0, 10 ** rng.uniform(0, 1)])
        yield dict(zip(SLIDERS, (relief, near, far, focus, flatten), strict=True))


@pytest.fixture
def lane(tmp_path):
    """A photo of a ground that recedes to 30 m, a near ball and thin posts in a row behind one another, and its depth."""
    y, x = np.meshgrid((np.arange(120) + 0.5) / 120 - 0.5, (np.arange(160) + 0.5) / 160 - 0.5, indexing="ij")
    metres = 1 / np.maximum(0.033, y / 1.6)
    for k, place in enumerate((-0.38, -0.2, 0.0, 0.18, 0.36)):
        metres[(np.abs(x - place) < 0.012) & (y > -0.35) & (metres > 2 + 3 * k)] = 2 + 3 * k
    inside = (x + 0.1) ** 2 + (y - 0.12) ** 2 < 0.02
    metres[inside] = (1.6 - 2 * np.sqrt(np.maximum(0.02 - (x + 0.1) ** 2 - (y - 0.12) ** 2, 0)))[inside]
    return write(tmp_path, "lane.png", texture(120, 160, 5), metres)


def test_without_a_setting_all_stands_as_measured(blender, ball, import_photo):
    root = import_photo(*ball)
    for ob in surfaces(root):
        assert ob.modifiers[0].name == "Relief" and len(ob.modifiers) == 1
        was, now = points(ob.data), points(evaluated(blender, ob).data)
        assert np.abs(now / was[:, 1:2] - was / was[:, 1:2]).max() < 3e-7
    assert len([g for g in blender.data.node_groups if "photo_diorama_relief_group" in g]) == 1


def test_each_point_carries_its_ray_and_disparity(blender, ball, import_photo):
    root = import_photo(*ball)
    for ob in surfaces(root):
        count, places = len(ob.data.vertices), points(ob.data)
        ray, disparity = np.empty(3 * count, np.float32), np.empty(count, np.float32)
        ob.data.attributes["ray"].data.foreach_get("vector", ray)
        ob.data.attributes["disparity"].data.foreach_get("value", disparity)
        ray = ray.reshape(-1, 3)
        assert (ray[:, 1] == 1).all() and disparity == pytest.approx(1 / places[:, 1], rel=1e-6)
        assert np.array_equal(ray * (1 / disparity)[:, None], places)


def test_the_camera_sees_each_point_where_it_was_for_every_setting(blender, lane, import_photo):
    root = import_photo(*lane)
    root.location, root.rotation_euler, root.scale = (3, -2, 1), (0.3, 0.2, 1.0), (2, 2, 2)
    set_sliders(blender, root)
    camera = part(root, "camera")
    before = {ob: seen_from(camera, shown(blender, ob), 4000, 3000) for ob in surfaces(root)}
    moved = 0
    for settings in some_settings(12, 1):
        set_sliders(blender, root, **settings)
        for ob in surfaces(root):
            now = seen_from(camera, shown(blender, ob), 4000, 3000)
            # in pixels of a 12 megapixel photo; the root's own rotation rounds off half of it
            assert np.abs(now - before[ob]).max() < 5e-3, settings
            moved = max(moved, np.abs(points(evaluated(blender, ob).data) - points(ob.data)).max())
    assert moved > 1


def test_in_the_roots_own_axes_it_is_exact(blender, lane, import_photo):
    root = import_photo(*lane)
    camera = part(root, "camera")
    before = {ob: seen_from(camera, shown(blender, ob), 4000, 3000) for ob in surfaces(root)}
    for settings in some_settings(12, 2):
        set_sliders(blender, root, **settings)
        for ob in surfaces(root):
            assert np.abs(seen_from(camera, shown(blender, ob), 4000, 3000) - before[ob]).max() < 1e-3, settings


def test_no_ray_meets_surfaces_in_another_order(blender, lane, import_photo):
    """Rays through the middle of pixels, against the triangles themselves and not their points alone."""
    from mathutils.bvhtree import BVHTree

    root = import_photo(*lane, passes=2)
    u, v = np.meshgrid(np.arange(0.5, 160, 1.7), np.arange(0.5, 120, 1.3))
    rays = np.column_stack([(u.ravel() - 80) / 160, np.ones(u.size), -(v.ravel() - 60) / 160])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    order = sorted(surfaces(root), key=lambda ob: ob.name)

    def met() -> np.ndarray:
        """(layers, rays) distance at which each layer is met first; inf where it is not."""
        trees = [BVHTree.FromObject(ob, blender.context.evaluated_depsgraph_get()) for ob in order]
        return np.array([[tree.ray_cast((0, 0, 0), ray)[3] or np.inf for ray in rays] for tree in trees])

    was = met()
    both = np.isfinite(was).sum(axis=0) >= 2
    assert both.sum() > 200, "there must be something hidden"
    first = np.where(both, was.argmin(axis=0), -1)
    for settings in (*some_settings(10, 3), dict(relief=0.0), dict(relief=0.0, relief_flatten=4.0), dict(relief=3.0)):
        set_sliders(blender, root, **(defaults(root) | settings))
        now = met()
        both_now = np.isfinite(now).sum(axis=0) >= 2
        # a seam may be met on one side or the other of a ray that runs along it
        changed = (now.argmin(axis=0) != first) & both & both_now
        assert changed.sum() <= 2, (settings, changed.sum())


def defaults(root) -> dict[str, float]:
    return {key: root.id_properties_ui(key).as_dict()["default"] for key in SLIDERS}


def test_the_nodes_do_what_core_says(blender, lane, import_photo):
    from photo_diorama.core.relief import relieve
    from photo_diorama.operators.relief import relief_of

    root = import_photo(*lane)
    disparity = 1 / distances(blender, root).astype(np.float64)
    for settings in some_settings(10, 4):
        set_sliders(blender, root, **settings)
        now = 1 / relieve(disparity, relief_of(root))
        assert distances(blender, root) == pytest.approx(now, rel=1e-4), settings


def own_normals(mesh) -> np.ndarray:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["custom_normal"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def test_normals_of_its_own_turn_with_the_surface(blender, ball, import_photo):
    """On the smooth ball they must stay those that the moved triangles have round each point."""
    root = import_photo(*ball, density=10.0)
    photo = part(root, "photo")
    count = len(photo.data.vertices)
    normals = np.empty(3 * count, np.float32)

    def by_triangles(mesh):
        """(n, 3) normals of points from the triangles round them, which know nothing of custom ones."""
        mesh.calc_loop_triangles()
        corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        corners, places = corners.reshape(-1, 3), points(mesh).astype(np.float64)
        a, b, c = (places[corners[:, k]] for k in range(3))
        total = np.zeros((count, 3))
        for k in range(3):
            np.add.at(total, corners[:, k], np.cross(b - a, c - a))
        return total / np.linalg.norm(total, axis=1, keepdims=True)

    normals = by_triangles(photo.data).astype(np.float32)
    attribute = photo.data.attributes.get("custom_normal")
    attribute = attribute or photo.data.attributes.new("custom_normal", "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", normals.ravel())
    for settings in (dict(), dict(relief=0.4), dict(relief=2.0, relief_focus=4.0), dict(relief_near=1.0, relief_far=30.0),
                     dict(relief_flatten=4.0)):  # fmt: skip
        set_sliders(blender, root, **(defaults(root) | settings))
        now = evaluated(blender, photo).data
        agree = (own_normals(now) * by_triangles(now)).sum(axis=1)
        assert np.median(agree) > 0.9999 and np.percentile(agree, 5) > 0.98, (
            settings,
            np.percentile(agree, [1, 5, 50]),
        )
    turned = own_normals(evaluated(blender, photo).data)
    assert np.abs(turned - normals).max() > 0.1
    assert blender.ops.photo_diorama.bake_relief() == {"FINISHED"}
    assert np.abs(own_normals(photo.data) - turned).max() < 1e-3


def test_uvs_materials_and_smooth_shading_stay(blender, ball, import_photo):
    root = import_photo(*ball)
    set_sliders(blender, root, relief=0.4)
    for ob in surfaces(root):
        now = evaluated(blender, ob).data
        uvs = [np.empty(2 * len(ob.data.loops), np.float32) for _ in range(2)]
        ob.data.uv_layers[0].uv.foreach_get("vector", uvs[0])
        now.uv_layers[0].uv.foreach_get("vector", uvs[1])
        assert np.array_equal(*uvs) and [m.name for m in now.materials] == [m.name for m in ob.data.materials]
        assert not any(p.use_smooth != q.use_smooth for p, q in zip(now.polygons, ob.data.polygons, strict=True))
        assert now.polygons[0].use_smooth


def test_the_camera_clips_nothing_for_any_setting(blender, lane, import_photo):
    root = import_photo(*lane)
    camera = part(root, "camera")
    for scale in (1.0, 0.01, 250.0):
        root.photo_diorama_world_scale = scale
        for settings in some_settings(8, 5):
            set_sliders(blender, root, **settings)
            seen = distances(blender, root) * scale
            assert camera.data.clip_start < seen.min() and seen.max() < camera.data.clip_end, (scale, settings)


def test_the_world_scale_scales_all_round_the_camera(blender, lane, import_photo):
    root = import_photo(*lane, camera_move="swing")
    root.location = (3, -2, 1)
    camera, rig = part(root, "camera"), part(root, "rig")
    set_sliders(blender, root, relief=0.7)
    eye = np.array(root.location)
    before = {ob: shown(blender, ob) - eye for ob in surfaces(root)}
    focus = camera.data.dof.focus_distance
    blender.context.scene.frame_set(blender.context.scene.frame_start)
    aside = np.array(rig.matrix_world.translation) - eye
    root.photo_diorama_world_scale = 12.5
    blender.context.view_layer.update()
    for ob, was in before.items():
        assert np.abs((shown(blender, ob) - eye) / 12.5 - was).max() < 1e-5 * np.abs(was).max()
    assert np.array(rig.matrix_world.translation) - eye == pytest.approx(12.5 * aside, rel=1e-5)
    assert np.linalg.norm(aside) > 0 and camera.data.dof.focus_distance == pytest.approx(12.5 * focus)
    assert root.photo_diorama_world_scale == pytest.approx(12.5)


def test_keyframes_files_and_undo_keep_the_relief(blender, ball, import_photo, tmp_path):
    root = import_photo(*ball)
    blender.ops.ed.undo_push(message="made")
    root["relief"] = 1.0
    root.keyframe_insert('["relief"]', frame=1)
    root["relief"] = 0.0
    root.keyframe_insert('["relief"]', frame=11)
    blender.context.scene.frame_set(1)
    deep = np.ptp(distances(blender, root))
    blender.context.scene.frame_set(11)
    card = np.ptp(distances(blender, root))
    assert card < 0.02 * deep
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    root = blender.data.objects["ball"]
    blender.context.scene.frame_set(11)
    assert np.ptp(distances(blender, root)) == pytest.approx(card)
    blender.context.scene.frame_set(1)
    assert np.ptp(distances(blender, root)) == pytest.approx(deep)
    blender.ops.ed.undo_push(message="opened")
    set_sliders(blender, root, relief_far=100.0)
    blender.ops.ed.undo_push(message="changed")
    assert distances(blender, root).max() > 99
    blender.ops.ed.undo()
    root = blender.data.objects["ball"]
    blender.context.view_layer.update()
    assert np.ptp(distances(blender, root)) == pytest.approx(deep)


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
        root = blender.data.collections["ball"].override_hierarchy_create(
            blender.context.scene, blender.context.view_layer
        )
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
