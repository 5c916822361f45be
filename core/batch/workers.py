"""Worker processes that do tasks one after another, so that a crash, a hang or a lack of memory costs one task only."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from ..errors import DioramaError
from .manifest import CRASHED, NO_PROGRESS, OUT_OF_MEMORY

LINE_PREFIX = "photo-diorama:"
"""Start of the lines that a worker sends us; everything else that it or its libraries print is ignored."""
CHECK_INTERVAL = 0.2
"""Seconds between two checks of a working process."""
SLOWEST_START = 600.0
START_ATTEMPTS = 3
"""Attempts to start a worker: one that dies at its start may have met a moment without memory."""
MAX_OUTPUT_TAIL = 2000
"""Characters of a dead process's output that are kept."""
SIGKILL = -9


@dataclass(frozen=True)
class Limits:
    """Time and memory limits of a worker."""

    memory: int | None  # bytes of resident memory, None without bound; looked at where the system tells (Linux)
    patience: float  # seconds without any sign of progress
    recycle: int  # tasks after which a process gives back its memory by ending


@dataclass(frozen=True)
class Outcome:
    """Result of one task."""

    answer: dict | None  # the worker's own, or None where it did not live to give one
    result: str = ""  # in that case: crashed, out of memory or no progress
    error: str = ""


class Stopped(Exception):
    """Raised where the run is being stopped: the task was given up and has no outcome."""


