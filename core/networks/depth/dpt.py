"""DPT-Hybrid and DPT-Large of MiDaS v3: relative inverse depth from a vision transformer.

Ranftl et al. 2021, "Vision Transformers for Dense Prediction".
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .backbones import vision_transformer
from .feature_fusion import FusionDecoder, official_decoder_names
from .photo_input import PhotoInput

PATCH = 16
CHANNELS = 256
PHOTO_INPUT = PhotoInput(side=384, multiple=32, fit="least", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Size:
    """One published network."""

    backbone: str  # timm's name
    stages: tuple[int, ...]  # of the convolutional stem whose outputs are the first levels (hybrid only)
    taps: tuple[int, ...]  # transformer blocks whose outputs are the other levels
    levels: tuple[int, int, int, int]  # channels of the levels, finest first


HYBRID = Size("vit_base_resnet50_384", (0, 1), (8, 11), (256, 512, 768, 768))
LARGE = Size("vit_large_patch16_384", (), (5, 11, 17, 23), (256, 512, 1024, 1024))

OFFICIAL_NAMES = {
    "pretrained.model.": "encoder.",
    "scratch.output_conv.0.": "head.0.",
    "scratch.output_conv.2.": "head.1.",
    "scratch.output_conv.4.": "head.2.",
    **official_decoder_names("scratch.", "decoder."),
}
"""Prefixes of the published files' keys -> ours."""
for _level in range(4):
    # 0: readout, 1 and 2: transposition to a map, 3: projection, 4: change of resolution
    OFFICIAL_NAMES[f"pretrained.act_postprocess{_level + 1}.0.project.0."] = f"reassemble.{_level}.readout."
    OFFICIAL_NAMES[f"pretrained.act_postprocess{_level + 1}.3."] = f"reassemble.{_level}.project."
    OFFICIAL_NAMES[f"pretrained.act_postprocess{_level + 1}.4."] = f"reassemble.{_level}.resize."
UNUSED = ("pretrained.model.head.", "pretrained.model.norm.", "scratch.refinenet4.resConfUnit1.")
"""Prefixes of keys that the published file holds and the forward pass never asks for."""


class Reassemble(nn.Module):
    """Tokens with the class token mixed into each ("project" readout), as a map, at another resolution."""

    def __init__(self, width: int, channels: int, resize: nn.Module):
        super().__init__()
        self.readout = nn.Linear(2 * width, width)
        self.project = nn.Conv2d(width, channels, 1)
        self.resize = resize

    def forward(self, tokens: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        patches, readout = tokens[:, 1:], tokens[:, :1]
        mixed = F.gelu(self.readout(torch.cat([patches, readout.expand_as(patches)], dim=2)))
        return self.resize(self.project(mixed.transpose(1, 2).unflatten(2, grid)))


def _resize(level: int, channels: int) -> nn.Module:
    """From the patch grid (1/16) to level 0..3 at 1/4, 1/8, 1/16, 1/32."""
    if level < 2:
        factor = (4, 2)[level]
        return nn.ConvTranspose2d(channels, channels, factor, factor)
    return nn.Identity() if level == 2 else nn.Conv2d(channels, channels, 3, 2, 1)


class DPT(nn.Module):
    """Normalised photo in, relative inverse depth out: larger is nearer, scale and shift unknown, never negative.

    With `half` the transformer computes in half floats; the convolutional stem and the decoder stay in full floats.
    """

    half_safe = True

    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        self.encoder = vision_transformer(size.backbone)
        self.encoder.norm = nn.Identity()  # the levels are taken before it
        width = self.encoder.embed_dim
        self.reassemble = nn.ModuleDict(
            {str(level): Reassemble(width, size.levels[level], _resize(level, size.levels[level])) for level in range(len(size.stages), 4)}
        )
        self.decoder = FusionDecoder(size.levels, (CHANNELS,) * 4)
        self.head = nn.ModuleList([nn.Conv2d(CHANNELS, 128, 3, padding=1), nn.Conv2d(128, 32, 3, padding=1), nn.Conv2d(32, 1, 1)])

    def forward(self, x: torch.Tensor, half: bool = False) -> torch.Tensor:
        """x (N, 3, H, W), sides multiples of 32 -> (N, H, W)."""
        grid = x.shape[2] // PATCH, x.shape[3] // PATCH
        patches, levels = self._embed(x)
        with torch.autocast(x.device.type, dtype=torch.float16, enabled=half):
            tapped = self._transform(patches, grid)
        for level, tokens in enumerate(tapped, start=len(levels)):
            levels.append(self.reassemble[str(level)](tokens.float(), grid))
        path = F.interpolate(self.head[0](self.decoder(levels)), scale_factor=2.0, mode="bilinear", align_corners=True)
        return F.relu(self.head[2](F.relu(self.head[1](path)))).squeeze(1)

    def _embed(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Patch features (N, C, h, w), and the levels that the convolutional stem gives on its way (hybrid)."""
        embed = self.encoder.patch_embed
        levels: list[torch.Tensor] = []
        if self.size.stages:
            x = embed.backbone.stem(x)
            for index, stage in enumerate(embed.backbone.stages):
                x = stage(x)
                if index in self.size.stages:
                    levels.append(x)
            x = embed.backbone.norm(x)
        return embed.proj(x), levels

    def _transform(self, patches: torch.Tensor, grid: tuple[int, int]) -> list[torch.Tensor]:
        encoder = self.encoder
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat([encoder.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + resized_positions(encoder.pos_embed, grid).to(tokens)
        tapped = []
        for index, block in enumerate(encoder.blocks):
            tokens = block(tokens)
            if index in self.size.taps:
                tapped.append(tokens)
        return tapped


def resized_positions(embedding: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(1, 1 + 24 * 24, C) -> (1, 1 + h * w, C), the class token's position first; bilinear, as DPT was trained."""
    side = round((embedding.shape[1] - 1) ** 0.5)
    square = embedding[:, 1:].float().transpose(1, 2).unflatten(2, (side, side))
    resized = F.interpolate(square, size=grid, mode="bilinear", align_corners=False)
    return torch.cat([embedding[:, :1].float(), resized.flatten(2).transpose(1, 2)], dim=1)
