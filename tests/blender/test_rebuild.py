"""A rebuild makes the surfaces anew and leaves what the artist did: places, materials, animation, own objects."""

import json
import shutil

import numpy as np
import pytest
from blend_state import MADE_ANEW, differences, everything, names
from camera_view import seen_from, surface
from made_photos import texture
from PIL import Image


def parts(root) -> dict:
    return {ob["photo_diorama_role"]: ob for ob in root.children_recursive}


def triangles(root) -> int:
    return sum(len(ob.data.polygons) for ob in root.children_recursive if ob.type == "MESH")


def shown_image(ob):
    return next(node.image for node in ob.active_material.node_tree.nodes if node.type == "TEX_IMAGE")


def pixels(image) -> np.ndarray:
    values = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(values)
    return values


def test_without_options_it_makes_the_same_again(blender, street, import_photo, rebuild):
    root = import_photo(*street, density=2.0, shader="principled", camera_move="circle")
    before, had = everything(), names()
    photo = parts(root)["photo"]
    photo.data.vertices[0].co = (9, 9, 9)  # an accident
    rebuild(parts(root)["border"])  # any part of it may be the active one
    assert names() == had
    assert not [line for line in differences(before, everything()) if "photo_diorama" not in line]
    assert photo.data.vertices[0].co.length < 9


def test_an_option_that_is_given_changes_and_the_others_stay(blender, ball, import_photo, rebuild):
    root = import_photo(*ball, density=1.0, passes=2)
    few = triangles(root)
    rebuild(root, density=3.0)
    kept = json.loads(root["photo_diorama_settings"])
    assert (kept["density"], kept["passes"], kept["long_side"]) == (3.0, 2, 128) and triangles(root) > few
    assert json.loads(root["photo_diorama_source"])["triangles"] == triangles(root)
    rebuild(root, density=1.0)
    assert triangles(root) == few


def test_what_the_artist_did_stays(blender, street, import_photo, rebuild):
    root = import_photo(*street, camera_move="swing")
    part = parts(root)
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    part["rig"].keyframe_insert("rotation_euler", frame=11)
    part["camera"].data.lens = 77.0
    part["photo"].modifiers.new("mine", "SUBSURF")
    tree = part["photo"].active_material.node_tree
    tree.nodes.new("ShaderNodeHueSaturation").name = "mine"
    own = blender.data.materials.new("my own")
    part["border"].data.materials.append(own)
    mine = blender.data.objects.new("my thing", None)
    mine.parent = root
    blender.context.scene.collection.objects.link(mine)
    photo_texture = shown_image(part["photo"])
    blender.context.view_layer.update()
    before = everything()
    rebuild(root, density=2.0)
    blender.context.view_layer.update()
    after = {ob.name: ob for ob in root.children_recursive}
    changes = [line for line in differences(before, everything()) if "photo_diorama" not in line]
    changes = [line for line in changes if not line.startswith("meshes") and not any(word in line for word in MADE_ANEW)]
    assert not changes, "\n".join(changes)
    assert after["my thing"] == mine and tree.nodes["mine"] and part["photo"].modifiers["mine"]
    assert [slot.material for slot in part["border"].material_slots][1] == own
    assert part["camera"].data.lens == 77.0 and shown_image(part["photo"]) == photo_texture


def test_hidden_layers_come_and_go(blender, street, import_photo, rebuild):
    root = import_photo(*street)
    assert "hidden 1" in parts(root)
    rebuild(root, passes=0)
    assert "hidden 1" not in parts(root) and not [n for n in names()["meshes"] if "hidden" in n]
    rebuild(root, passes=3)
    hidden = parts(root)["hidden 1"]
    assert shown_image(hidden) == shown_image(parts(root)["border"]) and hidden.name == "street hidden 1"
    assert hidden.users_collection == root.users_collection
    assert len(blender.data.images) == 2 and len(blender.data.materials) == 2


def test_a_changed_shader_filter_or_move_is_carried_out(blender, street, import_photo, rebuild):
    root = import_photo(*street, camera_move="zoom-in")
    rebuild(root, shader="principled", texture_filter="closest", camera_move="none")
    part = parts(root)
    for role in ("photo", "border", "hidden 1"):
        nodes = part[role].active_material.node_tree.nodes
        assert {"BSDF_PRINCIPLED", "TEX_IMAGE"} <= {node.type for node in nodes}
        assert all(node.interpolation == "Closest" for node in nodes if node.type == "TEX_IMAGE")
    assert len(blender.data.materials) == 2 and len(blender.data.images) == 2
    assert part["rig"].animation_data is None
    rebuild(root, camera_move="dolly-zoom", texture_filter="linear")
    assert part["rig"].animation_data.action and part["camera"].data.animation_data.action
    for ob in part.values():
        for node in ob.active_material.node_tree.nodes if ob.type == "MESH" else ():
            assert node.type != "TEX_IMAGE" or node.interpolation == "Linear"


