"""Networks whose convolutions are stored in bytes: a NumPy archive to the bytes of an ONNX file with full weights.

An archive holds "graph", an ONNX file without these weights (uint8); their "names" and "shapes" (n, 4); and of all of them, one after the
other, the "steps" (int8) and a "scale" for each output channel (float32). A weight is its steps times its scale: symmetric quantisation by
channel. Operators of the graph could do the same, but OpenCV then takes far longer to load it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

_FLOAT = 1  # TensorProto.DataType


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps, int8 -127..127 of the shape of the weights (O, I, H, W), and scale, float32 (O, 1, 1, 1).

    The scale has a mantissa of eleven bits, so that the product is exact and tells the same scale again.
    """
    mantissa, exponent = np.frexp(np.abs(weight).max((1, 2, 3), keepdims=True).astype(np.float64) / 127)
    scale = np.ldexp(np.ceil(mantissa * 2048) / 2048, exponent).astype(np.float32)
    return np.round(weight / np.where(scale > 0, scale, 1)).astype(np.int8), scale


def write_quantised(path: Path, graph: bytes, weights: dict[str, np.ndarray]) -> None:
    """An archive of an ONNX file and the weights that it lacks, by name, float32 (O, I, H, W); their last bits are lost (`quantise`)."""
    pairs = [quantise(weight) for weight in weights.values()]
    with path.open("wb") as file:
        np.savez(
            file,
            graph=np.frombuffer(graph, np.uint8),
            names=np.array([*weights]),
            shapes=np.array([weight.shape for weight in weights.values()], np.int32).reshape(-1, 4),
            steps=np.concatenate([steps.ravel() for steps, _ in pairs]),
            scale=np.concatenate([scale.ravel() for _, scale in pairs]),
        )


def read_quantised(path: Path) -> np.ndarray:
    """(N,) uint8: the ONNX file that an archive stands for. Raises OSError, ValueError, KeyError, EOFError or zipfile.BadZipFile for no
    such archive."""
    with np.load(path, allow_pickle=False) as archive:
        graph, names, shapes, steps, scale = (archive[key] for key in ("graph", "names", "shapes", "steps", "scale"))
    pieces, step, channel = [graph.tobytes()], 0, 0
    for name, shape in zip(names, shapes, strict=True):
        steps_end, channel_end = step + int(np.prod(shape)), channel + int(shape[0])
        weight = steps[step:steps_end].reshape(shape) * scale[channel:channel_end].reshape(-1, 1, 1, 1)
        tensor = _tensor_head(str(name), weight)
        initializer = _head(5, len(tensor) + weight.nbytes) + tensor  # GraphProto.initializer
        pieces += [_head(7, len(initializer) + weight.nbytes), initializer, weight.astype("<f4", copy=False)]  # ModelProto.graph
        step, channel = steps_end, channel_end
    return np.frombuffer(b"".join(pieces), np.uint8)


def _tensor_head(name: str, values: np.ndarray) -> bytes:
    """A TensorProto of the ONNX standard (onnx.proto) up to its values; a message that is given twice is one with the lists of both, so
    initializers may follow a graph."""
    sizes = b"".join(b"\x08" + _varint(size) for size in values.shape)  # field 1, dims
    text = name.encode()
    return sizes + b"\x10" + _varint(_FLOAT) + _head(8, len(text)) + text + _head(9, values.nbytes)  # 2, data_type; 8, name; 9, raw_data


def _head(number: int, size: int) -> bytes:
    """What precedes a field of so many bytes in the encoding of Protocol Buffers: its number and wire type 2, its length."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    low = []
    while value > 127:
        low.append(value & 127 | 128)
        value >>= 7
    return bytes([*low, value])
