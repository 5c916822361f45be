"""Continued depth edges: they start where an edge ends at a silhouette, follow what is predicted, and let nothing through."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import ALL, BORDERED, BORDERLESS, EVERY, relief, t_junction

from photo_diorama.core.hidden_depth.edge_paths import (
    EdgeEnd,
    EdgePath,
    find_ends,
    plan_paths,
    refine,
)
from photo_diorama.core.hidden_depth.propagate_edges import propagate_across_edges, repropagate
from photo_diorama.core.layers.discontinuities import label_depth_edges
from photo_diorama.core.layers.link_layers import link_hidden
from photo_diorama.core.layers.regions import disocclude

HEIGHT, WIDTH = 60, 80
DOWNWARDS, UPWARDS = (1.0, 0.0), (-1.0, 0.0)


def curve(seed: int, straight: bool = False) -> list[tuple[int, int]]:
    """An 8-connected way from the left to the right of the picture, a pixel a column."""
    rng = np.random.default_rng(seed)
    rows = 30 + np.cumsum(np.zeros(WIDTH, int) if straight else rng.integers(-1, 2, WIDTH))
    return [(int(r), c) for c, r in enumerate(np.clip(rows, 5, HEIGHT - 6))]


def end_of(path: list[tuple[int, int]], away=DOWNWARDS, jump: float = 0.2) -> EdgeEnd:
    return EdgeEnd(path[0], away, 0.5, 0.5 - jump)


def drawn(path: list[tuple[int, int]]) -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH), bool)
    picture[tuple(np.transpose(path))] = True
    return picture


def synthesis(first: int = 1, last: int = WIDTH) -> np.ndarray:
    """All but the columns before `first` and from `last` on, which are context."""
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[:, first:last] = True
    return region


def reachable(paths: list[EdgePath], region: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """Pixels of the region that hang together with `start` over links that no path tears."""
    torn = {frozenset(pair) for path in paths for pair in path.torn}
    seen, front = np.zeros(region.shape, bool), [start]
    while front:
        r, c = front.pop()
        if seen[r, c]:
            continue
        seen[r, c] = True
        for there in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            inside = 0 <= there[0] < HEIGHT and 0 <= there[1] < WIDTH
            if inside and region[there] and not seen[there] and frozenset(((r, c), there)) not in torn:
                front.append(there)
    return seen


@pytest.mark.parametrize("away", [DOWNWARDS, UPWARDS])
@pytest.mark.parametrize("seed", range(6))
def test_a_path_through_a_region_parts_it_in_two(seed, away):
    """Nothing leads from the farther side to the path; the path hangs together with the nearer side."""
    line, region = curve(seed), synthesis()
    (path,) = plan_paths(drawn(line), region, [end_of(line, away)])
    assert list(path.near) == line[1:]
    below, above = reachable([path], region, (HEIGHT - 1, 40)), reachable([path], region, (0, 40))
    near, far = (above, below) if away == DOWNWARDS else (below, above)
    on_path = drawn(line[1:])
    assert not (near & far).any() and (near | far)[region].all()
    assert near[on_path].all() and not far[on_path].any()
    for one, other in path.torn:
        assert on_path[one] and (far[other] or not region[other])


def test_what_is_predicted_is_thinned_to_the_shortest_way():
    import cv2

    line = curve(0, straight=True)
    wide = cv2.dilate(drawn(line).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    (path,) = plan_paths(wide, synthesis(), [end_of(line)])
    assert len(path.near) == WIDTH - 1 and path.near[-1][1] == WIDTH - 1


def test_an_end_in_the_middle_leaves_the_rest_linked():
    line, region = curve(1)[:40], synthesis()
    (path,) = plan_paths(drawn(line), region, [end_of(line)])
    assert len(path.near) == 39
    assert reachable([path], region, (0, 40))[HEIGHT - 1, 40]


def test_edges_that_agree_are_joined():
    line, region = curve(2), synthesis(1, WIDTH - 1)
    (path,) = plan_paths(drawn(line), region, [end_of(line), end_of(line[::-1])])
    assert list(path.near) == line[1:-1]
    assert not (reachable([path], region, (0, 40)) & reachable([path], region, (HEIGHT - 1, 40))).any()


def test_edges_that_do_not_agree_share_the_way_by_their_jumps():
    line, region = curve(3), synthesis(1, WIDTH - 1)
    first, other = end_of(line, DOWNWARDS, 0.3), end_of(line[::-1], UPWARDS, 0.1)
    paths = plan_paths(drawn(line), region, [first, other])
    lengths = [len(path.near) for path in paths]
    assert sum(lengths) == WIDTH - 2 - 5 and abs(lengths[0] - 3 * lengths[1]) <= 3
    assert paths[0].near[0] == line[1] and paths[1].near[0] == line[-2]


def test_what_meets_no_end_or_three_is_no_edge():
    line, region = curve(4), synthesis(1, WIDTH - 1)
    assert plan_paths(drawn(line), region, []) == []
    lone = drawn([(50, c) for c in range(20, 60)]) | drawn(line[:30])
    (path,) = plan_paths(lone, region, [end_of(line)])
    assert list(path.near) == line[1:30]
    third = EdgeEnd((line[0][0] + 1, 0), DOWNWARDS, 0.5, 0.3)
    assert plan_paths(drawn(line), region, [end_of(line), end_of(line[::-1]), third]) == []


def test_no_path_where_the_farther_side_is_not_to_be_told():
    line = [(30, c) for c in range(WIDTH)]
    assert plan_paths(drawn(line), synthesis(), [end_of(line, (0.0, 1.0))]) == []


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_a_coarse_path_parts_the_fine_region_too(seed, scale):
    region, coarse_line = synthesis(), curve(seed)
    first = np.arange(0, WIDTH // scale)
    line = [(coarse_line[c * scale][0] // scale, int(c)) for c in first]
    for number in range(1, len(line)):  # 8-connected on the coarse grid
        row = line[number - 1][0] + int(np.clip(line[number][0] - line[number - 1][0], -1, 1))
        line[number] = row, line[number][1]
    coarse = np.zeros((HEIGHT // scale, WIDTH // scale), bool)
    coarse[tuple(np.transpose(line))] = True
    within = np.ones(coarse.shape, bool)
    within[:, 0] = False
    (path,) = plan_paths(coarse, within, [EdgeEnd(line[0], DOWNWARDS, 0.5, 0.3)])
    end = EdgeEnd((line[0][0] * scale + scale // 2, 0), DOWNWARDS, 0.5, 0.3)
    fine = refine(path, scale, region, end)
    steps = np.abs(np.diff(fine.near, axis=0)).max(axis=1)
    assert (steps == 1).all() and fine.near[0][1] == 1 and fine.near[-1][1] >= WIDTH - 2 * scale
    assert all(region[pixel] for pixel in fine.near)
    reached = fine.near[-1][1]
    cut = region.copy()
    cut[:, reached + 1 :] = False
    assert not (reachable([fine], cut, (0, 20)) & reachable([fine], cut, (HEIGHT - 1, 20))).any()


def edges_of(image) -> tuple[np.ndarray, np.ndarray]:
    """Silhouette pixels and their labels, of a photo's own layer."""
    found = disocclude(image, 0.07)
    silhouette = found.hidden & (found.distance == 0)
    return silhouette, label_depth_edges(silhouette, image.layers[0], 0)


