"""Delight: shading that follows the normals goes, paint stays, and every texture keeps its place."""

from dataclasses import replace

import numpy as np
import pytest
from layer_checks import filled
from scenes import EVERY, HEIGHT, WIDTH

from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.layers.soft_silhouettes import add_skirt, find_matte, use_background_colours
from photo_diorama.core.mesh.delight import delit, delit_textures, find_shading, harmonics
from photo_diorama.core.mesh.triangulate import triangulate
from photo_diorama.core.raster.colour_curves import linear_from_srgb, srgb_from_linear
from photo_diorama.core.settings import InpaintSettings, LayerSettings, MeshSettings

SETTINGS = LayerSettings(border=0.2, rim=0.0)
TONES = np.array([[0.5, 0.3, 0.2], [0.2, 0.35, 0.5], [0.3, 0.45, 0.2]])


def lit_hills(settings: LayerSettings = SETTINGS):
    """Hills in three paints, lit by a warm sun from the left and a blue sky: photo, image, true albedo and true shading."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    metres = 3 + 0.25 * np.sin(columns / 9) * np.cos(rows / 11)
    metres[30:70, 60:100] = 1.6 + 0.05 * np.sin(columns / 6)[30:70, 60:100]
    scene = EVERY["two planes"]()
    camera = scene.camera
    places = camera.unproject(columns + 0.5, rows + 0.5, metres)
    across = np.cross(np.gradient(places, axis=1), np.gradient(places, axis=0))
    normal = -across / np.linalg.norm(across, axis=2, keepdims=True)
    normal *= -np.sign(normal[..., 2:])
    sun = np.array([-0.7, -0.3, -0.65])
    shading = np.maximum(normal @ (sun / np.linalg.norm(sun)), 0)[..., None] * [1.1, 1.0, 0.85] + np.array([0.12, 0.15, 0.22])
    albedo = TONES[(rows // 13 + columns // 17) % 3]
    colour = np.rint(255 * srgb_from_linear(np.clip(albedo * shading, 0, 1))).astype(np.uint8)
    photo = replace(scene.photo(), colour=colour)
    depth = DepthMap((1 / metres).astype(np.float32), np.ones(metres.shape, bool), True, "made")
    return photo, make_first_layer(photo, depth, settings), albedo, shading


def test_normals_of_light_explain_it_and_paint_stays():
    photo, torn, albedo, shading = lit_hills()
    image = inpaint(torn, SETTINGS, InpaintSettings())[0]
    found = linear_from_srgb(delit(photo, find_shading(image, photo.camera)) / np.float32(255))
    before = np.log(linear_from_srgb(photo.colour / np.float32(255)) + 1e-3) - np.log(albedo)
    after = np.log(found + 1e-3) - np.log(albedo)
    inner = np.s_[4:-4, 4:-4]
    assert after[inner].std() < 0.6 * before[inner].std(), (after[inner].std(), before[inner].std())
    for tone in TONES:  # each paint is nearer to one colour than before
        own = (albedo == tone).all(axis=2)
        assert (
            np.log(found[own] + 1e-3).std(axis=0).mean()
            < 0.7 * np.log(linear_from_srgb(photo.colour[own] / np.float32(255)) + 1e-3).std(axis=0).mean()
        )
    assert 0.3 < found.mean() / linear_from_srgb(photo.colour / np.float32(255)).mean() < 3, "about as bright as before"


def test_flat_light_is_left_alone():
    image, photo = filled("two planes"), EVERY["two planes"]().photo()
    factor = find_shading(image, photo.camera).factor
    assert factor.min() > 0 and np.isfinite(factor).all()
    log = np.log(factor[0][~image.layers[0].synthesised])
    assert log.std() < 0.3


def test_the_same_photo_gives_the_same_light():
    photo, image, *_ = lit_hills()
    assert np.array_equal(find_shading(image, photo.camera).factor, find_shading(image, photo.camera).factor)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("soft", [0.0, 0.03])
def test_textures_are_laid_out_as_those_they_stand_for(kind, soft):
    settings = replace(SETTINGS, soft_edge=soft)
    photo, torn, *_ = lit_hills(settings)
    if kind == "uint16":
        photo = replace(photo, colour=photo.colour.astype(np.uint16) * 257)
    if kind == "float32":
        photo = replace(photo, colour=linear_from_srgb(photo.colour / np.float32(255)))
    matte = find_matte(torn, settings)
    image, matte = add_skirt(inpaint(use_background_colours(torn, matte), settings, InpaintSettings())[0], matte)
    mesh = triangulate(image, photo, True, MeshSettings(), matte)
    textures = delit_textures(image, matte, photo, MeshSettings().backdrop)
    assert textures["photo"].shape == photo.colour.shape and textures["photo"].dtype == photo.colour.dtype
    assert textures["atlas"].shape == mesh.atlas.shape
    assert ("soft" in textures) == (soft > 0)
    if soft:
        assert textures["soft"].shape == mesh.soft.shape and textures["soft"].dtype == mesh.soft.dtype
        if kind != "float32":
            assert np.abs(textures["soft"][..., 3].astype(int) - mesh.soft[..., 3]).mean() < np.iinfo(mesh.soft.dtype).max * 0.02


def test_harmonics_are_orthogonal_over_the_sphere():
    way = np.random.default_rng(0).normal(size=(400000, 3))
    values = harmonics(way / np.linalg.norm(way, axis=1, keepdims=True)).astype(float)
    product = values.T @ values / len(values)
    assert np.abs(product - np.diag(np.diag(product))).max() < 0.01 and np.abs(values.mean(axis=0)).max() < 0.01
