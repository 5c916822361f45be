"""The models folder: which networks are installed, and how files are downloaded, imported, checked and removed."""

import hashlib
import logging
import os
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DioramaError, Kind
from .catalogue import CATALOGUE, METRIC_DEPTH, RELATIVE_DEPTH, Weights, weights_named
from .file_lock import append, exclusive, file_size, open_fresh, reading, remove_planted, require_space, writing
from .http_download import Progress, RetryPolicy, Wanted, WrongContent, fetch
from .record import HASHES, read_record, write_record

__all__ = [
    "CATALOGUE",
    "METRIC_DEPTH",
    "RELATIVE_DEPTH",
    "InstalledFile",
    "ModelRow",
    "Weights",
    "best_estimator",
    "describe",
    "download",
    "import_file",
    "installed",
    "list_models",
    "checked_path",
    "remove",
    "verify",
    "weights_named",
]

log = logging.getLogger(__name__)

UNKNOWN_LIMIT = 4 << 30  # bytes; no more is written where a file's length is not known
TOLERANCE = 0.1  # of a length that is known only about: MB against MiB, and rounding
BLOCK = 1 << 20  # bytes hashed or copied between calls of progress


@dataclass(frozen=True)
class InstalledFile:
    """Weights that lie checked in the models folder."""

    weights: Weights
    path: Path
    sha256: str  # 64 digits, of the file as it was checked
    note: str  # a sentence for the user: where the file lies and against what it was checked


@dataclass(frozen=True)
class ModelRow:
    """One line of a list of models."""

    key: str
    state: str  # "installed", "unchecked" (a file not verified yet), "partial" (resumed by a download) or "missing"
    bytes: int  # of the whole file, as the catalogue says
    bytes_on_disk: int
    licence: str
    commercial: bool
    kind: str
    purpose: str
    file: str
    description: str  # the sentence to show before a download


def describe(weights: Weights) -> str:
    """The sentence to show before a download: file, size, source, licence, purpose."""
    host = urllib.parse.urlsplit(weights.urls[0]).hostname
    use = "commercial use allowed" if weights.commercial else "NOT for commercial use"
    return f"{weights.key}: {weights.file}, {_megabytes(weights)} from {host}, licence {weights.licence} ({use}); {weights.purpose}."


def installed(folder: str | Path, catalogue: Iterable[Weights] = CATALOGUE) -> tuple[Weights, ...]:
    """Networks whose file lies in `folder` and was checked when it came; looks at lengths, not at the content."""
    record = read_record(Path(folder))
    return tuple(weights for weights in catalogue if _is_installed(weights, Path(folder), record))


def best_estimator(folder: str | Path, catalogue: Iterable[Weights] = CATALOGUE) -> Weights | None:
    """The depth network that "auto" takes: of those in `folder` the best, among equals one for commercial use."""
    found = [weights for weights in installed(folder, catalogue) if weights.rank > 0]
    return max(found, key=lambda weights: (weights.rank, weights.commercial)) if found else None


def checked_path(weights: Weights, folder: str | Path) -> Path:
    """Path of the checked file; raises DioramaError that names the download where it is missing."""
    if _is_installed(weights, Path(folder), read_record(Path(folder))):
        return Path(folder) / weights.file
    if (Path(folder) / weights.file).is_file():
        raise DioramaError(f"{Path(folder) / weights.file} was never checked", Kind.MISSING_NETWORK,
                           window=f"verify {weights.key} first", command_line=f"verify {weights.key} first "
                           f"(photo-diorama models verify {weights.key})")  # fmt: skip
    fetch = f"download it ({_megabytes(weights)}, {weights.licence}) or import it"
    raise DioramaError(f"{weights.key} is not in {folder}", Kind.MISSING_NETWORK, window=fetch,
                       command_line=f"{fetch} (photo-diorama models download {weights.key})")  # fmt: skip


def list_models(folder: str | Path, catalogue: Iterable[Weights] = CATALOGUE) -> list[ModelRow]:
    """One row for each weights of the catalogue, in its order."""
    folder = Path(folder)
    record = read_record(folder)
    rows = []
    for weights in catalogue:
        part = folder / (weights.file + ".part")
        if _is_installed(weights, folder, record):
            state, on_disk = "installed", file_size(folder / weights.file)
        elif (folder / weights.file).is_file():
            state, on_disk = "unchecked", file_size(folder / weights.file)
        elif part.is_file():
            state, on_disk = "partial", file_size(part)
        else:
            state, on_disk = "missing", 0
        rows.append(
            ModelRow(
                weights.key,
                state,
                weights.bytes,
                on_disk,
                weights.licence,
                weights.commercial,
                weights.kind,
                weights.purpose,
                weights.file,
                describe(weights),
            )
        )
    return rows


def _silent(fraction: float, text: str) -> None:
    """The default progress callback: does nothing."""


