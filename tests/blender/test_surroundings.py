"""What a command finds around it: closed and broken streams, no home, libraries that chatter, signals, another run on the same name."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_lines import FASTEST, START, WORKER, environment, files, finish, one_sentence, start
from made_photos import two_planes

from photo_diorama.core.errors import DioramaError, is_out_of_memory
from photo_diorama.ui.cli.output_paths import put

pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
POSIX = pytest.mark.skipif(os.name == "nt", reason="shells and signals are others there")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "home").mkdir()
    photo, depth = two_planes(tmp_path)
    os.replace(photo, tmp_path / "street.png")
    os.replace(depth, tmp_path / "street.npy")
    return tmp_path


def run(place, *arguments, before="", **more):
    return finish(start(*arguments, cwd=place, home=place / "home", before=before, **more))


def shell(place, words: str, *arguments):
    """The command line started by a shell that first does `words`."""
    script = f'{words}; exec "$0" -c "$1" "${{@:2}}"'
    return finish(subprocess.Popen(
        ["bash", "-c", script, sys.executable, START.format(before=""), *arguments], cwd=place, env=environment(place / "home"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ))  # fmt: skip


@POSIX
@pytest.mark.parametrize("closed, code", [("exec 1>&-", 0), ("exec 2>&-", 0), ("exec 0<&-", 0), ("exec 0<&- 1>&- 2>&-", 0)])
def test_a_closed_stream_stops_nobody(place, closed, code):
    done = shell(place, closed, "depth", "street.png", "--depth", "street.npy", "--depth-kind", "metric", "--output", "d.npy")
    assert done.code == code and done.err == ""
    assert np.load(place / "d.npy").shape and files(place) == {"home", "street.png", "street.npy", "d.npy"}


@POSIX
@pytest.mark.parametrize("arguments", [["inspect", "street.png"], ["inspect", "street.png", "--json"]])
@pytest.mark.parametrize("broken", ["exec 1>/dev/full", "exec 1> >(exec true); sleep 1"])
def test_a_standard_output_that_takes_no_more_is_one_sentence(place, arguments, broken):
    done = shell(place, broken, *arguments)
    assert done.code == 2 and "standard output took no more" in one_sentence(done.err)


@POSIX
def test_help_to_somebody_who_has_gone(place):
    done = shell(place, "exec 1> >(exec true); sleep 1", "--help")
    assert done.code == 0 and done.err == ""


@POSIX
@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict"])
def test_a_narrow_encoding_stops_nobody(place, encoding):
    """A Windows console of an old code page: what Python itself writes never fails for a character, what we write is UTF-8."""
    os.replace(place / "street.png", place / "図.png")
    for arguments, code in ((["inspect", "図.png"], 0), (["inspect", "図 none.png"], 2), (["inspect", "図.png", "図"], 2), (["--help"], 0)):
        done = shell(place, f"export PYTHONIOENCODING={encoding} PYTHONUTF8=0", *arguments)
        assert done.code == code and "Traceback" not in done.err, done.err
    assert "図" in shell(place, f"export PYTHONIOENCODING={encoding}", "inspect", "図 none.png").err


COMMANDS = {
    "help": ["--help"], "inspect": ["inspect", "street.png"], "models": ["models", "list"],
    "depth": ["depth", "street.png", "--depth", "street.npy", "--depth-kind", "metric", "--output", "d.npy", "--overwrite"],
    "batch": ["batch", "photos", "--output", "out", *FASTEST], "refused": ["inspect", "none.png"],
}  # fmt: skip


@POSIX
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_ends_well_where_nobody_listens(place, name):
    """Both outputs closed, then a reader that has gone and an output that is full: the exit code is right and no traceback comes."""
    (place / "photos").mkdir()
    os.replace(place / "street.png", place / "photos" / "street.png")
    os.symlink(place / "photos" / "street.png", place / "street.png")
    refused = 2 if name == "refused" else 0
    assert shell(place, "exec 1>&- 2>&-", *COMMANDS[name]).code == refused
    for broken in ("exec 1> >(exec true); sleep 1", "exec 1>/dev/full"):
        done = shell(place, broken, *COMMANDS[name])
        assert done.code in ((2,) if refused else (0, 2)) and "Traceback" not in done.err, done.err
        if done.code:
            assert one_sentence(done.err)


UNKNOWN = ("setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--inh-caps=+dac_read_search",
           "--ambient-caps=+dac_read_search")  # fmt: skip
"""A user of no name, who may read what root may, as this Python may lie in root's home."""


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="asks for root and setpriv")
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_runs_as_a_user_of_no_name(place, name):
    (place / "photos").mkdir()
    shutil.copy(place / "street.png", place / "photos")
    os.chmod(place, 0o777)
    for each in place.parents:  # made by pytest for its own user alone
        if each.name.startswith("pytest-") or each.name.startswith("test_"):
            os.chmod(each, 0o755)
    kept = {name: value for name, value in environment(place).items() if name not in ("HOME", "USER", "LOGNAME", "TMPDIR")}
    done = finish(subprocess.Popen([*UNKNOWN, sys.executable, "-c", START.format(before=""), *COMMANDS[name]], cwd=place, env=kept,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))  # fmt: skip
    assert done.code == (2 if name == "refused" else 0), done.err
    assert done.err == "" if name != "refused" else one_sentence(done.err)


