"""A job in a thread: its progress, its end, its cancel and its faults reach the thread that waits."""

import threading
import time

import pytest

from photo_diorama.core.errors import Cancelled, DioramaError
from photo_diorama.core.job import Job


def test_tells_every_step_in_order_and_hands_over_the_result():
    gate, seen = threading.Semaphore(0), []

    def work(progress):
        for k in range(4):
            progress(f"stage {k}", k / 4)
            assert gate.acquire(timeout=10)
        return "done", threading.current_thread() is threading.main_thread()

    job = Job(work)
    while not seen or seen[-1] != ("stage 3", 0.75):
        ended = job.poll()
        assert not ended
        if job.stage != "Starting" and (not seen or seen[-1] != (job.stage, job.fraction)):
            seen.append((job.stage, job.fraction))
            gate.release()
    assert job.result(timeout=10) == ("done", False)
    assert job.poll()
    assert seen == [(f"stage {k}", k / 4) for k in range(4)]


def test_progress_told_before_the_end_is_not_lost():
    job = Job(lambda progress: progress("Last", 1.0))
    job.result(timeout=10)
    assert job.poll() and (job.stage, job.fraction) == ("Last", 1.0)


def test_cancel_stops_at_the_next_call_of_progress():
    started, gate, steps = threading.Event(), threading.Event(), []

    def work(progress):
        progress("First", 0.0)
        started.set()
        assert gate.wait(10)
        steps.append("before")
        progress("Second", 0.5)
        steps.append("after")

    job = Job(work)
    assert started.wait(10)
    job.cancel()
    gate.set()
    with pytest.raises(Cancelled):
        job.result(timeout=10)
    assert steps == ["before"] and job.cancelling and job.poll()


def test_cancel_after_the_last_step_still_counts():
    gate = threading.Event()
    job = Job(lambda progress: gate.wait(10))
    job.cancel()
    gate.set()
    with pytest.raises(Cancelled):
        job.result(timeout=10)


@pytest.mark.parametrize("error", [DioramaError("x.jpg is empty."), ZeroDivisionError("our fault"), MemoryError()])
def test_an_error_in_the_thread_is_raised_to_who_waits(error):
    def work(progress):
        raise error

    job = Job(work)
    with pytest.raises(type(error)) as caught:
        job.result(timeout=10)
    assert caught.value is error and job.poll()


def test_unfinished_work_has_no_result_yet():
    gate = threading.Event()
    job = Job(lambda progress: gate.wait(10))
    with pytest.raises(TimeoutError):
        job.result(timeout=0.01)
    assert not job.poll()
    gate.set()
    assert job.result(timeout=10) is True


def test_the_time_left_follows_what_is_done(monkeypatch):
    from photo_diorama.core import job as module

    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    job = Job(lambda progress: progress("half", 0.5))
    job.result(10)
    assert job.poll() and job.seconds_left is None  # no second has passed
    clock[0] = 103.0
    assert job.seconds_left == 3.0
    job.fraction = 0.05
    assert job.seconds_left is None  # too little is done to say


def test_how_long_it_is_asked_to_stop_is_known():
    may_end = threading.Event()
    job = Job(lambda progress: may_end.wait(10))
    assert job.seconds_stopping == 0
    job.cancel()
    time.sleep(0.05)
    first = job.seconds_stopping
    job.cancel()
    assert 0.04 < first <= job.seconds_stopping, "asking again does not start anew"
    may_end.set()
