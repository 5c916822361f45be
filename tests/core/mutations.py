"""A seeded mutator of input files: sound photos, depth files and XMP, changed so that every reader meets damage and lies.

Case N is always the same bytes: `case(N)`. What a reader may answer is a result or a DioramaError: `outcome(...)`.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from depth_photo_files import (
    GDEPTH,
    apple_photo,
    dynamic_depth_photo,
    gdepth_photo,
    photo_pixels,
    png,
    rdf,
    samsung_photo,
)
from PIL import Image

from photo_diorama.core.errors import DioramaError

PHOTO, DEPTH, CARRIED, XMP = "photo", "depth", "carried", "xmp"
SMALL = dict(long_side=64, passes=1, depth_kind="auto", inpainter="diffusion", hidden_depth="nearest")
INTERESTING = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = [
    b"nan",
    b"-1",
    b"0",
    b"1e999",
    b"-inf",
    b"1e-300",
    b"99999999999999999999",
    b"",
    b"\xc3\xa9",
    b"<",
    b"&lt;",
    b"0x10",
]
NUMBER = re.compile(rb"-?\d+\.?\d*")


@dataclass(frozen=True)
class Seed:
    """A sound file."""

    kind: str
    name: str
    data: bytes


def depth_map(height=40, width=60) -> np.ndarray:
    """(height, width) float32 metres: a tilted wall and a board before it."""
    metres = np.tile(np.linspace(3, 8, width, dtype=np.float32), (height, 1))
    metres[height // 4 : height // 2, width // 3 : width // 2] = 1.5
    return metres


def _saved(mode: str, form: str, **options) -> bytes:
    out = io.BytesIO()
    picture = Image.fromarray(photo_pixels().astype(np.uint8)).convert(mode)
    picture.save(out, form, **options)
    return out.getvalue()


def _encoded(ending: str, pixels: np.ndarray) -> bytes:
    import os

    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    return cv2.imencode(ending, pixels)[1].tobytes()


def _numpy(save: Callable, values: np.ndarray) -> bytes:
    out = io.BytesIO()
    save(out, values)
    return out.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 3, "Maker"
    exif.get_ifd(0x8769).update({0x920A: 4.2, 0xA405: 26, 0xA20E: 300.0, 0xA210: 2, 0xA002: 120, 0xA003: 80})
    return exif


@lru_cache(maxsize=1)
def seeds() -> tuple[Seed, ...]:
    """Small sound files of every kind that is read; HEIC where pillow-heif is there."""
    from PIL import ImageCms

    metres, icc = depth_map(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sixteen, grey = (metres * 1000).astype(np.uint16), (metres * 25).astype(np.uint8)
    colour16 = photo_pixels().astype(np.uint16) * 257
    camera = {"matrix": (90, 0, 0, 0, 90, 0, 60, 40, 1), "reference": (120, 80)}
    made = [
        Seed(PHOTO, "a.jpg", _saved("RGB", "JPEG", exif=_exif(), icc_profile=icc)),
        Seed(PHOTO, "progressive.jpg", _saved("RGB", "JPEG", progressive=True)),
        Seed(PHOTO, "cmyk.jpg", _saved("CMYK", "JPEG")),
        Seed(PHOTO, "a.png", _saved("RGBA", "PNG", icc_profile=icc)),
        Seed(PHOTO, "palette.png", _saved("P", "PNG", transparency=3)),
        Seed(PHOTO, "deep.png", _encoded(".png", colour16)),
        Seed(PHOTO, "a.tif", _saved("RGB", "TIFF", compression="tiff_lzw", exif=_exif())),
        Seed(PHOTO, "plain.tif", _saved("RGB", "TIFF")),
        Seed(PHOTO, "deep.tif", _encoded(".tif", colour16)),
        Seed(PHOTO, "a.webp", _saved("RGBA", "WEBP", exif=_exif())),
        Seed(PHOTO, "a.exr", _encoded(".exr", photo_pixels().astype(np.float32) / 255)),
        Seed(DEPTH, "d8.png", png(grey)),
        Seed(DEPTH, "d16.png", png(sixteen)),
        Seed(DEPTH, "d.tif", _encoded(".tif", sixteen)),
        Seed(DEPTH, "float.tif", _encoded(".tif", metres)),
        Seed(DEPTH, "d.exr", _encoded(".exr", metres)),
        Seed(DEPTH, "d.npy", _numpy(np.save, metres)),
        Seed(DEPTH, "d.npz", _numpy(np.savez_compressed, metres)),
        Seed(DEPTH, "d.pfm", b"Pf\n60 40\n-1.0\n" + metres[::-1].tobytes()),
        Seed(CARRIED, "gdepth.jpg", gdepth_photo(png(sixteen), 1, 9, orientation=6, chunk=1000)),
        Seed(CARRIED, "apple.jpg", apple_photo(grey, 0.5, 4, matte=grey, orientation=8, **camera)),
        Seed(CARRIED, "dynamic.jpg", dynamic_depth_photo(png(grey), 1, 9, confidence=png(grey), padding=5)),
        Seed(CARRIED, "samsung.jpg", samsung_photo(grey)),
        Seed(XMP, "packet.xmp", rdf(f'xmlns:GDepth="{GDEPTH}" GDepth:Near="1" GDepth:Far="2"', "<a><b>1.5</b></a>")),
    ]
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return tuple(made)
    register_heif_opener()
    return (
        *made,
        Seed(PHOTO, "a.heic", _saved("RGB", "HEIF", exif=_exif())),
        Seed(PHOTO, "a.heif", _saved("RGBA", "HEIF")),
    )


def real_seeds(folder: Path) -> tuple[Seed, ...]:
    """Phones' own photos that carry depth, in a folder outside of the project; empty where it is missing."""
    names = ["heic/pug.heic", "heic/spatial_photo.heic", "apple_ios_depth_sampler/image-with-depth.jpg",
             "google_gdepth_xmp.jpg"]  # fmt: skip
    return tuple(Seed(CARRIED, Path(n).name, (folder / n).read_bytes()) for n in names if (folder / n).is_file())


