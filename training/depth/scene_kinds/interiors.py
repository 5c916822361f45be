"""Scenes of furnished rooms as phones and depth cameras see them: kitchens, bedrooms and offices, corridors, shelves; often from above."""

import math

import numpy as np

from scene_kinds.cast import Cast
from scene_kinds.heroes import VIEWS, Views


def _downward(stage: Cast, steep: float = 0.35) -> float:
    """The pitch of a hand-held camera indoors, radians: `steep` of them look down 15 to 50 degrees, the others about straight."""
    rng = stage.rng
    return -rng.uniform(0.26, 0.87) if rng.random() < steep else rng.normal(-0.1, 0.13)


def _shell(stage: Cast, x: float, y: float, high: float) -> None:
    """Floor, ceiling and four walls of a room of 2x by 2y, skirting boards, lamps."""
    rng = stage.rng
    stage.ambient(rng.uniform(0.15, 0.6))
    stage.quad([(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)], stage.material("noise", "bark", "photo", "plain"), (2 * x, 2 * y))
    stage.quad([(-x, -y, high), (-x, y, high), (x, y, high), (x, -y, high)], stage.material("plain"))
    paint, skirting = stage.material("plain", "plain", "noise"), stage.material("plain", "bark")
    for a, b in (((-x, -y), (x, -y)), ((x, -y), (x, y)), ((x, y), (-x, y)), ((-x, y), (-x, -y))):
        stage.wall(a, b, 0, high, stage.material("plain", "noise", "photo") if rng.random() < 0.2 else paint)
    for s in (-1, 1):
        stage.box((0, s * (y - 0.01), 0), (2 * x, 0.02, 0.08), 0, skirting)
        stage.box((s * (x - 0.01), 0, 0), (0.02, 2 * y, 0.08), 0, skirting)
    for _ in range(rng.integers(1, 4)):
        stage.lamp((rng.uniform(-0.7, 0.7) * x, rng.uniform(-0.7, 0.7) * y, high - 0.12), rng.uniform(25, 130))


class _Wall:
    """One wall of a room: `at(along, out, up)` is a point `along` it (left to right), `out` into the room."""

    def __init__(self, x: float, y: float, side: int):
        self.turn = -side * math.pi / 2  # 0: the wall at +y, seen along +y
        self.half, self.away = (x, y) if side % 2 == 0 else (y, x)

    def at(self, along: float, out: float, up: float) -> tuple[float, float, float]:
        v = self.away - out
        return along * math.cos(self.turn) - v * math.sin(self.turn), along * math.sin(self.turn) + v * math.cos(self.turn), up


def _door(stage: Cast, wall: _Wall, along: float) -> None:
    rng = stage.rng
    leaf, frame, wide = stage.material("plain", "bark", "plain"), stage.material("plain", "bark"), rng.uniform(0.75, 0.95)
    stage.box(wall.at(along, 0.02, 0), (wide, 0.04, 2.0), wall.turn, leaf)
    for s in (-1, 1):
        stage.box(wall.at(along + s * (wide / 2 + 0.04), 0.035, 0), (0.08, 0.07, 2.08), wall.turn, frame)
    stage.box(wall.at(along, 0.035, 2.0), (wide + 0.16, 0.07, 0.08), wall.turn, frame)
    stage.box(wall.at(along + 0.4 * wide, 0.07, 1.0), (0.12, 0.05, 0.02), wall.turn, stage.material("metal"))


