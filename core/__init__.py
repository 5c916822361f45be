"""Everything that turns a photo into a layered mesh; imports nothing of Blender."""

import os

# OpenCV's readers and writers of OpenEXR are on only where this is set before it is loaded; on Windows it looks no later
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
