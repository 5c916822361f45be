"""LayeredMesh: the layered depth image as textured triangles, ready to be a scene."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..camera.camera import Camera
from ..layers.layered_depth_image import BACK, FRONT, INVENTED, PHOTO, Layer, LayeredDepthImage
from ..layers.soft_silhouettes import Matte
from ..photo.photo import Photo
from ..settings import MeshSettings
from ..threads import thread_count
from .atlas import Atlas, pack_atlas, with_sheet
from .backdrop import Backdrop, lay_backdrop
from .normals import find_slopes, normals_at
from .quadtree import BLOCK, FLATNESS, SOFT_BLOCK, find_leaves
from .soft_texture import SoftTexture, pack_soft
from .vertices import BL, BR, SLOT_STEP, TL, TR, Vertices, find_vertices


@dataclass(frozen=True)
class TexturedMesh:
    """One surface role: the photo, its border, or what one layer hides."""

    role: str  # "photo", "border", "hidden 1", "hidden 2" ..., "backdrop", "soft" (foreground with alpha), "cleaned" (behind it)
    vertices: np.ndarray  # (V, 3) float32, camera space: x right, y down, z forward, metres
    triangles: np.ndarray  # (T, 3) int32, counter-clockwise seen from the camera
    uvs: np.ndarray  # (T, 3, 2) float32 for each triangle's corners; u right, v up, (0, 0) bottom left of the texture
    texture: str  # "photo", "atlas", "soft", "cleaned": the last two are the halves of one
    normals: np.ndarray | None = None  # (V, 3) float32, unit, towards the camera: from the depth, smoother than the triangles'; on wish


@dataclass(frozen=True)
class LayeredMesh:
    """All meshes of a diorama with the two textures they share."""

    name: str
    meshes: tuple[TexturedMesh, ...]
    camera: Camera  # the photo's, in its own pixels
    atlas: np.ndarray  # (H, W, 3) float32, sRGB-encoded
    nearest: float  # distance of the nearest surface, m
    focus: float  # distance of what stands in the middle of the picture, m
    farthest: float  # m
    metric: bool
    soft: np.ndarray | None = None  # (H, W, 4) of the photo's type: the texture of soft silhouettes, straight alpha
    albedo: dict[str, np.ndarray] | None = None  # by texture, laid out as it: the light of the photo taken off (core/mesh/delight.py)

    @property
    def triangle_count(self) -> int:
        return sum(len(mesh.triangles) for mesh in self.meshes)

    @property
    def vertex_count(self) -> int:
        return sum(len(mesh.vertices) for mesh in self.meshes)


def triangulate(
    image: LayeredDepthImage, photo: Photo, metric: bool, settings: MeshSettings, matte: Matte | None = None, lit: bool = False
) -> LayeredMesh:
    """Two triangles for each block of pixels of one surface, none across a tear, welded where pixels are linked.

    With `lit` the meshes have normals of their own, which only light makes visible and which take half as long again.
    """
    with ThreadPoolExecutor(thread_count()) as pool:  # NumPy works outside Python's lock
        packing = pool.submit(pack_atlas, image)
        laying = pool.submit(lay_backdrop, image) if settings.backdrop else None
        softening = pool.submit(pack_soft, image, photo, matte) if matte is not None else None
        sloping = pool.submit(find_slopes, image) if lit else None
        corners = find_vertices(image)
        tolerance = FLATNESS * image.span / settings.density
        texels = photo.camera.width / image.frame[3]
        # what is invented need not be as exact as what was seen, neither in depth nor in the place of its texture
        jobs = [(k, 1 if k == 0 else 2) for k in range(len(image.layers))]
        jobs_done = pool.map(lambda job: _triangles(image.layers[job[0]], job[0], corners, tolerance * job[1], texels / job[1]), jobs)
        meshes, found = [], list(jobs_done)
        ground = _Ground(image, photo, corners, sloping.result() if sloping else None)
        atlas, backdrop = packing.result(), laying.result() if laying else None
        if backdrop is not None:
            atlas, sheet = with_sheet(atlas, backdrop.colour)
        for k, (triangles, shown) in enumerate(found):
            for kind, role, texture in ((PHOTO, "photo", None), (INVENTED, f"hidden {k}" if k else "border", atlas)):
                if (shown == kind).any():
                    meshes.append(_mesh(role, triangles[shown == kind], k, ground, texture, k))
        for kind, role in ((FRONT, "soft"), (BACK, "cleaned")):
            triangles = np.concatenate([triangles[shown == kind] for triangles, shown in found])
            layer = np.repeat(np.arange(len(found)), [int((shown == kind).sum()) for _, shown in found])
            if len(triangles) and softening is not None:
                meshes.append(_mesh(role, triangles, layer, ground, softening.result(), kind))
        if backdrop is not None:
            meshes.append(_backdrop_mesh(backdrop, image, photo, sheet))
    top, left, height, width = image.frame
    disparity = image.layers[0].disparity[top : top + height, left : left + width]
    middle = disparity[height * 3 // 8 : height * 5 // 8 + 1, width * 3 // 8 : width * 5 // 8 + 1]
    return LayeredMesh(
        photo.name, tuple(meshes), photo.camera, atlas.texture, float(1 / np.percentile(disparity[::2, ::2], 99.95)),
        float(1 / np.median(middle)), max(float(mesh.vertices[:, 2].max()) for mesh in meshes), metric,
        softening.result().texture if softening else None,
    )  # fmt: skip


def _triangles(layer: Layer, k: int, corners: Vertices, tolerance: float, texels: float) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) vertex numbers and (T,) uint8 what the triangle shows (PHOTO, INVENTED, FRONT, BACK).

    A block beside smaller ones is a fan round its centre, so that it meets their vertices; the others are two triangles.
    """
    slots, stride, kinds = corners.slots[k], layer.present.shape[1] + 1, layer.shown
    triangles, shown = [], []
    for each in find_leaves(layer, k, corners, tolerance, texels):
        r, c, n = each.row, each.column, each.size
        four = [slots[TL, r, c], slots[TR, r, c + n - 1], slots[BR, r + n - 1, c + n - 1], slots[BL, r + n - 1, c]]
        kind = kinds[r, c]
        plain = ~each.finer.any(axis=1)
        falling = each.falling if n > 1 else _better_diagonal(four, corners)
        for falls, picks in ((True, ((0, 3, 2), (0, 2, 1))), (False, ((0, 3, 1), (1, 3, 2)))):
            chosen = plain & (falling == falls)
            for pick in picks:
                triangles.append(np.stack([four[i][chosen] for i in pick], axis=1))
                shown.append(kind[chosen])
        if plain.all():
            continue
        half, fan = n // 2, ~plain
        base = k * corners.regular[0].size + r * stride + c
        middle = base + half * stride + half
        between = (base + half, base + half * stride + n, base + n * stride + half, base + half * stride)
        for side in range(4):
            a, b = four[side], four[(side + 1) % 4]
            one, two = fan & ~each.finer[:, side], fan & each.finer[:, side]
            for chosen, p, q in ((one, b, a), (two, between[side], a), (two, b, between[side])):
                triangles.append(np.stack([p[chosen], q[chosen], middle[chosen]], axis=1))
                shown.append(kind[chosen])
    return np.concatenate(triangles), np.concatenate(shown)


