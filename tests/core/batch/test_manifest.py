"""A batch's tasks, its manifest that survives any kill, and putting results in their place."""

import json
import os

import numpy as np
import pytest
from depth_photo_files import photo_pixels, png
from PIL import Image

from photo_diorama.core.batch import manifest as batch
from photo_diorama.core.batch.manifest import (
    Manifest,
    Pace,
    Task,
    files_below,
    find_tasks,
    format_duration,
    is_done,
    put_in_place,
)
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.models.file_lock import real_path

PHOTO = png(photo_pixels().astype(np.uint8))


def photos(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PHOTO)
    return folder


def bases(folder, output="out", **more):
    return {task.photo: task.base for task in find_tasks(folder, folder / output, **more)}


def test_photos_in_folders_below_in_order(tmp_path):
    photos(
        tmp_path,
        "b.jpg",
        "a.PNG",
        "sub/deep/c.heic",
        ".hidden.jpg",
        ".trash/d.jpg",
        "out/e.jpg",
        "notes.txt",
        "x.blend",
    )
    (tmp_path / "folder.jpg").mkdir()
    assert bases(tmp_path) == {"a.PNG": "a", "b.jpg": "b", "sub/deep/c.heic": "sub/deep/c"}
    assert list(bases(tmp_path)) == ["a.PNG", "b.jpg", "sub/deep/c.heic"]


def test_names_that_would_meet_keep_their_endings(tmp_path):
    photos(tmp_path, "a.jpg", "a.png", "b.jpg", "a.jpg.png", "sub/a.jpg")
    if not (tmp_path / "B.JPG").exists():
        photos(tmp_path, "A.webp")
    found = bases(tmp_path)
    assert found["a.png"] == "a.png" and found["b.jpg"] == "b" and found["sub/a.jpg"] == "sub/a"
    assert len({name.casefold() for name in found.values()}) == len(found)


def test_long_names_are_cut_and_stay_apart(tmp_path):
    photos(tmp_path, "写" * 80 + "1.jpg", "写" * 80 + "2.jpg")
    found = list(bases(tmp_path).values())
    assert len(set(found)) == 2 and all(len(os.fsencode(name + ".blend")) < 255 for name in found)


def test_a_depth_map_beside_its_photo_is_no_photo(tmp_path):
    photos(tmp_path, "x-image.jpg", "x-depth.jpg", "y-depth.jpg")
    assert set(bases(tmp_path)) == {"x-image.jpg", "y-depth.jpg"}


def test_depth_maps_of_the_photos_names(tmp_path):
    photos(tmp_path / "photos", "a.jpg", "sub/b.jpg", "c.jpg")
    depths = photos(tmp_path / "depths", "a.png", "sub/b.exr", "d.png")
    tasks = {t.photo: t for t in find_tasks(tmp_path / "photos", tmp_path / "out", depths)}
    assert [tasks[n].depth for n in ("a.jpg", "sub/b.jpg", "c.jpg")] == [depths / "a.png", depths / "sub/b.exr", None]
    assert len(tasks["a.jpg"].stamp) == 4 and len(tasks["c.jpg"].stamp) == 2


def test_folders_without_photos_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DioramaError):
            find_tasks(folder, tmp_path / "out")
    photos(tmp_path, "a.jpg")
    with pytest.raises(DioramaError, match="no folder"):
        find_tasks(tmp_path, tmp_path / "out", tmp_path / "missing")


def record(photo, **more):
    return {"photo": photo, "result": "done", **more}


def test_the_last_record_of_a_photo_counts(tmp_path):
    manifest = Manifest(tmp_path / "m.jsonl")
    assert manifest.read() == {}
    for each in (record("a", n=1), record("ü\udce9", n=2), record("a", n=3)):
        manifest.append(each)
    assert manifest.read() == {"a": record("a", n=3), "ü\udce9": record("ü\udce9", n=2)}


def test_a_manifest_cut_at_any_byte_loses_one_record_at_most(tmp_path):
    path = tmp_path / "m.jsonl"
    for n in range(4):
        Manifest(path).append(record(f"photo {n}", error='"line"\n'))
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        lines = whole[:end].count(b"\n")
        assert len(Manifest(path).read()) in (lines, lines + 1)
        Manifest(path).append(record("next"))
        assert "next" in Manifest(path).read() and len(Manifest(path).read()) in (lines + 1, lines + 2)


