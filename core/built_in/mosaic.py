"""Runs an inpainting network over small pictures laid out side by side on canvases of one size.

One size, because OpenCV prepares a network anew for every other one; a small one, because what the network computes on the way
then stays in the processor's cache: a pixel costs half of what it costs in batches of large inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .batches import no_step

SIDE = 128
"""Pixels a side of a canvas."""
GAP = 8
"""Empty pixels between two pictures at least, as beyond the edge of a picture that is alone."""


@dataclass(frozen=True)
class Place:
    """Where one picture lies."""

    canvas: int
    top: int
    left: int


def lay_out(sizes: Sequence[tuple[int, int]], side: int = SIDE, gap: int = GAP) -> tuple[list[Place], int]:
    """The place of each (height, width), and how many canvases they need: rows of pictures side by side, the highest first, each
    in the first row that has room. A picture may be `side` pixels high and wide. Equal sizes give equal places."""
    places: list[Place] = [Place(0, 0, 0)] * len(sizes)
    rows: list[list[int]] = []  # canvas, top, height, width taken
    heights: list[int] = []  # taken of each canvas
    for index in sorted(range(len(sizes)), key=lambda number: (-sizes[number][0], -sizes[number][1], number)):
        height, width = sizes[index]
        row = next((row for row in rows if height <= row[2] and row[3] + width <= side), None)
        if row is None:
            canvas = next((number for number, taken in enumerate(heights) if taken + height <= side), len(heights))
            if canvas == len(heights):
                heights.append(0)
            row = [canvas, heights[canvas], height, 0]
            rows.append(row)
            heights[canvas] += height + gap
        places[index] = Place(row[0], row[1], row[3])
        row[3] += width + gap
    return places, len(heights)


def run_in_mosaics(
    run: Callable[[np.ndarray], np.ndarray], inputs: Sequence[np.ndarray], step: Callable[[float], None] = no_step
) -> list[np.ndarray]:
    """One (C_out, h, w) float32 per (C, h, w) float32 of `inputs`, in order; h and w are at most `SIDE`.

    `run` takes (1, C, SIDE, SIDE) and returns (1, C_out, SIDE, SIDE). `step` is called with the fraction done after each canvas and may
    raise.
    """
    places, count = lay_out([(item.shape[1], item.shape[2]) for item in inputs])
    results: list[np.ndarray] = [np.empty(0, np.float32)] * len(inputs)
    for canvas in range(count):
        own = [(index, place) for index, place in enumerate(places) if place.canvas == canvas]
        picture = np.zeros((1, inputs[0].shape[0], SIDE, SIDE), np.float32)
        for index, place in own:
            _, height, width = inputs[index].shape
            picture[0, :, place.top : place.top + height, place.left : place.left + width] = inputs[index]
        answer = run(picture)[0]
        for index, place in own:
            _, height, width = inputs[index].shape
            results[index] = answer[:, place.top : place.top + height, place.left : place.left + width].copy()
        step((canvas + 1) / count)
    return results
