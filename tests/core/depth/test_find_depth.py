"""Which depth a photo gets: the file given, what it carries, what lies beside it, a network; and its calibration."""

import sys

import numpy as np
import pytest
from depth_photo_files import gdepth_photo, jpeg, photo_pixels, png

from photo_diorama.core.depth import find_depth as find_depth_module
from photo_diorama.core.depth.depth_map import DepthValues
from photo_diorama.core.depth.find_depth import FoundDepth, available_estimators, choose_camera, find_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.models.store import weights_named
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings, PhotoSettings

RAMP = np.tile(np.linspace(0, 255, 120).astype(np.uint8), (80, 1))  # GDepth: 0 is the nearest
AUTO = DepthSettings()


def photo_at(folder, data: bytes):
    path = folder / "a-image.jpg"
    path.write_bytes(data)
    return load_photo(path)


def carrying(folder):
    return photo_at(folder, gdepth_photo(png(RAMP), 1.0, 9.0, photo=photo_pixels(), units="m"))


def test_a_file_comes_before_what_the_photo_carries(tmp_path):
    np.save(tmp_path / "z.npy", np.float32(5 - RAMP / 100))
    found = find_depth(carrying(tmp_path), tmp_path / "z.npy", DepthSettings(depth_kind="metric"), None)
    assert found.origin == "file" and found.values.metric and "z.npy" in found.values.source


def test_carried_metres_are_metres(tmp_path):
    found = find_depth(carrying(tmp_path), None, AUTO, None)
    assert found.origin == "photo" and found.values.metric and found.values.stretched
    expected = 1 / (1 - RAMP / 255 * (1 - 1 / 9))  # GDepth's RangeInverse from 1 m to 9 m
    known = found.values.known
    assert known.mean() > 0.95 and np.allclose(found.values.values[known], expected[known], rtol=0.02)


def test_what_lies_beside_comes_after_what_is_carried(tmp_path):
    (tmp_path / "a-depth.png").write_bytes(png(RAMP))
    plain = find_depth(photo_at(tmp_path, jpeg(photo_pixels())), None, AUTO, None)
    assert plain.origin == "beside the photo" and not plain.values.metric
    assert find_depth(carrying(tmp_path), None, AUTO, None).origin == "photo"


@pytest.fixture
def no_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [n for n in sys.modules if n.startswith("photo_diorama.core.networks")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("settings", [AUTO, DepthSettings(estimator="built-in")])
def test_a_photo_alone_needs_no_pytorch(tmp_path, no_pytorch, settings):
    found = find_depth(photo_at(tmp_path, jpeg(photo_pixels())), None, settings, None)
    assert found.origin == "built-in" and np.ptp(found.values.values) > 0


def test_without_pytorch_a_downloaded_network_is_passed_over_or_missed_in_a_sentence(tmp_path, no_pytorch, monkeypatch):
    weights = weights_named("midas_v21_small")
    monkeypatch.setattr(find_depth_module, "best_estimator", lambda models: weights)
    monkeypatch.setattr(find_depth_module, "checked_path", lambda weights, models: models / weights.file)
    photo = photo_at(tmp_path, jpeg(photo_pixels()))
    found = find_depth(photo, None, AUTO, tmp_path)
    assert found.origin == "built-in" and "midas_v21_small needs PyTorch" in found.values.source
    with pytest.raises(DioramaError, match=r"midas_v21_small needs PyTorch.*full build.*\.$"):
        find_depth(photo, None, DepthSettings(estimator="midas_v21_small"), tmp_path)


def test_a_network_that_is_not_there_is_named(tmp_path):
    key = next(key for key in DepthSettings.__dataclass_fields__["estimator"].metadata["choices"]
               if key not in ("auto", "built-in"))  # fmt: skip
    photo = photo_at(tmp_path, jpeg(photo_pixels()))
    for models in (None, tmp_path):
        with pytest.raises(DioramaError, match=key):
            find_depth(photo, None, DepthSettings(estimator=key), models)


def test_the_built_in_network_is_always_there(tmp_path):
    assert available_estimators(None) == available_estimators(tmp_path) == ["built-in"]


@pytest.mark.parametrize(
    ("calibration", "settings", "expected"),
    [
        ((90.0, (55.0, 42.0)), PhotoSettings(), (90, 55, 42)),
        ((90.0, None), PhotoSettings(), (90, 60, 40)),
        ((None, None), PhotoSettings(), (120, 60, 40)),
        ((90.0, (55.0, 42.0)), PhotoSettings(focal_px=77), (77, 60, 40)),
        ((90.0, (55.0, 42.0)), PhotoSettings(fov=90), (60, 60, 40)),
    ],
)
def test_calibration_makes_the_camera_unless_the_user_gave_one(tmp_path, calibration, settings, expected):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(photo_pixels()))
    photo = load_photo(path, settings)
    values = DepthValues(np.ones((2, 2), np.float32), np.ones((2, 2), bool), True, True, "made")
    camera = choose_camera(photo, FoundDepth(values, "photo", *calibration), settings).camera
    assert (camera.focal_px, camera.cx, camera.cy) == pytest.approx(expected)
    assert (camera.width, camera.height) == (120, 80)


def test_a_focal_length_that_a_network_saw_is_used_where_nobody_told_one(tmp_path):
    plain = photo_at(tmp_path, jpeg(photo_pixels()))
    found = FoundDepth(DepthValues(RAMP, RAMP > 0, True, False, "made"), "moge2_small", seen_focal_px=300.0)
    seen = choose_camera(plain, found, PhotoSettings())
    assert seen.camera.focal_px == 300 and "moge2_small" in seen.focal_source and not plain.focal_is_known
    told = load_photo(plain.path, PhotoSettings(focal_px=77))
    assert told.focal_is_known and choose_camera(told, found, PhotoSettings(focal_px=77)).camera.focal_px == 77
    calibrated = choose_camera(plain, FoundDepth(found.values, "photo", focal_px=90.0, seen_focal_px=300.0), PhotoSettings())
    assert calibrated.camera.focal_px == 90


class Seeing:
    """A network that keeps the focal length it is told."""

    def predict(self, photo, focal_px):
        from photo_diorama.core.networks.depth.estimate import Prediction

        self.told = focal_px
        return Prediction(np.float32(RAMP[::2, ::2]), "metric", focal_px=50.0)


def test_a_network_hears_the_focal_length_that_the_photo_tells(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    network = Seeing()
    monkeypatch.setattr(find_depth_module, "_load_network", lambda *_: network)
    monkeypatch.setattr(find_depth_module, "checked_path", lambda weights, models: models / weights.file)
    path = photo_at(tmp_path, jpeg(photo_pixels())).path
    for settings, told in ((PhotoSettings(), None), (PhotoSettings(focal_px=77), 77)):
        photo = load_photo(path, settings)
        found = find_depth(photo, None, DepthSettings(estimator="moge2_small"), tmp_path)
        assert network.told == told and found.values.metric
        assert found.seen_focal_px == 50 * max(photo.colour.shape[:2]) / (max(RAMP.shape) // 2)
