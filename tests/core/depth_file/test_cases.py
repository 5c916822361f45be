"""Depth files as the field's tools write them, made small: each is read right, and where it is a guess, told as one.

All show one yard: sky at infinity, hills at 60 m, a wall at 8 m, a ball at 2.5 m, poles at 2 and 4 m, level ground.
Each case stands for a kind, so a second file of the same kind is made in the test.
"""

import cv2
import numpy as np
import OpenEXR
import pytest
from yard_depth import CASES, GROUND, HILLS, SKY, WALL, Z, in_metres, in_relation, read

from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings


def test_the_yard_is_where_it_is_said_to_be():
    assert [round(float(Z[place])) for place in (SKY, HILLS, WALL)] == [80, 60, 8] and Z.min() == 2


@pytest.mark.parametrize("name", ["c01_depth.png", "c01b_depth.png"])
def test_a_sky_of_zero_is_behind_the_hedge(name):
    z, depth, found = read(name, "c01.jpg")
    assert z[8, 240] >= 60 * 0.999 and z[180, 10] == pytest.approx(2.79, rel=0.01)
    assert "zero" in depth.source and depth.unsure and depth.known.all()
    filled, depth, _ = read(name, "c01.jpg", depth_sky="unknown")
    assert filled[8, 240] < 60 and not depth.known[8, 240]


def test_scattered_zeros_are_holes_and_a_sky_of_zero_is_not(tmp_path):
    inverse = np.where(Z > 70, 0, 2 / Z)
    inverse[100:104, 200:204] = inverse[200:203, 40:60] = 0
    np.save(tmp_path / "a.npy", np.float32(inverse))
    z, depth, _ = read(tmp_path / "a.npy")
    assert not depth.known[101, 201] and not depth.known[201, 50] and depth.known[SKY]
    assert z[101, 201] == pytest.approx(8, rel=1) and z[SKY] == pytest.approx(60)


@pytest.mark.parametrize("name", ["c02_depth.exr", "c02b_depth.npy"])
def test_infinity_is_the_far_end(name):
    z, depth, _ = read(name)
    in_metres(z)
    assert z[SKY] > 1000 and depth.known[SKY] and "infinite is the farthest" in depth.source


def test_infinity_between_leaves_is_far_where_a_sky_is_infinite_and_nan_is_not(tmp_path):
    metres = np.where(Z > 70, np.inf, Z)
    metres[150:153, 220:223], metres[200:203, 40:60] = np.inf, np.nan
    np.save(tmp_path / "a.npy", metres)
    z, depth, _ = read(tmp_path / "a.npy")
    assert z[151, 221] > 1000 and not depth.known[201, 50] and z[201, 50] < 10
    assert not read(tmp_path / "a.npy", depth_sky="unknown")[1].known[SKY]


@pytest.mark.parametrize("name", ["c03_depth.png", "c03b_depth.png"])
def test_white_that_is_far(name):
    z, depth, _ = read(name)
    assert 1 < z[GROUND] < z[WALL] < z[HILLS] and depth.unsure and "farther" in depth.source
    assert "without a unit" in depth.source
    turned, _, _ = read(name, invert_depth=True)
    assert turned[GROUND] > turned[WALL] > turned[HILLS]


def test_dark_that_is_near_and_even_in_inverse_depth(tmp_path):
    """As Lens Blur and some editors write it: turned end for end, and nothing else."""
    near = 1 - (1 / Z - 1 / 80) / (1 / 2 - 1 / 80)
    cv2.imwrite(str(tmp_path / "a.png"), np.rint(near * 65535).astype(np.uint16))
    z, depth, _ = read(tmp_path / "a.png")
    assert 1 < z[GROUND] < z[WALL] < z[HILLS] and depth.unsure
    assert z[WALL] == pytest.approx(4, rel=0.15)


