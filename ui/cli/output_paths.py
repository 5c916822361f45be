"""Output files of the command line: checked before any work, written beside their place and renamed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ...core.errors import DioramaError, Kind
from ...core.models.file_lock import append, open_fresh
from ...core.scene.output_names import check_name

MAX_NAME_BYTES = 255


def default_name(photo: Path, ending: str) -> Path:
    """The photo's name with another ending, in this folder, cut to a length that file systems take."""
    stem = os.fsencode(photo.stem)[: MAX_NAME_BYTES - len(ending)].decode(errors="ignore")
    return Path((stem or "photo") + ending)


def check_target(target: Path, overwrite: bool, sources: Iterable[Path | None], folder: bool = False) -> None:
    """Raises DioramaError where `target` cannot be written, before any work; creates nothing.

    `sources` are files that must never be overwritten. `folder`: the target is to be a folder.
    """
    check_name(target)
    try:
        exists, is_folder = target.exists(), target.is_dir()
        if any(source is not None and exists and source.exists() and target.samefile(source) for source in sources):
            raise DioramaError(f"{target} is the file that is read; choose another name for the output.")
    except OSError as error:
        raise DioramaError(f"{target} cannot be written ({error.strerror or error}); choose another name.") from None
    if exists and is_folder != folder:
        raise DioramaError(f"{target} is a {'folder' if is_folder else 'file'} already; choose another name.")
    if exists and not overwrite and not (folder and not any(target.iterdir())):
        raise DioramaError(f"{target} exists already; choose another name or pass --overwrite.")
    if len(os.fsencode(target.name)) > MAX_NAME_BYTES:
        raise DioramaError(f"{target} has a name of more than {MAX_NAME_BYTES} bytes; choose a shorter one.")
    _check_folder(target.parent)


def _check_folder(folder: Path) -> None:
    """Tests whether a folder can be written, or the nearest existing one above it; leaves nothing."""
    there = folder.absolute()
    try:
        while not there.exists() and there != there.parent:
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        why = error.strerror or error
        raise DioramaError(f"{folder} cannot be written to ({why}); choose another folder.") from None


def make_folder(folder: Path) -> None:
    """The folder with those above it; raises DioramaError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DioramaError(f"{folder} cannot be made ({error.strerror or error}); choose another folder.") from None


def temporary_name(target: Path) -> Path:
    """A hidden temporary name in the same folder with the same ending; no link can be planted there before."""
    return target.with_name(f".{secrets.token_hex(4)}-writing{target.suffix}")


def put(fresh: Path, target: Path, overwrite: bool) -> None:
    """Renames to the target; without `overwrite` only where the name is free at that moment, as another run may take it.

    Raises DioramaError where it is not free, OSError of the disk.
    """
    if overwrite:
        os.replace(fresh, target)
        return
    try:
        os.link(fresh, target)  # which, other than a rename, never replaces
    except FileExistsError:
        raise DioramaError(f"{target} was made by another program meanwhile; choose another name or pass --overwrite.") from None
    except OSError:  # a disk without links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(fresh, target)


def write_whole(target: Path, data: bytes, overwrite: bool = True) -> None:
    """Writes beside the target and renames; raises DioramaError where the disk does not take it, leaving nothing.

    Without `overwrite` also where the target is there by then.
    """
    make_folder(target.parent)
    fresh = temporary_name(target)
    try:
        with open_fresh(fresh) as file:
            append(file, data)
            os.fsync(file.fileno())
        put(fresh, target, overwrite)
    except OSError as error:
        raise could_not_save(target, error.strerror or str(error)) from None
    finally:
        fresh.unlink(missing_ok=True)


def room(folder: Path) -> str:
    """Free space at a path, in words, since Blender does not say why it could not write."""
    return f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB are free there"


def could_not_save(target: Path, reason: str) -> DioramaError:
    return DioramaError(f"{target} could not be saved ({reason}); check the free space and the folder's permissions.", Kind.DISK)