def download(
    weights: Weights,
    folder: str | Path,
    progress: Progress,
    online: bool,
    *,
    stall_timeout: float = 20.0,
    attempts: int = 4,
    pause: float = 1.0,
) -> InstalledFile:
    """Brings the weights into `folder`, from the first of their sources that gives the right file.

    Bytes go to `<file>.part`, which a later call continues after a cut or a cancel, and are renamed once their length
    and hash are right. A lock of the operating system on `<file>.lock` lets one process work on a file; a second one
    waits (and then finds the file there). Weights that are installed are not asked for again.

    Args:
        progress: called with (fraction 0..1, text), in this thread, at least each 0.1 s; may raise Cancelled, which
            leaves the `.part` and nothing else.
        online: whether the user allows online access; only True does.
        stall_timeout: seconds without data after which an attempt is given up.
        attempts: failures in a row, per source, that end it.
        pause: seconds before the second attempt, doubled for each further one.
    Raises DioramaError with one sentence that says for each source why it failed.
    """
    folder = Path(folder)
    if _is_installed(weights, folder, read_record(folder)):
        return _already(weights, folder)
    if online is not True:
        allow = "allow it in Blender's Preferences > System > Network"
        raise DioramaError(f"{weights.file} is not downloaded because online access is off", Kind.MISSING_NETWORK,
                           window=f"{allow}, or import the file",
                           command_line=f"{allow} (or start with --online-mode), or import the file")  # fmt: skip
    target = _folder_for(folder) / weights.file
    part = target.with_name(weights.file + ".part")
    wanted = Wanted(*_bounds(weights), hashed=bool(_expected_hash(weights, read_record(folder))))
    with exclusive(target, lambda: progress(0.0, f"Waiting for another download of {weights.file}")):
        if _is_installed(weights, folder, read_record(folder)):  # by the one waited for
            part.unlink(missing_ok=True)
            return _already(weights, folder)
        remove_planted(part)
        if target.is_file():
            try:
                sha256 = _check_hash(weights, folder, target, progress)
                return _enter(weights, folder, sha256)
            except WrongContent as wrong:
                log.warning("%s %s and is downloaded anew", target, wrong)
        sha256 = fetch(
            weights.urls,
            part,
            wanted,
            lambda path: _check_hash(weights, folder, path, progress),
            progress,
            RetryPolicy(stall_timeout, attempts, pause),
        )
        with writing(target):
            os.replace(part, target)
        return _enter(weights, folder, sha256)


def import_file(weights: Weights, path: str | Path, folder: str | Path, progress: Progress = _silent) -> InstalledFile:
    """Copies a file that the user already has into `folder`, checked as a download is; its name does not matter.

    Raises DioramaError where it cannot be read or is another file; Cancelled from progress. Either leaves nothing.
    """
    source, folder = Path(path), Path(folder)
    if not source.is_file():
        raise DioramaError(f"{source} is not a file: choose the downloaded {weights.file}.")
    target = _folder_for(folder) / weights.file
    if target.exists() and os.path.samefile(source, target):
        return verify(weights, folder, progress)
    copy = target.with_name(weights.file + ".import")
    with exclusive(target, lambda: progress(0.0, f"Waiting for another download of {weights.file}")):
        try:
            _copy(weights, source, copy, progress)
            sha256 = _check_hash(weights, folder, copy, progress)
            with writing(target):
                os.replace(copy, target)
        except WrongContent as wrong:
            raise DioramaError(f"{source} {wrong}: fetch {weights.file} anew from {weights.urls[0]}.") from None
        finally:
            copy.unlink(missing_ok=True)
        target.with_name(weights.file + ".part").unlink(missing_ok=True)
        return _enter(weights, folder, sha256)


def verify(weights: Weights, folder: str | Path, progress: Progress = _silent) -> InstalledFile:
    """Hashes the whole file again; an unchecked file is recorded as installed when it is right.

    Raises DioramaError where the file is missing or is another one, which then no longer counts as installed.
    """
    folder = Path(folder)
    target = folder / weights.file
    if not target.is_file():
        raise DioramaError(f"{weights.key} is not in {folder}: download or import it first.")
    try:
        return _enter(weights, folder, _check_hash(weights, folder, target, progress))
    except WrongContent as wrong:
        _forget(weights, folder)
        raise DioramaError(f"{target} {wrong}: remove {weights.key} and download it again.") from None


