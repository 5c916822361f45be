"""The pipeline: the same files give the same bytes, kept stages are not repeated, and it stops at each step."""

import os
from pathlib import Path

import numpy as np
import pytest
from scenes import HEIGHT, WIDTH, png_bytes, t_junction, two_planes

from photo_diorama.core.errors import Cancelled, DioramaError
from photo_diorama.core.pipeline import StageCache, build_diorama
from photo_diorama.core.settings import Settings

WHOLE = Settings().with_values({"border": 0.2, "depth_kind": "metric"})
SETTINGS = WHOLE.with_values({"inpainter": "diffusion", "hidden_depth": "nearest"})
"""As many steps as with the networks, in a third of the time."""
STAGES = ["photo", "depth", "image", "mesh"]


@pytest.fixture
def files(tmp_path):
    return t_junction().saved(tmp_path)


def built(files, settings=SETTINGS, **options):
    return build_diorama(*files, settings, **options)


def content(diorama) -> list[bytes]:
    """Everything a scene is made of."""
    parts = [diorama.mesh.atlas, diorama.depth.disparity, diorama.photo.colour]
    for mesh in diorama.mesh.meshes:
        parts += [mesh.vertices, mesh.triangles, mesh.uvs]
    return [part.tobytes() for part in parts]


def test_the_same_files_give_the_same_bytes(files):
    a, b = built(files, WHOLE), built(files, WHOLE)
    assert content(a) == content(b) and a.edges == b.edges
    assert [m.role for m in a.mesh.meshes] == [m.role for m in b.mesh.meshes]


def test_what_comes_out_belongs_together(files):
    diorama = built(files, WHOLE)
    assert diorama.depth.disparity.shape == (HEIGHT, WIDTH) and diorama.depth.metric
    assert diorama.mesh.camera == diorama.photo.camera and diorama.mesh.name == "scene"
    assert sum(diorama.edges) >= 2 and len(diorama.image.layers) == 1 + len(diorama.edges)
    assert np.allclose(diorama.depth.disparity, t_junction().disparity)
    assert all(seconds >= 0 for seconds in diorama.seconds.values()) and len(diorama.seconds) >= 6


@pytest.mark.parametrize(
    ("change", "first_repeated"),
    [
        ({}, None),
        ({"camera_move": "swing", "frames": 10}, None),
        ({"density": 3.0}, "mesh"),
        ({"eroded_rim": 0.01}, "image"),
        ({"hidden_width": 0.03}, "image"),
        ({"tear": 0.05}, "image"),
        ({"long_side": 100}, "depth"),
        ({"near_distance": 3.0}, "depth"),
        ({"fov": 70.0}, "photo"),
    ],
)
def test_kept_stages_are_repeated_from_the_changed_option_on(files, change, first_repeated):
    kept = StageCache()
    before = built(files, kept=kept)
    after = built(files, SETTINGS.with_values(change), kept=kept)
    repeated = STAGES.index(first_repeated) if first_repeated else len(STAGES)
    for i, stage in enumerate(STAGES):
        same = getattr(after, stage) is getattr(before, stage)
        assert same == (i < repeated), stage
    fresh = built(files, SETTINGS.with_values(change))
    assert content(after) == content(fresh)


def test_going_back_to_the_first_options_is_right_again(files):
    kept = StageCache()
    first = content(built(files, kept=kept))
    built(files, SETTINGS.with_values({"tear": 0.05, "density": 2.0}), kept=kept)
    assert content(built(files, kept=kept)) == first


@pytest.mark.parametrize("which", [0, 1])
def test_a_rewritten_file_is_read_again(files, which):
    kept = StageCache()
    before = built(files, kept=kept)
    other = two_planes()
    if which == 0:
        files[0].write_bytes(png_bytes(255 - t_junction().colour))
    else:
        np.save(files[1], 1 / other.disparity)
    os.utime(files[which], ns=(1, 1))
    after = built(files, kept=kept)
    assert content(after) != content(before) and content(after) == content(built(files))


def test_progress_never_goes_back(files):
    fractions = []
    built(files, progress=lambda stage, fraction: fractions.append(fraction))
    assert fractions == sorted(fractions)


