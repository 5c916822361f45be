"""The authors' published networks at work: what each is given, what becomes of its answer, and that nothing else changes."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from layer_checks import assert_layers_are_sound, assert_links_are_mutual, filled  # noqa: E402
from made_inpainters import (  # noqa: E402
    Watched,
    bring,
    mean_colour,
    narrow_files,
    no_edges,
    same_depth,
    same_each_time,
)
from scenes import BORDERED, EVERY, FAR, relief, slanted_wall, t_junction, two_planes  # noqa: E402
from scipy import ndimage  # noqa: E402

from photo_diorama.core.hidden_depth import continue_edges  # noqa: E402
from photo_diorama.core.hidden_depth.continue_edges import disparity_unit  # noqa: E402
from photo_diorama.core.inpaint import inpaint  # noqa: E402
from photo_diorama.core.inpaint.needed_networks import Downloaded  # noqa: E402
from photo_diorama.core.inpaint.published import Published, _keep_behind_occluder  # noqa: E402
from photo_diorama.core.layers.layered_depth_image import LEFT, RIGHT  # noqa: E402
from photo_diorama.core.layers.regions import disocclude  # noqa: E402
from photo_diorama.core.networks.inpaint import forward  # noqa: E402
from photo_diorama.core.settings import InpaintSettings, Settings  # noqa: E402

CHOSEN = InpaintSettings(inpainter="published")
SETTINGS = Settings().with_values({"inpainter": "published", "depth_kind": "metric", "border": 0.2, "device": "cpu"})
RED, GREEN, BLUE = range(3)
NOTHING = 1.5 / 255


@pytest.fixture
def models(monkeypatch, tmp_path) -> Path:
    """A models folder into which narrow networks were imported as the published ones."""
    (tmp_path / "files").mkdir()
    bring(monkeypatch, tmp_path / "models", narrow_files(tmp_path / "files"))
    return tmp_path / "models"


def watched(edge=no_edges, depth=same_depth, colour=mean_colour) -> Published:
    return Published(Watched(edge), Watched(depth), Watched(colour))


def run(monkeypatch, networks: Published, image, settings=BORDERED, told=lambda fraction: None):
    monkeypatch.setattr(inpaint, "choose_inpainter", lambda settings, downloaded: networks)
    return inpaint.inpaint(image, settings, CHOSEN, told)


def expected(networks: Published, image, context_width: float = 0.14):
    """What is to be filled in the first pass, before and after the networks were asked."""
    found = disocclude(image, 0.07)
    after, with_edges = networks.edges(image, found, context_width, lambda part: None)
    after = with_edges.depth(image, after, lambda part: None)
    return found, after, with_edges


def steep_edge(x: np.ndarray) -> np.ndarray:
    """Goes on with an edge that comes down from above by one column for every two rows."""
    answer = np.zeros_like(x[:, :1])
    for one, edge, mask in zip(answer, x[:, 4], x[:, 6], strict=True):
        rows, columns = np.nonzero(edge)
        start = rows.argmax()
        for row in range(rows[start] + 1, edge.shape[0]):
            column = columns[start] + (row - rows[start]) // 2
            if column < edge.shape[1]:
                one[0, row, column] = mask[row, column]
    return answer


# what the networks are given


def padded(channel: np.ndarray) -> np.ndarray:
    """Centred on the next multiples of 128, by the words of the method."""
    sides = [-(-side // 128) * 128 for side in channel.shape]
    pad = [((to - side) // 2, to - side - (to - side) // 2) for side, to in zip(channel.shape, sides, strict=True)]
    return np.pad(channel, pad)


def test_inputs_are_those_of_the_method(monkeypatch):
    """Each number of the depth network's and the colour network's input, built anew from the scene and the method's text."""
    scene = two_planes()
    image, networks = scene.split(BORDERED), watched()
    run(monkeypatch, networks, image)
    assert networks.edge_network.given == []
    ((depth, depth_valid),), ((colour, colour_valid),) = networks.depth_network.given, networks.colour_network.given
    border = image.frame[0]
    near = np.pad(scene.surface == 1, border)
    inside = ndimage.distance_transform_cdt(near, metric="taxicab")
    mask = (inside > 0) & (inside <= round(0.07 * 160))
    outside = ndimage.distance_transform_cdt(~near, metric="taxicab")
    context = (outside > 0) & (outside <= (inside * mask).max() - 1 + 8)  # as far as is invented, and 8 px
    margin, closing = round(20 * 0.16), round(41 * 0.16)
    rows, columns = np.nonzero(mask | context)
    crop = np.s_[rows.min() - margin : rows.max() + 1 + margin, columns.min() - margin : columns.max() + 1 + margin]
    mask, context, near = mask[crop], context[crop], near[crop]
    both = np.pad(mask | context, closing)
    closed = ndimage.binary_closing(both, np.ones((closing, closing)))[closing:-closing, closing:-closing] & ~context
    released = 1 / np.maximum(3 * (0.25 - 0.25) / 0.75, 0.05)  # the wall is the farthest thing: depth 20
    log = np.full(context.shape, np.log(released + 1e-8))
    shifted = np.where(context, log - log[context].mean(), 0)
    none = np.zeros(context.shape)
    assert depth.shape[2:] == padded(none).shape
    for channel, truth in zip(depth[0], (shifted, none, context, mask | closed), strict=True):
        np.testing.assert_allclose(channel, padded(truth), atol=1e-5)
    np.testing.assert_array_equal(depth_valid[0, 0], padded(context | mask | closed))
    assert colour.shape[1] == 6 and not colour[0, 3].any()
    picture = np.pad(scene.colour / 255, ((border, border), (border, border), (0, 0)))[crop]
    inner = np.s_[margin : context.shape[0] - margin, margin : context.shape[1] - margin]  # no margin around colour
    known = context[inner]
    for k in range(3):
        np.testing.assert_allclose(colour[0, k], padded(np.where(known, picture[inner][..., k], 0)), atol=1e-5)
    np.testing.assert_array_equal(colour[0, 4], padded(known))
    np.testing.assert_array_equal(colour[0, 5], padded((mask | closed)[inner]))
    np.testing.assert_array_equal(colour_valid[0, 0], padded((context | mask | closed)[inner]))


