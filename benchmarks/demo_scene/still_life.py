"""The foreground and middle ground of the demo scene: table, lantern, jug, lemons, linen, chair, watering can."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .noise import fractal, smoothstep
from .pieces import Pile, blade, directions, grid_faces, lathe, rotation, rounded_block, scatter, smooth_path, tube
from .plants import LEMON, lemon_fruit, olive_branches

TOP = 0.74
"""Height of the table top, metres."""
TABLE_AT, TABLE_TURN = np.array([0.36, 1.30, 0.0]), 0.16


def on_table(x: float, y: float, z: float = 0.0) -> np.ndarray:
    """World point of table coordinates (x across, y away from the camera, z above the top)."""
    return rotation("z", TABLE_TURN) @ np.array([x, y, 0.0]) + TABLE_AT + (0, 0, TOP + z)


def table() -> None:
    """Old planks with gaps, knots of wear and a battened frame."""
    pile, nails = Pile(201), Pile(202)
    turn, y = rotation("z", TABLE_TURN), -0.62
    while y < 0.60:
        w = pile.rng.uniform(0.13, 0.19)
        long = 1.74 + pile.rng.normal(0, 0.012)
        v, f = rounded_block((long, w - 0.010, 0.036), 0.007, 90, 0.0, 0)
        edge = smoothstep(0.013, 0.003, w / 2 - 0.005 - np.abs(v[:, 1]) + 0.008 * fractal(v, (14, 40, 1), 3, 7))
        v[:, 2] += (
            0.0022 * fractal(v, (3, 12, 1), 3, int(pile.rng.integers(99)))
            + 0.02 * (v[:, 1] / w) ** 2 * pile.rng.normal(0.4, 0.5) * 0.3
        )
        v[:, 1] += 0.0035 * fractal(v, (5, 0.1, 9), 4, int(pile.rng.integers(99)))
        at = (
            TABLE_AT
            + turn @ np.array([pile.rng.normal(0, 0.008), y + w / 2, 0])
            + (0, 0, TOP - 0.018 + pile.rng.normal(0, 0.0012))
        )
        pile.add(v, f, wear=edge, at=at, turn=turn @ rotation("x", pile.rng.normal(0, 0.006)))
        for x in (-0.74, 0.74):
            for yy in (0.25, 0.72):
                v, f = lathe([(0.0052, 0), (0.0048, 0.0022), (0.002, 0.0032), (0, 0.0033)], 12)
                nails.add(
                    v, f, at=on_table(x + pile.rng.normal(0, 0.005), y + w * yy + pile.rng.normal(0, 0.006), 0.001)
                )
        y += w
    nails.build("nails", mat.iron("nail iron", "#3a2f28", 0.45, 0.6))
    for x in (-0.74, 0.74):
        v, f = rounded_block((1.1, 0.06, 0.09), 0.006, 20)
        pile.add(
            v, f, at=TABLE_AT + turn @ np.array([x, 0, 0]) + (0, 0, TOP - 0.085), turn=turn @ rotation("z", np.pi / 2)
        )
        for yy in (-0.48, 0.48):
            v, f = rounded_block((TOP - 0.06, 0.075, 0.075), 0.008, 20)
            pile.add(
                v,
                f,
                at=TABLE_AT + turn @ np.array([x, yy, 0]) + (0, 0, (TOP - 0.06) / 2),
                turn=turn @ rotation("y", np.pi / 2),
            )
    for yy in (-0.48, 0.48):
        v, f = rounded_block((1.5, 0.03, 0.09), 0.006, 20)
        pile.add(v, f, at=TABLE_AT + turn @ np.array([0, yy, 0]) + (0, 0, TOP - 0.085), turn=turn)
    pile.build("table", mat.weathered_wood("old oak", "#54473a", "#857360", "#b3a48c"))


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
    v, f = lathe(
        [
            (0.030, 0),
            (0.030, 0.022),
            (0.043, 0.023),
            (0.043, 0.027),
            (0.032, 0.036),
            (0.012, 0.046),
            (0.006, 0.048),
            (0, 0.048),
        ],
        32,
    )
    pile.add(v, f, at=np.asarray(at) + (0, 0, z0))
    s = np.linspace(-0.14 * np.pi, 1.14 * np.pi, 26)
    bar(np.stack([0.05 * np.cos(s), 0.012 * np.sin(s * 2), z0 + 0.075 + 0.055 * np.sin(s)], 1), 0.0034)
    bar([(-0.046, 0, z0 + 0.045), (0.046, 0, z0 + 0.045)], 0.003)
    pile.build("lantern", mat.iron("lantern iron", "#232527", 0.60, 0.42))
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
        mat.plain(
            "wax", "#efe4c8", 0.35, Subsurface_Weight=0.5, Subsurface_Radius=(0.02, 0.012, 0.006), Subsurface_Scale=0.6
        ),
    )
    wick = Pile(213)
    wick.add(*tube([(0, 0, 0.13), (0.001, 0, 0.146), (0.003, 0, 0.15)], 0.0011, 6)[:2], at=at)
    wick.build("wick", mat.plain("wick", "#15100c", 0.9))
    flame = Pile(214)
    profile = np.array([(0, 0), (0.0042, 0.004), (0.0066, 0.012), (0.0052, 0.024), (0.0022, 0.036), (0, 0.044)])
    v, f = lathe(profile, 20)
    flame.add(v, f, v[:, 2] / 0.044, 0, v, at=np.asarray(at) + (0.002, 0, 0.142))
    flame.build("flame", mat.glow("flame", ((0, "#4a5ad0"), (0.25, "#ff9a30"), (0.6, "#ffd080"), (1, "#ffb050")), 22))


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
    wear = np.where(v[:, 2] < 0.014, 1.0, 0.0) + 0.5 * (
        smoothstep(0.066, 0.069, v[:, 2]) - smoothstep(0.077, 0.08, v[:, 2])
    )
    outer = (
        np.hypot(v[:, 0], v[:, 1])
        > np.interp(v[:, 2], [p[1] for p in profile[: len(profile) // 2]], [p[0] for p in profile[: len(profile) // 2]])
        - 0.006
    )
    pile.add(v, f, 0.6, np.where(outer, wear, 0.0), None, at=at)
    pile.build("bowl", mat.glaze("grey glaze", "#dfe0d8", "#bfc3bd"))
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
        placed.append(
            (np.array([at[0] + x, at[1] + y, at[2] + 0.0345]), rotation("z", angle) @ rotation("x", np.pi / 2))
        )
    template = blade(1, 0.46, None, 9, 0.14, 0.4)
    for k, (p, turn) in enumerate(placed):
        size = 0.036 * rng.uniform(0.93, 1.07)
        lemon_fruit(fruit, p, turn, size)
        if k in (0, 5, 6, 7, 8, 10):
            foot = p + turn @ np.array([0, 0, -1.14 * size])
            way = turn @ np.array([0, 0, -1.0])
            tip = foot + way * 0.022 + (0, 0, 0.004)
            wood.add(
                *tube([foot - way * 0.003, (foot + tip) / 2 + (0, 0, 0.002), tip], [0.0024, 0.0019, 0.0017], 8)[:2]
            )
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


def cloth() -> None:
    """A linen runner laid loosely over the boards, hanging down at the table's left end."""
    length, width, drop = 0.98, 0.36, 0.30
    s, t = np.arange(0, length, 0.004), np.arange(-width / 2, width / 2, 0.004)
    gs, gt = np.meshgrid(s, t)
    p = np.stack([gs, gt, 0 * gs], -1)
    bend = fractal(p, 2.4, 2, 16) * 0.1
    ridge = np.exp(-((fractal(p + bend[..., None] * (1, 1, 0), (1.9, 4.6, 1), 2, 6) / 0.10) ** 2))
    fold = 0.015 * ridge * smoothstep(-0.3, 0.4, fractal(p, 5, 2, 26)) + 0.010 * np.maximum(
        0, fractal(p, (3.4, 7.5, 1), 2, 46)
    )
    fold += 0.003 * np.exp(-((fractal(p, (9, 11, 1), 2, 36) / 0.12) ** 2)) + 0.003
    fold += (
        0.016
        * np.exp(-(((gt - 0.02 - 0.12 * gs) / 0.016) ** 2))
        * smoothstep(0.32, 0.5, gs)
        * (1 - smoothstep(0.75, 0.95, gs))
    )
    fold += 0.013 * np.exp(-(((gt + 0.13 - 0.07 * gs) / 0.014) ** 2)) * smoothstep(0.5, 0.7, gs)
    edge = 0.045
    over = gs - drop
    flat = over > 0
    hang = (
        0.02
        + 0.028 * np.sin(gt * 26 + 1.2) * np.clip(-over / drop, 0, 1)
        + 0.014 * np.sin(gt * 57) * np.clip(-over / drop, 0, 1) ** 1.4
    )
    a = np.clip(-over / edge, 0, 1) * np.pi / 2
    x = np.where(flat, over, -np.sin(a) * edge * 0.64 - hang * np.clip(-over / edge, 0, 1))
    z = np.where(
        flat,
        np.maximum(fold, 0.0015),
        np.maximum(fold, 0.0015) - (1 - np.cos(a)) * edge * 0.64 - np.maximum(-over - edge, 0),
    )
    y = gt * (1 - 0.06 * np.clip(-over / drop, 0, 1)) + 0.01 * fractal(p, 3, 2, 3)
    stripes = np.zeros_like(gs)
    for c, w in (
        (0.05, 0.006),
        (0.068, 0.003),
        (0.032, 0.003),
        (length - 0.06, 0.006),
        (length - 0.078, 0.003),
        (length - 0.042, 0.003),
    ):
        stripes = np.maximum(stripes, (np.abs(gs - c) < w).astype(float))
    pile = Pile(241)
    verts = np.stack([x, y, z], -1).reshape(-1, 3)
    pile.add(verts, grid_faces(len(t), len(s)), 0.5, stripes.ravel(), p.reshape(-1, 3))
    fringe = Pile(242)
    for k in range(2, len(t) - 2):
        foot = verts.reshape(len(t), len(s), 3)[k, 0]
        way = np.array([fringe.rng.normal(0, 0.006), fringe.rng.normal(0, 0.005), -0.028 + fringe.rng.normal(0, 0.003)])
        fringe.add(*tube([foot, foot + way * 0.5 + (fringe.rng.normal(0, 0.002), 0, 0), foot + way], 0.0009, 5)[:2])
    turn = rotation("z", TABLE_TURN + 0.05)
    at = on_table(-0.885, -0.17, 0.0)
    pile.build("linen", mat.linen(), turn=turn, at=at)
    fringe.build("fringe", mat.plain("thread", "#d9cdb4", 0.9), turn=turn, at=at)


