"""A cut-out PNG as a scene: its own camera sees the photo and its alpha, others see no backdrop and no colour from under an alpha of 0."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CASES = Path(__file__).parents[1] / "core" / "photo" / "cases"


@pytest.fixture
def film(blender, tmp_path):
    """Renders the scene's camera by Cycles ; (h, w, 4) float, 0 to 255, straight alpha."""

    def render(samples: int = 1) -> np.ndarray:
        scene = blender.context.scene
        scene.render.engine, scene.render.dither_intensity = "CYCLES", 0
        scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.use_denoising = samples, False, False
        scene.cycles.device, scene.cycles.transparent_max_bounces = "CPU", 8
        scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
        scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
        scene.render.filepath = str(tmp_path / "view.png")
        blender.ops.render.render(write_still=True)
        return np.asarray(Image.open(tmp_path / "view.png")).astype(float)

    return render


@pytest.fixture
def cut_out(import_photo):
    def build(**options):
        return import_photo(CASES / "c16.png", CASES / "c16_depth.png", shader="emission", set_up_scene=True, long_side=200, **options)

    return build


def test_the_photos_camera_sees_the_photo_and_its_alpha(blender, cut_out, film):
    cut_out(texture_filter="closest")
    photo = np.asarray(Image.open(CASES / "c16.png")).astype(float)
    assert blender.context.scene.render.film_transparent
    seen = film(samples=1)
    whole, clear = photo[..., 3] == 255, photo[..., 3] == 0
    assert np.abs(seen - photo)[whole].max() <= 1
    assert (seen[..., 3][clear] == 0).all()
    many = film(samples=64)[..., 3]  # what is half transparent is met by a part of the rays
    soft = ~whole & ~clear
    assert not soft.any() or np.abs(many - photo[..., 3])[soft].mean() < 12


def test_from_beside_no_white_shows(blender, cut_out, film):
    root = cut_out()
    camera = blender.context.scene.camera
    nearest = min(ob.dimensions.length for ob in root.children_recursive if ob.type == "MESH")
    assert nearest > 0
    for shift in (-0.1, 0.1):
        camera.delta_location.x = shift
        blender.context.view_layer.update()
        seen = film(samples=4)
        shown = seen[..., 3] > 200
        assert 0.02 < shown.mean() < 0.9
        assert (seen[shown][:, :3].min(axis=1) > 235).mean() < 0.002
