"""Resizes depth and fills its gaps: unknown pixels are filled from their own surface, edges follow the photo's."""

from __future__ import annotations

import numpy as np

EDGE = 0.04 / 3
"""A jump of disparity, as a part of the range, above which neighbours are taken for different surfaces."""
SPACE_SIGMA, COLOUR_SIGMA = 1.2, 0.08
STEEPEST, COLOUR_STEP = 0.75, 8.0
"""A gap is bridged by slopes up to this part of `EDGE` a pixel, less where the brightness steps by so much of 255."""
MAX_ITERATIONS = 250
AT_ONCE = 1 << 13
"""Pixels that are handled together: few enough that their data stay in the processor's cache."""


def fill_unknown(disparity: np.ndarray, known: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Assigns each unknown pixel to a surface beside its gap; each surface is continued over its pixels as a membrane.

    `grow_surfaces` chooses the surface by colour. Where the areas of two known pixels meet, they are one surface if the step
    between them is no steeper than a surface may be and no colour edge lies there: so a plane, linear in disparity, continues through
    a gap, and a gap across a silhouette keeps the step.
    disparity (h, w) float32, known (h, w) bool, colour (h, w, 3) 0..1.
    """
    grey = _smooth_grey(colour)
    filled, owner = _grow(disparity, known, grey)
    return _membrane(filled, known, owner, grey)


def grow_surfaces(disparity: np.ndarray, known: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Unknown pixels take the disparity of the known pixel that reaches them over the smallest step of brightness.

    An image foresting transform, so that a gap is filled from its own surface and not across an edge of the photo; then
    each filled patch is smoothed within itself. Arrays as in `fill_unknown`.
    """
    filled, _ = _grow(disparity, known, _smooth_grey(colour))
    return _smooth_within(filled, ~known, known)


def _smooth_grey(colour: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(_byte_grey(colour), (0, 0), 1.0)


def _grow(disparity: np.ndarray, known: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Disparity where each unknown pixel has its owner's value, and (h, w) flat indices of the owners; known pixels own themselves."""
    import cv2
    from scipy import ndimage

    unknown = ~known
    source = known & cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    seeds = np.flatnonzero(source)
    markers = known.astype(np.int32)  # 1: known, and no neighbour of a gap
    markers.ravel()[seeds] = np.arange(2, len(seeds) + 2)
    owner = np.arange(known.size).reshape(known.shape)
    owner[unknown] = seeds[np.maximum(ndimage.watershed_ift(grey, markers)[unknown] - 2, 0)]
    return disparity.ravel()[owner], owner


def separating_jump(values: np.ndarray) -> np.float32:
    """The jump of disparity that separates surfaces, robust to a few outliers."""
    low, high = np.percentile(values[:: max(1, len(values) // 100_000)].astype(float), (0.05, 99.95)).tolist()
    return np.float32(EDGE * max(high - low, 1e-3 * abs(high)))


def _membrane(disparity: np.ndarray, known: np.ndarray, owner: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Discrete Laplace equation over unknown pixels, linked to 4-neighbours of the same surface; known ones hold."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import cg

    where = np.flatnonzero(~known)
    h, w = known.shape
    number = np.full(known.size, -1, np.int32)
    number[where] = np.arange(len(where))
    row, column = np.divmod(where, w)
    flat, owner, grey, limit = (
        disparity.ravel(),
        owner.ravel(),
        grey.ravel().astype(np.float32),
        separating_jump(disparity[known]),
    )
    weight, fixed, rows, columns = np.zeros(len(where)), np.zeros(len(where)), [], []
    for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        inside = (row + dr >= 0) & (row + dr < h) & (column + dc >= 0) & (column + dc < w)
        beside = np.where(inside, where + dr * w + dc, where)
        a, b = owner[where], owner[beside]
        apart = np.hypot(a // w - b // w, a % w - b % w)
        alike = np.exp(-(((grey[where] - grey[beside]) / COLOUR_STEP) ** 2))
        linked = inside & (np.abs(flat[a] - flat[b]) <= limit * np.maximum(1, STEEPEST * apart * alike))
        weight += linked
        inner = linked & (number[beside] >= 0)
        rows.append(np.flatnonzero(inner))
        columns.append(number[beside[inner]])
        held = linked & ~inner
        fixed[held] += flat[beside[held]]
    guess = flat[where].astype(np.float64)
    weight += 1e-9  # parts that nothing holds stay as they are
    fixed += 1e-9 * guess
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = diags(weight) - coo_matrix((np.ones(len(row)), (row, column)), shape=(len(where),) * 2)
    solved, _ = cg(matrix.tocsr(), fixed, x0=guess, rtol=1e-5, maxiter=MAX_ITERATIONS, M=diags(1 / weight))
    result = disparity.copy()
    result.ravel()[where] = solved
    return result


def smooth_silhouettes(disparity: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Median of 5 x 5 pixels in and beside `where`, so that a silhouette that followed noise becomes a clean line."""
    import cv2

    near = cv2.dilate(where.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return np.where(near, cv2.medianBlur(disparity, 5), disparity)


def _smooth_within(disparity: np.ndarray, where: np.ndarray, known: np.ndarray, rounds: int = 24) -> np.ndarray:
    """Averages with 4-neighbours of the same surface, only inside `where`."""
    limit = separating_jump(disparity[known])
    rows, columns = np.nonzero(where)
    shape = disparity.shape
    neighbours = [
        np.ravel_multi_index((np.clip(rows + dr, 0, shape[0] - 1), np.clip(columns + dc, 0, shape[1] - 1)), shape)
        for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0))
    ]
    here = np.ravel_multi_index((rows, columns), shape)
    flat = disparity.ravel().copy()
    for _ in range(rounds):
        centre = flat[here]
        total, count = centre.copy(), np.ones_like(centre)
        for index in neighbours:
            value = flat[index]
            same = np.abs(value - centre) <= limit
            total += np.where(same, value, 0)
            count += same
        flat[here] = total / count
    return flat.reshape(shape)


def resample(disparity, known, colour, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Disparity and its known mask sampled at (rows, columns); no value between two surfaces is invented.

    Smaller: area average, or one sample where the area holds two surfaces. Larger: linear, but near a depth discontinuity the
    weighted median of the samples around, weighted by distance and colour similarity (joint bilateral upsampling, Kopf et al. 2007,
    with the median of Ma et al. 2013, so that silhouettes follow the photo's).
    """
    import cv2

    h, w = disparity.shape
    whole = bool(known.all())
    known_out = cv2.resize(known.view(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT).astype(bool)
    sample = cv2.resize(disparity, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT)
    limit = separating_jump(disparity.ravel() if whole else disparity[known])
    if columns <= w:
        area = lambda values: cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
        if whole:
            mean = area(disparity)
            return np.where(area(disparity * disparity) - mean * mean <= (limit / 2) ** 2, mean, sample), known_out
        weight = known.astype(np.float32)
        share = area(weight)
        some = np.maximum(share, np.float32(1e-6))
        whole = bool(known.all())  # then there is nothing to leave out
        mean = area(disparity if whole else disparity * weight) / some  # of what is known there
        square = disparity * disparity
        spread = area(square if whole else square * weight) / some - mean * mean
        one_surface = (share > 0) & ((spread <= (limit / 2) ** 2) | ~known_out)
        return np.where(one_surface, mean, sample), known_out | (share > 0)
    linear = cv2.resize(disparity, (columns, rows), interpolation=cv2.INTER_LINEAR)
    band = cv2.resize(_bends(disparity, limit / 2), (columns, rows), interpolation=cv2.INTER_LINEAR) > 0
    if band.any() and colour is not None:
        linear[band] = _weighted_median(disparity, colour, band)
        smooth = cv2.medianBlur(linear, 3)
        linear[band] = smooth[band]
    return linear, known_out


def _bends(disparity: np.ndarray, limit: float | np.floating) -> np.ndarray:
    """(h, w) float32: 1 within two pixels of where disparity is not linear along rows or columns by more than `limit`.

    A threshold on the range of values would also find slopes, and the median turns these into stairs.
    """
    import cv2

    bend = np.zeros(disparity.shape, np.uint8)
    bend[:, 1:-1] |= np.abs(np.diff(disparity, 2, axis=1)) > limit
    bend[1:-1] |= np.abs(np.diff(disparity, 2, axis=0)) > limit
    return cv2.dilate(bend, np.ones((3, 3), np.uint8)).astype(np.float32)


def _weighted_median(disparity, colour, band, radius: int = 2) -> np.ndarray:
    """For each pixel of `band` (rows, columns) the weighted median of the (2 radius + 1)^2 samples around it."""
    import cv2

    (h, w), (rows, columns) = disparity.shape, band.shape
    small = cv2.split(cv2.resize(colour, (w, h), interpolation=cv2.INTER_AREA))
    r, c = np.nonzero(band)
    result = np.empty(len(r), np.float32)
    for start in range(0, len(r), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        y, x = (r[part] + 0.5) * h / rows - 0.5, (c[part] + 0.5) * w / columns - 0.5
        result[part] = _median_around(disparity, small, colour[r[part], c[part]], y, x, radius)
    return result


def _median_around(disparity, channels, own, y, x, radius: int) -> np.ndarray:
    """(n,) float32: the weighted median around places (n,) in pixels of `disparity` (h, w) and of its colours, three `channels`.

    `own` (n, 3) are the colours of those places.
    """
    h, w = disparity.shape
    y0, x0 = np.rint(y).astype(np.int32), np.rint(x).astype(np.int32)
    count = (2 * radius + 1) ** 2
    values, weights = np.empty((len(y), count), np.float32), np.empty((len(y), count), np.float32)
    flat = disparity.ravel()
    beside = range(-radius, radius + 1)
    across = [(xx, (xx - x) ** 2) for dx in beside for xx in (np.clip(x0 + dx, 0, w - 1),)]
    for i, dy in enumerate(beside):
        yy = np.clip(y0 + dy, 0, h - 1)
        down, line = (yy - y) ** 2, yy * w
        for k, (xx, over) in enumerate(across, i * len(across)):
            there = line + xx
            values[:, k] = flat.take(there)
            far = (down + over) / (2 * SPACE_SIGMA**2)
            red, green, blue = (np.square(each.take(there) - own[:, c]) for c, each in enumerate(channels))
            unlike = (red + green + blue) / (2 * COLOUR_SIGMA**2)
            weights[:, k] = np.exp(-far - np.minimum(unlike, 60.0))
    order = np.argsort(values, axis=1)
    summed = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (summed >= 0.5 * summed[:, -1:]).argmax(axis=1)
    return np.take_along_axis(values, np.take_along_axis(order, middle[:, None], axis=1), axis=1)[:, 0]


def _byte_grey(colour: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor((np.clip(colour, 0, 1) * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
