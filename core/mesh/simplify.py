"""Mesh simplification: vertices collapse into a neighbour while surfaces and outlines keep their place within a tolerance.

Only row, column and disparity count: a plane in space is a plane in disparity over the picture. A collapse is allowed
where no triangle flips on the picture or becomes a sliver, the surface stays within a tolerance of disparity, the photo
shifts by less than a tenth of its pixel, and outlines (core/mesh/outlines.py) stay within a part of a pixel. Errors add up
over the collapses of a place, so the tolerance is a bound. Each round removes many vertices, no two of them neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..layers.layered_depth_image import FRONT, INVENTED, LayeredDepthImage
from .outlines import MAX_ERROR_LAST_RESORT, Slides, find_outlines
from .quadtree import TEXTURE_SHIFT, Pieces
from .vertices import Vertices

KINDS = 4
"""Number of kinds of pixels, PHOTO to BACK (core/layers/layered_depth_image.py): the last digit of a label."""
BLOCKS_PART = 0.7
"""Part of the tolerance for blocks (core/mesh/quadtree.py); the collapses have the rest."""
OUTLINE, HIDDEN_OUTLINE = 0.35, 1.0
"""How far an outline may leave its place, in working pixels, where the tolerance is 1; it grows as the tolerance's root. Of what
the photo's camera does not see more is allowed."""
STRAIGHT = 1e12
"""Of the photo's frame and the canvas's rim, which stay the lines that they are."""
ALTITUDE = 0.15
"""Least height of a triangle on the picture, in working pixels."""
MAX_SHIFT = 5.0
"""How many times `TEXTURE_SHIFT` the texture may shift at the most, whatever number of triangles is wanted: half a pixel."""
HIDDEN_MORE = 4.0
"""How much farther what was invented may shift, which the photo's camera never sees, where a number is not met otherwise."""
FIRST, GROWTH, LAST = 0.125, 2.0, 1e6
"""Tolerances on the way to a number of triangles: the first, each to the one before, and where it is given up."""
WASTE, LAST_WASTE = 0.06, 0.01
"""A round that takes out less than this part of the triangles is the last of its tolerance; the second where there is no next one."""
PICKS = 3
"""Times that further edges are picked in a round, where those picked before leave room."""
TRIES = 2
"""Failed attempts after which a vertex rests until something beside it changes."""
SHORT = 0.01
"""Cost of a pixel of an edge's length, beside a whole tolerance of disparity: short edges go first."""
AT_ONCE = 1 << 14
"""Triangles that are handled together: few enough that their data stay in the processor's cache."""
HANDLE_ALL_FROM = 0.8
"""Part of those triangles from which on all of them are handled, as choosing costs more."""
FORBIDDEN_COST = 1e30
"""Cost of what must not be."""
SHUFFLE = np.uint32(2654435761)
"""Odd, so that it gives each number of 32 bits another one, in no order (multiplicative hashing, Knuth 1973)."""


@dataclass
class Sheet:
    """Triangles of all surfaces on one canvas, with shared vertices where a surface continues."""

    triangles: np.ndarray  # (T, 3) int32
    label: np.ndarray  # (T,) int32: triangles of different labels never melt
    origin: np.ndarray  # (T,) int32: the number that the triangle had in the beginning
    error: np.ndarray  # (T,) float32: how far the triangle may be off already, in parts of the tolerance
    points: np.ndarray  # (3, V) float32: row, column, disparity
    corner: np.ndarray  # (V,) int32: corner of the pixel grid
    strictness: np.ndarray  # (2, labels) float32: 1 / tolerance of disparity, in m, and 1 / allowed shift of the texture, in 1/px


def simplify_pieces(
    pieces: Pieces, image: LayeredDepthImage, corners: Vertices, textures, tolerance: float, texels: float, wanted: int
) -> Pieces:
    """Fewer triangles of the same surfaces: as few as `tolerance` (1/m) allows, or about as many as are `wanted`.

    `textures` are atlas and texture of soft silhouettes or None, `texels` the photo's pixels per working pixel.
    """
    if wanted >= len(pieces.triangles):
        return pieces
    used = np.zeros(corners.count, bool)
    used[pieces.triangles.ravel()] = True
    vertex = np.flatnonzero(used)
    number = np.cumsum(used, dtype=np.int32) - 1
    points = np.stack(corners.place(vertex)).astype(np.float32)
    label, hidden = _labels(pieces, textures, len(image.layers), image.layers[0].part is not None)
    easier = np.where(hidden, 2, 1).astype(np.float32)
    strictness = np.stack([1 / (tolerance * easier), texels / (TEXTURE_SHIFT * easier)]).astype(np.float32)
    error = np.where(pieces.whole, np.float32(BLOCKS_PART), np.float32(0))
    at = corners.corner(vertex)
    outline_scale = _outline_scale(image, at[number[pieces.triangles[pieces.shown != INVENTED].ravel()]])
    number = number[pieces.triangles]
    sheet = Sheet(number, label, np.arange(len(label), dtype=np.int32), error, points, at, strictness)
    sheet = simplify(sheet, outline_scale, wanted)
    return replace(pieces.only(sheet.origin), triangles=vertex[sheet.triangles].astype(np.int32))