def _window(stage: Cast, wall: _Wall, along: float, high: float) -> None:
    """A bright pane in a frame with a sill; sometimes curtains at its sides."""
    rng = stage.rng
    wide, low, top = rng.uniform(0.7, 2.0), rng.uniform(0.6, 1.1), rng.uniform(1.9, high - 0.25)
    pane = stage._glow(rng.uniform(0.8, 5)) if rng.random() < 0.6 else stage.material("photo", "dark")
    frame = stage.material("plain", "bark")
    stage.box(wall.at(along, 0.01, low), (wide, 0.02, top - low), wall.turn, pane)
    for k in np.linspace(-0.5, 0.5, int(rng.integers(2, 4))):
        stage.box(wall.at(along + k * wide, 0.03, low), (0.06, 0.06, top - low), wall.turn, frame)
    for z in (low - 0.05, top):
        stage.box(wall.at(along, 0.03, z), (wide + 0.06, 0.06, 0.05), wall.turn, frame)
    stage.box(wall.at(along, 0.1, low - 0.07), (wide + 0.2, 0.2, 0.03), wall.turn, frame)
    if rng.random() < 0.5:
        cloth, foot = stage.material("cloth", "noise", "plain"), rng.choice([0.03, low - 0.2])
        for s in (-1, 1):
            _curtain(stage, wall, along + s * (wide / 2 + 0.12), rng.uniform(0.25, 0.6), foot, top + 0.12, cloth)


def _curtain(stage: Cast, wall: _Wall, along: float, wide: float, low: float, top: float, cloth) -> None:
    """Cloth in folds, 12 cm from the wall."""
    rng, count = stage.rng, 40
    u = np.linspace(-0.5, 0.5, count) * wide
    folds = 0.12 + rng.uniform(0.015, 0.04) * np.sin(u * rng.uniform(40, 90) + rng.uniform(0, 6))
    rows = [[wall.at(along + a, out, z) for a, out in zip(u, folds, strict=True)] for z in (low, top)]
    k = np.arange(count - 1)
    faces = np.stack([k, k + 1, k + 1 + count, k + count], 1)
    stage.add(stage._mesh(np.reshape(rows, (-1, 3)), faces), (0, 0, 0), material=cloth)


def _things(stage: Cast, wall: _Wall, left: float, right: float, out: tuple[float, float], up: float, tall: float) -> None:
    """Small things on a surface along a wall, at most `tall` high."""
    rng, along = stage.rng, left + 0.1
    while along < right - 0.08:
        at, high = wall.at(along, rng.uniform(*out), up), rng.uniform(0.05, tall)
        choice = rng.random()
        if choice < 0.5:
            stage.model(["small", "small", "plant"], at, height=high)
        elif choice < 0.75:
            size = rng.uniform(0.06, 0.3), rng.uniform(0.05, 0.22), high
            stage.box(at, size, wall.turn + rng.normal(0, 0.2), stage.material("photo", "cloth", "plain"), tile=0.3)
        else:
            stage.round(at, rng.uniform(0.03, 0.09), high, None, rng.uniform(0.02, 0.09))
        along += rng.uniform(0.1, 0.6)


def _counter(stage: Cast, wall: _Wall, left: float, right: float, high: float) -> None:
    """Base units with a worktop and what stands on it, a tiled strip, wall units or a hood above."""
    rng = stage.rng
    deep, unit = rng.uniform(0.55, 0.68), rng.uniform(0.4, 0.65)
    fronts, top, metal = (
        stage.material("plain", "bark", "plain", "noise"),
        stage.material("bark", "noise", "plain"),
        stage.material("metal"),
    )
    wide, middle = right - left, (left + right) / 2
    stage.box(wall.at(middle, deep / 2 - 0.03, 0.1), (wide, deep - 0.06, 0.76), wall.turn, fronts)
    stage.box(wall.at(middle, deep / 2, 0.86), (wide + 0.02, deep, 0.04), wall.turn, top, tile=0.8)
    stage.wall(
        wall.at(left, 0.005, 0)[:2], wall.at(right, 0.005, 0)[:2], 0.9, 1.4, stage.material("photo", "noise", "plain"), (wide * 3, 1.5)
    )
    units, hood = rng.random() < 0.8, rng.integers(0, 6)
    low, shelf = rng.uniform(1.35, 1.5), rng.uniform(0.3, 0.38)
    for k in range(int(wide / unit)):
        along = left + (k + 0.5) * unit
        dark = rng.random() < 0.15
        stage.box(
            wall.at(along, deep - 0.01, 0.12), (unit - 0.012, 0.03, 0.72), wall.turn, stage.material("dark", "metal") if dark else fronts
        )
        stage.box(wall.at(along, deep + 0.02, 0.74), (0.6 * unit, 0.02, 0.02), wall.turn, metal)
        if units and k == hood:
            stage.box(wall.at(along, 0.25, low + 0.1), (unit, 0.5, 0.08), wall.turn, metal)
            stage.box(wall.at(along, 0.15, low + 0.18), (0.3, 0.3, high - low - 0.18), wall.turn, metal)
        elif units:
            stage.box(wall.at(along, shelf / 2, low), (unit - 0.01, shelf, min(0.72, high - low)), wall.turn, fronts)
    if rng.random() < 0.5:
        stage.box(
            wall.at(rng.uniform(left + 0.4, right - 0.3), deep / 2, 0.895), (0.55, 0.42, 0.012), wall.turn, stage.material("dark", "metal")
        )
    _things(stage, wall, left, right, (0.1, deep - 0.12), 0.9, 0.4)


