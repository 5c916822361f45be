"""Small picture files that claim many pixels or much work: what each kind's decoder can be made to do with the fewest bytes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 255, marker, len(payload) + 2) + payload


def jpeg(width: int, height: int, scans: int = 1, colours: int = 3, frame: int = 0xC2) -> bytes:
    """A JPEG of flat grey in a few bits, by tables in which one bit ends 16,384 blocks; `frame` C2 is progressive."""
    tables = segment(0xDB, b"\0" + b"\1" * 64)
    shape = struct.pack(">BHHB", 8, height, width, colours) + b"".join(bytes([n + 1, 0x11, 0]) for n in range(colours))
    codes = segment(0xC4, b"\0\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    all_colours = bytes([colours]) + b"".join(bytes([n + 1, 0]) for n in range(colours))
    first = segment(0xDA, all_colours + bytes([0, 0 if frame == 0xC2 else 63, 0])) + bytes(16)
    rest = b"".join(segment(0xDA, bytes([1, n % colours + 1, 0, 1, 63, 0])) + bytes(2000) for n in range(scans - 1))
    return b"\xff\xd8" + tables + segment(frame & 255, shape) + codes + first + rest + b"\xff\xd9"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int = 8, colour_type: int = 2, before: bytes = b"") -> bytes:
    """A black PNG; `before` its data."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    packer, row = zlib.compressobj(9), bytes(1 + width * channels * bits // 8)
    data = b"".join([packer.compress(row) for _ in range(height)] + [packer.flush()])
    palette = chunk(b"PLTE", bytes(768)) if colour_type == 3 else b""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + palette + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp(width: int, height: int, mode: str = "RGB") -> bytes:
    """A black WebP, of 34 bytes whatever its size."""
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "WEBP", lossless=True, method=0, quality=0)
    return out.getvalue()


def tiff(width: int, height: int, piece: bytes, rows: int, compression: int = 8, bits: int = 8, shared: bool = True,
         more: tuple = (), big: bool = False) -> bytes:  # fmt: skip
    """An RGB TIFF of strips of `rows` rows; with `shared` each is the same bytes of the file."""
    strips = -(-height // rows)

    def whole(start: int) -> bytes:
        starts = [start + (0 if shared else n * len(piece)) for n in range(strips)]
        tags = [
            (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * 3), (259, 3, [compression]), (262, 3, [2]), (273, 4, starts),
            (277, 3, [3]), (278, 4, [rows]), (279, 4, [len(piece)] * strips), (284, 3, [1]), *more,
        ]  # fmt: skip
        entries, behind = b"", b""
        head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
        count, place, size = ("<Q", "<Q", 20) if big else ("<H", "<I", 12)
        end = len(head) + struct.calcsize(count) + size * len(tags) + struct.calcsize(place)
        for tag, kind, values in sorted(tags):
            data = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
            wide = struct.calcsize(place)
            if len(data) > wide:
                data, behind = struct.pack(place, end + len(behind)), behind + data
            entries += struct.pack("<HH", tag, kind) + struct.pack(place, len(values)) + data.ljust(wide, b"\0")
        return head + struct.pack(count, len(tags)) + entries + struct.pack(place, 0) + behind

    return whole(len(whole(0))) + piece * (1 if shared else strips)


def heif_grid(rows: int, columns: int, side: int = 512) -> bytes:
    """A HEIC of `rows` x `columns` tiles that are all one coded picture; asks for pillow-heif."""
    from pillow_heif import from_pillow

    out = io.BytesIO()
    from_pillow(Image.new("RGB", (side, side), (90, 90, 90))).save(out, quality=30)
    data = out.getvalue()
    top = {kind: content for kind, content in _boxes(data)}
    meta = {kind: content for kind, content in _boxes(top[b"meta"][4:])}
    properties = dict(_boxes(dict(_boxes(meta[b"iprp"]))[b"ipco"]))
    width, height, count = columns * side, rows * side, rows * columns
    coded, grid = top[b"mdat"], struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    names = b"".join(_full(b"infe", 2, struct.pack(">HH", n, 0), kind, b"\0") for n, kind in ((1, b"hvc1"), (2, b"grid")))
    iref = _full(b"iref", 0, _box(b"dimg", struct.pack(">HH", 2, count), struct.pack(">H", 1) * count))
    sizes = [_full(b"ispe", 0, struct.pack(">II", *size)) for size in ((side, side), (width, height))]
    ipco = _box(b"ipco", _box(b"hvcC", properties[b"hvcC"]), *sizes)
    ipma = _full(b"ipma", 0, struct.pack(">IHBBBHBB", 2, 1, 2, 2, 0x81, 2, 1, 3))
    ftyp = _box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def described(start: int) -> bytes:
        iloc = struct.pack(">HH", 0x4400, 2)
        iloc += struct.pack(">HHHII", 1, 0, 1, start, len(coded)) + struct.pack(">HHHII", 2, 0, 1, start + len(coded), len(grid))
        return _full(
            b"meta", 0, _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)), _full(b"pitm", 0, struct.pack(">H", 2)), _full(b"iloc", 0, iloc),
            _full(b"iinf", 0, struct.pack(">H", 2), names), _box(b"iprp", ipco, ipma), iref,
        )  # fmt: skip

    return ftyp + described(len(ftyp) + len(described(0)) + 8) + _box(b"mdat", coded, grid)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _boxes(data: bytes):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def exr(width: int, height: int, channels: int = 3) -> bytes:
    """A black OpenEXR file of ZIP compression."""
    import cv2

    shape = (height, width, channels) if channels > 1 else (height, width)
    return cv2.imencode(".exr", np.zeros(shape, np.float32))[1].tobytes()


LARGEST = {
    "progressive.jpg": lambda w, h: jpeg(w, h, 100),
    "four-colours.jpg": lambda w, h: jpeg(w, h, 100, 4),
    "baseline.jpg": lambda w, h: jpeg(w, h, frame=0xC0),
    "flat.png": png,
    "grey.png": lambda w, h: png(w, h, 8, 0),
    "palette.png": lambda w, h: png(w, h, 8, 3),
    "alpha.png": lambda w, h: png(w, h, 8, 6),
    "deep.png": lambda w, h: png(w, h, 16, 2),
    "deep-alpha.png": lambda w, h: png(w, h, 16, 6),
    "deep-grey.png": lambda w, h: png(w, h, 16, 0),
    "flat.webp": webp,
    "alpha.webp": lambda w, h: webp(w, h, "RGBA"),
    "one-strip.tif": lambda w, h: tiff(w, h, zlib.compress(bytes(w * h * 3), 9), h),
    "strips.tif": lambda w, h: tiff(w, h, zlib.compress(bytes(w * 3), 9), 1, shared=False),
    "deep.tif": lambda w, h: tiff(w, h, zlib.compress(bytes(w * 6), 9), 1, bits=16, shared=False),
    "grid.heic": lambda w, h: heif_grid(h // 512, w // 512),
    "colour.exr": exr,
    "alpha.exr": lambda w, h: exr(w, h, 4),
    "grey.exr": lambda w, h: exr(w, h, 1),
}
"""By file name, a file of width x height pixels, each side a multiple of 512."""
