"""Splits a part off a diorama, by a region or by distance, and joins it again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .depth.edit_depth import DepthEdit
from .edit_and_rebuild import Mask, Source, build_from, find_depths
from .errors import DioramaError
from .layers.parts import MAX_PARTS, Parts, add_part, remove_part
from .pipeline import Diorama, Progress, silent


@dataclass(frozen=True)
class Split:
    """What is split off after a change, and the diorama built from it."""

    parts: Parts | None
    built: Diorama
    number: int  # of the new part; 0 where one was joined


def split_region(source: Source, edit: DepthEdit | None, mask: Mask, progress: Progress = silent) -> Split:
    """Splits off what is inside a mask; raises DioramaError where that is nothing, or all there is."""
    now = find_depths(source, edit, progress)[2]
    return _split(source, edit, mask(now.disparity.shape), progress)


def split_range(source: Source, edit: DepthEdit | None, near: float, far: float, progress: Progress = silent) -> Split:
    """Splits off what is between two distances in metres; raises DioramaError where that is nothing, or all there is."""
    distance = 1 / find_depths(source, edit, progress)[2].disparity
    if near > far:
        near, far = far, near
    mask = (distance >= near) & (distance <= far)
    if not mask.any():
        low, high = np.percentile(distance, (0.05, 99.95))
        raise DioramaError(f"Nothing lies from {near:g} to {far:g} m; the photo shows {low:.2f} to {high:.2f} m, so choose others.")
    return _split(source, edit, mask, progress)


def join_part(source: Source, edit: DepthEdit | None, number: int, progress: Progress = silent) -> Split:
    """Joins a part to the surface that it was split off from; raises DioramaError where no part has that number."""
    if source.parts is None or not (source.parts.labels == number).any():
        raise DioramaError(f"There is no part {number} any more; rebuild the diorama.")
    parts = remove_part(source.parts, number)
    return Split(parts, build_from(replace(source, parts=parts), edit, progress), 0)


def _split(source: Source, edit: DepthEdit | None, mask: np.ndarray, progress: Progress) -> Split:
    if mask.all():
        raise DioramaError("The region is the whole photo, so nothing would be left; choose a part of it.")
    if source.parts is not None and source.parts.labels.max() >= MAX_PARTS:
        raise DioramaError(f"There are {MAX_PARTS} parts already; join some of them first.")
    parts = add_part(source.parts, mask)
    number = int(parts.labels.max())
    if source.parts is not None and number == source.parts.labels.max() or not number:
        raise DioramaError("The region is empty or a few pixels only; paint a mask over it or select its faces first.")
    return Split(parts, build_from(replace(source, parts=parts), edit, progress), number)
