"""Relief sliders move every surface along the photo's rays: the photo's camera sees the same for every setting."""

import numpy as np
import pytest
from camera_view import seen_from
from relief_views import defaults, distances, evaluated, part, points, set_sliders, shown, some_settings, surfaces


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


def test_the_nodes_do_what_core_says(blender, lane, import_photo):
    from photo_diorama.core.scene.relief import apply_relief
    from photo_diorama.operators.light.relief import core_relief

    root = import_photo(*lane)
    disparity = 1 / distances(blender, root).astype(np.float64)
    for settings in some_settings(10, 4):
        set_sliders(blender, root, **settings)
        now = 1 / apply_relief(disparity, core_relief(root))
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
