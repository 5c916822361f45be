"""A file that another program reads is checked without being read."""

import pytest

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.raster.decode import MAX_FILE_BYTES, check_file, read_file


def test_a_scene_may_be_larger_than_any_photo(tmp_path):
    path = tmp_path / "large.blend"
    with path.open("wb") as file:
        file.write(b"BLENDER")
        file.truncate(MAX_FILE_BYTES + 10**9)  # sparse: takes no room
    check_file(path, "scene")


def test_what_cannot_be_read_is_refused_in_the_same_words(tmp_path):
    empty, folder = tmp_path / "empty.blend", tmp_path / "folder.blend"
    empty.touch()
    folder.mkdir()
    for path in (empty, folder, tmp_path / "missing.blend"):
        with pytest.raises(DioramaError) as checked:
            check_file(path, "scene")
        with pytest.raises(DioramaError) as read:
            read_file(path, "scene")
        assert str(checked.value) == str(read.value)