def test_the_greatest_number_repeated_is_unknown_in_millimetres():
    z, depth, _ = read("c04_depth.png")
    in_metres(z, unknown_sky=True)
    assert "millimetres" in depth.source and "65535 is unknown" in depth.source and not depth.known[SKY]


def test_stereo_disparity_in_sixteen_bits(tmp_path):
    in_relation(read("c05_depth.png")[0])
    disparity = np.where(Z > 70, 0, np.rint(96 / Z * 16)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), disparity)
    z, depth, _ = read(tmp_path / "a.png")
    assert z[GROUND] < z[WALL] < z[HILLS] and "inverse depth" in depth.source
    cv2.imwrite(str(tmp_path / "left_disparity.png"), disparity)
    assert not read(tmp_path / "left_disparity.png")[1].unsure


@pytest.mark.parametrize("name", ["c06_depth.exr", "c06b_depth.exr"])
def test_a_lone_channel_is_the_depth(name):
    z, depth, _ = read(name)
    assert z.min() == pytest.approx(3) and z[8, 8] > 1000 and not depth.unsure


@pytest.mark.parametrize("compression", ["ZIP", "DWAA", "PIZ", "B44", "RLE", "PXR24", "NO"])
@pytest.mark.parametrize("channel", ["V", "Image.V", "depth.R", "whatever", "Z", "Depth.V", "ViewLayer.Depth.Z"])
def test_every_compression_and_name(tmp_path, compression, channel):
    kind = getattr(OpenEXR, f"{compression}_COMPRESSION")
    OpenEXR.File({"compression": kind, "type": OpenEXR.scanlineimage}, {channel: Z}).write(str(tmp_path / "a.exr"))
    in_metres(read(tmp_path / "a.exr")[0])


def test_half_and_parts(tmp_path):
    colour = {name: np.random.default_rng(0).random(Z.shape, np.float32).astype(np.float16) for name in "RGB"}
    parts = [OpenEXR.Part({"name": "colour"}, colour), OpenEXR.Part({"name": "d"}, {"Depth.Z": Z.astype(np.float16)})]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    in_metres(read(tmp_path / "a.exr")[0])


def test_z_of_a_tiled_file():
    z, depth, _ = read("c07_depth.exr")
    in_metres(z)
    assert "Z" in depth.source and z[SKY] > 1000


@pytest.mark.parametrize("name", ["c08_depth.exr", "c08b_depth.exr"])
def test_floats_from_zero_to_one_are_no_metres(name):
    z, depth, _ = read(name)
    in_relation(z)
    assert not depth.metric and depth.unsure


def test_a_data_window_lies_in_its_display_window():
    z, depth, _ = read("c09_depth.exr")
    assert depth.disparity.shape == (240, 320) and depth.known[:180, :240].all()
    assert not depth.known[180:].any() and not depth.known[:, 240:].any() and z[119, 223] == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize("name", ["c10_depth.npy", "c10b_depth.tif"])
@pytest.mark.parametrize("kind", ["auto", "metric"])
def test_negative_is_unknown_where_the_rest_is_positive(name, kind):
    z, depth, _ = read(name, depth_kind=kind)
    in_metres(z, unknown_sky=True)
    assert not depth.known[SKY] and "is unknown" in depth.source


def test_a_number_that_is_told_is_unknown(tmp_path):
    metres = Z.copy()
    metres[Z > 70] = 7.5
    np.save(tmp_path / "a.npy", metres)
    assert read(tmp_path / "a.npy")[1].known.all()
    assert not read(tmp_path / "a.npy", depth_unknown="7.5")[1].known[SKY]
    with pytest.raises(DioramaError, match="no number that could mean unknown"):
        read(tmp_path / "a.npy", depth_unknown="far")


def test_one_wild_pixel_changes_nothing(tmp_path):
    in_relation(read("c11_depth.npy")[0])
    for wild in (-500, 9000):
        inverse = np.float32(5 + 120 * (1 / Z - 1 / 80))
        inverse[60, 60] = wild
        np.save(tmp_path / "a.npy", inverse)
        assert read(tmp_path / "a.npy")[0][WALL] == pytest.approx(4.2, rel=0.1)


