"""LayeredMesh: the layered depth image as textured triangles, ready to be a scene."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from ..camera.camera import Camera
from ..layers.layered_depth_image import ADDED_ROLE, BACK, FRONT, INVENTED, PHOTO, LayeredDepthImage
from ..layers.soft_silhouettes import Matte
from ..photo.photo import Photo
from ..settings import MeshSettings
from ..threads import thread_count
from .atlas import PADDING, Atlas, add_sheet, pack_atlas
from .backdrop import Backdrop, lay_backdrop
from .normals import find_slopes, vertex_normals
from .quadtree import FLATNESS, Pieces, cut_into_blocks
from .simplify import BLOCKS_PART, simplify_pieces
from .soft_texture import SoftTexture, pack_soft
from .texture_layout import TextureLayout, layout_of_photo
from .vertices import SLOT_STEP, Vertices, find_vertices


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
    layouts: dict[str, TextureLayout] = field(default_factory=dict)  # by texture: where its texels lie in the photo

    @property
    def triangle_count(self) -> int:
        return sum(len(mesh.triangles) for mesh in self.meshes)

    @property
    def vertex_count(self) -> int:
        return sum(len(mesh.vertices) for mesh in self.meshes)


def triangulate(
    image: LayeredDepthImage, photo: Photo, metric: bool, settings: MeshSettings, matte: Matte | None = None, lit: bool = False
) -> LayeredMesh:
    """The surfaces as textured triangles; with `lit` they have their own normals, which only light makes visible."""
    uncut = pack_textures(image, photo, settings.backdrop, matte)
    return lay_out(cut_triangles(uncut, photo, settings), image, photo, metric, lit)


@dataclass(frozen=True)
class UncutSurfaces:
    """What triangles are cut from, however many are wanted."""

    image: LayeredDepthImage
    corners: Vertices
    atlas: Atlas
    soft: SoftTexture | None
    backdrop: Backdrop | None


@dataclass(frozen=True)
class Triangles:
    """The triangles of all layers on the canvas, and the textures that they show."""

    pieces: Pieces
    row: np.ndarray  # (V,) float64, canvas corners, of each vertex
    column: np.ndarray  # (V,) float64
    disparity: np.ndarray  # (V,) float32
    atlas: Atlas
    soft: SoftTexture | None
    backdrop: Backdrop | None
    sheet: np.ndarray | None  # the part of the atlas that the backdrop shows: u, v of its top left and bottom right


def pack_textures(image: LayeredDepthImage, photo: Photo, backdrop: bool, matte: Matte | None = None) -> UncutSurfaces:
    """The vertices that triangles may have, the textures that they show, and the `backdrop` where it is wanted and nothing is
    transparent."""
    with ThreadPoolExecutor(thread_count()) as pool:  # NumPy works outside Python's lock
        packing = pool.submit(pack_atlas, image)
        laying = pool.submit(lay_backdrop, image) if backdrop and image.see_through is None else None
        softening = pool.submit(pack_soft, image, photo, matte) if matte is not None else None
        corners = find_vertices(image)
        soft = None if softening is None else softening.result()
        sheet = None if laying is None else laying.result()
        return UncutSurfaces(image, corners, packing.result(), soft, sheet)


def cut_triangles(uncut: UncutSurfaces, photo: Photo, settings: MeshSettings) -> Triangles:
    """The surfaces as triangles, none across a cut, with shared vertices where pixels are linked: as many as wanted, or as needed."""
    image, corners, atlas, soft, backdrop = uncut.image, uncut.corners, uncut.atlas, uncut.soft, uncut.backdrop
    texels = photo.camera.width / image.frame[3]
    tolerance = FLATNESS * image.span / (1 if settings.triangles else settings.density)
    wanted = settings.triangles and max(1, settings.triangles - (backdrop.triangle_count if backdrop else 0))
    with ThreadPoolExecutor(thread_count()) as pool:
        pieces = _blocks(image, corners, tolerance, texels, wanted, pool)
    pieces = simplify_pieces(pieces, image, corners, (atlas, soft), tolerance, texels, wanted)
    sheet = None
    if backdrop is not None:
        above = len(atlas.texture)
        atlas, sheet = add_sheet(atlas, backdrop.colour)
        places = backdrop.layout(image, (above + PADDING, PADDING), atlas.layout.size, PADDING)
        atlas = replace(atlas, layout=atlas.layout.with_places(places))
    vertex, number = _renumber(pieces.triangles, corners.count)
    pieces = replace(pieces, triangles=number[pieces.triangles])
    return Triangles(pieces, *corners.place(vertex), atlas, soft, backdrop, sheet)


def lay_out(cut: Triangles, image: LayeredDepthImage, photo: Photo, metric: bool, lit: bool = False) -> LayeredMesh:
    """The triangles of a picture in space and on their textures, a mesh for each role; `lit` as in `triangulate`."""
    atlas, soft, backdrop = cut.atlas, cut.soft, cut.backdrop
    slopes = find_slopes(image, photo.camera) if lit else None
    meshes = [_mesh(role, own, cut, image, photo, slopes, {"photo": None, "soft": soft, "cleaned": soft}.get(role, atlas), part)
              for role, own, part in _roles(cut.pieces, image)]  # fmt: skip
    if backdrop is not None and cut.sheet is not None:
        meshes.append(_backdrop_mesh(backdrop, image, photo, cut.sheet))
    layouts = {"photo": layout_of_photo(photo.camera.height, photo.camera.width), "atlas": atlas.layout}
    if soft is not None:
        layouts["soft"] = soft.layout
    top, left, height, width = image.frame
    disparity = image.layers[0].disparity[top : top + height, left : left + width]
    middle = disparity[height * 3 // 8 : height * 5 // 8 + 1, width * 3 // 8 : width * 5 // 8 + 1]
    return LayeredMesh(
        photo.name, tuple(meshes), photo.camera, atlas.texture, float(1 / np.percentile(disparity[::2, ::2], 99.95)),
        float(1 / np.median(middle)), max(float(mesh.vertices[:, 2].max()) for mesh in meshes), metric,
        None if soft is None else soft.texture, layouts=layouts,
    )  # fmt: skip


def _blocks(image: LayeredDepthImage, corners: Vertices, tolerance: float, texels: float, wanted: int, pool) -> Pieces:
    """The blocks of all layers, a part of the tolerance off; finer where more triangles are wanted than that has."""
    tolerance *= BLOCKS_PART
    while True:
        # what is invented need not be as exact as what was seen, neither in depth nor in the place of its texture
        jobs = [(layer, k, corners, tolerance * (2 if k else 1), texels / (2 if k else 1)) for k, layer in enumerate(image.layers)]
        pieces = Pieces.joined(list(pool.map(lambda job: cut_into_blocks(*job), jobs)))
        if len(pieces.triangles) >= wanted or tolerance == 0:
            return pieces
        tolerance = tolerance / 8 if tolerance > FLATNESS * image.span / 1000 else 0.0


def _roles(pieces: Pieces, image: LayeredDepthImage):
    """Yields role, (T,) bool which pieces, and the part of the texture: a layer, or a side at soft silhouettes."""
    for k in range(int(pieces.layer.max()) + 1):
        for kind, role in ((PHOTO, "photo"), (INVENTED, f"hidden {k}" if k else "border")):
            own = (pieces.layer == k) & (pieces.shown == kind)
            role = f"{ADDED_ROLE} {image.layers[k].name}" if image.layers[k].number else role
            if own.any():
                yield role, own, k
    for kind, role in ((FRONT, "soft"), (BACK, "cleaned")):
        own = pieces.shown == kind
        if own.any():
            yield role, own, kind


def _renumber(triangles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of (T, 3) triangles in order, and (count,) int32: which number each of all has among them."""
    used = np.zeros(count, bool)
    used[triangles.ravel()] = True
    return np.flatnonzero(used), np.cumsum(used, dtype=np.int32) - 1