def test_it_stops_at_each_step_and_goes_on_from_what_is_kept(files):
    steps = []
    clean = content(built(files, progress=lambda stage, fraction: steps.append((stage, fraction))))
    fractions = [fraction for _, fraction in steps]
    assert all(0 <= fraction <= 1 for fraction in fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert len({stage for stage, _ in steps}) >= 7 and all(stage and stage[0].isupper() for stage, _ in steps)
    for stop in range(len(steps)):
        kept, count = StageCache(), 0

        def progress(stage, fraction, stop=stop):
            nonlocal count
            if count == stop:
                raise Cancelled
            count += 1

        with pytest.raises(Cancelled):
            built(files, progress=progress, kept=kept)
        assert count == stop and content(built(files, kept=kept)) == clean


def test_errors_leave_nothing_wrong_behind(files):
    kept = StageCache()
    clean = content(built(files, kept=kept))
    bad = files[1].parent / "bad.npy"
    np.save(bad, np.ones((HEIGHT, WIDTH), np.float32))
    with pytest.raises(DioramaError, match="bad.npy"):
        build_diorama(files[0], bad, SETTINGS, kept=kept)
    assert content(built(files, kept=kept)) == clean


@pytest.mark.parametrize("which", [0, 1])
def test_missing_files_are_named(files, which):
    paths = list(files)
    paths[which] = Path(str(paths[which]) + ".missing")
    with pytest.raises(DioramaError) as caught:
        build_diorama(*paths, SETTINGS)
    assert str(paths[which]) in str(caught.value)


def test_paths_may_be_text(files):
    assert content(build_diorama(str(files[0]), str(files[1]), SETTINGS)) == content(built(files))


@pytest.mark.parametrize("size", [(16, 16), (16, 300), (300, 16), (17, 33)])
def test_the_smallest_photos_come_through(tmp_path, size):
    """16 pixels on a side, aspect up to 20: nothing divides by zero and nothing is empty."""
    rng = np.random.default_rng(0)
    (tmp_path / "small.png").write_bytes(png_bytes(rng.integers(0, 255, (*size, 3)).astype(np.uint8)))
    depth = np.ones(size, np.float32) * 3
    depth[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    np.save(tmp_path / "small.npy", depth)
    diorama = build_diorama(tmp_path / "small.png", tmp_path / "small.npy", WHOLE)
    assert diorama.mesh.triangle_count > 0 and len(diorama.image.layers) >= 2


@pytest.mark.parametrize("kind", ["noise", "steps", "ramp", "checks"])
def test_unkind_depth_comes_through(tmp_path, kind):
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    disparity = {
        "noise": 0.1 + rng.random((HEIGHT, WIDTH)),
        "steps": 0.1 + columns // 4 / 40,
        "ramp": 0.02 + rows / HEIGHT + columns / WIDTH,
        "checks": 0.2 + 0.8 * ((rows // 5 + columns // 5) % 2),
    }[kind]
    scene = two_planes()
    photo, depth = scene.saved(tmp_path)
    np.save(depth, np.float32(1 / disparity))
    diorama = build_diorama(photo, depth, WHOLE)
    for mesh in diorama.mesh.meshes:
        assert np.isfinite(mesh.vertices).all() and (mesh.vertices[:, 2] > 0).all() and len(mesh.triangles)
    assert np.isfinite(diorama.mesh.atlas).all()


def test_a_whole_move_has_a_border_as_wide_as_it_sees():
    from photo_diorama.core.camera.camera import Camera
    from photo_diorama.core.pipeline import MAX_BORDER, wide_enough
    from photo_diorama.core.settings import LayerSettings, SceneSettings

    camera, layers = Camera(960, 720, 960.0, 480.0, 360.0), LayerSettings()
    wide = lambda **scene: wide_enough(layers, SceneSettings(**scene), camera).border
    assert wide() == wide(camera_move="swing") == wide(framing="whole") == layers.border
    assert wide(camera_move="swing", framing="whole") == pytest.approx(0.045 + 0.075 / 2)
    assert wide(camera_move="swing", framing="whole", move_amount=2.0) == pytest.approx(0.165)
    assert wide(camera_move="push-rise", framing="whole", move_amount=5.0) == MAX_BORDER


@pytest.mark.parametrize("near_distance", [1.0, 7.0])
@pytest.mark.parametrize("kind", ["metric", "disparity"])
def test_a_line_of_known_length_sets_the_scale_whatever_the_depth_said(tmp_path, kind, near_distance):
    """A wall that faces the camera: a line across it is its pixels times its distance by the focal length."""
    photo, depth = two_planes().saved(tmp_path)
    if kind == "disparity":
        np.save(depth, two_planes().disparity * 20)
    kept = StageCache()
    values = {"depth_kind": kind, "near_distance": near_distance, "focal_px": 200.0}
    first = build_diorama(photo, depth, SETTINGS.with_values(values), kept=kept)
    line = {"known_line": "60,40,60,80", "known_length": 0.5}  # on the rectangle, 40 px long
    built = build_diorama(photo, depth, SETTINGS.with_values(values | line), kept=kept)
    assert built.mesh.nearest == pytest.approx(0.5 * 200 / 40, rel=1e-3) and built.mesh.metric and "0.5 m" in built.depth.source
    assert built.seconds["Finding the depth"] == 0 and built.mesh.nearest != pytest.approx(first.mesh.nearest, rel=0.1)
    with pytest.raises(DioramaError, match="four numbers"):
        build_diorama(photo, depth, SETTINGS.with_values(values | {"known_length": 1.0}), kept=kept)
