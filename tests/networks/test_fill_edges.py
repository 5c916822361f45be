"""Depth edges continued by the network that comes along: what is torn, what each side continues, and that nothing else changes."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from layer_checks import assert_links_are_mutual  # noqa: E402
from scenes import BORDERED, EVERY, HEIGHT, WIDTH, Scene, _scene, relief, t_junction  # noqa: E402

from photo_diorama.core.built_in.onnx_network import load  # noqa: E402
from photo_diorama.core.errors import Cancelled  # noqa: E402
from photo_diorama.core.hidden_depth import built_in_edge_network, choose_surface  # noqa: E402
from photo_diorama.core.hidden_depth.built_in_edge_network import extend_edges  # noqa: E402
from photo_diorama.core.hidden_depth.edge_paths import EdgeEnd, EdgePath, plan_paths  # noqa: E402
from photo_diorama.core.hidden_depth.propagate_edges import propagate_across_edges  # noqa: E402
from photo_diorama.core.inpaint import inpaint, learned  # noqa: E402
from photo_diorama.core.layers.regions import disocclude  # noqa: E402
from photo_diorama.core.settings import HIDDEN_EDGES, InpaintSettings  # noqa: E402

FAR, LOW, POST = 0.2, 0.5, 1.0
"""Disparities of the far wall, of the low wall before it and of the post before both."""
LEFT, RIGHT = 70, 90
CHOSEN = InpaintSettings(inpainter="learned", hidden_edges="learned", hidden_depth="nearest")


class Watched:
    """A network that keeps what it is given; `answer` makes its output of that."""

    def __init__(self, answer):
        self.answer, self.given = answer, []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.given.append(x)
        return self.answer(x)


def no_edges(x: np.ndarray) -> np.ndarray:
    return np.zeros_like(x[:, :1])


def top_of_the_wall(slope: float) -> np.ndarray:
    """(h, w) bool: the low wall, whose top falls by `slope` rows a column."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return rows > 60 + slope * (columns - (LEFT + RIGHT) / 2)


def wall_behind_a_post(slope: float) -> Scene:
    post = np.zeros((HEIGHT, WIDTH), bool)
    post[:, LEFT:RIGHT] = True
    planes = np.full((HEIGHT, WIDTH), FAR), np.where(top_of_the_wall(slope), LOW, np.nan), np.where(post, POST, np.nan)
    return _scene(*planes)


def joining(x: np.ndarray) -> np.ndarray:
    """An edge network that joins the highest and the lowest end of the edges it is told of."""
    import cv2

    answer = np.zeros_like(x[:, :1])
    for one, edge, mask in zip(answer, x[:, 4], x[:, 6], strict=True):
        beside = cv2.dilate(mask, np.ones((3, 3), np.float32)) * edge
        ends = np.argwhere(beside > 0)
        line = np.zeros(mask.shape, np.uint8)
        cv2.line(line, *(tuple(int(v) for v in end[::-1]) for end in (ends[ends[:, 1].argmin()], ends[ends[:, 1].argmax()])), 1)
        one[0] = line * mask
    return answer


def wrong_sides(scene: Scene, found, slope: float) -> float:
    """Share of the pixels hidden behind the post that continue the other wall than the one that is there, off the edge itself."""
    top, left, height, width = scene.split(BORDERED).frame
    frame = np.s_[top : top + height, left : left + width]
    low = top_of_the_wall(slope)
    hidden = found.hidden[frame].copy()
    hidden[:, : LEFT + 1] = hidden[:, RIGHT - 1 :] = False
    rows = np.mgrid[:HEIGHT, :WIDTH][0]
    hidden &= np.abs(rows - 60 - slope * (np.mgrid[:HEIGHT, :WIDTH][1] - (LEFT + RIGHT) / 2)) > 1.5
    near = slice(40, 80)
    says = np.abs(found.disparity[frame] - LOW) < np.abs(found.disparity[frame] - FAR)
    return float((says != low)[near][hidden[near]].mean())


