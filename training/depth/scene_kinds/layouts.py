"""The kinds of training scene: rooms, table tops, still lifes, gardens, landscapes, streets, portraits, close-ups."""

import math
from itertools import pairwise

import numpy as np
from mathutils import Vector

from scene_kinds.stage import Stage

Views = list[tuple]  # (eye, target, horizontal field of view in degrees)


def room(stage: Stage) -> Views:
    rng = stage.rng
    w, d, h = rng.uniform(2.6, 8), rng.uniform(2.6, 9), rng.uniform(2.2, 3.4)
    x, y = w / 2, d / 2
    stage.ambient(rng.uniform(0.1, 0.6))
    wall = stage.material("plain", "plain", "noise")
    stage.quad([(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)], stage.material("noise", "photo", "plain"), (w, d))
    stage.quad([(-x, -y, h), (-x, y, h), (x, y, h), (x, -y, h)], stage.material("plain"))
    for a, b in (((-x, -y), (x, -y)), ((x, -y), (x, y)), ((x, y), (-x, y)), ((-x, y), (-x, -y))):
        paint = stage.material("plain", "noise", "photo") if rng.random() < 0.2 else wall
        stage.quad([(*a, 0), (*b, 0), (*b, h), (*a, h)], paint, (2, 1))
    for side in range(4):  # Furniture along the walls, backs to the wall; pictures and windows above.
        length, depth = (w, y) if side % 2 == 0 else (d, x)
        turn, along = side * math.pi / 2, -length / 2 + rng.uniform(0.2, 0.9)
        place = lambda u, v, turn=turn: (u * math.cos(turn) - v * math.sin(turn), u * math.sin(turn) + v * math.cos(turn))
        while along < length / 2 - 0.5:
            placed = stage.model("furniture", (0, 0, 0), turn)
            if placed is None:
                break
            thing, model = placed
            sw, sd, sh = (size * factor for size, factor in zip(model.size, thing.scale, strict=True))
            if along + sw > length / 2 or sh > h:
                thing.hide_render = True
            else:
                thing.location = (*place(along + sw / 2, depth - sd / 2 - 0.03), 0)
                if sh < 1.3 and rng.random() < 0.6:
                    stage.model(["small", "plant"], (*place(along + sw / 2, depth - sd / 2), sh))
            along += sw + rng.exponential(0.5)
        for _ in range(rng.integers(0, 3)):
            u, v = rng.uniform(-0.4, 0.4) * length, depth - 0.02
            pw, ph, z = rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.6), rng.uniform(1.2, h - 0.5)
            stage.quad(
                [(*place(u + pw, v), z - ph), (*place(u - pw, v), z - ph), (*place(u - pw, v), z + ph), (*place(u + pw, v), z + ph)],
                stage.material("photo", "photo", "plain"),
            )
    for _ in range(rng.integers(1, 6)):
        stage.model(["furniture", "furniture", "plant", "animal", "person"], (rng.uniform(-0.6, 0.6) * x, rng.uniform(-0.6, 0.6) * y, 0))
    for _ in range(rng.integers(0, 7)):
        stage.model("small", (rng.uniform(-0.9, 0.9) * x, rng.uniform(-0.9, 0.9) * y, 0))
    for _ in range(rng.integers(1, 4)):
        stage.lamp((rng.uniform(-0.7, 0.7) * x, rng.uniform(-0.7, 0.7) * y, h - 0.15), rng.uniform(30, 160))
    views = []
    for _ in range(4):
        turn, back = rng.uniform(0, 2 * math.pi), rng.uniform(0.4, 0.93)
        eye = (math.cos(turn) * x * back, math.sin(turn) * y * back, rng.uniform(0.7, 1.9))
        target = (rng.uniform(-0.5, 0.5) * x, rng.uniform(-0.5, 0.5) * y, eye[2] + rng.normal(-0.35, 0.45))
        views.append((eye, target, rng.uniform(45, 85)))
    return views


def _strewn(stage: Stage, count: int, spread: float, z: float, kinds=("small",), size=(0.08, 0.35)) -> None:
    rng = stage.rng
    for _ in range(count):
        at = (rng.uniform(-spread, spread), rng.uniform(-spread, spread), z)
        s = rng.uniform(*size)
        choice = rng.random()
        if choice < 0.6:
            stage.model(list(kinds), at, height=s)
        elif choice < 0.75:
            stage.box(at, (s * rng.uniform(0.3, 1.5), s * rng.uniform(0.3, 1.5), s), rng.uniform(0, 3), tile=s)
        elif choice < 0.9:
            stage.round(at, s * rng.uniform(0.2, 0.5), s, top=s * rng.uniform(0.1, 0.5))
        else:
            stage.ball((*at[:2], z + s / 2), s / 2)