def test_another_focal_length_moves_lens_and_surface_together(blender, ball, import_photo, rebuild):
    root = import_photo(*ball)
    rebuild(root, fov=80.0)
    part = parts(root)
    assert part["camera"].data.lens == pytest.approx(18 / np.tan(np.radians(40)), rel=1e-5)
    blender.context.view_layer.update()
    points, uvs = surface(part["photo"])
    wanted = np.stack([uvs[:, 0] * 160, (1 - uvs[:, 1]) * 120], axis=1)
    assert np.abs(seen_from(part["camera"], points, 160, 120) - wanted).max() < 1e-3


def test_a_photo_that_changed_on_disk_is_shown_anew(blender, street, import_photo, rebuild):
    root = import_photo(*street)
    old = pixels(shown_image(parts(root)["photo"]))
    Image.fromarray(texture(120, 160, 9)).save(street[0])
    rebuild(root)
    new = pixels(shown_image(parts(root)["photo"]))
    assert np.abs(new - old).max() > 0.1 and len(blender.data.images) == 2


def test_a_copy_of_a_diorama_is_left_alone(blender, street, import_photo, rebuild):
    first = import_photo(*street)
    for ob in (first, *first.children_recursive):
        ob.select_set(True)
    blender.ops.object.duplicate()
    copy = blender.context.view_layer.objects.active
    assert copy != first and copy["photo_diorama_role"] == "root"
    copied = [ob for ob in copy.children_recursive if ob.type == "MESH"]
    had = {"objects": [o.name for o in (copy, *copy.children_recursive)], "meshes": [o.data.name for o in copied]}
    had["materials"] = [m.name for m in blender.data.materials]
    had["images"] = [i.name for i in blender.data.images]
    of = {kind: had.get(kind, []) for kind in names()}
    before, shown = everything(of), {ob.name: pixels(shown_image(ob)) for ob in copied}
    rebuild(first, density=0.5, long_side=96, texture_filter="closest")
    assert not differences(before, everything(of))
    assert all(np.array_equal(pixels(shown_image(ob)), shown[ob.name]) for ob in copied)
    assert shown_image(parts(first)["border"]) != shown_image(parts(copy)["border"])


def test_a_photo_that_is_gone_or_a_fault_leaves_all_as_it_was(blender, street, import_photo, monkeypatch):
    from photo_diorama.operators.building import rebuild

    root = import_photo(*street)
    before = everything()

    def fails(*arguments):
        raise KeyError("made to fail")

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "made_images", fails)
        with pytest.raises(RuntimeError, match="fault of Photo Diorama"):
            blender.ops.photo_diorama.rebuild(density=3.0)
    assert not differences(before, everything()) and not differences(everything(), before)
    moved = street[0].rename(street[0].with_name("moved.png"))
    with pytest.raises(RuntimeError, match="street.png cannot be read"):
        blender.ops.photo_diorama.rebuild()
    assert not differences(before, everything()) and not differences(everything(), before)
    assert blender.ops.photo_diorama.rebuild(photo=str(moved)) == {"FINISHED"}
    assert json.loads(root["photo_diorama_source"])["photo"] == str(moved)


@pytest.mark.parametrize("gone", ["camera", "rig", "both"])
def test_a_camera_that_was_deleted_comes_back(blender, street, import_photo, rebuild, gone):
    root = import_photo(*street, camera_move="swing", move_amount=2.0)
    objects = {ob["photo_diorama_role"]: ob for ob in root.children_recursive if "photo_diorama_role" in ob}
    was = objects["camera"].matrix_world.copy(), objects["camera"].data.lens
    for role in ("camera", "rig") if gone == "both" else (gone,):
        blender.data.objects.remove(objects[role])
    rebuild(root)
    blender.context.view_layer.update()
    objects = {ob["photo_diorama_role"]: ob for ob in root.children_recursive if "photo_diorama_role" in ob}
    assert {"rig", "camera"} <= objects.keys() and objects["camera"].parent == objects["rig"]
    assert objects["camera"].data.lens == was[1] and objects["rig"].animation_data.action
    assert np.allclose(objects["camera"].matrix_world, was[0], atol=1e-6)
    assert blender.ops.photo_diorama.measure_safe_range() == {"FINISHED"}
    before = len(blender.data.objects)
    rebuild(root)
    assert len(blender.data.objects) == before


def test_surfaces_that_were_deleted_come_back(blender, street, import_photo, rebuild):
    root = import_photo(*street)
    roles = {ob["photo_diorama_role"] for ob in root.children_recursive}
    for role in ("photo", "hidden 1", "backdrop"):
        blender.data.objects.remove(next(ob for ob in root.children_recursive if ob["photo_diorama_role"] == role))
    rebuild(root)
    assert {ob["photo_diorama_role"] for ob in root.children_recursive} == roles
    assert all(ob.material_slots and ob.material_slots[0].material for ob in root.children_recursive if ob.type == "MESH")


