"""State dicts filled by the rule of the reference data, so that a network can be compared without trained weights."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

BLOCK = 1 << 16
"""Numbers made at once: large networks have hundreds of millions, which should stay in the processor's cache."""
FACTOR = np.uint32(2654435761)


def fill(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """A state dict of these keys and shapes, float32, each value a function of its key and place alone."""
    state = {}
    for key, shape in shapes.items():
        count = int(np.prod(shape)) if shape else 1
        last = key.rsplit(".", 1)[-1]
        if last == "num_batches_tracked":
            state[key] = torch.tensor(0)
            continue
        if ".mask_conv." in key:
            middle, spread = 1.0, 0.0
        elif last == "running_var":
            middle, spread = 1.0, 0.5
        elif last in ("running_mean", "bias"):
            middle, spread = 0.0, 0.1
        elif len(shape) <= 1:
            middle, spread = 1.0, 0.2
        else:
            middle, spread = 0.0, float(np.sqrt(24 / (count / shape[0])))
        state[key] = torch.from_numpy(_noise(key, count, middle, spread).reshape(shape))
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


def _noise(key: str, count: int, middle: float, spread: float) -> np.ndarray:
    """(count,) float32 round `middle`, at most half of `spread` away, by the key and each number's place."""
    values = np.empty(count, np.float32)
    places = np.arange(min(BLOCK, count), dtype=np.uint32) * FACTOR + np.uint32(zlib.crc32(key.encode()))
    for start in range(0, count, BLOCK):
        block = values[start : start + BLOCK]
        exact = places[: len(block)] + np.uint32(start * int(FACTOR) % 2**32)  # all of it modulo 2^32
        block[:] = (exact / 2.0**32 - 0.5) * spread + middle
    return values


def read(shared: Path, name: str) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """The filled state dict and the recorded arrays of one network."""
    shapes = json.loads((shared / "golden" / f"{name}.json").read_text())["keys"]
    with np.load(shared / "golden" / f"{name}.npz") as arrays:
        return fill(shapes), dict(arrays)
