"""Safe file access in the models folder: no links followed, free space checked, one process at a time by a lock."""

import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import DioramaError, Kind

if os.name == "nt":
    import msvcrt
else:
    import fcntl

RESERVE = 64 << 20  # bytes that stay free
OWN_FLAGS = sum(getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "CLOEXEC", "BINARY", "NOINHERIT"))
"""Flags for opening our files in folders that others can write to: no link is followed, no pipe waited for."""
TICK = 0.1  # [s] between looks at a lock that another holds
OPEN_TRIES = 25  # Windows only: a lock file that is being removed cannot be opened for a moment


def file_size(path: Path) -> int:
    """Length of the file in bytes; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def real_path(path: Path) -> Path:
    """Absolute and without links; a link to itself stays as it is, for which Path.resolve raises RuntimeError."""
    return Path(os.path.realpath(path))


def open_fresh(path: Path) -> io.FileIO:
    """A new file open for writing, unbuffered; a file of that name is replaced.

    Created exclusively: a link planted under this name is removed or refused, and never written through.
    """
    path.unlink(missing_ok=True)
    return io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OWN_FLAGS, 0o666), "w")


@contextlib.contextmanager
def folder_beside(folder: Path, prefix: str) -> Iterator[Path]:
    """A new temporary folder in `folder`: complete files are moved out of it, and it is removed with the rest at the end.

    `tempfile` makes private ones, and on Windows (Python 3.11.10 and later) what is moved out of those stays private.
    """
    made = make_folder_in(folder, prefix)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def make_folder_in(folder: Path, prefix: str) -> Path:
    """A new folder with a free name and the permissions that new folders in `folder` get; raises OSError."""
    made = folder.absolute() / f"{prefix}{secrets.token_hex(6)}"
    made.mkdir()
    return made


def open_to_continue(path: Path) -> io.FileIO:
    """An own file open for reading and writing, unbuffered; raises OSError where it is a link or anything but a file."""
    handle = os.open(path, os.O_RDWR | OWN_FLAGS)
    if not _is_own(os.fstat(handle)):
        os.close(handle)
        raise OSError(errno.ELOOP, "it is a link or no file", str(path))
    return io.FileIO(handle, "r+")


def remove_planted(path: Path) -> None:
    """Removes what is under our name and is not a plain file with one name: links are not followed, their targets stay."""
    with contextlib.suppress(FileNotFoundError):
        if not _is_own(path.lstat()):
            with writing(path):
                path.unlink()


def _is_own(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def append(file, chunk: bytes) -> None:
    """Writes all of chunk to an unbuffered file, whose write may take only a part of it."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


def require_space(path: Path, need: int) -> None:
    """Raises DioramaError unless the disk that holds `path` has room for `need` bytes and a reserve."""
    free = shutil.disk_usage(path.parent).free
    if free < need + RESERVE:
        raise DioramaError(
            f"{path.parent} has {free / 1e6:,.0f} MB free and {path.stem} needs "
            f"{(need + RESERVE) / 1e6:,.0f} MB: free some space or choose another models folder.",
            Kind.DISK,
        )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns disk errors while reading into a sentence."""
    try:
        yield
    except OSError as error:
        raise DioramaError(f"{path} cannot be read ({error.strerror}): check the file and its rights.") from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns disk errors while writing into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DioramaError(
                f"The disk is full, {path} cannot grow: free some space and download again, which goes on from here.", Kind.DISK
            ) from error
        raise DioramaError(f"{path} cannot be written ({error.strerror}): check the models folder.", Kind.DISK) from error


@contextlib.contextmanager
def exclusive(path: Path, busy: Callable[[], None]) -> Iterator[None]:
    """Holds `path` for this process (and thread) alone, by a lock of the operating system on `path`.lock.

    Such a lock ends with its process, so a crash leaves none behind. `busy` is called repeatedly while another process holds it, and
    may raise to give up waiting.
    """
    lock = path.with_name(path.name + ".lock")
    refused = 0
    while True:
        try:
            remove_planted(lock)
            handle = io.FileIO(os.open(lock, os.O_RDWR | os.O_CREAT | OWN_FLAGS, 0o666), "r+")  # held until it is done
        except OSError as error:
            refused += 1
            if os.name != "nt" or refused > OPEN_TRIES:
                raise DioramaError(
                    f"{lock.parent} cannot be written ({error.strerror}): choose another models folder or change its rights."
                ) from error
            time.sleep(TICK)
            continue
        # The former holder removes the file when it is done; a lock on a removed file would stop no other process.
        if _locked(handle, lock) and _is_still(handle, lock):
            break
        handle.close()
        if lock.exists():
            busy()
            time.sleep(TICK)
    try:
        yield
    finally:
        if os.name == "nt":  # an open file cannot be removed there, and one that another has opened stays
            handle.close()
            with contextlib.suppress(OSError):
                lock.unlink()
        else:
            lock.unlink(missing_ok=True)
            handle.close()


def _locked(handle, lock: Path) -> bool:
    try:
        if os.name == "nt":
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (0, errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False  # 0 is what Wine says
        handle.close()
        raise DioramaError(
            f"{lock.parent} is on a disk without file locks ({error.strerror}): choose a models folder on a local disk."
        ) from error
    return True


def _is_still(handle, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.lstat(lock))
    except FileNotFoundError:
        return False