def test_at_a_junction_every_surface_has_an_edge_of_its_own():
    silhouette, labels = edges_of(t_junction().split(BORDERLESS))
    assert ((labels > 0) == silhouette).all()
    disparity = t_junction().disparity
    near, middle = labels[silhouette & (disparity == 1)], labels[silhouette & (disparity == 0.5)]
    assert len(np.unique(near)) == 1 and len(np.unique(middle)) == 1 and near[0] != middle[0]


def test_edges_are_on_one_surface_in_any_scene():
    """Pixels of one edge that touch are linked, or diagonal beside a pixel that both are linked to."""
    for scene in (relief(), relief(1), ALL["nested"](), ALL["sphere"]()):
        image = scene.split(BORDERED)
        silhouette, labels = edges_of(image)
        right, down = image.layers[0].links[0] == 0, image.layers[0].links[2] == 0
        both = silhouette[:, :-1] & silhouette[:, 1:] & right[:, :-1]
        assert (labels[:, :-1] == labels[:, 1:])[both].all()
        both = silhouette[:-1] & silhouette[1:] & down[:-1]
        assert (labels[:-1] == labels[1:])[both].all()
        assert len(np.unique(labels)) - 1 <= silhouette.sum()


def test_the_end_of_an_edge_knows_both_surfaces():
    image = t_junction().split(BORDERLESS)
    _, labels = edges_of(image)
    touching = np.zeros(labels.shape, bool)
    touching[69, 80] = True  # the last pixel of the middle surface's silhouette, above the nearest
    (end,) = find_ends(touching, labels, image)
    assert end.pixel == (69, 80) and end.near == 0.5 and end.far == 0.25
    assert end.away[1] < 0 and abs(end.away[0]) < 1e-6


