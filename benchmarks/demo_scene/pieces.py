"""Meshes of the demo scene made in NumPy: tubes, lathed bodies, rounded blocks, relief sheets, scattered leaves."""

from __future__ import annotations

import bpy
import numpy as np

from .noise import fractal


def rotation(axis: str | np.ndarray, angle: float) -> np.ndarray:
    """(3, 3) rotation by `angle` radians about 'x', 'y', 'z' or a vector."""
    k = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}.get(axis) if isinstance(axis, str) else axis
    k = np.asarray(k, float) / np.linalg.norm(k)
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


class Pile:
    """Vertices and faces gathered for one Blender object.

    Each vertex carries `tint` (a random number of its piece), `wear` (a mask whose meaning is the material's) and `loc`
    (texture coordinates in metres, local to the piece, so that grain follows the piece and no two are alike).
    """

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.verts: list[np.ndarray] = []
        self.locs: list[np.ndarray] = []
        self.tints: list[np.ndarray] = []
        self.wears: list[np.ndarray] = []
        self.faces: list[np.ndarray] = []
        self.count = 0

    def add(self, verts, faces, tint=None, wear=0.0, loc=None, at=(0, 0, 0), turn=None) -> None:
        """Add (n, 3) vertices and (m, 3 or 4) faces, turned by a (3, 3) matrix and moved to `at`."""
        verts = np.asarray(verts, float)
        local = verts if loc is None else np.asarray(loc, float)
        if loc is None and tint is None:
            local = local + self.rng.uniform(-20, 20, 3)
        tint = self.rng.random() if tint is None else tint
        if turn is not None:
            verts = verts @ np.asarray(turn).T
        self.verts.append(verts + np.asarray(at, float))
        self.locs.append(local)
        self.tints.append(np.broadcast_to(np.asarray(tint, float), len(verts)))
        self.wears.append(np.broadcast_to(np.asarray(wear, float), len(verts)))
        self.faces.append(np.asarray(faces, np.int64) + self.count)
        self.count += len(verts)

    def build(self, name: str, material, smooth: bool = True, turn=None, at=(0, 0, 0)):
        """Make the Blender object, optionally placed as a whole."""
        verts = np.concatenate(self.verts)
        if turn is not None:
            verts = verts @ np.asarray(turn).T
        verts = verts + np.asarray(at, float)
        loops = np.concatenate([f.ravel() for f in self.faces]).astype(np.int32)
        sizes = np.concatenate([np.full(len(f), f.shape[1]) for f in self.faces])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        me = bpy.data.meshes.new(name)
        me.vertices.add(len(verts))
        me.loops.add(len(loops))
        me.polygons.add(len(starts))
        me.attributes["position"].data.foreach_set("vector", verts.astype(np.float32).ravel())
        me.attributes[".corner_vert"].data.foreach_set("value", loops)
        me.polygons.foreach_set("loop_start", starts)
        me.update(calc_edges=True)
        if smooth:
            me.shade_smooth()
        for key, parts in (("tint", self.tints), ("wear", self.wears)):
            layer = me.attributes.new(key, "FLOAT", "POINT")
            layer.data.foreach_set("value", np.concatenate(parts).astype(np.float32))
        layer = me.attributes.new("loc", "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", np.concatenate(self.locs).astype(np.float32).ravel())
        if material is not None:
            me.materials.append(material)
        ob = bpy.data.objects.new(name, me)
        bpy.context.scene.collection.objects.link(ob)
        return ob


def grid_faces(rows: int, columns: int, wrap: bool = False) -> np.ndarray:
    """Quads of a rows x columns vertex grid; `wrap` closes it along the columns."""
    r = np.arange(rows - 1)[:, None]
    c = np.arange(columns if wrap else columns - 1)[None, :]
    n = (c + 1) % columns
    a, b, d, e = r * columns + c, r * columns + n, (r + 1) * columns + n, (r + 1) * columns + c
    return np.stack([a, b, d, e], -1).reshape(-1, 4)


