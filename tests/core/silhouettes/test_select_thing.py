"""What a click selects: a thing with known outline, by colour, by depth alone, and again without what is clicked away."""

from pathlib import Path

import numpy as np
import pytest

from photo_diorama.core.silhouettes.select_thing import Scene, select_thing

cv2 = pytest.importorskip("cv2")
HEIGHT, WIDTH = 640, 960


def scene(colour_of_ball, colour_of_wall, depth=True) -> tuple[Scene, np.ndarray]:
    """A ball before a wall, both of noisy colour; the ball's own outline."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    ball = (rows - 340) ** 2 + (columns - 500) ** 2 < 120**2
    colour = np.where(ball[..., None], colour_of_ball, colour_of_wall) + np.random.default_rng(0).normal(0, 6, (HEIGHT, WIDTH, 3))
    disparity = np.where(ball & depth, 0.5, 0.2) + 0.02 * rows / HEIGHT
    return Scene(np.clip(colour, 0, 255).astype(np.uint8), disparity.astype(np.float32)), ball


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("point", [(500 / 960, 340 / 640), (440 / 960, 300 / 640), (560 / 960, 420 / 640)])
@pytest.mark.parametrize(
    "ball, wall, depth",
    [((200, 60, 50), (90, 110, 140), True), ((200, 60, 50), (90, 110, 140), False), ((120, 120, 120), (125, 120, 118), True)],
    ids=["both", "colour alone", "depth alone"],
)
def test_a_click_on_a_ball_selects_the_ball(ball, wall, depth, point):
    made, truth = scene(ball, wall, depth)
    assert overlap(select_thing(made, point), truth) > (0.95 if depth else 0.85)


def test_the_same_click_selects_the_same():
    made, _ = scene((200, 60, 50), (90, 110, 140))
    other, _ = scene((200, 60, 50), (90, 110, 140))
    assert np.array_equal(select_thing(made, (0.52, 0.53)), select_thing(other, (0.52, 0.53)))


def test_what_is_no_part_of_it_stays_out():
    made, truth = scene((200, 60, 50), (90, 110, 140))
    left = np.zeros(truth.shape, bool)
    left[:, :500] = True
    chosen = select_thing(made, (560 / 960, 340 / 640), left)
    assert overlap(chosen, truth & ~left) > 0.9


@pytest.mark.parametrize("point", [(0.0, 0.0), (1.0, 1.0), (0.5, 1.0)])
def test_a_click_on_the_rim_of_the_picture_selects_something_there(point):
    made, truth = scene((200, 60, 50), (90, 110, 140))
    chosen = select_thing(made, point)
    assert chosen.any() and not (chosen & truth).sum() > 0.1 * truth.sum()


def test_things_of_the_demo_photo():
    """Boxes that hold the straw hat, the jug and the bowl of lemons, and points on them."""
    demo = Path(__file__).resolve().parents[3] / "docs" / "demo"
    colour = cv2.resize(cv2.imread(str(demo / "courtyard.jpg"))[..., ::-1], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    metres = cv2.resize(
        cv2.imread(str(demo / "courtyard_depth.png"), -1).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST
    )
    made = Scene(np.ascontiguousarray(colour), 1 / np.maximum(metres, 1))
    for point, (left, top, right, bottom), least in (
        ((0.25, 0.54), (190, 315, 285, 430), 0.6), ((0.71, 0.72), (620, 400, 740, 550), 0.6),
    ):  # fmt: skip
        chosen = select_thing(made, point)
        box = np.zeros(chosen.shape, bool)
        box[top:bottom, left:right] = True
        assert (chosen & box).sum() > 0.97 * chosen.sum() and (chosen & box).sum() > least * 0.75 * box.sum()
