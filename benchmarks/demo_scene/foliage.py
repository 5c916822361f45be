"""How plants of the demo scene grow: leaf outlines, twigs with leaves, leafy crowns, shoots creeping over the wall."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .courtyard import WALL, opening_distance
from .noise import fractal
from .pieces import Pile, blade, directions, scatter, tube

GREEN = ((0.0, "#2f4a1c"), (0.35, "#456427"), (0.7, "#5f7d33"), (0.93, "#8a9a45"), (1.0, "#b59a3c"))
OLIVE = ((0.0, "#46563a"), (0.4, "#5c6d48"), (0.8, "#74835a"), (1.0, "#98a06a"))
LEMON = ((0.0, "#1f3d15"), (0.5, "#356022"), (0.85, "#55802c"), (1.0, "#8fa53a"))


def lance(t: np.ndarray) -> np.ndarray:
    """Narrow leaf: half width 0..1 along the leaf 0..1."""
    return np.sin(np.pi * np.clip(t, 0.02, 0.98)) ** 0.75


def heart(t: np.ndarray) -> np.ndarray:
    """Broad leaf, widest near its foot."""
    t = np.clip(t, 0.02, 0.985)
    return np.sin(np.pi * t**0.55) ** 0.8


def lobed(t: np.ndarray) -> np.ndarray:
    """Leaf with lobes, as of a vine."""
    t = np.clip(t, 0.01, 0.985)
    return np.sin(np.pi * t**0.6) ** 0.65 * (0.82 + 0.2 * np.cos(t * 4 * np.pi + 0.6))


def twig(start, heading, length, rng, steps=14, wander=0.12, droop=0.0):
    """(steps, 3) path of a growing shoot."""
    d = np.asarray(heading, float) / np.linalg.norm(heading)
    path = [np.asarray(start, float)]
    for _ in range(steps - 1):
        d = d + rng.normal(0, wander, 3) + np.array([0, 0, -droop])
        d /= np.linalg.norm(d)
        path.append(path[-1] + d * length / (steps - 1))
    return np.array(path)


def leaves_along(pile, template, path, pairs, size, rng, first=0.15, opening=0.9, lift=0.25, tint=None):
    """Opposite leaves along a twig, wider in the middle, one at the tip."""
    s = np.linspace(first, 0.98, pairs)
    index = s * (len(path) - 1)
    at = np.stack([np.interp(index, np.arange(len(path)), path[:, k]) for k in range(3)], 1)
    tangent = np.gradient(path, axis=0)
    along = np.stack([np.interp(index, np.arange(len(path)), tangent[:, k]) for k in range(3)], 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, (0, 0, 1)) + rng.normal(0, 0.25, at.shape)
    turn = rng.uniform(0, np.pi, len(at)) * 0.6
    side = side * np.cos(turn)[:, None] + np.cross(along, side) * np.sin(turn)[:, None]
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    for sign in (-1, 1):
        keep = rng.random(len(at)) < 0.93
        forward = along * np.cos(opening) + sign * side * np.sin(opening) + rng.normal(0, 0.16, at.shape)
        forward[:, 2] += lift * rng.normal(0.4, 0.6, len(at))
        up = np.array([0, 0, 1.0]) + rng.normal(0, 0.35, at.shape) + along * 0.4
        scale = size * (0.65 + 0.5 * np.sin(np.pi * s**0.8)) * rng.uniform(0.75, 1.15, len(at))
        tints = None if tint is None else np.clip(tint + rng.normal(0, 0.15, keep.sum()), 0, 1)
        scatter(pile, template, at[keep], forward[keep], up[keep], scale[keep], tints)


def crown(pile, centre, radii, count, template, size, rng, seed, hollow=0.55) -> np.ndarray:
    """A leafy head: leaves in tufts on an uneven ellipsoid, tips outward. Returns the tufts' places."""
    d = directions(rng, count // 6)
    r = rng.uniform(hollow, 1.0, len(d)) ** 0.6 * (1 + 0.22 * fractal(d, 2.2, 3, seed))
    tufts = np.asarray(centre) + d * r[:, None] * np.asarray(radii)
    at = np.repeat(tufts, 6, 0) + rng.normal(0, 0.03, (len(d) * 6, 3))
    outward = np.repeat(d, 6, 0)
    forward = outward * 0.7 + rng.normal(0, 0.65, at.shape) + (0, 0, -0.25)
    up = outward * 0.4 + np.array([0, 0, 1.0]) + rng.normal(0, 0.35, at.shape)
    scatter(pile, template, at, forward, up, size * rng.uniform(0.6, 1.15, len(at)))
    return tufts


def climber(name, starts, steps, leaf_size, material, template, seed, drop=0.9, spread=0.55, density=1.0, flowers=None) -> None:
    """Shoots that creep over the wall from `starts` (x, z), leaves shingled outward, optionally bracts in bloom."""
    rng = np.random.default_rng(seed)
    wood, green, bloom = Pile(seed + 1), Pile(seed + 2), Pile(seed + 3)
    points = []
    stack = [(np.array(s, float), np.array([rng.normal(0, spread), -drop]), steps, 0.010) for s in starts]
    while stack:
        p, d, n, r = stack.pop()
        path = [p]
        for _ in range(n):
            d = d + rng.normal(0, 0.28, 2) + (0, -0.05 * drop)
            d /= np.linalg.norm(d)
            p = p + d * 0.05
            if opening_distance(p[:1], p[1:])[0] < 0.06 or p[1] < 0.05:
                break
            path.append(p)
            if rng.random() < 0.16 and r > 0.003:
                stack.append((p, d + rng.normal(0, 0.8, 2), int(n * rng.uniform(0.25, 0.6)), r * 0.6))
        if len(path) < 4:
            continue
        path = np.array(path)
        out = WALL - 0.05 - 0.07 * np.abs(fractal(np.stack([path[:, 0], path[:, 1], 0 * path[:, 0]], -1), 2.5, 2, seed))
        line = np.stack([path[:, 0], out, path[:, 1]], 1)
        wood.add(*tube(line, np.linspace(r, r * 0.4, len(line)), 6)[:2])
        points.append(np.repeat(line, max(1, int(3.2 * density)), 0))
    at = np.concatenate(points)
    at = at + rng.normal(0, (0.06, 0.035, 0.06), at.shape)
    at[:, 1] = np.minimum(at[:, 1], WALL - 0.045)
    forward = rng.normal(0, 0.5, at.shape) + (0, -0.35, -0.75)
    up = np.array([0, -1.0, 0.55]) + rng.normal(0, 0.35, at.shape)
    size = leaf_size * rng.uniform(0.5, 1.15, len(at))
    tint = np.clip(0.5 + 0.35 * fractal(at, 2.2, 3, seed + 9) + rng.normal(0, 0.2, len(at)), 0, 1)
    if flowers is not None:
        field = fractal(at, 1.9, 3, seed + 4) + 0.25 * rng.normal(size=len(at))
        open_ = field > 0.05
        base = at[open_] + (0, -0.05, 0)
        for _ in range(3):
            d = directions(rng, len(base)) + (0, -0.9, 0.1)
            scatter(
                bloom,
                blade(1, 0.85, heart, 6, 0.3, -0.5),
                base + 0.012 * directions(rng, len(base)),
                d,
                directions(rng, len(base)) + (0, -0.5, 1),
                0.042 * rng.uniform(0.7, 1.2, len(base)),
            )
        bloom.build(f"{name} bracts", flowers)
    scatter(green, template, at, forward, up, size, tint)
    wood.build(f"{name} stems", mat.plain(f"{name} bark", "#5a4a3a", 0.9))
    green.build(f"{name} leaves", material)
