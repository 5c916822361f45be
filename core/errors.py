"""The two ways in which a diorama does not come about: bad input, told in a sentence, and the user's own cancel."""

import errno


class DioramaError(ValueError):
    """Input that cannot be used. Its text is one sentence for the user: which file, what is wrong, what to do."""


def without_torch(inpainter: str, error: ImportError, instead: str) -> DioramaError:
    """What to raise where an inpainter's networks cannot run."""
    return DioramaError(f'The inpainter "{inpainter}" needs PyTorch, which cannot be loaded here ({error}); choose "{instead}".')


class Cancelled(Exception):
    """The user asked to stop; raised at the next step of the work, which leaves nothing half done."""


NO_MEMORY = (
    "bad_alloc", "bad alloc", "out of memory", "insufficient memory", "cannot allocate memory", "can't allocate memory",
    "could not create a memory", "failed to map segment", "unable to allocate", "not enough memory", "failed to allocate",
    "alloc failed", "cannot allocate",
)  # fmt: skip
"""How libraries say it: C++, OpenCV, PyTorch and its oneDNN, the system's loader, NumPy, zlib, Blender."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, means that there was no memory, whatever type a library gave it."""
    for _ in range(8):
        if error is None or isinstance(error, DioramaError):
            return False
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if any(words in str(error).lower() for words in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
