"""The sheet behind everything: never in front of anything, over the whole canvas, in the colours of what is farthest."""

import numpy as np
import pytest
from layer_checks import covered, filled, meshed, on_picture
from scenes import BORDERED, EVERY, slanted_ground, two_planes

from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.mesh.backdrop import farthest_surface, lay_backdrop
from photo_diorama.core.settings import InpaintSettings, LayerSettings


@pytest.mark.parametrize("name", EVERY)
def test_the_whole_sheet_is_behind_everything(name):
    image = filled(name)
    sheet, (farthest, _) = lay_backdrop(image), farthest_surface(image)
    if sheet is None:
        assert len(image.layers) == 1
        return
    rows, columns = (np.linspace(0, n, m) for n, m in zip(image.shape, sheet.disparity.shape, strict=True))
    for i in range(len(rows) - 1):
        for j in range(len(columns) - 1):
            here = farthest[int(rows[i]) : int(np.ceil(rows[i + 1])), int(columns[j]) : int(np.ceil(columns[j + 1]))]
            assert sheet.disparity[i : i + 2, j : j + 2].max() < here.min()
    assert sheet.disparity.min() > 0


def test_it_covers_the_photo_and_its_border():
    image, layered = filled("two planes"), meshed("two planes", backdrop=True)
    mesh = next(mesh for mesh in layered.meshes if mesh.role == "backdrop")
    places = on_picture(layered, mesh)
    top, left, height, width = image.frame
    low, high = places.min(axis=(0, 1)), places.max(axis=(0, 1))
    scale = layered.camera.width / width
    assert np.allclose(low, [-left * scale, -top * scale], atol=1e-3)
    assert np.allclose(high, [(image.shape[1] - left) * scale, (image.shape[0] - top) * scale], atol=1e-3)
    strictly, loosely = covered(places, layered.camera.width, layered.camera.height)
    assert strictly.max() == 1 and loosely.min() >= 1


def test_no_colour_of_the_foreground_beside_its_silhouette():
    box = (30, 50, 90, 110)
    scene = two_planes(box)
    image, _ = inpaint(scene.split(BORDERED), BORDERED, InpaintSettings())
    sheet = lay_backdrop(image)
    top, left, _, _ = image.frame
    inner = np.zeros(sheet.colour.shape[:2], bool)
    reach = 12  # a hidden width and a texel of averaging: what lies further inside nobody has seen or invented
    r0, c0, r1, c1 = (box[0] + top + reach, box[1] + left + reach, box[2] + top - reach, box[3] + left - reach)
    inner[r0 // 4 : -(-r1 // 4), c0 // 4 : -(-c1 // 4)] = True
    assert inner.any() and sheet.colour[~inner][:, 0].max() < 0.02  # red is the foreground's alone
    assert sheet.colour[~inner][:, 2].min() > 0.05


def test_it_shows_its_own_part_of_the_atlas():
    image, layered = filled("nested"), meshed("nested", backdrop=True)
    sheet = lay_backdrop(image).colour
    mesh = next(mesh for mesh in layered.meshes if mesh.role == "backdrop")
    height, width = layered.atlas.shape[:2]
    low, high = mesh.uvs.reshape(-1, 2).min(axis=0), mesh.uvs.reshape(-1, 2).max(axis=0)
    columns, rows = (low[0] * width, high[0] * width), ((1 - high[1]) * height, (1 - low[1]) * height)
    part = layered.atlas[round(rows[0]) : round(rows[1]), round(columns[0]) : round(columns[1])]
    assert np.array_equal(part, sheet)


def test_an_image_that_hides_nothing_needs_none():
    settings = LayerSettings(tear=0.5, border=0.0)
    image, _ = inpaint(slanted_ground().split(settings), settings, InpaintSettings())
    assert len(image.layers) == 1 and lay_backdrop(image) is None


def test_switched_off_all_else_is_as_it_was():
    with_, without = (meshed("two planes", backdrop=b).meshes for b in (True, False))
    assert [mesh.role for mesh in with_] == [mesh.role for mesh in without] + ["backdrop"]
    for one, other in zip(with_, without, strict=False):
        assert np.array_equal(one.vertices, other.vertices) and np.array_equal(one.triangles, other.triangles)
