"""Layers of another photo, or of other options, are refused; the same photo is known however it was graded."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps
from scenes import ALL

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.layer_changes.find_changes import find_changes
from photo_diorama.core.layer_changes.same_photo import OTHER_PHOTO, SAME_PHOTO, likeness
from photo_diorama.core.layer_files.layer_file import FileLayer, LayerFile
from photo_diorama.core.layer_files.read_layers import read_layer_file
from photo_diorama.core.layer_files.write_layers import write_layer_file
from photo_diorama.core.layer_pictures import make_layer_file
from photo_diorama.core.pipeline import StageCache, build_diorama
from photo_diorama.core.settings import Settings

SETTINGS = Settings().with_values({"long_side": 160, "border": 0.1, "depth_kind": "metric", "inpainter": "diffusion"})
KEPT = StageCache()


def picture(seed: int) -> Image.Image:
    """A picture of blobs of every size, 160 x 120."""
    rng, whole = np.random.default_rng(seed), np.zeros((120, 160, 3))
    for side in (4, 8, 16, 32):
        coarse = Image.fromarray(rng.integers(0, 256, (side * 3 // 4, side, 3)).astype(np.uint8))
        whole += np.asarray(coarse.resize((160, 120), Image.Resampling.BICUBIC)) / 4
    return Image.fromarray(whole.astype(np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos of one size, and the depth of both."""
    folder = tmp_path_factory.mktemp("photos")
    depth = ALL["nested"]().saved(folder)[1]
    for seed, name in enumerate(("girl", "houses")):
        picture(seed).save(folder / f"{name}.png")
    return folder / "girl.png", folder / "houses.png", depth


@pytest.fixture
def build(photos):
    return lambda which=0, **options: build_diorama(photos[which], photos[2], SETTINGS.with_values(options), kept=KEPT)


@pytest.mark.parametrize("file_name", ["folder", "a.psd", "a.ora", "a.exr"])
def test_a_file_keeps_what_it_was_made_of_and_those_of_another_photo_are_refused(build, tmp_path, file_name):
    girl, houses = build(0), build(1)
    made = make_layer_file(houses)
    write_layer_file(tmp_path / file_name, made)
    found = read_layer_file(tmp_path / file_name)
    assert found.origin == made.origin and found.photo == "houses" and dict(found.origin.options)["long_side"] == "160"
    assert not find_changes(houses, found, file_name).summary
    with pytest.raises(DioramaError, match=r'layers of another photo \("houses"\)'):
        find_changes(girl, found, file_name)


def alone(colour: Image.Image, name: str = "photo") -> LayerFile:
    pixels = np.dstack([np.asarray(colour.convert("RGB")), np.full(colour.size[::-1], 255, np.uint8)])
    return LayerFile(pixels.shape[:2], None, (FileLayer(name, (0, 0), pixels),))


def test_somebody_elses_layers_of_another_photo_are_refused(build, photos):
    with pytest.raises(DioramaError, match="of another photo"):
        find_changes(build(), alone(Image.open(photos[1]), "background"), "strangers")
    assert not find_changes(build(), alone(Image.open(photos[0]), "background"), "strangers").notes


GRADES = {
    "without colour": lambda image: image.convert("L"),
    "sepia": lambda image: ImageOps.colorize(image.convert("L"), (40, 20, 0), (255, 230, 180)),
    "dark": lambda image: image.point(lambda value: int(255 * (value / 255) ** 2.2)),
    "twice as large": lambda image: image.resize((320, 240), Image.Resampling.LANCZOS),
}


@pytest.mark.parametrize("grade", GRADES.values(), ids=GRADES)
def test_the_same_photo_is_known_however_it_was_graded(build, photos, grade):
    found = find_changes(build(), alone(grade(Image.open(photos[0]))), "a.png")
    assert not found.notes


def test_what_is_not_sure_is_told(build, photos):
    mixed = Image.open(photos[0]).convert("RGB")
    mixed.paste(Image.open(photos[1]).crop((0, 0, 160, 84)), (0, 0))
    built = build()
    file = alone(mixed)
    from photo_diorama.core.layer_changes.registration import place

    ours = make_layer_file(built)
    assert OTHER_PHOTO < likeness(built, file, place(file.canvas, ours.canvas, ours.frame, None, "a")) < SAME_PHOTO
    assert "may be of another photo" in find_changes(built, file, "a.png").notes[0]


def test_layers_that_other_options_made_are_refused_and_the_options_named(build):
    file = make_layer_file(build(long_side=120))
    with pytest.raises(DioramaError, match=r"written with other options; --long-side 120, now 160") as error:
        find_changes(build(), file, "a.psd")
    assert "Long Side 120, now 160" in error.value.in_window and "--" not in error.value.in_window
    assert not find_changes(build(long_side=120), file, "a.psd").summary


def test_layers_that_another_depth_made_are_told(build):
    file = make_layer_file(build())
    other = replace(file, origin=replace(file.origin, surfaces="0" * 16))
    assert "before the depth was changed" in find_changes(build(), other, "a.psd").notes[0]
