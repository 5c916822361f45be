"""Scenes of flat and regular things: house fronts and walls head-on, columns, shop windows, shelves, tables, openings."""

import math

import numpy as np
from mathutils import Vector

from scene_kinds.cast import Cast
from scene_kinds.heroes import VIEWS, Views, _ground, backdrop


def _frontal(stage: Cast, far: float, low: float, high: float, count: int = VIEWS) -> Views:
    """Cameras that look at the plane y = 0 from `far` metres, straight or nearly so."""
    rng, views = stage.rng, []
    for _ in range(count):
        away = far * rng.uniform(0.5, 1.4)
        eye = (rng.normal(0, 0.6), -away, rng.uniform(low, high))
        straight = rng.random() < 0.6
        turn, pitch = (rng.normal(0, 0.03), rng.normal(0, 0.03)) if straight else (rng.normal(0, 0.35), rng.normal(0.05, 0.15))
        views.append((eye, stage.toward(eye, turn, pitch), rng.uniform(32, 75)))
    return views


def _holed(stage: Cast, wall: tuple, hole: tuple, material, deep: float) -> None:
    """A wall (x0, x1, z0, z1) in the plane y = 0 with a rectangular hole (x0, x1, z0, z1) whose reveal is `deep`."""
    (left, right, low, high), (x0, x1, z0, z1) = wall, hole
    for a, b, c, d in ((left, x0, low, high), (x1, right, low, high), (x0, x1, low, z0), (x0, x1, z1, high)):
        if b - a > 1e-3 and d - c > 1e-3:
            stage.quad([(a, 0, c), (b, 0, c), (b, 0, d), (a, 0, d)], material, ((b - a) / 3, (d - c) / 3))
    for p, q in (((x0, z0), (x1, z0)), ((x1, z0), (x1, z1)), ((x1, z1), (x0, z1)), ((x0, z1), (x0, z0))):
        stage.quad([(p[0], 0, p[1]), (q[0], 0, q[1]), (q[0], deep, q[1]), (p[0], deep, p[1])], material, (0.5, 0.1))


def front(stage: Cast) -> Views:
    """A house front: windows and doors in reveals, shutters, a step, pots, bicycles, perhaps somebody who passes."""
    rng = stage.rng
    stage.daylight()
    _ground(stage, 0.05)
    wall, tall = stage.material("noise", "noise", "plain", "photo", "facade"), rng.uniform(3, 9)
    step, deep = rng.uniform(1.6, 3.2), rng.uniform(0.03, 0.4)
    frame, glass = stage.material("plain", "bark"), stage.material("dark", "photo", "plain")
    door = rng.integers(-2, 3)
    for k in range(-3, 4):
        x, wide = k * step, step * rng.uniform(0.4, 0.6)
        hole = (x - wide / 2, x + wide / 2, 0.02, 2.2) if k == door else (x - wide / 2, x + wide / 2, 0.9, rng.uniform(1.9, 2.5))
        _holed(stage, (x - step / 2, x + step / 2, 0, 3), hole, wall, deep)
        stage.wall(
            (hole[0], deep), (hole[1], deep), hole[2], hole[3], stage.material("bark", "plain", "cloth") if k == door else glass, (1, 1)
        )
        if k != door:
            stage.box((x, deep - 0.03, hole[2]), (0.05, 0.05, hole[3] - hole[2]), 0, frame)
            stage.box((x, deep - 0.03, (hole[2] + hole[3]) / 2), (wide, 0.05, 0.05), 0, frame)
            if rng.random() < 0.3:
                for s in (-1, 1):
                    stage.box((x + s * wide * 0.76, -0.03, hole[2]), (wide * 0.48, 0.04, hole[3] - hole[2]), 0, frame)
            if rng.random() < 0.3:
                stage.plant((x, -0.15, hole[2] + 0.02), rng.uniform(0.2, 0.5))
    if tall > 3:
        stage.wall((-3.5 * step, 0), (3.5 * step, 0), 3, tall, wall, (step, tall / 3 - 1))
    if rng.random() < 0.5:
        stage.box((0, -rng.uniform(0.5, 1.5), 0), (8 * step, 3, 0.12), 0, stage.material("noise", "plain"))
    for _ in range(rng.integers(0, 4)):
        at = (rng.uniform(-3, 3), -rng.uniform(0.25, 0.6), 0.12)
        choice = rng.random()
        if choice < 0.3:
            stage.thin("bicycle", at, rng.normal(0, 0.15))
        elif choice < 0.6:
            stage.plant(at, rng.uniform(0.3, 1.2))
        else:
            stage.model(["garden", "furniture"], at, rng.choice([0, math.pi]))
    for _ in range(rng.choice([0, 0, 1, 2])):
        stage.person((rng.uniform(-2.5, 2.5), -rng.uniform(0.6, 2.5), 0.12), rng.uniform(0, 6.28))
    if rng.random() < 0.35:
        stage.thin("lamp", (rng.uniform(-3, 3), -rng.uniform(1, 3), 0), None, rng.uniform(2.5, 5))
    return _frontal(stage, 4.5, 1.0, 2.0)


