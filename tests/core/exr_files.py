"""OpenEXR files written byte by byte: parts, layers and every compression that is read."""

import struct
import zlib

import numpy as np


def attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def packed(plain: bytes, compression: int) -> bytes:
    """Bytes as OpenEXR compresses them: even ones first, differences, then ZIP or runs."""
    if compression == 0:
        return plain
    raw = np.frombuffer(plain, np.uint8)
    parted = np.concatenate([raw[0::2], raw[1::2]]).astype(int)
    steps = np.concatenate([parted[:1], np.diff(parted) + 128]).astype(np.uint8).tobytes()
    if compression > 1:
        short = zlib.compress(steps)
    else:
        short, at = bytearray(), 0
        while at < len(steps):
            run = 1
            while run < 127 and steps[at : at + run + 1] == steps[at : at + 1] * (run + 1):
                run += 1
            if run > 2:
                short += bytes([run - 1]) + steps[at : at + 1]
            else:
                run = min(9, len(steps) - at)
                short += bytes([256 - run]) + steps[at : at + run]
            at += run
        short = bytes(short)
    return short if len(short) < len(plain) else plain


def exr(parts: list[dict[str, np.ndarray]], compression: int, multi: bool | None = None, top: int = 0) -> bytes:
    """Scan line parts of channels of half or float values, as Blender writes them."""
    multi, heads, bodies = len(parts) > 1 if multi is None else multi, [], []
    sizes = [next(iter(channels.values())).shape for channels in parts]
    whole = struct.pack("<4i", 0, top, max(w for _, w in sizes) - 1, top + max(h for h, _ in sizes) - 1)
    for number, channels in enumerate(parts):
        height, width = sizes[number]
        names = sorted(channels)
        kinds = {name: 1 if channels[name].dtype == np.float16 else 2 for name in names}
        listed = b"".join(n.encode() + b"\0" + struct.pack("<iIii", kinds[n], 0, 1, 1) for n in names) + b"\0"
        box = struct.pack("<4i", 0, top, width - 1, top + height - 1)
        head = attribute("channels", "chlist", listed) + attribute("compression", "compression", bytes([compression]))
        head += attribute("dataWindow", "box2i", box) + attribute("displayWindow", "box2i", whole)
        head += attribute("lineOrder", "lineOrder", b"\0") + attribute("pixelAspectRatio", "float", struct.pack("<f", 1))
        head += attribute("screenWindowCenter", "v2f", bytes(8)) + attribute("screenWindowWidth", "float", struct.pack("<f", 1))
        lines = {0: 1, 1: 1, 2: 1, 3: 16}[compression]
        if multi:
            head += attribute("name", "string", b"part%d" % number) + attribute("type", "string", b"scanlineimage")
            head += attribute("chunkCount", "int", struct.pack("<i", -(-height // lines)))
        heads.append(head + b"\0")
        blocks = []
        for row in range(0, height, lines):
            plain = b"".join(channels[n][y].tobytes() for y in range(row, min(row + lines, height)) for n in names)
            data = packed(plain, compression)
            blocks.append((struct.pack("<i", number) if multi else b"") + struct.pack("<ii", top + row, len(data)) + data)
        bodies.append(blocks)
    head = struct.pack("<II", 20000630, 2 | (0x1000 if multi else 0)) + b"".join(heads) + (b"\0" if multi else b"")
    at, table = len(head) + 8 * sum(map(len, bodies)), b""
    for block in (b for blocks in bodies for b in blocks):
        table += struct.pack("<Q", at)
        at += len(block)
    return head + table + b"".join(b for blocks in bodies for b in blocks)