@pytest.mark.parametrize("name", ["c12_depth.npz", "c12b_depth.npz"])
def test_the_array_that_is_called_depth(name):
    z, depth, found = read(name)
    in_metres(z)
    assert found.focal_px == (320 if name == "c12_depth.npz" else None)


def test_arrays_by_names_and_shapes(tmp_path):
    noise = np.random.default_rng(1).random(Z.shape)
    np.savez(tmp_path / "a.npz", confidence=noise, pred=1 / Z, K=np.diag([310.0, 310, 1]) + np.array([[0, 0, 160], [0, 0, 120], [0, 0, 0]]))
    z, depth, found = read(tmp_path / "a.npz")
    assert z[WALL] > z[GROUND] and found.focal_px == pytest.approx(310)
    valid = Z < 70
    np.savez(tmp_path / "b.npz", aaa=noise, depth=Z, valid=valid)
    z, depth, _ = read(tmp_path / "b.npz")
    in_metres(z, unknown_sky=True)
    assert not depth.known[SKY] and depth.known[WALL]
    np.savez(tmp_path / "c.npz", one=noise, two=Z)
    with pytest.raises(DioramaError, match=r"2 arrays.*one \(240, 320\).*two \(240, 320\)"):
        read(tmp_path / "c.npz")


@pytest.mark.parametrize("name", ["c13_depth.npy", "c13b_depth.npy"])
def test_whole_numbers_in_npy_are_millimetres(name):
    z, depth, _ = read(name)
    in_metres(z, unknown_sky=name == "c13_depth.npy")
    assert "millimetres" in depth.source


def test_near_things_at_the_top_are_no_reason_to_turn_the_scene():
    z, depth, _ = read("c14_depth.npy", "yard_flip.jpg")
    assert depth.unsure and z[3, 10] == pytest.approx(4.43, rel=0.02) and z[120, 223] == pytest.approx(8, rel=0.02)


def test_a_room_all_around_is_nearest_above_and_below():
    z, depth, _ = read("c25_depth.npy", "c25.jpg", fov=90)  # a panorama, which is taken as flat where somebody says its angle
    assert z[2, 100] == pytest.approx(1.4, rel=0.05) and z[160, 20] == pytest.approx(3.02, rel=0.05)


@pytest.mark.parametrize("name", ["c29_depth.png", "c29b_depth.webp"])
def test_grey_within_noise_is_grey(name):
    z, depth, _ = read(name)
    for place, parts in ((WALL, 4), (GROUND, 2.24), (HILLS, 30)):
        assert z[place] == pytest.approx(parts, rel=0.1)


def test_a_gif_is_named_as_what_is_not_read():
    with pytest.raises(DioramaError, match=r"c29c_depth.gif is a GIF.*PNG"):
        read("c29c_depth.gif")


@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_pixels_are_unknown(tmp_path, channels):
    from PIL import Image

    grey = np.rint(255 * 2 / Z).astype(np.uint8)
    alpha = np.full_like(grey, 255)
    alpha[150:180, 250:300] = 0
    Image.fromarray(np.dstack([grey] * (channels - 1) + [alpha])).save(tmp_path / "a.png")
    assert np.array_equal(~read(tmp_path / "a.png")[1].known, alpha == 0)


def test_black_bars_are_unknown(tmp_path):
    grey = np.rint(255 * 2 / Z).astype(np.uint8)
    grey[:20] = grey[-20:] = 0
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    known = read(tmp_path / "a.png")[1].known
    assert not known[:20].any() and not known[-20:].any() and known[20:-20].all()


def test_the_usual_map(tmp_path):
    in_relation(read("yard_depth.png")[0])


