"""What the models folder's disk does to a download: no room, failing writes, other processes, a killed one."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from loopback_server import Fault, unproxied_server
from made_weights import CONTENT, MB, SHA256, assert_installed, entry, get, names

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.models.file_lock import folder_beside, open_fresh, open_to_continue
from photo_diorama.core.models.store import import_file


@pytest.fixture
def server(monkeypatch):
    yield from unproxied_server(monkeypatch)


def test_a_disk_without_room_is_told_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 50_000_000})
    monkeypatch.setattr("photo_diorama.core.models.file_lock.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DioramaError, match="has 50 MB free and net.pth needs 70 MB: free some space"):
        get(entry(server.serve("/net", CONTENT)), tmp_path)
    assert names(tmp_path) == set()


def test_a_write_that_fails_is_told_and_keeps_the_part(server, tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    weights = entry(server.serve("/net", CONTENT))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MB + 17, hard))
    try:
        with pytest.raises(DioramaError, match=r"net\.pth\.part cannot be written \(File too large\)"):
            get(weights, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "net.pth.part").read_bytes() == CONTENT[: MB + 17]
    get(weights, tmp_path)
    assert_installed(tmp_path)


def test_a_full_disk_is_told(server, tmp_path, monkeypatch):
    def full(file, chunk):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("photo_diorama.core.models.http_download.append", full)
    with pytest.raises(DioramaError, match="The disk is full, .*net.pth.part cannot grow: free some space"):
        get(entry(server.serve("/net", CONTENT)), tmp_path)


def test_a_folder_that_cannot_be_made_is_told(server, tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(DioramaError, match="models cannot be made"):
        get(entry(server.serve("/net", CONTENT)), tmp_path / "models")


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest
from photo_diorama.core.models.store import RELATIVE_DEPTH, Weights, download
weights = Weights("net", "net.pth", (sys.argv[2],), int(sys.argv[4]), sys.argv[5], "MIT", True, "a test",
                  RELATIVE_DEPTH, True)
print(download(weights, sys.argv[3], lambda fraction, text: print(text, flush=True), True).note)
"""


def child(url: str, folder: Path) -> subprocess.Popen:
    tests = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, tests, url, str(folder), str(len(CONTENT)), SHA256], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_download_one_file_once(server, tmp_path):
    """However far apart they start: the file comes slowly until one says that it waits."""
    waits = threading.Event()
    url = server.serve("/net", CONTENT, always=Fault(until=waits))
    both = [child(url, tmp_path), child(url, tmp_path)]
    said: dict[subprocess.Popen, str] = dict.fromkeys(both, "")

    def listen(process: subprocess.Popen) -> None:
        for line in process.stdout:
            said[process] += line
            if "Waiting for another download of net.pth" in line:
                waits.set()

    listeners = [threading.Thread(target=listen, args=(process,)) for process in both]
    for listener in listeners:
        listener.start()
    assert waits.wait(150)
    for process, listener in zip(both, listeners, strict=True):
        assert process.wait(150) == 0
        listener.join(10)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None]
    waited = [text for text in said.values() if "Waiting for another download of net.pth" in text]
    assert len(waited) == 1
    assert "is already there" in waited[0]


def test_a_killed_process_leaves_no_lock_that_holds(server, tmp_path):
    url = server.serve("/net", CONTENT, faults=[Fault(stall_after=MB)])
    killed = child(url, tmp_path)
    part = tmp_path / "net.pth.part"
    until = time.monotonic() + 150
    while (not part.exists() or part.stat().st_size < MB) and time.monotonic() < until:
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    assert names(tmp_path) == {"net.pth.part", "net.pth.lock"}
    get(entry(url), tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None, f"bytes={MB}-"]


def test_many_threads_of_one_process_do_not_mix(server, tmp_path):
    url = server.serve("/net", CONTENT, always=Fault(pace=0.005))
    failures = []

    def work() -> None:
        try:
            get(entry(url), tmp_path)
        except DioramaError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert_installed(tmp_path)
    assert len(server.requests) == 1


PLANTED = ("net.pth.part", "net.pth.import", "net.pth.lock", "hashes.json.part", "hashes.json.lock")


@pytest.fixture
def planted(tmp_path):
    """A folder of models in which every temporary name is taken by a way to a file of the user's."""
    precious, folder = tmp_path / "precious", tmp_path / "models"
    folder.mkdir()
    precious.write_bytes(b"precious" * 1000)

    def plant(link, names=PLANTED) -> Path:
        for name in names:
            link(precious, folder / name)
        return folder

    yield plant
    assert precious.read_bytes() == b"precious" * 1000, "written through"


LINKS = {"symbolic": lambda a, b: b.symlink_to(a), "hard": lambda a, b: b.hardlink_to(a), "to nothing": lambda a, b: b.symlink_to(
    a.with_name("made")), "pipe": lambda a, b: os.mkfifo(b)}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links need rights there, pipes are none")
@pytest.mark.parametrize("kind", LINKS)
def test_nothing_is_written_through_what_is_planted_under_a_temporary_name(server, planted, tmp_path, kind):
    folder = planted(LINKS[kind], set(PLANTED) - {"net.pth.import"})
    get(entry(server.serve("/net", CONTENT)), folder)
    assert_installed(folder)
    assert not (tmp_path / "made").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there, pipes are none")
@pytest.mark.parametrize("kind", LINKS)
def test_an_import_writes_through_nothing_planted(planted, tmp_path, kind):
    folder = planted(LINKS[kind])
    (tmp_path / "mine.pth").write_bytes(CONTENT)
    import_file(entry("http://127.0.0.1:1/net"), tmp_path / "mine.pth", folder)
    assert_installed(folder)
    assert not (tmp_path / "made").exists()


def test_what_is_planted_while_the_file_is_made_is_refused(tmp_path, monkeypatch):
    (tmp_path / "precious").write_bytes(b"mine")
    monkeypatch.setattr(Path, "unlink", lambda *a, **k: None)  # whoever plants is quicker
    try:
        (tmp_path / "own.part").symlink_to(tmp_path / "precious")
    except OSError:
        pytest.skip("no links here")
    if not (tmp_path / "own.part").is_symlink():  # as under Wine
        pytest.skip("no links here")
    for opened in (open_fresh, open_to_continue):
        with pytest.raises(OSError):
            opened(tmp_path / "own.part")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_a_folder_beside_has_the_rights_of_its_folder_and_goes(tmp_path):
    (tmp_path / "usual").mkdir()
    with folder_beside(tmp_path, ".making-") as made:
        (made / "a").write_bytes(b"1")
        assert made.parent == tmp_path and made.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert names(tmp_path) == {"usual"}


def test_no_result_comes_out_of_a_private_folder():
    """What is moved out of a folder of `tempfile` stays private on Windows; the system's own temporary folder is no such place."""
    root = Path(__file__).parents[3]
    private = re.compile(r"(mkdtemp|TemporaryDirectory)\([^)]*\bdir=")
    found = [
        path for room in ("core", "operators", "ui") for path in (root / room).rglob("*.py") if private.search(path.read_text("utf-8"))
    ]
    assert not found, found
