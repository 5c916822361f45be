"""The foreground and middle ground of the demo scene: lantern, watering can, and where everything stands."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .crockery import bowl_of_lemons, cup, jug
from .foliage import OLIVE, lance, leaves_along
from .furniture import chair, cloth, on_table, straw_hat, table
from .noise import fractal
from .pieces import Pile, blade, directions, grid_faces, lathe, rotation, rounded_block, scatter, smooth_path, tube


def lantern(at, turn_z=0.5, h=0.36) -> None:
    """Storm lantern of iron bars and wires, no panes, with a burning candle."""
    pile, a = Pile(211), 0.082
    turn = rotation("z", turn_z)

    def bar(points, r, sides=8):
        v, f, loc = tube(points, r, sides)
        pile.add(v @ turn.T, f, pile.rng.random(), 0, loc, at=at)

    def block(size, z, r=0.004):
        v, f = rounded_block(size, r, 5, 0.0006, 3)
        pile.add(v @ turn.T, f, at=np.asarray(at) + (0, 0, z))

    for sx in (-1, 1):
        for sy in (-1, 1):
            v, f = lathe([(0, 0), (0.012, 0.002), (0.015, 0.010), (0.009, 0.02), (0, 0.021)], 16)
            pile.add(v + turn @ np.array([sx * a * 0.85, sy * a * 0.85, 0]), f, at=at)
            bar([(sx * a, sy * a, 0.03), (sx * a, sy * a, h * 0.66)], 0.0052)
    block((2 * a + 0.035, 2 * a + 0.035, 0.014), 0.027)
    block((2 * a + 0.016, 2 * a + 0.016, 0.010), 0.040)
    block((2 * a + 0.03, 2 * a + 0.03, 0.012), h * 0.66)
    corners = [(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1)]
    for (x0, y0), (x1, y1) in zip(corners, corners[1:], strict=False):
        p, q = np.array([x0, y0]) * a, np.array([x1, y1]) * a
        for z in (0.30, 0.50):
            bar([(*p, h * z), (*q, h * z)], 0.0026, 6)
        low, high = 0.045, h * 0.655
        bar([(*(p * 0.98), low), (*((p + q) / 2), h * 0.40), (*(q * 0.98), high)], 0.002, 6)
        bar([(*(q * 0.98), low), (*((p + q) / 2), h * 0.40), (*(p * 0.98), high)], 0.002, 6)
    roof = np.array([(0.158, 0.0), (0.156, 0.006), (0.118, 0.034), (0.072, 0.066), (0.052, 0.076), (0.046, 0.08)])
    v, f = lathe(roof, 4)
    fine = (v @ rotation("z", np.pi / 4).T).reshape(len(roof), 4, 3)
    t = np.linspace(0, 1, 9)[:-1]
    ring = fine[:, :, None] * (1 - t)[None, None, :, None] + np.roll(fine, -1, 1)[:, :, None] * t[None, None, :, None]
    ring = ring.reshape(len(roof), 32, 3)
    ring[..., 2] += 0.0015 * fractal(ring, 30, 2, 4)
    pile.add(
        ring.reshape(-1, 3) @ turn.T * (0.75, 0.75, 1),
        grid_faces(len(roof), 32, True),
        at=np.asarray(at) + (0, 0, h * 0.66 + 0.004),
    )
    z0 = h * 0.66 + 0.078
    cap = [(0.030, 0), (0.030, 0.022), (0.043, 0.023), (0.043, 0.027), (0.032, 0.036), (0.012, 0.046), (0.006, 0.048), (0, 0.048)]
    v, f = lathe(cap, 32)
    pile.add(v, f, at=np.asarray(at) + (0, 0, z0))
    s = np.linspace(-0.14 * np.pi, 1.14 * np.pi, 26)
    bar(np.stack([0.05 * np.cos(s), 0.012 * np.sin(s * 2), z0 + 0.075 + 0.055 * np.sin(s)], 1), 0.0034)
    bar([(-0.046, 0, z0 + 0.045), (0.046, 0, z0 + 0.045)], 0.003)
    pile.build("lantern", mat.iron("lantern iron", "#232527", 0.60, 0.42))
    _candle(at)


def _candle(at) -> None:
    wax = Pile(212)
    v, f = lathe(
        [(0, 0), (0.03, 0), (0.031, 0.01), (0.030, 0.085), (0.031, 0.094), (0.027, 0.097), (0.02, 0.088), (0, 0.086)],
        40,
        0.002,
        9,
    )
    wax.add(v, f, at=np.asarray(at) + (0, 0, 0.046))
    for ang, length in ((0.4, 0.05), (2.1, 0.03), (4.6, 0.06)):
        x, y = 0.031 * np.cos(ang), 0.031 * np.sin(ang)
        wax.add(*tube([(x, y, 0.14), (x * 1.03, y * 1.03, 0.14 - length)], [0.003, 0.0045], 8)[:2], at=at)
    wax.build(
        "candle",
        mat.plain("wax", "#efe4c8", 0.35, Subsurface_Weight=0.5, Subsurface_Radius=(0.02, 0.012, 0.006), Subsurface_Scale=0.6),
    )
    wick = Pile(213)
    wick.add(*tube([(0, 0, 0.13), (0.001, 0, 0.146), (0.003, 0, 0.15)], 0.0011, 6)[:2], at=at)
    wick.build("wick", mat.plain("wick", "#15100c", 0.9))
    flame = Pile(214)
    profile = np.array([(0, 0), (0.0042, 0.004), (0.0066, 0.012), (0.0052, 0.024), (0.0022, 0.036), (0, 0.044)])
    v, f = lathe(profile, 20)
    flame.add(v, f, v[:, 2] / 0.044, 0, v, at=np.asarray(at) + (0.002, 0, 0.142))
    flame.build("flame", mat.glow("flame", ((0, "#4a5ad0"), (0.25, "#ff9a30"), (0.6, "#ffd080"), (1, "#ffb050")), 22))


def watering_can(at=(0.16, 4.55, 0.0), turn_z=2.75) -> None:
    """Old zinc watering can."""
    pile, turn = Pile(271), rotation("z", turn_z)
    body = [
        (0, 0.006),
        (0.115, 0.006),
        (0.12, 0),
        (0.122, 0.006),
        (0.122, 0.05),
        (0.125, 0.054),
        (0.122, 0.058),
        (0.121, 0.22),
        (0.124, 0.225),
        (0.121, 0.23),
        (0.118, 0.25),
        (0.10, 0.275),
        (0.075, 0.285),
        (0.07, 0.28),
        (0.06, 0.2),
    ]
    v, f = lathe(body, 64, 0.003, 2)
    pile.add(v, f)
    spout = smooth_path([(0.10, 0, 0.06), (0.19, 0, 0.13), (0.30, 0, 0.27), (0.36, 0, 0.335)], 8)
    pile.add(*tube(spout, np.linspace(0.028, 0.013, len(spout)), 20)[:2])
    rose, rf = lathe([(0.012, -0.03), (0.03, 0.0), (0.048, 0.012), (0.05, 0.016), (0.046, 0.02), (0, 0.028)], 32)
    pile.add(rose @ rotation("y", 0.75).T + (0.375, 0, 0.35), rf)
    arc = smooth_path([(-0.115, 0, 0.08), (-0.2, 0, 0.15), (-0.19, 0, 0.29), (-0.07, 0, 0.36), (0.03, 0, 0.37), (0.10, 0, 0.25)], 10)
    pile.add(*tube(arc, 0.009, 10)[:2])
    pile.add(*tube([(0.12, 0, 0.22), (0.275, 0, 0.24)], 0.005, 8)[:2])
    pile.build("watering can", mat.zinc(), turn=turn, at=at)


def crumbs() -> None:
    """A few olive leaves and a petal or two on the boards."""
    rng = np.random.default_rng(44)
    green, n = Pile(281), 22
    at = np.stack([on_table(rng.uniform(-0.6, 0.62), rng.uniform(-0.45, 0.35), 0.008) for _ in range(n)])
    flat = directions(rng, n) * (1, 1, 0.1)
    scatter(
        green,
        blade(1, 0.24, None, 7, 0.2, -0.25),
        at,
        flat,
        np.array([0, 0, 1.0]) + rng.normal(0, 0.15, (n, 3)),
        0.05 * rng.uniform(0.7, 1.1, n),
    )
    green.build(
        "stray leaves",
        mat.leaf("stray leaf", ((0, "#5c6d48"), (0.5, "#7d7a48"), (1, "#a58a4a")), "#b3bba3", "#a8b65a", 0.15, 0.5),
    )


def sprig() -> None:
    """A cut olive twig left lying on the linen."""
    rng = np.random.default_rng(46)
    wood, green = Pile(301), Pile(302)
    template = blade(1.0, 0.2, lance, 7, 0.18, -0.15)
    main = smooth_path([on_table(x, y, z) for x, y, z in ((-0.74, -0.13, 0.024), (-0.62, -0.09, 0.03), (-0.47, -0.085, 0.022))])
    side = smooth_path([on_table(x, y, z) for x, y, z in ((-0.67, -0.107, 0.028), (-0.61, -0.06, 0.034), (-0.55, -0.04, 0.024))])
    for path, pairs, thick in ((main, 12, 0.0028), (side, 6, 0.0018)):
        wood.add(*tube(path, np.linspace(thick, 0.001, len(path)), 8)[:2])
        leaves_along(green, template, path, pairs, 0.05, rng, 0.12, 0.8, 0.02)
    wood.build("sprig wood", mat.plain("sprig bark", "#6d6350", 0.8))
    green.build("sprig leaves", mat.leaf("sprig leaf", OLIVE, "#b3bba3", "#a8b65a", 0.2, 0.4))


def still_life() -> None:
    """Everything on and around the table."""
    table()
    cloth()
    lantern(on_table(-0.52, 0.20, 0.0))
    jug(on_table(0.08, 0.20))
    bowl_of_lemons(on_table(0.235, -0.06))
    cup(on_table(-0.21, -0.08, 0.004))
    crumbs()
    sprig()
    chair()
    straw_hat(np.array([-0.90, 2.79, 0.80]), rotation("z", -0.35) @ rotation("x", 1.25))
    watering_can()
