"""Depth edited by hand through the operators: regions, painting, rebuild, undo, save and reopen, and back to the original."""

import json

import cv2
import numpy as np
import pytest
from blend_state import differences, everything, names
from layer_state import disparity, image, mask_on, paint, parts, photo_depth, select_faces, values, within


@pytest.fixture
def street_root(blender, street, import_photo):
    """A triangle for each half pixel, so that faces and points lie wherever a test looks."""
    return import_photo(*street, long_side=160, triangles=200000, inpainter="diffusion", hidden_depth="nearest")


def test_the_depth_opens_as_a_float_image_and_nothing_else_changes(blender, street_root):
    before, had = everything(), names()
    assert blender.ops.photo_diorama.edit_depth() == {"FINISHED"}
    depth = image(street_root)
    assert depth.is_float and depth.packed_file and depth.colorspace_settings.name == "Non-Color" and tuple(depth.size) == (160, 120)
    assert np.unique(disparity(street_root)) == pytest.approx([1 / 6, 1 / 2]) and values(depth).max() <= 1
    assert np.array_equal(disparity(street_root), disparity(street_root, "photo_diorama_depth_original"))
    assert blender.context.scene.tool_settings.image_paint.canvas == depth
    changes = [line for line in differences(before, everything()) if "image_paint" not in line]
    assert not changes, changes
    assert {k: len(names()[k]) - len(had[k]) for k in had if names()[k] != had[k]} == {"images": 2}
    blender.ops.photo_diorama.edit_depth()
    assert image(street_root) == depth, "opening it again makes no second one"


def test_an_open_image_editor_shows_it_ready_for_painting(blender, street_root):
    blender.ops.photo_diorama.edit_depth()
    from photo_diorama.operators.depth import paint_depth

    for window in blender.context.window_manager.windows:
        window.screen.areas[0].type = "IMAGE_EDITOR"
    found = paint_depth.image_editor(blender.context)
    assert found is not None, "Blender's own start-up file has a window even without a display"
    for again in range(2):
        blender.ops.photo_diorama.edit_depth()
        space = found[1].spaces.active
        assert space.image == image(street_root) and space.mode == "PAINT", again


def test_painting_starts_on_the_photo_with_brushes_of_its_own(blender, street_root):
    tool = blender.context.scene.tool_settings.image_paint
    assert not blender.ops.photo_diorama.depth_brush.poll()
    own = {brush.name for brush in blender.data.brushes}
    assert blender.ops.photo_diorama.edit_depth(target="PAINT") == {"FINISHED"}
    assert blender.context.mode == "PAINT_TEXTURE" and blender.context.object == parts(street_root)["photo"]
    assert tool.mode == "IMAGE" and tool.canvas == image(street_root)
    assert tool.brush.name == "Photo Diorama Nearer", "not the artist's own, which may paint holes of black"
    for kind, blend in (("NEARER", "ADD"), ("FARTHER", "SUB")):
        assert blender.ops.photo_diorama.depth_brush(kind=kind, strength=0.05) == {"FINISHED"}
        assert tool.brush.blend == blend and tool.brush.strength == pytest.approx(0.05) and tool.canvas == image(street_root)
    with pytest.raises(RuntimeError, match="Open the mask"):
        blender.ops.photo_diorama.depth_brush(kind="MASK")
    blender.ops.photo_diorama.paint_mask(target="PAINT")
    assert tool.brush.name == "Photo Diorama Mask"
    for kind, level in (("MASK", 1.0), ("UNMASK", 0.0)):
        blender.ops.photo_diorama.depth_brush(kind=kind)
        assert tool.brush.color[0] == level and tool.canvas == image(street_root, "photo_diorama_mask")
    made = {brush.name for brush in blender.data.brushes if brush.name.startswith("Photo Diorama")}
    assert len(made) == 4 and not made & own


def shared(blender) -> dict:
    """What all brushes share, and the falloff of texture paint."""
    paint = blender.context.scene.tool_settings.image_paint
    unified = getattr(paint, "unified_paint_settings", None) or blender.context.scene.tool_settings.unified_paint_settings
    names = ("use_unified_color", "use_unified_strength", "use_unified_size", "strength", "size")
    return {**{name: getattr(unified, name) for name in names}, "colour": tuple(unified.color), "falloff": paint.use_normal_falloff}