def kitchen(stage: Cast) -> Views:
    """Counters along one to three walls, a refrigerator, often a table; seen by somebody who stands there and looks down."""
    rng = stage.rng
    x, y, high = rng.uniform(1.2, 2.6), rng.uniform(1.2, 3), rng.uniform(2.3, 2.9)
    _shell(stage, x, y, high)
    sides = [0] if rng.random() < 0.35 else [0, int(rng.choice([1, 3]))] if rng.random() < 0.7 else [0, 1, 3]
    for side in sides:
        wall = _Wall(x, y, side)
        left, right = -wall.half + (0.65 if side else 0.0), wall.half - (0.0 if side else rng.uniform(0, 0.8))
        if side == 0 and rng.random() < 0.6:
            stage.box(wall.at(right - 0.33, 0.34, 0), (0.62, 0.66, rng.uniform(1.2, 2.0)), wall.turn, stage.material("plain", "metal"))
            right -= 0.68
        _counter(stage, wall, left, right, high)
    for side in set(range(4)) - set(sides):
        wall = _Wall(x, y, side)
        if rng.random() < 0.5:
            _door(stage, wall, rng.uniform(-0.5, 0.5) * wall.half)
        else:
            _window(stage, wall, rng.uniform(-0.5, 0.5) * wall.half, high)
    if rng.random() < 0.6:
        _table(stage, (rng.uniform(-0.3, 0.3) * x, rng.uniform(-0.7, 0) * y))
    for _ in range(rng.integers(0, 4)):
        stage.model(["furniture", "small", "plant"], (rng.uniform(-0.6, 0.6) * x, rng.uniform(-0.8, 0.3) * y, 0))
    if rng.random() < 0.25:
        stage.person((rng.uniform(-0.5, 0.5) * x, rng.uniform(-0.2, 0.5) * y, 0), rng.uniform(0, 6.28))
    return _visits(stage, x, y, 0.6)


def _table(stage: Cast, at: tuple[float, float]) -> None:
    """A table with things on it and seats around."""
    rng = stage.rng
    wide, deep, high = rng.uniform(0.7, 1.6), rng.uniform(0.6, 0.95), rng.uniform(0.68, 0.78)
    stage.table(at, (wide, deep, high), 0.06, stage.material("bark", "plain", "noise"))
    for _ in range(rng.integers(0, 12)):
        on = (at[0] + rng.uniform(-0.42, 0.42) * wide, at[1] + rng.uniform(-0.42, 0.42) * deep, high)
        if rng.random() < 0.7:
            stage.model(["small", "plant"], on, height=rng.uniform(0.04, 0.35))
        else:
            stage.box(
                on,
                (*rng.uniform(0.1, 0.35, 2), rng.uniform(0.005, 0.1)),
                rng.uniform(0, 3),
                stage.material("photo", "plain", "cloth"),
                tile=0.3,
            )
    for _ in range(rng.integers(0, 5)):
        stage.thin("seat", (at[0] + rng.uniform(-0.6, 0.6) * wide, at[1] + rng.choice([-1, 1]) * (deep / 2 + rng.uniform(0.05, 0.4)), 0))


