"""The learned fill: blocks hold each pixel once, colours land where they belong, missing weights are named."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from photo_diorama.core import settings  # noqa: E402
from photo_diorama.core.built_in import mosaic  # noqa: E402
from photo_diorama.core.built_in.colour import MULTIPLE  # noqa: E402
from photo_diorama.core.built_in.onnx_network import load  # noqa: E402
from photo_diorama.core.inpaint import learned  # noqa: E402
from photo_diorama.core.inpaint.choose_inpainter import INPAINTERS, choose_inpainter, resolve  # noqa: E402
from photo_diorama.core.inpaint.deterministic import FillParts, compose, fill_parts  # noqa: E402
from photo_diorama.core.inpaint.patch_match import THOROUGH, blur  # noqa: E402
from photo_diorama.core.layers.regions import Region  # noqa: E402
from photo_diorama.core.networks.checkpoints import save_network  # noqa: E402
from photo_diorama.core.networks.inpaint.forward import on_arrays  # noqa: E402
from photo_diorama.core.networks.inpaint.hidden_colour import START, load_hidden_colour, untrained  # noqa: E402
from photo_diorama.core.settings import HIDDEN_COLOUR, InpaintSettings  # noqa: E402

RIM, SIGMA = 2, 3.0
LONG_SIDE = 480


def made_regions() -> tuple[np.ndarray, list[Region]]:
    """A canvas and three regions on it: a wide one over several blocks, a tiny one, and one without context."""
    rng = np.random.default_rng(5)
    regions = []
    for top, left, height, width in ((10, 20, 260, 420), (300, 30, 3, 4), (320, 200, 40, 40)):
        rows, columns = np.mgrid[:height, :width]
        synthesis = (rows > height / 3) & (columns % 150 < 90)
        context = ~synthesis & (height != 40)
        colour = np.where(context[..., None], rng.random((height, width, 3)), 0).astype(np.float32)
        window = (slice(top, top + height), slice(left, left + width))
        regions.append(Region(window, synthesis, context, np.where(context, 5, 0).astype(np.int16), colour))
    canvas = rng.random((400, 480, 3)).astype(np.float32)
    for region in regions:
        parts = fill_parts(region, RIM, SIGMA, LONG_SIDE)
        canvas[region.window][region.synthesis] = untrained_fill(region, parts) if parts else compose(region, parts)
    return canvas, regions


def untrained_fill(region: Region, parts: FillParts) -> np.ndarray:
    """What a network that adds nothing makes of a region; one that is too small for it is as `compose` has it."""
    if region.synthesis.sum() < learned.MIN_SYNTHESIS:
        return compose(region, parts)
    hole = np.float32(region.synthesis | (region.context & ~parts.source))[..., None]
    mean = averaged(parts.pieces) / np.maximum(averaged(hole), 1e-3)[..., None]
    given = (parts.detail, *[parts.pieces] * 2, *[(parts.pieces - mean) * hole] * 2)
    filled = parts.smooth + sum(share * part for share, part in zip(START, given, strict=True))
    trusted = region.colour[parts.source]
    return np.clip(filled[region.synthesis], trusted.min(axis=0), trusted.max(axis=0))


def averaged(picture: np.ndarray) -> np.ndarray:
    """The average of five pixels both ways by weights of 1, 4, 6, 4, 1, as if black beyond the frame."""
    import cv2

    weights = np.float32([1, 4, 6, 4, 1]) / 16
    return cv2.sepFilter2D(picture, -1, weights, weights, borderType=cv2.BORDER_CONSTANT)


def completed(network) -> tuple[np.ndarray, np.ndarray, Region]:
    """The deterministic canvas, the canvas completed by the network, and the one region that is wide enough for it."""
    canvas, regions = made_regions()
    more = canvas.copy()
    completion = learned.TilePainter(more, on_arrays(network))
    for region in regions:
        parts = fill_parts(region, RIM, SIGMA, LONG_SIDE)
        if parts:
            completion.add(learned.cut_tiles(region, parts))
    completion.finish()
    return canvas, more, regions[0]


def network_that_adds(value: float):
    """One that adds `value` times the region's spread to the deterministic fill, whatever it is given."""
    network = untrained(4, 0).eval()
    with torch.no_grad():
        network.last.bias[:3] = value
    return network


@pytest.mark.parametrize("seed", range(4))
def test_blocks_hold_every_wanted_pixel_once(seed: int):
    rng = np.random.default_rng(seed)
    wanted = rng.random((rng.integers(1, 500), rng.integers(1, 500))) < (0.002, 0.3, 1.0, 0.00001)[seed]
    wanted[-1, 0] = True
    count = np.zeros(wanted.shape, int)
    for box, seen in learned.blocks(wanted):
        count[box] += 1
        assert all(s.start <= b.start and b.stop <= s.stop for s, b in zip(seen, box, strict=True))
        assert all(b.stop - b.start <= learned.BLOCK for b in box)
        assert all(s.stop - s.start <= learned.BLOCK + 2 * learned.MARGIN for s in seen)
    assert learned.BLOCK + 2 * learned.MARGIN <= mosaic.SIDE and mosaic.SIDE % MULTIPLE == 0  # so that every block fits on a canvas
    assert (count[wanted] == 1).all() and count.max() == 1


def test_untrained_it_takes_fixed_shares_of_what_it_is_given():
    canvas, more, region = completed(untrained(4, 0).eval())
    assert np.abs(more - canvas).max() < 1e-6
    assert np.abs(fill_parts(region, RIM, SIGMA, LONG_SIDE).pieces[region.synthesis]).mean() > 0.02


