"""Reads a picture's file, and decodes its bytes to pixels."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import DioramaError, is_out_of_memory
from .exr_header import MAX_ATTRIBUTES
from .exr_read import read_pixels
from .open_picture import HEAD, open_picture, picture_kind

MAX_PIXELS = 250_000_000
MAX_FILE_BYTES = 2_000_000_000


def read_file(path: Path, kind: str = "photo") -> bytes:
    """The file's bytes; raises DioramaError where it cannot be read or is empty."""
    with _reading(path, kind):
        data = read_regular(path, MAX_FILE_BYTES)
    if data is None:
        raise DioramaError(f"{path} has more than 2 GB; export the {kind} smaller.")
    if not data:
        raise _empty(path, kind)
    return data


def check_file(path: Path, kind: str) -> None:
    """Raises DioramaError where a file cannot be read or is empty; it may be of any size, since only its first byte is read."""
    with _reading(path, kind), _open_regular(path) as file:
        if not file.read(1):
            raise _empty(path, kind)


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    """Turns the system's error for a file that cannot be read into a sentence."""
    try:
        if path.is_dir():
            raise DioramaError(f"{path} is a folder; name the {kind} inside it.")
        if path.exists() and not path.is_file():  # a pipe or device would be read for ever
            raise DioramaError(f"{path} is no file but a device or pipe; name the {kind}'s file.")
        yield
    except OSError as error:
        raise DioramaError(f"{path} cannot be read ({error.strerror or error}); check the name and its permissions.") from None


def _empty(path: Path, kind: str) -> DioramaError:
    return DioramaError(f"{path} is empty (0 bytes); copy or export the {kind} again.")


def read_regular(path: Path, most: int) -> bytes | None:
    """The bytes of a regular file, None where there are more than `most`; the size that it claims does not count.

    Raises OSError, also for a pipe or device, which could be endless; it never blocks.
    """
    with _open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        pieces, have = [], 0
        while have <= most and (piece := file.read(max(1 << 16, min(size, most) + 1 - have))):
            pieces.append(piece)
            have += len(piece)
    return b"".join(pieces) if have <= most else None


def _open_regular(path: Path) -> io.FileIO:
    file = io.FileIO(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no file but a device, pipe or folder", str(path))
    return file


def size_by_header(path: Path) -> tuple[int, int] | None:
    """Width and height from a picture's first bytes; None where they cannot be read, in which case reading it reports why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_picture(read_regular(path, MAX_FILE_BYTES) or b"", str(path)).size
    except Exception:  # noqa: BLE001 - the fault is reported when the file is read
        return None


def exr_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in the header of OpenEXR bytes; None where it is damaged."""
    at = 8
    try:
        for _ in range(MAX_ATTRIBUTES):
            name, kind, rest = data[at : at + 600].split(b"\0", 2)
            at += len(name) + len(kind) + 2
            (length,) = struct.unpack_from("<i", data, at)
            if name == b"dataWindow":
                left, top, right, bottom = struct.unpack_from("<4i", data, at + 4)
                return max(0, right - left + 1), max(0, bottom - top + 1)
            at += 4 + max(0, length)
    except (IndexError, ValueError, struct.error):
        pass
    return None


def decode_pixels(data: bytes | np.ndarray) -> np.ndarray | None:
    """Bytes of a supported kind decoded by OpenCV, at full depth (H, W[, channels B G R A]); None where it fails."""
    data = np.frombuffer(data, np.uint8)
    kind = picture_kind(data[:HEAD].tobytes())
    if kind not in ("JPEG", "PNG", "WEBP", "TIFF", "EXR"):
        return None
    import cv2

    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:  # no subclass of what others raise; of a TIFF wider than a million pixels, for one
        if is_out_of_memory(error):
            raise MemoryError from None
        pixels = None
    return read_pixels(data.tobytes()) if pixels is None and kind == "EXR" else pixels
