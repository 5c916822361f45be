"""Pieces of the context: lines go on, textures come back, only what is trusted is copied."""

import numpy as np
import pytest

from photo_diorama.core import exemplar
from photo_diorama.core.exemplar import Match, continue_texture, first_grid, pieces, search, taken_over, vote
from photo_diorama.core.fill_colour import push_pull

SIDE, LONG_SIDE = 96, 400


def made(picture: np.ndarray, width: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colour, source, hole and smooth fill of a picture whose left part is foreground and hides `width` columns beside it."""
    hole, source = np.zeros(picture.shape[:2], bool), np.zeros(picture.shape[:2], bool)
    hole[:, 30 : 30 + width] = True
    source[:, 30 + width :] = True
    colour = np.where(source[..., None], picture, np.float32([1, 0, 0])).astype(np.float32)
    return colour, source, hole, push_pull(colour, source)


def checks(size: int) -> np.ndarray:
    """(SIDE, SIDE, 3) float32: dark and light squares."""
    rows, columns = np.mgrid[:SIDE, :SIDE] // size
    return np.repeat(((rows + columns) % 2)[..., None], 3, axis=2).astype(np.float32) * 0.6 + 0.2


def bands(slope: float) -> np.ndarray:
    """(SIDE, SIDE, 3) float32: stripes of several widths that run at a slope."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    value = 0.5 + 0.3 * np.sign(np.sin((rows - slope * columns) / 4.0))
    return np.repeat(value[..., None], 3, axis=2).astype(np.float32)


def filled(picture: np.ndarray, radius: int = 2) -> tuple[np.ndarray, np.ndarray]:
    colour, source, hole, smooth = made(picture)
    return continue_texture(first_grid(colour, source, hole, smooth, radius), radius, 1, LONG_SIDE), hole


@pytest.mark.parametrize("picture", [bands(0.0), bands(0.5), bands(-0.5), checks(6)], ids=["straight", "down", "up", "checks"])
def test_lines_and_patterns_go_on(picture):
    """At most a third of the smooth fill's error remains."""
    result, hole = filled(picture)
    smooth = made(picture)[3]
    error = ((result - picture)[hole] ** 2).mean()
    assert error < 0.33 * ((smooth - picture)[hole] ** 2).mean()


def test_a_texture_keeps_its_contrast():
    picture = np.random.default_rng(2).uniform(0.2, 0.8, (SIDE, SIDE, 1)).astype(np.float32).repeat(3, axis=2)
    result, hole = filled(picture)
    assert result[hole].std() > 0.4 * picture[hole].std()


def test_nothing_but_trusted_context_counts():
    """Whatever stands in the hole and in the foreground, even NaN, the result has the same bytes; and no red."""
    colour, source, hole, smooth = made(bands(0.5))
    one = pieces(colour, source, hole, smooth, LONG_SIDE)
    other = np.where(source[..., None], colour, np.float32(np.nan))
    two = pieces(other, source, hole, smooth, LONG_SIDE)
    assert one.tobytes() == two.tobytes()
    grey, _ = filled(bands(0.5))
    assert np.ptp(grey[hole], axis=1).max() < 1e-6  # the context is grey, the foreground red
    assert not one[~hole].any()
    assert np.isfinite(one).all()


def test_the_same_twice_and_two_tries_differ():
    colour, source, hole, smooth = made(checks(5))
    first, second = (pieces(colour, source, hole, smooth, LONG_SIDE) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert not np.array_equal(first[..., :3], first[..., 3:])


def test_a_fine_picture_is_searched_on_a_coarse_grid(monkeypatch):
    """Four times as large a picture is searched no more than the small one, and lines go on as well."""
    places = []

    def counted(match, *others):
        places.append(len(match.rows))
        return search(match, *others)

    monkeypatch.setattr(exemplar, "search", counted)
    small = bands(0.5)
    large = np.kron(small, np.ones((4, 4, 1), np.float32))
    colour, source, hole, _ = made(small)
    wide = [np.kron(a, np.ones((4, 4), bool)) for a in (source, hole)]
    smooth = push_pull(large * wide[0][..., None], wide[0])
    continue_texture(first_grid(colour, source, hole, push_pull(colour, source), 2), 2, 1, LONG_SIDE)
    for_small, places[:] = sum(places), []
    result = continue_texture(first_grid(large, *wide, smooth, 2), 2, 1, 4 * LONG_SIDE)
    assert sum(places) < 1.3 * for_small
    assert ((result - large)[wide[1]] ** 2).mean() < 0.4 * ((smooth - large)[wide[1]] ** 2).mean()


def test_too_little_context_gives_none():
    colour, source, hole, smooth = made(checks(5))
    source[:, 52:] = False
    assert pieces(colour, source, hole, smooth, LONG_SIDE) is None


def test_places_of_a_coarse_grid_are_taken_over_as_far_away():
    picture = checks(8)
    fine = first_grid(*made(picture, 20), 2)
    coarse = first_grid(*(a[::2, ::2] for a in made(picture, 20)), 2)
    rows, columns = np.nonzero(coarse.hole)
    match = Match(rows, columns, rows, columns + 16)
    found = taken_over(match, coarse, fine, 2)
    direct = fine.centres[found.rows, np.minimum(found.columns + 32, SIDE - 1)] & coarse.hole[found.rows // 2, found.columns // 2]
    assert direct.sum() > 500
    assert (found.from_columns - found.columns)[direct].tolist() == [32] * int(direct.sum())
    assert fine.centres[found.from_rows, found.from_columns].all()


def test_votes_of_places_shifted_alike_copy():
    picture = np.random.default_rng(3).random((SIDE, SIDE, 3)).astype(np.float32)
    grid = first_grid(*made(picture, 10), 2)
    rows, columns = np.nonzero(grid.hole)
    inner = (rows >= 2) & (rows < SIDE - 2)
    match = Match(rows[inner], columns[inner], rows[inner], columns[inner] + 20)
    result = vote(grid.smooth, grid, match, 2)
    assert np.allclose(result[2:-2, 32:38], picture[2:-2, 52:58], atol=1e-6)


def test_what_was_found_is_not_looked_for_again(monkeypatch):
    """Neither with the same bytes nor for the same nothing; another context is another question; room is bounded."""
    asked = []

    def counted(*given):
        asked.append(given)
        return pieces(*given)

    monkeypatch.setattr(exemplar, "pieces", counted)
    monkeypatch.setattr(exemplar, "found_before", exemplar.Found())
    given = made(checks(5))
    first, second = (exemplar.pieces_once(*given, LONG_SIDE) for _ in range(2))
    assert len(asked) == 1
    assert first.tobytes() == second.tobytes() == pieces(*given, LONG_SIDE).tobytes()
    given[0][-1, -1] += 0.01
    exemplar.pieces_once(*given, LONG_SIDE)
    assert len(asked) == 2
    exemplar.pieces_once(*given, 2 * LONG_SIDE)
    assert len(asked) == 3
    exemplar.found_before.room = 0
    exemplar.found_before.keep(b"", first)
    assert not exemplar.found_before.results
