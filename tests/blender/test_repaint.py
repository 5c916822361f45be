"""What an artist paints on a texture stays where it was painted: through rebuilds, edits, saves; and Restore takes it back."""

import json

import numpy as np
import pytest
from layer_state import mask_on, paint, parts
from made_photos import texture
from PIL import Image

PAINT = np.array([1, 0, 1], np.float32)
SQUARE = (0.35, 0.5, 0.4, 0.6)
"""Of the photo: left, right, top, bottom. In the street it lies behind the board."""


def shown_image(ob):
    return next(node.image for node in ob.active_material.node_tree.nodes if node.type == "TEX_IMAGE")


def picture(image) -> np.ndarray:
    read = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(read)
    return read.reshape(image.size[1], image.size[0], 4)[::-1].copy()


def samples(root, ob) -> tuple[np.ndarray, tuple]:
    """(n, 2) places on the photo, 0 to 1 right and down, of points all over a surface, and the texels (rows, columns) shown there."""
    from photo_diorama.operators.depth.chosen_region import photo_places

    mesh, image = ob.data, shown_image(ob)
    corners = np.empty(3 * len(mesh.polygons), np.int32)
    mesh.attributes[".corner_vert"].data.foreach_get("value", corners)
    uvs = np.empty(2 * len(corners), np.float32)
    mesh.uv_layers["UVMap"].uv.foreach_get("vector", uvs)
    places, uvs = photo_places(root, mesh)[corners.reshape(-1, 3)], uvs.reshape(-1, 3, 2)
    steps = 320 if len(mesh.polygons) <= 60 else 96 if len(mesh.polygons) < 2000 else 6  # closer than texels in the largest triangle
    a, b = (each.ravel() for each in np.meshgrid(*(np.arange(0.5, steps) / steps,) * 2))
    a, b = a[a + b < 1], b[a + b < 1]
    weights = np.stack([a, b, 1 - a - b], axis=1)
    place, uv = ((weights @ each).reshape(-1, 2) for each in (places, uvs))
    height, width = image.size[1], image.size[0]
    return place, (np.floor((1 - uv[:, 1]) * height).astype(int), np.floor(uv[:, 0] * width).astype(int))


def within(place, square) -> np.ndarray:
    return (place[:, 0] > square[0]) & (place[:, 0] < square[1]) & (place[:, 1] > square[2]) & (place[:, 1] < square[3])


def paint_square(root, ob, square=SQUARE, colour=PAINT) -> None:
    """As a brush in 3D does: the texels that the surface shows there, not packed."""
    image, (place, texels) = shown_image(ob), samples(root, ob)
    chosen = within(place, square)
    assert chosen.any(), "the surface does not show that part"
    pixels = picture(image)
    pixels[texels[0][chosen], texels[1][chosen], :3] = colour
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    image.update()
    assert image.is_dirty


def assert_square_is_there(root, ob, square=SQUARE, colour=PAINT, size=(128, 96)) -> None:
    """All that the surface shows within the square, but for a texel of the working grid at its rim, is painted; nothing else is."""
    place, texels = samples(root, ob)
    painted = (np.abs(picture(shown_image(ob))[texels][:, :3] - colour) < 0.01).all(axis=1)
    x, y = 1.01 / size[0], 1.01 / size[1]
    left, right, top, bottom = square
    inner, outer = within(place, (left + x, right - x, top + y, bottom - y)), within(place, (left - x, right + x, top - y, bottom + y))
    assert inner.any() and painted[inner].all()
    assert not painted[~outer].any()


@pytest.fixture
def street_root(blender, street, import_photo):
    return import_photo(*street, inpainter="diffusion", hidden_depth="nearest")


def test_a_rebuild_that_changes_nothing_keeps_what_was_painted_bit_for_bit(blender, street_root, rebuild):
    paint_square(street_root, parts(street_root)["hidden 1"])
    name = shown_image(parts(street_root)["hidden 1"]).name
    before = picture(shown_image(parts(street_root)["hidden 1"]))
    for _ in range(2):
        rebuild(street_root)
        image = shown_image(parts(street_root)["hidden 1"])
        assert np.array_equal(picture(image), before) and image.name == name
    assert len(blender.data.images) == 2


