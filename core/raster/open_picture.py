"""Opens untrusted pictures: the one place where a decoder is chosen, by the first bytes and from a short list."""

from __future__ import annotations

import io

from ..errors import DioramaError
from .picture_bounds import check_structure

PHOTO_KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")
DEPTH_KINDS = ("JPEG", "PNG", "WEBP", "TIFF")
STARTS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "EXR": (b"\x76\x2f\x31\x01",),
}
"""First bytes of each kind; of WebP and HEIF, which lie in containers, `picture_kind` looks further."""


def picture_kind(head: bytes) -> str | None:
    """JPEG, PNG, WEBP, TIFF, HEIF or EXR by the first 12 bytes of a file, None for every other format."""
    for kind, starts in STARTS.items():
        if head.startswith(starts):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return "HEIF" if is_heif(head) else None


def open_picture(source: bytes, name: str, kinds: tuple[str, ...] = PHOTO_KINDS):
    """The picture as Pillow opens it, with only its header read; `name` is for messages.

    The decoder's class is called directly, not Image.open: that tries every format, among them some that start Ghostscript, and its
    limit on pixels is one variable for the whole process. Callers check `size` before they load. Raises UnidentifiedImageError where
    the source is of none of `kinds`, DioramaError where the HEIF decoder is missing, and Pillow's errors for damaged files.
    """
    from PIL import UnidentifiedImageError

    file = io.BytesIO(source)
    kind = picture_kind(source[:12])
    if kind not in kinds:
        raise UnidentifiedImageError(name)
    check_structure(source, kind, name)
    try:
        return _decoder(kind, name)(file)
    except SyntaxError:  # Pillow's word for a header that is none
        raise UnidentifiedImageError(name) from None


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
