"""Runs slow work in its own thread, with progress, cancelling and a result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from .errors import Cancelled

Work = Callable[[Callable[[str, float], None]], Any]
"""Work takes the progress to call (stage, fraction); through that call it is cancelled."""


ENOUGH_DONE, ENOUGH_SECONDS = 0.1, 1.0
"""Before this part of the work or these seconds no remaining time is shown: it would be a guess."""


class Job:
    """Runs `work(progress)` in a thread, started at once.

    The owner polls with `poll()`; the thread never calls code of the owner.
    """

    def __init__(self, work: Work):
        self.stage, self.fraction, self.started = "Starting", 0.0, time.monotonic()
        self._reports: SimpleQueue[tuple[str, float]] = SimpleQueue()
        self._asked_to_stop = threading.Event()
        self._asked_at = 0.0
        self._outcome: tuple[Any, BaseException | None] | None = None
        # a daemon: closing the program must not wait for a stage that takes a minute
        self._thread = threading.Thread(target=self._run, args=(work,), name="photo diorama", daemon=True)
        self._thread.start()

    def _run(self, work: Work) -> None:
        try:
            self._outcome = work(self._progress), None
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            self._outcome = None, error

    def _progress(self, stage: str, fraction: float) -> None:
        if self._asked_to_stop.is_set():
            raise Cancelled
        self._reports.put((stage, fraction))

    def cancel(self) -> None:
        """Asks the work to stop; it does at its next call of progress."""
        self._asked_at = self._asked_at or time.monotonic()
        self._asked_to_stop.set()

    @property
    def seconds_stopping(self) -> float:
        """Seconds since `cancel`; 0 without. The owner need not wait for a network that cannot be interrupted."""
        return time.monotonic() - self._asked_at if self._asked_at else 0.0

    @property
    def cancelling(self) -> bool:
        return self._asked_to_stop.is_set()

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the end; None while too little is done to say."""
        spent = time.monotonic() - self.started
        if self.fraction < ENOUGH_DONE or spent < ENOUGH_SECONDS:
            return None
        return spent * (1 - self.fraction) / self.fraction

    def poll(self) -> bool:
        """Brings `stage` and `fraction` up to date; returns whether the work has ended."""
        ended = self._outcome is not None
        while not self._reports.empty():
            self.stage, self.fraction = self._reports.get()
        return ended

    def result(self, timeout: float | None = None) -> Any:
        """What the work returned, once it has ended.

        Raises what the work raised, Cancelled when it was stopped meanwhile, and TimeoutError when it has not ended
        within `timeout` seconds.
        """
        self._thread.join(timeout)
        if self._outcome is None:
            raise TimeoutError("the work has not ended yet")
        value, error = self._outcome
        if error is not None:
            raise error
        if self._asked_to_stop.is_set():
            raise Cancelled
        return value
