"""Depth files found by the photo's name, and files that were chosen together."""

import numpy as np
import pytest
from PIL import Image

from photo_diorama.core.batch.manifest import find_tasks
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.depth.named_depth import find_named_depth, pair
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings, PhotoSettings


def photo(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)).save(path)
    return path


def depth(path, width=60):
    ramp = np.tile(np.linspace(1, 65535, width, dtype=np.uint16), (40, 1))
    np.save(path, ramp) if path.suffix == ".npy" else Image.fromarray(ramp).save(path)
    return path


@pytest.mark.parametrize("name", ["walk_depth.png", "walk-depth.tif", "walk.depth.npy", "walk_Depth.png"])
def test_a_depth_file_called_as_its_photo_is_found_and_told(tmp_path, name):
    picture, file = photo(tmp_path / "walk.jpg"), depth(tmp_path / name)
    assert find_named_depth(picture) == file
    found = find_depth(load_photo(picture, PhotoSettings()), None, DepthSettings(), None)
    assert found.origin == "beside the photo" and name in found.values.source and "by its name" in found.values.source
    assert np.ptp(found.values.values) > 0


@pytest.mark.parametrize("name, width", [("walks_depth.png", 60), ("depth.png", 60), ("walk_depth.png", 40)])
def test_another_photos_depth_and_one_of_another_shape_are_not_taken(tmp_path, name, width):
    picture = photo(tmp_path / "walk.jpg")
    depth(tmp_path / name, width)
    assert find_named_depth(picture) is None


def test_a_batch_takes_depth_files_for_no_photos(tmp_path):
    photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg"), depth(tmp_path / "a_depth.png")
    assert [task.photo for task in find_tasks(tmp_path, tmp_path / "out")] == ["a.jpg", "b.jpg"]


def test_files_chosen_together_are_paired():
    assert pair(["/p/a.jpg", "/p/a_depth.png", "/p/b.jpg"]) == (["/p/a.jpg", "/p/b.jpg"], {"/p/a.jpg": "/p/a_depth.png"})
    assert pair(["/p/depthmap.exr", "/p/a.jpg"]) == (["/p/a.jpg"], {"/p/a.jpg": "/p/depthmap.exr"})
    assert pair(["/p/a.jpg", "/p/b.jpg"]) == (["/p/a.jpg", "/p/b.jpg"], {})
    assert pair(["/p/depth1.png", "/p/depth2.png"]) == (["/p/depth1.png", "/p/depth2.png"], {})


def test_of_two_files_the_one_that_is_no_photo_is_the_depth(tmp_path):
    """By its format, or as a grey picture beside a coloured one of the same shape."""
    colour, grey = tmp_path / "a.jpg", tmp_path / "b16.png"
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(colour)
    Image.fromarray(np.full((40, 60), 900, np.uint16)).save(grey)
    other = tmp_path / "c.png"
    Image.fromarray(np.full((60, 40), 9, np.uint8)).save(other)
    for depth in ("z.npy", "z.exr", "z.npz", str(grey)):
        assert pair([str(colour), depth]) == ([str(colour)], {str(colour): depth})
    for second in (str(other), str(tmp_path / "missing.png"), str(colour.with_name("d.jpg"))):
        assert pair([str(colour), second]) == ([str(colour), second], {})
    assert pair([str(grey), str(grey)])[1] == {}
