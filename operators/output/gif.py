"""Writes frames as a looping GIF with Pillow, since neither Blender nor its encoder can."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ...core.errors import DioramaError
from ...core.raster.open_picture import open_picture

PALETTE_FRAMES = 8
"""Number of frames from which the common palette is made: one palette for each frame would flicker."""


def check_pillow() -> None:
    """Raises DioramaError where GIF cannot be written."""
    if importlib.util.find_spec("PIL") is None:
        raise DioramaError("A GIF needs the Python module Pillow, which is not here; choose MP4 or frames instead.")


def durations(count: int, fps: float) -> list[int]:
    """Milliseconds per frame: a GIF counts in hundredths of a second, so they vary to be right on average.

    Players ignore less than two hundredths; faster films become that slow.
    """
    at = [round(number * 100 / min(fps, 50.0)) for number in range(count + 1)]
    return [10 * (b - a) for a, b in zip(at, at[1:], strict=False)]


def write_gif(files: list[Path], target: Path, fps: float) -> None:
    """Writes all frames with one palette of 256 colours; it repeats for ever."""
    from PIL import Image

    palette = _palette(files)

    def frames() -> Iterator[Image.Image]:
        for file in files:
            with open_picture(file.read_bytes(), str(file), ("PNG",)) as picture:
                yield picture.convert("RGB").quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)

    each = frames()
    first = next(each)
    first.save(target, save_all=True, append_images=each, duration=durations(len(files), fps), loop=0, optimize=False)


def _palette(files: list[Path]):
    """The palette of a few frames laid side by side."""
    from PIL import Image

    chosen = files[:: max(1, -(-len(files) // PALETTE_FRAMES))]
    pictures = []
    for file in chosen:
        with open_picture(file.read_bytes(), str(file), ("PNG",)) as picture:
            pictures.append(picture.convert("RGB"))
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (0, number * height))
    return sheet.quantize(256, method=Image.Quantize.MEDIANCUT)