def _labels(pieces: Pieces, textures, layers: int, split: bool) -> tuple[np.ndarray, np.ndarray]:
    """(T,) int32: equal for triangles on one piece of texture, which one triangle can replace; and (labels,) bool which are hidden.

    Where parts are split off, soft silhouettes keep their tiles, so that each triangle belongs to one part.
    """
    atlas, soft = textures
    place = np.zeros(len(pieces.triangles), np.int32)
    for texture, kinds in ((atlas, pieces.shown == INVENTED), (soft, pieces.shown >= FRONT)):
        own, tile = np.flatnonzero(kinds), tuple(pieces.tile[kinds].T)
        if not len(own):
            continue
        origin = np.stack(tile, axis=1) if split and texture is soft else texture.origin_of(pieces.layer[own], tile)
        origin = origin.astype(np.int64)  # NumPy 2 puts no number of 32 bits beside an int32
        key = origin[:, 0] << 32 | (origin[:, 1] & 0xFFFFFFFF)
        place[own] = np.unique(key, return_inverse=True)[1]
    label = (place * layers + pieces.layer) * KINDS + pieces.shown
    return label, np.arange(label.max() + 1) // KINDS % layers > 0


def _outline_scale(image: LayeredDepthImage, seen: np.ndarray) -> np.ndarray:
    """(corners,) float32: inverse of the allowed distance of an outline, in 1/px. `seen`: corners where something is visible."""
    h, w = image.shape
    scale = np.full((h + 1, w + 1), 1 / HIDDEN_OUTLINE, np.float32)
    scale.ravel()[seen] = 1 / OUTLINE
    top, left, height, width = image.frame
    scale[[0, top, top + height, h]] = scale[:, [0, left, left + width, w]] = STRAIGHT
    return scale.ravel()


def simplify(sheet: Sheet, outline_scale: np.ndarray, least: int = 0) -> Sheet:
    """The sheet with as few triangles as the tolerances allow; with `least` about that many, whatever it takes.

    `outline_scale` (corners,) float32: 1 / allowed distance of an outline there, in 1/px.
    """
    work = _Work(sheet, outline_scale)
    tolerance, turn = FIRST if least else 1.0, 0
    while work.count > least + 2:
        before = work.count
        work.round(tolerance, turn, before - least)
        turn += 1
        if before - work.count < (LAST_WASTE if work.slides_too else WASTE) * before:
            if not least or work.slides_too:
                break
            if tolerance > LAST:
                work.begin_last_resort()
            tolerance *= GROWTH
            work.tries[:] = 0
    return replace(sheet, triangles=np.ascontiguousarray(work.triangles.T), label=work.label, origin=work.origin, error=work.error)


