"""The training of the hidden-colour network learns: on made pictures, from scratch, in seconds."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
# first of all folders, and without modules of the same names: other trainings have a train.py and pairs.py too
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training" / "inpaint"))
for name in ("pairs", "pictures", "train", "losses"):
    sys.modules.pop(name, None)

import pairs as pairs_module  # noqa: E402
import train  # noqa: E402
from pairs import AROUND, SIDE, Pairs, Shape, make_pair  # noqa: E402
from pictures import Pictures, made_print  # noqa: E402

from photo_diorama.core.networks.inpaint.hidden_colour import load_hidden_colour, untrained  # noqa: E402

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
    made = [make_pair(stripes(seed), stripes(seed), stripes(seed + 9), shape(), LONG_SIDE) for seed in range(4)]
    items = [train.tensors(pair, 20.0) for pair in made]
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def test_a_pair_hides_the_truth():
    """Nothing that the network is given changes when what is hidden, or outside the region, changes."""
    first, hidden = stripes(1), shape() <= 0
    other = np.where(hidden[..., None], 255 - first, first)
    one, two = (make_pair(picture, picture, stripes(9), shape(), LONG_SIDE) for picture in (first, other))
    for name in ("smooth", "detail", "shown", "pieces", "mask", "behind", "scale"):
        assert np.array_equal(one[name], two[name]), name
    assert not np.array_equal(one["truth"], two["truth"])
    rim = one["mask"][:, 84 - AROUND]
    assert (rim == pairs_module.HOLE).all()  # the rim of the context is neither trusted nor scored


def test_only_what_is_uncovered_is_scored():
    """And beside it, in what the features see, stands the foreground."""
    picture, front = stripes(1), stripes(9)
    seen = train.tensors(make_pair(picture, picture, front, shape(), LONG_SIDE), 5.0)
    columns = np.flatnonzero(seen["visible"][0].numpy().any(axis=0))
    assert columns.tolist() == list(range(79 - AROUND, 84 - AROUND))
    truth, inner = np.moveaxis(seen["truth"].numpy(), 0, 2), np.s_[AROUND : AROUND + SIDE, AROUND : AROUND + SIDE]
    assert np.array_equal(truth[:, : 79 - AROUND], (front[inner].astype(np.float32) / 255)[:, : 79 - AROUND])
    assert np.array_equal(truth[:, 79 - AROUND : 124 - AROUND], (picture[inner].astype(np.float32) / 255)[:, 79 - AROUND : 124 - AROUND])


def test_the_rim_is_shown_as_the_context_has_it():
    """Smooth part and what is shown make the picture that the context shows, on the rim; elsewhere nothing is shown."""
    known = stripes(1)
    pair = make_pair(stripes(2), known, stripes(9), shape(), LONG_SIDE)
    rim = (pair["mask"] & pairs_module.HOLE > 0) & (pair["mask"] & pairs_module.SYNTHESIS == 0)
    assert rim[:, 84 - AROUND].all() and not pair["shown"][~rim].any()
    inner = known[AROUND : AROUND + SIDE, AROUND : AROUND + SIDE].astype(float)
    unclipped = rim & (np.abs(pair["shown"]) < 127).all(axis=2)
    made = pair["smooth"] + pair["shown"] * (255 / pairs_module.DETAIL_UNIT)
    assert unclipped.any() and np.abs(made - inner)[unclipped].max() < 1.5


def test_a_place_between_pixels_is_what_it_should_be():
    """With no shift nothing changes; a ramp stays one for both ways; of fine detail a texture keeps less than a camera would."""
    batch, still = made_batch(), torch.zeros(4)
    made = torch.rand(batch["truth"].shape, generator=torch.Generator().manual_seed(1))
    mixed, truth = train.resampled(made, batch, still)
    assert torch.allclose(truth, batch["truth"], atol=1e-6)
    assert torch.equal(mixed, torch.where(batch["visible"] > 0, made, batch["truth"]))
    ramp = torch.arange(SIDE).float().expand(4, 3, SIDE, SIDE) / SIDE
    for sign in (1, 0):
        detail = sign * ramp + (1 - sign) * torch.sin(torch.arange(SIDE) * torch.pi / 3).expand(4, 3, SIDE, SIDE)
        whole = batch | {"truth": detail, "visible": torch.ones(4, 1, SIDE, SIDE)}
        linear, cubic = (part[..., 4:-4] for part in train.resampled(detail, whole, torch.full((4,), 0.5)))
        if sign:
            assert torch.allclose(linear, ramp[..., 4:-4] + 0.5 / SIDE, atol=1e-5) and torch.allclose(linear, cubic, atol=1e-5)
        else:
            assert linear.std() < 0.95 * cubic.std()


def test_noise_is_as_strong_as_said_and_the_same_for_a_pair():
    plain, strengths = np.full((64, 64, 3), 128, np.uint8), []
    for seed in range(40):
        develop = pairs_module.sensor(np.random.default_rng(seed))
        one, other = (develop(plain).astype(float) / 255 for _ in range(2))
        strengths.append(one.std())
        assert abs(one.std() - other.std()) < 0.001
        assert one.std() == 0 or not np.array_equal(one, other)
    noisy = np.array([s for s in strengths if s])
    assert 8 < len(noisy) < 32 and noisy.min() > 0.8 * pairs_module.NOISE[0] and noisy.max() < 1.2 * pairs_module.NOISE[1]


def test_untrained_it_repeats_the_plain_fill():
    batch = made_batch()
    made = train.guess(untrained(4, 0), batch, mixed_precision=False)
    assert torch.allclose(made, train.deterministic(batch), atol=1e-6)


def test_loss_falls_on_a_fixed_batch():
    network, batch = untrained(8, 0), made_batch()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(25):
        made = train.guess(network, batch, mixed_precision=False)
        loss = train.weighted(train.objective(made, None, batch, COLOUR_ALONE), COLOUR_ALONE)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-5:]) < 0.6 * losses[0]


def made_pairs() -> Pairs:
    """Two photos of noise and a shape of each, and one print."""
    rng = np.random.default_rng(0)
    photos = {}
    for k in range(2):
        photos[f"photo {k}"] = rng.integers(0, 256, (500, 700, 3)).astype(np.uint8)
        photos[f"photo {k}"][..., 0] = k  # so that it is known whose it is
    return Pairs([Shape(name, LONG_SIDE, shape()) for name in photos], Pictures(photos, [made_print(rng)]))


def test_shapes_are_pasted_on_other_photos():
    pairs = made_pairs()
    for seed in range(5):
        piece = pairs.pictures.piece(np.random.default_rng(seed), WHOLE, besides="photo 1")
        assert piece.shape == (WHOLE, WHOLE, 3)
        assert not (piece[..., 0] == 1).all()
        pair = pairs.draw(np.random.default_rng(seed))
        assert pair["truth"].shape == pair["front"].shape == (SIDE, SIDE, 3)
    assert all(np.array_equal(one, two) for one, two in zip(pairs.draw_number(1, False, 3).values(),
                                                            pairs.draw_number(1, False, 3).values(), strict=True))  # fmt: skip


def test_prints_have_edges_and_differ():
    first, second = (made_print(np.random.default_rng(seed)).astype(float) for seed in (1, 2))
    assert np.abs(first - second).mean() > 5
    assert np.abs(np.diff(first, axis=1)).max() > 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stored pairs, as pairs.py leaves them."""
    pairs = made_pairs()
    for name, numbers in (("train", range(4)), ("held_out", range(4, 5))):
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
