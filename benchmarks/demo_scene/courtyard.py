"""The courtyard of the demo scene: old wall with an arch and a shuttered window, paving, and the garden beyond."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .noise import fractal, smoothstep, stone_cells
from .pieces import Pile, directions, grid_faces, relief, rotation, rounded_block, smooth_path, tube

WALL = 6.0
"""y of the bare wall, metres; the camera looks along +y."""
ARCH_X, ARCH_HALF, SPRING = -0.38, 0.74, 1.52
WINDOW = (-2.98, -2.08, 1.08, 2.3)
"""x0, x1, z0, z1 of the window's opening."""


def opening_distance(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance to the edge of arch or window, metres, negative inside them."""
    arch = np.where(z < SPRING, np.abs(x - ARCH_X), np.hypot(x - ARCH_X, z - SPRING)) - ARCH_HALF
    x0, x1, z0, z1 = WINDOW
    window = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(z0 - z, z - z1))
    return np.minimum(arch, window)


def plaster_cover(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Positive where the render still sticks, about metres from its broken rim."""
    p = np.stack([x, z, 0 * x], -1)
    patches = fractal(p, 0.75, 3, 5) * 0.85 + fractal(p, 5, 5, 6) * 0.16
    fall = 0.42 * np.exp(-((z / 0.45) ** 2)) + 0.42 * np.exp(-(((x - 1.35) / 0.75) ** 2 + ((z - 1.25) / 0.5) ** 2))
    fall += 0.3 * np.exp(-(((x + 1.35) / 0.35) ** 2 + ((z - 0.55) / 0.5) ** 2))
    return 0.30 + patches - fall


def wall() -> None:
    """Render that has fallen here and there, the bricks behind it, stones around arch and window."""
    xs, zs = np.arange(-5.2, 5.2, 0.009), np.arange(-0.05, 4.0, 0.009)
    gx, gz = np.meshgrid(xs, zs)
    cover = smoothstep(-0.012, 0.03, plaster_cover(gx, gz))
    p = np.stack([gx, gz, 0 * gx], -1)
    height = cover * (0.024 + 0.012 * fractal(p, 1.6, 4, 8) + 0.004 * fractal(p, 14, 4, 9))
    height += (1 - cover) * (-0.012 + 0.006 * fractal(p, 40, 3, 10))
    verts, faces = relief(xs, zs, height)
    verts = np.stack([verts[:, 0], WALL - verts[:, 2], verts[:, 1]], 1)
    inside = opening_distance(gx, gz).ravel() < -0.02
    faces = faces[~inside[faces].all(1)]
    pile = Pile()
    pile.add(verts, faces, 0.5, cover.ravel(), verts)
    pile.build("plaster", mat.plaster("plaster", "#e6c79b", "#cf9f6c", "#8a6a4a"))
    bricks = Pile(11)
    for row, z in enumerate(np.arange(0.03, 4.0, 0.075)):
        for x in np.arange(-5.2, 5.2, 0.232) + (row % 2) * 0.116:
            near = np.array([[-0.12, 0], [0, 0], [0.12, 0]]) + (x, z)
            if plaster_cover(near[:, 0], near[:, 1]).min() > 0.06 or opening_distance(near[:, 0], near[:, 1]).min() < 0.0:
                continue
            size = (0.218 + bricks.rng.normal(0, 0.004), 0.08, 0.064 + bricks.rng.normal(0, 0.002))
            v, f = rounded_block(size, 0.007, 9, 0.006, int(bricks.rng.integers(999)))
            at = (x, WALL + 0.04 - abs(bricks.rng.normal(0, 0.004)), z)
            bricks.add(v, f, at=at, turn=rotation("y", bricks.rng.normal(0, 0.012)))
    bricks.build("bricks", mat.brick())
    arch_stones()
    window()


def arch_mortar() -> tuple[np.ndarray, np.ndarray]:
    """Bed of the arch's stones: front ring and reveal, set back a finger's breadth from their faces."""
    s = np.linspace(0, 1, 15)[1:-1, None]
    a = np.linspace(-np.pi / 2, np.pi / 2, 60)[:, None]
    side = np.concatenate([0 * s - 1, np.sin(a), 0 * s + 1])
    up = np.concatenate([0 * s, np.cos(a), 0 * s])
    foot = np.concatenate([s * SPRING, 0 * a + SPRING, SPRING * (1 - s)])
    r, y = np.array([0.22, 0.014, 0.014]) + ARCH_HALF, np.array([-0.032, -0.032, 0.42]) + WALL
    verts = np.stack([ARCH_X + side * r, y + 0 * side, foot + up * r], -1)
    return verts.reshape(-1, 3), grid_faces(len(side), 3)


def arch_stones() -> None:
    """Voussoirs and jamb stones, half a metre deep, and the threshold."""
    pile = Pile(12)
    count, depth, width = 13, 0.52, 0.24
    middle = ARCH_HALF + width / 2
    step = np.pi / count
    for k in range(count):
        key = k == count // 2
        size = (
            step * middle - 0.012,
            depth + (0.05 if key else 0),
            width + (0.07 if key else pile.rng.normal(0, 0.008)),
        )
        v, f = rounded_block(size, 0.016, 12, 0.012, k)
        angle = -np.pi / 2 + (k + 0.5) * step + v[:, 0] / middle
        r = middle + v[:, 2] + (0.03 if key else 0)
        placed = np.stack([ARCH_X + r * np.sin(angle), WALL + depth / 2 - 0.055 + v[:, 1], SPRING + r * np.cos(angle)], 1)
        pile.add(placed, f, pile.rng.random(), 0, v + k * 3.0)
    for side in (-1, 1):
        z, k = 0.0, 0
        while z < SPRING - 0.05:
            h = min(0.30 + pile.rng.normal(0, 0.03), SPRING - z)
            h = SPRING - z if SPRING - z - h < 0.12 else h
            wide = 0.36 if k % 2 else 0.24
            v, f = rounded_block((wide, depth, h - 0.012), 0.016, 12, 0.012, 40 + k + side)
            pile.add(
                v,
                f,
                at=(
                    ARCH_X + side * (ARCH_HALF + wide / 2),
                    WALL + depth / 2 - 0.05 + pile.rng.normal(0, 0.006),
                    z + h / 2,
                ),
            )
            z, k = z + h, k + 1
    v, f = rounded_block((1.6, 0.7, 0.16), 0.03, 16, 0.014, 77)
    pile.add(v, f, at=(ARCH_X, WALL + 0.2, 0.0))
    x0, x1, z0, _ = WINDOW
    v, f = rounded_block((x1 - x0 + 0.22, 0.34, 0.075), 0.012, 14, 0.008, 78)
    pile.add(v, f, at=((x0 + x1) / 2, WALL + 0.03, z0 - 0.035))
    v, f = rounded_block((x1 - x0 + 0.3, 0.24, 0.17), 0.012, 14, 0.01, 79)
    pile.add(v, f, at=((x0 + x1) / 2, WALL + 0.07, WINDOW[3] + 0.08))
    v, f = arch_mortar()
    mortar = Pile()
    mortar.add(v, f, 0.5, 0, v)
    mortar.build("arch mortar", mat.plain("arch mortar", "#8f8068", 0.95))
    pile.build("hewn stone", mat.stone("hewn stone", "#8d8069", "#b7a88a", "#d3c6a8", 0.25))


def window() -> None:
    """Reveal, dark room, frame, and two louvred shutters, one ajar."""
    x0, x1, z0, z1 = WINDOW
    middle, half, tall = (x0 + x1) / 2, (x1 - x0) / 2, z1 - z0
    reveal = Pile(13)
    for size, at in (
        ((0.06, 0.3, tall), (x0 - 0.02, WALL + 0.16, z0 + tall / 2)),
        ((0.06, 0.3, tall), (x1 + 0.02, WALL + 0.16, z0 + tall / 2)),
    ):
        v, f = rounded_block(size, 0.008, 16, 0.006, 5)
        reveal.add(v, f, at=at)
    reveal.build("window reveal", mat.stone("reveal", "#a08a68", "#c0a57c", "#d6bf96"))
    room = Pile(14)
    v, f = rounded_block((1.2, 0.02, 1.5), 0.004, 2)
    room.add(v, f, at=(middle, WALL + 0.34, z0 + tall / 2))
    room.build("dark room", mat.plain("dark room", "#0d0b0a", 0.25))
    wood = Pile(15)
    for x in (x0 + 0.03, middle, x1 - 0.03):
        v, f = rounded_block((tall, 0.045, 0.055), 0.006, 12)
        wood.add(v, f, at=(x, WALL + 0.26, z0 + tall / 2), turn=rotation("y", np.pi / 2))
    for z in (z0 + 0.03, z0 + tall * 0.36, z0 + tall * 0.68, z1 - 0.03):
        v, f = rounded_block((2 * half, 0.04, 0.04), 0.006, 12)
        wood.add(v, f, at=(middle, WALL + 0.265, z))
    for side, swing in ((-1, 0.10), (1, 0.42)):
        hinge = np.array([x0 if side < 0 else x1, WALL - 0.05, z0 + tall / 2])
        turn = rotation("z", -side * swing)
        w = half - 0.01
        parts = [((tall, 0.04, 0.06), (side * 0.03, 0, 0), "y"), ((tall, 0.04, 0.06), (side * (w - 0.03), 0, 0), "y")]
        parts += [((w, 0.038, 0.075), (side * w / 2, 0, z), None) for z in (-tall / 2 + 0.04, 0.0, tall / 2 - 0.04)]
        for size, at, upright in parts:
            v, f = rounded_block(size, 0.005, 14)
            loc = v + wood.rng.uniform(-9, 9, 3)
            v = v @ rotation("y", np.pi / 2).T if upright else v
            wood.add((v + at) @ turn.T, f, wood.rng.random(), 0, loc, at=hinge)
        for z in np.arange(-tall / 2 + 0.105, tall / 2 - 0.09, 0.042):
            if abs(z) < 0.055:
                continue
            v, f = rounded_block((w - 0.1, 0.046, 0.008), 0.003, 10)
            loc = v + wood.rng.uniform(-9, 9, 3)
            v = v @ rotation("x", 0.75 + wood.rng.normal(0, 0.04)).T
            wood.add((v + (side * w / 2, 0, z)) @ turn.T, f, wood.rng.random(), 0, loc, at=hinge)
    wood.build("shutters", mat.weathered_wood("old blue paint", "#6b5a48", "#8f7c66", "#b5a58e", "#4f7f8a", 0.56))


def paving() -> None:
    """Worn flagstones with earth and moss in the joints, and the gravel path beyond the arch."""
    xs, ys = np.arange(-4.6, 4.6, 0.012), np.arange(1.3, WALL + 0.06, 0.012)
    gx, gy = np.meshgrid(xs, ys)
    stone, joint = stone_cells(np.stack([gx, gy], -1), 0.42, 3)
    rng = np.random.default_rng(4)
    tint, lift = rng.random(stone.max() + 1), rng.normal(0, 0.004, stone.max() + 1)
    tilt = rng.normal(0, 0.01, (stone.max() + 1, 2))
    p = np.stack([gx, gy, 0 * gx], -1)
    top = smoothstep(0.004, 0.020, joint + 0.007 * fractal(p, 22, 4, 2))
    height = top * (0.02 + lift[stone] + tilt[stone, 0] * np.sin(gx * 9) * 0.4 + tilt[stone, 1] * np.sin(gy * 9) * 0.4)
    height += 0.004 * top * fractal(p, 9, 5, 21) + 0.006 * (1 - top) * fractal(p, 45, 3, 22)
    verts, faces = relief(xs, ys, height - 0.02)
    pile = Pile()
    loc = np.dstack([gx, gy, stone * 1.7]).reshape(-1, 3)
    pile.add(verts, faces, tint[stone].ravel(), 1 - smoothstep(0.2, 0.6, top).ravel(), loc)
    pile.build("flagstones", mat.stone("flagstone", "#766b5e", "#9c8f7c", "#bdb09a", 0.4, scale=0.8))
    pebbles = Pile(31)
    for _ in range(190):
        x, y = pebbles.rng.uniform(-3.2, 3.2), WALL - 0.08 - abs(pebbles.rng.normal(0, 1.3))
        r = abs(pebbles.rng.normal(0.004, 0.006)) + 0.003
        v, f = rounded_block((r * 2, r * 1.6, r * 1.2), r, 2, r * 0.3, int(pebbles.rng.integers(99)))
        pebbles.add(v, f, at=(x, y, r * 0.3), turn=rotation("z", pebbles.rng.uniform(0, 6)))
    pebbles.build("pebbles", mat.stone("pebble", "#7b7266", "#a59a88", "#cfc6b4", scale=4))
    xs, ys = np.arange(-9, 9, 0.05), np.arange(WALL + 0.4, 30, 0.05)
    gx, gy = np.meshgrid(xs, ys)
    p = np.stack([gx, gy, 0 * gx], -1)
    verts, faces = relief(xs, ys, 0.03 * fractal(p, 1.2, 3, 41) + 0.02 * fractal(p, 9, 3, 42) - 0.03)
    path = smoothstep(0.75, 1.05, np.abs(gx - ARCH_X - 0.25 * np.sin(gy * 0.45 - 2.6)) + 0.15 * fractal(p, 2.2, 4, 43))
    ground = Pile()
    ground.add(verts, faces, 0.5, path.ravel(), verts)
    ground.build("garden path", mat.stone("gravel", "#a8916a", "#cdb78c", "#e3d3ae", joint="#5c6a2c", scale=2.5))


def gate() -> None:
    """Wrought iron gate, one leaf, pushed open into the garden."""
    pile = Pile(16)
    w, turn = 1.36, rotation("z", 1.12)

    def bar(points, radius, sides=8):
        v, f, loc = tube(points, radius, sides)
        pile.add(v @ turn.T, f, pile.rng.random(), 0, loc, at=(ARCH_X - ARCH_HALF + 0.03, WALL + 0.36, 0.1))

    def top(x):
        return 1.42 + np.sqrt(max(0.0, 1 - ((x - w / 2) / (w / 2)) ** 2)) * 0.5

    for x in (0.0, w):
        bar([(x, 0, 0.02), (x, 0, top(x))], 0.016)
    for x in np.arange(1, 10) / 10 * w:
        bar([(x, 0, 0.06), (x, 0, top(x) - 0.005)], 0.0085)
    for z in (0.07, 0.85, 1.40):
        bar([(0, 0, z), (w, 0, z)], 0.013)
    bar([(x, 0, top(x)) for x in np.linspace(0, w, 24)], 0.014)
    for k in range(10):
        centre = (k + 0.5) / 10 * w
        a = np.linspace(0, 2 * np.pi, 17)
        bar(np.stack([centre + 0.055 * np.cos(a), 0 * a, 0.93 + 0.055 * np.sin(a)], 1), 0.006, 6)
    for side in (-1, 1):
        t = np.linspace(0, 1, 40)
        a = side * t * 4.6 * np.pi / 2
        r = 0.20 * (1 - 0.8 * t)
        bar(
            np.stack([w / 2 + side * 0.21 + r * np.sin(a) * 0.9, 0 * t, 1.64 - r * np.cos(a) * 0.75 + 0.06 * t], 1),
            0.007,
            6,
        )
    pile.build("gate", mat.iron("gate iron", "#20241f", 0.56, 0.5))


def wall_lamp(at=(1.02, WALL, 2.02)) -> None:
    """A small lantern on a curled bracket."""
    x, y, z = at
    pile = Pile(17)
    v, f = rounded_block((0.07, 0.015, 0.2), 0.006, 4)
    pile.add(v, f, at=(x, y - 0.035, z + 0.12))
    paths = (
        [(x, y - 0.04, z + 0.16), (x, y - 0.13, z + 0.27), (x, y - 0.25, z + 0.25), (x, y - 0.27, z + 0.17)],
        [(x, y - 0.04, z + 0.06), (x, y - 0.12, z + 0.09), (x, y - 0.15, z + 0.19), (x, y - 0.10, z + 0.2)],
    )
    for points in paths:
        pile.add(*tube(smooth_path(points), 0.008, 8)[:2])
    cx, cy = x, y - 0.27
    for sx in (-1, 1):
        for sy in (-1, 1):
            pile.add(
                *tube(
                    [(cx + sx * 0.045, cy + sy * 0.045, z - 0.12), (cx + sx * 0.065, cy + sy * 0.065, z + 0.08)],
                    0.006,
                    6,
                )[:2]
            )
    for size, dz in (
        ((0.12, 0.12, 0.015), -0.125),
        ((0.16, 0.16, 0.015), 0.085),
        ((0.10, 0.10, 0.03), 0.11),
        ((0.05, 0.05, 0.04), 0.14),
    ):
        v, f = rounded_block(size, 0.005, 3)
        pile.add(v, f, at=(cx, cy, z + dz))
    pile.build("wall lamp", mat.iron("lamp iron", "#1b1c1d", 0.6))
    pane = Pile(18)
    v, f = rounded_block((0.09, 0.09, 0.19), 0.02, 4)
    pane.add(v, f, at=(cx, cy, z - 0.02))
    pane.build("lamp glass", mat.plain("milk glass", "#e8dcc0", 0.2))


def backdrop() -> None:
    """Hills in haze and a sky at a finite distance, 34 m."""
    sky = Pile()
    xs, zs = np.linspace(-40, 40, 60), np.linspace(-3, 26, 60)
    v, f = relief(xs, zs, np.zeros((60, 60)))
    v = np.stack([v[:, 0], np.full(len(v), 34.0), v[:, 1]], 1)
    sky.add(v, f, smoothstep(0, 14, v[:, 2]), 0, v)
    sky.build("sky", mat.glow("sky", ((0.0, "#fbe9cf"), (0.4, "#cfe0ee"), (1.0, "#8fb4df")), 2.6))
    for k, (y, base, relief_m, tone) in enumerate(((27, 2.5, 1.4, "#7f9a86"), (31, 4.1, 1.8, "#a3b6bd"))):
        hill = Pile()
        xs, s = np.arange(-26, 26, 0.12), np.linspace(0, 1, 40)
        crest = base + relief_m * fractal(np.stack([xs, 0 * xs, 0 * xs], -1), 0.16, 5, 60 + k)
        gx, gs = np.meshgrid(xs, s)
        v = np.stack([gx, y - (1 - gs) * 2.2, -1 + gs * (crest + 1)[None]], -1).reshape(-1, 3)
        v[:, 2] += 0.14 * fractal(v, 1.6, 4, 70 + k)
        hill.add(v, relief(xs, s, gx * 0)[1], 0.5, 0, v)
        sh = mat.Shader(f"hill {k}")
        c = sh.mix(tone, "#5f7350" if k == 0 else "#8fa5a8", sh.ramp(sh.noise(1.4, 8, 0.7), ((0.42, 0.0), (0.62, 0.9))))
        hill.build(f"hill {k}", sh.finish(c, 0.95))


def dappling() -> None:
    """Leaves of a tree and a pergola out of sight whose shadows fall into the picture."""
    pile = Pile(19)
    clumps = np.stack([pile.rng.uniform(-7.6, -4.6, 52), pile.rng.uniform(0.9, 4.9, 52), pile.rng.uniform(3.4, 5.6, 52)], 1)
    at = np.repeat(clumps, 54, 0) + pile.rng.normal(0, 0.21, (52 * 54, 3))
    n = len(at)
    d = directions(pile.rng, n)
    leaf = np.array([[-1, 0, 0], [0, -0.45, 0], [1, 0, 0], [0, 0.45, 0]]) * 0.085
    for p, q in zip(at, d, strict=True):
        u = np.cross(q, (0.3, 0.5, 0.8))
        u /= np.linalg.norm(u)
        frame = np.stack([u, np.cross(q, u), q], 1)
        pile.add(leaf @ frame.T, np.array([[0, 1, 2, 3]]), at=p)
    for k in range(9):
        path = np.stack(
            [np.linspace(-6.6, -4.4, 14), np.linspace(1.0 + k * 0.42, 2.6 + k * 0.3, 14), np.full(14, 3.5 + 0.24 * k)],
            1,
        )
        pile.add(*tube(path + 0.25 * np.stack([fractal(path, 0.8, 2, 80 + j + 3 * k) for j in range(3)], 1), 0.028, 6)[:2])
    pile.build("shade tree", mat.plain("shade leaf", "#4f6a2a", 0.6))
