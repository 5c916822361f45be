"""The atlas: every invented texel is in it at the place its tile says, with its own surroundings around it."""

import numpy as np
import pytest
from layer_checks import filled
from scenes import ALL, BORDERLESS

from photo_diorama.core.mesh.atlas import PADDING, pack_atlas
from photo_diorama.core.mesh.quadtree import BLOCK


@pytest.mark.parametrize("settings", ["bordered", "borderless"])
@pytest.mark.parametrize("name", ALL)
def test_each_invented_pixel_is_at_its_place(name, settings):
    image = filled(name) if settings == "bordered" else filled(name, BORDERLESS)
    atlas = pack_atlas(image)
    taken = {}
    for k, layer in enumerate(image.layers):
        r, c = np.nonzero(layer.synthesised)
        origin = atlas.origin[k, r // BLOCK, c // BLOCK]
        y, x = r + origin[:, 0], c + origin[:, 1]
        assert np.array_equal(atlas.texture[y, x], layer.colour[r, c])
        for place, pixel in zip(zip(y.tolist(), x.tolist(), strict=True), zip(r.tolist(), c.tolist(), strict=True), strict=True):
            assert taken.setdefault(place, (k, *pixel)) == (k, *pixel)  # no place is given twice
    assert np.isfinite(atlas.texture).all() and atlas.texture.dtype == np.float32


@pytest.mark.parametrize("name", ["T-junction", "sphere", "leaning wire 3 px"])
def test_round_each_pixel_lie_texels_of_its_own_layer(name):
    """Filtering reads neighbours: the layer's own pixels, or the nearest where it has none; never another's."""
    image = filled(name)
    atlas, (h, w) = pack_atlas(image), image.shape
    for k, layer in enumerate(image.layers):
        r, c = np.nonzero(layer.synthesised)
        origin = atlas.origin[k, r // BLOCK, c // BLOCK]
        own = layer.colour[layer.present]
        low, high = own.min(axis=0), own.max(axis=0)
        for dr in range(-PADDING, PADDING + 1):
            for dc in range(-PADDING, PADDING + 1):
                near = atlas.texture[r + origin[:, 0] + dr, c + origin[:, 1] + dc]
                rr, cc = np.clip(r + dr, 0, h - 1), np.clip(c + dc, 0, w - 1)
                there = layer.present[rr, cc]
                assert np.array_equal(near[there], layer.colour[rr, cc][there])
                assert (near >= low).all() and (near <= high).all()


def test_without_anything_invented_there_is_a_small_one():
    atlas = pack_atlas(ALL["ground"]().split(BORDERLESS))
    assert atlas.texture.ndim == 3 and 0 < atlas.texture.size < 1000


def test_the_atlas_is_packed():
    """A wire's wall behind takes its tiles and not the whole canvas again."""
    image = filled("wire 2 px", BORDERLESS)
    used = image.layers[1].synthesised
    h, w = used.shape
    texels = pack_atlas(image).texture[..., 0].size
    assert texels < 0.7 * h * w
