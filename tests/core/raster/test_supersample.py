"""What is rendered at twice the size: at the photo's size its own pixels come back, smaller it is an area's mean."""

import cv2
import numpy as np
import pytest

from photo_diorama.core.raster.supersample import FACTOR, blur_weights, reduce


@pytest.fixture(scope="module")
def photo():
    rng = np.random.default_rng(5)
    noise = sum(cv2.resize(rng.uniform(0, 1, (n, n, 3)), (256, 256), interpolation=cv2.INTER_AREA) for n in (16, 64, 256))
    return (noise / 3).astype(np.float32)


def rendered(photo, size):
    """Rays in the middles of pixels, four texels blended, as Cycles does."""
    return cv2.resize(photo, (size * FACTOR,) * 2, interpolation=cv2.INTER_LINEAR)


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b)[4:-4, 4:-4] ** 2))


def test_at_the_photos_size_its_pixels_come_back(photo):
    blurred = rendered(photo, 256).reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert psnr(blurred, photo) < 36 and psnr(reduce(rendered(photo, 256), 1.0), photo) > 55


@pytest.mark.parametrize("size", [250, 224, 192, 160])
def test_smaller_it_is_the_mean_of_an_area(photo, size):
    area = cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA)
    plain = rendered(photo, size).reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    found = psnr(reduce(rendered(photo, size), 256 / size), area)
    assert found > 34 and found > psnr(plain, area) + 0.3


def test_a_silhouette_is_smooth_and_hardly_overshoots():
    y, x = np.mgrid[:200, :200]
    step = np.repeat((x > 60 + 0.3 * y)[..., None], 3, 2).astype(np.float32)
    found = reduce(step, 1.0)
    assert found.min() >= 0 and found.max() < 1.02
    between = ((found > 0.1) & (found < 0.9)).any(axis=2)
    assert between.any(axis=1).mean() > 0.5, "no stairs"


def test_alpha_counts_and_is_not_sharpened():
    picture = np.zeros((8, 8, 4), np.float32)
    picture[:, :3] = (1, 0.5, 0, 1)
    found = reduce(picture, 0.0)
    assert np.allclose(found[:, 0], (1, 0.5, 0, 1)) and np.allclose(found[:, 1], (1, 0.5, 0, 0.5)) and not found[:, 2:].any()


def test_what_is_taken_back_grows_with_the_size_and_ends_beyond_the_photos():
    assert blur_weights(1.0) == 1 / 8 and 0 < blur_weights(2.0) < blur_weights(1.5) < blur_weights(1.001) < 1 / 8
    assert blur_weights(0.5) == blur_weights(0.3) == blur_weights(0.0) == 0 and blur_weights(0.99) == pytest.approx(1 / 23, rel=0.02)


def test_soft_silhouettes_come_back_as_sharp_as_the_photo(monkeypatch):
    """Alpha and the colours of both sides blend each by itself, so their mixture blends not quite as one texture does."""
    from photo_diorama.core.raster import supersample

    rng = np.random.default_rng(6)
    alpha = np.clip((np.arange(40) - 19 + rng.integers(-1, 2, (30, 1))) / 1.5, 0, 1)[..., None].astype(np.float32)
    front, back = (np.float32(level) + rng.uniform(-0.15, 0.15, (30, 40, 3)).astype(np.float32) for level in (0.85, 0.15))
    photo = alpha * front + (1 - alpha) * back
    rays = lambda texels: between_texels(texels)
    picture = rays(alpha) * rays(front) + (1 - rays(alpha)) * rays(back)
    nearness = lambda: psnr(reduce(picture, 1.0), photo)
    found = nearness()
    monkeypatch.setattr(supersample, "UNLIKE_PART", 0.0)
    assert found > 45 and nearness() < found - 5  # taken for hard ones they stay blurred


def between_texels(texels: np.ndarray) -> np.ndarray:
    """(2 h, 2 w, c): texels blended linearly at a quarter and three quarters of each."""
    for axis in (0, 1):
        padded = np.concatenate([texels.take([0], axis), texels, texels.take([-1], axis)], axis)
        middle, before, after = (padded.take(range(k, k + texels.shape[axis]), axis) for k in (1, 0, 2))
        both = np.stack([0.75 * middle + 0.25 * before, 0.75 * middle + 0.25 * after], axis=axis + 1)
        texels = both.reshape(*texels.shape[:axis], 2 * texels.shape[axis], *texels.shape[axis + 1 :])
    return texels
