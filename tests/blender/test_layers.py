"""Layers through the operators: split by region and distance, join, duplicate, show and hide, tint; each undone and rebuilt."""

import json

import numpy as np
import pytest
from blend_state import differences, everything, names
from layer_state import mask_on, parts, photo_depth, select_faces, values


@pytest.fixture
def street_root(blender, street, import_photo):
    return import_photo(*street, long_side=160, inpainter="diffusion", hidden_depth="nearest")


def roles(root) -> set[str]:
    return {ob["photo_diorama_role"] for ob in root.children_recursive if ob.type == "MESH" and "photo_diorama_role" in ob}


def layer(root, role):
    return next(ob for ob in root.children_recursive if ob.get("photo_diorama_role") == role)


def images_shown(ob) -> list:
    return [node.image for node in ob.active_material.node_tree.nodes if node.type == "TEX_IMAGE"]


def pixels(image) -> np.ndarray:
    read = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(read)
    return read


def corners_on_photo(root, ob) -> np.ndarray:
    """(n, 2) places on the photo of a layer's points, in working pixels."""
    from photo_diorama.operators.depth.chosen_region import photo_places

    return photo_places(root, ob.data) * (160, 120)


def split_wall(blender, root):
    mask_on(blender, root, (20, 70), (115, 150))
    assert blender.ops.photo_diorama.split_layer() == {"FINISHED"}
    return layer(root, "part 1 photo")


def test_a_region_becomes_an_object_of_its_own_and_is_filled_behind(blender, street_root):
    before = everything()
    kept = {name: ob for name, ob in parts(street_root).items()}
    part = split_wall(blender, street_root)
    assert blender.context.object == part and part.parent == street_root and part.name == "street part 1 photo"
    at = corners_on_photo(street_root, part)
    assert at.min(axis=0) == pytest.approx((115, 20), abs=1.5) and at.max(axis=0) == pytest.approx((150, 70), abs=1.5)
    assert part.active_material == layer(street_root, "photo").active_material
    behind = []
    for ob in (ob for ob in street_root.children_recursive if ob.type == "MESH" and "hidden" in ob["photo_diorama_role"]):
        corner = np.empty(len(ob.data.loops), np.int32)
        ob.data.attributes[".corner_vert"].data.foreach_get("value", corner)
        behind += list(np.clip(corners_on_photo(street_root, ob)[corner].reshape(-1, 3, 2), (115, 20), (150, 70)))
    a, b, c = np.array(behind).transpose(1, 0, 2)
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()
    assert area > 0.3 * 35 * 50, "little is hidden behind the part"
    assert all(ob.name in blender.data.objects for ob in kept.values())
    changes = [line for line in differences(before, everything()) if "camera" in line and "clip_end" not in line]
    assert not changes, changes
    assert values(street_root["photo_diorama_parts"]).max() == pytest.approx(1 / 255)


def test_the_photo_stays_covered_once(blender, street_root):
    def area(*found):
        total = 0.0
        for role in found:
            places = corners_on_photo(street_root, layer(street_root, role))
            mesh = layer(street_root, role).data
            corner = np.empty(len(mesh.loops), np.int32)
            mesh.attributes[".corner_vert"].data.foreach_get("value", corner)
            a, b, c = places[corner].reshape(-1, 3, 2).transpose(1, 0, 2)
            total += 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()
        return total

    whole = area("photo")
    split_wall(blender, street_root)
    assert area("photo", "part 1 photo") == pytest.approx(whole, rel=1e-3)


def test_by_distance(blender, street_root):
    assert blender.ops.photo_diorama.split_layer(by="RANGE", near=1.0, far=3.0) == {"FINISHED"}
    part = layer(street_root, "part 1 photo")
    assert (np.array([v.co.y for v in part.data.vertices]) < 3).all()
    rest = photo_depth(street_root)
    assert rest[:, 2] == pytest.approx(1 / 6, rel=1e-4), "nothing of the board is left"
    with pytest.raises(RuntimeError, match="from 10 to 20 m"):
        blender.ops.photo_diorama.split_layer(by="RANGE", near=20.0, far=10.0)
    with pytest.raises(RuntimeError, match="whole photo"):
        blender.ops.photo_diorama.split_layer(by="RANGE", near=0.1, far=100.0)


def test_by_a_selection_in_edit_mode(blender, street_root):
    select_faces(blender, street_root, 31, 89, 54, 106)
    assert blender.ops.photo_diorama.split_layer() == {"FINISHED"}
    assert blender.context.mode == "OBJECT" and blender.context.object == layer(street_root, "part 1 photo")


