"""Worker processes with small programs in place of dioramas: crashes, hangs, memory, junk, stopping; none is left over."""

import os
import sys
import threading
import time

import pytest

from photo_diorama.core.batch.workers import Limits, Pool, Worker
from photo_diorama.core.errors import Cancelled, DioramaError

PROGRAM = """
import json, os, signal, sys, time
print("photo-diorama:" + json.dumps({"ready": True}), flush=True)
mark = sys.argv[1]
for line in sys.stdin:
    do = json.loads(line)["do"]
    if do == "crash": os.abort()
    if do == "crash once" and not os.path.exists(mark):
        open(mark, "w").close()
        print("my last words", file=sys.stderr)
        sys.exit(9)
    if do == "killed": os.kill(os.getpid(), signal.SIGKILL)
    if do == "hang": time.sleep(600)
    if do == "slow":
        for n in range(12):
            time.sleep(0.3)
            print("photo-diorama:" + json.dumps({"tell": ["slow", n / 12]}), flush=True)
    if do == "grow": hold = bytearray(os.urandom(1) * 400_000_000); time.sleep(600)
    if do == "keep": kept = os.urandom(1) * 300_000_000
    if do == "junk": print("photo-dio\\n{}\\n\\x00\\nBlender quit", flush=True)
    print("photo-diorama:" + json.dumps({"answer": {"did": do, "pid": os.getpid()}}), flush=True)
"""
LIMITS = Limits(None, 20.0, 50)


@pytest.fixture
def pool(tmp_path):
    """Makes pools, and sees afterwards that none of their processes is left."""
    made = []

    def start():
        made.append(Worker([sys.executable, "-c", PROGRAM, str(tmp_path / "mark")], os.environ))
        return made[-1]

    def make(jobs=1, limits=LIMITS, tell=lambda *_: None, check=lambda: None):
        return Pool(start, jobs, limits, tell, check)

    make.made = made
    yield make
    assert all(not worker.is_alive for worker in made)
    assert threading.active_count() < 20


def came(pool, *tasks):
    return [(task, outcome.result or outcome.answer["did"]) for task, outcome in pool.run(tasks, lambda do: {"do": do})]


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_has_one_outcome(pool, jobs):
    tasks = [f"task {n}" for n in range(9)]
    assert sorted(came(pool(jobs), *tasks)) == [(task, task) for task in tasks]
    assert len(pool.made) <= jobs


def test_nothing_to_do(pool):
    assert came(pool(3)) == [] and not pool.made


def test_a_crash_costs_one_task_and_is_tried_again(pool):
    assert came(pool(), "a", "crash once", "b") == [("a", "a"), ("b", "b"), ("crash once", "crash once")]
    assert len(pool.made) == 3


def test_a_task_that_always_crashes_is_given_up(pool):
    outcomes = dict(pool(2).run(["crash", "a", "killed", "b"], lambda do: {"do": do}))
    assert (outcomes["a"].answer["did"], outcomes["b"].answer["did"]) == ("a", "b")
    assert outcomes["crash"].result == "crashed" and "ended with" in outcomes["crash"].error
    assert outcomes["killed"].result == ("crashed" if os.name == "nt" else "out of memory")  # no signal tells it there


def test_last_words_are_kept(pool, tmp_path):
    worker = pool().start()
    worker.wait_until_ready(threading.Event())
    outcome = worker.run_task({"do": "crash once"}, LIMITS, threading.Event(), lambda *_: None)
    assert outcome.result == "crashed" and "my last words" in outcome.error


def test_a_hang_is_ended_and_slow_work_is_not(pool):
    told = []
    pool = pool(2, Limits(None, 3.0, 50), lambda *t: told.append(t))
    assert sorted(came(pool, "hang", "slow", "a")) == [("a", "a"), ("hang", "no progress"), ("slow", "slow")]
    assert len([t for t in told if t[:2] == ("slow", "slow")]) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell a process's memory")  # Wine has /proc of its host
def test_memory_beyond_the_limit_is_ended(pool):
    assert came(pool(1, Limits(200_000_000, 20.0, 50)), "grow", "a") == [("a", "a"), ("grow", "out of memory")]


def test_processes_are_renewed(pool):
    pids = [o.answer["pid"] for _, o in pool(1, Limits(None, 20.0, 2)).run(list("abcde"), lambda do: {"do": do})]
    assert [pids.index(pid) for pid in pids] == [0, 0, 2, 2, 4]


def test_what_a_library_prints_is_no_answer(pool):
    assert came(pool(), "junk", "a") == [("junk", "junk"), ("a", "a")]


def test_stopping_ends_all_processes_soon(pool):
    asked, begun = [], time.monotonic()

    def check():
        if asked and time.monotonic() - begun > 0.5:
            raise Cancelled

    making = pool(2, check=check)
    with pytest.raises(Cancelled):
        for _ in making.run(["a", "hang", "hang", "b"], lambda do: {"do": do}):
            asked.append(1)
    assert time.monotonic() - begun < 15


def test_leaving_the_loop_ends_all_processes(pool):
    for task, _ in pool(2).run(["a", "hang", "hang"], lambda do: {"do": do}):
        assert task == "a"
        break


def test_a_process_that_dies_as_it_starts_is_started_again(tmp_path):
    mark = tmp_path / "mark"
    program = f"import os; m = {str(mark)!r}\nif not os.path.exists(m): open(m, 'w').close(); os.abort()\n{PROGRAM}"
    pool = Pool(lambda: Worker([sys.executable, "-c", program, "x"], os.environ), 1, LIMITS, lambda *_: None, lambda: None)
    assert came(pool, "a", "b") == [("a", "a"), ("b", "b")]


def test_a_program_that_does_not_start_is_told(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no such module')"]
    pool = Pool(lambda: Worker(command, os.environ), 2, LIMITS, lambda *_: None, lambda: None)
    with pytest.raises(DioramaError, match="does not start .*no such module"):
        list(pool.run(["a", "b"], lambda do: {"do": do}))


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell a process's memory")  # Wine has /proc of its host
def test_a_process_that_has_grown_past_half_of_its_memory_is_renewed(pool):
    """It is within its limit, but the next photo might not be."""
    tasks = ["a", "keep", "b", "c"]
    pids = [o.answer["pid"] for _, o in pool(1, Limits(500_000_000, 20.0, 50)).run(tasks, lambda do: {"do": do})]
    assert [pids.index(pid) for pid in pids] == [0, 0, 2, 2]