def _better_diagonal(four: list[np.ndarray], corners: Vertices) -> np.ndarray:
    """(n,) bool: whether single pixels, whose corners may be shifted, are split from top left to bottom right.

    Of the two ways the one whose smaller triangle is larger: a corner pushed inwards can turn a triangle over.
    """
    falling = np.ones(len(four[0]), bool)
    odd = np.flatnonzero(np.any([f >= len(corners.regular) * corners.regular[0].size for f in four], axis=0))
    places = [np.stack(corners.place(f[odd])[:2]) for f in four]
    area = lambda a, b, c: (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]  # in (row, column): positive as seen
    tl, tr, br, bl = places
    falls, rises = (np.minimum(area(tl, bl, br), area(tl, br, tr)), np.minimum(area(tl, bl, tr), area(tr, bl, br)))
    falling[odd] = falls >= rises
    return falling


@dataclass(frozen=True)
class _Ground:
    """What all meshes are made from."""

    image: LayeredDepthImage
    photo: Photo
    corners: Vertices
    slopes: np.ndarray | None  # (layers, h, w, 2) float32; None where no normals are wanted


def _mesh(role: str, triangles, layer, ground: _Ground, texture: Atlas | SoftTexture | None, part: int) -> TexturedMesh:
    """Triangles of one role with their own vertices, in space and on their texture; `part` of it is a layer or a side.
    `layer` of each triangle, or one of all."""
    corners, image, photo = ground.corners, ground.image, ground.photo
    used = np.zeros(len(image.layers) * corners.regular[0].size + len(corners.irregular_corner), bool)
    used[triangles.ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    row, column, disparity = corners.place(np.flatnonzero(used))
    triangles = number[triangles]
    top, left, height, width = image.frame
    u, v = (column - left) / width, (row - top) / height
    camera = photo.camera
    vertices = camera.unproject(u * camera.width, v * camera.height, 1.0 / disparity.astype(np.float64)).astype(np.float32)
    normals = None
    if ground.slopes is not None:
        x, y = (u * camera.width - camera.cx) / camera.focal_px, (v * camera.height - camera.cy) / camera.focal_px
        focal = camera.focal_px * width / camera.width
        normals = normals_at(ground.slopes, layer, row, column, triangles, disparity, x, y, focal)
    if texture is None:
        flat = np.stack([u, 1 - v], axis=1).astype(np.float32)
        return TexturedMesh(role, vertices, triangles, flat[triangles], "photo", normals)
    # a triangle's tile is that of its centre: blocks never cross a tile
    rows, columns = row[triangles], column[triangles]
    block = SOFT_BLOCK if isinstance(texture, SoftTexture) else BLOCK
    tile = (rows.mean(axis=1) // block).astype(int), (columns.mean(axis=1) // block).astype(int)
    if isinstance(texture, SoftTexture):
        uvs = texture.uvs(v[triangles] * camera.height, u[triangles] * camera.width, tile, part)
        return TexturedMesh(role, vertices, triangles, uvs, role, normals)
    origin = texture.origin[part][tile]
    size = texture.texture.shape
    uvs = np.stack([(columns + origin[:, 1:]) / size[1], 1 - (rows + origin[:, :1]) / size[0]], axis=2)
    return TexturedMesh(role, vertices, triangles, uvs.astype(np.float32), "atlas", normals)


def _backdrop_mesh(backdrop: Backdrop, image: LayeredDepthImage, photo: Photo, sheet: np.ndarray) -> TexturedMesh:
    """The backdrop's cells, two triangles each; `sheet` is the part of the atlas that it shows: u, v of its top left and
    bottom right."""
    top, left, height, width = image.frame
    rows, columns = backdrop.disparity.shape
    down, across = (each.ravel() for each in np.meshgrid(*backdrop.corners(image.shape, image.long_side), indexing="ij"))
    u, v = (across - left) / width * photo.camera.width, (down - top) / height * photo.camera.height
    vertices = photo.camera.unproject(u, v, 1.0 / backdrop.disparity.ravel().astype(np.float64)).astype(np.float32)
    number = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    tl, tr, bl, br = (number[r : rows - 1 + r, c : columns - 1 + c].ravel() for r, c in SLOT_STEP)
    triangles = np.concatenate([np.stack([tl, bl, br], axis=1), np.stack([tl, br, tr], axis=1)])
    y, x = (each.ravel() for each in np.meshgrid(*backdrop.texels(), indexing="ij"))
    on_sheet = np.stack([x / backdrop.colour.shape[1], y / backdrop.colour.shape[0]], axis=1)
    flat = on_sheet * (sheet[1] - sheet[0]) + sheet[0]
    return TexturedMesh("backdrop", vertices, triangles, flat[triangles].astype(np.float32), "atlas")
