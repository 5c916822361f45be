"""The user's folder for what is kept where no extension is installed; free of Blender, for the command line."""

import os
from pathlib import Path


def _home() -> Path:
    """The user's home; the root of the disk for one without (a container's user that no file knows), where nothing lies."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.path.abspath(os.sep))


NO_EXTENSION_FOLDER = _home() / ".photo_diorama"
