"""The manifest of a batch: which photos a folder holds, which are done, and a record on disk so that a later run can resume."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..depth.depth_sidecar import find_sidecar_depth
from ..depth.named_depth import find_named_depth
from ..errors import DioramaError
from ..models.file_lock import real_path
from ..raster.open_picture import PHOTO_ENDINGS

DEPTH_ENDINGS = (".png", ".tif", ".tiff", ".exr", ".npy", ".npz", ".pfm")
DONE, BAD_INPUT, FAULT = "done", "bad input", "fault"
CRASHED, OUT_OF_MEMORY, NO_PROGRESS = "crashed", "out of memory", "no progress"
MAX_NAME_BYTES = 200
"""Longest name of an output, without its ending, in bytes; file systems take 255 with the ending."""
MAX_LINE = 1 << 20
STAGING = ".photo-diorama-batch"
"""Folder inside the output folder; each result is made in its own sub-folder there until it is complete."""


@dataclass(frozen=True)
class Task:
    """One photo of a batch."""

    photo: str  # its path below the folder, with slashes
    path: Path
    stamp: tuple[int, ...]  # size and time of writing [ns] of the photo, and of its depth map
    base: str  # what its results are called below the output folder, without ending
    depth: Path | None = None


def find_tasks(folder: Path, output: Path, depths: Path | None = None) -> list[Task]:
    """A task for each photo below `folder`, sorted by name; hidden files and the folder `output` are left out.

    A depth file beside its photo is not a task of its own. `depths` is a folder of depth files with the photos' names and sub-folders.
    Raises DioramaError where `folder` or `depths` cannot be read or holds no photo.
    """
    paths = _photos_below(folder, real_path(output))
    beside = {found for path in paths for found in _depth_beside(path)}
    paths = [path for path in paths if path not in beside]
    if not paths:
        raise DioramaError(f"{folder} holds no photo ({', '.join(PHOTO_ENDINGS)}); name the folder that does.")
    if depths is not None and not depths.is_dir():
        raise DioramaError(f"{depths} is no folder; name the folder that holds the photos' depth maps.")
    photos = [path.relative_to(folder).as_posix() for path in paths]
    tasks = []
    for path, photo, base in zip(paths, photos, _bases(photos), strict=True):
        depth = None if depths is None else _depth_of(photo, depths)
        stamp = tuple(n for each in (path, depth) if each is not None for n in _stamp(each))
        tasks.append(Task(photo, path, stamp, base, depth))
    return tasks


def _photos_below(folder: Path, output: Path) -> list[Path]:
    def failed(error: OSError) -> None:
        raise DioramaError(f"{error.filename} cannot be read ({error.strerror}); check its name and permissions.")

    found = []
    for place, folders, names in os.walk(folder, onerror=failed):
        folders[:] = [n for n in folders if not n.startswith(".") and real_path(Path(place, n)) != output]
        found += [Path(place, n) for n in names if not n.startswith(".") and n.lower().endswith(PHOTO_ENDINGS)]
    return sorted(path for path in found if os.path.isfile(path))  # of Path's, some raise


def _depth_beside(path: Path) -> Iterator[Path]:
    """Depth files beside a photo. An error with one photo is reported when that photo's turn comes and stops no other."""
    for find in (find_sidecar_depth, find_named_depth):
        with contextlib.suppress(Exception):  # files of unknown origin: their errors must concern this photo only
            if (found := find(path)) is not None:
                yield found


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # reported when its turn comes
        return (0, 0)
    return status.st_size, status.st_mtime_ns


def _depth_of(photo: str, depths: Path) -> Path | None:
    place = depths / photo
    return next((p for p in map(place.with_suffix, DEPTH_ENDINGS) if os.path.isfile(p)), None)


def _bases(photos: Sequence[str]) -> Iterator[str]:
    """Names without ending. Where two photos would get the same name (on any file system), both keep their ending in it."""
    plain = [_cut(PurePosixPath(photo).with_suffix("")) for photo in photos]
    count, taken = Counter(name.casefold() for name in plain), set()
    for photo, name in zip(photos, plain, strict=True):
        whole, number = name if count[name.casefold()] == 1 else _cut(PurePosixPath(photo)), 1
        name = whole
        while name.casefold() in taken:
            number += 1
            name = f"{whole}-{number}"
        taken.add(name.casefold())
        yield name


