"""The pages of a TIFF: which of them is the picture itself, and what its numbers are (TIFF 6.0; DNG 1.7 for camera raw)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ..errors import DioramaError
from ..raster.open_picture import RAW, raw_file_error

WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, EXTRA_SAMPLES, SAMPLE_FORMAT = 256, 257, 258, 262, 277, 338, 339
NEW_SUBFILE_TYPE, SUBFILE_TYPE, SUB_IFDS, PROFILE, DNG_VERSION, XMP = 254, 255, 330, 34675, 50706, 700
WANTED = {
    WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, EXTRA_SAMPLES, SAMPLE_FORMAT, NEW_SUBFILE_TYPE, SUBFILE_TYPE, SUB_IFDS, DNG_VERSION,
}  # fmt: skip
IN_BYTES = {PROFILE, XMP}
CODES = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}
"""Kinds of whole numbers: BYTE, SHORT, LONG, UNDEFINED, IFD, and BigTIFF's LONG8 and IFD8."""
MAX_PAGES, MAX_ENTRIES, MAX_VALUES = 256, 4096, 4096
REDUCED, MASK = 1, 4
"""Bits of NewSubfileType: a smaller version of another page; a mask of one."""
SENSOR = (32803, 34892)
"""Photometric interpretations of camera raw: a mosaic of colour filters, and linear values of the sensor."""
LOG_LUV = (32844, 32845)
"""Logarithms of luminance, alone and with CIE u and v (TIFF Technical Note, Ward 1997)."""
WHITE_IS_ZERO, SEPARATED, CIELAB = 0, 5, 8
FLOAT = 3
ASSOCIATED, UNASSOCIATED = 1, 2


@dataclass(frozen=True)
class TiffPage:
    """One picture of a TIFF."""

    offset: int  # of its directory in the file
    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)
    blocks: dict[int, bytes] = field(default_factory=dict)  # profile and XMP

    def first(self, tag: int, otherwise: int) -> int:
        return (self.tags.get(tag) or (otherwise,))[0]

    @property
    def size(self) -> tuple[int, int]:
        return self.first(WIDTH, 0), self.first(HEIGHT, 0)

    @property
    def bits(self) -> int:
        return max(self.tags.get(BITS) or (1,))

    @property
    def samples(self) -> int:
        return self.first(SAMPLES, 1)

    @property
    def is_float(self) -> bool:
        return self.first(SAMPLE_FORMAT, 1) == FLOAT

    @property
    def photometric(self) -> int:
        return self.first(PHOTOMETRIC, 1)

    @property
    def is_reduced(self) -> bool:
        """Whether the page is a preview or mask, by NewSubfileType or the older SubfileType 2."""
        return bool(self.first(NEW_SUBFILE_TYPE, 0) & (REDUCED | MASK)) or self.first(SUBFILE_TYPE, 1) == 2

    @property
    def alpha(self) -> int:
        """0 without alpha, else ASSOCIATED or UNASSOCIATED; an undeclared fourth channel counts as UNASSOCIATED."""
        colours = 3 if self.photometric == 2 else 1
        if self.samples <= colours:
            return 0
        said = self.tags.get(EXTRA_SAMPLES)
        if not said:
            return UNASSOCIATED if self.photometric == 2 and self.samples == 4 else 0
        return said[0] if said[0] in (ASSOCIATED, UNASSOCIATED) else 0


def full_page(data: bytes, name: str) -> tuple[TiffPage | None, bytes, int]:
    """The page that is the picture, the file with that page as its first, and the number of pages of that size.

    The picture is the largest page that is no preview and no mask, the first of equals. None where the directories are damaged: the
    decoder then reports it. Raises DioramaError, naming the file `name`, for LogLuv, and for camera raw, where only previews are decoded
    pictures.
    """
    if data[8:10] == b"CR":
        raise raw_file_error(name, f"{RAW} (Canon CR2)")
    try:
        pages = read_pages(data)
    except (struct.error, IndexError, ValueError, OverflowError):
        return None, data, 1
    if not pages:
        return None, data, 1
    if any(DNG_VERSION in page.tags for page in pages):
        raise raw_file_error(name, f"{RAW} (DNG)")
    if any(page.photometric in LOG_LUV for page in pages):
        raise DioramaError(f"{name} is a TIFF of logarithms (LogLuv), which is not read; save it with 32-bit floats, or as OpenEXR.")
    if any(page.photometric in SENSOR for page in pages):
        raise raw_file_error(name, f"{RAW} (as NEF, ARW, PEF and others are)")
    whole = [page for page in pages if not page.is_reduced and min(page.size) > 0] or pages
    best = max(whole, key=lambda page: page.size[0] * page.size[1])  # the first of equals
    equals = sum(page.size == best.size for page in whole)
    if best is pages[0]:
        return best, data, equals
    order, big = _kind(data)
    at, code = (8, "Q") if big else (4, "I")
    return best, data[:at] + struct.pack(order + code, best.offset) + data[at + struct.calcsize(code) :], equals


def _kind(data: bytes) -> tuple[str, bool]:
    """Byte order as a `struct` prefix, and whether the file is a BigTIFF."""
    return "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")


def read_pages(data: bytes) -> list[TiffPage]:
    """All directories in file order, each followed by its sub-directories; raises struct.error or ValueError where damaged."""
    order, big = _kind(data)
    (first,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    waiting, seen = [first], set()
    pages: list[TiffPage] = []
    while waiting and len(pages) < MAX_PAGES:
        offset = waiting.pop(0)
        if not offset or offset in seen:
            continue
        seen.add(offset)
        try:
            page, behind = _read_page(data, offset, order, big)
        except (struct.error, ValueError):
            if not pages:
                raise
            continue  # a damaged preview does not matter
        pages.append(page)
        waiting = [*page.tags.get(SUB_IFDS, ()), behind, *waiting]
    return pages


def _read_page(data: bytes, offset: int, order: str, big: bool) -> tuple[TiffPage, int]:
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
    entry, width, at = (20, 8, offset + 8) if big else (12, 4, offset + 2)
    if count > MAX_ENTRIES:
        raise ValueError("too many entries")
    tags: dict[int, tuple[int, ...]] = {}
    blocks: dict[int, bytes] = {}
    for place in range(at, at + entry * count, entry):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        if tag not in WANTED and tag not in IN_BYTES:
            continue
        (length,) = struct.unpack_from(order + ("Q" if big else "I"), data, place + 4)
        where = place + 4 + width
        code = CODES.get(kind)
        if code is None:
            continue
        if length * struct.calcsize(code) > width:
            (where,) = struct.unpack_from(order + ("Q" if big else "I"), data, where)
        if tag in IN_BYTES:
            blocks[tag] = data[where : where + length * struct.calcsize(code)]
        elif length <= MAX_VALUES:
            tags[tag] = struct.unpack_from(f"{order}{length}{code}", data, where)
    behind = 0
    end = at + entry * count
    if end + width <= len(data):
        (behind,) = struct.unpack_from(order + ("Q" if big else "I"), data, end)
    return TiffPage(offset, tags, blocks), behind
