"""Ground, shadow catcher, holdout and depth of field: measured in small renders, and put back to what it was."""

from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import counts, differences, everything
from eevee import seen_by_eevee
from fake_layout import FakeLayout
from lit_scene import HEIGHT_M, PITCH, add_block, add_sun, linear_of, shot, yard

PIXELS = {"sun": 2.0, "world": 0.4}


@pytest.fixture
def root(blender, tmp_path, import_photo):
    """A yard: level ground 1.5 m under the camera, which looks down by 12 degrees, and a wall 9 m away."""
    root = import_photo(*yard(tmp_path), border=0.0, tear=0.1)  # so few rows would be steps
    blender.context.view_layer.objects.active = root
    blender.context.view_layer.update()
    return root


def parts(root):
    return {ob["photo_diorama_role"]: ob for ob in root.children_recursive if "photo_diorama_role" in ob}


def ops(blender):
    return blender.ops.photo_diorama


def test_the_ground_is_an_empty_on_it(blender, root):
    assert ops(blender).find_ground() == {"FINISHED"}
    blender.context.view_layer.update()
    ground = parts(root)["ground"]
    assert ground.parent == root and ground.name == "yard ground"
    matrix = np.array(ground.matrix_world)
    up = np.array([0, -np.sin(np.radians(PITCH)), np.cos(np.radians(PITCH))])  # the camera looks along Y
    assert np.degrees(np.arccos(matrix[:3, 2] @ up)) < 0.3
    assert matrix[:3, 3] @ up == pytest.approx(-HEIGHT_M, rel=0.01) and matrix[1, 3] > 1
    assert np.allclose(matrix[:3, :3].T @ matrix[:3, :3], np.eye(3), atol=1e-6) and np.linalg.det(matrix[:3, :3]) > 0
    assert matrix[1, 1] > 0.9, "Y looks away from the camera"
    before = counts()
    assert ops(blender).find_ground() == {"FINISHED"} and counts() == before and parts(root)["ground"] == ground


def test_level_makes_it_the_worlds_floor(blender, root):
    root.rotation_euler, root.location, root.scale = (0.3, -0.2, 1.0), (4, 5, 6), (2, 2, 2)
    blender.context.view_layer.update()
    ops(blender).find_ground(level=True)
    blender.context.view_layer.update()
    matrix = np.array(parts(root)["ground"].matrix_world)
    assert np.allclose(matrix[:3, 2] / 2, (0, 0, 1), atol=1e-5) and abs(matrix[2, 3]) < 1e-5
    assert np.array(parts(root)["camera"].matrix_world)[2, 3] == pytest.approx(2 * HEIGHT_M, rel=0.01)


def test_where_there_is_no_ground_nothing_is_added(blender, street, import_photo):
    import_photo(*street)
    before = everything()
    assert ops(blender).find_ground() == {"CANCELLED"}
    assert not differences(before, everything())
    with pytest.raises(RuntimeError, match="shows no ground"):
        ops(blender).shadow_catcher(method="PHOTO")


def test_without_other_objects_the_photo_looks_as_it_was(blender, root, tmp_path):
    add_sun(blender, root, **PIXELS)
    plain = shot(blender, root, tmp_path, samples=32)
    assert ops(blender).shadow_catcher(method="PHOTO") == {"FINISHED"}
    change = shot(blender, root, tmp_path, samples=32) - plain
    assert np.abs(change).mean() < 1.5 and abs(change.mean()) < 0.5  # levels of 255, with Cycles' noise


def test_a_block_casts_the_shadow_that_it_must(blender, root, tmp_path):
    """In the shadow only the world's light is left; beyond it the photo is as it was."""
    add_sun(blender, root, **PIXELS)
    plain = shot(blender, root, tmp_path)
    ops(blender).shadow_catcher(method="PHOTO")
    inside, outside = add_block(blender, root)
    image = shot(blender, root, tmp_path, samples=32)
    # 0.4 of world against 0.4 + 2 cos(40 degrees) / pi of both
    left = 0.4 / (0.4 + 2 * np.cos(np.radians(40)) / np.pi)
    ratio = linear_of(image[inside]).mean() / linear_of(plain[inside]).mean()
    assert ratio == pytest.approx(left, rel=0.25) and ratio < 1.02 * left + 0.02, "the block also hides some of the world"
    assert np.abs(image[outside] - plain[outside]).mean() < 3
    ops(blender).shadow_catcher(method="PHOTO", strength=0.5)
    half = shot(blender, root, tmp_path, samples=32)
    assert linear_of(half[inside]).mean() / linear_of(plain[inside]).mean() == pytest.approx((1 + ratio) / 2, rel=0.08)


