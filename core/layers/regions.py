"""Finds which surfaces hide something: synthesis and context regions behind each silhouette.

Shih et al. 2020, section 3.2: from every depth discontinuity the synthesis region is flooded over the nearer surface and the
context region over the farther one, both along links, so neither ever crosses a silhouette.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..raster.nearest_known import nearest_known
from .divide_regions import divide_self_covering
from .layered_depth_image import OPPOSITE, STEPS, LayeredDepthImage, neighbour_indices

MIN_CONTEXT = 0.3
"""A region with less context than this part of its own size takes all that it is linked to."""
MIN_SYNTHESIS = 12
"""Regions with fewer pixels to invent stay as the deterministic fill left them."""
MIN_DISOCCLUSION = 0.008
"""A silhouette of the smallest jump hides this part of the long side; a jump of a third of the range hides all of it."""
DISOCCLUSION_PER_JUMP = 3.0
CUT_SLACK = 2.0
"""Beside a part that was cut off, what is nearer by up to so many thresholds still counts as behind it: they were one surface."""
SAME_SILHOUETTE = 0.012
"""Silhouette pixels this near each other, as a part of the long side, are taken for one edge in steps."""


@dataclass(frozen=True)
class Disocclusion:
    """Pixels of the last layer behind which a surface is hidden, before that is known."""

    hidden: np.ndarray  # (h, w) bool: positions at which the next layer has a pixel
    disparity: np.ndarray  # (h, w) float32: of the farther pixel across the nearest silhouette, a first guess
    distance: np.ndarray  # (h, w) int16: steps from that silhouette, 0 on it
    seed: np.ndarray  # (h, w) int32: flat index of the silhouette pixel that each hidden pixel was flooded from
    part: np.ndarray | None  # (h, w) uint8: part that the hidden surface belongs to; None where nothing was split off
    cut: np.ndarray | None  # (h, w) bool: hidden by another part, and so wholly; None where nothing was split off
    edges: int  # depth edges (connected silhouettes of nearer pixels) that were flooded from
    expected: np.ndarray | None = None  # (h, w) float32 disparity that the hidden surface is drawn to; None: `disparity`
    torn: np.ndarray | None = None  # (2, h, w) bool: links right and down of hidden pixels that a continued depth edge tears


@dataclass(frozen=True)
class Region:
    """One connected hidden surface, and its context: the surroundings of the same surface that it continues."""

    window: tuple[slice, slice]  # rows and columns of the canvas
    synthesis: np.ndarray  # (h', w') bool within the window
    context: np.ndarray  # (h', w') bool
    distance: np.ndarray  # (h', w') int16: steps of a context pixel from the synthesis region
    colour: np.ndarray  # (h', w', 3) float32, of the context
    origin: np.ndarray | None = None  # (h', w') int8: layer that a context pixel is on


def disocclude(image: LayeredDepthImage, hidden_width: float) -> Disocclusion | None:
    """Floods the nearer side of every discontinuity of the last layer; None where it hides nothing.

    The flood follows links for at most `hidden_width` (part of the long side), less where the jump is small, as a small
    jump uncovers little. Every pixel belongs to the silhouette pixel that reaches it first.
    """
    last = len(image.layers) - 1
    far, jump, part = _farther_side(image)
    layer = image.layers[last]
    cut = None if part is None else (jump > 0) & (part != layer.part)
    if hidden_width == 0 and cut is not None:
        jump = np.where(cut, jump, 0)
    if image.see_through is not None:
        jump = np.where(image.see_through, 0, jump)
    seeds = np.flatnonzero(jump > 0)
    if len(seeds) == 0 or (hidden_width == 0 and cut is None):
        return None
    far = _smooth_along(far, jump > 0, image.threshold)
    reach = _synthesis_steps(image, jump, hidden_width)
    if cut is not None:
        reach[cut.ravel()] = max(layer.present.shape) * 4  # a part can be moved away: all behind it is to be filled
    own = layer.links == last
    owner = np.full(layer.present.size, -1, np.int32)
    distance = np.zeros(layer.present.size, np.int16)
    owner[seeds] = seeds
    front, steps = seeds, 0
    while len(front):
        steps += 1
        reached = []
        for side in range(4):
            from_ = front[own[side].ravel()[front]]
            to = from_ + STEPS[side][0] * layer.present.shape[1] + STEPS[side][1]
            new = (owner[to] < 0) & (steps < reach[owner[from_]])
            if image.see_through is not None:
                new &= ~image.see_through.ravel()[to]
            from_, to = from_[new], to[new]
            owner[to] = owner[from_]
            distance[to] = steps
            reached.append(to)
        front = np.concatenate(reached)  # no pixel twice: each is taken by the first that reaches it
    shape = layer.present.shape
    guess = np.where(owner >= 0, far.ravel()[owner], 0).astype(np.float32).reshape(shape)
    if cut is not None and part is not None:
        part, cut = np.where(owner >= 0, part.ravel()[owner], 0).reshape(shape), ((owner >= 0) & cut.ravel()[owner]).reshape(shape)
    edges = _count_edges(seeds, own, shape)
    return Disocclusion((owner >= 0).reshape(shape), guess, distance.reshape(shape), owner.reshape(shape), part, cut, edges)


def _synthesis_steps(image: LayeredDepthImage, jump: np.ndarray, hidden_width: float) -> np.ndarray:
    """(pixels,) int32: steps of the flood from each silhouette pixel, by the largest jump nearby.

    Nearby, because a silhouette often falls in two steps a few pixels apart, and the surface behind it is behind both.
    """
    import cv2

    side = 2 * max(1, round(SAME_SILHOUETTE * image.long_side)) + 1
    largest = cv2.dilate(jump.astype(np.float32), np.ones((side, side), np.uint8)).ravel()
    part = np.minimum(hidden_width, MIN_DISOCCLUSION + hidden_width * DISOCCLUSION_PER_JUMP * largest / image.span)
    return np.maximum(2, np.rint(part * image.long_side)).astype(np.int32)


def _smooth_along(far: np.ndarray, seeds: np.ndarray, threshold: float, rounds: int = 6) -> np.ndarray:
    """Averages the farther side's disparity along silhouettes, within one surface: single far pixels are often mixed."""
    r, c = np.nonzero(seeds)
    padded = np.pad(np.where(seeds, far, np.float32(np.inf)), 1, constant_values=np.inf)
    for _ in range(rounds):
        centre = padded[r + 1, c + 1]
        total, count = np.zeros_like(centre), np.zeros_like(centre)
        for dr in range(3):
            for dc in range(3):
                value = padded[r + dr, c + dc]
                same = np.abs(value - centre) <= 2 * threshold
                total += np.where(same, value, 0)
                count += same
        padded[r + 1, c + 1] = total / count
    far = far.copy()
    far[r, c] = padded[r + 1, c + 1]
    return far


