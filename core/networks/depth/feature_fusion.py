"""The decoder block that MiDaS, DPT and Depth Anything share: fuse two levels, refine, double.

RefineNet (Lin et al. 2017) as simplified by Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation".
"""

import torch
from torch import nn
from torch.nn import functional as F

OFFICIAL_NAMES = {"resConfUnit1.": "lateral.", "resConfUnit2.": "refine.", "out_conv.": "project."}
"""Parts of a block in the published files -> ours."""


class ResidualUnit(nn.Module):
    """x + conv(relu(conv(relu(x)))), 3x3."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class FeatureFusion(nn.Module):
    """Adds the encoder's level to the coarser path, refines, projects, and brings it to the next level's size.

    The deepest block has no coarser path, and so no lateral unit (the published files hold one, which is never run).
    """

    def __init__(self, channels: int, out_channels: int, deepest: bool = False):
        super().__init__()
        self.lateral = None if deepest else ResidualUnit(channels)
        self.refine = ResidualUnit(channels)
        self.project = nn.Conv2d(channels, out_channels, 1)

    def forward(self, path: torch.Tensor, level: torch.Tensor | None, size: tuple[int, int]) -> torch.Tensor:
        """path and level (N, C, h, w), `size` the height and width to return; corners stay aligned."""
        if level is not None:
            path = path + self.lateral(level)
        # Published order is enlarge, then project. A 1x1 convolution commutes with an interpolation whose weights
        # sum to one, and costs a quarter on the smaller map.
        return F.interpolate(self.project(self.refine(path)), size=size, mode="bilinear", align_corners=True)


class FusionDecoder(nn.Module):
    """Four encoder levels, finest first, to one map of twice the finest level's size."""

    def __init__(self, in_channels: tuple[int, ...], channels: tuple[int, ...]):
        """`in_channels` of the four levels; `channels` to which each is brought and in which it is fused."""
        super().__init__()
        self.bring = nn.ModuleList(
            nn.Conv2d(incoming, own, 3, padding=1, bias=False) for incoming, own in zip(in_channels, channels, strict=True)
        )
        outgoing = (channels[0], *channels[:-1])
        self.fuse = nn.ModuleList(
            FeatureFusion(own, out, deepest=index == len(channels) - 1)
            for index, (own, out) in enumerate(zip(channels, outgoing, strict=True))
        )

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        levels = [bring(level) for bring, level in zip(self.bring, levels, strict=True)]
        path = None
        for index in range(len(levels) - 1, -1, -1):
            level = levels[index]
            size = levels[index - 1].shape[2:] if index else (2 * level.shape[2], 2 * level.shape[3])
            path = self.fuse[index](level if path is None else path, None if path is None else level, tuple(size))
        return path


def official_decoder_names(official: str, own: str) -> dict[str, str]:
    """Prefixes of the published decoder under `official` ("scratch.") -> ours under `own`, for `rename_keys`."""
    names = {}
    for index in range(4):
        names[f"{official}layer{index + 1}_rn."] = f"{own}bring.{index}."
        for theirs, ours in OFFICIAL_NAMES.items():
            names[f"{official}refinenet{index + 1}.{theirs}"] = f"{own}fuse.{index}.{ours}"
    return names
