"""`--inpainter lama` and `--inpainter published` from the command line: what is missing is told, what was imported is used."""

import json
import sys
from pathlib import Path

import pytest
from command_lines import FAST, Worker, files, one_sentence
from made_photos import two_planes
from test_command_line_models import facts

torch = pytest.importorskip("torch", reason="needs PyTorch")
sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("core", "networks")]

from test_fill_lama import Mean, scripted  # noqa: E402


@pytest.fixture(scope="module")
def lama(tmp_path_factory) -> Path:
    """A TorchScript file that paints the mean of what is not masked."""
    return scripted(Mean(), tmp_path_factory.mktemp("file"))


@pytest.fixture
def worker(lama, tmp_path):
    pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
    worker = Worker(tmp_path, SOURCES=json.dumps({"lama": facts(lama.read_bytes(), "https://weights.invalid/lama")}))
    yield worker
    worker.close()


def test_what_is_missing_is_told_and_what_was_imported_is_used(worker, lama, tmp_path):
    photo, depth = two_planes(tmp_path)
    before = files(tmp_path)
    for inpainter, key in (("lama", "lama"), ("published", "shih2020_edge")):
        done = worker.run(photo, "--depth", depth, *FAST, "--inpainter", inpainter, cwd=tmp_path)
        assert done.code == 2
        message = one_sentence(done.err)
        assert f"models download {key}" in message and "import" in message
    assert files(tmp_path) == before
    done = worker.run("models", "import", "lama", lama, cwd=tmp_path)
    assert done.code == 0, done.err
    done = worker.run(photo, "--depth", depth, *FAST, "--inpainter", "lama", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    seen = worker.ask("look", blend=told["blend"])
    assert told["triangles"] > 0 and seen["settings"]["inpainter"] == "lama"
