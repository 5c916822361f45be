"""The number of threads, one for the whole process; it changes the time that work takes and no result."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from .settings import check_option, option

MAX_THREADS = 8
"""Threads that we start unless a number is asked for: with more of them memory is the limit, not the processor."""


@dataclass(frozen=True)
class ThreadSettings:
    """An option of the machine, not of a diorama: no scene stores it, and a change rebuilds nothing."""

    threads: int = option(0, "Processor cores that building a diorama may take; 0 is all of them", label="Threads", low=0, high=1024)


_asked = 0
_own: dict[str, int] = {}
"""By library: its own number of threads before we set it."""


def use_threads(count: int) -> None:
    """Sets the number of threads from now on, 0 for no limit. Raises DioramaError for an impossible number."""
    global _asked
    check_option(fields(ThreadSettings)[0], count)
    _asked = count
    hand_on_threads()


@contextmanager
def threads_used(count: int) -> Iterator[None]:
    """A context with `count` threads; 0 keeps the number set before. Raises DioramaError for an impossible number."""
    before = _asked
    use_threads(count or before)
    try:
        yield
    finally:
        use_threads(before)


def thread_count() -> int:
    """Number of threads for our own pools."""
    return _asked or min(MAX_THREADS, os.cpu_count() or 1)


def hand_on_threads() -> None:
    """Passes the number to OpenCV and PyTorch where they are loaded; does nothing while no number was set.

    PyTorch keeps the number per thread, so work in a thread of its own calls this there.
    """
    for name, get, tell in (("cv2", "getNumThreads", "setNumThreads"), ("torch", "get_num_threads", "set_num_threads")):
        library = sys.modules.get(name)
        if not hasattr(library, tell) or not (_asked or name in _own):
            continue
        _own.setdefault(name, getattr(library, get)())
        getattr(library, tell)(_asked or _own[name])