def remove(weights: Weights, folder: str | Path) -> int:
    """Deletes the file and an interrupted download of it; returns the bytes freed, 0 where nothing was there.

    A hash recorded at the first download is kept and checked when the file comes again.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return 0

    def busy() -> None:
        raise DioramaError(f"{weights.file} is being downloaded by another process: stop that one first.")

    freed, known = 0, weights.file in read_record(folder)
    with exclusive(folder / weights.file, busy):
        for path in (folder / weights.file, folder / (weights.file + ".part"), folder / (weights.file + ".import")):
            with writing(path):
                freed += file_size(path)
                path.unlink(missing_ok=True)
        if known:
            _forget(weights, folder)
    return freed


def _megabytes(weights: Weights) -> str:
    if not weights.bytes:
        return "of unknown size"
    return f"{'' if weights.bytes_exact else 'about '}{weights.bytes / 1e6:,.1f} MB"


def _bounds(weights: Weights) -> tuple[int, int]:
    """Least and most bytes that the file may have."""
    if weights.bytes_exact:
        return weights.bytes, weights.bytes
    if weights.bytes:
        return int(weights.bytes * (1 - TOLERANCE)), int(weights.bytes * (1 + TOLERANCE))
    return 1, UNKNOWN_LIMIT


def _folder_for(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DioramaError(f"{folder} cannot be made ({error.strerror}): choose another models folder.") from error
    return folder


def _copy(weights: Weights, source: Path, copy: Path, progress: Progress) -> None:
    least, most = _bounds(weights)
    length = file_size(source)
    if not least <= length <= most:
        raise WrongContent(f"has {length:,} bytes where {_megabytes(weights)} are expected")
    require_space(copy, length)
    done = 0
    with reading(source):
        out_of = open(source, "rb")  # noqa: SIM115 - closed by the next line
    with out_of:
        with writing(copy):
            into = open_fresh(copy)
        with into:
            while done <= most:
                with reading(source):
                    block = out_of.read(BLOCK)
                if not block:
                    break
                with writing(copy):
                    append(into, block)
                done += len(block)
                progress(min(done / length, 1.0) / 2, f"Copying {source.name}")
            with writing(copy):
                os.fsync(into.fileno())


def _check_hash(weights: Weights, folder: Path, path: Path, progress: Progress) -> str:
    """The sha256 of `path`; raises WrongContent where its length or hash is not what is known of the weights."""
    least, most = _bounds(weights)
    length = file_size(path)
    if not least <= length <= most:
        raise WrongContent(f"has {length:,} bytes where {_megabytes(weights)} are expected")
    digest, done = hashlib.sha256(), 0
    with reading(path):
        file = open(path, "rb")  # noqa: SIM115 - closed by the next line
    with file:
        while True:
            with reading(path):
                block = file.read(BLOCK)
            if not block:
                break
            digest.update(block)
            done += len(block)
            progress(min(done / length, 1.0), f"Checking {weights.file}")
    sha256 = digest.hexdigest()
    expected = _expected_hash(weights, read_record(folder))
    if not sha256.startswith(expected):
        raise WrongContent(
            f"does not have the content expected of {weights.file} (sha256 {sha256[:16]}... instead of "
            f"{expected[:16]}...)" + _recorded_hint(weights, expected)
        )
    return sha256


def _recorded_hint(weights: Weights, expected: str) -> str:
    if expected == weights.sha256:
        return ""
    return f" as recorded at its first download in {HASHES}, whose entry you may delete if you trust the new one"


def _expected_hash(weights: Weights, record: dict) -> str:
    """All digits, the first 8, or none: the catalogue's, made whole by what the first download recorded."""
    recorded = record.get(weights.file, {}).get("sha256", "")
    return recorded if len(weights.sha256) < 64 and recorded.startswith(weights.sha256) else weights.sha256


def _is_installed(weights: Weights, folder: Path, record: dict) -> bool:
    entry = record.get(weights.file, {})
    path = folder / weights.file
    return "bytes" in entry and entry["sha256"].startswith(weights.sha256) and path.is_file() and file_size(path) == entry["bytes"]


def _already(weights: Weights, folder: Path) -> InstalledFile:
    path = folder / weights.file
    return InstalledFile(weights, path, read_record(folder)[weights.file]["sha256"], f"{path} is already there.")


def _enter(weights: Weights, folder: Path, sha256: str) -> InstalledFile:
    """Records the checked file, and what it was checked against."""
    path = folder / weights.file
    known = weights.file in read_record(folder)
    write_record(folder, weights.file, {"sha256": sha256, "bytes": file_size(path)})
    if len(weights.sha256) == 64:
        against = "its sha256 is the published one"
    elif known:
        against = "its sha256 is the one recorded at its first download"
    elif weights.sha256:
        against = f"its sha256 begins with the 8 digits that are published, and is recorded whole in {HASHES} to be checked from now on"
    else:
        against = (
            f"NO hash of it is published, so this first file is trusted; its sha256 {sha256} is recorded in "
            f"{HASHES} and checked from now on"
        )
    return InstalledFile(weights, path, sha256, f"{path} is installed: {against}.")


def _forget(weights: Weights, folder: Path) -> None:
    """Marks the file as not installed; its hash stays, to be checked when it comes again."""
    entry = read_record(folder).get(weights.file)
    if entry:
        write_record(folder, weights.file, {"sha256": entry["sha256"]})