def test_splitting_is_one_undo_step(blender, street_root):
    name, before = street_root.name, roles(street_root)
    mask_on(blender, street_root, (20, 70), (115, 150))
    blender.ops.ed.undo_push(message="ready")
    blender.ops.photo_diorama.split_layer("EXEC_DEFAULT", True)
    after = roles(blender.data.objects[name])
    assert "part 1 photo" in after
    blender.ops.ed.undo()
    root = blender.data.objects[name]
    assert roles(root) == before and root.get("photo_diorama_parts") is None
    blender.ops.ed.redo()
    assert roles(blender.data.objects[name]) == after


def test_a_part_stays_through_rebuilds_where_the_artist_moved_it_and_what_it_hides_moves_along(blender, street_root):
    blender.ops.photo_diorama.split_layer(by="RANGE", near=1.0, far=3.0)
    mask_on(blender, street_root, (40, 110), (10, 40))
    blender.ops.photo_diorama.split_layer()
    assert {"part 1 photo", "part 2 photo"} <= roles(street_root)
    part = layer(street_root, "part 1 photo")
    part.location = (1, 2, 3)
    part.modifiers.new("mine", "SUBSURF")
    blender.ops.photo_diorama.rebuild(density=2.0)
    assert layer(street_root, "part 1 photo") == part and tuple(part.location) == (1, 2, 3) and "mine" in part.modifiers
    for ob in street_root.children_recursive:
        role = ob.get("photo_diorama_role", "")
        if role.startswith("part") and not role.endswith("photo"):
            assert ob.parent == layer(street_root, f"part {role.split()[1]} photo")
    blender.ops.photo_diorama.rebuild(long_side=96)
    assert layer(street_root, "part 1 photo") == part


def test_parts_and_an_edited_depth_go_together(blender, street_root):
    split_wall(blender, street_root)
    assert blender.ops.photo_diorama.move_depth(amount=0.3) == {"FINISHED"}
    part = layer(street_root, "part 1 photo")
    assert np.median([1 / v.co.y for v in part.data.vertices]) == pytest.approx(1 / 6 + 0.1, abs=0.01)
    assert blender.ops.photo_diorama.restore_depth() == {"FINISHED"}
    assert "part 1 photo" in roles(street_root)


def test_parts_survive_save_and_reopen(blender, street_root, tmp_path):
    from photo_diorama.operators.building import build_operator

    split_wall(blender, street_root)
    name, had = street_root.name, roles(street_root)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "x.blend"))
    build_operator.kept.results.clear()
    root = blender.data.objects[name]
    blender.context.view_layer.objects.active = root
    blender.ops.photo_diorama.rebuild(density=1.5)
    assert roles(root) == had


def test_joining_brings_the_first_build_back(blender, street_root):
    had, before = roles(street_root), photo_depth(street_root)
    blender.ops.photo_diorama.split_layer(by="RANGE", near=1.0, far=3.0)
    mask_on(blender, street_root, (40, 110), (10, 40))
    blender.ops.photo_diorama.split_layer()
    blender.context.view_layer.objects.active = layer(street_root, "photo")
    assert not blender.ops.photo_diorama.join_layer.poll()
    for number in (1, 2):
        blender.context.view_layer.objects.active = layer(street_root, f"part {number} photo")
        assert blender.ops.photo_diorama.join_layer() == {"FINISHED"}
    assert roles(street_root) == had and np.array_equal(photo_depth(street_root), before)
    assert street_root.get("photo_diorama_parts") is None and "street parts" not in names()["images"]


def test_a_stop_leaves_all_as_it_was_and_empty_regions_are_told(blender, street_root, monkeypatch):
    from photo_diorama.core.errors import Cancelled
    from photo_diorama.operators.depth import layers

    before = everything()
    with pytest.raises(RuntimeError, match="paint the mask"):
        blender.ops.photo_diorama.split_layer()
    assert not differences(before, everything())
    mask_on(blender, street_root, (20, 21), (20, 21))
    before = everything()

    def stopped(*arguments, **named):
        raise Cancelled

    monkeypatch.setattr(layers, "split_range", stopped)
    assert blender.ops.photo_diorama.split_layer(by="RANGE") == {"CANCELLED"}
    with pytest.raises(RuntimeError, match="few pixels"):
        blender.ops.photo_diorama.split_layer()
    assert not differences(before, everything()) and not differences(everything(), before)


