"""Writes a file of layers in the format that its name asks for: beside its place, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import DioramaError, Kind
from ..threads import thread_count
from .exr_layers import write_layered_exr
from .layer_file import LayerFile
from .open_raster import write_open_raster
from .png_folder import folder_files
from .psd_write import write_psd

WRITERS: dict[str, Callable[[LayerFile, BinaryIO], None]] = {
    ".psd": write_psd, ".ora": write_open_raster, ".exr": write_layered_exr,
}  # fmt: skip
"""Of single files; every other name is that of a folder."""
OTHER_FORMATS = frozenset(
    ".psb .tif .tiff .png .jpg .jpeg .webp .gif .bmp .tga .hdr .avif .heic .jxl .jp2 .kra .xcf .clip .afphoto .svg .pdf .zip .json "
    ".blend .npy .mp4 .mov".split()
)
"""Endings by which nobody means a folder."""
MAX_AT_ONCE = 2
"""Pictures that are encoded at the same time: each takes memory of its own."""


def is_folder(target: Path) -> bool:
    """Whether layers of that name are a folder of pictures."""
    return target.suffix.lower() not in WRITERS


def check_ending(target: Path) -> None:
    """Raises DioramaError for a name with another format's ending; an existing folder may have any name."""
    if target.suffix.lower() in OTHER_FORMATS and not target.is_dir():
        raise DioramaError(
            f"{target} asks for {target.suffix[1:].upper()}, which layers are not written as; give it one of the endings "
            f"{', '.join(WRITERS)}, or none for a folder of PNGs."
        )


Put = Callable[[Path, Path], None]
"""Renames a file to its place."""
Progress = Callable[[str, float], None]


def write_layer_file(target: Path, file: LayerFile, put: Put = os.replace, progress: Progress = lambda *_: None) -> list[Path]:
    """Writes the layers; returns the files, of a folder the index last.

    Raises DioramaError where the disk does not take it or the format cannot hold it; nothing half-written is left.
    """
    if is_folder(target):
        return write_folder(target, _encode_all(folder_files(file)), put, progress)
    progress(f"Writing {target.name}", 1.0)
    with _all_or_none(target, put) as fresh:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.append((_temporary_name(target), target))
        with open(fresh[0][0], "xb") as out:
            WRITERS[target.suffix.lower()](file, out)
    return [target]


def write_folder(
    folder: Path, files: Iterable[tuple[str, bytes]], put: Put = os.replace, progress: Progress = lambda *_: None
) -> list[Path]:
    """Writes files by their names within the folder; returns them. Raises as `write_layer_file` does."""
    with _all_or_none(folder, put) as fresh:
        for name, data in files:
            progress(f"Writing {name}", 1.0)
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh.append((_temporary_name(place), place))
            fresh[-1][0].write_bytes(data)
    return [place for _, place in fresh]


@contextmanager
def _all_or_none(target: Path, put: Put) -> Iterator[list[tuple[Path, Path]]]:
    """A list to which temporary files and their places are added; all get there at the end, or are removed with the folders that
    were made for them."""
    fresh: list[tuple[Path, Path]] = []
    missing, done = [each for each in (target, *target.parents) if not each.exists()], False
    try:
        yield fresh
        for new, place in fresh:
            put(new, place)
        done = True
    except OSError as error:
        raise DioramaError(
            f"{target} could not be saved ({error.strerror or error}); check the free space and the folder's permissions.", Kind.DISK
        ) from None
    finally:
        for new, _ in fresh:
            new.unlink(missing_ok=True)
        if not done:
            within = {place.parent for _, place in fresh if target in missing and target in place.parent.parents}
            for each in sorted({*missing, *within}, key=lambda folder: len(folder.parts), reverse=True):
                with suppress(OSError):  # the folder does not exist, or is not empty
                    each.rmdir()


def _encode_all(files: Iterator[tuple[str, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Names and contents in their order, a few made at the same time."""
    with ThreadPoolExecutor(min(MAX_AT_ONCE, thread_count())) as pool:
        waiting = []
        for name, make in files:
            waiting.append((name, pool.submit(make)))
            if len(waiting) > MAX_AT_ONCE:
                name, made = waiting.pop(0)
                yield name, made.result()
        for name, made in waiting:
            yield name, made.result()


def _temporary_name(target: Path) -> Path:
    """A hidden temporary name in the same folder."""
    return target.with_name(f".{secrets.token_hex(4)}-writing{target.suffix}")