def table_top(stage: Stage) -> Views:
    rng = stage.rng
    stage.ambient(rng.uniform(0.2, 0.8))
    half, high = rng.uniform(0.35, 0.9), rng.uniform(0.6, 0.9)
    stage.box(
        (0, 0, high - 0.04),
        (2 * half, 2 * half * rng.uniform(0.6, 1.4), 0.04),
        rng.uniform(-0.3, 0.3),
        stage.material("noise", "photo", "plain"),
        tile=half,
    )
    s = 6
    stage.quad([(-s, -s, 0), (s, -s, 0), (s, s, 0), (-s, s, 0)], stage.material("noise", "plain"), (8, 8))
    back = rng.uniform(half + 0.1, 4)
    stage.quad(
        [(-s, back, 0), (s, back, 0), (s, back, 4), (-s, back, 4)], stage.material("photo", "plain", "noise"), (rng.uniform(1, 4), 1)
    )
    for _ in range(rng.integers(0, 5)):
        stage.model(["furniture", "plant", "person"], (rng.uniform(-2, 2), rng.uniform(0.8, 1) * back - 0.3, 0))
    _strewn(stage, int(rng.integers(3, 14)), half * 0.8, high, ("small", "small", "plant", "animal"))
    for _ in range(rng.integers(1, 3)):
        stage.lamp((rng.uniform(-2, 2), rng.uniform(-2, 1), rng.uniform(2, 3)), rng.uniform(25, 120))
    views = []
    for _ in range(3):
        far, pitch = rng.uniform(0.5, 1.6), math.radians(rng.uniform(5, 75))
        turn = rng.uniform(-0.7, 0.7)
        eye = (math.sin(turn) * far * math.cos(pitch), -math.cos(turn) * far * math.cos(pitch), high + 0.1 + far * math.sin(pitch))
        views.append((eye, (*rng.normal(scale=0.12, size=2), high + 0.05), rng.uniform(35, 65)))
    return views


def still_life(stage: Stage) -> Views:
    """Things large in the picture before a near textured wall, at many depths, as in laboratory stereo scenes."""
    rng = stage.rng
    stage.ambient(rng.uniform(0.3, 0.9))
    back = rng.uniform(1.2, 3.2)
    stage.quad(
        [(-4, back, -1), (4, back, -1), (4, back, 4), (-4, back, 4)],
        stage.material("photo", "noise", "noise", "plain"),
        (rng.uniform(2, 6), rng.uniform(2, 4)),
    )
    stage.quad([(-4, -2, 0), (4, -2, 0), (4, back, 0), (-4, back, 0)], stage.material("photo", "noise"), (4, 3))
    for _ in range(rng.integers(5, 16)):
        near = rng.uniform(0.05, 0.97)
        at = (rng.uniform(-0.9, 0.9) * (0.5 + near * back * 0.45), near * back, 0)
        choice, tall = rng.random(), rng.uniform(0.15, 1.1)
        if choice < 0.35:
            stage.model(["small", "furniture", "plant"], at, height=tall)
        elif choice < 0.6:
            stage.box(at, (rng.uniform(0.1, 0.8), rng.uniform(0.02, 0.5), tall), rng.uniform(-0.8, 0.8), tile=tall)
        elif choice < 0.75:
            stage.round(at, rng.uniform(0.03, 0.2), tall, top=rng.uniform(0.01, 0.2))
        elif choice < 0.85:
            stage.ball((*at[:2], tall), rng.uniform(0.08, 0.3))
        else:  # A board that leans.
            wide, lean = rng.uniform(0.2, 0.8), rng.uniform(-0.1, 0.6)
            stage.quad(
                [
                    (at[0] - wide, at[1], 0),
                    (at[0] + wide, at[1] + rng.normal(scale=0.2), 0),
                    (at[0] + wide, at[1] + lean, tall),
                    (at[0] - wide, at[1] + lean, tall),
                ],
                stage.material("photo", "noise"),
            )
    for _ in range(rng.integers(1, 4)):
        stage.lamp((rng.uniform(-2, 2), rng.uniform(-2, back - 0.5), rng.uniform(1.5, 3)), rng.uniform(20, 90))
    return [
        (
            (rng.normal(scale=0.25), rng.uniform(-2.2, -0.4), rng.uniform(0.3, 1.3)),
            (rng.normal(scale=0.2), back, rng.uniform(0.1, 0.8)),
            rng.uniform(30, 60),
        )
        for _ in range(3)
    ]


