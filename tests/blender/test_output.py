"""Rendering to files: what each kind shows to each eye, and that the user's scene is as it was whatever happens."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import counts, differences, everything, furnish
from fake_layout import FakeLayout
from films import read_film
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

SMALL = dict(samples=1, render_side=128)


@pytest.fixture
def shot(blender, street, import_photo):
    """A root of the board at 2 m before the wall at 6 m, in somebody's furnished scene."""
    root = import_photo(*street, texture_filter="closest", camera_move="none")
    furnish(blender)
    blender.context.view_layer.objects.active = root
    blender.context.scene.frame_start, blender.context.scene.frame_end = 7, 9
    return root


def render(bpy, path, **options):
    assert bpy.ops.photo_diorama.render_output(filepath=str(path), **{**SMALL, **options}) == {"FINISHED"}


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), float)


def shift(left: np.ndarray, right: np.ndarray, rows: slice, columns: slice) -> int:
    """By how many pixels a part of the left eye's picture lies further right than in the right eye's."""
    part = left[rows, columns].mean(2)
    errors = {}
    for by in range(-12, 13):
        other = right[rows, columns.start - by : columns.stop - by].mean(2)
        errors[by] = np.abs(other - part).mean()
    return min(errors, key=errors.get)


def test_a_still_is_the_photo_whatever_the_scene_shows(blender, shot, street, tmp_path):
    render(blender, tmp_path / "a.png", render_side=0)
    assert np.abs(pixels(tmp_path / "a.png") - pixels(street[0])).mean() < 2  # dithered; AgX would be off by dozens
    render(blender, tmp_path / "b.png", render_side=0, colours="scene")
    assert np.abs(pixels(tmp_path / "b.png") - pixels(street[0])).mean() > 20


def test_the_eyes_see_the_depth(blender, shot, tmp_path):
    """Nothing moves at the convergence distance; elsewhere by eye distance x focal length x difference of disparity."""
    options = dict(stereo="pair", eye_distance=0.12, convergence=2.0)
    render(blender, tmp_path / "a.png", **options)
    left, right = (pixels(tmp_path / f"a_{eye}.png") for eye in ("left", "right"))
    board, wall = (slice(30, 66), slice(50, 78)), (slice(4, 20), slice(40, 90))
    assert shift(left, right, *board) == 0
    assert shift(left, right, *wall) == round(0.12 * 128 * (1 / 6 - 1 / 2)) == -5  # behind the screen: crossed the other way
    render(blender, tmp_path / "a.png", **{**options, "convergence": 6.0})
    left, right = (pixels(tmp_path / f"a_{eye}.png") for eye in ("left", "right"))
    assert shift(left, right, *wall) == 0 and shift(left, right, *board) == 5  # before the screen


def test_one_file_holds_what_a_pair_holds(blender, shot, tmp_path):
    options = dict(eye_distance=0.1)
    for name, stereo in (("pair", "pair"), ("side", "side-by-side"), ("top", "top-bottom"), ("ana", "anaglyph")):
        render(blender, tmp_path / f"{name}.png", stereo=stereo, **options)
    left, right = (pixels(tmp_path / f"pair_{eye}.png") for eye in ("left", "right"))
    assert left.shape == (96, 128, 3) and np.abs(left - right).mean() > 3
    near = lambda a, b: np.abs(a - b).mean() < 1.5  # each is dithered by itself
    side, top, anaglyph = (pixels(tmp_path / f"{name}.png") for name in ("side", "top", "ana"))
    assert side.shape == (96, 256, 3) and near(side, np.hstack([left, right]))
    assert top.shape == (192, 128, 3) and near(top, np.vstack([left, right]))
    assert near(anaglyph[..., 0], left[..., 0]) and near(anaglyph[..., 1:], right[..., 1:])