def chair(at=(-1.22, 2.75, 0.0), turn_z=-0.75) -> None:
    """Folding garden chair: thin iron legs, wooden slats in old green paint."""
    frame, wood = Pile(251), Pile(252)
    turn = rotation("z", turn_z)
    for side in (-1, 1):
        x = side * 0.20
        frame.add(
            *tube(
                smooth_path([(x, -0.25, 0.0), (x, 0.02, 0.28), (x, 0.20, 0.47), (x, 0.27, 0.70), (x, 0.305, 0.89)], 6),
                0.0095,
                10,
            )[:2]
        )
        frame.add(*tube([(x * 0.9, 0.27, 0.0), (x * 0.9, -0.20, 0.44)], 0.0095, 10)[:2])
        frame.add(*tube([(x * 0.9, -0.22, 0.445), (x * 0.9, 0.21, 0.445)], 0.008, 8)[:2])
    for y, z, w in ((-0.19, 0.065, 0.20), (0.215, 0.05, 0.18), (0.205, 0.45, 0.20), (-0.21, 0.437, 0.18)):
        frame.add(*tube([(-w, y, z), (w, y, z)], 0.007, 8)[:2])
    for y in np.linspace(-0.205, 0.185, 7):
        v, f = rounded_block((0.43, 0.045, 0.016), 0.005, 20)
        wood.add(v, f, at=(0, y, 0.462 + wood.rng.normal(0, 0.001)), turn=rotation("z", wood.rng.normal(0, 0.008)))
    for z, y, h in ((0.63, 0.243, 0.06), (0.735, 0.268, 0.06), (0.84, 0.288, 0.07)):
        v, f = rounded_block((0.44, 0.016, h), 0.006, 20)
        v[:, 1] += 0.035 * (1 - (v[:, 0] / 0.22) ** 2)
        wood.add(v, f, at=(0, y - 0.006, z), turn=rotation("x", -0.16))
    frame.build("chair frame", mat.iron("chair iron", "#2b3a33", 0.53, 0.5), turn=turn, at=at)
    wood.build(
        "chair slats",
        mat.weathered_wood("old green paint", "#6b5a45", "#97815f", "#bfab88", "#6f8f74", 0.55),
        turn=turn,
        at=at,
    )


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


