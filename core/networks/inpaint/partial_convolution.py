"""Partial convolution and the seven-level U-Net of it that inpaints depth and colour.

Partial convolutions: Liu et al. 2018, "Image Inpainting for Irregular Holes Using Partial Convolutions", eq. 1 and 2.
The U-Net with its validity rule: Shih et al. 2020, "3D Photography using Context-aware Layered Depth Inpainting",
supplement, in the shape of the published weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from ...errors import DioramaError
from ..checkpoints import State, build_from_state, check_state, our_network, read_state, rename_keys

Part = tuple[torch.Tensor, torch.Tensor]
"""Features (N, C, H, W), 0 where invalid, and their validity (N, 1, H, W), 1 = valid; channels share one mask."""

PUBLISHED_WIDTH = 64
LEVELS = 7


class PartialConvolution(nn.Module):
    """A convolution that looks at valid pixels only and rescales by how many there were.

    y = W * (x m) * (C k^2 / S) + b where S > 0, else 0, with S the window's sum of m over all C input channels.
    x comes with zeros where m is zero, so it is not multiplied again.
    The published layers compute S by a second convolution with weights of one. As a mask is the same for all channels
    of a tensor, S is a box filter of one channel times the channel count: the same numbers at half the work.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, bias: bool):
        super().__init__()
        self.input_conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=bias)
        self.full_window = in_channels * kernel * kernel

    def forward(self, parts: Sequence[Part]) -> Part:
        """The joined parts, convolved, and the new validity: 1 where the window held anything valid."""
        conv = self.input_conv
        window = sum(x.shape[1] * self._box_sum(mask) for x, mask in parts)
        valid = (window > 0).to(window.dtype)
        ratio = valid * self.full_window / window.clamp(min=1)
        joined = parts[0][0] if len(parts) == 1 else torch.cat([x for x, _ in parts], dim=1)
        # In place: the widest maps at full size decide the memory, and no gradient needs what is overwritten.
        y = F.conv2d(joined, conv.weight, None, conv.stride, conv.padding).mul_(ratio)
        if conv.bias is not None:
            y.addcmul_(conv.bias[:, None, None].to(y.dtype), valid.to(y.dtype))
        return y, valid

    def _box_sum(self, mask: torch.Tensor) -> torch.Tensor:
        conv = self.input_conv
        return F.avg_pool2d(mask.float(), conv.kernel_size, conv.stride, conv.padding, divisor_override=1)


class PartialBlock(nn.Module):
    """Partial convolution, batch normalisation (unless folded into it), activation; the mask passes beside."""

    def __init__(self, channels: tuple[int, int], kernel: int, stride: int, bias: bool, norm: bool, slope: float):
        super().__init__()
        self.conv = PartialConvolution(*channels, kernel, stride, bias)
        self.bn = nn.BatchNorm2d(channels[1]) if norm else None
        self.slope = slope  # of the activation below zero: 0 is ReLU, 1 is none

    def forward(self, parts: Sequence[Part]) -> Part:
        x, mask = self.conv(parts)
        if self.bn is not None:
            x = self.bn(x) * mask.to(x.dtype)  # its shift has filled the holes
        return (x if self.slope == 1 else F.leaky_relu(x, self.slope, inplace=True)), mask


