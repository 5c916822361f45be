"""Renders for the command line: a folder that cannot be made is told in a sentence, Ctrl-C is heeded between frames."""

from __future__ import annotations

from pathlib import Path

from ..core.scene.output import OutputSettings
from .cli.output_paths import make_folder
from .cli.session import Session


def render_whole(target: Path, scene, frames: int, session: Session, output: OutputSettings, known: dict) -> list[Path]:
    """Renders and returns the files; `known` are the facts that the scene keeps. Raises DioramaError where one fails."""
    from ..operators.output.render import View, render

    make_folder(target.parent)
    size = tuple(known["photo_size"])
    view = View(scene.camera, size, known["nearest_m"], known["focus_m"], known["metric"])
    return render(target, scene, frames, session.progress, output, view)
