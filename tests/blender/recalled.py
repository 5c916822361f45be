"""The two slow stages of the pipeline, computed once for all tests that build of the same pixels with the same options.

Both are functions of their arguments alone. What a test changes in photo, depth or options makes other arguments, and is computed.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from photo_diorama.core import pipeline
from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.inpaint.needed_networks import NEEDED
from photo_diorama.core.mesh.triangulate import cut_triangles

MAX_KEPT = 24
"""Results that are kept, some megabytes each: those asked for last."""


def digest(value: Any) -> bytes:
    """The same for equal values alone; of a path its last name counts, as each test has a folder of its own."""
    told = hashlib.blake2b(digest_size=16)
    _add(told, value)
    return told.digest()


def _add(told, value: Any) -> None:
    if isinstance(value, np.ndarray):
        told.update(f"{value.dtype}{value.shape}".encode())
        told.update(np.ascontiguousarray(value))
    elif is_dataclass(value):
        told.update(type(value).__name__.encode())
        for each in fields(value):
            _add(told, getattr(value, each.name))
    elif isinstance(value, (tuple, list)):
        told.update(f"{type(value).__name__}{len(value)}".encode())
        for each in value:
            _add(told, each)
    elif isinstance(value, dict):
        _add(told, list(value.items()))
    elif value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        told.update(f"{type(value).__name__}{value!r};".encode())
    elif isinstance(value, Path):
        _add(told, value.name)
    else:
        raise TypeError(f"no digest of {type(value)}")


class Recalled:
    """Results of one function, by digests of its arguments; each has its own digest, by which a result that was written into is found."""

    def __init__(self) -> None:
        self.results: OrderedDict[bytes, tuple[bytes, Any]] = OrderedDict()

    def __call__(self, arguments: tuple, work: Callable[[], Any]) -> Any:
        key = digest(arguments)
        if key not in self.results:
            result = work()
            self.results[key] = digest(result), result
            if len(self.results) > MAX_KEPT:
                self.results.popitem(last=False)
        self.results.move_to_end(key)
        seal, result = self.results[key]
        assert digest(result) == seal, "a stage's result was written into"
        return result


_inpainted, _cut = Recalled(), Recalled()


def recalled_inpaint(image, layers, settings, told, downloaded):
    """As `inpaint`; with downloaded networks always anew, as their files are no arguments."""
    if settings.inpainter in NEEDED:
        return inpaint(image, layers, settings, told, downloaded)
    result = _inpainted((image, layers, settings), lambda: inpaint(image, layers, settings, told, downloaded))
    told(1.0)  # where a test stops it
    return result


def recalled_cut_triangles(*arguments):
    """As `cut_triangles`."""
    return _cut(arguments, lambda: cut_triangles(*arguments))


def recall(put: Callable[[object, str, object], None]) -> None:
    """Puts both in the pipeline, by `setattr` or pytest's own that takes them back."""
    put(pipeline, "inpaint", recalled_inpaint)
    put(pipeline, "cut_triangles", recalled_cut_triangles)
