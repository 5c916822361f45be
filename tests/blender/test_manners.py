"""Manners: the scene that was there stays as it was; the photo is where its camera sees it; a saved file holds all."""

import numpy as np
import pytest
from blend_state import differences, everything, furnish, names
from camera_view import seen_from, surface
from made_photos import texture
from PIL import Image

ADDED = ("scenes Scene: collection.len(", "scenes Scene: len(", "scenes Scene: view_layers")
"""What a scene cannot help but show: it has more objects and collections."""


def test_nothing_that_was_there_is_changed(blender, street, import_photo):
    furnish(blender)
    mine = names()
    before = everything(mine)
    import_photo(*street, camera_move="dolly-zoom", shader="principled")
    changes = [line for line in differences(before, everything(mine)) if not line.startswith(ADDED)]
    assert not changes, "\n".join(changes)
    assert len(names()["objects"]) > len(mine["objects"])


def test_the_comparison_above_would_see_a_change(blender):
    furnish(blender)
    before = everything()
    scene = blender.context.scene
    for owner, name, value in (
        (scene.render, "resolution_x", 1), (scene.view_settings, "exposure", 0.0), (scene, "frame_current", 21),
        (blender.data.objects["my cube"], "location", (0, 0, 0)), (blender.data.cameras["my camera"], "lens", 20),
    ):  # fmt: skip
        setattr(owner, name, value)
        assert any(name in line for line in differences(before, everything())), name


def test_set_up_scene_does_what_it_says(blender, street, import_photo):
    furnish(blender)
    root = import_photo(*street, set_up_scene=True)
    scene = blender.context.scene
    assert scene.camera["photo_diorama_role"] == "camera" and scene.camera in root.children_recursive
    assert (scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage) == (160, 120, 100)
    assert (scene.view_settings.view_transform, scene.view_settings.exposure) == ("Standard", 0.0)


def test_somebody_who_edits_a_mesh_goes_on_editing_it(blender, street, import_photo):
    furnish(blender)
    cube = blender.data.objects["my cube"]
    blender.context.view_layer.objects.active = cube
    cube.select_set(True)
    blender.ops.object.mode_set(mode="EDIT")
    import_photo(*street)
    assert blender.context.mode == "EDIT_MESH" and blender.context.view_layer.objects.active == cube
    assert "street" in blender.data.objects
    blender.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("size, options", [((160, 120), {}), ((120, 200), dict(fov=75.0)), ((200, 150), dict(focal_px=431.0))])
@pytest.mark.parametrize("moved", [False, True])
def test_each_vertex_is_seen_at_its_own_place_in_the_photo(blender, tmp_path, import_photo, size, options, moved):
    from made_photos import sphere

    root = import_photo(*sphere(tmp_path, "ball.png", *size), **options)
    if moved:
        root.location, root.rotation_euler, root.scale = (3, -2, 1), (0.3, -0.2, 1.1), (2, 2, 2)
    blender.context.view_layer.update()
    parts = {ob["photo_diorama_role"]: ob for ob in root.children_recursive}
    points, uvs = surface(parts["photo"])
    width, height = size
    wanted = np.stack([uvs[:, 0] * width, (1 - uvs[:, 1]) * height], axis=1)
    error = np.abs(seen_from(parts["camera"], points, width, height) - wanted).max()
    assert error < (1e-3 if not moved else 5e-3), error  # a turned root's single-precision matrices cost some of it
    assert wanted.min() < 0.5 and wanted[:, 0].max() > width - 0.5 and wanted[:, 1].max() > height - 0.5


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "jpeg"])
def test_a_saved_file_holds_the_photo_itself(blender, tmp_path, street, import_photo, kind):
    photo = tmp_path / ("still.jpg" if kind == "jpeg" else "still.png")
    colour = texture(120, 160, 5)
    if kind == "RGBA":
        colour = np.dstack([colour, np.tile(np.linspace(0, 255, 160), (120, 1)).astype(np.uint8)])
    Image.fromarray(colour).save(photo)
    pixels = np.asarray(Image.open(photo).convert("RGBA")).astype(np.float32)
    import_photo(photo, street[1])
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    photo.unlink()
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert all(image.packed_file for image in blender.data.images) and len(blender.data.images) == 2
    image = blender.data.images["still photo"]
    shown = np.empty(4 * 160 * 120, np.float32)
    image.pixels.foreach_get(shown)
    difference = np.abs(shown.reshape(120, 160, 4)[::-1] * 255 - pixels)
    assert difference[..., 3].max() <= 0.01
    difference = difference[pixels[..., 3] > 0].max()  # colours that nobody can see are made anew
    assert difference <= (2 if kind == "jpeg" else 0.01)  # two JPEG decoders may round differently


def test_a_saved_file_still_renders_the_photo(blender, tmp_path, ball, import_photo):
    import_photo(*ball, set_up_scene=True, texture_filter="closest")
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    pixels = np.asarray(Image.open(ball[0]).convert("RGB")).astype(int)
    ball[0].unlink()
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    scene = blender.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.use_adaptive_sampling, scene.render.dither_intensity = False, 0
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "seen.png")
    blender.ops.render.render(write_still=True)
    seen = np.asarray(Image.open(tmp_path / "seen.png").convert("RGB")).astype(int)
    assert np.abs(seen - pixels).max() == 0, f"{(seen != pixels).any(axis=2).sum()} pixels differ"


def test_a_name_that_is_taken_makes_a_number_and_leaves_the_other_alone(blender, street, import_photo):
    mine = blender.data.objects.new("street", None)
    blender.context.scene.collection.objects.link(mine)
    root = import_photo(*street)
    assert blender.data.objects["street"] == mine and root.name == "street.001" and not mine.children


def test_importing_needs_no_network(blender, street, import_photo, monkeypatch):
    import socket

    def refuse(*arguments, **named):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    import_photo(*street)
