"""Runs an inpainting network over crops of any size: padded, and batched by size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .crops import MULTIPLE, batches, crop_centred, pad_centred, padded_size

BATCH_PIXELS = 1 << 18
"""Padded pixels in one batch: activations are proportional to them, and the main processor gains nothing by more."""


def no_step(fraction: float) -> None:
    """The default progress callback: does nothing."""


def run_in_batches(
    run: Callable[..., np.ndarray],
    inputs: Sequence[tuple[np.ndarray, ...]],
    step: Callable[[float], None] = no_step,
    batch_pixels: int = BATCH_PIXELS,
    multiple: int = MULTIPLE,
) -> list[np.ndarray]:
    """Runs a network over `inputs`; each item is one crop: the network's arguments, (C, h, w) arrays of equal h and w.

    `run` takes each argument as (N, C, H, W) float32 and returns (N, C_out, H, W). Every argument is centred and zero-padded to
    multiples of `multiple`; items of equal padded size share a batch of at most `batch_pixels` padded pixels, or one item. Returns
    one (C_out, h, w) float32 array per item, in order. `step` is called with the fraction done after each batch and may raise.
    """
    sizes = [padded_size(item[0].shape[1], item[0].shape[2], multiple) for item in inputs]
    results: list[np.ndarray] = [np.empty(0, np.float32)] * len(inputs)
    done = 0
    for members in batches(sizes, batch_pixels):
        slots = range(len(inputs[members[0]]))
        output = run(*(np.stack([pad_centred(inputs[index][slot], sizes[index]) for index in members]) for slot in slots))
        for index, padded in zip(members, output, strict=True):
            results[index] = crop_centred(padded, *inputs[index][0].shape[1:]).copy()
        done += len(members)
        step(done / len(inputs))
    return results