@pytest.mark.parametrize("junk", [b"\0" * 99, b"[1, 2]\n", b'{"photo": 3}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"x" * 3_000_000])
def test_what_is_no_record_is_passed_over(tmp_path, junk):
    path = tmp_path / "m.jsonl"
    Manifest(path).append(record("a"))
    with open(path, "ab") as file:
        file.write(junk)
    Manifest(path).append(record("b"))
    assert set(Manifest(path).read()) == {"a", "b"}


def test_a_full_disk_leaves_the_manifest_as_it_was(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path / "m.jsonl")
    manifest.append(record("a"))
    before = manifest.path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch.os, "fsync", full)
    with pytest.raises(DioramaError, match="No space left"):
        manifest.append(record("b"))
    assert manifest.path.read_bytes() == before


TASK = Task("sub/a.jpg", None, (5, 6), "sub/a")


def done(**more):
    return {"photo": TASK.photo, "result": "done", "settings": {"tear": 2}, "stamp": [5, 6], "name": "sub/a",
            "files": {"sub/a.blend": 3}} | more  # fmt: skip


def test_done_means_same_photo_same_settings_and_the_files_are_there(tmp_path):
    assert not is_done(done(), TASK, {"tear": 2}, tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.blend").write_bytes(b"abc")
    assert is_done(done(), TASK, {"tear": 2}, tmp_path)
    for lacks in (None, done(result="fault"), done(settings={}), done(stamp=[5, 7]), done(name="b"), done(files={}),
                  done(files={"sub/a.blend": 4}), done(files="x"), {}):  # fmt: skip
        assert not is_done(lacks, TASK, {"tear": 2}, tmp_path)
    assert not is_done(json.loads(json.dumps(done())), TASK, {"tear": 3}, tmp_path)


def test_results_are_put_in_place_and_what_has_no_successor_goes(tmp_path):
    staged, output, secret = tmp_path / "staged", tmp_path / "out", tmp_path / "secret"
    for place, data in ((staged / "sub/a.blend", b"new"), (staged / "sub/f/1.png", b"1"), (output / "sub/a.blend", b"old"),
                        (output / "sub/f/2.png", b"2"), (secret, b"mine")):  # fmt: skip
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    seen = []

    def write():
        seen.append(sorted(files_below(output)))

    old = {"files": {"sub/a.blend": 3, "sub/f/2.png": 1, "../secret": 4, str(secret): 4}}
    put_in_place(staged, output, files_below(staged), write, old)
    assert seen == [[]], "killed here, nothing is taken for the result that is to come"
    assert files_below(output) == {"sub/a.blend": 3, "sub/f/1.png": 1}
    assert (output / "sub/a.blend").read_bytes() == b"new" and secret.read_bytes() == b"mine"


def test_time_left():
    pace = Pace(10, now=100.0)
    assert pace.left(now=130.0) is None
    pace.done = 4
    assert pace.left(now=140.0) == 60.0
    assert [format_duration(s) for s in (0.4, 60, 600, 36000)] == ["0 s", "60 s", "10 min", "10.0 h"]


def test_photos_of_any_kind_are_found():
    for ending in Image.registered_extensions():
        if ending in (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"):
            assert ending in batch.PHOTO_ENDINGS


@pytest.mark.parametrize(
    "wrong", [{"files": 5}, {"files": ["a"]}, {"files": {"a.blend": "x"}}, {"settings": 3}, {"result": ["done"]}, {"photo": None}]
)
def test_lines_of_wrong_types_are_ignored_and_counted(tmp_path, wrong):
    """An edited manifest made `in` and `items` fail on numbers, and the batch with them."""
    manifest = Manifest(tmp_path / "m.jsonl")
    manifest.append(done())
    manifest.path.write_text(manifest.path.read_text() + json.dumps(done() | wrong) + "\n")
    assert manifest.read() == {TASK.photo: done()} and manifest.ignored == 1


def test_one_photos_surroundings_stop_no_other(tmp_path):
    """A number too large for a float in a JSON ended the search for photos, a pipe of that name never ended it."""
    pixels = np.full((48, 64), 1500, np.uint16)
    pixels[10:20, 10:30] = 900
    for folder in ("1", "2", "3"):
        photos(tmp_path / "in" / folder, "image.jpg")
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "in" / folder / "image.jpg")
        Image.fromarray(pixels).save(tmp_path / "in" / folder / "arkit_depth.png")
    camera = {"intrinsic_matrix": [50, 0, 0, 0, 50, 0, 32, 24, 1], "width": 64, "height": 48, "depth_scale": 1000}
    (tmp_path / "in/1/cam.json").write_text(json.dumps(camera))
    (tmp_path / "in/2/cam.json").write_text(json.dumps(camera).replace('"width": 64', '"width": 1' + "0" * 400))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "in/3/cam.json")
        (tmp_path / "in/3/camera.json").symlink_to("/dev/zero")
        (tmp_path / "in/1/loop.jpg").symlink_to(tmp_path / "in/1/loop.jpg")
        (tmp_path / "in/1/below").symlink_to(tmp_path / "in")
    found = find_tasks(tmp_path / "in", tmp_path / "out")
    assert [task.photo for task in found] == ["1/image.jpg", "2/image.jpg", "3/image.jpg"]


def test_an_output_name_that_is_a_folder_costs_that_photo(tmp_path):
    staged, output = tmp_path / "staged", tmp_path / "out"
    for place in (staged / "a.blend", output / "a.blend" / "mine", output / "old.png"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mine")
    with pytest.raises(DioramaError, match="a.blend is a folder already"):
        put_in_place(staged, output, {"a.blend": 4}, lambda: pytest.fail("written down"), {"files": {"old.png": 4}})
    assert (output / "a.blend/mine").is_file() and (output / "old.png").is_file()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_to_themselves_are_replaced_or_passed_over(tmp_path):
    staged, output = tmp_path / "staged", tmp_path / "out"
    for folder in (staged, output):
        folder.mkdir()
    (staged / "a.blend").write_bytes(b"new")
    (output / "a.blend").symlink_to(output / "a.blend")
    (output / "loop").symlink_to(output / "loop")
    old = {"files": {"a.blend": 3, "loop/x.png": 3, "b\0.png": 1}}
    assert not is_done(done(files=old["files"]), TASK, {"tear": 2}, output)
    put_in_place(staged, output, {"a.blend": 3}, lambda: None, old)
    assert (output / "a.blend").read_bytes() == b"new"
    assert real_path(output / "loop").name == "loop"


def test_a_move_that_fails_leaves_nothing_of_it(tmp_path):
    staged, output = tmp_path / "staged", tmp_path / "out"
    for place in (staged / "a.blend", staged / "f/1.png", output / "f"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mine")
    with pytest.raises(OSError):
        put_in_place(staged, output, files_below(staged), lambda: None, None)
    assert files_below(output) == {"f": 4}
