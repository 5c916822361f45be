"""Colour of hidden parts and of the border: from the context alone, plain stays plain, and detail comes along."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import BORDERED, BORDERLESS, HEIGHT, WIDTH, Scene, slanted_ground, t_junction, two_planes

from photo_diorama.core.inpaint.border import fill_border
from photo_diorama.core.inpaint.choose_inpainter import choose_inpainter
from photo_diorama.core.inpaint.deterministic import trusted_context
from photo_diorama.core.inpaint.fill_colour import fill_colour
from photo_diorama.core.inpaint.inpaint import add_hidden_layer
from photo_diorama.core.inpaint.lama import Lama
from photo_diorama.core.inpaint.patch_match import QUICK
from photo_diorama.core.layers.layered_depth_image import Layer, LayeredDepthImage
from photo_diorama.core.layers.regions import Region, disocclude, find_regions
from photo_diorama.core.raster.push_pull import push_pull
from photo_diorama.core.settings import InpaintSettings, LayerSettings

SIDE = 60
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def region_of(colour, hole=np.s_[20:40, 20:40], beside=None) -> Region:
    """A square hole in a square of context; `beside` marks pixels that are neither, such as a foreground's."""
    synthesis = np.zeros((SIDE, SIDE), bool)
    synthesis[hole] = True
    context = ~synthesis if beside is None else ~synthesis & ~beside
    r, c = np.clip(ROWS, 20, 39), np.clip(COLUMNS, 20, 39)
    distance = (np.abs(ROWS - r) + np.abs(COLUMNS - c)).astype(np.int16)
    return Region((slice(0, SIDE), slice(0, SIDE)), synthesis, context, distance, colour.astype(np.float32))


def painted(region: Region, rim: int = 0) -> np.ndarray:
    """(n, 3) colours of the hole, from the public way in: a hidden layer that is that hole."""
    nothing = np.full((4, SIDE, SIDE), -1, np.int8)
    layer = Layer(region.synthesis, region.synthesis, np.ones((SIDE, SIDE), np.float32), region.colour * 0, nothing)
    image = LayeredDepthImage((layer, layer), (0, 0, SIDE, SIDE), 0.01, 1.0)
    result = fill_colour([region], image, choose_inpainter(InpaintSettings()), rim / SIDE)[region.synthesis]
    assert result.shape == (region.synthesis.sum(), 3) and np.isfinite(result).all() and (result >= 0).all()
    return result


@pytest.mark.parametrize("rim", [0, 3])
def test_a_plain_context_gives_that_colour(rim):
    colour = np.broadcast_to((0.1, 0.5, 0.8), (SIDE, SIDE, 3))
    assert np.abs(painted(region_of(colour), rim) - (0.1, 0.5, 0.8)).max() < 1e-3


def test_a_region_without_context_takes_the_nearest_colour_that_was_found_behind():
    """Not grey: that showed as a flat patch in a gap."""
    left, right = (
        region_of(np.broadcast_to((0.1, 0.5, 0.8), (SIDE, SIDE, 3)), hole) for hole in (np.s_[20:40, 10:20], np.s_[20:40, 25:40])
    )
    alone = replace(right, context=np.zeros_like(right.context))
    both = left.synthesis | right.synthesis
    layer = Layer(
        both, both, np.ones((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE, 3), np.float32), np.full((4, SIDE, SIDE), -1, np.int8)
    )
    image = LayeredDepthImage((layer, layer), (0, 0, SIDE, SIDE), 0.01, 1.0)
    result = fill_colour([left, alone], image, choose_inpainter(InpaintSettings()), 0.0)
    assert np.abs(result[both] - (0.1, 0.5, 0.8)).max() < 1e-3


def test_what_is_neither_context_nor_hole_has_no_say():
    """The same fill, bit by bit, whatever stands there."""
    rng = np.random.default_rng(0)
    texture = rng.random((SIDE, SIDE, 3)) * (0, 1, 1)
    beside = COLUMNS < 15
    fills = []
    for foreign in (0.0, 0.5, 1.0):
        colour = np.where(beside[..., None], foreign, texture)
        colour[20:40, 20:40] = foreign  # nor what the hole held before
        fills.append(painted(region_of(colour, beside=beside), 2))
    assert np.array_equal(fills[0], fills[1]) and np.array_equal(fills[0], fills[2])
    assert fills[0][:, 0].max() == 0


def test_the_rim_is_not_trusted():
    """A rim of foreground colour that leaked over the silhouette does not come back in the fill."""
    colour = np.broadcast_to((0.0, 0.5, 0.8), (SIDE, SIDE, 3)).copy()
    region = region_of(colour)
    colour[region.distance == 1] = colour[region.distance == 2] = (1, 0, 0)
    region = region_of(colour)
    assert np.array_equal(trusted_context(region, 2), region.distance > 2)
    assert painted(region, 2)[:, 0].max() < 1e-3 < painted(region, 0)[:, 0].max()


def test_a_rim_never_takes_all_of_a_small_context():
    colour = np.broadcast_to((0.2, 0.5, 0.8), (SIDE, SIDE, 3))
    region = region_of(colour, beside=(ROWS < 17) | (ROWS > 42) | (COLUMNS < 17) | (COLUMNS > 42))
    trusted = trusted_context(region, 50)
    assert trusted.any() and (trusted <= region.context).all()
    assert np.abs(painted(region, 50) - (0.2, 0.5, 0.8)).max() < 1e-3


def test_a_slow_gradient_goes_on():
    colour = np.dstack([COLUMNS / SIDE, ROWS / SIDE, 0 * ROWS + 0.5])
    region = region_of(colour)
    assert np.abs(painted(region) - colour[region.synthesis]).max() < 0.1