class Worker:
    """One process that reads one JSON request per line and writes marked lines: {"tell": [stage, fraction]}, {"answer": ...}."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]):
        self.done = 0
        self.said = tempfile.TemporaryFile()
        options: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is for the one who waits, not for these
        if os.name == "nt":
            options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined, unused-ignore]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, env=environment, **options
        )
        self._lines: SimpleQueue[dict | None] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(LINE_PREFIX.encode()):
                try:
                    self._lines.put(json.loads(line[len(LINE_PREFIX) :]))
                except ValueError:  # cut short by its death, which the end of the pipe tells
                    break
        self._lines.put(None)

    def wait_until_ready(self, stop: threading.Event) -> None:
        """Waits for the process to start. Raises DioramaError with its standard error where it does not, Stopped once `stop` is set."""
        begun = time.monotonic()
        while time.monotonic() - begun < SLOWEST_START:
            if stop.is_set():
                raise Stopped
            try:
                line = self._lines.get(timeout=CHECK_INTERVAL)
            except Empty:
                continue
            if line is None:
                break
            if line.get("ready"):
                return
        self.kill()
        raise DioramaError(f"A worker process does not start ({self.last_words() or 'it said nothing'}); "
                           "run `photo-diorama` on one photo to see why.")  # fmt: skip

    def run_task(self, request: dict, limits: Limits, stop: threading.Event, tell: Callable[[str, float], None]) -> Outcome:
        """Does one task. Once `stop` is set, kills the process and raises Stopped."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it is dead, which shows below
        heard = time.monotonic()
        while True:
            if stop.is_set():
                self.kill()
                raise Stopped
            try:
                line = self._lines.get(timeout=CHECK_INTERVAL)
            except Empty:
                outcome = self._over(limits, time.monotonic() - heard)
                if outcome is not None:
                    return outcome
                continue
            if line is None:
                return self._dead()
            heard = time.monotonic()
            if "tell" in line:
                tell(*line["tell"])
            if "answer" in line:
                self.done += 1
                return Outcome(line["answer"])

    def _over(self, limits: Limits, silent: float) -> Outcome | None:
        """Kills a process that exceeds a limit and returns its outcome; None within the limits."""
        used = self.memory()
        if limits.memory is not None and used is not None and used > limits.memory:
            self.kill()
            return Outcome(None, OUT_OF_MEMORY, f"It needed more than {limits.memory / 1e6:,.0f} MB of memory.")
        if silent > limits.patience:
            self.kill()
            return Outcome(None, NO_PROGRESS, f"It made no progress for {limits.patience:,.0f} s.")
        return None

    def _dead(self) -> Outcome:
        code = self.kill()
        if code == SIGKILL:  # only the system kills like this, when memory is short
            return Outcome(None, OUT_OF_MEMORY, "Its process was killed, as a system short of memory does.")
        words = self.last_words()
        return Outcome(None, CRASHED, f"Its process ended with {code}" + (f": {words}" if words else "."))

    def memory(self) -> int | None:
        """Bytes of resident memory; None where the system does not tell."""
        try:
            with open(f"/proc/{self.process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None

    def last_words(self) -> str:
        """The last lines that the process wrote to standard error."""
        size = self.said.seek(0, os.SEEK_END)
        self.said.seek(max(0, size - MAX_OUTPUT_TAIL))
        return self.said.read().decode(errors="replace").strip()

    def kill(self) -> int:
        """Kills the process at once and returns its exit status. The worker cannot be used afterwards."""
        self.process.kill()
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


class Pool:
    """Runs tasks in several processes at once.

    `start` makes a worker that is not ready yet. `tell(task, stage, fraction)` is called from threads. `check` is called repeatedly
    by the waiting thread and may raise to stop the run.
    """

    def __init__(self, start: Callable[[], Worker], jobs: int, limits: Limits, tell: Callable[[Any, str, float], None],
                 check: Callable[[], None]):  # fmt: skip
        self.start, self.jobs, self.limits, self.tell, self.check = start, jobs, limits, tell, check
        self.stop = threading.Event()

    def run(self, tasks: Sequence, request: Callable[[Any], dict]):
        """Yields (task, Outcome) as tasks finish, in the calling thread.

        A task whose process died is tried once more after all others, alone, since it may have lacked memory that another worker
        held. Raises DioramaError where processes do not start. No process is left behind, however this ends.
        """
        again = []
        for task, outcome in self._run(tasks, request, self.jobs):
            if outcome.result in (CRASHED, OUT_OF_MEMORY) or (outcome.answer or {}).get("result") == OUT_OF_MEMORY:
                again.append(task)
            else:
                yield task, outcome
        if again:
            yield from self._run(again, request, 1, fresh=True)

    def _run(self, tasks: Sequence, request: Callable[[Any], dict], jobs: int, fresh: bool = False):
        waiting: SimpleQueue = SimpleQueue()
        outcomes: SimpleQueue = SimpleQueue()
        for task in tasks:
            waiting.put(task)
        jobs = min(jobs, len(tasks))
        threads = [threading.Thread(target=self._serve_tasks, args=(waiting, outcomes, request, fresh)) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        try:
            ended = 0
            while ended < jobs:
                self.check()
                try:
                    got = outcomes.get(timeout=CHECK_INTERVAL)  # a wait without end would keep signals waiting too
                except Empty:
                    continue
                if got is None:
                    ended += 1
                elif isinstance(got, BaseException):
                    raise got
                else:
                    yield got
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
            self.stop.clear()

    def _serve_tasks(self, waiting: SimpleQueue, outcomes: SimpleQueue, request, fresh: bool) -> None:
        worker = None
        try:
            while not self.stop.is_set():
                try:
                    task = waiting.get_nowait()
                except Empty:
                    break
                if worker is None:
                    worker = self._start_worker()
                outcome = worker.run_task(request(task), self.limits, self.stop, lambda *report, task=task: self.tell(task, *report))
                outcomes.put((task, outcome))
                if fresh or self._needs_restart(worker, outcome):
                    worker.kill()
                    worker = None
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked, which raises it
            outcomes.put(error)
        finally:
            if worker is not None:
                worker.kill()
            outcomes.put(None)

    def _start_worker(self) -> Worker:
        """A process that has started; raises DioramaError where several in a row fail to start."""
        for left in reversed(range(START_ATTEMPTS)):
            worker = self.start()
            try:
                worker.wait_until_ready(self.stop)
                return worker
            except Stopped:
                worker.kill()
                raise
            except DioramaError:
                if not left:
                    raise
        raise AssertionError("STARTS is at least one")

    def _needs_restart(self, worker: Worker, outcome: Outcome) -> bool:
        if not worker.is_alive or outcome.answer is None or worker.done >= self.limits.recycle:
            return True
        used = worker.memory()
        crowded = self.limits.memory is not None and used is not None and used > self.limits.memory / 2
        return crowded or outcome.answer.get("result") == OUT_OF_MEMORY
