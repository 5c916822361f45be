"""Pieces of the context: lines go on, textures come back, only what is trusted is copied."""

import numpy as np
import pytest

from photo_diorama.core.inpaint import patch_match as module
from photo_diorama.core.inpaint.patch_match import (
    Effort,
    Hole,
    blur,
    finest_level,
    inpaint_exemplar,
    inpaint_exemplars,
    patch_match,
    upsampled_field,
)
from photo_diorama.core.inpaint.patch_search import (
    FEW_PIXELS,
    WEIGHT_PERCENTILE,
    Matches,
    NearestNeighbourField,
    PatchSearch,
    Voting,
    patch_step,
    patches,
)
from photo_diorama.core.memory import ArrayCache
from photo_diorama.core.raster.push_pull import push_pull

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
    return patch_match([finest_level(colour, source, hole, smooth, radius)], radius, 1, LONG_SIDE)[0], hole


@pytest.mark.parametrize(
    ("picture", "radius"), [(bands(0.0), 2), (bands(0.5), 2), (bands(-0.5), 2), (checks(6), 3)], ids=["straight", "down", "up", "checks"]
)
def test_lines_and_patterns_go_on(picture, radius):
    """At most a third of the smooth fill's error remains."""
    result, hole = filled(picture, radius)
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
    one = inpaint_exemplar(Hole(colour, source, hole, smooth, LONG_SIDE))
    other = np.where(source[..., None], colour, np.float32(np.nan))
    two = inpaint_exemplar(Hole(other, source, hole, smooth, LONG_SIDE))
    assert one.tobytes() == two.tobytes()
    grey, _ = filled(bands(0.5))
    assert np.ptp(grey[hole], axis=1).max() < 1e-6  # the context is grey, the foreground red
    assert not one[~hole].any()
    assert np.isfinite(one).all()