def test_undo_brings_the_old_build_back(blender, ball, import_photo):
    root = import_photo(*ball)
    few, name = triangles(root), root.name
    blender.ops.ed.undo_push(message="built")
    blender.ops.photo_diorama.rebuild("EXEC_DEFAULT", True, density=4.0)
    many = triangles(blender.data.objects[name])
    assert many > few
    blender.ops.ed.undo()
    assert triangles(blender.data.objects[name]) == few
    blender.ops.ed.redo()
    assert triangles(blender.data.objects[name]) == many


def test_only_a_diorama_can_be_rebuilt(blender):
    assert not blender.ops.photo_diorama.rebuild.poll()
    cube = blender.data.objects.new("cube", None)
    blender.context.scene.collection.objects.link(cube)
    blender.context.view_layer.objects.active = cube
    assert not blender.ops.photo_diorama.rebuild.poll()


def test_a_root_whose_properties_were_edited_is_rebuilt_with_defaults(blender, street, import_photo):
    root = import_photo(*street)
    root["photo_diorama_settings"] = json.dumps({"density": "x", "shader": "toon", "passes": 999, "frames": None})
    root["photo_diorama_source"] = "{"
    with pytest.raises(RuntimeError, match="does not know its photo"):
        blender.ops.photo_diorama.rebuild()
    told = blender.ops.photo_diorama.rebuild(photo=str(street[0]), depth=str(street[1]), long_side=96, depth_kind="metric")
    assert told == {"FINISHED"} and json.loads(root["photo_diorama_settings"])["density"] == 1.0


def test_photo_and_depth_that_moved_with_the_blend_are_found(blender, street, import_photo, tmp_path):
    """The folder of a project as a whole, on another disk or another computer; and nothing of another size is taken."""
    from photo_diorama.operators.scene.root import source_files

    root = import_photo(*street)
    told = json.loads(root["photo_diorama_source"])
    photo, depth = (tmp_path / "then" / "project" / "photos" / name for name in ("a.png", "a.npy"))
    told["photo"], told["depth"], told["photo_stamp"][1] = str(photo), str(depth), 5
    root["photo_diorama_source"] = json.dumps(told)
    blend, now = tmp_path / "now" / "project" / "scenes" / "a.blend", tmp_path / "now" / "project" / "photos"
    blend.parent.mkdir(parents=True), now.mkdir()
    assert source_files(root) == (str(photo), str(depth))  # not saved yet
    blender.ops.wm.save_as_mainfile(filepath=str(blend))
    assert source_files(root) == (str(photo), str(depth))  # nowhere
    (now / "a.png").write_bytes(b"other!")
    (now / "a.npy").write_bytes(b"any")
    assert source_files(root) == (str(photo), str(now / "a.npy"))
    (now / "a.png").write_bytes(b"12345")
    assert source_files(root) == (str(now / "a.png"), str(now / "a.npy"))
    told["photo"] = r"C:\Users\me\project\photos\a.png"
    root["photo_diorama_source"] = json.dumps(told)
    assert source_files(root)[0] == str(now / "a.png")
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"there again")
    told["photo"] = str(photo)
    root["photo_diorama_source"] = json.dumps(told)
    assert source_files(root)[0] == str(photo)


def test_a_copied_project_takes_its_own_photo(blender, street, import_photo, tmp_path):
    """The absolute path still leads to the original; what is seen from the .blend comes first, if it has the photo's length."""
    from photo_diorama.operators.scene.root import source_files

    first = tmp_path / "first"
    for name in ("photos", "scenes"):
        (first / name).mkdir(parents=True)
    photo, depth = (shutil.copy2(each, first / "photos" / each.name) for each in street)
    import_photo(photo, depth)
    blender.ops.wm.save_as_mainfile(filepath=str(first / "scenes" / "a.blend"))
    shutil.copytree(first, tmp_path / "second")
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "second" / "scenes" / "a.blend"))
    root = next(ob for ob in blender.data.objects if ob.get("photo_diorama_role") == "root")
    copies = [tmp_path / "second" / "photos" / each.name for each in street]
    assert source_files(root) == (str(copies[0]), str(copies[1]))
    copies[0].write_bytes(b"another")
    assert source_files(root)[0] == str(photo)
    copies[0].unlink()
    assert source_files(root)[0] == str(photo)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere.blend"))
    assert json.loads(root["photo_diorama_source"])["seen_from_blend"] == {
        "photo": "first/photos/" + photo.name, "depth": "second/photos/" + depth.name,
    }  # fmt: skip