class PartialUNet(nn.Module):
    """Seven halvings, seven doublings, each decoder level joined with the *input* of the encoder level opposite.

    `width` 64 is the published shape. `form` "trainable" has live batch normalisation; "folded" has it inside the
    convolutions, each of which then has a bias. Published layers leave the normalisation's shift in the holes and
    multiply by the mask before the next; here holes are zero throughout, which is the same.
    """

    name = ""
    in_channels = 0
    out_channels = 0
    biased_encoders: tuple[int, ...] = ()  # encoder levels whose convolution has a bias in the published files
    official_names: ClassVar[dict[str, str]] = {}  # prefixes of the published file -> ours, where they differ

    def __init__(self, width: int = PUBLISHED_WIDTH, form: str = "trainable"):
        super().__init__()
        self.width, self.form = width, form
        folded = form == "folded"
        channels = [self.in_channels] + [width * factor for factor in (1, 2, 4, 8, 8, 8, 8)]
        for level in range(1, LEVELS + 1):
            kernel = (7, 5, 5, 3, 3, 3, 3)[level - 1]
            bias = folded or level in self.biased_encoders
            pair = (channels[level - 1], channels[level])
            self.add_module(f"enc_{level}", PartialBlock(pair, kernel, 2, bias, level > 1 and not folded, 0.0))
        for level in range(LEVELS, 0, -1):
            last = level == 1
            pair = (channels[level] + channels[level - 1], self.out_channels if last else channels[level - 1])
            block = PartialBlock(pair, 3, 1, folded or last, not (last or folded), 1.0 if last else 0.2)
            self.add_module(f"dec_{level}", block)

    def forward(self, x: torch.Tensor, validity: torch.Tensor) -> torch.Tensor:
        """x (N, in_channels, H, W) and validity (N, 1, H, W), 0 or 1 -> (N, out_channels, H, W); sides 128 n."""
        inputs: list[Part] = [(x * validity, validity)]  # inputs[level - 1] is what encoder level `level` is given
        for level in range(1, LEVELS + 1):
            inputs.append(self.get_submodule(f"enc_{level}")([inputs[-1]]))
        x, mask = inputs.pop()
        for level in range(LEVELS, 0, -1):
            up = F.interpolate(x, scale_factor=2.0, mode="nearest"), F.interpolate(mask, scale_factor=2.0)
            x, mask = self.get_submodule(f"dec_{level}")([up, inputs.pop()])
        return self.output(x)

    def output(self, x: torch.Tensor) -> torch.Tensor:
        """What follows the last layer: nothing, unless a network says otherwise."""
        return x


def fold_batch_norm(network: PartialUNet) -> PartialUNet:
    """The same function with each batch normalisation's running statistics inside its convolution; eval mode, frozen.

    With s = gamma / sqrt(var + eps): W' = s W and b' = beta + s (b - mean), added after the window's ratio.
    """
    state: State = {}
    for name, block in network.named_children():
        conv, bn = block.conv.input_conv, block.bn
        weight = conv.weight.detach()
        bias = conv.bias.detach() if conv.bias is not None else weight.new_zeros(weight.shape[0])
        if bn is not None:
            scale = bn.weight.detach() / torch.sqrt(bn.running_var + bn.eps)
            weight = weight * scale[:, None, None, None]
            bias = bn.bias.detach() + scale * (bias - bn.running_mean)
        state[f"{name}.conv.input_conv.weight"] = weight
        state[f"{name}.conv.input_conv.bias"] = bias
    return build_from_state(lambda: type(network)(network.width, "folded"), state, network.name, "in memory")


def collapse_official(kind: type[PartialUNet], official: State, source: Path | str = "in memory") -> PartialUNet:
    """The trainable network from a published state dict; its mask branch must be constant 1, as the method has it.

    Raises DioramaError if a key is missing or unknown, a shape differs, or a mask weight is not 1.
    """
    state = rename_keys(official, kind.official_names)
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in kind(PUBLISHED_WIDTH).state_dict().items()}
    masks = {key.replace(".input_conv.", ".mask_conv."): shape for key, shape in shapes.items() if ".input_conv.weight" in key}
    check_state(state, shapes | masks, f"the published {kind.name}", source)
    for key in masks:
        if not bool((state.pop(key) == 1).all()):
            raise DioramaError(f"The weights file {source} has a mask branch that is not constant ({key}); get it again.")
    return build_from_state(lambda: kind(PUBLISHED_WIDTH), state, f"the published {kind.name}", source)


def load_partial_unet(kind: type[PartialUNet], path: Path | str, trainable: bool) -> PartialUNet:
    """Reads our own safetensors of any width, or a published file; folded unless `trainable`. On the CPU.

    Raises DioramaError if the file is not one of this network, or is folded already where a trainable one is asked.
    """
    state, metadata = read_state(path)
    ours = our_network(metadata, kind.name, path)
    if ours is None:
        network: Any = collapse_official(kind, state, path)
    else:
        network = build_from_state(lambda: kind(*ours), state, kind.name, path)
    if not trainable:
        network = network if network.form == "folded" else fold_batch_norm(network)
        return network.to(memory_format=torch.channels_last)  # a fifth less time on a CPU
    if network.form == "folded":
        raise DioramaError(f"The weights file {path} is folded and cannot be trained on; start from a trainable one.")
    return network.requires_grad_(True).train()
