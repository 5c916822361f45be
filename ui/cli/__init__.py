"""The command line; the program `photo-diorama` starts in `main` here, before anything slow is imported."""

from __future__ import annotations

import signal


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; Ctrl-C during start-up or exit ends the process as a signal does, without Python's traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .command_line import main as run  # here, as NumPy and others come with it

    return run(arguments)