def straw_hat(at, turn) -> None:
    """A straw hat with a ribbon."""
    pile, band = Pile(261), Pile(262)
    profile = smooth_path(
        [
            (0.205, 0.012, 0),
            (0.17, 0.0, 0),
            (0.125, -0.004, 0),
            (0.096, 0.006, 0),
            (0.09, 0.04, 0),
            (0.084, 0.09, 0),
            (0.06, 0.118, 0),
            (0.03, 0.112, 0),
            (0.0, 0.108, 0),
        ],
        9,
    )[:, :2]
    v, f = lathe(profile * 0.88, 140, 0.004, 8)
    a = np.arctan2(v[:, 1], v[:, 0])
    r = np.hypot(v[:, 0], v[:, 1])
    v[:, 2] += 0.02 * np.sin(2 * a + 0.6) * smoothstep(0.1, 0.21, r)
    rows = np.repeat(np.arange(len(profile)), 140)
    v[:, 2] += 0.0011 * np.where(rows % 2, 1, -1)
    pile.add(v, f[:, ::-1], 0.5, 0, np.stack([a * 0.12, rows * 0.004, 0 * a], 1), at=at, turn=turn)
    bv, bf = lathe(np.array([(0.0985, 0.008), (0.0955, 0.022), (0.0925, 0.036)]) * 0.89, 96)
    band.add(bv, bf, at=at, turn=turn)
    s = mat.Shader("straw")
    weave = s.noise(60, 5, 0.7, s.stretch((9, 1.6, 1)))
    base = s.mix(
        s.ramp(weave, ((0.3, "#9a7a44"), (0.5, "#cbaa6a"), (0.7, "#e6cf98"))),
        s.ramp(s.noise(4, 5), ((0.3, 0.75), (0.7, 1.0))),
        0.5,
        "MULTIPLY",
    )
    pile.build("straw hat", s.finish(base, 0.7, s.bump(weave, 0.002, 0.9), leaf=("#e0c080", 0.1), mean="#c8a868"))
    band.build("hat ribbon", mat.plain("ribbon", "#2e4058", 0.6))


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
    arc = smooth_path(
        [(-0.115, 0, 0.08), (-0.2, 0, 0.15), (-0.19, 0, 0.29), (-0.07, 0, 0.36), (0.03, 0, 0.37), (0.10, 0, 0.25)], 10
    )
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


def still_life() -> None:
    """Everything on and around the table."""
    table()
    cloth()
    lantern(on_table(-0.52, 0.20, 0.0))
    jug(on_table(0.08, 0.20))
    bowl_of_lemons(on_table(0.235, -0.06))
    cup(on_table(-0.21, -0.08, 0.004))
    crumbs()
    chair()
    straw_hat(np.array([-0.90, 2.79, 0.80]), rotation("z", -0.35) @ rotation("x", 1.25))
    watering_can()
