"""Finds depth by name alone: NAME_depth, NAME-depth or NAME.depth beside the photo NAME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import DioramaError
from ..raster.decode import read_file
from ..raster.decoder_errors import DECODER_ERRORS
from ..raster.open_picture import open_picture
from .depth_sidecar import same_aspect

WORDS = ("_depth", "-depth", ".depth", "_Depth", "-Depth", "_DEPTH")
ENDINGS = (".exr", ".tif", ".tiff", ".png", ".npy", ".npz", ".pfm", ".jpg", ".jpeg", ".webp")
"""Most exact format first, where a depth map exists in several."""
PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp")
"""Formats whose size is known from the header."""
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "F")
"""Pillow's modes of pictures without colours."""


def find_named_depth(photo: str | Path) -> Path | None:
    """The depth file beside `photo` that carries its name; None where there is none or where it is of another shape."""
    photo = Path(photo)
    return next((file for file in named_depths(photo) if file.suffix not in PICTURES or same_aspect(photo, file)), None)


def named_depths(photo: Path) -> list[Path]:
    """The files beside `photo` that carry its name and are called depth, whatever they hold; the most exact format first."""
    files = [photo.with_name(f"{photo.stem}{word}{ending}") for word in WORDS for ending in ENDINGS]
    return [file for file in files if file.is_file()]


def pair(photos: list[str]) -> tuple[list[str], dict[str, str]]:
    """Sorts files that were chosen together into the photos, and by photo its depth file.

    A file is the depth of another where its name says so, as above. Of only two files, one is the depth where it alone has depth in its
    name, has a format that holds no photos, or is grey and the other, of the same shape, is in colour.
    """
    by_name = {str(Path(photo)): photo for photo in photos}
    depths = {}
    for photo in photos:
        names = (str(Path(photo).with_name(f"{Path(photo).stem}{word}{ending}")) for word in WORDS for ending in ENDINGS)
        depth = next((by_name[name] for name in names if name in by_name), None)
        if depth is not None:
            depths[photo] = depth
    if not depths and len(photos) == 2:
        rules: tuple[Callable[[str], bool], ...] = (
            lambda file: "depth" in Path(file).stem.lower(),
            lambda file: Path(file).suffix.lower() in (".npy", ".npz", ".pfm"),
            lambda file: Path(file).suffix.lower() == ".exr",
            _is_grey,
        )
        for rule in rules:
            called = [file for file in photos if rule(file)]
            if len(called) == 1 and (rule is not _is_grey or same_aspect(*map(Path, photos))):
                depths[next(photo for photo in photos if photo not in called)] = called[0]
                break
    return [photo for photo in photos if photo not in depths.values()], depths


def _is_grey(file: str) -> bool:
    """Whether a picture has no colours, by its header; False where it cannot be read."""
    try:
        return open_picture(read_file(Path(file)), file).mode in GREY
    except (DioramaError, *DECODER_ERRORS):
        return False