def test_a_linked_duplicate_follows_rebuilds_and_an_own_one_stays(blender, street_root):
    source = layer(street_root, "hidden 1")
    made = []
    for linked in (True, False):
        blender.context.view_layer.objects.active = source
        assert blender.ops.photo_diorama.duplicate_layer(linked=linked) == {"FINISHED"}
        made.append(blender.context.object)
    linked, own = made
    assert linked.data == source.data and own.data != source.data and own.parent == street_root
    mesh, atlas = own.data, images_shown(own)[0]
    shown = pixels(atlas)
    own.location = (1, 0, 0)
    blender.ops.photo_diorama.rebuild(hidden_width=0.02)
    assert linked.data == source.data and images_shown(linked) == images_shown(source)
    assert own.data == mesh and images_shown(own) == [atlas] and np.array_equal(pixels(atlas), shown)
    assert images_shown(source)[0] != atlas
    blender.ops.photo_diorama.rebuild(passes=0)
    assert "hidden 1" not in roles(street_root) and own.name in blender.data.objects


def test_an_unlinked_copy_made_in_blenders_own_way_follows_too(blender, street_root):
    source = layer(street_root, "hidden 1")
    copy = source.copy()
    copy.data = source.data.copy()
    street_root.users_collection[0].objects.link(copy)
    blender.ops.photo_diorama.rebuild(hidden_width=0.03)
    assert copy.data == source.data, "else it would show the new texture at the old places"


def test_a_part_is_duplicated_with_what_it_hides(blender, street_root):
    blender.ops.photo_diorama.split_layer(by="RANGE", near=1.0, far=3.0)
    part = layer(street_root, "part 1 photo")
    children = len(part.children_recursive)
    blender.ops.photo_diorama.duplicate_layer(linked=False)
    copy = blender.context.object
    assert copy != part and len(copy.children_recursive) == children and "photo_diorama_role" not in copy
    blender.context.view_layer.objects.active = street_root
    assert not blender.ops.photo_diorama.duplicate_layer.poll()


@pytest.mark.parametrize("what", ["ALL", "HIDDEN", "BORDER"])
def test_invented_layers_hide_and_come_back_and_stay_hidden_through_a_rebuild(blender, street_root, what):
    before = everything()
    behind = {"hidden 1", "backdrop"}
    wanted = {"ALL": behind | {"border"}, "HIDDEN": behind, "BORDER": {"border"}}[what]

    def hidden():
        return {ob["photo_diorama_role"] for ob in street_root.children_recursive if ob.hide_viewport and ob.hide_render}

    assert blender.ops.photo_diorama.show_invented(show=False, what=what) == {"FINISHED"}
    assert hidden() == wanted
    blender.ops.photo_diorama.rebuild(density=1.5)
    assert hidden() == wanted
    blender.ops.photo_diorama.rebuild(density=1.0)
    assert blender.ops.photo_diorama.show_invented(show=True, what=what) == {"FINISHED"}
    assert not [line for line in differences(before, everything()) if "hide" in line] and not hidden()


def test_only_one_parts_inventions_can_be_hidden(blender, street_root):
    mask_on(blender, street_root, (0, 120), (80, 160))
    blender.ops.photo_diorama.split_layer()
    assert blender.ops.photo_diorama.show_invented(show=False, part_only=True) == {"FINISHED"}
    off = {ob["photo_diorama_role"] for ob in street_root.children_recursive if ob.hide_render}
    assert off and all(role.startswith("part 1") for role in off)


def test_the_tint_colours_what_was_invented_only_and_comes_off_without_a_trace(blender, street_root):
    atlas, photo = (images_shown(layer(street_root, role))[0] for role in ("border", "photo"))
    was, before, had = pixels(atlas), everything(), names()
    assert blender.ops.photo_diorama.tint_invented(colour=(1, 0, 0), strength=0.5) == {"FINISHED"}
    for role in ("border", "hidden 1"):
        shown = pixels(images_shown(layer(street_root, role))[0]).reshape(-1, 4)
        assert np.abs(shown[:, :3] - (was.reshape(-1, 4)[:, :3] + (1, 0, 0)) / 2).max() < 0.01
        assert np.array_equal(shown[:, 3], was.reshape(-1, 4)[:, 3])
    assert images_shown(layer(street_root, "photo")) == [photo]
    blender.ops.photo_diorama.tint_invented(strength=0.2)
    assert len(names()["images"]) == len(had["images"]) + 1, "one tinted image at a time"
    assert blender.ops.photo_diorama.tint_invented(show=False) == {"FINISHED"}
    assert names() == had and not differences(before, everything()) and not differences(everything(), before)
    assert images_shown(layer(street_root, "border")) == [atlas] and np.array_equal(pixels(atlas), was)