def _outdoors(stage: Stage, bump: float | None = None) -> None:
    """Sky, a ground that reaches the horizon and hills or mountains in the distance."""
    rng = stage.rng
    stage.daylight()
    size = rng.uniform(60, 300)
    stage.terrain(
        size,
        rng.uniform(0, 12) if bump is None else bump,
        stage.material("ground", "ground", "noise"),
        repeat=float(rng.uniform(0.1, 0.6) * size),
    )
    wide = stage.material("ground")
    stage.quad([(-6e3, -6e3, -0.6), (6e3, -6e3, -0.6), (6e3, 6e3, -0.6), (-6e3, 6e3, -0.6)], wide, (900, 900))
    for _ in range(rng.integers(0, 4)):
        turn, far = rng.uniform(0, 6.28), rng.uniform(500, 3000)
        stage.terrain(
            far * 0.6,
            far * rng.uniform(0.1, 0.8),
            stage.material("ground", "ground", "leaf"),
            30,
            6,
            (math.cos(turn) * far, math.sin(turn) * far, -far * 0.03),
        )


def garden(stage: Stage) -> Views:
    rng = stage.rng
    _outdoors(stage, rng.uniform(0, 2))
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 4)):
            turn, far = rng.uniform(0, 6.28), rng.uniform(9, 35)
            stage.house(
                (math.cos(turn) * far, math.sin(turn) * far, 0),
                (rng.uniform(5, 16), rng.uniform(4, 10), rng.uniform(3, 12)),
                rng.uniform(0, 3),
            )
    if rng.random() < 0.5:
        turn, side, tall = rng.uniform(0, 6.28), rng.uniform(3, 15), rng.uniform(0.6, 2.5)
        stage.box((math.cos(turn) * side, math.sin(turn) * side, 0), (rng.uniform(8, 40), 0.2, tall), turn + 1.57, tile=tall)
    if rng.random() < 0.35:
        turn, side = rng.uniform(0, 6.28), rng.uniform(2, 10)
        for k in range(-12, 13):
            stage.box(
                (math.cos(turn) * side - math.sin(turn) * k, math.sin(turn) * side + math.cos(turn) * k, 0),
                (0.09, 0.09, 1.1),
                turn,
                stage.materials["plain"][0],
            )
    for _ in range(rng.integers(3, 14)):
        far, turn = rng.uniform(3, 50), rng.uniform(0, 6.28)
        stage.tree((math.cos(turn) * far, math.sin(turn) * far, 0), rng.uniform(2.5, 14))
    for _ in range(rng.integers(2, 16)):
        far, turn = rng.uniform(1.5, 20), rng.uniform(0, 6.28)
        stage.bush((math.cos(turn) * far, math.sin(turn) * far, 0), rng.uniform(0.2, 1.5))
    for _ in range(rng.integers(3, 12)):
        far, turn = rng.uniform(1, 14), rng.uniform(0, 6.28)
        stage.model(
            ["person", "person", "animal", "vehicle", "garden", "plant", "furniture"], (math.cos(turn) * far, math.sin(turn) * far, 0)
        )
    views = []
    for _ in range(4):
        eye = (*rng.normal(scale=2.5, size=2), rng.uniform(0.3, 2.6))
        turn = rng.uniform(0, 6.28)
        views.append((eye, (math.cos(turn) * 8, math.sin(turn) * 8, eye[2] + rng.normal(-0.3, 1.3)), rng.uniform(35, 75)))
    return views