def test_another_inpainter_fills_around_what_was_painted(blender, street, street_root, import_photo, rebuild):
    rebuild(street_root, inpainter="diffusion")
    clean = picture(shown_image(parts(street_root)["hidden 1"]))
    rebuild(street_root, inpainter="exemplar")
    paint_square(street_root, parts(street_root)["hidden 1"])
    rebuild(street_root, inpainter="diffusion")
    hidden = parts(street_root)["hidden 1"]
    assert_square_is_there(street_root, hidden)
    now = picture(shown_image(hidden))
    painted = (np.abs(now[..., :3] - PAINT) < 0.01).all(axis=2)
    assert painted.any() and np.array_equal(now[~painted], clean[~painted]), "what was not painted changes as before"


@pytest.mark.parametrize(
    "options",
    [{"border": 0.1}, {"passes": 1}, {"long_side": 160}, {"long_side": 96}, {"backdrop": False}, {"soft_edge": 0.02}],
    ids=lambda options: next(iter(options)) + str(next(iter(options.values()))),
)
def test_another_layout_of_the_texture_shows_it_where_it_was_painted(street_root, rebuild, options):
    paint_square(street_root, parts(street_root)["hidden 1"])
    rebuild(street_root, **options)
    assert_square_is_there(street_root, parts(street_root)["hidden 1"], size=(96, 72))


def test_an_edit_of_the_depth_elsewhere_leaves_it_in_place(blender, street_root, rebuild):
    paint_square(street_root, parts(street_root)["hidden 1"])
    mask_on(blender, street_root, (5, 20), (100, 120))
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.move_depth(amount=0.3) == {"FINISHED"}
    assert_square_is_there(street_root, parts(street_root)["hidden 1"])


def test_split_and_join_keep_it(blender, street_root):
    paint_square(street_root, parts(street_root)["hidden 1"])
    mask_on(blender, street_root, (10, 60), (100, 125))
    assert blender.ops.photo_diorama.split_layer() == {"FINISHED"}
    hidden = [ob for role, ob in parts(street_root).items() if role.endswith("hidden 1")]
    assert sum((np.abs(picture(shown_image(ob))[..., :3] - PAINT) < 0.01).all(axis=2).any() for ob in hidden) == len(hidden)
    blender.context.view_layer.objects.active = parts(street_root)["part 1 photo"]
    assert blender.ops.photo_diorama.join_layer() == {"FINISHED"}
    assert_square_is_there(street_root, parts(street_root)["hidden 1"])


@pytest.mark.parametrize("packed_by_hand", [False, True])
def test_it_is_kept_through_save_reload_and_rebuild(blender, street_root, rebuild, tmp_path, packed_by_hand):
    paint_square(street_root, parts(street_root)["hidden 1"])
    paint_square(street_root, parts(street_root)["photo"], (0.7, 0.9, 0.1, 0.3))
    if packed_by_hand:
        shown_image(parts(street_root)["hidden 1"]).pack()
    name = street_root.name
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "painted.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "painted.blend"))
    root = blender.data.objects[name]
    assert_square_is_there(root, parts(root)["hidden 1"])
    rebuild(root, border=0.1)
    assert_square_is_there(root, parts(root)["hidden 1"])
    assert_square_is_there(root, parts(root)["photo"], (0.7, 0.9, 0.1, 0.3), size=(160, 120))
    assert blender.ops.photo_diorama.restore_textures() == {"FINISHED"}
    assert not (np.abs(picture(shown_image(parts(root)["hidden 1"]))[..., :3] - PAINT) < 0.01).all(axis=2).any()
    assert not (np.abs(picture(shown_image(parts(root)["photo"]))[..., :3] - PAINT) < 0.01).all(axis=2).any()


def test_what_was_painted_on_the_photo_goes_onto_another_version_of_it(blender, street, street_root, tmp_path):
    square = (0.7, 0.9, 0.1, 0.3)
    paint_square(street_root, parts(street_root)["photo"], square)
    paint_square(street_root, parts(street_root)["hidden 1"])
    larger = tmp_path / "larger.png"
    Image.fromarray(texture(240, 320, 9)).save(larger)
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.update_from(what="PHOTO", filepath=str(larger)) == {"FINISHED"}
    image = shown_image(parts(street_root)["photo"])
    assert tuple(image.size) == (320, 240)
    assert_square_is_there(street_root, parts(street_root)["photo"], square, size=(160, 120))
    assert_square_is_there(street_root, parts(street_root)["hidden 1"])
    outside = picture(image)[120:, :160, :3]
    assert np.abs(outside - np.asarray(Image.open(larger))[120:, :160] / 255).max() < 1e-3


