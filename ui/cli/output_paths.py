"""Files that the command line writes: checked before any work is done, written beside and renamed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ...core.errors import DioramaError, Kind
from ...core.models.file_lock import append, open_fresh

MAX_NAME_BYTES = 255


def default_name(photo: Path, ending: str) -> Path:
    """The photo's name with another ending, in this folder, cut to a length that file systems take."""
    stem = os.fsencode(photo.stem)[: MAX_NAME_BYTES - len(ending)].decode(errors="ignore")
    return Path((stem or "photo") + ending)


def check_target(target: Path, overwrite: bool, sources: Iterable[Path | None], folder: bool = False) -> None:
    """Raises DioramaError where `target` could not be written, before any work is done; makes nothing.

    `sources` are files that must not be written over whatever the user says. `folder`: the target is to be a folder.
    """
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
    """Writes nothing lasting: a folder that is still to be made is tried at the nearest one above it."""
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


def beside(target: Path) -> Path:
    """A hidden name in the same folder, of the same ending, to be renamed when it is whole; nobody can plant a link there before."""
    return target.with_name(f".{secrets.token_hex(4)}-writing{target.suffix}")


def write_whole(target: Path, data: bytes) -> None:
    """Writes beside the target and renames; raises DioramaError where the disk does not take it, leaving nothing."""
    make_folder(target.parent)
    fresh = beside(target)
    try:
        with open_fresh(fresh) as file:
            append(file, data)
            os.fsync(file.fileno())
        os.replace(fresh, target)
    except OSError as error:
        raise could_not_save(target, error.strerror or str(error)) from None
    finally:
        fresh.unlink(missing_ok=True)


def room(folder: Path) -> str:
    """How much is free there, in words; Blender does not tell why it could not write."""
    return f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB are free there"


def could_not_save(target: Path, reason: str) -> DioramaError:
    return DioramaError(f"{target} could not be saved ({reason}); check the free space and the folder's permissions.", Kind.DISK)
