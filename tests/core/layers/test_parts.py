"""Parts split off the photo's surface: cut wherever they meet the rest, filled behind, and nothing moves in the photo's view."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import HEIGHT, WIDTH, nested, t_junction, two_planes

from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.layers.layered_depth_image import LEFT, RIGHT, neighbour
from photo_diorama.core.layers.parts import Parts, add_part, remove_part, snap
from photo_diorama.core.pipeline import Edits, StageCache, build_diorama
from photo_diorama.core.settings import Settings

SETTINGS = Settings().with_values({"border": 0.2, "depth_kind": "metric", "rim": 0.0, "inpainter": "diffusion", "hidden_depth": "nearest"})


def box(top, bottom, left, right) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def roles(diorama) -> dict:
    return {mesh.role: mesh for mesh in diorama.mesh.meshes}


def area(meshes, camera) -> float:
    """Of the photo's picture, in pixels, with its sign: triangles that are turned over count against it."""
    total = 0.0
    for mesh in meshes:
        u, v = camera.project(mesh.vertices.astype(np.float64))
        (ax, bx, cx), (ay, by, cy) = u[mesh.triangles].T, v[mesh.triangles].T
        total += -0.5 * ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)).sum()
    return float(total)


@pytest.fixture
def files(tmp_path):
    return two_planes().saved(tmp_path)


WALL = box(20, 70, 115, 150)
"""A piece of the wall, beside the board: no jump of depth anywhere round it."""
BOARD = box(30, 90, 50, 110)


def test_without_parts_nothing_is_other(files):
    plain, parts = (build_diorama(*files, SETTINGS, edits=Edits(parts=p)) for p in (None, Parts(np.zeros((HEIGHT, WIDTH), np.uint8))))
    assert [m.role for m in plain.mesh.meshes] == [m.role for m in parts.mesh.meshes]
    for a, b in zip(plain.mesh.meshes, parts.mesh.meshes, strict=True):
        # a few triangles differ, as soft silhouettes keep to their tiles where parts may be; outlines are held to 2 px, 0.1 m here
        assert max(len(a.triangles), len(b.triangles)) <= 1.25 * min(len(a.triangles), len(b.triangles))
        assert all(np.allclose(end(a.vertices, axis=0), end(b.vertices, axis=0), atol=0.1) for end in (np.min, np.max))


@pytest.mark.parametrize("mask", [WALL, BOARD, box(40, 110, 90, 150)], ids=["flat", "board", "astride"])
def test_a_part_is_cut_out_and_all_behind_it_is_filled(files, mask):
    diorama = build_diorama(*files, SETTINGS, edits=Edits(parts=add_part(None, mask)))
    made, plain = roles(diorama), build_diorama(*files, SETTINGS)
    camera = diorama.photo.camera
    assert "part 1 photo" in made
    before = sum(area([m], camera) for m in plain.mesh.meshes if m.role in ("photo", "soft"))
    now = sum(area([m], camera) for m in diorama.mesh.meshes if m.role.split()[-1] in ("photo", "soft"))
    assert now == pytest.approx(before, rel=1e-3), "the photo is covered exactly once"
    layer = diorama.image.layers[1]
    top, left = diorama.image.frame[:2]
    filled = layer.present[top : top + HEIGHT, left : left + WIDTH]
    own = diorama.image.layers[0].part[top : top + HEIGHT, left : left + WIDTH] == 1
    assert filled[own].mean() > 0.999, "wherever the part is moved, there is something behind"
    front, behind = diorama.image.layers[0].disparity, layer.disparity
    assert (behind[layer.present] < front[layer.present]).all()


def test_a_cut_leaves_the_depth_alone_and_behind_it_the_wall_goes_on(files):
    plain, diorama = build_diorama(*files, SETTINGS), build_diorama(*files, SETTINGS, edits=Edits(parts=add_part(None, WALL)))
    assert np.array_equal(plain.image.layers[0].disparity, diorama.image.layers[0].disparity)
    layer, first = diorama.image.layers[1], diorama.image.layers[0]
    top, left = diorama.image.frame[:2]
    behind = np.zeros(layer.present.shape, bool)
    behind[top : top + HEIGHT, left : left + WIDTH] = WALL
    assert (behind & ~layer.present).sum() <= 4, "but for corners that the snapping rounds off"
    behind &= layer.present
    assert (layer.part[behind] == 0).all()
    off = np.abs(layer.disparity - first.disparity)[behind] / diorama.image.span
    assert off.max() < 0.02, "the same wall, a hair behind"
    red = layer.colour[behind]
    assert red[:, 0].max() < 0.02, "filled from the wall's own colour, none of the board's"
    joined = 0
    for side in range(4):
        rim = behind & ~neighbour(behind, side, True)
        joined += (layer.links[side][rim] == 0).mean() / 4
    assert joined > 0.95, "welded to the wall around"


def test_no_link_joins_two_parts():
    for scene in (two_planes(), nested(), t_junction()):
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[25:95, 70:140], labels[50:80, 30:90] = 1, 2
        from photo_diorama.core.inpaint.inpaint import inpaint
        from photo_diorama.core.layers.first_layer import make_first_layer

        torn = make_first_layer(scene.photo(), scene.depth(), SETTINGS.layers, Parts(labels))
        image, _ = inpaint(torn, SETTINGS.layers, SETTINGS.inpaint)
        for layer in image.layers:
            for side in range(4):
                for k, other in enumerate(image.layers):
                    to = layer.present & (layer.links[side] == k)
                    assert (neighbour(other.part, side, 255)[to] == layer.part[to]).all()
        assert set(np.unique(image.layers[0].part)) == {0, 1, 2}
        right = image.layers[0].links[RIGHT] == 0
        assert np.array_equal(neighbour(right, LEFT, False), image.layers[0].links[LEFT] == 0)