def plain_wall(stage: Cast) -> Views:
    """A wall and little else, indoors or out, with or without its floor: pictures, a switch, a shelf, a radiator."""
    rng = stage.rng
    stage.ambient(rng.uniform(0.2, 0.8))
    high = rng.uniform(2.4, 4)
    stage.wall((-8, 0), (8, 0), 0, high, stage.material("plain", "noise", "photo", "facade"), (rng.uniform(2, 8), rng.uniform(1, 3)))
    stage.quad([(-8, -9, 0), (8, -9, 0), (8, 0, 0), (-8, 0, 0)], stage.material("noise", "photo", "plain"), (8, 5))
    for _ in range(rng.integers(0, 7)):
        x, z, w, h = rng.uniform(-2.5, 2.5), rng.uniform(0.8, 2), rng.uniform(0.15, 0.8), rng.uniform(0.15, 0.7)
        stage.box((x, -0.02, z), (w, rng.uniform(0.01, 0.06), h), 0, stage.material("photo", "photo", "plain", "bark"), tile=h)
    if rng.random() < 0.4:
        for z in np.arange(0.4, high - 0.4, rng.uniform(0.3, 0.5)):
            stage.box((0, -0.15, z), (rng.uniform(1.2, 2.4), 0.3, 0.025), 0, stage.material("bark", "plain"))
            for x in np.arange(-0.8, 0.8, rng.uniform(0.1, 0.4)):
                if rng.random() < 0.6:
                    stage.box(
                        (x, -0.14, z + 0.025),
                        (rng.uniform(0.02, 0.1), 0.2, rng.uniform(0.12, 0.28)),
                        0,
                        stage.material("cloth", "plain", "photo"),
                    )
                elif rng.random() < 0.6:
                    stage.model("small", (x, -0.15, z + 0.025), height=rng.uniform(0.08, 0.25))
    for _ in range(rng.integers(0, 3)):
        stage.model(["furniture", "plant", "garden"], (rng.uniform(-2.5, 2.5), -rng.uniform(0.3, 0.5), 0), 0.0)
    for _ in range(rng.choice([0, 0, 0, 1])):
        stage.person((rng.uniform(-1.5, 1.5), -rng.uniform(0.3, 1.5), 0), rng.uniform(-1, 1))
    for _ in range(rng.integers(1, 3)):
        stage.lamp((rng.uniform(-3, 3), -rng.uniform(0.5, 4), high), rng.uniform(40, 160), 1.0)
    return _frontal(stage, 2.6, 0.9, 1.8)


