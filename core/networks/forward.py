"""Runs an inpainting network over crops of any size: padded, batched by size, on the network's own device."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from .crops import MULTIPLE, batches, crop_centred, pad_centred, padded_size

BATCH_PIXELS = {"cpu": 1 << 18, "cuda": 1 << 21, "mps": 1 << 20}
"""Padded pixels in one batch by device: activations are proportional to them, and a CPU gains nothing by more."""


def no_step(fraction: float) -> None:
    """The default observer: nobody watches."""


def forward_in_batches(
    network: nn.Module,
    inputs: Sequence[tuple[np.ndarray, ...]],
    step: Callable[[float], None] = no_step,
    batch_pixels: int | None = None,
    multiple: int = MULTIPLE,
) -> list[np.ndarray]:
    """Each item of `inputs` is one crop: the network's arguments, (C, h, w) arrays of equal h and w.

    Every argument is zero-padded, centred, to multiples of `multiple`; items of equal padded size share a batch. Returns one
    (C_out, h, w) float32 array per item, in order. `step` hears the fraction done after each batch and may raise.
    A batch has at most `batch_pixels` padded pixels, or one item; None takes the device's `BATCH_PIXELS`.
    """
    device = next(network.parameters()).device
    sizes = [padded_size(*item[0].shape[1:], multiple) for item in inputs]
    results: list[np.ndarray] = [np.empty(0, np.float32)] * len(inputs)
    done = 0
    for members in batches(sizes, batch_pixels or BATCH_PIXELS[device.type]):
        arguments = [
            torch.from_numpy(np.stack([pad_centred(inputs[index][slot], sizes[index]) for index in members])).to(device)
            for slot in range(len(inputs[members[0]]))
        ]
        with torch.inference_mode():
            output = network(*arguments).float().cpu().numpy()
        for index, padded in zip(members, output, strict=True):
            results[index] = crop_centred(padded, *inputs[index][0].shape[1:]).copy()
        done += len(members)
        step(done / len(inputs))
    return results
