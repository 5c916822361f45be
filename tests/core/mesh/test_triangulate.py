"""Triangles: seen from the photo's camera they are the photo, without a gap, a fold or a sheet across a tear."""

import numpy as np
import pytest
from layer_checks import areas, covered, filled, meshed, on_picture, torn_corners
from scenes import ALL, BORDERLESS, EVERY, HEIGHT, WIDTH

from photo_diorama.core.mesh.outlines import MAX_ERROR_LAST_RESORT
from photo_diorama.core.mesh.triangulate import triangulate
from photo_diorama.core.settings import MeshSettings

SOME = ["slanted wall", "sphere", "T-junction", "leaning wire 3 px", "nested", "ground"]


def role(layered, name: str):
    return next(mesh for mesh in layered.meshes if mesh.role == name)


@pytest.mark.parametrize("name", EVERY)
def test_every_triangle_faces_the_camera(name):
    """Counter-clockwise on the picture with v up; no triangle is turned over, none has shrunk to a line."""
    layered = meshed(name)
    for mesh in layered.meshes:
        assert mesh.vertices.dtype == np.float32 and mesh.triangles.dtype == np.int32 and len(mesh.triangles)
        assert mesh.uvs.shape == (len(mesh.triangles), 3, 2) and (mesh.vertices[:, 2] > 0).all()
        assert set(np.unique(mesh.triangles)) == set(range(len(mesh.vertices)))  # none out of range, none unused
        assert areas(on_picture(layered, mesh) * (1, -1)).min() > 1e-3, mesh.role
        assert areas(mesh.uvs.astype(np.float64)).min() > 0, mesh.role


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("name", SOME)
def test_through_the_camera_each_vertex_lands_on_its_own_uv(name, scale):
    layered = meshed(name, scale=scale)
    photo = role(layered, "photo")
    assert photo.texture == "photo" and layered.camera.width == WIDTH * scale
    from_uv = photo.uvs.astype(np.float64) * (1, -1) + (0, 1)
    from_uv *= (layered.camera.width, layered.camera.height)
    assert np.abs(from_uv - on_picture(layered, photo)).max() < 1e-3


@pytest.mark.parametrize("name", EVERY)
def test_the_photos_triangles_cover_it_exactly_once(name):
    layered = meshed(name)
    uvs = role(layered, "photo").uvs.astype(np.float64)
    assert abs(areas(uvs).sum() - 1) < 1e-6
    assert uvs.min() >= -1e-7 and uvs.max() <= 1 + 1e-7
    strictly, loosely = covered(uvs * (WIDTH, HEIGHT), WIDTH, HEIGHT)
    assert strictly.max() == 1 and loosely.min() >= 1


@pytest.mark.parametrize("name", [name for name in ALL if name != "sphere"])
def test_no_triangle_spans_a_tear(name):
    """All corners of every triangle, seen or invented, lie on one surface of the scene."""
    scene, layered = ALL[name](), meshed(name)
    values = np.sort([np.nanmedian(s) for s in scene.surfaces])
    for mesh in layered.meshes:
        surface = np.digitize(1 / mesh.vertices[:, 2], (values[1:] + values[:-1]) / 2)[mesh.triangles]
        assert (surface == surface[:, :1]).all(), mesh.role


@pytest.mark.parametrize("name", ALL)
def test_steps_within_a_triangle_are_no_larger_than_links_allow(name):
    """A pixel's corners average its linked neighbours; blocks of more pixels are flat."""
    image, layered = filled(name), meshed(name)
    for mesh in layered.meshes:
        disparity = 1 / mesh.vertices[:, 2][mesh.triangles]
        corners = on_picture(layered, mesh)
        pixels = np.maximum(np.ptp(corners, axis=1).max(axis=1), 1)
        assert (np.ptp(disparity, axis=1) <= 2.2 * image.threshold * pixels).all()


def canvas_corners(image, layered, mesh) -> np.ndarray:
    """The corner of the pixel grid that each vertex belongs to."""
    u, v = layered.camera.project(mesh.vertices.astype(np.float64))
    top, left, height, width = image.frame
    row, column = v / layered.camera.height * height + top, u / layered.camera.width * width + left
    return np.rint(row).astype(int) * (image.shape[1] + 1) + np.rint(column).astype(int)