@pytest.mark.parametrize("bits", [16, 32])
def test_in_deep_and_float_photos_too(blender, tmp_path, street, import_photo, rebuild, bits):
    import cv2

    colour = np.asarray(Image.open(street[0]).convert("RGB"))
    photo = tmp_path / ("deep.png" if bits == 16 else "deep.exr")
    if bits == 16:
        cv2.imwrite(str(photo), colour[..., ::-1].astype(np.uint16) * 257)
    else:
        from photo_diorama.core.raster.exr_encode import encode_exr

        photo.write_bytes(encode_exr((colour / np.float32(255)) ** 2.2))
    root = import_photo(photo, street[1])
    clean = picture(shown_image(parts(root)["hidden 1"]))
    paint_square(root, parts(root)["hidden 1"])
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "deep.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "deep.blend"))
    root = blender.data.objects["deep"]
    for _ in range(2):
        assert_square_is_there(root, parts(root)["hidden 1"])
        now = picture(shown_image(parts(root)["hidden 1"]))
        painted = (np.abs(now[..., :3] - PAINT) < 0.01).all(axis=2)
        assert np.array_equal(now[~painted], clean[~painted])
        rebuild(root)
    assert blender.ops.photo_diorama.restore_textures() == {"FINISHED"}
    assert np.array_equal(picture(shown_image(parts(root)["hidden 1"])), clean)


@pytest.mark.parametrize("then", ["take off", "rebuild", "save"])
def test_what_was_painted_under_a_tint_is_kept(blender, street_root, rebuild, tmp_path, then):
    hidden, name = parts(street_root)["hidden 1"], street_root.name
    paint_square(street_root, hidden)
    before = picture(shown_image(hidden))
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.tint_invented() == {"FINISHED"}
    second = (0.36, 0.42, 0.45, 0.55)
    paint_square(street_root, hidden, second, (0, 1, 0))
    if then == "rebuild":
        rebuild(street_root)
    if then == "save":
        blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "tinted.blend"))
        blender.ops.wm.open_mainfile(filepath=str(tmp_path / "tinted.blend"))
    root = blender.data.objects[name]
    blender.context.view_layer.objects.active = root
    assert blender.ops.photo_diorama.tint_invented(show=False) == {"FINISHED"}
    assert_square_is_there(root, parts(root)["hidden 1"], second, (0, 1, 0))
    now = picture(shown_image(parts(root)["hidden 1"]))
    green = (np.abs(now[..., :3] - (0, 1, 0)) < 0.01).all(axis=2)
    assert np.array_equal(now[~green], before[~green]) and len(blender.data.images) == 2


def test_restore_brings_ours_back_and_is_one_undo_step(blender, street_root, rebuild):
    hidden = parts(street_root)["hidden 1"]
    clean, name = picture(shown_image(hidden)), street_root.name
    blender.ops.ed.undo_push(message="before")
    paint_square(street_root, hidden)
    painted = picture(shown_image(hidden))
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.restore_textures("EXEC_DEFAULT", True, what="PHOTO") == {"CANCELLED"}
    assert blender.ops.photo_diorama.restore_textures("EXEC_DEFAULT", True) == {"FINISHED"}
    assert np.array_equal(picture(shown_image(parts(street_root)["hidden 1"])), clean)
    blender.ops.ed.undo()
    root = blender.data.objects[name]
    assert np.array_equal(picture(shown_image(parts(root)["hidden 1"])), painted)
    rebuild(root)
    assert np.array_equal(picture(shown_image(parts(root)["hidden 1"])), painted)
    assert blender.ops.photo_diorama.restore_textures() == {"FINISHED"}
    rebuild(root)
    assert np.array_equal(picture(shown_image(parts(root)["hidden 1"])), clean)
    assert blender.ops.photo_diorama.restore_textures() == {"CANCELLED"}


def test_undo_of_a_rebuild_brings_what_was_painted_back(blender, street_root):
    name = street_root.name
    blender.ops.ed.undo_push(message="before")
    paint_square(street_root, parts(street_root)["hidden 1"])
    before = picture(shown_image(parts(street_root)["hidden 1"]))
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.rebuild("EXEC_DEFAULT", True, border=0.1, inpainter="exemplar") == {"FINISHED"}
    blender.ops.ed.undo()
    assert np.array_equal(picture(shown_image(parts(blender.data.objects[name])["hidden 1"])), before)


