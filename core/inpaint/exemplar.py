"""Continues a region's lines and texture into its hole with pieces of its own context, found from coarse to fine.

Wexler et al. 2007 (sections 3 and 4): every patch that overlaps the hole shall be like some patch of what is known, and what
stands in the hole is what these vote for. The like patches are found as by Barnes et al. 2009 (section 3): good places spread
to neighbours, and are improved by random tries. Only trusted context is ever copied, so no foreground gets in; but what the photo
shows on the rim that is not trusted helps to find what to copy, as far as pieces of the trusted context agree with it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil, log, log2
from threading import Lock

import numpy as np

SEARCHED, SETTLED = 1000, 500
"""Patches are looked for on grids of at most the first long side; on finer ones the places found are taken over. On grids of at
most the second they are looked for until they hardly change."""
TOUCHES, ROUNDS = 6, (20, 8, 8)
"""Searches, each followed by a vote, on grids between these two; on the finest below, the next, and all coarser ones."""
APART = 2
"""Pixels between the middles of patches: as they overlap, all of them would find hardly more in four times the time."""
DEEPEST = 3
"""Grids are halved until no pixel of the hole is further from what is known than this."""
SMALLEST, MOST_GRIDS, FEWEST_PLACES = 24, 7, 40
CERTAINTY = 3.0
"""By how much less each step away from what is known counts when patches are compared."""
EVEN = 30
"""Percentile of the patches' differences that keeps the best ones from outvoting all others."""
AT_ONCE = 1024
"""Patches compared together: few enough that they stay in the processor's cache."""
BELIEF = 0.6
"""Difference (root mean square, sRGB 0..1) from what pieces put there at which the rim is believed by 1 / e: it may be foreground."""
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

    colour: np.ndarray  # (h, w, 3) float32, 0 off `source` and `rim`
    source: np.ndarray  # (h, w) bool: what may be copied
    hole: np.ndarray  # (h, w) bool: what is to be filled
    smooth: np.ndarray  # (h, w, 3) float32: what stands in the hole at first
    centres: np.ndarray  # (h, w) bool: middles of patches that lie wholly in `source`
    rim: np.ndarray  # (h, w) bool, part of `hole`: where the photo shows something that is not to be copied


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


def pieces_once(
    colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, long_side: int, rim: np.ndarray | None = None
) -> np.ndarray | None:
    """As `pieces`, but what was found before for the same context and hole is not looked for again."""
    rim = np.zeros_like(hole) if rim is None else rim
    digest = blake2b(np.int64([*source.shape, long_side]).tobytes(), digest_size=16)
    for part in (np.packbits(source), np.packbits(hole), np.packbits(rim), colour[source | rim], smooth[hole]):
        digest.update(np.ascontiguousarray(part).data)
    known, values = found_before.recall(digest.digest())
    if not known:
        result = pieces(colour, source, hole, smooth, long_side, rim)
        values = None if result is None else result[hole]
        found_before.keep(digest.digest(), values)
    if values is None:
        return None
    result = np.zeros((*hole.shape, values.shape[1]), np.float32)
    result[hole] = values
    return result


