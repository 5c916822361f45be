"""MoGe-2 and Depth Anything 3 are the published networks, and what they say is read rightly."""

import json

import golden
import numpy as np
import pytest
import torch

from photo_diorama.core.networks.depth import depth_anything_3, moge
from photo_diorama.core.networks.depth.estimate import ARCHITECTURES
from photo_diorama.core.networks.depth.point_map import recover_focal_and_shift


def load(shared, name: str, key: str):
    """The network filled by the rule, the recorded arrays, and the allowed differences."""
    told = json.loads((shared / "golden" / f"{name}.json").read_text())
    state, arrays = golden.read(shared, name)
    for ending, numbers in told.get("leave", {}).items():
        for tensor in (state[k] for k in state if k.endswith(ending)):
            tensor.copy_(torch.tensor(numbers).reshape(tensor.shape))
    assert sum(tensor.numel() for tensor in state.values()) == told["parameters"] + 6 * (key.startswith("moge"))
    return ARCHITECTURES[key].network(state, "filled"), arrays, told["tolerance"]


@pytest.fixture(scope="module")
def moge_small(shared):
    return load(shared, "moge2_vits_normal", "moge2_small")


@pytest.mark.parametrize("case", ["wide", "tall", "shrunk"])
def test_moge_small_is_the_published_one(moge_small, case):
    check_moge(*moge_small, case)


def test_moge_large_is_the_published_one(shared):
    check_moge(*load(shared, "moge2_vitl_normal", "moge2_large"), "wide")


@torch.inference_mode()
def check_moge(network, arrays, tolerance, case):
    x = torch.from_numpy(arrays[f"{case}_input_x"])
    tokens = int(arrays[f"{case}_num_tokens"])
    raw = network.raw(x, tokens)
    for name, recorded in (
        ("points", "points_raw"),
        ("normal", "normal_raw"),
        ("mask", "mask_raw"),
        *((n,) * 2 for n in ("tokens", "cls", "metric_scale")),
    ):
        assert np.abs(raw[name].numpy() - arrays[f"{case}_{recorded}"]).max() < tolerance[recorded], recorded
    if f"{case}_points" not in arrays:
        return
    network.tokens = tokens
    answer = np.moveaxis(network(x).numpy(), 1, -1)
    network.tokens = None

    def rays(points):
        return np.concatenate([points[..., :2] / points[..., 2:], np.log(points[..., 2:])], axis=-1)

    assert np.abs(rays(answer[..., :3]) - rays(arrays[f"{case}_points"])).max() < tolerance["points, compared as x/z, y/z, ln z"]
    assert np.abs(answer[..., 3:6] - arrays[f"{case}_normal"]).max() < tolerance["normal"]
    assert np.abs(answer[..., 6] - arrays[f"{case}_mask"]).max() < tolerance["mask"]
    assert np.allclose(answer[..., 7], arrays[f"{case}_metric_scale"])


def test_focal_length_and_shift_are_the_published_solvers(moge_small):
    _, arrays, tolerance = moge_small
    points, mask = arrays["recover_points"][0], arrays["recover_mask"] > 0.5
    focal, shift = recover_focal_and_shift(points, mask)
    assert abs(focal - arrays["recover_focal"]) < tolerance["recover_*"]
    assert abs(shift - arrays["recover_shift"]) < tolerance["recover_*"]
    _, shift = recover_focal_and_shift(points, mask, 1.2)
    assert abs(shift - arrays["recover_shift_of_focal_1_2"]) < tolerance["recover_*"]


