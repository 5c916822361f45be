"""Films decoded in a process of their own: OpenCV's decoder and Blender in one process crashed now and then.

The crash came with the next copy of a scene after a film was decoded (a segmentation fault, on a thread that is not Python's).
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

DECODE = """
import sys
import cv2
import numpy as np

movie, frames = cv2.VideoCapture(sys.argv[1]), []
while (read := movie.read())[0]:
    frames.append(read[1])
np.savez(sys.argv[2], frames=np.array(frames), rate=movie.get(cv2.CAP_PROP_FPS))
"""


def read_film(path: Path) -> tuple[np.ndarray, float]:
    """Frames (n, h, w, 3) uint8, blue first, and frames a second; no frames where the file is no film."""
    decoded = path.with_name(path.name + ".decoded.npz")
    subprocess.run([sys.executable, "-c", DECODE, str(path), str(decoded)], check=True, timeout=120)
    with np.load(decoded) as read:
        result = read["frames"], float(read["rate"])
    decoded.unlink()
    return result
