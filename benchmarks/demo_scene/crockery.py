"""Jug with olive branches, bowl of lemons and coffee cup of the demo scene."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .foliage import LEMON, OLIVE, lance, leaves_along, twig
from .noise import smoothstep
from .pieces import Pile, blade, lathe, rotation, scatter, smooth_path, tube
from .plants import lemon_fruit


def jug(at) -> None:
    """Hand-thrown jug with a blue band, holding olive branches."""
    pile, n = Pile(221), 96
    profile = np.array(
        [
            (0, 0.004),
            (0.045, 0.004),
            (0.052, 0),
            (0.058, 0.004),
            (0.062, 0.012),
            (0.078, 0.05),
            (0.088, 0.095),
            (0.087, 0.13),
            (0.074, 0.168),
            (0.055, 0.196),
            (0.047, 0.215),
            (0.048, 0.232),
            (0.056, 0.25),
            (0.0585, 0.254),
            (0.057, 0.257),
            (0.053, 0.253),
            (0.043, 0.232),
            (0.041, 0.215),
            (0.05, 0.19),
            (0, 0.17),
        ]
    )
    profile = smooth_path(np.column_stack([profile, profile[:, 0] * 0]), 4)[:, :2]
    profile[:, 0] = np.maximum(profile[:, 0], 0)
    v, f = lathe(profile, n, 0.0016, 4)
    z = v[:, 2]
    r = np.hypot(v[:, 0], v[:, 1])
    lip = np.exp(-((np.arctan2(v[:, 1], v[:, 0]) / 0.35) ** 2)) * smoothstep(0.215, 0.256, z)
    v = v * (1 + 0.42 * lip / np.maximum(r / 0.055, 0.5))[:, None] ** np.array([1, 1, 0])
    ridges = 0.0006 * np.sin(z * 520) * smoothstep(0.03, 0.05, z)
    v[:, :2] *= (1 + ridges / np.maximum(r, 0.01))[:, None]
    wear = np.where(z < 0.035, 1.0, 0.0) + 0.5 * (smoothstep(0.118, 0.124, z) - smoothstep(0.146, 0.152, z))
    turn = rotation("z", 2.75)
    pile.add(v, f, 0.4, np.clip(wear, 0, 1), None, at=at, turn=turn)
    handle = smooth_path(
        [
            (-0.046, 0, 0.238),
            (-0.075, 0, 0.252),
            (-0.108, 0, 0.225),
            (-0.112, 0, 0.175),
            (-0.098, 0, 0.13),
            (-0.082, 0, 0.105),
        ],
        8,
    )
    hv, hf, _ = tube(handle, np.interp(np.linspace(0, 1, len(handle)), (0, 0.5, 1), (0.0095, 0.0075, 0.010)), 14)
    hv[:, 1] *= 1.55
    pile.add(hv, hf, 0.4, 0, None, at=at, turn=turn)
    pile.build("jug", mat.glaze("cream glaze", "#e9e2d0", "#cfc4aa"))
    olive_branches(np.asarray(at) + (0, 0, 0.235))


def olive_branches(foot, seed=5) -> None:
    """A handful of olive cuttings standing in the jug whose mouth is at `foot`."""
    rng = np.random.default_rng(seed)
    wood, green, fruit = Pile(51), Pile(52), Pile(53)
    leaf = blade(1.0, 0.2, lance, 7, 0.18, 0.22)
    headings = (
        (-0.62, 0.05, 0.8, 0.50),
        (-0.22, -0.12, 1.0, 0.60),
        (0.15, 0.1, 1.0, 0.66),
        (0.55, -0.1, 0.85, 0.56),
        (0.85, 0.15, 0.62, 0.44),
        (-0.80, -0.2, 0.75, 0.40),
        (0.3, -0.5, 0.85, 0.36),
    )
    v, f = lathe([(0, -1), (0.35, -0.93), (0.72, -0.55), (0.8, 0), (0.7, 0.5), (0.35, 0.92), (0, 1)], 12)
    for *h, length in headings:
        main = twig(np.asarray(foot) + (*rng.normal(0, 0.008, 2), -0.1), h, length + 0.1, rng, 22, 0.05, 0.012)
        wood.add(*tube(main, np.linspace(0.0042, 0.0013, len(main)), 8)[:2])
        leaves_along(green, leaf, main[5:], 15, 0.062, rng)
        for k in rng.choice(np.arange(7, 19), 4, replace=False):
            way = main[k] - main[k - 1]
            shoot = twig(
                main[k],
                way / np.linalg.norm(way) + rng.normal(0, 0.6, 3),
                length * rng.uniform(0.22, 0.42),
                rng,
                12,
                0.07,
                0.015,
            )
            wood.add(*tube(shoot, np.linspace(0.0021, 0.0009, len(shoot)), 6)[:2])
            leaves_along(green, leaf, shoot, 9, 0.055, rng, 0.1)
            if rng.random() < 0.55:
                at = shoot[int(rng.integers(3, 9))] + (0, 0, -0.014)
                fruit.add(v * 0.0085 + at, f)
    wood.build("olive twigs", mat.plain("twig", "#6d6350", 0.8))
    green.build("olive leaves", mat.leaf("olive leaf", OLIVE, "#b3bba3", "#a8b65a", 0.2, 0.4))
    fruit.build("olives", mat.plain("olive", "#3c4420", 0.25))


def bowl_of_lemons(at) -> None:
    """Wide stoneware bowl, lemons piled in it, a few strayed on the boards with their leaves."""
    pile = Pile(231)
    profile = [
        (0, 0.008),
        (0.05, 0.006),
        (0.055, 0),
        (0.06, 0.002),
        (0.063, 0.012),
        (0.098, 0.036),
        (0.128, 0.066),
        (0.139, 0.083),
        (0.140, 0.087),
        (0.137, 0.089),
        (0.133, 0.084),
        (0.122, 0.067),
        (0.092, 0.04),
        (0.055, 0.02),
        (0, 0.015),
    ]
    profile = smooth_path(np.column_stack([profile, np.zeros(len(profile))]), 4)[:, :2]
    profile[:, 0] = np.maximum(profile[:, 0], 0)
    v, f = lathe(profile, 96, 0.0025, 12)
    wear = np.where(v[:, 2] < 0.014, 1.0, 0.0) + 0.5 * (smoothstep(0.066, 0.069, v[:, 2]) - smoothstep(0.077, 0.08, v[:, 2]))
    outer = (
        np.hypot(v[:, 0], v[:, 1])
        > np.interp(v[:, 2], [p[1] for p in profile[: len(profile) // 2]], [p[0] for p in profile[: len(profile) // 2]]) - 0.006
    )
    pile.add(v, f, 0.6, np.where(outer, wear, 0.0), None, at=at)
    pile.build("bowl", mat.glaze("grey glaze", "#dfe0d8", "#bfc3bd"))
    _lemons(at)


def _lemons(at) -> None:
    fruit, green, wood = Pile(232), Pile(233), Pile(234)
    rng = np.random.default_rng(17)
    spots = [
        (-0.058, -0.03, 0.062),
        (0.045, -0.052, 0.06),
        (0.066, 0.035, 0.064),
        (-0.012, 0.066, 0.062),
        (-0.072, 0.045, 0.078),
        (0.004, -0.004, 0.104),
        (0.052, 0.0, 0.122),
        (-0.048, 0.012, 0.124),
    ]
    free = [((-0.22, 0.0), 1.2), ((-0.185, -0.085), 2.6), ((0.20, -0.10), 0.3)]

    def turned():
        return rotation("z", rng.uniform(0, 6.28)) @ rotation("x", np.pi / 2 + rng.normal(0, 0.3))

    placed = []
    for s in spots:
        placed.append((np.asarray(at) + s, turned()))
    for (x, y), angle in free:
        placed.append((np.array([at[0] + x, at[1] + y, at[2] + 0.0345]), rotation("z", angle) @ rotation("x", np.pi / 2)))
    template = blade(1, 0.46, None, 9, 0.14, 0.4)
    for k, (p, turn) in enumerate(placed):
        size = 0.036 * rng.uniform(0.93, 1.07)
        lemon_fruit(fruit, p, turn, size)
        if k in (0, 5, 6, 7, 8, 10):
            foot = p + turn @ np.array([0, 0, -1.14 * size])
            way = turn @ np.array([0, 0, -1.0])
            tip = foot + way * 0.022 + (0, 0, 0.004)
            wood.add(*tube([foot - way * 0.003, (foot + tip) / 2 + (0, 0, 0.002), tip], [0.0024, 0.0019, 0.0017], 8)[:2])
            spread = np.array([way * 0.6 + np.cross(way, (0, 0, 1)) * s + (0, 0, 0.35) for s in (-0.9, 0.8)])
            scatter(
                green,
                template,
                np.repeat(tip[None], 2, 0),
                spread,
                np.array([[0, 0, 1.0]] * 2) + rng.normal(0, 0.15, (2, 3)),
                rng.uniform(0.062, 0.085, 2),
            )
    fruit.build("lemons", mat.lemon())
    wood.build("lemon stalks", mat.plain("stalk", "#5f7030", 0.6))
    green.build("lemon leaves", mat.leaf("table leaf", LEMON, "#6f8a45", "#9cb82e", 0.22, 0.3))


def cup(at) -> None:
    """A small cup of coffee on its saucer, with a spoon."""
    pile, coffee, spoon = Pile(291), Pile(292), Pile(293)
    saucer = [
        (0, 0.004),
        (0.03, 0.003),
        (0.033, 0),
        (0.036, 0.002),
        (0.055, 0.010),
        (0.072, 0.017),
        (0.074, 0.019),
        (0.072, 0.02),
        (0.054, 0.013),
        (0.033, 0.007),
        (0, 0.006),
    ]
    body = [
        (0, 0.004),
        (0.018, 0.003),
        (0.021, 0),
        (0.023, 0.003),
        (0.031, 0.014),
        (0.036, 0.032),
        (0.038, 0.052),
        (0.039, 0.055),
        (0.0375, 0.056),
        (0.0355, 0.052),
        (0.033, 0.03),
        (0.026, 0.012),
        (0, 0.008),
    ]
    for profile, z in ((saucer, 0.0), (body, 0.008)):
        curve = smooth_path(np.column_stack([profile, np.zeros(len(profile))]), 4)[:, :2]
        curve[:, 0] = np.maximum(curve[:, 0], 0)
        v, f = lathe(curve, 72, 0.0008, 5)
        rim = smoothstep(0.046, 0.0475, v[:, 2]) - smoothstep(0.0525, 0.054, v[:, 2]) if z else 0 * v[:, 2]
        pile.add(v, f, 0.5, 0.5 * rim, None, at=np.asarray(at) + (0, 0, z))
    ear = smooth_path([(0.036, 0, 0.05), (0.052, 0, 0.053), (0.06, 0, 0.04), (0.05, 0, 0.025), (0.033, 0, 0.024)], 8)
    v, f, _ = tube(ear, 0.0034, 10)
    pile.add(v @ rotation("z", 0.5).T, f, 0.5, 0, None, at=np.asarray(at) + (0, 0, 0.008))
    v, f = lathe([(0.0345, 0), (0.02, 0.0003), (0, 0.0004)], 48)
    coffee.add(v, f, at=np.asarray(at) + (0, 0, 0.05))
    stem = smooth_path([(-0.062, -0.03, 0.019), (-0.02, -0.052, 0.0215), (0.045, -0.066, 0.0225)], 10)
    spoon.add(*tube(stem, np.linspace(0.0016, 0.0024, len(stem)), 8)[:2], at=at)
    v, f = lathe([(0, -0.5), (0.3, -0.46), (0.5, -0.2), (0.52, 0.1), (0.3, 0.45), (0, 0.55)], 20)
    v = (v * (0.021, 0.010, 0.034))[:, [2, 0, 1]] * (1, 1, 0.55)
    spoon.add(v @ rotation("z", -0.48).T, f, at=np.asarray(at) + (-0.074, -0.023, 0.020))
    pile.build("cup", mat.glaze("cup glaze", "#e4ddcb", "#cbbfa6"))
    coffee.build("coffee", mat.plain("coffee", "#2a150a", 0.12))
    spoon.build("spoon", mat.plain("silver", "#b9b4a8", 0.25, Metallic=1.0))
