"""Estimates the memory that a diorama needs, from measured figures, and what the machine has left; caches of bounded size."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from .raster.decode import MAX_PIXELS, size_by_header

MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
"""Numbers of glibc's options (malloc.h)."""


def free_memory() -> int | None:
    """Bytes that this process may still take: of the machine, its container and its own limit; None where unknown."""
    found = [read() for read in (_machine_memory, _container_memory, address_space_left)]
    limits = [number for number in found if number is not None]
    return max(0, min(limits)) if limits else None


def _machine_memory() -> int | None:
    """Linux: memory that can be had without swapping (proc(5), MemAvailable)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = MEMINFO.read_text().splitlines()
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
    return None


def _container_memory() -> int | None:
    """Control groups, version 2: what the limit leaves, caches of files counted as free."""
    with contextlib.suppress(OSError, ValueError):
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return limit - used + int(stat.get("inactive_file", 0))
    return None


def address_space_left() -> int | None:
    """Bytes that a limit of this process (`ulimit -v`) leaves; None where there is none."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        return limit - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return None


BLENDER_ADDRESSES = 1_500_000_000
"""Bytes of address space for Blender and one diorama in it; with less Blender crashes when it is loaded, or when it loads a picture."""
PYTHON_MB, BLENDER_MB, NETWORKS_MB = 150, 170, 400
"""MB: Python and its libraries; Blender; networks and what runs them."""
BYTES_PER_GRID_PIXEL, BYTES_PER_PHOTO_PIXEL = 440, 24
"""Bytes for a pixel of the working grid through layers and mesh (docs/benchmarks.md, 480 to 1920 pixels), and for one of the photo."""


def needed_memory(width: int, height: int, long_side: int, networks: bool) -> int:
    """Approximate peak bytes for a photo of width x height, up to the .blend; by measured figures, for common photos."""
    grid = width * height * min(1.0, long_side / max(width, height)) ** 2
    fixed = PYTHON_MB + BLENDER_MB + (NETWORKS_MB if networks else 0)
    return int(fixed * 1e6 + BYTES_PER_GRID_PIXEL * grid + BYTES_PER_PHOTO_PIXEL * width * height)


def scarce_memory(photo: Path, long_side: int, networks: bool) -> str | None:
    """A sentence's first half where the machine has less memory left than the photo will take, by the size in its header; else None."""
    free, size = free_memory(), size_by_header(photo)
    if free is None or size is None or size[0] * size[1] > MAX_PIXELS:
        return None  # a photo that is too large is refused in a sentence of its own
    need = needed_memory(*size, long_side, networks)
    if need <= free:
        return None
    return f"{photo} needs about {need / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; should it stop for lack of it"


def keep_freed_memory() -> None:
    """Has GNU's C library use again what arrays freed, instead of asking for zeroed pages each time: a tenth of a diorama's processor time.

    One heap for all threads also takes less at the peak. For a process that is ours alone, before it starts threads (mallopt(3));
    elsewhere this does nothing. `give_back` works as before.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, 2**27), (M_TRIM_THRESHOLD, 2**29), (M_TOP_PAD, 2**26)):
            library.mallopt(option, value)


def give_back() -> None:
    """Hands memory that was freed, and that the C library kept for later, back to the machine: a third of a diorama's peak.

    GNU's keeps a heap for each thread (malloc_trim(3)); elsewhere this does nothing.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # macOS has no such function, Windows no library without a name
        ctypes.CDLL(None).malloc_trim(0)


def free_caches(package: str) -> None:
    """Empties every cache of the loaded modules of a package: everything with a `cache_clear`, such as functions under `lru_cache`.

    Networks and results are read or computed again when they are next needed.
    """
    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(package + "."):
            for value in list(vars(module).values()):
                clear = None if isinstance(value, type) else getattr(value, "cache_clear", None)
                if callable(clear):
                    clear()


@dataclass
class ArrayCache:
    """LRU cache of arrays, or of None where there is no result, by keys of bytes; several threads may use it."""

    room: int = 2**27  # bytes
    results: OrderedDict[bytes, np.ndarray | None] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def recall(self, key: bytes) -> tuple[bool, np.ndarray | None]:
        """(whether the result is there, the result)."""
        with self.lock:
            if key not in self.results:
                return False, None
            self.results.move_to_end(key)
            return True, self.results[key]

    def keep(self, key: bytes, result: np.ndarray | None) -> None:
        """Stores a result; drops the least recently used ones until all fit into `room`."""
        with self.lock:
            self.results[key] = result
            while sum(0 if kept is None else kept.nbytes for kept in self.results.values()) > self.room:
                self.results.popitem(last=False)

    def cache_clear(self) -> None:
        """Forgets everything."""
        with self.lock:
            self.results.clear()
