"""Sparse linear systems over pixels of a grid, linked to their eight neighbours; some neighbours have fixed values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FORWARD = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class Links:
    """Links of the open (unknown) pixels, each listed once; `fixed` ones lead to pixels whose value is given."""

    pixels: np.ndarray  # (n,) flat indices of the open pixels
    rows: np.ndarray  # (m,) number of the open pixel
    columns: np.ndarray  # (m,) number of the open pixel it is linked to
    weights: np.ndarray  # (m,) float32
    fixed_rows: np.ndarray  # (k,) number of the open pixel
    fixed_pixels: np.ndarray  # (k,) flat index of the fixed pixel it is linked to
    fixed_weights: np.ndarray  # (k,) float32


def make_links(pixels: np.ndarray, shape: tuple[int, int], weight: Callable, allowed: np.ndarray) -> Links:
    """Links of flat `pixels` to their neighbours among `allowed` (h, w) bool; those not among `pixels` are fixed.

    `weight` takes two arrays of flat indices and returns float weights >= 0, of links a pixel long, the same both ways.
    """
    h, w = shape
    number = np.full(h * w, -2, np.int32)  # neither open nor fixed
    number[allowed.ravel()] = -1
    number[pixels] = np.arange(len(pixels), dtype=np.int32)
    row, column = np.divmod(pixels, w)
    free: list[tuple] = []
    fixed: list[tuple] = []
    for dr, dc in FORWARD:
        for sign in (1, -1):
            inside = (row + sign * dr >= 0) & (row + sign * dr < h) & (column + sign * dc >= 0) & (column + sign * dc < w)
            there = pixels + sign * (dr * w + dc)
            other = number[np.where(inside, there, 0)]
            for taken, links in ((inside & (other >= 0), free), (inside & (other == -1), fixed)):
                if sign > 0 or links is fixed:  # in the other direction every link of two open pixels would occur twice
                    own = np.flatnonzero(taken)
                    value = weight(pixels[own], there[own]).astype(np.float32) / np.float32(np.hypot(dr, dc))
                    links.append((own.astype(np.int32), other[own] if links is free else there[own], value))
    return Links(pixels, *(np.concatenate(each) for each in zip(*free, strict=True)),
                 *(np.concatenate(each) for each in zip(*fixed, strict=True)))  # fmt: skip


def solve(links: Links, values: np.ndarray, prior: np.ndarray, pull: float, iterations: int, tolerance: float) -> np.ndarray:
    """(n,) float32 that minimises squared differences over links plus `pull` times those to `prior` (n,).

    `values` holds all pixels' values, flat; only fixed ones are read. Conjugate gradients, Jacobi preconditioned.
    """
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import cg

    count = len(links.pixels)
    sum_of = lambda index, weights: np.bincount(index, weights, count)
    total = sum_of(links.rows, links.weights) + sum_of(links.columns, links.weights) + sum_of(links.fixed_rows, links.fixed_weights) + pull
    held = sum_of(links.fixed_rows, links.fixed_weights * values[links.fixed_pixels]) + pull * prior
    own = np.arange(count, dtype=np.int32)
    weights = np.concatenate([-links.weights, -links.weights, total.astype(np.float32)])
    ends = np.concatenate([links.rows, links.columns, own]), np.concatenate([links.columns, links.rows, own])
    matrix = csr_matrix((weights, ends), shape=(count, count))
    start, jacobi = prior.astype(np.float32), diags((1 / total).astype(np.float32))
    solved, _ = cg(matrix, held.astype(np.float32), x0=start, rtol=tolerance, maxiter=iterations, M=jacobi)
    return solved.astype(np.float32)
