"""Invented surfaces: behind what hides them, linked, in their own surface's colours alone; the photo stays."""

import time
from dataclasses import replace

import numpy as np
import pytest
from layer_checks import assert_links_are_mutual, filled, framed
from scenes import ALL, BORDERED, BORDERLESS, EVERY, HEIGHT, WIDTH, nested, slanted_wall, t_junction, two_planes

from photo_diorama.core.errors import Cancelled
from photo_diorama.core.inpaint import inpaint as module
from photo_diorama.core.inpaint.inpaint import inpaint
from photo_diorama.core.inpaint.patch_match import patch_cache
from photo_diorama.core.layers.regions import disocclude
from photo_diorama.core.settings import InpaintSettings, LayerSettings
from photo_diorama.core.threads import threads_used

RED, GREEN, BLUE = range(3)
NOTHING = 1.5 / 255
"""What rounding to 8 bits may leave in a channel that should be empty."""
RIMMED = replace(BORDERED, rim=1 / WIDTH)
"""For the sphere: sharpening straightens its outline and leaves pixels of it on the wall; a rim takes them back."""
WIRES = [name for name in ALL if "wire" in name]


def hidden_layers(image):
    return list(enumerate(image.layers))[1:]


@pytest.mark.parametrize("name", EVERY)
def test_links_are_mutual_across_layers(name):
    assert_links_are_mutual(filled(name))


@pytest.mark.parametrize("name", EVERY)
def test_nothing_invented_comes_in_front_of_what_hides_it(name):
    image = filled(name)
    for k, layer in hidden_layers(image):
        front = image.layers[k - 1]
        assert np.array_equal(layer.synthesised, layer.present) and layer.present.any()
        assert front.present[layer.present].all()
        assert (layer.disparity < front.disparity)[layer.present].all()
        assert np.isfinite(layer.disparity[layer.present]).all() and (layer.disparity[layer.present] > 0).all()
        assert np.isfinite(layer.colour[layer.present]).all() and (layer.colour[layer.present] >= 0).all()


@pytest.mark.parametrize("name", ALL)
def test_hidden_pixels_lie_behind_nearer_surfaces_only(name):
    scene, image = ALL[name](), filled(name)
    for _, layer in hidden_layers(image):
        assert (scene.surface[framed(image, layer.present)] > 0).all()


@pytest.mark.parametrize("settings", [BORDERED, BORDERLESS, LayerSettings()])
@pytest.mark.parametrize("name", ["two planes", "T-junction", "leaning wire 3 px", "nested", "at the frame"])
def test_the_photos_own_pixels_are_never_changed(name, settings):
    before, after = ALL[name]().split(settings), filled(name, settings)
    first, then = before.layers[0], after.layers[0]
    for array, other in (
        (first.present, then.present),
        (first.disparity, then.disparity),
        (first.synthesised, then.synthesised),
    ):
        assert np.array_equal(array, other)
    known = ~first.synthesised
    assert np.array_equal(first.colour[known], then.colour[known])
    # links between the photo's pixels stay; where it was torn, a hidden layer may go on
    assert np.array_equal(then.links[first.links >= 0], first.links[first.links >= 0])


@pytest.mark.parametrize("name", [name for name in ALL if name != "ground"])
def test_no_colour_of_the_foreground_is_behind_it_or_outside_the_frame(name):
    """The nearest surface is pure red and no other has any red: where red is not seen, none may be."""
    image = filled(name, RIMMED if name == "sphere" else BORDERED)
    for _, layer in hidden_layers(image):
        assert layer.colour[layer.present][:, RED].max() <= NOTHING
    border = image.layers[0]
    far = border.present & (border.disparity < 0.45)
    assert border.colour[far][:, RED].max() <= NOTHING


