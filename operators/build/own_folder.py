"""The user's folder for what is kept where no extension is installed; free of Blender, for the command line."""

from pathlib import Path

NO_EXTENSION_FOLDER = Path.home() / ".photo_diorama"
