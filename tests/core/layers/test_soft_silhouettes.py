"""Soft silhouettes: photo = alpha F + (1 - alpha) B to the last level, and closer to what was really mixed than a hard cut."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from layer_checks import areas, assert_links_are_mutual, covered, filled, on_picture
from scenes import BORDERED, EVERY, HEIGHT, WIDTH, two_planes

from photo_diorama.core.depth.depth_map import DepthMap
from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.layers.first_layer import make_first_layer
from photo_diorama.core.layers.layered_depth_image import BACK, FRONT
from photo_diorama.core.layers.soft_silhouettes import add_skirt, find_matte, split_composite, use_background_colours
from photo_diorama.core.mesh.soft_texture import pack_soft
from photo_diorama.core.mesh.triangulate import triangulate
from photo_diorama.core.raster.colour_curves import linear_from_srgb, srgb_from_linear
from photo_diorama.core.settings import InpaintSettings, MeshSettings

SOFT = replace(BORDERED, soft_edge=0.03)
QUICK = InpaintSettings(inpainter="diffusion", hidden_depth="nearest")
TORN = [name for name in EVERY if name != "ground"]


@cache
def softened(name: str):
    """A scene with its skirt, and its matte."""
    torn = EVERY[name]().split(SOFT)
    matte = find_matte(torn, SOFT)
    return add_skirt(inpaint(use_background_colours(torn, matte), SOFT, QUICK)[0], matte)


def test_zero_is_hard_and_nothing_torn_is_nothing_soft():
    torn = EVERY["two planes"]().split(BORDERED)
    assert find_matte(torn, replace(BORDERED, soft_edge=0.0)) is None
    assert use_background_colours(torn, None) is torn and add_skirt(torn, None) == (torn, None)
    assert find_matte(EVERY["ground"]().split(SOFT), SOFT) is None


@pytest.mark.parametrize("name", TORN)
def test_the_skirt_hangs_together_with_what_it_continues(name):
    image, matte = softened(name)
    if matte is None:
        return
    assert_links_are_mutual(image)
    skirt, photo = image.layers[image.skirt], image.layers[0]
    assert image.skirt == len(image.layers) - 1 and not skirt.synthesised.any()
    assert (skirt.disparity > photo.disparity)[skirt.present].all(), "it lies in front of what it lets through"
    assert (photo.soft[skirt.present] == BACK).all()
    front = photo.soft == FRONT
    assert not (front & skirt.present).any()
    if front.any():
        assert image.layers[1].present[front].all() and (image.layers[1].soft[front] == BACK).all(), "something is behind"
    alpha = matte.alpha
    assert alpha.min() >= 0 and alpha.max() <= 1
    through = (alpha < 1) & ~matte.band.beyond & (alpha > 0)
    assert (front | skirt.present)[through].all()


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("name", ["two planes", "sphere", "relief", "nested", "leaning wire 3 px", "at the frame"])
def test_foreground_over_background_is_the_photo(name, scale, kind):
    image, matte = softened(name)
    if matte is None:
        return
    photo = EVERY[name]().photo(scale)
    if kind == "uint16":
        photo = replace(photo, colour=photo.colour.astype(np.uint16) * 257)
    if kind == "float32":
        photo = replace(photo, colour=3 * linear_from_srgb(photo.colour / np.float32(255)))
    soft = pack_soft(image, photo, matte)
    top, left, height, width = image.frame
    rows, columns = np.mgrid[: height * scale, : width * scale]
    tile = ((rows / scale + top).astype(int) // 16, (columns / scale + left).astype(int) // 16)
    held = np.zeros(rows.shape, bool)
    for layer in image.layers:
        if layer.soft is not None:
            held |= (layer.soft > 0)[top : top + height, left : left + width].repeat(scale, axis=0).repeat(scale, axis=1)
    sides = []
    tile = (tile[0][held], tile[1][held])
    for side in (FRONT, BACK):
        uv = soft.uvs(rows[held][:, None] + 0.5, columns[held][:, None] + 0.5, tile, side)[:, 0]
        h, w = soft.texture.shape[:2]
        texel = np.rint(np.stack([(1 - uv[:, 1]) * h, uv[:, 0] * w], axis=1) - 0.5).astype(int)
        sides.append(soft.texture[texel[:, 0], texel[:, 1]])
    assert soft.texture.dtype == photo.colour.dtype and held.sum() > 50
    wanted = photo.colour[held]
    if kind == "float32":
        (front, alpha), back = (sides[0][:, :3], sides[0][:, 3:]), sides[1][:, :3]
        assert np.allclose(alpha * front + (1 - alpha) * back, wanted, atol=1e-5)
        return
    levels = np.float32(np.iinfo(wanted.dtype).max)
    front, back = (linear_from_srgb(side[:, :3] / levels) for side in sides)
    alpha = sides[0][:, 3:] / levels
    seen = np.rint(srgb_from_linear(alpha * front + (1 - alpha) * back) * levels)
    assert np.abs(seen - wanted).max() <= 1


def test_shares_add_up_within_the_range_of_colours():
    rng = np.random.default_rng(1)
    seen, front, back = rng.random((3, 5000, 3))
    alpha = rng.choice([0, 0.004, 0.3, 0.7, 0.996, 1], (5000, 1))
    f, b = split_composite(seen, alpha, front, back)
    assert min(f.min(), b.min()) >= 0 and max(f.max(), b.max()) <= 1
    assert np.abs(alpha * f + (1 - alpha) * b - seen).max() < 1e-6
    exact = alpha * front + (1 - alpha) * back
    f, b = split_composite(exact, alpha, front, back)
    between = (alpha > 0.2)[:, 0] & (alpha < 0.8)[:, 0]
    assert np.allclose(f[between], front[between]) and np.allclose(b[between], back[between]), "what explains it stays"


@pytest.mark.parametrize("name", TORN)
def test_each_pixel_of_the_photo_is_covered_and_the_skirt_alone_lies_twice(name):
    image, matte = softened(name)
    layered = triangulate(image, EVERY[name]().photo(), True, MeshSettings(), matte)
    roles = {mesh.role: mesh for mesh in layered.meshes}
    assert ("soft" in roles) == (matte is not None) == (layered.soft is not None)
    for mesh in layered.meshes:
        assert mesh.uvs.shape == (*mesh.triangles.shape, 2) and (areas(on_picture(layered, mesh)) <= 1e-6).all()
        assert mesh.role == "photo" or (mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1)
    if matte is None:
        return
    seen = [on_picture(layered, roles[role]) for role in ("photo", "soft", "cleaned") if role in roles]
    _, loosely = covered(np.concatenate(seen), WIDTH, HEIGHT)
    assert loosely.min() >= 1
    hard = triangulate(filled(name), EVERY[name]().photo(), True, MeshSettings())
    assert {mesh.role for mesh in hard.meshes}.isdisjoint({"soft", "cleaned"}) and hard.soft is None


def hairy(seed: int = 3):
    """Dark hairs, thinner than a pixel, that stick out of a dark block before a bright, uneven wall: linear colours and the
    true alpha; the depth knows the block alone."""
    import cv2

    rng = np.random.default_rng(seed)
    big = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    block = np.s_[50:110, 50:110]
    big[200:440, 200:440] = 255
    for place in rng.uniform(200, 440, 90):
        lean = rng.uniform(-12, 12)
        cv2.line(big, (int(place), 206), (int(place + lean), int(200 - rng.uniform(6, 15))), 255, 2)
    alpha = cv2.resize(big, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[..., None] / np.float32(255)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    front = np.float32([0.06, 0.03, 0.02]) * rng.uniform(0.7, 1.3, (HEIGHT, WIDTH, 1))
    back = np.float32([0.5, 0.6, 0.7]) * (1 + 0.15 * np.sin(rows / 9) * np.cos(columns / 11))[..., None]
    disparity = np.full((HEIGHT, WIDTH), 0.2, np.float32)
    disparity[block] = 0.6
    colour = np.rint(255 * srgb_from_linear(alpha * front + (1 - alpha) * back)).astype(np.uint8)
    photo = replace(EVERY["two planes"]().photo(), colour=colour)
    return photo, DepthMap(disparity, np.ones(disparity.shape, bool), True, "made"), alpha[..., 0], front, back


def test_hairs_that_depth_does_not_know_are_found_and_taken_off_the_wall():
    photo, depth, alpha, front, back = hairy()
    torn = make_first_layer(photo, depth, SOFT)
    matte = find_matte(torn, SOFT)
    top, left, height, width = torn.frame
    inside = np.s_[top : top + height, left : left + width]
    band = (matte.band.outer | matte.band.inner)[inside]
    hard = (depth.disparity > 0.4).astype(float)
    found = matte.alpha[inside]
    error, was = np.abs(found - alpha)[band].mean(), np.abs(hard - alpha)[band].mean()
    assert error < 0.35 * was, (error, was)
    hairs = band & (alpha > 0.15) & (hard == 0)
    wall = linear_from_srgb(use_background_colours(torn, matte).layers[0].colour[inside])
    off, dirty = np.abs(wall - back)[hairs].mean(), np.abs(linear_from_srgb(photo.colour / np.float32(255)) - back)[hairs].mean()
    assert off < 0.3 * dirty, (off, dirty)


def test_a_portrait_matte_is_believed_where_it_tells_the_sides_apart():
    import cv2

    photo, depth, alpha, _, _ = hairy()
    grey = replace(photo, colour=np.full_like(photo.colour, 128))  # the colours tell nothing
    torn = make_first_layer(grey, depth, SOFT)
    top, left, height, width = torn.frame
    inside = np.s_[top : top + height, left : left + width]
    given = cv2.resize(alpha, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    without, matte, useless = (find_matte(torn, SOFT, portrait) for portrait in (None, given, np.full((50, 60), 0.5, np.float32)))
    band = (matte.band.outer | matte.band.inner)[inside]
    off = lambda found: np.abs(found.alpha[inside] - alpha)[band].mean()  # noqa: E731
    assert off(matte) < 0.5 * off(without)
    assert np.array_equal(useless.alpha, without.alpha)


def test_the_same_photo_gives_the_same_matte():
    torn = EVERY["relief"]().split(SOFT)
    one, other = find_matte(torn, SOFT), find_matte(torn, SOFT)
    assert np.array_equal(one.alpha, other.alpha) and np.array_equal(one.background, other.background)


@pytest.mark.parametrize("alpha, behind", [(0.02, 1.0), (0.2, 0.5), (0.5, 0.0), (0.8, 0.0)])
def test_what_is_left_unexplained_is_the_foregrounds_where_it_is_seen(alpha, behind):
    """So the background shows no outline of the old silhouette when the foreground moves away; the composite is exact."""
    rng = np.random.default_rng(2)
    front, back = rng.uniform(0.4, 0.6, (2, 100, 3))
    rest = rng.uniform(-0.008, 0.008, front.shape)
    alphas = np.full((100, 1), alpha)
    f, b = split_composite(alpha * front + (1 - alpha) * back + rest, alphas, front, back)
    assert np.allclose(alphas * (f - front) + (1 - alphas) * (b - back), rest)
    assert np.allclose((1 - alphas) * (b - back), behind * rest)


def test_a_foreground_that_bends_beside_its_silhouette_is_no_background():
    """A disparity that falls inwards by more than the jump that parts surfaces; specks were cut out of such chins."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot(x - WIDTH / 2, y - HEIGHT / 2)
    hero = radius < HEIGHT / 3
    disparity = np.where(hero, 0.5 + 0.45 * (radius / (HEIGHT / 3)) ** 6, 0.1).astype(np.float32)
    depth = DepthMap(disparity, np.ones(hero.shape, bool), True, "made here")
    photo = EVERY["two planes"]().photo()
    torn = make_first_layer(photo, depth, replace(SOFT, tear=0.12))
    band = find_matte(torn, replace(SOFT, tear=0.12)).band
    top, left = torn.frame[:2]
    inside = np.s_[top : top + HEIGHT, left : left + WIDTH]
    assert not (band.outer | band.beyond)[inside][hero].any()
    assert not (band.inner | band.within)[inside][~hero & (radius > HEIGHT / 3 + 2)].any()