def _mesh(
    role: str, own: np.ndarray, cut: Triangles, image: LayeredDepthImage, photo: Photo, slopes: np.ndarray | None,
    texture: Atlas | SoftTexture | None, part: int,
) -> TexturedMesh:  # fmt: skip
    """The `own` (T,) bool triangles of one role with their own vertices, in space and on their texture; `part` of it is a layer or a
    side. `slopes` (layers, h, w, 2) float32, or None where no normals are wanted."""
    pieces = cut.pieces.only(own)
    vertex, number = _renumber(pieces.triangles, len(cut.row))
    row, column, disparity, triangles = cut.row[vertex], cut.column[vertex], cut.disparity[vertex], number[pieces.triangles]
    top, left, height, width = image.frame
    u, v = (column - left) / width, (row - top) / height
    camera = photo.camera
    vertices = camera.unproject(u * camera.width, v * camera.height, 1.0 / disparity.astype(np.float64)).astype(np.float32)
    normals = None
    if slopes is not None:
        x, y = (u * camera.width - camera.cx) / camera.focal_px, (v * camera.height - camera.cy) / camera.focal_px
        focal = camera.focal_px * width / camera.width
        normals = vertex_normals(slopes, pieces.layer, row, column, triangles, disparity, x, y, focal)
    if texture is None:
        flat = np.stack([u, 1 - v], axis=1).astype(np.float32)
        return TexturedMesh(role, vertices, triangles, flat[triangles], "photo", normals)
    rows, columns, tile = row[triangles], column[triangles], tuple(pieces.tile.T)
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
