"""The number of threads in the preferences, on the command line and for the processes of a batch."""

import argparse
from types import SimpleNamespace

import numpy as np
import pytest
from command_lines import Worker, one_sentence
from made_photos import two_planes

from photo_diorama.core.threads import ThreadSettings, thread_count, use_threads

pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")


@pytest.fixture(autouse=True)
def nobody_asked():
    use_threads(0)
    yield
    use_threads(0)


@pytest.fixture
def worker(tmp_path):
    worker = Worker(tmp_path)
    yield worker
    worker.close()


def test_the_preference_is_cores_option_and_is_heard_at_once(extension):
    addon = extension.context.preferences.addons.new()
    try:
        addon.module = "photo_diorama"
        known, free = addon.preferences, thread_count()
        told = known.bl_rna.properties["threads"]
        (option,) = ThreadSettings.__dataclass_fields__.values()
        assert (told.default, told.hard_min, told.hard_max) == (option.default, option.metadata["low"], option.metadata["high"])
        assert told.description == option.metadata["help"]
        for count in (3, 1):
            known.threads = count
            assert thread_count() == count
        known.threads = 0
        assert thread_count() == free
    finally:
        extension.context.preferences.addons.remove(addon)


def test_the_flag_holds_for_its_command_and_no_longer(monkeypatch, tmp_path):
    from photo_diorama.ui.cli import command_line, inspect_photo, write_depth

    heard = []
    monkeypatch.setattr(write_depth, "run", lambda given, session: heard.append(thread_count()))
    use_threads(5)  # as the preferences may have
    for flags in (["--threads", "2"], []):
        assert command_line.main(["depth", "a.jpg", "--output", "b.npy", *flags]) == 0
        assert thread_count() == 5
    assert heard == [2, 5]
    parser = argparse.ArgumentParser()
    inspect_photo.add_flags(parser)
    assert "--threads" not in parser.format_help()


def test_the_depth_is_the_same_with_any_number_and_an_impossible_one_is_a_sentence(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    for count in (1, 3):
        for name, flags in (("file", ["--depth", depth]), ("network", ["--estimator", "built-in"])):
            done = worker.run("depth", photo, *flags, "--output", f"{name}{count}.npy", "--threads", count, cwd=tmp_path)
            assert done.code == 0, done.err
    assert (tmp_path / "file1.npy").read_bytes() == (tmp_path / "file3.npy").read_bytes()
    one, three = (np.load(tmp_path / f"network{count}.npy") for count in (1, 3))
    # PyTorch adds in another order: of 0 to 1 the last digits, and a pixel of an edge may choose its other side
    assert (np.abs(one - three) > 1e-5).mean() < 0.005 and np.abs(one - three).max() < 0.05
    done = worker.run("depth", photo, "--output", "x.npy", "--threads", "-1", cwd=tmp_path)
    assert done.code == 2 and "threads is -1" in one_sentence(done.err) and not (tmp_path / "x.npy").exists()


@pytest.mark.parametrize("jobs, asked, share", [(1, 0, "0"), (2, 0, "4"), (3, 0, "2"), (16, 0, "1"), (2, 3, "3")])
def test_the_processes_of_a_batch_share_the_cores(monkeypatch, tmp_path, jobs, asked, share):
    from photo_diorama.ui.cli import batch

    started = {}
    monkeypatch.setattr(batch, "Worker", lambda command, environment: started.update(command=command, environment=environment))
    monkeypatch.setattr(batch.os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    parser = argparse.ArgumentParser()
    batch.add_flags(parser)
    given = parser.parse_args(["photos", "--output", str(tmp_path), "--jobs", str(jobs), "--threads", str(asked)])
    assert "threads" not in batch.request_of(given).to_json()  # another number makes nothing anew
    run = batch.Batch(given, SimpleNamespace(models=tmp_path), batch.request_of(given), tmp_path)
    run.temporary = str(tmp_path)
    run._start()
    assert started["command"][-2:] == ["--threads", share]
    assert started["environment"]["OMP_NUM_THREADS"] == ("8" if share == "0" else share)
