"""Runs a network of PyTorch on arrays, on the network's own device."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from ...built_in.batches import BATCH_PIXELS, no_step, run_in_batches
from ...built_in.crops import MULTIPLE

DEVICE_PIXELS = {"cpu": BATCH_PIXELS, "cuda": 1 << 21, "mps": 1 << 20}
"""Padded pixels in one batch by device."""


def on_arrays(network: nn.Module) -> Callable[..., np.ndarray]:
    """The network as a function of float32 arrays."""
    device = next(network.parameters()).device

    def run(*arguments: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(*(torch.from_numpy(argument).to(device) for argument in arguments)).float().cpu().numpy()

    return run


def forward_in_batches(
    network: nn.Module,
    inputs: Sequence[tuple[np.ndarray, ...]],
    step: Callable[[float], None] = no_step,
    batch_pixels: int | None = None,
    multiple: int = MULTIPLE,
) -> list[np.ndarray]:
    """As `run_in_batches`; None for `batch_pixels` takes the device's `DEVICE_PIXELS`."""
    pixels = batch_pixels or DEVICE_PIXELS[next(network.parameters()).device.type]
    return run_in_batches(on_arrays(network), inputs, step, pixels, multiple)
