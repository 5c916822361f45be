"""Updates a build from a file of layers: the one path of the window and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..depth.edit_depth import DepthEdit
from ..edit_and_rebuild import Source, build_from
from ..layer_files.png_folder import INDEX
from ..layer_files.read_layers import read_layer_file
from ..layer_pictures import make_layer_file
from ..mesh.texture_layout import PaintedTexels, TextureLayout, carry_over
from ..pipeline import Diorama, Progress, silent
from .clean_plates import apply_answers, find_plates
from .find_changes import Changes, find_changes

Painted = Mapping[str, tuple[PaintedTexels, TextureLayout]]
"""What was painted on textures, by texture, and where their texels lie."""


@dataclass(frozen=True)
class Updated:
    """What a file changes, and the diorama that is to be shown."""

    changes: Changes
    built: Diorama
    rebuilt: bool  # whether its surfaces are others than before


def update_layers(source: Source, edit: DepthEdit | None, painted: Painted, path: Path, progress: Progress = silent) -> Updated:
    """Reads the file and builds what it changes. Raises DioramaError as `read_layer_file`, `find_changes` and `build_diorama` do."""
    progress(f"Reading {path.name}", 0.0)
    path = path.parent if path.name == INDEX else path
    plates = find_plates(path)
    file = None if plates else read_layer_file(path)
    built = build_from(source, edit, progress)
    laid = {
        role: carry_over(texels, layout, built.mesh.layouts[role])[0]
        for role, (texels, layout) in painted.items()
        if role in built.mesh.layouts
    }
    if file is None:
        assert plates is not None
        file = apply_answers(make_layer_file(built, laid), plates)
    changes = find_changes(built, file, str(path), source.layer_edits, laid, progress)
    if changes.edits is source.layer_edits:
        return Updated(changes, built, False)
    del file
    return Updated(changes, build_from(replace(source, layer_edits=changes.edits), edit, progress), True)
