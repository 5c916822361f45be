"""Watched files of layers: the scene follows what another program saves; and layers on cards, kept through rebuilds."""

import os

import numpy as np
import pytest
from layer_state import mask_on, parts
from test_repaint import assert_square_is_there
from test_update_layers import SQUARE, assert_same, folder, paint_file, state, street_root, update  # noqa: F401


@pytest.fixture
def watching(blender, street_root, folder, update):  # noqa: F811
    from photo_diorama.operators.layers import watch_layers

    assert update(street_root, folder / "layers.json") == {"FINISHED"}
    assert blender.ops.photo_diorama.watch_layers() == {"FINISHED"}
    assert blender.app.timers.is_registered(watch_layers.look)
    yield watch_layers
    watch_layers.stop_watching()


def test_the_scene_follows_a_file_that_is_saved_again(blender, street_root, folder, watching):  # noqa: F811
    before = state(street_root)
    assert watching.look() == watching.INTERVAL
    assert_same(before, state(street_root))
    paint_file(folder)
    watching.look()
    assert_same(before, state(street_root))  # it may still be written
    watching.look()
    assert_square_is_there(street_root, parts(street_root)["hidden 1"], SQUARE)
    assert watching.watched[street_root.name].trouble == ""


def test_a_half_written_file_is_waited_for_and_a_damaged_one_told(blender, street_root, folder, watching):  # noqa: F811
    before, whole = state(street_root), None
    paint_file(folder)
    whole = (folder / "hidden_1.png").read_bytes()
    (folder / "hidden_1.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(3):
        watching.look()
    assert_same(before, state(street_root))
    assert watching.watched[street_root.name].trouble == ""
    for _ in range(watching.PATIENCE + 2):
        watching.look()
    assert "hidden_1.png" in watching.watched[street_root.name].trouble
    (folder / "hidden_1.png").write_bytes(whole)
    os.utime(folder / "hidden_1.png")
    for _ in range(2):
        watching.look()
    assert_square_is_there(street_root, parts(street_root)["hidden 1"], SQUARE)
    assert watching.watched[street_root.name].trouble == ""


def test_it_ends_when_it_is_switched_off_and_with_the_file(blender, street_root, folder, watching):  # noqa: F811
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.watch_layers(watch=False) == {"FINISHED"}
    assert not watching.watched and watching.look() is None
    assert blender.ops.photo_diorama.watch_layers() == {"FINISHED"}
    blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert not watching.watched and not blender.app.timers.is_registered(watching.look)


def test_nothing_to_watch_is_told(blender, street_root):  # noqa: F811
    blender.context.view_layer.objects.active = street_root
    with pytest.raises(RuntimeError, match="Update Layers From"):
        blender.ops.photo_diorama.watch_layers()


def points_of(ob) -> np.ndarray:
    points = np.empty(3 * len(ob.data.vertices), np.float32)
    ob.data.attributes["position"].data.foreach_get("vector", points)
    return points.reshape(-1, 3).astype(np.float64)


def off_plane(ob) -> float:
    points = points_of(ob)
    return float(np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[1][-1] / np.sqrt(len(points)) / points[:, 1].mean())


def test_a_part_becomes_a_card_and_a_surface_again(blender, ball, import_photo, tmp_path):
    root = import_photo(*ball)
    mask_on(blender, root, (30, 90), (50, 110))
    assert blender.ops.photo_diorama.split_layer() == {"FINISHED"}
    before, name = state(root), root.name
    assert off_plane(parts(root)["part 1 photo"]) > 0.01

    def lay(card):
        ob = parts(blender.data.objects[name])["part 1 photo"]
        blender.context.view_layer.objects.active = ob
        assert blender.ops.photo_diorama.lay_on_card(card=card) == {"FINISHED"}

    lay("FLAT")
    assert off_plane(parts(root)["part 1 photo"]) < 1e-5
    assert blender.ops.photo_diorama.rebuild(inpainter="diffusion") == {"FINISHED"}
    assert off_plane(parts(root)["part 1 photo"]) < 1e-5
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "card.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "card.blend"))
    root = blender.data.objects[name]
    assert off_plane(parts(root)["part 1 photo"]) < 1e-5
    lay("CURVED")
    assert off_plane(parts(root)["part 1 photo"]) > 1e-4
    blender.ops.ed.undo_push(message="curved")
    lay("SURFACE")
    blender.ops.ed.undo_push(message="surface")
    assert "photo_diorama_layer_edits" not in root
    now = state(root)
    assert all(np.array_equal(a, b) for a, b in zip(before["part 1 photo"], now["part 1 photo"], strict=True))
    blender.ops.ed.undo()
    root = blender.data.objects[name]
    assert off_plane(parts(root)["part 1 photo"]) > 1e-4 and "photo_diorama_layer_edits" in root
