"""Exit codes, and the sentence for an exception."""

from __future__ import annotations

from ...core.errors import in_a_sentence

OK, FAULT, EXIT_BAD_INPUT = 0, 1, 2


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and the sentence for an exception."""
    told = in_a_sentence(error)
    if told is not None:
        return EXIT_BAD_INPUT, str(told)
    return FAULT, "this is a fault of Photo Diorama; please report it with the lines above."