@pytest.mark.parametrize("kind", ["metric", "disparity", "relative"])
def test_each_kind_can_be_told_and_turned(tmp_path, kind):
    values = {"metric": Z, "disparity": 1 / Z, "relative": Z / 80}[kind]
    np.save(tmp_path / "a.npy", values)
    z, depth, _ = read(tmp_path / "a.npy", depth_kind=kind)
    turned, _, _ = read(tmp_path / "a.npy", depth_kind=kind, invert_depth=True)
    assert z[GROUND] < z[WALL] < z[HILLS] and turned[GROUND] > turned[WALL] > turned[HILLS] and not depth.unsure


def test_distances_along_the_ray(tmp_path):
    photo = load_photo(CASES / "yard.jpg")
    camera = photo.camera
    x, y = np.meshgrid((np.arange(320) + 0.5 - camera.cx) / camera.focal_px, (np.arange(240) + 0.5 - camera.cy) / camera.focal_px)
    np.save(tmp_path / "a.npy", np.float32(Z * np.sqrt(1 + x * x + y * y)))
    z, _, _ = read(tmp_path / "a.npy", depth_kind="metric", depth_measure="ray")
    np.testing.assert_allclose(z, Z, rtol=1e-4)


def test_a_range_for_all_frames(tmp_path):
    np.save(tmp_path / "a.npy", 1 / Z)
    near = Z.copy()
    near[100:140, 20:60] = 1.0
    np.save(tmp_path / "b.npy", 1 / near)
    a, b = (read(tmp_path / n, depth_kind="disparity", depth_range="0.5 0")[0] for n in ("a.npy", "b.npy"))
    assert a[WALL] == b[WALL] == pytest.approx(4) and b[110, 40] == pytest.approx(0.5)


def test_mist_and_deep_are_refused_in_a_sentence(tmp_path):
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"ViewLayer.Mist.Z": Z / 80}).write(str(tmp_path / "a.exr"))
    with pytest.raises(DioramaError, match="a.exr holds the pass Mist.*Z"):
        read(tmp_path / "a.exr")


def normals(depth, photo) -> np.ndarray:
    """(h, w, 3) of the surface."""
    camera, z = photo.camera, 1 / depth.disparity.astype(float)
    h, w = z.shape
    x = ((np.arange(w) + 0.5) / w * camera.width - camera.cx) / camera.focal_px
    y = ((np.arange(h) + 0.5) / h * camera.height - camera.cy) / camera.focal_px
    points = np.dstack([x[None] * z, y[:, None] * z, z])
    across = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    return across / np.linalg.norm(across, axis=2, keepdims=True)


def apart(one, other) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((one * other).sum(axis=2), -1, 1)))


def test_eight_bits_make_no_terraces():
    photo = load_photo(CASES / "c15.jpg")
    deep, flat = (read(name, "c15.jpg")[1] for name in ("c15_reference_depth.png", "c15_depth.png"))
    assert np.percentile(apart(normals(deep, photo), normals(flat, photo)), 90) < 15
    stored = cv2.imread(str(CASES / "c15_depth.png"), -1).astype(float)
    least, most = stored.min(), stored.max()
    moved = flat.disparity * (most - least) + least - stored
    assert np.abs(moved[stored > least + 10]).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("levels", [255, 100])
@pytest.mark.parametrize("kind", ["disparity", "relative"])
def test_a_slope_and_a_step_in_few_levels(tmp_path, levels, kind):
    """The slope loses its terraces, the step stays where it is and as high."""
    rows, columns = np.mgrid[:240, :320]
    exact = np.where(columns < 160, 0.35, 0.7) + rows / 240 * 0.08 + 0.05 * np.sin(columns / 60) + 0.002 * rows / 240
    exact[:4, :4], exact[-4:, -4:] = 0, 1
    cv2.imwrite(str(tmp_path / "a.png"), np.rint(exact * levels).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.rint(exact * 65535).astype(np.uint16))
    photo = load_photo(CASES / "yard.jpg")
    few, many = (read(tmp_path / name, depth_kind=kind)[1] for name in ("a.png", "b.png"))
    inner = np.s_[12:-12, 12:150]
    assert np.percentile(apart(normals(many, photo), normals(few, photo))[inner], 90) < 15
    step = np.abs(few.disparity - many.disparity)[40:-40]
    assert np.abs(step[:, 158:162]).max() < np.abs(np.diff(many.disparity[40:-40, 158:162], axis=1)).max() / 10


