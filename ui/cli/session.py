"""The environment of a command: its output, models folder, online access and interruption."""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...core.errors import Cancelled

INTERRUPTED = 130
MAX_CHATTER = 20_000
"""Bytes of the libraries' output that are kept for a fault report."""
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class ProgressLine:
    """One line on standard error with the progress; raises when the user asked to stop.

    Nothing is written where standard error is no terminal, since programs read logs.
    """

    def __init__(self, shown: bool, stops: CancelSignals):
        self.shown, self.stops, self.open = shown and bool(sys.stderr) and sys.stderr.isatty(), stops, False
        self.write: Callable[[str], None] = lambda text: write_to(2, text)

    def __call__(self, stage: str, fraction: float) -> None:
        self.stops.check()
        self.show(stage, fraction)

    def show(self, stage: str, fraction: float) -> None:
        """Shows the line only, for work that is stopped in another way."""
        if self.shown:
            self.write(f"\r{fraction:4.0%} {plain(stage):<60.60}")
            self.open = True

    def end(self) -> None:
        """Ends the line, so that the next output begins on a new one."""
        if self.open:
            self.write("\n")
            self.open = False


class CancelSignals:
    """Remembers Ctrl-C: an exception raised inside a callback of Blender would be swallowed.

    A request to end (SIGTERM) and a closed terminal (SIGHUP) count as the same.
    """

    def __init__(self):
        self.asked, self.deferring, self.holding, self.code = False, False, False, INTERRUPTED

    def check(self) -> None:
        """Raises Cancelled once the user has asked to stop."""
        if self.asked:
            raise Cancelled

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """A context in which Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt here, in place of any other handlers."""
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
        """A context in which the first Ctrl-C waits for the next `check`, since Blender would answer it with tracebacks."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False
        self.check()

    @contextmanager
    def defer_all_signals(self) -> Iterator[None]:
        """A context in which every signal waits: an interrupt during the start of a library such as Blender leaves it broken."""
        self.holding = True
        try:
            yield
        finally:
            self.holding = False
        self.check()

    def _ask(self, number: int, _frame) -> None:
        again, self.asked, self.code = self.asked, True, 128 + number
        if not self.holding and (again or not self.deferring):
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Session:
    """Passed to each command."""

    out: Callable[[str], None]  # prints on the true standard output
    models: Path  # folder of downloaded networks, unless --models-dir names another
    online: bool  # whether downloads are allowed
    json: bool
    quiet: bool
    progress: ProgressLine = field(repr=False)

    def say(self, *lines: str) -> None:
        """Prints text for a person; nothing with --json or --quiet."""
        self.progress.end()
        if not self.json and not self.quiet:
            for line in lines:
                self.out(plain(line))

    def result(self, facts: dict) -> None:
        """Prints the one JSON object, with --json."""
        self.progress.end()
        if self.json:
            self.out(json.dumps(facts, allow_nan=False))

    def warn(self, line: str) -> None:
        self.progress.end()
        self.progress.write(f"photo-diorama: {plain(line)}\n")


def plain(text: str) -> str:
    """Text without terminal control characters: file names and camera models are untrusted."""
    return "".join(c if c.isprintable() else "?" for c in text)


def write_to(descriptor: int, text: str) -> OSError | None:
    """Writes at once, as UTF-8; returns the error where it fails, since a reader that closed the pipe is no reason to stop the work."""
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    try:
        if sys.platform == "win32" and os.isatty(descriptor):
            _write_to_console(descriptor, data)
            return None
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        return error
    return None


def _write_to_console(descriptor: int, data: memoryview) -> None:
    """Through Python's own stream for Windows' consoles, which take bytes for characters of their code page; a file keeps its bytes."""
    with open(descriptor, "wb", buffering=0, closefd=False) as console:
        while data:
            data = data[console.write(data) :]


def open_streams() -> None:
    """Opens closed standard streams on the null device, so that the next opened file does not become one of them."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))
    for stream in (sys.stdout, sys.stderr):  # so that a help or a library that names a file never fails for its characters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_streams() -> None:
    """Flushes the streams or drops their content: Python's own last attempt would end in a traceback and another exit code."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


class OwnWords:
    """Called like `print`, for standard output; stores why a write failed, and what libraries wrote meanwhile."""

    def __init__(self):
        self.lost: OSError | None = None
        self.chatter = ""
        self.descriptors = {1: 1, 2: 2}

    def __call__(self, text: str) -> None:
        self.lost = self.lost or write_to(self.descriptors[1], f"{text}\n")

    def error(self, text: str) -> None:
        write_to(self.descriptors[2], text)

    @contextmanager
    def silence_libraries(self, errors: bool = False) -> Iterator[OwnWords]:
        """Blender's and libraries' own chatter is kept away from standard output meanwhile, with `errors` from standard error too."""
        kept = {number: os.dup(number) for number in ((1, 2) if errors else (1,))}
        nowhere = os.open(os.devnull, os.O_WRONLY)
        self.descriptors |= kept
        chatter = _temporary() if errors else None
        ours = errors and not faulthandler.is_enabled()
        flush_streams()
        os.dup2(nowhere, 1)
        if errors:
            os.dup2(nowhere if chatter is None else chatter.fileno(), 2)
        if ours:
            faulthandler.enable(kept[2])  # or a crash would end silently
        try:
            yield self
        finally:
            flush_streams()
            if ours:
                faulthandler.disable()
            for number, descriptor in kept.items():
                os.dup2(descriptor, number)
                os.close(descriptor)
                self.descriptors[number] = number
            os.close(nowhere)
            if chatter is not None:
                self.chatter = _last_of(chatter)
                chatter.close()


def _temporary():
    """A temporary file without a name; None where there is no space for one."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


def _last_of(file) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_CHATTER))
    return file.read().decode(errors="replace")


@contextmanager
def only_ours_on_standard_output() -> Iterator[Callable[[str], None]]:
    """Yields a `print` for standard output, which Blender's own output does not reach meanwhile."""
    with OwnWords().silence_libraries() as out:
        yield out


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    scale = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6, 1)