def test_vr180_is_half_a_sphere_for_each_eye(blender, shot, tmp_path):
    render(blender, tmp_path / "vr.png", stereo="vr180", eye_distance=0.3)
    picture = pixels(tmp_path / "vr.png")
    assert picture.shape == (128, 256, 3)
    left, right = picture[:, :128], picture[:, 128:]
    # the photo is 53 degrees wide, border and backdrop some more; the rest of the half sphere is empty but for the world
    lit = np.abs(left - left[2, 2]).sum(2) > 20
    columns = np.flatnonzero(lit.any(0))
    assert 53 / 180 * 128 - 2 <= np.ptp(columns) <= 92 / 180 * 128
    assert abs(columns.mean() - 64) < 5 and not lit[:20].any() and not lit[-20:].any()
    # the board stands nearer: the left eye sees it further to the right, by atan(0.3 / 2) of 180 degrees in 128 pixels
    board = slice(58, 70), slice(60, 72)
    assert shift(left, right, *board) == pytest.approx(np.degrees(np.arctan(0.15)) / 180 * 128, abs=1.6)


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_a_film_in_vr180_tells_players_and_shows_the_same(blender, shot, tmp_path, monkeypatch, ending):
    from boxes import boxes_of

    from photo_diorama.operators.output import render as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "mark_vr180", lambda movie: None)
        render(blender, tmp_path / f"plain{ending}", stereo="vr180", render_side=64)
    render(blender, tmp_path / f"told{ending}", stereo="vr180", render_side=64)
    assert sorted(p.name for p in tmp_path.glob("*told*")) == [f"told{ending}"]

    def frames(name):
        return read_film(tmp_path / f"{name}{ending}")[0]

    assert frames("told").shape == (3, 64, 128, 3) and np.array_equal(frames("told"), frames("plain"))
    plain, told = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("plain", "told"))
    assert "moov/trak/mdia/minf/stbl/stsd/avc1/sv3d/proj/equi" in boxes_of(told) and b"sv3d" not in plain
    assert boxes_of(told)["mdat"] == boxes_of(plain)["mdat"]
    render(blender, tmp_path / f"flat{ending}", stereo="side-by-side", render_side=64)
    assert b"sv3d" not in (tmp_path / f"flat{ending}").read_bytes()


