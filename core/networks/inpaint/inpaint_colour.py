"""The network that invents colour behind a foreground, from the context's colour and the depth edges.

Shih et al. 2020, section 3.3 and supplement; large crops are shrunk to a working area as in the reference code.
"""

from collections.abc import Callable, Sequence
from math import floor, sqrt
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from ...built_in.crops import MULTIPLE, Crop, close_synthesis
from ..device import choose_device
from .forward import forward_in_batches, no_step
from .inpaint_depth import CLOSING
from .partial_convolution import PartialUNet, load_partial_unet

WORKING_SIDE = 512
"""Crops of more than about this side squared are shrunk before the network sees them."""


class InpaintColour(PartialUNet):
    """Channels in: R, G, B, edge, context, synthesis; out: R, G, B in 0..1 through a sigmoid."""

    name = "inpaint_colour"
    in_channels = 6
    out_channels = 3
    official_names: ClassVar[dict[str, str]] = {f"dec_{level}A.": f"dec_{level}." for level in range(1, 6)}

    def output(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x)


def load_inpaint_colour(path: Path | str, device: str = "cpu", trainable: bool = False) -> InpaintColour:
    """The network from our own safetensors (any width) or the published `color-model.pth`, ready to run.

    With `trainable` it has live batch normalisation, gradients and train mode. Raises DioramaError for a wrong file.
    """
    return load_partial_unet(InpaintColour, path, trainable).to(choose_device(device))


def working_size(height: int, width: int, side: int = WORKING_SIDE) -> tuple[int, int]:
    """The size at which a crop is inpainted: its own, or shrunk to an area of about `side`^2.

    The long side becomes the largest multiple of 128 with height * width <= side^2, if that is less than it was.
    """
    longest = max(height, width)
    shrunk = MULTIPLE * floor(side * longest / (MULTIPLE * sqrt(height * width)))
    if shrunk >= longest:
        return height, width
    shrunk = max(shrunk, MULTIPLE)
    return max(height * shrunk // longest, 1), max(width * shrunk // longest, 1)


def colour_input(crop: Crop, closing: int = CLOSING, side: int = WORKING_SIDE) -> tuple[np.ndarray, np.ndarray]:
    """(channels (6, h', w') float32, validity (1, h', w') float32) with (h', w') = `working_size`.

    A shrunk crop is averaged by area; a pixel with any synthesis in it is synthesis, one with nothing but context is
    context, and the edge channel is zero. The synthesis region counts as valid, only what is outside both is a hole.
    """
    height, width = crop.context.shape
    size = working_size(height, width, side)
    colour = np.where(crop.context, np.moveaxis(crop.colour, 2, 0), 0.0).astype(np.float32)
    context, synthesis, edge = crop.context, crop.synthesis, crop.seen_edge
    if size != (height, width):
        regions = _resize(np.stack([synthesis, context]).astype(np.float32), size, "area")
        synthesis = regions[0] > 0
        context = (regions[1] == 1) & ~synthesis
        colour = np.where(context, _resize(colour, size, "area"), 0.0)
        edge = np.zeros(size, bool)
        closing = max(round(closing * max(size) / max(height, width)), 1)
    # Closed after shrinking: pixels of mixed context and outside belong to neither region and would be cracks.
    hole = close_synthesis(synthesis, context, closing)
    channels = np.concatenate([colour, np.stack([edge, context, hole])]).astype(np.float32)
    return channels, (hole | context)[None].astype(np.float32)


def inpaint_colour(
    network: InpaintColour,
    crops: Sequence[Crop],
    closing: int = CLOSING,
    side: int = WORKING_SIDE,
    step: Callable[[float], None] = no_step,
    batch_pixels: int | None = None,
) -> list[np.ndarray]:
    """One (h, w, 3) float32 RGB 0..1 per crop: invented on `synthesis`, the crop's colour elsewhere.

    `closing` is the side of the closing square in pixels of the crop (41 per 1000 pixels of the photo's long side),
    `side` squared the working area. `step` hears the fraction done after each batch and may raise.
    """
    inputs = [colour_input(crop, closing, side) for crop in crops]
    outputs = forward_in_batches(network, inputs, step, batch_pixels)
    return [_at_full_size(crop, *item) for crop, *item in zip(crops, inputs, outputs, strict=True)]


def _at_full_size(crop: Crop, channels_and_validity: tuple[np.ndarray, np.ndarray], output: np.ndarray) -> np.ndarray:
    channels, _ = channels_and_validity
    if output.shape[1:] != crop.context.shape:
        # The context goes in as it was, so that the enlarged hole meets it without a seam; enlarging overshoots 0..1.
        joined = np.where(channels[4] > 0, channels[:3], output)
        output = np.clip(_resize(joined, crop.context.shape, "bicubic"), 0.0, 1.0)
    return np.where(crop.synthesis[..., None], np.moveaxis(output, 0, 2), crop.colour).astype(np.float32)


def _resize(channels: np.ndarray, size: tuple[int, int], mode: str) -> np.ndarray:
    tensor = torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))[None]
    return F.interpolate(tensor, size=size, mode=mode, align_corners=False if mode == "bicubic" else None)[0].numpy()
