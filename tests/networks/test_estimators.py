"""The depth networks are the published ones, and a photo of any size comes through them."""

from pathlib import Path

import golden
import numpy as np
import official_dpt
import pytest
import torch

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.networks import checkpoints
from photo_diorama.core.networks.depth import depth_anything, dinov2, dpt, midas_small
from photo_diorama.core.networks.depth.estimate import ARCHITECTURES, Estimator, load_estimator
from photo_diorama.core.networks.device import choose_device

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4


def make_photo(height=90, width=120, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def depth_anything_file(tmp_path_factory, shared):
    path = tmp_path_factory.mktemp("weights") / "depth_anything_v2_vits.pth"
    state, arrays = golden.read(shared, "depth_anything_v2_vits")
    torch.save(state, path)
    return path, arrays


@pytest.fixture(scope="module")
def midas_file(tmp_path_factory, shared):
    path = tmp_path_factory.mktemp("weights") / "midas_v21_small-70d6b9c8.pt"
    state, arrays = golden.read(shared, "midas_v21_small")
    torch.save(state, path)
    return path, arrays


def test_midas_small_is_the_published_one(midas_file):
    path, arrays = midas_file
    estimator = load_estimator("midas_v21_small", path)
    with torch.inference_mode():
        output = estimator.network(torch.from_numpy(arrays["input_x"])).numpy()
    assert np.abs(output - arrays["output"]).max() < TOLERANCE
    values, kind = estimator.predict(make_photo(90, 200))[:2]
    assert kind == "disparity" and values.shape == (128, 256) and values.dtype == np.float32
    assert values.min() >= 0


def test_depth_anything_is_the_published_one(depth_anything_file):
    path, arrays = depth_anything_file
    estimator = load_estimator("depth_anything_v2_small", path)
    x = torch.from_numpy(arrays["input_x"])
    with torch.inference_mode():
        full = estimator.network(x).numpy()
        half = estimator.network(x, half=True).numpy()
    assert np.abs(full - arrays["output"]).max() < TOLERANCE
    assert half.dtype == np.float32 and 0 < np.abs(half - full).max() < 0.03 * full.max()


def test_metric_and_relative_heads_differ_by_their_last_function_alone(depth_anything_file):
    """Where the relative head's relu lets the last layer through, the metric one is 20 m times its sigmoid."""
    path, arrays = depth_anything_file
    x = torch.from_numpy(arrays["input_x"])
    results = {}
    for key in (
        "depth_anything_v2_small",
        "depth_anything_v2_metric_indoor_small",
        "depth_anything_v2_metric_outdoor_small",
    ):
        estimator = load_estimator(key, path)
        assert estimator.read(np.ones((2, 2)), None).kind == ("metric" if "metric" in key else "disparity")
        with torch.inference_mode():
            results[key] = estimator.network(x)
    relative, indoor, outdoor = results.values()
    positive = relative > 0
    assert positive.float().mean() > 0.1
    torch.testing.assert_close(indoor[positive], 20 * torch.sigmoid(relative[positive]))
    torch.testing.assert_close(outdoor, 4 * indoor)
    assert 0 < indoor.min() and indoor.max() < 20


def test_prediction_is_the_network_on_the_prepared_photo(depth_anything_file):
    path, _ = depth_anything_file
    estimator = load_estimator("depth_anything_v2_small", path)
    estimator = Estimator(estimator.key, estimator.network, depth_anything.PhotoInput(side=56, multiple=14, fit="outside"), estimator.read)
    photo = make_photo(60, 150)
    prediction = estimator.predict(photo)
    assert prediction.values.shape == (56, 140)
    with torch.inference_mode():
        direct = estimator.network(torch.from_numpy(estimator.photo_input.prepare(photo))[None])[0].numpy()
    assert np.array_equal(prediction.values, direct)
    assert np.array_equal(prediction.values, estimator.predict(photo).values)


@pytest.mark.parametrize("size, hybrid", [(dpt.HYBRID, True), (dpt.LARGE, False)])
def test_dpt_takes_the_published_keys_and_shapes_and_no_others(size, hybrid):
    with torch.device("meta"):
        official = {key: torch.empty(shape) for key, shape in official_dpt.shapes(hybrid).items()}
        expected = {key: tensor.shape for key, tensor in dpt.DPT(size).state_dict().items()}
    checkpoints.check_state(checkpoints.rename_keys(official, dpt.OFFICIAL_NAMES, dpt.UNUSED), expected, "DPT", "file")
    for key in (
        "pretrained.model.blocks.3.attn.qkv.bias",
        "pretrained.act_postprocess4.4.weight",
        "scratch.layer2_rn.weight",
    ):
        lacking = {name: tensor for name, tensor in official.items() if name != key}
        with pytest.raises(DioramaError, match="lacks"):
            renamed = checkpoints.rename_keys(lacking, dpt.OFFICIAL_NAMES, dpt.UNUSED)
            checkpoints.check_state(renamed, expected, "DPT", "file")


@pytest.mark.parametrize("hybrid, megabytes", [(True, 490), (False, 1370)])
def test_dpt_keys_add_up_to_the_published_file(hybrid, megabytes):
    total = 4e-6 * sum(int(np.prod(shape)) for shape in official_dpt.shapes(hybrid).values())
    assert abs(total - megabytes) < 0.01 * megabytes


@pytest.fixture(scope="module")
def dpt_hybrid():
    torch.manual_seed(0)
    state = {key: 0.1 * torch.randn(shape) for key, shape in official_dpt.shapes(True).items()}
    for key, tensor in state.items():
        if "norm" in key and key.endswith("weight"):
            tensor += 1
        elif tensor.dim() > 1 and "embed" not in key.rsplit(".", 1)[-1]:
            tensor *= 10 / np.sqrt(tensor[0].numel())
    state["scratch.output_conv.4.bias"] += 5
    return ARCHITECTURES["dpt_hybrid"].network(state, "filled")


def test_dpt_hybrid_runs(dpt_hybrid):
    x = torch.rand(1, 3, 96, 160) * 2 - 1
    with torch.inference_mode():
        full, half = dpt_hybrid(x), dpt_hybrid(x, half=True)
    assert full.shape == (1, 96, 160) and torch.isfinite(full).all() and full.min() >= 0 and full.std() > 0
    assert 0 < (half - full).abs().max() < 0.05 * full.max()


def test_dpt_tokens_keep_their_places(dpt_hybrid):
    tokens = torch.randn(1, 1 + 3 * 5, 768)
    changed = tokens.clone()
    changed[0, 1 + 2 * 5 + 4] += 1
    with torch.inference_mode():
        difference = dpt_hybrid.reassemble["2"](changed, (3, 5)) - dpt_hybrid.reassemble["2"](tokens, (3, 5))
    assert difference.abs().sum((0, 1)).nonzero().tolist() == [[2, 4]]


@pytest.mark.parametrize(
    "resize, side",
    [(dinov2.resized_positions, 37), (lambda e, h, w: dpt.resized_positions(e, (h, w)), 24)],
)
def test_position_embeddings_keep_rows_and_columns(resize, side):
    rows, columns = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    grid = torch.stack([rows, columns], -1).reshape(1, -1, 2)
    resized = resize(torch.cat([torch.full((1, 1, 2), -7.0), grid], 1), 12, 20)
    assert (resized[0, 0] == -7).all()
    resized = resized[0, 1:].reshape(12, 20, 2)
    expected_rows = (torch.arange(12) + 0.5) * side / 12 - 0.5
    assert (resized[..., 0] - expected_rows[:, None]).abs().max() < 0.6
    expected_columns = (torch.arange(20) + 0.5) * side / 20 - 0.5
    assert (resized[..., 1] - expected_columns).abs().max() < 0.6


def test_position_embeddings_at_their_own_grid_are_untouched():
    embedding = torch.randn(1, 1 + 37 * 37, 8)
    assert torch.equal(dinov2.resized_positions(embedding, 37, 37), embedding)
    assert dinov2.resized_positions(embedding, 10, 53).shape == (1, 531, 8)
    embedding = torch.randn(1, 1 + 24 * 24, 8)
    assert torch.equal(dpt.resized_positions(embedding, (24, 24)), embedding)
    assert dpt.resized_positions(embedding, (6, 10)).shape == (1, 61, 8)


class Overflowing(torch.nn.Module):
    """A network whose half floats do not hold its answer."""

    half_safe = True

    def __init__(self, full: float):
        super().__init__()
        self.weight, self.full = torch.nn.Parameter(torch.zeros(1)), full

    def forward(self, x, half=False):
        return torch.full((1, 4, 6), float("inf") if half else self.full)


def test_half_floats_that_overflow_are_computed_again():
    estimator = Estimator("key", Overflowing(3.0), midas_small.PHOTO_INPUT)
    assert (estimator._finite(torch.zeros(1), half=True) == 3).all()
    broken = Estimator("key", Overflowing(float("nan")), midas_small.PHOTO_INPUT)
    with pytest.raises(DioramaError, match="not finite"):
        broken.predict(make_photo())


def test_wrong_files_keys_devices_and_photos_are_told(midas_file, depth_anything_file):
    path, _ = depth_anything_file
    for key in ("midas_v21_small", "depth_anything_v2_base", "dpt_hybrid"):
        with pytest.raises(DioramaError, match=r"depth_anything_v2_vits\.pth is not one of (MiDaS|Depth|DPT)"):
            load_estimator(key, path)
    with pytest.raises(DioramaError, match="no depth network"):
        load_estimator("midas", path)
    with pytest.raises(DioramaError, match="not available"):
        load_estimator("midas_v21_small", midas_file[0], "tpu")
    estimator = load_estimator("midas_v21_small", midas_file[0])
    for photo in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(DioramaError, match="RGB"):
            estimator.predict(photo)


def test_auto_device_is_one_of_this_computer():
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_device("cpu").type == "cpu"


def test_catalogue_names_are_complete():
    assert {"midas_v21_small", "dpt_hybrid", "dpt_large"} < set(ARCHITECTURES)
    for size in ("small", "base", "large"):
        for kind in ("", "metric_indoor_", "metric_outdoor_"):
            read = ARCHITECTURES[f"depth_anything_v2_{kind}{size}"].read
            assert read(np.ones((2, 2)), None).kind == ("metric" if kind else "disparity")


def test_only_backbones_imports_timm_and_inputs_import_no_torch():
    """That it is imported late: test_what_is_imported_late in test_checkpoints.py."""
    folder = ROOT / "core" / "networks" / "depth"
    importers = [file.name for file in folder.parent.rglob("*.py") if "import timm" in file.read_text()]
    assert importers == ["backbones.py"]
    assert "torch" not in (folder / "photo_input.py").read_text()  # plain NumPy; only the folder it is in makes sure of torch
