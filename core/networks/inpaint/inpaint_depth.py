"""The network that invents depth behind a foreground, from the context's depth and the depth edges.

Shih et al. 2020, section 3.3 and supplement: mean-shifted logarithmic depth, edges, context and synthesis region in.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...built_in.crops import Crop, close_synthesis
from ..device import choose_device
from .forward import forward_in_batches, no_step
from .partial_convolution import PartialUNet, load_partial_unet

CLOSING = 41
"""Side of the closing square in pixels, for a photo of 1000 pixels' long side."""

_EPSILON = 1e-8


class InpaintDepth(PartialUNet):
    """Channels in: mean-shifted natural log depth, edge, context, synthesis; out: the same log depth, linear."""

    name = "inpaint_depth"
    in_channels = 4
    out_channels = 1
    biased_encoders = (1, 2)


def load_inpaint_depth(path: Path | str, device: str = "cpu", trainable: bool = False) -> InpaintDepth:
    """The network from our own safetensors (any width) or the published `depth-model.pth`, ready to run.

    With `trainable` it has live batch normalisation, gradients and train mode. Raises DioramaError for a wrong file.
    """
    return load_partial_unet(InpaintDepth, path, trainable).to(choose_device(device))


def depth_input(crop: Crop, closing: int = CLOSING) -> tuple[np.ndarray, np.ndarray, float]:
    """(channels (4, h, w) float32, validity (1, h, w) float32, mean) as the network expects them.

    z = ln(depth + 1e-8) on context, mean = the plain mean of z over context, first channel (z - mean) on context.
    The synthesis region counts as valid zeros, so validity is 1 on context and (closed) synthesis.
    """
    hole = close_synthesis(crop.synthesis, crop.context, closing)
    log_depth = np.log(np.where(crop.context, crop.depth, 1.0).astype(np.float64) + _EPSILON)
    mean = float(log_depth[crop.context].mean())
    shifted = np.where(crop.context, log_depth - mean, 0.0)
    channels = np.stack([shifted, crop.seen_edge, crop.context, hole]).astype(np.float32)
    return channels, (hole | crop.context)[None].astype(np.float32), mean


def inpaint_depth(
    network: InpaintDepth,
    crops: Sequence[Crop],
    closing: int = CLOSING,
    step: Callable[[float], None] = no_step,
    batch_pixels: int | None = None,
) -> list[np.ndarray]:
    """One (h, w) float32 depth per crop, in the crop's own unit: invented on `synthesis`, the crop's depth elsewhere.

    `closing` is the side of the closing square in pixels (41 per 1000 pixels of the photo's long side). `step` hears
    the fraction done after each batch and may raise.
    """
    inputs = [depth_input(crop, closing) for crop in crops]
    outputs = forward_in_batches(network, [item[:2] for item in inputs], step, batch_pixels)
    return [
        np.where(crop.synthesis, np.exp(output[0] + np.float32(mean)), crop.depth).astype(np.float32)
        for crop, (_, _, mean), output in zip(crops, inputs, outputs, strict=True)
    ]
