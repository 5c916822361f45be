"""MoGe-2: a point map up to a shift, normals, sky and the metric scale of one picture, by a DINOv2 vision transformer.

Wang et al. 2025, "MoGe-2: Accurate Monocular Geometry with Metric Scale and Sharp Details". `point_map` finds the focal length and
the shift from its output.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .backbones import vision_transformer
from .dinov2 import PATCH, read_blocks
from .photo_input import PhotoInput

PHOTO_INPUT = PhotoInput(side=1024, multiple=1, fit="inside", mean=(0, 0, 0), std=(1, 1, 1))
"""What the network is given; it makes that smaller itself, to PATCH times the grid of tokens."""
TOKENS = {"cpu": 2500, "cuda": 3600, "mps": 3600}
"""Patches that a photo is read in, of the 1200 to 3600 of its training; a processor takes seven seconds for a thousand of the small."""
CHANNELS = (256, 128, 64, 32)
OUTPUTS = {"points": 3, "normal": 3, "mask": 1}
"""Channels of each head."""

OFFICIAL_NAMES = {
    "encoder.backbone.": "encoder.",
    "encoder.output_projections.": "projections.",
    "encoder.image_mean": "image_mean",
    "encoder.image_std": "image_std",
    "points_head.": "heads.points.",
    "normal_head.": "heads.normal.",
    "mask_head.": "heads.mask.",
}
"""Prefixes of the published file's keys -> ours."""
UNUSED = ("encoder.backbone.mask_token",)


@dataclass(frozen=True)
class Size:
    """One published size of the network."""

    backbone: str  # timm's name
    taps: tuple[int, ...]
    width: int
    neck_units: int  # residual units at each of the neck's middle levels


SMALL = Size("vit_small_patch14_dinov2", (5, 11), 384, 1)
LARGE = Size("vit_large_patch14_dinov2", (5, 11, 17, 23), 1024, 2)


def conv3(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="replicate")


class ResidualUnit(nn.Module):
    """x + conv(relu(conv(relu(x)))); the places in `layers` are those of the published file."""

    def __init__(self, channels: int):
        super().__init__()
        none = nn.Identity()
        self.layers = nn.Sequential(none, nn.ReLU(), conv3(channels, channels), none, nn.ReLU(), conv3(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class Pyramid(nn.Module):
    """Five levels, each twice as large as the one before, from an input a level: the neck, and each head."""

    def __init__(self, inputs: tuple[int, ...], channels: tuple[int, ...], units: int, output: int | None = None):
        super().__init__()
        self.input_blocks = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(inputs, channels, strict=True))
        steps = [nn.Sequential(nn.ConvTranspose2d(a, b, 2, 2), conv3(b, b)) for a, b in pairwise(channels[:-1])]
        enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.resamplers = nn.ModuleList([*steps, nn.Sequential(enlarge, conv3(*channels[-2:]))])
        counts = (0, units, units, units, 0)
        self.res_blocks = nn.ModuleList(nn.ModuleList(ResidualUnit(c) for _ in range(n)) for c, n in zip(channels, counts, strict=True))
        self.output_blocks = nn.ModuleDict() if output is None else nn.ModuleDict({"4": nn.Conv2d(channels[-1], output, 1)})

    def forward(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """Its levels, coarsest first; of a head the last is its answer."""
        levels, x = [], None
        for k, (given, bring, units) in enumerate(zip(inputs, self.input_blocks, self.res_blocks, strict=True)):
            x = bring(given) if x is None else x + bring(given)
            for unit in units:
                x = unit(x)
            levels.append(x)
            if k < len(self.resamplers):
                x = self.resamplers[k](x)
        return [*levels[:-1], *(output(levels[-1]) for output in self.output_blocks.values())] if self.output_blocks else levels


class MoGe(nn.Module):
    """RGB in 0..1 in; (N, 8, H, W) out: points x, y, z, unit normals (camera axes: right, down, forward), how surely a pixel has a
    depth (0..1), and the factor to metres, the same everywhere. Points lack a shift along z, which comes before that factor."""

    half_safe = True

    def __init__(self, size: Size):
        super().__init__()
        self.taps, self.tokens = size.taps, None
        channels = (size.width, *CHANNELS)
        self.encoder = vision_transformer(size.backbone)
        self.register_buffer("image_mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("image_std", torch.ones(1, 3, 1, 1))
        self.projections = nn.ModuleList(nn.Conv2d(size.width, size.width, 1) for _ in size.taps)
        self.neck = Pyramid((size.width + 2, 2, 2, 2, 2), channels, size.neck_units)
        self.heads = nn.ModuleDict({name: Pyramid(channels, channels, 1, count) for name, count in OUTPUTS.items()})
        layers = [nn.Linear(size.width, size.width), nn.ReLU(), nn.Linear(size.width, size.width), nn.ReLU(), nn.Linear(size.width, 1)]
        self.scale_head = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor, half: bool = False) -> torch.Tensor:
        """x (N, 3, H, W) of any size; see the class."""
        raw = self.raw(x, self.tokens or TOKENS[x.device.type], half)
        points, normal, mask = (F.interpolate(raw[name], x.shape[2:], mode="bilinear", align_corners=False) for name in OUTPUTS)
        z = points[:, 2:].exp()
        scale = raw["metric_scale"].view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return torch.cat([points[:, :2] * z, z, F.normalize(normal, dim=1), mask.sigmoid(), scale], 1)

    def raw(self, x: torch.Tensor, tokens: int, half: bool = False) -> dict[str, torch.Tensor]:
        """The heads' answers before resizing and activation, by name; the factor to metres; and what the neck is given."""
        rows, columns = token_grid(x.shape[2], x.shape[3], tokens)
        small = F.interpolate(x, (rows * PATCH, columns * PATCH), mode="bilinear", align_corners=False, antialias=True)
        with torch.autocast(x.device.type, dtype=torch.float16, enabled=half):
            taps = read_blocks(self.encoder, (small - self.image_mean) / self.image_std, self.taps)
        summed = sum(project(tap.patches.float()) for project, tap in zip(self.projections, taps, strict=True))
        planes = [view_plane(rows << k, columns << k, x.shape[3] / x.shape[2]).to(x).expand(len(x), -1, -1, -1) for k in range(5)]
        levels = self.neck([torch.cat([summed, planes[0]], 1), *planes[1:]])
        class_token = taps[-1].class_token.float()
        answers = {name: head(levels)[-1] for name, head in self.heads.items()}
        return answers | {"metric_scale": self.scale_head(class_token)[:, 0].exp(), "tokens": summed, "cls": class_token}


def token_grid(height: int, width: int, tokens: int) -> tuple[int, int]:
    """Rows and columns of about so many patches in the photo's aspect."""
    aspect = width / height
    return max(1, round((tokens / aspect) ** 0.5)), max(1, round((tokens * aspect) ** 0.5))


def view_plane(rows: int, columns: int, aspect: float) -> torch.Tensor:
    """(1, 2, rows, columns): where each cell's ray meets the plane on which half the photo's diagonal is 1; `aspect` is the photo's."""
    u = (2 * torch.arange(columns) + 1 - columns) / columns * aspect / (1 + aspect**2) ** 0.5
    v = (2 * torch.arange(rows) + 1 - rows) / rows / (1 + aspect**2) ** 0.5
    return torch.stack(torch.meshgrid(v, u, indexing="ij")[::-1])[None]