def _farther_side(image: LayeredDepthImage) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """For each silhouette pixel of the last layer the disparity across its cut, the jump, and the part there; 0
    elsewhere.

    Across a cut lies the nearest surface of any layer that is behind and ends there too. Of several sides the farthest counts.
    A part that was split off without a jump counts as in front of parts with a lower number.
    """
    layer = image.layers[-1]
    far = np.full(layer.present.size, np.inf, np.float32)
    own = layer.disparity.ravel()
    part = None if layer.part is None else np.zeros(layer.present.size, np.uint8)
    for side in range(4):
        ends = np.flatnonzero(layer.present & (layer.links[side] < 0))
        there, inside = neighbour_indices(ends, side, layer.present.shape)
        behind, of = np.full(len(ends), -np.inf, np.float32), np.zeros(len(ends), np.uint8)
        for other in image.layers:
            disparity = other.disparity.ravel()[there]
            lower = inside & other.present.ravel()[there] & (other.links[OPPOSITE[side]].ravel()[there] < 0)
            limit = own[ends] - image.threshold / 2
            if other.part is not None and layer.part is not None:
                its = other.part.ravel()[there]
                limit = np.where(its < layer.part.ravel()[ends], own[ends] + CUT_SLACK * image.threshold, limit)
            lower &= disparity < limit
            nearer = lower & (disparity > behind)
            behind[nearer] = disparity[nearer]
            if part is not None:
                of[nearer] = its[nearer]
        found = behind < far[ends]
        found &= np.isfinite(behind)
        far[ends[found]] = behind[found]
        if part is not None:
            part[ends[found]] = of[found]
    found = np.isfinite(far)
    least = image.threshold / 4 if part is not None else 0
    far, jump = np.where(found, far, 0), np.where(found, np.maximum(own - far, least), 0)
    shape = layer.present.shape
    return far.reshape(shape), jump.reshape(shape), None if part is None else part.reshape(shape)


