"""A photo reaches a network at the published size and by the published interpolation, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from photo_diorama.core.networks.depth import depth_anything, dpt, midas_small
from photo_diorama.core.networks.depth.photo_input import resize_cubic

MIDAS, DPT, ANYTHING = midas_small.PHOTO_INPUT, dpt.PHOTO_INPUT, depth_anything.PHOTO_INPUT


@pytest.mark.parametrize(
    "rule, photo, network",
    [
        (MIDAS, (768, 1024), (192, 256)),
        (MIDAS, (1080, 1920), (128, 256)),
        (MIDAS, (4000, 6000), (160, 256)),
        (MIDAS, (6000, 4000), (256, 160)),
        (MIDAS, (20, 9000), (32, 256)),
        (DPT, (480, 640), (384, 512)),
        (DPT, (4000, 6000), (384, 576)),
        (DPT, (6000, 4000), (576, 384)),
        (DPT, (50, 100), (192, 384)),
        (ANYTHING, (1080, 1920), (518, 924)),
        (ANYTHING, (518, 518), (518, 518)),
        (ANYTHING, (512, 768), (518, 784)),
        (ANYTHING, (6000, 4000), (784, 518)),
        (ANYTHING, (1000, 20000), (98, 2072)),
    ],
)
def test_sizes(rule, photo, network):
    assert rule.size(*photo) == network


@pytest.mark.parametrize("rule", [MIDAS, DPT, ANYTHING])
def test_every_aspect_gives_bounded_multiples(rule):
    for height in (1, 7, 100, 3000, 10000):
        for width in (1, 30, 999, 12000):
            size = rule.size(height, width)
            assert all(side % rule.multiple == 0 and rule.multiple <= side <= 4 * rule.side for side in size)


@pytest.mark.parametrize("size", [(140, 196), (1000, 600), (32, 32), (301, 407), (1, 1)])
def test_resize_is_opencv_cubic(size):
    cv2 = pytest.importorskip("cv2")
    photo = np.random.default_rng(0).integers(0, 256, (301, 407, 3), dtype=np.uint8)
    truth = cv2.resize(photo.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(resize_cubic(photo, size), truth, atol=2e-3)


def test_resize_keeps_ramps_and_constants():
    ramp = np.broadcast_to(np.arange(200, dtype=np.float32)[:, None, None], (200, 50, 3))
    resized = resize_cubic(ramp, (100, 25))
    expected = (np.arange(100) + 0.5) * 2 - 0.5
    np.testing.assert_allclose(resized[2:-2, :, 0], np.repeat(expected[2:-2, None], 25, 1), atol=1e-3)
    np.testing.assert_allclose(resize_cubic(np.full((9, 5, 3), 77, np.uint8), (40, 3)), 77, atol=1e-4)


def test_normalisation():
    grey = np.full((64, 64, 3), 255, np.uint8)
    np.testing.assert_allclose(DPT.prepare(grey), 1, atol=1e-5)
    white = MIDAS.prepare(grey)[:, 0, 0]
    np.testing.assert_allclose(white, [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], atol=1e-5)
    red = MIDAS.prepare(np.broadcast_to(np.array([255, 0, 0], np.uint8), (64, 64, 3)))[:, 0, 0]
    assert red[0] > 2 and red[1] < -2 and red[2] < -1.5


def test_a_photo_of_24_megapixels_needs_little_memory():
    photo = np.zeros((4000, 6000, 3), np.uint8)
    tracemalloc.start()
    prepared = ANYTHING.prepare(photo)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert prepared.shape == (3, 518, 784)
    assert peak < 120e6
