"""A reader of MP4 boxes of its own, for tests: what lies where, by path."""

import struct

CONTAINERS = {"moov", "trak", "mdia", "minf", "stbl", "edts", "udta", "sv3d", "proj"}
BEFORE = {"stsd": 8, "avc1": 78, "mp4v": 78}


def boxes_of(data: bytes, path: str = "") -> dict[str, bytes]:
    """Contents of all boxes by path, the second of a kind as trak2; every size must be right."""
    found, at, seen = {}, 0, {}
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        assert head <= size <= len(data) - at, (path, kind, size)
        name, content = kind.decode("latin-1"), data[at + head : at + size]
        seen[name] = seen.get(name, 0) + 1
        own = f"{path}{name}{seen[name] if seen[name] > 1 else ''}"
        found[own] = content
        if name in CONTAINERS or name in BEFORE:
            found |= boxes_of(content[BEFORE.get(name, 0) :], f"{own}/")
        at += size
    return found
