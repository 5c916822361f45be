"""Bodies of animals out of round cones that melt into one skin: dogs to horses, birds, fish. Drawn at random each time."""

import math

import bpy
import numpy as np

Cone = tuple[np.ndarray, float, np.ndarray, float]  # start, radius there, end, radius there


def _chain(cones: list[Cone], points, radii) -> None:
    points = [np.asarray(p, float) for p in points]
    for k in range(len(points) - 1):
        cones.append((points[k], radii[k], points[k + 1], radii[k + 1]))


def quadruped(rng: np.random.Generator) -> tuple[list[Cone], float]:
    """Cones of an animal 1 m long from chest to rump, head towards +x; and the height that such a one may have."""
    cones: list[Cone] = []
    leg, girth = rng.uniform(0.35, 1.0), rng.uniform(0.13, 0.27)
    thin = rng.uniform(0.03, 0.06) * (1 + girth)
    form = rng.choice(["stand", "walk", "sit", "lie"], p=[0.4, 0.3, 0.17, 0.13])
    high = leg + girth * 0.8 if form != "lie" else girth
    rump_high = {"sit": girth * 1.1, "lie": girth * 0.95}.get(form, high)
    rump, middle, chest = (-0.5, 0, rump_high), (0, 0, (high + rump_high) / 2 - girth * 0.05), (0.45, 0, high)
    _chain(cones, [rump, middle, chest], [girth * rng.uniform(0.75, 1), girth * rng.uniform(0.8, 1.05), girth])
    for x, z in ((-0.48, rump_high), (0.42, high)):
        for s in (-1, 1):
            swing = rng.normal(0, 0.28) if form == "walk" else rng.normal(0, 0.04)
            y = s * girth * 0.62
            if form == "lie" or (form == "sit" and x < 0):
                foot = (x + rng.uniform(0.2, 0.5), y * 1.5, thin)
                _chain(cones, [(x, y, z), (x + 0.05, y * 1.6, thin * 2.5), foot], [girth * 0.6, thin * 1.5, thin])
                continue
            bend = rng.uniform(0.03, 0.1) * (1 if x > 0 else -1)
            knee = (x + swing * leg * 0.5 + bend, y, z * 0.48)
            foot = (x + swing * leg, y, thin * 0.8)
            _chain(cones, [(x, y, z - girth * 0.2), knee, foot], [girth * 0.55, thin * 1.25, thin])
            _chain(cones, [foot, (foot[0] + thin * 1.6, y, thin * 0.7)], [thin, thin * 0.8])
    neck, lift = rng.uniform(0.12, 0.55), rng.uniform(-0.7, 1.25)
    reach = np.array([math.cos(lift), 0, math.sin(lift)]) * neck
    aside = rng.normal(0, 0.12)
    head = np.array(chest) + [0.08, 0, girth * 0.4] + reach + [0, aside, 0]
    skull = girth * rng.uniform(0.45, 0.8)
    head[2] = max(head[2], skull * 1.2)
    _chain(cones, [chest, head], [girth * 0.8, skull * 0.8])
    muzzle = head + np.array([skull * rng.uniform(1.0, 2.6), aside * 1.5, -skull * rng.uniform(0.1, 0.9)])
    _chain(cones, [head, muzzle], [skull, skull * rng.uniform(0.35, 0.6)])
    ear, wide = skull * rng.uniform(0.5, 1.8), rng.uniform(0.1, 0.6)
    for s in (-1, 1):
        base = head + [-skull * 0.2, s * skull * 0.6, skull * 0.7]
        droop = rng.uniform(-0.8, 1)
        _chain(cones, [base, base + np.array([-0.1, s * wide, droop]) * ear], [skull * 0.3, skull * 0.1])
    if rng.random() < 0.15:
        for s in (-1, 1):
            base = head + [-skull * 0.2, s * skull * 0.4, skull * 0.8]
            tip = base + np.array([rng.uniform(-0.5, 0.5), s * 0.5, 1]) * skull * rng.uniform(1, 4)
            _chain(cones, [base, (base + tip) / 2 + [0, s * skull * 0.3, 0], tip], [skull * 0.18, skull * 0.14, skull * 0.07])
    tail, k = rng.uniform(0.05, 0.7), np.linspace(0, 1, 4)
    curl = rng.uniform(-1.2, 1.5)
    path = np.stack(
        [-0.5 - girth * 0.6 - tail * np.cos(curl * k) * k, rng.normal(0, 0.2) * k, rump_high + girth * 0.3 + tail * np.sin(curl * k) * k], 1
    )
    path[:, 2] = np.maximum(path[:, 2], 0.04)
    _chain(cones, path, np.linspace(girth * 0.35, rng.uniform(0.02, 0.07), 4))
    return cones, float(rng.choice([0.3, 0.5, 0.7, 1.1, 1.6]))


