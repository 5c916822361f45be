"""State dicts filled by the rule of the reference data, so that a network can be compared without trained weights."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch


def fill(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """A state dict of these keys and shapes, float32, each value a function of its key and place alone."""
    state = {}
    for key, shape in shapes.items():
        count = int(np.prod(shape)) if shape else 1
        last = key.rsplit(".", 1)[-1]
        noise = (np.arange(count, dtype=np.uint64) * 2654435761 + zlib.crc32(key.encode())) % 2**32
        w = noise.astype(np.float64) / 2**32 - 0.5
        if last == "num_batches_tracked":
            state[key] = torch.tensor(0)
            continue
        if ".mask_conv." in key:
            values = np.ones(count)
        elif last == "running_var":
            values = 1 + 0.5 * w
        elif last in ("running_mean", "bias"):
            values = 0.1 * w
        elif len(shape) <= 1:
            values = 1 + 0.2 * w
        else:
            values = w * np.sqrt(24 / (count / shape[0]))
        state[key] = torch.from_numpy(values.reshape(shape).astype(np.float32))
    for key in [key for key in shapes if key.endswith(".weight_u")]:
        layer = key.removesuffix("weight_u")
        weight = state[layer + "weight_orig"].double()
        # Of a transposed convolution, dimension 1 is "out", which the length of u tells.
        transposed = weight.shape[0] != shapes[key][0] or layer.startswith("decoder_")
        matrix = (weight.transpose(0, 1) if transposed else weight).flatten(1)
        u = torch.ones(matrix.shape[0], dtype=torch.float64) / matrix.shape[0] ** 0.5
        v = matrix.T @ u
        state[key], state[layer + "weight_v"] = u.float(), (v / v.norm()).float()
    return state


def read(shared: Path, name: str) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """The filled state dict and the recorded arrays of one network."""
    shapes = json.loads((shared / "golden" / f"{name}.json").read_text())["keys"]
    with np.load(shared / "golden" / f"{name}.npz") as arrays:
        return fill(shapes), dict(arrays)