@pytest.mark.parametrize("slope", [0.5, -0.5, 1.0])
def test_a_walls_edge_goes_on_behind_a_post(slope):
    """Where it slants, the nearest silhouette alone puts a step into it; continued it is one line, and each side one wall."""
    scene = wall_behind_a_post(slope)
    image = scene.split(BORDERED)
    found = disocclude(image, 0.07)
    after = extend_edges(image, found, 0.14, Watched(joining))
    assert wrong_sides(scene, found, slope) > 0.03
    assert wrong_sides(scene, after, slope) == 0
    assert after.torn.any() and np.array_equal(after.hidden, found.hidden)
    rows, columns = np.nonzero(after.torn[1])
    one, other = after.disparity[rows, columns], after.disparity[rows + 1, columns]
    assert np.allclose(np.sort([one, other], axis=0), [[FAR], [LOW]], atol=1e-3)
    changed = np.nonzero(after.disparity != found.disparity)
    border = image.frame[0]
    reach = abs(slope) * (RIGHT - LEFT) / 2 + 2
    assert np.abs(changed[0] - border - 60).max() <= reach  # and above and below nothing is other than before


def test_the_network_that_comes_along_continues_edges():
    """On the whole: over walls that slant one way and the other, fewer pixels continue the wrong wall than without it."""
    network, wrong = load(HIDDEN_EDGES), []
    for slope in (-0.6, -0.4, -0.2, 0.2, 0.4, 0.6):
        scene = wall_behind_a_post(slope)
        image = scene.split(BORDERED)
        found = disocclude(image, 0.07)
        after, again = (extend_edges(image, found, 0.14, network) for _ in range(2))
        wrong.append([wrong_sides(scene, each, slope) for each in (found, after)])
        assert after.torn.any(), slope
        assert all(np.array_equal(getattr(after, name), getattr(again, name)) for name in ("disparity", "seed", "torn"))
    before, now = np.mean(wrong, axis=0)
    assert now < 0.7 * before, wrong


def test_nothing_changes_where_no_other_edge_touches_and_nobody_is_asked():
    for name in ("two planes", "slanted wall", "nested", "leaning wire 3 px", "at the frame"):
        image, network = EVERY[name]().split(BORDERED), Watched(joining)
        found = disocclude(image, 0.07)
        assert extend_edges(image, found, 0.14, network) is found and network.given == [], name


def test_nothing_changes_where_the_network_sees_no_edge_or_the_photo_is_in_parts():
    image = t_junction().split(BORDERED)
    found, network = disocclude(image, 0.07), Watched(no_edges)
    assert extend_edges(image, found, 0.14, network) is found and len(network.given) == built_in_edge_network.RUNS
    parts = replace(found, part=np.zeros(found.hidden.shape, np.uint8))
    assert extend_edges(image, parts, 0.14, network) is parts and len(network.given) == built_in_edge_network.RUNS


@pytest.mark.parametrize("name", ["T-junction", "relief", "nested"])
def test_a_path_that_tears_nothing_changes_nothing(name):
    """Small jumps reach less far than large ones, and keep doing so when all is flooded anew."""
    image = EVERY[name]().split(BORDERED)
    found = disocclude(image, 0.07)
    pixels = [tuple(pixel) for pixel in np.argwhere(found.hidden & (found.distance == 0))[::7].tolist()]
    middle = float(np.median(found.disparity[found.hidden]))
    paths = [EdgePath((pixel,), (), EdgeEnd(pixel, (1.0, 0.0), float(found.disparity[pixel]), middle - 9)) for pixel in pixels]
    after, _ = propagate_across_edges(image, found, np.where(found.hidden, 1, 0), paths, owning=False)
    for field in ("disparity", "seed", "hidden"):
        assert np.array_equal(getattr(after, field)[found.hidden], getattr(found, field)[found.hidden]), field
    assert not after.torn.any()