@pytest.mark.parametrize("strength_is_shared", [False, True])
def test_brushes_paint_whatever_the_others_share_and_give_it_back(blender, street_root, strength_is_shared):
    """With factory settings all brushes share one colour, black; strokes themselves are counted in tests/blender_real."""
    from photo_diorama.operators.depth import brushes

    tool = blender.context.scene.tool_settings
    unified = getattr(tool.image_paint, "unified_paint_settings", None) or tool.unified_paint_settings
    unified.use_unified_strength = strength_is_shared
    before = shared(blender)
    blender.ops.photo_diorama.edit_depth(target="PAINT")
    blender.ops.photo_diorama.paint_mask(target="PAINT")
    assert before["use_unified_color"] and before["colour"] == (0, 0, 0) and before["falloff"]
    for kind, level in (("NEARER", 1), ("FARTHER", 1), ("MASK", 1), ("UNMASK", 0)):
        blender.ops.photo_diorama.depth_brush(kind=kind)
        brush = tool.image_paint.brush
        assert brush.color_type == "GRADIENT" and {tuple(s.color) for s in brush.gradient.elements} == {(level,) * 3 + (1,)}
        assert shared(blender) == {**before, "use_unified_strength": False, "falloff": False}
    blender.ops.object.mode_set(mode="OBJECT")
    brushes.watch()
    assert shared(blender) == before
    blender.ops.object.mode_set(mode="TEXTURE_PAINT")
    brushes.watch()
    assert not shared(blender)["falloff"], "our brush is still the active one there"
    blender.ops.object.mode_set(mode="OBJECT")
    brushes.watch()
    assert shared(blender) == before


def test_a_file_saved_while_painting_holds_the_artists_own_brush_settings(blender, street_root, tmp_path):
    before = shared(blender)
    blender.ops.photo_diorama.edit_depth(target="PAINT")
    ours = shared(blender)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "painted.blend"), copy=True)
    assert ours != before and shared(blender) == ours, "painting goes on"
    with blender.data.libraries.load(str(tmp_path / "painted.blend")) as (held, taken):
        taken.scenes = held.scenes
    paint = taken.scenes[0].tool_settings.image_paint
    assert paint.use_normal_falloff == before["falloff"]


def test_rebuild_takes_what_was_painted_and_goes_on_painting(blender, street_root):
    blender.ops.photo_diorama.edit_depth(target="PAINT")
    scale = image(street_root)["photo_diorama_depth_scale"]
    paint(image(street_root), (40, 80), (60, 100), scale / 1.0)
    assert blender.ops.photo_diorama.rebuild() == {"FINISHED"}
    assert blender.context.mode == "PAINT_TEXTURE"
    places = photo_depth(street_root)
    assert places[within(places, 44, 76, 64, 96), 2] == pytest.approx(1.0, rel=1e-5)
    assert places[within(places, 2, 26, 2, 158), 2] == pytest.approx(1 / 6, rel=1e-5)
    assert "edited by hand" in json.loads(street_root["photo_diorama_source"])["depth_source"]
    assert np.unique(disparity(street_root, "photo_diorama_depth_original")) == pytest.approx([1 / 6, 1 / 2])


