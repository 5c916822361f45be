"""Plants of the demo scene: lemon tree, pots, climbers, hanging vine, the garden beyond the arch."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .courtyard import ARCH_X, WALL
from .foliage import GREEN, LEMON, climber, crown, heart, lance, leaves_along, lobed, twig
from .noise import fractal
from .pieces import Pile, blade, directions, lathe, rotation, scatter, tube


def clay_pot(pile, at, radius, height, seed=0) -> None:
    """A thrown flower pot with a rolled rim, standing at `at`."""
    r, h = radius, height
    profile = [
        (0, 0),
        (r * 0.62, 0),
        (r * 0.66, h * 0.02),
        (r * 0.80, h * 0.42),
        (r * 0.90, h * 0.80),
        (r * 0.905, h * 0.83),
        (r * 1.0, h * 0.84),
        (r * 1.02, h * 0.87),
        (r * 1.03, h * 0.95),
        (r * 1.0, h * 0.99),
        (r * 0.95, h),
        (r * 0.9, h * 0.985),
        (r * 0.86, h * 0.9),
        (r * 0.8, h * 0.86),
        (0, h * 0.87),
    ]
    v, f = lathe(profile, 72, r * 0.014, seed)
    pile.add(v, f, at=at, turn=rotation("z", seed * 1.3) @ rotation("x", 0.01 * (seed % 3 - 1)))


def lemon_fruit(pile, at, turn, size=0.036, wear_end=True) -> None:
    """One lemon, long axis +z before `turn`, its nipple upward."""
    profile = (
        np.array(
            [
                (0, -1.16),
                (0.09, -1.15),
                (0.16, -1.12),
                (0.34, -1.0),
                (0.62, -0.76),
                (0.86, -0.42),
                (0.97, 0),
                (0.9, 0.42),
                (0.68, 0.80),
                (0.42, 1.05),
                (0.27, 1.2),
                (0.2, 1.32),
                (0.11, 1.4),
                (0, 1.42),
            ]
        )
        * size
    )
    v, f = lathe(profile, 40, size * 0.045, int(pile.rng.integers(999)))
    end = np.clip((np.abs(v[:, 2] / size - 0.1) - 0.85) / 0.5, 0, 1) if wear_end else 0.0
    pile.add(v, f, wear=end, at=at, turn=turn)


def lemon_tree(at=(2.12, 4.35, 0.0)) -> None:
    """A standard lemon in its terracotta pot."""
    rng = np.random.default_rng(8)
    x, y, z = at
    pots, wood, green, fruit = Pile(61), Pile(62), Pile(63), Pile(64)
    clay_pot(pots, at, 0.27, 0.46, 3)
    trunk = twig((x, y, z + 0.38), (0.05, 0, 1), 0.82, rng, 16, 0.035)
    wood.add(*tube(trunk, np.linspace(0.021, 0.014, 16) * (1 + 0.1 * rng.normal(size=16)), 12)[:2])
    centre = trunk[-1] + (0.02, 0, 0.3)
    tufts = crown(green, centre, (0.44, 0.42, 0.40), 1500, blade(1, 0.45, None, 7, 0.16, 0.45), 0.092, rng, 5)
    for k in range(7):
        limb = twig(trunk[-1 - k % 3], (*rng.normal(0, 0.7, 2), 0.8), 0.42, rng, 10, 0.12)
        wood.add(*tube(limb, np.linspace(0.010, 0.003, 10), 8)[:2])
    low = tufts[np.argsort(tufts[:, 1] + 0.35 * tufts[:, 2] + rng.normal(0, 0.12, len(tufts)))[:17]]
    for p in low:
        lemon_fruit(fruit, p + (0, -0.03, -0.05), rotation("x", np.pi + rng.normal(0, 0.3)), 0.031)
    soil = Pile(65)
    v, f = lathe([(0.21, 0), (0.1, 0.02), (0, 0.015)], 40, 0.01, 3)
    soil.add(v, f[:, ::-1], at=(x, y, z + 0.405))
    soil.build("soil", mat.plain("soil", "#33271c", 0.95))
    pots.build("lemon tree pot", mat.terracotta())
    wood.build("lemon trunk", mat.plain("lemon bark", "#75695a", 0.85))
    green.build("lemon tree leaves", mat.leaf("citrus leaf", LEMON, "#6f8a45", "#9cb82e", 0.22, 0.3))
    fruit.build("lemons on the tree", mat.lemon())


def pots_by_the_arch() -> None:
    """Small pots with herbs and geraniums against the wall."""
    rng = np.random.default_rng(21)
    pots, wood, green, bloom = Pile(71), Pile(72), Pile(73), Pile(74)
    kinds = (
        ((-1.55, 5.55, 0), 0.17, 0.30, "geranium"),
        ((-1.95, 5.68, 0), 0.13, 0.22, "herb"),
        ((0.78, 5.6, 0), 0.19, 0.33, "herb"),
        ((1.18, 5.42, 0), 0.12, 0.20, "geranium"),
        ((-2.72, 5.9, 1.09), 0.09, 0.15, "geranium"),
        ((-2.42, 5.92, 1.09), 0.085, 0.14, "geranium"),
        ((3.0, 5.3, 0), 0.22, 0.36, "herb"),
        ((-3.0, 5.5, 0), 0.2, 0.3, "herb"),
    )
    for k, (at, r, h, kind) in enumerate(kinds):
        clay_pot(pots, at, r, h, k)
        mouth = np.asarray(at) + (0, 0, h * 0.88)
        for _ in range(26 if kind == "herb" else 13):
            way = np.array([*rng.normal(0, 0.45, 2), 1.0])
            shoot = twig(
                mouth + (*rng.normal(0, r * 0.4, 2), 0),
                way,
                r * rng.uniform(1.5, 3.0 if kind == "herb" else 2.0),
                rng,
                9,
                0.1,
                0.03,
            )
            wood.add(*tube(shoot, 0.0035, 5)[:2])
            if kind == "herb":
                leaves_along(green, blade(1, 0.22, lance, 5, 0.2, 0.2, 3), shoot, 13, 0.065, rng, 0.05, 0.8)
            else:
                leaves_along(green, blade(1, 1.05, heart, 6, 0.12, 0.3), shoot, 3, 0.075, rng, 0.4, 1.0)
                if rng.random() < 0.6:
                    head = shoot[-1] + (0, 0, 0.03)
                    d = directions(rng, 22)
                    scatter(
                        bloom,
                        blade(1, 0.8, heart, 5, 0.2, 0.2, 3),
                        head + 0.02 * d,
                        d,
                        directions(rng, 22),
                        0.024 * rng.uniform(0.7, 1.2, 22),
                    )
    pots.build("small pots", mat.terracotta())
    wood.build("herb stems", mat.plain("herb stem", "#5d6b38", 0.7))
    green.build("herb leaves", mat.leaf("herb leaf", GREEN))
    bloom.build(
        "geranium bloom",
        mat.leaf("petal", ((0, "#b3201f"), (0.6, "#d9382e"), (1, "#ea6a50")), "#e08070", "#ff6a4a", 0.3, 0.5),
    )


def garden() -> None:
    """Beyond the arch: hedges along the path, cypresses, an orchard tree."""
    rng = np.random.default_rng(31)
    green, dark, wood = Pile(81), Pile(82), Pile(83)
    small = blade(1, 0.55, None, 4, 0.15, 0.3, 3)
    for side, x in ((-1, ARCH_X - 1.75), (1, ARCH_X + 1.55)):
        n = 9000
        p = np.stack([rng.uniform(-0.45, 0.45, n), rng.uniform(7.6, 15, n), rng.uniform(0, 0.75, n)], 1)
        edge = np.maximum(np.abs(p[:, 0]) / 0.45, p[:, 2] / 0.75)
        p = p[edge > 0.72]
        p[:, 0] += x + 0.25 * np.sin(p[:, 1] * 0.45 - 2.6)
        p += 0.06 * np.stack([fractal(p, 2.5, 3, 90 + k) for k in range(3)], 1)
        scatter(
            green,
            small,
            p,
            directions(rng, len(p)) + (0, -0.3, 0.3),
            directions(rng, len(p)) + (-side * 0.4, -0.3, 1),
            0.075 * rng.uniform(0.6, 1.2, len(p)),
        )
    for x, y, h, r in (
        (-1.75, 16.5, 5.6, 0.5),
        (0.75, 19.0, 6.6, 0.55),
        (-3.4, 20, 6.0, 0.6),
        (2.6, 15, 4.8, 0.5),
        (-0.55, 24, 5.6, 0.6),
    ):
        n = 5200
        t = rng.uniform(0, 1, n) ** 1.25
        a = rng.uniform(0, 2 * np.pi, n)
        rr = r * np.sin(np.pi * (0.06 + 0.94 * t) ** 0.62) ** 0.9 * rng.uniform(0.6, 1.05, n)
        p = np.stack([x + rr * np.cos(a), y + rr * np.sin(a), 0.15 + t * h], 1)
        p += 0.12 * np.stack([fractal(p, 1.7, 3, 95 + k) for k in range(3)], 1)
        forward = np.stack([np.cos(a) * 0.35, np.sin(a) * 0.35, 1 + 0 * a], 1) + rng.normal(0, 0.2, p.shape)
        scatter(
            dark,
            blade(1, 0.34, None, 4, 0.2, 0.1, 3),
            p,
            forward,
            np.stack([np.cos(a), np.sin(a), 0.4 + 0 * a], 1),
            0.2 * rng.uniform(0.6, 1.3, n),
        )
    for x, y, s in ((1.55, 11.5, 1.0), (-2.5, 12.5, 1.1)):
        trunk = twig((x, y, 0), (0.1, 0, 1), 1.3 * s, rng, 12, 0.08)
        wood.add(*tube(trunk, np.linspace(0.11, 0.06, 12), 10)[:2])
        for _ in range(6):
            wood.add(*tube(twig(trunk[-2], (*rng.normal(0, 0.7, 2), 0.7), 0.9, rng, 9, 0.12), np.linspace(0.045, 0.012, 9), 7)[:2])
        crown(green, trunk[-1] + (0, 0, 0.45), (1.0 * s, 1.0 * s, 0.75 * s), 5200, small, 0.12, rng, 6, 0.35)
    green.build("garden green", mat.leaf("garden leaf", GREEN))
    dark.build("cypresses", mat.leaf("cypress", ((0, "#1d3118"), (0.6, "#33491f"), (1, "#566a2c")), "#3c5226", "#6f8a30", 0.15))
    wood.build("orchard trunks", mat.plain("orchard bark", "#6a5b48", 0.9))


def fallen_leaves() -> None:
    """Dry leaves and petals on paving and table."""
    rng = np.random.default_rng(41)
    dry, petals = Pile(91), Pile(92)
    n = 260
    at = np.stack([rng.uniform(-3.2, 3.2, n), WALL - 0.1 - np.abs(rng.normal(0, 1.5, n)), np.full(n, 0.012)], 1)
    flat = directions(rng, n) * (1, 1, 0.25)
    scatter(
        dry,
        blade(1, 0.42, None, 6, 0.35, -0.4),
        at,
        flat,
        np.array([0, 0, 1.0]) + rng.normal(0, 0.3, at.shape),
        0.06 * rng.uniform(0.5, 1.2, n),
    )
    dry.build(
        "dry leaves",
        mat.leaf(
            "dry leaf",
            ((0, "#5a3d20"), (0.4, "#8a6230"), (0.8, "#b08a45"), (1, "#8c8a3e")),
            "#a08050",
            "#c09040",
            0.15,
            0.7,
        ),
    )
    n = 150
    at = np.stack([rng.normal(-2.0, 0.7, n), WALL - 0.15 - np.abs(rng.normal(0, 0.9, n)), np.full(n, 0.01)], 1)
    scatter(
        petals,
        blade(1, 0.85, heart, 5, 0.3, -0.4),
        at,
        directions(rng, n) * (1, 1, 0.3),
        np.array([0, 0, 1.0]) + rng.normal(0, 0.4, at.shape),
        0.035 * rng.uniform(0.7, 1.2, n),
    )
    petals.build("fallen bracts", bract())


def bract():
    return mat.leaf("bract", ((0, "#8f1a5c"), (0.5, "#c02c7c"), (1, "#dc5a9a")), "#d070a8", "#f04a9a", 0.4, 0.55)


def vine_overhead() -> None:
    """Shoots of a grape vine that hang into the picture from a pergola above the camera."""
    rng = np.random.default_rng(61)
    wood, green = Pile(121), Pile(122)
    leaf = blade(1.0, 1.05, lobed, 11, 0.14, 0.4, 7)
    feet = (
        (-0.50, 1.95, 2.12, 0.36),
        (-0.30, 2.10, 2.14, 0.44),
        (-0.12, 1.85, 2.08, 0.30),
        (0.10, 2.05, 2.10, 0.34),
        (0.28, 1.9, 2.1, 0.42),
        (0.48, 2.2, 2.16, 0.36),
        (-0.40, 2.25, 2.16, 0.24),
        (0.0, 2.2, 2.18, 0.26),
        (0.38, 2.05, 2.12, 0.22),
        (0.19, 2.3, 2.2, 0.3),
        (-0.20, 1.95, 2.12, 0.22),
        (0.56, 1.95, 2.1, 0.24),
    )
    for x, y, z, length in feet:
        shoot = twig((x, y, z), (rng.normal(0, 0.35), rng.normal(0, 0.2), -0.6), length, rng, 16, 0.10, 0.03)
        wood.add(*tube(shoot, np.linspace(0.0032, 0.0012, 16), 7)[:2])
        for k, p in enumerate(shoot[2::2]):
            away = np.array([np.cos(k * 2.6), np.sin(k * 2.6), 0.15]) + rng.normal(0, 0.2, 3)
            tip = p + away * 0.045
            wood.add(*tube([p, (p + tip) / 2 + (0, 0, 0.006), tip], 0.0012, 5)[:2])
            down = away * 0.55 + (0, 0, -0.75) + rng.normal(0, 0.25, 3)
            scatter(
                green,
                leaf,
                tip[None],
                down[None],
                (away + (0, -0.4, 0.8))[None],
                [0.092 * rng.uniform(0.55, 1.15) * (1 - 0.35 * k / 7)],
            )
        coil = np.linspace(0, 5 * np.pi, 50)
        end = shoot[-1]
        curl = np.stack(
            [
                end[0] + 0.010 * np.cos(coil) * np.linspace(0, 1, 50),
                end[1] + 0.010 * np.sin(coil) * np.linspace(0, 1, 50),
                end[2] - 0.05 * np.linspace(0, 1, 50),
            ],
            1,
        )
        wood.add(*tube(curl, 0.0009, 5)[:2])
    wood.build("vine shoots", mat.plain("vine shoot", "#7b6a3a", 0.7))
    green.build(
        "vine leaves",
        mat.leaf(
            "vine leaf",
            ((0.0, "#3d5a1e"), (0.5, "#5f8030"), (0.85, "#8c9c3e"), (1.0, "#b58a3a")),
            "#8fa35c",
            "#b9cc3a",
            0.4,
            0.45,
        ),
    )


def climbers() -> None:
    """Bougainvillea over the window, ivy at the right."""
    climber(
        "bougainvillea",
        [(x, 3.75) for x in (-4.4, -4.0, -3.6, -3.2, -2.9, -2.5, -2.1, -1.8, -1.5)],
        22,
        0.055,
        mat.leaf("bougainvillea leaf", GREEN),
        blade(1, 0.62, heart, 6, 0.15, 0.3),
        101,
        0.75,
        0.5,
        2.2,
        bract(),
    )
    climber(
        "ivy",
        [(x, 3.8) for x in (1.7, 2.0, 2.3, 2.6, 2.9, 3.2, 3.5, 3.9)],
        34,
        0.075,
        mat.leaf(
            "ivy leaf",
            ((0, "#1d3517"), (0.5, "#35561f"), (0.85, "#557230"), (1, "#93a04a")),
            "#6f8a50",
            "#8fb030",
            0.25,
            0.35,
        ),
        blade(1, 0.95, heart, 6, 0.1, 0.3),
        111,
        0.9,
        0.35,
        1.5,
    )
