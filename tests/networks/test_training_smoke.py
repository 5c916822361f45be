"""The training of the hidden-colour network learns: on made pictures, from scratch, in seconds."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
# first of all folders, and without modules of the same names: other trainings have a train.py and pairs.py too
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training" / "inpaint"))
for name in ("pairs", "train", "losses"):
    sys.modules.pop(name, None)

import pairs as pairs_module  # noqa: E402
import train  # noqa: E402
from pairs import AROUND, SIDE, Pairs, Source, make_pair  # noqa: E402

from photo_diorama.core.networks.hidden_colour import load_hidden_colour, untrained  # noqa: E402

WHOLE = SIDE + 2 * AROUND
LONG_SIDE = 480
COLOUR_ALONE = (1.0, 0.3, 0.0)


def shape() -> np.ndarray:
    """A band of hidden background 24 px wide with 40 px of context on its right, as beside a straight silhouette."""
    picture = np.zeros((WHOLE, WHOLE), np.int8)
    picture[:, 60:84] = -np.arange(24, 0, -1)
    picture[:, 84:124] = np.arange(1, 41)
    return picture


def stripes(seed: int) -> np.ndarray:
    """(160, 160, 3) uint8: horizontal stripes, which a smooth fill blurs and a network can draw on."""
    rows = np.random.default_rng(seed).integers(0, 256, (WHOLE // 8, 3)).astype(np.uint8).repeat(8, axis=0)
    return np.repeat(rows[:, None], WHOLE, axis=1)


def made_batch() -> dict[str, torch.Tensor]:
    made = [make_pair(stripes(seed), stripes(seed), shape(), LONG_SIDE) for seed in range(4)]
    items = [train.tensors(pair, 20.0) for pair in made]
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def test_a_pair_hides_the_truth():
    """Nothing that the network is given changes when what is hidden, or outside the region, changes."""
    first, hidden = stripes(1), shape() <= 0
    other = np.where(hidden[..., None], 255 - first, first)
    one, two = (make_pair(picture, picture, shape(), LONG_SIDE) for picture in (first, other))
    for name in ("smooth", "detail", "mask", "behind", "scale"):
        assert np.array_equal(one[name], two[name]), name
    assert not np.array_equal(one["truth"], two["truth"])
    rim = one["mask"][:, 84 - AROUND]
    assert (rim == pairs_module.HOLE).all()  # the rim of the context is neither trusted nor scored


def test_only_what_is_uncovered_is_scored():
    pair = make_pair(stripes(1), stripes(1), shape(), LONG_SIDE)
    visible = train.tensors(pair, 5.0)["visible"][0]
    columns = np.flatnonzero(visible.numpy().any(axis=0))
    assert columns.tolist() == list(range(79 - AROUND, 84 - AROUND))


def test_untrained_it_repeats_the_plain_fill():
    batch = made_batch()
    made = train.guess(untrained(4, 0), batch, mixed_precision=False)
    plain = batch["smooth"] + 0.6 * batch["channels"][:, 3:6] * batch["spread"]
    assert torch.allclose(made, plain, atol=1e-6)


def test_loss_falls_on_a_fixed_batch():
    network, batch = untrained(8, 0), made_batch()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        made = train.guess(network, batch, mixed_precision=False)
        loss = train.weighted(train.objective(made, None, batch, COLOUR_ALONE), COLOUR_ALONE)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-5:]) < 0.6 * losses[0]


def made_sources() -> list[Source]:
    """Two photos of noise, the second torn all over its left part, and a shape of each."""
    rng = np.random.default_rng(0)
    found = []
    for k in range(2):
        photo = rng.integers(0, 256, (200, 400, 3)).astype(np.uint8)
        photo[..., 0] = k  # so that it is known whose it is
        torn = np.zeros((200, 400), bool)
        torn[:, : 200 * k : 7] = True
        found.append(Source(f"photo {k}", LONG_SIDE, photo, torn, [shape()]))
    return found


def test_shapes_are_pasted_on_one_surface_of_another_photo():
    sources = made_sources()
    for seed in range(5):
        pair = Pairs(sources).draw(np.random.default_rng(seed))
        assert pair["truth"].shape == (SIDE, SIDE, 3) and len(np.unique(pair["truth"][..., 0])) == 1
    rng, small = np.random.default_rng(1), np.zeros((WHOLE, WHOLE), np.int8)
    small[40:60, 40:60] = -1
    for _ in range(20):
        placed = pairs_module.place(rng, sources[1], small)
        if placed is not None:
            assert not sources[1].torn[_window(sources[1].photo, placed)][small != 0].any()
    whole = np.ones((WHOLE, WHOLE), np.int8)
    torn_all = Source("torn", LONG_SIDE, sources[1].photo, np.ones((200, 400), bool), [])
    assert pairs_module.place(rng, torn_all, whole) is None


def _window(photo: np.ndarray, piece: np.ndarray) -> tuple[slice, slice]:
    """Where in the photo a piece of it came from."""
    corners = (photo[: 200 - WHOLE + 1, : 400 - WHOLE + 1] == piece[0, 0]).all(axis=-1)
    top, left = next((r, c) for r, c in np.argwhere(corners) if np.array_equal(photo[r : r + WHOLE, c : c + WHOLE], piece))
    return slice(top, top + WHOLE), slice(left, left + WHOLE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stored pairs, as pairs.py leaves them."""
    pairs = Pairs(made_sources())
    for name, numbers in (("train", range(6)), ("held_out", range(6, 8))):
        drawn = [pairs.draw_number(1, False, number) for number in numbers]
        for key in drawn[0]:
            np.save(tmp_path / f"{name}_{key}.npy", np.stack([pair[key] for pair in drawn]))
    return tmp_path


def test_a_run_goes_on_where_it_stopped(folder: Path, monkeypatch):
    """Three steps and three more give the weights of six at once; what is written can be loaded."""

    def run(name: str, stop: int | None) -> dict:
        base = ["train.py", "--pairs", str(folder), "--run", str(folder / name), "--steps", "6", "--width", "4"]
        monkeypatch.setattr(sys, "argv", [*base, "--batch", "2", "--weights", "1", "0.3", "0"])
        monkeypatch.setattr(train, "STOP_AT", stop)
        train.main()
        return torch.load(folder / name / "checkpoint.pt", weights_only=True)

    assert run("halves", 3)["step"] == 3
    halves, whole = run("halves", None), run("whole", None)
    assert halves["step"] == whole["step"] == 6
    for key, value in whole["network"].items():
        assert torch.equal(value, halves["network"][key]), key
    assert load_hidden_colour(folder / "whole" / "hidden_colour.safetensors").width == 4
