"""Layers come back from a file: what nobody changed changes nothing; what was painted elsewhere stays where it was painted."""

import json

import numpy as np
import pytest
from layer_state import mask_on, parts
from made_photos import OPTIONS
from PIL import Image
from test_repaint import assert_square_is_there, picture, samples, shown_image

SQUARE = (0.35, 0.5, 0.4, 0.6)
"""Of the photo: left, right, top, bottom. In the street it lies behind the board."""


@pytest.fixture
def street_root(blender, street, import_photo):
    return import_photo(*street, border=0.1)


@pytest.fixture
def folder(blender, street_root, tmp_path):
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.export_layers(directory=str(tmp_path / "layers")) == {"FINISHED"}
    return tmp_path / "layers"


@pytest.fixture
def update(blender):
    def call(root, path):
        blender.context.view_layer.objects.active = root
        return blender.ops.photo_diorama.update_layers(filepath=str(path))

    return call


def state(root) -> dict:
    """All that a diorama shows: vertices, UVs and texels."""
    result = {}
    for role, ob in parts(root).items():
        if ob.type == "MESH":
            points = np.empty(3 * len(ob.data.vertices), np.float32)
            ob.data.attributes["position"].data.foreach_get("vector", points)
            uvs = np.empty(2 * len(ob.data.loops), np.float32)
            ob.data.uv_layers["UVMap"].uv.foreach_get("vector", uvs)
            result[role] = points, uvs, picture(shown_image(ob))
    return result


def assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert all(np.array_equal(a, b) for role in one for a, b in zip(one[role], other[role], strict=True))


def paint_file(folder, name="hidden_1.png", square=SQUARE, colour=(255, 0, 255), alpha=None) -> None:
    """As a painter does in the picture of a layer: within what is there, or all with `alpha`."""
    index = json.loads((folder / "layers.json").read_text())
    (left, top), (width, height) = index["photo_offset"], index["photo_size"]
    pixels = np.array(Image.open(folder / name))
    rows = slice(round(top + square[2] * height), round(top + square[3] * height))
    columns = slice(round(left + square[0] * width), round(left + square[1] * width))
    part = pixels[rows, columns]
    part[..., :3] = np.where(part[..., 3:] > 0, np.uint8(colour), part[..., :3]) if alpha is None else np.uint8(colour)
    if alpha is not None:
        part[..., 3] = alpha
    Image.fromarray(pixels).save(folder / name)


def test_a_file_that_nobody_changed_changes_nothing(street_root, folder, update):
    before, meshes = state(street_root), {role: ob.data for role, ob in parts(street_root).items() if ob.type == "MESH"}
    assert update(street_root, folder / "layers.json") == {"FINISHED"}
    assert_same(before, state(street_root))
    assert meshes == {role: ob.data for role, ob in parts(street_root).items() if ob.type == "MESH"}


def test_a_square_painted_in_the_hidden_plate_stays_where_it_was_painted(blender, street_root, folder, update, tmp_path):
    before = state(street_root)
    paint_file(folder)
    assert update(street_root, folder) == {"FINISHED"}
    hidden = parts(street_root)["hidden 1"]
    assert_square_is_there(street_root, hidden, SQUARE)
    after = state(street_root)
    assert all(np.array_equal(a, b) for role in before for a, b in zip(before[role][:2], after[role][:2], strict=True))
    assert np.array_equal(before["photo"][2], after["photo"][2])
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.rebuild(inpainter="diffusion") == {"FINISHED"}
    assert_square_is_there(street_root, parts(street_root)["hidden 1"], SQUARE)
    mask_on(blender, street_root, (5, 20), (100, 120))
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.move_depth(amount=0.3) == {"FINISHED"}
    assert_square_is_there(street_root, parts(street_root)["hidden 1"], SQUARE)
    name = street_root.name
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "painted.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "painted.blend"))
    root = blender.data.objects[name]
    assert_square_is_there(root, parts(root)["hidden 1"], SQUARE)
    blender.context.view_layer.objects.active = root
    assert blender.ops.photo_diorama.rebuild(inpainter="exemplar") == {"FINISHED"}
    assert_square_is_there(root, parts(root)["hidden 1"], SQUARE)


