"""Depth Anything V2: relative inverse depth, or metric depth, from a DINOv2 vision transformer.

Yang et al. 2024, "Depth Anything V2"; the decoder is that of Ranftl et al. 2021, "Vision Transformers for Dense
Prediction"; the backbone that of Oquab et al. 2023, "DINOv2".
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .backbones import vision_transformer
from .dinov2 import PATCH, Tap, read_blocks
from .feature_fusion import FusionDecoder, official_decoder_names
from .photo_input import PhotoInput

PHOTO_INPUT = PhotoInput(side=518, multiple=PATCH, fit="outside")

OFFICIAL_NAMES = {
    "pretrained.": "encoder.",
    "depth_head.projects.": "reassemble.project.",
    "depth_head.resize_layers.": "reassemble.resize.",
    "depth_head.scratch.output_conv1.": "head.0.",
    "depth_head.scratch.output_conv2.0.": "head.1.",
    "depth_head.scratch.output_conv2.2.": "head.2.",
    **official_decoder_names("depth_head.scratch.", "decoder."),
}
"""Prefixes of the published file's keys -> ours."""

UNUSED = ("pretrained.mask_token", "depth_head.scratch.refinenet4.resConfUnit1.")
"""Prefixes of keys that the published file holds and the forward pass never asks for."""


@dataclass(frozen=True)
class Size:
    """One published size of the network."""

    backbone: str  # timm's name
    taps: tuple[int, int, int, int]  # transformer blocks whose output is a level of the decoder
    levels: tuple[int, int, int, int]  # channels of the levels, finest first
    channels: int  # of the decoder


SMALL = Size("vit_small_patch14_dinov2", (2, 5, 8, 11), (48, 96, 192, 384), 64)
BASE = Size("vit_base_patch14_dinov2", (2, 5, 8, 11), (96, 192, 384, 768), 128)
LARGE = Size("vit_large_patch14_dinov2", (4, 11, 17, 23), (256, 512, 1024, 1024), 256)
SIZES = {"small": SMALL, "base": BASE, "large": LARGE}


class Reassemble(nn.Module):
    """Tokens of four depths, all on the patch grid, to four levels at 4, 2, 1 and 1/2 times the grid."""

    def __init__(self, width: int, levels: tuple[int, ...]):
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(width, level, 1) for level in levels)
        self.resize = nn.ModuleList(
            [
                nn.ConvTranspose2d(levels[0], levels[0], 4, 4),
                nn.ConvTranspose2d(levels[1], levels[1], 2, 2),
                nn.Identity(),
                nn.Conv2d(levels[3], levels[3], 3, 2, 1),
            ]
        )

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        return [resize(project(x)) for x, project, resize in zip(maps, self.project, self.resize, strict=True)]


class DepthAnything(nn.Module):
    """Normalised photo in; relative inverse depth out, or metres if `max_depth` is given.

    With `half` the transformer computes in half floats; the decoder, whose sums grow large, stays in full floats.
    """

    half_safe = True

    def __init__(self, size: Size, max_depth: float | None = None):
        super().__init__()
        self.max_depth = max_depth  # m; None: relative
        self.taps = size.taps
        self.encoder = vision_transformer(size.backbone)
        self.reassemble = Reassemble(self.encoder.embed_dim, size.levels)
        self.decoder = FusionDecoder(size.levels, (size.channels,) * 4)
        inner = size.channels // 2
        self.head = nn.ModuleList([nn.Conv2d(size.channels, inner, 3, padding=1), nn.Conv2d(inner, 32, 3, padding=1), nn.Conv2d(32, 1, 1)])

    def forward(self, x: torch.Tensor, half: bool = False) -> torch.Tensor:
        """x (N, 3, H, W), sides multiples of 14 -> (N, H, W): relative inverse depth >= 0, or metres."""
        with torch.autocast(x.device.type, dtype=torch.float16, enabled=half):
            taps = read_blocks(self.encoder, x, self.taps)
        path = self._decoded(taps, x.shape[2:])
        out = self.head[2](F.relu(self.head[1](path))).squeeze(1)
        return F.relu(out) if self.max_depth is None else torch.sigmoid(out) * self.max_depth

    def _decoded(self, taps: list[Tap], size: tuple[int, int]) -> torch.Tensor:
        """(N, channels / 2, *size): what the last two convolutions are given."""
        path = self.decoder(self.reassemble([tap.patches.float() for tap in taps]))
        return F.interpolate(self.head[0](path), size=size, mode="bilinear", align_corners=True)
