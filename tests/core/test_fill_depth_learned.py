"""The choice of hidden surfaces: true planes are among the candidates; what comes of it is behind its front, the same twice,
without torch, and better than the flood's guess on a slanted plane."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import assert_links_are_mutual
from scenes import ALL, BORDERED, BORDERLESS, EVERY, HEIGHT, WIDTH, _scene, slanted_ground, two_planes

from photo_diorama.core import fill_depth_learned as learned
from photo_diorama.core import inpaint as stage
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.inpaint import add_hidden_layer, expect_surfaces, inpaint
from photo_diorama.core.regions import disocclude
from photo_diorama.core.settings import HIDDEN_DEPTH, InpaintSettings

LEARNED, NEAREST = InpaintSettings(hidden_depth="learned"), InpaintSettings(hidden_depth="nearest")
GUESS, AHEAD, BETWEEN = 0, slice(9, 17), slice(17, 21)

shipped = pytest.mark.skipif(not HIDDEN_DEPTH.is_file(), reason="no weights for hidden depth in this checkout")


def network_that_prefers(feature: int, sign: float = 1.0) -> learned.Network:
    """One layer: a candidate's score is one number of its description."""
    weight = np.zeros((learned.FEATURES, 1), np.float32)
    weight[feature] = 1e4 * sign
    return learned.Network((weight,), (np.zeros(1, np.float32),))