def test_what_has_no_place_any_more_is_kept_as_an_image_and_told(blender, street_root, rebuild, tmp_path, capfd):
    paint_square(street_root, parts(street_root)["hidden 1"])
    rebuild(street_root, passes=0)
    assert "street painted atlas" in capfd.readouterr().out
    kept = blender.data.images["street painted atlas"]
    pixels = picture(kept)
    shown = pixels[..., 3] == 1
    assert shown.any() and kept.use_fake_user and not pixels[~shown].any()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    assert np.array_equal(picture(blender.data.images["street painted atlas"]), pixels)


def test_a_texture_that_was_scaled_by_hand_is_kept_whole(blender, street_root, rebuild):
    image = shown_image(parts(street_root)["hidden 1"])
    image.scale(40, 30)
    rebuild(street_root)
    assert tuple(blender.data.images["street painted atlas"].size) == (40, 30)


def test_without_paint_nothing_is_kept_twice(blender, street_root, rebuild):
    image = shown_image(parts(street_root)["hidden 1"])
    clean = picture(image)
    paint(image, (0, 1), (0, 1), float(clean[0, 0, 0]))
    image.pixels.foreach_set(np.ascontiguousarray(clean[::-1]).ravel())
    image.update()  # painted and painted back
    rebuild(street_root)
    assert np.array_equal(picture(shown_image(parts(street_root)["hidden 1"])), clean)
    assert len(blender.data.images) == 2
    assert json.loads(shown_image(parts(street_root)["hidden 1"])["photo_diorama_layout"])["places"]


def places_of(layout, mask) -> set[tuple]:
    """The side, row and column on the photo of 160x120 of each painted texel within the layout's rectangles."""
    places = set()
    for side, row, column, height, width, top, left, _, _ in layout["places"]:
        r, c = np.nonzero(mask[int(row) : int(row + height), int(column) : int(column + width)])
        places |= {(int(side), *each) for each in np.stack([r + round(top * 120), c + round(left * 160)], axis=1).tolist()}
    return places


def test_soft_silhouettes_keep_their_paint_on_both_sides(blender, street_root, rebuild):
    rebuild(street_root, soft_edge=0.02)
    image = next(i for i in (node.image for node in parts(street_root)["soft"].active_material.node_tree.nodes if node.type == "TEX_IMAGE")
                 if i["photo_diorama_role"] == "soft")  # fmt: skip
    pixels = picture(image)
    half = pixels.shape[1] // 2
    rim = np.argwhere((pixels[:, :half, 3] > 0.2) & (pixels[:, :half, 3] < 0.8))  # shown on both sides, whatever the grid
    assert len(rim)
    mask, layout = np.zeros(pixels.shape[:2], bool), json.loads(image["photo_diorama_layout"])
    for row, column in rim:
        mask[row, [column, column + half]] = True
    pixels[mask, :3] = PAINT
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    image.update()
    rebuild(street_root, border=0.1)
    now = [node.image for node in parts(street_root)["soft"].active_material.node_tree.nodes if node.type == "TEX_IMAGE"]
    renewed = next(i for i in now if i["photo_diorama_role"] == "soft")
    now = picture(renewed)
    painted = (np.abs(now[..., :3] - PAINT) < 0.01).all(axis=2)
    assert places_of(layout, mask) <= places_of(json.loads(renewed["photo_diorama_layout"]), painted)
    assert "street painted soft" not in blender.data.images


def test_a_jpeg_is_shown_from_its_own_file_again_after_restore(blender, street, import_photo, tmp_path):
    photo = tmp_path / "still.jpg"
    Image.open(street[0]).convert("RGB").save(photo, quality=95)
    root = import_photo(photo, street[1])
    clean = picture(shown_image(parts(root)["photo"]))
    paint_square(root, parts(root)["photo"], (0.7, 0.9, 0.1, 0.3))
    painted = picture(shown_image(parts(root)["photo"]))
    photo.unlink()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "still.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "still.blend"))
    root = blender.data.objects["still"]
    assert np.array_equal(picture(shown_image(parts(root)["photo"])), painted)
    assert blender.ops.photo_diorama.restore_textures(what="PHOTO") == {"FINISHED"}
    image = shown_image(parts(root)["photo"])
    assert np.array_equal(picture(image), clean) and bytes(image.packed_file.data).startswith(b"\xff\xd8")


