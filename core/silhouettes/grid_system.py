"""Sparse linear systems over some pixels of a grid: each is linked to its eight neighbours, some of which are fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


@dataclass(frozen=True)
class Links:
    """Links of the open pixels, each counted from both its ends; `fixed` ones lead to pixels whose value is given."""

    pixels: np.ndarray  # (n,) flat indices of the open pixels
    rows: np.ndarray  # (m,) number of the open pixel
    columns: np.ndarray  # (m,) number of the open pixel it is linked to
    weights: np.ndarray  # (m,) float64
    fixed_rows: np.ndarray  # (k,) number of the open pixel
    fixed_pixels: np.ndarray  # (k,) flat index of the fixed pixel it is linked to
    fixed_weights: np.ndarray  # (k,) float64


def links_of(pixels: np.ndarray, shape: tuple[int, int], weight: Callable, allowed: np.ndarray) -> Links:
    """Links of flat `pixels` to their neighbours among `allowed` (h, w) bool; those not among `pixels` are fixed.

    `weight` takes two arrays of flat indices and returns float weights >= 0, of links a pixel long.
    """
    h, w = shape
    number = np.full(h * w, -1, np.int32)
    number[pixels] = np.arange(len(pixels), dtype=np.int32)
    row, column = np.divmod(pixels, w)
    free, fixed = [], []
    for dr, dc in NEIGHBOURS:
        inside = (row + dr >= 0) & (row + dr < h) & (column + dc >= 0) & (column + dc < w)
        own = np.flatnonzero(inside)
        there = pixels[own] + dr * w + dc
        take = allowed.ravel()[there]
        own, there = own[take], there[take]
        link = np.asarray(weight(pixels[own], there), np.float64) / np.hypot(dr, dc)
        inner = number[there] >= 0
        free.append((own[inner], number[there[inner]], link[inner]))
        fixed.append((own[~inner], there[~inner], link[~inner]))
    return Links(pixels, *(np.concatenate(each) for each in zip(*free, strict=True)),
                 *(np.concatenate(each) for each in zip(*fixed, strict=True)))  # fmt: skip


def solve(links: Links, values: np.ndarray, told: np.ndarray, pull, iterations: int, tolerance: float) -> np.ndarray:
    """(n,) float32 that minimises the squared differences over links, and to `told` (n,) with weight `pull`.

    `values` holds all pixels' values, flat; only fixed ones are read. Conjugate gradients, Jacobi preconditioned.
    """
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import cg

    count = len(links.pixels)
    total = np.bincount(links.rows, links.weights, count) + np.bincount(links.fixed_rows, links.fixed_weights, count) + pull
    held = np.bincount(links.fixed_rows, links.fixed_weights * values[links.fixed_pixels], count) + pull * told
    matrix = diags(total) - csr_matrix((links.weights, (links.rows, links.columns)), shape=(count, count))
    solved, _ = cg(matrix.tocsr(), held, x0=told, rtol=tolerance, maxiter=iterations, M=diags(1 / total))
    return solved.astype(np.float32)
