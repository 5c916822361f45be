"""The sheet behind everything: never in front of anything, over the whole canvas, in the colours of what is farthest."""

import numpy as np
import pytest
from layer_checks import covered, filled, meshed, on_picture
from scenes import BORDERED, EVERY, slanted_ground, two_planes

from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.mesh.backdrop import APRON, FADE, farthest_surface, lay_backdrop
from photo_diorama.core.settings import InpaintSettings, LayerSettings


@pytest.mark.parametrize("name", EVERY)
def test_the_whole_sheet_is_behind_everything(name):
    image = filled(name)
    sheet, (farthest, _) = lay_backdrop(image), farthest_surface(image)
    rows, columns = sheet.corners(image.shape, image.long_side)
    assert rows[1] == columns[1] == 0 and (rows[-2], columns[-2]) == image.shape
    for i in range(1, len(rows) - 2):
        for j in range(1, len(columns) - 2):
            here = farthest[int(rows[i]) : int(np.ceil(rows[i + 1])), int(columns[j]) : int(np.ceil(columns[j + 1]))]
            assert sheet.disparity[i : i + 2, j : j + 2].max() < here.min()
    assert sheet.disparity.min() > 0


def test_it_covers_the_photo_its_border_and_an_apron():
    image, layered = filled("two planes"), meshed("two planes", backdrop=True)
    mesh = next(mesh for mesh in layered.meshes if mesh.role == "backdrop")
    places = on_picture(layered, mesh)
    top, left, height, width = image.frame
    low, high = places.min(axis=(0, 1)), places.max(axis=(0, 1))
    scale, apron = layered.camera.width / width, APRON * max(height, width)
    assert np.allclose(low, [-(left + apron) * scale, -(top + apron) * scale], atol=1e-3)
    assert np.allclose(high, [(image.shape[1] - left + apron) * scale, (image.shape[0] - top + apron) * scale], atol=1e-3)
    strictly, loosely = covered(places, layered.camera.width, layered.camera.height)
    assert strictly.max() == 1 and loosely.min() >= 1


def test_no_colour_of_the_foreground_beside_its_silhouette():
    box = (30, 50, 90, 110)
    scene = two_planes(box)
    image, _ = inpaint(scene.split(BORDERED), BORDERED, InpaintSettings())
    sheet = lay_backdrop(image)
    top, left, _, _ = image.frame
    colour = sheet.colour[FADE:-FADE, FADE:-FADE]
    inner = np.zeros(colour.shape[:2], bool)
    reach = 12  # a hidden width and a texel of averaging: what lies further inside nobody has seen or invented
    r0, c0, r1, c1 = (box[0] + top + reach, box[1] + left + reach, box[2] + top - reach, box[3] + left - reach)
    inner[r0 // 4 : -(-r1 // 4), c0 // 4 : -(-c1 // 4)] = True
    assert inner.any() and colour[~inner][:, 0].max() < 0.02  # red is the foreground's alone
    assert colour[~inner][:, 2].min() > 0.05


def test_it_shows_its_own_part_of_the_atlas():
    image, layered = filled("nested"), meshed("nested", backdrop=True)
    sheet = lay_backdrop(image).colour
    mesh = next(mesh for mesh in layered.meshes if mesh.role == "backdrop")
    height, width = layered.atlas.shape[:2]
    low, high = mesh.uvs.reshape(-1, 2).min(axis=0), mesh.uvs.reshape(-1, 2).max(axis=0)
    columns, rows = (low[0] * width, high[0] * width), ((1 - high[1]) * height, (1 - low[1]) * height)
    part = layered.atlas[round(rows[0]) : round(rows[1]), round(columns[0]) : round(columns[1])]
    assert np.array_equal(part, sheet)


def test_an_image_that_hides_nothing_has_one_too():
    settings = LayerSettings(tear=0.5, border=0.0)
    image, _ = inpaint(slanted_ground().split(settings), settings, InpaintSettings())
    sheet, (farthest, colour) = lay_backdrop(image), farthest_surface(image)
    assert len(image.layers) == 1 and 0 < sheet.disparity.max() < farthest.max()
    assert colour.min() - 0.02 < sheet.colour.min() and sheet.colour.max() < colour.max() + 0.02


@pytest.mark.parametrize("place", [(0.09, 0.09, -0.3), (-0.1, 0, -0.3), (0.09, -0.09, 0.3), (0, 0.09, -0.3)])
def test_no_camera_of_any_move_sees_past_it(place):
    """Places in nearest distances: what moves of amount 2 reach."""
    layered = meshed("two planes", backdrop=True)
    mesh, camera = next(mesh for mesh in layered.meshes if mesh.role == "backdrop"), layered.camera
    moved = mesh.vertices - np.array(place) * layered.nearest
    u, v = camera.project(moved.astype(np.float64))
    strictly, loosely = covered(np.stack([u, v], 1)[mesh.triangles], camera.width, camera.height)
    assert loosely.min() >= 1


def test_switched_off_all_else_is_as_it_was():
    with_, without = (meshed("two planes", backdrop=b).meshes for b in (True, False))
    assert [mesh.role for mesh in with_] == [mesh.role for mesh in without] + ["backdrop"]
    for one, other in zip(with_, without, strict=False):
        assert np.array_equal(one.vertices, other.vertices) and np.array_equal(one.triangles, other.triangles)
