"""Continues a region's lines and texture into its hole with pieces of its own context, found from coarse to fine.

Wexler et al. 2007 (sections 3 and 4): every patch that overlaps the hole shall be like some patch of what is known, and what
stands in the hole is what these vote for. The like patches are found as by Barnes et al. 2009 (section 3): good places spread
to neighbours, and are improved by random tries. Only trusted context is ever copied, so no foreground gets in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil, log2
from threading import Lock

import numpy as np

SEARCHED = 500
"""Patches are looked for on grids of at most this long side; on finer ones the places found are taken over."""
ROUNDS = (2, 4, 8)
"""Searches, each followed by a vote, on the finest grid that is searched, the next, and all coarser ones."""
DEEPEST = 3
"""Grids are halved until no pixel of the hole is further from what is known than this."""
SMALLEST, MOST_GRIDS, FEWEST_PLACES = 24, 7, 40
CERTAINTY = 3.0
"""By how much less each step away from what is known counts when patches are compared."""
EVEN = 30
"""Percentile of the patches' differences that keeps the best ones from outvoting all others."""
AT_ONCE = 1024
"""Patches compared together: few enough that they stay in the processor's cache."""
NARROWER = 2.5
"""Random tries go from all over the region to next door in steps of this factor."""
SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))


TRIES = ((2, 1), (3, 2))
"""Radius of the patches in pixels and seed. Where two tries agree what they found is likely, and their mean is nearer to it."""
COARSE = 0.017
"""What an average over this part of the long side keeps is left to the smooth fill: pieces are often right in their lines and
wrong in their light."""


@dataclass(frozen=True)
class Grid:
    """The region at one size."""

    colour: np.ndarray  # (h, w, 3) float32, 0 off `source`
    source: np.ndarray  # (h, w) bool: what may be copied
    hole: np.ndarray  # (h, w) bool: what is to be filled
    smooth: np.ndarray  # (h, w, 3) float32: what stands in the hole at first
    centres: np.ndarray  # (h, w) bool: middles of patches that lie wholly in `source`


@dataclass
class Match:
    """For every patch that overlaps the hole the place in the context that it is taken from."""

    rows: np.ndarray  # (n,) of the patches' middles
    columns: np.ndarray
    from_rows: np.ndarray  # (n,) of the places
    from_columns: np.ndarray
    difference: np.ndarray | None = None  # (n,) float32, where patches were compared


@dataclass
class Found:
    """Pieces that were found before, by what they were looked for in: an edit of the depth changes few regions of a photo."""

    room: int = 2**27  # bytes
    results: OrderedDict[bytes, np.ndarray | None] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def recall(self, key: bytes) -> tuple[bool, np.ndarray | None]:
        """Whether the answer is known, and the answer."""
        with self.lock:
            if key not in self.results:
                return False, None
            self.results.move_to_end(key)
            return True, self.results[key]

    def keep(self, key: bytes, result: np.ndarray | None) -> None:
        """Keeps an answer, and lets those go that were asked for longest ago where there is no room."""
        with self.lock:
            self.results[key] = result
            while sum(0 if kept is None else kept.nbytes for kept in self.results.values()) > self.room:
                self.results.popitem(last=False)


found_before = Found()


def pieces_once(colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, long_side: int) -> np.ndarray | None:
    """As `pieces`, but what was found before for the same context and hole is not looked for again."""
    digest = blake2b(np.int64([*source.shape, long_side]).tobytes(), digest_size=16)
    for part in (np.packbits(source), np.packbits(hole), colour[source], smooth[hole]):
        digest.update(np.ascontiguousarray(part).data)
    known, values = found_before.recall(digest.digest())
    if not known:
        result = pieces(colour, source, hole, smooth, long_side)
        values = None if result is None else result[hole]
        found_before.keep(digest.digest(), values)
    if values is None:
        return None
    result = np.zeros((*hole.shape, values.shape[1]), np.float32)
    result[hole] = values
    return result


def pieces(colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, long_side: int) -> np.ndarray | None:
    """(h, w, 3 for each of `TRIES`) float32: what to add to `smooth` in `hole`, 0 elsewhere; None where too little is known.

    `colour` and `smooth` (h, w, 3) float32 sRGB, `source` (what may be copied) and `hole` (h, w) bool; `long_side` is that of
    the whole picture in pixels.
    """
    import cv2

    found, region, sigma = [], np.float32(source | hole), COARSE * long_side
    share = np.maximum(cv2.GaussianBlur(region, (0, 0), sigma), 1e-4)[..., None]
    for radius, seed in TRIES:
        made = continue_texture(first_grid(colour, source, hole, smooth, radius), radius, seed, long_side)
        if made is not None:
            coarse = cv2.GaussianBlur(made * region[..., None], (0, 0), sigma) / share
            found.append(np.where(hole[..., None], made - coarse, 0).astype(np.float32))
    if not found:
        return None
    return np.concatenate([found[min(k, len(found) - 1)] for k in range(len(TRIES))], axis=2)