def made_points(focal: float, shift: float, height: int = 90, width: int = 130) -> tuple[np.ndarray, np.ndarray]:
    """The points of a random relief seen with that focal length, less the shift; and their true depth."""
    rng = np.random.default_rng(3)
    z = 2 + np.kron(rng.random((height // 10, width // 10)), np.ones((10, 10)))
    rows, columns = np.mgrid[:height, :width]
    half = np.hypot(height, width) / 2
    x, y = (columns + 0.5 - width / 2) / half / focal * z, (rows + 0.5 - height / 2) / half / focal * z
    return np.stack([x, y, z - shift], axis=-1), z


@pytest.mark.parametrize("focal", [0.5, 1.1, 3.0])
def test_focal_length_and_shift_of_made_points_come_back(focal):
    points, _ = made_points(focal, 0.7)
    known = np.ones(points.shape[:2], bool)
    assert recover_focal_and_shift(points, known) == pytest.approx((focal, 0.7), rel=0.02)
    assert recover_focal_and_shift(points, known, focal)[1] == pytest.approx(0.7, rel=0.02)
    assert recover_focal_and_shift(points, np.zeros_like(known)) is None


def test_what_moge_says_is_metres_a_focal_length_and_a_sky():
    points, z = made_points(1.25, 0.7)
    sure, scale = np.ones(z.shape), np.full(z.shape, 3.0)
    sure[:20] = 0.1
    normals = np.broadcast_to([0.6, 0, -0.8], (*z.shape, 3))
    values = np.concatenate([points, normals, sure[..., None], scale[..., None]], axis=-1).transpose(2, 0, 1).astype(np.float32)
    read = ARCHITECTURES["moge2_small"].read
    for known in (None, 1.25 * np.hypot(90, 130) / 2):
        said = read(values, known)
        assert said.kind == "metric" and said.focal_px == pytest.approx(1.25 * np.hypot(90, 130) / 2, rel=0.02)
        assert said.values[20:] == pytest.approx(3 * z[20:], rel=0.02)
        assert (said.values[:20] > 1e5).all() and np.isfinite(said.values).all()
        assert (said.normals[:20] == 0).all() and np.allclose(said.normals[20:], [0.6, 0, -0.8])


@pytest.fixture(scope="module")
def depth_anything_3_large(shared):
    return load(shared, "depth_anything_3_large", "depth_anything_3_mono")


@pytest.mark.parametrize("case", ["wide", "tall"])
@torch.inference_mode()
def test_depth_anything_3_is_the_published_one(depth_anything_3_large, case):
    network, arrays, tolerance = depth_anything_3_large
    x = torch.from_numpy(arrays[f"{case}_input_x"])
    for name, raw in zip(("depth_raw", "sky_raw"), network.raw(x), strict=True):
        assert np.abs(raw[:, 0].numpy() - arrays[f"{case}_{name}"]).max() < tolerance[name]
    for name, answer in zip(("depth", "sky"), network(x).numpy().transpose(1, 0, 2, 3), strict=True):
        assert np.abs(answer - arrays[f"{case}_{name}"]).max() < tolerance[name]


def test_depth_anything_3_sky_is_where_the_published_rule_has_it(depth_anything_3_large):
    _, arrays, _ = depth_anything_3_large
    changed = arrays["skyrule_result"] != arrays["skyrule_depth"]
    sky = depth_anything_3.is_sky(arrays["skyrule_sky"])
    assert (changed <= sky).all() and sky.any()
    assert not depth_anything_3.is_sky(np.ones((5, 5))).any()


def test_depth_anything_3_is_read_as_depth_with_the_sky_at_the_far_end():
    depth = np.linspace(1, 5, 40 * 60).reshape(40, 60)
    sky = np.zeros((40, 60))
    sky[:4] = 1
    mono = ARCHITECTURES["depth_anything_3_mono"].read(np.float32([depth, sky]), 450.0)
    assert mono.kind == "disparity" and mono.zero_is_far
    assert (mono.values[:4] == 0).all() and mono.values[4:] == pytest.approx(1 / depth[4:], rel=1e-5)
    metric = ARCHITECTURES["depth_anything_3_metric"].read(np.float32([depth, sky]), 450.0)
    assert metric.kind == "metric" and metric.values[4:] == pytest.approx(depth[4:] * 1.5, rel=1e-5)
    assert (metric.values[:4] > 1e5).all()
    guessed = ARCHITECTURES["depth_anything_3_metric"].read(np.float32([depth, sky]), None)
    assert guessed.values[4:] == pytest.approx(depth[4:] * 60 / 300, rel=1e-5)  # focal length: the long side


def test_moge_grid_of_tokens():
    assert moge.token_grid(768, 1024, 3600) == (52, 69)
    assert moge.token_grid(10, 4000, 1200) == (2, 693)
