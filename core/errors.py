"""Why no diorama was made: DioramaError, a sentence for the user, or Cancelled, by the user."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

OF_THE_DISK = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG,
}  # fmt: skip
"""System errors of a target folder that was usable when it was checked."""


class Kind(Enum):
    """Category of an error, for code that must choose what to do next; people read the sentence."""

    BAD_INPUT = "bad input"  # an option, or files that do not fit together
    UNUSABLE_FILE = "unusable file"  # the photo or its depth: missing, damaged, of a format that is not promised
    MISSING_NETWORK = "missing network"  # to be downloaded or imported first
    MISSING_PACKAGE = "missing package"  # Python cannot import what is needed
    DISK = "disk"  # full, gone or not to be written to
    MEMORY = "memory"


class DioramaError(ValueError):
    """Input that cannot be used, as one sentence for the user: which file, what is wrong, what to do.

    Where the remedy has another name in Blender's window than on the command line, `fault` ends before the remedy, and `window`
    and `command_line` complete the sentence.

    >>> error = DioramaError("a.npy has negative distances", window="set Depth Kind", command_line="pass --depth-kind")
    >>> error.in_window
    'a.npy has negative distances; set Depth Kind.'
    >>> str(error)
    'a.npy has negative distances; pass --depth-kind.'
    """

    def __init__(self, fault: str, kind: Kind = Kind.BAD_INPUT, *, window: str = "", command_line: str = ""):
        self.kind, self.fault = kind, fault
        before = f"{fault}; " if fault else ""
        self.in_window = f"{before}{window}." if window else fault
        super().__init__(f"{before}{command_line}." if command_line else fault)


class Cancelled(Exception):
    """The user asked to stop. Raised by the next call of the progress function; nothing is left half done."""


NO_MEMORY = (
    "bad_alloc", "bad alloc", "out of memory", "insufficient memory", "cannot allocate memory", "can't allocate memory",
    "could not create a memory", "failed to map segment", "unable to allocate", "not enough memory", "failed to allocate",
    "alloc failed", "cannot allocate", "can't start new thread", "pthread_create failed",
)  # fmt: skip
"""Words for lack of memory: C++, OpenCV, PyTorch and its oneDNN, the system's loader, NumPy, zlib, Blender, threads."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, means that memory ran out; libraries raise different types for it."""
    for _ in range(8):
        if error is None or isinstance(error, DioramaError):
            return False
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if any(words in str(error).lower() for words in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def reading_a_file() -> Iterator[None]:
    """A context in which every DioramaError of bad input becomes one of an unusable file."""
    try:
        yield
    except DioramaError as error:
        if error.kind is Kind.BAD_INPUT:
            error.kind = Kind.UNUSABLE_FILE
        raise


def without_torch(inpainter: str, error: ImportError, instead: str) -> DioramaError:
    """The error to raise where an inpainter's networks need PyTorch and cannot have it."""
    return DioramaError(
        f'The inpainter "{inpainter}" needs PyTorch, which cannot be loaded here ({error}); choose "{instead}".', Kind.MISSING_PACKAGE
    )


def to_user_error(error: BaseException) -> DioramaError | None:
    """An exception as an error for the user: out of memory, a missing package, a disk error. None for a fault in Photo Diorama."""
    if isinstance(error, DioramaError):
        return error
    if is_out_of_memory(error):
        return DioramaError("There is not enough memory for this photo", Kind.MEMORY,
                            window="lower the long side or scale the photo down",
                            command_line="lower --long-side or scale the photo down")  # fmt: skip
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(__package__.split(".")[0]):
        return DioramaError(f"Photo Diorama needs the Python module {error.name}", Kind.MISSING_PACKAGE,
                            window="install the build of the extension that was made for your system",
                            command_line="install Photo Diorama with what it needs")  # fmt: skip
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        where = error.filename or "The output"
        return DioramaError(f"{where} cannot be written ({error.strerror}); check the free space and the folder's permissions.", Kind.DISK)
    return None
