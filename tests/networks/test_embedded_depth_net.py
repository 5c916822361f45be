"""The embedded depth network: its padding, its shipped weights on real truth, size, time, errors."""


import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from photo_diorama.core.errors import DioramaError  # noqa: E402
from photo_diorama.core.networks import embedded_depth_net as net  # noqa: E402


def made_photo(height: int = 180, width: int = 240) -> np.ndarray:
    """A grey wall above a chequered floor that runs to a horizon."""
    rows, columns = np.mgrid[0:height, 0:width]
    below = np.clip((rows - height / 2) / height, 1e-3, None)
    chequer = (np.floor(1 / below) + np.floor((columns - width / 2) / width / below * 2)) % 2
    grey = np.where(rows > height / 2, 60 + 130 * chequer, 150 + 30 * rows / height)
    return np.repeat(grey[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("kernel", [3, 5])
def test_strided_convolution_pads_as_tensorflow_does(kernel):
    """SAME for even sizes: the first window starts (kernel - 2) // 2 before the image, the rest is padded after."""
    layer = net.SamePadConv(1, 1, kernel, 2)
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(float(kernel * kernel)).reshape(1, 1, kernel, kernel))
        got = layer(x)[0, 0].numpy()
    before = (kernel - 2) // 2
    padded = np.zeros((6 + kernel - 2, 6 + kernel - 2))
    padded[before:before + 6, before:before + 6] = x[0, 0].numpy()
    weight = layer.weight.detach().numpy()[0, 0]
    want = [[(padded[2 * i:2 * i + kernel, 2 * j:2 * j + kernel] * weight).sum() for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(got, want)


@pytest.mark.parametrize(("shape", "size"), [
    ((480, 640), (256, 320)), ((640, 480), (320, 256)), ((100, 100), (320, 320)), ((100, 2000), (64, 320)),
    ((3, 3000), (64, 320))])
def test_network_size_keeps_the_aspect_in_multiples_of_32(shape, size):
    assert net.network_size(*shape) == size


def test_result_has_the_network_size_and_is_the_same_again():
    photo = made_photo()
    first, second = net.estimate(photo), net.estimate(photo)
    assert first.dtype == np.float32
    assert first.shape == net.network_size(*photo.shape[:2])
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


def test_a_mirrored_photo_gives_the_mirrored_result():
    """Holds for flip averaging with any weights, so that left and right cannot be mixed up anywhere."""
    photo = made_photo()
    photo[60:150, 20:80] = (200, 40, 30)
    straight, mirrored = net.estimate(photo), net.estimate(np.ascontiguousarray(photo[:, ::-1]))
    np.testing.assert_allclose(mirrored[:, ::-1], straight, atol=2e-3 * np.ptp(straight))


def test_a_floor_is_nearer_towards_the_viewer():
    disparity = net.estimate(made_photo())
    rows = disparity[:, disparity.shape[1] // 4:-disparity.shape[1] // 4].mean(1)
    lower = rows[len(rows) // 2 + 8:]
    assert np.corrcoef(lower, np.arange(len(lower)))[0, 1] > 0.95
    assert lower[-1] > rows[:len(rows) // 2].max()


def test_beats_the_small_published_network_on_real_truth(shared):
    """One picture of each collection of the test split; the whole table is made by training/depth/evaluate.py."""
    cv2 = pytest.importorskip("cv2")
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
        guess = cv2.resize(net.estimate(photo), code.shape[::-1])
        scores.append(spearmanr(guess[valid], nearness[valid])[0])
    assert min(scores) > 0.45
    assert np.mean(scores) > 0.577 + 0.1  # METER's mean over the test split, and a clear margin.


def test_the_shipped_file_is_small_and_in_half_floats():
    from safetensors.torch import load_file

    assert net.WEIGHTS.stat().st_size <= 12 * 2**20
    assert {value.dtype for value in load_file(str(net.WEIGHTS)).values()} == {torch.float16}


@pytest.mark.parametrize("photo", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8),
                                   np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)])
def test_what_is_no_rgb_photo_is_refused(photo):
    with pytest.raises(DioramaError, match="8-bit RGB"):
        net.estimate(photo)


def test_weights_that_are_missing_or_not_these_are_named(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(DioramaError, match="gone.safetensors"):
        net.load_network(tmp_path / "gone.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(DioramaError, match="broken.safetensors"):
        net.load_network(tmp_path / "broken.safetensors")
    save_file({"decoder.place.weight": torch.zeros(128, 2, 1, 1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(DioramaError, match="other.safetensors"):
        net.load_network(tmp_path / "other.safetensors")