def test_a_board_casts_its_shadow_on_the_wall(blender, root, tmp_path):
    """The wall stands 9 m away across the view, the board 1.5 m before it, the sun 40 degrees to the right of the wall's normal."""
    from mathutils import Matrix

    add_sun(blender, root, sun=0.0, world=0.4)
    side, along = np.sin(np.radians(40)), np.cos(np.radians(40))
    sun = blender.data.objects.new("sun", blender.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 2.0, 0.0
    sun.matrix_world = Matrix(((along, 0, side), (side, 0, -along), (0, 1, 0))).to_4x4()
    blender.context.scene.collection.objects.link(sun)
    blender.context.view_layer.update()
    plain = shot(blender, root, tmp_path, samples=32)
    assert ops(blender).shadow_catcher(method="PHOTO") == {"FINISHED"}
    empty = shot(blender, root, tmp_path, samples=32)
    assert np.abs(empty - plain).mean() < 1.5 and abs((empty - plain).mean()) < 0.5
    board = blender.data.meshes.new("board")
    board.from_pydata([(x, 7.5, z) for x, z in ((-0.6, 0.4), (0.6, 0.4), (0.6, 1.6), (-0.6, 1.6))], [], [(0, 1, 2, 3)])
    blender.context.scene.collection.objects.link(blender.data.objects.new("board", board))
    image = shot(blender, root, tmp_path, samples=32)
    middle = 80 - 160 * 1.5 * np.tan(np.radians(40)) / 9  # of the shadow, which reaches 0.6 m to both sides
    shadow = np.s_[60 - 24 : 60 - 11, round(middle) - 8 : round(middle) + 8]
    left = 0.4 / (0.4 + 2 * along / np.pi)
    ratio = linear_of(image[shadow]).mean() / linear_of(plain[shadow]).mean()
    assert ratio == pytest.approx(left, rel=0.2) and ratio < 1.02 * left + 0.02, "the board also hides some of the world"
    assert np.abs(image[5:55, 5:40] - plain[5:55, 5:40]).mean() < 3
    ops(blender).shadow_catcher(method="PHOTO", walls=False)
    without = shot(blender, root, tmp_path, samples=32)
    assert np.abs(without[shadow] - plain[shadow]).mean() < 1.5

    sun.matrix_world = Matrix(((1, 0, 0), (0, 0, 1), (0, -1, 0))).to_4x4()  # from behind the wall
    blender.context.scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    with pytest.raises(RuntimeError, match="nothing casts a shadow"):
        ops(blender).shadow_catcher(method="PHOTO")


def test_the_ground_mirrors_where_that_is_asked(blender, root, tmp_path):
    add_sun(blender, root, sun=0.0, world=0.5)
    add_block(blender, root, glow=(5, 0, 0))
    ops(blender).shadow_catcher(method="PHOTO", reflection=0.0)
    dull = shot(blender, root, tmp_path, samples=32)
    ops(blender).shadow_catcher(method="PHOTO", reflection=1.0, roughness=0.05)
    wet = shot(blender, root, tmp_path, samples=32)
    redder = (wet[..., 0] - wet[..., 2]) - (dull[..., 0] - dull[..., 2])
    assert redder.max() > 30 and (redder > 15).sum() > 20


def test_for_compositing_only_the_block_and_its_shadow_are_left(blender, root, tmp_path):
    add_sun(blender, root, **PIXELS)
    assert ops(blender).shadow_catcher(method="COMPOSITE") == {"FINISHED"}
    inside, outside = add_block(blender, root)
    blender.ops.mesh.primitive_cube_add(size=3, location=(1, 14, -1))  # hidden by the wall in the photo
    blender.context.view_layer.objects.active = root
    blender.context.scene.render.film_transparent = True
    image = shot(blender, root, tmp_path, samples=32, alpha=True)
    alpha = image[..., 3] / 255
    assert 0.3 < alpha[inside].mean() < 0.95 and image[..., :3][inside].mean() < 12
    assert alpha[outside].mean() < 0.05
    assert alpha.max() > 0.99, "the block itself"


@pytest.mark.parametrize("method", ["PHOTO", "COMPOSITE"])
def test_afterwards_all_is_as_it_was(blender, root, method):
    add_sun(blender, root, **PIXELS)
    ops(blender).find_ground()
    parts(root)["photo"].visible_diffuse = False  # somebody's own wish
    blender.context.view_layer.update()
    before, had = everything(), counts()
    for _ in range(2):
        assert ops(blender).shadow_catcher(method=method) == {"FINISHED"}
    assert differences(before, everything())
    ops(blender).shadow_catcher(method="NONE")
    blender.context.view_layer.update()
    assert not [line for line in differences(before, everything()) if "node_tree" not in line]
    assert counts() == had | {"node_groups": counts()["node_groups"]}
    kinds = [n.type for m in blender.data.materials for n in m.node_tree.nodes]
    assert "GROUP" not in kinds


def test_a_rebuild_keeps_the_catcher(blender, root):
    add_sun(blender, root, **PIXELS)
    from photo_diorama.operators.light.light import catching

    for method in ("PHOTO", "COMPOSITE"):
        ops(blender).shadow_catcher(method=method)
        assert ops(blender).rebuild(density=0.5 if method == "PHOTO" else 1.0) == {"FINISHED"}
        assert catching(root) == method
    copy = next(ob for ob in root.children_recursive if ob.get("photo_diorama_catcher"))
    assert copy.data == parts(root)["photo"].data and copy.is_shadow_catcher


def test_the_light_is_measured(blender, root):
    from mathutils import Vector

    from photo_diorama.operators.light.light import incoming_light

    scene, up = blender.context.scene, Vector((0, 0, 1))
    assert incoming_light(scene, up) == ((0, 0, 0), False)
    with pytest.raises(RuntimeError, match="No sun or world lights the ground.*add a sun"):
        ops(blender).shadow_catcher(method="PHOTO")
    sun = blender.data.objects.new("sun", blender.data.lights.new("sun", "SUN"))
    scene.collection.objects.link(sun)
    sun.data.energy, sun.data.color, sun.rotation_euler = np.pi, (1, 0.5, 0.25), (np.radians(60), 0, 0)
    blender.context.view_layer.update()
    assert incoming_light(scene, up)[0] == pytest.approx((0.5, 0.25, 0.125), rel=1e-5)
    scene.world = blender.data.worlds.new("w")
    if blender.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value, background.inputs["Strength"].default_value = (0.1, 0.2, 0.3, 1), 2.0
    assert incoming_light(scene, up)[0] == pytest.approx((0.7, 0.65, 0.725), rel=1e-5)
    picture = scene.world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    scene.world.node_tree.links.new(picture.outputs[0], background.inputs["Color"])
    assert incoming_light(scene, up) == (pytest.approx((2.5, 2.25, 2.125), rel=1e-5), True)


def test_holdout_goes_on_and_off(blender, root, tmp_path):
    blender.context.scene.render.film_transparent = True
    assert shot(blender, root, tmp_path, alpha=True)[..., 3].min() == 255
    ops(blender).holdout()
    assert shot(blender, root, tmp_path, alpha=True)[..., 3].max() == 0
    ops(blender).holdout()
    assert not any(ob.is_holdout for ob in root.children_recursive)


def test_focus_is_at_the_real_distances(blender, root):
    root.scale = (2, 2, 2)
    camera, scene = parts(root)["camera"], blender.context.scene
    scene.camera = mine = blender.data.objects.new("mine", blender.data.cameras.new("mine"))
    scene.collection.objects.link(mine)
    blender.context.view_layer.update()
    before = everything()
    ops(blender).depth_of_field(focus="POINT", point=(0.5, 0.02), fstop=1.4)
    dof = camera.data.dof
    assert dof.use_dof and dof.aperture_fstop == pytest.approx(1.4) and dof.focus_distance == pytest.approx(18, rel=0.01)
    ops(blender).depth_of_field(focus="POINT", point=(0.3, 0.99))
    slope = np.radians(PITCH) + np.arctan((0.99 - 0.5) * 120 / 160)
    assert dof.focus_distance == pytest.approx(2 * HEIGHT_M / np.sin(slope) * np.cos(slope - np.radians(PITCH)), rel=0.02)
    with pytest.raises(RuntimeError, match="has no focus object"):
        ops(blender).depth_of_field(focus="OBJECT")
    root.photo_diorama_focus = mine
    ops(blender).depth_of_field(focus="OBJECT")
    assert dof.focus_object == mine
    ops(blender).depth_of_field(focus="MIDDLE")
    assert dof.focus_object is None and dof.focus_distance > 2
    ops(blender).depth_of_field(focus="OFF")
    assert not dof.use_dof
    root.photo_diorama_focus = None
    changed = [line for line in differences(before, everything()) if not line.startswith("cameras yard camera: dof.")]
    assert not changed


def test_a_place_in_the_viewport_becomes_a_point_of_the_photo(blender, root):
    from mathutils import Vector

    from photo_diorama.core.errors import DioramaError
    from photo_diorama.operators.camera.depth_of_field import point_on_photo
    from photo_diorama.operators.scene.photo_rays import PhotoRays

    root.location, root.rotation_euler = (1, 2, 3), (0, 0, 0.5)
    blender.context.view_layer.update()
    rays = PhotoRays(root, blender.context)
    met = rays.meet(0.25 * 160, 0.75 * 120)
    assert point_on_photo(root, root.matrix_world @ met, rays) == pytest.approx((0.25, 0.75), abs=1e-5)
    with pytest.raises(DioramaError, match="does not show that place"):
        point_on_photo(root, root.matrix_world @ Vector((0, -1, 0)), rays)


def test_the_panel(blender, root):
    panel = blender.types.PHOTO_DIORAMA_PT_light
    assert panel.poll(blender.context)
    seen = []
    add_sun(blender, root, **PIXELS)
    for method in ("PHOTO", "COMPOSITE", "NONE"):
        ops(blender).shadow_catcher(method=method)
        layout = FakeLayout()
        panel.draw(SimpleNamespace(layout=layout), blender.context)
        buttons = layout.said("operator")
        seen.append([b.method for name, b in buttons if name.endswith("shadow_catcher")])
        assert len([name for name, _ in buttons if name.endswith("depth_of_field")]) == 3
    assert seen == [["PHOTO", "NONE"], ["PHOTO", "NONE"], ["PHOTO", "COMPOSITE"]]
    for name in ("find_ground", "shadow_catcher", "holdout", "depth_of_field"):
        kind = getattr(ops(blender), name).get_rna_type()
        assert kind.description and all(p.description for p in kind.properties if p.identifier != "rna_type")


EEVEE = """
from lit_scene import add_block, add_sun, shot, yard
photo, depth = yard(folder)
ops.import_photo(filepath=str(photo), depth=str(depth), **{**OPTIONS, "border": 0.0, "tear": 0.1})
root = bpy.context.view_layer.objects.active
add_sun(bpy, root, sun=2.0, world=0.4)
seen["plain"] = shot(bpy, root, folder, samples=8, engine="eevee")
ops.shadow_catcher(method="PHOTO")
seen["empty"] = shot(bpy, root, folder, samples=8, engine="eevee")
seen["inside"], seen["outside"] = add_block(bpy, root)
seen["block"] = shot(bpy, root, folder, samples=8, engine="eevee")
"""


def test_eevee_shows_the_same_shadow(tmp_path):
    seen = seen_by_eevee(EEVEE, tmp_path)
    assert np.abs(seen["empty"] - seen["plain"]).mean() < 3
    left = 0.4 / (0.4 + 2 * np.cos(np.radians(40)) / np.pi)
    ratio = linear_of(seen["block"][seen["inside"]]).mean() / linear_of(seen["plain"][seen["inside"]]).mean()
    assert ratio == pytest.approx(left, rel=0.25)
    assert np.abs(seen["block"][seen["outside"]] - seen["plain"][seen["outside"]]).mean() < 4
