"""MiDaS v2.1 small: relative inverse depth from an EfficientNet-Lite3, light enough for any computer.

Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation: Mixing Datasets for Zero-shot Cross-dataset Transfer".
"""

import torch
from torch import nn
from torch.nn import functional as F

from .backbones import efficientnet_lite3
from .feature_fusion import FusionDecoder, official_decoder_names
from .photo_input import PhotoInput

PHOTO_INPUT = PhotoInput(side=256, multiple=32, fit="inside")

OFFICIAL_NAMES = {
    # The published encoder is four sequences: stem, its norm, its activation and stages 0, 1; stage 2; 3, 4; 5, 6.
    "pretrained.layer1.0.": "encoder.conv_stem.",
    "pretrained.layer1.1.": "encoder.bn1.",
    "pretrained.layer1.3.": "encoder.blocks.0.",
    "pretrained.layer1.4.": "encoder.blocks.1.",
    "pretrained.layer2.0.": "encoder.blocks.2.",
    "pretrained.layer3.0.": "encoder.blocks.3.",
    "pretrained.layer3.1.": "encoder.blocks.4.",
    "pretrained.layer4.0.": "encoder.blocks.5.",
    "pretrained.layer4.1.": "encoder.blocks.6.",
    "scratch.output_conv.0.": "head.0.",
    "scratch.output_conv.2.": "head.1.",
    "scratch.output_conv.4.": "head.2.",
    **official_decoder_names("scratch.", "decoder."),
}
"""Prefixes of the published file's keys -> ours."""

UNUSED = ("scratch.refinenet4.resConfUnit1.",)
"""Prefixes of keys that the published file holds and the forward pass never asks for."""


class MidasSmall(nn.Module):
    """Normalised photo in, relative inverse depth out: larger is nearer, scale and shift unknown, never negative."""

    half_safe = False  # depthwise sums of this encoder can leave the range of half floats; it is fast without
    taps = (1, 2, 4, 6)  # stages whose output is a level of the decoder, at 1/4, 1/8, 1/16, 1/32

    def __init__(self):
        super().__init__()
        self.encoder = efficientnet_lite3()
        self.decoder = FusionDecoder((32, 48, 136, 384), (64, 128, 256, 512))
        self.head = nn.ModuleList([nn.Conv2d(64, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 1, 1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, 3, H, W), sides multiples of 32 -> (N, H, W)."""
        x = self.encoder.bn1(self.encoder.conv_stem(x))
        levels = []
        for index, stage in enumerate(self.encoder.blocks):
            x = stage(x)
            if index in self.taps:
                levels.append(x)
        x = self.head[0](self.decoder(levels))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return F.relu(self.head[2](F.relu(self.head[1](x)))).squeeze(1)
