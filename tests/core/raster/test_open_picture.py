"""No picture starts a program, whatever format hides behind its name, and no setting of Pillow's is changed for others."""

import ast
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from depth_photo_files import (
    XMP,
    apple_xmp,
    dynamic_depth_photo,
    gdepth_photo,
    jpeg,
    photo_pixels,
    png,
    segment,
    with_mpf,
    with_segments,
)  # fmt: skip
from PIL import Image, features

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.raster.open_picture import picture_kind

ROOT = Path(__file__).resolve().parents[3]
PROMISED = {"JPEG", "PNG", "WEBP", "TIFF"}
PROGRAMS = (
    "gs", "gswin32c", "gswin64c", "inkscape", "dcraw", "djpeg", "cjpeg", "convert", "magick", "display", "gm", "xdg-open",
    "ffmpeg", "ffprobe", "exiftool", "heif-convert", "potrace", "rsvg-convert", "unrtf", "netpbm", "giftopnm", "ppmtogif",
)  # fmt: skip
STARTS = {  # of the formats that Pillow reads and does not write
    "BUFR": b"BUFR", "CUR": b"\0\0\2\0\1\0", "DCX": b"\xb1\x68\xde\x3a", "FITS": b"SIMPLE  =", "FLI": b"\0\1\0\0\x12\xaf",
    "FTEX": b"FTEX", "GBR": b"\0\0\0\x20\0\0\0\2\0\0\0\x40\0\0\0\x40", "GRIB": b"GRIB\0\0\0\1", "HDF5": b"\x89HDF\r\n\x1a\n",
    "IMT": b"*\nwidth 64\nheight 64\n\x0c", "MCIDAS": b"\0\0\0\0\0\0\0\4", "MPEG": b"\0\0\1\xb3", "PCD": bytes(2048) + b"PCD_",
    "PIXAR": b"\x80\xe8\0\0", "PSD": b"8BPS\0\1", "SUN": b"\x59\xa6\x6a\x95",
    "WMF": b"\xd7\xcd\xc6\x9a\0\0\0\0\0\0\x40\0\x40\0\x60\0" + bytes(6) + b"\1\0\x09\0", "XPM": b"/* XPM */", "XVTHUMB": b"P7 332",
}  # fmt: skip


def iptc(inner: bytes) -> bytes:
    """An IPTC-IIM file whose picture is another file: Pillow's reader opens what lies in it by Image.open."""

    def field(record: int, number: int, data: bytes) -> bytes:
        return bytes((0x1C, record, number)) + len(data).to_bytes(2) + data

    head = [(3, 20, b"\0\x40"), (3, 30, b"\0\x40"), (3, 60, b"\3\1"), (3, 65, b"\1"), (3, 120, b"\5")]
    pieces = [inner[at : at + 30_000] for at in range(0, len(inner), 30_000)]
    return b"".join(field(*part) for part in [*head, *((8, 10, piece) for piece in pieces)])


