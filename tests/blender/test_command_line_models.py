"""`photo-diorama models`: list, download, import, verify and remove, up to a diorama by a network downloaded for it."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import START, Worker, environment, files, one_sentence
from made_photos import two_planes

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("core", "networks")]

from loopback_server import Fault, LoopbackServer  # noqa: E402

CONTENT = np.random.default_rng(3).bytes(300_000)
SMALL, OTHER = "midas_v21_small", "dpt_hybrid"
FILE = "midas_v21_small-70d6b9c8.pt"


@pytest.fixture(scope="module")
def server():
    with LoopbackServer() as server:
        yield server


def facts(content: bytes, *urls: str) -> dict:
    """What the catalogue of a worker says of a network, so that it comes from the server of this test."""
    return {"urls": urls, "bytes": len(content), "bytes_exact": True, "sha256": hashlib.sha256(content).hexdigest()}


@pytest.fixture(scope="module")
def worker(tmp_path_factory, server):
    url = server.serve("/small", CONTENT)
    sources = {SMALL: facts(CONTENT, url), OTHER: facts(CONTENT[::-1], server.address + "/gone")}
    worker = Worker(tmp_path_factory.mktemp("home"), SOURCES=json.dumps(sources))
    yield worker
    worker.close()


@pytest.fixture
def models(worker, tmp_path):
    """Runs one action on a models folder of its own; returns its outcome."""
    folder = tmp_path / "models of mine"
    return lambda *arguments, **more: worker.run(
        "models", *arguments, "--models-dir", folder, cwd=tmp_path, **more
    )  # fmt: skip


def states(models) -> dict[str, str]:
    return {row["key"]: row["state"] for row in json.loads(models("list", "--json").out)["models"]}


def test_list_names_every_network_with_size_licence_and_state(models, tmp_path):
    from photo_diorama.core.models.store import CATALOGUE

    done = models("list")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[: len(CATALOGUE)]] == [w.key for w in CATALOGUE]
    for line, weights in zip(lines, CATALOGUE, strict=False):
        assert weights.licence in line and weights.purpose in line and "missing" in line
        assert ("NOT for commercial use" in line) == (not weights.commercial)
    assert lines[-2] == f"models folder: {tmp_path / 'models of mine'}"
    assert "built-in network" in lines[-1]
    assert files(tmp_path) == set(), "looking makes no folder"
    assert set(states(models).values()) == {"missing"}


def test_download_needs_a_yes_and_shows_size_and_licence_first(models, server, tmp_path):
    asked = len(server.requests)
    done = models("download", SMALL)
    assert done.code == 2
    told = one_sentence(done.err)
    assert "0.3 MB" in told and "licence MIT (commercial use allowed)" in told and "--yes" in told
    assert len(server.requests) == asked and files(tmp_path) == set()


def test_download_list_verify_remove(models, server, tmp_path):
    done = models("download", SMALL, "--yes")
    assert (done.code, done.err) == (0, "")
    assert "0.3 MB" in done.out.splitlines()[0] and "MIT" in done.out.splitlines()[0]
    assert "sha256 is the published one" in done.out.splitlines()[1]
    assert (tmp_path / "models of mine" / FILE).read_bytes() == CONTENT
    assert states(models)[SMALL] == "installed"
    asked = len(server.requests)
    again = json.loads(models("download", SMALL, "--json").out)
    assert again["key"] == SMALL and again["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert len(server.requests) == asked, "what is there needs no yes and no network"
    assert json.loads(models("list", "--json").out)["best_estimator"] == SMALL
    assert models("verify", SMALL).code == 0
    assert [file["key"] for file in json.loads(models("verify", "--json").out)["verified"]] == [SMALL]
    assert json.loads(models("remove", SMALL, "--json").out)["freed_bytes"] == len(CONTENT)
    assert states(models)[SMALL] == "missing" and not (tmp_path / "models of mine" / FILE).exists()
    assert models("remove", SMALL).code == 0


def test_verify_finds_a_file_that_was_changed(models, tmp_path):
    models("download", SMALL, "--yes")
    (tmp_path / "models of mine" / FILE).write_bytes(CONTENT[::-1])
    for arguments in ([SMALL], []):
        done = models("verify", *arguments)
        assert done.code == 2 and FILE in one_sentence(done.err)
    assert states(models)[SMALL] == "unchecked"


def test_import_takes_only_the_right_file(models, tmp_path):
    mine, wrong = tmp_path / "from a friend.bin", tmp_path / "wrong.bin"
    mine.write_bytes(CONTENT), wrong.write_bytes(CONTENT[:-1] + b"?")
    done = models("import", SMALL, wrong)
    assert done.code == 2 and "wrong.bin" in one_sentence(done.err)
    assert states(models)[SMALL] == "missing"
    done = models("import", SMALL, mine)
    assert (done.code, done.err) == (0, "") and states(models)[SMALL] == "installed"
    assert mine.read_bytes() == CONTENT
    assert models("import", SMALL, tmp_path / "nothing").code == 2
    assert models("import", SMALL).code == 2


def test_failures_are_told_and_leave_the_folder_as_it_was(models, tmp_path):
    done = models("download", "midas")
    assert done.code == 2 and SMALL in one_sentence(done.err)
    done = models("download", OTHER, "--yes")
    assert done.code == 2 and "404" in done.err
    done = models("download", SMALL, "--yes", online=False)
    assert done.code == 2 and "online access is off" in one_sentence(done.err)
    assert not [name for name in files(tmp_path) if name.endswith((".pt", ".part"))]
    done = models("verify", SMALL)
    assert done.code == 2 and SMALL in one_sentence(done.err)
    assert models("burn", SMALL).code == 2


def test_a_folder_that_cannot_be_made(worker, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file/models"
    done = worker.run("models", "download", SMALL, "--yes", "--models-dir", folder, cwd=tmp_path)
    assert done.code == 2 and "models folder" in one_sentence(done.err)


def test_the_default_folder_is_the_users_own(worker, tmp_path):
    folder = worker.home / ".photo_diorama/models"
    assert json.loads(worker.run("models", "list", "--json", cwd=tmp_path).out)["folder"] == str(folder)
    assert worker.run("models", "download", SMALL, "--yes", cwd=tmp_path).code == 0
    assert (folder / FILE).read_bytes() == CONTENT
    assert worker.run("models", "remove", SMALL, cwd=tmp_path).code == 0


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal of its own")
@pytest.mark.parametrize("answer, code", [("y\n", 0), ("\n", 130), ("no\n", 130)])
def test_a_person_is_asked(server, tmp_path, answer, code):
    """In a terminal, where "no" is what an empty line means."""
    import pty  # not there on Windows

    url = server.serve("/asked", CONTENT, always=Fault(pace=0.05))
    source = json.dumps({SMALL: facts(CONTENT, url)})
    script = START.format(before="import json, os; worker['serve_from'](json.loads(os.environ['SOURCES']))")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script, "models", "download", SMALL, "--models-dir", tmp_path / "m"], stdin=theirs,
        stdout=subprocess.PIPE, stderr=theirs, env=environment(tmp_path, SOURCES=source), text=True,
    )  # fmt: skip
    os.write(ours, answer.encode())
    os.close(theirs)
    shown = ""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux' way to say that nobody holds the other end any more
            break
        if not part:
            break
        shown += part.decode()
    process.communicate(timeout=300)
    os.close(ours)
    assert process.returncode == code, shown
    assert shown.index("0.3 MB") < shown.index("Download it? [y/N]")
    assert (tmp_path / "m" / FILE).exists() == (code == 0)
    assert ("100%" in shown) == (code == 0), "progress is shown"


def random_depth_anything() -> bytes:
    """A file such as Depth Anything V2 small is published in, filled by a rule instead of by training."""
    import torch
    from golden import fill

    from photo_diorama.core.networks.depth import depth_anything as net

    with torch.device("meta"):
        ours = net.DepthAnything(net.SMALL).state_dict()
    official = {new: old for old, new in net.OFFICIAL_NAMES.items()}
    shapes = {}
    for key, tensor in ours.items():
        prefix = max((p for p in official if key.startswith(p)), key=len, default="")
        shapes[official.get(prefix, "") + key[len(prefix) :]] = list(tensor.shape)
    assert "pretrained.blocks.11.attn.qkv.weight" in shapes and "depth_head.scratch.layer1_rn.weight" in shapes
    file = io.BytesIO()
    torch.save(fill(shapes), file)
    return file.getvalue()


def test_a_network_is_downloaded_and_makes_a_diorama(server, tmp_path):
    """The whole way: 99 MB over HTTP, cut once, checked, loaded strictly, run, and recorded in the scene."""
    pytest.importorskip("torch", reason="needs PyTorch")
    pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
    key, content = "depth_anything_v2_small", random_depth_anything()
    assert 90e6 < len(content) < 110e6
    url = server.serve("/depth_anything", content, faults=[Fault(cut_after=40_000_000)])
    worker = Worker(tmp_path, SOURCES=json.dumps({key: facts(content, url)}))
    try:
        photo, _ = two_planes(tmp_path)
        asked = len(server.requests)
        done = worker.run("models", "download", key, "--yes", cwd=tmp_path)
        assert done.code == 0, done.err
        assert [r.range for r in server.requests[asked:]] == [None, "bytes=40000000-"], "it went on after the cut"
        done = worker.run(photo, "--long-side", "96", "--json", cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        told = json.loads(done.out)
        assert (told["depth_origin"], told["depth_source"], told["metric"]) == (key, f"estimated by {key}", False)
        assert told["triangles"] > 0
        assert worker.ask("look", blend=told["blend"])["source"]["depth_source"] == f"estimated by {key}"
        assert worker.run("models", "remove", key, cwd=tmp_path).code == 0
        done = worker.run(photo, "--estimator", key, "--overwrite", cwd=tmp_path)
        assert done.code == 2 and f"models download {key}" in one_sentence(done.err)
    finally:
        worker.close()