def landscape(stage: Stage) -> Views:
    rng = stage.rng
    stage.daylight()
    size = rng.uniform(300, 1500)
    stage.terrain(size, rng.uniform(0.02, 0.35) * size, stage.material("ground", "ground", "leaf"), 60, float(rng.uniform(10, 60)))
    for _ in range(rng.integers(0, 4)):
        turn, far = rng.uniform(0, 6.28), rng.uniform(1.2, 4) * size
        stage.terrain(
            far * 0.6,
            far * rng.uniform(0.1, 0.7),
            stage.material("ground", "ground", "leaf"),
            30,
            6,
            (math.cos(turn) * far, math.sin(turn) * far, -far * 0.05),
        )
    if rng.random() < 0.6:
        stage.water(rng.uniform(-0.3, 0.3), 9000)
    else:
        stage.quad(
            [(-9e3, -9e3, -2), (9e3, -9e3, -2), (9e3, 9e3, -2), (-9e3, 9e3, -2)], stage.material("ground", "ground", "leaf"), (800, 800)
        )
    for _ in range(rng.integers(0, 60)):
        far, turn = rng.uniform(8, 250), rng.uniform(0, 6.28)
        stage.tree((math.cos(turn) * far, math.sin(turn) * far, 0), rng.uniform(3, 16))
    for _ in range(rng.integers(0, 6)):
        far, turn = rng.uniform(15, 150), rng.uniform(0, 6.28)
        stage.house(
            (math.cos(turn) * far, math.sin(turn) * far, 0), (rng.uniform(5, 15), rng.uniform(4, 10), rng.uniform(3, 25)), rng.uniform(0, 3)
        )
    for _ in range(rng.integers(0, 12)):
        far, turn = rng.uniform(3, 15), rng.uniform(0, 6.28)
        stage.model(["person", "animal", "plant", "garden"], (math.cos(turn) * far, math.sin(turn) * far, 0))
        far, turn = rng.uniform(1.5, 9), rng.uniform(0, 6.28)
        stage.ball((math.cos(turn) * far, math.sin(turn) * far, 0), rng.uniform(0.1, 0.9), stage.material("noise"), rng.uniform(0.4, 1))
    views = []
    for _ in range(4):
        eye, turn = (*rng.normal(scale=2, size=2), rng.uniform(1.0, 6)), rng.uniform(0, 6.28)
        views.append((eye, (math.cos(turn) * 40, math.sin(turn) * 40, eye[2] + rng.normal(0, 5)), rng.uniform(30, 70)))
    return views


def street(stage: Stage) -> Views:
    rng = stage.rng
    stage.daylight()
    half, walk = rng.uniform(2.2, 7), rng.uniform(1.0, 4)
    stage.quad(
        [(-6e3, -6e3, -0.02), (6e3, -6e3, -0.02), (6e3, 6e3, -0.02), (-6e3, 6e3, -0.02)],
        stage.material("ground", "ground", "leaf"),
        (2000, 2000),
    )
    stage.quad([(-half, -60, 0), (half, -60, 0), (half, 400, 0), (-half, 400, 0)], stage.material("ground", "plain"), (2, 80))
    if rng.random() < 0.5:
        white = stage.materials["plain"][1]
        for k in range(-4, 20):
            stage.quad([(-0.07, 6 * k, 0.01), (0.07, 6 * k, 0.01), (0.07, 6 * k + 3, 0.01), (-0.07, 6 * k + 3, 0.01)], white)
    built = rng.random() < 0.65
    for side in (-1, 1):
        edge = half + walk
        stage.box((side * (half + walk / 2), 170, 0), (walk, 460, 0.14), 0, stage.material("noise", "plain"), 2.0)
        along = -30.0
        while along < 220:
            wide, tall = rng.uniform(6, 22), rng.uniform(3, 22)
            if built and rng.random() < 0.85:
                set_back = rng.exponential(1.5)
                deep = rng.uniform(6, 12)
                stage.house((side * (edge + set_back + deep / 2), along + wide / 2, 0), (deep, wide, tall))
            else:
                for _ in range(rng.integers(1, 5)):
                    stage.tree((side * (edge + rng.uniform(0.5, 12)), along + rng.uniform(0, wide), 0), rng.uniform(4, 13))
            along += wide + rng.exponential(2)
        step = rng.uniform(8, 30)
        for k in range(int(100 / step)):
            at = (side * (half + 0.5), k * step + rng.uniform(-1, 1) - 5, 0)
            if rng.random() < 0.5:
                stage.round(at, 0.07, rng.uniform(3, 8), stage.material("plain"), sides=8)
            else:
                stage.tree(at, rng.uniform(3, 8))
        for _ in range(rng.integers(2, 9)):
            stage.model(
                "vehicle",
                (side * (half - rng.uniform(0.8, 1.4)), rng.uniform(-5, 70), 0),
                None if rng.random() < 0.1 else rng.integers(2) * math.pi,
            )
        for _ in range(rng.integers(0, 8)):
            stage.model(["person", "person", "garden"], (side * (half + rng.uniform(0, walk)), rng.uniform(-3, 40), 0.14))
    views = []
    for _ in range(4):
        eye = (rng.uniform(-0.9, 0.9) * (half + walk), rng.uniform(-10, 20), rng.uniform(1.2, 2.4))
        turn = rng.normal(scale=0.25) if rng.random() < 0.7 else rng.uniform(-1.6, 1.6)
        views.append((eye, (eye[0] + math.sin(turn) * 20, eye[1] + math.cos(turn) * 20, eye[2] + rng.normal(0, 1.5)), rng.uniform(40, 85)))
    return views


