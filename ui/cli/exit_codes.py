"""What went wrong as an exit code and one sentence."""

from __future__ import annotations

from ...core.errors import DioramaError, is_out_of_memory
from .output_paths import OF_THE_DISK

OK, FAULT, BAD_INPUT = 0, 1, 2


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and the sentence for what went wrong."""
    if isinstance(error, DioramaError):
        return BAD_INPUT, str(error)
    if is_out_of_memory(error):
        return BAD_INPUT, "There is not enough memory for this photo; lower --long-side or scale the photo down."
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(__package__.split(".")[0]):
        return BAD_INPUT, f"The Python module {error.name} is missing; install Photo Diorama with what it needs."
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        return BAD_INPUT, (f"{error.filename or 'The output'} cannot be written ({error.strerror}); "
                           "check the free space and the folder's permissions.")  # fmt: skip
    return FAULT, "this is a fault of Photo Diorama; please report it with the lines above."
