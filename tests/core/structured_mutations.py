"""Mutants that get past header checks: one part of a sound file is changed as its format has it, and all sizes and checksums are right.

`structured(data, rng)` takes a file of any kind of the corpus apart, changes one or two parts, and puts it together again.
"""

import io
import json
import re
import struct
import zipfile
import zlib

import numpy as np
from mutations import INTERESTING, WORDS

WORDS_IN_XML = re.compile(rb'(?<==")[^"<>&]*(?=")|(?<=>)[^<>&]+(?=<)')
NAMES = re.compile(rb"\b\w+:\w+\b")
ANCILLARY = (b"gAMA", b"cHRM", b"sRGB", b"tRNS", b"pHYs", b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP", b"sBIT", b"acTL", b"bKGD", b"PLTE")
ODD = [*INTERESTING, -1, -(2**31), 2**53, 2**63, 10**400, 1e308, -0.5, 1e-300, float("nan"), float("inf"), "", "x" * 300, "\0",
       None, True, [], {}]  # fmt: skip


def structured(data: bytes, rng: np.random.Generator) -> bytes:
    """A mutant of the file; the file itself where it cannot be taken apart."""
    try:
        return _change_of(data)(data, rng)
    except (ArithmeticError, EOFError, LookupError, StopIteration, TypeError, ValueError, struct.error, zlib.error, zipfile.BadZipFile):
        return data


def _change_of(data: bytes):
    starts = {
        b"\x89PNG": _png, b"\xff\xd8\xff": _jpeg, b"II*\0": _tiff, b"MM\0*": _tiff, b"RIFF": _webp, b"\x76\x2f\x31\x01": _exr,
        b"\x93NUM": _npy, b"PK\3\4": _npz, b"{": _json_lines, b"<": _xml, b"P": _flipped,
    }  # fmt: skip
    if data[4:8] == b"ftyp":
        return _heif
    return next((change for start, change in starts.items() if data.startswith(start)), _flipped)


def _one(rng, things):
    return things[int(rng.integers(len(things)))]


def _flipped(data: bytes, rng, most: int = 4) -> bytes:
    """A few bytes are others; the length stays."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1)) if out else 0):
        at = int(rng.integers(len(out)))
        if rng.random() < 0.5:
            out[at] ^= 1 << int(rng.integers(8))
        else:
            size = min(len(out) - at, _one(rng, (1, 2, 4)))
            out[at : at + size] = (int(_one(rng, INTERESTING)) % 256**size).to_bytes(size, _one(rng, ("big", "little")))
    return bytes(out)


def _png(data: bytes, rng) -> bytes:
    parts, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + length]])
        at += 12 + length
    what = rng.random()
    if what < 0.4:
        number = next(n for n, (kind, _) in enumerate(parts) if kind == b"IDAT")
        plain = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
        packed = zlib.compress(_flipped(plain, rng, 40))
        parts = [part for part in parts if part[0] != b"IDAT"]
        cut = int(rng.integers(len(packed) + 1))
        parts[number:number] = [[b"IDAT", packed[:cut]], [b"IDAT", packed[cut:]]]
    elif what < 0.7:
        body = rng.bytes(int(rng.integers(0, 40))) if rng.random() < 0.5 else b"a\0\0" + zlib.compress(rng.bytes(60))
        parts.insert(int(rng.integers(1, len(parts))), [_one(rng, ANCILLARY), body])
    elif what < 0.8:
        parts.insert(int(rng.integers(1, len(parts) + 1)), list(_one(rng, parts)))
    else:
        part = _one(rng, parts)
        packed = part[0] == b"iCCP" and b"\0" in part[1]
        if packed:  # the profile within
            head, body = part[1].split(b"\0", 1)
            part[1] = head + b"\0\0" + zlib.compress(_flipped(zlib.decompress(body[1:]), rng))
        else:
            part[1] = _flipped(part[1], rng, 1)
    chunks = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return data[:8] + b"".join(chunks)


def _jpeg(data: bytes, rng) -> bytes:
    """One part before the scan, or the scan's bits (which a decoder reads on from whatever stands there)."""
    parts, at = [], 2
    while data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append([data[at + 1], data[at + 4 : at + 2 + length]])
        at += 2 + length
    scan, what = data[at:], rng.random()
    if what < 0.35 and len(scan) > 40:
        body = bytearray(scan[14:-2])
        for _ in range(int(rng.integers(1, 6))):
            body[int(rng.integers(len(body)))] = int(rng.integers(255))
        scan = scan[:14] + bytes(body) + scan[-2:]
    elif what < 0.5:
        parts.insert(int(rng.integers(len(parts) + 1)), list(_one(rng, parts)))
    else:
        about = [part for part in parts if part[0] >= 0xE0] if rng.random() < 0.8 else parts
        part = _one(rng, about or parts)
        inside = part[1].find(b"<x:xmpmeta")
        changed = _xml if inside >= 0 and rng.random() < 0.9 else _tiff_block if part[1][:6] == b"Exif\0\0" else _flipped
        start = max(inside, 0) if changed is _xml else 6 if changed is _tiff_block else 0
        part[1] = (part[1][:start] + changed(part[1][start:], rng))[:65_533]
    return b"\xff\xd8" + b"".join(struct.pack(">BBH", 255, kind, len(body) + 2) + body for kind, body in parts) + scan


def _tiff_block(data: bytes, rng) -> bytes:
    return _tiff(data, rng) if data[:4] in (b"II*\0", b"MM\0*") else _flipped(data, rng)


def _tiff(data: bytes, rng) -> bytes:
    """One field of one entry of the first directory, or the bytes behind."""
    out, order = bytearray(data), "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    if rng.random() < 0.5:
        tags = [struct.unpack_from(order + "H", data, directory + 2 + 12 * n)[0] for n in range(count)]
        at = directory + 2 + 12 * int(rng.integers(count))
        field, form = _one(rng, [(0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")])
        value = int(_one(rng, tags)) if field == 0 else int(rng.integers(0, 14)) if form == "H" else int(_one(rng, INTERESTING))
        struct.pack_into(order + form, out, at + field, value % (65536 if form == "H" else 2**32))
        return bytes(out)
    after = directory + 6 + 12 * count
    low, high = (after, len(data)) if after + 16 < len(data) else (8, directory)
    return data[:low] + _flipped(data[low:high], rng, 10) + data[high:]


def _webp(data: bytes, rng) -> bytes:
    parts, at = [], 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        parts.append([kind, data[at + 8 : at + 8 + length]])
        at += 8 + length + length % 2
    what = rng.random()
    if what < 0.4:
        parts.insert(int(rng.integers(len(parts) + 1)), [_one(rng, (b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"ANIM", b"junk")), rng.bytes(40)])
    elif what < 0.6:
        part = _one(rng, parts)
        part[1] = _tiff_block(part[1], rng) if part[0] == b"EXIF" else _flipped(part[1], rng, 1)
    else:
        part = max(parts, key=lambda each: len(each[1]))
        part[1] = part[1][:30] + _flipped(part[1][30:], rng)
    body = b"".join(struct.pack("<4sI", kind, len(each)) + each + b"\0" * (len(each) % 2) for kind, each in parts)
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WEBP") + body


def _exr(data: bytes, rng) -> bytes:
    """One attribute's value, or what a block unpacks to, its length and the table of offsets right again."""
    if rng.random() < 0.3:
        at, spans = 8, []
        while data[at]:
            start = data.index(b"\0", data.index(b"\0", at) + 1) + 1
            (length,) = struct.unpack_from("<i", data, start)
            spans.append((start + 4, start + 4 + length))
            at = start + 4 + length
        low, high = _one(rng, spans)
        return data[:low] + _flipped(data[low:high], rng, 1) + data[high:]
    place = data.index(b"compression\0compression\0") + 28
    start = next(
        n
        for n in range(8, len(data) - 8)
        if (first := struct.unpack_from("<Q", data, n)[0]) < len(data)
        and first > n
        and (first - n) % 8 == 0
        and data[n - 1] == 0
        and struct.unpack_from("<i", data, first + 4)[0] <= len(data) - first - 8
    )
    offsets = struct.unpack_from(f"<{(struct.unpack_from('<Q', data, start)[0] - start) // 8}Q", data, start)
    number, blocks = int(rng.integers(len(offsets))), []
    for n, offset in enumerate(offsets):
        y, length = struct.unpack_from("<ii", data, offset)
        body = data[offset + 8 : offset + 8 + length]
        if n == number:
            body = zlib.compress(_flipped(zlib.decompress(body), rng, 20)) if data[place] in (2, 3) else _flipped(body, rng)
        blocks.append(struct.pack("<ii", y, len(body)) + body)
    first, table = offsets[0], b""
    for block in blocks:
        table, first = table + struct.pack("<Q", first), first + len(block)
    return data[:start] + table + b"".join(blocks)


def _npy(data: bytes, rng) -> bytes:
    """The header's dictionary, or numbers."""
    length = int.from_bytes(data[8:10], "little")
    if rng.random() < 0.3:
        values = np.frombuffer(data[10 + length :], "<f4").copy()
        values[rng.integers(0, len(values), 9)] = rng.choice([np.nan, np.inf, -1, 0, 3e38, 1e-40, -np.inf], 9)
        return data[: 10 + length] + values.tobytes()
    header = data[10 : 10 + length]
    old, new = _one(rng, [
        (b"<f4", b"<f8"), (b"<f4", b">f4"), (b"<f4", b"<i4"), (b"<f4", b"<u2"), (b"<f4", b"|O"), (b"<f4", b"<f2"), (b"<f4", b"<c8"),
        (b"False", b"True"), (b"40, 60", b"60, 40"), (b"40, 60", b"1, 40, 60"), (b"40, 60", b"2400,"), (b"40, 60", b"40, 6"),
        (b"40, 60", b"-40, 60"), (b"40, 60", b"4, 10, 60"), (b"40, 60", b"40, 99999999"),
    ])  # fmt: skip
    header = header.replace(old, new).rstrip(b" \n").ljust(117) + b"\n"
    return data[:8] + len(header).to_bytes(2, "little") + header + data[10 + length :]


def _npz(data: bytes, rng) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", _one(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, body in entries:
            archive.writestr(_one(rng, (name, "a/" + name, "../x.npy", "readme.txt")) if rng.random() < 0.2 else name, _npy(body, rng))
            if rng.random() < 0.2:
                archive.writestr("more.npy", _flipped(body, rng))
    return out.getvalue()


BOXES = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iref": 4}
"""HEIF's boxes of boxes, and how many bytes of their own stand before."""
SAFE_TO_CHANGE = (b"ispe", b"irot", b"imir", b"colr", b"pixi", b"auxC", b"clap", b"iref", b"dimg", b"cdsc", b"auxl", b"thmb", b"infe",
                  b"ipma")  # fmt: skip


def _heif(data: bytes, rng) -> bytes:
    """The payload of one small box, or the coded picture and EXIF; offsets stay right as no length changes."""
    spans, whole = [], []

    def walk(low: int, high: int) -> None:
        while low + 8 <= high:
            size, kind = struct.unpack_from(">I4s", data, low)
            if size < 8:
                return
            (whole if kind == b"mdat" else spans).append((kind, low + 8, low + size))
            if kind in BOXES:
                walk(low + 8 + BOXES[kind], low + size)
            low += size

    walk(0, len(data))
    chosen = [span for span in spans if span[0] in SAFE_TO_CHANGE]
    _, low, high = _one(rng, chosen if rng.random() < 0.6 else whole or chosen)
    return data[:low] + _flipped(data[low:high], rng, 2) + data[high:]


def _xml(data: bytes, rng) -> bytes:
    """A value or a name of the packet is another, which leaves it well-formed."""
    matches = list(WORDS_IN_XML.finditer(data)) if rng.random() < 0.9 else list(NAMES.finditer(data))
    if not matches:
        return data
    match = _one(rng, matches)
    other = _one(rng, matches)[0] if rng.random() < 0.4 else _one(rng, [word for word in WORDS if b"<" not in word])
    if rng.random() < 0.3:  # of a long value, such as a picture in base64, a part
        other = _flipped(match[0], rng).translate(bytes.maketrans(b'<>&"', b"0000"))
    return data[: match.start()] + other + data[match.end() :]


def _json_lines(data: bytes, rng) -> bytes:
    lines = data.decode().splitlines() if data.count(b"\n{") else [data.decode()]
    number = int(rng.integers(len(lines)))
    value = json.loads(lines[number])
    _change_tree(value, rng)
    lines[number] = json.dumps(value)
    return ("\n".join(lines) + "\n").encode()


def _change_tree(value, rng) -> None:
    """One leaf, or a whole branch, of lists and dictionaries becomes something odd."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = _one(rng, keys)
    if isinstance(value[key], (dict, list)) and value[key] and rng.random() < 0.8:
        _change_tree(value[key], rng)
    elif isinstance(value, dict) and rng.random() < 0.15:
        del value[key]
    else:
        value[key] = _one(rng, ODD)
