"""The choice of hidden surfaces: true planes are among the candidates; what comes of it is behind its front, the same twice,
without torch, and better than the flood's guess on a slanted plane."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import assert_links_are_mutual, filled
from scenes import ALL, BORDERED, BORDERLESS, EVERY, HEIGHT, WIDTH, _scene, slanted_ground, two_planes

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.hidden_depth import choose_surface as learned
from photo_diorama.core.hidden_depth.surface_candidates import DIRECTIONS
from photo_diorama.core.inpaint import inpainter as stage
from photo_diorama.core.inpaint.inpaint import add_hidden_layer
from photo_diorama.core.inpaint.inpainter import Deterministic
from photo_diorama.core.layers.regions import disocclude
from photo_diorama.core.settings import HIDDEN_DEPTH, InpaintSettings

LEARNED, NEAREST = InpaintSettings(hidden_depth="learned"), InpaintSettings(hidden_depth="nearest")
GUESS, AHEAD, BETWEEN = 0, slice(9, 17), slice(17, 21)

shipped = pytest.mark.skipif(not HIDDEN_DEPTH.is_file(), reason="no weights for hidden depth in this checkout")


def network_that_prefers(sign: float) -> learned.Network:
    """A candidate's score grows with the first number that is told of it, its disparity, or falls with it; 0 for all alike."""
    arrays = {f"{name}.bias": np.zeros(2, np.float32) for name in learned.LAYERS}
    arrays |= {f"{name}.weight": np.zeros((2, 2), np.float32) for name in ("to_own", "pooled")}
    arrays["around.weight"], arrays["own.weight"] = np.zeros((2, learned.AROUND), np.float32), np.zeros((2, learned.OWN), np.float32)
    arrays["own.weight"][0, 0] = 1
    arrays["own.bias"][0] = 9  # where the layers' bend is as good as straight
    arrays["second.weight"] = np.eye(2, dtype=np.float32)
    arrays["score.weight"], arrays["score.bias"] = np.array([[1e5 * sign, 0]], np.float32), np.zeros(1, np.float32)
    return learned.Network(arrays)


