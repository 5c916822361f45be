"""`photo-diorama batch-worker`: a worker process of a batch, which makes one diorama after another on request."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from ...core.batch.manifest import BAD_INPUT, DONE, FAULT, OUT_OF_MEMORY
from ...core.batch.request import Request
from ...core.batch.workers import LINE_PREFIX
from ...core.errors import Kind, to_user_error
from . import make_diorama
from .flags import add_common
from .session import CancelSignals, ProgressLine, Session

TELL_EVERY = 0.2
"""Seconds between two reports of progress within one stage."""
CHECK_INTERVAL, SYNCHRONIZE, STILL_RUNS = 0.5, 0x00100000, 0x102
"""Seconds between two looks at the batch's own process; Windows' right to wait for a process, and its answer (WAIT_TIMEOUT)."""
LAST_LINES = 4000
"""Characters of a traceback that are passed on."""


class ProgressWriter(ProgressLine):
    """Writes progress for the process that waits."""

    def __init__(self, out: Callable[[str], None], stops: CancelSignals):
        super().__init__(False, stops)
        self.out, self.stage, self.last_report = out, "", 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        self.stops.check()
        now = time.monotonic()
        if stage != self.stage or now - self.last_report > TELL_EVERY:
            self.stage, self.last_report = stage, now
            self.out(LINE_PREFIX + json.dumps({"tell": [stage, fraction]}))


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_common(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Answers requests until standard input ends; ends at once when the batch itself is killed.

    Requests are read between photos and by no other thread: on Windows, loading a library while a thread waits on a pipe as standard
    input never returns (it asks what kind of file that is, and the answer waits for the pipe).
    """
    faulthandler.enable()
    _offer_to_the_system()
    teller = ProgressWriter(session.out, session.progress.stops)
    threading.Thread(target=_end_with, args=(parent_is_alive(),), daemon=True).start()
    session.out(LINE_PREFIX + json.dumps({"ready": True}))
    for line in iter(sys.stdin.readline, ""):
        session.out(LINE_PREFIX + json.dumps({"answer": answer_to(json.loads(line), session, teller)}))


def _end_with(is_alive: Callable[[], bool]) -> None:
    while is_alive():
        time.sleep(CHECK_INTERVAL)
    os._exit(0)  # the batch has ended, so the result is not wanted any more


def parent_is_alive() -> Callable[[], bool]:
    """A function that returns whether the process that started this one still runs."""
    parent = os.getppid()
    if os.name != "nt":
        return lambda: os.getppid() == parent  # an orphan gets another
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(SYNCHRONIZE, False, parent))
    return lambda: kernel.WaitForSingleObject(handle, 0) == STILL_RUNS


def _offer_to_the_system() -> None:
    """Makes this process the first that a system short of memory ends: its task is tried again."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def answer_to(asked: dict, session: Session, teller: ProgressWriter) -> dict:
    """Makes one request (JSON of a Request) and returns its outcome; raises only what ends the process."""
    said: list[str] = []
    quiet = Session(said.append, session.models, session.online, json=True, quiet=True, progress=teller)
    begun = time.perf_counter()
    try:
        make_diorama.make(Request.from_json(asked), quiet)
        answer = {"result": DONE, "facts": json.loads(said[-1])}
    except Exception as error:
        sentence = to_user_error(error)
        answer = {"result": FAULT if sentence is None else BAD_INPUT, "error": str(sentence)}
        if sentence is None:
            answer["error"] = "This is a fault of Photo Diorama; please report it with its line of the manifest, which holds the traceback."
            answer["traceback"] = "".join(traceback.format_exception(error))[-LAST_LINES:]
        elif sentence.kind is Kind.MEMORY:
            answer["result"] = OUT_OF_MEMORY
    return answer | {"seconds": round(time.perf_counter() - begun, 3)}