def test_frames_that_were_each_stretched_stand_at_one_scale():
    from photo_diorama.core.depth_file.shared_range import SharedRange

    shared = SharedRange(DepthSettings(depth_range="shared"))
    walls = []
    for number in range(3):
        photo, depth = CASES / f"c28_{number}.jpg", CASES / f"c28_{number}_depth.png"
        settings = shared.settings_of(photo, depth)
        shown = load_photo(photo)
        found = find_depth(shown, depth, settings, None)
        z = 1 / depth_on_photo(found.values, shown, settings, 960, str(depth)).disparity
        walls.append((z[WALL], z[GROUND], z.min()))
    walls = np.array(walls)
    assert np.ptp(walls[:, 0]) < 0.01 * walls[0, 0] and np.ptp(walls[:, 1]) < 0.01 * walls[0, 1]
    assert walls[2, 2] == pytest.approx(0.75 * walls[0, 2], rel=0.02)


def test_metres_of_several_frames_keep_their_scale(tmp_path):
    from photo_diorama.core.depth_file.shared_range import SharedRange

    shared = SharedRange(DepthSettings(depth_range="shared"))
    settings = shared.settings_of(CASES / "yard.jpg", CASES / "c13b_depth.npy")
    assert settings.depth_kind == "metric" and settings.depth_scale == 0.001


def test_the_flag_takes_one_word_or_two_numbers():
    from photo_diorama.ui.cli.command_line import parse

    assert parse(["a.jpg", "--depth-range", "2", "-0.5", "--quiet"])[1].depth_range == "2 -0.5"
    assert parse(["--depth-range", "shared", "a.jpg"])[1].depth_range == "shared"


def test_a_render_of_several_passes_is_photo_and_depth(tmp_path):
    """As Blender's MultiLayer OpenEXR: Combined is the photo, Depth its depth, Mist and normals neither."""
    colour = np.random.default_rng(0).random((4, *Z.shape), np.float32) / 2  # the library writes whole arrays alone
    channels = {f"ViewLayer.Combined.{name}": colour[k] for k, name in enumerate("RGBA")}
    channels |= {f"ViewLayer.Normal.{name}": colour[0] for name in "XYZ"} | {"ViewLayer.Mist.Z": Z / 80}
    channels["ViewLayer.Combined.A"] = np.ones_like(Z)
    channels["ViewLayer.Depth.Z"] = np.where(Z > 70, np.float32(1e10), Z)
    OpenEXR.File({"type": OpenEXR.scanlineimage, "Scene": "Scene", "RenderTime": "00:01"}, channels).write(str(tmp_path / "a.exr"))
    photo = load_photo(tmp_path / "a.exr")
    np.testing.assert_allclose(photo.colour, np.moveaxis(colour[:3], 0, 2), atol=1e-6)
    found = find_depth(photo, None, DepthSettings(), None)
    assert found.origin == "photo" and found.values.metric and not found.values.unsure and "Depth.Z" in found.values.source
    z = 1 / depth_on_photo(found.values, photo, DepthSettings(), 960, "a.exr").disparity
    in_metres(z)
    assert z[SKY] > 1000


def test_a_grey_photo_is_not_its_own_depth(tmp_path):
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Y": np.float32(1 / Z)}).write(str(tmp_path / "a.exr"))
    assert find_depth(load_photo(tmp_path / "a.exr"), None, DepthSettings(), None).origin == "built-in"
