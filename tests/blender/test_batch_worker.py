"""A process of a batch by itself: what waits where while a photo is made, and that it ends with its input or its parent."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("bpy")
ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, threading, time, traceback
sys.path.insert(0, "tests")
import conftest
from pathlib import Path
from photo_diorama.ui.cli import {places}

def others():
    frames = sys._current_frames().items()
    return [str(traceback.extract_stack(frame)[-1].line) for ident, frame in frames if ident != threading.get_ident()]

def work(request, session):
    time.sleep(request.settings.scene.frames / 100)
    session.result({{"others": others()}})

make_diorama.make = work
stops = session.CancelSignals()
batch_worker.run(None, session.Session(lambda line: print(line, flush=True), Path(), False, True, True, session.ProgressLine(False, stops)))
print("came to its end", flush=True)
""".format(places="batch_worker, make_diorama, session")


def test_nobody_waits_on_standard_input_while_a_photo_is_made():
    """On Windows no library could be loaded meanwhile: each batch hung at its first photo."""
    asked = "".join(json.dumps({"photo": "a.jpg", "frames": 20}) + "\n" for _ in range(2))
    done = subprocess.run([sys.executable, "-c", WORKER], input=asked, cwd=ROOT, capture_output=True, text=True, timeout=400)
    lines = [json.loads(line.partition("photo-diorama:")[2]) for line in done.stdout.splitlines() if "photo-diorama:" in line]
    answers = [line["answer"] for line in lines if "answer" in line]
    assert len(answers) == 2 and all(answer["result"] == "done" for answer in answers), done.stderr
    for answer in answers:
        assert not [line for line in answer["facts"]["others"] if "stdin" in line], answer
    assert done.stdout.endswith("came to its end\n") and done.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="the parent is a shell")
def test_it_ends_with_its_parent_in_the_middle_of_a_photo(tmp_path):
    script, log = tmp_path / "worker.py", tmp_path / "pid"
    script.write_text(
        WORKER.replace(
            "time.sleep(request.settings.scene.frames / 100)",
            f"open({str(log)!r}, 'w').write(str(__import__('os').getpid())); time.sleep(600)",
        )
    )
    command = f'(echo \'{{"photo": "a.jpg"}}\'; sleep 600) | {sys.executable} {script} & wait'
    shell = subprocess.Popen(["sh", "-c", command], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 400
        while not (log.is_file() and log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        shell.kill()
        shell.wait()
        while _is_running(int(log.read_text())):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        os.killpg(shell.pid, 9)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
