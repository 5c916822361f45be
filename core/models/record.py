"""The record of checked files in a models folder: each file's sha256 and length, `hashes.json`."""

import json
import os
from pathlib import Path

from ..errors import DioramaError
from .file_lock import append, exclusive, open_fresh, reading, writing

HASHES = "hashes.json"
HASHES_LIMIT = 1 << 20  # bytes; the record is a few hundred


def read_record(folder: Path) -> dict[str, dict]:
    """{file: {"sha256": 64 digits, "bytes": length when checked, absent once removed}}, empty where there is none."""
    path = folder / HASHES
    if not path.exists():
        return {}
    with reading(path), open(path, "rb") as file:
        text = file.read(HASHES_LIMIT + 1)
    try:
        record = json.loads(text) if len(text) <= HASHES_LIMIT else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not all(_is_entry(entry) for entry in record.values()):
        raise DioramaError(f"{path} is damaged: delete it and verify the models again.")
    return record


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("sha256"), str)
        and len(entry["sha256"]) == 64
        and isinstance(entry.get("bytes", 0), int)
    )


def write_record(folder: Path, file: str, entry: dict) -> None:
    path = folder / HASHES
    fresh = path.with_name(HASHES + ".part")
    with exclusive(path, lambda: None):
        record = read_record(folder) | {file: entry}
        with writing(path):
            with open_fresh(fresh) as out:
                append(out, json.dumps(record, indent=1, sort_keys=True).encode("ascii"))
                os.fsync(out.fileno())
            os.replace(fresh, path)