def _count_edges(seeds: np.ndarray, own: np.ndarray, shape: tuple[int, ...]) -> int:
    """Number of connected silhouettes: silhouette pixels joined where linked, or diagonal across a linked pixel."""
    import cv2

    picture = np.zeros(shape, np.uint8)
    picture.ravel()[seeds] = 1
    return cv2.connectedComponents(picture, connectivity=8)[0] - 1


def find_regions(image: LayeredDepthImage, context_width: float, found: Disocclusion) -> list[Region]:
    """The hidden surfaces of the last layer, which was made from `found`, each with its context, largest first.

    The context is flooded along links from the synthesis region into earlier layers, a little further than the hidden surface
    is wide, but at most `context_width` of the long side.
    In estimated depth a cut may end before the silhouette does: there the flood also stops halfway from the far to the near side,
    or the context would go around the end of the cut and take the foreground's colours.
    """
    farther = _farther_side_only(image) if image.estimated else None
    return _regions(image, context_width, found.distance, divide_self_covering(image, found.seed), farther)


def find_labelled_regions(image: LayeredDepthImage, context_width: float, distance: np.ndarray, labels: np.ndarray) -> list[Region]:
    """As `find_regions`, one region for every number above 0 in `labels` (h, w) int32; the context may lie on any side.

    `distance` (h, w): steps of hidden pixels from their silhouette.
    """
    return _regions(image, context_width, distance, labels, None)


def _regions(image: LayeredDepthImage, context_width: float, distance: np.ndarray, labels: np.ndarray, farther: np.ndarray | None):
    layer = image.layers[-1]
    sizes = np.bincount(labels.ravel())
    deepest = np.zeros(len(sizes), np.int32)
    np.maximum.at(deepest, labels[layer.present], distance[layer.present])
    most = max(8, round(context_width * image.long_side))
    steps = np.minimum(most, deepest + max(8, round(0.012 * image.long_side)))
    region, node, found_at = _flood_contexts(image, labels, steps, farther)
    if farther is not None:
        starved = np.bincount(region, minlength=len(sizes)) < MIN_CONTEXT * sizes
        more = _flood_contexts(image, np.where(starved[labels], labels, 0), np.where(starved, steps, 0), None)
        kept = ~starved[region]
        region, node, found_at = (np.concatenate([a[kept], b]) for a, b in zip((region, node, found_at), more, strict=True))
    return _cut_out(image, labels, sizes, region, node, found_at)


def _farther_side_only(image: LayeredDepthImage) -> np.ndarray:
    """(layers * pixels,) bool: nodes no nearer than the middle between the nearest hidden pixel and its occluder."""
    *before, last = image.layers
    front = np.max([np.where(layer.present, layer.disparity, 0) for layer in before], axis=0)
    middle = np.maximum((front + last.disparity) / 2, last.disparity + image.threshold)
    limit = middle.ravel()[nearest_known(last.present)[1]]
    return np.concatenate([(layer.disparity <= limit).ravel() for layer in image.layers])