def continue_texture(grid: Grid, radius: int, seed: int, long_side: int) -> np.ndarray | None:
    """(h, w, 3) float32: the grid's colour on `source`, pieces of it in `hole`, 0 elsewhere; None where too little is known.

    Patches have 2 `radius` + 1 pixels a side. `long_side` is that of the whole picture in pixels: the work of searching is
    bounded by it. The same `seed` gives the same result.
    """
    grids = halvings(grid, radius)
    if grids is None:
        return None
    rng, match, picture = np.random.default_rng(seed), None, grid.colour
    finest = min(len(grids) - 1, max(0, ceil(log2(long_side / SEARCHED))))
    for number in reversed(range(len(grids))):
        now = grids[number]
        picture = np.where(now.hole[..., None], now.smooth, now.colour)
        if match is None:
            match = nearest_places(now, radius)
        else:
            match = taken_over(match, grids[number + 1], now, radius)
            picture = vote(picture, now, match, radius)
        if number >= finest:
            for _ in range(ROUNDS[min(number - finest, len(ROUNDS) - 1)]):
                search(match, picture, now, radius, rng)
                picture = vote(picture, now, match, radius)
    return picture


def first_grid(colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, radius: int) -> Grid:
    """The region at its own size."""
    import cv2

    side = 2 * radius + 1
    inside = cv2.erode(source.astype(np.uint8), np.ones((side, side)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return Grid(np.where(source[..., None], colour, 0).astype(np.float32), source, hole, smooth, inside > 0)


def halvings(grid: Grid, radius: int) -> list[Grid] | None:
    """The grid and coarser ones, as far as there is something to copy; None where there is nothing on the first."""
    import cv2

    grids = [grid]
    if np.count_nonzero(grid.centres) < FEWEST_PLACES:
        return None
    while min(grids[-1].source.shape) > SMALLEST and len(grids) < MOST_GRIDS:
        last = grids[-1]
        if cv2.distanceTransform(last.hole.astype(np.uint8), cv2.DIST_L2, 3).max() <= DEEPEST:
            break
        pad = tuple((0, n % 2) for n in last.source.shape)
        size = tuple((n + 1) // 2 for n in last.source.shape[::-1])
        known, hole = (np.pad(a.astype(np.float32), pad) for a in (last.source, last.hole))
        share, open_ = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in (known, hole))
        sums = cv2.resize(np.pad(last.colour, (*pad, (0, 0))), size, interpolation=cv2.INTER_AREA)
        smooth = cv2.resize(np.pad(last.smooth, (*pad, (0, 0)), mode="edge"), size, interpolation=cv2.INTER_AREA)
        source = share > 0.999
        coarse = first_grid(sums, source, (open_ > 0) & ~source, smooth, radius)
        if np.count_nonzero(coarse.centres) < FEWEST_PLACES:
            break
        grids.append(coarse)
    return grids


def patches(grid: Grid, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the middles of all patches that overlap the hole and lie in the region themselves."""
    import cv2

    side = 2 * radius + 1
    return np.nonzero((cv2.dilate(grid.hole.astype(np.uint8), np.ones((side, side))) > 0) & (grid.source | grid.hole))


def to_nearest_centre(grid: Grid, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places where whole patches lie that are nearest to these pixels."""
    import cv2

    _, labels = cv2.distanceTransformWithLabels((~grid.centres).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    nearest = np.zeros(labels.max() + 1, np.int64)
    nearest[labels[grid.centres]] = np.flatnonzero(grid.centres)
    return np.divmod(nearest[labels[rows, columns]], grid.source.shape[1])


def nearest_places(grid: Grid, radius: int) -> Match:
    """Every patch taken from the nearest place there is."""
    rows, columns = patches(grid, radius)
    return Match(rows, columns, *to_nearest_centre(grid, rows, columns))


def taken_over(match: Match, coarse: Grid, grid: Grid, radius: int) -> Match:
    """The places of a grid twice as coarse, as far away as they are there."""
    rows, columns = patches(grid, radius)
    number = np.zeros(coarse.source.shape, np.int64)
    reached = np.zeros(coarse.source.shape, bool)
    number[match.rows, match.columns] = np.arange(len(match.rows))
    reached[match.rows, match.columns] = True
    half_rows, half_columns = rows // 2, columns // 2
    known, which = reached[half_rows, half_columns], number[half_rows, half_columns]
    height, width = grid.source.shape
    from_rows = rows + np.where(known, 2 * (match.from_rows - match.rows)[which], 0)
    from_columns = columns + np.where(known, 2 * (match.from_columns - match.columns)[which], 0)
    from_rows, from_columns = np.clip(from_rows, 0, height - 1), np.clip(from_columns, 0, width - 1)
    lost = ~grid.centres[from_rows, from_columns]
    if lost.any():
        from_rows[lost], from_columns[lost] = to_nearest_centre(grid, from_rows[lost], from_columns[lost])
    return Match(rows, columns, from_rows, from_columns)


def search(match: Match, picture: np.ndarray, grid: Grid, radius: int, rng: np.random.Generator) -> None:
    """Finds better places in `match`: its neighbours', moved along, and random ones ever nearer to the best so far."""
    height, width = grid.source.shape
    compare = Comparison(match, picture, grid, radius)
    everything = np.arange(len(match.rows))
    match.difference = compare(everything, match.from_rows, match.from_columns)
    number = np.full((height, width), -1, np.int64)
    number[match.rows, match.columns] = everything

    def offer(which: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        inside[inside] = grid.centres[rows[inside], columns[inside]]
        which, rows, columns = which[inside], rows[inside], columns[inside]
        difference = compare(which, rows, columns)
        better = difference < match.difference[which]
        which = which[better]
        match.from_rows[which], match.from_columns[which] = rows[better], columns[better]
        match.difference[which] = difference[better]

    for down, right in SIDES:
        rows, columns = match.rows + down, match.columns + right
        beside = np.flatnonzero((rows >= 0) & (rows < height) & (columns >= 0) & (columns < width))
        whose = number[rows[beside], columns[beside]]
        beside, whose = beside[whose >= 0], whose[whose >= 0]
        offer(beside, match.from_rows[whose] - down, match.from_columns[whose] - right)
    reach = max(height, width) / 2
    while reach >= 1:
        shift = np.rint(rng.uniform(-reach, reach, (2, len(everything)))).astype(np.int64)
        rows, columns = np.clip(match.from_rows + shift[0], 0, height - 1), np.clip(match.from_columns + shift[1], 0, width - 1)
        offer(everything, rows, columns)
        reach /= NARROWER


class Comparison:
    """Weighted mean square difference between patches of the picture as it stands and patches of the context."""

    def __init__(self, match: Match, picture: np.ndarray, grid: Grid, radius: int):
        import cv2

        side, region = 2 * radius + 1, grid.source | grid.hole
        away = cv2.distanceTransform((~grid.source).astype(np.uint8), cv2.DIST_L2, 3)
        certainty = np.where(region, CERTAINTY ** -np.float32(away), 0).astype(np.float32)
        rows, columns = np.nonzero(grid.centres)
        self.number = np.zeros(grid.source.shape, np.int64)
        self.number[rows, columns] = np.arange(len(rows))
        self.known = _cut(grid.colour, rows, columns, side)
        self.wanted = _cut(picture, match.rows, match.columns, side)
        self.weight = _cut(certainty[..., None], match.rows, match.columns, side)
        self.weight /= np.maximum(self.weight.sum(axis=1, keepdims=True), 1e-9)

    def __call__(self, which: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(n,) float32 for these patches if taken from there."""
        result = np.empty(len(which), np.float32)
        for start in range(0, len(which), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            apart = self.known.take(self.number[rows[part], columns[part]], axis=0)
            apart -= self.wanted.take(which[part], axis=0)
            apart *= apart
            np.einsum("npc,npk->n", apart, self.weight.take(which[part], axis=0), out=result[part])
        return result


def _cut(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int) -> np.ndarray:
    """(n, side * side, channels) float32: the patches about these pixels."""
    radius = side // 2
    padded = np.pad(picture, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    found = windows[rows, columns].transpose(0, 2, 3, 1)
    return np.ascontiguousarray(found, np.float32).reshape(len(rows), side * side, picture.shape[2])


def vote(picture: np.ndarray, grid: Grid, match: Match, radius: int) -> np.ndarray:
    """(h, w, 3) float32: in the hole the mean of what all patches over a pixel put there, the more alike the more."""
    height, width = grid.source.shape
    count = len(match.rows)
    weight = np.zeros(count + 1, np.float32)  # the last is for places where no patch is
    weight[:count] = 1
    if match.difference is not None:
        weight[:count] /= match.difference + 1e-4 + np.percentile(match.difference, EVEN)
    taken = np.zeros(count + 1, np.int64)
    taken[:count] = match.from_rows * width + match.from_columns
    stride = width + 2 * radius
    number = np.full((height + 2 * radius, stride), count)
    number[match.rows + radius, match.columns + radius] = np.arange(count)
    rows, columns = np.nonzero(grid.hole)
    colour = np.concatenate([grid.colour, np.ones((height, width, 1), np.float32)], axis=2).reshape(-1, 4)
    middle, flat = (rows + radius) * stride + columns + radius, number.ravel()
    total = np.zeros((len(rows), 4), np.float32)
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            patch = flat.take(middle - (down * stride + right))
            place = np.where(patch < count, taken.take(patch) + (down * width + right), 0)
            total += colour.take(place, axis=0) * weight.take(patch)[:, None]
    filled = picture.copy()
    voted = total[:, 3] > 0
    filled[rows[voted], columns[voted]] = total[voted, :3] / total[voted, 3:]
    return filled
