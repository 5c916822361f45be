"""What was painted on a texture goes where it was painted, texel by texel, whatever the layout becomes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from layer_checks import filled
from scenes import ALL, BORDERED, BORDERLESS

from photo_diorama.core.mesh.atlas import pack_atlas
from photo_diorama.core.mesh.quadtree import BLOCK
from photo_diorama.core.mesh.texture_layout import PaintedTexels, TextureLayout, carry_over, layout_of_boxes, layout_of_photo, shown_texels
from photo_diorama.core.mesh.triangulate import triangulate
from photo_diorama.core.settings import MeshSettings

NARROW = replace(BORDERED, border=0.1)


def texels_of(image, atlas, layer: int, inside) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns on the atlas of the invented pixels of a layer that lie `inside` the photo's rows and columns."""
    top, left, _, _ = image.frame
    r, c = np.nonzero(image.layers[layer].synthesised)
    own = (r - top >= inside[0]) & (r - top < inside[1]) & (c - left >= inside[2]) & (c - left < inside[3])
    r, c = r[own], c[own]
    origin = atlas.origin[layer, r // BLOCK, c // BLOCK]
    return r + origin[:, 0], c + origin[:, 1]


def painted_on(image, atlas, layer: int, inside) -> PaintedTexels:
    """Each texel there gets a colour of its own."""
    mask, colour = np.zeros(atlas.layout.size, bool), np.zeros(atlas.texture.shape, np.float32)
    at = texels_of(image, atlas, layer, inside)
    assert len(at[0])
    mask[at] = True
    colour[at] = np.random.default_rng(1).random((len(at[0]), 3), np.float32)
    return PaintedTexels(mask, colour)


@pytest.mark.parametrize("name", ["nested", "sphere", "T-junction"])
@pytest.mark.parametrize("backdrop", [True, False])
def test_the_layout_says_where_the_triangles_show_each_texel(name, backdrop):
    """The corners of each triangle: their place on the texture, looked up in the layout, is where the photo's camera sees them."""
    image, photo = filled(name), ALL[name]().photo(1)
    mesh = triangulate(image, photo, True, MeshSettings(backdrop=backdrop))
    layout = mesh.layouts["atlas"]
    assert layout.size == mesh.atlas.shape[:2]
    for part in mesh.meshes:
        if part.texture != "atlas":
            continue
        middle = part.uvs.mean(axis=1)
        texel = np.stack([(1 - middle[:, 1]) * layout.size[0], middle[:, 0] * layout.size[1]], axis=1)
        u, v = mesh.camera.project(part.vertices.astype(np.float64))
        seen = np.stack([v / mesh.camera.height, u / mesh.camera.width], axis=1)[part.triangles].mean(axis=1)
        number = {"border": 0, "backdrop": None}.get(part.role, part.role.split()[-1])
        own = layout.surface <= -2 if number is None else layout.surface == int(number)
        boxes, places = layout.texels[own], layout.photo[own]
        inside = (texel[:, None] >= boxes[:, :2]) & (texel[:, None] <= boxes[:, :2] + boxes[:, 2:])
        inside = inside.all(axis=2)
        assert inside.any(axis=1).all(), part.role
        at = inside.argmax(axis=1)
        said = places[at, :2] + (texel - boxes[at, :2]) / boxes[at, 2:] * (places[at, 2:] - places[at, :2])
        assert np.abs(said - seen).max() * 160 < 0.05, part.role


def test_the_same_layout_takes_everything_as_it_is():
    image = filled("sphere")
    atlas = pack_atlas(image)
    painted = painted_on(image, atlas, 1, (0, 120, 0, 160))
    carried, left = carry_over(painted, atlas.layout, pack_atlas(image).layout)
    assert np.array_equal(carried.mask, painted.mask) and np.array_equal(carried.colour, painted.colour) and not left.any()


@pytest.mark.parametrize("name", ["nested", "sphere", "T-junction"])
@pytest.mark.parametrize("settings", [NARROW, BORDERLESS], ids=["narrow", "borderless"])
def test_another_border_moves_every_texel_and_none_is_lost(name, settings):
    image, other = filled(name), filled(name, settings)
    atlas, new = pack_atlas(image), pack_atlas(other)
    part = (30, 75, 40, 100)
    painted = painted_on(image, atlas, 1, part)
    assert not atlas.layout.equals(new.layout)
    carried, left = carry_over(painted, atlas.layout, new.layout)
    old_at, new_at = texels_of(image, atlas, 1, part), texels_of(other, new, 1, part)
    assert len(old_at[0]) == len(new_at[0]) and not left.any()
    assert carried.mask[new_at].all() and np.array_equal(carried.colour[new_at], painted.colour[old_at])
    # all else that is marked repeats these as the surroundings of a rectangle
    assert len(np.unique(carried.colour[carried.mask], axis=0)) <= len(np.unique(painted.colour[painted.mask], axis=0))


def test_what_has_no_place_any_more_is_told_texel_by_texel():
    image, other = filled("sphere"), filled("sphere", NARROW)
    atlas, new = pack_atlas(image), pack_atlas(other)
    painted = painted_on(image, atlas, 0, (-100, 300, -100, 300))  # the whole border
    _, left = carry_over(painted, atlas.layout, new.layout)
    kept = texels_of(image, atlas, 0, (-12, 132, -12, 172))
    assert left.any() and not left[kept].any() and (painted.mask & ~left).any() and not (left & ~painted.mask).any()


@pytest.mark.parametrize("scale", [2.0, 1.5, 0.5])
def test_on_a_photo_of_another_size_a_square_stays_within_a_pixel(scale):
    mask, colour = np.zeros((120, 160), bool), np.full((120, 160, 3), 7.0, np.float32)
    mask[30:60, 40:90], colour[30:60, 40:90] = True, (0.25, 0.5, 0.75)
    height, width = round(120 * scale), round(160 * scale)
    carried, left = carry_over(PaintedTexels(mask, colour), layout_of_photo(120, 160), layout_of_photo(height, width))
    rows, columns = np.nonzero(carried.mask)
    ends = np.array([rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]) / scale
    assert np.abs(ends - (30, 60, 40, 90)).max() <= 1 and carried.mask[rows.min() : rows.max(), columns.min() : columns.max()].all()
    assert np.abs(carried.colour[carried.mask] - (0.25, 0.5, 0.75)).max() < 1e-5 and not left.any()


def test_paint_beside_the_rectangles_is_dropped():
    image = filled("sphere")
    atlas, new = pack_atlas(image), pack_atlas(filled("sphere", NARROW))
    mask = np.ones(atlas.layout.size, bool)
    for row, column, height, width in atlas.layout.texels:
        mask[row - 4 : row + height + 4, column - 4 : column + width + 4] = False
    carried, left = carry_over(PaintedTexels(mask, np.ones(atlas.texture.shape, np.float32)), atlas.layout, new.layout)
    assert not carried.mask.any() and not left.any()


def test_a_layout_comes_back_from_json_and_a_damaged_one_is_none():
    layout = pack_atlas(filled("nested")).layout
    values = json.loads(json.dumps(layout.values()))
    again = TextureLayout.from_values(values)
    assert again.equals(layout) and again.padding == layout.padding
    for damage in ({}, None, {**values, "size": [4, 4]}, {**values, "places": [[1, 2]]}, {**values, "places": "x"}):
        assert TextureLayout.from_values(damage) is None
    far = [[*row[:5], *(float("nan"),) * 4] for row in values["places"]]
    assert TextureLayout.from_values({**values, "places": far}) is None


def test_what_a_surface_does_not_show_any_more_has_no_place_though_its_rectangle_goes_on():
    """Rectangles are larger than outlines: of a painted square the half beyond the new outline was lost without a word."""
    frame = (0, 0, 32, 32)
    old = layout_of_boxes((40, 40), [1], [(4, 4, 32, 32)], [(0, 0, 32, 32)], frame, 4)
    finer = layout_of_boxes((72, 72), [1], [(4, 4, 64, 64)], [(0, 0, 32, 32)], frame, 4)
    mask, was_shown = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    mask[10:20, 10:20] = was_shown[4:36, 4:30] = True
    painted = PaintedTexels(mask, np.full((40, 40, 3), 0.5, np.float32))
    for new, scale in ((old, 1), (finer, 2)):
        shown = np.zeros(new.size, bool)
        shown[4:, 4 : 4 + 11 * scale] = True  # up to the old column 15
        _, left = carry_over(painted, old, new, was_shown, shown)
        rows, columns = np.nonzero(left)
        assert (rows.min(), rows.max(), columns.max()) == (10, 19, 19) and columns.min() in (15, 16)
        assert not carry_over(painted, old, new, was_shown, np.ones(new.size, bool))[1].any()
        assert not carry_over(painted, old, new, ~mask & was_shown, shown)[1].any(), "what nobody saw is no loss"


def test_shown_texels_are_those_of_the_triangles():
    corners = np.array([[[0.25, 0.75], [0.75, 0.75], [0.75, 0.25]], [[0.25, 0.75], [0.75, 0.25], [0.25, 0.25]]], np.float32)
    shown = shown_texels(corners, (40, 80))
    assert shown[10:30, 20:60].all() and not shown[:9].any() and not shown[32:].any() and not shown[:, :19].any()
    assert not shown_texels(np.zeros((0, 3, 2), np.float32), (4, 4)).any()