NOBODY = """
import os, pwd
os.environ.pop("HOME", None)
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
"""


@POSIX
def test_a_user_without_home_or_name(place):
    done = run(place, "street.png", "--depth", "street.npy", *FASTEST, "--output", "a.blend", before=NOBODY)
    assert (done.code, done.err) == (0, "") and (place / "a.blend").is_file()
    done = run(place, "models", "list", before=NOBODY)
    assert (done.code, done.err) == (0, "")


CHATTER = """
import os, warnings
import photo_diorama.ui.cli.inspect_photo as each
load = each.load_photo
def chatting(*given):
    os.write(2, b"TIFFReadDirectory: Warning, Unknown field\\n")
    os.write(1, b"[ WARN:0] imread\\n")
    warnings.warn("invalid value encountered in cast", RuntimeWarning)
    return load(*given)
each.load_photo = chatting
"""


def test_libraries_lines_are_kept_for_the_report_of_a_fault(place):
    done = run(place, "inspect", "street.png", "--json", before=CHATTER)
    assert (done.code, done.err) == (0, "") and json.loads(done.out)["width"]
    (place / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = run(place, "inspect", "bad.png", before=CHATTER)
    assert done.code == 2 and "bad.png" in one_sentence(done.err) and done.out == ""
    broken = CHATTER.replace("return load(*given)", "raise KeyError('made to fail')")
    done = run(place, "inspect", "street.png", before=broken)
    last = done.err.splitlines()[-1]
    assert done.code == 1 and "TIFFReadDirectory" in done.err and "KeyError" in done.err
    assert last.startswith("photo-diorama: this is a fault of Photo Diorama; please report it with the file ")
    report = last.split("the file ")[1].split(", and the photo")[0]
    with open(report) as file:
        text = file.read()
    os.unlink(report)
    assert "KeyError: 'made to fail'" in text and "TIFFReadDirectory" in text and "numpy 1" in text and "Python 3" in text


IN_BLENDERS_START = """
import importlib.abc, os, signal, sys
class Struck(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "bl_ui":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {number})
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Struck())
"""


@POSIX
@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_while_blender_is_loaded_waits(place, name, code):
    before = IN_BLENDERS_START.format(number=int(getattr(signal, name)))
    done = run(place, "street.png", "--depth", "street.npy", *FASTEST, "--render", "a.png", "--samples", "1", before=before)
    assert done.code == code and "stopped" in one_sentence(done.err)
    assert {name for name in files(place) if not name.startswith("home")} == {"street.png", "street.npy"}


TRIES = 8
BEGINS = """
import runpy, sys
runpy.run_path({worker!r}, run_name="worker")
for name in [name for name in sys.modules if name.startswith("photo_diorama.")]:
    del sys.modules[name]
open("begun", "w").close()
from photo_diorama.ui.cli import main
sys.exit(main(sys.argv[1:]))
"""


def worked(process: subprocess.Popen) -> float:
    """Seconds of the processor that a process has had, all its threads together; a busy machine changes nothing."""
    with open(f"/proc/{process.pid}/stat") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system does not tell how long a process worked")
def test_a_signal_at_any_moment_leaves_one_sentence_or_none(place):
    """From the program's first import to its last rendered pixel, in turn SIGTERM and Ctrl-C; measured by a run without."""
    arguments = ["street.png", "--depth", "street.npy", *FASTEST, "--render", "a.png", "--samples", "1"]
    script, before = BEGINS.format(worker=str(WORKER)), {"street.png", "street.npy"}

    def begin(most: float = 1e9) -> tuple[subprocess.Popen, float]:
        """The process once it has worked for `most` seconds since its program began, or has ended; and how long it worked."""
        (place / "begun").unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=place, env=environment(place / "home"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        begun, last = None, 0.0
        while process.poll() is None:
            last = worked(process)
            if begun is None and (place / "begun").exists():
                begun = last
            if begun is not None and last - begun >= most:
                break
            time.sleep(0.005)
        return process, last - (begun or 0.0)

    process, whole = begin()
    assert finish(process).code == 0
    codes = []
    for number in range(TRIES):
        for name in ("street.blend", "a.png"):
            (place / name).unlink(missing_ok=True)
        what = (signal.SIGTERM, signal.SIGINT)[number % 2]
        process, _ = begin(whole * number / TRIES)
        process.send_signal(what)
        done = finish(process)
        codes.append(done.code)
        assert done.code in (0, 128 + what, -what), (number, done.code, done.err)
        if done.code > 0:
            assert "stopped; nothing half-written" in one_sentence(done.err)
        else:
            assert done.err == ""
        left = {name for name in files(place) if not name.startswith("home")} - {"begun"}
        assert left <= before | {"street.blend", "a.png"} and before <= left
    assert sum(code > 0 for code in codes) >= TRIES // 2, codes  # most met the work itself


def test_two_runs_on_one_new_output(place):
    """One wins, the other says so; whoever looked before it began had seen no such file."""
    arguments = ("depth", "street.png", "--depth", "street.npy", "--depth-kind", "metric", "--output", "d.npy")
    several = [start(*arguments, cwd=place, home=place / "home") for _ in range(3)]
    done = [finish(each) for each in several]
    assert sorted(each.code for each in done) == [0, 2, 2]
    assert all("d.npy" in one_sentence(each.err) for each in done if each.code)
    assert files(place) == {"home", "street.png", "street.npy", "d.npy"}


@pytest.mark.parametrize("links", [True, False])
def test_what_came_meanwhile_is_not_replaced(tmp_path, monkeypatch, links):
    if not links:  # as on FAT

        def no_links(*_):
            raise OSError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    fresh, target = tmp_path / "fresh", tmp_path / "target"
    fresh.write_bytes(b"mine")
    put(fresh, target, overwrite=False)
    assert target.read_bytes() == b"mine"
    fresh.unlink(missing_ok=True)
    fresh.write_bytes(b"later")
    with pytest.raises((DioramaError, FileExistsError)):
        put(fresh, target, overwrite=False)
    assert target.read_bytes() == b"mine"
    put(fresh, target, overwrite=True)
    assert target.read_bytes() == b"later"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("could not create a memory object"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
        ),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        ValueError(
            "OpenCV(4.11.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 750000000 bytes in function 'OutOfMemoryError'"
        ),
    ],
)
def test_every_librarys_word_for_no_memory_is_the_sentence(error):
    from photo_diorama.ui.cli.command_line import explain

    assert is_out_of_memory(error) and explain(error) == (2, explain(MemoryError())[1])
    outer = RuntimeError("the stage failed")
    outer.__cause__ = error
    assert explain(outer)[0] == 2
    assert not is_out_of_memory(KeyError("memory")) and not is_out_of_memory(DioramaError("a.png: not enough memory."))


