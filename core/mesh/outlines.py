"""Outlines: lines that mesh simplification must keep (cuts, the frame, changes of texture), corner by corner.

All surfaces with an outline through the same corners of the pixel grid lose the same corners. So both sides of a cut keep meeting in
one line, and the photo's camera sees every place covered exactly once. A corner where more than two outlines meet, a
junction, may slide along one of them into the next corner, which takes the others over.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

MAX_ERROR, MAX_ERROR_LAST_RESORT = 2.0, 3.0
"""How far an outline may leave its place at the most, in working pixels, whatever number of triangles is wanted, and where that is
not met otherwise: what was invented has colours for the `PADDING` of its texture beyond it and no more (core/mesh/atlas.py)."""
ROUNDING = 1e-3
"""Points up to this many pixels off a line count as lying on it."""


@dataclass(frozen=True)
class Slides:
    """Junctions that could slide, each along one of its segments."""

    corner: np.ndarray  # (n,) int64: the junction
    onto: np.ndarray  # (n,) int32: the corner that it would slide into
    error: np.ndarray  # (n,) float32: how far, scaled, any outline would be off at the most
    along: np.ndarray  # (n,) int32: the segment that would go
    heir: np.ndarray  # (n,) int32: the segment that goes on best where it was

    def only(self, corners: np.ndarray) -> Slides:
        """Those of some corners."""
        own = np.isin(self.corner, corners)
        return Slides(*(getattr(self, each.name)[own] for each in fields(self)))


@dataclass
class Outlines:
    """Segments between corners of the grid; a corner between exactly two segments may be removed, which joins them."""

    ends: np.ndarray  # (S, 2) int32: the two corners of each segment, -1 of one that is gone
    at: np.ndarray  # (corners, 2) int32: the two segments of each corner that may go, else -1
    home: np.ndarray  # (corners,) int32: segment that a corner which was taken out lies along, else -1
    place: np.ndarray  # (corners, 2) float32: row and column
    scale: np.ndarray  # (corners,) float32: what a pixel's distance counts
    most_off: float = MAX_ERROR

    def between(self, corner: np.ndarray, turn: int) -> tuple[np.ndarray, np.ndarray]:
        """The neighbours of removable corners: the one that stays behind, and the one that the corner moves to; `turn` swaps them."""
        first = (corner * 7 + turn) & 1
        other = lambda segment: self.ends[segment].sum(axis=1) - corner  # noqa: E731
        return other(self.at[corner, first]), other(self.at[corner, 1 - first])

    def errors(self, corner: np.ndarray, turn: int) -> np.ndarray:
        """(n,) float32: the largest scaled distance of the outline if each of these corners alone were removed."""
        error = np.zeros(len(self.at), np.float32)
        before, after = np.full((2, len(self.at)), -1, np.int32)
        before[corner], after[corner] = self.between(corner, turn)
        error[corner] = self._off(corner, before[corner], after[corner])
        gone = np.flatnonzero(self.home >= 0)
        for end in (0, 1):
            of = self.ends[self.home[gone], end]
            asked = before[of] >= 0
            np.maximum.at(error, of[asked], self._off(gone[asked], before[of[asked]], after[of[asked]]))
        error[corner[before[corner] == after[corner]]] = np.inf
        return error[corner]

    def _off(self, point: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        p, a, b = self.place[point], self.place[start], self.place[end]
        along = b - a
        t = np.clip(((p - a) * along).sum(axis=1) / np.maximum((along * along).sum(axis=1), 1e-9), 0, 1)
        distance = np.hypot(*(p - a - t[:, None] * along).T)
        distance[distance > self.most_off] = np.inf
        return np.where(distance < ROUNDING, 0, distance) * self.scale[point]

    def slides(self, tries: np.ndarray) -> Slides:
        """How junctions could slide: along the segment with the least error, along the next best where that was tried in vain.

        `tries` (corners,) int: how often each was tried; what was tried twice is left out.
        """
        alive = np.flatnonzero(self.ends[:, 0] >= 0)
        start, stop = np.concatenate([self.ends[alive], self.ends[alive, ::-1]]).T
        degree = np.bincount(start, minlength=len(self.at))
        own = np.flatnonzero((degree[start] > 2) & (tries[start] < 2))
        own = own[np.argsort(start[own], kind="stable")]
        corner, stop, segment = start[own], stop[own], np.tile(alive, 2)[own].astype(np.int32)
        size = degree[corner]
        first = np.searchsorted(corner, corner)
        turned = [first + (np.arange(len(corner)) - first + step) % size for step in range(1, int(size.max(initial=1)))]
        most, least = np.zeros(len(corner), np.float32), np.full(len(corner), np.inf, np.float32)
        heir = np.zeros(len(corner), np.int64)
        for step, other in enumerate(turned, 1):
            off = np.where(step < size, self._off(corner, stop, stop[other]), 0)
            off[(step < size) & (stop == stop[other])] = np.inf  # they would close to nothing
            most = np.maximum(most, off)
            better = (step < size) & (off < least)
            least[better], heir[better] = off[better], other[better]
        most = np.maximum(most, self._removed_corner_errors(segment, stop, heir, turned, size))
        order, lead = np.lexsort((most, corner)), np.flatnonzero(first == np.arange(len(corner)))
        chosen = order[lead + (tries[corner[lead]] == 1)]
        chosen = chosen[np.isfinite(most[chosen])]
        return Slides(corner[chosen].astype(np.int64), stop[chosen], most[chosen], segment[chosen], segment[heir[chosen]])

    def _removed_corner_errors(self, segment, stop, heir, turned, size) -> np.ndarray:
        """(halves,) float32: how far corners that were taken out before would be off if a junction slid along each half."""
        result = np.zeros(len(segment), np.float32)
        gone = np.flatnonzero(self.home >= 0)
        order = np.argsort(segment, kind="stable")
        at = np.searchsorted(segment[order], self.home[gone])
        for next_one in (0, 1):  # a segment may start at two junctions
            found = np.minimum(at + next_one, max(len(order) - 1, 0))
            same = segment[order[found]] == self.home[gone] if len(order) else np.zeros(len(gone), bool)
            point, half = gone[same], order[found[same]]
            np.maximum.at(result, half, self._off(point, stop[half], stop[heir[half]]))
            for step, other in enumerate(turned, 1):  # each other half that would be slid along moves this one's end
                there = step < size[half]
                p, h, o = point[there], half[there], other[half[there]]
                np.maximum.at(result, o, self._off(p, stop[o], stop[h]))
        return result

    def slide(self, slides: Slides) -> None:
        """Slides junctions, no two of them neighbours."""
        onto = np.full(len(self.at), -1, np.int32)
        onto[slides.corner] = slides.onto
        renamed = np.arange(len(self.ends), dtype=np.int32)
        renamed[slides.along] = slides.heir
        gone = np.flatnonzero(self.home >= 0)
        self.home[gone] = renamed[self.home[gone]]
        self.home[slides.corner] = slides.heir
        self.ends[slides.along] = -1
        moved = (self.ends >= 0) & (onto[self.ends] >= 0)
        self.ends[moved] = onto[self.ends[moved]]
        self.at[slides.onto] = -1

    def take_out(self, corner: np.ndarray, turn: int) -> None:
        """Removes corners, no two of them neighbours: the two segments of each become one."""
        first = (corner * 7 + turn) & 1
        kept, lost = self.at[corner, first], self.at[corner, 1 - first]
        after = self.ends[lost].sum(axis=1) - corner
        renamed = np.arange(len(self.ends), dtype=np.int32)
        renamed[lost] = kept
        gone = np.flatnonzero(self.home >= 0)
        self.home[gone] = renamed[self.home[gone]]
        self.home[corner] = kept
        side = (self.ends[kept, 1] == corner).astype(int)
        self.ends[kept, side] = after
        self.at[corner] = -1
        free = np.flatnonzero(self.at[:, 0] >= 0)
        self.at[free] = renamed[self.at[free]]


def find_outlines(edges: np.ndarray, corner: np.ndarray, points: np.ndarray, scale: np.ndarray) -> tuple[Outlines, np.ndarray]:
    """The outlines along (n, 2) edges between vertices, and (V,) bool which vertices lie on one.

    `corner` of each vertex, its `points` (3, V) float32 row, column, disparity; `scale` as in `Outlines`. Where more than two
    lines meet in a corner, on one surface or over all that share its place, it stays.
    """
    count = len(scale)
    pairs = np.sort(corner[edges].astype(np.int64), axis=1)
    key, segment = np.unique(pairs[:, 0] * count + pairs[:, 1], return_inverse=True)
    ends = np.stack(np.divmod(key, count), axis=1).astype(np.int32)
    # each vertex on a line must have both of its corner's segments, once each
    degree = np.bincount(edges.ravel(), minlength=len(corner))
    own = np.unique(edges.ravel().astype(np.int64) * len(key) + np.repeat(segment, 2))
    distinct = np.bincount(own // max(len(key), 1), minlength=len(corner))
    fixed = np.bincount(ends.ravel(), minlength=count) != 2
    on_line = degree > 0
    fixed[corner[on_line & ((degree != 2) | (distinct != 2))]] = True
    at = np.full((count, 2), -1, np.int32)
    order = np.argsort(ends.ravel(), kind="stable")
    of, which = ends.ravel()[order], (order // 2).astype(np.int32)
    two = np.flatnonzero(~fixed[of])[::2]
    at[of[two], 0], at[of[two], 1] = which[two], which[two + 1]
    place = np.zeros((count, 2), np.float32)
    place[corner[on_line]] = points[:2, on_line].T
    return Outlines(ends, at, np.full(count, -1, np.int32), place, scale), on_line
