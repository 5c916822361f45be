"""The surfaces as pictures: over each other they are the photo again, bit for bit, in any program."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from scenes import ALL

from photo_diorama.core.layer_files.png_folder import INDEX, folder_files
from photo_diorama.core.layer_pictures import make_layer_file
from photo_diorama.core.layers.parts import add_part
from photo_diorama.core.mesh.texture_layout import PaintedTexels
from photo_diorama.core.pipeline import Edits, build_diorama
from photo_diorama.core.settings import Settings

QUICK = {"inpainter": "diffusion", "hidden_depth": "nearest"}
SETTINGS = Settings().with_values(
    {"long_side": 160, "border": 0.2, "depth_kind": "metric", "inpainter": "diffusion", "hidden_depth": "nearest"}
)


@pytest.fixture(scope="module", params=["nested", "sphere"])
def files(request, tmp_path_factory):
    scene = ALL[request.param]()
    return scene.saved(tmp_path_factory.mktemp(request.param)), scene


def built_of(files):
    return build_diorama(*files, SETTINGS)


def written_of(built) -> dict[str, bytes]:
    return {name: make() for name, make in folder_files(make_layer_file(built))}


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def composite(written: dict, index: dict) -> Image.Image:
    picture = Image.new("RGBA", tuple(index["canvas"]))
    for layer in reversed(index["layers"]):
        picture = Image.alpha_composite(picture, Image.open(io.BytesIO(written[layer["file"]])))
    left, top = index["photo_offset"]
    width, height = index["photo_size"]
    return picture.crop((left, top, left + width, top + height))


def test_composited_the_files_are_the_photo_and_each_lies_where_the_index_says(files):
    paths, scene = files
    written = written_of(built_of(paths))
    index = json.loads(written[INDEX])
    assert list(written)[-1] == INDEX
    assert np.array_equal(np.asarray(composite(written, index))[..., :3], scene.colour)
    assert [layer["name"] for layer in index["layers"]][:3] == ["photo", "border", "hidden 1"]
    left, top = index["photo_offset"]
    inside = slice(top, top + 120), slice(left, left + 160)
    for layer in index["layers"]:
        colour, depth = opened(written[layer["file"]]), opened(written[layer["depth"]])
        assert colour.shape[1::-1] == depth.shape[::-1] == tuple(index["canvas"])
        assert set(np.unique(colour[..., 3])) <= {0, 255} and np.array_equal(colour[..., 3] > 0, depth > 0)
        assert layer["invented"] == (layer["name"] != "photo")
        if layer["invented"]:
            assert np.array_equal(opened(written[layer["mask"]]) > 0, colour[..., 3] > 0)
    seen = opened(written["photo_depth.png"])[inside] / 65535 * index["depth"]["white_in_1_per_m"]
    assert np.abs(np.median(seen / scene.disparity) - 1) < 0.01
    assert not opened(written["border.png"])[inside][..., 3].any()


def test_parts_and_a_larger_photo_composite_to_the_photo_too(files, tmp_path):
    (photo, depth), scene = files
    large = tmp_path / "large.png"
    colour = np.random.default_rng(2).integers(0, 256, (360, 480, 3)).astype(np.uint8)
    Image.fromarray(colour).save(large)
    mask = np.zeros((120, 160), bool)
    mask[20:60, 10:50] = True
    built = build_diorama(large, depth, SETTINGS, edits=Edits(parts=add_part(None, mask)))
    written = written_of(built)
    index = json.loads(written[INDEX])
    assert {"photo", "part 1 photo"} <= {layer["name"] for layer in index["layers"]}
    assert np.array_equal(np.asarray(composite(written, index))[..., :3], colour)


def test_what_was_painted_on_a_texture_is_on_its_picture(files):
    built = built_of(files[0])
    hidden = make_layer_file(built).layer("hidden 1")
    layout = built.mesh.layouts["atlas"]
    mask, colour = np.zeros(layout.size, bool), np.zeros((*layout.size, 4), np.float32)
    for at in np.flatnonzero(layout.surface == 1):
        row, column, height, width = layout.texels[at]
        mask[row : row + height, column : column + width] = True
    colour[..., :3] = (1, 0, 1)
    painted = make_layer_file(built, {"atlas": PaintedTexels(mask, colour)}).layer("hidden 1")
    shown = hidden.is_invented
    assert np.array_equal(painted.colour[shown][:, :3], np.tile(np.uint8([255, 0, 255]), (shown.sum(), 1)))
    assert np.array_equal(painted.is_invented, hidden.is_invented) and not painted.colour[~shown].any()
