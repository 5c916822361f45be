"""Cut-outs: what is transparent has no surface, and what lies under it is nobody's colour."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photo_diorama.core.layers.layered_depth_image import STEPS
from photo_diorama.core.pipeline import build_diorama
from photo_diorama.core.settings import LayerSettings, Settings

CASES = Path(__file__).parents[1] / "photo" / "cases"
SETTINGS = Settings(layers=LayerSettings(long_side=200)).with_values({"inpainter": "diffusion", "hidden_depth": "nearest"})


def cut_out(folder: Path, hidden: tuple[int, int, int]) -> tuple[Path, Path]:
    """The cut-out with another colour under its alpha of 0."""
    pixels = np.asarray(Image.open(CASES / "c16.png")).copy()
    clear = pixels[..., 3] == 0
    pixels[clear] = (*hidden, 0)
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / "c16.png")
    return folder / "c16.png", CASES / "c16_depth.png"


@pytest.fixture(scope="module")
def built():
    return build_diorama(CASES / "c16.png", CASES / "c16_depth.png", SETTINGS)


@pytest.mark.parametrize("soft", [-1.0, 0.02])
def test_without_a_depth_file_a_cut_out_has_its_own_soft_edge_and_no_other(tmp_path, soft):
    """Soft silhouettes of estimated depth had pieces of wrong colour outside the cut-out."""
    alone = build_diorama(cut_out(tmp_path, (255, 0, 255))[0], None, SETTINGS.with_values({"soft_edge": soft}))
    assert "soft" not in {mesh.role for mesh in alone.mesh.meshes}
    test_nothing_stands_where_nothing_is_seen(alone)


def test_nothing_stands_where_nothing_is_seen(built):
    alpha = built.photo.alpha
    camera = built.photo.camera
    assert "backdrop" not in {mesh.role for mesh in built.mesh.meshes}
    clear = alpha == 0
    reach = 4 * max(alpha.shape) // 200 + 2
    import cv2

    deep = cv2.erode(clear.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
    assert deep.mean() > 0.1
    for mesh in built.mesh.meshes:
        middle = mesh.vertices[mesh.triangles].mean(axis=1)
        x = np.floor(middle[:, 0] / middle[:, 2] * camera.focal_px + camera.cx).astype(int)
        y = np.floor(middle[:, 1] / middle[:, 2] * camera.focal_px + camera.cy).astype(int)
        within = (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
        assert not deep[y[within], x[within]].any(), mesh.role


def test_nothing_is_invented_behind_what_one_sees_through(built):
    for layer in built.image.layers[1:]:
        assert not (layer.present & built.image.see_through).any()


def test_the_silhouette_of_the_cut_out_is_torn(built):
    layer = built.image.layers[0]
    assert not layer.present.all()
    for side, (rows, columns) in enumerate(STEPS):
        there = np.roll(layer.present, (-rows, -columns), (0, 1))
        assert (layer.links[side][layer.present & ~there] == -1).all() and (layer.links[side][~layer.present] == -1).all()


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 0, 255)])
def test_colours_under_an_alpha_of_0_change_nothing(tmp_path, built, hidden):
    other = build_diorama(*cut_out(tmp_path / "a", hidden), SETTINGS)
    for one, two in zip(built.image.layers, other.image.layers, strict=True):
        assert np.array_equal(one.present, two.present)
        assert np.array_equal(one.colour[one.present], two.colour[two.present])
        assert np.array_equal(one.disparity[one.present], two.disparity[two.present])
    assert np.array_equal(built.photo.colour, other.photo.colour)


def test_an_opaque_photo_has_its_backdrop(tmp_path):
    Image.open(CASES / "c16.png").convert("RGB").save(tmp_path / "c16.png")
    opaque = build_diorama(tmp_path / "c16.png", CASES / "c16_depth.png", SETTINGS)
    assert "backdrop" in {mesh.role for mesh in opaque.mesh.meshes} and opaque.image.see_through is None