def pieces(
    colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, long_side: int, rim: np.ndarray | None = None
) -> np.ndarray | None:
    """(h, w, 3 for each of `TRIES`) float32: what to add to `smooth` in `hole`, 0 elsewhere; None where too little is known.

    `colour` and `smooth` (h, w, 3) float32 sRGB, `source` (what may be copied), `hole` and its part `rim` (where `colour` tells
    something that may not be copied) (h, w) bool; `long_side` is that of the whole picture in pixels.
    """
    found, region, sigma = [], np.float32(source | hole), COARSE * long_side
    share = np.maximum(blurred(region, sigma), 1e-4)[..., None]
    for radius, seed in TRIES:
        made = continue_texture(first_grid(colour, source, hole, smooth, radius, rim), radius, seed, long_side)
        if made is not None:
            coarse = blurred(made * region[..., None], sigma) / share
            found.append(np.where(hole[..., None], made - coarse, 0).astype(np.float32))
    if not found:
        return None
    return np.concatenate([found[min(k, len(found) - 1)] for k in range(len(TRIES))], axis=2)


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """The picture's Gaussian average, wide ones on a coarser grid; as if black beyond its frame."""
    import cv2

    pad, coarser = ceil(3 * sigma), max(1, int(sigma / 4))
    height, width = picture.shape[:2]
    below, beside = (pad + -(n + 2 * pad) % coarser for n in (height, width))
    framed = cv2.copyMakeBorder(picture, pad, below, pad, beside, cv2.BORDER_CONSTANT)
    size = framed.shape[1::-1]
    small = cv2.resize(framed, (size[0] // coarser, size[1] // coarser), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / coarser)
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)[pad : pad + height, pad : pad + width]


def continue_texture(grid: Grid, radius: int, seed: int, long_side: int) -> np.ndarray | None:
    """(h, w, 3) float32: the grid's colour on `source`, pieces of it in `hole`, 0 elsewhere; None where too little is known.

    Patches have 2 `radius` + 1 pixels a side. `long_side` is that of the whole picture in pixels: the work of searching is
    bounded by it. The same `seed` gives the same result.
    """
    grids = halvings(grid, radius)
    if grids is None:
        return None
    rng, match, picture = np.random.default_rng(seed), None, grid.colour
    finest, settled = (min(len(grids) - 1, max(0, ceil(log2(long_side / most)))) for most in (SEARCHED, SETTLED))
    for number in reversed(range(len(grids))):
        now = grids[number]
        match = nearest_places(now, radius) if match is None else taken_over(match, grids[number + 1], now, radius)
        picture, vote = np.where(now.hole[..., None], now.smooth, now.colour), Vote(match, now, radius)
        if number < len(grids) - 1:
            picture = vote(picture)
        if number >= finest:
            search = Search(match, now, radius)
            for _ in range(TOUCHES if number < settled else ROUNDS[min(number - settled, len(ROUNDS) - 1)]):
                search(with_rim(picture, now), rng)
                picture = vote(picture)
    return picture


def with_rim(picture: np.ndarray, grid: Grid) -> np.ndarray:
    """(h, w, 3) float32, to compare with: on the rim what the photo shows there, as far as it is like what pieces put there."""
    apart = grid.colour[grid.rim] - picture[grid.rim]
    belief = np.exp(-(apart**2).mean(axis=1, keepdims=True) / BELIEF**2)
    believed = picture.copy()
    believed[grid.rim] += belief * apart
    return believed


def first_grid(
    colour: np.ndarray, source: np.ndarray, hole: np.ndarray, smooth: np.ndarray, radius: int, rim: np.ndarray | None = None
) -> Grid:
    """The region at its own size."""
    import cv2

    side = 2 * radius + 1
    inside = cv2.erode(source.astype(np.uint8), np.ones((side, side)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rim = np.zeros_like(hole) if rim is None else rim
    return Grid(np.where((source | rim)[..., None], colour, 0).astype(np.float32), source, hole, smooth, inside > 0, rim)


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
        parts = (np.pad(a.astype(np.float32), pad) for a in (last.source, last.hole, last.source | last.rim))
        share, open_, shown = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in parts)
        sums = cv2.resize(np.pad(last.colour, (*pad, (0, 0))), size, interpolation=cv2.INTER_AREA)
        smooth = cv2.resize(np.pad(last.smooth, (*pad, (0, 0)), mode="edge"), size, interpolation=cv2.INTER_AREA)
        source = share > 0.999
        hole = (open_ > 0) & ~source
        coarse = first_grid(sums / np.maximum(shown, 1e-6)[..., None], source, hole, smooth, radius, hole & (shown > 0.5))
        if np.count_nonzero(coarse.centres) < FEWEST_PLACES:
            break
        grids.append(coarse)
    return grids


def patches(grid: Grid, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the middles of patches that overlap the hole and lie in the region themselves, `APART` from each other."""
    import cv2

    side = 2 * radius + 1
    overlapping = (cv2.dilate(grid.hole.astype(np.uint8), np.ones((side, side))) > 0) & (grid.source | grid.hole)
    rows, columns = np.nonzero(overlapping[::APART, ::APART])
    return rows * APART, columns * APART


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
    which = numbered(match.rows, match.columns, coarse.source.shape)[rows // 2 // APART * APART, columns // 2 // APART * APART]
    known = which >= 0
    height, width = grid.source.shape
    from_rows = rows + np.where(known, 2 * (match.from_rows - match.rows)[which], 0)
    from_columns = columns + np.where(known, 2 * (match.from_columns - match.columns)[which], 0)
    from_rows, from_columns = np.clip(from_rows, 0, height - 1), np.clip(from_columns, 0, width - 1)
    lost = ~grid.centres[from_rows, from_columns]
    if lost.any():
        from_rows[lost], from_columns[lost] = to_nearest_centre(grid, from_rows[lost], from_columns[lost])
    return Match(rows, columns, from_rows, from_columns)


class Search:
    """Finds better places for the patches of one grid.

    The weighted mean square difference between a patch of the picture as it stands and a patch of the context is, multiplied
    out, a scalar product of what depends on the one and what depends on the other.
    """

    def __init__(self, match: Match, grid: Grid, radius: int):
        import cv2

        self.match, self.shape, side = match, grid.source.shape, 2 * radius + 1
        away = cv2.distanceTransform((~grid.source).astype(np.uint8), cv2.DIST_L2, 3)
        certainty = np.where(grid.source | grid.hole, CERTAINTY ** -np.float32(away), 0).astype(np.float32)
        rows, columns = np.nonzero(grid.centres)
        known = grid.colour.reshape(-1, 3).take(around(rows, columns, side, self.shape), axis=0)
        self.known = np.concatenate([known.reshape(len(rows), -1), (known * known).sum(axis=2)], axis=1)
        self.around = around(match.rows, match.columns, side, self.shape)
        self.weight = certainty.ravel().take(self.around)[..., None]
        self.weight /= np.maximum(self.weight.sum(axis=1, keepdims=True), 1e-9)
        self.number = numbered(rows, columns, self.shape)
        beside = numbered(match.rows, match.columns, self.shape, APART)
        steps = np.array(SIDES)[:, :, None] * APART
        self.whose = beside[match.rows + steps[:, 0] + APART, match.columns + steps[:, 1] + APART]  # (4, n)
        self.steps = steps * (self.whose[:, None] >= 0)  # where there is no neighbour the last patch's place does no harm

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> None:
        """Changes `match` to the best of what each patch has, its neighbours' places, moved along, and random ones about its own."""
        match, (height, width) = self.match, self.shape
        place = np.stack([match.from_rows, match.from_columns])
        reach = max(height, width) / 2 * NARROWER ** -np.arange(max(1, ceil(log(max(height, width) / 2, NARROWER))))
        tries = place + np.rint(reach[:, None, None] * rng.uniform(-1, 1, (len(reach), *place.shape))).astype(np.int64)
        offers = np.concatenate([place[None], place[:, self.whose].swapaxes(0, 1) - self.steps, tries])
        rows, columns = np.clip(offers[:, 0], 0, height - 1), np.clip(offers[:, 1], 0, width - 1)
        number = self.number[rows, columns]
        difference = np.full(number.shape, np.inf, np.float32)
        turn, patch = np.nonzero(number >= 0)
        difference[turn, patch] = self._differences(picture, patch, number[turn, patch])
        best = difference.argmin(axis=0)[None]
        match.from_rows, match.from_columns, match.difference = (
            np.take_along_axis(array, best, axis=0)[0] for array in (rows, columns, difference)
        )

    def _differences(self, picture: np.ndarray, patch: np.ndarray, place: np.ndarray) -> np.ndarray:
        """(n,) float32 for these patches if taken from the places of these numbers."""
        wanted = picture.reshape(-1, 3).take(self.around, axis=0)
        weighted = wanted * self.weight
        own = np.einsum("npc,npc->n", weighted, wanted)
        weighted *= -2
        wanted = np.concatenate([weighted.reshape(len(wanted), -1), self.weight[..., 0]], axis=1)
        result = np.empty(len(patch), np.float32)
        for start in range(0, len(patch), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            np.einsum("np,np->n", self.known.take(place[part], axis=0), wanted.take(patch[part], axis=0), out=result[part])
        result += own[patch]
        return np.maximum(result, 0, out=result)


def around(rows: np.ndarray, columns: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    """(n, side * side) int64: flat indices of the patches about these pixels; beyond the frame of its nearest pixel."""
    steps = np.arange(side) - side // 2
    down, right = (np.clip(at[:, None] + steps, 0, n - 1) for at, n in zip((rows, columns), shape, strict=True))
    return (down[:, :, None] * shape[1] + right[:, None, :]).reshape(len(rows), side * side)


def numbered(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, ...], pad: int = 0) -> np.ndarray:
    """(h + 2 pad, w + 2 pad) int64: the number of the patch whose middle a pixel is, -1 elsewhere."""
    result = np.full((shape[0] + 2 * pad, shape[1] + 2 * pad), -1, np.int64)
    result[rows + pad, columns + pad] = np.arange(len(rows))
    return result


class Vote:
    """What the patches of one grid put into its hole."""

    def __init__(self, match: Match, grid: Grid, radius: int):
        (height, width), self.match, self.hole = grid.source.shape, match, grid.hole
        rows, columns = np.nonzero(grid.hole)
        steps = np.arange(2 * radius // APART + 1) * APART - radius  # of as many middles a patch over the pixel can have
        down, right = (array.ravel()[:, None] for array in np.meshgrid(steps, steps, indexing="ij"))
        down, right = down - (rows + down) % -APART, right - (columns + right) % -APART  # to where middles are
        pad = radius + APART
        self.patch = numbered(match.rows, match.columns, grid.source.shape, pad)[rows + down + pad, columns + right + pad]
        self.patch[(down > radius) | (right > radius)] = -1
        self.away = np.where(self.patch >= 0, -down * width - right, 0)
        self.colour = np.ones((height * width, 4), np.float32)
        self.colour[:, :3] = grid.colour.reshape(-1, 3)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(h, w, 3) float32: in the hole the mean of what all patches over a pixel put there, the more alike the more."""
        match = self.match
        weight = np.zeros(len(match.rows) + 1, np.float32)  # the last is for places where no patch is
        weight[:-1] = 1
        if match.difference is not None and len(match.rows):
            weight[:-1] /= match.difference + 1e-4 + np.percentile(match.difference, EVEN)
        place = np.append(match.from_rows * self.hole.shape[1] + match.from_columns, 0)
        taken = self.colour.take(place.take(self.patch) + self.away, axis=0)
        total = np.einsum("pnc,pn->nc", taken, weight.take(self.patch))
        filled, voted = picture[self.hole], total[:, 3] > 0
        filled[voted] = total[voted, :3] / total[voted, 3:]
        picture = picture.copy()
        picture[self.hole] = filled
        return picture
