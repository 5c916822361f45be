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
from .outlines import LAST_OFF, Slides, find_outlines
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
MOST_SHIFT = 5.0
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
AT_ONCE = 1 << 15
"""Edges that are handled together: few enough that their data stay in the processor's cache."""
FOLLOWING = np.array([1, 2, 0, 1])
"""Places of a triangle's vertices after each, and after that."""


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


def simplified(
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
    while len(work.triangles) > least + 2:
        before = len(work.triangles)
        work.round(tolerance, turn, before - least)
        turn += 1
        if before - len(work.triangles) < (LAST_WASTE if work.slides_too else WASTE) * before:
            if not least or work.slides_too:
                break
            if tolerance > LAST:
                work.begin_last_resort()
            tolerance *= GROWTH
            work.tries[:] = 0
    return replace(sheet, triangles=work.triangles, label=work.label, origin=work.origin, error=work.error)


class _Work:
    """State of a simplification. An item collapses as a whole: a vertex within a surface, or all outline vertices in one corner."""

    def __init__(self, sheet: Sheet, outline_scale: np.ndarray):
        self.triangles, self.label, self.origin, self.error = sheet.triangles, sheet.label, sheet.origin, sheet.error.copy()
        self.row, self.column, self.disparity = sheet.points
        self.slope_down, self.slope_right = _slopes(sheet)
        self.corner, self.strictness = sheet.corner, sheet.strictness
        self.outlines, self.on_line = find_outlines(_edges_between(sheet), sheet.corner, sheet.points, outline_scale)
        self.vertices = sheet.points.shape[1]
        self.item = np.where(self.on_line, self.vertices + sheet.corner, np.arange(self.vertices, dtype=np.int32))
        self.tries = np.zeros(self.vertices + len(outline_scale), np.uint8)  # in vain, since an item's surroundings changed last
        self.avoid = np.full(self.vertices, -1, np.int32)  # the neighbour that a vertex could not collapse into
        self.slides_too = False
        self.slides: Slides | None = None

    def begin_last_resort(self) -> None:
        """From now on also corners where more than two outlines meet may go, outlines farther from their place, and textures of
        what is never seen from the photo's camera farther from theirs."""
        self.slides_too, self.outlines.most_off = True, LAST_OFF
        disparity, shift = self.strictness
        invented = np.arange(len(shift)) % KINDS == INVENTED
        self.strictness = np.stack([disparity, np.where(invented, shift / HIDDEN_MORE, shift)])

    def round(self, tolerance: float, turn: int, most: int) -> None:
        """Collapses allowed items, no two neighbours; at most `most` triangles."""
        target = np.full(self.vertices, -1, np.int32)
        self._aim_inside(target)
        corners, outline_error = self._aim_along(target, tolerance, turn)
        cost, spared = self._costs(target)
        tried = np.flatnonzero(~self.on_line & (target >= 0))
        item_cost = np.full(len(self.tries), np.inf, np.float32)
        item_cost[tried] = cost[tried]
        item_cost[self.vertices + corners] = outline_error
        members = np.flatnonzero(self.on_line & (item_cost[self.item] < np.inf))
        np.maximum.at(item_cost, self.item[members], cost[members])
        self._note_failures(tried, corners, target, item_cost > tolerance)
        chosen = self._pick(item_cost <= tolerance, turn)
        if int(spared[chosen].sum()) > most:
            order = chosen[np.argsort(item_cost[chosen], kind="stable")]
            chosen = order[: int(np.searchsorted(np.cumsum(spared[order]), most, "right"))]
        self._collapse(chosen, target, cost, turn)

    def _halves_from(self, wanted: np.ndarray):
        """Yields, some at a time, the halves of edges that start at wanted vertices: number, start, end, third vertex of the triangle."""
        corners = self.triangles.ravel()
        found = np.flatnonzero(wanted[corners])
        for begin in range(0, len(found), AT_ONCE):
            half = found[begin : begin + AT_ONCE]
            first = half // 3 * 3
            turn = half - first
            yield half, corners[half], corners[first + FOLLOWING[turn]], corners[first + FOLLOWING[turn + 1]]

    def _aim_inside(self, target: np.ndarray) -> None:
        """Sets the neighbour that lies best in the surface around, for each vertex within one."""
        wanted = ~self.on_line & (self.tries[: self.vertices] < TRIES)
        best = np.full(self.vertices, np.iinfo(np.int64).max)
        for half, v, u, _ in self._halves_from(wanted):
            down, right, step = self.row[u] - self.row[v], self.column[u] - self.column[v], self.disparity[u] - self.disparity[v]
            off = np.abs(step - self.slope_down[v] * down - self.slope_right[v] * right) * self.strictness[0][self.label[half // 3]]
            off += SHORT * (np.abs(down) + np.abs(right))
            off[u == self.avoid[v]] = 1e30
            np.minimum.at(best, v, off.view(np.int32).astype(np.int64) << 32 | u)  # floats above 0 are in order as their bits
        found = best < np.iinfo(np.int64).max
        target[found] = best[found] & 0xFFFFFFFF

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

    def _costs(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(V,) float32: the error where a vertex collapses into its target, in tolerances, infinite where that cannot be; and
        (items,) how many triangles less there would be."""
        aimed = target >= 0
        cost = np.where(aimed, np.float32(0), np.float32(np.inf))
        spared = np.zeros(len(self.tries), np.uint8)
        for half, v, x, y in self._halves_from(aimed):
            u = target[v]
            gone = (u == x) | (u == y)
            np.add.at(spared, self.item[v[gone]], 1)
            stays = ~gone
            v, u, x, y = v[stays], u[stays], x[stays], y[stays]
            np.maximum.at(cost, v, self._off(v, u, x, y, half[stays] // 3))
        return cost, spared

    def _off(self, v, u, x, y, triangle) -> np.ndarray:
        """(n,) float32: distance of the triangles (v, x, y), in tolerances, if v became u."""
        row, column, d = self.row[u], self.column[u], self.disparity[u]
        xr, xc, xd = self.row[x] - row, self.column[x] - column, self.disparity[x] - d
        yr, yc, yd = self.row[y] - row, self.column[y] - column, self.disparity[y] - d
        vr, vc, vd = self.row[v] - row, self.column[v] - column, self.disparity[v] - d
        area = xr * yc - xc * yr
        to_x, to_y, across = xr * xr + xc * xc, yr * yr + yc * yc, (xr - yr) ** 2 + (xc - yc) ** 2  # lengths, squared
        sliver = area * area <= ALTITUDE**2 * np.maximum(np.maximum(to_x, to_y), across)
        sliver |= area <= 0
        area[sliver] = 1
        on_plane = ((vr * yc - vc * yr) * xd + (xr * vc - xc * vr) * yd) / area
        label = self.label[triangle]
        off = np.abs(vd - on_plane) * self.strictness[0][label] + self.error[triangle]
        # of a triangle the texture shifts most on an edge, see TEXTURE_SHIFT
        shift = np.maximum(np.maximum(_shift(to_x, d, xd), _shift(to_y, d, yd)), _shift(across, d + xd, yd - xd))
        shift = np.sqrt(shift) * self.strictness[1][label]
        off = np.maximum(off, shift)
        off[sliver | (shift > MOST_SHIFT)] = np.inf
        return off

    def _note_failures(self, tried: np.ndarray, corners: np.ndarray, target: np.ndarray, failed: np.ndarray) -> None:
        tried, corners = tried[failed[tried]], self.vertices + corners[failed[self.vertices + corners]]
        self.avoid[tried] = target[tried]
        self.tries[tried] += 1
        self.tries[corners] += 1

    def _pick(self, allowed: np.ndarray, turn: int) -> np.ndarray:
        """Numbers of the allowed items to collapse now, no two of them neighbours."""
        beside = [self.item[column] for column in self.triangles.T]
        picked, left = np.zeros(len(allowed), bool), allowed.copy()
        rank = (np.arange(len(allowed), dtype=np.uint32) + np.uint32(turn)) * np.uint32(2654435761)  # shuffled, none twice
        for _ in range(PICKS):
            among = np.flatnonzero(left[beside[0]] | left[beside[1]] | left[beside[2]])
            beside = [each[among] for each in beside]
            ranks = [np.where(left[each], rank[each], np.uint32(0xFFFFFFFF)) for each in beside]
            first = np.minimum(np.minimum(ranks[0], ranks[1]), ranks[2])
            best = left.copy()
            for each, own in zip(beside, ranks, strict=True):
                best[each[own > first]] = False
            picked |= best
            full = np.flatnonzero(best[beside[0]] | best[beside[1]] | best[beside[2]])
            for each in beside:
                left[each[full]] = False
        return np.flatnonzero(picked)

    def _collapse(self, chosen: np.ndarray, target: np.ndarray, cost: np.ndarray, turn: int) -> None:
        moves = np.zeros(len(self.tries), bool)
        moves[chosen] = True
        moves = moves[self.item]
        new = np.where(moves, target, np.arange(self.vertices, dtype=np.int32))
        a, b, c = self.triangles.T
        touched = np.flatnonzero(moves[a] | moves[b] | moves[c])
        was = self.triangles[touched]
        for each in was.T:
            self.error[touched] = np.maximum(self.error[touched], np.where(moves[each], cost[each], 0))
        now = new[was]
        self.tries[self.item[now]] = 0
        self.avoid[now] = -1
        self.triangles = self.triangles.copy()
        self.triangles[touched] = now
        keep = np.ones(len(self.triangles), bool)
        keep[touched] = (now[:, 0] != now[:, 1]) & (now[:, 1] != now[:, 2]) & (now[:, 0] != now[:, 2])
        self.triangles, self.label, self.origin, self.error = (each[keep] for each in (self.triangles, self.label, self.origin, self.error))
        corners = chosen[chosen >= self.vertices] - self.vertices
        free = self.outlines.at[corners, 0] >= 0
        if self.slides and not free.all():
            self.outlines.slide(self.slides.only(corners[~free]))
        self.outlines.take_out(corners[free], turn)


def _shift(length: np.ndarray, d: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The square of the shift along edges of squared `length` from disparity d to d + step: (n,) float32."""
    q = np.sqrt(1 + step / d)
    return length * ((q - 1) / (q + 1)) ** 2


def _edges_between(sheet: Sheet) -> np.ndarray:
    """(n, 2) int32: the edges that have not one triangle of the same label on each side."""
    start, end = sheet.triangles.ravel(), sheet.triangles[:, [1, 2, 0]].ravel()
    key = np.minimum(start, end).astype(np.int64) * sheet.points.shape[1] + np.maximum(start, end)
    order = np.argsort(key, kind="stable")  # or equal ones stand as that NumPy likes
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    count = np.diff(first, append=len(key))
    label = sheet.label[order // 3]
    inner = (count == 2) & (label[first] == label[np.minimum(first + 1, len(key) - 1)])
    alone = order[first[~inner]]
    return np.stack([start[alone], end[alone]], axis=1)


def _slopes(sheet: Sheet) -> np.ndarray:
    """(2, V) float32: mean slope of the triangles round each vertex, by their area, along row and column."""
    p, q, r = (sheet.points[:, each] for each in sheet.triangles.T)
    a, b = q - p, r - p
    total = []
    for i, j in ((2, 1), (0, 2), (0, 1)):
        part = a[i] * b[j] - b[i] * a[j]
        total.append(sum(np.bincount(each, part, sheet.points.shape[1]) for each in sheet.triangles.T))
    return (np.stack(total[:2]) / np.maximum(total[2], 1e-9)).astype(np.float32)