def portrait(stage: Stage) -> Views:
    """One to three people large in the picture, in a garden, a street or before a wall."""
    rng = stage.rng
    if rng.random() < 0.65:
        (garden if rng.random() < 0.6 else street)(stage)
    else:
        room(stage)
    people = []
    for k in range(rng.integers(1, 4)):
        tall = rng.uniform(1.5, 1.9)
        at = (0.55 * k * rng.choice([-1, 1]), 0.3 * k + rng.normal(scale=0.1), 0)
        if stage.model("person", at, rng.normal(0, 0.6), height=tall):
            people.append((at, tall))
    views = []
    for _ in range(3):
        at, tall = people[rng.integers(len(people))] if people else ((0, 0, 0), 1.7)
        far, turn = rng.uniform(0.55, 2.6), rng.normal(0, 0.5)
        eye = Vector(at) + Vector((math.sin(turn) * far, -math.cos(turn) * far, tall * rng.uniform(0.8, 1.02)))
        aim = Vector(at) + Vector((rng.normal(scale=0.15), 0, tall * rng.uniform(0.72, 0.95)))
        views.append((eye, aim, rng.uniform(25, 50)))
    return views


def close_up(stage: Stage) -> Views:
    """A plant, an animal or a small thing near the lens, with whatever is behind it."""
    rng = stage.rng
    (garden if rng.random() < 0.7 else table_top)(stage)
    high = rng.uniform(0, 1.0)
    if high > 0.4:
        stage.box((0, 0, high - 0.05), (rng.uniform(0.3, 2), rng.uniform(0.2, 0.6), 0.05))
    else:
        high = 0.0
    size = rng.uniform(0.15, 0.6)
    _strewn(stage, int(rng.integers(1, 6)), 0.35, high, ("plant", "plant", "animal", "small", "garden"), (0.5 * size, 1.4 * size))
    views = []
    for _ in range(3):
        far, turn, pitch = size * rng.uniform(1.2, 3.5), rng.uniform(0, 6.28), math.radians(rng.uniform(-5, 40))
        eye = (math.sin(turn) * far, -math.cos(turn) * far, high + size * 0.5 + far * math.sin(pitch))
        views.append((eye, (*rng.normal(scale=0.1 * size, size=2), high + size * 0.5), rng.uniform(28, 50)))
    return views


def product(stage: Stage) -> Views:
    """A few small things on plain ground that fills the picture or bends up into a backdrop, under a lamp: only shading and place tell how
    the ground lies."""
    rng = stage.rng
    stage.ambient(rng.uniform(0.05, 0.9))
    paper = stage.material("plain", "plain", "noise")
    reach, back, bend = rng.uniform(2, 6), rng.uniform(0.3, 1.5), rng.uniform(0.05, 0.6)
    profile = [(-reach, 0.0), (back, 0.0)]
    if rng.random() < 0.6:  # a sweep: paper that bends up
        angles = np.linspace(0, math.pi / 2, 8)[1:]
        profile += [(back + bend * math.sin(a), bend * (1 - math.cos(a))) for a in angles] + [(back + bend, 2 * reach)]
    else:
        profile = [(-reach, 0.0), (reach, 0.0), (reach, 2 * reach)]
    for (y, z), (next_y, next_z) in pairwise(profile):
        stage.quad(
            [(-reach, y, z), (reach, y, z), (reach, next_y, next_z), (-reach, next_y, next_z)], paper, (3, 3 * abs(next_y - y) / reach)
        )
    size = rng.uniform(0.05, 0.3)
    _strewn(stage, int(rng.integers(1, 4)), 0.6 * size, 0, ("small", "small", "plant"), (0.4 * size, 1.2 * size))
    for _ in range(rng.integers(1, 3)):
        stage.lamp((*rng.uniform(-0.8, 0.8, 2), rng.uniform(0.6, 2)), rng.uniform(3, 40), rng.uniform(0.1, 0.8))
    views = []
    for _ in range(3):
        far, pitch, turn = size * rng.uniform(2, 7), math.radians(rng.uniform(8, 70)), rng.normal(scale=0.3)
        eye = (math.sin(turn) * far * math.cos(pitch), -math.cos(turn) * far * math.cos(pitch), 0.3 * size + far * math.sin(pitch))
        views.append((eye, (*rng.normal(scale=0.5 * size, size=2), 0.2 * size), rng.uniform(30, 70)))
    return views


LAYOUTS = {
    **{room: 0.26, table_top: 0.105, still_life: 0.125, garden: 0.14, landscape: 0.085},
    **{street: 0.15, portrait: 0.045, close_up: 0.05, product: 0.04},
}
