"""Means along ridges and systems over pixels of a grid, against what their formulas say."""

import numpy as np
import pytest

from photo_diorama.core.silhouettes.grid_system import make_links, solve
from photo_diorama.core.silhouettes.scattered_means import bilinear, gaussian_means


@pytest.mark.parametrize("sigma", [0.6, 2.5, 7.0, 30.0])
def test_gaussian_means_are_those_of_the_formula(sigma):
    rng = np.random.default_rng(0)
    x = np.arange(200)
    rows, columns = (60 + 30 * np.sin(x / 20)).astype(int), x
    values = np.stack([np.cos(x / 15), rng.normal(size=200)]).astype(np.float32)
    weight = np.exp(-((rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2) / (2 * sigma**2))
    truth = values @ weight / weight.sum(axis=0)
    found = gaussian_means(rows, columns, values, (120, 200), sigma)
    assert found.shape == (2, 200)
    smooth, noisy = np.abs(found - truth)
    assert smooth.max() < 0.02 and noisy.max() < 0.1


def test_a_mean_of_equal_values_is_that_value_up_to_the_frame():
    rows, columns = np.array([0, 0, 49, 49]), np.array([0, 79, 0, 79])
    assert gaussian_means(rows, columns, np.full((1, 4), 0.3), (50, 80), 12.0) == pytest.approx(0.3)


def test_bilinear_samples_a_plane_exactly_within_the_outermost_cells():
    grid = np.add.outer(np.arange(10.0), 2 * np.arange(15.0))[..., None] * [1.0, -1.0]
    rows, columns = (each.ravel() for each in np.mgrid[4:76, 4:116])
    truth = ((rows + 0.5) / 8 - 0.5) + 2 * ((columns + 0.5) / 8 - 0.5)
    assert bilinear(grid, rows, columns, 8) == pytest.approx(np.stack([truth, -truth], axis=1), abs=1e-4)
    assert bilinear(grid, rows, columns, 8, np.ones(len(rows), int)) == pytest.approx(-truth, abs=1e-4)


def test_the_system_is_solved_as_a_dense_one():
    """Every link of eight neighbours counts once, those to fixed pixels hold, those that are not allowed do not."""
    rng = np.random.default_rng(1)
    shape = h, w = 7, 9
    kind = rng.choice(3, size=shape, p=(0.6, 0.3, 0.1))  # open, fixed, none
    values, colour = rng.random(h * w), rng.random(h * w)
    pixels = np.flatnonzero(kind == 0)
    told, pull = rng.random(len(pixels)), 0.05
    links = make_links(pixels, shape, lambda a, b: np.exp(-np.abs(colour[a] - colour[b])), kind < 2)
    number = {int(pixel): k for k, pixel in enumerate(pixels)}
    matrix, right = np.eye(len(pixels)) * pull, pull * told
    for k, pixel in enumerate(pixels):
        r, c = divmod(int(pixel), w)
        for dr, dc in [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]:
            if not (0 <= r + dr < h and 0 <= c + dc < w) or kind[r + dr, c + dc] == 2:
                continue
            other = (r + dr) * w + c + dc
            weight = np.exp(-abs(colour[pixel] - colour[other])) / np.hypot(dr, dc)
            matrix[k, k] += weight
            if other in number:
                matrix[k, number[other]] -= weight
            else:
                right[k] += weight * values[other]
    assert solve(links, values, told, pull, 500, 1e-7) == pytest.approx(np.linalg.solve(matrix, right), abs=1e-4)
