"""`photo-diorama layers` as a person runs it: the pictures, the facts, and what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

from photo_diorama.core.depth_file.read_file import read_raw


def test_the_layers_of_a_photo(worker, street, tmp_path):
    arguments = ("layers", street[0], "--depth", street[1], "--depth-kind", "metric", "--long-side", "160", "--output")
    run = worker.run(*map(str, (*arguments, tmp_path / "out", "--json")), cwd=tmp_path)
    assert run.code == 0, run.err
    facts = json.loads(run.out)
    index = json.loads((tmp_path / "out" / "layers.json").read_text())
    assert len(facts["files"]) == 1 + sum(2 + layer["invented"] for layer in index["layers"])
    left, top = index["photo_offset"]
    photo = np.asarray(Image.open(tmp_path / "out" / "photo.png"))[top : top + 120, left : left + 160]
    assert np.array_equal(photo[..., :3], np.asarray(Image.open(street[0]).convert("RGB"))) and (photo[..., 3] == 255).all()
    again = worker.run(*map(str, (*arguments, tmp_path / "out")), cwd=tmp_path)
    assert again.code == 2 and "exists already" in again.err
    for name, data in (("scene.blend", b"BLENDER"), ("none.blend", None)):
        if data:
            (tmp_path / name).write_bytes(data)
        scene = worker.run("layers", name, "--output", "other", cwd=tmp_path)
        assert scene.code == 2 and name in scene.err and not (tmp_path / "other").exists()


def test_the_layers_of_a_scene_are_those_of_its_photo(worker, street, tmp_path):
    common = ("--depth", street[1], "--depth-kind", "metric", "--long-side", "160")
    for arguments in ((street[0], *common, "--output", "scene.blend"), ("layers", "scene.blend", "--output", "scene.psd"),
                      ("layers", street[0], *common, "--output", "photo.psd")):  # fmt: skip
        run = worker.run(*map(str, arguments), cwd=tmp_path)
        assert run.code == 0, run.err
    assert (tmp_path / "scene.psd").read_bytes() == (tmp_path / "photo.psd").read_bytes()
    assert "photo, border, hidden 1" in run.out
    depth = worker.run("depth", "scene.blend", "--output", "depth.exr", cwd=tmp_path)
    assert depth.code == 0 and "distances in metres" in depth.out, depth.err
    distance = read_raw(tmp_path / "depth.exr").values
    assert distance.shape == (120, 160) and np.unique(distance) == pytest.approx([2, 6])
    for refused, flag in ((("layers", "scene.blend", "--long-side", "300", "--output", "c.psd"), "--long-side"),
                          (("depth", "scene.blend", "--depth-sky", "unknown", "--output", "c.png"), "--depth-sky"),
                          (("depth", "scene.blend", "--full-size", "--output", "c.png"), "--full-size"),
                          (("scene.blend", "--layers", "scene.psd", "--passes", "1", "--output", "c.blend"), "--passes")):  # fmt: skip
        run = worker.run(*refused, cwd=tmp_path)
        assert run.code == 2 and f"leave {flag} out" in run.err and not list(tmp_path.glob("c.*")), run.err
    other = worker.run("layers", "scene.blend", "--diorama", "chair", "--output", "b.ora", cwd=tmp_path)
    assert other.code == 2 and "it holds street" in other.err
    street[0].unlink()
    for command in (("layers", "scene.blend", "--output", "c.psd"), ("depth", "scene.blend", "--output", "c.png"),
                    ("scene.blend", "--layers", "scene.psd", "--output", "c.blend")):  # fmt: skip
        run = worker.run(*command, cwd=tmp_path)
        assert run.code == 2 and "the photo of street, is not there" in run.err and not list(tmp_path.glob("c.*")), run.err


def test_an_ending_of_another_format_is_no_folder(worker, street, tmp_path):
    common = ("layers", street[0], "--depth", street[1], "--depth-kind", "metric", "--long-side", "96")
    for arguments in (("--output", "x.tif"), ("--output", "new/x.KRA"), ("--plates", "--output", "x.png")):
        run = worker.run(*map(str, (*common, *arguments)), cwd=tmp_path)
        assert run.code == 2 and ".psd, .ora, .exr" in run.err and not list(tmp_path.glob("[xn]*")), run.err
    assert worker.run(*map(str, (*common, "--output", "take 1.2")), cwd=tmp_path).code == 0
    assert (tmp_path / "take 1.2" / "layers.json").is_file()


def test_layers_of_another_photo_change_nothing(worker, street, tmp_path):
    Image.fromarray(np.ascontiguousarray(np.asarray(Image.open(street[0]).convert("RGB"))[::-1, ::-1])).save(tmp_path / "houses.png")
    common = ("--depth", street[1], "--depth-kind", "metric", "--long-side", "160")
    for name in ("h.psd", "h"):
        run = worker.run(*map(str, ("layers", "houses.png", *common, "--output", name)), cwd=tmp_path)
        assert run.code == 0, run.err
        run = worker.run(*map(str, (street[0], *common, "--layers", name, "--output", "a.blend")), cwd=tmp_path)
        assert run.code == 2 and 'layers of another photo ("houses")' in run.err and not (tmp_path / "a.blend").exists(), run.err


def test_layers_that_were_changed_come_back(worker, street, tmp_path):
    common = ("--depth", street[1], "--depth-kind", "metric", "--long-side", "160", "--border", "0.1")
    run = worker.run(*map(str, ("layers", street[0], *common, "--output", tmp_path / "out")), cwd=tmp_path)
    assert run.code == 0, run.err
    unedited = worker.run(*map(str, (street[0], *common, "--layers", "out", "--output", "a.blend")), cwd=tmp_path)
    assert unedited.code == 0 and "nothing differs" in unedited.out, unedited.err
    pixels = np.array(Image.open(tmp_path / "out" / "hidden_1.png"))
    pixels[pixels[..., 3] > 0, :3] = (255, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "out" / "hidden_1.png")
    painted = worker.run(*map(str, (street[0], *common, "--layers", "out/layers.json", "--output", "b.blend")), cwd=tmp_path)
    assert painted.code == 0 and "hidden 1 painted" in painted.out, painted.err
    scene = worker.run("a.blend", "--layers", "out", "--output", "d.blend", cwd=tmp_path)
    assert scene.code == 0 and "hidden 1 painted" in scene.out and (tmp_path / "d.blend").is_file(), scene.err
    again = worker.run("d.blend", "--layers", "out", "--output", "e.blend", cwd=tmp_path)
    assert again.code == 0 and "nothing differs" in again.out, again.err
    for arguments in (("a.blend", "--layers", "out"), ("a.blend", "--layers", "out", "--output", "f.blend", "--render", "f.png"),
                      ("out/hidden_1.png", "--diorama", "a")):  # fmt: skip
        refused = worker.run(*arguments, cwd=tmp_path)
        assert refused.code == 2 and refused.err.strip().endswith(".") and not (tmp_path / "f.blend").exists()
    (tmp_path / "out" / "hidden_1.png").unlink()
    refused = worker.run(*map(str, (street[0], *common, "--layers", "out", "--output", "c.blend")), cwd=tmp_path)
    assert refused.code == 2 and "hidden 1" in refused.err and not (tmp_path / "c.blend").exists()


def test_plates_go_to_an_inpainter_and_come_back(worker, street, tmp_path):
    common = ("--depth", street[1], "--depth-kind", "metric", "--long-side", "160")
    run = worker.run(*map(str, ("layers", street[0], *common, "--plates", "--layer", "hidden 1", "--output", "plates")), cwd=tmp_path)
    assert run.code == 0 and "hidden_1" in run.out, run.err
    empty = worker.run(*map(str, (street[0], *common, "--layers", "plates", "--output", "a.blend")), cwd=tmp_path)
    assert empty.code == 2 and "no filled plates" in empty.err
    (tmp_path / "plates" / "filled").mkdir()
    Image.new("RGB", Image.open(tmp_path / "plates" / "masks" / "hidden_1.png").size, (255, 0, 255)).save(
        tmp_path / "plates" / "filled" / "hidden_1.png"
    )
    filled = worker.run(*map(str, (street[0], *common, "--layers", "plates/plates.json", "--output", "b.blend")), cwd=tmp_path)
    assert filled.code == 0 and "hidden 1 painted" in filled.out, filled.err
    for wrong in (("--plates", "--output", "a.psd"), ("--layer", "hidden 1", "--output", "b")):
        refused = worker.run(*map(str, ("layers", street[0], *common, *wrong)), cwd=tmp_path)
        assert refused.code == 2 and not (tmp_path / wrong[-1]).exists()
