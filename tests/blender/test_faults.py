"""Faults at every stage, of the work and of Blender's part: exception, cancel, full disk, kill; all is as it was before."""

import errno
import os
import signal
import subprocess

import pytest
from blend_state import differences, everything, furnish
from command_lines import FASTEST, files, finish, one_sentence, start
from made_photos import OPTIONS, two_planes

from photo_diorama.core.errors import Cancelled, DioramaError
from photo_diorama.core.pipeline import Steps

STAGES = ("Reading the photo", "Finding the depth", "Bringing the depth onto the photo", "Sharpening the depth",
          "Splitting at depth discontinuities", "Inpainting what is hidden", "Triangulating")  # fmt: skip
ERRORS = {
    "a fault": (lambda: KeyError("made to fail"), "fault of Photo Diorama"),
    "a cancel": (Cancelled, ""),
    "bad input": (lambda: DioramaError("The photo is bad; take another."), "take another"),
    "no memory": (MemoryError, "not enough memory"),
}


def breaking(monkeypatch, stage: str, error, after: bool) -> list[str]:
    """Makes one stage of the pipeline fail before or after its work; returns the stages that were reached."""
    reached, whole = [], Steps.__call__

    def call(self, name, fraction, depends_on, work):
        reached.append(name)
        if name == stage and not after:
            raise error()
        result = whole(self, name, fraction, depends_on, work)
        if name == stage:
            raise error()
        return result

    monkeypatch.setattr(Steps, "__call__", call)
    return reached


def test_these_are_all_stages(blender, street, monkeypatch):
    reached = breaking(monkeypatch, "none", KeyError, False)
    blender.ops.photo_diorama.import_photo(filepath=str(street[0]), depth=str(street[1]), **OPTIONS)
    assert set(STAGES) <= set(reached), "a stage has another name now"
    assert not set(reached) - set(STAGES) or len(reached) >= len(STAGES)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("command", ["import_photo", "rebuild"])
def test_a_stage_that_fails_leaves_the_scene_alone(blender, street, import_photo, monkeypatch, command, kind):
    """Each stage, before and after its work; afterwards the same command does its work as if nothing had been."""
    error, words = ERRORS[kind]
    furnish(blender)
    arguments = dict(filepath=str(street[0]), depth=str(street[1]), **OPTIONS)
    if command == "rebuild":
        import_photo(*street)
        arguments = dict(density=3.0, tear=0.2)
    operator, before = getattr(blender.ops.photo_diorama, command), everything()
    for stage in STAGES:
        for after in (False, True):
            with monkeypatch.context() as patch:
                reached = breaking(patch, stage, error, after)
                if words:
                    with pytest.raises(RuntimeError, match=words):
                        operator(**arguments)
                else:
                    assert operator(**arguments) == {"CANCELLED"}
            assert reached[-1] == stage
            now = everything()
            assert not differences(before, now) and not differences(now, before), (stage, after)
    assert operator(**arguments) == {"FINISHED"}


@pytest.mark.parametrize("part", ["make_mesh", "atlas_image", "photo_image", "make_material", "renew_surfaces", "match_camera"])
def test_a_rebuild_that_fails_half_way_leaves_no_new_datablock(blender, street, import_photo, monkeypatch, part):
    from photo_diorama.operators.building import rebuild

    if not hasattr(rebuild, part):
        pytest.skip(f"a rebuild has no {part} of its own")
    root = import_photo(*street)
    os.utime(street[0], (1, 1))  # so that its picture is made anew too
    before = everything()

    def breaks(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rebuild, part, breaks)
    blender.context.view_layer.objects.active = root
    try:
        blender.ops.photo_diorama.rebuild(shader="principled")
    except RuntimeError:
        now = everything()
        assert not differences(before, now) and not differences(now, before)


TOLD = {"fault": 1, "cancel": 130, "full disk": 2, "memory": 2}
OF_A_RUN = (*STAGES, "Writing the scene", "Saving", "Rendering")
OLD = b"the work of last week"


def old_results(folder) -> dict[str, bytes]:
    """Results of an earlier run, which a failing one must not touch; and what it was given."""
    two_planes(folder)
    for name in ("street.blend", "m.mp4"):
        (folder / name).write_bytes(OLD)
    return contents(folder)


def contents(folder) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder) if (folder / name).is_file()}


LINE = ["street.png", "--depth", "depth_of.npy", *FASTEST, "--render", "m.mp4", "--frames", "3", "--overwrite"]


@pytest.mark.parametrize("kind", TOLD)
def test_a_stage_of_the_command_line_that_fails_leaves_the_folder_alone(worker, tmp_path, kind):
    before = old_results(tmp_path)
    for stage in OF_A_RUN:
        for nth in (1, 2) if stage == "Rendering" else (1,):  # before anything is rendered, and between frames
            done = worker.run(*LINE, cwd=tmp_path, stage=stage, nth=nth, kind=kind)
            assert done.code == TOLD[kind], (stage, done.err)
            assert done.out == "" and done.err.splitlines()[-1].startswith("photo-diorama: ")
            after = contents(tmp_path)
            if stage == "Rendering":  # the .blend was whole by then, and stays
                assert after.pop("street.blend") != OLD
                assert after == {name: data for name, data in before.items() if name != "street.blend"}, stage
                (tmp_path / "street.blend").write_bytes(OLD)
            else:
                assert after == before, stage
            assert files(tmp_path) == set(before)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("stage", ["Inpainting what is hidden", "Rendering"])
