"""Applies one manual edit to a photo's depth and rebuilds the diorama from the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .depth.depth_map import DepthMap
from .depth.edit_depth import Change, DepthEdit, carry_edit_over, change_region
from .depth_file.depth_for_editing import read_edited_depth
from .layer_edits.edited_layers import LayerEdits
from .layers.parts import Parts
from .photo.photo import Photo
from .pipeline import Diorama, Edits, Progress, StageCache, build_diorama, find_original, silent
from .settings import Settings
from .silhouettes.select_thing import Scene

Mask = Callable[[tuple[int, ...]], np.ndarray]
"""Takes height and width of the working grid, returns (h, w) bool."""
ChangeOf = Callable[[DepthMap], Change]
"""Takes the present depth, for its range; returns the change to make."""


@dataclass(frozen=True)
class Source:
    """Inputs of `build_diorama` that an edit of the depth does not change."""

    photo: str
    depth: str | None
    settings: Settings
    models: Path | None
    kept: StageCache
    parts: Parts | None = None
    layer_edits: LayerEdits | None = None


@dataclass(frozen=True)
class Changed:
    """The depth after an edit, and the diorama built from it; None where no build was wanted."""

    edit: DepthEdit
    built: Diorama | None


def find_depths(source: Source, edit: DepthEdit | None, progress: Progress = silent) -> tuple[Photo, DepthMap, DepthMap]:
    """The photo, its depth before any edit, and with the edit; raises as `build_diorama` does."""
    photo, original = find_original(source.photo, source.depth, source.settings, progress, source.kept, source.models)
    return photo, original, carry_edit_over(edit, original, photo)


def current_depth(source: Source, edit: DepthEdit | None, progress: Progress = silent) -> Changed:
    """The current depth of a photo, without an edit or a build; raises as `build_diorama` does."""
    _, original, now = find_depths(source, edit, progress)
    return Changed(DepthEdit(original.disparity, now.disparity), None)


def scene_to_click(source: Source, edit: DepthEdit | None, progress: Progress = silent) -> Scene:
    """The photo and its current depth, for selecting things by click; raises as `build_diorama` does."""
    photo, _, now = find_depths(source, edit, progress)
    colour = np.clip(photo.working_colour(*now.disparity.shape), 0, 1)
    return Scene((colour * 255 + 0.5).astype(np.uint8), now.disparity)


def change_depth(
    source: Source,
    edit: DepthEdit | None,
    mask: Mask,
    change_of: ChangeOf,
    feather: float,
    build: bool,
    progress: Progress = silent,
) -> Changed:
    """Applies the change inside the mask, blended in over `feather` (part of the long side) from its edge, and rebuilds.

    Raises DioramaError for an empty region or input that cannot be used, Cancelled through `progress`.
    """
    _, original, now = find_depths(source, edit, progress)
    shape = now.disparity.shape
    changed = change_region(now.disparity, mask(shape), change_of(now), feather * max(shape))
    return finish(source, DepthEdit(original.disparity, changed), build, progress)


def take_edited_depth(source: Source, edit: DepthEdit | None, path: Path, build: bool, progress: Progress = silent) -> Changed:
    """The depth as another program changed it in a file of ours, and what is built from it; raises as `change_depth` does."""
    _, original, now = find_depths(source, edit, progress)
    return finish(source, DepthEdit(original.disparity, read_edited_depth(path, now.disparity)), build, progress)


def restore_depth(source: Source, edit: DepthEdit | None, mask: Mask | None, build: bool, progress: Progress = silent) -> Changed:
    """Undoes the edits inside the mask, or all of them without a mask; raises as `change_depth` does."""
    _, original, now = find_depths(source, edit, progress)
    restored = original.disparity
    if mask is not None:
        undo = lambda disparity, inside: np.where(inside, original.disparity, disparity)
        restored = change_region(now.disparity, mask(restored.shape), undo)
    return finish(source, DepthEdit(original.disparity, restored), build, progress)


def finish(source: Source, edit: DepthEdit, build: bool, progress: Progress) -> Changed:
    """Builds from the edited depth where that is wanted; an edit that equals the original depth counts as none."""
    return Changed(edit, build_from(source, edit if edit.changed.any() else None, progress) if build else None)


def build_from(source: Source, edit: DepthEdit | None, progress: Progress) -> Diorama:
    """The diorama of a source with an edited depth."""
    edits = Edits(edit, source.parts, source.layer_edits)
    return build_diorama(source.photo, source.depth, source.settings, progress, source.kept, source.models, edits)
