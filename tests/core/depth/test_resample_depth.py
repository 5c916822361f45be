"""Depth at another size, without gaps: planes stay planes, silhouettes follow the photo's, gaps their surface."""

import numpy as np
import pytest
from scenes import HEIGHT, WIDTH, slanted_ground, sphere_before_wall, t_junction, two_planes, wire

from photo_diorama.core.depth.resample_depth import fill_unknown, grow_surfaces, resample, separating_jump, smooth_silhouettes

ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
ALL_KNOWN = np.ones((HEIGHT, WIDTH), bool)


def colour_of(scene):
    return scene.photo().working_colour(*scene.surface.shape)


def seen_surface(scene, disparity):
    """The surface that each pixel's disparity is nearest to."""
    return np.argmin([np.abs(disparity - np.nanmedian(plane)) for plane in scene.surfaces], axis=0)


def beside_silhouettes(scene, pixels: int):
    """(h, w) bool: within so many pixels of another surface."""
    near = np.zeros(scene.surface.shape, bool)
    for dr in range(-pixels, pixels + 1):
        for dc in range(-pixels, pixels + 1):
            r, c = np.clip(ROWS + dr, 0, HEIGHT - 1), np.clip(COLUMNS + dc, 0, WIDTH - 1)
            near |= scene.surface[r, c] != scene.surface
    return near


def reduced(disparity, factor: int, how: str):
    if how == "sampled":
        return np.ascontiguousarray(disparity[factor // 2 :: factor, factor // 2 :: factor])
    h, w = disparity.shape
    return disparity.reshape(h // factor, factor, w // factor, factor).mean(axis=(1, 3))


@pytest.mark.parametrize("make", [two_planes, t_junction, sphere_before_wall, lambda: wire(3, 0.4)])
@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("how", ["sampled", "averaged"])
def test_silhouettes_of_small_maps_follow_the_photos(make, factor, how):
    """From a quarter of the resolution every silhouette lies within one pixel of the one in the colours."""
    scene = make()
    small = reduced(scene.disparity, factor, how)
    large, known = resample(small, np.ones(small.shape, bool), colour_of(scene), HEIGHT, WIDTH)
    assert known.all() and large.dtype == np.float32
    wrong = seen_surface(scene, large) != scene.surface
    assert not (wrong & ~beside_silhouettes(scene, 1)).any()


@pytest.mark.parametrize("factor", [2, 4])
def test_a_plane_stays_that_plane(factor):
    """No stairs, although its values range far: within the error of rounding, and away from the outermost samples."""
    plane = np.float32(0.1 + 0.006 * ROWS + 0.001 * COLUMNS)
    small = reduced(plane, factor, "averaged")
    large, _ = resample(small, np.ones(small.shape, bool), np.full((HEIGHT, WIDTH, 3), 0.5, np.float32), HEIGHT, WIDTH)
    inner = np.s_[factor:-factor, factor:-factor]
    assert np.allclose(large[inner], plane[inner], atol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(60, 80), (30, 40), (40, 53)])
def test_shrinking_invents_no_value_between_two_surfaces(rows, columns):
    scene = t_junction()
    small, known = resample(scene.disparity, ALL_KNOWN, None, rows, columns)
    assert small.shape == (rows, columns) and known.all()
    values = np.array([0.25, 0.5, 1.0])
    assert np.abs(small[..., None] - values).min(axis=2).max() < 1e-6


def test_shrinking_averages_one_surface_and_only_what_is_known():
    plane = np.float32(0.5 + 0.0005 * ROWS)
    plane[:, -4:] = 1  # another surface, so that the range is that of a photo
    known = (ROWS + COLUMNS) % 2 == 0
    small, known_out = resample(np.where(known, plane, 0), known, None, HEIGHT // 4, WIDTH // 4)
    assert known_out.all()
    assert np.allclose(small, plane.reshape(HEIGHT // 4, 4, WIDTH // 4, 4).mean(axis=(1, 3)), atol=1e-6)


def test_a_few_known_pixels_survive_shrinking():
    known = np.zeros((HEIGHT, WIDTH), bool)
    known[1::8, 2::8] = True
    small, known_out = resample(np.where(known, np.float32(0.3), 0) + ROWS * known * 1e-3, known, None, 30, 40)
    assert known_out.sum() == known.sum() and (small[known_out] >= np.float32(0.3)).all()


def test_same_size_changes_nothing():
    scene = t_junction()
    same, known = resample(scene.disparity, ALL_KNOWN, colour_of(scene), HEIGHT, WIDTH)
    assert np.array_equal(same, scene.disparity) and known.all()


@pytest.mark.parametrize("make", [two_planes, t_junction])
def test_gaps_astride_silhouettes_keep_the_step(make):
    scene = make()
    known = np.ones(scene.surface.shape, bool)
    known[40:80, 60:125] = False
    filled = fill_unknown(np.where(known, scene.disparity, 0), known, colour_of(scene))
    assert np.array_equal(filled[known], scene.disparity[known])
    wrong = np.abs(filled - scene.disparity) > 1e-4
    assert not (wrong & ~beside_silhouettes(scene, 1)).any()


def test_a_plane_goes_on_through_a_gap():
    scene = slanted_ground()
    known = np.ones(scene.surface.shape, bool)
    known[30:90, 40:120] = False
    known[:20, :20] = False  # a gap at the corner of the picture
    filled = fill_unknown(np.where(known, scene.disparity, 0), known, colour_of(scene))
    assert np.allclose(filled[21:], scene.disparity[21:], atol=1e-3)
    steps = max(np.abs(np.diff(filled[21:], axis=0)).max(), np.abs(np.diff(filled[21:], axis=1)).max())
    assert steps < separating_jump(scene.disparity.ravel())  # nothing of it would be torn


def test_speckles_of_unknown_pixels_on_a_plane():
    scene = slanted_ground()
    known = np.random.default_rng(3).random(scene.surface.shape) > 0.4
    filled = fill_unknown(np.where(known, scene.disparity, 0), known, colour_of(scene))
    assert np.abs(filled - scene.disparity).max() < 0.02


def test_one_known_pixel_fills_all():
    known = np.zeros((HEIGHT, WIDTH), bool)
    known[60, 80] = True
    filled = fill_unknown(np.where(known, np.float32(0.7), 0), known, np.zeros((HEIGHT, WIDTH, 3), np.float32))
    assert np.allclose(filled, 0.7)


def test_grown_surfaces_take_values_of_their_own_side():
    scene = two_planes()
    known = ~beside_silhouettes(scene, 3)
    grown = grow_surfaces(np.where(known, scene.disparity, 0), known, colour_of(scene))
    wrong = np.abs(grown - scene.disparity) > 1e-4
    assert not (wrong & ~beside_silhouettes(scene, 1)).any()


def test_smoothing_changes_silhouettes_alone_and_straightens_them():
    scene = two_planes()
    rough = scene.disparity.copy()
    rough[40, 110] = rough[60, 110] = 1.0  # two pixels stick out
    where = np.zeros(rough.shape, bool)
    where[36:84, 105:115] = True
    smooth = smooth_silhouettes(rough, where)
    assert np.array_equal(smooth, scene.disparity)
    assert np.array_equal(smooth_silhouettes(rough, where & False), rough)


def test_stray_values_do_not_stretch_the_range():
    values = np.linspace(0.2, 1, 20000)
    strayed = values.copy()
    strayed[7] = 1000
    assert separating_jump(strayed) == pytest.approx(separating_jump(values), rel=0.01)
