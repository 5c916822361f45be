"""What a file of layers says about the diorama that it came from: one line of text, which each format stores in its own way."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import quote, unquote

from .layer_file import DEPTH, INVENTED, LayerFile, Origin, frame_by_photo, highest_disparity, parse_white

FRAME = re.compile(r"frame (-?\d{1,6}) (-?\d{1,6}) (\d{1,6}) (\d{1,6})(?: white ([-+.\de]{1,30}))?(?: metric (yes|no))?")
CANVAS = re.compile(r" canvas (\d{1,6}) (\d{1,6})\b")
NAME = re.compile(r" named ([\w.%~-]{1,1000})")
MADE_OF = re.compile(r" photo ([0-9a-f]{16}) surfaces ([0-9a-f]{16})(?: options ([\w.=,+-]{0,2000});)?")
"""The semicolon tells that nothing was cut off: GIMP keeps 255 letters of a name."""
MAX_TEXT = 4000
NAMESPACE = "https://example.org/photo-diorama/1.0/"


def as_text(file: LayerFile) -> str:
    """The photo's frame, 1/m for the top level of depth, whether that is metric, the size of the canvas, and what it was made of.

    >>> as_text(LayerFile((4, 4), (1, 0, 2, 4), (), 0.5, metric=True, photo="the street"))
    'frame 1 0 2 4 white 0.5 metric yes canvas 4 4 named the%20street'
    """
    frame = file.frame or (0, 0, 0, 0)
    text = "frame " + " ".join(map(str, frame)) + f" white {(file.white or highest_disparity(file.layers))!r}"
    text += "" if file.metric is None else f" metric {'yes' if file.metric else 'no'}"
    return text + _made_of(file)


def _made_of(file: LayerFile) -> str:
    text = f" canvas {file.canvas[0]} {file.canvas[1]}"
    text += f" named {quote(file.photo[:80], safe='')}" if file.photo else ""
    if file.origin is not None:
        options = ",".join(f"{name}={value}" for name, value in file.origin.options or ())
        text += f" photo {file.origin.photo} surfaces {file.origin.surfaces}" + (
            f" options {options};" if file.origin.options is not None else ""
        )
    return text


def apply_text(file: LayerFile, text: str) -> LayerFile:
    """The file with what `as_text` wrote; where that was lost, the photo's own layer tells its frame."""
    found = FRAME.search(text)
    groups = (each.groups[0] for each in file.layers if each.groups)
    kept = next((each[:MAX_TEXT] for each in groups if each.startswith(f"{INVENTED}, ") and MADE_OF.search(each[:MAX_TEXT])), "")
    if found is None:
        frame = frame_by_photo(file.layers)
        if frame is not None and (canvas := CANVAS.search(kept)):
            frame = _current_frame(file, frame, canvas)
        return _apply_origin(replace(file, frame=frame), kept)
    top, left, height, width = (int(n) for n in found.groups()[:4])
    frame = _current_frame(file, (top, left, height, width), CANVAS.search(text, found.end()))
    white = parse_white(found[5] or "")
    metric = None if found[6] is None else found[6] == "yes"
    rest = text[found.end() :]
    return _apply_origin(
        replace(file, frame=frame, white=white or file.white, metric=metric), rest if MADE_OF.search(rest) else rest + kept
    )


def _apply_origin(file: LayerFile, text: str) -> LayerFile:
    """The file with its photo's name and the identity of its build, as the text has them."""
    named, made = NAME.search(text), MADE_OF.search(text)
    photo = unquote(named[1], errors="replace")[:200] if named else file.photo
    return replace(file, photo=photo, origin=_origin(made))


def _origin(made: re.Match | None) -> Origin | None:
    if made is None:
        return None
    if made[3] is None:
        return Origin(made[1], made[2], None)
    options = [each.partition("=")[::2] for each in made[3].split(",") if "=" in each]
    return Origin(made[1], made[2], tuple(options))


def _current_frame(file: LayerFile, recorded: tuple[int, int, int, int], canvas: re.Match | None) -> tuple[int, int, int, int] | None:
    """The photo's frame for the file's present canvas. Programs leave the recorded frame as it is when they scale or crop the picture: so
    it is None for a scaled picture, whose canvas itself is fitted, and that of the photo's layer for a cropped one."""
    top, left, height, width = recorded
    if not (height and width):
        return frame_by_photo(file.layers)
    before = file.canvas if canvas is None else (int(canvas[1]), int(canvas[2]))
    if before == file.canvas:
        return recorded if top + height <= before[0] and left + width <= before[1] else None
    scale = file.canvas[1] / max(1, before[1])
    return None if abs(before[0] * scale - file.canvas[0]) <= max(1.0, scale) else frame_by_photo(file.layers)


def group_of_depth(white: float) -> str:
    """The name of the group that holds depth: programs that lose all else keep names."""
    return f"{DEPTH}, white is {white!r} per metre"


def group_of_masks(file: LayerFile) -> str:
    """The name of the group that holds masks, with what the file was made of: GIMP keeps nothing else of it."""
    return INVENTED if file.origin is None else f"{INVENTED},{_made_of(file)}"
