"""The network that corrects the smooth fill behind a foreground, in place of one that invents all of the colour.

The partial-convolution U-Net of Shih et al. 2020 (supplement), but it is given the deterministic fill and says what to
add to it. Untrained it therefore changes nothing, and all that is learned goes into what the fill gets wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .device import choose_device
from .forward import forward_in_batches, no_step
from .partial_convolution import PartialUNet, load_partial_unet

LEAST_CONTRAST = 0.03
"""Colours are divided by their spread over the context, but by no less than this (sRGB 0..1)."""


class RefineColour(PartialUNet):
    """Channels in: smooth fill R, G, B, mirrored detail R, G, B, trusted context, hole; out: correction R, G, B.

    Colours are taken less their mean over the trusted context and divided by their spread there, so that brightness,
    tint and contrast need not be learned; the correction is in the same unit.
    """

    name = "refine_colour"
    in_channels = 8
    out_channels = 3


@dataclass(frozen=True)
class Start:
    """A part of a region as the deterministic fill left it; all arrays share the first two dimensions."""

    smooth: np.ndarray  # (h, w, 3) float32: the context's colour on `source`, the smooth fill on `hole`
    detail: np.ndarray  # (h, w, 3) float32: mirrored detail on `hole`, 0 elsewhere
    source: np.ndarray  # (h, w) bool: trusted context
    hole: np.ndarray  # (h, w) bool: to be invented, the untrusted rim of the context included
    mean: np.ndarray  # (3,) float32 of the trusted context's colour
    spread: float  # its standard deviation


def contrast(colours: np.ndarray) -> tuple[np.ndarray, float]:
    """(mean (3,) float32, spread) of the (n, 3) colours of a trusted context."""
    mean = colours.mean(axis=0)
    return mean.astype(np.float32), float(max(LEAST_CONTRAST, np.sqrt(((colours - mean) ** 2).mean())))


def refine_input(start: Start) -> tuple[np.ndarray, np.ndarray]:
    """(channels (8, h, w) float32, validity (1, h, w) float32) as the network expects them."""
    seen = start.source | start.hole
    smooth = np.where(seen[..., None], (start.smooth - start.mean) / start.spread, 0)
    channels = [*np.moveaxis(smooth, 2, 0), *np.moveaxis(start.detail / start.spread, 2, 0), start.source, start.hole]
    return np.stack(channels).astype(np.float32), seen[None].astype(np.float32)


def refine_colour(
    network: RefineColour,
    starts: Sequence[Start],
    step: Callable[[float], None] = no_step,
    batch_pixels: int | None = None,
) -> list[np.ndarray]:
    """One (h, w, 3) float32 correction per start, to be added to its fill; 0 outside `hole`.

    `step` hears the fraction done after each batch and may raise.
    """
    outputs = forward_in_batches(network, [refine_input(start) for start in starts], step, batch_pixels)
    return [
        np.where(start.hole[..., None], np.moveaxis(output, 0, 2) * np.float32(start.spread), np.float32(0))
        for start, output in zip(starts, outputs, strict=True)
    ]


def load_refine_colour(path: Path | str, device: str = "cpu", trainable: bool = False) -> RefineColour:
    """The network from its safetensors, ready to run; raises DioramaError for a wrong file.

    With `trainable` it has live batch normalisation, gradients and train mode.
    """
    return load_partial_unet(RefineColour, path, trainable).to(choose_device(device))


def untrained(width: int, seed: int) -> RefineColour:
    """A trainable network that corrects nothing yet: its last layer is zero."""
    torch.manual_seed(seed)
    network = RefineColour(width)
    last = network.dec_1.conv.input_conv
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return network