CHANGES = {
    "depth_to_plane": {},
    "push_depth": dict(gap=0.1),
    "same_depth": dict(of="POINT", point=(0.5, 0.5)),
    "move_depth": dict(amount=0.2),
    "smooth_depth": dict(radius=0.05),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_reaches_depth_and_layers_and_is_undone_in_one_step(blender, street_root, name):
    name_of_root = street_root.name
    top, bottom, left, right = 20, 100, 20, 50
    if name in ("depth_to_plane", "smooth_depth"):
        left, right = 30, 80
    mask_on(blender, street_root, (top, bottom), (left, right))
    blender.ops.photo_diorama.edit_depth()
    was, mesh_was = disparity(street_root), photo_depth(street_root)
    blender.ops.ed.undo_push(message="ready")
    assert getattr(blender.ops.photo_diorama, name)("EXEC_DEFAULT", True, **CHANGES[name]) == {"FINISHED"}
    street_root = blender.data.objects[name_of_root]
    now = disparity(street_root)
    inside = np.zeros(now.shape, bool)
    inside[top:bottom, left:right] = True
    assert np.array_equal(now[~inside], was[~inside]) and (now != was)[inside].any()
    assert np.array_equal(disparity(street_root, "photo_diorama_depth_original"), was)
    span = 1 / 2 - 1 / 6
    if name == "push_depth":
        assert now[inside] == pytest.approx(1 / 6 - 0.1 * span, abs=0.01)
    if name == "same_depth":
        assert now[inside] == pytest.approx(1 / 2)
    if name == "move_depth":
        assert now[inside] == pytest.approx(1 / 6 + 0.2 * span, abs=0.01)
    if name == "depth_to_plane":
        assert np.abs(np.diff(now[top:bottom, left:right], 2)).max() < 1e-6
    assert photo_depth(street_root).shape != mesh_was.shape or not np.array_equal(photo_depth(street_root), mesh_was)
    blender.ops.ed.undo()
    street_root = blender.data.objects[name_of_root]
    assert np.array_equal(disparity(street_root), was) and np.array_equal(photo_depth(street_root), mesh_was)
    blender.ops.ed.redo()
    assert np.array_equal(disparity(blender.data.objects[name_of_root]), now)


def test_a_selection_in_edit_mode_is_the_region(blender, street_root):
    select_faces(blender, street_root, 31, 89, 54, 106)
    assert blender.ops.photo_diorama.move_depth(amount=0.3) == {"FINISHED"}
    assert blender.context.mode == "OBJECT"
    changed = disparity(street_root) != disparity(street_root, "photo_diorama_depth_original")
    rows, columns = np.nonzero(changed)
    assert changed[32:88, 56:104].all() and rows.min() >= 30 and rows.max() < 90 and columns.min() >= 53 and columns.max() < 107
    select_faces(blender, street_root, 31, 89, 54, 106)
    assert blender.ops.photo_diorama.fill_mask(content="SELECTION") == {"FINISHED"}
    mask = values(image(street_root, "photo_diorama_mask"))
    assert set(np.unique(mask)) == {0.0, 1.0} and mask[32:88, 56:104].all() and mask.sum() <= 60 * 54
    blender.ops.photo_diorama.fill_mask(content="INVERTED")
    assert np.array_equal(values(image(street_root, "photo_diorama_mask")), 1 - mask)
    blender.ops.photo_diorama.fill_mask(content="ADD")
    assert values(image(street_root, "photo_diorama_mask")).all()
    blender.ops.photo_diorama.fill_mask(content="SUBTRACT")
    assert np.array_equal(values(image(street_root, "photo_diorama_mask")), 1 - mask)


def test_same_depth_as_the_active_face_and_the_cursor(blender, street_root):
    select_faces(blender, street_root, 31, 89, 54, 106)
    assert blender.ops.photo_diorama.same_depth(region="SELECTION", of="FACE", keep_relief=True) == {"FINISHED"}
    mask_on(blender, street_root, (0, 120), (0, 40))
    street_root.location, street_root.scale = (3, 2, 1), (2, 2, 2)
    blender.context.view_layer.update()
    blender.context.scene.cursor.location = street_root.matrix_world @ parts(street_root)["photo"].location.__class__((0, 2.0, 0))
    assert blender.ops.photo_diorama.same_depth(of="CURSOR") == {"FINISHED"}
    assert disparity(street_root)[5:115, 2:38] == pytest.approx(1 / 2)
    blender.context.scene.cursor.location = street_root.location + street_root.location.__class__((0, -5, 0))
    with pytest.raises(RuntimeError, match="3D cursor"):
        blender.ops.photo_diorama.same_depth(of="CURSOR")
    with pytest.raises(RuntimeError, match="active face"):
        blender.ops.photo_diorama.same_depth(of="FACE")


def test_a_feather_fades_in_and_without_rebuild_only_the_image_changes(blender, street_root):
    mask_on(blender, street_root, (20, 100), (2, 50))
    mesh = parts(street_root)["photo"].data
    assert blender.ops.photo_diorama.move_depth(amount=0.5, feather=0.1, build=False) == {"FINISHED"}
    off = disparity(street_root) - disparity(street_root, "photo_diorama_depth_original")
    assert parts(street_root)["photo"].data == mesh
    assert np.abs(np.diff(off, axis=0)).max() < 0.03 and off.max() == pytest.approx(0.5 / 3, abs=0.01)
    assert blender.ops.photo_diorama.rebuild() == {"FINISHED"}
    places = photo_depth(street_root)
    assert places[within(places, 55, 65, 20, 30), 2].max() == pytest.approx(1 / 6 + off.max(), abs=0.01)


@pytest.mark.parametrize("where", ["ALL", "REGION"])
def test_the_original_depth_comes_back(blender, street_root, where):
    before, source = photo_depth(street_root), json.loads(street_root["photo_diorama_source"])["depth_source"]
    mask_on(blender, street_root, (20, 100), (2, 50))
    blender.ops.photo_diorama.move_depth(amount=0.3)
    assert photo_depth(street_root).shape != before.shape
    assert blender.ops.photo_diorama.restore_depth(where=where) == {"FINISHED"}
    assert np.array_equal(disparity(street_root), disparity(street_root, "photo_diorama_depth_original"))
    assert np.array_equal(photo_depth(street_root), before)
    assert json.loads(street_root["photo_diorama_source"])["depth_source"] == source


def test_the_edit_survives_save_reopen_and_other_options(blender, street_root, tmp_path):
    from photo_diorama.operators.building import build_operator

    mask_on(blender, street_root, (30, 90), (53, 106))
    blender.ops.photo_diorama.move_depth(amount=0.5)
    edited, mesh, name = disparity(street_root), photo_depth(street_root), street_root.name
    paint(image(street_root), (2, 10), (2, 10), 0.75)  # painted and never rebuilt
    painted = disparity(street_root)
    file = str(tmp_path / "saved.blend")
    blender.ops.wm.save_as_mainfile(filepath=file)
    blender.ops.wm.open_mainfile(filepath=file)
    build_operator.kept.results.clear()
    root = blender.data.objects[name]
    blender.context.view_layer.objects.active = root
    assert np.array_equal(disparity(root), painted) and np.array_equal(photo_depth(root), mesh)
    assert not np.array_equal(painted, edited)
    blender.ops.photo_diorama.rebuild(density=2.0, tear=0.02)
    places = photo_depth(root)
    assert places[within(places, 34, 86, 57, 102), 2] == pytest.approx(1 / 2 + 1 / 6, abs=0.01)
    assert np.array_equal(disparity(root), painted)
    blender.ops.photo_diorama.rebuild(long_side=80)
    places = photo_depth(root)
    assert np.median(places[within(places, 40, 80, 62, 96), 2]) == pytest.approx(1 / 2 + 1 / 6, abs=0.01)
    assert np.array_equal(disparity(root), painted), "the painted image keeps its own size"


def test_the_edit_follows_another_depth(blender, street_root, street, tmp_path):
    mask_on(blender, street_root, (30, 90), (53, 106))
    blender.ops.photo_diorama.move_depth(amount=0.5)
    other = tmp_path / "twice.npy"
    np.save(other, 2 * np.load(street[1]))
    blender.ops.photo_diorama.rebuild(depth=str(other))
    assert np.unique(disparity(street_root, "photo_diorama_depth_original")) == pytest.approx([1 / 12, 1 / 4])
    assert disparity(street_root)[35:85, 60:100] == pytest.approx(1 / 3, abs=0.01)
    places = photo_depth(street_root)
    assert np.median(places[within(places, 40, 80, 62, 96), 2]) == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("name", CHANGES)
def test_without_a_region_it_says_what_to_do_and_changes_nothing(blender, street_root, name):
    before = everything()
    call = getattr(blender.ops.photo_diorama, name)
    for region, told in (("AUTO", "paint the mask"), ("MASK", "paint the mask")):
        with pytest.raises(RuntimeError, match=told):
            call(region=region, **CHANGES[name])
    with pytest.raises(RuntimeError, match="is no layer"):
        call(region="SELECTION", **CHANGES[name])
    blender.context.view_layer.objects.active = parts(street_root)["photo"]
    parts(street_root)["photo"].data.polygons.foreach_set("select", np.zeros(len(parts(street_root)["photo"].data.polygons), bool))
    with pytest.raises(RuntimeError, match="No face of"):
        call(region="SELECTION", **CHANGES[name])
    assert not differences(before, everything()) and not differences(everything(), before)
    blender.context.view_layer.objects.active = None
    assert not call.poll()


def test_a_stop_or_a_fault_leaves_all_as_it_was(blender, street_root, monkeypatch):
    from photo_diorama.core.errors import Cancelled
    from photo_diorama.operators.depth import change_region

    mask_on(blender, street_root, (20, 100), (2, 50))
    before = everything()

    def stopped(*arguments, **named):
        raise Cancelled

    with monkeypatch.context() as patch:
        patch.setattr(change_region, "change_depth", stopped)
        assert blender.ops.photo_diorama.move_depth(amount=0.3) == {"CANCELLED"}
    assert not differences(before, everything()) and not differences(everything(), before)

    def fails(*arguments):
        raise KeyError("made to fail")

    with monkeypatch.context() as patch:
        patch.setattr(change_region, "rebuild", fails)
        with pytest.raises(RuntimeError, match="fault of Photo Diorama"):
            blender.ops.photo_diorama.move_depth(amount=0.3)
    assert not differences(before, everything()) and image(street_root) is None


def test_a_copy_of_the_diorama_keeps_its_depth(blender, street_root):
    mask_on(blender, street_root, (20, 100), (2, 50))
    blender.ops.photo_diorama.move_depth(amount=0.3)
    for ob in (street_root, *street_root.children_recursive):
        ob.select_set(True)
    blender.context.view_layer.objects.active = street_root
    blender.ops.object.duplicate()
    copy = blender.context.view_layer.objects.active
    was = disparity(copy)
    blender.context.view_layer.objects.active = street_root
    blender.ops.photo_diorama.restore_depth()
    assert np.array_equal(disparity(copy), was) and not np.array_equal(disparity(street_root), was)


def test_an_image_of_another_size_or_gone_is_told(blender, street_root):
    mask_on(blender, street_root, (20, 100), (2, 50))
    blender.ops.photo_diorama.move_depth(amount=0.3)
    image(street_root).scale(80, 60)
    with pytest.raises(RuntimeError, match="another size"):
        blender.ops.photo_diorama.rebuild()
    assert blender.ops.photo_diorama.restore_depth() == {"FINISHED"}
    blender.data.images.remove(image(street_root))
    assert blender.ops.photo_diorama.rebuild() == {"FINISHED"}


def test_the_panel_shows_every_tool(blender, street_root):
    from types import SimpleNamespace

    from fake_layout import FakeLayout

    panel = blender.types.PHOTO_DIORAMA_PT_depth
    assert panel.poll(blender.context) and panel.bl_category == "Photo Diorama" and panel.bl_order == 3
    for _ in range(2):
        layout = FakeLayout()
        panel.draw(SimpleNamespace(layout=layout), blender.context)
        drawn = {name.split(".")[1] for name, _ in layout.said("operator")}
        assert drawn >= {*CHANGES, "edit_depth", "paint_mask", "depth_brush", "fill_mask", "restore_depth"}
        select_faces(blender, street_root, 31, 89, 54, 106)
    blender.ops.object.mode_set(mode="OBJECT")
    blender.context.view_layer.objects.active = None
    assert not panel.poll(blender.context)


@pytest.mark.parametrize("ending", ["png", "exr", "tif"])
def test_the_depth_goes_out_and_comes_back_as_an_edit(blender, street_root, tmp_path, ending):
    path = str(tmp_path / f"depth.{ending}")
    assert blender.ops.photo_diorama.export_depth(filepath=path) == {"FINISHED"}
    before = photo_depth(street_root)
    assert blender.ops.photo_diorama.take_edited_depth(filepath=path) == {"FINISHED"}
    assert np.array_equal(photo_depth(street_root), before)
    if ending == "exr":  # nobody here writes one
        return
    pixels = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    pixels[10:50, 20:60] = 65535 // 2 if ending == "png" else 4.0
    cv2.imwrite(path, pixels)
    assert blender.ops.photo_diorama.take_edited_depth(filepath=path) == {"FINISHED"}
    edited = disparity(street_root)
    assert np.abs(edited[15:45, 25:55] - 0.25).max() < 1e-4 and np.unique(edited[60:]) == pytest.approx([1 / 6, 1 / 2])
    assert blender.ops.photo_diorama.restore_depth(where="ALL") == {"FINISHED"}
    assert np.array_equal(photo_depth(street_root), before)
    with pytest.raises(RuntimeError, match="cannot be read"):
        blender.ops.photo_diorama.take_edited_depth(filepath=str(tmp_path / "none.png"))
    with pytest.raises(RuntimeError, match="no ending for depth"):
        blender.ops.photo_diorama.export_depth(filepath=str(tmp_path / "depth.jpg"))
