"""What the inpainting networks are given and what becomes of their answers."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from photo_diorama.core.built_in import crops as crops_module
from photo_diorama.core.built_in.crops import Crop, batches, close_synthesis, crop_centred, pad_centred, padded_size
from photo_diorama.core.networks.inpaint.inpaint_colour import InpaintColour, colour_input, inpaint_colour, working_size
from photo_diorama.core.networks.inpaint.inpaint_depth import InpaintDepth, depth_input, inpaint_depth
from photo_diorama.core.networks.inpaint.inpaint_edge import InpaintEdge, edge_input, inpaint_edge


def make_crop(height=90, width=140, seed=0) -> Crop:
    """A background with a band to be invented, and a foreground beside it that belongs to neither region."""
    rng = np.random.default_rng(seed)
    columns = np.broadcast_to(np.arange(width), (height, width))
    context = columns < width // 2
    synthesis = (columns >= width // 2) & (columns < width * 3 // 4)
    edge = np.zeros((height, width), bool)
    edge[height // 3] = True
    colour = ndimage.gaussian_filter(rng.random((height, width, 3)), (3, 3, 0)).astype(np.float32)
    depth = (2 + ndimage.gaussian_filter(rng.random((height, width)), 5) * 3).astype(np.float32)
    return Crop(colour, depth, edge, context, synthesis)


def replace(crop: Crop, **changes) -> Crop:
    fields = {name: getattr(crop, name) for name in ("colour", "depth", "edge", "context", "synthesis")}
    return Crop(**(fields | changes))


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return {kind.name: kind(4, "folded").eval() for kind in (InpaintEdge, InpaintDepth, InpaintColour)}


@pytest.fixture(scope="module")
def run(networks):
    return {
        "edge": lambda crops: inpaint_edge(networks["inpaint_edge"], crops),
        "depth": lambda crops: inpaint_depth(networks["inpaint_depth"], crops),
        "colour": lambda crops: inpaint_colour(networks["inpaint_colour"], crops),
    }


@pytest.mark.parametrize("what", ["edge", "depth", "colour"])
def test_nothing_outside_context_is_seen(run, what):
    crop = make_crop()
    outside = ~crop.context
    blind = replace(
        crop,
        colour=np.where(outside[..., None], np.float32(np.nan), crop.colour),
        depth=np.where(outside, np.float32(-np.inf), crop.depth),
        edge=crop.edge | ~(crop.context | crop.synthesis),
    )
    (first,), (second,) = run[what]([crop]), run[what]([blind])
    assert np.isfinite(first).all()
    assert np.array_equal(first[crop.synthesis], second[crop.synthesis])


@pytest.mark.parametrize("what", ["depth", "colour"])
def test_what_is_known_is_returned_bit_for_bit(run, what):
    crop = make_crop()
    (result,) = run[what]([crop])
    known = getattr(crop, what)
    assert result.dtype == np.float32 and result.shape == known.shape
    assert np.array_equal(result[~crop.synthesis], known[~crop.synthesis])
    assert not np.array_equal(result[crop.synthesis], known[crop.synthesis])


def test_depth_knows_no_unit(run):
    """Mean-shifted logarithms: a scene 1000 times larger has depth 1000 times larger, and the same edges."""
    crop = make_crop()
    scaled = replace(crop, depth=crop.depth * np.float32(1000))
    (small,), (large,) = run["depth"]([crop]), run["depth"]([scaled])
    np.testing.assert_allclose(large, small * 1000, rtol=1e-4)
    np.testing.assert_allclose(run["edge"]([scaled])[0], run["edge"]([crop])[0], atol=1e-5)


def test_depth_channels_are_those_of_the_paper():
    crop = make_crop()
    channels, validity, mean = depth_input(crop, closing=1)
    assert channels.shape == (4, 90, 140) and channels.dtype == np.float32
    assert abs(channels[0][crop.context].mean()) < 1e-6
    np.testing.assert_allclose(np.exp(channels[0] + mean)[crop.context], crop.depth[crop.context], rtol=1e-5)
    assert not channels[0][~crop.context].any()
    assert np.array_equal(validity[0] > 0, crop.context | crop.synthesis)
    assert np.array_equal(channels[1:] > 0, np.stack([crop.seen_edge, crop.context, crop.synthesis]))


def test_edge_channels_are_those_of_the_paper():
    crop = make_crop()
    channels = edge_input(crop)
    assert channels.shape == (7, 90, 140)
    assert channels[3].max() == 1
    nearest = crop.depth[crop.context].min()
    np.testing.assert_allclose(channels[3][crop.context], nearest / crop.depth[crop.context], rtol=1e-5)
    assert not channels[:4, ~crop.context].any()


@pytest.mark.parametrize("what", ["edge", "depth", "colour"])
def test_a_batch_gives_what_single_runs_give(run, what):
    crops = [make_crop(90, 140, 1), make_crop(30, 300, 2), make_crop(128, 130, 3), make_crop(127, 129, 4)]
    together = run[what](crops)
    for crop, result in zip(crops, together, strict=True):
        (alone,) = run[what]([crop])
        assert result.shape[:2] == crop.context.shape
        np.testing.assert_allclose(result, alone, atol=2e-5)


def test_same_input_same_bytes(run):
    crops = [make_crop(90, 140, 1), make_crop(100, 150, 2)]
    for function in run.values():
        for first, second in zip(function(crops), function(crops), strict=True):
            assert first.tobytes() == second.tobytes()


def test_step_hears_the_fractions_and_may_stop(networks):
    crops = [make_crop(seed=seed) for seed in range(3)] + [make_crop(200, 100)]
    heard = []
    inpaint_depth(networks["inpaint_depth"], crops, step=heard.append, batch_pixels=2 * 128 * 256)
    assert heard == [0.5, 0.75, 1.0]

    def stop(fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inpaint_depth(networks["inpaint_depth"], crops, step=stop)


def test_large_crops_are_shrunk_for_colour_without_overshoot(networks):
    """Black and white stripes make a bicubic enlargement leave 0..1; what is known stays as it is."""
    crop = make_crop(800, 900)
    stripes = np.broadcast_to(((np.arange(800) // 8) % 2)[:, None, None], (800, 900, 3)).astype(np.float32)
    crop = replace(crop, colour=stripes)
    assert max(working_size(800, 900)) == 512
    channels, validity = colour_input(crop)
    assert channels.shape[1:] == working_size(800, 900)
    assert not channels[3].any()
    assert not (channels[4] * channels[5]).any()
    assert set(np.unique(validity)) <= {0.0, 1.0}
    (result,) = inpaint_colour(networks["inpaint_colour"], [crop])
    assert result.min() >= 0 and result.max() <= 1
    assert np.array_equal(result[~crop.synthesis], stripes[~crop.synthesis])


@pytest.mark.parametrize("height, width", [(512, 512), (300, 700), (513, 600), (1000, 1000), (3000, 200), (90, 140)])
def test_working_size_keeps_the_area_and_the_multiple(height, width):
    new_height, new_width = working_size(height, width)
    assert new_height * new_width <= 512**2 or (new_height, new_width) == (height, width)
    if (new_height, new_width) == (height, width):
        assert 512 * max(height, width) / np.sqrt(height * width) >= max(height, width) // 128 * 128
    else:
        assert max(new_height, new_width) % 128 == 0 and max(new_height, new_width) < max(height, width)
        assert abs(new_height / new_width - height / width) < 0.01 * height / width + 1 / new_width


def test_closing_is_the_one_of_the_plane():
    rng = np.random.default_rng(5)
    for size in (1, 3, 7, 41):
        region = ndimage.binary_opening(rng.random((70, 90)) > 0.4)
        context = region & (rng.random((70, 90)) > 0.5)
        synthesis = region & ~context
        far = np.pad(region, 100)
        truth = ndimage.binary_closing(far, np.ones((size, size)))[100:-100, 100:-100] & ~context
        assert np.array_equal(close_synthesis(synthesis, context, size), truth)


def test_padding_is_undone_and_is_zero():
    for height, width in [(1, 1), (127, 129), (128, 256), (90, 300)]:
        size = padded_size(height, width)
        assert all(side % 128 == 0 for side in size) and size[0] - height < 128 and size[1] - width < 128
        channels = np.random.default_rng(0).random((3, height, width), dtype=np.float32)
        padded = pad_centred(channels, size)
        assert np.array_equal(crop_centred(padded, height, width), channels)
        assert padded.sum(dtype=np.float64) == pytest.approx(channels.sum(dtype=np.float64))


def test_batches_cover_all_within_the_budget():
    sizes = [(128, 128), (128, 256), (128, 128), (1024, 1024), (128, 128), (128, 256)]
    groups = list(batches(sizes, 2 * 128 * 128))
    assert sorted(index for group in groups for index in group) == list(range(len(sizes)))
    for group in groups:
        assert len({sizes[index] for index in group}) == 1
        assert len(group) == 1 or len(group) * np.prod(sizes[group[0]]) <= 2 * 128 * 128


@pytest.mark.parametrize(
    "change",
    [
        {"colour": np.zeros((90, 140), np.float32)},
        {"edge": np.zeros((90, 140), np.uint8)},
        {"synthesis": np.ones((90, 140), bool)},
        {"context": np.zeros((90, 140), bool)},
        {"depth": np.zeros((90, 140), np.float32)},
    ],
)
def test_impossible_crops_are_refused(change):
    with pytest.raises(ValueError, match="crop"):
        replace(make_crop(), **change)


def test_multiple_is_the_depth_of_the_unet():
    assert crops_module.MULTIPLE == 2**7