def _bed(stage: Cast, wall: _Wall, along: float) -> None:
    """A mattress on a frame, a thrown cover, pillows against the wall."""
    rng = stage.rng
    wide, long, high = rng.uniform(0.9, 1.8), rng.uniform(1.9, 2.1), rng.uniform(0.35, 0.6)
    stage.box(wall.at(along, long / 2, 0.12), (wide + 0.06, long + 0.04, high - 0.27), wall.turn, stage.material("bark", "plain", "dark"))
    stage.box(wall.at(along, long / 2, high - 0.18), (wide, long, 0.18), wall.turn, stage.material("cloth", "plain"))
    stage.box(wall.at(along, 0.03, 0), (wide + 0.1, 0.06, rng.uniform(0.6, 1.2)), wall.turn, stage.material("bark", "cloth"))
    share = rng.uniform(0.5, 0.75)
    stage.box(
        wall.at(along, long * (1 - share / 2), high - 0.12),
        (wide + 0.08, long * share + 0.05, 0.17),
        wall.turn,
        stage.material("cloth", "photo", "noise"),
    )
    for k in range(rng.integers(1, 4)):
        stage.ball(
            wall.at(along + (k - 0.7) * 0.45, rng.uniform(0.2, 0.35), high + 0.07),
            rng.uniform(0.2, 0.3),
            stage.material("cloth", "plain"),
            0.4,
        )


def _shelves(stage: Cast, wall: _Wall, along: float, high: float) -> None:
    """A bookcase, its boards full of books and things."""
    rng = stage.rng
    wide, deep, tall = rng.uniform(0.6, 1.4), rng.uniform(0.22, 0.35), rng.uniform(1.0, high - 0.2)
    wood = stage.material("bark", "plain")
    stage.box(wall.at(along, 0.01, 0), (wide, 0.02, tall), wall.turn, wood)
    for s in (-1, 1):
        stage.box(wall.at(along + s * wide / 2, deep / 2, 0), (0.03, deep, tall), wall.turn, wood)
    for z in np.arange(0.05, tall, rng.uniform(0.27, 0.4)):
        stage.box(wall.at(along, deep / 2, z), (wide, deep, 0.025), wall.turn, wood)
        place = along - wide / 2 + 0.04
        while place < along + wide / 2 - 0.06:
            thick = rng.uniform(0.015, 0.06)
            if rng.random() < 0.85:
                size = thick, rng.uniform(0.12, 0.22), rng.uniform(0.15, 0.25)
                stage.box(wall.at(place, 0.14, z + 0.025), size, wall.turn, stage.material("cloth", "plain", "photo"))
            elif rng.random() < 0.4:
                stage.model("small", wall.at(place + 0.07, 0.15, z + 0.025), height=rng.uniform(0.08, 0.22))
                thick = 0.15
            place += thick + (rng.exponential(0.15) if rng.random() < 0.1 else 0.002)


def _desk(stage: Cast, wall: _Wall, along: float) -> None:
    """A desk with screens, keyboard and papers, a chair before it."""
    rng = stage.rng
    wide, deep, high = rng.uniform(1.0, 1.8), rng.uniform(0.6, 0.8), 0.73
    stage.box(wall.at(along, deep / 2, high - 0.03), (wide, deep, 0.03), wall.turn, stage.material("bark", "plain"), tile=0.8)
    for s in (-1, 1):
        stage.box(
            wall.at(along + s * (wide / 2 - 0.03), deep / 2, 0),
            (0.04, deep - 0.05, high - 0.03),
            wall.turn,
            stage.material("plain", "metal", "bark"),
        )
    for k in range(rng.integers(0, 3)):
        screen, turn = rng.uniform(0.45, 0.65), wall.turn + rng.normal(0, 0.15)
        at = wall.at(along + (k - 0.5) * 0.62, rng.uniform(0.2, 0.35), high)
        stage.box((*at[:2], high + 0.12), (screen, 0.03, 0.6 * screen), turn, stage.material("dark", "photo"), tile=screen)
        stage.box(at, (0.06, 0.05, 0.3), turn, stage.material("dark", "metal"))
        stage.box(at, (0.25, 0.18, 0.015), turn, stage.material("dark", "metal"))
    stage.box(wall.at(along, deep - 0.2, high), (0.44, 0.15, 0.02), wall.turn, stage.material("dark", "plain"))
    _things(stage, wall, along - wide / 2, along + wide / 2, (0.1, deep - 0.1), high, 0.3)
    if rng.random() < 0.8:
        stage.model("furniture", wall.at(along, deep + 0.3, 0), rng.uniform(0, 6.28), height=rng.uniform(0.8, 1.1))


