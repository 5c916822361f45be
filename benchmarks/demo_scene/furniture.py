"""Table, linen runner, garden chair and straw hat of the demo scene."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .noise import fractal, smoothstep
from .pieces import Pile, grid_faces, lathe, rotation, rounded_block, smooth_path, tube

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
            0.0022 * fractal(v, (3, 12, 1), 3, int(pile.rng.integers(99))) + 0.02 * (v[:, 1] / w) ** 2 * pile.rng.normal(0.4, 0.5) * 0.3
        )
        v[:, 1] += 0.0035 * fractal(v, (5, 0.1, 9), 4, int(pile.rng.integers(99)))
        at = TABLE_AT + turn @ np.array([pile.rng.normal(0, 0.008), y + w / 2, 0]) + (0, 0, TOP - 0.018 + pile.rng.normal(0, 0.0012))
        pile.add(v, f, wear=edge, at=at, turn=turn @ rotation("x", pile.rng.normal(0, 0.006)))
        for x in (-0.74, 0.74):
            for yy in (0.25, 0.72):
                v, f = lathe([(0.0052, 0), (0.0048, 0.0022), (0.002, 0.0032), (0, 0.0033)], 12)
                nails.add(v, f, at=on_table(x + pile.rng.normal(0, 0.005), y + w * yy + pile.rng.normal(0, 0.006), 0.001))
        y += w
    nails.build("nails", mat.iron("nail iron", "#3a2f28", 0.45, 0.6))
    for x in (-0.74, 0.74):
        v, f = rounded_block((1.1, 0.06, 0.09), 0.006, 20)
        pile.add(v, f, at=TABLE_AT + turn @ np.array([x, 0, 0]) + (0, 0, TOP - 0.085), turn=turn @ rotation("z", np.pi / 2))
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
    pile.build("table", mat.weathered_wood("old oak", "#68584a", "#9d8a72", "#c9b99f"))


def cloth() -> None:
    """A linen runner laid loosely over the boards, hanging down at the table's left end."""
    length, width, drop = 0.98, 0.36, 0.30
    s, t = np.arange(0, length, 0.004), np.arange(-width / 2, width / 2, 0.004)
    gs, gt = np.meshgrid(s, t)
    p = np.stack([gs, gt, 0 * gs], -1)
    bend = fractal(p, 2.4, 2, 16) * 0.1
    ridge = np.exp(-((fractal(p + bend[..., None] * (1, 1, 0), (1.9, 4.6, 1), 2, 6) / 0.10) ** 2))
    fold = 0.015 * ridge * smoothstep(-0.3, 0.4, fractal(p, 5, 2, 26)) + 0.010 * np.maximum(0, fractal(p, (3.4, 7.5, 1), 2, 46))
    fold += 0.003 * np.exp(-((fractal(p, (9, 11, 1), 2, 36) / 0.12) ** 2)) + 0.003
    fold += 0.016 * np.exp(-(((gt - 0.02 - 0.12 * gs) / 0.016) ** 2)) * smoothstep(0.32, 0.5, gs) * (1 - smoothstep(0.75, 0.95, gs))
    fold += 0.013 * np.exp(-(((gt + 0.13 - 0.07 * gs) / 0.014) ** 2)) * smoothstep(0.5, 0.7, gs)
    edge = 0.045
    over = gs - drop
    flat = over > 0
    hang = 0.02 + 0.028 * np.sin(gt * 26 + 1.2) * np.clip(-over / drop, 0, 1) + 0.014 * np.sin(gt * 57) * np.clip(-over / drop, 0, 1) ** 1.4
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
