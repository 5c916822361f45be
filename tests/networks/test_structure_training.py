"""The training of the network that continues depth edges: truth lies where it must, the loss falls, runs go on, weights are read alike."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
FOLDER = Path(__file__).resolve().parents[2] / "training" / "inpaint_structure"


def load(name: str):
    """A script by a name of its own: other trainings have a train.py too."""
    spec = importlib.util.spec_from_file_location(f"inpaint_structure_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sys.path.append(str(FOLDER))
sys.path.append(str(FOLDER.parents[0] / "hidden_depth"))
collect, planes, train = load("collect_crops"), load("planes"), load("train")

from views import View, torn  # noqa: E402

from photo_diorama.core.built_in.crops import Crop  # noqa: E402
from photo_diorama.core.layers.regions import disocclude  # noqa: E402
from photo_diorama.core.networks.inpaint.inpaint_edge import edge_input, inpaint_edge, load_inpaint_edge  # noqa: E402
from photo_diorama.core.settings import LayerSettings  # noqa: E402

HEIGHT, WIDTH = 144, 192
POST = (86, 106)


def wall_behind_a_post(slope: float = 0.5, top: float = 72, swapped: bool = False) -> View:
    """A low wall, whose top slants, before a far one; an upright post before both."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    low = rows > top + slope * (columns - np.mean(POST))
    post = (columns >= POST[0]) & (columns < POST[1])
    behind = np.where(low, 0.5, 0.2)
    front = np.where(post, 1.0, behind)
    surfaces = np.stack([front, np.where(post, behind, np.where(low, 0.2, 0))]).astype(np.float32)
    owner = np.where(post, 2, low).astype(np.uint16)
    return View("made", np.maximum(surfaces, 1 / 60), surfaces > 0, owner)


def test_the_true_edge_lies_on_the_nearer_wall_where_it_goes_on_behind_the_post():
    view = wall_behind_a_post()
    crops = [crop for crop in collect.crops(view, view.surfaces[0]) if len(crop["ends"])]
    (crop,) = crops
    flags, ends = crop["flags"], crop["ends"]
    assert len(ends) == 2 and not (flags & collect.OTHER).any()
    rows, columns = np.nonzero(flags & collect.TARGET)
    left, right = ends[np.argsort(ends[:, 1])][:, :2]
    assert set(range(int(left[1]) + 1, int(right[1]))) == set(columns.tolist())  # in every column behind the post
    line = left[0] + (right[0] - left[0]) * (columns - left[1]) / (right[1] - left[1])
    assert np.abs(rows - line).max() <= 1.5
    true, target = crop["true"], (flags & collect.TARGET) > 0
    upper = true[rows - 1, columns]
    known = (upper > 0) & ~target[rows - 1, columns]
    assert known.sum() > 10 and (true[rows, columns][known] < upper[known]).all()  # depth: the wall it lies on is nearer
    asked, told = (flags & collect.SYNTHESIS) > 0, (flags & collect.EDGE) > 0
    assert (told <= ((flags & collect.CONTEXT) > 0)).all() and told.any()
    assert (target <= asked).all() and not (asked & ((flags & collect.CONTEXT) > 0)).any()


def test_what_hides_is_not_hidden_behind_itself():
    """Where the depth that is torn is nearer than the truth, the true first surface is still what hides, and not behind it."""
    view = wall_behind_a_post()
    first = np.where(view.object == 2, 1.1, view.surfaces[0]).astype(np.float32)
    image = torn(view, LayerSettings(), first)
    found = disocclude(image, 0.07)
    value, known = collect.all_truth(view, image, found)
    assert known.sum() > 500 and value[known].max() == 0.5


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> Path:
    """A folder as the collecting scripts leave it."""
    folder = tmp_path_factory.mktemp("crops")
    views = [wall_behind_a_post(slope, top) for slope, top in ((0.5, 60), (-0.6, 80), (0.2, 70), (1.0, 75))]
    for number, view in enumerate(views):
        made = collect.crops(view, view.surfaces[0])
        arrays = {f"{name}_{k}": array for k, crop in enumerate(made) for name, array in crop.items()}
        np.savez(folder / f"made_1_{4 * number:04d}_0.npz", **arrays)
    return folder