def test_an_outline_snaps_to_the_silhouette_beside_it_and_stays_where_there_is_none():
    right, down = np.ones((2, HEIGHT, WIDTH), bool)
    board = box(30, 90, 50, 110)
    right[:, :-1] &= board[:, 1:] == board[:, :-1]
    down[:-1] &= board[1:] == board[:-1]
    rough = box(28, 92, 53, 112).astype(np.uint8)
    assert np.array_equal(snap(rough, right, down, 5), board.astype(np.uint8))
    free = box(28, 92, 53, 112).astype(np.uint8)
    kept = snap(free, np.ones_like(right), np.ones_like(down), 5)
    assert (kept != free).sum() < 0.02 * free.sum()
    assert np.array_equal(snap(free * 0, right, down, 5), free * 0)


def test_parts_are_added_cover_each_other_and_are_joined_again():
    one = add_part(None, WALL)
    two = add_part(one, box(40, 110, 130, 160))
    assert set(np.unique(two.labels)) == {0, 1, 2} and (two.labels[45:65, 135:145] == 2).all()
    assert np.array_equal(remove_part(two, 2).labels == 1, two.labels == 1) and remove_part(one, 1) is None
    assert add_part(None, box(0, 60, 0, 60) | box(100, 101, 100, 101)).labels[100, 100] == 0, "a slip of the brush"
    assert one.key != two.key and one.key == add_part(None, WALL).key
    small = add_part(Parts(np.ones((HEIGHT // 2, WIDTH // 2), np.uint8)), WALL)
    assert small.labels.shape == (HEIGHT, WIDTH) and set(np.unique(small.labels)) == {1, 2}
    with pytest.raises(ValueError):
        add_part(Parts(np.full((HEIGHT, WIDTH), 99, np.uint8)), WALL)


def test_what_is_hidden_behind_something_else_goes_with_its_part(files):
    """The wall is split in two halves, cut behind the board as well."""
    diorama = build_diorama(*files, SETTINGS, edits=Edits(parts=add_part(None, box(0, 120, 80, 160) & ~BOARD)))
    layer = diorama.image.layers[1]
    top, left = diorama.image.frame[:2]
    part = layer.part[top : top + HEIGHT, left : left + WIDTH]
    there = layer.present[top : top + HEIGHT, left : left + WIDTH]
    assert (part[40:80, 100:108][there[40:80, 100:108]] == 1).all() and (part[40:80, 52:60][there[40:80, 52:60]] == 0).all()
    assert "part 1 hidden 1" in roles(diorama)


def test_the_backdrop_stays_one_sheet(files):
    with_backdrop = SETTINGS.with_values({"backdrop": True})
    made = roles(build_diorama(*files, with_backdrop, edits=Edits(parts=add_part(None, WALL))))
    assert "backdrop" in made and "part 1 backdrop" not in made
    assert len(made["backdrop"].triangles) == len(roles(build_diorama(*files, with_backdrop))["backdrop"].triangles)


def test_parts_keep_their_place_at_other_sizes(files):
    parts = add_part(None, WALL)
    small = build_diorama(*files, SETTINGS.with_values({"long_side": 80}), edits=Edits(parts=parts))
    top, left, h, w = small.image.frame
    own = small.image.layers[0].part[top : top + h, left : left + w]
    assert own.sum() == pytest.approx(WALL.sum() / 4, rel=0.08)


def test_only_what_follows_is_repeated(files):
    kept = StageCache()
    before = build_diorama(*files, SETTINGS, kept=kept)
    after = build_diorama(*files, SETTINGS, kept=kept, edits=Edits(parts=add_part(None, WALL)))
    assert after.depth is before.depth and after.mesh is not before.mesh
    again = build_diorama(*files, SETTINGS, kept=kept, edits=Edits(parts=add_part(None, WALL.copy())))
    assert again.mesh is after.mesh


def test_soft_silhouettes_go_with_their_part(files):
    soft = SETTINGS.with_values({"soft_edge": 0.02})
    diorama = build_diorama(*files, soft, edits=Edits(parts=add_part(None, BOARD)))
    made = roles(diorama)
    if "soft" not in roles(build_diorama(*files, soft)):
        pytest.skip("no soft silhouettes in this scene")
    assert "part 1 soft" in made
    whole = len(made["part 1 soft"].triangles) + (len(made["soft"].triangles) if "soft" in made else 0)
    assert len(made["part 1 soft"].triangles) > 0.98 * whole, "all of the fringe is the board's"


def test_a_depth_that_has_no_jump_at_all_can_be_cut(tmp_path):
    scene = two_planes()
    flat = DepthMap(np.full((HEIGHT, WIDTH), 0.4, np.float32) + np.linspace(0, 0.1, WIDTH, dtype=np.float32),
                    np.ones((HEIGHT, WIDTH), bool), True, "x")  # fmt: skip
    from photo_diorama.core.inpaint.inpaint import inpaint
    from photo_diorama.core.layers.first_layer import make_first_layer

    torn = make_first_layer(scene.photo(), flat, replace(SETTINGS.layers, hidden_width=0.0), add_part(None, BOARD))
    image, edges = inpaint(torn, replace(SETTINGS.layers, hidden_width=0.0), SETTINGS.inpaint)
    assert edges == (1,) and image.layers[1].present.sum() == (image.layers[0].part == 1).sum()
