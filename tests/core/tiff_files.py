"""TIFF files written byte by byte: pages, pages below pages, any kind of numbers."""

from __future__ import annotations

import struct

import numpy as np


def tiff(pages: list[dict], big_endian: bool = False) -> bytes:
    """Uncompressed pages in one strip each.

    Of each: `pixels` (H, W[, channels]); optional `photometric`, `extra` (ExtraSamples), `subfile` (NewSubfileType), `old`
    (SubfileType), `profile` (ICC bytes), `exif` (a directory of numbers, of texts as bytes, and of directories), and `below`,
    pages listed as its SubIFDs.
    """
    order = ">" if big_endian else "<"
    out = bytearray((b"MM\0*" if big_endian else b"II*\0") + bytes(4))

    def append(data: bytes) -> int:
        out.extend(b"\0" * (len(out) % 2))
        at = len(out)
        out.extend(data)
        return at

    def write(page: dict) -> tuple[int, int]:
        """Where the page's directory lies, and where in it the offset of the next is to stand."""
        pixels = np.atleast_3d(page["pixels"])
        height, width, samples = pixels.shape
        below = [write(each)[0] for each in page.get("below", ())]
        data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        strip = append(data)
        kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
        photometric = page.get("photometric", 2 if samples >= 3 else 1)
        tags: dict[int, tuple[str, tuple]] = {
            256: ("I", (width,)), 257: ("I", (height,)), 258: ("H", (8 * pixels.dtype.itemsize,) * samples), 259: ("H", (1,)),
            262: ("H", (photometric,)), 273: ("I", (strip,)), 277: ("H", (samples,)), 278: ("I", (height,)), 279: ("I", (len(data),)),
            284: ("H", (1,)), 339: ("H", (kind,) * samples),
        }  # fmt: skip
        for name, tag, code in (("subfile", 254, "I"), ("old", 255, "H")):
            if name in page:
                tags[tag] = (code, (page[name],))
        if "extra" in page:
            tags[338] = ("H", tuple(page["extra"]))
        if below:
            tags[330] = ("I", tuple(below))
        if "profile" in page:
            tags[34675] = ("B", tuple(page["profile"]))
        if "exif" in page:
            tags[34665] = ("I", (directory(said(page["exif"]))[0],))
        return directory(tags)

    def said(values: dict) -> dict[int, tuple[str, tuple]]:
        result: dict[int, tuple[str, tuple]] = {}
        for tag, value in values.items():
            below = ("I", (directory(said(value))[0],)) if isinstance(value, dict) else ("H", (value,))
            result[tag] = ("s", tuple(value)) if isinstance(value, bytes) else below
        return result

    def directory(tags: dict[int, tuple[str, tuple]]) -> tuple[int, int]:
        entries = []
        for tag, (code, values) in sorted(tags.items()):
            packed = bytes(values) if code == "s" else struct.pack(f"{order}{len(values)}{code}", *values)
            if len(packed) > 4:
                packed = struct.pack(order + "I", append(packed))
            entries.append(struct.pack(order + "HHI", tag, {"B": 7, "H": 3, "I": 4, "s": 2}[code], len(values)) + packed.ljust(4, b"\0"))
        at = append(struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4))
        return at, at + 2 + 12 * len(entries)

    slot = 4
    for page in pages:
        at, behind = write(page)
        struct.pack_into(order + "I", out, slot, at)
        slot = behind
    return bytes(out)