def with_a_rim(picture: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is filled in beside a rim of three columns that shows `shown` and is not to be copied; and the hole without it."""
    colour, source, hole, smooth = made(picture)
    rim = np.zeros_like(hole)
    rim[:, 47:50] = True
    colour = np.where(rim[..., None], shown, colour)
    return patch_match([finest_level(colour, source, hole, smooth, 2, rim)], 2, 1, LONG_SIDE)[0], hole & ~rim


def test_what_the_rim_shows_goes_on():
    """Blobs that reach from the hidden part into the rim end where they should: the error beside the rim falls by a tenth."""
    blobs = blur(np.random.default_rng(4).random((SIDE, SIDE, 1)).astype(np.float32).repeat(3, axis=2), 2.0)
    blobs = np.clip(0.5 + 6 * (blobs - 0.5), 0, 1)
    beside = np.s_[:, 42:47]
    (told, _), (untold, _) = with_a_rim(blobs, blobs), filled(blobs)
    assert ((told - blobs)[beside] ** 2).mean() < 0.9 * ((untold - blobs)[beside] ** 2).mean()


def test_a_rim_of_foreground_is_neither_copied_nor_believed():
    """A red rim before grey stripes leaves no red, and the stripes go on as if it were not there."""
    stripes = bands(0.5)
    result, hole = with_a_rim(stripes, np.float32([1, 0, 0]))
    assert np.ptp(result[hole], axis=1).max() < 1e-6
    smooth = made(stripes)[3]
    assert ((result - stripes)[hole] ** 2).mean() < 0.33 * ((smooth - stripes)[hole] ** 2).mean()


def test_the_same_twice_and_two_seeds_differ():
    colour, source, hole, smooth = made(checks(5))
    found = [inpaint_exemplar(Hole(colour, source, hole, smooth, LONG_SIDE), Effort(3, seed, 1000, 500)) for seed in (2, 2, 1)]
    assert found[0].tobytes() == found[1].tobytes()
    assert not np.array_equal(found[0], found[2])


def test_many_holes_at_once_are_filled_as_each_alone():
    """Of several sizes, depths of pyramid and effort, one without enough context: the same bytes whatever is filled beside them."""
    pictures = [bands(0.5), checks(6), np.kron(bands(-0.5), np.ones((2, 2, 1), np.float32))[:150, :160], checks(5)]
    holes = []
    for picture, width in zip(pictures, (20, 4, 60, 20), strict=True):
        hole, source = (np.zeros(picture.shape[:2], bool) for _ in range(2))
        hole[:, 30 : 30 + width], source[:, 30 + width :] = True, True
        holes.append(Hole(picture, source, hole, push_pull(picture * source[..., None], source), LONG_SIDE))
    holes[3].source[:, 52:] = False
    for effort in (Effort(2, 1, 1000, 500), module.THOROUGH, module.QUICK):
        together = inpaint_exemplars(holes, effort)
        alone = [inpaint_exemplar(hole, effort) for hole in holes]
        assert [each is None for each in together] == [False, False, False, True]
        assert all(one is None or one.tobytes() == other.tobytes() for one, other in zip(together, alone, strict=True))


def test_a_fine_picture_is_searched_on_a_coarse_grid(monkeypatch):
    """Four times as large a picture is searched at most twice as much as the small one, eight times as large a one no more than
    that, and lines go on as well."""
    places = []

    class Counted(PatchSearch):
        def __call__(self, *given):
            places.append(self.matches.place.shape[1])
            super().__call__(*given)

    monkeypatch.setattr(module, "PatchSearch", Counted)
    small = bands(0.5)
    counts = []
    for times in (1, 4, 8):
        large = np.kron(small, np.ones((times, times, 1), np.float32))
        source, hole = (np.kron(a, np.ones((times, times), bool)) for a in made(small)[1:3])
        smooth, places[:] = push_pull(large * source[..., None], source), []
        (result,) = patch_match([finest_level(large, source, hole, smooth, 2)], 2, 1, times * LONG_SIDE)
        assert ((result - large)[hole] ** 2).mean() < 0.4 * ((smooth - large)[hole] ** 2).mean()
        counts.append(sum(places))
    assert counts[1] < 2.1 * counts[0] and counts[2] < 1.1 * counts[1]


def test_a_quick_search_stays_on_the_coarse_levels(monkeypatch):
    searched = []

    class Seen(PatchSearch):
        def __init__(self, matches, radius, *more):
            searched.append((radius, max(matches.levels[0].source.shape)))
            super().__init__(matches, radius, *more)

    monkeypatch.setattr(module, "PatchSearch", Seen)
    colour, source, hole, smooth = made(bands(0.5), 40)
    inpaint_exemplar(Hole(colour, source, hole, smooth, 1000), effort=module.THOROUGH)
    assert {radius for radius, _ in searched} == {3} and max(side for _, side in searched) == SIDE
    searched.clear()
    result = inpaint_exemplar(Hole(colour, source, hole, smooth, 1000), effort=module.QUICK)
    assert {radius for radius, _ in searched} == {3} and max(side for _, side in searched) < SIDE  # as coarse as the pyramid has
    assert result.shape[2] == 3 and np.abs(result[hole]).max() > 0.02


def test_too_little_context_gives_none():
    colour, source, hole, smooth = made(checks(5))
    source[:, 52:] = False
    assert inpaint_exemplar(Hole(colour, source, hole, smooth, LONG_SIDE)) is None


def test_places_of_a_coarse_grid_are_taken_over_as_far_away():
    picture = checks(8)
    fine = finest_level(*made(picture, 20), 2)
    coarse = finest_level(*(a[::2, ::2] for a in made(picture, 20)), 2)
    rows, columns = np.nonzero(coarse.hole)
    nnf = NearestNeighbourField(rows, columns, rows, columns + 16)
    found = upsampled_field(nnf, coarse, fine, 2)
    direct = fine.centres[found.rows, np.minimum(found.columns + 32, SIDE - 1)] & coarse.hole[found.rows // 4 * 2, found.columns // 4 * 2]
    assert direct.sum() > 350
    assert (found.source_columns - found.columns)[direct].tolist() == [32] * int(direct.sum())
    assert fine.centres[found.source_rows, found.source_columns].all()


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_votes_of_places_shifted_alike_copy(radius):
    picture = np.random.default_rng(3).random((SIDE, SIDE, 3)).astype(np.float32)
    level = finest_level(*made(picture, 10), radius)
    rows, columns = patches(level, radius)
    inner = (rows >= radius) & (rows < SIDE - radius) & (columns < SIDE - 20 - radius)
    nnf = NearestNeighbourField(rows[inner], columns[inner], rows[inner], columns[inner] + 20)
    result = level.smooth.copy()
    result[level.hole] = Voting(Matches([nnf], [level]), radius, patch_step(radius))(level.smooth[level.hole])
    assert np.allclose(result[4:-4, 30:40], picture[4:-4, 50:60], atol=1e-6)


@pytest.mark.parametrize("at_once", [0, FEW_PIXELS])
def test_each_vote_counts_where_its_patch_lies_and_nowhere_else(monkeypatch, at_once):
    """Against the plain sum over patches and their pixels; few pixels and many take different ways."""
    monkeypatch.setattr("photo_diorama.core.inpaint.patch_search.FEW_PIXELS", at_once)
    rng = np.random.default_rng(5)
    level = finest_level(*made(rng.random((SIDE, SIDE, 3)).astype(np.float32), 12), 2)
    rows, columns = patches(level, 2)
    keep = (rows > 2) & (rows < SIDE - 3) & (rng.random(len(rows)) < 0.7)
    rows, columns = rows[keep], columns[keep]
    nnf = NearestNeighbourField(rows, columns, rng.integers(2, SIDE - 2, len(rows)), rng.integers(60, SIDE - 2, len(rows)))
    nnf.difference = rng.random(len(rows)).astype(np.float32)
    weight = 1 / (nnf.difference + 1e-4 + np.sort(nnf.difference)[len(rows) * WEIGHT_PERCENTILE // 100])
    total = np.zeros((SIDE, SIDE, 4))
    for row, column, from_row, from_column, share in zip(rows, columns, nnf.source_rows, nnf.source_columns, weight, strict=True):
        total[row - 2 : row + 3, column - 2 : column + 3, 3] += share
        total[row - 2 : row + 3, column - 2 : column + 3, :3] += (
            share * level.colour[from_row - 2 : from_row + 3, from_column - 2 : from_column + 3]
        )
    result, voted = level.smooth.copy(), level.hole & (total[..., 3] > 0)
    result[level.hole] = Voting(Matches([nnf], [level]), 2, patch_step(2))(level.smooth[level.hole])
    assert voted.sum() > 500
    assert np.allclose(result[voted], total[voted][:, :3] / total[voted][:, 3:], atol=1e-5)
    assert np.array_equal(result[level.hole & ~voted], level.smooth[level.hole & ~voted])


def test_differences_are_those_of_the_patches_weighed():
    """The scalar product is the weighted mean square of the difference of patches cut out one by one; and a search never loses."""
    rng = np.random.default_rng(6)
    level = finest_level(*made(rng.random((SIDE, SIDE, 3)).astype(np.float32), 12), 2)
    rows, columns = patches(level, 2)
    inner = (rows > 2) & (rows < SIDE - 3)
    nnf = NearestNeighbourField(rows[inner], columns[inner], rows[inner], np.minimum(columns[inner] + 20, SIDE - 3))
    matches = Matches([nnf], [level])
    search = PatchSearch(matches, 2)
    search(level.smooth[level.hole], [rng])
    matches.store()
    for k in range(0, len(nnf.rows), 37):
        cut = [np.s_[r - 2 : r + 3, c - 2 : c + 3] for r, c in ((nnf.rows[k], nnf.columns[k]), (nnf.source_rows[k], nnf.source_columns[k]))]
        apart = ((level.smooth[cut[0]] - level.colour[cut[1]]) ** 2).sum(axis=2)
        assert abs((apart.ravel() * search.weight[k, :, 0]).sum() - nnf.difference[k]) < 1e-5
    before = nnf.difference.copy()
    search(level.smooth[level.hole], [rng])
    matches.store()
    assert (nnf.difference <= before + 1e-6).all() and (nnf.difference < before - 1e-3).any()
    assert level.centres[nnf.source_rows, nnf.source_columns].all()


@pytest.mark.parametrize("sigma", [1.5, 8.5, 20.0])
def test_a_wide_average_on_a_coarser_grid_is_the_same(sigma):
    import cv2

    picture = np.random.default_rng(7).random((90, 131, 3)).astype(np.float32)
    framed = cv2.copyMakeBorder(picture, 80, 80, 80, 80, cv2.BORDER_CONSTANT)
    expected = cv2.GaussianBlur(framed, (0, 0), sigma)[80:-80, 80:-80]
    assert np.abs(blur(picture, sigma) - expected).max() < 0.02


def test_what_was_found_is_not_looked_for_again(monkeypatch):
    """Neither with the same bytes nor for the same nothing; another context is another question; room is bounded."""
    asked = []

    def counted(holes, effort):
        asked.extend(holes)
        return inpaint_exemplars(holes, effort)

    monkeypatch.setattr(module, "inpaint_exemplars", counted)
    monkeypatch.setattr(module, "patch_cache", ArrayCache())
    given = made(checks(5))
    cached = lambda *holes: module.inpaint_exemplars_cached(holes)
    (first,), (second,) = (cached(Hole(*given, LONG_SIDE)) for _ in range(2))
    assert len(asked) == 1
    assert len(cached(Hole(*given, LONG_SIDE), Hole(*given, LONG_SIDE))) == 2 and len(asked) == 1
    assert first.tobytes() == second.tobytes() == inpaint_exemplars([Hole(*given, LONG_SIDE)])[0].tobytes()
    given[0][-1, -1] += 0.01
    cached(Hole(*given, LONG_SIDE))
    assert len(asked) == 2
    cached(Hole(*given, 2 * LONG_SIDE))
    assert len(asked) == 3
    module.patch_cache.room = 0
    module.patch_cache.keep(b"", first)
    assert not module.patch_cache.results
