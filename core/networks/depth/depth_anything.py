"""Depth Anything V2: relative inverse depth, or metric depth, from a DINOv2 vision transformer.

Yang et al. 2024, "Depth Anything V2"; the decoder is that of Ranftl et al. 2021, "Vision Transformers for Dense
Prediction"; the backbone that of Oquab et al. 2023, "DINOv2".
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .backbones import vision_transformer
from .feature_fusion import FusionDecoder, official_decoder_names
from .photo_input import PhotoInput

PATCH = 14
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
        self.head = nn.ModuleList(
            [nn.Conv2d(size.channels, inner, 3, padding=1), nn.Conv2d(inner, 32, 3, padding=1), nn.Conv2d(32, 1, 1)]
        )

    def forward(self, x: torch.Tensor, half: bool = False) -> torch.Tensor:
        """x (N, 3, H, W), sides multiples of 14 -> (N, H, W): relative inverse depth >= 0, or metres."""
        with torch.autocast(x.device.type, dtype=torch.float16, enabled=half):
            maps = self._encode(x)
        path = self.decoder(self.reassemble([features.float() for features in maps]))
        path = F.interpolate(self.head[0](path), size=x.shape[2:], mode="bilinear", align_corners=True)
        out = self.head[2](F.relu(self.head[1](path))).squeeze(1)
        return F.relu(out) if self.max_depth is None else torch.sigmoid(out) * self.max_depth

    def _encode(self, x: torch.Tensor) -> list[torch.Tensor]:
        encoder = self.encoder
        rows, columns = x.shape[2] // PATCH, x.shape[3] // PATCH
        tokens = encoder.patch_embed.proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([encoder.cls_token.expand(len(x), -1, -1), tokens], dim=1)
        tokens = tokens + resized_positions(encoder.pos_embed, rows, columns).to(tokens)
        maps = []
        for index, block in enumerate(encoder.blocks):
            tokens = block(tokens)
            if index in self.taps:
                patches = encoder.norm(tokens)[:, 1:]
                maps.append(patches.transpose(1, 2).unflatten(2, (rows, columns)))
        return maps


def resized_positions(embedding: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """(1, 1 + 37 * 37, C) -> (1, 1 + rows * columns, C), the class token's position first; on the CPU.

    Bicubic, not smoothed, and with 0.1 added to the number of patches in the scale: DINOv2's guard against a rounding
    down, which moves the samples a little and which the weights were trained with.
    """
    side = round((embedding.shape[1] - 1) ** 0.5)
    if (rows, columns) == (side, side):
        return embedding.cpu()
    grid = embedding[:, 1:].float().cpu().transpose(1, 2).unflatten(2, (side, side))
    scale = ((rows + 0.1) / side, (columns + 0.1) / side)
    grid = F.interpolate(grid, scale_factor=scale, mode="bicubic", align_corners=False)
    return torch.cat([embedding[:, :1].float().cpu(), grid.flatten(2).transpose(1, 2)], dim=1)
