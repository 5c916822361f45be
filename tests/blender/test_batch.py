"""The batch over a folder and the tasks of a farm, with real dioramas: results, manifest, resuming, kills, signals."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_lines import FAST, FASTEST, Worker, files, finish, one_sentence, start
from films import read_film
from made_photos import texture, two_planes
from PIL import Image

pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
QUICK = ["--depth", "depths", *FASTEST]
ALONE = ("--jobs", "1")
"""Where it does not matter how many work: each starts a Blender of its own."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def place(tmp_path):
    """photos/ with two good ones, one of them in a folder below, and a bad one; depths/ with their depth maps."""
    for name in ("a", "sub/b"):
        photo, depth = tmp_path / "photos" / f"{name}.png", tmp_path / "depths" / f"{name}.npy"
        for path in (photo, depth):
            path.parent.mkdir(parents=True, exist_ok=True)
        made, metres = two_planes(tmp_path)
        os.replace(made, photo)
        os.replace(metres, depth)
    (tmp_path / "photos/letter.jpg").write_bytes(b"Dear photo, " * 99)
    return tmp_path


def batch(place, home, *flags, before=""):
    return finish(start("batch", "photos", "--output", "out", *QUICK, *flags, cwd=place, home=home, before=before))


def records(place) -> dict[str, dict]:
    lines = (place / "out/batch.jsonl").read_text().splitlines()
    return {record["photo"]: record for record in map(json.loads, lines)}


def test_a_folder_is_worked_through_and_gone_on_with(place, home):
    done = batch(place, home, "--json", "--render", "{name}.png", "--samples", "1")
    assert done.code == 1 and done.err == ""
    told = json.loads(done.out)
    assert (told["photos"], told["done"], told["done_before"], told["failed"]) == (3, 2, 0, 1)
    assert files(place / "out") == {"a.blend", "a.png", "sub", "sub/b.blend", "sub/b.png", "batch.jsonl"}
    assert b'"seen_from_blend": {"photo": "../../photos/sub/b.png"' in (place / "out/sub/b.blend").read_bytes()
    known = records(place)
    assert {photo: r["result"] for photo, r in known.items()} == {
        "a.png": "done", "sub/b.png": "done", "letter.jpg": "bad input"
    }  # fmt: skip
    assert known["a.png"]["settings"] == {
        "depth_kind": "metric", "long_side": 96, "inpainter": "diffusion", "hidden_depth": "nearest", "render": "{name}.png", "samples": 1
    }  # fmt: skip
    assert known["a.png"]["files"] == {n: (place / "out" / n).stat().st_size for n in ("a.blend", "a.png")}
    assert known["a.png"]["seconds"] > 0 and known["a.png"]["error"] is None and known["a.png"]["triangles"] > 0
    assert "letter.jpg is not a picture" in known["letter.jpg"]["error"]

    (place / "photos/letter.jpg").unlink()
    Image.fromarray(texture(90, 120)).save(place / "photos/c.jpg")
    np.save(place / "depths/c.npy", np.float32(np.tile(np.linspace(2, 5, 120), (90, 1))))
    before = (place / "out/a.blend").stat().st_mtime_ns
    done = batch(place, home, "--render", "{name}.png", "--samples", "1", *ALONE)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "3 photos, 2 of them done before" and "c.jpg: done in" in done.out
    assert (place / "out/a.blend").stat().st_mtime_ns == before

    done = batch(place, home, "--tear", "0.2", *ALONE)  # other settings: anew, and the pictures that they do not ask for go
    assert done.code == 0 and "3 done" in done.out
    assert files(place / "out") == {"a.blend", "c.blend", "sub", "sub/b.blend", "batch.jsonl"}


def test_somebody_elses_file_is_not_written_over(place, home):
    (place / "photos/letter.jpg").unlink()
    (place / "out").mkdir()
    (place / "out/a.blend").write_bytes(b"precious")
    done = batch(place, home, *ALONE)
    assert done.code == 1 and "a.blend exists already" in records(place)["a.png"]["error"]
    assert (place / "out/a.blend").read_bytes() == b"precious" and (place / "out/sub/b.blend").is_file()
    done = batch(place, home, "--overwrite", *ALONE)
    assert done.code == 0 and (place / "out/a.blend").read_bytes() != b"precious"


@pytest.mark.parametrize("flags, words", [
    (["--render", "m.mp4"], "{name}"), (["--render", "{name}/../../m.mp4"], "{name}"), (["--render", "{name}.avi"], "avi"),
    (["--jobs", "0"], "jobs"), (["--long-side", "1"], "--long-side is 1"), (["--depth", "none"], "no folder"),
])  # fmt: skip
def test_what_makes_no_sense_is_told_before_any_work(place, worker, flags, words):
    before = files(place)
    done = worker.run("batch", "photos", "--output", "out", *QUICK, *flags, cwd=place)
    assert done.code == 2 and words in one_sentence(done.err) and files(place) == before


