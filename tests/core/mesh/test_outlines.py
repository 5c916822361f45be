"""Outlines lose corners by distance: none further than allowed, a straight line's for nothing, those where lines meet never."""

import numpy as np
import pytest

from photo_diorama.core.mesh.outlines import MOST_OFF, find_outlines


def outline(places) -> tuple:
    """One line through places, a vertex and a corner each."""
    places = np.array(places, np.float32)
    points = np.concatenate([places.T, np.ones((1, len(places)), np.float32)])
    edges = np.stack([np.arange(len(places) - 1), np.arange(1, len(places))], axis=1).astype(np.int32)
    return find_outlines(edges, np.arange(len(places), dtype=np.int32), points, np.ones(len(places), np.float32))


def test_the_error_is_that_of_all_corners_that_went():
    lines, on_line = outline([(0, 0), (0, 1), (0.3, 2), (0, 3), (0, 4)])
    assert on_line.all() and (lines.at[[0, 4]] == -1).all() and (lines.at[1:4] >= 0).all()
    assert lines.errors(np.array([2]), 0) == pytest.approx(0.3, abs=1e-6)
    lines.take_out(np.array([2]), 0)
    assert lines.errors(np.array([1, 3]), 0) == pytest.approx(0.3, abs=1e-3), "the one that went counts on"
    lines.take_out(np.array([1]), 0)
    lines.take_out(np.array([3]), 1)
    assert (lines.home[1:4] >= 0).all() and (lines.home[[0, 4]] == -1).all()


def test_a_straight_line_costs_nothing_and_far_corners_never_go():
    lines, _ = outline([(0, 0), (0, 1), (0, 2), (MOST_OFF + 0.1, 3), (0, 4)])
    error = lines.errors(np.array([1, 3]), 0)
    assert error[0] == 0 and np.isinf(error[1])
