"""Finds depth by name alone: NAME_depth, NAME-depth or NAME.depth beside the photo NAME."""

from __future__ import annotations

from pathlib import Path

from .depth_sidecar import same_aspect

WORDS = ("_depth", "-depth", ".depth", "_Depth", "-Depth", "_DEPTH")
ENDINGS = (".exr", ".tif", ".tiff", ".png", ".npy", ".npz", ".pfm", ".jpg", ".jpeg", ".webp")
"""Most exact format first, where a depth map exists in several."""
PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp")
"""Formats whose size is known from the header."""


def find_named_depth(photo: str | Path) -> Path | None:
    """The depth file beside `photo` that carries its name; None where there is none or where it is of another shape."""
    photo = Path(photo)
    for word in WORDS:
        for ending in ENDINGS:
            file = photo.with_name(f"{photo.stem}{word}{ending}")
            if file.is_file() and (ending not in PICTURES or same_aspect(photo, file)):
                return file
    return None


def pair(photos: list[str]) -> tuple[list[str], dict[str, str]]:
    """Sorts files that were chosen together into the photos, and by photo its depth file.

    A file is the depth of another by its name as above, or where there are only two and one is called depth.
    """
    by_name = {str(Path(photo)): photo for photo in photos}
    depths = {}
    for photo in photos:
        names = (str(Path(photo).with_name(f"{Path(photo).stem}{word}{ending}")) for word in WORDS for ending in ENDINGS)
        depth = next((by_name[name] for name in names if name in by_name), None)
        if depth is not None:
            depths[photo] = depth
    if not depths and len(photos) == 2:
        called = [photo for photo in photos if "depth" in Path(photo).stem.lower()]
        if len(called) == 1:
            depths[next(photo for photo in photos if photo not in called)] = called[0]
    return [photo for photo in photos if photo not in depths.values()], depths