def slanted(across: bool):
    """A rectangle before a plane that slants along columns or rows."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    plane = 0.2 + (0.15 * columns / WIDTH if across else 0.15 * rows / HEIGHT)
    near = np.full((HEIGHT, WIDTH), np.nan)
    near[40:80, 60:100] = 1
    return _scene(plane, near), plane


def looked(scene, settings=BORDERLESS):
    image = scene.split(settings)
    found = disocclude(image, settings.hidden_width)
    return image, found, learned.look(image, found)


@pytest.mark.parametrize("across", [False, True])
def test_a_plane_is_among_the_candidates(across):
    """Continued along its slope from every side, and on the line between opposite ones, it is the plane itself."""
    scene, plane = slanted(across)
    _, _, seen = looked(scene)
    true = plane.ravel()[seen.where]
    for group in (AHEAD, BETWEEN):
        candidates = seen.candidates[group]
        assert (candidates > 0).all()
        assert np.abs(candidates - true).max() < 2e-3
    assert np.abs(seen.candidates[GUESS] - true).max() > 0.01  # which the flood's guess is not


def test_candidates_lie_behind_what_hides_them_and_descriptions_are_finite():
    for name in EVERY:
        if name == "ground":
            continue
        image, _, seen = looked(EVERY[name](), BORDERED)
        assert (seen.candidates < seen.hiding).all() and (seen.candidates >= 0).all() and (seen.candidates[GUESS] > 0).all()
        described = learned.describe(seen)
        assert described.shape == (len(seen.where), len(seen.candidates), learned.FEATURES)
        assert np.isfinite(described).all() and np.abs(described).max() <= 5


def test_nothing_depends_on_the_unit_of_depth():
    image, found, seen = looked(two_planes())
    layer = image.layers[0]
    other = replace(image, layers=(replace(layer, disparity=layer.disparity * 1000),), threshold=image.threshold * 1000,
                    span=image.span * 1000)  # fmt: skip
    again = learned.look(other, replace(found, disparity=found.disparity * 1000))
    assert np.allclose(learned.describe(seen), learned.describe(again), atol=1e-4)


def test_the_median_of_the_weights_is_chosen():
    """All weight on the deepest, on the nearest; and with equal weights the median, always a candidate."""
    _, _, seen = looked(ALL["nested"]())
    there = np.where(seen.candidates > 0, seen.candidates, np.nan)
    assert np.array_equal(learned.choose(seen, network_that_prefers(0, -1))[0], np.nanmin(there, axis=0))
    assert np.array_equal(learned.choose(seen, network_that_prefers(0))[0], np.nanmax(there, axis=0))
    equal = learned.choose(seen, network_that_prefers(0, 0))[0]
    assert (np.nanmin(np.abs(there - equal), axis=0) == 0).all()


def test_a_larger_canvas_takes_the_choice_over_and_stays_sharp():
    """Two flat surfaces, chosen on a grid 2.5 times as coarse: no value in between comes up."""
    grid = np.zeros((40, 60), np.float32)
    grid[5:35, 5:30], grid[5:35, 30:55] = 0.2, 0.9
    rows, columns = (each.ravel() for each in np.indices((100, 150)))
    large = learned._between_samples(grid, rows, columns, (100, 150), 0.01).reshape(100, 150)
    assert np.unique(large.round(4)).tolist() == pytest.approx([0.0, 0.2, 0.9])
    assert abs((large > 0).mean() - (grid > 0).mean()) < 0.1


@shipped
@pytest.mark.parametrize("name", [name for name in EVERY if name != "ground"])
def test_all_holds_that_holds_of_layers(name):
    image = inpaint(EVERY[name]().split(BORDERED), BORDERED, LEARNED)[0]
    assert_links_are_mutual(image)
    for k, layer in list(enumerate(image.layers))[1:]:
        hidden, front = layer.present, image.layers[k - 1]
        assert np.isfinite(layer.disparity[hidden]).all() and (layer.disparity[hidden] > 0).all()
        assert (layer.disparity < front.disparity)[hidden].all()


def hidden_error(scene, plane, settings) -> float:
    image = scene.split(BORDERLESS)
    found = disocclude(image, BORDERLESS.hidden_width)
    layer = add_hidden_layer(image, expect_surfaces(image, found, settings))[0].layers[1]
    return float(np.abs(layer.disparity - plane)[layer.present].mean())


@shipped
@pytest.mark.parametrize("across", [False, True])
def test_a_slanted_plane_is_found_better_than_by_the_flood(across):
    scene, plane = slanted(across)
    assert hidden_error(scene, plane, LEARNED) < 0.7 * hidden_error(scene, plane, NEAREST)


@shipped
def test_a_wall_that_faces_the_camera_stays_exact():
    scene = two_planes()
    assert hidden_error(scene, 0.25, LEARNED) < 1e-4


@shipped
def test_the_same_twice_and_without_torch(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    image = ALL["T-junction"]().split(BORDERED)
    found = disocclude(image, BORDERED.hidden_width)
    one, two = (expect_surfaces(image, found, LEARNED) for _ in range(2))
    assert one.expected.tobytes() == two.expected.tobytes() and not np.array_equal(one.expected, found.disparity)
    assert np.array_equal(one.disparity, found.disparity)  # from which links, regions and colour are made


def test_another_surface_than_the_floods_is_not_taken():
    """Half a threshold off is a slope and taken; a jump is not, nor is anything on the silhouette itself."""
    image, found, seen = looked(two_planes())
    inner = found.hidden & (found.distance > 1)
    for off, taken in ((0.5, True), (-learned.ANOTHER + 0.5, True), (-learned.ANOTHER - 0.5, False)):
        chosen = seen.candidates[GUESS] + np.float32(off * image.threshold)
        expected = learned.with_expected(image, found, seen, chosen).expected
        assert np.array_equal(expected[~inner], found.disparity[~inner])
        moved = np.abs(expected - found.disparity)[inner] > 0.1 * image.threshold
        assert moved.all() if taken else not moved.any()


def test_nearest_leaves_the_flood_and_parts_keep_it(monkeypatch):
    image = two_planes().split(BORDERED)
    found = disocclude(image, BORDERED.hidden_width)
    assert expect_surfaces(image, found, NEAREST) is found
    parted = replace(found, part=np.zeros(found.hidden.shape, np.uint8))
    monkeypatch.setattr(stage, "HIDDEN_DEPTH", None)
    assert expect_surfaces(image, parted, LEARNED) is parted


def test_ground_that_hides_nothing_needs_no_choice():
    assert disocclude(slanted_ground().split(BORDERED), BORDERED.hidden_width) is None


def test_damaged_weights_are_named(tmp_path):
    for name, content in (("a.npz", b"PK\x03\x04 no archive"), ("b.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DioramaError, match="hidden depth"):
            learned.load_network(tmp_path / name)
    with pytest.raises(DioramaError):
        learned.load_network(tmp_path / "missing.npz")


def wide_step():
    """A wide foreground before two walls, the nearer of them on the left."""
    wall = np.where(np.arange(WIDTH) < 80, 0.4, 0.2) + np.zeros((HEIGHT, 1))
    near = np.full((HEIGHT, WIDTH), np.nan)
    near[20:100, 50:110] = 1
    return _scene(wall, near)


def behind(scene, corner: tuple[int, int], size: int, surer: float):
    """`found` as it is and with a square of the hidden pixels chosen as the far wall; and where that square is."""
    image, found, seen = looked(scene, replace(BORDERLESS, hidden_width=0.4))
    square = np.zeros(found.hidden.shape, bool)
    square[corner[0] : corner[0] + size, corner[1] : corner[1] + size] = True
    chosen = np.where(square.ravel()[seen.where], np.float32(0.2), seen.candidates[GUESS])
    before = learned.with_expected(image, found, seen, chosen)
    return image, before, learned.move_pieces(image, before, seen, chosen, np.full(len(chosen), surer, np.float32)), square


def test_a_large_sure_piece_moves_to_the_other_surface_and_hangs_on_it():
    """The right half of what the flood took for the near wall, beside the far one: depth and links are the far wall's."""
    image, before, after, square = behind(wide_step(), (30, 62), 18, 0.9)
    there = square & before.hidden & (before.distance > 1) & (np.abs(before.disparity - 0.4) < 0.01)
    assert there.sum() > 150 and np.abs(before.expected[there] - 0.4).max() < 0.01
    assert (np.abs(after.disparity[there] - 0.2) < 0.01).mean() > 0.9
    layer = add_hidden_layer(image, after)[0].layers[1]
    assert (np.abs(layer.disparity[there] - 0.2) < 0.02).mean() > 0.9


@pytest.mark.parametrize(("size", "surer"), [(18, 0.1), (6, 0.9)])
def test_pieces_that_are_unsure_or_small_stay(size, surer):
    _, before, after, _ = behind(wide_step(), (30, 62), size, surer)
    assert after is before


def test_a_piece_that_would_hang_on_nothing_goes_back():
    """In the middle of what the near wall explains, no far wall beside it: nothing stays that is drawn to another surface."""
    scene = _scene(np.full((HEIGHT, WIDTH), 0.4), np.where(wide_step().surface > 0, 1, np.nan))
    image, before, after, square = behind(scene, (50, 70), 20, 0.9)
    assert (square & before.hidden).sum() > 100
    assert np.abs(after.expected - after.disparity)[after.hidden].max() <= learned.ANOTHER * image.threshold
    assert np.abs(after.disparity - 0.4)[after.hidden].max() < 0.01