def test_a_gif_has_its_frames_its_time_and_repeats(blender, shot, tmp_path):
    blender.ops.photo_diorama.apply_move(camera_move="swing", frames=5)
    blender.context.scene.render.fps = 24
    render(blender, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (5, (128, 96), 0)
        shown, time = [], 0
        for number in range(5):
            gif.seek(number)
            time += gif.info["duration"]
            shown.append(np.asarray(gif.convert("RGB"), float))
    assert time == round(5 / 24, 2) * 1000
    assert all(np.abs(a - b).mean() > 1 for a, b in zip(shown, shown[1:], strict=False))


def test_films_have_their_frames_and_size(blender, shot, tmp_path):
    render(blender, tmp_path / "a.mp4", stereo="side-by-side")
    frames, rate = read_film(tmp_path / "a.mp4")
    assert frames.shape == (3, 96, 256, 3) and rate == 30  # the scene's range and rate
    render(blender, tmp_path / "b.mp4", stereo="pair")
    assert sorted(p.name for p in tmp_path.glob("b*")) == ["b_left.mp4", "b_right.mp4"]
    render(blender, tmp_path / "frames", stereo="pair")
    names = [f"frame_{n:04d}_{eye}.png" for n in (1, 2, 3) for eye in ("left", "right")]
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == names


@pytest.mark.parametrize("name", ["a.png", "a.gif", "frames"])
def test_no_engine_outlives_the_scene_that_it_rendered(blender, shot, tmp_path, monkeypatch, name):
    """An engine that Blender keeps for the next frame refers to the removed scene: the next new object reads freed memory."""
    from cycles import engine

    free, scene_was_there = engine.free, []

    def watched(each):
        scene_was_there.append(any(scene.name.startswith("Photo Diorama render") for scene in blender.data.scenes))
        free(each)

    monkeypatch.setattr(engine, "free", watched)
    render(blender, tmp_path / name)
    assert scene_was_there and all(scene_was_there)


KINDS = {"still": ("a.png", {}), "gif": ("a.gif", {}), "film of a pair": ("a.mp4", dict(stereo="pair")),
         "vr": ("a.png", dict(stereo="vr180"))}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_scene_is_as_it_was(blender, shot, tmp_path, kind):
    name, options = KINDS[kind]
    before, had = everything(), counts()
    render(blender, tmp_path / name, **options)
    assert not differences(before, everything()) and counts() == had | {"images": counts()["images"]}
    assert blender.context.scene.camera.name == "my camera"


@pytest.mark.parametrize("broken", ["_encode", "set_up_stereo", "is_whole", "_put"])
def test_the_scene_is_as_it_was_after_a_failure(blender, shot, tmp_path, monkeypatch, capfd, broken):
    from photo_diorama.operators.output import render as module

    (tmp_path / "out").mkdir()
    calls = []

    def breaks(*arguments):
        calls.append(arguments)
        if broken == "is_whole":
            return len(calls) < 2
        raise KeyError("made to fail")

    monkeypatch.setattr(module, broken, breaks)
    before, had = everything(), counts()
    words = "could not be saved.*free" if broken == "is_whole" else "fault of Photo Diorama.*KeyError"
    with pytest.raises(RuntimeError, match=words):
        render(blender, tmp_path / "out/a.mp4", stereo="side-by-side")
    assert calls and not differences(before, everything()) and counts() == had | {"images": counts()["images"]}
    assert not [*(tmp_path / "out").iterdir()]


def waiting(blender, root, target, **options):
    from photo_diorama.core.scene.output import OutputSettings
    from photo_diorama.operators.output import render_output
    from photo_diorama.operators.output.render import rendering

    scene, said, status = blender.context.scene, [], []
    steps = rendering(target, scene, 3, OutputSettings(**{**SMALL, **options}), render_output.diorama_view(root, scene))
    manager = SimpleNamespace(progress_update=lambda f: None, progress_end=lambda: None, event_timer_remove=lambda t: None)
    context = SimpleNamespace(window_manager=manager, workspace=SimpleNamespace(status_text_set=status.append))
    # the operator's own methods on a plain object, since only Blender makes operators
    names = ("modal", "_stop", "_ended", "_failed")
    own = type("Waiting", (SimpleNamespace,), {name: getattr(render_output.RenderOutput, name) for name in names})
    operator = own(_steps=steps, _timer=None, report=lambda kind, words: said.append((kind, words)), filepath=str(target))
    return operator, context, said, status


def test_a_person_waits_a_frame_at_a_time(blender, shot, tmp_path):
    before = everything()
    operator, context, said, status = waiting(blender, shot, tmp_path / "a.mp4")
    timer, told = SimpleNamespace(type="TIMER", value=""), {"RUNNING_MODAL"}
    assert operator.modal(context, SimpleNamespace(type="Z", value="PRESS")) == {"RUNNING_MODAL"}  # no undo meanwhile
    while told == {"RUNNING_MODAL"}:
        told = operator.modal(context, timer)
    assert told == {"FINISHED"} and (tmp_path / "a.mp4").is_file() and "a.mp4" in said[-1][1]
    assert [line and line.split()[1] for line in status] == ["0%", "33%", "67%", None]
    assert not differences(before, everything())


def test_esc_leaves_no_file_and_the_scene_as_it_was(blender, shot, tmp_path):
    before, had = everything(), counts()
    operator, context, said, status = waiting(blender, shot, tmp_path / "a.mp4", stereo="anaglyph")
    for _ in range(2):
        operator.modal(context, SimpleNamespace(type="TIMER", value=""))
    assert operator.modal(context, SimpleNamespace(type="ESC", value="PRESS")) == {"CANCELLED"}
    assert not differences(before, everything())
    assert counts() == had | {"images": counts()["images"]}  # Blender keeps its own image of the last render
    assert not [p for p in tmp_path.iterdir() if p.name not in ("street.png", "depth_of.npy")]
    assert "Stopped" in said[-1][1] and status[-1] is None


def test_bad_input_is_a_sentence(blender, shot, tmp_path, monkeypatch):
    (tmp_path / "is.mp4").mkdir()
    cases = {
        "No file was chosen": dict(filepath=""),
        "no ending that can be rendered": dict(filepath=str(tmp_path / "a.avi")),
        "is a folder already": dict(filepath=str(tmp_path / "is.mp4")),
        "Cycles only": dict(filepath=str(tmp_path / "a.png"), stereo="vr180", engine="eevee"),
    }
    for words, options in cases.items():
        with pytest.raises(RuntimeError, match=words):
            blender.ops.photo_diorama.render_output(**options)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "PIL" else find(name))
    with pytest.raises(RuntimeError, match="needs the Python module Pillow.*choose MP4"):
        blender.ops.photo_diorama.render_output(filepath=str(tmp_path / "a.gif"))


