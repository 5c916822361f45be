"""What was changed in the surfaces as bytes, for a scene to keep: an NPZ of arrays without pickles, and a JSON."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import replace

import numpy as np

from .edited_layers import AddedSurface, LayerEdits, Recut

MAX_BYTES = 2**31
"""Bytes that the arrays of one diorama may take."""
DAMAGED = (
    ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError,
)  # fmt: skip
"""What reading a spoilt file of arrays raises."""
MASKS = ("erased", "added", "present")


def as_bytes(edits: LayerEdits) -> bytes:
    """For `from_bytes`; colours are kept as half floats, as finely as they were taken from a file."""
    arrays: dict[str, np.ndarray] = {}
    listed: list[dict] = []
    for each in (*edits.recuts, *edits.added):
        values = vars(each)
        plain = {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                arrays[f"{len(listed)} {name}"] = value.astype(np.float16) if name == "colour" else value
        listed.append({"kind": type(each).__name__} | plain)
    about = {"frame": edits.frame, "shape": edits.shape, "cards": edits.cards, "listed": listed}
    file = io.BytesIO()
    np.savez_compressed(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def from_bytes(data: bytes) -> LayerEdits | None:
    """What `as_bytes` gave; None where that is damaged or claims more than it may."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(each.file_size for each in parts.infolist()) > MAX_BYTES:
                return None
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            about = json.loads(kept["about"].tobytes().decode())
            (top, left, high, wide), (rows, columns) = about["frame"], about["shape"]
            recuts: list[Recut] = []
            added: list[AddedSurface] = []
            for at, each in enumerate(about["listed"]):
                kind = each.pop("kind")
                arrays = {name.partition(" ")[2]: kept[name] for name in kept.files if name.partition(" ")[0] == str(at)}
                if kind == "Recut":
                    recuts.append(Recut(**each, **arrays))
                else:
                    made = AddedSurface(**each, **arrays)
                    added.append(replace(made, colour=made.colour.astype(np.float32)))
            edits = LayerEdits(
                (int(top), int(left), int(high), int(wide)), (int(rows), int(columns)), tuple(recuts), tuple(added),
                tuple((str(role), str(card)) for role, card in about["cards"]),
            )  # fmt: skip
    except DAMAGED:
        return None
    return edits if _is_sound(edits) else None


def _is_sound(edits: LayerEdits) -> bool:
    """Whether every array has the shape and kind that it must have."""
    for recut in edits.recuts:
        if not _is_number(recut.surface, 0):
            return False
    for each in edits.added:
        plain = isinstance(each.name, str) and isinstance(each.origin, str) and {type(each.behind), type(each.replaces)} == {bool}
        if not (plain and _is_number(each.number, 1)):
            return False
    named = [pair for each in (*edits.recuts, *edits.added) for pair in vars(each).items()]
    arrays = [(name, value) for name, value in named if isinstance(value, np.ndarray)]
    kinds = all(value.dtype == (bool if name in MASKS else np.float32) for name, value in arrays)
    shapes = all(value.shape[:2] == edits.shape and value.ndim == (3 if name == "colour" else 2) for name, value in arrays)
    numbers = all(np.isfinite(value).all() for name, value in arrays if name not in MASKS)
    numbers &= all((each.disparity[each.present] > 0).all() for each in edits.added if shapes)
    return len(edits.frame) == 4 and len(edits.shape) == 2 and min(*edits.shape, *edits.frame[2:]) > 0 and kinds and shapes and numbers


def _is_number(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**31
