"""The command line's main job: flags, exit codes, JSON, the .blend and what is rendered."""

import json
import math
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from command_lines import FAST, FASTEST, Worker, files, finish, one_sentence, start
from films import read_film
from made_photos import sphere, texture, two_planes, write
from PIL import Image

from photo_diorama.core.settings import Settings, each_option

pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")


@pytest.fixture
def make(worker, tmp_path):
    """Builds the photo of two planes with more flags; returns its outcome."""
    photo, depth = two_planes(tmp_path)
    return lambda *flags, **more: worker.run(photo, "--depth", depth, *FAST, *flags, cwd=tmp_path, **more)


def psnr(a: Path, b: Path) -> float:
    a, b = (np.asarray(Image.open(p).convert("RGB"), np.float64) for p in (a, b))
    error = np.mean((a - b) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def test_a_photo_in_which_nothing_is_torn_is_told_with_what_to_do(worker, make, tmp_path):
    assert "nothing is torn" not in make("--output", "two.blend").out
    photo, _ = two_planes(tmp_path)
    slope = np.tile(1 / np.linspace(1 / 3, 1 / 2, 96, dtype=np.float32)[:, None], (1, 128))
    np.save(tmp_path / "slope.npy", slope)
    told = worker.run(photo, "--depth", tmp_path / "slope.npy", *FAST, "--tear", "0.1", "--output", "one.blend", cwd=tmp_path).out
    assert "nothing is torn" in told and "--depth" in told and "--estimator" in told


def test_every_option_of_core_is_a_flag_with_its_default_range_and_help():
    from photo_diorama.ui.cli.command_line import main_parser, parse
    from photo_diorama.ui.cli.flags import settings_from

    help = " ".join(main_parser().format_help().split())
    flags = {action.dest: action for action in main_parser()._actions}
    for _, f in each_option():
        if f.name == "set_up_scene":  # a file of its own is always set up
            assert f.name not in flags
            continue
        assert flags[f.name].default == f.default, f.name
        assert f.metadata["help"] in help, f.name
        assert list(flags[f.name].choices or []) == list(f.metadata["choices"] or []), f.name
        assert flags[f.name].option_strings[0] == "--" + f.name.replace("_", "-")
    assert settings_from(parse(["a.jpg"])[1]) == Settings()


def another(f):
    """A value that is not the default: numbers near it and within bounds; of choices one that needs no download."""
    chosen = {
        "fov": 40.0, "focal_px": 0.0, "estimator": "built-in", "device": "cpu", "depth_kind": "metric",
        "depth_scale": 0.5, "long_side": 100, "border": 0.1, "shader": "principled", "texture_filter": "closest",
        "camera_move": "circle", "frames": 7, "known_line": "", "known_length": 0.0, "depth_unknown": "-1", "depth_range": "1 9",
    }  # fmt: skip
    if f.name in chosen or f.metadata["choices"]:
        return chosen.get(f.name, f.default)
    if isinstance(f.default, bool):
        return not f.default
    return type(f.default)(max(f.metadata["low"], f.default * 0.7))


def test_every_flag_reaches_the_scene(worker, tmp_path):
    """Values other than the defaults, through argparse, the pipeline and the file, and back."""
    wanted, flags = {}, []
    for _, f in each_option():
        if f.name == "set_up_scene":
            continue
        wanted[f.name], flag = another(f), "--" + f.name.replace("_", "-")
        if isinstance(f.default, bool):
            flags.append(flag if wanted[f.name] else flag.replace("--", "--no-", 1))
        elif wanted[f.name] != f.default:
            flags += [flag, str(wanted[f.name])]
    assert len(flags) > 30
    photo, depth = two_planes(tmp_path)
    done = worker.run(photo, "--depth", depth, *flags, cwd=tmp_path)
    assert done.code == 0, done.err
    seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
    assert seen["settings"] == wanted | {"set_up_scene": True}
    assert seen["frames"] == [1, 7]
    assert seen["interpolation"] == ["Closest"]


def test_values_out_of_range_are_bad_input(make, tmp_path):
    before = files(tmp_path)
    for flag, value in (("--long-side", "1"), ("--tear", "nan"), ("--fov", "200"), ("--passes", "99")):
        done = make(flag, value)
        assert done.code == 2
        assert flag in one_sentence(done.err)
    assert make("--camera-move", "jump").code == 2
    assert make("--focal-px", "500", "--fov", "40").code == 2
    assert make("--long", "64").code == 2, "abbreviations would change their meaning with the next option"
    assert files(tmp_path) == before


def test_the_file_opens_again_with_the_diorama_alone(make, worker, tmp_path):
    done = make()
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("street.blend: 2 layers, ")
    assert files(tmp_path) == {"street.png", "depth_of.npy", "street.blend"}
    seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
    assert {"camera", "photo", "rig", "root"} < set(seen["roles"])
    assert len(seen["objects"]) == len(seen["roles"]), "nothing of a startup scene"
    assert (seen["scenes"], seen["collections"]) == (1, ["street"])
    assert seen["camera_is_scene's"] and seen["packed"]
    assert seen["size"] == [160, 120, 100]
    assert seen["view"] == ["sRGB", "Standard", "None"]
    assert seen["source"]["photo_stamp"], "a rebuild knows by it whether the photo is the same"


def test_json_is_one_object_and_nothing_else(tmp_path, home):
    """In a process of its own: Blender writes on standard output as it saves and renders."""
    photo, depth = two_planes(tmp_path)
    arguments = ["--depth", depth, *FASTEST, "--json", "--output", "sub/x.blend", "--render", "still.png"]
    done = finish(start(photo, *arguments, cwd=tmp_path, home=home))
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert told["blend"] == str(tmp_path / "sub/x.blend") and told["rendered"] == [str(tmp_path / "still.png")]
    assert (told["photo"], told["depth"]) == (str(photo), str(depth))
    assert all(Path(p).is_file() for p in (told["blend"], *told["rendered"]))
    assert told["metric"] is True and told["photo_size"] == [160, 120] and told["working_size"] == [96, 72]
    assert told["edges"] and min(told["layers"], told["vertices"], told["triangles"]) > 0
    assert {"Reading the photo", "Triangulating", "Saving", "Rendering"} < set(told["seconds"])
    assert all(seconds >= 0 for seconds in told["seconds"].values()) and told["seconds"]["Rendering"] > 0
    assert 50 < told["peak_memory_mb"] < 4000
    assert abs(told["nearest_m"] - 2) < 0.01


def test_counts_are_those_of_the_file(make, worker, tmp_path):
    told = json.loads(make("--json").out)
    seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
    assert seen["triangles"] == told["triangles"]
    assert {k: v for k, v in seen["source"].items() if k in told and k != "seconds"} == {
        k: v for k, v in told.items() if k in seen["source"] and k != "seconds"
    }


def test_quiet_says_nothing(make):
    done = make("--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_fault_of_ours_is_told_with_its_place(make, tmp_path):
    before = files(tmp_path)
    for broken in ("photo_diorama.ui.cli.make_diorama.build_diorama", "photo_diorama.ui.cli.make_diorama.save_blend"):
        done = make("--json", broken=broken)
        assert (done.code, done.out) == (1, "")
        assert "RuntimeError: broken for a test" in done.err and "fault of Photo Diorama" in done.err.splitlines()[-1]
        assert files(tmp_path) == before


@pytest.mark.parametrize(
    "filter, least",
    [("closest", 80.0), ("linear", 45.0)],
)
@pytest.mark.parametrize("scene", ["small", "ball", "larger than the working grid"])
def test_the_camera_sees_the_photo_exactly(worker, tmp_path, scene, filter, least):
    if scene == "small":
        photo, depth = two_planes(tmp_path)
    elif scene == "ball":
        photo, depth = sphere(tmp_path, width=121, height=163)
    else:
        photo, depth = strong_relief(tmp_path)
    flags = ["--depth-kind", "metric", "--long-side", "160", "--texture-filter", filter]
    done = worker.run(photo, "--depth", depth, *flags, "--output", "x.blend", cwd=tmp_path)
    assert done.code == 0, done.err
    worker.ask("render_photo", blend=str(tmp_path / "x.blend"), picture=str(tmp_path / "seen.png"))
    assert psnr(tmp_path / "seen.png", photo) >= least


def strong_relief(folder: Path) -> tuple[Path, Path]:
    """700x500: waves and thin bars from 0.5 m before a wall that recedes from 4 to 40 m."""
    x, y = np.meshgrid((np.arange(700) + 0.5) / 700, (np.arange(500) + 0.5) / 500)
    metres = 1 / (0.25 - 0.225 * x)
    metres[y > 0.6] = (0.8 + 0.25 * np.sin(40 * x) * np.cos(25 * y))[y > 0.6]
    metres[(np.abs(x % 0.2 - 0.1) < 0.012) & (y > 0.1) & (y < 0.5)] = 0.5
    return write(folder, "relief.png", texture(500, 700, 3), metres)


@pytest.mark.parametrize("move", ["zoom-in", "swing", "circle", "dolly-zoom", "push-rise"])
def test_each_move_is_keyframes_round_the_place_of_the_photo(make, worker, tmp_path, move):
    told = json.loads(make("--json", "--camera-move", move, "--frames", "33", "--move-easing", "linear", "--framing", "whole").out)
    seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
    assert seen["frames"] == [1, 33]
    places, near = np.array(seen["places"]) / told["nearest_m"], told["nearest_m"]
    farthest = {"zoom-in": (0, 0.15, 0), "swing": (0.045, 0.075, 0), "circle": (0.045, 0.075, 0.045),
                "dolly-zoom": (0, 0.15, 0), "push-rise": (0, 0.15, 0.045)}[move]  # fmt: skip
    assert np.allclose(np.abs(places).max(0), farthest, atol=2e-3)
    if move != "circle":
        assert np.allclose(places + places[::-1], 0, atol=1e-5), "the photo's place is in the middle"
        assert np.allclose(np.diff(places, 2, axis=0), 0, atol=1e-5), "at an even pace"
    if move == "dolly-zoom":
        distance = told["focus_m"] - places[:, 1] * near
        size = np.array(seen["lenses"]) / distance
        assert np.ptp(size) / size.mean() < 1e-4, "the focus object keeps its size"
    else:
        assert np.ptp(seen["lenses"]) == 0


def test_a_camera_stays_unless_it_is_asked_to_move(make, worker, tmp_path):
    make()
    seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
    assert not np.any(seen["places"])


def test_stills(make, tmp_path):
    """The first frame at the photo's size, and of a camera that stays nearly the photo."""
    for name in ("still.png", "still.jpg"):
        assert make("--render", name, "--overwrite").code == 0
        assert Image.open(tmp_path / name).size == (160, 120)
        assert psnr(tmp_path / name, tmp_path / "street.png") > 25
    assert not any(Path(name).name.startswith(".") for name in files(tmp_path))


def test_a_framing_is_told_and_kept(make, worker, tmp_path):
    done = make("--camera-move", "swing", "--move-amount", "2", "--frames", "5")
    assert "tighter so that no edge shows" in done.out
    seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
    told = json.loads(make("--json", "--overwrite", "--frames", "5").out)
    assert told["framed_tighter"] == 0 and len(set(seen["lenses"])) == 1
    rest = worker.ask("look", blend=str(tmp_path / "street.blend"))["lenses"][0]
    assert 1.005 < seen["lenses"][0] / rest < 1.3


def test_a_folder_of_frames(make, worker, tmp_path):
    done = make("--render", "shots/frames", "--frames", "3", "--framing", "whole")
    assert done.code == 0, done.err
    assert "rendered 3 frames in shots/frames" in done.out
    assert files(tmp_path / "shots") == {"frames", *(f"frames/frame_{n:04d}.png" for n in (1, 2, 3))}
    shots = [np.asarray(Image.open(p), int) for p in sorted((tmp_path / "shots/frames").iterdir())]
    assert [shot.shape[:2] for shot in shots] == [(120, 160)] * 3
    assert all(np.abs(a - b).mean() > 1 for a, b in zip(shots, shots[1:], strict=False)), "the camera moves"
    assert psnr(sorted((tmp_path / "shots/frames").iterdir())[1], tmp_path / "street.png") > 25, "through its place"
    assert worker.ask("look", blend=str(tmp_path / "street.blend"))["settings"]["camera_move"] == "swing"


@pytest.mark.parametrize("name", ["move.mp4", "move.mkv"])
def test_a_movie_decodes_and_has_its_frames(make, tmp_path, name):
    done = make("--render", name, "--frames", "5", "--camera-move", "zoom-in", "--framing", "whole")
    assert done.code == 0, done.err
    shots = [shot.astype(int) for shot in read_film(tmp_path / name)[0]]
    assert [shot.shape for shot in shots] == [(120, 160, 3)] * 5
    assert all(np.abs(a - b).mean() > 0.5 for a, b in zip(shots, shots[1:], strict=False))
    photo = np.asarray(Image.open(tmp_path / "street.png"), int)[..., ::-1]
    assert np.abs(shots[2] - photo).mean() < 20, "the middle frame is the photo"


def test_a_gif_and_a_stereo_pair(make, tmp_path):
    assert make("--render", "a.gif", "--frames", "3", "--camera-move", "zoom-in").code == 0
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3 and gif.size == (160, 120)
    before = files(tmp_path)
    done = make("--render", "s.png", "--stereo", "pair", "--samples", "1", "--render-side", "80", "--overwrite")
    assert done.code == 0 and "rendered s_left.png and s_right.png" in done.out
    assert files(tmp_path) - before == {"s_left.png", "s_right.png"}
    assert Image.open(tmp_path / "s_left.png").size == (80, 60)
    assert "exists already" in one_sentence(make("--render", "s.png", "--stereo", "pair", "--output", "b.blend").err)
    assert "Cycles only" in one_sentence(make("--render", "v.png", "--stereo", "vr180", "--engine", "eevee").err)


INTERRUPT = """
import os, signal
from photo_diorama.ui.cli import session
tell = session.ProgressLine.__call__
def interrupted(self, stage, fraction, count=[0]):
    count[0] += {stage!r} in stage
    if count[0] == {number}:
        {how}
    tell(self, stage, fraction)
session.ProgressLine.__call__ = interrupted
"""
KILL = "os.kill(os.getpid(), signal.SIGINT)"
SWALLOWED = f"""
        try:
            {KILL}
            import time
            time.sleep(5)
        except KeyboardInterrupt:
            count[0] += 1  # as Blender does in a callback of its own"""


@pytest.mark.parametrize(
    "stage, number, how, left",
    [
        ("Inpainting", 1, KILL, set()),
        ("Inpainting", 1, SWALLOWED, set()),
        ("Rendering", 3, KILL, {"street.blend"}),
    ],
)
def test_ctrl_c_ends_it_with_130_and_nothing_half_written(worker, home, tmp_path, stage, number, how, left):
    photo, depth = two_planes(tmp_path)
    before = files(tmp_path)
    script = INTERRUPT.format(stage=stage, number=number, how=how)
    arguments = ["--depth", depth, *FASTEST, "--render", "frames", "--frames", "50"]
    done = finish(start(photo, *arguments, cwd=tmp_path, home=home, before=script))
    assert done.code == 130, done.err
    assert done.out == "" and "stopped" in one_sentence(done.err)
    assert files(tmp_path) - before == left
    if left:
        assert worker.ask("look", blend=str(tmp_path / "street.blend"))["triangles"] > 0


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_ctrl_c_from_outside(tmp_path, home):
    photo, depth = two_planes(tmp_path)
    process = start(photo, "--depth", depth, *FASTEST, "--render", "m.mp4", "--frames", "9000", cwd=tmp_path, home=home)
    deadline = time.monotonic() + 400
    while not list(tmp_path.glob(".rendering-*/**/frame_0002.png")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130 and "stopped" in one_sentence(done.err)
    assert files(tmp_path) == {"street.png", "depth_of.npy", "street.blend"}


def test_the_installed_script_starts_without_blender_for_help(home, tmp_path):
    parts = re.compile(r"--depth|--render|inspect|models|130")
    done = finish(start("--help", cwd=tmp_path, home=home, before="sys.modules['bpy'] = None"))
    assert done.code == 0 and len(set(parts.findall(done.out))) == 5
    version = re.search(
        r'^version = "(.*)"', (Path(__file__).parents[2] / "blender_manifest.toml").read_text(encoding="utf-8"), re.MULTILINE
    )[1]
    done = finish(start("--version", cwd=tmp_path, home=home, before="sys.modules['bpy'] = None"))
    assert done.code == 0 and done.out.split() == ["photo-diorama", version]


def test_without_blender_a_sentence_names_it(tmp_path, home):
    photo, depth = two_planes(tmp_path)
    script = "import importlib.util as u; find = u.find_spec\nu.find_spec = lambda n: find(n) if n != 'bpy' else None"
    done = finish(start(photo, "--depth", depth, cwd=tmp_path, home=home, before=script))
    assert done.code == 2 and "pip install bpy" in one_sentence(done.err)


def test_blender_command(home, tmp_path):
    """What `blender --command photo_diorama` runs: no startup scene in the file, and offline unless allowed."""
    worker = Worker(home)
    try:
        photo, depth = two_planes(tmp_path)
        arguments = [str(photo), "--depth", str(depth), *FASTEST, "--quiet"]
        done = worker.ask("blender_command", arguments=arguments, cwd=str(tmp_path))
        assert done["commands"] == ["photo_diorama"] and "Cube" in done["before"]
        assert done["code"] == 0 and done["still_registered"]
        seen = worker.ask("look", blend=str(tmp_path / "street.blend"))
        assert not {"Cube", "Light", "Camera"} & set(seen["objects"])
        assert len(seen["objects"]) == len(seen["roles"])
        assert worker.ask("blender_command", arguments=["nothing.jpg", "--quiet"], cwd=str(tmp_path))["code"] == 2
        arguments = ["models", "download", "midas_v21_small", "--yes"]
        assert worker.ask("blender_command", arguments=arguments, cwd=str(tmp_path))["code"] == 2
    finally:
        worker.close()


def test_an_interrupt_that_a_library_swallows_is_no_fault(monkeypatch, tmp_path, capfd):
    """NumPy, imported by OpenCV, answers Ctrl-C with an ImportError."""
    import os
    import signal

    from photo_diorama.ui.cli import command_line, inspect_photo

    def swallows(given, session):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            raise ImportError("numpy._core.multiarray failed to import") from None

    monkeypatch.setattr(inspect_photo, "run", swallows)
    assert command_line.main(["inspect", "a.jpg"]) == 130
    assert "stopped" in (said := capfd.readouterr().err) and "fault" not in said and "Traceback" not in said