def columns(stage: Cast) -> Views:
    """Rows of round or square columns under a beam, in a hall or before a garden; seen along and across."""
    rng = stage.rng
    indoors = rng.random() < 0.5
    if indoors:
        stage.ambient(rng.uniform(0.2, 0.6))
    else:
        stage.daylight()
        _ground(stage, 1.0)
    high, radius, step = rng.uniform(2.6, 7), rng.uniform(0.12, 0.5), rng.uniform(1.6, 4)
    stone = stage.material("noise", "plain", "photo")
    rows = rng.choice([1, 2, 2, 4])
    for row in range(rows):
        x = (row - (rows - 1) / 2) * rng.uniform(2.6, 3.2)
        for k in range(-1, 9):
            at = (x, k * step, 0)
            if rng.random() < 0.85:
                stage.round((*at[:2], 0.15), radius, high - 0.3, stone, radius * rng.uniform(0.8, 0.95), 20)
            else:
                stage.box(at, (2 * radius, 2 * radius, high), 0, stone)
            stage.box(at, (2.6 * radius, 2.6 * radius, 0.15), 0, stone)
            stage.box((*at[:2], high - 0.15), (2.6 * radius, 2.6 * radius, 0.15), 0, stone)
        stage.box((x, 4 * step, high), (2.4 * radius, 11 * step, rng.uniform(0.3, 1)), 0, stone)
    wide = rows * 1.6 + 1
    stage.quad(
        [(-wide, -9, 0.005), (wide, -9, 0.005), (wide, 9 * step, 0.005), (-wide, 9 * step, 0.005)],
        stage.material("noise", "photo", "plain"),
        (4, 16),
    )
    if indoors:
        stage.quad(
            [(-wide, -9, high + 0.3), (-wide, 9 * step, high + 0.3), (wide, 9 * step, high + 0.3), (wide, -9, high + 0.3)],
            stage.material("plain", "noise"),
            (4, 16),
        )
        for x in (-wide, wide):
            stage.wall((x, -9), (x, 9 * step), 0, high + 0.3, stage.material("plain", "noise"), (12, 2))
        stage.wall((-wide, 9 * step), (wide, 9 * step), 0, high + 0.3)
        for k in range(3):
            stage.lamp((rng.uniform(-1, 1), k * 2.5 * step, high), rng.uniform(60, 300), 1.0)
    for _ in range(rng.integers(0, 5)):
        stage.person((rng.uniform(-wide, wide) * 0.8, rng.uniform(-1, 5 * step), 0), rng.uniform(0, 6.28))
    for _ in range(rng.integers(0, 4)):
        stage.model(["garden", "furniture", "plant"], (rng.uniform(-wide, wide) * 0.8, rng.uniform(0, 4 * step), 0))
    views = []
    for _ in range(VIEWS):
        if rng.random() < 0.65:
            eye, turn = (rng.uniform(-0.8, 0.8) * (wide - 0.6), rng.uniform(-7, -1), rng.uniform(0.8, 2)), rng.normal(0, 0.25)
        else:
            eye, turn = (
                (-rng.uniform(3, 8) - wide * (not indoors), rng.uniform(0, 4) * step, rng.uniform(0.8, 2)),
                math.pi / 2 + rng.normal(0, 0.15),
            )
            if indoors:
                eye = (-wide * 0.9, *eye[1:])
        views.append((eye, stage.toward(eye, turn, rng.normal(0.03, 0.12)), rng.uniform(40, 80)))
    return views


def shop_window(stage: Cast) -> Views:
    """A display behind an opening in a front: goods on steps, mannequins, a lit or a dark back."""
    rng = stage.rng
    stage.daylight()
    _ground(stage, 0.05)
    wide, low, high, deep = rng.uniform(1.2, 4), rng.uniform(0.05, 0.9), rng.uniform(1.9, 2.8), rng.uniform(0.5, 2.5)
    wall, hole = stage.material("noise", "plain", "cloth", "bark"), (-wide / 2, wide / 2, low, high)
    _holed(stage, (-7, 7, 0, rng.uniform(3, 5)), hole, wall, 0.12)
    box = [(-wide / 2, 0.1), (wide / 2, 0.1), (wide / 2, deep), (-wide / 2, deep)]
    back = stage.material("plain", "noise", "photo", "cloth")
    for a, b in ((box[1], box[2]), (box[2], box[3]), (box[3], box[0])):
        stage.wall(a, b, low, high, back)
    for z in (low, high):
        stage.quad([(*p, z) for p in box], stage.material("plain", "bark"))
    for x in np.linspace(-wide / 2, wide / 2, int(rng.integers(2, 6))):
        stage.box((x, 0.04, low), (0.05, 0.06, high - low), 0, stage.material("bark", "dark", "metal"))
    for _ in range(rng.integers(4, 16)):
        at = (rng.uniform(-0.45, 0.45) * wide, rng.uniform(0.25, 0.9) * deep, low)
        lift = rng.choice([0, 0, 0.2, 0.5])
        if lift:
            stage.box(at, (0.35, 0.3, lift))
        stage.model(
            ["small", "small", "plant", "furniture"], (*at[:2], low + lift), height=rng.uniform(0.12, min(0.7, high - low - lift - 0.1))
        )
    for _ in range(rng.choice([0, 1, 2])):
        stage.person((rng.uniform(-0.35, 0.35) * wide, rng.uniform(0.3, 0.8) * deep, low), rng.normal(0, 0.6), min(1.0, (high - low) / 1.9))
    stage.lamp((0, deep * 0.5, high - 0.05), rng.uniform(5, 80), 0.5)
    if rng.random() < 0.4:
        stage.box((0, -0.5, high + 0.15), (wide * 1.1, 1.0, 0.08), 0, stage.material("cloth"))
    for _ in range(rng.choice([0, 0, 1])):
        stage.person((rng.uniform(-1.5, 1.5), -rng.uniform(0.5, 1.5), 0), math.pi + rng.normal(0, 0.7))
    return _frontal(stage, 2.8, 1.1, 1.8)


