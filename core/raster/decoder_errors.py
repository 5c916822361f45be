"""Exceptions that picture decoders raise on damaged files, and their messages as parts of a sentence."""

from __future__ import annotations

import struct
import zlib

from ..errors import DioramaError, Kind, is_out_of_memory

# what Pillow's decoders raise on damaged files, libheif's and NumPy's and zipfile's readers of headers too
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, MemoryError,
    AttributeError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip


def damaged(name: object, error: Exception, what_to_do: str) -> DioramaError:
    """The error for a file that a decoder rejected; where memory ran out, the file itself may be sound."""
    if is_out_of_memory(error):
        return DioramaError(f"{name} needs more memory to decode than there is; close other programs or scale it down.", Kind.MEMORY)
    return DioramaError(f"{name} is damaged or cut short ({in_one_line(error)}); {what_to_do}.")


def in_one_line(error: Exception) -> str:
    """A decoder's message, cleaned up for use inside a sentence."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
