"""Weights on disk: our own files come back, foreign and hostile ones are told in a sentence."""

import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import golden
import pytest
import torch
from safetensors.torch import save_file

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.networks import checkpoints
from photo_diorama.core.networks.checkpoints import read_state, save_network
from photo_diorama.core.networks.inpaint.inpaint_colour import InpaintColour, load_inpaint_colour
from photo_diorama.core.networks.inpaint.inpaint_depth import InpaintDepth, load_inpaint_depth
from photo_diorama.core.networks.inpaint.inpaint_edge import InpaintEdge, load_inpaint_edge
from photo_diorama.core.networks.inpaint.partial_convolution import fold_batch_norm

OURS = [(InpaintEdge, load_inpaint_edge), (InpaintDepth, load_inpaint_depth), (InpaintColour, load_inpaint_colour)]


def arguments(kind):
    torch.manual_seed(7)
    if kind is InpaintEdge:
        return (torch.rand(1, 7, 128, 128),)
    return torch.rand(1, kind.in_channels, 128, 128), (torch.rand(1, 1, 128, 128) > 0.3).float()


@pytest.mark.parametrize("kind, load", OURS)
def test_trainable_form_comes_back_exactly_and_folds(tmp_path, kind, load):
    torch.manual_seed(1)
    network = kind(6).eval()
    path = tmp_path / "trainable.safetensors"
    save_network(network, path, half=False)
    assert not path.with_name(path.name + ".part").exists()
    again = load(path, trainable=True)
    assert again.training and again.width == 6 and all(p.requires_grad for p in again.parameters())
    for key, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    folded = load(path)
    assert folded.form == "folded" and not folded.training
    with torch.inference_mode():
        assert (folded(*arguments(kind)) - network(*arguments(kind))).abs().max() < 1e-5


@pytest.mark.parametrize("kind, load", OURS)
def test_folded_form_in_half_floats(tmp_path, kind, load):
    torch.manual_seed(1)
    network = kind(16, "folded").eval()
    path = tmp_path / "folded.safetensors"
    save_network(network, path)
    parameters = sum(p.numel() for p in network.parameters())
    assert 2 * parameters < path.stat().st_size < 2 * parameters + 8192
    again = load(path)
    assert all(tensor.dtype == torch.float32 for tensor in again.state_dict().values())
    with torch.inference_mode():
        assert (again(*arguments(kind)) - network(*arguments(kind))).abs().max() < 5e-3
    with pytest.raises(DioramaError, match=r"folded\.safetensors is folded"):
        load(path, trainable=True)


def test_published_depth_file_from_disk(tmp_path, shared):
    state, _ = golden.read(shared, "shih2020_depth")
    path = tmp_path / "depth-model.pth"
    torch.save(state, path)
    network = load_inpaint_depth(path)
    assert network.form == "folded" and network.width == 64
    with pytest.raises(DioramaError, match=r"depth-model\.pth"):
        load_inpaint_colour(path)
    with pytest.raises(DioramaError, match=r"depth-model\.pth"):
        load_inpaint_edge(path)


def test_half_floats_that_overflow_are_not_written(tmp_path):
    network = InpaintDepth(4, "folded")
    with torch.no_grad():
        network.enc_1.conv.input_conv.weight[0, 0, 0, 0] = 1e6
    path = tmp_path / "large.safetensors"
    with pytest.raises(DioramaError, match=r"large\.safetensors"):
        save_network(network, path)
    assert not any(tmp_path.iterdir())


class Bomb:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_code_in_a_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"x": Bomb()}, tmp_path / "zipped.pth")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("zipped.pth", "bare.pt"):
        with pytest.raises(DioramaError, match=name):
            read_state(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def _lying_safetensors() -> bytes:
    header = json.dumps({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    "name, content",
    [
        ("empty.pth", b""),
        ("text.pth", b"<!DOCTYPE html><html>Not found</html>"),
        ("zip.pt", b"PK\x03\x04" + b"\0" * 300),
        ("tuple.pth", pickle.dumps((1, 2, 3), protocol=2)),
        ("empty.safetensors", b""),
        ("header.safetensors", struct.pack("<Q", 1 << 60) + b"{}"),
        ("lying.safetensors", _lying_safetensors()),
    ],
)
def test_broken_files_are_told_in_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DioramaError, match=name.replace(".", r"\.")) as told:
        read_state(tmp_path / name)
    assert str(told.value).endswith(".") and "\n" not in str(told.value)


def test_missing_truncated_and_foreign_content(tmp_path):
    with pytest.raises(DioramaError, match=r"none\.pth does not exist"):
        read_state(tmp_path / "none.pth")
    whole = tmp_path / "whole.pth"
    torch.save({"weight": torch.rand(1000)}, whole)
    (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:2500])
    with pytest.raises(DioramaError, match=r"cut\.pth"):
        read_state(tmp_path / "cut.pth")
    torch.save({"epoch": 3, "weight": torch.rand(3)}, whole)
    with pytest.raises(DioramaError, match="not a plain state dict"):
        read_state(whole)
    torch.save({"optimizer": {"state": {}}, "model": {"weight": torch.rand(3)}}, whole)
    assert list(read_state(whole)[0]) == ["weight"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"network": "inpaint_colour", "width": "4", "form": "folded"},
        {"network": "inpaint_depth", "width": "99999", "form": "folded"},
        {"network": "inpaint_depth", "width": "\u00b2", "form": "folded"},
        {"network": "inpaint_depth", "width": "4", "form": "raw"},
        {"network": "inpaint_depth"},
    ],
)
def test_metadata_that_makes_no_sense(tmp_path, metadata):
    path = tmp_path / "ours.safetensors"
    save_file(InpaintDepth(4, "folded").state_dict(), path, metadata=metadata)
    with pytest.raises(DioramaError, match=r"ours\.safetensors"):
        load_inpaint_depth(path)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = fold_batch_norm(InpaintDepth(4).eval())
    network.dec_1.conv.input_conv.bias[0] = float("nan")
    path = tmp_path / "nan.safetensors"
    save_file(network.state_dict(), path, metadata={"network": "inpaint_depth", "width": "4", "form": "folded"})
    with pytest.raises(DioramaError, match=r"nan\.safetensors.*not finite"):
        load_inpaint_depth(path)


def test_renaming_takes_the_longest_prefix_and_keeps_the_rest():
    state = {"a.b.c": torch.zeros(1), "a.d": torch.zeros(1), "z": torch.zeros(1), "gone.x": torch.zeros(1)}
    renamed = checkpoints.rename_keys(state, {"a.": "A.", "a.b.": "B."}, unused=("gone.",))
    assert sorted(renamed) == ["A.d", "B.c", "z"]


def test_what_is_imported_late():
    """Neither timm, before a backbone of its is made, nor, for the edge network, PyTorch's compiler.

    Importing that takes longer than all the work of the network; making spectral normalisation in earnest would do it.
    """
    code = (
        "import sys; sys.path.insert(0, 'tests'); import conftest; "
        "from photo_diorama.core.networks.inpaint.inpaint_edge import load_inpaint_edge\n"
        "from photo_diorama.core.settings import HIDDEN_EDGES\n"
        "assert load_inpaint_edge(HIDDEN_EDGES.with_suffix('.safetensors')).form == 'folded' and 'torch._dynamo' not in sys.modules\n"
        "import photo_diorama.core.built_in.crops, photo_diorama.core.networks.depth.photo_input\n"
        "from photo_diorama.core.networks.depth import backbones\n"
        "assert 'timm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=True)
