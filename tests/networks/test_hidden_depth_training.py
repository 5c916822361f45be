"""The training of the network that chooses hidden surfaces: truth is truth, the loss falls, runs go on, weights are read alike."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
FOLDER = Path(__file__).resolve().parents[2] / "training" / "hidden_depth"
sys.path.append(str(FOLDER))


def load(name: str):
    """A script by a name of its own: other trainings have a train.py too."""
    spec = importlib.util.spec_from_file_location(f"hidden_depth_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


train, prepare = load("train"), load("prepare")

from views import View, torn, truth  # noqa: E402

from photo_diorama.core.hidden_depth.choose_surface import load_network  # noqa: E402
from photo_diorama.core.hidden_depth.surface_candidates import find_candidates  # noqa: E402
from photo_diorama.core.layers.regions import disocclude  # noqa: E402
from photo_diorama.core.settings import LayerSettings  # noqa: E402

HEIGHT, WIDTH = 150, 200


def made_view(left: int = 70) -> View:
    """A box before a wall that slants, with a knob that hides a part of the box itself."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wall = (0.2 + 0.2 * columns / WIDTH + 0.1 * rows / HEIGHT).astype(np.float32)
    box = (rows > 40) & (rows < 110) & (columns > left) & (columns < left + 60)
    knob = (rows > 60) & (rows < 80) & (columns > left + 20) & (columns < left + 40)
    front = np.where(knob, 1.5, np.where(box, 0.9, wall)).astype(np.float32)
    surfaces = np.stack([front, np.where(box, wall, 0).astype(np.float32), np.zeros_like(wall)])
    floor = np.full_like(surfaces, 0.02)
    known = np.stack([np.ones_like(box), box, np.zeros_like(box)])
    return View("made", np.maximum(surfaces, floor), known, np.where(box, 1, 0).astype(np.uint16))


def test_truth_is_the_surface_behind_and_unknown_behind_a_part_of_the_same_thing():
    view, layers = made_view(), LayerSettings()
    image = torn(view, layers)
    found = disocclude(image, layers.hidden_width)
    value, known = truth(view, image, found)
    top, left, height, width = image.frame
    frame = np.s_[top : top + height, left : left + width]
    assert known.sum() > 500 and (known <= found.hidden).all()
    assert np.array_equal(value[frame][known[frame]], view.surfaces[1][known[frame]])
    knob = view.surfaces[0] == 1.5
    assert found.hidden[frame][knob].any() and not known[frame][knob].any()


@pytest.fixture(scope="module")
def pixels(tmp_path_factory) -> Path:
    """A folder as prepare.py leaves it, of made views."""
    folder = tmp_path_factory.mktemp("pixels")
    for number in range(5):
        rng = np.random.default_rng(number)
        view = made_view(40 + 10 * number)
        first = view.surfaces[0]
        np.savez(folder / f"made_1_{4 * number:04d}_0.npz", **prepare.pixels(view, first, 400, rng))
    return folder


def test_loss_falls_on_a_fixed_batch(pixels):
    batch = {name: values[::4] for name, values in train.read(sorted(pixels.glob("*.npz"))).items()}
    assert (batch["log"][:, 0] < 0).all() and torch.isfinite(batch["target"]).all()
    network = train.untrained(24, 0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(80):
        terms = train.objective(network, batch)
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
        losses.append(float(terms["cost"].detach()))  # the entropy's least value is not zero
    assert min(losses[-5:]) < 0.4 * losses[0]
    report = train.validate(network, batch)
    assert report["log"] < 0.7 * report["guess log"]


def test_a_run_goes_on_where_it_stopped_and_its_weights_are_read_alike(pixels, tmp_path, monkeypatch):
    def run(name: str, *more: str) -> dict:
        base = ["train.py", "--pixels", str(pixels), "--run", str(tmp_path / name), "--steps", "8", "--width", "16", "--batch", "64"]
        monkeypatch.setattr(sys, "argv", [*base, *more])
        train.main()
        return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)

    assert run("halves", "--stop-at", "4")["step"] == 4
    halves, whole = run("halves"), run("whole")
    for key, value in whole["average"].items():
        assert torch.equal(value, halves["average"][key]), key
    rng = np.random.default_rng(0)
    own, around = (rng.normal(size=size).astype(np.float32) for size in ((50, 21, train.OWN), (50, train.AROUND)))
    exists = rng.random((50, 21)) < 0.7
    network = train.untrained(16, 0)
    network.load_state_dict(whole["average"])
    with torch.no_grad():
        expected = network(*(torch.from_numpy(part) for part in (own, around, exists))).numpy()
    scores = load_network(tmp_path / "whole" / "hidden_depth.npz").scores(own, around, exists)
    assert np.abs(scores - expected).max() < 0.02 * np.abs(expected).max()  # half floats


def test_a_mirrored_view_is_told_the_same_with_right_and_left_changed_over():
    view, layers = made_view(), LayerSettings()
    both = []
    for one in (view, prepare.mirrored(view)):
        image = torn(one, layers)
        found = disocclude(image, layers.hidden_width)
        both.append((truth(one, image, found), find_candidates(image, found)))
    (true, known), (other_true, other_known) = both[0][0], both[1][0]
    assert (known == other_known[:, ::-1]).mean() > 0.99 and known.sum() > 500
    same = known & other_known[:, ::-1]
    assert np.array_equal(true[same], other_true[:, ::-1][same])
    one, other = (np.sort(seen.candidates[1], axis=None) for _, seen in both)
    assert len(one) == len(other) and not np.array_equal(one, other)
    assert np.abs(np.sort(both[1][1].candidates[5], axis=None) - one).max() < 1e-6  # what is right of it lies left