def wait_for(condition, process) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize("name, code", [("SIGKILL", -9), ("SIGTERM", 143), ("SIGINT", 130)])
def test_a_stop_in_the_middle_and_going_on(place, home, name, code):
    (place / "photos/letter.jpg").unlink()
    process = start("batch", "photos", "--output", "out", *QUICK, "--render", "{name}.mp4", "--frames", "9000", cwd=place, home=home)
    staging = place / "out" / ".photo-diorama-batch"
    wait_for(lambda: staging.is_dir() and list(staging.rglob("frame_0002.png")), process)
    workers = children_of(process)
    process.send_signal(getattr(signal, name))
    done = finish(process)
    assert workers or sys.platform != "linux"
    assert done.code == code
    wait_until_ended(workers)
    left = {n for n in files(place / "out") if not n.startswith(".photo-diorama-batch") and not n.endswith(".lock")}
    assert left <= {"batch.jsonl"}, "no half result"
    if name != "SIGKILL":
        assert not staging.exists() and "stopped" in done.err
    done = batch(place, home, *ALONE)
    assert done.code == 0 and not staging.exists()
    assert {photo: r["result"] for photo, r in records(place).items()} == {"a.png": "done", "sub/b.png": "done"}


def children_of(process) -> list[int]:
    """Processes that any thread of it started; none where the system does not say."""
    return [int(pid) for known in Path(f"/proc/{process.pid}/task").glob("*/children") for pid in known.read_text().split()]


def wait_until_ended(workers: list[int]) -> None:
    deadline = time.monotonic() + 400
    while any(_is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives its batch"
        time.sleep(0.1)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def worker(home):
    worker = Worker(home)
    yield worker
    worker.close()


def test_the_tasks_of_a_farm(place, worker):
    """Scene, frames in chunks, movie; the chunks together are what one render makes; a bad photo stops nothing."""

    def farm(step, *flags, number=1):
        return worker.run("farm", step, "photos", "--output", "out", *QUICK[:2], "--number", str(number), *flags, cwd=place)

    assert "1 a.png" in farm("list").out
    done = farm("render")
    assert done.code == 2 and "run the step build" in one_sentence(done.err)
    done = farm("build", *FAST, "--frames", "5")
    assert done.code == 0 and "openjd_progress: 100" in done.out, done.err
    small = ["--samples", "1", "--render-side", "81"]
    for first in (1, 4, 7):
        done = farm("render", "--first", str(first), "--count", "3", *small)
        assert done.code == 0, done.err
    frames = sorted(files(place / "out/a_frames"))
    assert frames == [f"frame_{n:04}.png" for n in range(1, 6)]
    (place / "out/a_frames/frame_0003.png").rename(place / "kept.png")
    done = farm("encode", "--frames", "5")
    assert done.code == 2 and "frame_0003.png is missing" in one_sentence(done.err)
    assert farm("render", "--first", "3", "--count", "1", *small).code == 0
    again = (np.asarray(Image.open(p)) for p in (place / "kept.png", place / "out/a_frames/frame_0003.png"))
    assert np.array_equal(*again), "whatever the chunk, a frame is the same"
    done = farm("encode", "--frames", "5")
    assert done.code == 0, done.err
    assert len(read_film(place / "out/a.mp4")[0]) == 5

    for step in ("build", "render", "encode"):
        done = farm(step, *(FAST if step == "build" else []), number=2)
        assert done.code == 0 and "letter.jpg" in done.err
    assert "not a picture" in (place / "out/letter.error.txt").read_text()
    assert farm("build", number=9).code == 2
    assert not any(Path(name).name.startswith(".") for name in files(place / "out"))


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are made otherwise there")
def test_what_is_wrong_over_one_photo_stops_no_other(place, home):
    """A folder in a result's place, a link to itself, edited manifest lines, a pipe and a number too large beside a photo."""
    (place / "photos/letter.jpg").unlink()
    (place / "out/sub").mkdir(parents=True)
    (place / "out/a.blend").mkdir()
    (place / "out/sub/b.blend").symlink_to(place / "out/sub/b.blend")
    lines = [{"photo": "a.png", "files": 5}, {"photo": "sub/b.png", "files": {"sub/b.blend": "x"}}, ["photo"]]
    (place / "out/batch.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.mkfifo(place / "photos/cam.json")
    done = batch(place, home, "--overwrite", *ALONE)
    assert done.code == 1 and "1 done" in done.out and "1 failed" in done.out
    assert one_sentence(done.err).endswith("batch.jsonl has 3 lines that are no records, which are ignored.")
    known = records_of(place)
    assert known["sub/b.png"]["result"] == "done" and not (place / "out/sub/b.blend").is_symlink()
    assert known["a.png"]["result"] == "bad input" and "a.blend is a folder already" in known["a.png"]["error"]


def records_of(place) -> dict[str, dict]:
    """Those of photos, whatever else stands in the manifest."""
    lines = map(json.loads, (place / "out/batch.jsonl").read_text().splitlines())
    return {line["photo"]: line for line in lines if isinstance(line, dict)}
