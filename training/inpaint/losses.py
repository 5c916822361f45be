"""Losses of the colour network, each over what becomes visible: colour, structure, and EfficientNet-Lite0 features."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from photo_diorama.core.networks.depth.embedded_depth_net import Encoder

sys.path.append(str(Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2])) / "training" / "depth"))

from pretrained import load_imagenet  # noqa: E402

STAGES = 5
"""Features at strides 2, 4, 8 and 16."""
GREY = (0.299, 0.587, 0.114)
SSIM_STABILITY = (0.01**2, 0.03**2)


def features_network() -> Encoder:
    """The first stages of EfficientNet-Lite0 with its ImageNet weights, frozen, normalisation folded."""
    network = Encoder()
    load_imagenet(network)
    network.stages = network.stages[:STAGES]
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            layers = list(module)
            for k, (layer, after) in enumerate(zip(layers, layers[1:], strict=False)):
                if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    module[k], module[k + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()
    return network.to(memory_format=torch.channels_last)


def colour_error(guess: Tensor, truth: Tensor, visible: Tensor, spread: Tensor) -> Tensor:
    """Root mean square error of each (N, 3, H, W) picture over its visible pixels, against its context's contrast; weighted
    by the root of how many pixels are seen."""
    count = visible.sum((1, 2, 3))
    square = (((guess - truth) ** 2) * visible).sum((1, 2, 3)) / (3 * count).clamp(min=1)
    share = count.sqrt() / count.sqrt().sum()
    return (torch.sqrt(square + 1e-5) / (spread.flatten() + 0.05) * share).sum()


def structure(guess: Tensor, truth: Tensor, visible: Tensor) -> Tensor:
    """1 - SSIM of the brightness (Wang et al. 2004, windows of 7 x 7), mean over the visible pixels; the rest is the truth."""
    weights = torch.tensor(GREY).view(1, 3, 1, 1)
    a, b = ((picture * weights).sum(1, keepdim=True) for picture in (torch.where(visible > 0, guess, truth), truth))

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 7, 1, 3, count_include_pad=False)

    first, second = mean(a), mean(b)
    variance = mean(a * a) - first**2 + mean(b * b) - second**2
    covariance = mean(a * b) - first * second
    c, d = SSIM_STABILITY
    ssim = (2 * first * second + c) * (2 * covariance + d) / ((first**2 + second**2 + c) * (variance + d))
    return 1 - (ssim * visible).sum() / visible.sum().clamp(min=1)


def features(network: Encoder, guess: Tensor, truth: Tensor, visible: Tensor) -> Tensor:
    """Squared distance of unit feature vectors, weighted by the share of visible pixels they lie on (after Zhang et al. 2018)."""
    mixed = torch.where(visible > 0, guess, truth)
    with torch.no_grad():
        true_maps = network((truth * 2 - 1).contiguous(memory_format=torch.channels_last))
    total, maps = 0.0, network((mixed * 2 - 1).contiguous(memory_format=torch.channels_last))
    for level, true in zip(maps, true_maps, strict=True):
        first, second = (m / (m.norm(dim=1, keepdim=True) + 1e-3) for m in (level, true))
        share = functional.interpolate(visible, size=level.shape[2:], mode="area")
        total = total + (((first - second) ** 2).sum(1, keepdim=True) * share).sum() / share.sum()
    return total / len(maps)