def test_depth_reaches_the_networks_in_the_unit_they_were_trained_on():
    """The released code: disparity scaled to 0 .. 3, floored at 0.05; of relative depth, which has that floor, the same."""
    q = np.clip(np.linspace(-0.05, 1.05, 120 * 160, dtype=np.float32), 1 / 60, 1).reshape(120, 160)
    scene = replace(two_planes(), disparity=q)
    image = scene.split(BORDERED)
    unit = disparity_unit(image)
    np.testing.assert_allclose(unit.depth(q), 1 / np.maximum(3 * q, 0.05), rtol=1e-4)
    np.testing.assert_allclose(unit.disparity(unit.depth(q)), q, rtol=1e-4)
    metres = two_planes((20, 25, 100, 135)).split(BORDERED)
    assert disparity_unit(metres).depth(np.float32(1.0)) == pytest.approx(1 / 3, rel=1e-4)
    assert disparity_unit(metres).depth(np.float32(0.25)) == pytest.approx(20, rel=1e-4)


def test_the_rim_that_is_not_trusted_is_repainted(monkeypatch):
    image, networks = two_planes().split(BORDERED), watched()
    monkeypatch.setattr(inpaint, "choose_inpainter", lambda settings, downloaded: networks)
    inpaint.inpaint(image, BORDERED, replace(CHOSEN, eroded_rim=3 / 160))
    ((colour, _),), ((depth, _),) = networks.colour_network.given, networks.depth_network.given
    rim = ndimage.distance_transform_cdt(np.pad(two_planes().surface == 0, image.frame[0], constant_values=True), metric="taxicab")
    lost = depth[0, 2].sum() - colour[0, 4].sum()
    assert lost == ((rim > 0) & (rim <= 3)).sum()
    assert colour[0, 5].sum() >= depth[0, 3].sum() and not (colour[0, :3] * (colour[0, 4] == 0)).any()


