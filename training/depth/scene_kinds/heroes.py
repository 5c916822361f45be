"""Scenes of one or a few heroes before a background: people, animals, plants, vehicles, thin things, boats, in the air, heaps.

Each function fills the stage and returns views; the hero stands at the origin and the camera looks along +y.
"""

import math

import numpy as np
from mathutils import Vector

from scene_kinds.cast import Cast

Views = list[tuple]  # (eye, target, horizontal field of view in degrees)
VIEWS = 5


def _ground(stage: Cast, bump: float = 0.6) -> None:
    rng = stage.rng
    size = rng.uniform(60, 300)
    stage.terrain(size, rng.uniform(0, bump), stage.material("ground", "ground", "noise"), repeat=float(rng.uniform(0.1, 0.6) * size))
    stage.quad([(-6e3, -6e3, -0.6), (6e3, -6e3, -0.6), (6e3, 6e3, -0.6), (-6e3, 6e3, -0.6)], stage.material("ground"), (900, 900))
    for _ in range(rng.integers(0, 4)):
        turn, far = rng.normal(0, 0.8), rng.uniform(400, 3000)
        stage.terrain(
            far * 0.6,
            far * rng.uniform(0.1, 0.7),
            stage.material("ground", "leaf"),
            30,
            6,
            (math.sin(turn) * far, math.cos(turn) * far, -far * 0.03),
        )


def backdrop(stage: Cast) -> str:
    """What stands behind the hero: a wall, a park, houses, water, a room or a far photo; returns its name."""
    rng = stage.rng
    form = str(rng.choice(["wall", "park", "houses", "water", "room", "photo", "grass"], p=[0.2, 0.2, 0.13, 0.13, 0.17, 0.07, 0.1]))
    if form == "room":
        stage.ambient(rng.uniform(0.15, 0.7))
        w, back, h = rng.uniform(1.5, 4), rng.uniform(0.6, 5), rng.uniform(2.3, 3.4)
        stage.quad([(-w, -4, 0), (w, -4, 0), (w, back, 0), (-w, back, 0)], stage.material("noise", "photo", "plain"), (3, 4))
        wall = stage.material("plain", "plain", "noise", "photo")
        stage.wall((-w, back), (w, back), 0, h, wall, (3, 2))
        stage.wall((-w, -4), (-w, back), 0, h, wall)
        stage.wall((w, -4), (w, back), 0, h, wall)
        stage.quad([(-w, -4, h), (-w, back, h), (w, back, h), (w, -4, h)], stage.material("plain"))
        for _ in range(rng.integers(1, 7)):
            stage.model(
                ["furniture", "furniture", "plant", "garden"],
                (rng.uniform(-w, w) * 0.9, rng.uniform(0.55, 0.97) * back + 0.2, 0),
                rng.choice([0, math.pi / 2, -math.pi / 2]),
            )
        for _ in range(rng.integers(1, 4)):
            stage.lamp((rng.uniform(-w, w) * 0.8, rng.uniform(-3, back) * 0.8, h - 0.1), rng.uniform(30, 130))
        return form
    stage.daylight()
    if rng.random() < 0.3:
        stage.backlight()
    _ground(stage)
    if form == "wall":
        back, high = rng.choice([0.35, 0.8, 2, 5]) * rng.uniform(0.7, 1.4), rng.uniform(1.2, 6)
        stage.wall(
            (-12, back + rng.normal(0, 0.6)), (12, back), 0, high, stage.material("noise", "photo", "plain", "facade"), (8, high / 3)
        )
    elif form == "park":
        for _ in range(rng.integers(2, 10)):
            stage.tree((rng.uniform(-14, 14), rng.uniform(2.5, 40), 0), rng.uniform(2.5, 12))
        for _ in range(rng.integers(2, 12)):
            stage.bush((rng.uniform(-9, 9), rng.uniform(1.5, 18), 0), rng.uniform(0.2, 1.3))
        for _ in range(rng.integers(0, 3)):
            stage.thin("bare_tree", (rng.uniform(-8, 8), rng.uniform(2, 20), 0), None, rng.uniform(3, 9))
    elif form == "houses":
        for x in np.arange(-40, 40, 11):
            stage.house((x + rng.uniform(-2, 2), rng.uniform(8, 28), 0), (rng.uniform(7, 12), 8, rng.uniform(3, 20)), rng.normal(0, 0.1))
        for _ in range(rng.integers(0, 6)):
            stage.model(["vehicle", "garden"], (rng.uniform(-8, 8), rng.uniform(3, 8), 0))
    elif form == "water":
        stage.water(rng.uniform(0.01, 0.1), 9000)
        for _ in range(rng.integers(0, 5)):
            stage.thin("boat", (rng.uniform(-30, 30), rng.uniform(8, 90), 0.05))
    elif form == "photo":
        far, photo = rng.uniform(4, 60), stage.material("photo")
        stage.wall((-far, far), (far, far), -0.5 * far, far, photo, (1, 1))
    for _ in range(rng.integers(0, 5)):
        (stage.person if rng.random() < 0.6 else stage.animal)((rng.uniform(-7, 7), rng.uniform(3, 25), 0), rng.uniform(0, 6.28))
    if rng.random() < 0.25:
        stage.fence((0, rng.uniform(0.7, 6), 0), rng.normal(0, 0.2), 14, rng.uniform(0.6, 1.6))
    return form


def _aim(stage: Cast, tall: float, closest: float = 0.6, wide: float = 0.0) -> Views:
    """Views of something `tall` (and `wide`) at the origin: whole, in part, near or far, from low or from above."""
    rng, views = stage.rng, []
    for _ in range(VIEWS):
        fov = float(rng.choice([28, 40, 55, 70])) * rng.uniform(0.85, 1.15)
        share = rng.uniform(0.25, 1.5)  # of the picture's height that the hero takes
        far = max(max(tall, 0.6 * wide) / share / (2 * math.tan(math.radians(fov) / 2) * 0.8), closest)
        turn = rng.normal(0, 0.35)
        high = max(0.1, min(2.2, tall * rng.uniform(0.2, 1.2) + rng.normal(0, 0.15)) + far * rng.choice([0, 0, 0, 0.25, 0.5]))
        eye = Vector((math.sin(turn) * far, -math.cos(turn) * far, high))
        aim = (rng.normal(0, 0.15) * tall / share, 0, tall * (rng.uniform(0.35, 0.65) if share < 1 else rng.uniform(0.5, 0.92)))
        views.append((eye, aim, fov))
    return views


def people(stage: Cast) -> Views:
    rng = stage.rng
    backdrop(stage)
    tallest = 0.5
    for k in range(rng.choice([1, 1, 2, 3, 5])):
        placed = stage.person(
            (0.6 * ((k + 1) // 2) * (-1) ** k + rng.normal(0, 0.08), rng.normal(0, 0.15) + 0.2 * k, 0), rng.normal(0, 0.9)
        )
        tallest = max(tallest, placed[1] if placed else 0)
    if rng.random() < 0.3:
        stage.animal((rng.uniform(-0.8, 0.8), rng.uniform(-0.5, 0.2), 0))
    if rng.random() < 0.2:
        stage.thin("bicycle", (rng.uniform(-0.8, 0.8), rng.uniform(-0.5, 0.6), 0))
    return _aim(stage, tallest)


def animals(stage: Cast) -> Views:
    rng = stage.rng
    backdrop(stage)
    lift = rng.choice([0, 0, 0, 0.45])
    if lift:
        stage.box((0, 0, 0), (rng.uniform(0.8, 2.5), rng.uniform(0.5, 1.0), lift))
    placed = stage.animal((0, 0, lift), rng.uniform(0, 6.28))
    for _ in range(rng.choice([0, 0, 1, 3])):
        stage.animal((rng.uniform(-2, 2), rng.uniform(-0.3, 3), 0))
    for _ in range(rng.integers(0, 4)):
        stage.plant((rng.uniform(-1.5, 1.5), rng.uniform(-0.8, 1), 0), rng.uniform(0.1, 0.5))
    tall = placed[1]
    views = _aim(stage, tall + lift * 0.6, max(0.35, tall), tall * 1.2)
    return views


def plants(stage: Cast) -> Views:
    """Flowers, ferns, grass and twigs near the lens."""
    rng = stage.rng
    backdrop(stage)
    size = rng.uniform(0.2, 0.9)
    high = rng.choice([0, 0, 0.7])
    if high:
        stage.box((0, 0.1, high - 0.04), (rng.uniform(0.5, 2), rng.uniform(0.4, 0.8), 0.04))
        if rng.random() < 0.6:
            stage.round((0, 0, high), size * 0.25, size * 0.3, top=size * 0.3)
    for _ in range(rng.integers(1, 14)):
        stage.plant((rng.normal(0, 0.5) * size, rng.normal(0.2, 0.7) * size, high), size * rng.uniform(0.5, 1.3))
    if rng.random() < 0.3:
        stage.thin("bare_tree", (rng.uniform(-1, 1), rng.uniform(0, 2), 0), None, rng.uniform(0.8, 3))
    views = []
    for eye, aim, fov in _aim(stage, size, 0.3, size):
        views.append((Vector((*eye[:2], eye[2] * 0.6 + high)), (aim[0], 0, aim[2] + high), fov))
    return views


def vehicles(stage: Cast) -> Views:
    rng = stage.rng
    backdrop(stage)
    kind = rng.choice(["model", "model", "bicycle", "hoop"])
    tall = 1.4
    if kind == "model" and (placed := stage.model("vehicle", (0, 0, 0), rng.uniform(0, 6.28))):
        tall = placed[0].scale[2] * placed[1].size[2]
    else:
        tall = 1.0
        for k in range(rng.integers(1, 4)):
            stage.thin("bicycle" if kind != "hoop" else "hoop", (0.3 * k, 0.25 * k, 0), rng.normal(0, 0.4) + rng.choice([0, math.pi]))
    for k in range(rng.integers(0, 4)):
        stage.model("vehicle", (rng.choice([-1, 1]) * (3 + 2.6 * k), rng.uniform(-0.5, 5), 0), rng.choice([0, math.pi / 2]))
    if rng.random() < 0.5:
        stage.person((rng.uniform(-1.5, 1.5), rng.uniform(-1, 1.2), 0), rng.uniform(0, 6.28))
    return _aim(stage, tall, 1.2, tall * 1.8)


def thin(stage: Cast) -> Views:
    """Lamps, bare trees, railings, chairs and cables, near and far, often against the sky; or the view through them."""
    rng = stage.rng
    backdrop(stage)
    tall = 1.0
    for k in range(rng.integers(1, 6)):
        name = str(rng.choice(["lamp", "lamp", "bare_tree", "seat", "seat", "cables", "bicycle", "tuft", "hoop"]))
        height = {"lamp": rng.uniform(2.2, 6), "bare_tree": rng.uniform(2, 9), "cables": rng.uniform(4, 8)}.get(name)
        at = (0, 0, 0) if k == 0 else (rng.uniform(-4, 4), rng.uniform(-0.5, 9), 0)
        stage.thin(name, at, rng.normal(0, 0.5), height)
        tall = max(tall, height or 0)
    if rng.random() < 0.45:
        stage.fence((0, rng.uniform(-1.2, 0.6), 0), rng.normal(0, 0.25), 10, rng.uniform(0.7, 2.2))
    views = _aim(stage, min(tall, 3.0), 0.8)
    if tall > 2:  # Looking up.
        eye = (rng.uniform(-1.5, 1.5), rng.uniform(-4, -1.5), rng.uniform(0.8, 1.7))
        views.append((eye, (rng.normal(0, 0.5), 0, tall * rng.uniform(0.6, 1.0)), rng.uniform(40, 75)))
    return views


def water(stage: Cast) -> Views:
    """Boats, posts, birds and bathers on water up to the horizon."""
    rng = stage.rng
    stage.daylight()
    if rng.random() < 0.4:
        stage.backlight()
    stage.quad([(-6e3, -6e3, -3), (6e3, -6e3, -3), (6e3, 6e3, -3), (-6e3, 6e3, -3)], stage.material("ground"), (900, 900))
    stage.water(0.0, 9000)
    for _ in range(rng.integers(0, 4)):
        turn, far = rng.normal(0, 0.7), rng.uniform(120, 2500)
        stage.terrain(
            far * 0.5,
            far * rng.uniform(0.05, 0.6),
            stage.material("ground", "leaf"),
            30,
            6,
            (math.sin(turn) * far, math.cos(turn) * far, -far * 0.02),
        )
    for _ in range(rng.integers(1, 7)):
        far = rng.choice([5, 12, 40, 120]) * rng.uniform(0.6, 1.6)
        stage.thin("boat", (rng.normal(0, 0.3) * far, far - 6, 0))
    if stage.models.get("garden") and rng.random() < 0.3:
        stage.model("garden", (rng.normal(0, 1), rng.uniform(0, 5), 0))
    for _ in range(rng.integers(0, 6)):
        stage.animal((rng.uniform(-5, 5), rng.uniform(-2, 12), -0.1), None, 0.8, "bird")
    for _ in range(rng.integers(0, 4)):
        stage.person((rng.uniform(-4, 4), rng.uniform(-1, 15), -rng.uniform(0.0, 0.9)), rng.uniform(0, 6.28))
    if rng.random() < 0.4:
        side, wide = rng.uniform(-3, 1), rng.uniform(1, 2.5)
        stage.box((side, 8, 0.35), (wide, 40, 0.12), rng.normal(0, 0.1), stage.material("bark", "noise"))
        for y in np.arange(-8, 26, 2.5):
            stage.round((side + wide / 2, y, -1), 0.1, rng.uniform(1.4, 2.6), stage.material("bark"), sides=8)
    views = []
    for _ in range(VIEWS):
        eye = (rng.normal(0, 2), rng.uniform(-12, -5), rng.uniform(0.4, 5))
        views.append((eye, stage.toward(eye, rng.normal(0, 0.25), rng.normal(-0.08, 0.08)), rng.uniform(28, 70)))
    return views


def aloft(stage: Cast) -> Views:
    """Things with no ground below them: birds, branches, lamps, balloons before the sky, animals in open water."""
    rng = stage.rng
    form = rng.random()
    if form < 0.35:
        stage.ambient(rng.uniform(0.4, 1.0))
        back = rng.uniform(3, 30)
        stage.wall((-4 * back, back), (4 * back, back), -3 * back, 3 * back, stage.material("plain", "noise", "photo", "dark"), (2, 2))
        stage.lamp((rng.uniform(-2, 2), rng.uniform(-3, 1), 3), rng.uniform(50, 200))
    else:
        stage.daylight()
    for _ in range(rng.integers(1, 6)):
        at, choice = (rng.normal(0, 0.7), rng.normal(0, 0.8), rng.normal(0, 0.6)), rng.random()
        if choice < 0.3:
            stage.animal(at, None, rng.uniform(0.6, 1.3), "fish" if form < 0.35 else "bird")
        elif choice < 0.5:
            stage.ball(at, rng.uniform(0.1, 0.5), None, rng.uniform(0.8, 1.3))
        elif choice < 0.7:
            thing = stage.thin(str(rng.choice(["bare_tree", "flowers", "fern", "lamp"])), at, None, rng.uniform(0.8, 3))
            thing.rotation_euler[rng.integers(2)] = rng.uniform(-1.5, 1.5)
        elif choice < 0.85:
            stage.model(["small", "plant", "furniture"], at, height=rng.uniform(0.3, 0.9))
        else:
            stage.person((at[0], at[1], at[2] - 1), rng.uniform(0, 6.28))
    views = []
    for _ in range(VIEWS):
        eye = (rng.normal(0, 0.4), -rng.uniform(1.2, 5), rng.normal(0, 0.8))
        views.append((eye, (rng.normal(0, 0.2), 0, rng.normal(0, 0.2)), rng.uniform(30, 60)))
    return views


def cut_out(stage: Cast) -> Views:
    """A hero before nothing, for a transparent film: what is pasted on photographs in training."""
    rng = stage.rng
    stage.ambient(rng.uniform(0.3, 1.0))
    stage.sun()
    tall, choice = 1.0, rng.random()
    if choice < 0.4:
        for k in range(rng.choice([1, 1, 2])):
            placed = stage.person((0.5 * k, 0.2 * k, 0), rng.normal(0, 0.9))
            tall = placed[1] if placed else 1.0
    elif choice < 0.7:
        tall = stage.animal((0, 0, 0), rng.uniform(0, 6.28))[1]
    elif choice < 0.85:
        tall = rng.uniform(0.3, 0.8)
        for _ in range(rng.integers(1, 4)):
            stage.plant((rng.normal(0, 0.15), rng.normal(0, 0.1), 0), tall)
    else:
        stage.thin(str(rng.choice(["bicycle", "seat", "bare_tree", "hoop"])), (0, 0, 0), None, tall)
    return _aim(stage, tall, max(0.4, tall))


def heap(stage: Cast) -> Views:
    """A heap of fruit, stones, boxes or toys, or a bed of flowers, that fills the picture, seen from above."""
    rng = stage.rng
    stage.ambient(rng.uniform(0.3, 1.0))
    stage.sun()
    stage.quad([(-4, -4, 0), (4, -4, 0), (4, 4, 0), (-4, 4, 0)], stage.material("ground", "noise", "plain", "leaf"), (8, 8))
    radius, form = rng.uniform(0.4, 1.2), str(rng.choice(["ball", "mixed", "flowers"], p=[0.4, 0.3, 0.3]))
    paints, size = [stage.material("noise", "cloth", "plain", "photo") for _ in range(rng.integers(1, 5))], rng.uniform(0.18, 0.4)
    squash, high = rng.uniform(0.6, 1.5), 0.0 if form == "flowers" else rng.uniform(0.1, 0.8) * radius
    for _ in range(rng.integers(80, 160)):
        far, turn = radius * math.sqrt(rng.random()), rng.uniform(0, 6.28)
        at = (math.sin(turn) * far, math.cos(turn) * far, high * (1 - far / radius) * rng.uniform(0.6, 1.0))
        big = size * radius * rng.uniform(0.7, 1.3)
        if form == "flowers":
            stage.thin(str(rng.choice(["flowers", "flowers", "tuft"])), at, None, 2 * big)
        elif form == "ball" or rng.random() < 0.4:
            thing = stage.ball((*at[:2], at[2] + big / 2), big / 2, paints[rng.integers(len(paints))], squash)
            thing.rotation_euler = rng.uniform(0, 6.28, 3)
        elif rng.random() < 0.5:
            stage.model("small", at, height=big)
        else:
            stage.box(at, big * rng.uniform(0.4, 1.4, 3), rng.uniform(0, 3), paints[rng.integers(len(paints))], tile=big)
    views = []
    for _ in range(VIEWS):
        pitch, turn, far = math.radians(rng.uniform(20, 88)), rng.uniform(0, 6.28), (radius + high) * rng.uniform(0.9, 1.7)
        eye = Vector((math.sin(turn) * math.cos(pitch), -math.cos(turn) * math.cos(pitch), math.sin(pitch))) * far
        aim = Vector((*rng.normal(0, 0.2 * radius, 2), 0.5 * high))
        views.append((eye + aim, aim, rng.uniform(32, 60)))
    return views


HEROES = {people: 0.28, animals: 0.18, plants: 0.13, vehicles: 0.1, thin: 0.11, water: 0.07, aloft: 0.05, heap: 0.25}