def _flood_contexts(image: LayeredDepthImage, labels: np.ndarray, steps: np.ndarray, allowed: np.ndarray | None):
    """Breadth-first search over (region, node) pairs, all regions at once; a node is layer * pixels + pixel. Only `allowed` nodes.

    In an undirected graph a neighbour of the front is in the front, the previous or the next one, so only two fronts are kept.
    """
    last, pixels, width = len(image.layers) - 1, labels.size, labels.shape[1]
    links = [layer.links.reshape(4, -1) for layer in image.layers]
    total = pixels * (last + 1)
    start = np.flatnonzero(labels.ravel())
    front = np.sort(labels.ravel()[start].astype(np.int64) * total + last * pixels + start)
    before = front[:0]
    keys, found_at = [], []
    for step in range(1, int(steps.max(initial=0)) + 1):
        region, node = np.divmod(front, total)
        alive = steps[region] >= step
        region, node = region[alive], node[alive]
        reached = []
        for k in range(last + 1):
            here = (node >= k * pixels) & (node < (k + 1) * pixels)
            base, own = node[here] - k * pixels, region[here]
            for side in range(4):
                to = links[k][side][base]
                linked = (to >= 0) & (to < last)
                target = base[linked] + STEPS[side][0] * width + STEPS[side][1]
                reached.append(own[linked] * total + to[linked].astype(np.int64) * pixels + target)
        new = np.unique(np.concatenate(reached))
        if allowed is not None:
            new = new[allowed[new % total]]
        new = new[~_is_in_sorted(new, front) & ~_is_in_sorted(new, before)]
        if len(new) == 0:
            break
        keys.append(new)
        found_at.append(np.full(len(new), step, np.int16))
        before, front = front, new
    if not keys:
        return front[:0], front[:0], np.zeros(0, np.int16)
    every = np.concatenate(keys)
    return every // total, every % total, np.concatenate(found_at)


def _is_in_sorted(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Which of `values` occur in the sorted `ordered`."""
    if len(ordered) == 0:
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return ordered[place] == values


def bounding_boxes(labels: np.ndarray) -> np.ndarray:
    """(n, 4) int64 top, left, bottom, right (the last two exclusive) of the numbers 1 to n in (h, w) `labels`, each of which occurs.

    >>> bounding_boxes(np.array([[0, 2, 2], [1, 0, 2]])).tolist()
    [[1, 0, 2, 1], [0, 1, 2, 3]]
    """
    place = np.flatnonzero(labels)
    number = labels.ravel()[place]
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], np.arange(1, number.max(initial=0) + 1))
    rows, columns = np.divmod(place[order], labels.shape[1])
    ends = [at.reduceat(side, first) for side in (rows, columns) for at in (np.minimum, np.maximum)] if len(first) else [rows] * 4
    return np.stack([ends[0], ends[2], ends[1] + 1, ends[3] + 1], axis=1)


def _cut_out(image, labels, sizes, region, node, found_at) -> list[Region]:
    """Regions as small pictures, one per label."""
    pixels, width = labels.size, labels.shape[1]
    order = np.argsort(region, kind="stable")
    region, node, found_at = region[order], node[order], found_at[order]
    bounds = np.searchsorted(region, np.arange(len(sizes) + 1))
    boxes = bounding_boxes(labels)
    result = []
    for label in np.argsort(-sizes[1:], kind="stable") + 1:
        part = slice(bounds[label], bounds[label + 1])
        layer, pixel = np.divmod(node[part], pixels)
        r, c = np.divmod(pixel, width)
        box = boxes[label - 1]
        top, left = min(box[0], r.min(initial=box[0])), min(box[1], c.min(initial=box[1]))
        bottom, right = max(box[2], r.max(initial=-1) + 1), max(box[3], c.max(initial=-1) + 1)
        window = (slice(int(top), int(bottom)), slice(int(left), int(right)))
        synthesis = labels[window] == label
        context, distance = np.zeros(synthesis.shape, bool), np.zeros(synthesis.shape, np.int16)
        colour, origin = np.zeros((*synthesis.shape, 3), np.float32), np.zeros(synthesis.shape, np.int8)
        for k in np.unique(layer)[::-1]:
            here = layer == k
            rr, cc = r[here] - top, c[here] - left
            context[rr, cc], distance[rr, cc], origin[rr, cc] = True, found_at[part][here], k
            colour[rr, cc] = image.layers[k].colour[r[here], c[here]]
        result.append(Region(window, synthesis, context & ~synthesis, distance, colour, origin))
    return result
