"""What a file of layers says of the diorama that it came from, as one line of text that formats carry in their own ways."""

from __future__ import annotations

import re
from dataclasses import replace

from .layer_file import DEPTH, LayerFile, frame_by_photo, highest_disparity, white_of

PATTERN = re.compile(r"frame (-?\d{1,6}) (-?\d{1,6}) (\d{1,6}) (\d{1,6})(?: white ([-+.\de]{1,30}))?(?: metric (yes|no))?")
NAMESPACE = "https://example.org/photo-diorama/1.0/"


def as_text(file: LayerFile) -> str:
    """The photo's frame, 1/m for the top level of depth, and whether that is metric.

    >>> as_text(LayerFile((4, 4), (1, 0, 2, 4), (), 0.5, metric=True))
    'frame 1 0 2 4 white 0.5 metric yes'
    """
    frame = file.frame or (0, 0, 0, 0)
    text = "frame " + " ".join(map(str, frame)) + f" white {(file.white or highest_disparity(file.layers))!r}"
    return text if file.metric is None else f"{text} metric {'yes' if file.metric else 'no'}"


def with_text(file: LayerFile, text: str) -> LayerFile:
    """The file with what `as_text` told; where that was lost, the photo's own layer tells its frame."""
    found = PATTERN.search(text)
    if found is None:
        return replace(file, frame=frame_by_photo(file.layers))
    top, left, height, width = (int(n) for n in found.groups()[:4])
    frame = (top, left, height, width) if height and width else frame_by_photo(file.layers)
    white = white_of(found[5] or "")
    metric = None if found[6] is None else found[6] == "yes"
    return replace(file, frame=frame, white=white or file.white, metric=metric)


def group_of_depth(white: float) -> str:
    """The name of the group that holds depth: programs that lose all else keep names."""
    return f"{DEPTH}, white is {white!r} per metre"