def lived_in(stage: Cast) -> Views:
    """A bedroom, an office or a living room: beds, desks, bookcases, curtains, doors; papers and clothes on the floor."""
    rng = stage.rng
    x, y, high = rng.uniform(1.5, 3.2), rng.uniform(1.5, 3.5), rng.uniform(2.3, 2.9)
    _shell(stage, x, y, high)
    for side in range(4):
        wall = _Wall(x, y, side)
        along = -wall.half + rng.uniform(0.5, 1.0)
        while along < wall.half - 0.5:
            piece = str(rng.choice(["bed", "shelves", "desk", "door", "window", "furniture", "picture"]))
            if piece == "bed":
                _bed(stage, wall, along)
            elif piece == "shelves":
                _shelves(stage, wall, along, high)
            elif piece == "desk":
                _desk(stage, wall, along)
            elif piece == "door":
                _door(stage, wall, along)
            elif piece == "window":
                _window(stage, wall, along, high)
            elif piece == "furniture":
                stage.model("furniture", wall.at(along, 0.4, 0), wall.turn)
            else:
                size = rng.uniform(0.25, 0.9), 0.03, rng.uniform(0.25, 0.7)
                stage.box(
                    wall.at(along, 0.02, rng.uniform(1.1, 1.6)), size, wall.turn, stage.material("photo", "photo", "plain"), tile=size[0]
                )
            along += rng.uniform(1.2, 2.2)
    if rng.random() < 0.5:
        rug = rng.uniform(0.5, 0.9, 2)
        stage.box(
            (rng.normal(0, 0.3), rng.normal(0, 0.3), 0.001),
            (rug[0] * x, rug[1] * y, 0.012),
            rng.normal(0, 0.2),
            stage.material("cloth", "photo"),
            tile=1.0,
        )
    if rng.random() < 0.35:
        _table(stage, (rng.uniform(-0.3, 0.3) * x, rng.uniform(-0.3, 0.3) * y))
    for _ in range(rng.integers(0, 8)):
        stage.model(["small", "furniture", "plant"], (rng.uniform(-0.8, 0.8) * x, rng.uniform(-0.8, 0.8) * y, 0))
    if rng.random() < 0.3:
        stage.person((rng.uniform(-0.6, 0.6) * x, rng.uniform(-0.6, 0.6) * y, 0), rng.uniform(0, 6.28))
    return _visits(stage, x, y, 0.45)


