"""Depth Anything 3, the networks for single pictures: depth and sky, relative (mono) or times the focal length in metres (metric).

Lin et al. 2025, "Depth Anything 3: Recovering the Visual Space from Any Views"; the network is that of Depth Anything V2 with an
exponential at its end and a second head for the sky. Both published files have the same names and shapes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .depth_anything import LARGE, DepthAnything, Size
from .dinov2 import PATCH, read_blocks
from .feature_fusion import official_decoder_names
from .photo_input import PhotoInput

PHOTO_INPUT = PhotoInput(side=504, multiple=PATCH, fit="inside")
SKY_FROM, MIN_PIXELS = 0.3, 10
"""The sky head's value from which a pixel is sky, and the number of pixels of sky, and of no sky, below which nothing is taken for it."""
FOCAL_OF_OUTPUT = 300.0
"""Focal length in pixels for which the metric network's output is metres."""

OFFICIAL_NAMES = {
    "model.backbone.pretrained.": "encoder.",
    "model.head.projects.": "reassemble.project.",
    "model.head.resize_layers.": "reassemble.resize.",
    "model.head.scratch.output_conv1.": "head.0.",
    "model.head.scratch.output_conv2.0.": "head.1.",
    "model.head.scratch.output_conv2.2.": "head.2.",
    "model.head.scratch.sky_output_conv2.0.": "sky_head.0.",
    "model.head.scratch.sky_output_conv2.2.": "sky_head.1.",
    **official_decoder_names("model.head.scratch.", "decoder."),
}
"""Prefixes of the published file's keys -> ours."""


class DepthAnything3(DepthAnything):
    """Normalised photo in, (N, 2, H, W) out: depth, always positive and larger farther away, and how much a pixel is sky, from 0."""

    def __init__(self, size: Size = LARGE):
        super().__init__(size)
        self.sky_head = nn.ModuleList([nn.Conv2d(size.channels // 2, 32, 3, padding=1), nn.Conv2d(32, 1, 1)])
        self.encoder.norm.eps = 1e-5

    def forward(self, x: torch.Tensor, half: bool = False) -> torch.Tensor:
        """x (N, 3, H, W), sides multiples of 14."""
        depth, sky = self.raw(x, half)
        return torch.cat([depth.exp(), F.relu(sky)], 1)

    def raw(self, x: torch.Tensor, half: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Both heads before their last function, (N, 1, H, W) each."""
        with torch.autocast(x.device.type, dtype=torch.float16, enabled=half):
            taps = read_blocks(self.encoder, x, self.taps)
        path = self._decoded(taps, x.shape[2:])
        return self.head[2](F.relu(self.head[1](path))), self.sky_head[1](F.relu(self.sky_head[0](path)))


def is_sky(sky: np.ndarray) -> np.ndarray:
    """(h, w) bool; False everywhere where nearly all or nearly nothing would be sky, as in the published rule."""
    found = sky >= SKY_FROM
    return found if min(found.sum(), (~found).sum()) > MIN_PIXELS else np.zeros_like(found)