def test_a_file_of_an_older_version_keeps_what_was_painted_as_an_image(blender, street_root, rebuild):
    image = shown_image(parts(street_root)["hidden 1"])
    for key in ("photo_diorama_written", "photo_diorama_digest", "photo_diorama_layout"):
        del image[key]
    paint_square(street_root, parts(street_root)["hidden 1"])
    rebuild(street_root)
    shown = picture(blender.data.images["street painted atlas"])
    assert shown[..., 3].any() and np.abs(shown[shown[..., 3] == 1][:, :3] - PAINT).max() < 0.01


def test_the_layers_go_out_with_what_was_painted_and_composite_to_the_photo(blender, street, street_root, tmp_path):
    paint_square(street_root, parts(street_root)["hidden 1"])
    blender.context.view_layer.objects.active = street_root
    folder = tmp_path / "out"
    assert blender.ops.photo_diorama.export_layers(directory=str(folder)) == {"FINISHED"}
    index = json.loads((folder / "layers.json").read_text())
    composite = Image.new("RGBA", tuple(index["canvas"]))
    for layer in reversed(index["layers"]):
        composite = Image.alpha_composite(composite, Image.open(folder / layer["file"]))
    left, top = index["photo_offset"]
    seen = np.asarray(composite.crop((left, top, left + 160, top + 120)))[..., :3]
    assert np.array_equal(seen, np.asarray(Image.open(street[0]).convert("RGB")))
    plate = np.asarray(Image.open(folder / "hidden_1.png")).astype(np.float32) / 255
    rows, columns = np.nonzero((np.abs(plate[..., :3] - PAINT) < 0.01).all(axis=2) & (plate[..., 3] > 0))
    ends = np.array([columns.min() - left, columns.max() + 1 - left, rows.min() - top, rows.max() + 1 - top])
    low, high = np.array(SQUARE) * (160, 160, 120, 120) - 2, np.array(SQUARE) * (160, 160, 120, 120) + 2
    assert (ends[[0, 2]] >= low[[0, 2]]).all() and (ends[[1, 3]] <= high[[1, 3]]).all()
    assert not list(folder.glob(".*"))
    with pytest.raises(RuntimeError, match="holds layers already"):
        blender.ops.photo_diorama.export_layers(directory=str(folder))
    assert blender.ops.photo_diorama.export_layers(directory=str(folder), overwrite=True) == {"FINISHED"}


@pytest.mark.parametrize("ending", ["psd", "ora", "exr"])
def test_the_layers_go_out_as_one_file_with_what_was_painted(blender, street, street_root, tmp_path, ending):
    from photo_diorama.core.layer_files.layer_file import composite
    from photo_diorama.core.layer_files.read_layers import read_layer_file

    paint_square(street_root, parts(street_root)["hidden 1"])
    blender.context.view_layer.objects.active = street_root
    path = tmp_path / f"layers.{ending}"
    assert blender.ops.photo_diorama.export_layers(filepath=str(path)[:-4], format=ending.upper()) == {"FINISHED"}
    file = read_layer_file(path)
    top, left, height, width = file.frame
    seen = composite(file)[top : top + height, left : left + width]
    assert np.array_equal(seen[..., :3], np.asarray(Image.open(street[0]).convert("RGB"))) and (seen[..., 3] == 255).all()
    hidden = file.layer("hidden 1")
    assert (np.abs(hidden.colour[..., :3] / 255 - PAINT).max(axis=2) < 0.01)[hidden.colour[..., 3] > 0].any()
    assert list(tmp_path.glob("layers*")) == [path]


def test_what_lies_outside_of_a_new_outline_is_kept_as_an_image_and_told(blender, street_root, capfd):
    """The surface stays, a part of what was painted is behind nothing any more: it was lost without a word."""
    hidden = parts(street_root)["hidden 1"]
    paint_square(street_root, hidden, (0, 1, 0, 1))
    before = len({*zip(*samples(street_root, hidden)[1], strict=True)})
    mask_on(blender, street_root, (0, 38), (0, 160))
    blender.context.view_layer.objects.active = street_root
    assert blender.ops.photo_diorama.same_depth(of="POINT", point=(0.05, 0.05)) == {"FINISHED"}
    assert "street painted atlas" in capfd.readouterr().out
    left = picture(blender.data.images["street painted atlas"])[..., 3].sum()
    assert 0.05 * before < left < 0.8 * before
    assert blender.ops.photo_diorama.move_depth(amount=0.0) == {"FINISHED"}
    assert "painted atlas" not in capfd.readouterr().out, "it is told once"