@pytest.mark.parametrize("slope", [0.0, 0.4, -1.0])
def test_a_path_keeps_to_the_middle_of_a_broad_answer(slope):
    rows, columns = np.mgrid[:80, :80]
    off = (rows - 40 - slope * (columns - 10)) / np.hypot(1, slope)
    chance = (np.exp(-((off / 4) ** 2)) * (columns < 35)).astype(np.float32)
    synthesis = columns > 10
    end = EdgeEnd((40, 10), (-1.0, 0.0), 0.5, 0.2)
    (path,) = plan_paths(chance > 0.3, synthesis, [end], chance)
    near = np.array(path.near)
    assert np.abs(off[tuple(near.T)]).max() <= 1 and near[:, 1].max() >= 32
    (shortest,) = plan_paths(chance > 0.3, synthesis, [end])
    assert np.abs(off[tuple(np.array(shortest.near).T)]).max() > 2


def test_large_grids_are_shrunk_before_the_network(monkeypatch):
    monkeypatch.setattr(built_in_edge_network, "OWN_TRAINING_SIDE", 80)
    scene = wall_behind_a_post(0.5)
    image, network = scene.split(BORDERED), Watched(joining)
    found = disocclude(image, 0.07)
    after = extend_edges(image, found, 0.14, network)
    assert network.given[0][0][0, 6].sum() < found.hidden.sum() / 3
    assert wrong_sides(scene, after, 0.5) < 0.5 * wrong_sides(scene, found, 0.5)


def bring(monkeypatch, answer) -> Watched:
    """Puts `answer` in the place of the edge network, which is returned; the colour network stays."""
    watched = Watched(answer)
    monkeypatch.setattr(learned, "load", lambda path: watched if path == HIDDEN_EDGES else load(path))
    return watched


def test_the_inpainter_learned_tears_the_hidden_surface_when_asked(monkeypatch):
    scene = wall_behind_a_post(0.5)
    bring(monkeypatch, joining)
    image, _ = inpaint.inpaint(scene.split(BORDERED), BORDERED, CHOSEN)
    plain, _ = inpaint.inpaint(scene.split(BORDERED), BORDERED, replace(CHOSEN, hidden_edges="nearest"))
    assert_links_are_mutual(image)
    low = np.pad(top_of_the_wall(0.5), image.frame[0], mode="edge")
    hidden = image.layers[1].present & (image.layers[0].disparity == POST)
    hidden[: image.frame[0] + 40] = hidden[image.frame[0] + 80 :] = False
    wrong = [np.abs(each.layers[1].disparity - np.where(low, LOW, FAR))[hidden] > 0.05 for each in (image, plain)]
    assert wrong[0].mean() < 0.5 * wrong[1].mean()
    others = [inpaint.inpaint(scene.split(BORDERED), BORDERED, replace(CHOSEN, inpainter="exemplar", hidden_edges=way))[0]
              for way in ("learned", "nearest")]  # fmt: skip
    assert np.array_equal(others[0].layers[1].disparity, others[1].layers[1].disparity)


def test_a_cancel_is_heard_while_the_network_looks(monkeypatch):
    asked = []

    def answer(x):
        asked.append(1)
        return joining(x)

    def cancel(fraction):
        if asked:
            raise Cancelled

    def fill(*_):
        raise AssertionError("the cancel came too late")

    bring(monkeypatch, answer)
    monkeypatch.setattr(choose_surface, "choose_surfaces", fill)
    with pytest.raises(Cancelled):
        inpaint.inpaint(wall_behind_a_post(0.5).split(BORDERED), BORDERED, CHOSEN, cancel)


def test_absurd_answers_leave_a_sound_image(monkeypatch):
    for value, scene in ((np.nan, wall_behind_a_post(0.5)), (np.inf, wall_behind_a_post(0.5)), (1.0, relief())):
        watched = bring(monkeypatch, lambda x, value=value: np.full_like(x[:, :1], value))
        image, _ = inpaint.inpaint(scene.split(BORDERED), BORDERED, CHOSEN)
        assert watched.given
        assert_links_are_mutual(image)
        for front, layer in zip(image.layers[:-1], image.layers[1:], strict=True):
            assert (layer.disparity < front.disparity)[layer.present].all()
