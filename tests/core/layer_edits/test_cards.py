"""Cards: flat or curved, seen from the photo's camera as before, and nothing that lay behind comes out in front."""

import numpy as np
import pytest
from scenes import ALL

from photo_diorama.core.layer_edits.edited_layers import LayerEdits
from photo_diorama.core.layers.parts import Parts
from photo_diorama.core.pipeline import Edits, StageCache, build_diorama
from photo_diorama.core.settings import Settings

QUICK = {"inpainter": "diffusion", "hidden_depth": "nearest"}
SETTINGS = Settings().with_values(
    {"long_side": 160, "border": 0.2, "depth_kind": "metric", "inpainter": "diffusion", "hidden_depth": "nearest"}
)
KEPT = StageCache()


@pytest.fixture(scope="module")
def sphere(tmp_path_factory):
    scene = ALL["sphere"]()
    return scene.saved(tmp_path_factory.mktemp("sphere")), scene


def build(sphere, cards, split=True, **options):
    (photo, depth), scene = sphere
    parts = Parts((scene.surface > 0).astype(np.uint8)) if split else None
    edits = LayerEdits((0, 0, 1, 1), (1, 1), cards=cards) if cards else None
    return build_diorama(photo, depth, SETTINGS.with_values(options), kept=KEPT, edits=Edits(parts=parts, layers=edits))


def mesh_of(built, role):
    return next(mesh for mesh in built.mesh.meshes if mesh.role == role)


@pytest.mark.parametrize("soft", [0.0, 0.02])
def test_a_flat_card_is_a_plane_and_every_vertex_stays_on_its_ray(sphere, soft):
    before = mesh_of(build(sphere, (), soft_edge=soft), "part 1 photo")
    after = mesh_of(build(sphere, (("part 1 photo", "flat"),), soft_edge=soft), "part 1 photo")
    points = after.vertices.astype(np.float64)
    middle = points.mean(axis=0)
    thickness = np.linalg.svd(points - middle, full_matrices=False)[1][-1] / np.sqrt(len(points))
    assert thickness < 1e-5 * middle[2]
    was = before.vertices - before.vertices.mean(axis=0)
    assert np.linalg.svd(was, full_matrices=False)[1][-1] / np.sqrt(len(was)) > 0.01 * middle[2], "the ball was round"
    camera = sphere[1].camera
    u, v = camera.project(points)
    x, y = camera.project(before.vertices.astype(np.float64))
    assert u.min() == pytest.approx(x.min(), abs=0.02) and v.max() == pytest.approx(y.max(), abs=0.02)
    texel = np.stack([u / camera.width, 1 - v / camera.height], axis=1)
    assert np.abs(texel[after.triangles] - after.uvs).max() < 1e-4, "the photo lies where the camera sees it"


def test_a_curved_card_follows_the_surface_more_closely(sphere):
    off = {}
    truth = mesh_of(build(sphere, ()), "part 1 photo").vertices[:, 2]
    for card in ("flat", "curved"):
        off[card] = np.abs(np.median(truth) - mesh_of(build(sphere, (("part 1 photo", card),)), "part 1 photo").vertices[:, 2]).max()
    assert off["curved"] > off["flat"], "the ball's card is curved"


@pytest.mark.parametrize("role", ["part 1 photo", "photo", "hidden 1"])
@pytest.mark.parametrize("card", ["flat", "curved"])
def test_what_lies_behind_stays_behind(sphere, role, card):
    image = build(sphere, ((role, card),)).image
    assert image.cards and all((layer.disparity[layer.present] > 0).all() for layer in image.layers)
    for layer in image.layers[1:]:
        assert (layer.disparity < image.layers[0].disparity)[layer.present].all()


def test_seams_stay_closed_and_without_cards_all_is_as_it_was(sphere):
    """A hidden vertex that shared its place with one of the card still does."""
    before, after = (build(sphere, cards, split=False) for cards in ((), (("photo", "curved"),)))
    shared = [len(_places(built, "photo") & _places(built, "hidden 1")) for built in (before, after)]
    assert shared[0] > 0 and shared[1] > 0.6 * shared[0]
    again = build(sphere, (), split=False)
    assert all(np.array_equal(a.vertices, b.vertices) for a, b in zip(before.mesh.meshes, again.mesh.meshes, strict=True))


def _places(built, role) -> set:
    return {vertex.tobytes() for vertex in mesh_of(built, role).vertices}


def test_a_card_of_a_surface_that_is_not_there_rests(sphere):
    assert build(sphere, (("part 7 photo", "flat"), ("hidden 9", "flat"), ("added cat", "flat"))).image.cards == ()
