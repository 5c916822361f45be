"""The ruler for silhouettes: made tears give the figures that they must, and each mask belongs to a photograph."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "heroes")]
import cut_masks  # noqa: E402
import silhouettes  # noqa: E402

CENTRE, RADIUS = (480, 320), 150


def disc(radius: int) -> np.ndarray:
    """(640, 960) bool."""
    drawn = np.zeros((640, 960), np.uint8)
    cv2.circle(drawn, CENTRE, radius, 1, -1)
    return drawn > 0


def ring(radius: int) -> np.ndarray:
    """A tear round the centre, one pixel wide."""
    drawn = np.zeros((640, 960), np.uint8)
    cv2.circle(drawn, CENTRE, radius, 1, 1)
    return drawn > 0


@pytest.fixture(scope="module")
def soft() -> np.ndarray:
    """The disc before a wall, with a ramp of some 20 px between."""
    return cv2.GaussianBlur(np.where(disc(RADIUS), 0.9, 0.2).astype(np.float32), (0, 0), 6)


def figures(torn: np.ndarray, soft: np.ndarray) -> dict[str, float]:
    return silhouettes.torn_figures(torn, disc(RADIUS), soft)


def test_one_tear_at_the_silhouette(soft):
    found = figures(ring(RADIUS), soft)
    assert found["judged"] == 1 and found["within 3 px"] == 1 and found["one"] == 1
    assert 0.9 < found["torn px"] < 1.3 and found["elsewhere"] == 0


def test_no_tear(soft):
    found = figures(np.zeros((640, 960), bool), soft)
    assert found["within 3 px"] == 0 and found["none"] == 1 and found["torn px"] == 0


def test_three_ragged_steps_of_one_ramp(soft):
    found = figures(ring(RADIUS - 6) | ring(RADIUS) | ring(RADIUS + 7), soft)
    assert found["more"] == 1 and found["torn px"] > 2.7


def test_a_tear_beside_the_silhouette_is_not_at_it(soft):
    found = figures(ring(RADIUS + 8), soft)
    assert found["within 3 px"] == 0 and found["one"] == 1


def test_tears_far_away_count_elsewhere_only(soft):
    found = figures(ring(RADIUS) | ring(RADIUS + 60), soft)
    assert found["one"] == 1 and found["torn px"] < 1.3 and found["elsewhere"] > 1


def test_what_lies_on_one_surface_is_not_judged():
    found = figures(ring(RADIUS), np.full((640, 960), 0.5, np.float32) + np.linspace(0, 1, 640)[:, None])
    assert found["judged"] < 0.5  # a plane that rises: most of the disc's edge is no step


def test_links_are_drawn_where_the_grid_is_torn():
    right, down = np.zeros((64, 96), bool), np.zeros((64, 96), bool)
    right[20:40, 49] = True
    picture = silhouettes.torn_picture(right, down, (640, 960))
    rows, columns = np.nonzero(picture)
    assert set(columns) == {500} and rows.min() == 200 and rows.max() == 400


def test_the_ideal_step_lies_at_the_mask(soft):
    step = silhouettes.with_one_step(soft, disc(RADIUS))
    across = step[320, 480 + RADIUS - 20 : 480 + RADIUS + 20]
    assert np.abs(np.diff(across)).argmax() == 20 and np.sort(np.abs(np.diff(across)))[-2] < 0.01 < np.ptp(across)


def test_every_mask_has_a_photograph_and_every_photograph_a_mask():
    named = cut_masks.heroes()
    assert len(named) >= 14 and {hero["split"] for hero in named} == {"tuning", "held back"}
    assert {hero["name"] for hero in named} == {path.stem for path in (ROOT / "tests/heroes/masks").glob("*.png")}
    for hero in named:
        mask = cv2.imread(str(ROOT / "tests/heroes/masks" / f"{hero['name']}.png"), cv2.IMREAD_GRAYSCALE)
        assert max(mask.shape) == cut_masks.SIDE and set(np.unique(mask)) == {0, 255}


def test_the_strokes_cut_the_mask_again():
    hero = next(hero for hero in cut_masks.heroes() if hero["name"] == "lantern")
    photo = cut_masks.find_photo(hero)
    if photo is None:
        pytest.skip("the photograph is not on this machine")
    mask = cut_masks.cut_mask(cut_masks.at_mask_size(cv2.imread(str(photo))), hero["cut"])
    kept = cv2.imread(str(ROOT / "tests/heroes/masks/lantern.png"), cv2.IMREAD_GRAYSCALE) > 0
    assert (mask ^ kept).sum() <= 20