@pytest.mark.parametrize("change, texture", [(0.12, 0.004), (-0.12, 0.004), (0.12, 0.06)])
def test_the_line_that_a_sharpening_camera_leaves_goes_with_the_foreground(change, texture):
    """Two px beside the silhouette lighter or darker than both sides: no outline is left on the wall when the hero moves away."""
    rng = np.random.default_rng(4)
    hero = np.zeros((HEIGHT, WIDTH), bool)
    hero[40:100, 60:110] = True
    line = np.zeros_like(hero)
    line[38:102, 58:112] = True
    line &= ~hero
    sRGB = np.where(hero[..., None], (0.5, 0.25, 0.2), (0.55, 0.6, 0.65)) + rng.normal(scale=texture, size=(HEIGHT, WIDTH, 1))
    sRGB[line] += change
    colour = np.rint(np.clip(sRGB, 0, 1) * 255).astype(np.uint8)
    photo = replace(EVERY["two planes"]().photo(), colour=colour)
    depth = DepthMap(np.where(hero, 0.9, 0.2).astype(np.float32), np.ones(hero.shape, bool), True, "made here")
    torn = make_first_layer(photo, depth, SOFT)
    matte = find_matte(torn, SOFT)
    top, left, height, width = torn.frame
    wall = use_background_colours(torn, matte).layers[0].colour[top : top + height, left : left + width]
    off = np.abs((wall - (0.55, 0.6, 0.65))[line].mean())
    assert off < (0.25 if texture < 0.01 else 0.4) * abs(change), off
    outer = matte.band.outer
    seen = linear_from_srgb(torn.layers[0].colour[outer])
    alpha = matte.alpha[outer][:, None]
    front, back = split_composite(seen, alpha, matte.foreground[outer], matte.background[outer])
    assert np.abs(alpha * front + (1 - alpha) * back - seen).max() < 1e-4