def test_a_rebuild_keeps_the_tint_and_it_still_comes_off(blender, street_root):
    had = names()["images"]
    blender.ops.photo_diorama.tint_invented(colour=(0, 1, 0), strength=1.0)
    blender.ops.photo_diorama.rebuild(hidden_width=0.03)
    shown = images_shown(layer(street_root, "hidden 1"))[0]
    assert pixels(shown).reshape(-1, 4)[:, :3] == pytest.approx(np.tile((0, 1, 0), (len(pixels(shown)) // 4, 1)), abs=0.01)
    assert len(names()["images"]) == len(had) + 1
    blender.ops.photo_diorama.tint_invented(show=False)
    assert names()["images"] == had
    plain = images_shown(layer(street_root, "hidden 1"))[0]
    assert pixels(plain).reshape(-1, 4)[:, 1].min() < 0.9


def test_layers_are_selected_from_the_list(blender, street_root):
    border, photo = layer(street_root, "border"), layer(street_root, "photo")
    assert blender.ops.photo_diorama.select_layer(name=border.name) == {"FINISHED"}
    assert blender.context.object == border and blender.context.selected_objects == [border]
    blender.ops.photo_diorama.select_layer(name=photo.name, extend=True)
    assert blender.context.object == photo and set(blender.context.selected_objects) == {border, photo}
    with pytest.raises(RuntimeError, match="no layer named"):
        blender.ops.photo_diorama.select_layer(name="gone")


def test_the_panel_lists_every_layer(blender, street_root):
    from types import SimpleNamespace

    from fake_layout import FakeLayout

    split_wall(blender, street_root)
    panel = blender.types.PHOTO_DIORAMA_PT_layers
    assert panel.poll(blender.context) and panel.bl_order == 4
    for _ in range(2):
        layout = FakeLayout()
        panel.draw(SimpleNamespace(layout=layout), blender.context)
        drawn = [name.split(".")[1] for name, _ in layout.said("operator")]
        assert drawn.count("select_layer") == len(roles(street_root))
        assert {"split_layer", "join_layer", "duplicate_layer", "show_invented", "tint_invented", "update_from"} <= set(drawn)
        blender.ops.photo_diorama.tint_invented()
        street_root["photo_diorama_source"] = json.dumps({})


def test_a_part_is_deleted_with_what_lies_behind_it_and_comes_back(blender, street_root):
    mask_on(blender, street_root, (8, 112), (20, 140))
    blender.ops.photo_diorama.split_layer()
    was = roles(street_root)
    blender.context.view_layer.objects.active = layer(street_root, "part 1 photo")
    assert blender.ops.photo_diorama.delete_layer() == {"FINISHED"}
    left = {ob["photo_diorama_role"] for ob in blender.data.objects if "photo_diorama_role" in ob}
    assert not [role for role in left if role.startswith("part 1 ")] and blender.context.object == street_root
    blender.ops.photo_diorama.rebuild()
    assert roles(street_root) == was


def test_a_part_whose_surface_was_deleted_is_not_there_twice_after_a_rebuild(blender, street_root):
    mask_on(blender, street_root, (8, 112), (20, 140))  # the board and the wall round it, which hides some of that
    blender.ops.photo_diorama.split_layer()
    was = roles(street_root)
    assert any(role.startswith("part 1") and not role.endswith("photo") for role in was), "something lies behind it"
    blender.data.objects.remove(layer(street_root, "part 1 photo"))
    blender.context.view_layer.objects.active = street_root
    blender.ops.photo_diorama.rebuild()
    made = [ob["photo_diorama_role"] for ob in blender.data.objects if "photo_diorama_role" in ob and ob.type == "MESH"]
    assert set(made) == was and len(made) == len(was) and roles(street_root) == was
    behind = [
        ob
        for ob in street_root.children_recursive
        if ob.get("photo_diorama_role", "").startswith("part 1 ") and ob["photo_diorama_role"] != "part 1 photo"
    ]
    assert behind and all(ob.parent == layer(street_root, "part 1 photo") for ob in behind)
