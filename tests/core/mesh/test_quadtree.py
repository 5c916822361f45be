"""Blocks: they cover each pixel once, levels differ by one at most, and none is flatter or wider than allowed."""

import numpy as np
import pytest
from layer_checks import filled
from scenes import ALL, EVERY

from photo_diorama.core.layers.layered_depth_image import Layer, LayeredDepthImage, mutual_links
from photo_diorama.core.mesh.quadtree import BLOCK, FLATNESS, TEXTURE_SHIFT, find_leaves
from photo_diorama.core.mesh.vertices import find_vertices


def image_of(disparity: np.ndarray) -> LayeredDepthImage:
    """One layer, all linked, without a border."""
    h, w = disparity.shape
    right, down = np.ones((2, h, w), bool)
    right[:, -1], down[-1] = False, False
    nothing = np.zeros((h, w), bool)
    layer = Layer(~nothing, nothing, disparity.astype(np.float32), np.zeros((h, w, 3), np.float32), mutual_links(right, down, 0))
    return LayeredDepthImage((layer,), (0, 0, h, w), 0.01, 1.0)


def leaves_of(image, k=0, tolerance=FLATNESS, texels=1.0):
    return find_leaves(image.layers[k], k, find_vertices(image), tolerance * image.span, texels)


def sizes(image, leaves) -> np.ndarray:
    """The size of the block that covers each pixel; asserts that there is one."""
    size = np.zeros(image.shape, int)
    for each in leaves:
        for r, c in zip(each.row, each.column, strict=True):
            part = size[r : r + each.size, c : c + each.size]
            assert part.shape == (each.size, each.size) and not part.any()
            part[:] = each.size
    return size


@pytest.mark.parametrize("name", EVERY)
def test_blocks_cover_each_present_pixel_once(name):
    image = filled(name)
    for k, layer in enumerate(image.layers):
        size = sizes(image, leaves_of(image, k))
        assert np.array_equal(size > 0, layer.present)


@pytest.mark.parametrize("name", ALL)
def test_blocks_hold_one_kind_of_one_surface(name):
    image = filled(name)
    for k, layer in enumerate(image.layers):
        for each in leaves_of(image, k):
            n = each.size
            for r, c in zip(each.row, each.column, strict=True):
                kind = layer.synthesised[r : r + n, c : c + n]
                assert kind.all() or not kind.any()
                assert (layer.links[0][r : r + n, c : c + n - 1] == k).all() or n == 1
                assert (layer.links[2][r : r + n - 1, c : c + n] == k).all() or n == 1


@pytest.mark.parametrize("name", EVERY)
def test_neighbours_differ_by_one_level_and_the_flag_says_so(name):
    image = filled(name)
    for k in range(len(image.layers)):
        leaves = leaves_of(image, k)
        size = sizes(image, leaves)
        large = np.where(size > 0, size, 10**6)
        for a, b in ((large[:, 1:], large[:, :-1]), (large[1:], large[:-1])):
            both = (a < 10**6) & (b < 10**6)
            assert (np.maximum(a, b)[both] <= 2 * np.minimum(a, b)[both]).all()
        around = np.pad(large, 1, constant_values=10**6)
        for each in leaves:
            n, r, c = each.size, each.row + 1, each.column + 1
            for side, (rr, cc) in enumerate(((r - 1, c), (r, c + n), (r + n, c), (r, c - 1))):
                assert np.array_equal(each.finer[:, side], around[rr, cc] < n)


def test_a_wall_takes_the_largest_blocks():
    image = image_of(np.full((2 * BLOCK, 3 * BLOCK), 0.5))
    by_size = {each.size: len(each.row) for each in leaves_of(image) if len(each.row)}
    assert by_size == {BLOCK: 6}


def test_texture_shift_limits_blocks_of_a_steep_plane():
    """Flat in disparity, but UVs shift: the bound of its formula holds for every block larger than a pixel."""
    plane = np.linspace(0.02, 1, 2 * BLOCK)[:, None].repeat(2 * BLOCK, axis=1)
    for texels in (1.0, 4.0):
        image = image_of(plane)
        corners = find_vertices(image)
        for each in leaves_of(image, texels=texels):
            if each.size == 1:
                continue
            top, bottom = (
                corners.disparity[0][each.row, each.column],
                corners.disparity[0][each.row + each.size, each.column],
            )
            q = np.sqrt(np.maximum(top, bottom) / np.minimum(top, bottom))
            assert (each.size * np.sqrt(2) * (q - 1) / (q + 1) * texels <= TEXTURE_SHIFT * 1.001).all()


def test_no_block_is_further_off_the_surface_than_allowed():
    """Bilinear interpolation of a block's corners against the true disparity, everywhere inside."""
    rows, columns = np.mgrid[: 2 * BLOCK, : 2 * BLOCK] / (2 * BLOCK)
    image = image_of(0.6 + 0.2 * np.sin(5 * rows) * np.cos(4 * columns))
    corners = find_vertices(image)
    d = corners.disparity[0]
    for tolerance in (FLATNESS, 10 * FLATNESS):
        for each in leaves_of(image, tolerance=tolerance):
            n = each.size
            for r, c, falls in zip(each.row, each.column, each.falling, strict=True):
                t, s = np.mgrid[: n + 1, : n + 1] / n
                tl, tr, bl, br = d[r, c], d[r, c + n], d[r + n, c], d[r + n, c + n]
                if falls:
                    flat = np.where(s >= t, tl + s * (tr - tl) + t * (br - tr), tl + t * (bl - tl) + s * (br - bl))
                else:
                    flat = np.where(s + t <= 1, tl + s * (tr - tl) + t * (bl - tl),
                                    br + (1 - s) * (bl - br) + (1 - t) * (tr - br))  # fmt: skip
                assert np.abs(flat - d[r : r + n + 1, c : c + n + 1]).max() <= 1.05 * tolerance * image.span or n == 1


def test_curves_are_finer_than_planes_and_tolerance_makes_coarser():
    rows, columns = np.mgrid[: 2 * BLOCK, : 2 * BLOCK] / (2 * BLOCK)
    curved = image_of(0.6 + 0.2 * np.sin(9 * rows) * np.cos(8 * columns))
    count = lambda image, tolerance: sum(len(each.row) for each in leaves_of(image, tolerance=tolerance))  # noqa: E731
    assert count(curved, FLATNESS) > 20 * count(image_of(np.full(rows.shape, 0.5)), FLATNESS)
    assert count(curved, FLATNESS / 4) > count(curved, FLATNESS) > count(curved, 4 * FLATNESS)