# the edge network


def test_the_edge_network_looks_only_where_another_edge_touches(monkeypatch):
    """Of all scenes of planes, only at the junction."""
    for name in ("two planes", "slanted wall", "nested", "leaning wire 3 px", "at the frame"):
        networks = watched()
        run(monkeypatch, networks, EVERY[name]().split(BORDERED))
        assert networks.edge_network.given == [] and len(networks.depth_network.given) > 0, name
    networks = watched()
    run(monkeypatch, networks, t_junction().split(BORDERED))
    assert len(networks.edge_network.given) == 1


def test_the_edge_network_looks_again_at_what_it_continued_twice_at_most(monkeypatch):
    def longer(x: np.ndarray) -> np.ndarray:
        """Goes on by four rows each time."""
        return x[:, 6:7] * ndimage.grey_dilation(x[:, 4:5], (1, 1, 9, 1))

    networks = watched(edge=longer)
    run(monkeypatch, networks, t_junction().split(BORDERED))
    lengths = [int((given[0, 4] * given[0, 6]).sum()) for (given,) in networks.edge_network.given]
    assert lengths == [0, 4, 8]


def test_the_edge_network_looks_only_behind_what_the_photo_shows(monkeypatch):
    once, often = watched(), watched()
    run(monkeypatch, once, relief().split(BORDERED), replace(BORDERED, passes=1))
    image, _ = run(monkeypatch, often, relief().split(BORDERED), replace(BORDERED, passes=3))
    assert len(image.layers) > 2 and len(often.depth_network.given) > len(once.depth_network.given)
    assert len(often.edge_network.given) == len(once.edge_network.given) > 0


def test_the_edge_channel_holds_the_edge_that_touches_and_no_other(monkeypatch):
    networks = watched(edge=steep_edge)
    image = t_junction().split(BORDERED)
    found, _, _ = expected(networks, image)
    (first,), (second,) = networks.edge_network.given  # that was all: asked again it would say the same
    edge, context, mask = first[0, 4] > 0, first[0, 5] > 0, first[0, 6] > 0
    rows, columns = np.nonzero(edge)
    assert (edge <= context).all() and len(np.unique(columns)) == 1 and len(rows) > 5  # straight down, in the context
    touching = ndimage.binary_dilation(mask, np.ones((3, 3)))
    assert touching[rows.max(), columns[0]] and not touching[rows.max() - 1, columns[0]]
    disparity = first[0, 3]
    assert disparity[context].max() == 1 and not disparity[~context].any() and not first[0, :3, ~context].any()
    np.testing.assert_allclose(np.unique(disparity[context]).min(), 1 / (0.05 + 2.95 / 3) * 0.05, rtol=1e-3)
    assert mask.sum() == (found.hidden & (image.layers[0].disparity == 1)).sum()
    grown = (second[0, 4] > 0) & ~edge
    assert grown.any() and (grown <= mask).all()
    at_junction = min((depth for depth, _ in networks.depth_network.given), key=lambda depth: abs(depth[0, 3].sum() - mask.sum()))
    assert np.array_equal(at_junction[0, 1], second[0, 4])
    assert [depth[0, 1].any() for depth, _ in networks.depth_network.given].count(False) == 1  # behind the middle surface


