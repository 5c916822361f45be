"""Files of the command line: bad input, names, and places that cannot be written to; nothing is left behind."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from command_lines import FAST, files, finish, one_sentence, start
from made_photos import texture, two_planes
from PIL import Image

pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")


def picture(path: Path, width: int = 160, height: int = 120) -> Path:
    Image.fromarray(texture(height, width)).save(path)
    return path


def huge(path: Path) -> Path:
    """A PNG whose header says 40,000 x 40,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def truncated(path: Path) -> Path:
    picture(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def bytes_in(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


PHOTOS = {
    "missing": lambda place: place / "missing.jpg",
    "no picture": lambda place: bytes_in(place / "letter.jpg", b"Dear photo, " * 99),
    "truncated jpeg": lambda place: truncated(place / "cut.jpg"),
    "truncated png": lambda place: truncated(place / "cut.png"),
    "zero bytes": lambda place: bytes_in(place / "nothing.png", b""),
    "a folder": lambda place: (place / "album.jpg").mkdir() or place / "album.jpg",
    "1x1": lambda place: picture(place / "dot.png", 1, 1),
    "3x2000": lambda place: picture(place / "hair.png", 3, 2000),
    "40000x40000": lambda place: huge(place / "wall.png"),
}


@pytest.mark.parametrize("kind", PHOTOS)
@pytest.mark.parametrize("command", ["diorama", "inspect", "depth"])
def test_bad_photos(worker, tmp_path, kind, command):
    photo = PHOTOS[kind](tmp_path)
    before = files(tmp_path)
    lines = {"diorama": [photo, "--json"], "inspect": ["inspect", photo]}
    lines["depth"] = ["depth", photo, "--output", "d.npy"]
    done = worker.run(*lines[command], cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert str(photo) in one_sentence(done.err)
    assert files(tmp_path) == before


def grey(place: Path, values: np.ndarray) -> Path:
    np.save(place / "depth.npy", values.astype(np.float32))
    return place / "depth.npy"


def one_pixel() -> np.ndarray:
    values = np.full((120, 160), np.nan)
    values[60, 80] = 2.0
    return values


DEPTHS = {
    "missing": lambda place: place / "missing.png",
    "no depth": lambda place: bytes_in(place / "depth.png", b"Dear depth, " * 99),
    "a folder": lambda place: (place / "depth.exr").mkdir() or place / "depth.exr",
    "a colour picture": lambda place: picture(place / "colour.png"),
    "another aspect": lambda place: grey(place, np.tile(np.linspace(1, 2, 120), (160, 1))),
    "all zero": lambda place: grey(place, np.zeros((120, 160))),
    "all equal": lambda place: grey(place, np.full((120, 160), 3.0)),
    "all NaN": lambda place: grey(place, np.full((120, 160), np.nan)),
    "partly negative": lambda place: grey(place, np.tile(np.linspace(-1, 2, 160), (120, 1))),
    "one known pixel": lambda place: grey(place, one_pixel()),
    "truncated": lambda place: truncated(place / "cut.png"),
}


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize("command", ["diorama", "depth"])
def test_bad_depth(worker, tmp_path, kind, command):
    photo, depth = picture(tmp_path / "fine.png"), DEPTHS[kind](tmp_path)
    before = files(tmp_path)
    flags = ["--depth", depth, "--depth-kind", "metric"]
    lines = {"diorama": [photo, *flags, "--json"], "depth": ["depth", photo, *flags, "--output", "d.png"]}
    done = worker.run(*lines[command], cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert str(depth) in one_sentence(done.err)
    assert files(tmp_path) == before


@pytest.mark.parametrize("name, mode", [("cmyk.jpg", "CMYK"), ("grey.png", "L"), ("alpha.webp", "RGBA")])
def test_unusual_photos_are_converted(worker, tmp_path, name, mode):
    _, depth = two_planes(tmp_path)
    Image.fromarray(texture(120, 160)).convert(mode).save(tmp_path / name)
    done = worker.run(name, "--depth", depth, *FAST, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert worker.ask("look", blend=str(tmp_path / Path(name).with_suffix(".blend")))["packed"]


NAMES = {
    "spaces": " two  words .png",
    "accents and signs": "Größe – 写真 📷 #1 {x} 100%.png",
    "quotes": 'it\'s "quoted" & $HOME;.png',
    "250 characters": "x" * 246 + ".png",
    "255 bytes of other letters": "写" * 83 + "xy.png",
    "a dash first": "-photo.png",
}
if os.name == "posix" and sys.platform != "darwin":
    NAMES |= {"a line break": "two\nlines\t.png", "not UTF-8": os.fsdecode(b"caf\xe9 \xff.png")}


@pytest.mark.parametrize("kind", NAMES)
def test_names(worker, tmp_path, kind):
    """The default output, in this folder, with a render beside it and a folder of the same name."""
    photo, depth = two_planes(tmp_path, NAMES[kind])
    folder = tmp_path / "löne folder #2"
    folder.mkdir()
    written = "r" + os.path.splitext(NAMES[kind])[0][:80] + ".mp4"
    done = worker.run(photo, "--depth", depth, *FAST, f"--render={written}", "--frames", "2", cwd=folder)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 6, "a line break in a name is no line break of ours"
    blends = list(folder.glob("*.blend"))
    assert len(blends) == 1 and len(os.fsencode(blends[0].name)) <= 255
    assert {path.name for path in folder.iterdir()} == {blends[0].name, written}
    seen = worker.ask("look", blend=str(blends[0]))
    assert seen["triangles"] > 0
    if kind not in ("not UTF-8", "255 bytes of other letters"):
        assert blends[0].stem == photo.stem
        assert seen["source"]["photo"] == str(photo)


def test_a_folder_with_braces(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    folder = tmp_path / "shot {frame} {x}"
    folder.mkdir()
    done = worker.run(photo, "--depth", depth, *FAST, "--render", "m.mp4", "--frames", "2", cwd=folder)
    assert done.code == 0 and files(folder) == {"street.blend", "m.mp4"}


def test_a_name_that_no_disk_takes(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    before = files(tmp_path)
    for flag, name in (("--output", "x" * 300 + ".blend"), ("--render", "x" * 300 + ".mp4")):
        done = worker.run(photo, "--depth", depth, *FAST, flag, name, cwd=tmp_path)
        assert done.code == 2 and name in one_sentence(done.err)
    done = worker.run("y" * 400 + ".jpg", cwd=tmp_path)
    assert done.code == 2 and "y" * 400 in one_sentence(done.err)
    assert files(tmp_path) == before


TARGETS = {
    "output exists": (["--output", "there.blend"], "there.blend"),
    "output is a folder": (["--output", "folder.blend", "--overwrite"], "folder.blend"),
    "output is no .blend": (["--output", "scene.png"], "scene.png"),
    "below a file": (["--output", "there.blend/sub/x.blend"], "there.blend"),
    "in /proc": (["--output", "/proc/nowhere/x.blend"], "/proc/nowhere"),
    "render exists": (["--render", "there.mp4"], "there.mp4"),
    "render has no format": (["--render", "movie.avi"], "movie.avi"),
    "render folder is a file": (["--render", "there", "--overwrite"], "there"),
    "render folder has files": (["--render", "full"], "full"),
    "render is a folder": (["--render", "folder.mp4", "--overwrite"], "folder.mp4"),
    "render below a file": (["--render", "there.blend/frames"], "there.blend"),
    "render over the photo": (["--render", "street.png", "--overwrite"], "street.png"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_places_that_cannot_be_written_are_told_before_any_work(worker, tmp_path, kind):
    """Before any work: the photo is not even looked at."""
    photo, depth = two_planes(tmp_path)
    for name in ("there.blend", "there.mp4", "there"):
        bytes_in(tmp_path / name, b"precious")
    for name in ("folder.blend", "folder.mp4", "full"):
        (tmp_path / name).mkdir()
    bytes_in(tmp_path / "full/mine.png", b"precious")
    before, (flags, named) = files(tmp_path), TARGETS[kind]
    working = "photo_diorama.ui.cli.make_diorama.build_diorama"
    done = worker.run(photo, "--depth", depth, *FAST, *flags, cwd=tmp_path, broken=working)
    assert done.code == 2 and named in one_sentence(done.err)
    assert files(tmp_path) == before
    for name in ("there.blend", "there.mp4", "there", "full/mine.png"):
        assert (tmp_path / name).read_bytes() == b"precious"


def test_overwrite_replaces_what_is_there(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    bytes_in(tmp_path / "street.blend", b"old"), bytes_in(tmp_path / "still.png", b"old")
    done = worker.run(photo, "--depth", depth, *FAST, "--render", "still.png", "--overwrite", cwd=tmp_path)
    assert done.code == 0, done.err
    assert worker.ask("look", blend=str(tmp_path / "street.blend"))["triangles"] > 0
    assert Image.open(tmp_path / "still.png").size == (160, 120)


def test_folders_are_made_only_for_a_result(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    before = files(tmp_path)
    done = worker.run(photo, "--depth", "nothing.png", "--output", "a/b/x.blend", "--render", "c/d/m.mp4", cwd=tmp_path)
    assert done.code == 2 and files(tmp_path) == before
    done = worker.run(photo, "--depth", depth, *FAST, "--output", "a/b/x.blend", cwd=tmp_path)
    assert done.code == 0 and (tmp_path / "a/b/x.blend").is_file()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own; skipped where it cannot be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = []

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount")
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    if mounted:
        subprocess.run(["umount", str(place)], check=True)


OLD = b"the work of last week"
OUTPUTS = {
    "blend": (["--output", "{disk}/x.blend"], "x.blend"),
    "still": (["--output", "y.blend", "--render", "{disk}/x.png"], "x.png"),
    "frames": (["--output", "y.blend", "--render", "{disk}/frames", "--frames", "99"], "frames"),
    "movie": (["--output", "y.blend", "--render", "{disk}/x.mp4", "--frames", "99"], "x.mp4"),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_full_disk(worker, small_disk, tmp_path, kind):
    """What was there stays as it was, and nothing half-written joins it."""
    photo, depth = two_planes(tmp_path)
    disk, (flags, named) = small_disk("size=32k"), OUTPUTS[kind]
    if kind != "frames":
        bytes_in(disk / named, OLD)
    before = files(disk)
    flags = [flag.format(disk=disk) for flag in flags]
    done = worker.run(photo, "--depth", depth, *FAST, *flags, "--overwrite", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    told = one_sentence(done.err)
    assert named in told and "free" in told
    assert files(disk) == before
    assert kind == "frames" or (disk / named).read_bytes() == OLD


@pytest.mark.parametrize("ending", [".npy", ".exr", ".png"])
def test_a_full_disk_for_depth(worker, small_disk, tmp_path, ending):
    photo, depth = two_planes(tmp_path)
    np.save(depth, np.random.default_rng(0).uniform(1, 9, (120, 160)).astype(np.float32))
    disk = small_disk("size=16k")
    done = worker.run("depth", photo, "--depth", depth, *FAST[2:], "--output", disk / f"d{ending}", cwd=tmp_path)
    assert done.code == 2 and f"d{ending}" in one_sentence(done.err)
    assert files(disk) == set()


def test_a_disk_that_is_read_only(worker, small_disk, tmp_path):
    photo, depth = two_planes(tmp_path)
    disk, working = small_disk("ro"), "photo_diorama.ui.cli.make_diorama.build_diorama"
    for flags in (["--output", disk / "x.blend"], ["--render", disk / "new/frames"]):
        done = worker.run(photo, "--depth", depth, *FAST, *flags, cwd=tmp_path, broken=working)
        assert done.code == 2 and "disk" in one_sentence(done.err)


@pytest.mark.skipif(os.name != "posix", reason="files have no limit there")
def test_a_file_that_may_not_grow(home, tmp_path):
    """As a full disk, for machines where nothing can be mounted."""
    photo, depth = two_planes(tmp_path)
    before = files(tmp_path)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))"
    done = finish(start(photo, "--depth", depth, *FAST, cwd=tmp_path, home=home, before=limit))
    assert done.code == 2 and "street.blend" in one_sentence(done.err)
    assert files(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    (tmp_path / "closed").mkdir(mode=0o500)
    done = worker.run(photo, "--depth", depth, *FAST, "--output", "closed/x.blend", cwd=tmp_path)
    assert done.code == 2 and "closed" in one_sentence(done.err)