def continued(slope: float):
    """The junction with the middle surface's edge continued by `slope` columns a row: image, what the flood found, and after."""
    image = t_junction().split(BORDERLESS)
    found = disocclude(image, 0.2)
    _, labels = edges_of(image)
    touching = np.zeros(labels.shape, bool)
    touching[69, 80] = True
    (end,) = find_ends(touching, labels, image)
    predicted = np.zeros(found.hidden.shape, bool)
    for row in range(70, 103):
        predicted[row, 80 + int(np.trunc(slope * (row - 69)))] = True
    (path,) = plan_paths(predicted, found.hidden, [end])
    return image, found, path, *propagate_across_edges(image, found, found.hidden.astype(np.int32), [path])


def test_each_side_of_a_path_continues_its_own_surface():
    """Straight down the flood halves what the near surface hides; a slanting path moves the border, and all stays told."""
    _, found, path, after, near = continued(0.5)
    rows, columns = np.nonzero(found.hidden)
    beside, border = (rows > 70) & (rows < 90), 80 + (rows - 69) // 2
    left, right = beside & (columns < border) & (columns > 45), beside & (columns >= border) & (columns < 115)
    assert (after.disparity[rows, columns][left] == 0.25).all()
    assert (after.disparity[rows, columns][right] == 0.5).all()
    assert (found.disparity[rows, columns][left] == 0.5).sum() > 50  # so that it was the path that told
    assert near.sum() == len(path.near) and after.torn.any() and not (after.torn & ~found.hidden).any()
    assert np.array_equal(after.hidden, found.hidden)


def test_a_path_below_the_other_surface_is_still_of_its_own():
    """It leans to where the silhouette hides the far surface: its first pixels were flooded from there."""
    _, found, path, after, near = continued(-1.0)
    assert (found.disparity[near] == 0.25).sum() > 10 and (after.disparity[near] == 0.5).all()
    assert all(after.disparity[far] == 0.25 for _, far in path.torn if found.hidden[far])


def test_torn_pixels_are_not_linked_whatever_their_depth():
    image, _, path, after, _ = continued(0.5)
    flat = replace(after, disparity=np.where(after.hidden, np.float32(0.25), 0))
    _, links = link_hidden(image, flat)
    _, free = link_hidden(image, replace(flat, torn=None))
    sides = {(0, 1): 0, (0, -1): 1, (1, 0): 2, (-1, 0): 3}
    pairs = [(one, sides[far[0] - one[0], far[1] - one[1]]) for one, far in path.torn if flat.hidden[far]]
    assert len(pairs) > 30
    assert all(links[side][one] == -1 and free[side][one] == 1 for one, side in pairs)


def test_a_step_that_was_blurred_is_sharp_again():
    import cv2

    image, _, path, after, _ = continued(0.5)
    blurred = cv2.GaussianBlur(after.disparity, (7, 7), 0)
    sharp = repropagate(image, after, blurred, 5)
    inner = [(one, far) for one, far in path.torn if 76 < one[0] < 92]
    assert len(inner) > 10
    for one, far in inner:
        assert blurred[one] - blurred[far] < 0.15 < 0.249 < sharp[one] - sharp[far]
    away = after.hidden & (np.abs(sharp - blurred) > 1e-6)
    rows, columns = np.nonzero(away)
    assert (np.abs(columns - 80 - (rows - 69) / 2) < 12).all()


@pytest.mark.parametrize("side", ["right", "down"])
def test_both_bands_beside_a_tear_are_filled_from_their_own_side(side):
    """Depth is 0.3 before the tear and 0.2 beyond, and nonsense in the two pixels on both sides of it."""
    image = EVERY["two planes"]().split(BORDERLESS)
    found = disocclude(image, 1.0)
    torn = np.zeros((2, *image.shape), bool)
    at = (np.arange(image.shape[1]) >= 80)[None] if side == "right" else (np.arange(image.shape[0]) >= 60)[:, None]
    torn[0, :, 79] = side == "right"
    torn[1, 59] = side == "down"
    truth = np.where(at, np.float32(0.2), np.float32(0.3)) * np.ones(image.shape, np.float32)
    drawn = truth.copy()
    drawn[(slice(None), slice(78, 82)) if side == "right" else slice(58, 62)] = 0.9
    after = repropagate(image, replace(found, torn=torn & found.hidden), drawn, 2)
    assert found.hidden.sum() == 60 * 60 and np.allclose(after[found.hidden], truth[found.hidden])