def case(number: int, real: tuple[Seed, ...] = ()) -> Seed:
    """Mutated file `number`, its seeds taken in turn; `real` ones are one in eight."""
    rng = np.random.default_rng(number)
    made = seeds()
    chosen = real[number // 8 % len(real)] if real and number % 8 == 7 else made[number % len(made)]
    return Seed(chosen.kind, chosen.name, mutated(chosen.data, rng))


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes after one change or up to six; of half of the PNGs the checksums are right again, so that lies get in."""
    out = bytearray(data)
    for _ in range(1 if rng.random() < 0.6 else int(rng.integers(2, 7))):
        if len(out) < 8:
            break
        CHANGES[int(rng.integers(len(CHANGES)))](out, _place(out, rng), rng)
    if out[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.5:
        _mend_checksums(out)
    return bytes(out)


def _place(out: bytearray, rng: np.random.Generator) -> int:
    """Anywhere, but half of the time in the first kilobyte, where headers lie."""
    return int(rng.integers(min(len(out), 1024) if rng.random() < 0.5 else len(out)))


def _flip(out, at, rng) -> None:
    out[at] ^= 1 << int(rng.integers(8))


def _overwrite(out, at, rng) -> None:
    noise = rng.bytes(int(rng.integers(1, 9)))
    out[at : at + len(noise)] = noise


def _number(out, at, rng) -> None:
    value, order = int(rng.choice(INTERESTING)), "<>"[int(rng.integers(2))]
    packed = struct.pack(order + "I", value) if rng.random() < 0.5 or value > 65535 else struct.pack(order + "H", value)
    out[at : at + len(packed)] = packed


def _cut(out, at, rng) -> None:
    del out[at : at + int(rng.integers(1, 80))]


def _double(out, at, rng) -> None:
    out[at:at] = out[at : at + int(rng.integers(1, 80))] * int(rng.integers(1, 4))


def _truncate(out, at, rng) -> None:
    if rng.random() < 0.3:
        del out[max(at, 4) :]


def _text(out, at, rng) -> None:
    """A number written in letters becomes another; JPEG's segment lengths then lie, as hand-made files' do."""
    match = NUMBER.search(out, at)
    if match:
        word = WORDS[int(rng.integers(len(WORDS)))]
        out[match.start() : match.end()] = word.ljust(len(match[0]))[: len(match[0])] if rng.random() < 0.7 else word


def _move(out, at, rng) -> None:
    """A piece from elsewhere in the file."""
    other, size = int(rng.integers(len(out))), int(rng.integers(1, 60))
    out[at : at + size] = out[other : other + size]


CHANGES = (
    _flip,
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _number,
    _number,
    _number,
    _text,
    _text,
    _move,
    _cut,
    _double,
    _truncate,
)


def _mend_checksums(out: bytearray) -> None:
    at = 8
    while at + 12 <= len(out):
        length = struct.unpack_from(">I", out, at)[0]
        if at + 12 + length > len(out):
            return
        struct.pack_into(">I", out, at + 8 + length, zlib.crc32(out[at + 4 : at + 8 + length]))
        at += 12 + length


def outcome(seed: Seed, folder: Path) -> str:
    """What the program makes of the file, "a scene", "a result", "nothing" or "a sentence"; anything else raises.

    A photo is built with a sound depth map, a depth map with a sound photo, a photo with its own depth as far as it has one.
    """
    from photo_diorama.core.depth.depth_in_photo import inspect_depth, read_embedded_depth, read_embedded_original
    from photo_diorama.core.photo.xmp import parse_xmp
    from photo_diorama.core.pipeline import build_diorama
    from photo_diorama.core.settings import Settings

    settings = Settings().with_values(SMALL)
    path, photo, depth = folder / seed.name, folder / "sound.png", folder / "sound.npy"
    path.write_bytes(seed.data)
    if not photo.exists():
        photo.write_bytes(_saved("RGB", "PNG"))
        np.save(depth, depth_map())
    try:
        if seed.kind == XMP:
            parse_xmp(seed.data, str(path))
            return "a result"
        if seed.kind == CARRIED:
            inspect_depth(path)
            read_embedded_original(path)
            if read_embedded_depth(path) is None:
                return "nothing"
            built = build_diorama(path, None, settings)
        else:
            built = build_diorama(*((path, depth) if seed.kind == PHOTO else (photo, path)), settings)
    except DioramaError as error:
        text = str(error)
        assert text.endswith(".") and "\n" not in text and len(text) < 600, text
        assert seed.name in text, text
        return "a sentence"
    for mesh in built.mesh.meshes:
        assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.uvs).all()
        assert len(mesh.triangles) == 0 or 0 <= mesh.triangles.min() <= mesh.triangles.max() < len(mesh.vertices)
    return "a scene"
