"""Writes the bundled networks as ONNX, in the form that OpenCV runs at any size, and proves that they say the same.

    python training/export_onnx.py depth|second|silhouettes|colour|edges [--weights FILE.safetensors] [--output FILE]

PyTorch's older exporter (`dynamo=False`) traces a form of each network at one size. OpenCV infers all sizes anew for every input, so
nothing in a form may depend on the traced one: no Shape, no Reshape, no output size of a Resize, no padding by Slice. The three forms
below say the same as the modules they are made from, in such operators. Weights are kept in half floats, as in the safetensors; those of
the depth networks' convolutions in bytes, to which they are rounded before (`core/built_in/quantised.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import conftest  # noqa: E402, F401  makes the package importable
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils.fusion import fuse_conv_bn_weights  # noqa: E402

from photo_diorama.core.built_in.colour import MULTIPLE  # noqa: E402
from photo_diorama.core.built_in.onnx_network import OnnxNetwork  # noqa: E402
from photo_diorama.core.built_in.quantised import quantise, write_quantised  # noqa: E402
from photo_diorama.core.networks.depth import embedded_depth_net  # noqa: E402
from photo_diorama.core.networks.inpaint import hidden_colour, inpaint_edge  # noqa: E402
from photo_diorama.core.settings import HIDDEN_COLOUR, HIDDEN_EDGES  # noqa: E402

OPSET = 13
WEIGHTS = embedded_depth_net.WEIGHTS.parent
MAX_DIFFERENCE = 1e-4
"""Largest difference from PyTorch over the range of the answer; measured are at most 4e-5 (depth), 3e-6 (colour) and 4e-5 (edges)."""
TRACED_AT = 64, 96
"""Height and width in pixels; any that fits the network's strides will do."""
PROVED_AT = (64, 96), (96, 64), (320, 256), (64, 96)


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
    """EmbeddedDepthNet with where each coarse cell lies in the picture as a second input."""

    def __init__(self, network: embedded_depth_net.EmbeddedDepthNet):
        super().__init__()
        self.network = with_padded_convolutions(network)

    def forward(self, photo: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        answer = F.interpolate(self.half(photo, place), scale_factor=2.0, mode="bilinear", align_corners=False)
        return answer

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


class ShiftedDepthForm(DepthForm):
    """The same with its shift and, where the network tells it, the sky at half the photo's size."""

    def forward(self, photo: torch.Tensor, place: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps, head = self.network.encoder(photo * 2 - 1), self.network.shift
        half = self.decoded(maps, place)
        answer = F.interpolate(half[:, :1], scale_factor=2.0, mode="bilinear", align_corners=False)
        means = F.adaptive_avg_pool2d(maps[embedded_depth_net.SHIFT_TAP], 1)
        shift = head.in_range(per_pixel(head.second, F.relu(per_pixel(head.first, means))))
        return (answer, shift) if self.network.decoder.sky is None else (answer, shift, torch.sigmoid(half[:, 1:]))


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
    form = DepthForm(quantised_network(weights))
    facts = {"multiple": embedded_depth_net.STRIDE, "long_side": embedded_depth_net.LONG_SIDE}
    if network.shift is not None:
        form, names = ShiftedDepthForm(quantised_network(weights)), ("disparity", "shift")

        def reference(photo: torch.Tensor, place: torch.Tensor) -> dict[str, torch.Tensor]:
            told = dict(zip(names, network.with_shift(photo), strict=False))
            return told if network.decoder.sky is None else told | {"sky": network.sky(photo)}

        names += () if network.decoder.sky is None else ("sky",)
        return Form(form, reference, _photo_and_place, names, facts)
    return Form(form, lambda photo, place: {"disparity": network(photo)[:, None]}, _photo_and_place, ("disparity",), facts)


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


def export(form: Form, path: Path) -> float:
    """Writes `path` and the facts beside it as JSON, whole or not at all; returns the largest difference from the reference.

    Raises ValueError where that is more than MAX_DIFFERENCE of the range.
    """
    part, module = path.with_name("part_of_" + path.name), form.module.eval().requires_grad_(False)
    inputs = form.inputs(*TRACED_AT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is told to be old at every call
        torch.onnx.export(module, tuple(inputs.values()), str(part), dynamo=False, opset_version=OPSET,
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=True,
                          input_names=list(inputs), output_names=list(form.outputs))  # fmt: skip
    model = in_half_floats(onnx.load(str(part)))
    onnx.checker.check_model(model)
    if path.suffix == ".npz":
        weights = without_quantised(model)
        write_quantised(part, model.SerializeToString(deterministic=True), weights)
    else:
        part.write_bytes(model.SerializeToString(deterministic=True))
    facts = {"inputs": list(inputs), "outputs": list(form.outputs), **form.facts}
    difference = largest_difference(form, OnnxNetwork.read(part, facts))
    if not difference <= MAX_DIFFERENCE:
        part.unlink()
        raise ValueError(f"{path.name} differs from its network by {difference:.1e} of the range; it is not written")
    path.with_suffix(".json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    os.replace(part, path)
    return difference


def without_quantised(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Every weight that bytes hold exactly, (O, I, H, W) by name; these are taken out of the model."""
    taken = {}
    for weight in [*model.graph.initializer]:
        full = onnx.numpy_helper.to_array(weight)
        if full.ndim == 4 and full.size >= FEW and np.array_equal(np.multiply(*quantise(full)), full):
            taken[weight.name] = full
            model.graph.initializer.remove(weight)
    return taken


def in_half_floats(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with each weight that a half float holds exactly stored as one, and cast before use; without traces of its making."""
    graph = model.graph
    casts, used = [], {name for node in graph.node for name in node.input}
    for weight in [*graph.initializer]:
        if weight.name not in used:
            graph.initializer.remove(weight)
            continue
        full = onnx.numpy_helper.to_array(weight)
        if full.dtype != np.float32 or full.size < 64 or not np.array_equal(full.astype(np.float16).astype(np.float32), full):
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(full.astype(np.float16), name + "_half"))
        casts.append(onnx.helper.make_node("Cast", [name + "_half"], [name], name=name + "_cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        node.doc_string = ""
        node.ClearField("metadata_props")
    model.ClearField("metadata_props")
    model.producer_name, model.producer_version = "photo_diorama", ""
    return model


def largest_difference(form: Form, network: OnnxNetwork) -> float:
    """Over PROVED_AT, by turns through one loaded network as in use, as a share of what each answer is compared with."""
    worst = 0.0
    torch.manual_seed(0)
    for height, width in PROVED_AT:
        inputs = form.inputs(height, width)
        with torch.inference_mode():
            wanted = {name: value.numpy() for name, value in form.reference(**inputs).items()}
        found = network.run({name: value.numpy() for name, value in inputs.items()})
        for name, value in wanted.items():
            worst = max(worst, float(np.abs(found[name] - value).max() / extent(name, value)))
    return worst


def extent(name: str, value: np.ndarray) -> float:
    """What differences of an answer are compared with: its range; of a shift, one number a picture, its size; of sky, a probability that
    may be about the same everywhere, 1."""
    return {"shift": float(np.abs(value).max()), "sky": 1.0}.get(name, float(np.ptp(value)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=FORMS)
    parser.add_argument("--weights", type=Path, help="safetensors; the file that lies beside the ONNX file otherwise")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    form, name = FORMS[options.network]
    path = options.output or WEIGHTS / name
    difference = export(form(options.weights), path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, differs from PyTorch by {difference:.1e} of the range")


if __name__ == "__main__":
    main()
