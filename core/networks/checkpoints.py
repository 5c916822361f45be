"""Reads and writes state dicts: every key of a file is checked before a network takes it."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from ..errors import DioramaError

State = dict[str, torch.Tensor]

WIDTHS = range(4, 129)
"""Widths that a weights file may ask for: an absurd one would fill the memory."""

_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
)


def read_state(path: Path | str) -> tuple[State, dict[str, str]]:
    """The tensors of a checkpoint by key, on the CPU as stored, and its metadata (empty unless safetensors).

    Files ending in `.safetensors` are read as such, all others by torch with `weights_only=True`, so that no code in
    the file runs. A training checkpoint's `model` or `state_dict` entry is unwrapped.
    Raises DioramaError if the file is missing, broken, or holds anything but tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise DioramaError(f"The weights file {path} does not exist; download it or choose another file.")
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise DioramaError(
            f"The weights file {path} cannot be read ({type(error).__name__}); it is damaged or of another kind, download it again."
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    tensors = content.values() if isinstance(content, Mapping) else [None]
    if not all(isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided for tensor in tensors):
        raise DioramaError(f"The weights file {path} is not a plain state dict; choose the file that the network names.")
    return dict(content), {}


def _read_safetensors(path: Path) -> tuple[State, dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def rename_keys(state: Mapping[str, torch.Tensor], renames: Mapping[str, str], unused: Iterable[str] = ()) -> State:
    """A copy of `state` with each key's longest matching prefix in `renames` replaced.

    Keys that begin with one of `unused` are left out: the official file holds them, the forward pass never asks.
    Keys without a match stay as they are, so that a strict load shows them.
    """
    unused = tuple(unused)
    prefixes = sorted(renames, key=len, reverse=True)
    renamed = {}
    for key, tensor in state.items():
        if key.startswith(unused):
            continue
        prefix = next((prefix for prefix in prefixes if key.startswith(prefix)), "")
        renamed[renames.get(prefix, "") + key[len(prefix) :]] = tensor
    return renamed


def check_state(state: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple], what: str, source: Path | str) -> None:
    """Raises DioramaError unless `state` has exactly the keys of `shapes`, each tensor with that shape."""
    missing = [key for key in shapes if key not in state]
    unknown = [key for key in state if key not in shapes]
    wrong = [key for key in shapes if key in state and tuple(state[key].shape) != tuple(shapes[key])]
    for keys, complaint in ((missing, "lacks"), (unknown, "has the unknown"), (wrong, "has another shape for")):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise DioramaError(
                f"The weights file {source} is not one of {what}: it {complaint} {keys[0]}{more}; "
                "choose the file that belongs to this network."
            )


def build_from_state(build: Callable[[], nn.Module], state: State, what: str, source: Path | str) -> nn.Module:
    """Makes the network by `build` and gives it `state`, strictly, in float32; returned in eval mode, frozen.

    The network is built without memory and takes over the state's tensors, so weights are never held twice.
    Raises DioramaError as `check_state`, or if a weight is not finite.
    """
    with torch.device("meta"):
        network = build()
    check_state(state, {key: tensor.shape for key, tensor in network.state_dict().items()}, what, source)
    state = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise DioramaError(f"The weights file {source} has values in {key} that are not finite; get it again.")
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def save_network(network: nn.Module, path: Path | str, half: bool = True) -> None:
    """Writes the network as safetensors, beside `path` first and then renamed; half floats unless `half` is False.

    The network's `name`, `width` and `form` ("folded" or "trainable") go into the file's metadata, from which
    `our_network` builds it again. Raises DioramaError if a weight does not fit a half float.
    """
    from safetensors.torch import save_file

    path = Path(path)
    state = {}
    for key, tensor in network.state_dict().items():
        stored = tensor.detach().cpu().contiguous()
        if half and stored.is_floating_point():
            stored = stored.half()
            if not torch.isfinite(stored).all():
                raise DioramaError(f"{key} does not fit half floats, so {path} is not written; save it in full floats.")
        state[key] = stored
    metadata = {"network": network.name, "width": str(network.width), "form": network.form}
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    save_file(state, part, metadata=metadata)
    os.replace(part, path)


def our_network(metadata: Mapping[str, str], name: str, source: Path | str) -> tuple[int, str] | None:
    """(width, form) of a file written by `save_network`, or None if the metadata is not ours.

    Raises DioramaError if the file holds another of our networks, or its metadata makes no sense.
    """
    if "network" not in metadata:
        return None
    width, form = metadata.get("width", ""), metadata.get("form")
    if metadata["network"] != name:
        raise DioramaError(f"The weights file {source} is for {json.dumps(metadata['network'][:40])}, not for {name}; choose another.")
    if not (width.isascii() and width.isdigit() and len(width) < 5 and int(width) in WIDTHS):
        raise DioramaError(f"The weights file {source} states no usable width; get it again.")
    if form not in ("folded", "trainable"):
        raise DioramaError(f"The weights file {source} does not say if it is folded or trainable; get it again.")
    return int(width), form