def test_no_dots_of_odd_colours_stand_on_the_wall_beside_something_overexposed():
    """White before blue, the photo three times the grid: between full white and a grey edge each channel asks for another wall."""
    import cv2

    wall = np.array((0.3, 0.4, 0.6))
    hero = np.zeros((HEIGHT, WIDTH), bool)
    hero[40:100, 60:110] = True
    large = cv2.resize(hero.astype(np.float64), (3 * WIDTH, 3 * HEIGHT), interpolation=cv2.INTER_NEAREST)
    share = cv2.GaussianBlur(np.roll(large, 4, axis=1), (0, 0), 1.5)[..., None]  # the depth is off by a pixel and a third
    noise = np.random.default_rng(5).normal(scale=0.01, size=(*share.shape[:2], 3))
    linear = share * 1.02 + (1 - share) * linear_from_srgb(wall) + noise * 0.2
    colour = np.rint(srgb_from_linear(np.clip(linear, 0, 1)) * 255).astype(np.uint8)
    photo = replace(two_planes().photo(3), colour=colour)
    depth = DepthMap(np.where(hero, 0.9, 0.2).astype(np.float32), np.ones(hero.shape, bool), True, "made here")
    torn = make_first_layer(photo, depth, SOFT)
    image, matte = add_skirt(*(lambda m: (inpaint(use_background_colours(torn, m), SOFT, InpaintSettings())[0], m))(find_matte(torn, SOFT)))
    texture = pack_soft(image, photo, matte).texture
    back = texture[:, texture.shape[1] // 2 :].astype(float) / 255
    off = (back[..., :3] - wall)[(back[..., 3] > 0) & (texture[:, : texture.shape[1] // 2, 3] < 250)]
    dots = (np.abs(off).max(axis=1) > 0.1) & (np.ptp(off, axis=1) > 0.25)  # a grey or white edge is none
    assert dots.mean() < 0.002, dots.sum()


def test_behind_what_lets_nothing_through_the_background_keeps_its_colour():
    """Black hair has channels of 0, of which no background seems to have a share: yellow and red dots stood on the wall."""
    seen, back = np.array([[0.02, 0.01, 0.0], [0.0, 0.0, 0.0], [0.0, 0.3, 1.0]]), np.full((3, 3), 0.6)
    _, b = split_composite(seen, np.ones((3, 1)), seen, back)
    assert np.array_equal(b, back)


@pytest.mark.parametrize("odd", [0.0, 0.95])
@pytest.mark.parametrize("name", ["two planes", "sphere"])
def test_between_two_texels_no_line_is_drawn(name, odd):
    """Renderers mix straight colours first and alpha apart: where nothing of the foreground is seen its colour must not shine through."""
    image, matte = softened(name)
    matte = replace(matte, foreground=np.where(matte.alpha[..., None] > 0.02, matte.foreground, np.float32(odd)))
    soft = pack_soft(image, EVERY[name]().photo(1), matte)
    (top, left, height, width), texture = image.frame, soft.texture.astype(float) / 255
    held = np.zeros((height, width), bool)
    for layer in image.layers:
        if layer.soft is not None:
            held |= (layer.soft > 0)[top : top + height, left : left + width]
    rows, columns = np.nonzero(held)
    first = soft.origin[(rows + top) // 16, (columns + left) // 16] + np.stack([rows, columns], axis=1)
    half, lines = texture.shape[1] // 2, 0
    for step in ((0, 1), (1, 0)):
        there = tuple(first.T), tuple((first + step).T)
        front, back = ([side[at] for at in there] for side in (texture[:, :half], texture[:, half:]))
        seen = [_over(f, b) for f, b in zip(front, back, strict=True)]
        between = _over((front[0] + front[1]) / 2, (back[0] + back[1]) / 2)
        off = np.maximum(between - np.maximum(*seen), np.minimum(*seen) - between)
        lines += (off > 0.04).any(axis=1).sum()
    assert len(rows) > 300 and lines < 0.025 * len(rows), (lines, len(rows))


def _over(front, back):
    """(n, 3) sRGB-encoded: straight front over back, in linear light."""
    return srgb_from_linear(front[:, 3:] * linear_from_srgb(front[:, :3]) + (1 - front[:, 3:]) * linear_from_srgb(back[:, :3]))