def bird(rng: np.random.Generator) -> tuple[list[Cone], float]:
    """A bird on its feet or with its wings out."""
    cones: list[Cone] = []
    legs, tilt = rng.uniform(0.15, 0.9), rng.uniform(-0.1, 0.9)
    body = np.array([0, 0, legs + 0.22])
    ahead = np.array([math.cos(tilt), 0, math.sin(tilt)])
    _chain(cones, [body - ahead * 0.4, body, body + ahead * 0.25], [0.1, 0.23, 0.19])
    head = body + ahead * 0.3 + np.array([0.06, rng.normal(0, 0.05), rng.uniform(0.12, 0.6)])
    _chain(cones, [body + ahead * 0.25, head], [0.14, rng.uniform(0.05, 0.11)])
    _chain(cones, [head, head + [0.02, 0, 0.02]], [0.12, 0.12])
    _chain(cones, [head, head + [rng.uniform(0.15, 0.35), 0, -0.05]], [0.05, 0.02])
    _chain(cones, [body - ahead * 0.4, body - ahead * rng.uniform(0.6, 0.9)], [0.09, 0.05])
    out = rng.random() < 0.3
    for s in (-1, 1):
        if out:
            tip = body + [-0.2, s * rng.uniform(0.8, 1.3), rng.uniform(-0.2, 0.7)]
            _chain(cones, [body + [0.05, s * 0.15, 0.1], (body + tip) / 2 + [0.15, 0, 0.1], tip], [0.09, 0.09, 0.04])
        _chain(cones, [body + [0, s * 0.09, -0.1], (-0.06, s * 0.1, legs * 0.5), (0.02, s * 0.1, 0.02)], [0.08, 0.03, 0.025])
        _chain(cones, [(0.02, s * 0.1, 0.02), (0.14, s * 0.13, 0.015)], [0.03, 0.02])
    return cones, float(rng.uniform(0.15, 0.9))


def fish(rng: np.random.Generator) -> tuple[list[Cone], float]:
    """A fish or a jelly in mid-water, its lowest point at z = 0."""
    cones: list[Cone] = []
    if rng.random() < 0.5:
        deep = rng.uniform(0.1, 0.3)
        _chain(cones, [(-0.5, 0, deep), (0, 0, deep), (0.4, 0, deep)], [0.05, deep, 0.08])
        for s in (-1, 1):
            _chain(cones, [(-0.5, 0, deep), (-0.75, 0, deep + s * 0.2)], [0.05, 0.03])
    else:
        for turn in np.linspace(0, 2 * math.pi, 9, endpoint=False):
            at = np.array([math.cos(turn) * 0.3, math.sin(turn) * 0.3, 0.75])
            _chain(cones, [(0, 0, 0.95), at], [0.12, 0.09])
            k = np.linspace(0, 1, 4)[:, None]
            _chain(cones, at * [0.8, 0.8, 1] - [0, 0, 0.7] * k + rng.normal(scale=0.06, size=(4, 3)), [0.05, 0.03, 0.025, 0.02])
    return cones, float(rng.uniform(0.3, 1.2))


def skin(cones: list[Cone], height: float, cell: float = 0.022) -> bpy.types.Mesh:
    """One smooth mesh round the cones, `height` metres tall, its foot at z = 0, with texture coordinates from its side."""
    points, faces, start = [], [], 0
    ring = np.linspace(0, 2 * math.pi, 10, endpoint=False)
    for a, ra, b, rb in cones:
        along = b - a
        length = np.linalg.norm(along)
        along = along / max(length, 1e-6)
        first = np.cross(along, [0.3, 0.9, 0.2])
        first /= np.linalg.norm(first)
        second = np.cross(along, first)
        rows = []
        for lift in np.linspace(-math.pi / 2, 0, 4):
            rows.append((a + along * ra * math.sin(lift), ra * max(math.cos(lift), 0.02)))
        for lift in np.linspace(0, math.pi / 2, 4):
            rows.append((b + along * rb * math.sin(lift), rb * max(math.cos(lift), 0.02)))
        for centre, r in rows:
            points.append(centre + r * (np.cos(ring)[:, None] * first + np.sin(ring)[:, None] * second))
        k, n = np.arange(7)[:, None] * 10, np.arange(10)[None]
        faces.append(start + np.stack([k + n, k + (n + 1) % 10, k + 10 + (n + 1) % 10, k + 10 + n], -1).reshape(-1, 4))
        for end, turn in ((0, -1), (70, 1)):
            faces.append(start + np.stack([end + np.r_[0:8:2], end + np.r_[1:9:2], end + np.r_[2:10:2], np.full(4, end)], 1)[:, ::turn])
        start += 80
    body = bpy.data.meshes.new("cones")
    body.from_pydata(np.concatenate(points).tolist(), [], [list(dict.fromkeys(f)) for f in np.concatenate(faces).tolist()])
    thing = bpy.data.objects.new("cones", body)
    bpy.context.scene.collection.objects.link(thing)
    melt = thing.modifiers.new("melt", "REMESH")
    melt.mode, melt.voxel_size = "VOXEL", cell
    smooth = thing.modifiers.new("smooth", "SMOOTH")
    smooth.iterations = 4
    made = bpy.data.meshes.new_from_object(thing.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    bpy.data.objects.remove(thing)
    bpy.data.meshes.remove(body)
    flat = np.empty(3 * len(made.vertices), np.float32)
    made.vertices.foreach_get("co", flat)
    corners = flat.reshape(-1, 3)
    low = corners.min(0)
    corners = (corners - [0, 0, low[2]]) * (height / max(corners[:, 2].max() - low[2], 1e-3))
    made.vertices.foreach_set("co", corners.astype(np.float32).ravel())
    owner = np.empty(len(made.loops), np.int32)
    made.loops.foreach_get("vertex_index", owner)
    uv = np.stack([corners[:, 0] + 0.5 * corners[:, 1], corners[:, 2]], 1)[owner] / max(height, 0.1) * 0.7
    made.uv_layers.new().data.foreach_set("uv", uv.astype(np.float32).ravel())
    made.shade_smooth()
    made.update()
    return made