def tube(path, radius, sides: int = 10, caps: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Round bar along an (n, 3) path: vertices, quads, and `loc` (along, around, 0) in metres."""
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(path)).copy()
    if caps:
        path = np.concatenate([path[:1], path[:1], path, path[-1:], path[-1:]])
        radius = np.concatenate([[radius[0] * 0.02, radius[0] * 0.85], radius, [radius[-1] * 0.85, radius[-1] * 0.02]])
    core = path[2:-2] if caps else path
    tangent = np.gradient(core, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-12
    if caps:
        tangent = np.concatenate([tangent[:1], tangent[:1], tangent, tangent[-1:], tangent[-1:]])
    normal = np.cross(tangent[0], (0, 0, 1) if abs(tangent[0, 2]) < 0.9 else (1, 0, 0))
    angle = np.arange(sides) / sides * 2 * np.pi
    rings, along = [], 0.0
    loc = []
    for k, t in enumerate(tangent):
        normal = normal - t * np.dot(normal, t)
        normal /= np.linalg.norm(normal) + 1e-12
        binormal = np.cross(t, normal)
        rings.append(path[k] + radius[k] * (np.cos(angle)[:, None] * normal + np.sin(angle)[:, None] * binormal))
        along += np.linalg.norm(path[k] - path[k - 1]) if k else 0.0
        loc.append(np.stack([np.full(sides, along), np.cos(angle) * radius[k], np.sin(angle) * radius[k]], 1))
    return np.concatenate(rings), grid_faces(len(path), sides, True), np.concatenate(loc)


def smooth_path(points, steps: int = 8) -> np.ndarray:
    """Catmull-Rom curve through (n, 3) points."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    out = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*out, p[-2:-1]])


def lathe(profile, segments: int = 64, wobble: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Body of revolution about z from an (n, 2) profile of (radius, height), `wobble` metres of it uneven."""
    profile = np.asarray(profile, float)
    angle = np.arange(segments) / segments * 2 * np.pi
    r, z = profile[:, :1], np.repeat(profile[:, 1:], segments, 1)
    verts = np.dstack([r * np.cos(angle), r * np.sin(angle), z])
    if wobble:
        direction = np.dstack([np.cos(angle)[None] + 0 * z, np.sin(angle)[None] + 0 * z, 0 * z])
        verts = verts + direction * (wobble * fractal(verts, 9, 3, seed))[..., None] * (r[..., None] > 1e-4)
    return verts.reshape(-1, 3), grid_faces(len(profile), segments, True)


def rounded_block(size, radius: float, cuts: int = 6, chip: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Block of full `size` with rounded edges, centred; `chip` metres of noise make it hewn. Vertices and quads."""
    half = np.asarray(size, float) / 2
    radius = min(radius, half.min() * 0.98)
    verts, faces, count = [], [], 0
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        lines = []
        for k in (u, v):
            n = max(2, int(round(cuts * half[k] / half.max())))
            bend = np.array([0, 0.3, 0.62, 1.0]) * radius
            lines.append(
                np.concatenate(
                    [
                        -half[k] + bend,
                        np.linspace(-half[k] + radius, half[k] - radius, n + 1)[1:-1],
                        half[k] - bend[::-1],
                    ]
                )
            )
        for sign in (-1, 1):
            q = np.zeros((len(lines[0]), len(lines[1]), 3))
            q[..., u], q[..., v], q[..., axis] = lines[0][:, None], lines[1][None, :], sign * half[axis]
            f = grid_faces(*q.shape[:2])
            faces.append((f[:, ::-1] if sign > 0 else f) + count)
            verts.append(q.reshape(-1, 3))
            count += q.shape[0] * q.shape[1]
    q = np.concatenate(verts)
    inner = np.clip(q, -(half - radius), half - radius)
    out = q - inner
    q = inner + out / np.linalg.norm(out, axis=1, keepdims=True) * radius
    _, first, inverse = np.unique(np.round(q, 6), axis=0, return_index=True, return_inverse=True)
    q = q[first]
    faces = inverse.reshape(-1)[np.concatenate(faces)]
    if chip:
        shift = np.stack([fractal(q + seed * 3.1 + k * 9, 0.55 / max(half.min(), 0.02), 4, seed + k) for k in range(3)], -1)
        q = q + shift * chip
    return q, faces


def relief(xs, ys, height) -> tuple[np.ndarray, np.ndarray]:
    """Sheet over the grid xs x ys with (len(ys), len(xs)) heights along +z. Vertices and quads facing +z."""
    gx, gy = np.meshgrid(xs, ys)
    return np.dstack([gx, gy, height]).reshape(-1, 3), grid_faces(len(ys), len(xs))


def blade(length=1.0, width=0.3, outline=None, rows: int = 7, fold: float = 0.25, bend: float = 0.3, columns: int = 5):
    """A leaf along +x from the origin, upper face +z. `outline` maps 0..1 along the leaf to half width 0..1."""
    t = np.linspace(0, 1, rows)
    shape = outline(t) if outline else np.sin(np.pi * np.clip(t, 0.015, 0.985) ** 0.85)
    s = np.linspace(-1, 1, columns)
    x = np.repeat(t[:, None], columns, 1) * length
    y = shape[:, None] * s[None] * width / 2
    z = np.abs(y) * fold * 2 - bend * length * t[:, None] ** 2 * 0.5
    return np.dstack([x, y, z]).reshape(-1, 3), grid_faces(rows, columns)


def scatter(pile: Pile, template, at, forward, up, scale, tint=None) -> None:
    """Add a copy of template (vertices, faces) for each row of `at` (n, 3), along `forward`, upper side to `up`."""
    verts, faces = template
    at, forward, up = (np.asarray(a, float) for a in (at, forward, up))
    x = forward / (np.linalg.norm(forward, axis=1, keepdims=True) + 1e-12)
    y = np.cross(up, x)
    y /= np.linalg.norm(y, axis=1, keepdims=True) + 1e-12
    z = np.cross(x, y)
    frame = np.stack([x, y, z], -1)
    n, m = len(at), len(verts)
    placed = np.einsum("nij,mj->nmi", frame, verts) * np.asarray(scale).reshape(-1, 1, 1) + at[:, None]
    tint = pile.rng.random(n) if tint is None else np.asarray(tint, float)
    loc = np.repeat(verts[None] / np.abs(verts).max(), n, 0)
    all_faces = (faces[None] + (np.arange(n) * m)[:, None, None]).reshape(-1, faces.shape[1])
    pile.add(placed.reshape(-1, 3), all_faces, np.repeat(tint, m), 0.0, loc.reshape(-1, 3))


def directions(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, 3) random unit vectors."""
    d = rng.normal(size=(n, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)
