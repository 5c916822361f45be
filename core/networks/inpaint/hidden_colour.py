"""The network that completes hidden colour, as a module to train: it weighs detail and PatchMatch results and adds the rest.

For every pixel of `built_in.colour.network_input` it predicts how much of each proposal to use and what to add. It is a
U-Net (Ronneberger et al. 2015) of plain convolutions: the smooth continuation has a colour everywhere, so there are no holes to
mask. `training/export_onnx.py` exports it to the file that runs in Blender.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from ...errors import DioramaError
from ..checkpoints import build_from_state, our_network, read_state
from ..device import choose_device

START = (0.1, 0.225, 0.225, 0.4, 0.0)
"""The shares of detail, of two pieces and of their grain that an untrained network takes: those of the deterministic fill."""
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Grain is what an average of these weights takes away: one pixel wide, as that of the deterministic fill at 500 pixels."""
FINE = 16
"""Channels at full size; all others follow the width."""


class Block(nn.Module):
    """Two convolutions beside a shortcut; the first may change the channels, or halve the size."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, stride, 1)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.first(x), 0.1)
        return x + F.leaky_relu(self.second(x), 0.1)


class HiddenColour(nn.Module):
    """Channels in: smooth fill, mirrored detail and two times pieces of the context (R, G, B each), trusted context, hole,
    what the rim shows less the smooth fill (R, G, B), rim; out: R, G, B to add to the smooth fill.

    Colours are taken less their mean over the trusted context and divided by their spread there, so that brightness,
    tint and contrast need not be learned; what comes out is in the same unit. `width` is the channel count at half size.
    """

    name = "hidden_colour"
    form = "folded"  # as there is nothing to fold
    in_channels, out_channels = 18, 3

    def __init__(self, width: int = 32):
        super().__init__()
        self.width = width
        sizes = (width, 2 * width, 3 * width, 4 * width)
        self.down_1 = Block(4 * self.in_channels, sizes[0])
        self.down_2 = Block(sizes[0], sizes[1], 2)
        self.down_3 = Block(sizes[1], sizes[2], 2)
        self.down_4 = Block(sizes[2], sizes[3], 2)
        self.up_3 = Block(sizes[3] + sizes[2], sizes[2])
        self.up_2 = Block(sizes[2] + sizes[1], sizes[1])
        self.up_1 = Block(sizes[1] + sizes[0], sizes[0])
        self.spread = nn.Conv2d(sizes[0], 4 * FINE, 1)
        self.fine = Block(FINE + self.in_channels, FINE)
        self.last = nn.Conv2d(FINE, self.out_channels + len(START), 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, 18, H, W) -> (N, 3, H, W); sides are multiples of 16."""
        first = self.down_1(F.pixel_unshuffle(x, 2))
        second = self.down_2(first)
        third = self.down_3(second)
        y = self.down_4(third)
        for block, beside in ((self.up_3, third), (self.up_2, second), (self.up_1, first)):
            y = block(torch.cat([F.interpolate(y, scale_factor=2.0, mode="nearest"), beside], 1))
        y = self.fine(torch.cat([F.pixel_shuffle(self.spread(y), 2), x], 1))
        y = self.last(y).float()
        shares = y[:, 3:, None] + torch.tensor(START, device=y.device).view(-1, 1, 1, 1)
        return y[:, :3] + (shares * proposals(x)).sum(1)


def proposals(x: torch.Tensor) -> torch.Tensor:
    """(N, 5, 3, H, W) float32 of the network's input: detail, pieces, and the grain of the pieces."""
    pieces, hole = x[:, 6:12].float(), x[:, 13:14].float()
    grain = (pieces - _averaged(pieces) / _averaged(hole).clamp(min=1e-3)) * hole
    return torch.cat([x[:, 3:12].float(), grain], 1).unflatten(1, (len(START), 3))


def _averaged(x: torch.Tensor) -> torch.Tensor:
    """By BINOMIAL both ways, as if zero beyond the frame."""
    for axis in (2, 3):
        padded = F.pad(x, (0, 0, 2, 2) if axis == 2 else (2, 2, 0, 0))
        x = sum((weight * padded.narrow(axis, k, x.shape[axis]) for k, weight in enumerate(BINOMIAL)), x.new_zeros(()))
    return x


def untrained(width: int, seed: int) -> HiddenColour:
    """A trainable network that repeats the deterministic fill: its last layer is zero."""
    torch.manual_seed(seed)
    network = HiddenColour(width)
    nn.init.zeros_(network.last.weight)
    nn.init.zeros_(network.last.bias)
    return network


def load_hidden_colour(path: Path | str, device: str = "cpu") -> HiddenColour:
    """The network from its safetensors, ready to run; raises DioramaError for a wrong file."""
    state, metadata = read_state(path)
    ours = our_network(metadata, HiddenColour.name, path)
    if ours is None:
        raise DioramaError(f"The weights file {path} does not say what network it is for; choose the one that comes along.")
    network = build_from_state(lambda: HiddenColour(ours[0]), state, HiddenColour.name, path)
    return network.to(memory_format=torch.channels_last).to(choose_device(device))
