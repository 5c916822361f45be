"""The training loop of the inpainting network learns: on made pictures, from scratch, in seconds."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[2] / "training" / "inpaint"))

import pairs as pairs_module  # noqa: E402
import train  # noqa: E402
from pairs import SYNTHESIS, Pair, Pairs, make_pair  # noqa: E402

from photo_diorama.core.networks.refine_colour import load_refine_colour, refine_colour, untrained  # noqa: E402

SIDE = 128


def shape() -> np.ndarray:
    """A band of hidden background 24 px wide, with 40 px of context on one side, as beside a straight silhouette."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[:, 30:54] = SYNTHESIS
    picture[:, 54:94] = np.arange(1, 41) + 1
    return picture


def stripes(rng: np.random.Generator) -> np.ndarray:
    """(128, 128, 3): horizontal stripes, which a smooth fill blurs and a network can draw on."""
    rows = rng.random((SIDE // 8, 3)).astype(np.float32).repeat(8, axis=0)
    return np.repeat(rows[:, None], SIDE, axis=1)


def made_batch() -> list[Pair]:
    rng = np.random.default_rng(3)
    return [make_pair(stripes(rng), shape()) for _ in range(4)]


def test_a_pair_hides_the_truth():
    """Nothing that the network or the fill is given changes when what is hidden changes."""
    first, other = stripes(np.random.default_rng(1)), stripes(np.random.default_rng(1))
    hidden = (shape() == SYNTHESIS) | (shape() == 0)
    other[hidden] = 1 - other[hidden]
    one, two = make_pair(first, shape()), make_pair(other, shape())
    for name in ("smooth", "detail", "source", "hole", "mean"):
        assert np.array_equal(getattr(one.start, name), getattr(two.start, name)), name
    assert one.start.hole[:, 54 : 54 + pairs_module.RIM].all()  # the rim of the context is not trusted
    assert not np.array_equal(one.truth, two.truth)


def test_untrained_it_changes_nothing():
    batch = made_batch()
    corrections = refine_colour(untrained(4, 0).eval(), [pair.start for pair in batch])
    assert all(not correction.any() for correction in corrections)


def test_loss_falls_on_a_fixed_batch():
    network = untrained(8, 0)
    batch = train.tensors(made_batch())
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(40):
        loss = sum(train.objective(network, None, batch, 0).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-5:]) < 0.6 * losses[0]


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of small made photos and a cache of shapes found in two of them."""
    import cv2

    rng = np.random.default_rng(0)
    for k in range(8):
        noise = cv2.GaussianBlur(rng.random((200, 260, 3)).astype(np.float32), (0, 0), 3 + k)
        cv2.imwrite(str(tmp_path / f"{k}.png"), (255 * noise).astype(np.uint8))
    np.savez(tmp_path / "regions.npz", **{"1#0": shape(), "2#0": shape().T.copy()})
    return tmp_path, tmp_path / "regions.npz"


def test_draws_repeat_and_held_out_photos_stay_out(data):
    folder, regions = data
    pairs = Pairs([folder], regions, held_out=False)
    first, again = (pairs.batch(np.random.default_rng([1, 7]), 3, SIDE) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.truth, two.truth) and np.array_equal(one.start.smooth, two.start.smooth)
    assert {name for name, _ in pairs.photos} == {"1", "2", "3", "4", "5", "7"}


def test_a_run_goes_on_where_it_stopped(data, tmp_path: Path, monkeypatch):
    """Three steps and three more give the weights of six at once; what is written can be loaded."""
    folder, regions = data
    monkeypatch.setattr(train, "SIDES", ((128, 1),))

    def run(name: str, stop: int | None) -> dict:
        base = ["train.py", "--photos", str(folder), "--regions", str(regions), "--run", str(tmp_path / name)]
        monkeypatch.setattr(sys, "argv", [*base, "--steps", "6", "--width", "4", "--features", "0", "--threads", "1"])
        monkeypatch.setattr(train, "STOP_AT", stop)
        train.main()
        return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)

    assert run("halves", 3)["step"] == 3
    halves, whole = run("halves", None), run("whole", None)
    assert halves["step"] == whole["step"] == 6
    for key, value in whole["network"].items():
        assert torch.equal(value, halves["network"][key]), key
    assert load_refine_colour(tmp_path / "whole" / "refine_colour.safetensors").form == "folded"
