"""What a file claims bounds neither memory nor time: lies are told from the headers, before anything is unpacked."""

import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from depth_photo_files import jpeg, photo_pixels
from exr_files import attribute, exr
from picture_files import exr_bytes
from PIL import Image

from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.raster.decode import read_regular
from photo_diorama.core.settings import DepthSettings

ROOT = Path(__file__).resolve().parents[3]
MEMORY, SECONDS = 3_000_000_000, 30
"""What docs/hardening.md states for one file."""
METRES = np.float32(2 + np.arange(45)[:, None] / 9 + np.random.default_rng(5).random((45, 30)) / 100)


def one_block_for_all(compression: int) -> bytes:
    """An EXR whose table of offsets names its first block for every row."""
    data, rows = exr([{"Z": METRES}], compression), -(-45 // (16 if compression == 3 else 1))
    table = _table(data, rows)
    return data[:table] + data[table : table + 8] * rows + data[table + 8 * rows :]


def _table(data: bytes, rows: int) -> int:
    """Where the table of offsets begins: its first entry points behind it."""
    return next(at for at in range(8, len(data) - 8) if struct.unpack_from("<Q", data, at)[0] == at + 8 * rows)


def of_many_channels(count: int, width: int, height: int, compression: int = 3) -> bytes:
    """Only the header of an EXR, with zeros that would unpack to its pixels behind it."""
    names = b"".join(b"c%04d\0" % n + struct.pack("<iIii", 2, 0, 1, 1) for n in range(count - 1))
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    head = attribute("channels", "chlist", b"Z\0" + struct.pack("<iIii", 2, 0, 1, 1) + names + b"\0")
    head += attribute("compression", "compression", bytes([compression])) + attribute("dataWindow", "box2i", box)
    packed = zlib.compress(bytes(min(width * 16 * count * 4, 100_000_000)))
    blocks = -(-height // 16)
    start = 8 + len(head) + 1 + 8 * blocks
    table = b"".join(struct.pack("<Q", start) for _ in range(blocks))
    body = struct.pack("<ii", 0, len(packed)) + packed
    return struct.pack("<II", 20000630, 2) + head + b"\0" + table + body


def npy(shape: str, length: int | None = None, version: int = 2, body: bytes = b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    claimed = len(header) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + claimed.to_bytes(2 if version == 1 else 4, "little") + header + body


def npz(*entries: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for number, data in enumerate(entries):
            archive.writestr(f"{number}.npy", data)
    return out.getvalue()


def of_many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan stands there again and again."""
    out = io.BytesIO()
    Image.fromarray(photo_pixels().astype(np.uint8)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (count - data.count(b"\xff\xda")) + data[-2:]


DEPTHS = {
    "same-rle.exr": lambda: one_block_for_all(1), "same-zip.exr": lambda: one_block_for_all(3),
    "channels.exr": lambda: of_many_channels(1024, 16384, 64), "total.exr": lambda: of_many_channels(200, 4096, 4096),
    "long-header.npz": lambda: npz(npy("(40, 60)", 3_900_000_000, body=bytes(400_000_000))),
    "long-header.npy": lambda: npy("(40, 60)", 3_900_000_000, body=bytes(100_000)),
    "deep-header.npy": lambda: npy("(" * 100 + "40" + ")" * 100, version=1, body=bytes(10_000)),
    "many-entries.npz": lambda: npz(*[b""] * 30_000, compression=zipfile.ZIP_STORED),
    "scans.jpg": lambda: of_many_scans(3000), "tiles.exr": lambda: huge_tiles(),
}  # fmt: skip
PHOTOS = {"scans.jpg": lambda: of_many_scans(3000), "channels.exr": lambda: of_many_channels(1024, 16384, 1024),
          "tiles.exr": lambda: huge_tiles(), "twice.exr": lambda: window_twice()}  # fmt: skip


def huge_tiles() -> bytes:
    """An EXR that calls itself tiled, of tiles of four thousand million pixels."""
    data = exr_bytes({"R": METRES, "G": METRES, "B": METRES})
    return data[:4] + struct.pack("<I", 0x202) + attribute("tiles", "tiledesc", struct.pack("<IIB", 65535, 65535, 0)) + data[8:]


def window_twice() -> bytes:
    """An EXR with two windows: who checks the first and who decodes the second see different sizes."""
    data = exr_bytes({"R": METRES, "G": METRES, "B": METRES})
    return data[:8] + attribute("dataWindow", "box2i", struct.pack("<4i", 0, 0, 29999, 29999)) + data[8:]


BOUNDED = """
import json, resource, sys, warnings
warnings.simplefilter("error")
sys.path.insert(0, sys.argv[1])
import conftest, cv2, scipy.ndimage
from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
with open("/proc/self/statm") as file:
    before = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (before + int(sys.argv[3]), hard))
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
begun = used()
try:
    load_photo(sys.argv[2]) if sys.argv[4] == "photo" else read_depth(sys.argv[2], DepthSettings())
    said = None
except DioramaError as error:
    said = str(error)
print(json.dumps([said, used() - begun]))
"""


def bounded(path: Path, kind: str) -> str | None:
    """The sentence, None for a result; fails beyond the stated memory and time."""
    pytest.importorskip("resource", reason="limits of a process are POSIX")
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(ROOT / "tests"), str(path), str(MEMORY), kind], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1500:]
    said, seconds = json.loads(done.stdout)
    assert seconds < SECONDS
    assert said is None or "memory" not in said and "pickle" not in said and "trust" not in said
    return said


@pytest.mark.parametrize("name", DEPTHS)
def test_a_depth_file_that_lies_is_a_sentence_at_once(tmp_path, name):
    (tmp_path / name).write_bytes(DEPTHS[name]())
    said = bounded(tmp_path / name, "depth")
    assert name in said and said.endswith(".") and "\n" not in said


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_that_lies_is_a_sentence_at_once(tmp_path, name):
    (tmp_path / name).write_bytes(PHOTOS[name]())
    said = bounded(tmp_path / name, "photo")
    assert name in said and said.endswith(".") and "\n" not in said


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the process does not tell its size there")
def test_the_hostile_files_that_were_handed_in(shared):
    place = shared / "data" / "hostile"
    if not place.is_dir():
        pytest.skip("no hostile files there")
    for name in ("iptc_eps.jpg", "many_scans.jpg", "dup_window.exr"):
        assert bounded(place / name, "photo"), name
    for name in ("hang_rle.exr", "bomb_channels.exr", "bomb_header.npz"):
        assert bounded(place / name, "depth"), name
    assert bounded(place / "grey_alpha.exr", "photo") is None


def test_what_encoders_write_is_no_lie(tmp_path):
    (tmp_path / "a.jpg").write_bytes(of_many_scans(60))
    assert load_photo(tmp_path / "a.jpg").colour.shape == (80, 120, 3)
    (tmp_path / "plain.jpg").write_bytes(jpeg(photo_pixels()) + b"\xff\xda" * 500)  # behind the picture, as in a trailer
    assert load_photo(tmp_path / "plain.jpg").colour.shape == (80, 120, 3)
    for dtype in (np.float16, np.float64, np.uint16, np.int64):
        for order in "CF":
            np.savez_compressed(tmp_path / "d.npz", np.asarray(np.round(METRES * 40), dtype, order=order))
            found = read_depth(tmp_path / "d.npz", DepthSettings(depth_kind="metric"))
            np.testing.assert_array_equal(found.values, np.round(METRES * 40))


def test_a_long_array_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("photo_diorama.core.depth_file.numpy_file.READ_SIZE", 7)
    np.save(tmp_path / "d.npy", METRES.astype(np.float64))
    np.testing.assert_array_equal(read_depth(tmp_path / "d.npy", DepthSettings()).values, METRES)


@pytest.mark.parametrize("channels", [{"Y": METRES, "A": METRES}, {"Y": METRES}])
def test_a_grey_exr_with_or_without_alpha_is_a_photo(tmp_path, channels):
    grey = {name: np.clip(values / 10, 0, 1) for name, values in channels.items()}
    (tmp_path / "a.exr").write_bytes(exr_bytes(grey))
    photo = load_photo(tmp_path / "a.exr")
    divided = grey["Y"] / np.where(grey["A"] > 0, grey["A"], 1) if "A" in grey else grey["Y"]
    np.testing.assert_array_equal(photo.colour, np.repeat(divided[..., None], 3, axis=2))
    assert (photo.alpha is None) == ("A" not in grey)
    if photo.alpha is not None:
        np.testing.assert_array_equal(photo.alpha, grey["A"])


def test_a_file_is_read_to_its_end_and_no_further_than_is_bounded(tmp_path):
    path = tmp_path / "a"
    for size in (0, 1, 65_535, 65_536, 200_000):
        path.write_bytes(b"x" * size)
        assert read_regular(path, 200_000) == b"x" * size
    assert read_regular(path, 199_999) is None
    if Path("/proc/self/status").exists():  # a plain file that says it is empty
        assert read_regular(Path("/proc/self/status"), 1 << 20).startswith(b"Name:")
    with pytest.raises(OSError):
        read_regular(tmp_path, 10)


def test_a_sound_file_without_memory_to_decode_it_is_not_called_damaged(tmp_path, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    (tmp_path / "a.jpg").write_bytes(jpeg(photo_pixels()))
    np.save(tmp_path / "d.npy", METRES)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", no_memory)
    monkeypatch.setattr("photo_diorama.core.depth_file.numpy_file._read_array", no_memory)
    for read in (lambda: load_photo(tmp_path / "a.jpg"), lambda: read_depth(tmp_path / "d.npy", DepthSettings())):
        with pytest.raises(DioramaError, match="needs more memory to decode than there is"):
            read()