@pytest.mark.parametrize("triangles", [0, 2000])
@pytest.mark.parametrize("name", EVERY)
def test_the_photo_is_welded_without_cracks(name, triangles):
    """Every edge is shared by two triangles that run it both ways, or lies on the frame, or along a tear whose other side runs
    it the other way, between the same two corners."""
    image, layered = filled(name), meshed(name, triangles=triangles)
    photo = role(layered, "photo")
    directed = photo.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    key = directed[:, 0] * len(photo.vertices) + directed[:, 1]
    assert len(np.unique(key)) == len(key), "two triangles run an edge the same way"
    alone = directed[~np.isin(directed[:, 1] * len(photo.vertices) + directed[:, 0], key)]
    corner = canvas_corners(image, layered, photo)[alone]
    (row, column), (top, left, height, width) = np.divmod(corner, image.shape[1] + 1), image.frame
    frame = (row == top).all(axis=1) | (row == top + height).all(axis=1)
    frame |= (column == left).all(axis=1) | (column == left + width).all(axis=1)
    tears = corner[~frame]
    assert sorted(tears.tolist()) == sorted(tears[:, ::-1].tolist()), "the sides of a tear do not meet"
    torn = [pair for pair in torn_corners(image, 0) if _within(pair, image)]
    known = {corner for pair in torn_corners(image, 0) for corner in pair}
    elsewhere = np.array([corner for corner in set(tears.ravel().tolist()) if corner not in known])
    assert triangles or not len(elsewhere)
    if len(elsewhere):  # where the number is met by the last resort alone, a junction may slide along a line that is no tear
        here, there = (np.stack(np.divmod(np.array(list(each)), image.shape[1] + 1), axis=1) for each in (elsewhere, known))
        assert np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1)).min(axis=1).max() <= MAX_ERROR_LAST_RESORT
    # and every tear is one: its two sides are not the same edge, unless it is a crack of a single segment
    if triangles == 0 and torn:
        middles = np.array([np.divmod(pair, image.shape[1] + 1) for pair in torn]).mean(axis=2)
        off = distance_to_segments(middles, *np.moveaxis(np.stack(np.divmod(tears, image.shape[1] + 1), axis=2).astype(float), 1, 0))
        assert (off > 1.2).sum() <= (0 if name in ALL else 0.02 * len(torn))


def distance_to_segments(points, start, end) -> np.ndarray:
    """(n,) distance of each point (n, 2) to the nearest of the segments from `start` to `end`, each (m, 2)."""
    if not len(points) or not len(start):
        return np.full(len(points), np.inf)
    along = end - start
    t = ((points[:, None] - start) * along).sum(axis=2) / np.maximum((along * along).sum(axis=1), 1e-9)
    return np.linalg.norm(points[:, None] - start - np.clip(t, 0, 1)[..., None] * along, axis=2).min(axis=1)


def _within(pair, image) -> bool:
    """Whether a segment lies inside the frame, and not on it."""
    top, left, height, width = image.frame
    row, column = np.divmod(np.array(pair), image.shape[1] + 1)
    middle = row.mean(), column.mean()
    return top < middle[0] < top + height and left < middle[1] < left + width


@pytest.mark.parametrize("name", EVERY)
def test_photo_and_border_meet_in_the_same_points(name):
    layered = meshed(name)
    sides = []
    for mesh in (role(layered, "photo"), role(layered, "border")):
        u, v = layered.camera.project(mesh.vertices.astype(np.float64))
        inside = (u > -1e-3) & (u < WIDTH + 1e-3) & (v > -1e-3) & (v < HEIGHT + 1e-3)
        edge = (np.minimum(np.abs(u), np.abs(u - WIDTH)) < 1e-3) | (np.minimum(np.abs(v), np.abs(v - HEIGHT)) < 1e-3)
        sides.append({tuple(p) for p in np.round(mesh.vertices[inside & edge], 5).tolist()})
    assert sides[0] == sides[1] and len(sides[0]) >= 4


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("name", SOME)
def test_the_photo_shifts_by_less_than_a_tenth_of_a_pixel_inside_triangles(name, scale):
    """UVs are linear over a triangle in space, not on the picture."""
    layered = meshed(name, scale=scale)
    photo = role(layered, "photo")
    weights = np.random.default_rng(0).dirichlet((1, 1, 1), 30)
    points = np.einsum("sk,tkc->stc", weights, photo.vertices[photo.triangles].astype(np.float64))
    u, v = layered.camera.project(points)
    uv = np.einsum("sk,tkc->stc", weights, photo.uvs.astype(np.float64))
    shift = np.hypot(uv[..., 0] * layered.camera.width - u, (1 - uv[..., 1]) * layered.camera.height - v)
    assert shift.max() < 0.1


