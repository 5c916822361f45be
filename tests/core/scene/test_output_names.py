"""Names that Windows takes for a device, for another name, or not at all; held on every system."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.scene.output_names import check_name, windows_objection


@pytest.mark.parametrize("name", ["CON", "nul.blend", "con .png", "LPT1.tar.gz", "COM².mp4", "CONOUT$"])
def test_a_device_is_no_file(name):
    assert "device" in windows_objection(PureWindowsPath("C:/out") / name)
    assert "device" in windows_objection(PureWindowsPath("C:/out") / name / "a.blend")


@pytest.mark.parametrize("name", ["console.blend", "a.con.blend", "com10.png", "nul-1.png", "ü 図.blend", ".hidden", "a..b.png"])
def test_what_only_looks_like_it_is_taken(name):
    assert windows_objection(PureWindowsPath("C:/out/../x") / name) is None


CHANGED = {"out./a.blend": "last dot", "a.blend ": "last dot or space", "a?.png": "character", "a\x07.png": "character"}


@pytest.mark.parametrize("name, why", CHANGED.items())
def test_what_windows_changes_or_refuses_is_told(name, why):
    assert why in windows_objection(PureWindowsPath("C:/out") / name)


def test_a_long_path_is_told_with_its_length():
    assert "260 characters" in windows_objection(PureWindowsPath("C:/" + "a" * 257))
    assert windows_objection(PureWindowsPath("C:/" + "a" * 256)) is None
    assert windows_objection(PurePosixPath("/home/a/b.blend")) is None


def test_the_sentence_names_the_output_and_other_systems_take_it():
    with pytest.raises(DioramaError, match=r"nul\.blend has the part .*device.*choose another name"):
        check_name(Path("nul.blend"), windows=True)
    check_name(Path("nul.blend"), windows=False)