def test_a_request_to_end_is_heeded(home, tmp_path, name, code, stage):
    before = old_results(tmp_path)
    heard = f"import signal; signal.signal(signal.{name}, signal.SIG_DFL)\n"  # whoever runs the tests may be under nohup
    done = finish(start(*LINE, cwd=tmp_path, home=home, before=heard + signalled(name, stage)))
    assert done.code == code and "stopped" in one_sentence(done.err)
    assert files(tmp_path) == set(before) and (tmp_path / "m.mp4").read_bytes() == OLD


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_nohup_is_respected(home, tmp_path):
    two_planes(tmp_path)
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    script = ignored + signalled("SIGHUP", "Triangulating")
    done = finish(start(*LINE[:-5], cwd=tmp_path, home=home, before=script))
    assert (done.code, done.err) == (0, "") and (tmp_path / "street.blend").is_file()


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize("stage", ["Inpainting what is hidden", "Saving", "Rendering"])
def test_killed_outright_results_are_as_they_were(home, tmp_path, stage):
    """Nobody can tidy up then: what was being written keeps a hidden name, and is nobody's result."""
    before = old_results(tmp_path)
    process = start(*LINE, cwd=tmp_path, home=home, before=signalled("SIGKILL", stage))
    assert finish(process).code == -signal.SIGKILL
    after = {name: data for name, data in contents(tmp_path).items() if not name.startswith(".")}
    if stage == "Rendering":
        assert after.pop("street.blend") != OLD
        del before["street.blend"]
    assert after == before
    hidden = {name.split("/")[0] for name in files(tmp_path) if name.startswith(".")}
    assert all(name.startswith(".rendering-") or "-writing" in name for name in hidden)


def signalled(name: str, stage: str) -> str:
    """Code that sends this process a signal when the stage is told for the second time, or first where it is told once."""
    return f"""
import os, signal
from photo_diorama.ui.cli import session
tell = session.ProgressLine.__call__
def told(self, stage, fraction, count=[0]):
    count[0] += stage == {stage!r}
    if stage == {stage!r} and count[0] == {2 if stage == "Rendering" else 1}:
        os.kill(os.getpid(), signal.{name})
    tell(self, stage, fraction)
session.ProgressLine.__call__ = told
"""


@pytest.fixture
def full_disk(tmp_path):
    """A file system of its own with the given room; skipped where none can be mounted."""
    place, mounted = tmp_path / "disk", []

    def mount(room: str):
        place.mkdir(exist_ok=True)
        try:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(place)], capture_output=True)
        except FileNotFoundError:
            pytest.skip("there is no mount")
        if done.returncode:
            pytest.skip("a small file system cannot be mounted")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)  # the worker stands in it


@pytest.mark.parametrize("room", ["600k", "1600k", "2100k"])
def test_a_disk_that_fills_during_any_write_keeps_what_was_there(worker, full_disk, tmp_path, room):
    """The scene has 1.2 MB and the frames have one, so the room ends in the .blend, in a frame or in the movie."""
    two_planes(tmp_path)
    disk = full_disk(room)
    before = old_results(disk)
    done = worker.run(*LINE[:-2], "40", "--overwrite", cwd=disk)
    after = contents(disk)
    assert done.code in (0, 2)
    if done.code == 2:
        assert "free" in one_sentence(done.err)
        assert after["m.mp4"] == OLD and set(after) == set(before)
    assert after["street.png"] == before["street.png"]
    assert not any(name.startswith(".") for name in files(disk))


OTHER_COLOURS = """ocio_profile_version: 1
search_path: ""
strictparsing: true
luma: [0.2126, 0.7152, 0.0722]
roles: {default: raw, scene_linear: linear, data: raw, color_picking: gamma, default_byte: gamma, default_float: linear,
        default_sequencer: gamma, compositing_log: linear, color_timing: linear, texture_paint: linear,
        matte_paint: linear, reference: linear, XYZ: linear}
displays: {Monitor: [!<View> {name: Film, colorspace: gamma}]}
active_displays: [Monitor]
active_views: [Film]
colorspaces:
  - !<ColorSpace> {name: linear, bitdepth: 32f, isdata: false, allocation: uniform}
  - !<ColorSpace> {name: gamma, bitdepth: 32f, isdata: false, allocation: uniform,
      from_reference: !<ExponentTransform> {value: [2.2, 2.2, 2.2, 1], direction: inverse}}
  - !<ColorSpace> {name: raw, bitdepth: 32f, isdata: true, allocation: uniform}
"""


def test_a_studios_own_colour_configuration(home, tmp_path):
    """It knows neither sRGB nor Standard; the diorama is made with what it has."""
    two_planes(tmp_path)
    (tmp_path / "config.ocio").write_text(OTHER_COLOURS)
    script = f"import os; os.environ['OCIO'] = {str(tmp_path / 'config.ocio')!r}"
    done = finish(start("street.png", "--depth", "depth_of.npy", *FASTEST, "--json", cwd=tmp_path, home=home, before=script))
    assert done.code == 0, done.err
    assert (tmp_path / "street.blend").is_file()


def test_the_first_name_that_there_is_is_chosen(blender):
    from photo_diorama.operators.scene.colour_management import choose

    view = blender.context.scene.view_settings
    assert choose(view, "view_transform", "No such view", "Standard") and view.view_transform == "Standard"
    assert not choose(view, "view_transform", "Neither", "Nor") and view.view_transform == "Standard"
