"""What a command finds around it: where its words go, where models lie, whether it may go online, how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...core.errors import Cancelled

INTERRUPTED = 130
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class ProgressLine:
    """One line on standard error that tells how far the work is; it stops the work when the user asked to.

    Nothing is written where standard error is no terminal: logs are read by programs.
    """

    def __init__(self, shown: bool, stops: Stops):
        self.shown, self.stops, self.open = shown and sys.stderr.isatty(), stops, False

    def __call__(self, stage: str, fraction: float) -> None:
        self.stops.check()
        self.show(stage, fraction)

    def show(self, stage: str, fraction: float) -> None:
        """The line alone, for work that is stopped otherwise."""
        if self.shown:
            print(f"\r{fraction:4.0%} {plain(stage):<60.60}", end="", file=sys.stderr, flush=True)
            self.open = True

    def end(self) -> None:
        """Lets the next words begin on a line of their own."""
        if self.open:
            print(file=sys.stderr, flush=True)
            self.open = False


class Stops:
    """Ctrl-C, remembered: an interrupt that strikes inside a callback of Blender would be swallowed there.

    A request to end (SIGTERM) and a terminal that is closed (SIGHUP) are the same to us.
    """

    def __init__(self):
        self.asked, self.deferring, self.code = False, False, INTERRUPTED

    def check(self) -> None:
        """Raises Cancelled once the user has asked to stop."""
        if self.asked:
            raise Cancelled

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Meanwhile Ctrl-C and its like raise KeyboardInterrupt here instead of whatever Blender does with it."""
        if threading.current_thread() is not threading.main_thread():  # only there can a signal be handled
            yield
            return
        # whoever starts us with nohup wants the end of the terminal ignored
        heeded = [s for s in SIGNALS if s == signal.SIGINT or signal.getsignal(s) != signal.SIG_IGN]
        before = {each: signal.signal(each, self._ask) for each in heeded}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler if handler is not None else signal.SIG_DFL)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Meanwhile the first Ctrl-C waits for the next `check`: Blender would answer it with tracebacks, no sooner."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False
        self.check()

    def _ask(self, number: int, _frame) -> None:
        again, self.asked, self.code = self.asked, True, 128 + number
        if again or not self.deferring:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Session:
    """Handed to each command."""

    out: Callable[[str], None]  # prints on the true standard output
    models: Path  # folder of downloaded networks, unless --models-dir names another
    online: bool  # whether downloads are allowed
    json: bool
    quiet: bool
    progress: ProgressLine = field(repr=False)

    def say(self, *lines: str) -> None:
        """Words for a person; none with --json or --quiet."""
        self.progress.end()
        if not self.json and not self.quiet:
            for line in lines:
                self.out(plain(line))

    def result(self, facts: dict) -> None:
        """The one JSON object, with --json."""
        self.progress.end()
        if self.json:
            self.out(json.dumps(facts, allow_nan=False))

    def warn(self, line: str) -> None:
        self.progress.end()
        print(f"photo-diorama: {plain(line)}", file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Text without what would steer a terminal: names and camera models come from strangers' files."""
    return "".join(c if c.isprintable() else "?" for c in text)


@contextmanager
def only_ours_on_standard_output() -> Iterator[Callable[[str], None]]:
    """Yields a `print` for standard output, from which Blender's own chatter is kept away meanwhile."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as out:
            yield lambda text: print(text, file=out, flush=True)
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    scale = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6, 1)
