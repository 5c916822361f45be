"""Plates for inpainting programs: what is seen, what is to be filled, and their answers back on the layers."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scenes import ALL

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.layer_changes.clean_plates import INDEX, apply_answers, find_plates, invented_hole, plate_files
from photo_diorama.core.layer_files.layer_file import composite
from photo_diorama.core.layer_files.write_layers import write_folder
from photo_diorama.core.layer_pictures import make_layer_file
from photo_diorama.core.pipeline import build_diorama
from photo_diorama.core.settings import Settings

QUICK = {"inpainter": "diffusion", "hidden_depth": "nearest"}
SETTINGS = Settings().with_values(
    {"long_side": 160, "border": 0.2, "depth_kind": "metric", "inpainter": "diffusion", "hidden_depth": "nearest"}
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_diorama(*ALL["nested"]().saved(tmp_path_factory.mktemp("nested")), SETTINGS)


@pytest.fixture
def folder(built, tmp_path):
    write_folder(tmp_path / "plates", plate_files(built))
    (tmp_path / "plates" / "filled").mkdir()
    return tmp_path / "plates"


def opened(data) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data) if isinstance(data, bytes) else data))


def test_plates_show_the_composite_and_holes_hold_all_that_is_invented_and_no_more_of_what_lies_behind(built):
    files, layers = dict(plate_files(built)), make_layer_file(built)
    index = json.loads(files[INDEX])
    assert [each["name"] for each in index["plates"]] == [each.name for each in layers.layers if each.name != "photo"]
    for plate in index["plates"]:
        picture, mask = opened(files[plate["picture"]]), opened(files[plate["mask"]])
        assert np.array_equal(picture[..., :3], composite(layers)[..., :3]) and set(np.unique(mask)) == {0, 255}
        invented = np.zeros(layers.canvas, bool)
        layer = layers.layer(plate["name"])
        invented[layer.rows_and_columns] = layer.is_invented
        assert (mask[invented] == 255).all()
    first, hidden = built.image.layers[:2]
    hole = invented_hole(built.image, 1)
    behind = first.disparity < hidden.disparity[hidden.synthesised].min() + built.image.threshold / 4
    far = hole & first.present & ~hidden.synthesised & behind
    assert far.sum() < 0.1 * hole.sum(), "only the rim"


def test_one_layer_alone_and_none_of_that_name(built):
    assert sorted(name for name, _ in plate_files(built, only="Hidden_1")) == ["masks/hidden_1.png", "pictures/hidden_1.png", INDEX]
    with pytest.raises(DioramaError, match="hidden 1"):
        list(plate_files(built, only="chair"))


def test_an_answer_changes_what_is_invented_of_its_layer_and_nothing_else(built, folder):
    before = make_layer_file(built)
    answer = np.random.default_rng(0).integers(0, 256, (*before.canvas, 3)).astype(np.uint8)
    Image.fromarray(answer).save(folder / "filled" / "hidden_1.png")
    after = apply_answers(before, folder)
    for new, old in zip(after.layers, before.layers, strict=True):
        if old.name != "hidden 1":
            assert new is old
    new, old = after.layer("hidden 1"), before.layer("hidden 1")
    assert np.array_equal(new.colour[..., 3], old.colour[..., 3])
    assert np.array_equal(new.colour[old.is_invented][:, :3], answer[old.rows_and_columns][old.is_invented])
    assert np.array_equal(composite(replace(after, layers=after.layers[:1])), composite(replace(before, layers=before.layers[:1])))
    assert any("border" in note for note in after.notes)


def test_answers_of_half_the_size_and_of_jpeg_are_taken_and_others_refused(built, folder):
    file = make_layer_file(built)
    rows, columns = file.canvas
    Image.new("RGB", (columns // 2, rows // 2), (9, 200, 30)).save(folder / "filled" / "hidden_1.jpg", quality=100)
    layer = apply_answers(file, folder).layer("hidden 1")
    assert np.abs(layer.colour[layer.is_invented][:, :3].astype(int) - (9, 200, 30)).max() <= 3
    Image.new("RGB", (columns, rows // 2)).save(folder / "filled" / "hidden_1.png")
    with pytest.raises(DioramaError, match="another shape"):
        apply_answers(file, folder)
    (folder / "filled" / "hidden_1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DioramaError, match="hidden_1"):
        apply_answers(file, folder)


def test_a_folder_without_answers_or_with_a_damaged_index_is_refused(built, folder):
    file = make_layer_file(built)
    assert find_plates(folder) == find_plates(folder / INDEX) == folder and find_plates(folder.parent) is None
    with pytest.raises(DioramaError, match="no filled plates"):
        apply_answers(file, folder)
    for text in ("", "[]", '{"size": [0, 1], "plates": []}', '{"size": [4, 4], "plates": [3]}', "[" * 60_000):
        (folder / INDEX).write_text(text)
        with pytest.raises(DioramaError, match="damaged"):
            apply_answers(file, folder)
