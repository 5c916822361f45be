"""A file of layers comes back: what nobody changed changes nothing, what was changed is found where it was changed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scenes import ALL

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.layer_changes.find_changes import find_changes
from photo_diorama.core.layer_files.layer_file import FileLayer, LayerFile, place_in_canvas
from photo_diorama.core.layer_files.metadata import apply_text, as_text
from photo_diorama.core.layer_files.read_layers import read_layer_file
from photo_diorama.core.layer_files.write_layers import write_layer_file
from photo_diorama.core.layer_pictures import make_layer_file
from photo_diorama.core.mesh.texture_layout import carry_over
from photo_diorama.core.pipeline import Edits, StageCache, build_diorama
from photo_diorama.core.settings import Settings

QUICK = {"inpainter": "diffusion", "hidden_depth": "nearest"}
SETTINGS = Settings().with_values(
    {"long_side": 160, "border": 0.2, "depth_kind": "metric", "inpainter": "diffusion", "hidden_depth": "nearest"}
)
KEPT = StageCache()


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    return ALL["nested"]().saved(tmp_path_factory.mktemp("nested"))


@pytest.fixture
def build(nested):
    def call(edits=None):
        return build_diorama(*nested, SETTINGS, kept=KEPT, edits=Edits(layers=edits))

    return call


def changed(file: LayerFile, name: str, change) -> LayerFile:
    """The file with the whole canvas of a layer given to `change`, which may write into it."""
    layers = []
    for layer in file.layers:
        if layer.name == name:
            colour = place_in_canvas(layer.colour, layer.corner, file.canvas).copy()
            change(colour)
            layer = FileLayer(name, (0, 0), colour)
        layers.append(layer)
    return replace(file, layers=tuple(layers))


def with_new(file: LayerFile, name: str, colour: np.ndarray, at: int, disparity=None) -> LayerFile:
    layers = list(file.layers)
    layers.insert(at, FileLayer(name, (0, 0), colour, disparity=disparity))
    return replace(file, layers=tuple(layers))


def plate(file: LayerFile, box, colour=(255, 0, 255)) -> np.ndarray:
    """A canvas with one opaque rectangle of the photo (top, left, bottom, right)."""
    result = np.zeros((*file.canvas, 4), np.uint8)
    top, left = file.frame[:2]
    result[top + box[0] : top + box[2], left + box[1] : left + box[3]] = (*colour, 255)
    return result


def names(image) -> list[str]:
    return [layer.name for layer in image.layers if layer.number]


def test_a_file_that_nobody_changed_changes_nothing(build):
    built = build()
    found = find_changes(built, make_layer_file(built), "a.psd")
    assert found.edits is None and not found.paints and not found.summary


@pytest.mark.parametrize("file_name", ["folder", "a.psd", "a.ora", "a.exr"])
def test_neither_does_one_of_any_format(build, tmp_path, file_name):
    built = build()
    write_layer_file(tmp_path / file_name, make_layer_file(built))
    found = find_changes(built, read_layer_file(tmp_path / file_name), file_name)
    assert found.edits is None and not found.paints and not found.summary


def test_a_new_layer_that_is_switched_off_is_left_out(build):
    built = build()
    file = with_new(make_layer_file(built), "cat", plate(make_layer_file(built), (40, 60, 70, 90)), 0)
    off = replace(file, layers=(replace(file.layers[0], visible=False), *file.layers[1:]))
    found = find_changes(built, off, "a.psd")
    assert found.edits is None and found.summary == ("cat is switched off and left out",)


def test_what_was_painted_is_found_and_nothing_else(build):
    built = build()
    file = make_layer_file(built)
    hidden = next(layer for layer in file.layers if layer.name == "hidden 1")
    there = np.argwhere(place_in_canvas(hidden.invented, hidden.corner, file.canvas))
    row, column = there[len(there) // 2]

    def paint(colour):
        colour[row - 3 : row + 3, column - 4 : column + 4][colour[row - 3 : row + 3, column - 4 : column + 4, 3] > 0] = (1, 2, 3, 255)

    found = find_changes(built, changed(file, "hidden 1", paint), "a.psd")
    assert found.edits is None and found.summary == ("hidden 1 painted",)
    (part,) = found.paints
    assert part.role == "atlas" and set(part.layout.surface) == {1} and part.texels.mask.shape <= (6, 8)
    assert np.allclose(part.texels.colour[part.texels.mask][:, :3] * 255, (1, 2, 3))


def test_what_was_erased_is_no_surface_and_comes_back_when_it_is_painted_again(build):
    built = build()
    file = make_layer_file(built)

    def erase(colour):
        colour[:, : colour.shape[1] // 2, 3] = 0

    erased = changed(file, "hidden 1", erase)
    found = find_changes(built, erased, "a.psd")
    assert found.summary == ("hidden 1 cut anew",)
    cut = build(found.edits)
    middle = cut.image.shape[1] // 2
    assert not cut.image.layers[1].present[:, : middle - 1].any() and cut.image.layers[1].present[:, middle:].any()
    assert np.array_equal(cut.image.layers[1].present[:, middle:], built.image.layers[1].present[:, middle:])
    assert not find_changes(cut, make_layer_file(cut), "a.psd", found.edits).summary
    again = find_changes(cut, file, "a.psd", found.edits)
    back = build(again.edits)
    assert np.array_equal(back.image.layers[1].present, built.image.layers[1].present)
    assert np.array_equal(
        back.image.layers[1].disparity[back.image.layers[1].present], built.image.layers[1].disparity[built.image.layers[1].present]
    )


def test_what_was_added_to_a_hidden_layer_goes_on_in_its_depth_and_stays_behind(build):
    built = build()
    file = make_layer_file(built)

    def add(colour):
        colour[..., :3][colour[..., 3] == 0] = (9, 8, 7)
        colour[..., 3] = 255

    found = find_changes(built, changed(file, "hidden 1", add), "a.psd")
    more = build(found.edits).image
    first, hidden = more.layers[0], more.layers[1]
    assert hidden.present.sum() > built.image.layers[1].present.sum()
    assert (hidden.disparity < first.disparity)[hidden.present].all() and (hidden.disparity > 0)[hidden.present].all()
    was = built.image.layers[1].present
    assert np.array_equal(hidden.disparity[was], built.image.layers[1].disparity[was])
    for side, step in enumerate(((0, 1), (0, -1), (1, 0), (-1, 0))):  # links are mutual
        for k, layer in enumerate(more.layers):
            rows, columns = np.nonzero(layer.links[side] >= 0)
            to = layer.links[side][rows, columns]
            for j in np.unique(to):
                r, c = rows[to == j] + step[0], columns[to == j] + step[1]
                assert (more.layers[j].links[(1, 0, 3, 2)[side]][r, c] == k).all() and more.layers[j].present[r, c].all()


def test_a_new_layer_in_front_is_a_sheet_before_all_that_it_covers(build):
    built = build()
    file = make_layer_file(built)
    box = (40, 60, 70, 90)
    found = find_changes(built, with_new(file, "Bird", plate(file, box), 0), "a.psd")
    assert found.summary == ("Bird new",)
    image = build(found.edits).image
    layer = image.layers[-1]
    assert names(image) == ["Bird"] and layer.present.sum() == 900
    assert (layer.disparity > image.layers[0].disparity)[layer.present].all()
    assert np.ptp(layer.disparity[layer.present]) == 0 and np.allclose(layer.colour[layer.present], (1, 0, 1), atol=1e-3)
    assert np.array_equal(image.layers[1].present, built.image.layers[1].present)


def test_a_new_layer_behind_the_photo_stays_behind_it_and_one_with_depth_has_that(build):
    built = build()
    file = make_layer_file(built)
    box = (40, 60, 70, 90)
    at = 1 + max(i for i, layer in enumerate(file.layers) if layer.name == "photo")
    found = find_changes(built, with_new(file, "cat", plate(file, box), at), "a.psd")
    layer = build(found.edits).image.layers[-1]
    assert (layer.disparity < built.image.layers[0].disparity)[layer.present].all() and layer.present.sum() == 900
    depth = np.zeros(file.canvas, np.float32)
    depth[plate(file, box)[..., 3] > 0] = 0.7
    found = find_changes(built, with_new(file, "cat", plate(file, box), 0, depth), "a.psd")
    layer = build(found.edits).image.layers[-1]
    assert np.allclose(layer.disparity[layer.present], 0.7)


def test_an_added_layer_comes_back_out_and_the_same_file_again_changes_nothing(build):
    built = build()
    file = make_layer_file(built)
    given = with_new(file, "cat", plate(file, (40, 60, 70, 90)), 0)
    edits = find_changes(built, given, "a.psd").edits
    now = build(edits)
    assert [layer.name for layer in make_layer_file(now).layers][0] == "cat"
    for each in (given, make_layer_file(now)):
        again = find_changes(now, each, "a.psd", edits)
        assert again.edits is edits and not again.paints and not again.summary
    gone = find_changes(now, file, "a.psd", edits)
    assert gone.summary == ("cat taken away",) and not gone.edits.added
    kept = find_changes(now, file, "other.psd", edits)
    assert kept.edits is edits


def test_a_generators_layers_add_only_what_the_photo_does_not_show(build, nested):
    """The photo's own colours where it is seen, and more of each thing behind those before it."""
    scene, built = ALL["nested"](), build()
    height, width = scene.surface.shape
    layers = []
    for number in sorted(np.unique(scene.surface))[::-1]:
        colour = np.zeros((height, width, 4), np.uint8)
        whole = ~np.isnan(scene.surfaces[number])
        mean = scene.colour[scene.surface == number].mean(axis=0)
        colour[whole, :3], colour[whole, 3] = mean, 255
        seen = scene.surface == number
        colour[seen, :3] = scene.colour[seen]
        layers.append(FileLayer(f"Layer {number}", (0, 0), colour))
    file = LayerFile((height, width), None, tuple(layers))
    found = find_changes(built, file, "generated.psd")
    image = build(found.edits).image
    top, left = image.frame[:2]
    added = [layer for layer in image.layers if layer.number]
    assert added and all(layer.synthesised.sum() == layer.present.sum() for layer in added)
    for layer in added:
        number = int(layer.name.split()[1])
        inside = layer.present[top : top + height, left : left + width]
        assert not (inside & (scene.surface == number)).any(), "what the photo shows is no new surface"
        true = np.where(np.isnan(scene.surfaces[number]), 0, scene.surfaces[number])
        off = np.abs(layer.disparity[top : top + height, left : left + width] - true)[inside]
        assert np.median(off) < 0.02 * built.image.span
        assert (layer.disparity < image.layers[0].disparity)[layer.present].all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: replace(f, layers=tuple(each for each in f.layers if each.name != "hidden 1")), 'no layer "hidden 1"'),
        (lambda f: replace(f, layers=tuple(replace(e, name="sky") if e.name == "hidden 1" else e for e in f.layers)), 'it has "sky"'),
        (lambda f: replace(f, canvas=(100, 231), frame=None), "100"),
        (lambda f: replace(f, layers=(*f.layers, f.layers[0])), 'two layers named "photo"'),
        (lambda f: replace(f, layers=(*f.layers, replace(f.layers[-1], name="hidden 9"))), "of another build"),
        (lambda f: replace(f, layers=()), "holds no layers"),
    ],
    ids=["missing", "renamed", "size", "twice", "another build", "empty"],
)
def test_what_does_not_fit_is_told_in_a_sentence(build, change, words):
    built = build()
    with pytest.raises(DioramaError, match=words) as error:
        find_changes(built, change(make_layer_file(built)), "a.psd")
    assert "a.psd" in str(error.value) and str(error.value).endswith(".")


