"""The heads that tell the shift of the depth networks: learned from what tells it, joined, exported."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")

from depth_scripts import ROOT, load, made_cache  # noqa: E402


@pytest.fixture
def train_shift(own_modules):
    """That script."""
    return load("train_shift")


def shifted_pictures(train_shift, count: int = 400):
    """Pictures whose feature 5 tells the shift of three runs of two networks, and what these say: true inverse depth without its shift."""
    rng = np.random.default_rng(2)
    means = rng.normal(size=(count, 112)).astype(np.float32)
    shift = np.exp(np.clip(1.5 * means[:, 5], -2.5, 2))[:, None] * 0.3
    found = np.sort(rng.random((count, 5)), axis=1).astype(np.float32)
    found[:, 0] *= 0.1
    names = np.array([f"made_{k}" for k in range(count)])
    several = [means, -2 * means[:, ::-1].copy(), -2 * means[:, ::-1].copy()]
    return train_shift.Pictures(several, found, (found + shift).astype(np.float32), names, names)


def test_the_shift_is_learned_from_what_tells_it(train_shift, monkeypatch):
    """By each head, and by the mean of all; a single feature tells it, so fewer are left out than in use."""
    monkeypatch.setattr(train_shift, "DROPPED", 0.5)
    pictures, head_of = shifted_pictures(train_shift), (0, 1, 1)
    heads, others = train_shift.fit(pictures[np.arange(300)], head_of), pictures[np.arange(300, 400)]
    assert len(heads) == 2
    each = [head.of(torch.from_numpy(means)).detach().numpy() for head, means in zip(heads, others.means, strict=False)]
    learned = [train_shift.factor(shift, others) for shift in (train_shift.told(heads, head_of, others), *each)]
    assert max(learned) < 1.45 < 1.7 < min(train_shift.factor(s, others) for s in (0.1, 0.2, 0.3, 0.5, 1.0))
    assert 1.0 <= train_shift.crossed(pictures, np.arange(400) % 4, head_of) < 1.45


def test_joined_heads_say_what_lies_between_what_both_say(train_shift):
    torch.manual_seed(1)
    heads, means = [train_shift.ShiftHead(112), train_shift.ShiftHead(112, 7)], 5 * torch.randn(50, 112)
    with torch.no_grad():
        old, new = (head.of(means) for head in heads)
        between = train_shift.joined(*heads).of(means)
    assert ((between >= torch.minimum(old, new) * 0.999) & (between <= torch.maximum(old, new) * 1.001)).all()
    assert ((between / torch.sqrt(old * new)).log().abs() < 0.1 + 0.25 * (old / new).log().abs()).all()


def test_a_head_for_the_shift_is_trained_and_exported_and_leaves_the_depth_alone(tmp_path, train_shift, monkeypatch):
    pytest.importorskip("onnx")
    from photo_diorama.core.built_in.onnx_network import OnnxNetwork
    from photo_diorama.core.networks.depth import embedded_depth_net as net

    sys.path.insert(0, str(ROOT / "training"))
    from export_onnx import export
    from onnx_forms import depth_form

    weights = tmp_path / "shift" / "embedded_depth.safetensors"
    monkeypatch.setattr(train_shift, "CROPS", 1), monkeypatch.setattr(train_shift, "STEPS", 20)
    command = ["train_shift.py", "--rendered", str(made_cache(tmp_path, 2)), "--run", str(weights.parent), "--keep"]
    heads = lambda: [net.load_network(weights.with_name(path.name)).shift.state_dict() for path in (net.WEIGHTS, net.SECOND_WEIGHTS)]
    monkeypatch.setattr(sys, "argv", [*command, "first"])
    train_shift.main()
    kept, before = heads(), [net.load_network(path).shift.state_dict() for path in (net.WEIGHTS, net.SECOND_WEIGHTS)]
    assert all(torch.equal(kept[0][name], before[0][name]) for name in before[0])
    assert not torch.equal(kept[1]["first.bias"], before[1]["first.bias"])
    monkeypatch.setattr(sys, "argv", [*command, "all"])
    train_shift.main()
    photo = torch.rand(1, 3, 64, 96)
    for path in (net.WEIGHTS, net.SECOND_WEIGHTS):
        network, shipped = net.load_network(weights.with_name(path.name)), net.load_network(path)
        assert torch.equal(network(photo), shipped(photo)) and network.shift is not None
    network, shipped = net.load_network(weights), net.load_network()
    assert network.shift.first.out_features == shipped.shift.first.out_features + net.SHIFT_HIDDEN
    least, most = net.SHIFT_RANGE
    assert least <= float(network.with_shift(photo)[1]) <= most
    for path, sky in ((weights, []), (weights.with_name(net.SECOND_WEIGHTS.name), ["sky"])):
        assert export(depth_form(path), tmp_path / "shifted.npz") < 1e-4
        assert OnnxNetwork.read(tmp_path / "shifted.npz").facts["outputs"] == ["disparity", "shift", *sky]