class _Work:
    """State of a simplification. An item collapses as a whole: a vertex within a surface, or all outline vertices in one corner."""

    def __init__(self, sheet: Sheet, outline_scale: np.ndarray):
        self.triangles = sheet.triangles.T.copy()  # (3, T) int32
        self.label, self.origin, self.error = sheet.label, sheet.origin, sheet.error.copy()
        self.row, self.column, self.disparity = sheet.points
        self.slope_down, self.slope_right = _slopes(sheet)
        self.corner, self.strictness = sheet.corner, sheet.strictness
        self.strict = sheet.strictness[:, sheet.label]  # (2, T) float32, of each triangle
        self.outlines, self.on_line = find_outlines(_border_edges(sheet), sheet.corner, sheet.points, outline_scale)
        self.vertices = sheet.points.shape[1]
        self.item = np.where(self.on_line, self.vertices + sheet.corner, np.arange(self.vertices))
        self.tries = np.zeros(self.vertices + len(outline_scale), np.uint8)  # in vain, since an item's surroundings changed last
        self.avoid = np.full(self.vertices, -1, np.int32)  # the neighbour that a vertex could not collapse into
        self.slides_too = False
        self.slides: Slides | None = None

    @property
    def count(self) -> int:
        """The number of triangles."""
        return self.triangles.shape[1]

    def begin_last_resort(self) -> None:
        """From now on also corners where more than two outlines meet may go, outlines farther from their place, and textures of
        what is never seen from the photo's camera farther from theirs."""
        self.slides_too, self.outlines.most_off = True, MAX_ERROR_LAST_RESORT
        disparity, shift = self.strictness
        invented = np.arange(len(shift)) % KINDS == INVENTED
        self.strictness = np.stack([disparity, np.where(invented, shift / HIDDEN_MORE, shift)])
        self.strict = self.strictness[:, self.label]

    def round(self, tolerance: float, turn: int, most: int) -> None:
        """Collapses allowed items, no two neighbours; at most `most` triangles."""
        target = np.full(self.vertices, -1, np.int32)
        self._aim_inside(target)
        corners, outline_error = self._aim_along(target, tolerance, turn)
        cost = self._costs(target)
        tried = np.flatnonzero(~self.on_line & (target >= 0))
        item_cost = np.full(len(self.tries), np.inf, np.float32)
        item_cost[tried] = cost[tried]
        item_cost[self.vertices + corners] = outline_error
        members = np.flatnonzero(self.on_line & (item_cost[self.item] < np.inf))
        np.maximum.at(item_cost, self.item[members], cost[members])
        self._note_failures(tried, corners, target, item_cost > tolerance)
        chosen = self._pick(item_cost <= tolerance, turn)
        if most < self.count and int((removed := self._triangles_removed(target))[chosen].sum()) > most:
            order = chosen[np.argsort(item_cost[chosen], kind="stable")]
            chosen = order[: int(np.searchsorted(np.cumsum(removed[order]), most, "right"))]
        self._collapse(chosen, target, cost, turn)

    def _triangles_at(self, wanted: np.ndarray):
        """Yields, some at a time, the triangles with a wanted vertex: their vertices (3, n), `strict` and `error`."""
        for begin in range(0, self.count, AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            three, strict, error = self.triangles[:, part].astype(np.intp), self.strict[:, part], self.error[part]
            own = np.flatnonzero(wanted.take(three).any(axis=0))
            if len(own) < HANDLE_ALL_FROM * len(error):
                three, strict, error = three.take(own, axis=1), strict.take(own, axis=1), error.take(own)
            yield three, strict, error

    def _halves_from(self, wanted: np.ndarray):
        """Yields, some at a time, the halves of edges that start at wanted vertices: triangle, start, end, the triangle's third vertex."""
        for begin in range(0, self.count, AT_ONCE):
            three = self.triangles[:, begin : begin + AT_ONCE].astype(np.intp)
            for turn in range(3):
                start, end, third = three[turn], three[turn - 2], three[turn - 1]
                own = np.flatnonzero(wanted.take(start))
                yield own + begin, start.take(own), end.take(own), third.take(own)

    def _aim_inside(self, target: np.ndarray) -> None:
        """Sets the neighbour that lies best in the surface around, for each vertex within one."""
        wanted = ~self.on_line & (self.tries[: self.vertices] < TRIES)
        best = np.full(self.vertices, np.iinfo(np.int64).max)
        for three, strict, _ in self._triangles_at(wanted):
            row, column, disparity = (each.take(three) for each in (self.row, self.column, self.disparity))
            for turn in range(3):
                v, u = three[turn], three[turn - 2]
                down, right = row[turn - 2] - row[turn], column[turn - 2] - column[turn]
                off = disparity[turn - 2] - disparity[turn]
                off -= self.slope_down.take(v) * down
                off -= self.slope_right.take(v) * right
                off = np.abs(off) * strict[0] + SHORT * (np.abs(down) + np.abs(right))
                np.copyto(off, np.float32(FORBIDDEN_COST), where=u == self.avoid.take(v))
                np.minimum.at(best, v, off.view(np.int32).astype(np.int64) << 32 | u)  # floats above 0 are in order as their bits
        found = np.flatnonzero(wanted & (best < np.iinfo(np.int64).max))
        target[found] = best.take(found) & 0xFFFFFFFF

    def _aim_along(self, target: np.ndarray, tolerance: float, turn: int) -> tuple[np.ndarray, np.ndarray]:
        """Sets the next vertex on the outline for those of corners that may go; returns the corners and the outlines' errors."""
        tries = self.tries[self.vertices :]
        corners = np.flatnonzero((self.outlines.at[:, 0] >= 0) & (tries < TRIES))
        error = self.outlines.errors(corners, turn) ** 2
        after = np.full(len(self.outlines.at), -1, np.int32)
        near = error <= tolerance
        after[corners[near]] = self.outlines.between(corners[near], turn)[1]
        if self.slides_too:
            self.slides = slides = self.outlines.slides(tries)
            after[slides.corner] = slides.onto
            corners, error = np.concatenate([corners, slides.corner]), np.concatenate([error, slides.error**2])
        for _, start, end, _ in self._halves_from(self.on_line):
            for v, u in ((start, end), (end, start)):
                along = self.on_line[u] & self.on_line[v] & (after[self.corner[v]] == self.corner[u])
                if self.slides_too:  # surfaces that a corner was pushed into have it elsewhere: lines would part there
                    along &= (self.outlines.place[self.corner[u]] == np.stack([self.row[u], self.column[u]], axis=1)).all(axis=1)
                target[v[along]] = u[along]
        return corners, error

    def _costs(self, target: np.ndarray) -> np.ndarray:
        """(V,) float32: the error where a vertex collapses into its target, in tolerances, infinite where that cannot be."""
        aimed = target >= 0
        cost = np.where(aimed, np.float32(0), np.float32(np.inf))
        onto = np.where(aimed, target, np.arange(self.vertices, dtype=np.int32))
        for three, strict, error in self._triangles_at(aimed):
            points = np.stack([each.take(three) for each in (self.row, self.column, self.disparity)], axis=1)
            for turn in range(3):
                v, x, y = three[turn], three[turn - 2], three[turn - 1]
                u = onto.take(v)
                off = self._off(points[turn], u, points[turn - 2], points[turn - 1], strict, error)
                off *= (u != x) & (u != y)  # else the triangle goes with the vertex
                np.maximum.at(cost, v, off)
        return cost

    def _triangles_removed(self, target: np.ndarray) -> np.ndarray:
        """(items,) how many triangles less there are where an item collapses."""
        gone = []
        for _, v, x, y in self._halves_from(target >= 0):
            u = target.take(v)
            gone.append(self.item.take(v[(u == x) | (u == y)]))
        return np.bincount(np.concatenate(gone), minlength=len(self.tries))

    def _off(self, v, u, x, y, strict, error) -> np.ndarray:
        """(n,) float32: distance of triangles with corners at v, x, y, (3, n) each, in tolerances, if v were at the vertices u.

        `strict` (2, n) and `error` (n,) are those of the triangles.
        """
        row, column, d = self.row.take(u), self.column.take(u), self.disparity.take(u)
        xr, xc, xd = x[0] - row, x[1] - column, x[2] - d
        yr, yc, yd = y[0] - row, y[1] - column, y[2] - d
        vr, vc, vd = v[0] - row, v[1] - column, v[2] - d
        area = xr * yc - xc * yr
        to_x, to_y, across = xr * xr + xc * xc, yr * yr + yc * yc, (xr - yr) ** 2 + (xc - yc) ** 2  # lengths, squared
        sliver = area * area <= ALTITUDE**2 * np.maximum(np.maximum(to_x, to_y), across)
        sliver |= area <= 0
        np.copyto(area, np.float32(1), where=sliver)
        on_plane = ((vr * yc - vc * yr) * xd + (xr * vc - xc * vr) * yd) / area
        off = np.abs(vd - on_plane) * strict[0] + error
        # of a triangle the texture shifts most on an edge, see TEXTURE_SHIFT
        shift = np.maximum(np.maximum(_shift(to_x, d, xd), _shift(to_y, d, yd)), _shift(across, d + xd, yd - xd))
        shift = np.sqrt(shift) * strict[1]
        sliver |= shift > MAX_SHIFT
        return np.maximum(np.maximum(off, shift), sliver * np.float32(FORBIDDEN_COST))

    def _note_failures(self, tried: np.ndarray, corners: np.ndarray, target: np.ndarray, failed: np.ndarray) -> None:
        tried, corners = tried[failed[tried]], self.vertices + corners[failed[self.vertices + corners]]
        self.avoid[tried] = target[tried]
        self.tries[tried] += 1
        self.tries[corners] += 1

    def _pick(self, allowed: np.ndarray, turn: int) -> np.ndarray:
        """Numbers of the allowed items to collapse now, no two of them neighbours."""
        beside = [self.item.take(column) for column in self.triangles]
        picked, left = np.zeros(len(allowed), bool), allowed.copy()
        for _ in range(PICKS):
            among = np.flatnonzero(left.take(beside[0]) | left.take(beside[1]) | left.take(beside[2]))
            beside = [each.take(among) for each in beside]
            ranks = [_rank(each, turn, left.take(each)) for each in beside]
            first = np.minimum(np.minimum(ranks[0], ranks[1]), ranks[2])
            best = left.copy()
            for each, own in zip(beside, ranks, strict=True):
                best[each.take(np.flatnonzero(own > first))] = False
            picked |= best
            full = np.flatnonzero(best.take(beside[0]) | best.take(beside[1]) | best.take(beside[2]))
            for each in beside:
                left[each.take(full)] = False
        return np.flatnonzero(picked)

    def _collapse(self, chosen: np.ndarray, target: np.ndarray, cost: np.ndarray, turn: int) -> None:
        moves = np.zeros(len(self.tries), bool)
        moves[chosen] = True
        moves = moves.take(self.item)
        new = np.where(moves, target, np.arange(self.vertices, dtype=np.int32))
        more = np.where(moves, cost, np.float32(0))
        a, b, c = self.triangles
        touched = np.flatnonzero(moves.take(a) | moves.take(b) | moves.take(c))
        was = self.triangles.take(touched, axis=1)
        self.error[touched] = np.maximum(self.error.take(touched), more.take(was).max(axis=0))
        now = new.take(was)
        self.tries[self.item.take(now)] = 0
        self.avoid[now] = -1
        self.triangles[:, touched] = now
        gone = (now[0] == now[1]) | (now[1] == now[2]) | (now[0] == now[2])
        keep = np.ones(self.count, bool)
        keep[touched.take(np.flatnonzero(gone))] = False
        keep = np.flatnonzero(keep)
        self.triangles, self.strict = self.triangles.take(keep, axis=1), self.strict.take(keep, axis=1)
        self.label, self.origin, self.error = (each.take(keep) for each in (self.label, self.origin, self.error))
        corners = chosen[chosen >= self.vertices] - self.vertices
        free = self.outlines.at[corners, 0] >= 0
        if self.slides and not free.all():
            self.outlines.slide(self.slides.only(corners[~free]))
        self.outlines.take_out(corners[free], turn)


def _rank(item: np.ndarray, turn: int, left: np.ndarray) -> np.ndarray:
    """(n,) uint32: shuffled numbers of items, of no two the same; the highest of those that are not `left`."""
    rank = (item.astype(np.uint32) + np.uint32(turn)) * SHUFFLE
    rank |= left.view(np.uint8).astype(np.uint32) - np.uint32(1)
    return rank


def _shift(length: np.ndarray, d: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The square of the shift along edges of squared `length` from disparity d to d + step: (n,) float32."""
    q = np.sqrt(1 + step / d)
    return length * ((q - 1) / (q + 1)) ** 2


def _border_edges(sheet: Sheet) -> np.ndarray:
    """(n, 2) int64: the edges that have not one triangle of the same label on each side."""
    count, labels = sheet.points.shape[1], int(sheet.label.max()) + 1
    start, end = sheet.triangles.ravel().astype(np.int64), sheet.triangles[:, [1, 2, 0]].ravel()
    # edge and label as one number, since sorting numbers takes a quarter of sorting their order
    key = np.sort((np.minimum(start, end) * count + np.maximum(start, end)) * labels + np.repeat(sheet.label, 3))
    edge = key // labels
    begins = np.ones(len(edge), bool)
    np.not_equal(edge[1:], edge[:-1], out=begins[1:])
    first = np.flatnonzero(begins)
    sides = np.diff(first, append=len(edge))
    inner = (sides == 2) & (key[first] == key[np.minimum(first + 1, len(key) - 1)])
    return np.stack(np.divmod(edge[first[~inner]], count), axis=1)


def _slopes(sheet: Sheet) -> np.ndarray:
    """(2, V) float32: mean slope of the triangles round each vertex, by their area, along row and column."""
    p, q, r = (sheet.points[:, each] for each in sheet.triangles.T)
    a, b = q - p, r - p
    total = []
    for i, j in ((2, 1), (0, 2), (0, 1)):
        part = a[i] * b[j] - b[i] * a[j]
        total.append(sum(np.bincount(each, part, sheet.points.shape[1]) for each in sheet.triangles.T))
    return (np.stack(total[:2]) / np.maximum(total[2], 1e-9)).astype(np.float32)
