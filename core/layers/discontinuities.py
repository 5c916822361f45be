"""Cuts the photo's surface at depth discontinuities, cleaned of bridges, islands, short cracks and dangling ends.

Links are arrays: `right[r, c]` says that pixel (r, c) and (r, c + 1) are of one surface, `down[r, c]` the same for (r + 1, c).
A cut link is a segment between two corners of the pixel grid; segments that share a corner form one crack.
"""

from __future__ import annotations

import numpy as np

from ..raster.nearest_known import nearest_known
from .layered_depth_image import DOWN, LEFT, RIGHT, STEPS, Layer

ISLAND_AREA = 64e-6
"""Pieces smaller than this part of the long side squared are noise: 64 px at 1000 px."""
SHORT_CRACK = 0.012
"""Cracks up to this part of the long side heal: 12 px at 1000 px (`redundant_number` of Shih et al. 2020)."""
DANGLING_ROUNDS = 3


def grow_foreground(disparity: np.ndarray, threshold: float, rings: int) -> np.ndarray:
    """Gives the pixels beside a silhouette, whose colour mixes both sides, to the foreground, ring by ring.

    From the photo's own camera nothing changes; from elsewhere no rim of foreground colour stays behind on the background.
    """
    for _ in range(rings):
        grown = disparity.copy()
        for here, there in _neighbours(disparity):
            nearer = disparity[there] - disparity[here] > threshold
            grown[here] = np.where(nearer, np.maximum(grown[here], disparity[there]), grown[here])
        disparity = grown
    return disparity


def _neighbours(array: np.ndarray):
    """The four pairs of views (pixel, its neighbour)."""
    inner, last, first = slice(None), slice(None, -1), slice(1, None)
    yield (inner, last), (inner, first)
    yield (inner, first), (inner, last)
    yield (last, inner), (first, inner)
    yield (first, inner), (last, inner)


