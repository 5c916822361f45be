"""Opens pictures of strangers: the one place where a decoder is chosen, by the first bytes and from a short list."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import BinaryIO

from ..errors import DioramaError

PHOTO_KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")
DEPTH_KINDS = ("JPEG", "PNG", "WEBP", "TIFF")
MAX_SCANS = 100
"""Of a progressive JPEG, where encoders make 3 to 20: each goes over all pixels, so that thousands of empty ones are work."""
MAX_SEGMENTS = 20_000
NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Of JPEG: entropy-coded data has a zero behind each 255 (ITU T.81, B.1.1.2), and restarts."""
STARTS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "EXR": (b"\x76\x2f\x31\x01",),
}
"""First bytes of each kind; of WebP and HEIF, which lie in containers, `picture_kind` looks further."""


def picture_kind(head: bytes) -> str | None:
    """JPEG, PNG, WEBP, TIFF, HEIF or EXR by the first 12 bytes of a file, None for all that is not promised."""
    for kind, starts in STARTS.items():
        if head.startswith(starts):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return "HEIF" if is_heif(head) else None


def open_picture(source: bytes | BinaryIO, name: str, kinds: tuple[str, ...] = PHOTO_KINDS):
    """The picture as Pillow opens it, of which only the header was read; `name` is for messages.

    The decoder is called by its class and not by Image.open: that tries every format that it knows, among them
    such as start Ghostscript, and its limit on pixels is one variable for the whole process, which is not ours to
    change. Callers check `size` before they load. Raises UnidentifiedImageError where the source is of none of
    `kinds`, DioramaError where the decoder of HEIF is missing, and what Pillow raises for damaged files.
    """
    from PIL import UnidentifiedImageError

    file = io.BytesIO(source) if isinstance(source, bytes) else source
    kind = picture_kind(file.read(12))
    file.seek(0)
    if kind not in kinds:
        raise UnidentifiedImageError(name)
    if kind == "JPEG" and isinstance(source, bytes) and has_more_scans(source, MAX_SCANS):
        raise DioramaError(f"{name} is a JPEG of more than {MAX_SCANS} scans, as no camera writes; save it again.")
    try:
        return _decoder(kind, name)(file)
    except SyntaxError:  # Pillow's word for a header that is none
        raise UnidentifiedImageError(name) from None


def size_by_header(path: Path) -> tuple[int, int] | None:
    """Width and height as they stand in a picture's first bytes; None where that cannot be told, which reading it will explain."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_picture(file, str(path)).size
    except Exception:  # noqa: BLE001 - whatever is wrong with it is told when it is read
        return None


def has_more_scans(data: bytes, most: int) -> bool:
    """Whether the JPEG at the start of `data` has more than `most` scans; one of endless other segments counts as such."""
    if data.count(b"\xff\xda") <= most:  # quick, and true of all that is honest
        return False
    position, scans = 2, 0
    for _ in range(MAX_SEGMENTS):
        match = NEXT_MARKER.search(data, position)
        if match is None or data[match.start() + 1] == 0xD9:
            return False
        scans += data[match.start() + 1] == 0xDA
        if scans > most:
            return True
        stands_alone = data[match.start() + 1] == 0x01
        position = match.end() + (0 if stands_alone else int.from_bytes(data[match.end() : match.end() + 2], "big"))
    return True


def _decoder(kind: str, name: str):
    """Pillow's class for pictures of the kind."""
    if kind == "JPEG":
        from PIL import JpegImagePlugin

        return JpegImagePlugin.JpegImageFile
    if kind == "PNG":
        from PIL import PngImagePlugin

        return PngImagePlugin.PngImageFile
    if kind == "WEBP":
        from PIL import WebPImagePlugin

        return WebPImagePlugin.WebPImageFile
    if kind == "TIFF":
        from PIL import TiffImagePlugin

        return TiffImagePlugin.TiffImageFile
    try:
        import pillow_heif
    except ImportError:
        raise DioramaError(f"{name} is a HEIC picture, which needs pillow-heif here; install it or export a JPEG.") from None
    return pillow_heif.HeifImageFile


HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"MiHE")


def is_heif(data: bytes) -> bool:
    """Whether the file calls itself HEIF with HEVC inside (AVIF is not ours)."""
    return data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS
