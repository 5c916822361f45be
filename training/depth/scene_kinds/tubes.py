"""Thin things out of tubes and ribbons: bare trees, bicycles, railings, lamps, masts, ferns, flowers, chairs, cables.

Every function returns a `Shape` with its foot at the origin, z upwards, in metres.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shape:
    """A mesh: faces of three or four corners, one texture coordinate a corner, one part number a face."""

    points: np.ndarray  # (V, 3) float32
    faces: np.ndarray  # (F, 4) int32; a triangle repeats its last corner as -1
    uv: np.ndarray  # (V, 2) float32
    parts: np.ndarray  # (F,) int32, which of the shape's materials
    materials: tuple[str, ...]  # pools of the stage, one a part


def join(pieces: list[tuple], materials: tuple[str, ...]) -> Shape:
    """One shape of (points, faces, uv, part) pieces."""
    points, faces, uv, parts, start = [], [], [], [], 0
    for piece_points, piece_faces, piece_uv, part in pieces:
        points.append(piece_points)
        faces.append(np.where(piece_faces < 0, -1, piece_faces + start))
        uv.append(piece_uv)
        parts.append(np.full(len(piece_faces), part))
        start += len(piece_points)
    return Shape(
        np.concatenate(points).astype(np.float32),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(uv).astype(np.float32),
        np.concatenate(parts).astype(np.int32),
        materials,
    )


def tube(path, radius, part: int = 0, sides: int = 6, closed: bool = False) -> tuple:
    """A tube along a path (N, 3) of one radius or one a point; `closed` joins its end to its start."""
    path = np.asarray(path, np.float64)
    radius = np.broadcast_to(np.asarray(radius, np.float64), len(path))
    along = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, 2:]) < 0.9, [[0.0, 0, 1]], [[1.0, 0, 0]])
    if np.ptp((np.abs(along[:, 2]) < 0.9).astype(int)):  # One helper for the whole path, or the rings twist against each other.
        helper = np.broadcast_to([[0.31, 0.87, 0.38]], along.shape)
    first = np.cross(along, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(along, first)
    angle = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None]
    points = (path[:, None] + ring * radius[:, None, None]).reshape(-1, 3)
    rings = np.arange(len(path) if closed else len(path) - 1)[:, None] * sides
    onward = (rings + sides) % (len(path) * sides)
    here, there = np.arange(sides)[None], (np.arange(sides)[None] + 1) % sides
    faces = np.stack([rings + here, rings + there, onward + there, onward + here], -1).reshape(-1, 4)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    uv = np.stack(np.broadcast_arrays(np.linspace(0, 1, sides)[None], length[:, None]), -1).reshape(-1, 2)
    return points, faces, uv, part


def bar(start, end, radius: float, part: int = 0, sides: int = 6) -> tuple:
    return tube([start, end], radius, part, sides)


def ribbon(path, width, across, part: int = 0) -> tuple:
    """A flat strip along a path (N, 3), `width` (N,) wide along the direction `across`."""
    path, side = np.asarray(path, np.float64), np.asarray(across, np.float64)
    half = np.asarray(width, np.float64)[:, None] / 2 * side / max(np.linalg.norm(side), 1e-9)
    points = np.concatenate([path - half, path + half])
    count = len(path)
    k = np.arange(count - 1)
    faces = np.stack([k, k + 1, count + k + 1, count + k], -1)
    v = np.linspace(0, 1, count)
    uv = np.concatenate([np.stack([np.zeros(count), v], -1), np.stack([np.ones(count), v], -1)])
    return points, faces, uv, part


def ring(centre, radius: float, thickness: float, normal: int = 1, part: int = 0, count: int = 28) -> tuple:
    """A torus round the axis `normal`."""
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    path = np.insert(np.stack([np.cos(angle), np.sin(angle)], 1) * radius, normal, 0.0, axis=1)
    return tube(path + np.asarray(centre), thickness, part, 6, closed=True)


def bare_tree(rng: np.random.Generator, height: float = 1.0, leaves: float | None = None) -> Shape:
    """Branches that fork four or five times; `leaves` is the share of twigs that carry some."""
    leaves = rng.choice([0.0, 0.3, 0.9]) if leaves is None else leaves
    pieces, tips = [], []
    front = [
        (np.zeros(3), np.array([*rng.normal(scale=0.08, size=2), 1.0]), height * rng.uniform(0.22, 0.4), height * rng.uniform(0.015, 0.035))
    ]
    for level in range(int(rng.integers(4, 6))):
        onward = []
        for foot, heading, length, thick in front:
            steps = np.linspace(0, 1, 4)[:, None]
            bend = rng.normal(scale=0.12, size=3) * length
            path = foot + heading * steps * length + bend * steps * (1 - steps) * 2
            pieces.append(tube(path, np.linspace(thick, thick * 0.65, 4), 0, 6 if level < 2 else 4))
            for _ in range(rng.integers(2, 4)):
                aside = heading + rng.normal(scale=0.55, size=3) + [0, 0, 0.12]
                onward.append(
                    (
                        path[int(rng.integers(2, 4))],
                        aside / np.linalg.norm(aside),
                        length * rng.uniform(0.5, 0.85),
                        thick * rng.uniform(0.4, 0.65),
                    )
                )
        front = onward[:160]
        tips = front
    if leaves:
        for foot, heading, length, _ in tips:
            for _ in range(4):
                if rng.random() < leaves:
                    at = foot + heading * length * rng.uniform(0, 0.8) + rng.normal(scale=0.2 * length, size=3)
                    size = height * rng.uniform(0.012, 0.03)
                    lie = rng.normal(size=3)
                    pieces.append(ribbon([at, at + lie * size / np.linalg.norm(lie)], [size * 0.2, size], rng.normal(size=3), 1))
    return join(pieces, ("bark", "leaf"))


def bicycle(rng: np.random.Generator) -> Shape:
    """Seen along y; 1.7 m long."""
    r, tyre = rng.uniform(0.3, 0.35), rng.uniform(0.012, 0.025)
    back, front = np.array([-0.52, 0, r]), np.array([0.52, 0, r])
    crank, seat, head = np.array([-0.08, 0, 0.29]), np.array([-0.2, 0, 0.8]), np.array([0.36, 0, 0.82])
    pieces = []
    for hub in (back, front):
        pieces += [ring(hub, r, tyre, 1, 1), ring(hub, r - 0.03, 0.008, 1, 2)]
        for turn in np.linspace(0, 2 * math.pi, int(rng.choice([16, 20, 28])), endpoint=False):
            rim = hub + np.array([math.cos(turn), 0, math.sin(turn)]) * (r - 0.02)
            pieces.append(bar(hub + [0, rng.choice([-0.02, 0.02]), 0], rim, 0.0022, 2, 3))
    thick = rng.uniform(0.014, 0.02)
    for a, b in ((crank, seat), (crank, head - [0, 0, 0.1]), (seat - [0, 0, 0.1], head), (head, front)):
        pieces.append(bar(a, b, thick, 0))
    for y in (-0.04, 0.04):
        pieces += [bar(crank + [0, y, 0], back + [0, y, 0], 0.009, 0), bar(seat + [0, 0, -0.1], back + [0, y, 0], 0.008, 0)]
    pieces += [bar(seat, seat + [0, 0, 0.1], 0.012, 2), bar(head, head + [0.0, 0, 0.12], 0.012, 2)]
    pieces.append(tube([seat + [-0.12, 0, 0.12], seat + [0, 0, 0.12], seat + [0.14, 0, 0.11]], [0.07, 0.05, 0.015], 1, 8))
    top = head + [0.02, 0, 0.12]
    pieces.append(
        tube([top + [-0.12, -0.3, 0.02], top + [0.05, -0.2, 0.02], top, top + [0.05, 0.2, 0.02], top + [-0.12, 0.3, 0.02]], 0.012, 2)
    )
    pieces.append(ring(crank, 0.09, 0.006, 1, 2, 16))
    return join(pieces, ("plain", "dark", "metal"))


def lamp(rng: np.random.Generator, height: float | None = None) -> Shape:
    """A street lamp with a lantern, or one with an arm."""
    h, thick = height or rng.uniform(2.8, 6.5), rng.uniform(0.03, 0.07)
    pieces = [tube([(0, 0, 0), (0, 0, 0.5), (0, 0, 0.55), (0, 0, h)], [thick * 1.8, thick * 1.6, thick, thick * 0.7], 0, 8)]
    if rng.random() < 0.5:
        reach, k = rng.uniform(0.4, 1.6), np.linspace(0, 1, 6)
        arm = np.stack([reach * k, 0 * k, h + 0.4 * np.sin(k * math.pi / 2)], 1)
        pieces += [tube(arm, thick * 0.5, 0), tube([arm[-1], arm[-1] - [0, 0, 0.05], arm[-1] - [0, 0, 0.2]], [0.05, 0.22, 0.14], 1, 10)]
    else:
        wide = rng.uniform(0.1, 0.22)
        pieces += [
            tube([(0, 0, h), (0, 0, h + 0.05), (0, 0, h + 0.5)], [0.03, wide * 0.6, wide], 1, 6),
            tube([(0, 0, h + 0.5), (0, 0, h + 0.7)], [wide * 1.15, 0.01], 0, 6),
        ]
    return join(pieces, ("dark", "light"))


def railing(rng: np.random.Generator, length: float, height: float = 1.0) -> Shape:
    """Bars, a lattice or wires between posts, along x, its middle at the origin."""
    pieces, post = [], rng.uniform(0.015, 0.05)
    for x in np.linspace(-length / 2, length / 2, max(2, int(length / rng.uniform(1.2, 2.5)))):
        pieces.append(bar((x, 0, 0), (x, 0, height), post, 0))
    ends = [(-length / 2, 0), (length / 2, 0)]
    rails = lambda z, thick: bar((*ends[0], z), (*ends[1], z), thick, 0)
    pieces += [rails(height, post * 1.1), rails(height * 0.1, post * 0.7)]
    form, thin = rng.integers(3), rng.uniform(0.004, 0.012)
    if form == 0:
        for x in np.arange(-length / 2, length / 2, rng.uniform(0.09, 0.16)):
            pieces.append(bar((x, 0, height * 0.1), (x, 0, height), thin, 0, 4))
    elif form == 1:
        pieces += [rails(z, thin) for z in np.linspace(0.2, 0.9, int(rng.integers(2, 7))) * height]
    else:
        step = rng.uniform(0.1, 0.3)
        for x in np.arange(-length / 2 - height, length / 2, step):
            for lean in (0, height):
                low, high = x + lean, x + height - lean
                if min(low, high) >= -length / 2 and max(low, high) <= length / 2:
                    pieces.append(bar((low, 0, 0.1 * height), (high, 0, height), thin * 0.6, 0, 3))
    return join(pieces, (rng.choice(["metal", "dark", "plain", "bark"]),))


def boat(rng: np.random.Generator) -> Shape:
    """A sailing boat along x, 5 to 9 m: hull, mast, boom, stays and perhaps its sails."""
    length, k = rng.uniform(4, 9), np.linspace(-1, 1, 13)
    beam, depth = length * 0.15, length * 0.09
    profile = np.clip(1 - np.abs(k) ** 2.6, 0.02, 1) ** 0.7
    rows = []
    for turn in np.linspace(0, math.pi, 9):
        rows.append(np.stack([k * length / 2, math.cos(turn) * beam * profile, 0.5 * depth - math.sin(turn) * depth * profile], 1))
    points = np.stack(rows).reshape(-1, 3)
    index = np.arange(9 * 13).reshape(9, 13)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    pieces = [(points, faces, points[:, [0, 2]], 0)]
    deck = np.concatenate([index[0, :-1, None], index[0, 1:, None], index[-1, 1:, None], index[-1, :-1, None]], 1)
    pieces.append((points, deck, points[:, :2], 1))
    tall, mast = length * rng.uniform(1.0, 1.4), length * 0.08
    pieces += [bar((mast, 0, 0), (mast, 0, tall), 0.05, 2), bar((mast, 0, 0.9), (mast - length * 0.45, 0, 0.9), 0.035, 2)]
    for end in ((length / 2, 0), (-length / 2, 0), (mast, beam), (mast, -beam)):
        pieces.append(bar((*end, depth * 0.5), (mast, 0, tall * 0.97), 0.008, 2, 3))
    if rng.random() < 0.7:
        k = np.linspace(0, 1, 8)
        sail = np.stack([np.full(8, mast - 0.1), 0 * k, 1.0 + k * (tall - 1.3)], 1)
        away = np.stack([mast - length * 0.43 * (1 - k), 0.35 * np.sin(k * 3.1), 1.0 + k * (tall - 1.3)], 1)
        pieces.append((np.concatenate([sail, away]), np.stack([np.r_[:7], np.r_[1:8], np.r_[9:16], np.r_[8:15]], 1), np.zeros((16, 2)), 3))
        if rng.random() < 0.6:
            jib = np.array([(mast + 0.1, 0, 0.9), (length / 2, 0, 0.6), (mast + 0.1, 0.2, tall * 0.85)])
            pieces.append((jib, np.array([[0, 1, 2, -1]]), np.zeros((3, 2)), 3))
    return join(pieces, ("plain", "noise", "bark", "cloth"))


def tuft(rng: np.random.Generator, height: float = 0.5) -> Shape:
    """Grass, a fern or a reed: arched blades from one foot."""
    pieces, k = [], np.linspace(0, 1, 7)
    wide, droop = height * rng.uniform(0.01, 0.12), rng.uniform(0.1, 1.1)
    for _ in range(rng.integers(12, 60)):
        turn, lean, long = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.9), height * rng.uniform(0.6, 1.2)
        out = np.array([math.cos(turn), math.sin(turn)])
        spread = long * lean * (k + droop * k**2 * 0.5)
        rise = long * (k - droop * lean * k**2 * 0.6)
        foot = rng.normal(scale=height * 0.05, size=2)
        path = np.c_[foot + out * spread[:, None], rise]
        pieces.append(ribbon(path, wide * np.sin(math.pi * (0.1 + 0.9 * k)), [-out[1], out[0], 0.3], 0))
    return join(pieces, ("leaf",))


def fern(rng: np.random.Generator, height: float = 0.6) -> Shape:
    """Fronds with leaflets on both sides."""
    pieces, k = [], np.linspace(0, 1, 14)
    for _ in range(rng.integers(5, 14)):
        turn, lean, long = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 1.0), height * rng.uniform(0.7, 1.3)
        out = np.array([math.cos(turn), math.sin(turn), 0])
        path = out * (long * lean * k)[:, None] + [0, 0, 1] * (long * (k - 0.75 * lean * k**2))[:, None]
        pieces.append(tube(path, height * 0.008, 1, 3))
        side = np.array([-out[1], out[0], 0.0])
        for number in range(2, 13):
            size = height * 0.28 * math.sin(math.pi * (0.08 + 0.9 * k[number])) + 0.01
            for s in (-1, 1):
                tip = path[number] + s * side * size + out * size * 0.35 - [0, 0, size * 0.2]
                pieces.append(ribbon([path[number], (path[number] + tip) / 2, tip], [size * 0.1, size * 0.22, 0.002], out, 0))
    return join(pieces, ("leaf", "leaf"))


def flowers(rng: np.random.Generator, height: float = 0.5) -> Shape:
    """Stems with leaves and round or cup-shaped heads."""
    pieces = []
    for _ in range(rng.integers(1, 9)):
        lean, h = rng.normal(scale=0.18, size=2) * height, height * rng.uniform(0.6, 1.1)
        foot = rng.normal(scale=0.15, size=2) * height
        k = np.linspace(0, 1, 6)
        path = np.c_[foot + lean * (k**2)[:, None], h * k]
        pieces.append(tube(path, height * rng.uniform(0.006, 0.015), 0, 5))
        for _ in range(rng.integers(1, 5)):
            at, out = path[int(rng.integers(1, 5))], rng.normal(size=3) + [0, 0, 0.6]
            size = height * rng.uniform(0.15, 0.4)
            leaf = at + out / np.linalg.norm(out) * size * np.linspace(0, 1, 4)[:, None]
            pieces.append(ribbon(leaf, size * np.array([0.05, 0.3, 0.25, 0.01]), rng.normal(size=3), 0))
        petals, size, cup = rng.integers(5, 14), height * rng.uniform(0.1, 0.25), rng.uniform(-0.2, 1.2)
        face = np.array([*rng.normal(scale=0.6, size=2), 1.0])
        face /= np.linalg.norm(face)
        first = np.cross(face, [0.3, 0.9, 0.1])
        first /= np.linalg.norm(first)
        second = np.cross(face, first)
        for turn in np.linspace(0, 2 * math.pi, petals, endpoint=False):
            out = math.cos(turn) * first + math.sin(turn) * second
            side = -math.sin(turn) * first + math.cos(turn) * second
            reach = (out * math.cos(cup) + face * math.sin(cup)) * size
            petal = path[-1] + reach * np.linspace(0.05, 1, 4)[:, None]
            pieces.append(ribbon(petal, size * np.array([0.15, 0.55, 0.6, 0.15]), side, 1))
        pieces.append(tube([path[-1] - face * 0.01, path[-1] + face * size * 0.15], [size * 0.22, size * 0.05], 2, 8))
    return join(pieces, ("leaf", "cloth", "plain"))


def seat(rng: np.random.Generator) -> Shape:
    """A chair or a stool with thin legs."""
    wide, high, thin = rng.uniform(0.38, 0.5), rng.uniform(0.42, 0.75), rng.uniform(0.008, 0.022)
    half = wide / 2
    pieces = [bar((s * half * 1.1, t * half * 1.1, 0), (s * half * 0.9, t * half * 0.9, high), thin, 0) for s in (-1, 1) for t in (-1, 1)]
    pieces.append(tube([(0, 0, high), (0, 0, high + 0.03)], [half * 1.35, half * 1.35], 1, 4 if rng.random() < 0.5 else 16))
    lid = np.array([(math.cos(a) * half * 1.35, math.sin(a) * half * 1.35, high + 0.03) for a in np.arange(4) * math.pi / 2])
    pieces.append((lid, np.array([[0, 1, 2, 3]]), lid[:, :2], 1))
    if rng.random() < 0.7:
        top = high + rng.uniform(0.35, 0.5)
        for x in np.linspace(-half * 0.85, half * 0.85, int(rng.integers(2, 7))):
            pieces.append(bar((x, half * 0.8, high), (x, half, top), thin * 0.7, 0))
        pieces.append(bar((-half * 0.9, half, top), (half * 0.9, half, top), thin * 1.4, 0))
    return join(pieces, (rng.choice(["bark", "metal", "dark", "plain"]), rng.choice(["bark", "cloth", "plain"])))


def cables(rng: np.random.Generator, length: float = 20.0) -> Shape:
    """Poles along x with hanging wires."""
    pieces, high, k = [], rng.uniform(4, 7), np.linspace(0, 1, 12)
    stops = np.linspace(-length / 2, length / 2, int(rng.integers(2, 5)))
    for x in stops:
        pieces += [bar((x, 0, 0), (x, 0, high + 0.6), 0.09, 0), bar((x, -0.7, high), (x, 0.7, high), 0.04, 0)]
    for a, b in zip(stops[:-1], stops[1:], strict=True):
        for y in (-0.65, 0, 0.65):
            sag = high - rng.uniform(0.2, 0.8) * 4 * k * (1 - k)
            pieces.append(tube(np.stack([a + (b - a) * k, np.full(12, y), sag], 1), 0.012, 1, 3))
    return join(pieces, ("bark", "dark"))


def hoop(rng: np.random.Generator) -> Shape:
    """A cart wheel or a fan: rings with spokes, standing along x."""
    r, spokes = rng.uniform(0.25, 0.6), int(rng.integers(5, 17))
    pieces = [ring((0, 0, r), r, rng.uniform(0.01, 0.04), 1, 0), ring((0, 0, r), r * 0.15, 0.03, 1, 0, 12)]
    for turn in np.linspace(0, 2 * math.pi, spokes, endpoint=False):
        pieces.append(bar((0, 0, r), (math.cos(turn) * r, 0, r + math.sin(turn) * r), rng.uniform(0.008, 0.02), 0, 5))
    return join(pieces, (rng.choice(["bark", "metal", "dark"]),))