def cut_discontinuities(
    disparity: np.ndarray, threshold: float, steps: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Disparity, with islands moved to the surface beside them, and the links `right` and `down`, (h, w) bool each.

    With `steps` (2, h, w) bool only these links, right and down, may be cut.
    """
    long_side = max(disparity.shape)
    disparity = _join_islands(disparity, threshold, ISLAND_AREA * long_side**2, steps)
    right, down = _links_below_threshold(disparity, threshold, steps)
    right, down = _cut_bridges(right, down)
    return disparity, *_heal(disparity, right, down, threshold, SHORT_CRACK * long_side)


def _links_below_threshold(disparity: np.ndarray, threshold: float, steps: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    right, down = np.zeros(disparity.shape, bool), np.zeros(disparity.shape, bool)
    right[:, :-1] = np.abs(np.diff(disparity, axis=1)) <= threshold
    down[:-1] = np.abs(np.diff(disparity, axis=0)) <= threshold
    if steps is not None:
        right[:, :-1] |= ~steps[0, :, :-1]
        down[:-1] |= ~steps[1, :-1]
    return right, down


def _cut_bridges(right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a link whose neighbours on both sides, across the same line, are cut."""
    torn = ~right[:, :-1]
    right = right.copy()
    right[1:-1, :-1] &= ~(torn[:-2] & torn[2:])
    torn = ~down[:-1]
    down = down.copy()
    down[:-1, 1:-1] &= ~(torn[:, :-2] & torn[:, 2:])
    return right, down


def label_surfaces(present: np.ndarray, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) int32 labels of connected pieces, 0 where not present, and the number of pixels per label.

    Pixels and links form a picture of twice the size, whose connected components OpenCV labels.

    >>> everywhere, right = np.ones((2, 3), bool), np.array([[True, False, False]] * 2)
    >>> down = np.array([[True] * 3, [False] * 3])
    >>> labels, sizes = label_surfaces(everywhere, right, down)  # cut between the second and the third column
    >>> labels.tolist(), sizes.tolist()
    ([[1, 1, 2], [1, 1, 2]], [0, 4, 2])
    """
    import cv2

    labels = np.zeros(present.shape, np.int32)
    rows, columns = np.flatnonzero(present.any(axis=1)), np.flatnonzero(present.any(axis=0))
    if len(rows) == 0:
        return labels, np.bincount(labels.ravel())
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = labels[window].shape
    grid = np.zeros((2 * h, 2 * w), np.uint8)
    grid[::2, ::2] = present[window]
    grid[::2, 1::2] = right[window]
    grid[1::2, ::2] = down[window]
    _, found = cv2.connectedComponents(grid, connectivity=4, ltype=cv2.CV_32S)
    labels[window] = found[::2, ::2]
    return labels, np.bincount(labels.ravel())


def label_depth_edges(silhouette: np.ndarray, layer: Layer, number: int) -> np.ndarray:
    """(h, w) int32: linked depth edges of layer `number`, from 1; 0 elsewhere.

    `silhouette` (h, w) bool are the nearer pixels at its tears. Two belong to one edge if they are linked, or diagonal with a
    common neighbour that both are linked to. So at a junction three surfaces have three edges.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    where, width = np.flatnonzero(silhouette), silhouette.shape[1]
    place = np.full(silhouette.size, -1, np.int64)
    place[where] = np.arange(len(where))
    linked = (layer.links == number).reshape(4, -1)
    step = [rows * width + columns for rows, columns in STEPS]
    one, other = [], []

    def join(start: np.ndarray, *sides: int) -> None:
        at = start
        for side in sides:
            there = linked[side][at]
            start, at = start[there], at[there] + step[side]
        meet = place[at] >= 0
        one.append(place[start[meet]])
        other.append(place[at[meet]])

    for sides in ((RIGHT,), (DOWN,), (DOWN, RIGHT), (RIGHT, DOWN), (DOWN, LEFT), (LEFT, DOWN)):
        join(where, *sides)
    pairs = np.concatenate(one), np.concatenate(other)
    _, edge = connected_components(coo_matrix((np.ones(len(pairs[0])), pairs), shape=(len(where),) * 2), directed=False)
    labels = np.zeros(silhouette.shape, np.int32)
    labels.ravel()[where] = edge + 1
    return labels


def _join_islands(disparity: np.ndarray, threshold: float, area: float, steps: np.ndarray | None = None) -> np.ndarray:
    """Joins pieces of fewer than `area` pixels to a larger one: the nearest, unless they touch one of more similar disparity.

    So the rim of a round thing, which is steep enough to fall into pieces, does not end up on the wall behind it.
    """
    right, down = _links_below_threshold(disparity, threshold, steps)
    labels, sizes = label_surfaces(np.ones(disparity.shape, bool), right, down)
    island = sizes[labels] < area
    if not island.any() or island.all():
        return disparity
    near, likely = disparity.ravel()[nearest_known(~island)[1][island]], _likeliest(disparity, labels, island)[labels[island]]
    result = disparity.copy()
    result[island] = np.where(np.abs(near - likely) > 2 * threshold, likely, near)
    return result


def _likeliest(disparity: np.ndarray, labels: np.ndarray, island: np.ndarray) -> np.ndarray:
    """For each island's label, the disparity outside all islands beside it to which its jump is least; NaN without."""
    pieces, jumps, values = [], [], []
    for here, there in _neighbours(disparity):
        touching = island[here] & ~island[there]
        pieces.append(labels[here][touching])
        values.append(disparity[there][touching])
        jumps.append(np.abs(disparity[here][touching] - values[-1]))
    pieces, values = np.concatenate(pieces), np.concatenate(values)
    order = np.argsort(-np.concatenate(jumps), kind="stable")  # the last to be written is the smallest
    result = np.full(labels.max() + 1, np.nan, np.float32)
    result[pieces[order]] = values[order]
    return result


def torn_segments(right: np.ndarray, down: np.ndarray):
    """Cut links as segments between corners: for each kind (rows, columns of the first pixel) and the two corner indices.

    Corners are numbered on the (h + 1, w + 1) grid; corner (r, c) is the top left one of pixel (r, c).
    """
    w = right.shape[1] + 1
    r, c = np.nonzero(~right[:, :-1])
    yield (r, c), r * w + c + 1, (r + 1) * w + c + 1
    r, c = np.nonzero(~down[:-1])
    yield (r, c), (r + 1) * w + c, (r + 1) * w + c + 1


def _heal(disparity, right, down, threshold: float, short: float) -> tuple[np.ndarray, np.ndarray]:
    """Joins cracks of at most `short` segments again, and prunes dangling ends of others where the jump is small."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    (across, a0, a1), (along, b0, b1) = torn_segments(right, down)
    start, end = np.concatenate([a0, b0]), np.concatenate([a1, b1])
    if len(start) == 0:
        return right, down
    jump = np.concatenate([
        np.abs(disparity[across] - disparity[across[0], across[1] + 1]),
        np.abs(disparity[along] - disparity[along[0] + 1, along[1]]),
    ])  # fmt: skip
    corners, index = np.unique(np.concatenate([start, end]), return_inverse=True)
    start, end = index[: len(start)], index[len(start) :]
    _, crack = connected_components(coo_matrix((np.ones(len(start)), (start, end)), shape=(len(corners),) * 2), directed=False)
    healed = np.bincount(crack[start], minlength=len(corners))[crack[start]] <= short
    row, column = np.divmod(corners, right.shape[1] + 1)
    # a crack goes on beyond the frame: no end dangles there
    frame = (row == 0) | (row == right.shape[0]) | (column == 0) | (column == right.shape[1])
    for _ in range(DANGLING_ROUNDS):
        open_ = ~healed
        ends = np.bincount(start[open_], minlength=len(corners)) + np.bincount(end[open_], minlength=len(corners)) + frame
        healed |= open_ & (jump < 2 * threshold) & ((ends[start] == 1) | (ends[end] == 1))
    right, down = right.copy(), down.copy()
    first = healed[: len(a0)]
    right[across[0][first], across[1][first]] = True
    second = healed[len(a0) :]
    down[along[0][second], along[1][second]] = True
    return right, down
