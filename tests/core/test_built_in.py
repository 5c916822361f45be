"""The bundled networks as OpenCV runs them: any size, any order of sizes, the same bytes, no PyTorch, real truth, errors."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from photo_diorama.core.built_in import depth as module
from photo_diorama.core.built_in.depth import (
    SECOND,
    WEIGHTS,
    equal_area_side,
    estimate_built_in,
    estimate_with_edges,
    network_size,
    predict_disparity,
    shrink,
)
from photo_diorama.core.built_in.join_scales import Guide, join_scales
from photo_diorama.core.built_in.onnx_network import OnnxNetwork, load
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.settings import HIDDEN_COLOUR, HIDDEN_EDGES

ROOT = Path(__file__).resolve().parents[2]


def made_photo(height: int = 180, width: int = 240) -> np.ndarray:
    """A grey wall above a chequered floor that runs to a horizon."""
    rows, columns = np.mgrid[0:height, 0:width]
    below = np.clip((rows - height / 2) / height, 1e-3, None)
    chequer = (np.floor(1 / below) + np.floor((columns - width / 2) / width / below * 2)) % 2
    grey = np.where(rows > height / 2, 60 + 130 * chequer, 150 + 30 * rows / height)
    return np.repeat(grey[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((480, 640), (256, 320)), ((640, 480), (320, 256)), ((100, 100), (320, 320)), ((100, 2000), (64, 320)), ((3, 3000), (64, 320))],
)
def test_network_size_keeps_the_aspect_in_multiples_of_32(shape, size):
    assert network_size(*shape, 320) == size


@pytest.mark.parametrize(("shape", "side"), [((480, 640), 320), ((640, 480), 320), ((100, 100), 277), ((375, 1242), 504), ((3, 3000), 679)])
def test_photos_of_any_aspect_are_seen_at_one_area(shape, side):
    """Far wider ones at less, not at more: what a panorama costs is bounded."""
    assert equal_area_side(*shape, 320) == side
    rows, columns = network_size(*shape, side)
    assert rows * columns < 1.2 * 320 * 256 and (rows * columns > 0.8 * 320 * 240 or min(shape) == 3)


def test_a_panorama_is_not_seen_in_two_rows_of_cells():
    """With its longer side at 384 px a picture 3.3 times as wide as high would have 128 rows: of a road too few."""
    assert estimate_built_in(made_photo(375, 1242)).shape == (192, 608)


def test_result_has_the_network_size_and_is_the_same_again():
    photo = made_photo()
    first, second = estimate_built_in(photo), estimate_built_in(photo)
    assert first.dtype == np.float32
    assert first.shape == network_size(*photo.shape[:2], 384)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


def test_a_mirrored_photo_gives_the_mirrored_result():
    """Holds for flip averaging with any weights, so that left and right cannot be mixed up anywhere."""
    photo = made_photo()
    photo[60:150, 20:80] = (200, 40, 30)
    straight, mirrored = estimate_built_in(photo), estimate_built_in(np.ascontiguousarray(photo[:, ::-1]))
    np.testing.assert_allclose(mirrored[:, ::-1], straight, atol=2e-3 * np.ptp(straight))


def test_a_floor_is_nearer_towards_the_viewer():
    disparity = estimate_built_in(made_photo())
    rows = disparity[:, disparity.shape[1] // 4 : -disparity.shape[1] // 4].mean(1)
    lower = rows[len(rows) // 2 + 8 :]
    assert np.corrcoef(lower, np.arange(len(lower)))[0, 1] > 0.95
    assert lower[-1] > rows[: len(rows) // 2].max()


def test_beats_the_small_published_network_on_real_truth(shared):
    """One picture of each collection of the test split; the whole table is made by training/depth/evaluate.py."""
    import cv2
    from scipy.stats import spearmanr

    scores = []
    for name, number in (("phone_depth", 0), ("nyu_sun_tum_redwood_samples", 0), ("kitti_samples", 0)):
        folder = shared / "data" / "rgbd_pairs" / name
        if not folder.is_dir():
            pytest.skip(f"reference data not found in {folder}")
        photo = np.ascontiguousarray(cv2.imread(str(folder / f"{number:04d}.jpg"))[:, :, ::-1])
        code = cv2.imread(str(folder / f"{number:04d}.png"), cv2.IMREAD_UNCHANGED).astype(float)
        valid = code > 0
        nearness = code if name == "phone_depth" else -code
        guess = cv2.resize(estimate_built_in(photo), code.shape[::-1])
        scores.append(spearmanr(guess[valid], nearness[valid])[0])
    assert min(scores) > 0.45
    assert np.mean(scores) > 0.577 + 0.1  # METER's mean over the test split, and a clear margin.


def test_far_over_near_is_about_right_on_real_truth(shared):
    """Rooms and table tops, none of them in training: the farthest is some times as far as the nearest, not sixty times."""
    folder, factors = shared / "data" / "rgbd_pairs" / "nyu_sun_tum_redwood_samples", []
    if not folder.is_dir():
        pytest.skip(f"reference data not found in {folder}")
    for path in sorted(folder.glob("*.jpg")):
        code = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED).astype(np.float32)
        said = module.estimate_levels(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]))
        found = replace(said, sky=None).from_infinity
        depth = 1 / cv2.resize(found, code.shape[::-1], interpolation=cv2.INTER_LINEAR)[code > 0]
        ratio, true = (float(np.divide(*np.percentile(values, (95, 5)))) for values in (depth, code[code > 0]))
        factors.append(max(ratio / true, true / ratio))
    assert len(factors) >= 7 and np.median(factors) < 1.6  # with the farthest at sixty times the nearest: 4.5


def test_levels_are_the_mean_of_all_networks_whatever_units_they_have(monkeypatch):
    """With another network's answers in other units nothing changes; upside down, or with the first one's in their place, it does. Nor do
    the units of the silhouettes matter."""
    photo, ask = made_photo(360, 480), module.predict_disparity
    read = {name: OnnxNetwork.read(getattr(module, name)) for name in ("WEIGHTS", "SECOND", "SILHOUETTES")}
    monkeypatch.setattr(module, "load", lambda path: next(read[name] for name in read if getattr(module, name) == path))
    plain = estimate_with_edges(photo).disparity

    def in_units(*changed, scale=3.0, shift=-7.0):
        def asked(colour, long_side=None, mirrored=True, network=None):
            said = ask(colour, long_side, mirrored, network)
            return said | {"disparity": said["disparity"] * scale + shift} if network in [read[name] for name in changed] else said

        monkeypatch.setattr(module, "predict_disparity", asked)
        return estimate_with_edges(photo).disparity

    np.testing.assert_allclose(in_units("SECOND"), plain, atol=2e-4)
    np.testing.assert_allclose(in_units("WEIGHTS"), plain, atol=2e-4)
    np.testing.assert_allclose(in_units("SILHOUETTES"), plain, atol=2e-4)
    assert np.abs(in_units("WEIGHTS", scale=-1.0) - plain).max() > 0.5
    read["SECOND"] = read["WEIGHTS"]
    assert np.abs(in_units() - plain).max() > 0.05


def test_networks_are_asked_at_each_of_their_sizes_and_silhouettes_of_a_panorama_at_a_larger_one(monkeypatch):
    asked, ask = [], module.predict_disparity

    def noted(colour, long_side=None, mirrored=True, network=None):
        asked.append((long_side, network))
        return ask(colour, long_side, mirrored, network)

    monkeypatch.setattr(module, "predict_disparity", noted)
    estimate_with_edges(made_photo(375, 1242))
    depth = [(network, side) for side, network in asked if network is not module.load(module.SILHOUETTES)]
    assert depth == [(module.load(path), equal_area_side(375, 1242, side)) for path, side in module.RUNS]
    assert [side for side, network in asked if network is module.load(module.SILHOUETTES)] == [824, 1235]
    asked.clear()
    estimate_with_edges(made_photo(360, 640))
    assert [side for side, network in asked if network is module.load(module.SILHOUETTES)] == list(module.EDGE_SIDES)


def test_edges_bring_their_detail_and_not_their_levels():
    """Levels rise to the right. The edges rise downwards, which is not taken, and tear a square off, which is."""
    rows, columns = np.mgrid[0:360, 0:480].astype(np.float32)
    levels, edges = columns / 480, rows / 360 * 0.5
    square = (slice(150, 210), slice(210, 270))
    edges[square] += 0.5
    joined = join_scales(levels, Guide.of([edges]))
    away = np.ones(levels.shape, bool)
    away[110:250, 170:310] = away[:30] = away[-30:] = away[:, :30] = away[:, -30:] = False
    assert np.abs(joined - levels)[away].max() < 0.02
    assert (joined[160:200, 212] - joined[160:200, 207]).min() > 0.15


def test_the_shift_moves_the_far_end_and_nothing_else():
    said = estimate_with_edges(made_photo())
    relative = (said.disparity - said.disparity.min()) / np.ptp(said.disparity)
    np.testing.assert_allclose(replace(said, sky=None).from_infinity, relative + said.shift, atol=1e-5)
    mirrored = estimate_with_edges(np.ascontiguousarray(made_photo()[:, ::-1]))
    assert mirrored.shift == pytest.approx(said.shift, rel=0.05)  # nearly: no network sees a photo both ways


def test_a_sky_is_flat_up_to_its_silhouettes_and_what_may_be_none_keeps_its_depth(monkeypatch):
    """The upper half is sky, but for a square; the networks tell it only coarsely, the silhouettes where exactly."""
    rows, columns = np.mgrid[0:240, 0:320].astype(np.float32)
    square = (rows >= 60) & (columns >= 140) & (columns < 190)
    solid = (rows >= 120) | square
    edges = np.where(solid, 0.4 + rows / 480, 0.1).astype(np.float32)
    coarse = cv2.resize((~solid).astype(np.float32), (40, 30), interpolation=cv2.INTER_AREA)
    ask, sure = module.predict_disparity, [1.0]

    def asked(colour, long_side=None, mirrored=True, network=None):
        said = ask(colour, long_side, mirrored, network)
        if network is module.load(module.SILHOUETTES):
            return said | {"disparity": edges}
        return said | {"sky": coarse * sure[0]}

    monkeypatch.setattr(module, "predict_disparity", asked)
    said = estimate_with_edges(made_photo(240, 320))
    assert said.sky.shape == said.disparity.shape
    apart = sum(cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3) for part in (solid, ~solid))
    before, after = replace(said, sky=None).from_infinity, said.from_infinity
    np.testing.assert_allclose(after[solid & (apart > 1)], before[solid & (apart > 1)], atol=1e-5)
    backdrop, ramp = after[~solid & (apart > 10)], before[~solid & (apart > 10)]
    assert np.ptp(ramp) > 0.01 and np.ptp(backdrop) < 1e-6 and ramp.min() <= backdrop[0] < np.median(ramp)
    sure[0] = 0.45
    unsure = estimate_with_edges(made_photo(240, 320))
    np.testing.assert_array_equal(unsure.from_infinity, replace(unsure, sky=None).from_infinity)
    sure[0] = module.SKY_RAMP[0] + 0.01  # no switch: hardly sure changes hardly anything
    hardly = estimate_with_edges(made_photo(240, 320))
    moved = np.abs(hardly.from_infinity - replace(hardly, sky=None).from_infinity)
    assert 0 < moved.max() < 0.1 * np.abs(after - before).max()


def test_the_shift_is_what_all_networks_say_the_first_as_much_as_the_others(monkeypatch):
    from photo_diorama.core.built_in import depth as module

    photo, said, ask = made_photo(), [], module.predict_disparity

    def noted(*arguments, **options):
        answer = ask(*arguments, **options)
        said.extend([float(answer["shift"][0, 0])] if "shift" in answer else [])
        return answer

    monkeypatch.setattr(module, "predict_disparity", noted)
    shift = module.estimate_levels(photo).shift
    assert len(said) == len(module.RUNS) and max(said) > min(said) > 0
    assert np.log(shift) == pytest.approx((np.log(said[0]) + np.mean(np.log(said[1:]))) / 2)


@pytest.mark.parametrize(
    "photo", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)]
)
def test_what_is_no_rgb_photo_is_refused(photo):
    with pytest.raises(DioramaError, match="8-bit RGB"):
        estimate_built_in(photo)


def test_it_runs_at_other_sizes_and_comes_back_to_the_same_bytes():
    """One network takes them by turns; each answer is that of a network that never saw another size."""
    photo = made_photo()
    for long_side in (320, 416, 96, 224, 320):
        fresh = predict_disparity(photo, long_side, network=OnnxNetwork.read(SECOND))["disparity"]
        assert fresh.shape == network_size(*photo.shape[:2], long_side)
        np.testing.assert_array_equal(estimate_built_in(photo, long_side), fresh)


def test_threads_that_ask_at_once_get_what_each_would_get_alone():
    photos = [made_photo(), made_photo(240, 180), made_photo(120, 120)]
    alone = [estimate_built_in(photo, 160) for photo in photos]
    with ThreadPoolExecutor(3) as pool:
        for expected, found in zip(alone * 4, pool.map(lambda photo: estimate_built_in(photo, 160), photos * 4), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_the_number_of_threads_changes_no_byte():
    import cv2

    before, photo, region = cv2.getNumThreads(), made_photo(), np.random.default_rng(1).random((2, 18, 96, 64), dtype=np.float32)
    try:
        answers = []
        for count in (1, 2, 3):
            cv2.setNumThreads(count)
            answers.append(
                (predict_disparity(photo, 160, network=OnnxNetwork.read(SECOND))["disparity"], OnnxNetwork.read(HIDDEN_COLOUR)(region))
            )
    finally:
        cv2.setNumThreads(before)
    for answer in answers[1:]:
        assert all(np.array_equal(one, other) for one, other in zip(answers[0], answer, strict=True))


def test_shrinking_averages_and_keeps_the_middle():
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[:, 30:] = 255
    photo[::2] = 255 - photo[::2]  # stripes that a filter has to average
    small = shrink(photo, 4, 6)
    assert small.shape == (4, 6, 3) and np.abs(small.astype(int) - 127).max() < 10


@pytest.mark.parametrize("path", [WEIGHTS, HIDDEN_COLOUR, HIDDEN_EDGES], ids=lambda path: path.stem)
def test_a_damaged_or_missing_file_is_named(tmp_path, path):
    broken = tmp_path / f"bröken 図{path.suffix}"
    broken.write_bytes(path.read_bytes()[:1000])
    other = tmp_path / f"other{path.suffix}"  # whole, but something else
    other.write_bytes(WEIGHTS.with_name("hidden_depth.npz").read_bytes())
    for wrong in (broken, other, tmp_path / f"gone{path.suffix}"):
        wrong.with_suffix(".json").write_bytes(path.with_suffix(".json").read_bytes())
        with pytest.raises(DioramaError, match=wrong.name):
            load(wrong)
    whole = tmp_path / f"図{path.suffix}"
    whole.write_bytes(path.read_bytes())
    whole.with_suffix(".json").write_bytes(path.with_suffix(".json").read_bytes())
    assert load(whole).facts == load(path).facts


BUILD = """
import sys
sys.path.insert(0, "tests")
for name in ("torch", "timm", "safetensors", "onnxruntime", "onnx"):
    sys.modules[name] = None
import conftest
from photo_diorama.core.built_in import onnx_network
from photo_diorama.core.pipeline import build_diorama

built = build_diorama(sys.argv[1], None)
print(built.depth_origin, len(built.image.layers), onnx_network.load.cache_info().misses)
"""


def test_a_photo_alone_becomes_a_diorama_without_pytorch(tmp_path):
    """With the defaults: depth by the built-in network, hidden colour by the learned one."""
    from PIL import Image

    with Image.open(ROOT / "docs" / "demo" / "courtyard.jpg") as courtyard:
        courtyard.resize((320, 320 * courtyard.height // courtyard.width)).save(tmp_path / "a.png")
    done = subprocess.run([sys.executable, "-c", BUILD, str(tmp_path / "a.png")], cwd=ROOT, capture_output=True, text=True)
    origin, layers, networks = done.stdout.split() or [done.stderr[-800:]] * 3
    assert origin == "built-in" and int(layers) > 1 and int(networks) >= 2