@pytest.mark.parametrize("name", ["T-junction", "nested"])
def test_every_hidden_surface_has_its_own_colour(name):
    """What lies at the far plane is blue alone, what lies at a middle one green alone."""
    image = filled(name)
    checked = 0
    for _, layer in hidden_layers(image):
        far = layer.present & (np.abs(layer.disparity - 0.25) < 0.02)
        middle = layer.present & ((np.abs(layer.disparity - 0.5) < 0.02) | (np.abs(layer.disparity - 1 / 3) < 0.02))
        for at, own in ((far, BLUE), (middle, GREEN)):
            if at.any():
                checked += 1
                assert layer.colour[at][:, own].min() > 0.2
                assert np.delete(layer.colour[at], own, axis=1).max() <= NOTHING
    assert checked >= 2


@pytest.mark.parametrize(
    ("name", "rim"),
    [("two planes", 0.0), *((name, 1 / WIDTH) for name in ("two planes", "leaning wire 3 px", "sphere"))],
)
def test_mixed_pixels_at_the_silhouette_do_not_bleed(name, rim):
    """A lens blurs: the pixels on both sides of the silhouette mix. They are given to the foreground or not trusted."""
    import cv2

    scene = ALL[name]()
    scene = replace(scene, colour=cv2.GaussianBlur(scene.colour, (3, 3), 0))
    settings = replace(BORDERED, rim=rim)
    image = inpaint(scene.split(settings), settings, InpaintSettings(eroded_rim=2 / WIDTH))[0]
    for _, layer in hidden_layers(image):
        assert layer.colour[layer.present][:, RED].max() <= 0.04


@pytest.mark.parametrize("name", WIRES)
def test_behind_a_thin_wire_the_wall_is_whole(name):
    scene, image = ALL[name](), filled(name)
    assert len(image.layers) == 2
    layer = image.layers[1]
    assert np.array_equal(framed(image, layer.present), scene.surface == 1)
    assert np.abs(layer.disparity[layer.present] - 0.25).max() < 0.01


def test_a_wall_goes_on_as_that_wall():
    image = filled("two planes")
    layer = image.layers[1]
    assert np.abs(layer.disparity[layer.present] - 0.25).max() < 1e-3
    image, truth = filled("slanted wall"), slanted_wall().surfaces[0]
    layer = image.layers[1]
    at = framed(image, layer.present)
    assert np.abs(framed(image, layer.disparity) - truth)[at].max() < 2 * image.threshold


def test_behind_a_junction_each_side_goes_on_as_itself():
    scene, image = t_junction(), filled("T-junction")
    layer = image.layers[1]
    at = framed(image, layer.present) & (scene.surface == 2)
    depth = framed(image, layer.disparity)
    columns = np.arange(WIDTH)[None]
    left, right = at & (columns < 70), at & (columns > 90)
    assert left.any() and right.any()
    assert np.median(np.abs(depth[left] - 0.25)) < 0.01 and np.median(np.abs(depth[right] - 0.5)) < 0.01


@pytest.mark.parametrize("name", ["two planes", "leaning wire 3 px", "sphere", "at the frame"])
def test_a_plain_wall_goes_on_plain(name):
    scene = ALL[name]()
    colour = scene.colour.copy()
    colour[scene.surface == 0] = (0, 150, 230)
    image = inpaint(replace(scene, colour=colour).split(RIMMED), RIMMED, InpaintSettings())[0]
    for _, layer in hidden_layers(image):
        assert np.abs(layer.colour[layer.present] * 255 - (0, 150, 230)).max() <= 1.1
    first = image.layers[0]
    wall = (first.disparity < 0.26) & np.pad(scene.surface == 0, image.frame[0], mode="edge")
    assert np.abs(first.colour[wall] * 255 - (0, 150, 230)).max() <= 1.1


def test_every_nesting_has_its_layer_and_then_the_passes_end():
    """At a T-junction what the nearest surface hides has a silhouette of its own."""
    scene = t_junction()
    for passes in (0, 1, 2, 6):
        settings = replace(BORDERED, passes=passes, hidden_width=0.3)
        image, edges = inpaint(scene.split(settings), settings, InpaintSettings())
        assert len(image.layers) == 1 + len(edges) <= 1 + passes and all(n >= 1 for n in edges)
    assert 2 <= len(edges) < 6
    left = disocclude(image, settings.hidden_width)
    assert left is None or left.hidden.sum() < 16