def test_without_the_overscan_and_scaled_it_is_registered(build):
    import cv2

    built = build()
    file = make_layer_file(built)
    top, left, height, width = file.frame
    cropped = []
    for layer in file.layers:
        whole = place_in_canvas(layer.colour, layer.corner, file.canvas)[top : top + height, left : left + width]
        cropped.append(FileLayer(layer.name, (0, 0), np.ascontiguousarray(whole)))
    photo_only = replace(file, canvas=(height, width), frame=None, layers=tuple(cropped))
    found = find_changes(built, photo_only, "a.psd")
    assert found.edits is None and not found.paints
    twice = tuple(
        FileLayer(e.name, (0, 0), cv2.resize(e.colour, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)) for e in cropped
    )
    found = find_changes(built, replace(photo_only, canvas=(2 * height, 2 * width), layers=twice), "a.psd")
    assert found.edits is None and not found.paints
    square = [e if e.name != "hidden 1" else FileLayer(e.name, (0, 0), e.colour.copy()) for e in twice]
    hidden = next(e for e in square if e.name == "hidden 1").colour
    hidden[..., :3] = np.where(hidden[..., 3:] > 0, np.uint8([250, 0, 250]), 0)
    found = find_changes(built, replace(photo_only, canvas=(2 * height, 2 * width), layers=tuple(square)), "a.psd")
    assert found.summary == ("hidden 1 painted",) and np.allclose(found.paints[0].layout.photo.mean(), 0.5, atol=0.3)