def slanted(across: bool):
    """A rectangle before a plane that slants along columns or rows."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    plane = 0.2 + (0.15 * columns / WIDTH if across else 0.15 * rows / HEIGHT)
    near = np.full((HEIGHT, WIDTH), np.nan)
    near[40:80, 60:100] = 1
    return _scene(plane, near), plane


def candidates_of(scene, settings=BORDERLESS):
    image = scene.split(settings)
    found = disocclude(image, settings.hidden_width)
    return image, found, learned.find_candidates(image, found)


@pytest.mark.parametrize("across", [False, True])
def test_a_plane_is_among_the_candidates(across):
    """Continued along its slope from every side, and on the line between opposite ones, it is the plane itself."""
    scene, plane = slanted(across)
    _, _, seen = candidates_of(scene)
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
        image, _, seen = candidates_of(EVERY[name](), BORDERED)
        assert (seen.candidates < seen.hiding).all() and (seen.candidates >= 0).all() and (seen.candidates[GUESS] > 0).all()
        own, around = learned.describe(seen)
        assert own.shape == (len(seen.where), len(seen.candidates), learned.OWN) and around.shape == (len(own), learned.AROUND)
        for described in (own, around):
            assert np.isfinite(described).all() and np.abs(described).max() <= 5


def test_nothing_depends_on_the_unit_of_depth():
    image, found, seen = candidates_of(two_planes())
    layer = image.layers[0]
    other = replace(image, layers=(replace(layer, disparity=layer.disparity * 1000),), threshold=image.threshold * 1000,
                    span=image.span * 1000)  # fmt: skip
    again = learned.find_candidates(other, replace(found, disparity=found.disparity * 1000))
    for one, other_one in zip(learned.describe(seen), learned.describe(again), strict=True):
        assert np.allclose(one, other_one, atol=1e-4)


def test_what_is_surely_likeliest_is_chosen():
    """All weight on the deepest, on the nearest."""
    _, _, seen = candidates_of(ALL["nested"]())
    there = np.where(seen.candidates > 0, seen.candidates, np.nan)
    for sign, best in ((-1, np.nanmin(there, axis=0)), (1, np.nanmax(there, axis=0))):
        assert np.abs(np.log(learned.choose(seen, network_that_prefers(sign)) / best)).max() < 0.02


def test_the_least_costly_is_what_trying_all_of_them_finds():
    rng = np.random.default_rng(0)
    candidates = np.exp(rng.normal(size=(300, 7))) * (rng.random((300, 7)) < 0.8)
    candidates[:, 0] = 1
    likely = rng.random(candidates.shape) ** 3 * (candidates > 0)
    likely /= likely.sum(axis=1, keepdims=True)
    chosen = learned.least_costly(candidates, likely)
    for row, probable, found in zip(candidates, likely, chosen, strict=True):
        row, probable = row[row > 0], probable[row > 0]
        costs = [(probable * (np.abs(np.log(row / d)) + learned.RELATIVE * np.abs(row / d - 1))).sum() for d in row]
        assert found == pytest.approx(row[np.argmin(costs)])


def test_sky_is_not_taken_where_hills_are_possible():
    """Four to one for the sky: in log depth alone sky costs least, but who takes it for hills is wrong by far."""
    candidates, likely = np.array([[0.001, 0.1]]), np.array([[0.8, 0.2]])
    assert learned.least_costly(candidates, likely) == pytest.approx(0.1)
    assert learned.least_costly(np.array([[0.08, 0.1]]), likely) == pytest.approx(0.08)


@shipped
@pytest.mark.filterwarnings("error")
def test_behind_what_stands_before_the_sky_alone_is_the_sky():
    """Sky at infinity has disparity 0, as places without a candidate have: it is not drawn nearer."""
    near = np.full((HEIGHT, WIDTH), np.nan)
    near[40:80, 60:100] = 1
    image, found, seen = candidates_of(_scene(np.zeros((HEIGHT, WIDTH)), near))
    assert len(seen.where) and not seen.candidates.any()
    expected = learned.choose_surfaces(image, found, learned.load_network(HIDDEN_DEPTH)).expected
    assert (expected[found.hidden] == 0).all()


def test_where_a_surface_ends_is_what_walking_there_finds():
    """On every side, from the surface seen there, as far as no step exceeds the threshold."""
    image, _, seen = candidates_of(ALL["nested"]())
    front = image.layers[0].disparity[np.ix_(seen.rows, seen.columns)]
    for way, (down, right) in enumerate(DIRECTIONS):
        for number in np.flatnonzero(seen.steps[way] > 0)[::97]:
            row, column = np.divmod(seen.where[number], front.shape[1]) + seen.steps[way, number].astype(int) * np.array((down, right))
            extent, after = 0, 0.0
            while 0 <= row + down < front.shape[0] and 0 <= column + right < front.shape[1]:
                ahead = front[row + down, column + right]
                if abs(ahead - front[row, column]) > image.threshold:
                    after = ahead
                    break
                row, column, extent = row + down, column + right, extent + 1
            assert (extent, after) == (seen.extent[way, number], seen.after[way, number])


def test_a_larger_canvas_takes_the_choice_over_and_stays_sharp():
    """Two flat surfaces, chosen on a grid 2.5 times as coarse: no value in between comes up."""
    grid = np.zeros((40, 60), np.float32)
    grid[5:35, 5:30], grid[5:35, 30:55] = 0.2, 0.9
    rows, columns = (each.ravel() for each in np.indices((100, 150)))
    sampled = np.arange(40) * 5 // 2 + 1, np.arange(60) * 5 // 2 + 1
    large = learned._between_samples(grid, sampled, rows, columns, (100, 150), 0.01).reshape(100, 150)
    assert np.unique(large.round(4)).tolist() == pytest.approx([0.0, 0.2, 0.9])
    assert abs((large > 0).mean() - (grid > 0).mean()) < 0.1


def test_every_second_sample_is_the_same_as_in_all():
    """Surfaces are found on the whole grid before every second sample is taken, so a sample has the same values."""
    image = two_planes().split(BORDERED)
    found = disocclude(image, BORDERED.hidden_width)
    every, second = (learned.find_candidates(image, found, step) for step in (1, 2))
    row, column = np.divmod(every.where, len(every.columns))
    kept = (row % 2 == 0) & (column % 2 == 0)
    assert np.array_equal(second.rows, every.rows[::2]) and np.array_equal(second.columns, every.columns[::2])
    assert np.array_equal(second.where, (row // 2 * len(second.columns) + column // 2)[kept])
    for name in ("candidates", "steps", "slope", "extent", "after", "tilt", "distance", "row"):
        assert np.array_equal(getattr(second, name), getattr(every, name)[..., kept]), name


@shipped
@pytest.mark.parametrize("name", [name for name in EVERY if name != "ground"])
def test_all_holds_that_holds_of_layers(name):
    assert InpaintSettings() == LEARNED
    image = filled(name)
    assert_links_are_mutual(image)
    for k, layer in list(enumerate(image.layers))[1:]:
        hidden, front = layer.present, image.layers[k - 1]
        assert np.isfinite(layer.disparity[hidden]).all() and (layer.disparity[hidden] > 0).all()
        assert (layer.disparity < front.disparity)[hidden].all()


def hidden_error(scene, plane, settings) -> float:
    image = scene.split(BORDERLESS)
    found = disocclude(image, BORDERLESS.hidden_width)
    layer = add_hidden_layer(image, Deterministic(settings).depth(image, found, None))[0].layers[1]
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
    image = slanted(True)[0].split(BORDERED)
    found = disocclude(image, BORDERED.hidden_width)
    one, two = (Deterministic(LEARNED).depth(image, found, None) for _ in range(2))
    assert one.expected.tobytes() == two.expected.tobytes() and not np.array_equal(one.expected, found.disparity)
    assert np.array_equal(one.disparity, found.disparity)  # from which links, regions and colour are made


@pytest.mark.parametrize("off", [0.5, -0.5, learned.MAX_CORRECTION - 0.5, -learned.MAX_CORRECTION - 2, learned.MAX_CORRECTION + 2])
def test_a_choice_is_followed_as_far_as_it_may_differ_from_the_flood(off):
    """A slope is taken as it is, another surface in part; nothing on the silhouette itself."""
    image, found, seen = candidates_of(two_planes())
    inner = found.hidden & (found.distance > 1)
    chosen = seen.candidates[GUESS] + np.float32(off * image.threshold)
    expected = learned.set_hidden_disparity(image, found, seen, chosen).expected
    assert np.array_equal(expected[~inner], found.disparity[~inner])
    moved = (expected - found.disparity)[inner] / image.threshold
    assert np.abs(moved - np.clip(off, -learned.MAX_CORRECTION, learned.MAX_CORRECTION)).max() < 0.1
    without = learned.set_hidden_disparity(image, found, seen, np.zeros_like(chosen)).expected
    assert np.array_equal(without, found.disparity)


def test_nearest_leaves_the_flood_and_parts_keep_it(monkeypatch):
    image = two_planes().split(BORDERED)
    found = disocclude(image, BORDERED.hidden_width)
    assert Deterministic(NEAREST).depth(image, found, None) is found
    parted = replace(found, part=np.zeros(found.hidden.shape, np.uint8))
    monkeypatch.setattr(stage, "HIDDEN_DEPTH", None)
    assert Deterministic(LEARNED).depth(image, parted, None) is parted


def test_ground_that_hides_nothing_needs_no_choice():
    assert disocclude(slanted_ground().split(BORDERED), BORDERED.hidden_width) is None


def test_damaged_weights_are_named(tmp_path):
    for name, content in (("a.npz", b"PK\x03\x04 no archive"), ("b.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DioramaError, match="hidden depth"):
            learned.load_network(tmp_path / name)
    with pytest.raises(DioramaError):
        learned.load_network(tmp_path / "missing.npz")
