"""Files that are open stay, as on Windows."""

import errno
import os
from pathlib import Path

import pytest

OPEN_FILES = Path("/proc/self/fd")


def _is_open(path) -> bool:
    try:
        wanted = os.lstat(path)
    except OSError:
        return False
    for number in os.listdir(OPEN_FILES):
        try:
            found = os.stat(int(number))
        except (OSError, ValueError):
            continue  # closed meanwhile
        if os.path.samestat(found, wanted):
            return True
    return False


@pytest.fixture(autouse=True)
def open_files_stay(monkeypatch):
    """As on Windows, a file that this process has open can be neither removed nor replaced; locks alone are removed in their own way."""
    if os.name == "nt" or not OPEN_FILES.is_dir():
        return

    def guarded(real):
        def call(*paths, **options):
            for path in paths:
                if not os.fspath(path).endswith(".lock") and _is_open(path):
                    raise PermissionError(errno.EACCES, "another program uses it, as Windows would say", os.fspath(path))
            return real(*paths, **options)

        return call

    for name in ("unlink", "remove", "replace", "rename"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))