@pytest.mark.parametrize(("size", "long_side"), [((433, 325), 143), ((389, 291), 160), ((480, 360), 160)])
def test_what_was_painted_comes_out_again_where_it_was_painted(nested, tmp_path, size, long_side):
    """To half a pixel of the photo, though texels of what is invented are two or three pixels wide and begin anywhere."""
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), cv2.resize(cv2.imread(str(nested[0])), size))
    built = build_diorama(tmp_path / "a.png", nested[1], SETTINGS.with_values({"long_side": long_side, "inpainter": "diffusion"}))
    file = make_layer_file(built)
    before = file.layer("hidden 1")
    whole = place_in_canvas(before.colour, before.corner, file.canvas)
    room = np.argwhere(cv2.erode((whole[..., 3] > 0).astype(np.uint8), np.ones((25, 25))))
    row, column = room[len(room) // 2]
    for shift in range(4):
        box = slice(row - 6, row + 6), slice(column - 8 + shift, column + 4 + shift)

        def paint(colour, box=box):
            colour[box][..., :3] = (255, 0, 255)

        (part,) = find_changes(built, changed(file, "hidden 1", paint), "a.psd").paints
        texels, left = carry_over(part.texels, part.layout, built.mesh.layouts["atlas"])
        assert not left.any()
        after = make_layer_file(built, {"atlas": texels}).layer("hidden 1")
        weight = np.abs(after.colour[..., 1].astype(float) - before.colour[..., 1])
        middle = [(weight * at).sum() / weight.sum() for at in np.indices(weight.shape)]
        wanted = [(each.start + each.stop - 1) / 2 - corner for each, corner in zip(box, after.corner, strict=True)]
        assert np.abs(np.subtract(middle, wanted)).max() < 0.5, (shift, np.subtract(middle, wanted))


def halved(file: LayerFile, kernel) -> LayerFile:
    """As a program that scales the whole picture leaves it: what we wrote of its frame still is of the old size."""
    size = (file.canvas[0] + 1) // 2, (file.canvas[1] + 1) // 2
    layers = []
    for layer in file.layers:
        whole = Image.fromarray(place_in_canvas(layer.colour, layer.corner, file.canvas))
        layers.append(FileLayer(layer.name, (0, 0), np.array(whole.resize(size[::-1], kernel))))
    return apply_text(LayerFile(size, None, tuple(layers)), as_text(file))


@pytest.mark.parametrize("kernel", Image.Resampling)
def test_a_file_of_half_the_size_changes_what_was_painted_on_it_alone(build, kernel):
    built = build()
    file = make_layer_file(built)
    found = find_changes(built, halved(file, kernel), "a.psd")
    assert found.edits is None and not found.summary
    top, left = file.frame[0] + 20, file.frame[1] + 31

    def paint(colour):
        colour[top : top + 24, left : left + 30, :3] = (255, 0, 255)

    found = find_changes(built, halved(changed(file, "photo", paint), kernel), "a.psd")
    assert found.summary == ("photo painted",)
    (part,) = found.paints
    box = part.layout.photo[0] * np.tile(file.frame[2:], 2)
    assert np.abs(box - (20, 31, 44, 61)).max() <= 2 and part.texels.mask.mean() > 0.9