def test_a_continued_edge_parts_what_is_hidden(monkeypatch):
    """Left of it goes on the far surface, right of it the middle one; each is torn from the other and has its own colour."""
    image = t_junction().split(BORDERED)
    found, after, _ = expected(watched(edge=steep_edge), image)
    assert after.torn.any() and np.array_equal(after.hidden, found.hidden)
    border = image.frame[0]
    rows, columns = np.nonzero(after.hidden)
    at = (rows > border + 70) & (rows < border + 78)
    line = border + 80 + (rows - border - 69) // 2
    left, right = at & (columns < line) & (columns > border + 60), at & (columns >= line) & (columns < border + 110)
    assert np.allclose(after.disparity[rows, columns][left], 0.25) and np.allclose(after.disparity[rows, columns][right], 0.5)
    result, _ = run(monkeypatch, watched(edge=steep_edge), image)
    layer = result.layers[1]
    assert_links_are_mutual(result)
    for row in range(border + 71, border + 78):
        column = border + 80 + (row - border - 69) // 2
        assert layer.links[RIGHT, row, column - 1] != 1 and layer.links[LEFT, row, column] != 1
        assert layer.colour[row, column - 1, GREEN] <= NOTHING < layer.colour[row, column - 1, BLUE]
        assert layer.colour[row, column, BLUE] <= NOTHING < layer.colour[row, column, GREEN]
        assert layer.disparity[row, column - 1] < layer.disparity[row, column]


# what becomes of the answers


def test_the_depth_networks_answer_is_where_the_surface_is_drawn_to():
    """An answer of 0.3 is exp(0.3) times the context's mean depth, in the networks' unit."""
    image = slanted_wall().split(BORDERED)
    networks = watched(depth=lambda x, validity: np.full_like(x[:, :1], 0.3))
    found, after, _ = expected(networks, image)
    unit, inner = disparity_unit(image), after.hidden & (after.distance > 1)
    ((depth, _),) = networks.depth_network.given
    region = ndimage.binary_dilation(after.hidden, ndimage.generate_binary_structure(2, 1), 18) & (image.layers[0].disparity < 0.9)
    mean = np.log(unit.depth(image.layers[0].disparity[region])).mean()
    deep = after.hidden & (after.distance > 3)  # the answer is averaged with what lies beside it twice
    assert np.abs(np.log(unit.depth(after.expected[deep])) - mean - 0.3).max() < 0.03
    assert np.array_equal(after.expected[after.hidden & ~inner], after.disparity[after.hidden & ~inner])


@pytest.mark.parametrize("tuned_for", [1000, 80])
def test_answers_land_where_they_were_asked_for(monkeypatch, tuned_for):
    """A network that gives every pixel the depth of the nearest context: about what the flood guesses, on a grid shrunk or not."""

    def nearest(x: np.ndarray, validity: np.ndarray) -> np.ndarray:
        answer = np.zeros_like(x[:, :1])
        for one, (log, _, context, _) in zip(answer, x, strict=True):
            rows, columns = ndimage.distance_transform_edt(context == 0, return_distances=False, return_indices=True)
            one[0] = log[rows, columns]
        return answer

    monkeypatch.setattr(continue_edges, "PUBLISHED_TRAINING_SIDE", tuned_for)
    image = slanted_wall().split(BORDERED)
    _, after, _ = expected(watched(depth=nearest), image)
    assert np.abs(after.expected - after.disparity)[after.hidden].max() < (0.0125 if tuned_for == 1000 else 0.02)  # ties in the corners
    assert np.ptp(after.expected[after.hidden]) > 0.07  # so that another place would be another depth


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -50.0, 50.0])
@pytest.mark.parametrize("name", ["two planes", "T-junction", "nested", "relief"])
def test_absurd_answers_leave_a_sound_image(monkeypatch, name, value):
    networks = watched(
        edge=lambda x: np.full_like(x[:, :1], 1), depth=lambda x, validity: np.full_like(x[:, :1], value), colour=mean_colour
    )
    with np.errstate(all="ignore"):
        assert_layers_are_sound(run(monkeypatch, networks, EVERY[name]().split(BORDERED))[0])


def test_no_colour_of_the_foreground_enters(monkeypatch):
    """The nearest surface is pure red, and no other has any red."""
    for name in ("two planes", "T-junction", "nested", "at the frame"):
        result, _ = run(monkeypatch, watched(edge=steep_edge), EVERY[name]().split(BORDERED))
        for layer in result.layers[1:]:
            assert layer.colour[layer.present][:, RED].max() <= NOTHING < layer.colour[layer.present].max()