def _cut(path: PurePosixPath) -> str:
    name = os.fsencode(path.name)[:MAX_NAME_BYTES].decode(errors="surrogateescape")
    return str(path.with_name(name))


class Manifest:
    """A JSON Lines file with a record for each attempt at a photo; a photo's last record counts.

    One process at a time writes it. A line that a kill or a full disk cut short is ignored, and the next record starts a new line.
    """

    def __init__(self, path: Path):
        self.path, self.ignored = path, 0

    def read(self) -> dict[str, dict]:
        """The last complete record of each photo; `ignored` counts complete lines that are no records."""
        records: dict[str, dict] = {}
        self.ignored = 0
        if not self.path.exists():
            return records
        with _disk(self.path), open(self.path, "rb") as file:
            while line := file.readline(MAX_LINE):
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    continue  # cut short
                if _is_record(record):
                    records[record["photo"]] = record
                else:
                    self.ignored += 1
        return records

    def append(self, record: dict) -> None:
        """Adds a record and waits until it is on disk; a full disk leaves the file as it was."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with _disk(self.path), open(self.path, "ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size and not self._ends_a_line(file, size):
                line = b"\n" + line
            try:
                view = memoryview(line)
                while view:
                    view = view[file.write(view) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    @staticmethod
    def _ends_a_line(file, size: int) -> bool:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def _is_record(record: object) -> bool:
    """Whether a line of the manifest, which anybody may have edited, is of the types that a run writes."""
    if not isinstance(record, dict) or not isinstance(record.get("photo"), str):
        return False
    files = record.get("files", {})
    sound = isinstance(files, dict) and all(isinstance(size, int) for size in files.values())
    return sound and isinstance(record.get("settings", {}), dict) and isinstance(record.get("result", ""), str)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DioramaError(f"{path} cannot be read and written ({error.strerror or error}); check the free space and the rights.") from None


def is_done(record: dict | None, task: Task, settings: dict, output: Path) -> bool:
    """Whether an earlier run made this photo's results with these settings, and they are all still there."""
    if record is None or record.get("result") != DONE or record.get("settings") != settings:
        return False
    files = record.get("files")
    if record.get("stamp") != list(task.stamp) or record.get("name") != task.base or not isinstance(files, dict):
        return False
    return bool(files) and all(_size(output / name) == size for name, size in files.items())


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # the second of names with a zero byte
        return None


def files_below(folder: Path) -> dict[str, int]:
    """Sizes of all files below a folder, by their paths with slashes."""
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}


def put_in_place(staged: Path, output: Path, files: dict[str, int], record: Callable[[], None], old: dict | None) -> None:
    """Moves finished results to their final names; `record` writes the manifest, `old` is the record of an earlier run.

    Old files are removed first, so that after a kill at any moment no record describes files of another run.
    Raises DioramaError where a folder has the name of a result, before anything is moved, and OSError of the disk.
    """
    for name in files:
        if (output / name).is_dir():
            raise DioramaError(f"{output / name} is a folder already; move it away or choose another folder.")
    earlier = (old or {}).get("files")
    for name in {*files, *(earlier if isinstance(earlier, dict) else ())}:
        place = output / name
        inside = real_path(place.parent).is_relative_to(real_path(output))
        if inside and "\0" not in name and not place.is_dir():  # the manifest is a file that anybody may have edited
            with contextlib.nullcontext() if name in files else contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
    record()
    moved = []
    try:
        for name in files:
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged / name, output / name)
            moved.append(output / name)
    except OSError:
        for place in moved:
            place.unlink(missing_ok=True)
        raise


def final_folder(folder: Path) -> Path:
    """The folder to which complete results are moved: the folder itself, except for a batch's staging folders.

    >>> final_folder(Path("/out/.photo-diorama-batch/x1/trip")).as_posix()
    '/out/trip'
    """
    parts = folder.parts
    if STAGING not in parts:
        return folder
    start = parts.index(STAGING)
    return Path(*parts[:start], *parts[start + 2 :])


class Pace:
    """Estimates how long the rest of a batch will take from what this run has done so far."""

    def __init__(self, count: int, now: float | None = None):
        self.count, self.done, self.begun = count, 0, time.monotonic() if now is None else now

    def left(self, now: float | None = None) -> float | None:
        """Seconds until the end; None before the first photo is done."""
        if not self.done:
            return None
        return ((time.monotonic() if now is None else now) - self.begun) / self.done * (self.count - self.done)


def format_duration(seconds: float) -> str:
    """A duration for people to read."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
