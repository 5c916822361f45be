"""What decoders of pictures raise on damaged files, and their words fit for a sentence."""

from __future__ import annotations

import struct
import zlib

# what Pillow's decoders raise on damaged files, libheif's and NumPy's and zipfile's readers of headers too
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, MemoryError,
    AttributeError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip


def in_one_line(error: Exception) -> str:
    """A decoder's own words, made fit for the inside of a sentence."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
