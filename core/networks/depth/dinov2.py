"""The DINOv2 vision transformer (Oquab et al. 2023) as the depth networks read it: patches of some blocks, normalised."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

PATCH = 14
"""Side of a patch in pixels."""


class Tap(NamedTuple):
    """Output of one block, through the transformer's final norm."""

    patches: torch.Tensor  # (N, C, rows, columns)
    class_token: torch.Tensor  # (N, C)


def read_blocks(encoder: nn.Module, x: torch.Tensor, blocks: Sequence[int]) -> list[Tap]:
    """Taps of the given blocks (0 is the first) for (N, 3, H, W), normalised, sides multiples of PATCH."""
    rows, columns = x.shape[2] // PATCH, x.shape[3] // PATCH
    tokens = encoder.patch_embed.proj(x).flatten(2).transpose(1, 2)
    tokens = torch.cat([encoder.cls_token.expand(len(x), -1, -1), tokens], dim=1)
    tokens = tokens + resized_positions(encoder.pos_embed, rows, columns).to(tokens)
    taps = []
    for index, block in enumerate(encoder.blocks):
        tokens = block(tokens)
        if index in blocks:
            normalised = encoder.norm(tokens)
            taps.append(Tap(normalised[:, 1:].transpose(1, 2).unflatten(2, (rows, columns)), normalised[:, 0]))
    return taps


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
