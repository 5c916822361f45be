"""How many threads the work may take: one number for the whole process, which changes how long it takes and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from .settings import check_option, option

MOST = 8
"""Threads of ours where nobody asked for a number: more of them wait for memory and not for the processor."""


@dataclass(frozen=True)
class ThreadSettings:
    """An option of the machine, not of a diorama: no scene keeps it, and nothing is built anew when it changes."""

    threads: int = option(0, "Processor cores that building a diorama may take; 0 is all of them", label="Threads", low=0, high=1024)


_asked = 0
_own: dict[str, int] = {}
"""What a library took by itself before it was told, by its name."""


def use_threads(count: int) -> None:
    """From now on the work takes `count` threads, 0 as many as it likes. Raises DioramaError for an impossible number."""
    global _asked
    check_option(fields(ThreadSettings)[0], count)
    _asked = count
    hand_on_threads()


@contextmanager
def threads_used(count: int) -> Iterator[None]:
    """Meanwhile `count` threads; 0 leaves what was asked for before. Raises DioramaError for an impossible number."""
    before = _asked
    use_threads(count or before)
    try:
        yield
    finally:
        use_threads(before)


def thread_count() -> int:
    """Threads for a pool of ours."""
    return _asked or min(MOST, os.cpu_count() or 1)


def hand_on_threads() -> None:
    """Tells OpenCV and PyTorch, where they are loaded; they are left alone while nobody has asked for a number.

    PyTorch keeps the number for each thread, so whoever works in a thread of its own calls this there.
    """
    for name, get, tell in (("cv2", "getNumThreads", "setNumThreads"), ("torch", "get_num_threads", "set_num_threads")):
        library = sys.modules.get(name)
        if not hasattr(library, tell) or not (_asked or name in _own):
            continue
        _own.setdefault(name, getattr(library, get)())
        getattr(library, tell)(_asked or _own[name])
