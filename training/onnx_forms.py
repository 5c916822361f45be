"""The bundled networks in operators that OpenCV runs at any size, and what these forms must equal; `export_onnx.py` writes them.

OpenCV infers all sizes anew for every input, so nothing in a form may depend on the size at which it is traced: no Shape, no Reshape, no
output size of a Resize, no padding by Slice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import conftest  # noqa: E402, F401  makes the package importable
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils.fusion import fuse_conv_bn_weights  # noqa: E402

from photo_diorama.core.built_in.colour import MULTIPLE  # noqa: E402
from photo_diorama.core.built_in.quantised import quantise  # noqa: E402
from photo_diorama.core.networks.depth import embedded_depth_net  # noqa: E402
from photo_diorama.core.networks.inpaint import hidden_colour, inpaint_edge  # noqa: E402
from photo_diorama.core.settings import HIDDEN_COLOUR, HIDDEN_EDGES  # noqa: E402

FEW = 1000
"""Weights of a convolution below which bytes save nothing."""


@dataclass(frozen=True)
class Form:
    """A network as it is exported, and the module that it must equal."""

    module: nn.Module
    reference: Callable[..., dict[str, torch.Tensor]]  # inputs by name -> outputs by name
    inputs: Callable[[int, int], dict[str, torch.Tensor]]  # random ones of this height and width, by name
    outputs: tuple[str, ...]
    facts: dict  # what `core/built_in` must know besides the names


class _PaddedConvolution(torch.autograd.Function):
    """A convolution whose padding differs from side to side, as one node."""

    @staticmethod
    def forward(ctx, x, weight, bias, pad, stride, groups):
        return F.conv2d(F.pad(x, pad), weight, bias, stride, 0, 1, groups)

    @staticmethod
    def symbolic(g, x, weight, bias, pad, stride, groups):
        left, right, top, bottom = pad
        kernel = weight.type().sizes()[2:]
        return g.op("Conv", x, weight, bias, pads_i=[top, left, bottom, right], strides_i=[stride, stride], group_i=groups,
                    kernel_shape_i=kernel, dilations_i=[1, 1])  # fmt: skip


def with_padded_convolutions(network: nn.Module) -> nn.Module:
    """The network with every SamePadConv of stride 2 as one node."""
    for part in network.modules():
        if isinstance(part, embedded_depth_net.SamePadConv) and not part.symmetric:
            part.forward = lambda x, own=part: _PaddedConvolution.apply(x, own.weight, own.bias, own.pad, own.stride[0], own.groups)
    return network


def per_pixel(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """A linear layer on (N, C, 1, 1)."""
    return F.conv2d(x, layer.weight[:, :, None, None], layer.bias)


class DepthForm(nn.Module):
    """EmbeddedDepthNet with where each coarse cell lies in the picture as a second input: inverse depth, then its shift and, at half the
    photo's size, the probability of sky, where the network tells them."""

    def __init__(self, network: embedded_depth_net.EmbeddedDepthNet):
        super().__init__()
        self.network = with_padded_convolutions(network)

    def forward(self, photo: torch.Tensor, place: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps, head = self.network.encoder(photo * 2 - 1), self.network.shift
        half = self.decoded(maps, place)
        answers = [F.interpolate(half[:, :1], scale_factor=2.0, mode="bilinear", align_corners=False)]
        if head is not None:
            means = F.adaptive_avg_pool2d(maps[embedded_depth_net.SHIFT_TAP], 1)
            answers.append(head.in_range(per_pixel(head.second, F.relu(per_pixel(head.first, means)))))
        if self.network.decoder.sky is not None:
            answers.append(torch.sigmoid(half[:, 1:]))
        return tuple(answers)

    def half(self, photo: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """All outputs at half the photo's size."""
        return self.decoded(self.network.encoder(photo * 2 - 1), place)

    def decoded(self, maps: list[torch.Tensor], place: torch.Tensor) -> torch.Tensor:
        """The same from the encoder's feature maps."""
        decoder = self.network.decoder
        first, _, second = decoder.whole
        whole = per_pixel(second, F.relu(per_pixel(first, F.adaptive_avg_pool2d(maps[-1], 1))))
        x = decoder.units[-1](F.relu(decoder.lateral[-1](maps[-1]) + decoder.place(place) + whole))
        for level in range(len(maps) - 2, -1, -1):
            x = F.interpolate(decoder.narrow[level](x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = decoder.units[level](F.relu(x + decoder.lateral[level](maps[level])))
        return decoder.answer(x)


class SilhouettesForm(DepthForm):
    """The same with the second decoder, which answers at half the photo's size."""

    def forward(self, photo: torch.Tensor, place: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        half = self.half(photo, place)
        return half[:, :1] + 0, torch.sigmoid(half[:, 1:])


def _photo_and_place(height: int, width: int) -> dict[str, torch.Tensor]:
    from photo_diorama.core.built_in.depth import cell_positions

    place = cell_positions(height // embedded_depth_net.STRIDE, width // embedded_depth_net.STRIDE)
    return {"photo": torch.rand(2, 3, height, width), "place": torch.from_numpy(place).repeat(2, 1, 1, 1)}


def with_folded_norms(network: nn.Module) -> nn.Module:
    """The network with each batch norm that follows a convolution made part of its weights: OpenCV would do so at every load."""
    for part in network.modules():
        layers = [*part.children()] if isinstance(part, nn.Sequential) else []
        for number, (first, second) in enumerate(pairwise(layers)):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                folded = copy(first)  # keeps how it pads
                norm = (second.running_mean, second.running_var, second.eps, second.weight, second.bias)
                # in doubles, so that every processor rounds to the same bytes
                weights = fuse_conv_bn_weights(first.weight.double(), None, *(v.double() if torch.is_tensor(v) else v for v in norm))
                folded.weight, folded.bias = (nn.Parameter(value.detach().float()) for value in weights)
                part[number], part[number + 1] = folded, nn.Identity()
    return network


def quantised_network(weights: Path) -> embedded_depth_net.EmbeddedDepthNet:
    """The network of these weights, batch norms folded, the weights of its convolutions rounded to what bytes hold."""
    network = with_folded_norms(embedded_depth_net.load_network(weights))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() >= FEW:
            steps, scale = quantise(layer.weight.detach().numpy())
            layer.weight.data = torch.from_numpy(steps * scale)
    return network


def silhouettes_form(weights: Path | None) -> Form:
    weights = weights or embedded_depth_net.SILHOUETTE_WEIGHTS
    network, names = quantised_network(weights), ("disparity", "boundary")
    return Form(SilhouettesForm(quantised_network(weights)),
                lambda photo, place: dict(zip(names, network.silhouettes(photo), strict=True)), _photo_and_place, names,
                {"multiple": embedded_depth_net.STRIDE})  # fmt: skip


def second_form(weights: Path | None) -> Form:
    return depth_form(weights or embedded_depth_net.SECOND_WEIGHTS)


def depth_form(weights: Path | None) -> Form:
    weights = weights or embedded_depth_net.WEIGHTS
    network = quantised_network(weights)
    names = ["disparity", *(["shift"] if network.shift is not None else []), *(["sky"] if network.decoder.sky is not None else [])]

    def reference(photo: torch.Tensor, place: torch.Tensor) -> dict[str, torch.Tensor]:
        said = network.with_shift(photo) if "shift" in names else (network(photo)[:, None],)
        said += (network.sky(photo),) if "sky" in names else ()
        return dict(zip(names, said, strict=True))

    facts = {"multiple": embedded_depth_net.STRIDE, "long_side": embedded_depth_net.LONG_SIDE}
    return Form(DepthForm(quantised_network(weights)), reference, _photo_and_place, tuple(names), facts)


class ColourForm(nn.Module):
    """HiddenColour without exchanging pixels for channels, which would fix the size.

    Pixels to channels and a 3x3 convolution are one 6x6 convolution of stride 2. Channels to pixels after a 1x1 convolution are one
    transposed convolution of stride 2; the bias that differs within its 2x2 pixels is the weight of a channel of ones.
    """

    def __init__(self, network: hidden_colour.HiddenColour):
        super().__init__()
        self.network = network
        self.register_buffer("before", F.pixel_shuffle(network.down_1.first.weight, 2))
        spread = torch.cat([network.spread.weight[:, :, 0, 0], network.spread.bias[:, None]], 1).T
        self.register_buffer("after", spread.reshape(-1, hidden_colour.FINE, 2, 2).contiguous())
        binomial = torch.tensor(hidden_colour.BINOMIAL)
        self.register_buffer("average", (binomial[:, None] * binomial)[None, None].repeat(7, 1, 1, 1))
        out, kinds = network.out_channels, len(hidden_colour.START)
        each = [*range(out), *(out + kind for kind in range(kinds) for _ in range(3))]
        start = torch.cat([torch.zeros(out), torch.tensor(hidden_colour.START).repeat_interleave(3)])
        self.register_buffer("last_weight", network.last.weight[each])
        self.register_buffer("last_bias", network.last.bias[each] + start)
        self.register_buffer("total", torch.eye(3).repeat(1, kinds + 1)[:, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        network, down = self.network, self.network.down_1
        first = F.leaky_relu(F.conv2d(x, self.before, down.first.bias, 2, 2), 0.1)
        first = first + F.leaky_relu(down.second(first), 0.1)
        second = network.down_2(first)
        third = network.down_3(second)
        y = network.down_4(third)
        for block, beside in ((network.up_3, third), (network.up_2, second), (network.up_1, first)):
            y = block(torch.cat([F.interpolate(y, scale_factor=2.0, mode="nearest"), beside], 1))
        y = F.conv_transpose2d(torch.cat([y, y[:, :1] * 0 + 1], 1), self.after, stride=2)
        y = network.fine(torch.cat([y, x], 1))
        y = F.conv2d(y, self.last_weight, self.last_bias, padding=1)
        pieces, hole = x[:, 6:12], x[:, 13:14]
        averaged = F.conv2d(torch.cat([pieces, hole], 1), self.average, padding=2, groups=7)
        grain = (pieces - averaged[:, :6] / (F.relu(averaged[:, 6:] - 1e-3) + 1e-3)) * hole
        return F.conv2d(y[:, :3], self.total[:, :3]) + F.conv2d(y[:, 3:] * torch.cat([x[:, 3:12], grain], 1), self.total[:, 3:])


def colour_form(weights: Path | None) -> Form:
    network = hidden_colour.load_hidden_colour(weights or HIDDEN_COLOUR.with_suffix(".safetensors"))

    def inputs(height: int, width: int) -> dict[str, torch.Tensor]:
        x = torch.randn(2, network.in_channels, height, width)
        x[:, 12:14], x[:, 17:] = x[:, 12:14] > 0, x[:, 17:] > 0
        return {"region": x}

    facts = {"multiple": MULTIPLE}
    return Form(ColourForm(network), lambda region: {"colour": network(region)}, inputs, ("colour",), facts)


class CentredNorm(nn.Module):
    """Instance normalisation that takes the mean away before it squares: OpenCV's own loses digits by squaring first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - F.adaptive_avg_pool2d(x, 1)
        return centred / torch.sqrt(F.adaptive_avg_pool2d(centred * centred, 1) + 1e-5)


def with_centred_norms(network: nn.Module) -> nn.Module:
    """The network with each of its instance normalisations exchanged."""
    for name, part in [*network.named_modules()]:
        if isinstance(part, nn.InstanceNorm2d):
            network.set_submodule(name, CentredNorm())
    return network


class EdgesForm(nn.Module):
    """InpaintEdge with the weights of its last convolution parted beforehand."""

    def __init__(self, network: inpaint_edge.InpaintEdge):
        super().__init__()
        self.network = with_centred_norms(network)
        self.pad, self.bias = network.decoder_2[0], network.decoder_2[1].bias
        first, second = network.decoder_2[1].weight.split(network.width, dim=1)
        self.register_buffer("first", first.detach().clone())
        self.register_buffer("second", second.detach().clone())
        network._last = self.last

    def last(self, x: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
        return F.conv2d(self.pad(x), self.first, self.bias) + F.conv2d(self.pad(x0), self.second)

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        return self.network(crop)


def edges_form(weights: Path | None) -> Form:
    weights = weights or HIDDEN_EDGES.with_suffix(".safetensors")
    network = inpaint_edge.load_inpaint_edge(weights)

    def inputs(height: int, width: int) -> dict[str, torch.Tensor]:
        x = torch.rand(2, 7, height, width)
        x[:, 4:] = x[:, 4:] > 0.5
        return {"crop": x}

    form = EdgesForm(inpaint_edge.load_inpaint_edge(weights))
    return Form(form, lambda crop: {"edge": network(crop)}, inputs, ("edge",), {"multiple": 4})


FORMS = {
    "depth": (depth_form, "embedded_depth.npz"),
    "second": (second_form, "embedded_depth_lite2.npz"),
    "silhouettes": (silhouettes_form, "embedded_silhouettes.npz"),
    "colour": (colour_form, HIDDEN_COLOUR.name),
    "edges": (edges_form, HIDDEN_EDGES.name),
}