def test_a_surface_without_silhouettes_hides_nothing():
    image, edges = inpaint(ALL["ground"]().split(), BORDERED, InpaintSettings())
    assert edges == () and len(image.layers) == 1


@pytest.mark.parametrize("change", [{"passes": 0}, {"hidden_width": 0.0}])
def test_nothing_is_invented_where_none_is_asked_for(change):
    settings = replace(BORDERED, **change)
    image, edges = inpaint(two_planes().split(settings), settings, InpaintSettings())
    assert edges == () and len(image.layers) == 1


def test_hidden_width_is_how_far_it_reaches():
    import cv2

    scene = two_planes((20, 30, 100, 130))
    for part in (0.03, 0.08):
        settings = replace(BORDERED, hidden_width=part)
        image = inpaint(scene.split(settings), settings, InpaintSettings())[0]
        inside = cv2.distanceTransform((scene.surface == 1).astype(np.uint8), cv2.DIST_L1, 3)
        found = framed(image, image.layers[1].present)
        assert np.array_equal(found, (inside > 0) & (inside <= round(part * WIDTH)))


def test_progress_is_told_and_may_stop_the_work():
    class Stop(Exception):
        pass

    told = []
    inpaint(nested().split(), BORDERED, InpaintSettings(), told.append)
    assert told and all(0 <= fraction <= 1 for fraction in told)

    def stop(fraction):
        raise Stop

    with pytest.raises(Stop):
        inpaint(nested().split(), BORDERED, InpaintSettings(), stop)


def test_the_border_stops_with_the_rest(monkeypatch):
    """It is filled beside the hidden surfaces; where these are cancelled it is not filled to its end."""
    told = []

    def endless(image, layers, settings, inpainter, progress):
        for _ in range(2000):
            time.sleep(0.005)
            try:
                progress(0.0)
            except Cancelled:
                told.append(True)
                raise

    def cancel(fraction):
        raise Cancelled

    monkeypatch.setattr(module, "fill_border", endless)
    with threads_used(2), pytest.raises(Cancelled):
        inpaint(nested().split(), BORDERED, InpaintSettings(), cancel)
    assert told


def test_the_number_of_threads_changes_no_byte():
    results = []
    for count in (1, 3):
        with threads_used(count):
            patch_cache.cache_clear()
            results.append(inpaint(nested().split(), BORDERED, InpaintSettings())[0].layers)
    for one, two in zip(*results, strict=True):
        assert one.colour.tobytes() == two.colour.tobytes() and one.disparity.tobytes() == two.disparity.tobytes()


def test_the_same_twice():
    a, b = (inpaint(t_junction().split(), BORDERED, InpaintSettings()) for _ in range(2))
    assert a[1] == b[1] and len(a[0].layers) == len(b[0].layers)
    for one, two in zip(a[0].layers, b[0].layers, strict=True):
        for field in ("present", "disparity", "colour", "links"):
            assert getattr(one, field).tobytes() == getattr(two, field).tobytes()


def test_shape_of_the_frame_does_not_matter():
    """An upright picture gets what the same picture lying on its side gets."""
    scene = two_planes()
    turned = replace(
        scene,
        **{n: np.ascontiguousarray(np.swapaxes(getattr(scene, n), 0, 1)) for n in ("colour", "disparity", "surface")},
        surfaces=np.ascontiguousarray(scene.surfaces.swapaxes(1, 2)),
    )
    image, other = filled("two planes"), inpaint(turned.split(), BORDERED, InpaintSettings())[0]
    assert other.shape == image.shape[::-1] and HEIGHT < WIDTH
    assert np.array_equal(other.layers[1].present.T, image.layers[1].present)
    assert np.allclose(other.layers[1].disparity.T, image.layers[1].disparity, atol=1e-4)