def test_large_grids_are_shrunk_before_the_networks(monkeypatch):
    """At twice the size they see what they see at once, and what they answer lands where it belongs."""
    monkeypatch.setattr(continue_edges, "PUBLISHED_TRAINING_SIDE", 80)
    image = t_junction().split(BORDERED)
    networks = watched(edge=steep_edge)
    _, after, _ = expected(networks, image)
    first = networks.edge_network.given[0][0]
    assert first[0, 6].sum() < after.hidden.sum() / 3
    border = image.frame[0]
    rows, columns = np.nonzero(after.hidden)
    at = (rows > border + 71) & (rows < border + 77)
    line = border + 80 + (rows - border - 69) / 2
    left, right = at & (columns < line - 3) & (columns > border + 60), at & (columns > line + 3) & (columns < border + 110)
    assert np.allclose(after.disparity[rows, columns][left], 0.25) and np.allclose(after.disparity[rows, columns][right], 0.5)
    assert_layers_are_sound(run(monkeypatch, watched(edge=steep_edge), image)[0])


def test_batches_hold_no_more_than_they_may_and_regions_share_them(monkeypatch):
    monkeypatch.setattr(forward, "DEVICE_PIXELS", {"cpu": 4 * 128 * 128})
    networks = watched()
    run(monkeypatch, networks, relief().split(BORDERED), replace(BORDERED, passes=1))
    for network in (networks.edge_network, networks.depth_network, networks.colour_network):
        sizes = [given[0].shape for given in network.given]
        assert all(len(shape) == 4 and shape[0] * shape[2] * shape[3] <= 4 * 128 * 128 or shape[0] == 1 for shape in sizes)
        assert max(shape[0] for shape in sizes) > 1


def test_progress_is_told_and_may_stop_the_work(monkeypatch):
    told = []
    run(monkeypatch, watched(edge=steep_edge), t_junction().split(BORDERED), told=told.append)
    assert told == sorted(told) and told[0] == 0 and told[-1] <= 1 and len(set(told)) > 8

    class Stop(Exception):
        pass

    def stop(fraction):
        if fraction > 0.1:
            raise Stop

    with pytest.raises(Stop):
        run(monkeypatch, watched(edge=steep_edge), t_junction().split(BORDERED), told=stop)


def test_a_photo_becomes_the_same_diorama_each_time(models, tmp_path):
    first = same_each_time(t_junction().saved(tmp_path), SETTINGS, models)
    assert len(first.image.layers) >= 2
    assert_layers_are_sound(first.image)


def test_the_photos_own_pixels_are_not_changed(models):
    settings = InpaintSettings(inpainter="published")
    for name in ("T-junction", "relief"):
        image, _ = inpaint.inpaint(EVERY[name]().split(BORDERED), BORDERED, settings, downloaded=Downloaded(models))
        other = filled(name)
        for field in ("present", "disparity", "synthesised"):
            assert np.array_equal(getattr(image.layers[0], field), getattr(other.layers[0], field)), field
        photographed = ~image.layers[0].synthesised  # each inpainter invents a border of its own
        assert np.array_equal(image.layers[0].colour[photographed], other.layers[0].colour[photographed])
        before = EVERY[name]().split(BORDERED).layers[0].links
        assert np.array_equal(image.layers[0].links[before >= 0], before[before >= 0])
        hidden = image.layers[1]
        assert hidden.present.any() and hidden.colour[hidden.present].std() > 0


def test_what_the_depth_network_puts_behind_everything_stays_within_twice_the_farthest_thing():
    """Disparity of next to nothing, or below, would lie at the horizon."""
    image = two_planes().split(BORDERED)
    found = disocclude(image, 0.2)
    for nonsense in (0.0, -1.0, 1e-9):
        after = _keep_behind_occluder(image, found, np.full(image.shape, nonsense, np.float32))
        deep = found.hidden & (found.distance > 1)
        assert deep.any() and (after[deep] == np.float32(1 / FAR / 2)).all()