def corridor(stage: Cast) -> Views:
    """A long, narrow room with doors, pictures and furniture at its sides, seen along."""
    rng = stage.rng
    x, y, high = rng.uniform(0.7, 1.8), rng.uniform(4, 14), rng.uniform(2.3, 3.2)
    _shell(stage, x, y, high)
    for side in (1, 3):
        wall, along = _Wall(x, y, side), -y + 1
        while along < y - 1:
            if rng.random() < 0.6:
                _door(stage, wall, along)
            elif rng.random() < 0.5:
                size = rng.uniform(0.3, 1.2), 0.04, rng.uniform(0.3, 0.9)
                stage.box(wall.at(along, 0.02, rng.uniform(1.0, 1.5)), size, wall.turn, stage.material("photo", "plain"), tile=size[0])
            else:
                stage.model(["furniture", "plant", "garden"], wall.at(along, 0.3, 0), wall.turn)
            along += rng.uniform(1.2, 3.5)
    for k in range(int(y // 2)):
        stage.lamp((0, -y + 2 + 4 * k, high - 0.1), rng.uniform(15, 80))
    if rng.random() < 0.4:
        _window(stage, _Wall(x, y, 0), 0, high)
    else:
        _door(stage, _Wall(x, y, 0), 0)
    for _ in range(rng.choice([0, 0, 1, 2])):
        stage.person((rng.uniform(-0.5, 0.5) * x, rng.uniform(-0.8, 0.8) * y, 0), rng.uniform(0, 6.28))
    views = []
    for _ in range(VIEWS):
        eye = (rng.uniform(-0.6, 0.6) * x, rng.uniform(-0.95, 0.3) * y, rng.uniform(1.0, 1.8))
        views.append((eye, stage.toward(eye, rng.normal(0, 0.3), _downward(stage, 0.2)), rng.uniform(45, 80)))
    return views


def shelf(stage: Cast) -> Views:
    """One to three boards on a wall, full of things, seen from near and aslant."""
    rng = stage.rng
    wall, x, high = _Wall(4, 3, 0), rng.uniform(0.4, 1.4), rng.uniform(2.3, 2.9)
    _shell(stage, 4, 3, high)
    heights = rng.uniform(0.7, 1.4) + rng.uniform(0.3, 0.5) * np.arange(rng.integers(1, 4))
    wood, deep = stage.material("bark", "plain", "dark"), rng.uniform(0.15, 0.4)
    for z in heights:
        stage.box(wall.at(0, deep / 2, z - 0.03), (2 * x, deep, rng.uniform(0.02, 0.08)), wall.turn, wood)
        _things(stage, wall, -x, x, (0.06, deep - 0.05), z + 0.02, 0.3)
        if rng.random() < 0.5:
            size = rng.uniform(0.15, 0.5), 0.02, rng.uniform(0.15, 0.35)
            stage.box(wall.at(rng.uniform(-0.7, 0.7) * x, 0.04, z + 0.02), size, wall.turn, stage.material("photo", "dark"), tile=size[0])
    views, middle = [], float(np.median(heights))
    for _ in range(VIEWS):
        turn, far = rng.uniform(-1.1, 1.1), rng.uniform(0.5, 1.7)
        eye = (math.sin(turn) * far, 3 - deep - math.cos(turn) * far, middle + rng.uniform(-0.5, 0.6))
        views.append((eye, (rng.normal(0, 0.25) * x, 3 - deep / 2, middle + rng.normal(0, 0.15)), rng.uniform(35, 65)))
    return views


def _visits(stage: Cast, x: float, y: float, steep: float) -> Views:
    """Cameras held at 0.9 to 1.8 m anywhere in the room, turned towards its far parts; two of five see a corner from near."""
    rng, views = stage.rng, []
    for _ in range(VIEWS):
        if rng.random() < 0.4:
            corner, room = rng.choice([-1, 1], 2), np.array([x, y])
            aim = corner * np.maximum(room - rng.uniform(0, 0.8, 2), 0)
            eye = np.clip(aim - corner * rng.uniform(0.2, 1.8, 2), 0.1 - room, room - 0.1)
            views.append(((*eye, rng.uniform(1.0, 1.8)), (*aim, rng.uniform(0, 1.3)), rng.uniform(45, 75)))
            continue
        eye = (rng.uniform(-0.85, 0.85) * x, rng.uniform(-0.9, 0.3) * y, rng.uniform(0.9, 1.8))
        turn = math.atan2(rng.uniform(-0.9, 0.9) * x - eye[0], rng.uniform(0.4, 1.0) * y - eye[1])
        views.append((eye, stage.toward(eye, turn, _downward(stage, steep)), rng.uniform(45, 75)))
    return views


INTERIORS = {kitchen: 0.36, lived_in: 0.4, corridor: 0.1, shelf: 0.14}
