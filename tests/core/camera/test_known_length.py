"""A line of known length: what is measured is what stands there, whatever lies before the line."""

import numpy as np
import pytest

from photo_diorama.core.camera.camera import Camera
from photo_diorama.core.camera.known_length import measure_length, parse_line
from photo_diorama.core.errors import DioramaError

CAMERA = Camera(960, 640, 800.0, 500.0, 300.0)
SMALL = (320, 480)


def plane(normal, distance) -> tuple[np.ndarray, callable]:
    """(h, w) disparity of a plane n . X = distance on a grid half as fine as the photo, and its point at a place of the photo."""
    rows, columns = np.mgrid[: SMALL[0], : SMALL[1]] + 0.5
    ray = lambda u, v: np.stack([(u - CAMERA.cx) / CAMERA.focal_px, (v - CAMERA.cy) / CAMERA.focal_px, np.ones_like(u)], axis=-1)  # noqa: E731
    disparity = (ray(columns * 2, rows * 2) @ normal / distance).astype(np.float32)
    return disparity, lambda u, v: ray(np.float64(u), np.float64(v)) * distance / (ray(np.float64(u), np.float64(v)) @ normal)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.1, 1.0, 0.6), (0.5, 0.2, 0.9)])
@pytest.mark.parametrize("ends", [((100, 500), (900, 600)), ((500, 320), (520, 630)), ((40, 610), (930, 330))])
def test_a_line_on_a_plane_has_its_own_length(normal, ends):
    disparity, point = plane(np.array(normal), 3.0)
    truth = np.linalg.norm(point(*ends[0]) - point(*ends[1]))
    assert measure_length(np.array(ends, float), disparity, CAMERA) == pytest.approx(truth, rel=0.005)


def test_a_post_before_the_line_and_a_rough_end_do_not_count():
    disparity, point = plane(np.array((0.1, 1.0, 0.6)), 3.0)
    ends = np.array([[100, 500], [900, 600]], float)
    truth = np.linalg.norm(point(*ends[0]) - point(*ends[1]))
    disparity[:, 200:260] = 2.0
    disparity[:, 440:] *= 0.3
    disparity *= 1 + np.random.default_rng(0).normal(0, 0.01, disparity.shape).astype(np.float32)
    assert measure_length(ends, disparity, CAMERA) == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("off", [-2, 0, 2])
def test_a_line_beside_a_silhouette_measures_the_nearer_thing(off):
    """An edge of a board, drawn up to two pixels of the photo off it, has the board's length and not that of the wall behind."""
    disparity = np.full(SMALL, 1 / 6, np.float32)
    disparity[80:240, 120:300] = 1 / 2
    column = 240 + off
    ends = np.array([[column, 160], [column, 480]], float)
    assert measure_length(ends, disparity, CAMERA) == pytest.approx(320 * 2 / CAMERA.focal_px, rel=1e-3)


def test_lines_that_cannot_be_are_told():
    assert parse_line(" 1, 2,300 ,4", CAMERA).tolist() == [[1, 2], [300, 4]]
    for text, words in (("", "four numbers"), ("1,2,3", "four numbers"), ("1,2,x,4", "four numbers"), ("0,0,nan,5", "leaves the photo"),
                        ("0,0,961,5", "leaves the photo"), ("10,10,12,12", "too short")):  # fmt: skip
        with pytest.raises(DioramaError, match=words):
            parse_line(text, CAMERA)
