"""What a report says of a depth file, and files that a stranger would write: along -z, with an unknown sky, with senseless options."""

import cv2
import numpy as np
import pytest
from yard_depth import CASES, GROUND, HILLS, SKY, WALL, Z, in_metres, read

from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings


@pytest.mark.parametrize("sky", [-np.inf, -80.0])
def test_distances_along_negative_z(tmp_path, sky):
    """As OpenGL and NumPy users keep them, whatever the format and its names."""
    z = -Z.copy()
    z[Z == 80] = sky
    np.save(tmp_path / "z.npy", z)
    distances, depth, _ = read(tmp_path / "z.npy")
    in_metres(distances)
    assert "-z" in depth.source and distances[SKY] > 60


def test_an_unknown_sky_is_told(tmp_path):
    cv2.imwrite(str(tmp_path / "z.png"), np.where(Z == 80, 0, Z * 1000).astype(np.uint16))
    cv2.imwrite(str(tmp_path / "whole.png"), (Z * 1000).clip(1, 65000).astype(np.uint16))
    assert "as of a sky, is put far away" in read(tmp_path / "z.png", depth_kind="metric")[1].source
    assert "as of a sky" not in read(tmp_path / "z.png", depth_kind="metric", depth_sky="farthest")[1].source
    assert "as of a sky" not in read(tmp_path / "whole.png", depth_kind="metric")[1].source


@pytest.mark.parametrize("options", [{"depth_range": "5 5"}, {"depth_unknown": "foo"}])
def test_an_option_without_sense_is_bad_input_whether_a_file_is_there_or_not(tmp_path, options):
    """It does not throw away the depth file beside the photo."""
    (tmp_path / "a.jpg").write_bytes((CASES / "yard.jpg").read_bytes())
    for _ in range(2):
        with pytest.raises(DioramaError, match="5 5|foo"):
            find_depth(load_photo(tmp_path / "a.jpg"), None, DepthSettings(**options), None)
        np.save(tmp_path / "a_depth.npy", Z)


def test_what_a_told_range_means_is_said(tmp_path):
    cv2.imwrite(str(tmp_path / "z.png"), (255 * Z.min() / Z).astype(np.uint8))
    source = read(tmp_path / "z.png", depth_range="0 255")[1].source
    assert "0 is the nearest number and 255 the farthest" in source


def test_a_name_that_the_photo_contradicts_is_a_question(tmp_path):
    """Anyone may call a file so; `inv` alone means inverse depth to one and inverted to another."""
    right, reversed_ = (255 * Z.min() / Z).astype(np.uint8), (255 - 255 * Z.min() / Z).astype(np.uint8)
    for name, numbers, sure in (("x_disparity.png", right, True), ("x_disparity.png", reversed_, False), ("inv.png", right, False)):
        cv2.imwrite(str(tmp_path / name), numbers)
        depth = read(tmp_path / name)[1]
        assert depth.unsure is not sure and ("the other way round" in depth.source) == (numbers is reversed_)
    cv2.imwrite(str(tmp_path / "inv.png"), reversed_)
    distances = read(tmp_path / "inv.png")[0]
    assert distances[GROUND] < distances[WALL] < distances[HILLS]


def test_a_depth_file_of_another_shape_beside_the_photo_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes((CASES / "yard.jpg").read_bytes())
    np.save(tmp_path / "a_depth.npy", Z.T.copy())
    source = find_depth(load_photo(tmp_path / "a.jpg"), None, DepthSettings(), None).values.source
    assert "a_depth.npy has" in source


def test_photo_and_depth_of_one_render(tmp_path):
    """Blender's PNG and its File Output node; an EXR of a film that is transparent, with inverse depth."""
    photo = load_photo(CASES / "c06.png")
    found = find_depth(photo, CASES / "c06_depth.exr", DepthSettings(), None)
    z = 1 / depth_on_photo(found.values, photo, DepthSettings(), 960, "c06").disparity
    assert z.min() == pytest.approx(3) and z[SKY] > 1000 and "by Blender" in found.values.source
    photo = load_photo(CASES / "c17.exr")
    found = find_depth(photo, CASES / "c17_depth.npy", DepthSettings(), None)
    z = 1 / depth_on_photo(found.values, photo, DepthSettings(), 960, "c17").disparity
    assert z[120, 160] == pytest.approx(1, rel=0.02) and z[5, 5] > 30 and found.values.unsure


def test_portrait_depth_with_near_and_far_exchanged_is_ordered_by_value():
    photo = load_photo(CASES / "c26.jpg")
    found = find_depth(photo, None, DepthSettings(), None)
    z = 1 / depth_on_photo(found.values, photo, DepthSettings(), 960, "c26").disparity
    assert found.origin == "photo" and not found.values.metric and "unit unknown" in found.values.source
    assert z[GROUND] < z[WALL] < z[HILLS] <= z[SKY]


def test_a_depth_of_another_aspect_is_refused_with_both_sizes():
    photo = load_photo(CASES / "yard_low.jpg")
    values = find_depth(photo, CASES / "yard_depth.png", DepthSettings(), None).values
    with pytest.raises(DioramaError, match="320x240.*yard_low.jpg of 320x180"):
        depth_on_photo(values, photo, DepthSettings(), 960, "yard_depth.png")
