"""Deterministic noise fields in NumPy, for the relief and the irregularities of the demo scene."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

_PERIOD = 4096
_SHUFFLE = np.random.default_rng(20).permutation(_PERIOD).astype(np.int32)
_LEVEL = np.random.default_rng(21).random(_PERIOD).astype(np.float32) * 2 - 1


def value_noise(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Smooth noise in [-1, 1] at (..., 3) points; one lattice cell is one unit, repeating after 4096."""
    base = np.floor(points).astype(np.int32)
    f = (points - base).astype(np.float32)
    f = f * f * f * (f * (f * 6 - 15) + 10)
    mask = _PERIOD - 1
    out = np.zeros(points.shape[:-1], np.float32)
    flat = not np.any(f[..., 2])
    for dx in (0, 1):
        row = _SHUFFLE[(base[..., 0] + dx + seed * 101) & mask]
        wx = f[..., 0] if dx else 1 - f[..., 0]
        for dy in (0, 1):
            column = _SHUFFLE[(row + base[..., 1] + dy) & mask]
            w = wx * (f[..., 1] if dy else 1 - f[..., 1])
            for dz in (0,) if flat else (0, 1):
                level = _LEVEL[_SHUFFLE[(column + base[..., 2] + dz) & mask]]
                out += (w if flat else w * (f[..., 2] if dz else 1 - f[..., 2])) * level
    return out


def fractal(points: np.ndarray, scale: float | tuple = 1.0, octaves: int = 4, seed: int = 0) -> np.ndarray:
    """Sum of octaves of value noise, about [-1, 1]. `scale` is cells per metre, one number or one per axis."""
    p = np.asarray(points, float) * np.asarray(scale, float)
    total, amplitude, norm = np.zeros(p.shape[:-1]), 1.0, 0.0
    for octave in range(octaves):
        total += amplitude * value_noise(p, seed * 31 + octave)
        norm += amplitude
        amplitude *= 0.5
        p = p * 2.03 + (17.7, 9.3, 0.0)
    return total / norm


def stone_cells(xy: np.ndarray, spacing: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Irregular paving over (..., 2) points: number of the stone, and distance to its joint (metres, about)."""
    rng = np.random.default_rng(seed)
    lo, hi = xy.reshape(-1, 2).min(0) - 2 * spacing, xy.reshape(-1, 2).max(0) + 2 * spacing
    gx, gy = np.meshgrid(np.arange(lo[0], hi[0], spacing), np.arange(lo[1], hi[1], spacing * 0.8))
    gx[1::2] += spacing / 2
    sites = np.stack([gx.ravel(), gy.ravel()], 1) + rng.normal(0, spacing * 0.27, (gx.size, 2))
    warp = np.stack([fractal(np.dstack([xy[..., 0], xy[..., 1], xy[..., 0] * 0 + k]), 7, 3, seed + k) for k in (1, 2)], -1)
    flat = (xy + warp * 0.012).reshape(-1, 2)
    distance, index = cKDTree(sites).query(flat, k=2)
    a, b = sites[index[:, 0]], sites[index[:, 1]]
    joint = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * np.linalg.norm(a - b, axis=1))
    return index[:, 0].reshape(xy.shape[:-1]), joint.reshape(xy.shape[:-1])


def smoothstep(edge0: float, edge1: float, x: np.ndarray) -> np.ndarray:
    """0 below edge0, 1 above edge1, smooth between."""
    t = np.clip((x - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)
