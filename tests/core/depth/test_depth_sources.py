"""The order in which depth is looked for, what its numbers mean, what networks are given, what is said of failures."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from depth_photo_files import apple_photo, gdepth_photo, photo_pixels, png
from made_weights import entry
from PIL import Image

from photo_diorama.core.built_in.depth import BuiltInDepth
from photo_diorama.core.depth import find_depth as module
from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import (
    BUILT_IN,
    available_estimators,
    choose_camera,
    estimate_depth,
    find_depth,
    forget_models,
)  # fmt: skip
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.models import store
from photo_diorama.core.models.store import METRIC_DEPTH, RELATIVE_DEPTH
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings, PhotoSettings

AUTO = DepthSettings()
RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
METRES = 1 + RAMP / 255 * 8
PLANE = np.tile(np.linspace(2, 5, 64, dtype=np.float32), (48, 1))


def plain(folder: Path, name: str = "plain.png"):
    """A photo that carries nothing."""
    Image.fromarray(photo_pixels(64, 48).astype(np.uint8)).save(folder / name)
    return load_photo(folder / name)


def carrying(folder: Path, units="m", form="RangeLinear", name: str = "carrying.jpg"):
    """A photo with depth from 1 to 9 in it."""
    (folder / name).write_bytes(gdepth_photo(png(RAMP), 1.0, 9.0, photo=photo_pixels(64, 48), form=form, units=units))
    return load_photo(folder / name)


def depth_beside(folder: Path):
    """A photo with a depth file of millimetres beside it, as 7-Scenes calls them, and its calibration."""
    photo = plain(folder, "frame-000001.color.png")
    Image.fromarray((METRES * 1000).round().astype(np.uint16)).save(folder / "frame-000001.depth.png")
    (folder / "camera-intrinsics.txt").write_text("700 0 309.5\n0 700 249.5\n0 0 1\n")  # of 640x480
    return photo


class Estimator:
    """Stands for a loaded network; keeps the photos it was asked about."""

    def __init__(self, values: np.ndarray, kind: str):
        self.values, self.kind, self.asked = values, kind, []

    def predict(self, photo: np.ndarray, focal_px: float | None = None):
        self.asked.append(photo)
        return SimpleNamespace(values=self.values, kind=self.kind, zero_is_far=False, focal_px=None, normals=None)


@pytest.fixture
def networks(monkeypatch, tmp_path):
    """Installs small files as networks, for which stand-ins answer; (folder, install)."""
    folder, catalogue, loaded, stand_ins = tmp_path / "models", [], [], {}
    for name in ("best_estimator", "installed"):
        original = getattr(store, name)
        monkeypatch.setattr(module, name, lambda place, f=original: f(place, tuple(catalogue)))
    monkeypatch.setattr(module, "weights_named", lambda key: next(w for w in catalogue if w.key == key))

    def load(key, path, device):
        loaded.append((key, path, device))
        return stand_ins[key]

    monkeypatch.setattr(module, "_load_network", load)
    monkeypatch.setattr(module, "estimate_with_edges", lambda picture: BuiltInDepth(np.linspace(0, 1, 48 * 64).reshape(48, 64), None, 0.1))

    def install(key: str, values=METRES, kind: str = "disparity", there: bool = True, **more) -> Estimator:
        content = key.encode() * 10
        made = entry(key=key, content=content, kind=METRIC_DEPTH if kind == "metric" else RELATIVE_DEPTH, **more)
        catalogue.append(made)
        (tmp_path / "file").write_bytes(content)
        if there:
            store.import_file(made, tmp_path / "file", folder)
        stand_ins[key] = Estimator(values.astype(np.float32), kind)
        return stand_ins[key]

    install.loaded = loaded
    return folder, install


def test_a_file_beats_everything(tmp_path, networks):
    folder, install = networks
    best = install("net", rank=5)
    np.save(tmp_path / "depth.npy", PLANE)
    for settings in (AUTO, DepthSettings(estimator="net")):
        settings = replace(settings, depth_kind="metric")
        found = find_depth(carrying(tmp_path), tmp_path / "depth.npy", settings, folder)
        assert found.origin == "file" and found.values.metric
        np.testing.assert_array_equal(found.values.values, PLANE)
    assert not best.asked


def test_then_what_the_photo_carries(tmp_path, networks):
    folder, install = networks
    best = install("net", rank=5)
    photo = carrying(tmp_path, name="frame-000001.color.jpg")
    Image.fromarray(np.full((48, 64), 3000, np.uint16)).save(tmp_path / "frame-000001.depth.png")
    found = find_depth(photo, None, AUTO, folder)
    assert found.origin == "photo" and found.values.metric and found.values.stretched
    np.testing.assert_allclose(found.values.values, METRES, rtol=1e-5)
    assert found.values.known.all() and not best.asked
    assert "GDepth" in found.values.source


def test_then_what_lies_beside_it(tmp_path, networks):
    folder, install = networks
    best = install("net", rank=5)
    found = find_depth(depth_beside(tmp_path), None, AUTO, folder)
    assert found.origin == "beside the photo" and found.values.metric
    np.testing.assert_allclose(found.values.values, METRES, atol=0.0006)
    assert not best.asked
    assert (found.focal_px, found.centre) == (pytest.approx(70), pytest.approx((31, 25)))


def test_then_the_best_network_that_is_there(tmp_path, networks):
    folder, install = networks
    install("good", rank=5), install("unranked", rank=0)
    best = install("best", PLANE, rank=7)
    install("better but missing", rank=9, there=False)
    found = find_depth(plain(tmp_path), None, AUTO, folder)
    assert (found.origin, found.values.metric, found.values.source) == ("best", False, "estimated by best")
    np.testing.assert_array_equal(found.values.values, PLANE)
    assert len(best.asked) == 1
    assert install.loaded == [("best", str(folder / "best.pth"), "auto")]
    assert available_estimators(folder) == [BUILT_IN, "good", "best"]


def test_then_the_built_in_one_which_names_better_ones(tmp_path, networks):
    folder, install = networks
    install("missing", rank=9, there=False)
    for models in (folder, tmp_path / "never made", None):
        found = find_depth(plain(tmp_path), None, AUTO, models)
        assert found.origin == BUILT_IN and not found.values.metric
        assert "a better network can be downloaded" in found.values.source
    assert available_estimators(None) == [BUILT_IN]


def test_a_network_that_is_asked_for_beats_what_the_photo_carries(tmp_path, networks):
    folder, install = networks
    asked = install("net", PLANE, "metric", rank=5)
    for photo in (carrying(tmp_path), depth_beside(tmp_path)):
        found = find_depth(photo, None, DepthSettings(estimator="net", device="cpu"), folder)
        assert (found.origin, found.values.metric) == ("net", True), "metres stay metres"
        np.testing.assert_array_equal(found.values.values, PLANE)
    assert len(asked.asked) == 2 and {device for *_, device in install.loaded} == {"cpu"}
    assert find_depth(carrying(tmp_path), None, DepthSettings(estimator=BUILT_IN), folder).origin == BUILT_IN


def test_embedded_units_are_kept_apart(tmp_path):
    """1/m becomes metres; inverse depth without a unit stays disparity, of which 0 is infinitely far."""
    found = find_depth(carrying(tmp_path, form="RangeInverse"), None, AUTO, None).values
    assert found.metric
    np.testing.assert_allclose(found.values, 9 / (9 - RAMP / 255 * 8), rtol=1e-4)
    found = find_depth(carrying(tmp_path, form="RangeInverse", units=None), None, AUTO, None).values
    assert not found.metric and found.shift_known
    np.testing.assert_allclose(found.values / found.values.max(), (9 - RAMP / 255 * 8) / 9, rtol=1e-4)


def test_infinitely_far_is_unknown_in_metres(tmp_path):
    depth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    photo = apple_photo(depth, 0.0, 2.0, photo=photo_pixels(64, 48), accuracy="absolute")
    (tmp_path / "apple.jpg").write_bytes(photo)
    found = find_depth(load_photo(tmp_path / "apple.jpg"), None, AUTO, None).values
    assert found.metric and np.isfinite(found.values).all()
    assert not found.known[:, 0].any() and found.known[:, 1:].all()
    assert (found.values[found.known] > 0.49).all()


def test_matte_and_calibration_come_along_and_the_user_is_obeyed(tmp_path):
    matte = np.zeros((24, 32), np.uint8)
    matte[8:16] = 255
    camera = {"matrix": (90, 0, 0, 0, 90, 0, 31, 25, 1), "reference": (64, 48)}
    (tmp_path / "apple.jpg").write_bytes(apple_photo(RAMP, 0.5, 4, photo=photo_pixels(64, 48), matte=matte, **camera))
    photo = load_photo(tmp_path / "apple.jpg")
    found = find_depth(photo, None, AUTO, None)
    assert found.matte.shape == (24, 32) and found.matte[12, 16] > 0.9 > 0.1 > found.matte[2, 16]
    calibrated = choose_camera(photo, found, PhotoSettings())
    assert calibrated.focal_source == "calibration that lies with the depth"
    assert calibrated.camera.focal_px == pytest.approx(90, rel=0.01)
    assert (calibrated.camera.cx, calibrated.camera.cy) == pytest.approx((31, 25), abs=0.6)
    assert (calibrated.camera.width, calibrated.camera.height) == (64, 48)
    for settings in (PhotoSettings(focal_px=50.0), PhotoSettings(fov=30.0)):
        assert choose_camera(photo, found, settings) is photo
    assert choose_camera(photo, replace(found, focal_px=None), PhotoSettings()) is photo
    centred = choose_camera(photo, replace(found, centre=None), PhotoSettings()).camera
    assert (centred.cx, centred.cy) == (32, 24)


@pytest.mark.parametrize("dtype, scale", [(np.uint8, 1), (np.uint16, 257)])
def test_networks_get_8_bits_of_any_photo(tmp_path, networks, dtype, scale):
    import cv2

    folder, install = networks
    net, pixels = install("net", rank=1), photo_pixels(64, 48)
    assert cv2.imwrite(str(tmp_path / "photo.png"), (pixels[..., ::-1] * scale).astype(dtype))
    find_depth(load_photo(tmp_path / "photo.png"), None, AUTO, folder)
    assert net.asked[0].dtype == np.uint8
    np.testing.assert_array_equal(net.asked[0], pixels)


def test_networks_get_srgb_of_a_linear_photo(tmp_path, networks):
    from picture_files import exr_bytes, srgb_curve

    folder, install = networks
    net = install("net", rank=1)
    values = np.linspace(0, 1.5, 64 * 48).reshape(48, 64)
    (tmp_path / "linear.exr").write_bytes(exr_bytes({c: values for c in "RGB"}))
    find_depth(load_photo(tmp_path / "linear.exr"), None, AUTO, folder)
    wanted = np.minimum(srgb_curve(values), 1) * 255
    assert np.abs(net.asked[0].astype(float) - wanted[..., None]).max() <= 0.51


def test_values_that_are_not_finite_are_unknown(tmp_path, networks):
    folder, install = networks
    holed = PLANE.copy()
    holed[3, 4], holed[5, 6] = np.nan, np.inf
    install("net", holed, rank=1)
    found = find_depth(plain(tmp_path), None, AUTO, folder).values
    assert (~found.known).sum() == 2 and not found.known[3, 4] and not found.known[5, 6]


def test_a_network_is_loaded_once_for_photo_after_photo(tmp_path, monkeypatch):
    loads = []

    class Loader:
        @staticmethod
        def load_estimator(key, path, device):
            loads.append(key)
            return Estimator(PLANE, "disparity")

    monkeypatch.setitem(sys.modules, "photo_diorama.core.networks.depth.estimate", Loader)
    monkeypatch.setattr(module, "checked_path", lambda wanted, folder: Path(folder) / wanted.file)
    monkeypatch.setattr(module, "weights_named", lambda key: entry(key=key))
    forget_models()
    try:
        photo = plain(tmp_path)
        for key in ("one", "one", "one", "two"):
            estimate_depth(photo, key, "cpu", tmp_path)
        assert loads == ["one", "two"]
        forget_models()
        estimate_depth(photo, "two", "cpu", tmp_path)
        assert loads == ["one", "two", "two"]
    finally:
        forget_models()


def test_damaged_carried_depth_is_told_and_the_next_source_taken(tmp_path):
    data = gdepth_photo(png(np.tile(RAMP, (8, 8)) ^ 37)[:-60], 1.0, 9.0, photo=photo_pixels(64, 48))
    (tmp_path / "damaged.jpg").write_bytes(data)
    found = find_depth(load_photo(tmp_path / "damaged.jpg"), None, AUTO, None)
    assert found.origin == BUILT_IN and "not used" in found.values.source and "damaged.jpg" in found.values.source
    np.save(tmp_path / "damaged_depth.npy", 1 + np.add.outer(np.arange(48.0), np.arange(64.0)))
    found = find_depth(load_photo(tmp_path / "damaged.jpg"), None, AUTO, None)
    assert found.origin == "beside the photo" and "not used" in found.values.source


@pytest.mark.parametrize("values", [np.full((48, 64), 2.0), np.full((48, 64), np.nan)], ids=["flat", "unknown"])
def test_an_estimate_without_relief_is_told(tmp_path, networks, values):
    folder, install = networks
    install("net", values, rank=1)
    photo = plain(tmp_path)
    with pytest.raises(DioramaError, match="plain.png"):
        depth_on_photo(find_depth(photo, None, AUTO, folder).values, photo, AUTO, 64, str(photo.path))


def test_a_spatial_photo_is_seen_by_its_own_calibration(tmp_path, networks, shared):
    pytest.importorskip("pillow_heif")
    folder, install = networks
    install("net", rank=1)
    photo = load_photo(shared / "data/embedded_depth/heic/spatial_photo.heic")
    found = find_depth(photo, None, AUTO, folder)
    assert choose_camera(photo, found, PhotoSettings()).camera.focal_px == pytest.approx(1525.44, abs=0.01)