def test_what_is_learned_from_is_what_the_network_is_given(crops):
    """Channels made of a stored crop equal `edge_input` of it, but for colour, which is never given."""
    with np.load(next(crops.glob("*.npz"))) as stored:
        (k,) = (k for k in range(len(stored.files) // 4) if len(stored[f"ends_{k}"]))
        depth, flags = stored[f"depth_{k}"], stored[f"flags_{k}"]
    masks = [(flags & bit) > 0 for bit in (train.EDGE, train.CONTEXT, train.SYNTHESIS)]
    crop = Crop(np.zeros((*flags.shape, 3), np.float32), np.where(masks[1], depth, 1).astype(np.float32), *masks)
    (sample,) = train.read([next(crops.glob("*.npz"))])
    given = train.channels(torch.from_numpy(sample.disparity[None]).float(), torch.from_numpy(sample.flags[None]))[0].numpy()
    assert np.abs(given - edge_input(crop)).max() < 1e-3  # half floats


def test_windows_hold_an_end_and_are_drawn_the_same_again(crops):
    samples = train.read(sorted(crops.glob("*.npz")))
    for seed in range(6):
        one, other = (train.window(samples[0], np.random.default_rng(seed)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        disparity, flags = one
        assert disparity.shape == flags.shape == (train.WINDOW,) * 2
        assert (flags & train.EDGE).any() and (flags & train.TARGET).any() and disparity.max() == 1


def test_true_edges_out_of_reach_or_of_another_surface_are_not_asked_for():
    flags = np.full((12, 200), train.SYNTHESIS | train.KNOWN, np.uint8)
    flags[4:6] |= train.TARGET
    flags[4, 10:] &= ~np.uint8(train.TARGET)
    inverse = np.full(flags.shape, 1.0, np.float32)
    inverse[4] = 2.0  # beside the edge that is meant runs one of a surface far nearer
    kept = train.that_could_be_known(flags, np.array([[5, 0]]), inverse)
    asked, other = (kept & train.TARGET) > 0, (kept & train.OTHER) > 0
    assert asked[5, : train.REACH].all() and not asked[5, train.REACH + 2 :].any() and (asked[5] ^ other[5]).all()
    assert not asked[4].any() and other[4, :10].all()


def test_loss_falls_on_a_fixed_batch(crops):
    torch.manual_seed(0)
    samples = train.read(sorted(crops.glob("*.npz")))
    drawn = train.batch(samples, train.orders(samples), np.random.default_rng(0), 4)
    network = train.untrained(4, 0).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(25):
        total = sum(train.objective(network, drawn, mixed=False).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert min(losses[-3:]) < 0.6 * losses[0]


def test_the_loss_of_the_truth_is_next_to_nothing_and_neglects_what_nobody_knows(crops):
    samples = train.read(sorted(crops.glob("*.npz")))
    disparity, flags = train.batch(samples, train.orders(samples), np.random.default_rng(0), 4)
    target = ((flags & train.TARGET) > 0).float()[:, None]
    wide = torch.nn.functional.max_pool2d(target, 3, 1, 1)
    right = sum(train.loss(40 * wide - 20, flags).values())
    wrong = sum(train.loss(20 - 40 * wide, flags).values())
    assert float(right) < 1e-3 < 1 < float(wrong)
    known = ((flags & train.KNOWN) > 0)[:, None]
    elsewhere = torch.where(known, 40 * wide - 20, torch.tensor(20.0))
    assert torch.equal(sum(train.loss(elsewhere, flags).values()), right)


def test_a_run_goes_on_where_it_stopped_and_its_weights_are_read_alike(crops, tmp_path, monkeypatch):
    def run(name: str, *more: str) -> dict:
        base = ["train.py", "--crops", str(crops), "--run", str(tmp_path / name), "--steps", "4", "--width", "4", "--batch", "2"]
        monkeypatch.setattr(sys, "argv", [*base, *more])
        train.main()
        return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)

    assert run("halves", "--stop-at", "2")["step"] == 2
    halves, whole = run("halves"), run("whole")
    for key, value in whole["average"].items():
        assert torch.equal(value, halves["average"][key]), key
    network = load_inpaint_edge(tmp_path / "whole" / "inpaint_edge.safetensors")
    assert network.width == 4 and network.form == "folded"
    average = train.untrained(4, 1).eval()
    average.load_state_dict(whole["average"])
    x = torch.rand(1, 7, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, made = torch.sigmoid(average(x)), network(x)
        assert (made - expected).abs().max() < 0.02  # half floats
        x[:, :3] = 0
        assert (network(x) - made).abs().max() == 0  # colour has no weight


def test_planes_are_drawn_the_same_again_and_have_edges_that_go_on():
    views = [planes.made_planes(np.random.default_rng([1, number]), "made") for number in (0, 0, 1, 2)]
    assert np.array_equal(views[0].surfaces, views[1].surfaces)
    asked = 0
    for view in views[1:]:
        assert (np.diff(view.surfaces, axis=0) <= 0).all()
        asked += sum(int(((crop["flags"] & collect.TARGET) > 0).sum()) for crop in collect.crops(view, view.surfaces[0]))
    assert asked > 50


def test_answers_are_probabilities_on_the_synthesis_region(crops):
    (sample, *_) = train.read(sorted(crops.glob("*.npz")))
    masks = [(sample.flags & bit) > 0 for bit in (train.EDGE, train.CONTEXT, train.SYNTHESIS)]
    depth = np.where(masks[1], 1 / np.maximum(sample.disparity.astype(np.float32), 1e-3), 1).astype(np.float32)
    crop = Crop(np.zeros((*depth.shape, 3), np.float32), depth, *masks)
    (answer,) = inpaint_edge(train.InpaintEdge(4).eval(), [crop])
    assert answer.shape == depth.shape and not answer[~masks[2]].any() and (answer[masks[2]] > 0).all()