def test_the_panel_and_the_names_that_follow_the_format(blender, shot):
    from photo_diorama.operators.output.render_output import RenderOutput

    layout, panel = FakeLayout(), blender.types.PHOTO_DIORAMA_PT_output
    assert panel.poll(blender.context)
    panel.draw(SimpleNamespace(layout=layout), blender.context)
    assert len(layout.said("operator")) == 8
    for path, kind, wanted in (("a.mp4", "GIF", "a.gif"), ("a", "MP4", "a.mp4"), ("a.mp4", "Frames", "a"), ("a.b", "Still", "a.b.png"),
                               ("a.png", "HTML", "a.html")):  # fmt: skip
        chosen = SimpleNamespace(filepath=f"/x/{path}", format=kind)
        assert RenderOutput.check(chosen, None) and chosen.filepath == f"/x/{wanted}"
        assert not RenderOutput.check(chosen, None)
    properties = blender.ops.photo_diorama.render_output.get_rna_type().properties
    assert all(p.description for p in properties if p.identifier != "rna_type")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


def test_a_picture_is_as_sharp_as_the_photo_reduced_to_its_size(blender, street, import_photo, tmp_path):
    """With linear texels: at the photo's size its pixels come back, smaller it is an area filter's picture of it."""
    import cv2

    photo = np.random.default_rng(2).uniform(0, 255, (120, 160, 3))
    photo = 0.5 * cv2.GaussianBlur(photo, (0, 0), 1) + 0.1 * photo + 40
    Image.fromarray(photo.astype(np.uint8)).save(street[0])
    import_photo(*street)
    photo = pixels(street[0])
    inside = np.zeros(photo.shape[:2], bool)
    inside[30:90, 50:110] = True  # the board, and not its silhouette
    inside[:20], inside[-20:] = True, True
    render(blender, tmp_path / "whole.png", render_side=0, samples=4)
    assert psnr(pixels(tmp_path / "whole.png")[inside], photo[inside]) > 50
    for side in (140, 100):
        render(blender, tmp_path / "small.png", render_side=side, samples=4)
        small = cv2.resize(photo, (side, side * 3 // 4), interpolation=cv2.INTER_AREA)
        there = cv2.resize(inside.astype(np.uint8), (side, side * 3 // 4), interpolation=cv2.INTER_AREA) > 0
        assert psnr(pixels(tmp_path / "small.png")[there], small[there]) > 38


@pytest.mark.parametrize("ending", [".jpg", ".tif", ".exr"])
def test_every_kind_of_still_shows_the_same(blender, shot, tmp_path, ending):
    render(blender, tmp_path / "a.png", samples=4)
    render(blender, tmp_path / f"a{ending}", samples=4)
    if ending == ".exr":
        from photo_diorama.core.photo.photo import srgb_from_linear
        from photo_diorama.core.raster.exr_read import read_pixels

        found = srgb_from_linear(read_pixels((tmp_path / "a.exr").read_bytes())[..., ::-1].clip(0, 1)) * 255
    else:
        found = pixels(tmp_path / f"a{ending}")
    assert found.shape == (96, 128, 3) and psnr(found, pixels(tmp_path / "a.png")) > 28


def test_a_transparent_film_keeps_its_alpha(blender, shot, tmp_path):
    scene = blender.context.scene
    for ob in shot.children_recursive:
        ob.hide_render = ob.get("photo_diorama_role") != "photo"
    scene.render.film_transparent = True
    blender.ops.photo_diorama.apply_move(camera_move="swing", frames=3, framing="whole")
    scene.frame_set(scene.frame_start)
    render(blender, tmp_path / "a.png", samples=4)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert picture.shape == (96, 128, 4) and 0.3 < (picture[..., 3] == 255).mean() < 1 and (picture[..., 3] == 0).any()


def test_the_scenes_own_engine_and_samples_are_taken_and_told(blender, shot, tmp_path):
    from photo_diorama.core.scene.output import OutputSettings
    from photo_diorama.operators.output import render as module

    scene = blender.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.pixel_filter_type = "CYCLES", 3, "GAUSSIAN"
    assert module.describe_quality(scene, OutputSettings(engine="scene"), Path("a.png")) == "the scene's own Cycles, 3 rays a pixel"
    assert module.describe_quality(scene, OutputSettings(), Path("a.png")) == "Cycles, 4 rays a pixel"
    seen, real = [], module._pictures

    def watched(shot, *rest):
        seen.append((shot.cycles.samples, shot.cycles.pixel_filter_type, shot.render.resolution_percentage))
        return real(shot, *rest)

    module._pictures = watched
    try:
        render(blender, tmp_path / "a.png", engine="scene")
        render(blender, tmp_path / "b.png", engine="cycles", samples=5)
    finally:
        module._pictures = real
    assert seen == [(3, "GAUSSIAN", 100), (2, "BLACKMAN_HARRIS", 200)]


def test_passes_hold_metres_normals_objects_and_what_is_invented(blender, shot, tmp_path):
    from photo_diorama.core.raster import exr_header, exr_read

    scene = blender.context.scene
    blender.ops.photo_diorama.apply_move(camera_move="swing", frames=2, framing="whole")
    scene.frame_set(scene.frame_start)
    before = everything()
    render(blender, tmp_path / "a.exr", render_passes=True, samples=1, render_side=128)
    assert not differences(before, everything())
    data = (tmp_path / "a.exr").read_bytes()
    headers = exr_header.read_headers(data)
    names = [name for name, _ in headers.parts[0].channels]
    channel = lambda ending: exr_read._read(
        data, headers, headers.parts[0], (next(n for n in names if n.endswith(ending)),), "")[0]  # fmt: skip
    near = 2.0 * (1 + 0.075)  # the swing begins behind the photo's place
    depth, origin = channel("Depth.Z") if any(n.endswith("Depth.Z") for n in names) else channel(".Z"), channel("IndexOB.X")
    assert depth[48, 64] == pytest.approx(near, rel=0.02) and depth[5, 64] == pytest.approx(6.15, rel=0.02)
    assert origin[48, 64] == 1 and {1, 2, 3} <= set(np.unique(origin.round(3))) <= {0, 1, 2, 3, 4}
    assert abs(channel("Normal.X")[48, 64]) < 0.2 and any("Crypto" in name for name in names)
    assert {"Combined.R", "Combined.G", "Combined.B"} <= {".".join(name.split(".")[-2:]) for name in names}
    with pytest.raises(RuntimeError, match="cannot hold passes; name a folder or an .exr"):
        blender.ops.photo_diorama.render_output(filepath=str(tmp_path / "a.png"), render_passes=True)
    with pytest.raises(RuntimeError, match="one eye"):
        blender.ops.photo_diorama.render_output(filepath=str(tmp_path / "a.exr"), render_passes=True, stereo="pair")
    render(blender, tmp_path / "frames", render_passes=True, samples=1, render_side=64)
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == ["frame_0001.exr", "frame_0002.exr"]
