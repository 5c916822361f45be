"""The preference for the user's own PyTorch: applied at once, with the result below it."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from pathlib import Path

import bpy

from ...core.errors import DioramaError
from ...core.models import user_torch

LINE = 90
"""Characters that fit into a line of the preferences."""


def apply(folder: str) -> None:
    """Imports torch from this folder from now on; "" stands for the usual places."""
    _state.cache_clear()
    user_torch.prefer(Path(bpy.path.abspath(folder)) if folder else None)


def draw_state(layout: bpy.types.UILayout) -> None:
    """Draws what the folder holds, or one sentence about what is wrong."""
    folder = user_torch.preferred()
    sentence, wrong = _state(folder) if folder else ("", False)
    in_the_way = user_torch.conflict()
    if in_the_way:
        sentence, wrong = in_the_way, True
    for number, line in enumerate(textwrap.wrap(sentence, LINE)):
        icon = "BLANK1" if number else "ERROR" if wrong else "CHECKMARK"
        layout.label(text=line, icon=icon)


@lru_cache(maxsize=1)
def _state(folder: Path) -> tuple[str, bool]:
    """A sentence and whether it tells of something wrong; kept, since panels are drawn many times a second."""
    try:
        build = user_torch.read_build(folder)
    except DioramaError as error:
        return str(error), True
    return f"PyTorch {build.version}, {build.gpu or 'for the processor only'}; used by the next estimate", False
