"""Outlines lose corners by distance: none further than allowed, a straight line's for nothing, those where lines meet never."""

import numpy as np
import pytest

from photo_diorama.core.mesh.outlines import MAX_ERROR, find_outlines


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
    lines, _ = outline([(0, 0), (0, 1), (0, 2), (MAX_ERROR + 0.1, 3), (0, 4)])
    error = lines.errors(np.array([1, 3]), 0)
    assert error[0] == 0 and np.isinf(error[1])


def star(*arms) -> tuple:
    """Lines from (0, 0) outwards, a vertex and a corner each place, the junction first."""
    places, edges = [(0.0, 0.0)], []
    for arm in arms:
        for k, place in enumerate(arm):
            edges.append((0 if k == 0 else len(places) - 1, len(places)))
            places.append(place)
    points = np.concatenate([np.array(places, np.float32).T, np.ones((1, len(places)), np.float32)])
    return find_outlines(np.array(edges, np.int32), np.arange(len(places), dtype=np.int32), points, np.ones(len(places), np.float32))


def test_a_junction_slides_where_all_its_lines_stay_nearest():
    lines, _ = star([(0, 1), (0, 9)], [(0, -4)], [(3, 0)])
    assert lines.at[0, 0] == -1, "it is not taken out"
    slides = lines.slides(np.zeros(len(lines.at), int))
    (mine,) = np.flatnonzero(slides.corner == 0)
    # onto (0, 1): off the line from (0, -4) by nothing, off the one from (3, 0) by sin(atan(1 / 3)) * 3
    assert slides.onto[mine] == 1 and slides.error[mine] == pytest.approx(3 / np.hypot(1, 3), abs=1e-3)
    lines.slide(slides.only(np.array([0])))
    alive = {tuple(sorted(each)) for each in lines.ends.tolist() if each[0] >= 0}
    assert alive == {(1, 2), (1, 3), (1, 4)} and set(lines.ends[lines.home[0]]) == {1, 3}
    assert (lines.at[1] == -1).all(), "three lines meet there now"
    again = lines.slides(np.zeros(len(lines.at), int))
    assert again.error[again.corner == 1].min(initial=np.inf) > 0.9, "the corner that went counts on"


def test_a_junction_that_no_line_lets_go_stays():
    lines, _ = star([(0, 6)], [(5, -3)], [(-5, -3)])
    assert not len(lines.slides(np.zeros(len(lines.at), int)).corner), "every way is farther than an outline may move"


def test_a_junction_never_closes_what_two_lines_enclose():
    lines, _ = star([(0, 1)], [(0, -1)], [(0.5, -0.5)])
    lines.ends = np.array([[0, 1], [0, 1], [0, 2], [0, 3]], np.int32)
    slides = lines.slides(np.zeros(len(lines.at), int))
    assert slides.onto[slides.corner == 0] != 1
