"""Depth of hidden pixels: a membrane (discrete Laplace equation), fixed to the surfaces that they continue."""

from __future__ import annotations

import numpy as np

from ..layers.layered_depth_image import STEPS, LayeredDepthImage
from ..layers.regions import Disocclusion

FLOOD_PULL = 1e-3
"""Weight of the pull to the flood's disparity, beside 1 to each neighbour. The flood only copies disparity, so that far from all context
the membrane becomes flat."""
EXPECTED_WIDTH = 0.006
"""The membrane is pulled to the expected surface, which has slopes, within this part of the long side from all fixed pixels."""
MAX_ITERATIONS, TOLERANCE = 50, 3e-4


def fill_depth(image: LayeredDepthImage, found: Disocclusion, links: np.ndarray) -> np.ndarray:
    """(h, w) float32 disparity of the hidden pixels, always behind the occluder.

    Discrete Laplace equation in disparity, in which planes are linear, over the links: linked hidden pixels are neighbours in the
    equation, linked pixels of earlier layers are fixed. Conjugate gradients with a bounded number of steps from a first guess, so
    that the cost grows linearly with the pixels.
    """
    from scipy.sparse import coo_matrix, identity
    from scipy.sparse.linalg import cg

    new = len(image.layers)
    where = np.flatnonzero(found.hidden)
    number = np.full(found.hidden.size, -1, np.int32)
    number[where] = np.arange(len(where))
    guess = (found.disparity if found.expected is None else found.expected).ravel()[where].astype(np.float64)
    pull = FLOOD_PULL if found.expected is None else 1 / (EXPECTED_WIDTH * image.long_side) ** 2
    weight, fixed = np.full(len(where), pull), pull * guess
    rows, columns = [], []
    for side in range(4):
        to = links[side].ravel()[where]
        beside = where + STEPS[side][0] * found.hidden.shape[1] + STEPS[side][1]
        weight += to >= 0
        inner = to == new
        rows.append(np.flatnonzero(inner))
        columns.append(number[beside[inner]])
        for k, layer in enumerate(image.layers):
            held = to == k
            fixed[held] += layer.disparity.ravel()[beside[held]]
    row, column = np.concatenate(rows), np.concatenate(columns)
    # scaled to a unit diagonal, which is Jacobi's preconditioner without a second product in each step
    scale = 1 / np.sqrt(weight)
    pull = coo_matrix((-scale[row] * scale[column], (row, column)), shape=(len(where),) * 2).tocsr()
    matrix = (pull + identity(len(where), format="csr")).astype(np.float32)
    right, start = (scale * fixed).astype(np.float32), (guess / scale).astype(np.float32)
    solved = scale * cg(matrix, right, x0=start, rtol=TOLERANCE, maxiter=MAX_ITERATIONS)[0]
    disparity = found.disparity.copy()
    front = image.layers[-1].disparity.ravel()[where]
    behind = np.minimum(solved, front - image.threshold / 4)
    floor = min(float(layer.disparity[layer.present].min()) for layer in image.layers)
    disparity.ravel()[where] = np.maximum(behind, floor / 2)
    return disparity