def test_colours_land_on_the_invented_pixels_alone(monkeypatch):
    monkeypatch.setattr(learned, "PIXELS_AT_ONCE", 1 << 16)  # so that the wide region is not the last batch
    canvas, more, region = completed(network_that_adds(0.25))
    wide = np.zeros(canvas.shape[:2], bool)
    wide[region.window] = region.synthesis
    context = region.colour[region.context & (region.distance > RIM)]
    spread = np.sqrt(((context - context.mean(axis=0)) ** 2).mean())
    assert np.array_equal(more[~wide], canvas[~wide])
    free = wide & (canvas + 0.25 * spread < context.max(axis=0)).all(axis=-1) & (canvas > context.min(axis=0)).all(axis=-1)
    assert free.sum() > 0.5 * wide.sum()
    assert np.allclose(more[free] - canvas[free], 0.25 * spread, atol=1e-5)


def test_colours_stay_within_those_of_the_trusted_context():
    """In each channel: nothing gets a tint that nothing around it has."""
    for adds, end in ((-50, np.min), (50, np.max)):
        _, made, region = completed(network_that_adds(adds))
        trusted = region.colour[fill_parts(region, RIM, SIGMA, LONG_SIDE).source]
        assert np.allclose(made[region.window][region.synthesis], end(trusted, axis=0))


def test_what_is_neither_context_nor_hole_changes_nothing():
    """Whatever the foreground looks like. The rim alone does: the network is shown it, and has to know what it is worth."""
    network = untrained(4, 0).eval()
    torch.nn.init.normal_(network.last.weight, generator=torch.Generator().manual_seed(1))
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[:70, :80]
    synthesis, context = (columns >= 30) & (columns < 50), columns >= 50
    distance = np.where(context, columns - 49, 0).astype(np.int16)
    colour = rng.random((70, 80, 3)).astype(np.float32)
    other, rim = colour.copy(), colour.copy()
    other[~context] = rng.random(3)
    rim[context & (distance <= RIM)] = rng.random(3)
    results = []
    for picture in (colour, other, rim):
        region = Region((slice(0, 70), slice(0, 80)), synthesis, context, distance, picture)
        canvas = np.zeros((70, 80, 3), np.float32)
        completion = learned.TilePainter(canvas, on_arrays(network))
        completion.add(learned.cut_tiles(region, fill_parts(region, RIM, SIGMA, LONG_SIDE)))
        completion.finish()
        results.append(canvas)
    assert results[0].any() and np.array_equal(*results[:2])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("texture", ["plain", "grain"])
def test_foreground_on_the_rim_does_not_come_back_by_the_weights_that_come_along(texture):
    """Beside a red rim of one to three pixels before grey the fill has less than a hundredth of that red, and its error (root mean
    square) is larger by less than a twentieth of full scale."""
    grey = np.full((120, 140), 0.5, np.float32)
    if texture == "grain":
        grey += blur(np.random.default_rng(3).uniform(-0.5, 0.5, grey.shape).astype(np.float32), 1.5)
    _, columns = np.mgrid[:120, :140]
    synthesis, context = (columns >= 40) & (columns < 70), columns >= 70
    distance = np.where(context, columns - 69, 0).astype(np.int16)
    errors = []
    for red in range(4):
        colour = np.where(context, grey, 0)[..., None].repeat(3, axis=2)
        colour[context & (distance <= red)] = 0.9, 0.1, 0.1
        region = Region((slice(0, 120), slice(0, 140)), synthesis, context, distance, colour)
        canvas = np.zeros((120, 140, 3), np.float32)
        completion = learned.TilePainter(canvas, load(HIDDEN_COLOUR))
        completion.add(learned.cut_tiles(region, fill_parts(region, 3, 6.0, 960)))
        completion.finish()
        filled = canvas[synthesis]
        assert abs(filled[:, 0] - filled[:, 1]).mean() < 0.01 * 0.8, red
        errors.append(np.sqrt(((filled - grey[synthesis][:, None]) ** 2).mean()))
    assert max(errors) - errors[0] < 0.05, errors


def test_the_same_twice():
    network = untrained(4, 0).eval()
    torch.nn.init.normal_(network.last.weight, generator=torch.Generator().manual_seed(1))
    assert completed(network)[1].tobytes() == completed(network)[1].tobytes()


def test_weights_come_back_as_they_were_saved(tmp_path):
    network = untrained(4, 3).eval()
    save_network(network, tmp_path / "hidden_colour.safetensors")
    loaded = load_hidden_colour(tmp_path / "hidden_colour.safetensors")
    assert loaded.width == 4
    for key, value in network.state_dict().items():
        assert torch.equal(value.half().float(), loaded.state_dict()[key]), key


def test_what_the_settings_say_is_done():
    """Nothing else of the settings changes, and what was chosen by name stays."""
    canvas = np.zeros((2, 2, 3), np.float32)
    diffusion, exemplar, chosen = (choose_inpainter(InpaintSettings(name)) for name in ("diffusion", "exemplar", "automatic"))
    assert (diffusion.effort, exemplar.effort, chosen.effort) == (None, THOROUGH, THOROUGH)
    assert diffusion.painter(canvas, None, None) is exemplar.painter(canvas, None, None) is None
    assert chosen.painter(canvas, None, None).network is load(HIDDEN_COLOUR)
    assert resolve(InpaintSettings(hidden_depth="nearest")) == InpaintSettings("learned", hidden_depth="nearest")
    assert resolve(InpaintSettings("diffusion")) == InpaintSettings("diffusion")
    assert {*INPAINTERS, "automatic"} == set(settings.INPAINTERS)
