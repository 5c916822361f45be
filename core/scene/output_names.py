"""Names that Windows does not take; they are refused before any work is done."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from ..errors import DioramaError

DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}
"""Names that stand for a device in every folder and with every ending (Microsoft, "Naming Files, Paths, and Namespaces")."""
FORBIDDEN = set('<>:"|?*') | {chr(n) for n in range(32)}
MAX_PATH = 259
"""Longest path in characters; Blender takes no longer ones."""


def windows_objection(path: PurePath) -> str | None:
    """The second half of a sentence about a path that Windows refuses or would change; None where Windows accepts it.

    >>> from pathlib import PureWindowsPath
    >>> windows_objection(PureWindowsPath("C:/out/nul.blend"))
    'has the part "nul.blend", which is the name of a device in Windows'
    """
    for part in path.parts[1 if path.anchor else 0 :]:
        if part in (".", ".."):
            continue
        if part.partition(".")[0].rstrip(" ").upper() in DEVICES:
            return f'has the part "{part}", which is the name of a device in Windows'
        if part.endswith((".", " ")):
            return f'has the part "{part}", whose last dot or space Windows takes off'
        if FORBIDDEN & set(part):
            return f'has the part "{part}" with a character that Windows takes in no name'
    if len(str(path)) > MAX_PATH:
        return f"is {len(str(path))} characters long, of which Windows takes {MAX_PATH}"
    return None


def check_name(path: Path, windows: bool = os.name == "nt") -> None:
    """Raises DioramaError for an output that this system's files cannot be called."""
    refused = windows_objection(path.absolute()) if windows else None
    if refused:
        raise DioramaError(f"{path} {refused}; choose another name.")