def samples() -> dict[str, bytes]:
    """A file of every format that Pillow can name: its own where it writes the format, else the first bytes."""
    Image.init()
    found = {"IPTC": iptc(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n%%EOF\n")}
    for name in Image.OPEN:
        if name in STARTS:
            found[name] = STARTS[name] + bytes(4096)
        elif name not in found and getattr(Image.SAVE.get(name), "__module__", "").startswith("PIL."):  # others register more
            out = io.BytesIO()
            Image.new("1" if name in ("XBM", "MSP") else "P" if name == "BLP" else "RGB", (64, 64)).save(out, name)
            found[name] = out.getvalue()
    return found


def nested(name: str, inner: bytes) -> dict[str, bytes]:
    """Files in which another lies as a photo's parts do, or as Pillow's containers take them."""
    depth = with_segments(jpeg(photo_pixels()), segment(0xE1, XMP + apple_xmp(0.5, 4)))
    icon = b"\0\0\1\0\1\0" + bytes((64, 64, 0, 0, 1, 0, 32, 0)) + len(inner).to_bytes(4, "little") + b"\x16\0\0\0" + inner
    icns = b"icns" + (16 + len(inner)).to_bytes(4) + b"ic07" + (8 + len(inner)).to_bytes(4) + inner
    return {
        f"{name}.iptc.jpg": iptc(inner), f"{name}.twice.jpg": iptc(iptc(inner)), f"{name}.ico.jpg": icon,
        f"{name}.icns.jpg": icns, f"{name}.gdepth.jpg": gdepth_photo(inner, 1, 9, confidence=inner, original=inner),
        f"{name}.dynamic.jpg": dynamic_depth_photo(inner, 1, 9, confidence=inner),
        f"{name}.mpf.jpg": with_mpf(jpeg(photo_pixels()), [depth, inner]), f"{name}.behind.jpg": jpeg(photo_pixels()) + inner,
        f"{name}.app13.jpg": with_segments(jpeg(photo_pixels()), segment(0xED, inner[:60_000])),
        f"{name}-image.jpg": jpeg(photo_pixels()), f"{name}-depth.jpg": inner,
    }  # fmt: skip


READ_ALL = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import conftest, numpy as np
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.fork", "pty.spawn")
heard = []
from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.depth.depth_raster import decode_grey
from photo_diorama.core.depth.depth_sidecar import find_sidecar_depth, read_sidecar_depth
from photo_diorama.core.depth.depth_in_photo import inspect_depth, read_embedded_depth, read_embedded_original
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings
from photo_diorama.ui.cli.inspect_photo import camera_name
import cv2, scipy.ndimage
from PIL import Image
def original(path):
    data = read_embedded_original(path)
    if data is not None:
        (path.parent / "original.jpg").write_bytes(data)
        load_photo(path.parent / "original.jpg")
def beside(path):
    found = find_sidecar_depth(path)
    if found is not None:
        read_sidecar_depth(found, path)
OURS = [load_photo, lambda p: read_depth(p, DepthSettings()), read_embedded_depth, original, beside, inspect_depth, camera_name,
        lambda p: decode_grey(p.read_bytes(), str(p), "a depth map")]
readers = {"ours": OURS, "pillow": [lambda p: Image.open(p).load()]}[sys.argv[3]]
sys.addaudithook(lambda event, args: heard.append((event, str(args)[:200])) if event in STARTING else None)
good = 0
for path in sorted(Path(sys.argv[2]).iterdir()):
    for read in readers:
        try:
            read(path)
            good += 1
        except DioramaError as error:
            assert str(error).endswith(".") and chr(10) not in str(error), str(error)
        except Exception:
            if readers is OURS:
                raise
print(json.dumps({"heard": heard, "good": good}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    for name, data in samples().items():
        for ending in ("jpg", "png"):
            (place / f"{name}.{ending}").write_bytes(data)
        for inner, wrapped in nested(name, data).items():
            (place / inner).write_bytes(wrapped)
    return place


def read_all(folder: Path, by: str, tmp_path: Path) -> tuple[dict, list[str]]:
    """What a process of its own heard of started programs, and what programs in its PATH wrote down."""
    programs, record = tmp_path / "programs", tmp_path / "record"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{record}"\nexit 1\n')
        (programs / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(ROOT / "tests"), str(folder), by], capture_output=True, text=True,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout), record.read_text().splitlines() if record.exists() else []


def test_the_samples_are_of_every_format_that_pillow_can_name():
    found = samples()
    unwritable = {"HEIF"} | (set() if features.check("avif") else {"AVIF"})  # which the zips' Pillow goes without
    assert set(Image.OPEN) - set(found) <= unwritable, "write its first bytes into STARTS"
    for name, data in found.items():
        accept = Image.OPEN[name][1]
        assert accept is None or accept(data[:16]), name


@pytest.mark.skipif(os.name == "nt", reason="the recording programs are shell scripts")
def test_no_program_is_started_for_a_picture(folder, tmp_path):
    heard, recorded = read_all(folder, "ours", tmp_path)
    assert not heard["heard"] and not recorded
    assert heard["good"] > 50, "the readers read what is sound"


@pytest.mark.skipif(os.name == "nt", reason="the recording programs are shell scripts")
def test_the_recording_programs_would_have_been_started(folder, tmp_path):
    """Pillow by itself starts Ghostscript for PostScript, bare and wrapped in IPTC: the test above can fail."""
    (place := tmp_path / "some").mkdir()
    for name in ("EPS.jpg", "EPS.iptc.jpg"):
        (tmp_path / name).mkdir()
        (place / name).write_bytes((folder / name).read_bytes())
        heard, recorded = read_all(place, "pillow", tmp_path / name)
        assert heard["heard"] and any(line.startswith("gs ") for line in recorded), name
        (place / name).unlink()


@pytest.mark.parametrize("name", sorted(samples()))
def test_a_format_that_is_not_promised_is_refused(tmp_path, name):
    path = tmp_path / "a.jpg"
    path.write_bytes(samples()[name])
    if name in PROMISED:
        assert picture_kind(path.read_bytes()) == name and load_photo(path).colour.shape == (64, 64, 3)
    else:
        with pytest.raises(DioramaError, match="is not a picture that can be read"):
            load_photo(path)


def test_only_one_place_opens_pictures():
    """Image.open, Pillow's plugins and OpenCV's decoders stand in one file each; nothing changes Pillow's settings."""
    allowed = {"open_picture.py": {"plugin"}, "decode.py": {"imdecode"}}
    found = {}
    code = [ROOT / "__init__.py", *(p for room in ("core", "operators", "ui", "wheels") for p in (ROOT / room).rglob("*.py"))]
    for path in code:
        kinds = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                owner = ast.unparse(node.value)
                if (owner.split(".")[-1], node.attr) == ("Image", "open") or node.attr in ("MAX_IMAGE_PIXELS", "LOAD_TRUNCATED_IMAGES"):
                    kinds.add(f"{owner}.{node.attr}")
                if node.attr in ("imread", "imdecode", "imreadmulti", "imdecodemulti", "imreadanimation"):
                    kinds.add(node.attr)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("PIL"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                kinds |= {"plugin"} if any("Plugin" in name or "ImageFile" in name for name in names) else set()
                kinds |= {"PIL.Image.open"} if node.module == "PIL.Image" else set()
            if isinstance(node, ast.Name) and node.id in ("register_heif_opener", "register_opener"):
                kinds.add(node.id)
            if isinstance(node, (ast.Import, ast.ImportFrom)) and "imageio" in ast.unparse(node):
                kinds.add("imageio")
        if kinds:
            found[path.name] = kinds
    assert found == allowed


def test_others_settings_of_pillow_stay(tmp_path, monkeypatch):
    """Pillow's limit holds for the whole process, other add-ons too; so do the openers that it knows."""
    Image.init()
    before, known = Image.MAX_IMAGE_PIXELS, set(Image.OPEN)
    for name, data in {"a.png": png(photo_pixels().astype(np.uint8)), "b.jpg": jpeg(photo_pixels())}.items():
        (tmp_path / name).write_bytes(data)
        load_photo(tmp_path / name)
    assert before == Image.MAX_IMAGE_PIXELS and set(Image.OPEN) == known
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # another add-on's, lower than the photo
    assert load_photo(tmp_path / "a.png").colour.shape == load_photo(tmp_path / "b.jpg").colour.shape == (80, 120, 3)
    Image.fromarray(photo_pixels().astype(np.uint8)).save(tmp_path / "c.tif")
    with pytest.raises(DioramaError, match="c.tif has more pixels than Pillow decodes"):
        load_photo(tmp_path / "c.tif")
