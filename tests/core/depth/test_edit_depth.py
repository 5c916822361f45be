"""Edited depth: planes are found among strays, pushed regions lie behind, and edits follow the photo's depth wherever it goes."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import HEIGHT, WIDTH, t_junction, two_planes

from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.depth.edit_depth import (
    DepthEdit,
    carry_edit_over,
    change_region,
    disparity_at,
    fade,
    make_plane,
    mask_of_picture,
    mask_of_triangles,
    move,
    push,
    set_disparity,
    smooth,
    surroundings,
)
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.pipeline import Edits, StageCache, build_diorama, find_original
from photo_diorama.core.settings import Settings

ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
SLOPE = (0.4 + 0.001 * COLUMNS - 0.0005 * ROWS).astype(np.float32)


def box(top=30, left=40, bottom=80, right=120) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_plane_is_found_under_forty_per_cent_of_strays():
    rng = np.random.default_rng(3)
    disparity = SLOPE + rng.normal(0, 1e-4, SLOPE.shape).astype(np.float32)
    strays = box() & (rng.random(SLOPE.shape) < 0.4)
    disparity[strays] += 0.2 + 0.1 * rng.random(strays.sum())
    made = change_region(disparity, box(), make_plane)
    assert np.abs(made - SLOPE)[box()].max() < 2e-4
    assert np.array_equal(made[~box()], disparity[~box()])
    second = made[box()].reshape(50, 80)
    assert np.abs(np.diff(second, 2, axis=1)).max() < 1e-6 and np.abs(np.diff(second, 2, axis=0)).max() < 1e-6


def test_a_line_or_a_speck_is_no_region():
    with pytest.raises(DioramaError, match="single line"):
        change_region(SLOPE, box(top=50, bottom=51), make_plane)
    with pytest.raises(DioramaError, match="empty"):
        change_region(SLOPE, np.zeros(SLOPE.shape, bool), make_plane)


@pytest.mark.parametrize("keep_relief", [True, False])
@pytest.mark.parametrize("front", [True, False])
def test_what_is_pushed_lies_just_behind_or_before_its_surroundings(keep_relief, front):
    disparity = SLOPE.copy()
    disparity[box()] += (-0.1 if front else 0.1) + 0.02 * np.sin(COLUMNS[box()] / 5)
    made = change_region(disparity, box(), push(0.03, front, keep_relief))
    assert np.array_equal(made[~box()], disparity[~box()])
    rim = box() & ~box(31, 41, 79, 119)
    apart = (made - SLOPE)[rim] * (1 if front else -1)
    assert apart.min() > 0.025
    assert np.median(apart) < 0.08
    inner = made[box()].reshape(50, 80)
    waves = np.abs(np.diff(inner - SLOPE[box()].reshape(50, 80), axis=1)).max()
    assert (waves > 1e-3) == keep_relief


def test_surroundings_continue_a_plane():
    disparity = SLOPE.copy()
    disparity[box()] = 0.9
    filled = surroundings(disparity, box())
    assert np.abs(filled - SLOPE)[box()].max() < 0.01 and np.array_equal(filled[~box()], disparity[~box()])
    with pytest.raises(DioramaError, match="whole photo"):
        surroundings(disparity, np.ones(disparity.shape, bool))


def test_same_depth_flat_or_with_relief():
    flat = change_region(SLOPE, box(), set_disparity(0.7))
    assert (flat[box()] == np.float32(0.7)).all()
    kept = change_region(SLOPE, box(), set_disparity(0.7, keep_relief=True))
    assert np.median(kept[box()]) == pytest.approx(0.7, abs=1e-6)
    assert np.allclose(np.diff(kept[box()].reshape(50, 80)), np.diff(SLOPE[box()].reshape(50, 80)), atol=1e-6)


def test_a_feathered_change_has_no_step_and_is_whole_in_the_middle():
    made = change_region(SLOPE, box(), move(0.2), feather=12)
    off = made - SLOPE
    assert np.abs(np.diff(off, axis=0)).max() < 0.2 / 12 * 2 and off[55, 80] == pytest.approx(0.2, abs=1e-6)
    assert (off[~box()] == 0).all() and (off[box()] >= 0).all()
    weight = fade(box(left=0), 12)
    assert weight[55, 0] == 1, "the photo's frame is no rim"
    assert (fade(np.ones((9, 9), bool), 3) == 1).all()


def test_smoothing_sees_only_the_region():
    disparity = SLOPE.copy()
    disparity[box()] += np.random.default_rng(0).normal(0, 0.01, box().sum())
    disparity[~box()] = 5
    made = change_region(disparity, box(), smooth(6))
    assert made[box()].max() < 0.7 and np.std((made - SLOPE)[box()]) < 0.003
    assert (made[~box()] == 5).all()


def test_nothing_goes_beyond_infinity():
    made = change_region(SLOPE, box(), move(-9))
    assert (made[box()] > 0).all()


def test_a_point_has_its_depth_and_outside_has_none():
    assert disparity_at(SLOPE, (100 + 0.5) / WIDTH, (50 + 0.5) / HEIGHT) == pytest.approx(SLOPE[50, 100])
    assert np.isfinite([disparity_at(SLOPE, u, v) for u in (0, 1) for v in (0, 1)]).all()
    with pytest.raises(DioramaError, match="outside"):
        disparity_at(SLOPE, 1.1, 0.5)


def test_triangles_cover_exactly_the_pixels_whose_centres_they_hold():
    corners = np.array([[(3, 4), (3, 9), (12, 9)], [(3, 4), (12, 9), (12, 4)]], np.float32)
    mask = mask_of_triangles(corners, (20, 30))
    wanted = np.zeros((20, 30), bool)
    wanted[4:9, 3:12] = True
    assert np.array_equal(mask, wanted)
    one = mask_of_triangles(np.array([[(7, 7), (7, 8), (8, 8)], [(7, 7), (8, 8), (8, 7)]], np.float32), (20, 30))
    assert one.sum() == 1 and one[7, 7]
    rng = np.random.default_rng(5)
    triangle = rng.uniform(5, 95, (3, 2))
    inside = mask_of_triangles(triangle[None], (100, 100))
    x, y = np.meshgrid(np.arange(100) + 0.5, np.arange(100) + 0.5)
    sides = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        (ax, ay), (bx, by) = triangle[a], triangle[b]
        sides.append(((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / np.hypot(bx - ax, by - ay))
    turn = np.sign(np.median([s[inside].mean() for s in sides]))
    depth_inside = np.min([turn * s for s in sides], axis=0)
    assert inside[depth_inside > 0.5].all() and not inside[depth_inside < -0.5].any()
    assert mask_of_triangles(np.full((1, 3, 2), 1e30), (20, 30)).sum() == 0


def test_a_painted_picture_of_another_size_is_a_mask():
    painted = np.zeros((60, 80), np.float32)
    painted[20:40, 30:50] = 1
    assert np.array_equal(mask_of_picture(painted, (60, 80)), painted > 0.5)
    large = mask_of_picture(painted, (120, 160))
    assert large[44:76, 64:96].all() and large.sum() == pytest.approx(40 * 40, rel=0.1)


def an_edit(change=0.15) -> DepthEdit:
    return DepthEdit(SLOPE, np.where(box(), SLOPE + np.float32(change), SLOPE))


def test_an_edit_is_taken_over_to_the_pixel():
    depth, photo = DepthMap(SLOPE, ~box(), True, "by construction"), two_planes().photo()
    made = carry_edit_over(an_edit(), depth, photo)
    assert np.array_equal(made.disparity, an_edit().edited) and made.known.all() and "edited by hand" in made.source
    assert carry_edit_over(DepthEdit(SLOPE, SLOPE), depth, photo) is depth and carry_edit_over(None, depth, photo) is depth


def test_told_normals_are_forgotten_where_the_depth_was_edited():
    told = np.broadcast_to(np.float32([0, 0, -1]), (*SLOPE.shape, 3))
    made = carry_edit_over(an_edit(), DepthMap(SLOPE, ~box(), True, "by construction", normals=told), two_planes().photo())
    assert np.array_equal(made.normals, np.where(box()[..., None], 0, told))


@pytest.mark.parametrize(("scale", "shift"), [(0.2, 0.0), (3.0, 0.1)])
def test_an_edit_follows_another_scale_and_shift(scale, shift):
    depth = DepthMap(SLOPE * np.float32(scale) + np.float32(shift), np.ones(SLOPE.shape, bool), False, "x")
    made = carry_edit_over(an_edit(), depth, two_planes().photo())
    wanted = an_edit().edited * scale + shift
    assert np.allclose(made.disparity, wanted, rtol=1e-5)
    assert np.array_equal(made.disparity[~box()], depth.disparity[~box()])


def test_an_edit_follows_another_network_whose_depth_contradicts_in_places():
    rng = np.random.default_rng(1)
    other = SLOPE * 2 + rng.normal(0, 1e-3, SLOPE.shape).astype(np.float32)
    other[100:, :60] = 3
    made = carry_edit_over(an_edit(), DepthMap(other, np.ones(SLOPE.shape, bool), False, "x"), two_planes().photo())
    assert np.abs(made.disparity - 2 * an_edit().edited)[box()].max() < 0.01
    flat = DepthMap(np.full(SLOPE.shape, 0.5, np.float32), np.ones(SLOPE.shape, bool), False, "x")
    against = DepthMap(1 - SLOPE, np.ones(SLOPE.shape, bool), False, "x")
    for depth in (flat, against):
        assert (carry_edit_over(an_edit(), depth, two_planes().photo()).disparity > 0).all()


@pytest.mark.parametrize("size", [(60, 80), (240, 320)])
def test_an_edit_follows_another_size(size):
    import cv2

    depth = cv2.resize(SLOPE, size[::-1], interpolation=cv2.INTER_LINEAR)
    scene = two_planes()
    photo = replace(scene.photo(), colour=cv2.resize(scene.colour, size[::-1]))
    made = carry_edit_over(an_edit(), DepthMap(depth, np.ones(size, bool), True, "x"), photo)
    off = made.disparity - depth
    factor = size[0] / HEIGHT
    core = np.s_[int(34 * factor) : int(76 * factor), int(44 * factor) : int(116 * factor)]
    assert np.abs(off[core] - 0.15).max() < 0.005
    assert (off != 0).sum() == pytest.approx(box().sum() * factor**2, rel=0.03)


def test_broken_values_fall_back_to_the_depth_that_was_found():
    edited = SLOPE.copy()
    edited[40, 40], edited[41, 41], edited[42, 42] = np.nan, np.inf, -3
    made = carry_edit_over(DepthEdit(SLOPE, edited), DepthMap(SLOPE, box(), True, "x"), two_planes().photo())
    assert made.disparity[40, 40] == SLOPE[40, 40] == made.disparity[40, 40] and np.isfinite(made.disparity).all()
    assert (made.disparity > 0).all()


QUICK = {"inpainter": "diffusion", "hidden_depth": "nearest"}
SETTINGS = Settings().with_values({"border": 0.2, "depth_kind": "metric", **QUICK})


def test_the_pipeline_repeats_only_what_an_edit_changes(tmp_path):
    files, kept = t_junction().saved(tmp_path), StageCache()
    before = build_diorama(*files, SETTINGS, kept=kept)
    original = before.depth.disparity
    edit = DepthEdit(original, change_region(original, box(10, 90, 40, 130), move(0.3)))
    after = build_diorama(*files, SETTINGS, kept=kept, edits=Edits(edit))
    assert after.photo is before.photo and after.original is before.depth
    assert np.array_equal(after.depth.disparity, edit.edited) and after.mesh is not before.mesh
    assert sum(after.edges) > sum(before.edges)
    again = build_diorama(*files, SETTINGS, kept=kept, edits=Edits(DepthEdit(edit.original.copy(), edit.edited.copy())))
    assert again.mesh is after.mesh, "an equal edit is the same edit"
    denser = build_diorama(*files, SETTINGS.with_values({"density": 3.0}), kept=kept, edits=Edits(edit))
    assert denser.image is after.image and denser.mesh is not after.mesh
    back = build_diorama(*files, SETTINGS, kept=kept)
    assert back.depth is before.depth and back.mesh.atlas.tobytes() == before.mesh.atlas.tobytes()
    assert find_original(*files, SETTINGS, kept=kept)[1] is before.depth


def test_results_of_several_photos_are_kept_while_there_is_room(tmp_path):
    places = [tmp_path / name for name in "abc"]
    for place in places:
        place.mkdir()
    files, kept = [t_junction().saved(place) for place in places], StageCache()
    first = [build_diorama(*each, SETTINGS, kept=kept) for each in files]
    assert all(build_diorama(*each, SETTINGS, kept=kept).mesh is was.mesh for each, was in zip(files, first, strict=True))
    kept.room = 0
    last = build_diorama(*files[1], SETTINGS, kept=kept)
    assert {place[0] for place in kept.results} == {tuple(map(str, files[1]))} and last.mesh is first[1].mesh