def test_without_any_context_something_neutral_comes():
    region = region_of(np.zeros((SIDE, SIDE, 3)), beside=np.ones((SIDE, SIDE), bool))
    result = painted(region)
    assert (result == result[0, 0]).all()


@pytest.mark.parametrize("shape", [(60, 60), (61, 37), (1, 9), (9, 1), (2, 2)])
def test_push_pull_keeps_what_is_known_and_stays_within_it(shape):
    rng = np.random.default_rng(1)
    colour = rng.random((*shape, 3)).astype(np.float32)
    known = rng.random(shape) < 0.2
    known.flat[0] = True
    result = push_pull(colour, known)
    assert np.array_equal(result[known], colour[known])
    low, high = colour[known].min(axis=0), colour[known].max(axis=0)
    assert (result >= low - 1e-5).all() and (result <= high + 1e-5).all()


def test_all_known_is_a_copy():
    colour = np.random.default_rng(1).random((7, 9, 3)).astype(np.float32)
    assert np.array_equal(push_pull(colour, np.ones((7, 9), bool)), colour)


def border_of(scene):
    image = scene.split(BORDERED)
    return image, fill_border(image, BORDERED, InpaintSettings(), choose_inpainter(InpaintSettings()))


def test_the_border_leaves_the_photo_and_begins_like_it():
    scene = slanted_ground()
    image, colour = border_of(scene)
    top, left, _, _ = image.frame
    inside = colour[top : top + HEIGHT, left : left + WIDTH]
    assert np.array_equal(inside, image.layers[0].colour[top : top + HEIGHT, left : left + WIDTH])
    for border, frame in ((colour[top - 1], colour[top]), (colour[:, left - 1], colour[:, left]),
                          (colour[top + HEIGHT], colour[top + HEIGHT - 1])):  # fmt: skip
        assert np.abs(border - frame).mean() < 0.08


def test_the_border_has_no_colour_across_a_tear():
    """The rectangle at the frame is red; the wall's border beside it and above it is not."""
    for box in ((60, 0, HEIGHT, 60), (0, 50, 3, 110), (110, 30, HEIGHT, 140)):
        image, colour = border_of(two_planes(box))
        red = image.layers[0].disparity > 0.5
        assert colour[~red][:, 0].max() == 0 and colour[red][:, 0].min() == 1


def test_only_invented_pixels_are_painted():
    scene = t_junction()
    image = scene.split(BORDERLESS)
    found = disocclude(image, 0.07)
    image, found = add_hidden_layer(image, found)
    told = []
    colour = fill_colour(find_regions(image, 0.14, found), image, choose_inpainter(InpaintSettings()), 0.003, told.append)
    hidden = image.layers[1].present
    assert not colour[~hidden].any() and colour[hidden].any(axis=1).all()
    assert told == sorted(told) and told[-1] == pytest.approx(1)


def number_plate() -> np.ndarray:
    """(60, 110, 3): printed digits on white."""
    import cv2

    plate = np.full((60, 110, 3), 0.95, np.float32)
    cv2.putText(plate, "R2 748", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0.05, 0.05, 0.1), 3)
    return plate


def likeness(picture: np.ndarray, sought: np.ndarray) -> float:
    """The best normalised correlation of a picture, grey, at any place of another."""
    import cv2

    return float(cv2.matchTemplate(picture.mean(axis=2).astype(np.float32), sought.mean(axis=2), cv2.TM_CCOEFF_NORMED).max())


@pytest.mark.parametrize("inpainter", ["diffusion", "exemplar", "learned", "lama"])
def test_nothing_recognisable_stands_in_the_border_as_in_a_mirror(inpainter):
    rng = np.random.default_rng(4)
    wall = (0.4 + 0.1 * rng.standard_normal((240, 320, 1)) + np.zeros(3)).clip(0, 1).astype(np.float32)
    plate = number_plate()
    wall[100:160, 206:316] = plate
    wall = (wall * 255).astype(np.uint8)
    slanted = np.tile(np.linspace(0.5, 0.4, 320, dtype=np.float32), (240, 1))
    image = Scene(wall, slanted, np.zeros((240, 320), np.int8), slanted[None]).split(LayerSettings(border=0.25))
    wall = wall / np.float32(255)
    settings = InpaintSettings(inpainter=inpainter)
    chosen = Lama(settings) if inpainter == "lama" else choose_inpainter(settings)  # its network is not asked for a border
    colour = fill_border(image, LayerSettings(), settings, chosen)
    top, left, height, width = image.frame
    beyond = colour[top : top + height, left + width :]
    half = plate[:, 40:, :]  # the part nearest to the edge, which would come first
    mirrored = np.pad(wall, ((0, 0), (0, 80), (0, 0)), mode="reflect")[:, 320:]
    assert likeness(mirrored, np.ascontiguousarray(half[:, ::-1])) > 0.99
    assert likeness(beyond, np.ascontiguousarray(half[:, ::-1])) < 0.5 and likeness(beyond, half) < 0.75
    assert np.abs(beyond[:80, :4].mean() - wall[:80].mean()) < 0.05


@pytest.mark.parametrize("name, border, nested", [("diffusion", None, None), ("exemplar", QUICK, QUICK), ("learned", QUICK, None)])
def test_what_hardly_shows_costs_little(name, border, nested):
    """The border and what invented surfaces hide are searched less, and no network paints there."""
    chosen = choose_inpainter(InpaintSettings(inpainter=name))
    assert chosen.for_border().effort == border and type(chosen.for_border()).__name__ in ("Deterministic", "Exemplar")
    assert chosen.for_nested().effort == nested and type(chosen.for_nested()).__name__ in ("Deterministic", "Exemplar")
