"""The command line; `main` is where the program `photo-diorama` begins, before anything that takes long is loaded."""

from __future__ import annotations

import signal


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; Ctrl-C before and after its work ends the process as a signal does, without Python's traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .command_line import main as run  # here, as NumPy and others come with it

    return run(arguments)