@pytest.mark.parametrize("name", SOME)
def test_invented_triangles_read_their_own_layers_colour(name):
    """Each canvas pixel of each layer gets its own colour; a triangle's middle must read that of the pixel under it."""
    from dataclasses import replace

    image = filled(name)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    layers = [replace(layer, colour=np.dstack([rows, columns, rows * 0 + k]).astype(np.float32))
              for k, layer in enumerate(image.layers)]  # fmt: skip
    layered = triangulate(replace(image, layers=tuple(layers)), ALL[name]().photo(), True, MeshSettings(backdrop=False))
    height, width = layered.atlas.shape[:2]
    for mesh in layered.meshes:
        if mesh.texture != "atlas":
            continue
        k = 0 if mesh.role == "border" else int(mesh.role.split()[1])
        middle = mesh.uvs.mean(axis=1, dtype=np.float64)
        read = layered.atlas[((1 - middle[:, 1]) * height).astype(int), (middle[:, 0] * width).astype(int)]
        u, v = on_picture(layered, mesh).mean(axis=1).T
        row, column = np.floor(v + image.frame[0]).astype(int), np.floor(u + image.frame[1]).astype(int)
        own = layers[k].present[row, column]
        assert own.mean() > 0.9 and np.array_equal(read[own], layers[k].colour[row, column][own])


@pytest.mark.parametrize("name", SOME)
def test_more_density_never_means_fewer_triangles(name):
    """Up to a few: vertices collapse in another order."""
    counts = np.array([meshed(name, density=density).triangle_count for density in (0.1, 0.5, 1.0, 2.0, 10.0)])
    assert (counts[1:] > 0.9 * np.maximum.accumulate(counts)[:-1] - 4).all() and counts.min() > 0
    if name in ("sphere",):
        assert counts[-1] > 3 * counts[0]


def test_a_plane_takes_few_triangles_and_a_wire_does_not_refine_the_wall():
    assert meshed("ground", BORDERLESS).triangle_count < 0.25 * 2 * HEIGHT * WIDTH
    assert meshed("wire 1 px", BORDERLESS).triangle_count < 0.25 * 2 * HEIGHT * WIDTH
    flat = meshed("two planes", BORDERLESS)
    assert len(role(flat, "photo").triangles) < 0.25 * 2 * HEIGHT * WIDTH


def test_facts_of_the_whole():
    layered = meshed("two planes")
    assert layered.name == "scene" and layered.metric and layered.camera.width == WIDTH
    assert layered.nearest == pytest.approx(1) and layered.farthest == pytest.approx(4, rel=1e-3)
    assert layered.focus == pytest.approx(1)
    assert [mesh.role for mesh in layered.meshes] == ["photo", "border", "hidden 1"]
    assert layered.vertex_count == sum(len(mesh.vertices) for mesh in layered.meshes)
    assert [mesh.role for mesh in meshed("two planes", BORDERLESS).meshes] == ["photo", "hidden 1"]


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("sphere", "ground")])
def test_hidden_corners_stay_behind_the_photos_surface(name):
    """Seen from the photo's camera nothing invented comes out in front."""
    layered = meshed(name)
    scene = ALL[name]()
    for mesh in layered.meshes[2:]:
        u, v = layered.camera.project(mesh.vertices[mesh.triangles].mean(axis=1).astype(np.float64))
        inside = (u > 0) & (u < WIDTH) & (v > 0) & (v < HEIGHT)
        z = mesh.vertices[mesh.triangles].mean(axis=1)[:, 2]
        seen = 1 / scene.disparity[np.clip(v, 0, HEIGHT - 1).astype(int), np.clip(u, 0, WIDTH - 1).astype(int)]
        assert (z[inside] >= seen[inside] * (1 - 1e-3)).mean() > 0.97


def test_normals_come_only_when_light_will_show_them():
    for lit in (False, True):
        assert all((mesh.normals is not None) == lit for mesh in meshed("sphere", lit=lit).meshes)