def test_an_erased_plate_and_a_new_layer_survive_save_and_rebuild_and_undo_takes_them_back(blender, street_root, folder, update, tmp_path):
    before = state(street_root)
    blender.ops.ed.undo_push(message="before")
    paint_file(folder, square=(0.0, 0.45, 0.0, 1.0), alpha=0)
    index = json.loads((folder / "layers.json").read_text())
    new = np.zeros((*index["canvas"][::-1], 4), np.uint8)
    Image.fromarray(new).save(folder / "bird.png")
    paint_file(folder, "bird.png", (0.1, 0.2, 0.1, 0.2), (0, 255, 0), 255)
    index["layers"].insert(0, {"name": "bird", "file": "bird.png"})
    (folder / "layers.json").write_text(json.dumps(index))
    assert update(street_root, folder) == {"FINISHED"}
    name = street_root.name

    def check(root):
        shown = state(root)
        assert samples(root, parts(root)["hidden 1"])[0][:, 0].min() > 0.45 - 1 / 128
        assert_square_is_there(root, parts(root)["added bird"], (0.1, 0.2, 0.1, 0.2), np.float32([0, 1, 0]))
        assert np.array_equal(shown["photo"][2], before["photo"][2])

    check(street_root)
    assert update(street_root, folder) == {"FINISHED"}, "once more, nothing new"
    check(street_root)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "cut.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "cut.blend"))
    root = blender.data.objects[name]
    blender.context.view_layer.objects.active = root
    assert blender.ops.photo_diorama.rebuild(inpainter="diffusion") == {"FINISHED"}
    check(root)
    assert blender.ops.photo_diorama.restore_layers() == {"FINISHED"}
    assert blender.ops.photo_diorama.rebuild(inpainter=OPTIONS.get("inpainter", "automatic")) == {"FINISHED"}
    assert "added bird" not in parts(root)
    assert all(np.array_equal(a, b) for role in before for a, b in zip(before[role][:2], state(root)[role][:2], strict=True))


def test_undo_takes_it_back(blender, street_root, folder, update):
    before, name = state(street_root), street_root.name
    blender.ops.ed.undo_push(message="before")
    paint_file(folder)
    paint_file(folder, square=(0.0, 0.45, 0.0, 0.3), alpha=0)
    assert update(street_root, folder) == {"FINISHED"}
    blender.ops.ed.undo_push(message="after")
    after = state(blender.data.objects[name])
    blender.ops.ed.undo()
    assert_same(before, state(blender.data.objects[name]))
    assert "photo_diorama_layer_edits" not in blender.data.objects[name]
    blender.ops.ed.redo()
    assert_same(after, state(blender.data.objects[name]))


def missing(folder):
    index = json.loads((folder / "layers.json").read_text())
    index["layers"] = [each for each in index["layers"] if each["name"] != "hidden 1"]
    (folder / "layers.json").write_text(json.dumps(index))


def renamed(folder):
    (folder / "layers.json").write_text((folder / "layers.json").read_text().replace('"hidden 1"', '"sky"'))


def other_size(folder):
    for path in folder.glob("*.png"):
        path.unlink()
    (folder / "layers.json").unlink()
    Image.new("RGBA", (77, 300), (1, 2, 3, 255)).save(folder / "a.png")


def cut_short(folder):
    (folder / "hidden_1.png").write_bytes((folder / "hidden_1.png").read_bytes()[:200])


@pytest.mark.parametrize("spoil", [missing, renamed, other_size, cut_short])
def test_what_does_not_fit_is_told_and_nothing_changes(blender, street_root, folder, update, spoil):
    before, images = state(street_root), set(blender.data.images)
    spoil(folder)
    with pytest.raises(RuntimeError, match="layers"):
        update(street_root, folder)
    assert_same(before, state(street_root))
    assert set(blender.data.images) == images


def test_a_graded_photo_layer_leaves_no_rim_in_its_old_colours(blender, ball, import_photo, update, tmp_path):
    root = import_photo(*ball, soft_edge=0.03)
    blender.context.view_layer.objects.active = root
    assert blender.ops.photo_diorama.export_layers(directory=str(tmp_path / "layers")) == {"FINISHED"}
    pixels = np.array(Image.open(tmp_path / "layers" / "photo.png"))
    pixels[..., :3] = (pixels[..., :3].mean(axis=2, keepdims=True) * 0.7).round()
    Image.fromarray(pixels).save(tmp_path / "layers" / "photo.png")
    for _ in range(2):  # painted bytes do not pile up
        assert update(root, tmp_path / "layers") == {"FINISHED"}
        soft = next(each for each in blender.data.images if each.get("photo_diorama_role") == "soft")
        rim = picture(soft)
        assert np.ptp(rim[rim[..., 3] > 0.02][:, :3], axis=1).max() <= 4 / 255
