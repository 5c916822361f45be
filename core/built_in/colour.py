"""Completes the deterministic colour behind a foreground with the built-in colour network.

The network sees what the deterministic fill made of a region: a smooth continuation of the trusted context, the context's fine
detail mirrored at its border, and PatchMatch results. For every pixel it predicts how much of each to use and what to add. It also
sees the untrusted rim, and has learned how much of the rim is foreground. `networks/inpaint/hidden_colour.py` is the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .batches import no_step
from .mosaic import run_in_mosaics

MIN_CONTRAST = 0.03
"""Colours are divided by their spread over the context, but by no less than this (sRGB 0..1)."""
MULTIPLE = 32
"""Sides of the network's input are multiples of this."""


@dataclass(frozen=True)
class Start:
    """A part of a region as the deterministic fill left it; all arrays share the first two dimensions."""

    smooth: np.ndarray  # (h, w, 3) float32: the context's colour on `source`, a smooth continuation elsewhere
    detail: np.ndarray  # (h, w, 3) float32: mirrored detail on what is to be invented, 0 elsewhere
    pieces: np.ndarray  # (h, w, 3) float32: what pieces of the context would add there, 0 elsewhere
    source: np.ndarray  # (h, w) bool: trusted context
    hole: np.ndarray  # (h, w) bool: to be invented, and the rim of the context that is not trusted
    rim: np.ndarray  # (h, w) bool, part of `hole`: the rim alone
    shown: np.ndarray  # (h, w, 3) float32: what the photo shows on the rim, less `smooth`; 0 elsewhere
    mean: np.ndarray  # (3,) float32: mean colour of the whole region's trusted context
    spread: float  # root mean square difference from it, at least MIN_CONTRAST


def contrast(colours: np.ndarray) -> tuple[np.ndarray, float]:
    """(mean (3,) float32, spread) of the (n, 3) colours of a trusted context."""
    mean = colours.mean(axis=0)
    return mean.astype(np.float32), float(max(MIN_CONTRAST, np.sqrt(((colours - mean) ** 2).mean(dtype=float))))


def network_input(start: Start) -> np.ndarray:
    """(18, h, w) float32, the channels that the network expects: of its two results of PatchMatch both are the one that there is."""
    smooth = (start.smooth - start.mean) / start.spread
    pieces = np.moveaxis(start.pieces / start.spread, 2, 0)
    return np.concatenate(
        [
            np.moveaxis(smooth, 2, 0),
            np.moveaxis(start.detail / start.spread, 2, 0),
            pieces,
            pieces,
            start.source[None],
            start.hole[None],
            np.moveaxis(start.shown / start.spread, 2, 0),
            start.rim[None],
        ]
    ).astype(np.float32)


def complete(
    run: Callable[[np.ndarray], np.ndarray],
    starts: Sequence[Start],
    step: Callable[[float], None] = no_step,
) -> list[np.ndarray]:
    """One (h, w, 3) float32 of completed colour per start, not clipped; values are meaningless outside the hole.

    `run` is the network, (N, 18, H, W) to (N, 3, H, W); a start is at most `mosaic.SIDE` pixels high and wide. `step` is called with
    the fraction done after each canvas of starts and may raise.
    """
    outputs = run_in_mosaics(run, [network_input(start) for start in starts], step)
    return [start.smooth + np.moveaxis(output, 0, 2) * np.float32(start.spread) for start, output in zip(starts, outputs, strict=True)]
