"""What a report says of a depth file, and files that a stranger would write: along -z, with an unknown sky, with senseless options."""

import cv2
import numpy as np
import pytest
from yard_depth import CASES, SKY, Z, in_metres, read

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


def test_a_depth_file_of_another_shape_beside_the_photo_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes((CASES / "yard.jpg").read_bytes())
    np.save(tmp_path / "a_depth.npy", Z.T.copy())
    source = find_depth(load_photo(tmp_path / "a.jpg"), None, DepthSettings(), None).values.source
    assert "a_depth.npy has" in source
