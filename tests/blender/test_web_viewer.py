"""The web page of a diorama in a real browser: the photo in the middle, Blender's view elsewhere, no network asked."""

import json
import math
import re
from pathlib import Path

import chromium
import cv2
import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")

from blend_state import differences, everything  # noqa: E402
from command_lines import FAST, Worker, one_sentence  # noqa: E402

from photo_diorama.operators.scene.root import objects_by_role  # noqa: E402

needs_browser = pytest.mark.skipif(chromium.find() is None, reason="needs Chromium: apt install chromium")


def psnr(a, b) -> float:
    return -10 * math.log10(np.mean((a.astype(float) - b.astype(float)) ** 2) / 255**2 + 1e-12)


def photo_of(ball) -> np.ndarray:
    return cv2.imread(str(ball[0]))[..., ::-1]


def written(root, path: Path, **options) -> Path:
    bpy.context.view_layer.objects.active = root
    assert bpy.ops.photo_diorama.render_output(filepath=str(path), **options) == {"FINISHED"}
    return path


@pytest.fixture
def page(import_photo, ball, tmp_path):
    """A page of the ball with its root."""
    root = import_photo(*ball)
    return written(root, tmp_path / "ball.html"), root


@needs_browser
def test_the_middle_is_the_photo_and_the_pointer_tilts_it(page, ball):
    photo = photo_of(ball)
    height, width = photo.shape[:2]
    with chromium.Page(chromium.find(), (width, height)) as browser:
        browser.open(page[0], "#still")
        middle = browser.picture()
        assert middle.shape == photo.shape and psnr(middle, photo) > 35
        seen = [middle]
        for x, y, at in (
            (width - 1, height / 2, (1, 0)),
            (1, height / 2, (-1, 0)),
            (width / 2, 1, (0, 1)),
            (width / 2, height - 1, (0, -1)),
        ):
            browser.mouse_to(x, y)
            assert np.allclose(browser.place(), at, atol=0.02)
            seen.append(browser.picture())
        for i, one in enumerate(seen):
            assert all(psnr(one, other) < 32 for other in seen[:i])
        browser.mouse_to(width / 2, height / 2)
        browser.still()
        assert psnr(browser.picture(), photo) > 35
        assert not browser.faults and browser.value("diorama.error()") == 0
        assert all(url.startswith(("file:", "data:")) for url in browser.asked_for)


@needs_browser
@pytest.mark.parametrize("at", ((0.9, 0.3), (-0.5, -0.6)))
def test_elsewhere_it_is_what_blenders_camera_sees(page, ball, tmp_path, at):
    """Cycles renders from the same place with the lens shifted and as much longer: an independent path to the same picture."""
    path, root = page
    height, width = photo_of(ball).shape[:2]
    with chromium.Page(chromium.find(), (width, height)) as browser:
        browser.open(path, "#still")
        browser.value(f"diorama.tilt({at[0]}, {at[1]})")
        browser.still()
        shown = browser.picture()
    (scene,) = re.findall(r'id="packed">(.*?)</script>', path.read_text(encoding="utf-8"), re.S)
    scene = json.loads(scene)
    side = at[0] * scene["range"]["right" if at[0] > 0 else "left"]
    up = at[1] * scene["range"]["up" if at[1] > 0 else "down"]
    zoom = 1 + scene["tighter"] * math.hypot(*at)
    objects = objects_by_role(root)
    camera, rig = objects["camera"], objects["rig"]
    rig.location = (side, 0, up)
    focal = camera.data.lens * zoom / camera.data.sensor_width
    camera.data.lens *= zoom
    camera.data.shift_x -= side * scene["pivot"] * focal
    camera.data.shift_y -= up * scene["pivot"] * focal
    still = tmp_path / "still.png"
    written(root, still)
    assert psnr(shown, cv2.imread(str(still))[..., ::-1]) > 27  # texels of noise, blended and reduced in two ways
    moved = np.linalg.norm((side, up))
    rig.location = (side + 0.3 * moved, 0, up)
    written(root, still)
    assert psnr(shown, cv2.imread(str(still))[..., ::-1]) < 25  # from somewhat farther it is another picture


