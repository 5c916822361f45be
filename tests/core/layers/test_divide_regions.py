"""No synthesis region covers the context that it continues, where depth edges tell its parts apart."""

from pathlib import Path

import numpy as np
import pytest
from scenes import BORDERLESS, relief

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.inpaint.inpaint import add_hidden_layer, inpaint
from photo_diorama.core.layers.discontinuities import label_surfaces
from photo_diorama.core.layers.divide_regions import divide_self_covering
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.layers.layered_depth_image import DOWN, RIGHT, STEPS
from photo_diorama.core.layers.regions import disocclude, find_regions
from photo_diorama.core.photo.photo import Photo
from photo_diorama.core.settings import InpaintSettings

HEIGHT, WIDTH, RIM, CARD = 120, 160, 80, slice(60, 100)


def standing_card():
    """A red card on a blue floor that rises to it, and a green rim before the lower part of both.

    Behind the rim card and floor meet, so that what is behind the card's sides and what is behind the rim are one surface.
    """
    floor = np.repeat(np.linspace(0.1, 0.5, HEIGHT, dtype=np.float32)[:, None], WIDTH, axis=1)
    disparity, colour = floor.copy(), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colour[..., 2] = 200
    disparity[20:RIM, CARD] = floor[RIM + 5, 0]
    colour[20:RIM, CARD] = (200, 0, 0)
    disparity[RIM:] = 1
    colour[RIM:] = (0, 200, 0)
    photo = Photo("card", Path("card.png"), colour, None, Camera.from_fov(WIDTH, HEIGHT), "made here", None)
    return make_first_layer(photo, DepthMap(disparity, np.ones(disparity.shape, bool), True, "made here"), BORDERLESS)


def hidden_layer(image):
    return add_hidden_layer(image, disocclude(image, BORDERLESS.hidden_width))


def covered_links(image, labels: np.ndarray) -> np.ndarray:
    """Flat indices of hidden pixels linked to an earlier layer where their own region has a pixel too; and of that pixel."""
    last = len(image.layers) - 1
    layer, pairs = image.layers[last], []
    for side, (row, column) in enumerate(STEPS):
        linked = np.flatnonzero(layer.present & (layer.links[side] >= 0) & (layer.links[side] < last))
        there = linked + row * labels.shape[1] + column
        same = labels.ravel()[linked] == labels.ravel()[there]
        pairs.append(np.stack([linked[same], there[same]]))
    return np.concatenate(pairs, axis=1)


def connected(image) -> np.ndarray:
    layer = image.layers[-1]
    return label_surfaces(layer.present, layer.links[RIGHT] == 1, layer.links[DOWN] == 1)[0]


def test_the_card_above_the_rim_is_seen_by_what_continues_it():
    image, found = hidden_layer(standing_card())
    whole = connected(image)
    assert covered_links(image, whole).size > 0  # as one region, it would cover its context
    labels = divide_self_covering(image, found.seed)
    assert covered_links(image, labels).size == 0
    behind_rim, behind_card = labels[RIM + 1, 60], labels[RIM - 3, 60]
    assert whole[RIM + 1, 60] == whole[RIM - 3, 60] and behind_rim != behind_card
    region = next(r for r in find_regions(image, BORDERLESS.context_width, found) if holds(r, RIM + 1, 60))
    assert region.context[RIM - 1 - region.window[0].start, 60 - region.window[1].start]


def holds(region, row: int, column: int) -> bool:
    at = row - region.window[0].start, column - region.window[1].start
    inside = all(0 <= place < size for place, size in zip(at, region.synthesis.shape, strict=True))
    return inside and bool(region.synthesis[at])


@pytest.mark.parametrize("inpainter", ["diffusion", "exemplar"])
def test_the_first_pixels_behind_the_rim_have_the_colour_that_they_continue(inpainter):
    """What a camera that rises a little sees first."""
    image, _ = inpaint(standing_card(), BORDERLESS, InpaintSettings(inpainter=inpainter))
    row = image.layers[1].colour[RIM, CARD]
    assert (row[2:-2, 0] > 0.5).all() and (row[2:-2, 2] < 0.2).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_region_is_part_of_one_surface_and_covers_none_of_its_context(seed):
    image, found = hidden_layer(relief(seed).split(BORDERLESS))
    labels, whole = divide_self_covering(image, found.seed), connected(image)
    present = image.layers[1].present
    assert np.array_equal(labels > 0, present)
    assert np.array_equal(np.unique(labels[present]), np.arange(1, labels.max() + 1))
    pairs = np.unique(np.stack([labels[present], whole[present]]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]  # each region within one surface
    untouched = np.setdiff1d(whole[present], whole.ravel()[covered_links(image, whole)[0]])
    assert all(len(np.unique(labels[whole == surface])) == 1 for surface in untouched)
    assert covered_links(image, whole).size and not covered_links(image, labels).size
