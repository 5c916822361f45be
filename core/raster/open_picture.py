"""Opens untrusted pictures: the one place where a decoder is chosen, by the first bytes and from a short list."""

from __future__ import annotations

import io

from ..errors import DioramaError
from .picture_bounds import check_structure

PHOTO_KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")
HEIF_ENDINGS = (".heic", ".heif", ".hif")
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".exr", *HEIF_ENDINGS)
"""Endings of photos, for file dialogs, drops and folders; what a file really is, is decided by its first bytes."""
READ_FORMATS = "JPEG, PNG, WebP, TIFF, HEIC or OpenEXR"
DEPTH_KINDS = ("JPEG", "PNG", "WEBP", "TIFF")
DEPTH_FORMATS = "PNG, TIFF, EXR, NPY, NPZ or PFM"
FIRST_BYTES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "EXR": (b"\x76\x2f\x31\x01",),
}
"""First bytes of each kind; of WebP and HEIF, which lie in containers, `picture_kind` looks further."""


def picture_kind(head: bytes) -> str | None:
    """JPEG, PNG, WEBP, TIFF, HEIF or EXR by the first `HEAD` bytes of a file, None for every other format."""
    for kind, starts in FIRST_BYTES.items():
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
    kind = picture_kind(source[:HEAD])
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


def decode_deep_heif(data: bytes):
    """A HEIF of more than 8 bits as (H, W, 3|4) uint16, B G R alpha as OpenCV has it, values from 0 to 65535."""
    import numpy as np
    import pillow_heif

    decoded = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    bits = int(decoded.info.get("bit_depth", 16))
    pixels = np.asarray(decoded)
    if pixels.dtype != np.uint16:
        return None
    if bits < 16:  # libheif moves them up and leaves zeros below
        pixels = pixels | (pixels >> bits)
    if pixels.ndim == 2:
        return pixels
    if decoded.mode.startswith("LA"):
        return pixels[..., [0, 0, 0, 1]]
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


HEAD = 128
"""Bytes at a file's start that tell its kind."""
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"MiHE"}
WITH_HEVC = HEIF_BRANDS - {b"mif1", b"msf1"}
"""Brands that promise HEVC inside; the other two only that it is a HEIF of some codec."""
OTHER_CONTAINERS = {b"avif": "an AVIF picture", b"avis": "an AVIF picture", b"crx ": "a camera raw file (Canon CR3)"}


def brands(data: bytes) -> list[bytes]:
    """What a file of the ISO base media format calls itself (ISO/IEC 14496-12, 4.3), its major brand first; empty for others."""
    if data[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(data[:4], "big"), HEAD, len(data))
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def is_heif(data: bytes) -> bool:
    """Whether the file calls itself HEIF with HEVC inside (AVIF is not ours), first or among what it is compatible with."""
    major, *others = brands(data) or [b""]
    if major in OTHER_CONTAINERS or (major in (b"mif1", b"msf1") and b"avif" in others and not WITH_HEVC.intersection(others)):
        return False
    return major in HEIF_BRANDS or bool(WITH_HEVC.intersection(others))


OTHER_STARTS = (
    (b"FUJIFILMCCD-RAW", "a camera raw file (Fujifilm RAF)"), (b"IIRO", "a camera raw file (Olympus ORF)"),
    (b"IIRS", "a camera raw file (Olympus ORF)"), (b"MMOR", "a camera raw file (Olympus ORF)"),
    (b"IIU\0", "a camera raw file (Panasonic RW2)"), (b"\0MRM", "a camera raw file (Minolta MRW)"),
    (b"FOVb", "a camera raw file (Sigma X3F)"), (b"II\x1a\0\0\0HEAPCCDR", "a camera raw file (Canon CRW)"),
    (b"GIF8", "a GIF"), (b"BM", "a BMP picture"), (b"8BPS", "a Photoshop document"), (b"%PDF", "a PDF"), (b"%!PS", "a PostScript file"),
    (b"\xff\x0a", "a JPEG XL picture"), (b"\0\0\0\x0cJXL ", "a JPEG XL picture"), (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"), (b"II\xbc\x01", "a JPEG XR picture"), (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"#?RGBE", "a Radiance HDR picture"), (b"DDS ", "a DDS texture"), (b"gimp xcf", "a GIMP document"), (b"\x1aE\xdf\xa3", "a film"),
    (b"\x89HDF\r\n", "an HDF5 file"), (b"MATLAB ", "a MATLAB file"), (b"PK\3\4", "a zip archive"),
    (b"PIEH", "a Sintel or Middlebury .dpt or .flo"),
    (b"P5\n", "a PGM picture"), (b"P5 ", "a PGM picture"), (b"P6\n", "a PPM picture"),
)  # fmt: skip
"""First bytes of well-known formats that are not read."""
RAW = "a camera raw file"


def other_format(data: bytes) -> str | None:
    """What a file of an unsupported format is ("a GIF"), by its first bytes; None where that is unknown."""
    for start, what in OTHER_STARTS:
        if data.startswith(start):
            return what
    said = brands(data)
    known = next((OTHER_CONTAINERS[brand] for brand in said if brand in OTHER_CONTAINERS), None)
    return known or ("a film" if said else None)


def unreadable_error(name: object, data: bytes) -> DioramaError:
    """The error for a file of an unsupported format."""
    what = other_format(data)
    if what is None:
        return DioramaError(f"{name} is not a picture that can be read; use {READ_FORMATS}.")
    if what.startswith(RAW):
        return raw_file_error(name, what)
    return DioramaError(f"{name} is not a picture that can be read but {what}; export it as {READ_FORMATS}.")


def raw_file_error(name: object, what: str) -> DioramaError:
    """The error for a camera raw file, in which only a small preview is a decoded picture."""
    return DioramaError(f"{name} is {what}; develop it first, and use the JPEG or the 16-bit TIFF that your raw converter writes.")