@needs_browser
def test_a_phone_shows_it_whole_and_tilts_by_finger_and_by_turning(page, ball):
    photo = photo_of(ball)
    with chromium.Page(chromium.find(), (195, 390), touch=True, sharp=2) as browser:
        browser.open(page[0], "#still")
        middle = browser.picture()
        height = round(390 * photo.shape[0] / photo.shape[1])
        assert abs(middle.shape[0] - height) <= 1 and middle.shape[1] == 390  # two pixels of the device for each of the page's
        assert psnr(cv2.resize(middle, photo.shape[1::-1], interpolation=cv2.INTER_AREA), photo) > 26  # enlarged and reduced again
        left, top, right, bottom = browser.value(
            "(r => [r.left, r.top, r.right, r.bottom])(document.querySelector('canvas').getBoundingClientRect())"
        )
        assert (left, right) == (0, 195) and top > 100 and abs(top + bottom - 390) <= 2  # in the middle of the screen
        browser.finger("touchStart", 120, 200)
        browser.finger("touchMove", 80, 200)
        assert np.allclose(browser.place(), (40 / 97.5, 0), atol=0.02)
        assert psnr(browser.picture(), middle) < 32
        browser.finger("touchEnd")
        browser.still()
        assert psnr(browser.picture(), middle) > 60
        browser.value("window.turns = [], addEventListener('deviceorientation', e => turns.push(e.gamma))")
        browser.turn(40, 0)
        browser.until("turns.includes(0)")  # how it is held
        browser.turn(40, 9)
        browser.until("diorama.isStill() && diorama.at.x > 0.3")
        assert not browser.faults


@needs_browser
def test_soft_silhouettes_blend_as_in_the_photo(import_photo, tmp_path):
    from made_photos import blades

    files = blades(tmp_path)
    root = import_photo(*files, soft_edge=0.05)
    assert "soft" in objects_by_role(root)
    photo = photo_of(files)
    with chromium.Page(chromium.find(), photo.shape[1::-1]) as browser:
        browser.open(written(root, tmp_path / "grass.html"), "#still")
        assert psnr(browser.picture(), photo) > 35


@needs_browser
def test_a_browser_that_cannot_show_it_says_so(page):
    path = page[0]
    path.write_text(path.read_text(encoding="utf-8").replace('getContext("webgl2"', 'getContext("webgl7"'), encoding="utf-8")
    with chromium.Page(chromium.find(), (300, 200)) as browser:
        browser.open(path)
        assert "WebGL 2" in browser.value("document.querySelector('body > p').textContent")


def test_the_scene_is_as_it_was(page, tmp_path):
    _, root = page
    before = everything()
    written(root, tmp_path / "again.html")
    assert not differences(before, everything()) and not list(tmp_path.glob(".*"))


def test_what_a_page_cannot_show_is_told(page, tmp_path):
    _, root = page
    with pytest.raises(RuntimeError, match="shows one eye"):
        written(root, tmp_path / "two.html", stereo="side-by-side")
    with pytest.raises(RuntimeError, match="cannot hold passes"):
        written(root, tmp_path / "passes.html", render_passes=True)
    for ob in root.children_recursive:
        ob.hide_render = ob.type == "MESH"
    with pytest.raises(RuntimeError, match="no surface that is rendered"):
        written(root, tmp_path / "none.html")
    assert {path.name for path in tmp_path.glob("*.html")} == {"ball.html"}


def test_the_command_line_writes_one(ball, tmp_path, tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("home"))
    try:
        make = lambda *flags: worker.run(ball[0], "--depth", ball[1], *FAST, *flags, cwd=tmp_path)
        done = make("--output", "a.blend", "--render", "a.html")
        assert done.code == 0 and "rendered by" not in done.out, done.err
        assert "diorama" in (tmp_path / "a.html").read_text(encoding="utf-8")
        again = make("--output", "b.blend", "--render", "a.html")
        assert again.code == 2 and "exists already" in one_sentence(again.err)
        two = make("--output", "b.blend", "--render", "b.html", "--stereo", "pair")
        assert two.code == 2 and "shows one eye" in one_sentence(two.err) and not (tmp_path / "b.blend").exists()
    finally:
        worker.close()
