"""The learned fill: blocks hold each pixel once, corrections land where they belong, missing weights are named."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from photo_diorama.core import fill_learned  # noqa: E402
from photo_diorama.core.errors import DioramaError  # noqa: E402
from photo_diorama.core.fill_colour import paint_region  # noqa: E402
from photo_diorama.core.networks.refine_colour import untrained  # noqa: E402
from photo_diorama.core.regions import Region  # noqa: E402

RIM, SIGMA = 2, 3.0


def made_regions() -> tuple[np.ndarray, list[Region]]:
    """A canvas and three regions on it: a wide one over several blocks, a tiny one, and one without context."""
    rng = np.random.default_rng(5)
    regions = []
    for top, left, height, width in ((10, 20, 260, 420), (300, 30, 9, 12), (320, 200, 40, 40)):
        rows, columns = np.mgrid[:height, :width]
        synthesis = (rows > height / 3) & (columns % 150 < 90)
        context = ~synthesis & (height > 9) & (height != 40)
        colour = np.where(context[..., None], rng.random((height, width, 3)), 0).astype(np.float32)
        window = (slice(top, top + height), slice(left, left + width))
        regions.append(Region(window, synthesis, context, np.where(context, 5, 0).astype(np.int16), colour))
    canvas = rng.random((400, 480, 3)).astype(np.float32)
    for region in regions:
        canvas[region.window][region.synthesis] = paint_region(region, RIM, SIGMA)
    return canvas, regions


def network_that_adds(value: float):
    """One whose correction is `value` times the region's spread, whatever it is given."""
    network = untrained(4, 0).eval()
    with torch.no_grad():
        network.dec_1.conv.input_conv.bias.fill_(value)
    return network


@pytest.mark.parametrize("seed", range(4))
def test_blocks_hold_every_wanted_pixel_once(seed: int):
    rng = np.random.default_rng(seed)
    wanted = rng.random((rng.integers(1, 500), rng.integers(1, 500))) < (0.002, 0.3, 1.0, 0.00001)[seed]
    wanted[-1, 0] = True
    count = np.zeros(wanted.shape, int)
    for box, seen in fill_learned.blocks(wanted):
        count[box] += 1
        assert all(s.start <= b.start and b.stop <= s.stop for s, b in zip(seen, box, strict=True))
        assert all(b.stop - b.start <= fill_learned.BLOCK for b in box)
        assert all(s.stop - s.start <= 256 for s in seen)
    assert (count[wanted] == 1).all() and count.max() == 1


def test_an_untrained_network_leaves_every_byte():
    canvas, regions = made_regions()
    corrected = canvas.copy()
    fill_learned.correct(corrected, regions, RIM, SIGMA, untrained(4, 0).eval())
    assert np.array_equal(corrected, canvas)


def test_corrections_land_on_the_invented_pixels_alone(monkeypatch):
    canvas, regions = made_regions()
    corrected = canvas.copy()
    monkeypatch.setattr(fill_learned, "PIXELS_AT_ONCE", 1 << 16)  # so that the wide region is not the last batch
    fill_learned.correct(corrected, regions, RIM, SIGMA, network_that_adds(0.25))
    wide = np.zeros(canvas.shape[:2], bool)
    wide[regions[0].window] = regions[0].synthesis
    context = regions[0].colour[regions[0].context]
    spread = np.sqrt(((context - context.mean(axis=0)) ** 2).mean())
    assert np.array_equal(corrected[~wide], canvas[~wide])
    assert np.allclose(corrected[wide] - canvas[wide], 0.25 * spread, atol=1e-5)


def test_colours_never_fall_below_zero():
    canvas, regions = made_regions()
    fill_learned.correct(canvas, regions, RIM, SIGMA, network_that_adds(-50))
    assert canvas.min() == 0


def test_the_same_twice():
    network = untrained(4, 0).eval()
    torch.nn.init.normal_(network.dec_1.conv.input_conv.weight, generator=torch.Generator().manual_seed(1))
    results = []
    for _ in range(2):
        canvas, regions = made_regions()
        fill_learned.correct(canvas, regions, RIM, SIGMA, network)
        results.append(canvas)
    assert results[0].tobytes() == results[1].tobytes()


def test_missing_weights_are_said(tmp_path):
    with pytest.raises(DioramaError, match=r"refine_colour.*missing.*diffusion"):
        fill_learned.load_network(tmp_path / "refine_colour.safetensors")
