"""Writes the bundled networks as ONNX, in the form that OpenCV runs at any size, and proves that they say the same.

    python training/export_onnx.py depth|second|silhouettes|colour|edges [--weights FILE.safetensors] [--output FILE]

PyTorch's older exporter (`dynamo=False`) traces a form of each network (`onnx_forms.py`) at one size. Weights are kept in half floats, as
in the safetensors; those of the depth networks' convolutions in bytes, to which they are rounded before (`core/built_in/quantised.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import torch  # noqa: E402
from onnx_forms import FEW, FORMS, Form, embedded_depth_net  # noqa: E402

from photo_diorama.core.built_in.onnx_network import OnnxNetwork  # noqa: E402
from photo_diorama.core.built_in.quantised import quantise, write_quantised  # noqa: E402

OPSET = 13
WEIGHTS = embedded_depth_net.WEIGHTS.parent
MAX_DIFFERENCE = 1e-4
"""Largest difference from PyTorch over the range of the answer; measured are at most 4e-5 (depth), 3e-6 (colour) and 4e-5 (edges)."""
TRACED_AT = 64, 96
"""Height and width in pixels; any that fits the network's strides will do."""
PROVED_AT = (64, 96), (96, 64), (320, 256), (64, 96)


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