LITTLE = "import photo_diorama.core.memory as each; each.free_memory = lambda: 100_000_000"


def test_a_photo_that_needs_more_memory_than_is_left_is_told_before(place):
    done = run(place, "street.png", "--depth", "street.npy", *FASTEST, before=LITTLE)
    said = one_sentence(done.err)
    assert done.code == 0 and "street.png needs about 0.3 GB of memory and 0.1 GB are free" in said and "--long-side (now 96)" in said


LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_AS, ({bytes}, resource.RLIM_INFINITY))
"""


@POSIX
@pytest.mark.parametrize("megabytes", [500, 700, 1400])
def test_a_process_that_may_take_little_ends_in_the_sentence_about_memory(place, megabytes):
    """From too little for NumPy's own to too little for Blender, which would crash."""
    done = run(place, "street.png", "--long-side", "96", before=LIMIT.format(bytes=megabytes * 10**6))
    *warned, said = done.err.splitlines()
    assert done.code == 2 and said.startswith("photo-diorama: There is not enough memory for "), done.err[-2000:]
    assert all("GB are free" in line for line in warned) and len(warned) <= 1
    assert {name for name in files(place) if not name.startswith("home")} == {"street.png", "street.npy"}


STRUCK_BY_ITS_LIBRARY = """
import os, signal
import photo_diorama.ui.cli.inspect_photo as each
def struck(*_):
    os.write(2, b"OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 2: Resource temporarily unavailable\\n")
    signal.raise_signal(signal.SIGINT)
each.load_photo = struck
"""


def test_a_library_that_stops_the_process_for_want_of_threads_is_no_user(place):
    done = run(place, "inspect", "street.png", before=STRUCK_BY_ITS_LIBRARY)
    assert done.code == 2 and "not enough memory" in one_sentence(done.err)


def test_the_machines_own_word_is_read(tmp_path, monkeypatch):
    from photo_diorama.core import memory

    (tmp_path / "meminfo").write_text("MemTotal:  16000000 kB\nMemFree: 90000 kB\nMemAvailable:   123456 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert memory.free_memory() == 123456 * 1024
    (tmp_path / "memory.max").write_text("200000000")
    (tmp_path / "memory.current").write_text("150000000")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 20000000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_memory() == 70_000_000
    for name in ("meminfo", "memory.max"):
        (tmp_path / name).write_text("damaged")
    monkeypatch.setattr(memory, "address_space_left", lambda: None)
    assert memory.free_memory() is None


@pytest.mark.skipif(not os.path.exists("/proc/meminfo"), reason="the system does not tell")
def test_what_is_left_is_the_least_of_machine_container_and_limit():
    import resource

    from photo_diorama.core.memory import free_memory, needed_memory

    free = free_memory()
    assert 10**6 < free < 10**14
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        have = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (have + 50_000_000, hard))
    try:
        assert free_memory() < 60_000_000
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert needed_memory(6000, 4000, 1024, True) > needed_memory(6000, 4000, 512, True) > needed_memory(600, 400, 512, False) > 3e8
