"""Writes a file of layers in the format that its name asks for: beside its place, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
MOST_AT_ONCE = 2
"""Pictures that are encoded at the same time: each takes memory of its own."""


def is_folder(target: Path) -> bool:
    """Whether layers of that name are a folder of pictures."""
    return target.suffix.lower() not in WRITERS


def write_layer_file(
    target: Path, file: LayerFile, put: Callable[[Path, Path], None] = os.replace, progress: Callable[[str, float], None] = lambda *_: None
) -> list[Path]:
    """Writes the layers; returns the files, of a folder the index last. `put` renames each to its place.

    Raises DioramaError where the disk does not take it or the format cannot hold it; nothing half-written is left.
    """
    fresh: list[tuple[Path, Path]] = []
    try:
        if is_folder(target):
            target.mkdir(parents=True, exist_ok=True)
            for name, data in _encoded(folder_files(file)):
                progress(f"Writing {name}", 1.0)
                fresh.append((_beside(target / name), target / name))
                fresh[-1][0].write_bytes(data)
        else:
            progress(f"Writing {target.name}", 1.0)
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh.append((_beside(target), target))
            with open(fresh[0][0], "xb") as out:
                WRITERS[target.suffix.lower()](file, out)
        for new, place in fresh:
            put(new, place)
    except OSError as error:
        raise DioramaError(
            f"{target} could not be saved ({error.strerror or error}); check the free space and the folder's permissions.", Kind.DISK
        ) from None
    finally:
        for new, _ in fresh:
            new.unlink(missing_ok=True)
    return [place for _, place in fresh]


def _encoded(files: Iterator[tuple[str, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Names and contents in their order, a few made at the same time."""
    with ThreadPoolExecutor(min(MOST_AT_ONCE, thread_count())) as pool:
        waiting = []
        for name, make in files:
            waiting.append((name, pool.submit(make)))
            if len(waiting) > MOST_AT_ONCE:
                name, made = waiting.pop(0)
                yield name, made.result()
        for name, made in waiting:
            yield name, made.result()


def _beside(target: Path) -> Path:
    """A hidden temporary name in the same folder."""
    return target.with_name(f".{secrets.token_hex(4)}-writing{target.suffix}")