def clutter(stage: Cast) -> Views:
    """A table, a desk or a counter full of things, from the front, aslant and from straight above; somebody behind it."""
    rng = stage.rng
    backdrop(stage)
    wide, deep, high = rng.uniform(0.8, 2.2), rng.uniform(0.5, 1.1), rng.uniform(0.45, 1.05)
    stage.table((0, 0), (wide, deep, high), 0.05, stage.material("bark", "plain", "photo", "noise"))
    for _ in range(rng.integers(6, 30)):
        at, choice = (rng.uniform(-0.47, 0.47) * wide, rng.uniform(-0.45, 0.45) * deep, high), rng.random()
        if choice < 0.55:
            stage.model(["small", "small", "plant"], at, height=rng.uniform(0.05, 0.4))
        elif choice < 0.8:
            size = rng.uniform(0.03, 0.3, 3) * [1, 1, rng.choice([0.1, 1])]
            stage.box(at, size, rng.uniform(0, 3), stage.material("photo", "cloth", "plain"), tile=0.3)
        elif choice < 0.92:
            stage.round(at, rng.uniform(0.02, 0.1), rng.uniform(0.03, 0.3), None, rng.uniform(0.02, 0.1))
        else:
            stage.plant(at, rng.uniform(0.15, 0.5))
    for _ in range(rng.integers(0, 5)):
        stage.thin("seat", (rng.uniform(-1.2, 1.2), rng.choice([-1, 1]) * (deep / 2 + rng.uniform(0.1, 0.5)), 0))
    for _ in range(rng.choice([0, 1, 1, 2])):
        stage.person((rng.uniform(-0.7, 0.7), deep / 2 + rng.uniform(0.25, 0.8), 0), rng.normal(0, 0.5))
    if rng.random() < 0.5:
        stage.lamp((rng.uniform(-1, 1), rng.uniform(-1, 0.5), 2.2), rng.uniform(20, 80))
    views = []
    for _ in range(VIEWS):
        far, pitch, turn = rng.uniform(0.5, 1.8), rng.choice([0.15, 0.4, 0.8, 1.45]) + rng.normal(0, 0.08), rng.normal(0, 0.5)
        eye = Vector((math.sin(turn) * math.cos(pitch), -math.cos(turn) * math.cos(pitch), math.sin(pitch))) * far
        views.append((eye + Vector((rng.normal(0, 0.1), 0, high + 0.08)), (rng.normal(0, 0.15), 0, high + 0.08), rng.uniform(32, 65)))
    return views


def opening(stage: Cast) -> Views:
    """A bright scene seen through a dark opening: a cave, an arch, a window, a doorway, between leaves."""
    rng = stage.rng
    backdrop(stage)
    count, reach = 40, 30.0
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    wide, tall, squared = rng.uniform(0.5, 1.5), rng.uniform(0.6, 1.4), rng.choice([1.0, 1.0, 0.25])
    rough = 0.0 if squared < 1 else rng.uniform(0, 0.25)
    shape = 1 + rough * np.convolve(rng.normal(size=count + 6), np.ones(7) / 2.6, "valid")
    hole = np.stack(
        [
            wide * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** squared * shape,
            1.2 + tall * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** squared * shape,
        ],
        1,
    )
    y = -2.0
    rings = [np.c_[hole[:, 0], np.full(count, y + d), hole[:, 1]] for d in (rng.uniform(0.1, 1.5), 0.0)]
    outer = np.c_[np.cos(angle) * reach, np.full(count, y - rng.uniform(0, 3)), 1.2 + np.sin(angle) * reach]
    points = np.concatenate([*rings, outer])
    k = np.arange(count)
    faces = np.concatenate([np.stack([k, (k + 1) % count, (k + 1) % count + count, k + count], 1) + row * count for row in range(2)])
    mesh = stage._mesh(points, faces, points[faces.ravel()][:, [0, 2]] * 0.4)
    stage.add(mesh, (0, 0, 0), material=stage.material("noise", "bark", "dark", "plain", "ground"))
    for _ in range(rng.integers(1, 3)):
        stage.person((rng.normal(0, 0.5), rng.uniform(-1.2, 3), 0), rng.uniform(0, 6.28))
    if rng.random() < 0.4:
        stage.fence((0, y + 0.3, 0), 0, 2.4 * wide, rng.uniform(0.5, 1.1))
    views = []
    for _ in range(VIEWS):
        eye = (rng.normal(0, 0.3), y - rng.uniform(0.8, 3), rng.uniform(0.8, 1.7))
        views.append((eye, (rng.normal(0, 0.3), y, 1.2 + rng.normal(0, 0.2)), rng.uniform(40, 75)))
    return views


FRONTS = {front: 0.28, plain_wall: 0.18, columns: 0.16, shop_window: 0.12, clutter: 0.2, opening: 0.06}
