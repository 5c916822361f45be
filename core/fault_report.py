"""Writes a report of a fault of Photo Diorama that the user can send: traceback and versions."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

LIBRARIES = ("numpy", "cv2", "scipy", "PIL", "pillow_heif", "OpenEXR", "torch", "timm", "bpy")
MAX_WORDS = 20_000
"""Characters of the libraries' output that are kept."""


def report_fault(error: BaseException, chatter: str = "") -> str:
    """Writes the report and returns the end of a sentence that asks the user to send it.

    `chatter`: what libraries wrote on standard error. Where no folder is writable, the user is asked for the console's lines.
    """
    lines = [
        "Photo Diorama: report of a fault. Look through it for names of files that you would rather not send.",
        f"Python {sys.version}", f"{platform.platform()}, {os.cpu_count()} cores",
        *(f"{name} {getattr(sys.modules[name], '__version__', '')}" for name in LIBRARIES if name in sys.modules),
        "", *traceback.format_exception(error),
    ]  # fmt: skip
    if chatter:
        lines += ["", "What libraries said:", chatter[-MAX_WORDS:]]
    try:
        handle, name = tempfile.mkstemp(prefix="photo-diorama-fault-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines))
    except OSError:
        return "please report it with the lines that the console shows, and the photo if you may"
    return f"please report it with the file {Path(name)}, and the photo if you may"
