"""What holds of every diorama, on real photos with real depth: exact cover, no triangle turned over, links mutual."""

from pathlib import Path

import numpy as np
import pytest
from layer_checks import areas, assert_links_are_mutual, covered, on_picture

from photo_diorama.core.pipeline import build_diorama
from photo_diorama.core.settings import Settings

PHOTOS = {
    "moon": ("rgbd/moon/moon.jpg", "rgbd/moon/moon.npy", {}),
    "Motorcycle": (
        "stereo/Motorcycle2014/motorcycle_left.png",
        "stereo/Motorcycle2014/motorcycle_disp.npz",
        {"depth_kind": "disparity"},
    ),
    "primesense": ("rgbd/primesense/color/00000.jpg", "rgbd/primesense/depth/00000.png", {"depth_scale": 0.001}),
}


@pytest.fixture(scope="module", params=PHOTOS)
def diorama(request, shared: Path):
    photo, depth, options = PHOTOS[request.param]
    paths = shared / "data" / photo, shared / "data" / depth
    if not all(path.is_file() for path in paths):
        pytest.skip(f"reference data not found: {photo}")
    return build_diorama(*paths, Settings().with_values({"long_side": 288, "border": 0.08, **options}))


def test_layers(diorama):
    image = diorama.image
    assert len(image.layers) >= 2 and sum(diorama.edges) > 5
    assert_links_are_mutual(image)
    for front, layer in zip(image.layers, image.layers[1:], strict=False):
        assert front.present[layer.present].all()
        assert (layer.disparity < front.disparity)[layer.present].all()
        assert np.isfinite(layer.colour[layer.present]).all()


def test_the_photos_pixels_are_its_own(diorama):
    first, (top, left, height, width) = diorama.image.layers[0], diorama.image.frame
    inside = first.colour[top : top + height, left : left + width]
    assert np.array_equal(inside, diorama.photo.working_colour(height, width))


def test_no_triangle_is_turned_over_and_the_photo_is_covered_once(diorama):
    layered, camera = diorama.mesh, diorama.photo.camera
    for mesh in layered.meshes:
        assert areas(on_picture(layered, mesh) * (1, -1)).min() > 0, mesh.role
    photo = layered.meshes[0]
    uvs = photo.uvs.astype(np.float64)
    assert abs(areas(uvs).sum() - 1) < 1e-6
    scale = min(1, 960 / camera.width)  # as many places as decide, where a photo is large
    width, height = round(camera.width * scale), round(camera.height * scale)
    strictly, _ = covered(uvs * (width, height), width, height)
    assert (strictly == 1).all()
    seen = np.abs(uvs * (camera.width, -camera.height) + (0, camera.height) - on_picture(layered, photo))
    assert seen.max() < 1e-3


def test_distances_are_in_order(diorama):
    layered = diorama.mesh
    assert 0 < layered.nearest <= layered.focus <= layered.farthest < 1e4


def test_a_number_of_triangles_is_met_where_all_is_leaves():
    """Of the courtyard's silhouettes one in six corners is a junction of several; the photo is covered once all the same."""
    demo = Path(__file__).resolve().parents[2] / "docs" / "demo"
    settings = Settings().with_values(
        {"triangles": 8_600, "long_side": 480, "passes": 1, "inpainter": "diffusion", "hidden_depth": "nearest"}
    )
    made = build_diorama(demo / "courtyard.jpg", demo / "courtyard_depth.png", settings)
    assert made.mesh.triangle_count == pytest.approx(8_600, rel=0.1)  # 9,860 where they do not slide
    photo = next(mesh for mesh in made.mesh.meshes if mesh.role == "photo")
    width, height = made.photo.camera.width, made.photo.camera.height
    strictly, loosely = covered(photo.uvs.astype(np.float64) * (width, height), width, height)
    assert strictly.max() == 1 and loosely.min() >= 1
    assert abs(areas(photo.uvs.astype(np.float64)).sum() - 1) < 1e-6
