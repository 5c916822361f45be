"""The network that continues depth edges behind a foreground, from the context's colour, disparity and edges.

Shih et al. 2020, section 3.3, which takes the edge generator of Nazeri et al. 2019 (EdgeConnect), section 3.1.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

from ...built_in.batches import no_step
from ...built_in.crops import Crop
from ...built_in.edges import edge_input
from ...errors import DioramaError
from ..checkpoints import State, build_from_state, our_network, read_state
from ..device import choose_device
from .forward import forward_in_batches

PUBLISHED_WIDTH = 64
RESIDUAL_BLOCKS = 8


class ResidualBlock(nn.Module):
    """x + block(x): two 3x3 convolutions, the first dilated, with no activation after the sum."""

    def __init__(self, channels: int, norm: Callable[[nn.Module], nn.Module]):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(2),
            norm(nn.Conv2d(channels, channels, 3, dilation=2, bias=False)),
            nn.InstanceNorm2d(channels),
            nn.LeakyReLU(0.2, inplace=True),
            nn.ReflectionPad2d(1),
            norm(nn.Conv2d(channels, channels, 3, bias=False)),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


class InpaintEdge(nn.Module):
    """Channels in: R, G, B, disparity, edge, context, synthesis; out: the probability of a depth edge.

    `width` 64 is the published shape. `form` "trainable" has spectral normalisation on every convolution but the last;
    "folded" has plain convolutions of the normalised weights; "stored" cannot run, and holds what a trainable one's file does.
    """

    name = "inpaint_edge"

    def __init__(self, width: int = PUBLISHED_WIDTH, form: str = "trainable"):
        super().__init__()
        self.width, self.form = width, form
        norm = {"trainable": spectral_norm, "folded": _plain, "stored": _as_stored}[form]
        self.encoder_0 = nn.Sequential(nn.ReflectionPad2d(3), norm(nn.Conv2d(7, width, 7)), nn.InstanceNorm2d(width), nn.ReLU(True))
        self.encoder_1 = _level(norm(nn.Conv2d(width, 2 * width, 4, 2, 1)), 2 * width)
        self.encoder_2 = _level(norm(nn.Conv2d(2 * width, 4 * width, 4, 2, 1)), 4 * width)
        self.middle = nn.Sequential(*[ResidualBlock(4 * width, norm) for _ in range(RESIDUAL_BLOCKS)])
        self.decoder_0 = _level(norm(nn.ConvTranspose2d(8 * width, 2 * width, 4, 2, 1)), 2 * width)
        self.decoder_1 = _level(norm(nn.ConvTranspose2d(4 * width, width, 4, 2, 1)), width)
        self.decoder_2 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(2 * width, 1, 7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, 7, H, W), sides multiples of 4 -> probability (N, 1, H, W)."""
        x0 = self.encoder_0(x)
        x1 = self.encoder_1(x0)
        x2 = self.encoder_2(x1)
        x = self.middle(x2)
        x = self.decoder_0(torch.cat([x, x2], dim=1))
        x = self.decoder_1(torch.cat([x, x1], dim=1))
        return torch.sigmoid(self._last(x, x0))

    def _last(self, x: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
        """decoder_2 of the joined maps, as a sum over both: at full size, joined and padded, they decide the memory."""
        pad, conv = self.decoder_2
        first, second = conv.weight.split(self.width, dim=1)
        return F.conv2d(pad(x), first, conv.bias).add_(F.conv2d(pad(x0), second))


def _plain(layer: nn.Module) -> nn.Module:
    return layer


def _as_stored(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """The layer with the names that spectral normalisation gives its weights. Real spectral normalisation would first import
    PyTorch's compiler, which takes a second."""
    weight = layer.weight
    rows = weight.shape[1 if isinstance(layer, nn.ConvTranspose2d) else 0]
    del layer.weight
    layer.register_parameter("weight_orig", weight)
    layer.register_buffer("weight_u", torch.empty(rows))
    layer.register_buffer("weight_v", torch.empty(weight.numel() // rows))
    return layer


def _level(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.InstanceNorm2d(channels), nn.ReLU(True))


def fold_spectral_norm(network: InpaintEdge) -> InpaintEdge:
    """The same function with plain convolutions, W = W_orig / (u^T M v); eval mode, frozen.

    M is W_orig as (out, rest); a transposed convolution has its output channels in dimension 1 (Miyato et al. 2018).
    """
    state: State = {}
    stored = network.state_dict()
    for key, tensor in stored.items():
        if key.endswith(("weight_u", "weight_v")):
            continue
        if key.endswith("weight_orig"):
            layer = key.removesuffix("weight_orig")
            transposed = isinstance(network.get_submodule(layer.rstrip(".")), nn.ConvTranspose2d)
            matrix = (tensor.transpose(0, 1) if transposed else tensor).flatten(1)
            sigma = torch.dot(stored[layer + "weight_u"], matrix @ stored[layer + "weight_v"])
            key, tensor = layer + "weight", tensor / sigma
        state[key] = tensor
    return build_from_state(lambda: InpaintEdge(network.width, "folded"), state, network.name, "in memory")


def load_inpaint_edge(path: Path | str, device: str = "cpu", trainable: bool = False) -> InpaintEdge:
    """The network from our own safetensors (any width) or the published `edge-model.pth`, ready to run.

    With `trainable` it has spectral normalisation, gradients and train mode. Raises DioramaError for a wrong file.
    """
    state, metadata = read_state(path)
    width, form = our_network(metadata, InpaintEdge.name, path) or (PUBLISHED_WIDTH, "trainable")
    layout = "stored" if form == "trainable" and not trainable else form
    network = build_from_state(lambda: InpaintEdge(width, layout), state, InpaintEdge.name, path)
    if trainable:
        if form == "folded":
            raise DioramaError(f"The weights file {path} is folded and cannot be trained on; start from a trainable one.")
        network.requires_grad_(True).train()
    elif form == "trainable":
        network = fold_spectral_norm(network)
    return network.to(choose_device(device))


def inpaint_edge(
    network: InpaintEdge,
    crops: Sequence[Crop],
    step: Callable[[float], None] = no_step,
    batch_pixels: int | None = None,
) -> list[np.ndarray]:
    """One (h, w) float32 per crop: the probability of a depth edge on `synthesis`, 0 elsewhere.

    The reference code takes every pixel above 0.002 as an edge and thins by shortest paths. `step` hears the fraction
    done after each batch and may raise.
    """
    outputs = forward_in_batches(network, [(edge_input(crop),) for crop in crops], step, batch_pixels)
    return [np.where(crop.synthesis, output[0], 0.0).astype(np.float32) for crop, output in zip(crops, outputs, strict=True)]
