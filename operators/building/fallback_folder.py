"""The user's models folder where no extension is installed; free of Blender, for the command line."""

import os
from pathlib import Path


def _home() -> Path:
    """The user's home; the root of the disk where there is none (a container's user without an account)."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.path.abspath(os.sep))


NO_EXTENSION_FOLDER = _home() / ".photo_diorama"
