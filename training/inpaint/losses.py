"""Losses of the colour network: absolute difference in the hole, and distance of EfficientNet-Lite0 features there."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from photo_diorama.core.networks.embedded_depth_net import Encoder

sys.path.append(str(Path(__file__).resolve().parents[1] / "depth"))

from pretrained import load_imagenet  # noqa: E402

STAGES = 3
"""Features at strides 2, 4 and 8: deeper ones see further than a hole is wide and cost most."""


def features_network() -> Encoder:
    """The first stages of EfficientNet-Lite0 with its ImageNet weights, frozen."""
    network = Encoder()
    load_imagenet(network)
    network.stages = network.stages[:STAGES]
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def absolute(guess: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean over the hole of |guess - truth|, (N, 3, H, W) with weights (N, 1, H, W)."""
    return ((guess - truth).abs() * weight).sum() / (3 * weight.sum()).clamp(min=1)


def features(network: Encoder, guess: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """Squared distance of unit feature vectors, weighted by the share of hole they lie on (after Zhang et al. 2018)."""
    mixed = torch.where(hole > 0, guess, truth)
    both = torch.cat([mixed, truth]).contiguous(memory_format=torch.channels_last)
    total, maps = 0.0, network(both * 2 - 1)
    for level in maps:
        unit = level / (level.norm(dim=1, keepdim=True) + 1e-3)
        first, second = unit.chunk(2)
        share = functional.interpolate(hole, size=level.shape[2:], mode="area")
        total = total + (((first - second.detach()) ** 2).sum(1, keepdim=True) * share).sum() / share.sum()
    return total / len(maps)
