"""Marks an MP4 or MOV as VR180 for players: boxes of Spherical Video V2.

After Google's "Spherical Video V2 RFC": `st3d` (both eyes side by side) and `sv3d` (equirectangular, with bounds that leave the
front half sphere) are in the video's sample entry. The layout of boxes is that of ISO/IEC 14496-12.
"""

from __future__ import annotations

import io
import os
import shutil
import struct
from pathlib import Path

from ..errors import DioramaError
from ..models.file_lock import open_fresh

SIDE_BY_SIDE = 2
QUARTER = 1 << 30
"""A quarter of the whole width as a 0.32 fixed-point number: half a sphere leaves out a quarter on each side."""
MARKED = (".mp4", ".mov")
"""Endings of films that can carry the boxes."""
MAX_HEADERS = 64_000_000
"""Bytes of a `moov` box; none of our movies has a longer one."""
BEFORE_BOXES = 78
"""Bytes of a visual sample entry before the boxes in it."""
PATH_TO_ENTRIES = (b"mdia", b"minf", b"stbl")


def mark_vr180(movie: Path) -> None:
    """Writes the boxes into the file, beside it and renamed; pictures and sound stay byte for byte the same.

    Raises DioramaError for a file that is no such movie, is damaged, or has a projection already; OSError of the disk.
    """
    beside = movie.with_name(f".{movie.name}.marked")
    try:
        with open(movie, "rb") as source:
            boxes = _boxes_of_file(source, movie)
            start, size = boxes[b"moov"]
            if size > MAX_HEADERS:
                raise _unusable(movie)
            source.seek(start)
            try:
                grown = _with_projection(source.read(size), movie)
                if boxes[b"mdat"][0] > start:  # the pictures move back by what was put before them
                    grown = _moved(grown, len(grown) - size)
            except (struct.error, IndexError):
                raise _unusable(movie) from None
            with io.BufferedWriter(open_fresh(beside)) as target:
                source.seek(0)
                _copy(source, target, start)
                target.write(grown)
                source.seek(start + size)
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
        os.replace(beside, movie)
    finally:
        beside.unlink(missing_ok=True)


def projection_boxes() -> bytes:
    """`st3d` and `sv3d` of half a sphere for each eye, side by side."""
    stereo = _full(b"st3d", struct.pack(">B", SIDE_BY_SIDE))
    header = _full(b"svhd", b"Photo Diorama\0")
    pose = _full(b"prhd", struct.pack(">3i", 0, 0, 0))  # yaw, pitch, roll
    bounds = _full(b"equi", struct.pack(">4I", 0, 0, QUARTER, QUARTER))  # top, bottom, left, right
    return stereo + _box(b"sv3d", header + _box(b"proj", pose + bounds))


def children(data: bytes, start: int, end: int) -> list[tuple[bytes, int, int, int]]:
    """(kind, start, start of what is in it, end) of each box between two places. Raises struct.error or IndexError for damage."""
    found = []
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        inner = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, inner)
            inner += 8
        elif size == 0:
            size = end - start
        if start + size > end or inner > start + size:
            raise IndexError("a box leaves the one that it is in")
        found.append((kind, start, inner, start + size))
        start += size
    return found


def video_entry(moov: bytes, movie: Path) -> tuple[int, ...]:
    """Where the boxes lie that hold the picture's sample entry, from `moov` down to the entry itself, and its end last."""
    (_, _, inside, end), *_ = children(moov, 0, len(moov))
    for kind, track, within, until in children(moov, inside, end):
        if kind != b"trak":
            continue
        places = [0, track]
        for wanted in PATH_TO_ENTRIES:
            box = next((b for b in children(moov, within, until) if b[0] == wanted), None)
            if box is None:
                break
            if wanted == b"minf" and not any(b[0] == b"vmhd" for b in children(moov, box[2], box[3])):
                break  # sound
            _, place, within, until = box
            places.append(place)
        else:
            table = next((b for b in children(moov, within, until) if b[0] == b"stsd"), None)
            if table is not None:
                entries = children(moov, table[2] + 8, table[3])
                if len(entries) == 1:
                    return (*places, table[1], entries[0][1], entries[0][3])
    raise _unusable(movie)


def _with_projection(moov: bytes, movie: Path) -> bytes:
    *around, end = video_entry(moov, movie)
    inside = children(moov, around[-1] + 8 + BEFORE_BOXES, end)
    if any(box[0] in (b"st3d", b"sv3d") for box in inside):
        raise DioramaError(f"{movie} says already how it is projected; render it again to say it anew.")
    new, place = projection_boxes(), inside[0][3]  # after the codec's own box, before optional ones
    data = bytearray(moov[:place] + new + moov[place:])
    for place in around:
        (size,) = struct.unpack_from(">I", data, place)
        if size < 8:  # 64-bit sizes are for boxes of 4 GB
            raise _unusable(movie)
        struct.pack_into(">I", data, place, size + len(new))
    return bytes(data)


def _moved(moov: bytes, by: int) -> bytes:
    """`moov` with the offsets of pictures and sound in the file moved on by `by` bytes."""
    data = bytearray(moov)

    def move(start: int, end: int) -> None:
        for kind, _, inner, until in children(data, start, end):
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                move(inner, until)
            elif kind in (b"stco", b"co64"):
                number = ">I" if kind == b"stco" else ">Q"
                (count,) = struct.unpack_from(">I", data, inner + 4)
                for at in range(inner + 8, inner + 8 + count * struct.calcsize(number), struct.calcsize(number)):
                    struct.pack_into(number, data, at, struct.unpack_from(number, data, at)[0] + by)

    move(0, len(data))
    return bytes(data)


def _boxes_of_file(source, movie: Path) -> dict[bytes, tuple[int, int]]:
    """(start, size) of the boxes of the file itself; those of which there must be one are there once."""
    source.seek(0, os.SEEK_END)
    end, start, found = source.tell(), 0, []
    while start < end:
        source.seek(start)
        head = source.read(16)
        if len(head) < 8:
            raise _unusable(movie)
        size, kind = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
        elif size == 0:
            size = end - start
        if size < 8 or start + size > end:
            raise _unusable(movie)
        found.append((kind, start, size))
        start += size
    kinds = [kind for kind, *_ in found]
    if kinds.count(b"moov") != 1 or kinds.count(b"mdat") != 1 or b"moof" in kinds:
        raise _unusable(movie)
    return {kind: (start, size) for kind, start, size in found}


def _copy(source, target, count: int) -> None:
    while count:
        piece = source.read(min(count, 1 << 20))
        if not piece:
            raise EOFError
        target.write(piece)
        count -= len(piece)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full(kind: bytes, content: bytes) -> bytes:
    """A box with version and flags, both 0."""
    return _box(kind, bytes(4) + content)


def _unusable(movie: Path) -> DioramaError:
    return DioramaError(f"{movie} is no MP4 or MOV with one picture track that can be told to be VR180; render it again.")
